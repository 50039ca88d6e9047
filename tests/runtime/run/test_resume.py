"""A step that raises: what was finished before it is kept, and the next run starts at it."""

from __future__ import annotations

from typing import Any

import pytest

from ...marks import in_slow
from ..conftest import Project

FAILS = """
    def fails(step: str) -> None:
        ran(step)
        if Path("fail.txt").exists() and Path("fail.txt").read_text() == step:
            raise RuntimeError("no")
"""
SEGMENT = f"""{FAILS}
    @step
    def read() -> pd.DataFrame:
        fails("read")
        return pd.DataFrame({{"x": np.arange(1000.0)}})

    @step
    def draw(read: pd.DataFrame) -> np.ndarray:
        fails("draw")
        return np.random.default_rng(np.random.randint(10**6)).normal(size=len(read))

    @step
    def both(read: pd.DataFrame, draw: np.ndarray) -> pd.DataFrame:
        read = read.assign(y=draw)
        fails("both")
        return read

    @step
    def sent(both: pd.DataFrame) -> None:
        fails("sent")

    @step
    def total(both: pd.DataFrame, scale: float) -> float:
        fails("total")
        return float(both["y"].sum()) * scale
"""
STEPS = ["read", "draw", "both", "sent", "total"]


FREES = f"""{FAILS}
    @step
    def read() -> np.ndarray:
        fails("read")
        return np.ones(10)

    @step
    def wide(read: np.ndarray) -> np.ndarray:
        fails("wide")
        return np.tile(read, 2_000_000)

    @step
    def freed(read: np.ndarray, wide: np.ndarray) -> float:
        wide = wide[:3].copy()
        fails("freed")
        return float(wide.sum() + read.sum())

    @step
    def held(read: np.ndarray, freed: float) -> float:
        return freed
"""


@pytest.fixture
def failing(project: Project) -> Project:
    project.segments(s01=SEGMENT)
    project.write("pipeline.toml", "[params]\nscale = 2.0\n")
    return project


def undisturbed(project: Project) -> str:
    other = Project(project.folder.parent / "undisturbed" / "demo")
    other.segments(s01=SEGMENT)
    other.write("pipeline.toml", "[params]\nscale = 2.0\n")
    other.run()
    return str(other.load("total"))


def first(record: dict[str, Any]) -> dict[str, Any]:
    segment: dict[str, Any] = record["segments"][0]
    return segment


@pytest.mark.parametrize("step", ["both", *in_slow("sent", "total")])
def test_the_next_run_starts_at_the_step_that_raised(failing: Project, step: str) -> None:
    failing.write("fail.txt", step)
    failed = failing.run()
    assert failed["exit_code"] == 1
    assert failed["error"]["step"] == step
    assert failed["error"]["message"] == (
        f"RuntimeError: no\n  The steps before `{step}` are kept: the next run starts there."
    )
    assert failing.strays() == []
    done = STEPS.index(step)
    assert failing.executed() == STEPS[: done + 1]
    (failing.folder / "fail.txt").unlink()
    record = failing.run()
    assert record["exit_code"] == 0, record["error"]
    assert failing.executed() == STEPS[done:]
    assert first(record)["reused_steps"] == STEPS[:done]
    assert failing.strays() == []
    assert failing.load("total") == undisturbed(failing)


def test_a_first_step_that_raises_keeps_nothing_and_says_nothing(failing: Project) -> None:
    failing.write("fail.txt", "read")
    record = failing.run()
    assert record["error"]["message"] == "RuntimeError: no"
    assert list(failing.checkpoints().glob("s01/*/*")) == []


def test_code_that_is_edited_while_the_step_runs_keeps_nothing(failing: Project) -> None:
    edited = SEGMENT.replace(
        'fails("both")', 'fails("both"); Path(__file__).write_text("edited"); raise RuntimeError'
    )
    failing.segments(s01=edited)
    record = failing.run()
    assert record["error"]["message"] == "RuntimeError: "
    assert list(failing.checkpoints().glob("s01/*/*")) == []


def test_a_result_that_is_refused_keeps_the_steps_before_it(project: Project) -> None:
    project.segments(
        s01="""
        @step
        def read() -> pd.DataFrame:
            ran("read")
            return pd.DataFrame({"x": [1.0]})

        @step
        def odd(read: pd.DataFrame) -> dict:
            ran("odd")
            return {"x": 1.0} if Path("mended.txt").exists() else {"x": object()}
        """
    )
    record = project.run()
    assert record["error"]["kind"] == "inexact_value"
    assert "The steps before `odd` are kept" in record["error"]["message"]
    project.write("mended.txt", "")
    assert project.run()["exit_code"] == 0
    assert project.executed() == ["read", "odd", "odd"]


def test_what_cannot_be_kept_does_not_hide_why_the_step_failed(failing: Project) -> None:
    """There is no room for the values of the steps before."""
    failing.write(
        "memory_budget.toml",
        '[cluster]\nram = "100 GB"\nquota = "50 %"\n[checkpoints]\nmax_disk = "1 kB"\n',
    )
    failing.segments(s01=SEGMENT.replace('fails("both")', 'raise RuntimeError("no")'))
    record = failing.run()
    assert record["exit_code"] == 1
    assert record["error"]["message"] == "RuntimeError: no"
    assert failing.strays() == []


def test_a_large_value_that_the_step_has_let_go_of_is_made_again(project: Project) -> None:
    """It was handed over, so that its memory could be freed; what made it is still there."""
    project.segments(s01=FREES)
    project.write("fail.txt", "freed")
    record = project.run()
    assert "The steps before `wide` are kept" in record["error"]["message"]
    (project.folder / "fail.txt").unlink()
    assert project.run()["exit_code"] == 0
    assert project.executed() == ["read", "wide", "freed", "wide", "freed"]


UNREADABLE = """
    from collections.abc import Iterator

    @step
    def made() -> pd.DataFrame:
        ran("made")
        return pd.DataFrame({"x": np.arange(1000.0)})

    @step
    def counted(made: pd.DataFrame, lines: Iterator[pd.DataFrame]) -> int:
        ran("counted")
        return len(made) + sum(map(len, lines))
"""


def test_the_steps_before_one_whose_place_or_input_is_wrong_are_kept(project: Project) -> None:
    project.segments(s01=UNREADABLE)
    project.write("pipeline.toml", '[inputs]\nlines = "lines.csv"\n')
    project.write("lines.csv", 'a,b\n1,"2\n')
    failed = project.run()
    assert failed["exit_code"] == 2, failed["error"]
    assert failed["error"]["message"].endswith(
        "The steps before `counted` are kept: the next run starts there."
    )
    assert project.executed() == ["made", "counted"]

    project.write("lines.csv", "a,b\n1,2\n")
    assert project.run()["exit_code"] == 0
    assert project.executed() == ["counted"]
    assert project.strays() == []


def test_a_long_segment_keeps_what_is_live_now_and_then(project: Project) -> None:
    """Each step takes longer than `checkpoint_every`, so a part ends after each of them."""
    steps = [
        f"@step\ndef v{n}({taken}) -> int:\n    ran('v{n}')\n    return {n}\n"
        for n, taken in enumerate(["", *(f"v{n}: int" for n in range(4))])
    ]
    steps[4] = steps[4].replace(
        "    return", "    if Path('die').exists(): os.kill(os.getpid(), 9)\n    return"
    )
    project.segments(s01="import os\n\n" + "\n\n".join(steps))
    with (project.folder / "memory_budget.toml").open("a") as file:
        file.write('\n[segment]\ncheckpoint_every = "0.001 s"\n')
    project.write("die", "")
    record = project.run()
    assert record["exit_code"] != 0
    assert {cut["why"] for cut in record["segments"][0]["cuts"]} == {"after 0.00 s"}
    project.executed()
    (project.folder / "die").unlink()
    assert project.run()["exit_code"] == 0
    assert project.executed() == ["v4"]
