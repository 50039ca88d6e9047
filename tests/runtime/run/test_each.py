"""A step that runs for each item: one item changes, fails or is lost, and the others stay."""

from __future__ import annotations

import json
import os
import shutil
import signal

import pytest

from ..conftest import Project, until

SEGMENTS = {
    "s01": """
    import os, signal, time

    @step
    def sales() -> pd.DataFrame:
        ran("sales")
        return pd.DataFrame({"month": ["a", "b", "b", "c"], "n": [1, 2, 3, 4]})

    @step(each="months")
    def monthly(months: str, sales: pd.DataFrame, factor: int) -> pd.DataFrame:
        ran(f"monthly-{months}")
        if Path(f"fail-{months}").exists():
            raise ValueError(f"no {months}")
        if Path(f"wait-{months}").exists():
            Path("here").touch()
            time.sleep(120)
        return sales[sales["month"] == months].assign(n=lambda frame: frame["n"] * factor)

    @step(each="files")
    def lines(files: Path) -> int:
        ran(f"lines-{files.name}")
        return len(files.read_text().splitlines())
    """,
    "s02": """
    from collections.abc import Iterator
    from ..checkpointing import Item

    @step(each="monthly")
    def totals(monthly: pd.DataFrame) -> int:
        ran("totals")
        return int(monthly["n"].sum())

    @step
    def page(
        totals: dict[str, int],
        monthly: Iterator[tuple[str, pd.DataFrame]],
        lines: list[int],
        b: Annotated[pd.DataFrame, Item("monthly", "b")],
    ) -> dict[str, list]:
        ran("page")
        rows = [[key, len(frame)] for key, frame in monthly]
        sums = [[key, total] for key, total in totals.items()]
        return {"totals": sums, "rows": rows, "lines": lines, "b": [len(b)]}

    @step(each="months")
    def told(months: str, factor: int) -> None:
        ran(f"told-{months}")
    """,
}
WIRING = """
[inputs]
files = "data/*.txt"

[params]
months = [{months}]
factor = {factor}
"""


def wire(project: Project, months: str = "abc", factor: int = 1) -> None:
    listed = ", ".join(f'"{month}"' for month in months)
    project.write("pipeline.toml", WIRING.format(months=listed, factor=factor))


@pytest.fixture
def monthly(project: Project) -> Project:
    project.segments(**SEGMENTS)
    wire(project)
    project.write("data/x.txt", "1\n2\n")
    project.write("data/y.txt", "1\n")
    return project


def page(project: Project) -> dict[str, list[object]]:
    manifest = project.manifests()["s02"]
    file = project.checkpoints() / "s02" / manifest["key"] / manifest["outputs"]["page"]["file"]
    made: dict[str, list[object]] = json.loads(file.read_text())
    return made


def test_later_steps_take_all_items_in_order_and_a_changed_item_runs_alone(
    monthly: Project,
) -> None:
    assert monthly.run()["exit_code"] == 0
    first = ["sales", "monthly-a", "monthly-b", "monthly-c", "lines-x.txt", "lines-y.txt"]
    told = ["told-a", "told-b", "told-c"]
    assert monthly.executed() == [*first, *["totals"] * 3, "page", *told]
    assert page(monthly) == {
        "totals": [["a", 1], ["b", 5], ["c", 4]],
        "rows": [["a", 1], ["b", 2], ["c", 1]],
        "lines": [2, 1],
        "b": [2],
    }
    assert monthly.strays() == []

    monthly.write("data/y.txt", "1\n2\n3\n")
    wire(monthly, "dabc")
    assert monthly.run()["exit_code"] == 0
    executed = monthly.executed()
    assert executed[:3] == ["sales", "monthly-d", "lines-y.txt"]
    assert executed[3:] == ["totals", "page", "told-d"]
    assert page(monthly)["totals"] == [["d", 0], ["a", 1], ["b", 5], ["c", 4]]

    wire(monthly, "abc")
    assert monthly.run()["exit_code"] == 0
    assert "monthly" not in "".join(monthly.executed())


def test_an_item_that_fails_is_named_and_the_others_are_kept(monthly: Project) -> None:
    (monthly.folder / "fail-b").touch()
    record = monthly.run()
    assert record["exit_code"] == 1
    assert "item `b`: ValueError: no b" in record["error"]["message"]
    assert "1 of its items are done and kept" in record["error"]["message"]
    assert monthly.executed() == ["sales", "monthly-a", "monthly-b"]
    (monthly.folder / "fail-b").unlink()
    assert monthly.run()["exit_code"] == 0
    assert monthly.executed()[:2] == ["monthly-b", "monthly-c"]


def test_what_is_done_when_a_run_is_killed_stays_done(monthly: Project) -> None:
    (monthly.folder / "wait-c").touch()
    process = monthly.start("run")
    until((monthly.folder / "here").exists, "the third item")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    (monthly.folder / "wait-c").unlink()
    monthly.executed()
    assert monthly.run()["exit_code"] == 0
    assert monthly.executed()[0] == "monthly-c"


def test_a_sink_that_runs_for_each_item_repeats_all_if_its_target_is_gone(monthly: Project) -> None:
    told = """
    @step(each="months")
    def told(months: str) -> None:
        ran(f"told-{months}")
        Path("db").mkdir(exist_ok=True)
        Path(f"db/{months}.txt").touch()
    """
    monthly.segments(s01=told)
    monthly.write("pipeline.toml", '[params]\nmonths = ["a", "b"]\n[sinks]\ntold = "db/*.txt"\n')
    assert monthly.run()["exit_code"] == 0
    assert monthly.run()["exit_code"] == 0
    assert monthly.executed() == ["told-a", "told-b"]
    shutil.rmtree(monthly.folder / "db")
    assert monthly.run()["exit_code"] == 0
    assert monthly.executed() == ["told-a", "told-b"]
    assert (monthly.folder / "db/b.txt").exists()


def test_compare_runs_the_items_as_a_loop(monthly: Project) -> None:
    done = monthly.command("compare", "--json")
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["same_results"].values()) == {True}


def test_status_and_plan_name_the_items(monthly: Project) -> None:
    (monthly.folder / "fail-b").touch()
    monthly.run()
    status = monthly.command("status").stdout
    assert "monthly of s01: 1 of 3 items are done, next is b" in status
    assert "monthly for each of months" in monthly.command("plan", "--mermaid").stdout


def test_an_accepted_edit_keeps_the_items(monthly: Project) -> None:
    assert monthly.run()["exit_code"] == 0
    monthly.executed()
    edited = SEGMENTS["s01"].replace('frame["n"] * factor', 'factor * frame["n"]')
    monthly.segments(s01=edited, s02=SEGMENTS["s02"])
    accepted = monthly.command("accept", "s01", "--why", "the same product")
    assert accepted.returncode == 0, accepted.stderr
    wire(monthly, "abcd")
    assert monthly.run()["exit_code"] == 0
    assert [name for name in monthly.executed() if "monthly" in name] == ["monthly-d"]
