"""A segment that is cut: its finished parts are gone on from, and its sinks run once."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..conftest import Project, until
from .cutting import BUDGET, choose_cuts, contents

STEPS = {"s01": ["rows", "doubled", "told", "total", "share"], "s02": ["page"]}
CUTS = {"doubled", "total"}
AROUND_THE_SINK = [
    {"before": "told", "why": "before a sink"},
    {"before": "total", "why": "after a sink"},
]

# `die.txt` says in which step whom to kill: the worker each time that the step does not run alone,
# or the parent once. `here.txt` and `wait.txt` hold a step for as long as a test likes.
SEGMENTS = {
    "s01": """
    import multiprocessing, os, signal, time

    ran_here = []

    def begin(step: str) -> None:
        ran(step)
        ran_here.append(step)
        order = Path("die.txt")
        of_step, victim = order.read_text().split() if order.exists() else ("", "")
        if of_step == step and victim == "parent":
            order.unlink()
            os.kill(multiprocessing.parent_process().pid, signal.SIGKILL)
            time.sleep(120)
        if of_step in (step, "every") and victim == "worker" and len(ran_here) > 1:
            os.kill(os.getpid(), signal.SIGKILL)
        waits = Path("wait.txt")
        if waits.exists() and waits.read_text() == step and len(ran_here) == 1:
            Path("here.txt").touch()
            time.sleep(120)

    @step
    def rows() -> pd.DataFrame:
        begin("rows")
        return pd.DataFrame({"x": np.arange(1000.0)})

    @step
    def doubled(rows: pd.DataFrame) -> pd.DataFrame:
        begin("doubled")
        return rows * 2

    @step
    def told(doubled: pd.DataFrame) -> None:
        begin("told")
        with open("told.txt", "a") as file:
            file.write(f"{len(doubled)} rows\\n")
        if Path("unwritable.txt").exists():  # the worker dies in the commit of its part
            Path("unwritable.txt").unlink()
            os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)

    @step
    def total(doubled: pd.DataFrame) -> float:
        begin("total")
        return float(doubled["x"].sum())

    @step
    def share(rows: pd.DataFrame, total: float) -> pd.DataFrame:
        begin("share")
        return rows / total
    """,
    "s02": """
    @step
    def page(share: pd.DataFrame) -> float:
        ran("page")
        return float(share["x"].sum())
    """,
}
ALL = [*STEPS["s01"], "page"]


@pytest.fixture
def cut(project: Project) -> Project:
    """A project whose next run cuts its first segment into four parts."""
    project.segments(**SEGMENTS)
    choose_cuts(project, STEPS, CUTS)
    return project


@pytest.fixture
def stopped(cut: Project) -> Iterator[Project]:
    """The same, after a run whose parent was killed in `total`, the first step of the last part."""
    order(cut, "total", "parent")
    process = cut.start("run", "--budget", BUDGET)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    until(lambda: not cut.processes(), "the end of all processes")
    assert cut.executed() == ["rows", "doubled", "told", "total"]
    assert partial(cut)["steps"] == ["rows", "doubled", "told"]
    assert cut.manifests() == {}
    yield cut
    assert cut.strays() == []


def order(project: Project, step: str, victim: str) -> None:
    project.write("die.txt", f"{step} {victim}")


def partial(project: Project) -> dict[str, Any]:
    """What the finished parts of the unfinished segment left."""
    [path] = project.checkpoints().glob("s01/*/partial.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def damage(project: Project, value: str) -> None:
    """Flip a bit of a value that a finished part left, as a failing disk does."""
    [folder] = project.checkpoints().glob("s01/*")
    path = folder / partial(project)["values"][value]["file"]
    found, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def told(project: Project) -> int:
    """How often the sink was executed to its end."""
    return len((project.folder / "told.txt").read_text().splitlines())


def check_results(project: Project, tmp_path: Path) -> None:
    """Values and checkpoints are those of a project that ran undisturbed and uncut."""
    other = Project(tmp_path / "undisturbed")
    other.segments(**SEGMENTS)
    assert other.run()["exit_code"] == 0
    assert contents(project) == contents(other)


def test_a_segment_goes_on_after_its_last_finished_part(stopped: Project, tmp_path: Path) -> None:
    assert stopped.run()["exit_code"] == 0
    assert stopped.executed() == ["total", "share", "page"]
    assert told(stopped) == 1
    check_results(stopped, tmp_path)


def test_only_what_is_live_at_the_end_of_the_segment_stays(stopped: Project) -> None:
    assert set(partial(stopped)["values"]) == {"rows", "doubled"}
    stopped.run()
    assert set(stopped.manifests()["s01"]["values"]) == {"share"}
    assert list(stopped.checkpoints().glob("s01/*/partial.json")) == []


def test_one_segment_alone_goes_on_too(stopped: Project) -> None:
    assert stopped.run("--only", "s01")["exit_code"] == 0
    assert stopped.executed() == ["total", "share"]


@pytest.mark.parametrize("option", [["--fresh"], ["--rerun-from", "s01"]])
def test_who_asks_for_all_of_it_gets_all_of_it(stopped: Project, option: list[str]) -> None:
    assert stopped.run(*option)["exit_code"] == 0
    assert stopped.executed() == ALL
    assert told(stopped) == 2


def test_changed_code_begins_again_at_the_changed_step(stopped: Project) -> None:
    changed = SEGMENTS | {"s01": SEGMENTS["s01"].replace("rows * 2", "rows * 4")}
    stopped.segments(**changed)
    assert stopped.run()["exit_code"] == 0
    assert stopped.executed() == ALL[1:]
    assert float(stopped.load("page")) == pytest.approx(0.25)


def test_a_changed_comment_does_not(stopped: Project) -> None:
    stopped.segments(**SEGMENTS | {"s01": SEGMENTS["s01"].replace("rows * 2", "rows * 2  # twice")})
    assert stopped.run()["exit_code"] == 0
    assert stopped.executed() == ["total", "share", "page"]


def test_a_value_that_was_damaged_since_is_made_again(stopped: Project, tmp_path: Path) -> None:
    damage(stopped, "doubled")
    assert stopped.run()["exit_code"] == 0
    assert stopped.executed() == ALL
    check_results(stopped, tmp_path)


def test_a_segment_that_begins_again_is_cut_as_from_its_first_step(stopped: Project) -> None:
    damage(stopped, "doubled")
    order(stopped, "share", "worker")
    record = stopped.run("--budget", BUDGET)
    assert record["exit_code"] == 0
    assert {"before": "total", "why": "after a sink"} in record["segments"][0]["cuts"]
    assert told(stopped) == 2


def test_a_list_of_parts_that_cannot_be_read_is_none(stopped: Project, tmp_path: Path) -> None:
    [path] = stopped.checkpoints().glob("s01/*/partial.json")
    path.write_text('{"steps": [')
    assert stopped.run()["exit_code"] == 0
    assert stopped.executed() == ALL
    check_results(stopped, tmp_path)


def test_status_tells_from_where_it_goes_on(stopped: Project) -> None:
    [first, second] = json.loads(stopped.command("status", "--json").stdout)["segments"]
    assert not first["reusable"]
    assert first["reasons"] == ["stopped after `told`; resumes from there"]
    assert second["reasons"] == ["waits for s01"]


def test_a_re_cut_after_a_sink_does_not_repeat_it(cut: Project, tmp_path: Path) -> None:
    choose_cuts(cut, STEPS, set())
    order(cut, "share", "worker")
    record = cut.run("--budget", BUDGET)
    assert record["exit_code"] == 0
    assert record["segments"][0]["cuts"] == [
        *AROUND_THE_SINK,
        {"before": "share", "why": "killed"},
    ]
    assert cut.executed() == ["rows", "doubled", "told", "total", "share", "total", "share", "page"]
    assert told(cut) == 1
    check_results(cut, tmp_path)


def test_a_sink_that_was_done_when_its_part_could_not_be_written_is_not_repeated(
    cut: Project, tmp_path: Path
) -> None:
    choose_cuts(cut, STEPS, set())
    cut.write("unwritable.txt", "")
    record = cut.run("--budget", BUDGET)
    assert record["exit_code"] == 0, record["error"]
    assert record["segments"][0]["cuts"] == AROUND_THE_SINK
    assert cut.executed().count("told") == 1
    assert told(cut) == 1
    check_results(cut, tmp_path)


def test_each_death_adds_a_cut_until_every_step_is_alone(cut: Project, tmp_path: Path) -> None:
    choose_cuts(cut, STEPS, set())
    order(cut, "every", "worker")
    record = cut.run("--budget", BUDGET)
    assert record["exit_code"] == 0
    [first, _] = record["segments"]
    assert first["parts"] == len(STEPS["s01"])
    assert [one["before"] for one in first["cuts"]] == STEPS["s01"][1:]
    attempts = ["rows", "doubled", "rows", "doubled", "told"]
    attempts += ["total", "share", "total", "share", "page"]
    assert cut.executed() == attempts
    assert told(cut) == 1
    check_results(cut, tmp_path)


def test_ctrl_c_while_a_part_runs_again_keeps_the_parts_before(cut: Project) -> None:
    choose_cuts(cut, STEPS, set())
    order(cut, "doubled", "worker")
    cut.write("wait.txt", "doubled")  # when it runs again, alone
    process = cut.start("run", "--json", "--budget", BUDGET)
    until((cut.folder / "here.txt").exists, "the second attempt")
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(out)["error"]["kind"] == "interrupted"
    assert cut.processes() == []
    assert cut.strays() == []
    assert cut.executed() == ["rows", "doubled", "rows", "doubled"]
    for name in ("wait.txt", "die.txt"):
        (cut.folder / name).unlink()
    assert cut.run()["exit_code"] == 0
    assert cut.executed() == ["doubled", "told", "total", "share", "page"]
    assert cut.strays() == []


def test_what_a_killed_attempt_wrote_takes_no_room_from_the_next(project: Project) -> None:
    room = '[cluster]\nram = "100 GB"\nquota = "50 %"\n[checkpoints]\nmax_disk = "3 MB"\n'
    project.write("memory_budget.toml", room)
    project.segments(
        s01="""
        import os

        @step
        def file(workdir: Path) -> Path:
            ran("file")
            (workdir / "file").write_bytes(bytes(2_000_000))
            return workdir / "file"

        @step
        def size(file: Path) -> int:
            ran("size")
            if Path("killed.txt").exists():
                return file.stat().st_size
            Path("killed.txt").touch()
            os.kill(os.getpid(), 9)
        """
    )
    record = project.run()
    assert record["exit_code"] == 0, record["error"]
    assert project.executed() == ["file", "size", "file", "size"]
    assert project.strays() == []


def test_however_it_is_cut_the_same_values_spare_the_segments_after_it(project: Project) -> None:
    project.segments(**SEGMENTS)
    assert project.run()["exit_code"] == 0
    project.executed()
    same = SEGMENTS["s01"].replace("rows * 2", "2 * rows")
    project.segments(**SEGMENTS | {"s01": same})
    choose_cuts(project, STEPS, CUTS)
    record = project.run("--budget", BUDGET)
    assert cuts_of_first(record) == {"doubled", "told", "total"}
    assert [segment["status"] for segment in record["segments"]] == ["ran", "reused"]
    assert project.executed() == STEPS["s01"]


def cuts_of_first(record: dict[str, Any]) -> set[str]:
    return {one["before"] for one in record["segments"][0]["cuts"]}
