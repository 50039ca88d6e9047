"""A segment that does not fit the budget is cut, and what it takes is foreseen, for any cuts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ..conftest import Project

MB = 1_000_000
MEMORY = """
[cluster]
ram = "100 GB"
quota = "50 %"

[segment]
max_steps = 20
"""

# A step holds its peak, with all that it made on the way, for long enough to be seen in a sample.
WORK = """
import time

def work(seconds: float = 0.06) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
"""

FRAMES = [f"f{number:02}" for number in range(1, 20)]
TWENTY = (
    WORK
    + "".join(
        f"""
@step
def {name}() -> pd.DataFrame:
    frame = pd.DataFrame({{"x": np.full(1_250_000, {number}.0)}})
    work()
    return frame
"""
        for number, name in enumerate(FRAMES, start=1)
    )
    + f"""
@step
def total({", ".join(f"{name}: pd.DataFrame" for name in FRAMES)}) -> float:
    work()
    return float(sum(frame["x"].sum() for frame in [{", ".join(FRAMES)}]))
"""
)
FRAME = 10 * MB

GALLERY = (
    WORK
    + """
@step
def numbers() -> pd.DataFrame:
    chance = np.random.default_rng(1)
    columns = {name: chance.normal(size=1_200_000) for name in "abc"}
    columns["a"][::7] = np.nan
    frame = pd.DataFrame(columns)
    work()
    return frame

@step
def texts() -> pd.DataFrame:
    keys = np.arange(600_000)
    numbers = pd.Series(keys % 1000).astype(str)
    words = numbers + " and some more text"
    frame = pd.DataFrame({"word": words.where(keys % 5 > 0), "key": keys % 7})
    work()
    return frame

@step
def column(numbers: pd.DataFrame) -> pd.Series:
    work()
    return numbers["b"]

@step
def first(numbers: pd.DataFrame) -> pd.DataFrame:
    work()
    return numbers.iloc[:1000]

@step
def more(numbers: pd.DataFrame) -> pd.DataFrame:
    frame = numbers.assign(d=numbers["a"] * 2, flag=numbers["a"] > 0)
    work()
    return frame

@step
def missing(more: pd.DataFrame) -> pd.DataFrame:
    frame = more.isna()
    work()
    return frame

@step
def nullable(more: pd.DataFrame) -> pd.DataFrame:
    hundreds = more["d"] * 100
    rounded = hundreds.round()
    whole = rounded.astype("Int64")
    frame = pd.DataFrame({"whole": whole, "flag": more["flag"].astype("boolean")})
    frame.loc[::11, "flag"] = pd.NA
    work()
    return frame

@step
def upper(texts: pd.DataFrame) -> pd.DataFrame:
    frame = texts.assign(upper=texts["word"].str.upper())
    work()
    return frame

@step
def kinds(upper: pd.DataFrame) -> pd.Series:
    series = upper["upper"].astype("category")
    work()
    return series

@step
def days(numbers: pd.DataFrame) -> pd.DataFrame:
    minutes = pd.to_timedelta(np.arange(len(numbers)), unit="min")
    frame = pd.DataFrame({"day": pd.Timestamp("2013-01-01") + minutes})
    work()
    return frame

@step
def matrix(more: pd.DataFrame) -> np.ndarray:
    array = more[["a", "d"]].to_numpy()
    work()
    return array

@step
def half(matrix: np.ndarray) -> np.ndarray:
    work()
    return matrix[:600_000]

@step
def summary(
    column: pd.Series, first: pd.DataFrame, missing: pd.DataFrame, nullable: pd.DataFrame,
    upper: pd.DataFrame, kinds: pd.Series, days: pd.DataFrame, half: np.ndarray,
) -> list[float]:
    work()
    return [
        float(column.sum()), float(first["c"].sum()), float(missing["a"].sum()),
        float(nullable["whole"].sum()), float(nullable["flag"].sum()),
        float(upper["word"].count()), float(len(kinds.cat.categories)),
        float(days["day"].dt.day.sum()), float(np.nansum(half)),
    ]
"""
)

PLANS = """
import json
from demo.checkpointing.memory.forecast import forecast_of
from demo.checkpointing.memory.plan import plan
from demo.checkpointing.memory.profile import read_profile
from demo.pipeline import PIPELINE

memory = PIPELINE.settings.memory
forecast = forecast_of(PIPELINE, read_profile(PIPELINE.settings.runs, PIPELINE.name), memory)
headroom = memory.segment.headroom
plans = [plan(forecast, range(len(PIPELINE.steps)), budget, headroom) for budget in BUDGETS]
print(json.dumps([[[part.steps.start, part.peak] for part in one.parts] for one in plans]))
"""


Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, Run]]:
    """A project with values of many kinds, and a function that runs it."""
    project = Project(tmp_path_factory.mktemp("gallery") / "demo")
    project.write("memory_budget.toml", MEMORY)
    project.segments(s01=GALLERY)
    with project.session() as run:
        yield project, run


def segment(record: dict[str, Any]) -> dict[str, Any]:
    """The record of the one segment of a run that went well."""
    assert "error" not in record, record["error"]
    [only] = record["segments"]
    found: dict[str, Any] = only
    return found


def predicted(project: Project, *budgets: int) -> list[list[tuple[int, int]]]:
    """For each budget the plan: the number of each part's first step, and the part's peak."""
    plans = json.loads(project.python(PLANS.replace("BUDGETS", repr(budgets))))
    return [[(start, peak) for start, peak in parts] for parts in plans]


def measured(record: dict[str, Any]) -> list[tuple[int, int]]:
    """The same of what a run did: the peak of a part is that of its steps and of its commit."""
    found = segment(record)
    events = [*found["steps"], *found["writes"]]
    names = [step["name"] for step in found["steps"]]
    starts = [0, *(names.index(cut["before"]) for cut in found["cuts"])]
    return [
        (start, max(event["peak_bytes"] for event in events if event["part"] == part))
        for part, start in enumerate(starts)
    ]


def check_foreseen(plan: list[tuple[int, int]], record: dict[str, Any]) -> None:
    """The run was cut where the plan said, and held within 10 % of what it said."""
    assert {cut["why"] for cut in segment(record)["cuts"]} <= {"planned"}
    found = measured(record)
    assert [start for start, _ in found] == [start for start, _ in plan]
    for (start, expected), (_, held) in zip(plan, found, strict=True):
        assert abs(expected - held) <= 0.1 * held, (start, expected, held)


def budgets(uncut: dict[str, Any], *shares: float) -> list[int]:
    """Budgets that leave, of what a run without cuts held above the baseline, these shares."""
    base = segment(uncut)["steps"][0]["began_bytes"]
    return [int((base + share * (uncut["peak_bytes"] - base)) / 0.8) for share in shares]


@pytest.mark.slow
def test_twenty_steps_of_which_ten_fit_complete_at_once_and_are_cut_by_plan_from_then_on(
    project: Project,
) -> None:
    project.write("memory_budget.toml", MEMORY)
    project.segments(s01=TWENTY)
    stopped = project.run("--budget", "200MB")
    base = stopped["segments"][0]["steps"][0]["began_bytes"]
    (project.folder / "runs" / "profile.json").unlink()
    budget = base + 10 * FRAME + FRAME // 2
    first = segment(project.run("--fresh", "--budget", str(budget)))
    assert {cut["why"] for cut in first["cuts"]} <= {"handed over", "over budget"}
    assert first["parts"] == len(first["cuts"]) + 1 > 1
    [plan] = predicted(project, budget)
    second = project.run("--fresh", "--budget", str(budget))
    assert len(plan) > 1
    check_foreseen(plan, second)
    assert second["peak_bytes"] <= budget
    assert project.load("total") == repr(float(sum(1_250_000 * n for n in range(1, 20))))
    assert project.strays() == []


@pytest.mark.exhaustive
def test_peaks_of_parts_that_never_ran_are_foreseen_within_a_tenth(
    gallery: tuple[Project, Run],
) -> None:
    project, run = gallery
    uncut = run(fresh=True)
    result = project.load("summary")
    known = (project.folder / "runs" / "profile.json").read_text()
    tried = budgets(uncut, 0.85, 0.65, 0.5, 0.35)
    for budget, plan in zip(tried, predicted(project, *tried), strict=True):
        project.write("runs/profile.json", known)
        assert len(plan) > 1
        check_foreseen(plan, run(fresh=True, budget=str(budget)))
    assert project.load("summary") == result


@pytest.mark.exhaustive
def test_what_cut_runs_measured_serves_to_foresee_other_cuts(gallery: tuple[Project, Run]) -> None:
    """Views and slices of a value are known as such when it was made elsewhere, and loaded."""
    project, run = gallery
    for budget in budgets(run(fresh=True), 0.5, 1.2, 0.7, 1.2):
        [plan] = predicted(project, budget)
        check_foreseen(plan, run(fresh=True, budget=str(budget)))
