"""The command `plan`, compared with the runs that it plans."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ...conftest import MEMORY_BUDGET, Project

MB = 10**6
ROWS = 1_000_000  # of 8 bytes a column

# Steps hold on for a while, so that samples of their memory are sure to catch them.
FRAMES = f"""
import time
import numpy as np
import pandas as pd

def hold() -> None:
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass

def frame(columns: str, start: float = 0.0) -> pd.DataFrame:
    arrays = {{name: np.arange(start, start + {ROWS}) for name in columns}}
    made = pd.DataFrame(arrays)  # a copy of them
    hold()
    return made
"""

SEGMENTS = {
    "s01": """
    from ..frames import frame, hold

    @step
    def wide() -> pd.DataFrame:
        ran("wide")
        return frame("abcd")

    @step
    def other() -> pd.DataFrame:
        return frame("pqr", 5.0)

    @step
    def small(wide: pd.DataFrame) -> pd.DataFrame:
        made = wide[["a"]] * 2
        hold()
        return made
    """,
    "s02": """
    from ..frames import hold

    @step
    def more(wide: pd.DataFrame) -> pd.DataFrame:
        made = wide.assign(e=wide["a"] * 2)
        hold()
        return made

    @step
    def tall(small: pd.DataFrame) -> pd.DataFrame:
        made = pd.concat([small, small, small])
        hold()
        return made

    @step
    def parts(more: pd.DataFrame, tall: pd.DataFrame) -> pd.DataFrame:
        made = pd.DataFrame({"x": more["e"], "y": tall["a"].to_numpy()[: len(more)]})
        hold()
        return made

    @step
    def total(parts: pd.DataFrame, other: pd.DataFrame) -> float:
        hold()
        return float(parts["x"].sum() + other["p"].sum())
    """,
}
HEADROOM = MEMORY_BUDGET + '[segment]\nheadroom = "10 %"\n'


def plans(project: Project, *settings: tuple[str | None, list[str]]) -> list[dict[str, Any]]:
    """What `plan --json` prints for each budget and changes, one after the other."""
    out = project.python(
        f"""
        from demo.checkpointing.tools.plan.command import plan_command

        for budget, changes in {settings}:
            plan_command("demo", None, budget, changes, False, True, False)
        """
    )
    return [json.loads(line) for line in out.splitlines()]


def plan(project: Project, budget: int | None = None) -> dict[str, Any]:
    [planned] = plans(project, (str(budget) if budget else None, []))
    return planned


def parts_of(planned: dict[str, Any]) -> list[dict[str, Any]]:
    return [part for segment in planned["segments"] for part in segment["parts"]]


def write_steps(project: Project, **changed: str) -> None:
    project.write("src/demo/frames.py", FRAMES)
    project.segments(**SEGMENTS | changed)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose steps were measured in a run without any cut."""
    project = Project(tmp_path_factory.mktemp("plan") / "measured")
    project.write("memory_budget.toml", HEADROOM)
    write_steps(project)
    record = project.run()
    assert record["exit_code"] == 0, record["error"]
    assert project.executed() == ["wide"]
    return project


@pytest.fixture
def project_measured(measured: Project, tmp_path: Path) -> Project:
    """A copy of that project, to run again."""
    return measured.copy(tmp_path / "demo")


def test_a_run_has_the_cuts_and_the_memory_of_its_plan(
    project_measured: Project,
) -> None:
    project = project_measured
    uncut = plan(project)
    tight = uncut["declared"]["peak_bytes"] - 15 * MB
    budget = int(tight / 0.9)
    planned = plan(project, budget)
    record = project.run("--fresh", "--budget", str(budget))

    assert record["exit_code"] == 0, record["error"]
    assert planned["declared"]["parts"] > uncut["declared"]["parts"]
    assert planned["declared"]["peak_bytes"] <= planned["usable_bytes"] <= tight
    for segment, ran in zip(planned["segments"], record["segments"], strict=True):
        begins = [part["steps"][0] for part in segment["parts"]]
        assert [cut["before"] for cut in ran["cuts"]] == begins[1:]
        assert {cut["why"] for cut in ran["cuts"]} <= {"planned"}
        for number, part in enumerate(segment["parts"]):
            measures = [m for m in ran["steps"] + ran["writes"] if m["part"] == number]
            assert [s["name"] for s in ran["steps"] if s["part"] == number] == part["steps"]
            assert part["peak_bytes"] == pytest.approx(
                max(m["peak_bytes"] for m in measures), rel=0.1
            )
    written = sum(w["bytes"] for s in record["segments"] for w in s["writes"])
    assert planned["declared"]["bytes_written"] == pytest.approx(written, rel=0.02)


def test_a_plan_reads_no_less_than_each_part_needs(measured: Project) -> None:
    first, second = parts_of(plan(measured))

    column = 8 * ROWS
    assert first["bytes_written"] == pytest.approx(8 * column, rel=0.01)  # wide, other and small
    assert (first["bytes_read"], second["bytes_written"]) == (0, 0)
    assert second["bytes_read"] == first["bytes_written"]
    assert (first["why"], first["unknown"]) == ("segment", [])


def test_each_other_budget_leads_to_the_plan_that_is_shown_for_it(measured: Project) -> None:
    planned = plan(measured)
    last = planned["other_budgets"][-1]
    first = next(other for other in planned["other_budgets"] if other["declared"])

    assert last["best"]["parts"] == 1
    assert last["declared"]["parts"] == 2
    budgets: list[tuple[str | None, list[str]]] = [
        (str(other["budget_bytes"]), []) for other in (first, last)
    ]
    for other, there in zip((first, last), plans(measured, *budgets), strict=True):
        moved = there["declared"]["bytes_written"] + there["declared"]["bytes_read"]
        assert there["declared"]["peak_bytes"] <= there["usable_bytes"]
        assert (there["declared"]["parts"], moved) == (
            other["declared"]["parts"],
            other["declared"]["bytes_moved"],
        )


def test_a_plan_runs_nothing_and_leaves_the_project_as_it_was(measured: Project) -> None:
    files = {path: path.read_bytes() for path in measured.folder.rglob("*") if path.is_file()}

    plan(measured, 300 * MB)
    assert measured.executed() == []
    after = {path: path.read_bytes() for path in measured.folder.rglob("*") if path.is_file()}
    assert after == files


def test_every_key_of_the_json_is_documented(measured: Project) -> None:
    def keys(content: Any) -> set[str]:
        inner = (
            content.values()
            if isinstance(content, dict)
            else content
            if isinstance(content, list)
            else []
        )
        return (set(content) if isinstance(content, dict) else set()).union(*map(keys, inner))

    page = Path(__file__).parents[4] / "docs" / "planning.md"
    documented = page.read_text(encoding="utf-8").partition("## `plan --json`")[2]
    assert keys(plan(measured)) <= set(re.findall(r"`(\w+)`", documented))


def test_the_table_is_printed_for_people(measured: Project) -> None:
    done = measured.command("plan", "--budget", "1GB", COLUMNS="120")

    assert done.returncode == 0
    assert done.stdout.startswith("demo: budget 1 GB (--budget), planned to 900 MB")
    assert re.search(r"│ s01 +│ wide … small \(3\) +│ +\d+ MB +\d+% │", done.stdout)
    assert re.search(r"│ best cuts +│ 1 part ", done.stdout)
    assert re.search(r"s02 +64 MB +costs 128 MB of I/O: memory does not need it", done.stdout)
    assert done.stderr == ""


def test_a_step_that_does_not_fit_is_shown_with_the_ways_out(measured: Project) -> None:
    least = plan(measured)["least"]
    budget = least["budget_bytes"] - 1
    done = measured.command("plan", "--budget", str(budget))

    assert done.returncode == 3
    assert "│ best cuts" in done.stdout
    assert f"`{least['step']}` does not fit, however its segment is cut." in done.stdout
    assert f"step `{least['step']}`" in done.stderr
    assert "What to do" in done.stderr
    below, at = plans(measured, (str(budget), []), (str(budget + 1), []))
    assert (below["error"]["kind"], below["error"]["step"]) == ("budget_exceeded", least["step"])
    assert "error" not in at


def test_a_step_that_was_measured_with_other_code_is_no_reason_to_refuse(
    project_measured: Project,
) -> None:
    project = project_measured
    write_steps(project, s01=SEGMENTS["s01"].replace('["a"]] * 2', '["a"]] * 3'))
    planned = plan(project, 150 * MB)
    done = project.command("plan", "--budget", "150MB")

    assert planned["outdated"] == ["s01", "s02"]
    assert "error" not in planned
    assert done.returncode == 0
    assert "A run would try: it was not measured as it is now." in " ".join(done.stdout.split())


def test_the_flowchart_is_printed_alone(measured: Project) -> None:
    done = measured.command("plan", "--mermaid")

    assert done.returncode == 0
    assert done.stdout.startswith("flowchart TB\n")
    assert '  n0 ==>|"wide"| n3\n' in done.stdout
    assert done.stderr == ""


def test_before_the_first_run_the_declared_parts_are_shown(project: Project) -> None:
    write_steps(project)
    done = project.command("plan")
    planned = plan(project)

    assert done.returncode == 0
    assert "wide … small (3)" in done.stdout
    assert "Nothing is measured yet: `run` once" in done.stdout
    assert not planned["measured"]
    assert planned["unknown"] == ["wide", "other", "small", "more", "tall", "parts", "total"]
    assert [part["steps"][0] for part in parts_of(planned)] == ["wide", "more"]
    assert not (project.folder / "runs").exists()


def test_after_a_run_that_failed_what_it_did_not_reach_is_unknown(project: Project) -> None:
    failing = """
    @step
    def doubled(table: pd.DataFrame) -> pd.DataFrame:
        return table * 2

    @step
    def broken(doubled: pd.DataFrame) -> int:
        raise ValueError("not today")

    @step
    def after(broken: int) -> int:
        return broken
    """
    table = """
    @step
    def table() -> pd.DataFrame:
        return pd.DataFrame({"number": np.arange(1_000_000.0)})
    """
    project.segments(s01=table, s02=failing)
    assert project.run()["exit_code"] == 1
    planned = plan(project)

    assert planned["measured"]
    assert planned["unknown"] == ["broken", "after"]
    assert [part["unknown"] for part in parts_of(planned)] == [[], ["broken", "after"]]
    assert parts_of(planned)[0]["bytes_written"] == pytest.approx(8 * MB, rel=0.01)
    assert [boundary["unknown"] for boundary in planned["boundaries"]] == [["broken", "after"]]


def test_the_plan_is_for_inputs_of_the_size_that_they_have(project: Project) -> None:
    project.write(
        "pipeline.toml",
        """
        [inputs]
        lines = "small.txt"
        """,
    )
    project.write("small.txt", "1")
    project.segments(
        s01="""
        @step
        def table(lines: Path) -> pd.DataFrame:
            return pd.DataFrame({"number": np.arange(float(lines.read_text()))})
        """,
        s02="""
        @step
        def doubled(table: pd.DataFrame) -> pd.DataFrame:
            return table * 2

        @step
        def total(doubled: pd.DataFrame) -> float:
            return float(doubled["number"].sum())
        """,
    )
    project.write("large.txt", "3_000_000")
    with project.session() as run:
        for lines in ("large.txt", "small.txt"):
            assert "error" not in run(params={"lines": lines})
    small, large = plans(project, (None, []), (None, ["lines=large.txt"]))

    first, second = parts_of(large)
    assert first["bytes_written"] == pytest.approx(24 * MB, rel=0.01)
    assert parts_of(small)[0]["bytes_written"] < MB
    assert second["peak_bytes"] - parts_of(small)[1]["peak_bytes"] > 12 * MB
    assert (small["outdated"], large["outdated"]) == ([], [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "lots"], "--budget: 'lots' is not a size"),
        (["--json", "--mermaid"], "--json and --mermaid: choose one"),
        (["--set", "nothing=1"], "nothing"),
        (["--set", "nothing"], "write NAME=VALUE"),
    ],
)
def test_a_mistyped_command_is_refused(
    measured: Project, arguments: list[str], message: str
) -> None:
    done = measured.command("plan", *arguments)

    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout.startswith('{"error": ') == ("--json" in arguments)


def test_the_process_that_plans_imports_neither_pandas_nor_the_projects_code(
    measured: Project,
) -> None:
    code = """
    import sys
    from demo.checkpointing.tools.plan.command import plan_command
    assert plan_command("demo", None, None, [], False, False, False) == 0
    own = [name for name in sys.modules if name.startswith("demo.") and "checkpointing" not in name]
    print(sorted({"pandas", "pyarrow", "numpy", *own} & set(sys.modules)))
    """
    assert measured.python(code).splitlines()[-1] == "[]"
