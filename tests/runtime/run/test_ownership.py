"""Nothing of a person's is ever removed or written over, and no two projects share a place."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from flight_delays.checkpointing.base import names

from ...marks import in_exhaustive, in_slow
from ..conftest import MEMORY_BUDGET, SHARED, Project, run_once, until
from .surroundings import Surroundings

SEGMENTS = {
    "s01": """
    import os, time

    @step
    def base(rows: int) -> pd.DataFrame:
        ran("s01")
        return pd.DataFrame({"x": range(rows)})

    @step
    def pages(rows: int, workdir: Path) -> Path:
        (workdir / "pages").mkdir()
        (workdir / "pages" / "one.txt").write_text(str(rows))
        return workdir / "pages"
    """,
    "s02": """
    import os, time

    @step
    def total(base: pd.DataFrame, pages: Path, workdir: Path) -> pd.DataFrame:
        ran("s02")
        (workdir / "scratch.txt").write_text("half of something")
        while Path("nap.txt").exists():
            Path("napping.txt").touch()
            time.sleep(0.01)
        assert not Path("fail.txt").exists(), "fail.txt says so"
        return base * 2
    """,
}
WIRING = """
[params]
rows = 3

[outputs]
total = "data/out/total.parquet"
pages = "data/out/pages"
"""
MARK = "owner.json"


@pytest.fixture(scope="module")
def original(shared_project: Project) -> Project:
    """A project that was run once."""
    return run_once(shared_project, SEGMENTS, WIRING)


@pytest.fixture
def fresh(project: Project) -> Project:
    """The same project before any run."""
    project.segments(**SEGMENTS)
    project.write("pipeline.toml", WIRING)
    return project


def place_checkpoints(project: Project, path: object, more: str = "") -> None:
    project.write("memory_budget.toml", f'{MEMORY_BUDGET}\n[checkpoints]\npath = "{path}"\n{more}')


def run_is_refused(project: Project, *words: str) -> str:
    """The message of a run that is refused as a configuration that cannot be; nothing ran."""
    record = project.run()
    assert (record["exit_code"], record["error"]["kind"]) == (2, "configuration")
    assert project.executed() == []
    message: str = record["error"]["message"]
    for word in words:
        assert word in message
    return message


def kill_while_it_naps(project: Project, *arguments: str) -> None:
    """Kill a run, all its processes at once, while a step is at work."""
    (project.folder / "nap.txt").touch()
    process = project.start(*arguments)
    until((project.folder / "napping.txt").exists, "the nap of a step")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    until(lambda: not project.processes(), "the end of all processes")
    for name in ("nap.txt", "napping.txt"):
        (project.folder / name).unlink()


def damage(project: Project) -> None:
    """Damage a value of the first segment's checkpoint."""
    found = project.checkpoints().glob("s01/*/base.*.arrow")
    [path] = [p for p in found if names.is_value_name(p.parent, p.name) and not is_aside(p.parent)]
    path.write_bytes(b"damaged")


def is_aside(folder: Path) -> bool:
    """Whether a checkpoint lies there that a run has set aside."""
    return names.is_aside_name(folder.parent.name, folder.name)


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of every file below a folder."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


# --- a surrounded project --------------------------------------------------------------------


@pytest.fixture
def surrounded(done: Project, tmp_path: Path) -> Surroundings:
    """Things of a person's in every folder of the project that a command works in."""
    found = Surroundings(tmp_path / "outside")
    checkpoints, out = done.checkpoints(), done.folder / "data" / "out"
    [run] = [path for path in (done.folder / "runs").iterdir() if path.is_dir()]
    keys = [path for segment in ("s01", "s02") for path in (checkpoints / segment).iterdir()]
    found.put_into(checkpoints.parent, checkpoints, checkpoints / "s01", checkpoints / "s02")
    found.put_into(*keys, done.folder / "runs", run, out.parent, out)
    found.copy(keys[0], "a copy of the first")
    found.copy(run, f"{run.name}-before-the-change")
    found.copy(next(keys[0].glob("base.*")), "base.arrow")
    found.copy(out / "total.parquet", "total of last week.parquet")
    return found


RUNS = [
    ["run"],
    ["run", "--fresh"],
    ["run", "--rerun-from", "s02"],
    ["run", "--only", "s02"],
    ["run", "--set", "rows=4"],
    ["report"],
]
CLEANING = [["clean", "--old"], ["clean"], ["clean", "--runs"], ["run"]]
OTHERS = [
    ["status", "--verify"],
    ["plan"],
    ["show", "total"],
    ["report", "--markdown"],
    ["compare"],
    ["review"],
]


@pytest.mark.parametrize(
    "commands",
    [
        pytest.param(RUNS, id="runs", marks=pytest.mark.slow),
        pytest.param(CLEANING, id="cleaning"),
        pytest.param(OTHERS, id="others", marks=pytest.mark.exhaustive),
    ],
)
def test_no_command_touches_what_people_keep_around_it(
    done: Project, surrounded: Surroundings, commands: list[list[str]]
) -> None:
    for command in commands:
        finished = done.command(*command)
        assert finished.returncode == (4 if command == ["review"] else 0), finished.stderr
        assert surrounded.lost() == [], command


def test_no_run_that_goes_wrong_touches_it_either(done: Project, surrounded: Surroundings) -> None:
    (done.folder / "fail.txt").touch()
    assert done.run("--set", "rows=4")["exit_code"] == 1
    (done.folder / "fail.txt").unlink()
    kill_while_it_naps(done, "run", "--fresh")
    assert done.run()["exit_code"] == 0

    assert surrounded.lost() == []


@pytest.mark.slow
def test_no_comparison_that_is_killed_touches_it_either(
    done: Project, surrounded: Surroundings
) -> None:
    kill_while_it_naps(done, "compare")
    assert done.run()["exit_code"] == 0

    assert surrounded.lost() == []
    assert [p for p in done.checkpoints().iterdir() if names.is_temporary_name(p.name)] == []


def test_neither_does_setting_aside_what_is_damaged(
    done: Project, surrounded: Surroundings
) -> None:
    former: set[Path] = set()
    with done.session() as run:
        for _ in range(2):
            damage(done)
            assert run()["segments"][0]["status"] == "ran"
            asides = {path for path in (done.checkpoints() / "s01").iterdir() if is_aside(path)}
            assert [path for path in former if list(path.glob("base.*.arrow"))] == []
            [aside] = asides - former
            assert (aside / "manifest.json").exists()
            surrounded.put_into(aside)
            former = asides
    assert surrounded.lost() == []


@pytest.mark.parametrize("runs", [3, *in_exhaustive(55)])
def test_neither_does_making_room_for_new_checkpoints_and_runs(
    done: Project, surrounded: Surroundings, runs: int
) -> None:
    place_checkpoints(done, "checkpoints", "keep = 0")
    with done.session() as run:
        for number in range(runs):
            run(params={"rows": 3 + number % 2}, rerun_from="s02")
    ours = [p for p in (done.folder / "runs").glob("*/record.json") if is_of_a_run(p)]

    assert surrounded.lost() == []
    assert len(ours) == min(runs + 1, 50)


def is_of_a_run(record: Path) -> bool:
    return names.is_run_name(record.parent.name)


def test_cleaning_removes_all_that_runs_have_left_though_people_keep_things_there(
    done: Project, surrounded: Surroundings
) -> None:
    assert done.command("clean", "--runs").returncode == 0
    left = [path for path in done.checkpoints().rglob("*") if path.is_file()]

    assert [path for path in left if names.is_value_name(path.parent, path.name)] == []
    assert [path for path in (done.folder / "runs").rglob("*.json") if is_of_a_run(path)] == []
    assert not (done.folder / "runs" / "profile.json").exists()
    assert surrounded.lost() == []


def test_cleaning_all_leaves_next_to_nothing_where_people_keep_nothing(done: Project) -> None:
    page = done.write("runs/memory.html", "made by `report --output`")
    done.command("clean", "--runs")
    assert sorted(path.name for path in page.parent.iterdir()) == ["memory.html", MARK]
    page.unlink()
    done.command("clean", "--runs")

    assert not page.parent.exists()
    assert {path.name for path in done.checkpoints().rglob("*") if path.is_file()} <= SHARED


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs a process that may not do all")
def test_cleaning_says_what_it_could_not_remove(done: Project) -> None:
    [blocked] = done.checkpoints().glob("s01/*/pages.*/pages")
    blocked.chmod(0o500)
    modest = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    finished = subprocess.run(
        [*modest, sys.executable, "-m", "demo", "clean"],
        cwd=done.folder,
        env=done.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    blocked.chmod(0o700)

    assert finished.returncode == 5
    assert f"not all could be removed:\n  {blocked.parent}: Permission" in finished.stderr
    assert (blocked / "one.txt").exists()
    assert done.manifests() == {}


# --- a place that is not ours ----------------------------------------------------------------


@pytest.mark.parametrize("place", [*in_slow("scratch/demo"), *in_exhaustive("runs")])
def test_no_command_works_in_a_folder_that_no_run_has_made(fresh: Project, place: str) -> None:
    place_checkpoints(fresh, "scratch")
    fresh.write(f"{place}/2024/january/sales.csv", "mine")
    before = contents(fresh.folder)
    run_is_refused(fresh, f"{fresh.folder / place} is to be the folder of", "`2024`", "move it")
    for command in ("plan", "compare", "report", "clean --runs", "status", "show total"):
        refused = fresh.command(*command.split())
        assert refused.returncode in (2, 0 if command == "status" else 5), command

    assert contents(fresh.folder) == before


@pytest.mark.slow
def test_what_only_looks_leaves_no_place_half_claimed(fresh: Project) -> None:
    before = contents(fresh.folder)
    for command in ("status", "plan", "clean --runs", "show total", "report"):
        fresh.command(*command.split())
    assert contents(fresh.folder) == before

    assert fresh.run()["exit_code"] == 0


def test_a_run_whose_checkpoints_are_deleted_meanwhile_leaves_the_next_one_a_clean_place(
    fresh: Project,
) -> None:
    (fresh.folder / "nap.txt").touch()
    process = fresh.start("run")
    until((fresh.folder / "napping.txt").exists, "the nap of a step")
    shutil.rmtree(fresh.folder / "checkpoints")
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    (fresh.folder / "nap.txt").unlink()

    assert fresh.run()["exit_code"] == 0


# --- two projects ----------------------------------------------------------------------------


@pytest.fixture
def other(tmp_path: Path) -> Project:
    """Another project, with a pipeline of the same name, that has not run."""
    made = Project(tmp_path / "other")
    made.segments(**SEGMENTS)
    made.write("pipeline.toml", WIRING.replace("rows = 3", "rows = 100"))
    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    ["relative", *in_exhaustive("absolute", "through a link")],
)
def test_a_second_project_is_refused_where_the_first_keeps_its_checkpoints(
    done: Project, other: Project, tmp_path: Path, path: str
) -> None:
    (tmp_path / "link").symlink_to(done.folder)
    paths = {
        "absolute": str(done.folder / "checkpoints"),
        "relative": "../demo/checkpoints",
        "through a link": str(tmp_path / "link" / "checkpoints"),
    }
    place_checkpoints(other, paths[path])
    before = contents(done.folder)
    run_is_refused(other, f"belongs to the project in {done.folder}", "Name another [checkpoints]")
    for command in ("status", "plan", "compare", "show total", "clean", "clean --old"):
        refused = other.command(*command.split())
        assert (refused.returncode, refused.stdout) == (2, ""), command

    assert contents(done.folder) == before
    assert not (other.folder / "runs").exists()


@pytest.mark.slow
def test_two_projects_share_a_folder_of_checkpoints_when_their_pipelines_have_other_names(
    done: Project, other: Project
) -> None:
    place_checkpoints(other, done.folder / "checkpoints")
    text = (other.package / "pipeline.py").read_text()
    (other.package / "pipeline.py").write_text(text.replace('name="demo"', 'name="other"'))

    assert other.statuses() == {"s01": "ran", "s02": "ran"}
    assert done.statuses() == {"s01": "reused", "s02": "reused"}


@pytest.mark.slow
def test_a_second_project_does_not_report_on_the_runs_of_the_first(
    done: Project, other: Project
) -> None:
    (other.folder / "runs").symlink_to(done.folder / "runs")
    before = contents(done.folder)
    run_is_refused(other, f"belongs to the project in {done.folder}")
    for command in ("report", "report --markdown", "plan", "clean --runs"):
        assert other.command(*command.split()).returncode == 2, command

    assert contents(done.folder) == before


def test_a_project_that_is_moved_or_copied_takes_its_checkpoints_along(
    done: Project, tmp_path: Path
) -> None:
    copied = done.copy(tmp_path / "deeper/in/a/copy")
    done.folder.rename(tmp_path / "moved")
    for project in (copied, Project(tmp_path / "moved")):
        assert project.statuses() == {"s01": "reused", "s02": "reused"}
        assert project.command("clean", "--runs").returncode == 0


@pytest.mark.slow
def test_a_moved_project_whose_checkpoints_stay_says_how_to_have_them_back(
    fresh: Project, tmp_path: Path
) -> None:
    place_checkpoints(fresh, tmp_path / "disk")
    assert fresh.run()["exit_code"] == 0
    fresh.executed()
    fresh.folder.rename(tmp_path / "moved")
    moved = Project(tmp_path / "moved")
    told = run_is_refused(moved, f"belongs to the project in {tmp_path / 'demo'}")
    mark = tmp_path / "disk" / "demo" / MARK
    line = f'"project": "{moved.folder}"'
    assert f"write {line} into {mark}" in told
    mark.write_text(re.sub('"project": "[^"]*"', line, mark.read_text()))

    assert moved.statuses() == {"s01": "reused", "s02": "reused"}


@pytest.mark.parametrize("same", [True, False], ids=["one project", "two projects"])
def test_of_two_first_runs_at_once_one_gets_the_place(
    fresh: Project, other: Project, tmp_path: Path, same: bool
) -> None:
    rivals = [fresh, fresh if same else other]
    for rival in rivals:
        place_checkpoints(rival, tmp_path / "disk")
    started = [rival.start("run", "--json") for rival in rivals]
    codes = []
    for process in started:
        process.communicate(timeout=120)
        codes.append(process.returncode)

    assert 0 in codes
    assert set(codes) <= ({0, 5} if same else {0, 2})
    assert same or sorted(codes) == [0, 2]


# --- published outputs -----------------------------------------------------------------------


def test_what_no_run_has_published_is_never_replaced(fresh: Project) -> None:
    mine = fresh.write("data/out/pages/kept.txt", "mine")
    run_is_refused(fresh, f"[outputs] `pages`: {mine.parent} exists", "Move it away")

    assert contents(fresh.folder / "data") == {"out/pages/kept.txt": b"mine"}
    assert not (fresh.folder / "runs").exists()
    assert not fresh.checkpoints().exists()


def test_what_a_run_has_published_is_replaced_whatever_became_of_it(done: Project) -> None:
    out = done.folder / "data" / "out"
    expected = contents(out)
    (out / "total.parquet").write_text("edited")
    (out / "pages" / "one.txt").write_text("edited")
    shutil.rmtree(done.folder / "checkpoints")
    shutil.rmtree(done.folder / "runs")
    assert done.run()["exit_code"] == 0
    assert contents(out) == expected

    out.rename(done.folder / "results")
    done.write("pipeline.toml", WIRING.replace("data/out", "results"))
    (done.folder / "results" / "total.parquet").unlink()
    assert done.run()["exit_code"] == 0
    assert contents(done.folder / "results").keys() == expected.keys()


def test_what_somebody_put_into_a_published_folder_is_not_replaced_with_it(done: Project) -> None:
    mine = done.write("data/out/pages/notes.txt", "mine")
    run_is_refused(done, "no run has published `notes.txt` in it", "Move that away")
    mine.rename(done.folder / "notes.txt")

    assert done.run("--set", "rows=5")["exit_code"] == 0
    assert (done.folder / "data/out/pages/one.txt").read_text() == "5"


def test_what_appears_while_a_run_is_at_work_is_not_replaced_either(fresh: Project) -> None:
    (fresh.folder / "nap.txt").touch()
    process = fresh.start("run", "--json")
    until((fresh.folder / "napping.txt").exists, "the nap of a step")
    mine = fresh.write("data/out/total.parquet", "mine")
    (fresh.folder / "nap.txt").unlink()
    out, _ = process.communicate(timeout=60)

    assert json.loads(out)["error"]["kind"] == "configuration"
    assert mine.read_text() == "mine"


def test_another_project_does_not_publish_in_the_same_place(
    done: Project, other: Project, tmp_path: Path
) -> None:
    target = done.folder / "data" / "out" / "total.parquet"
    other.write("pipeline.toml", f'[params]\nrows = 4\n[outputs]\ntotal = "{target}"\n')
    before = contents(done.folder)
    run_is_refused(other, f"belongs to the project in {done.folder}", "Name another path")
    target.unlink()
    run_is_refused(other, f"belongs to the project in {done.folder}")

    assert contents(done.folder).keys() == before.keys() - {"data/out/total.parquet"}


def test_a_value_that_becomes_a_folder_takes_the_place_of_its_file(done: Project) -> None:
    as_file = SEGMENTS["s01"].replace(
        'return workdir / "pages"', 'return workdir / "pages/one.txt"'
    )
    done.segments(s01=as_file, s02=SEGMENTS["s02"])
    assert done.run()["exit_code"] == 0
    assert (done.folder / "data/out/pages").is_file()

    done.segments(**SEGMENTS)
    assert done.run()["exit_code"] == 0
    assert (done.folder / "data/out/pages/one.txt").is_file()


def test_outputs_go_to_another_disk_through_a_linked_folder(fresh: Project, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (fresh.folder / "data").mkdir()
    (fresh.folder / "data" / "out").symlink_to(tmp_path / "disk")
    for _ in range(2):
        assert fresh.run("--fresh")["exit_code"] == 0

    assert (tmp_path / "disk" / "pages" / "one.txt").exists()
    assert (fresh.folder / "data" / "out").is_symlink()
