"""A value is what its checkpoint would give back: cuts between steps change nothing at all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ..conftest import Project

# Part of the project under test: all there is to know of a value, as text.
PORTRAIT = '''
import numpy as np
import pandas as pd
from pathlib import Path


def portrait(value):
    """Types, dtypes, labels, flags and every element to the last bit."""
    if isinstance(value, pd.DataFrame):
        columns = [portrait(value.iloc[:, n]) for n in range(value.shape[1])]
        return ["frame", index(value.index), index(value.columns), columns, repr(value.attrs)]
    if isinstance(value, pd.Series):
        return ["series", repr(value.name), dtype(value.dtype), items(value), index(value.index)]
    if isinstance(value, np.ndarray):
        flags = [value.flags.c_contiguous, value.flags.f_contiguous, value.flags.writeable]
        return ["array", str(value.dtype), value.shape, flags, value.tobytes().hex()]
    if isinstance(value, Path):
        return ["path", value.name, value.read_text()]
    return [type(value).__name__, repr(value)]


def index(value):
    kind = [type(value).__name__, str(value.dtype), repr(value.names), repr(items(value))]
    return [*kind, repr(getattr(value, "freq", None))]


def dtype(value):
    if isinstance(value, pd.CategoricalDtype):
        return ["category", value.ordered, index(value.categories)]
    return repr(value)


def items(values):
    return [exact(item) for item in values]


def exact(item):
    return item.hex() if isinstance(item, float) else f"{type(item).__name__} {item!r}"
'''

# Steps that look at what they receive, change it, hand views on and share values.
STEPS = """
from ..checkpointing import step
from ..portraits import portrait

seen = {}

def look(step, **values):
    '''Note what a step receives, before it does anything to it.'''
    import json
    with open("seen.txt", "a") as file:
        for name, value in values.items():
            file.write(json.dumps([step, name, portrait(value)]) + "\\n")

def attempt(change):
    '''Change a value in place; arrays refuse it.'''
    try:
        change()
    except ValueError:
        pass

@step
def frame(start: int) -> pd.DataFrame:
    moments = pd.date_range("2026-03-28", periods=6, freq="6h", tz="Europe/Madrid", name="due")
    made = pd.DataFrame(
        {
            "whole": np.arange(start, start + 6, dtype="int32"),
            "real": [0.1, -0.0, float("nan"), float("inf"), 1e-320, 2**53 + 1.0],
            "nullable": pd.array([2**53 + 1, None, 3, 4, 5, 6], "Int64"),
            "kind": pd.Categorical(list("abcabc"), list("dcba"), ordered=True),
            "text": ["x", None, "", "é", "z", "x"],
            "flag": [True, False] * 3,
            "when": pd.to_datetime(["2026-01-01", None] * 3),
            "object": pd.Series([True, None, False, True, None, True], dtype=object).to_numpy(),
        },
        index=moments,
    )
    made.attrs["source"] = "made up"
    return made

@step
def view(frame: pd.DataFrame) -> pd.DataFrame:
    look("view", frame=frame)
    return frame.iloc[::2][["real", "kind"]]

@step
def vandal(frame: pd.DataFrame, view: pd.DataFrame) -> pd.Series:
    look("vandal", frame=frame, view=view)
    frame.loc[frame.index[0], "real"] = 99.0
    frame["whole"] = 0
    frame.columns = [name.upper() for name in frame.columns]
    view.iloc[:, 0] = -1.0
    view.index.name = "changed"
    frame.attrs["source"] = "vandalised"
    return frame["REAL"]

@step
def array(frame: pd.DataFrame) -> np.ndarray:
    look("array", frame=frame)
    return np.asfortranarray(np.outer(frame["whole"], [0.1, 0.2, 0.3]))

@step
def facts(array: np.ndarray, vandal: pd.Series) -> dict[str, list[float]]:
    look("facts", array=array, vandal=vandal)
    attempt(lambda: array.fill(0))
    vandal.iloc[:] = 0.0
    return {"sums": array.sum(axis=0).tolist(), "odd": [float("nan"), -0.0]}

@step
def page(facts: dict[str, list[float]], frame: pd.DataFrame, workdir: Path) -> Path:
    look("page", facts=facts, frame=frame)
    facts["sums"].clear()
    target = workdir / "page.txt"
    target.write_text(frame.to_string())
    return target

@step
def last(
    frame: Annotated[pd.DataFrame, Columns("kind", "real")],
    vandal: pd.Series,
    array: np.ndarray,
    facts: dict[str, list[float]],
    page: Path,
) -> pd.DataFrame:
    look("last", frame=frame, vandal=vandal, array=array, facts=facts, page=page)
    return frame.assign(vandal=vandal, sums=sum(facts["sums"]), first=array[:, 0])
"""

GROUPINGS = """
import itertools, json
from pathlib import Path
from demo.checkpointing import Pipeline, Segment
from demo.segments import steps as made

STEPS = [made.frame, made.view, made.vandal, made.array, made.facts, made.page, made.last]

every_grouping = list(itertools.product([False, True], repeat=len(STEPS) - 1))
for number, cuts in enumerate(every_grouping[::NTH]):
    starts = [0, *(n + 1 for n, cut in enumerate(cuts) if cut)]
    stops = [*starts[1:], len(STEPS)]
    segments = [Segment(f"s{a}", STEPS[a:b]) for a, b in zip(starts, stops)]
    Pipeline(*segments, name=f"grouping-{number}").run()
    seen, published = Path("seen.txt"), Path("data/last.parquet")
    print(json.dumps([len(segments), seen.read_text(), published.read_bytes().hex()]))
    seen.unlink()
    published.unlink()
"""


@pytest.mark.parametrize("nth", [21, pytest.param(1, marks=pytest.mark.exhaustive)])
def test_steps_receive_and_make_the_same_however_they_are_cut_into_segments(
    project: Project, nth: int
) -> None:
    project.write("src/demo/portraits.py", PORTRAIT)
    project.write("pipeline.toml", '[params]\nstart = 1\n[outputs]\nlast = "data/last.parquet"\n')
    project.segments(steps=STEPS)
    runs = [
        json.loads(line) for line in project.python(GROUPINGS.replace("NTH", str(nth))).splitlines()
    ]
    assert len(runs) == (2**6 - 1) // nth + 1
    assert {1, 4, 7} <= {count for count, *_ in runs} <= set(range(1, 8))
    _, whole, published = runs[0]
    for _, seen, other in runs[1:]:
        assert sorted(seen.splitlines()) == sorted(whole.splitlines()), "some run side by side"
        assert other == published


def received(project: Project, step: str, value: str) -> list[Any]:
    """The portrait of what a step of the pipeline above received."""
    lines = [json.loads(line) for line in (project.folder / "seen.txt").read_text().splitlines()]
    [portrait] = [line[2] for line in lines if line[:2] == [step, value]]
    return list(portrait)


def test_a_step_that_changes_what_it_received_changes_it_for_nobody_else(project: Project) -> None:
    project.write("src/demo/portraits.py", PORTRAIT)
    project.write("pipeline.toml", "[params]\nstart = 1\n")
    project.segments(steps=STEPS)
    project.run()
    assert received(project, "page", "frame") == received(project, "view", "frame")
    assert received(project, "last", "array") == received(project, "facts", "array")
    assert received(project, "last", "facts") == received(project, "page", "facts")
    assert received(project, "last", "vandal") == received(project, "facts", "vandal")


def test_what_makes_a_value_exact_arrives(project: Project) -> None:
    project.write("src/demo/portraits.py", PORTRAIT)
    project.write("pipeline.toml", "[params]\nstart = 1\n")
    project.segments(steps=STEPS)
    project.run()
    kind, index, _, columns, attrs = received(project, "view", "frame")
    assert kind == "frame"
    assert index[0] == "DatetimeIndex"
    assert index[1] == "datetime64[us, Europe/Madrid]"
    assert index[4] == "<6 * Hours>"
    assert columns[3][2][:2] == ["category", True]
    assert "'d'" in columns[3][2][2][3]  # a category that no row has
    assert attrs == "{'source': 'made up'}"


RANDOM = """
import random

@step
def shaken(start: int) -> list[float]:
    return [random.random(), float(np.random.rand())]

@step
def stirred(shaken: list[float]) -> list[float]:
    {draws}
    return [random.random(), float(np.random.rand())]
"""


def draws(project: Project) -> dict[str, str]:
    """The numbers that the two steps drew."""
    return {name: project.load(name) for name in ("shaken", "stirred")}


@pytest.mark.slow
def test_random_numbers_are_the_same_in_every_run_of_a_segment(project: Project) -> None:
    project.write("pipeline.toml", '[params]\nstart = 1\n[outputs]\nshaken = "data/shaken.json"\n')
    project.segments(s01=RANDOM.replace("{draws}", "pass"))
    project.run()
    first = draws(project)
    project.run("--fresh")
    assert draws(project) == first
    assert first["shaken"] != first["stirred"]


@pytest.mark.slow
def test_random_numbers_do_not_depend_on_what_ran_before_in_the_process(project: Project) -> None:
    """The seed is of the segment's key and the step's name: what else ran has no part in it."""
    project.write("pipeline.toml", '[params]\nstart = 1\n[outputs]\nshaken = "data/shaken.json"\n')
    project.segments(s01="@step\ndef one() -> int: return 1", s02=RANDOM.replace("{draws}", "pass"))
    project.run()
    first = draws(project)
    project.run("--rerun-from", "s02")
    assert draws(project) == first
    project.run("--set", "start=2")
    assert draws(project) != first


@pytest.mark.parametrize("cut", [False, True])
def test_a_path_that_another_step_made_cannot_be_handed_on_as_ones_own(
    project: Project, cut: bool
) -> None:
    made = """
    @step
    def made(workdir: Path) -> Path:
        (workdir / "page.txt").touch()
        return workdir
    """
    handed = """
    @step
    def handed(made: Path) -> Path:
        return made / "page.txt"
    """
    sources = {"s01": made, "s02": handed} if cut else {"s01": made + handed}
    project.segments(**sources)
    error = project.run()["error"]
    assert error["kind"] == "inexact_value"
    assert error["step"] == "handed"
    assert "does not lie in its workdir" in error["message"]


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize(
    "returned",
    [
        "pd.DataFrame({'x': [1, 'one']})",
        "pd.DataFrame({'x': [{1, 2}]})",
        "{'x': range(2)}",
        "{range(2): 2}",
    ],
)
def test_what_would_not_come_back_is_refused_cut_or_not(
    project: Project, cut: bool, returned: str
) -> None:
    kind = "pd.DataFrame" if returned.startswith("pd") else "dict[str, list[int]]"
    made = f"@step\ndef made() -> {kind}:\n    return {returned}\n"
    taken = f"@step\ndef taken(made: {kind}) -> int:\n    return len(made)\n"
    project.segments(**({"s01": made, "s02": taken} if cut else {"s01": made + taken}))
    error = project.run()["error"]
    assert (error["kind"], error["step"]) == ("inexact_value", "made")


FREED = """
def held() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    kinds = ("RssAnon", "RssShmem")
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith(kinds))
"""


def test_a_value_handed_over_at_its_last_use_can_be_freed_by_the_step(project: Project) -> None:
    project.segments(
        s01=FREED
        + """
@step
def wide() -> pd.DataFrame:
    return pd.DataFrame(np.ones((2_000_000, 12)))

@step
def array() -> np.ndarray:
    return np.ones(25_000_000)

@step
def used_again() -> np.ndarray:
    return np.ones(25_000_000)

@step
def freed(wide: pd.DataFrame, array: np.ndarray, used_again: np.ndarray) -> list[int]:
    figures = [held()]
    del wide
    figures.append(held())
    del array
    figures.append(held())
    del used_again
    return [*figures, held()]

@step
def rebound(used_again: np.ndarray) -> list[int]:
    before = held()
    used_again = used_again[:10].copy()
    return [before, held()]
"""
    )
    project.run()
    freed: list[int] = json.loads(project.load("freed"))
    rebound: list[int] = json.loads(project.load("rebound"))
    assert freed[0] - freed[1] > 180_000_000  # of 192 MB
    assert freed[1] - freed[2] > 190_000_000  # of 200 MB
    assert abs(freed[2] - freed[3]) < 5_000_000  # a later step still needs it
    assert rebound[0] - rebound[1] > 190_000_000


def test_a_mapped_checkpoint_holds_no_memory_until_a_step_changes_it(project: Project) -> None:
    project.segments(
        s01="""
        @step
        def wide() -> pd.DataFrame:
            names = pd.Series(["carrier", "other", None, "one"] * 500_000)
            table = pd.DataFrame(np.ones((2_000_000, 12))).rename(columns=str)
            return table.assign(name=names, when=pd.Timestamp("2026-01-01"))
        """,
        s02=FREED
        + """
@step
def figures(wide: pd.DataFrame) -> list[int]:
    loaded = held()
    wide["0"].sum()
    wide["name"].str.len().sum()
    read = held()
    wide.loc[5, "1"] = 0.0
    return [loaded, read, held()]
""",
    )
    project.run()
    loaded, _, written = json.loads(project.load("figures"))
    baseline = project.run("--fresh")["segments"][0]["steps"][0]["peak_bytes"]
    assert loaded < baseline
    assert written - loaded < 100_000_000  # of 220 MB, one column is copied
