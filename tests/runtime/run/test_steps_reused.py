"""After an edit only the edited steps run, what reads them, and what these read and is gone.

The steps of these pipelines lie in modules of their own, so that an edit concerns one step even
where the code of a step is not told from the code of its module.
"""

from __future__ import annotations

import json
import os
import signal

import pytest

from ..conftest import Project, until

STEPS = """
    @step
    def read(numbers_file: Path) -> pd.DataFrame:
        ran("read")
        return pd.read_csv(numbers_file)

    @step
    def noise(read: pd.DataFrame) -> np.ndarray:
        ran("noise")
        return np.random.normal(size=len(read))

    @step
    def noisy(read: pd.DataFrame, noise: np.ndarray) -> pd.DataFrame:
        ran("noisy")
        return read.assign(noise=noise)

    @step
    def plot(noisy: pd.DataFrame, colour: str, workdir: Path) -> Path:
        ran("plot")
        (workdir / "plot.txt").write_text(f"{len(noisy)} {colour}")
        return workdir / "plot.txt"

    @step
    def sent(plot: Path) -> None:
        ran("sent")

    @step
    def mean(noisy: pd.DataFrame) -> float:
        ran("mean")
        return float(noisy["noise"].mean())
"""
LATER = """
    @step
    def page(noisy: pd.DataFrame, mean: float) -> str:
        ran("page")
        return f"{len(noisy)} {mean}"
"""
ALL = ["read", "noise", "noisy", "plot", "sent", "mean", "page"]


def configure(project: Project, colour: str = "red") -> None:
    project.write(
        "pipeline.toml",
        f"""
        [inputs]
        numbers_file = "data/numbers.csv"
        [params]
        colour = "{colour}"
        [outputs]
        plot = "data/out/plot.txt"
        """,
    )


@pytest.fixture(scope="module")
def original(shared_project: Project) -> Project:
    shared_project.write("data/numbers.csv", "x\n1\n2\n")
    configure(shared_project)
    shared_project.segments(s01=STEPS, s02=LATER)
    assert shared_project.run()["exit_code"] == 0
    assert shared_project.executed() == ALL
    return shared_project


def test_a_changed_param_of_one_step_runs_it_and_what_reads_it(done: Project) -> None:
    configure(done, "blue")
    [first, _] = json.loads(done.command("status", "--json").stdout)["segments"]
    assert first["runs"] == ["plot", "sent"]
    assert first["reasons"] == ["param colour changed from 'red' to 'blue'", "runs `plot`, `sent`"]
    record = done.run()
    assert done.executed() == ["plot", "sent"]
    assert record["segments"][0]["reused_steps"] == ["read", "noise", "noisy", "mean"]
    assert record["segments"][1]["status"] == "reused"
    assert (done.folder / "data/out/plot.txt").read_text() == "2 blue"
    assert done.strays() == []
    assert done.statuses() == {"s01": "reused", "s02": "reused"}


@pytest.mark.slow
def test_values_of_a_former_checkpoint_take_no_further_room(done: Project) -> None:
    values = [*done.checkpoints().glob("s01/*/noisy.*")]
    configure(done, "blue")
    done.run()
    both = [*done.checkpoints().glob("s01/*/noisy.*")]
    assert len(both) == len(values) + 1
    assert len({path.stat().st_ino for path in both}) == len(values)


@pytest.mark.slow
def test_a_changed_input_runs_all_that_comes_of_it(done: Project) -> None:
    done.write("data/numbers.csv", "x\n1\n2\n3\n")
    done.run()
    assert done.executed() == ALL


def test_a_value_that_is_no_longer_on_disk_is_made_again_as_it_was(done: Project) -> None:
    """Whoever reads it may be unchanged: the random numbers of a step depend on it alone."""
    before = done.load("page")
    configure(done, "blue")
    for path in done.checkpoints().glob("s01/*/noisy.*"):
        path.unlink()
    assert done.run()["exit_code"] == 0
    assert done.executed() == ["read", "noise", "noisy", "plot", "sent"]
    assert done.load("page") == before


def test_a_damaged_value_is_not_taken_over(done: Project) -> None:
    [path] = done.checkpoints().glob("s01/*/noisy.*")
    found, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    configure(done, "blue")
    assert done.run()["exit_code"] == 0
    assert done.executed() == ["read", "noise", "noisy", "plot", "sent"]


def test_an_output_that_is_taken_over_is_published(done: Project) -> None:
    (done.folder / "data/out/plot.txt").unlink()
    done.segments(s01=STEPS.replace("float(noisy", "0 + float(noisy"), s02=LATER)
    assert done.run()["exit_code"] == 0
    assert (done.folder / "data/out/plot.txt").read_text() == "2 red"


@pytest.mark.slow
def test_a_run_that_is_asked_to_run_all_takes_nothing_over(done: Project) -> None:
    configure(done, "blue")
    done.run("--rerun-from", "s01")
    assert done.executed() == ALL


def test_a_run_that_was_killed_after_it_had_taken_values_over_leaves_nothing_wrong(
    done: Project,
) -> None:
    done.segments(
        s01=STEPS.replace(
            'ran("plot")',
            'ran("plot"); import time; time.sleep(120 if Path("wait.txt").exists() else 0)',
        ),
        s02=LATER,
    )
    done.run()
    done.executed()
    configure(done, "blue")
    done.write("wait.txt", "")
    process = done.start("run")
    until((done.folder / "executed.txt").exists, "the step")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    until(lambda: not done.processes(), "the end of all processes")
    (done.folder / "wait.txt").unlink()
    done.executed()
    assert done.run()["exit_code"] == 0
    assert done.executed() == ["plot", "sent"]
    assert done.strays() == []


ALWAYS = """
    @step
    def rows(number: int) -> list[int]:
        ran("rows")
        return list(range(number))

    @step(always=True)
    def seen(rows: list[int]) -> str:
        ran("seen")
        return Path("seen.txt").read_text()

    @step
    def told(seen: str) -> str:
        ran("told")
        return seen.upper()

    @step
    def other(rows: list[int]) -> int:
        ran("other")
        return len(rows)
"""
AFTER = """
    @step
    def last(told: str, other: int) -> str:
        ran("last")
        return f"{told} {other}"
"""


@pytest.mark.slow
def test_what_runs_each_time_is_followed_only_if_it_made_something_else(project: Project) -> None:
    project.write("pipeline.toml", "[params]\nnumber = 3\n")
    project.write("seen.txt", "one")
    project.segments(s01=ALWAYS, s02=AFTER)
    assert project.run()["exit_code"] == 0
    assert project.executed() == ["rows", "seen", "told", "other", "last"]
    [first, _] = json.loads(project.command("status", "--json").stdout)["segments"]
    assert first["reasons"] == ["runs `seen` each time"]
    assert first["runs"] == ["seen"]
    record = project.run()
    assert record["exit_code"] == 0
    assert project.executed() == ["seen"]
    assert [segment["status"] for segment in record["segments"]] == ["ran", "reused"]
    project.write("seen.txt", "two")
    project.run()
    assert project.executed() == ["seen", "told", "last"]
    assert project.load("last") == "'TWO 3'"
    assert project.strays() == []


def accept(project: Project, *arguments: str) -> tuple[int, str]:
    done = project.command("accept", *arguments)
    return done.returncode, done.stdout + done.stderr


def test_an_accepted_edit_runs_nothing_until_the_next_one(done: Project) -> None:
    edited = STEPS.replace("pd.read_csv(numbers_file)", "pd.read_csv(numbers_file, sep=',')")
    done.segments(s01=edited, s02=LATER)
    code, said = accept(done, "s01", "--why", "the comma is the default")
    assert code == 0, said
    assert "the comma is the default (code of demo.segments.s01" in said
    status = done.command("status").stdout
    assert "the comma is the default" in " ".join(status.replace("│", " ").split())
    record = done.run()
    assert done.executed() == []
    assert [segment["status"] for segment in record["segments"]] == ["reused", "reused"]
    assert "the comma is the default" in record["segments"][0]["accepted"][0]
    assert "the comma is the default" in done.command("report", "--markdown").stdout
    done.segments(s01=edited.replace("sep=','", "sep=',', header=0"), s02=LATER)
    done.run()
    assert done.executed() != []


@pytest.mark.slow
def test_what_is_no_edit_of_code_is_not_accepted(done: Project) -> None:
    for arguments, said in (
        (["s01", "--why", "x"], "nothing differs"),
        (["s03", "--why", "x"], "no segment is named `s03`"),
        (["s01", "--why", " "], "say in a few words"),
        (["s01", "--why", "x", "--set", "colour=blue"], "param colour changed"),
    ):
        code, output = accept(done, *arguments)
        assert (code, said in output) == (2, True), output
    done.segments(s01=STEPS.replace("colour: str, ", "").replace("{colour}", "red"), s02=LATER)
    code, output = accept(done, "s01", "--why", "x")
    assert (code, "the parameters or the type of plot changed" in output) == (2, True), output
    done.segments(s01=STEPS, s02=LATER)
    done.write("data/numbers.csv", "x\n9\n")
    code, output = accept(done, "s01", "--why", "x")
    assert (code, "input numbers_file changed" in output) == (2, True), output
    code, output = accept(done, "s02", "--why", "x")
    assert (code, "waits for s01" in output) == (2, True), output
