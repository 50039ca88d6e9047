"""A run takes the planned order of steps where it is told to, and nothing else changes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ..conftest import Project

MB = 1_000_000
FRAMES = [f"frame{number}" for number in range(4)]
MEANS = [f"mean{number}" for number in range(4)]
MEMORY = """
[cluster]
ram = "100 GB"
quota = "50 %"

[segment]
headroom = "0 %"
"""
PLANNED = '[steps]\norder = "planned"\n'
OUTPUTS = '[outputs]\nmeans = "out/means.json"\n'

# Written as it is often written: everything is read first, and then used. What is random is drawn
# from the generator that is seeded before each step.
STEPS = (
    "import time\n\n"
    "def work() -> None:\n"
    "    end = time.process_time() + 0.06\n"
    "    while time.process_time() < end:\n"
    "        pass\n\n"
    + "".join(
        f"""
@step
def {frame}() -> pd.DataFrame:
    ran("{frame}")
    frame = pd.DataFrame({{"x": np.random.random(5_000_000)}})
    work()
    return frame
"""
        for frame in FRAMES
    )
    + "".join(
        f"""
@step
def {mean}({frame}: pd.DataFrame) -> float:
    ran("{mean}")
    work()
    if Path("fail_{mean}").exists():
        raise ValueError("as it was told")
    return float({frame}["x"].mean())
"""
        for frame, mean in zip(FRAMES, MEANS, strict=True)
    )
    + f"""
@step
def means({", ".join(f"{mean}: float" for mean in MEANS)}) -> list[float]:
    ran("means")
    return [{", ".join(MEANS)}]
"""
)
ALL = {*FRAMES, *MEANS, "means"}


@pytest.fixture(scope="module")
def measured(shared_project: Project) -> Project:
    """A project that has run once in memory enough for all, in the order that is written."""
    shared_project.write("memory_budget.toml", MEMORY)
    shared_project.write("pipeline.toml", OUTPUTS)
    shared_project.segments(s01=STEPS)
    assert shared_project.run("--budget", "8GB")["exit_code"] == 0
    assert shared_project.executed() == [*FRAMES, *MEANS, "means"]
    return shared_project


def plan(project: Project, budget: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(project.command("plan", "--json", "--budget", budget).stdout)
    return found


def budget_of(project: Project) -> str:
    """A budget for two frames and a half, besides what is held before any step."""
    return str(plan(project, "8GB")["fixed_bytes"] + 100 * MB)


def test_a_run_in_the_planned_order_needs_no_cut_and_makes_the_same(measured: Project) -> None:
    budget = budget_of(measured)
    means = (measured.folder / "out/means.json").read_text()
    key = measured.manifests()["s01"]["key"]
    foreseen = plan(measured, budget)
    [other] = foreseen["orders"]
    order = other["steps"]
    assert all(order.index(f) + 1 == order.index(m) for f, m in zip(FRAMES, MEANS, strict=True))
    assert not other["taken"]
    assert other["planned"]["parts"] == 1 < other["written"]["parts"]
    assert len(foreseen["segments"][0]["parts"]) == other["written"]["parts"]

    measured.write("pipeline.toml", OUTPUTS + PLANNED)
    foreseen = plan(measured, budget)
    assert foreseen["orders"][0]["taken"]
    assert [part["steps"] for part in foreseen["segments"][0]["parts"]] == [order]
    assert measured.statuses("--budget", budget) == {"s01": "reused"}
    record = measured.run("--fresh", "--budget", budget)
    assert (record["exit_code"], record["segments"][0]["parts"]) == (0, 1)
    assert [step["name"] for step in record["segments"][0]["steps"]] == order
    assert measured.executed() == order
    assert measured.manifests()["s01"]["key"] == key
    assert (measured.folder / "out/means.json").read_text() == means


@pytest.mark.slow
@pytest.mark.parametrize("then", ["", PLANNED], ids=["written", "planned"])
def test_a_run_resumes_in_another_order_what_it_left(measured: Project, then: str) -> None:
    budget = budget_of(measured)
    means = (measured.folder / "out/means.json").read_text()
    first = "" if then else PLANNED
    measured.write("pipeline.toml", OUTPUTS + first)
    measured.write("fail_mean2", "")
    assert measured.command("clean").returncode == 0
    failed = measured.run("--budget", budget)
    assert failed["error"]["step"] == "mean2"
    done = measured.executed()

    (measured.folder / "fail_mean2").unlink()
    measured.write("pipeline.toml", OUTPUTS + then)
    record = measured.run("--budget", budget)
    assert record["exit_code"] == 0
    again = measured.executed()
    assert {*done, *again} == ALL
    assert {*done[:-1]} & {*again} <= {*FRAMES}, "only a frame that nothing kept is made again"
    assert (measured.folder / "out/means.json").read_text() == means
    assert measured.statuses("--budget", budget) == {"s01": "reused"}
