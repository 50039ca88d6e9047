"""`@step(each=...)`: where the items come from, what takes their values, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..builders import pipeline, problems, write

HEADER = """
from typing import NamedTuple
from flight_delays.checkpointing import Item

class Pair(NamedTuple):
    left: pd.DataFrame
    right: pd.DataFrame

@step
def tables() -> dict[str, pd.DataFrame]: ...
@step
def folds() -> list[pd.DataFrame]: ...
@step
def names() -> list[str]: ...
@step
def pair() -> Pair: ...
@step
def single() -> pd.DataFrame: ...
"""
WIRING = """
[inputs]
files = "data/*.csv"
address = "https://example.com/x.csv"
[params]
months = ["a", "b"]
rate = 0.5
"""
ALLOWED = {
    "months": "months: str",
    "files": "files: Path",
    "tables": "tables: pd.DataFrame",
    "folds": "folds: pd.DataFrame",
    "names": "names: str",
}
TAKEN = (
    "one: dict[str, pd.DataFrame]",
    "one: list[pd.DataFrame]",
    'x: Annotated[pd.DataFrame, Item("one", "any name")]',
)


@pytest.mark.parametrize("each", ALLOWED)
def test_a_step_runs_for_each_item_of_a_param_an_input_or_a_value(
    tmp_path: Path, each: str
) -> None:
    write(tmp_path / "data/x.csv", "1")
    makes = f'@step(each="{each}")\ndef one({ALLOWED[each]}) -> pd.DataFrame: ...\n'
    for number, parameter in enumerate(TAKEN):
        takes = f"@step\ndef last({parameter}) -> int: ...\n"
        built = pipeline(tmp_path / str(number), HEADER + makes + takes, wiring=WIRING)
        [made] = [step for step in built.steps if step.name == "one"]
        assert made.each == each
        assert made.shape is not None
        assert made.shape.kind == "each"


REFUSED = {
    ("month", "months: str", "int"): "`each` names `month`, which is no parameter of the step; did",
    ("rate", "rate: float", "int"): "is one of [params], but no list, so it has no items.",
    ("address", "address: str", "int"): "the items are the files of a folder or glob; annotate it",
    ("files", "files: list[Path]", "int"): "the items are the files of a folder or glob; annotate",
    ("pair", "pair: pd.DataFrame", "int"): "`pair` has fields, not items of one type.",
    (
        "single",
        "single: pd.DataFrame",
        "int",
    ): "`single` makes no list or dict, so it has no items.",
    ("tables", "tables: int", "int"): "an item of `tables` is a pandas.DataFrame, which cannot be",
    (
        "months",
        'months: Annotated[str, Columns("a")]',
        "int",
    ): "parameter `months`: Columns applies to an earlier step's table only.",
    (
        "names",
        'names: Annotated[str, Columns("a")]',
        "int",
    ): "parameter `names`: Columns applies to tables only.",
    ("months", "months: str", "Pair"): "it runs for each of `months`, so it may return one value",
    ("months", "months: str", "list[pd.DataFrame]"): "so it may return one value, not several.",
    (
        "left",
        "left: pd.DataFrame",
        "int",
    ): "a step runs for each item of a whole, not of one of its",
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_items_is_refused(tmp_path: Path, case: tuple[str, str, str]) -> None:
    each, parameter, returned = case
    source = f'@step(each="{each}")\ndef one({parameter}) -> {returned}: ...\n'
    assert REFUSED[case] in problems(tmp_path, HEADER + source, wiring=WIRING)


def test_a_step_with_items_is_a_part_of_its_own_and_its_items_stay(tmp_path: Path) -> None:
    makes = '@step(each="months")\ndef one(months: str) -> int: ...\n'
    reads = "@step\ndef last(one: dict[str, int]) -> int: ...\n"
    built = pipeline(tmp_path, makes + reads, wiring=WIRING)
    assert built.kept(range(2)) == ("one",)
    assert built.last_takes(built.segments[0]) == {"one": 2, "last": 1}
    assert [step.is_alone for step in built.steps] == [True, False]
