"""Values of many types through a cut: another process gets them as their steps made them."""

from __future__ import annotations

import json

import pytest

from ..conftest import Project, run_once

TYPES = """
import enum
from dataclasses import dataclass
from typing import NamedTuple
from pydantic import BaseModel

class Colour(enum.Enum):
    RED = "r"

@dataclass(frozen=True)
class Split:
    name: str
    months: tuple[int, ...]
    colour: Colour

class Best(NamedTuple):
    score: float
    split: Split

class Limits(BaseModel):
    least: dict[int, float]
"""
HEADER = """
    import uuid
    from datetime import time
    from decimal import Decimal
    import scipy.sparse
    from sklearn.tree import DecisionTreeClassifier
    from ..types import Best, Colour, Limits, Split

    SPLIT = Split("train", (1, 2), Colour.RED)
"""
VALUES = {
    "price": ("Decimal", 'Decimal("1.10")'),
    "moment": ("pd.Timestamp", 'pd.Timestamp("2013-10-27 02:30:00.000000001", tz="Asia/Tokyo")'),
    "span": ("pd.Timedelta", 'pd.Timedelta("1ns")'),
    "opens": ("time", "time(9, 30)"),
    "raw": ("bytes", 'b"\\x00\\xff"'),
    "mixed": ("tuple[int, set[str], frozenset[int]]", '(1, {"a"}, frozenset({2}))'),
    "by_number": ("dict[int, tuple[str, ...]]", '{1: ("a",), -1: ()}'),
    "bare": ("dict", '{"a": (1, 2), "b": [{3}]}'),
    "name": ("uuid.UUID", "uuid.UUID(int=7)"),
    "index": ("pd.MultiIndex", 'pd.MultiIndex.from_product([[1], ["a"]], names=["n", "t"])'),
    "split": ("Split", "SPLIT"),
    "best": ("Best", "Best(0.5, SPLIT)"),
    "limits": ("Limits", "Limits(least={1: 0.5})"),
    "counts": ("pd.DataFrame", 'pd.DataFrame({"n": pd.arrays.SparseArray([0, 0, 3])})'),
    "matrix": ("scipy.sparse.csr_array", "scipy.sparse.csr_array(np.eye(3))"),
    "tree": (
        "DecisionTreeClassifier",
        "DecisionTreeClassifier(random_state=0).fit(np.eye(3), [0, 1, 1])",
    ),
}
FIRST = HEADER + "".join(
    f"""
    @step
    def {name}() -> {kind}:
        return {value}
    """
    for name, (kind, value) in VALUES.items()
)
TAKEN = ", ".join(f"{name}: {kind}" for name, (kind, _) in VALUES.items())
SHOWN = ", ".join(f'"{name}": repr({name})' for name in VALUES)
SECOND = f"""{HEADER}
    @step
    def shown({TAKEN}) -> dict[str, str]:
        assert tree.predict(np.eye(3)).tolist() == [0, 1, 1]
        assert str(counts["n"].dtype) == "Sparse[int64, 0]"
        return {{{SHOWN}}}
"""


@pytest.fixture(scope="module")
def original(shared_project: Project) -> Project:
    """A project that was run once: each value went through a file to another process."""
    shared_project.write("src/demo/types.py", TYPES)
    shared_project.write("memory_budget.toml", BUDGET)
    return run_once(shared_project, {"s01": FIRST, "s02": SECOND}, "")


BUDGET = """
[cluster]
ram = "100 GB"
quota = "50 %"

[segment]
max_steps = 30
"""


def test_each_value_arrives_as_it_was_made(original: Project) -> None:
    shown = ", ".join(f'"{name}": repr({value})' for name, (_, value) in VALUES.items())
    code = f"""
    import json
    import numpy as np, pandas as pd
    {HEADER.replace("..types", "demo.types").strip()}
    print(json.dumps({{{shown}}}))
    """
    made = json.loads(original.python(code))
    assert json.loads(original.python(LOAD)) == made


LOAD = """
import json
from demo.pipeline import PIPELINE
print(json.dumps(PIPELINE.load("shown")))
"""


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        pytest.param("index", "MultiIndex([(1, 'a')]", marks=pytest.mark.slow),
        pytest.param(
            "tree", "DecisionTreeClassifier(random_state=0)", marks=pytest.mark.exhaustive
        ),
    ],
)
def test_a_person_sees_each_value_as_it_is(original: Project, value: str, printed: str) -> None:
    done = original.command("show", value)
    assert done.returncode == 0, done.stderr
    assert printed in done.stdout
    assert original.load(value).startswith(printed)


def test_a_person_sees_the_items_of_a_value_of_several(original: Project) -> None:
    assert original.command("show", "split").stdout.splitlines()[1:4] == [
        "  split.name: str, 'train'",
        "  split.months: tuple, (1, 2)",
        "  split.colour: Colour, <Colour.RED: 'r'>",
    ]


@pytest.mark.slow
def test_an_edited_class_runs_its_steps_again(original: Project) -> None:
    assert original.statuses() == {"s01": "reused", "s02": "reused"}
    original.write("src/demo/types.py", TYPES.replace("name: str", "title: str"))
    assert original.statuses() == {"s01": "ran", "s02": "ran"}
