"""Checkpoints at an S3 URL: what a run, and a clone of the project on another machine, do there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from flight_delays.checkpointing.disk.shared.objects import open_objects

from tests.faulty import Faults, in_front_of
from tests.marks import in_exhaustive, in_slow
from tests.runtime.conftest import Project, until
from tests.s3 import S3

from .sharing import clone, share

SEGMENTS = {
    "s01": """
        @step
        def table(rows: int) -> pd.DataFrame:
            ran("table")
            return pd.DataFrame({"x": np.arange(rows)})

        @step
        def pages(workdir: Path) -> Path:
            ran("pages")
            (workdir / "part #1").mkdir()
            (workdir / "part #1" / "100 %.txt").write_text("page")
            return workdir
    """,
    "s02": """
        @step
        def parts(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
            ran("parts")
            return {"low": table[table["x"] < 500], "high": table[table["x"] >= 500]}
    """,
    "s03": """
        @step
        def total(parts: dict[str, pd.DataFrame], pages: Path) -> pd.DataFrame:
            ran("total")
            sums = [int(part["x"].sum()) for part in parts.values()]
            texts = [path.read_text() for path in sorted(pages.rglob("*.txt"))]
            return pd.DataFrame({"sum": sums, "text": texts * len(sums)})
    """,
}
STEPS = ["table", "pages", "parts", "total"]
WIRING = """
[params]
rows = 1000

[outputs]
total = "out/total.csv"
"""


@pytest.fixture(scope="module", autouse=True)
def storage(s3: S3) -> Iterator[None]:
    """All processes of these tests use the server on loopback."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3.environment().items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def url(s3: S3) -> str:
    return f"{s3.bucket()}/team/delays"


@pytest.fixture
def shared(project: Project, url: str) -> Project:
    """A project that has not run, with its checkpoints at the URL."""
    share(project, url)
    project.segments(**SEGMENTS)
    project.write("pipeline.toml", WIRING)
    return project


@pytest.fixture(scope="module")
def bucket(s3: S3) -> str:
    return f"{s3.bucket()}/team/delays"


@pytest.fixture(scope="module")
def original(s3: S3, bucket: str, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that has run; tests look at its URL, and change nothing there."""
    project = share(Project(tmp_path_factory.mktemp("original") / "demo"), bucket)
    project.segments(**SEGMENTS)
    project.write("pipeline.toml", WIRING)
    record = project.run()
    assert record["exit_code"] == 0, record["error"]
    assert project.executed() == STEPS
    return project


def objects_at(url: str) -> list[str]:
    """The names of all objects of checkpoints at a URL."""
    names = (stored.name for stored in open_objects(url).list("demo"))
    return [name for name in names if name.count("/") > 2]


def named_by_manifests(url: str) -> set[str]:
    """The first parts of the names that they should have: manifests, and what these name."""
    objects, named = open_objects(url), set()
    for name in objects_at(url):
        folder, _, file = name.rpartition("/")
        if file in ("manifest.json", "partial.json"):
            content = json.loads(objects.read(name)[0])
            kinds = (content[kind].values() for kind in ("values", "outputs", "published"))
            named |= {name, *(f"{folder}/{r['file']}" for kind in kinds for r in kind)}
    return named


def strays_at(url: str) -> list[str]:
    """Objects of checkpoints that no manifest at the URL names."""
    named = named_by_manifests(url)
    return [n for n in objects_at(url) if not any(n == k or n.startswith(f"{k}/") for k in named)]


def data_files(project: Project) -> set[str]:
    """The files of values in a project's cache, without the digits of their names."""
    found = (path for path in project.checkpoints().glob("*/*/*") if path.suffix != ".json")
    return {path.name.partition(".")[0] for path in found}


def output(project: Project) -> str:
    return (project.folder / "out/total.csv").read_text()


def test_a_clone_reuses_all_and_fetches_what_it_publishes(
    original: Project, tmp_path: Path
) -> None:
    other = clone(original, tmp_path / "other")
    record = other.run()

    assert [s["status"] for s in record["segments"]] == ["reused"] * 3
    assert other.executed() == []
    assert data_files(other) == {"total"}
    assert output(other) == output(original)
    assert record["bytes_fetched"] > 0 == record["bytes_pushed"]


@pytest.mark.slow
def test_a_clone_shows_and_loads_what_another_machine_made(
    original: Project, tmp_path: Path
) -> None:
    other = clone(original, tmp_path / "other")
    status = json.loads(other.command("status", "--json").stdout)
    assert [s["reusable"] for s in status["segments"]] == [True] * 3
    assert data_files(other) == set()

    assert "499" in other.command("show", "parts.low", "--rows", "500").stdout
    assert "995  995" in other.load("parts.high")
    assert data_files(other) == {"parts-0", "parts-1"}
    assert not (other.folder / "executed.txt").exists()


@pytest.mark.slow
def test_an_edited_step_runs_alone_on_another_machine(shared: Project, tmp_path: Path) -> None:
    assert shared.run()["exit_code"] == 0
    other = clone(shared, tmp_path / "other")
    edited = SEGMENTS["s01"].replace('"page"', '"leaf"')
    other.segments(**SEGMENTS | {"s01": edited})
    record = other.run()

    assert record["exit_code"] == 0
    assert other.executed() == ["pages", "total"]
    assert "leaf" in output(other)
    assert "table" not in data_files(other)


@contextmanager
def proxied(s3: S3, **faults: Any) -> Iterator[tuple[dict[str, str], Faults]]:
    """The environment of processes that reach the server through a faulty proxy."""
    with in_front_of(s3.endpoint, **faults) as (endpoint, behaviour):
        yield s3.environment(endpoint), behaviour


Moment = Callable[[str, str], bool]
"""Whether a request, by its method and path, is the one that is waited for."""


def killed(project: Project, s3: S3, moment: Moment, *words: str, heard: bool = False) -> None:
    """Run, and kill all of it by SIGKILL at a request, which reaches the server if it is heard."""
    process: Popen[str] | None = None
    started = threading.Event()

    def strike(method: str, path: str) -> bool:
        if not moment(method, path):
            return False
        started.wait()
        assert process is not None
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True

    with proxied(s3, **{"is_lost" if heard else "is_end": strike}) as (environment, _):
        process = project.start("run", *words, **environment)
        started.set()
        _, errors = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, errors
    until(lambda: not project.processes(), "the end of the run's processes")


def writes(segment: str, number: int = 0, *, manifest: bool = False) -> Moment:
    """The moment when a run writes a manifest of a segment, or its file of that number."""
    seen: set[str] = set()

    def is_moment(method: str, path: str) -> bool:
        name = path.partition("?")[0]
        is_manifest = name.endswith(("/manifest.json", "/partial.json"))
        if method == "PUT" and f"/{segment}/" in name and is_manifest is manifest:
            seen.add(name)
        return len(seen) > number

    return is_moment


PHASES: dict[str, tuple[Moment, bool]] = {
    "before its files": (writes("s02"), False),
    "between its files": (writes("s02", 1), False),
    "before its manifest": (writes("s02", manifest=True), False),
    "after its manifest": (writes("s02", manifest=True), True),
}


@pytest.mark.parametrize(
    "phase",
    [
        "between its files",
        *in_slow("after its manifest"),
        *in_exhaustive("before its files", "before its manifest"),
    ],
)
def test_a_run_killed_while_it_pushes_goes_on_without_running_steps_again(
    shared: Project, s3: S3, url: str, tmp_path: Path, phase: str
) -> None:
    moment, is_heard = PHASES[phase]
    killed(shared, s3, moment, heard=is_heard)
    assert shared.executed() == ["table", "pages", "parts"]
    other = clone(shared, tmp_path / "other")
    status = json.loads(other.command("status", "--json").stdout)
    assert [s["reusable"] for s in status["segments"]] == [True, is_heard, False]

    record = shared.run()
    assert record["exit_code"] == 0, record["error"]
    assert [s["status"] for s in record["segments"]] == ["reused", "reused", "ran"]
    assert shared.executed() == ["total"]
    assert strays_at(url) == []
    assert shared.strays() == []
    assert other.statuses() == dict.fromkeys(("s01", "s02", "s03"), "reused")
    assert output(other) == output(shared)


@pytest.mark.slow
def test_a_value_damaged_at_the_url_is_reported_set_aside_and_made_again(
    shared: Project, s3: S3, url: str, tmp_path: Path
) -> None:
    assert shared.run()["exit_code"] == 0
    made = output(shared)
    flip(s3, url, "s01", "table")
    other = clone(shared, tmp_path / "other")
    status = json.loads(other.command("status", "--verify", "--json").stdout)
    assert status["segments"][0]["reasons"] == ["damaged on disk: table"]

    edited = SEGMENTS["s02"].replace("ran(", "_ = 1; ran(")  # it reads the table again
    other.segments(**SEGMENTS | {"s02": edited})
    done = other.command("run")
    assert done.returncode == 0, done.stderr
    assert "s01: damaged on disk: table; set aside as" in done.stderr
    assert other.executed() == ["table", "pages", "parts"]
    assert output(other) == made
    aside = [name for name in objects_at(url) if ".damaged-" in name]
    assert len(aside) == len([name for name in objects_at(url) if "/s01/" in name]) - len(aside)
    assert strays_at(url) == []


def flip(s3: S3, url: str, segment: str, value: str) -> None:
    """Flip a byte of a value's file at the URL, as only the server itself could."""
    [name] = [n for n in objects_at(url) if f"/{segment}/" in n and f"/{value}." in n]
    objects = open_objects(url)
    content = bytearray(objects.read(name)[0])
    content[len(content) // 2] ^= 1
    objects.remove([name])
    assert objects.create(name, bytes(content))


@pytest.mark.exhaustive
def test_a_value_damaged_in_the_cache_is_fetched_again(shared: Project) -> None:
    assert shared.run()["exit_code"] == 0
    made = output(shared)
    [path] = shared.checkpoints().glob("s01/*/table.*")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    stat = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # nothing shows but its content
    record = shared.run("--rerun-from", "s02")

    assert record["exit_code"] == 0, record["error"]
    assert shared.executed() == [*STEPS, "parts", "total"]
    assert record["bytes_fetched"] == stat.st_size
    assert output(shared) == made


WAITING = """
    import os, time

    @step
    def slow() -> int:
        ran("slow")
        while not os.path.exists("go"):
            time.sleep(0.01)
        return 1
"""


@pytest.mark.slow
def test_of_two_runs_at_once_one_is_refused(shared: Project, tmp_path: Path) -> None:
    shared.segments(s01=WAITING)
    shared.write("pipeline.toml", "")
    other = clone(shared, tmp_path / "other")
    process = shared.start("run")
    until(lambda: (shared.folder / "executed.txt").exists(), "the first run's step")
    record = other.run()
    (shared.folder / "go").touch()
    _, errors = process.communicate(timeout=60)

    assert (record["exit_code"], record["error"]["kind"]) == (5, "locked")
    assert f"process {process.pid} " in record["error"]["message"]
    assert process.returncode == 0, errors
    assert other.statuses() == {"s01": "reused"}


@pytest.mark.exhaustive
def test_clean_removes_what_is_at_the_url(shared: Project, url: str, tmp_path: Path) -> None:
    assert shared.run()["exit_code"] == 0
    other = clone(shared, tmp_path / "other")
    edited = SEGMENTS["s03"].replace("sums = [", "_ = 0; sums = [")
    other.segments(**SEGMENTS | {"s03": edited})
    assert other.run()["exit_code"] == 0
    folders = {name.rpartition("/")[0] for name in objects_at(url) if name.endswith(".json")}
    assert len([folder for folder in folders if "/s03/" in folder]) == 2

    assert other.command("clean", "--old").returncode == 0
    folders = {name.rpartition("/")[0] for name in objects_at(url) if name.endswith(".json")}
    assert len([folder for folder in folders if "/s03/" in folder]) == 1
    assert shared.statuses()["s03"] == "ran"  # its own was the former one

    cleaned = clone(shared, tmp_path / "third").command("clean")
    assert f" at {url}, for all who use it" in cleaned.stdout
    assert objects_at(url) == []
    assert shared.strays() == []
    assert set(shared.statuses().values()) == {"ran"}
    assert output(shared) == output(other)


@pytest.mark.exhaustive
def test_the_options_of_run_work_on_another_machine(
    shared: Project, url: str, tmp_path: Path
) -> None:
    assert shared.run()["exit_code"] == 0
    other = clone(shared, tmp_path / "other")
    assert other.statuses("--only", "s02") == {"s02": "reused"}
    assert other.statuses("--only", "s02", "--fresh") == {"s02": "ran"}
    assert other.executed() == ["parts"]
    assert other.statuses("--rerun-from", "s03")["s03"] == "ran"
    assert other.executed() == ["total"]
    assert set(other.statuses("--fresh").values()) == {"ran"}
    assert other.executed() == STEPS
    assert set(other.statuses("--keep-all", "--fresh").values()) == {"ran"}
    assert strays_at(url) == []
    assert shared.statuses() == dict.fromkeys(("s01", "s02", "s03"), "reused")
    assert output(shared) == output(other)


@pytest.mark.exhaustive
def test_older_checkpoints_stay_as_far_as_keep_says(shared: Project, url: str) -> None:
    share(shared, url, keep=1)
    for number in range(4):
        edited = SEGMENTS["s03"].replace("sums = [", f"_ = {number}; sums = [")
        shared.segments(**SEGMENTS | {"s03": edited})
        assert shared.run()["exit_code"] == 0
    manifests = [n for n in objects_at(url) if "/s03/" in n and n.endswith("manifest.json")]
    assert len(manifests) == 2


@pytest.mark.exhaustive
def test_the_local_folder_may_be_deleted_between_runs(shared: Project, url: str) -> None:
    assert shared.run()["exit_code"] == 0
    shared.executed()
    before = objects_at(url)
    shutil.rmtree(shared.folder / "checkpoints")
    assert set(shared.statuses().values()) == {"reused"}
    shutil.rmtree(shared.folder / "checkpoints")
    assert shared.statuses("--rerun-from", "s03")["s02"] == "reused"
    assert shared.executed() == ["total"]
    assert {n for n in before if "/s03/" not in n} <= set(objects_at(url))
    assert strays_at(url) == []


@pytest.mark.exhaustive
def test_the_cache_stays_within_its_bound(shared: Project, url: str, tmp_path: Path) -> None:
    share(shared, url, cache_max='"60 kB"')
    shared.write("pipeline.toml", WIRING.replace("1000", "100_000"))
    record = shared.run()
    assert record["exit_code"] == 0, record["error"]
    used = sum(p.stat().st_size for p in shared.checkpoints().rglob("*") if p.is_file())
    assert used < 60_000 < record["bytes_pushed"]
    assert set(shared.statuses().values()) == {"reused"}


@pytest.mark.exhaustive
def test_a_store_that_fails_every_tenth_request_is_not_noticed(
    shared: Project, s3: S3, url: str, tmp_path: Path
) -> None:
    other = clone(shared, tmp_path / "other")
    with proxied(s3, every=10) as (environment, faults):
        record = shared.run(**environment)
        assert record["exit_code"] == 0, record["error"]
        done = other.command("run", "--rerun-from", "s02", **environment)
        assert done.returncode == 0, done.stderr
        assert other.command("clean", "--old", **environment).returncode == 0
    assert faults.failed >= 5
    assert other.executed() == ["parts", "total"]
    assert output(other) == output(shared)
    assert strays_at(url) == []


@pytest.mark.exhaustive
def test_a_store_that_vanishes_ends_the_run_and_the_next_one_pushes(
    shared: Project, s3: S3, url: str
) -> None:
    moment = writes("s02", 1)
    with proxied(s3, is_end=moment) as (environment, _):
        record = shared.run(**environment)
    assert (record["exit_code"], record["error"]["kind"]) == (5, "storage")
    assert url in record["error"]["message"]
    assert shared.executed() == ["table", "pages", "parts"]

    record = shared.run()
    assert record["exit_code"] == 0, record["error"]
    assert shared.executed() == ["total"]
    assert strays_at(url) == []


@pytest.mark.exhaustive
def test_what_was_finished_before_a_step_failed_is_there_for_another_machine(
    shared: Project, tmp_path: Path
) -> None:
    failing = """
        @step
        def first() -> int:
            ran("first")
            return 1

        @step
        def second(first: int) -> int:
            ran("second")
            assert Path("go").exists()
            return first + 1
    """
    shared.segments(s01=failing)
    shared.write("pipeline.toml", "")
    assert shared.run()["exit_code"] == 1
    other = clone(shared, tmp_path / "other")
    (other.folder / "go").touch()
    record = other.run()

    assert record["exit_code"] == 0, record["error"]
    assert other.executed() == ["second"]
    assert other.load("second") == "2"


ITEMS = """
    @step
    def months() -> list[int]:
        ran("months")
        return [1, 2, 3, 4]

    @step(each="months")
    def report(months: int) -> int:
        ran(f"report{months}")
        if months == 3 and not Path("go").exists():
            raise RuntimeError("not yet")
        return months * 10
"""


@pytest.mark.exhaustive
def test_items_that_are_done_stay_on_their_machine_until_all_are(
    shared: Project, url: str, tmp_path: Path
) -> None:
    shared.segments(s01=ITEMS)
    shared.write("pipeline.toml", "")
    assert shared.run()["exit_code"] == 1
    assert not [name for name in objects_at(url) if "items" in name]
    (shared.folder / "go").touch()
    shared.executed()
    record = shared.run()
    assert record["exit_code"] == 0, record["error"]
    assert shared.executed() == ["report3", "report4"]

    other = clone(shared, tmp_path / "other")
    assert set(other.statuses().values()) == {"reused"}
    assert other.load("report") == shared.load("report")
    assert strays_at(url) == []


@pytest.mark.exhaustive
def test_an_edit_is_accepted_from_another_machine(shared: Project, tmp_path: Path) -> None:
    assert shared.run()["exit_code"] == 0
    other = clone(shared, tmp_path / "other")
    edited = SEGMENTS["s02"].replace("return {", "_ = 0\n            return {")
    other.segments(**SEGMENTS | {"s02": edited})
    done = other.command("accept", "s02", "--why", "the same")
    assert done.returncode == 0, done.stderr
    assert data_files(other) == set()

    third = clone(other, tmp_path / "third")
    assert set(third.statuses().values()) == {"reused"}


def test_no_secret_is_in_anything_that_a_run_leaves(original: Project, s3: S3, bucket: str) -> None:
    secrets = [s3.environment()[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
    objects = open_objects(bucket)
    left = [objects.read(stored.name)[0] for stored in objects.list()]
    left += [path.read_bytes() for path in original.folder.rglob("*") if path.is_file()]
    left.append(original.command("report", "--markdown").stdout.encode())

    assert len(left) > 20
    assert not [secret for secret in secrets for text in left if secret.encode() in text]


@pytest.mark.exhaustive
def test_where_no_lease_is_wanted_none_is_taken(shared: Project, url: str) -> None:
    share(shared, url, lease='"none"')
    assert shared.run()["exit_code"] == 0
    assert [s.name for s in open_objects(url).list("demo") if "lease" in s.name] == []


@pytest.mark.exhaustive
def test_a_run_interrupted_while_it_pushes_goes_on_without_running_steps_again(
    shared: Project, s3: S3, url: str
) -> None:
    process: Popen[str] | None = None
    started = threading.Event()
    moment = writes("s02", 1)

    def interrupt(method: str, path: str) -> bool:
        if moment(method, path) and started.wait() and process is not None:
            process.send_signal(signal.SIGINT)
        return False

    with proxied(s3, is_end=interrupt) as (environment, _):
        process = shared.start("run", **environment)
        started.set()
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert shared.executed() == ["table", "pages", "parts"]

    record = shared.run()
    assert record["exit_code"] == 0, record["error"]
    assert shared.executed() == ["total"]
    assert strays_at(url) == []


@pytest.mark.exhaustive
def test_commands_that_only_look_write_nothing_at_the_url(
    original: Project, s3: S3, tmp_path: Path
) -> None:
    """So they work with credentials that may only read."""
    other = clone(original, tmp_path / "other")
    with proxied(s3) as (environment, faults):
        for command in (["status", "--verify"], ["plan"], ["show", "total"]):
            done = other.command(*command, **environment)
            assert done.returncode == 0, done.stderr
    assert {method for method, _ in faults.requests} <= {"GET", "HEAD"}


@pytest.mark.exhaustive
def test_compare_works_in_a_local_folder(shared: Project, url: str) -> None:
    done = shared.command("compare")
    assert done.returncode == 0, done.stderr
    assert "Same results: yes" in done.stdout
    assert objects_at(url) == []


@pytest.mark.exhaustive
def test_what_was_not_pushed_is_named_by_status(shared: Project, s3: S3, url: str) -> None:
    killed(shared, s3, writes("s02", manifest=True))
    said = shared.command("status").stdout
    assert f"{url} has not got yet what was made here of s02; the next run pushes it" in said
    assert shared.run()["exit_code"] == 0
    assert "has not got" not in shared.command("status").stdout


@pytest.mark.exhaustive
def test_a_run_of_local_checkpoints_pushes_them_once_they_have_a_url(
    shared: Project, url: str, tmp_path: Path
) -> None:
    settings = (shared.folder / "memory_budget.toml").read_text()
    shared.write("memory_budget.toml", settings.replace(f'path = "{url}"', ""))
    assert shared.run()["exit_code"] == 0
    assert objects_at(url) == []
    shared.write("memory_budget.toml", settings)
    assert set(shared.statuses().values()) == {"reused"}
    assert set(clone(shared, tmp_path / "other").statuses().values()) == {"reused"}


@pytest.mark.exhaustive
def test_a_run_that_has_lost_its_lease_pushes_nothing(shared: Project, s3: S3, url: str) -> None:
    share(shared, url, lease='"60 s"')
    shared.segments(s01=WAITING)
    shared.write("pipeline.toml", "")
    objects = open_objects(url)

    def looks(faults: Faults) -> int:
        """How often the run has read the lease: for one that it cannot renew, twice."""
        return sum(m == "GET" and path.endswith("/lease.json") for m, path in faults.requests)

    def taken() -> bool:
        """Take the lease from the run, as somebody does who believes it dead."""
        content, tag = objects.read("demo/lease.json")
        lease = json.loads(content)
        lease["holder"] |= {"host": "elsewhere", "number": "1"}
        return objects.replace("demo/lease.json", json.dumps(lease).encode(), tag) is not None

    with proxied(s3) as (environment, faults):
        process = shared.start("run", "--json", **environment)
        until(lambda: (shared.folder / "executed.txt").exists(), "the step")
        until(taken, "the lease")
        before = looks(faults)
        until(lambda: looks(faults) >= before + 2, "the run to see that")
        (shared.folder / "go").touch()
        out, errors = process.communicate(timeout=60)
    assert process.returncode == 5, errors
    error = json.loads(out)["error"]
    assert error["kind"] == "storage"
    assert "the lease at" in error["message"]
    assert "elsewhere" in error["message"]
    assert objects_at(url) == []
