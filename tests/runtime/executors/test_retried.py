"""A segment that was sent away and failed begins where it stopped, and on the same inputs."""

from __future__ import annotations

import pytest

from ...marks import in_exhaustive
from ..conftest import Project
from .sent import lay_out, left_behind

READING = """
@step
def small(table: pd.DataFrame, {parameter}) -> str:
    ran("small")
    return str(len(table)) + ":" + {text}

@step
def each_time(small: str) -> str:
    if Path("{marks}/order.txt").exists():
        raise RuntimeError("not yet")
    return small.upper()
"""

FORMS = {
    "a file": ("raw: Path", "raw.read_text()"),
    "a file or none": ("raw: Path | None", "(raw.read_text() if raw else 'ABSENT')"),
    "an absent one": ("gone: Path | None", "str(gone)"),
    "a glob": ("every: list[Path]", "'|'.join(p.name + p.read_text() for p in every)"),
    "a folder": ("folder: Path", "'|'.join(sorted(p.name for p in folder.iterdir()))"),
}

WIRING = """
[inputs]
raw = "data/raw.csv"
gone = "data/gone.csv"
every = "{outside}/*.txt"
folder = "{outside}"
[run_on]
s02 = "trainer"
[executors.trainer]
kind = "local"
memory = "1 GB"
time_limit = "{limit}"
"""


def reading(project: Project, form: str) -> Project:
    parameter, text = FORMS[form]
    outside = project.folder.parent / "outside"
    outside.mkdir()
    for name in ("a.txt", "b.txt"):
        (outside / name).write_text(f"<{name}>")
    project.segments(
        s01="@step\ndef table() -> pd.DataFrame:\n    return pd.DataFrame({'a': [1, 2]})",
        s02=READING.format(parameter=parameter, text=text, marks=project.folder),
    )
    project.write("data/raw.csv", "THE DATA")
    project.write("pipeline.toml", WIRING.format(outside=outside, limit="5 min"))
    return project


@pytest.mark.slow
@pytest.mark.parametrize("form", ["a file", *in_exhaustive(*list(FORMS)[1:])])
def test_a_finished_step_is_not_run_again_whatever_input_it_took(
    project: Project, form: str
) -> None:
    sent = reading(project, form)
    sent.write("order.txt", "raise")
    failed = sent.run()
    assert (failed["exit_code"], failed["error"]["step"]) == (1, "each_time")
    (sent.folder / "order.txt").unlink()
    record = sent.run()
    assert record["exit_code"] == 0, record["error"]
    assert record["segments"][1]["reused_steps"] == ["small"]
    there = sent.load("each_time")
    wiring = (sent.folder / "pipeline.toml").read_text()
    sent.write("pipeline.toml", wiring.replace('s02 = "trainer"', ""))
    assert sent.run("--fresh")["exit_code"] == 0
    assert sent.load("each_time") == there
    assert left_behind(sent) == []


def test_an_input_that_changed_since_it_was_hashed_is_not_trained_on(project: Project) -> None:
    sent = reading(project, "a file")
    # The first segment runs after all inputs were hashed, and before the second is sent.
    sent.segments(
        s01=f"""
        @step
        def table() -> pd.DataFrame:
            Path("{sent.folder}/data/raw.csv").write_text("NEW DATA")
            return pd.DataFrame({{"a": [1, 2]}})
        """,
        s02=(sent.package / "segments/s02.py").read_text().partition("from ..notes")[2][11:],
    )
    record = sent.run()
    assert (record["exit_code"], record["error"]["kind"]) == (2, "configuration")
    assert "changed while the pipeline ran" in record["error"]["message"]
    assert left_behind(sent) == []


@pytest.mark.slow
def test_what_was_finished_before_the_time_limit_is_kept(project: Project) -> None:
    sent = lay_out(project, limit="6 s")
    sent.segments(
        s01="@step\ndef numbers() -> list[int]:\n    return [1, 2, 3]",
        s02=f"""
        import time

        @step
        def first(numbers: list[int]) -> int:
            ran("first")
            return sum(numbers)

        @step
        def sink(first: int) -> None:
            Path("{sent.folder}/sunk.txt").write_text(str(first))

        @step
        def slow(first: int) -> int:
            if Path("{sent.folder}/order.txt").exists():
                time.sleep(60)
            return first + 1
        """,
        s03="@step\ndef used(slow: int) -> int:\n    return slow",
    )
    wiring = (sent.folder / "pipeline.toml").read_text()
    sent.write("pipeline.toml", "[run_on]" + wiring.partition("[run_on]")[2])
    sent.write("order.txt", "wait")
    assert sent.run()["error"]["kind"] == "executor"
    (sent.folder / "order.txt").unlink()
    record = sent.run()
    assert record["exit_code"] == 0, record["error"]
    assert record["segments"][1]["reused_steps"] == ["first", "sink"]
    assert (sent.load("used"), left_behind(sent)) == ("7", [])
