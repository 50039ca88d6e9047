"""Steps that return several values: each item is stored, loaded, published and reused by itself."""

from __future__ import annotations

import json

import pytest

from ..conftest import Project, run_once
from .cutting import BUDGET, choose_cuts, contents, cuts_of

MAKE = """
from typing import NamedTuple
from dataclasses import dataclass
from collections.abc import Iterator
from ..checkpointing import Item

class Split(NamedTuple):
    train: pd.DataFrame
    test: pd.DataFrame
    rows: int

@dataclass(frozen=True, slots=True)
class Fit:
    weights: np.ndarray
    note: str
    extra: pd.DataFrame | None

@step
def split(count: int) -> Split:
    ran("split")
    frame = pd.DataFrame({"x": np.arange(float(count)), "y": 1.0})
    return Split(frame[::2], frame[1::2], count)

@step
def tables(count: int) -> dict[str, pd.DataFrame]:
    ran("tables")
    return {key: pd.DataFrame({"n": [number] * count}) for number, key in enumerate(["a/b", "A/B"])}

@step
def folds(split: Split) -> list[pd.DataFrame]:
    ran("folds")
    return [split.train, split.test, split.train[:0]]

@step
def fit(train: Annotated[pd.DataFrame, Columns("x")]) -> Fit:
    ran("fit")
    return Fit(train["x"].to_numpy(), ",".join(train.columns), None)

@step
def files(workdir: Path) -> list[Path]:
    ran("files")
    paths = [workdir / f"{name}.txt" for name in "ba"]
    for path in paths:
        path.write_text(path.stem)
    return paths
"""
READ = """
from collections.abc import Iterator
from .s01 import Fit, Split
from ..checkpointing import Item

@step
def whole(split: Split, fit: Fit) -> dict[str, list]:
    ran("whole")
    return {
        "split": [type(split).__name__, len(split.train), len(split.test), split.rows],
        "fit": [type(fit).__name__, fit.weights.sum().item(), fit.note, fit.extra],
    }

@step
def single(test: pd.DataFrame, rows: int, weights: np.ndarray) -> list[int]:
    ran("single")
    return [len(test), rows, weights.size]

@step
def by_key(
    left: Annotated[pd.DataFrame, Item("tables", "a/b")],
    right: Annotated[pd.DataFrame, Item("tables", "A/B")],
    third: Annotated[pd.DataFrame, Item("folds", 2)],
    extra: pd.DataFrame | None,
) -> list[int | None]:
    ran("by_key")
    return [int(left["n"].sum()), int(right["n"].sum()), len(third), extra]

@step
def every(
    tables: dict[str, pd.DataFrame], folds: Iterator[pd.DataFrame], files: list[Path]
) -> list:
    ran("every")
    return [list(tables), [len(fold) for fold in folds], [path.read_text() for path in files]]
"""
WIRING = """
[params]
count = 10

[outputs]
split.test = "data/out/test.parquet"
"tables.a/b" = "data/out/left.parquet"
"""
VALUES = {
    "whole": {"split": ["Split", 5, 5, 10], "fit": ["Fit", 20.0, "x", None]},
    "single": [5, 10, 5],
    "by_key": [0, 10, 0, None],
    "every": [["a/b", "A/B"], [5, 5, 0], ["b", "a"]],
}


@pytest.fixture(scope="module")
def original(shared_project: Project) -> Project:
    return run_once(shared_project, {"s01": MAKE, "s02": READ}, WIRING)


def test_a_later_step_takes_the_whole_or_an_item_by_name_or_by_key(original: Project) -> None:
    manifest = original.manifests()["s02"]
    folder = original.checkpoints() / "s02" / manifest["key"]
    made = {name: record["file"] for name, record in manifest["outputs"].items()}
    assert {name: json.loads((folder / file).read_text()) for name, file in made.items()} == VALUES


def test_each_item_is_a_value_of_its_own_on_disk(original: Project) -> None:
    manifest = original.manifests()["s01"]
    kept = [name for name in manifest["values"] if name.partition(".")[0] == "split"]
    assert kept == ["split", "split.train", "split.test", "split.rows"]
    assert original.strays() == []


def test_an_item_is_published(original: Project) -> None:
    code = """
    import pandas as pd
    print([len(pd.read_parquet(f"data/out/{name}.parquet")) for name in ("test", "left")])
    """
    assert original.python(code).strip() == "[5, 10]"


def test_a_notebook_loads_the_whole_or_an_item(original: Project) -> None:
    code = """
    from demo.pipeline import PIPELINE
    whole = PIPELINE.load("split")
    print(type(whole).__name__, len(whole.train), PIPELINE.load("split.rows"))
    print(list(PIPELINE.load("tables")), len(PIPELINE.load("folds")), PIPELINE.load("fit").extra)
    """
    assert original.python(code).splitlines() == ["Split 5 10", "['a/b', 'A/B'] 3 None"]


def test_show_lists_the_items_and_prints_one(original: Project) -> None:
    shown = original.command("show", "split").stdout.splitlines()
    assert shown == [
        "split: Split of 3",
        "  split.train: DataFrame, 5 × 2",
        "  split.test: DataFrame, 5 × 2",
        "  split.rows: int, 10",
        "`show split.train` prints one of them.",
    ]
    assert "split.test: DataFrame, 5 × 2" in original.command("show", "split.test").stdout
    missing = original.command("show", "split.tset")
    assert missing.returncode == 2
    assert "did you mean `split.test`?" in missing.stderr


def test_cuts_change_no_item(done: Project) -> None:
    """Each step that reads an item runs in another process than the one that makes it."""
    before = contents(done)
    steps = {
        "s01": ["split", "tables", "folds", "fit", "files"],
        "s02": ["whole", "single", "by_key", "every"],
    }
    choose_cuts(done, steps, {"tables", "fit", "single", "every"})
    record = done.run("--fresh", "--budget", BUDGET)
    assert cuts_of(record) == {"tables", "fit", "single", "every"}
    assert {k: v for k, v in contents(done).items() if "files" not in k} == {
        k: v for k, v in before.items() if "files" not in k
    }
    assert done.strays() == []


ITEMS = """
from typing import NamedTuple

class Split(NamedTuple):
    train: pd.DataFrame
    test: pd.DataFrame
    unread: int

@step
def split() -> Split:
    ran("split")
    return Split(pd.DataFrame({"x": [1]}), pd.DataFrame({"x": [2]}), 3)
"""
READERS = {
    "s02": """
    @step
    def first(train: pd.DataFrame) -> int:
        ran("first")
        return int(train["x"].sum())
    """,
    "s03": """
    @step
    def second(test: pd.DataFrame) -> int:
        ran("second")
        return int(test["x"].sum())
    """,
}


def test_a_reader_of_one_item_is_reused_while_that_item_is_the_same(project: Project) -> None:
    project.segments(s01=ITEMS, **READERS)
    assert project.run()["exit_code"] == 0
    made = project.manifests()["s01"]
    assert (list(made["values"]), list(made["outputs"])) == (
        ["split.train", "split.test"],
        ["split.unread"],
    )
    project.segments(s01=ITEMS.replace("[2]", "[20]"), **READERS)
    assert project.statuses() == {"s01": "ran", "s02": "reused", "s03": "ran"}
    assert project.load("second") == "20"


def test_compare_finds_the_same_items(done: Project) -> None:
    shown = done.command("compare", "--json")
    assert shown.returncode == 0, shown.stderr
    same = json.loads(shown.stdout)["same_results"]
    assert same["split.test"]
    assert all(same.values())


def test_a_missing_item_is_refused_when_its_value_is_made(done: Project) -> None:
    done.segments(s01=MAKE.replace('"A/B"', '"a/c"'), s02=READ)
    record = done.run()
    assert record["exit_code"] == 5
    assert "`tables` has no item `A/B`" in record["error"]["message"]
    assert "`a/b`, `a/c`" in record["error"]["message"]
