"""One edited step runs again, and what reads it."""

from __future__ import annotations

from ..conftest import Project

SEGMENT = """
    COLOUR = "red"

    @step
    def rows() -> list[int]:
        ran("rows")
        return [1, 2, 3]

    @step
    def plot(rows: list[int]) -> str:
        ran("plot")
        return f"{len(rows)} {COLOUR}"

    @step
    def sent(plot: str) -> None:
        ran("sent")

    @step
    def mean(rows: list[int]) -> float:
        ran("mean")
        return sum(rows) / len(rows)
"""
LATER = """
    @step
    def page(rows: list[int], mean: float) -> str:
        ran("page")
        return f"{len(rows)} {mean}"
"""


def test_one_edited_step_runs_again_and_what_reads_it(project: Project) -> None:
    project.segments(s01=SEGMENT, s02=LATER)
    project.run()
    assert project.executed() == ["rows", "plot", "sent", "mean", "page"]
    project.segments(s01=SEGMENT.replace('"red"', '"blue"'), s02=LATER)
    record = project.run()
    assert project.executed() == ["plot", "sent"]
    assert record["segments"][0]["reused_steps"] == ["rows", "mean"]
    assert record["segments"][1]["status"] == "reused"
