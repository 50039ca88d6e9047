"""Annotations that declare several values, and what takes them: allowed, or refused with a line."""

from __future__ import annotations

from pathlib import Path

import pytest
from flight_delays.checkpointing.codecs.several import ItemType, Shape

from ..builders import pipeline, problems, steps_of

FRAME = ItemType("DataFrame", "pandas.DataFrame")
PLAIN = ItemType("json", "int", kinds=(("a number",),))
HEADER = """
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from flight_delays.checkpointing import Item

class Split(NamedTuple):
    train: pd.DataFrame
    test: pd.DataFrame

@dataclass
class Fit:
    table: pd.DataFrame
    rows: int

class Model:
    pass

class Trained(NamedTuple):
    table: pd.DataFrame
    model: Model

"""
SHAPES = {
    "Split": Shape("fields", "Split", ("train", "test"), (FRAME, FRAME)),
    "Fit": Shape("fields", "Fit", ("table", "rows"), (FRAME, PLAIN)),
    "tuple[pd.DataFrame, int]": Shape(
        "tuple", "tuple[pandas.DataFrame, int]", ("0", "1"), (FRAME, PLAIN)
    ),
    "list[pd.DataFrame]": Shape("list", "list[pandas.DataFrame]", (), (FRAME,)),
    "dict[str, pd.DataFrame]": Shape("dict", "dict[str, pandas.DataFrame]", (), (FRAME,)),
}


@pytest.mark.parametrize("annotation", SHAPES)
def test_an_annotation_says_how_a_value_is_made_of_several(tmp_path: Path, annotation: str) -> None:
    made = steps_of(tmp_path, f"{HEADER}@step\ndef one() -> {annotation}: ...\n")["one"]
    assert made.shape == SHAPES[annotation]


@pytest.mark.parametrize("annotation", ["list[int]", "dict[str, list[str]]", "dict", "list"])
def test_plain_values_stay_one_value(tmp_path: Path, annotation: str) -> None:
    made = steps_of(tmp_path, f"{HEADER}@step\ndef one() -> {annotation}: ...\n")["one"]
    assert made.shape is None
    assert made.codec == "json"


def test_an_item_that_cannot_be_kept_is_named(tmp_path: Path) -> None:
    text = problems(tmp_path, f"{HEADER}@step\ndef one() -> Trained: ...\n")
    assert "its field `model`: values of type" in text


MAKERS = (
    HEADER
    + """
@step
def split() -> Split: ...
@step
def again() -> Split: ...
@step
def fit() -> Fit: ...
@step
def tables() -> dict[str, pd.DataFrame]: ...
@step
def maybe() -> pd.DataFrame | None: ...
@step
def single() -> pd.DataFrame: ...
@step
def numbered() -> list[pd.DataFrame]: ...
@step(each="numbered")
def every(numbered: Annotated[pd.DataFrame, Columns("x")]) -> pd.DataFrame: ...
"""
)
TAKEN = {
    "split: Split": "split",
    "rows: int": "fit.rows",
    'x: Annotated[pd.DataFrame, Item("split", "test")]': "split.test",
    'x: Annotated[pd.DataFrame, Item("tables", "a b"), Columns("x")]': "tables.a b",
    "tables: Iterator[tuple[str, pd.DataFrame]]": "tables",
    "tables: dict[str, pd.Series]": "tables",
    "maybe: pd.DataFrame | None": "maybe",
}


@pytest.mark.parametrize("parameter", TAKEN)
def test_a_parameter_takes_a_value_or_an_item(tmp_path: Path, parameter: str) -> None:
    built = pipeline(tmp_path, f"{MAKERS}@step\ndef last({parameter}) -> int: ...\n")
    [taken] = built.values_of(built.steps[-1])
    assert taken.taken == TAKEN[parameter]


REFUSED = {
    "train: pd.DataFrame": (
        "is an item of `split` and of `again`. Say of which: `Annotated[..., "
        'Item("again", "train")]`.'
    ),
    "split: pd.DataFrame": (
        "`split` makes a Split of train, test, which cannot be loaded as "
        "pandas.DataFrame. Annotate it as that type, or take one of its items by its "
        "name, such as `train`."
    ),
    "tables: list[pd.DataFrame]": (
        "`tables` makes a dict[str, pandas.DataFrame], which cannot be loaded as"
    ),
    'x: Annotated[int, Item("split", "test")]': (
        "`split` holds as `test` a pandas.DataFrame, which cannot be loaded as int."
    ),
    'x: Annotated[pd.DataFrame, Item("split", "tset")]': (
        "`split` has no item `tset`; did you mean `test`?"
    ),
    'x: Annotated[pd.DataFrame, Item("splt", "test")]': (
        "no earlier step is named `splt`; did you mean `split`?"
    ),
    'x: Annotated[pd.DataFrame, Item("single", 0)]': (
        "`single` makes one value, which has no items."
    ),
    "maybe: pd.DataFrame": (
        "`maybe` makes a pandas.DataFrame or None. Annotate it `... | None`, and say "
        "what the step does then."
    ),
    **{
        f"{parameter}, Columns('x')]": (
            f"Columns chooses of one table, and `{value}` makes a {made}. Take one item, "
            f'`Annotated[..., Item("{value}", ...), Columns(...)]`, or drop Columns.'
        )
        for parameter, value, made in (
            ("split: Annotated[Split", "split", "Split"),
            ("tables: Annotated[dict[str, pd.DataFrame]", "tables", "dict[str, pandas.DataFrame]"),
            (
                "tables: Annotated[Iterator[tuple[str, pd.DataFrame]]",
                "tables",
                "dict[str, pandas.DataFrame]",
            ),
            ("numbered: Annotated[list[pd.DataFrame]", "numbered", "list[pandas.DataFrame]"),
            ("numbered: Annotated[Iterator[pd.DataFrame]", "numbered", "list[pandas.DataFrame]"),
            (
                "every: Annotated[dict[str, pd.DataFrame]",
                "every",
                "pandas.DataFrame for each of numbered",
            ),
        )
    },
    "rowz: int": (
        "no earlier step, and no entry of [inputs], [params] or [env] in pipeline.toml, has that "
        "name; did you mean `rows`?"
    ),
    "maximum: int | None": (
        "is not in pipeline.toml, where no step takes all; did you mean `maximun`?"
    ),
}


@pytest.mark.parametrize("parameter", REFUSED)
def test_what_cannot_be_taken_is_refused(tmp_path: Path, parameter: str) -> None:
    source = f"{MAKERS}@step\ndef last({parameter}) -> int: ...\n"
    wiring = "[params]\nmaximun = 1\n" if parameter.startswith("maximum") else ""
    assert REFUSED[parameter] in problems(tmp_path, source, wiring=wiring)


def test_a_name_that_is_an_item_and_a_param_is_refused(tmp_path: Path) -> None:
    source = f"{MAKERS}@step\ndef last(rows: int) -> int: ...\n"
    text = problems(tmp_path, source, wiring="[params]\nrows = 1\n")
    assert "is an item of `fit` and one of [params]" in text


PUBLISHED = {
    'split = "out/split.parquet"': (
        'is made of several values. Publish each by its name: `"split.train" = ...`'
    ),
    'split.nothing = "out/x.parquet"': "`split` has no item `nothing`",
    'split.train = "out/x.md"': "is published as one of .parquet, .csv",
    'maybe = "out/x.parquet"': "may be None, and then there is nothing to publish.",
}


@pytest.mark.parametrize("line", PUBLISHED)
def test_what_cannot_be_published_is_refused(tmp_path: Path, line: str) -> None:
    text = problems(tmp_path, MAKERS, wiring=f"[outputs]\n{line}\n")
    assert PUBLISHED[line] in text


def test_items_have_lifetimes_of_their_own(tmp_path: Path) -> None:
    last = "@step\ndef last(test: pd.DataFrame) -> int: ...\n"
    one = "@step\ndef one(train: pd.DataFrame) -> int: ...\n"
    first = f"{HEADER}@step\ndef split() -> Split: ...\n{one}"
    built = pipeline(tmp_path, first, last)
    assert built.kept(range(2)) == ("split.test",)
    assert built.outputs(range(1)) == ()
    assert built.loaded(range(2, 3)) == ("split.test",)
    assert built.loaded(range(1, 2)) == ("split.train",)


def test_an_optional_param_and_input_may_be_left_out(tmp_path: Path) -> None:
    source = "@step\ndef one(most: int | None, extra: list[Path] | None) -> int: ...\n"
    built = pipeline(tmp_path, source, wiring='[inputs]\nextra = "data/*.csv"\n')
    assert [p.name for p in built.steps[0].parameters] == ["most", "extra"]
