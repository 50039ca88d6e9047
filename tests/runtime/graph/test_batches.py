"""Which steps make or take a table in batches, and which annotations of that are refused."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError

from ..builders import pipeline, problems, steps_of

IMPORTS = """
from collections.abc import Generator, Iterable, Iterator
from typing import NamedTuple
import pyarrow as pa
from flight_delays.checkpointing import Batches, Item
"""
FLIGHTS = "\n@step\ndef flights() -> pd.DataFrame: ...\n"
MANY = "\n@step\ndef flights() -> list[pd.DataFrame]: ...\n"


@pytest.mark.parametrize(
    ("annotation", "codec"),
    {
        "Iterator[pd.DataFrame]": "DataFrame",
        "Iterable[pd.DataFrame]": "DataFrame",
        "Generator[pd.DataFrame, None, None]": "DataFrame",
        "Iterator[pa.Table]": "Table",
        "Iterator[pa.RecordBatch]": "RecordBatch",
    }.items(),
)
@pytest.mark.parametrize("body", ["yield", "return"])
def test_a_step_that_gives_an_iterator_of_tables_streams(
    tmp_path: Path, annotation: str, codec: str, body: str
) -> None:
    source = f"{IMPORTS}\n@step\ndef made() -> {annotation}: {body} None\n"

    [made] = steps_of(tmp_path, source).values()

    assert (made.codec, made.streams, made.shape) == (codec, True, None)


@pytest.mark.parametrize(
    "annotation",
    [
        "pd.DataFrame",
        "Iterator[int]",
        "Iterator[tuple[str, pd.DataFrame]]",
        "Iterator[pd.Index]",
        "Generator[pd.DataFrame, None, int]",
        "list[pd.DataFrame]",
    ],
)
def test_a_generator_of_anything_but_tables_is_refused_with_what_to_write(
    tmp_path: Path, annotation: str
) -> None:
    source = f"{IMPORTS}\n@step\ndef made() -> {annotation}: yield None\n"

    with pytest.raises(ConfigurationError) as refused:
        steps_of(tmp_path, source)

    assert "made: a step that yields makes one table in batches. Annotate it `-> Iterator" in str(
        refused.value
    )


def test_a_generator_that_promises_none_is_refused_with_what_to_do(tmp_path: Path) -> None:
    source = f"{IMPORTS}\n@step\ndef made() -> Iterator[pd.DataFrame] | None: yield None\n"

    with pytest.raises(ConfigurationError, match=r"Take `\| None` out .* yield one empty frame"):
        steps_of(tmp_path, source)


def test_a_step_may_return_an_iterator_or_none(tmp_path: Path) -> None:
    source = f"{IMPORTS}\n@step\ndef made() -> Iterator[pd.DataFrame] | None: ...\n"

    made = steps_of(tmp_path, source)["made"]

    assert (made.codec, made.streams, made.is_optional) == ("DataFrame", True, True)


def test_batches_in_a_return_annotation_is_refused(tmp_path: Path) -> None:
    source = f"{IMPORTS}\n@step\ndef made() -> Annotated[Iterator[pd.DataFrame], Batches(rows=1)]: "

    with pytest.raises(ConfigurationError, match="take Batches out of the return annotation"):
        steps_of(tmp_path, source + "yield None\n")


@pytest.mark.parametrize("annotation", ["pa.RecordBatchReader", "pa.RecordBatchReader | None"])
def test_a_step_that_gives_a_lazy_type_streams(tmp_path: Path, annotation: str) -> None:
    source = f"{IMPORTS}\n@step\ndef made() -> {annotation}: ...\n"

    [made] = steps_of(tmp_path, source).values()

    assert (made.codec, made.streams) == ("RecordBatchReader", True)


@pytest.mark.parametrize(
    "annotation", ["Both", "list[pa.RecordBatchReader]", "tuple[int, pa.RecordBatchReader]"]
)
def test_a_lazy_type_is_no_item_of_several_values(tmp_path: Path, annotation: str) -> None:
    source = f"""{IMPORTS}
class Both(NamedTuple):
    late: pa.RecordBatchReader
    rows: int
@step
def made() -> {annotation}: ...
"""
    assert "`pyarrow.RecordBatchReader` is computed while it is written" in problems(
        tmp_path, source
    )


def test_an_iterator_as_a_field_is_refused_by_its_name(tmp_path: Path) -> None:
    source = f"""{IMPORTS}
class Both(NamedTuple):
    late: Iterator[pd.DataFrame]
    rows: int
@step
def made() -> Both: ...
"""
    assert "made: its field `late`: values of type `" in problems(tmp_path, source)


TAKEN = {
    "one table": (FLIGHTS, "flights: Iterator[pd.DataFrame]", "flights"),
    "one table of Arrow": (FLIGHTS, "flights: Iterable[pa.Table]", "flights"),
    "some of its columns": (
        FLIGHTS,
        "flights: Annotated[Iterator[pd.DataFrame], Columns('a'), Batches(rows=3)]",
        "flights",
    ),
    "a reader": (FLIGHTS, "flights: pa.RecordBatchReader", "flights"),
    "an item": (MANY, "x: Annotated[Iterator[pd.DataFrame], Item('flights', 0)]", "flights.0"),
    "a streamed table": (
        "\n@step\ndef flights() -> Iterator[pd.DataFrame]: yield None\n",
        "flights: Iterator[pd.DataFrame]",
        "flights",
    ),
}


@pytest.mark.parametrize("case", TAKEN)
def test_an_iterator_takes_one_table_in_batches(tmp_path: Path, case: str) -> None:
    first, parameter, taken = TAKEN[case]
    built = pipeline(tmp_path, f"{IMPORTS}{first}\n@step\ndef seen({parameter}) -> int: ...\n")

    [read] = built.steps[1].parameters

    assert (read.taken, read.in_batches, read.shape) == (taken, True, None)
    codecs = {"pa.Table": "Table", "Reader": "RecordBatchReader"}
    assert read.codec == next((c for t, c in codecs.items() if t in parameter), "DataFrame")
    assert read.rows == (3 if "rows" in parameter else None)
    assert pickle.loads(pickle.dumps(built.steps)) == built.steps


def test_an_iterator_takes_a_field_by_its_mere_name_in_batches(tmp_path: Path) -> None:
    source = f"""{IMPORTS}
class Split(NamedTuple):
    train: pd.DataFrame
    test: pd.DataFrame
@step
def split() -> Split: ...
@step
def seen(train: Iterator[pd.DataFrame]) -> int: ...
"""
    [read] = pipeline(tmp_path, source).steps[1].parameters

    assert (read.taken, read.in_batches) == ("split.train", True)


def test_an_iterator_takes_a_value_of_several_as_its_items(tmp_path: Path) -> None:
    taken = "\n@step\ndef seen(flights: Iterator[pd.DataFrame]) -> int: ...\n"

    [read] = pipeline(tmp_path, IMPORTS + MANY + taken).steps[1].parameters

    assert not read.in_batches
    assert read.shape is not None
    assert read.shape.is_lazy


@pytest.mark.parametrize("text", ["raw/a.parquet", "raw/a.csv.gz", "raw/*.csv", "raw"])
def test_an_iterator_takes_the_files_of_an_input_in_batches(tmp_path: Path, text: str) -> None:
    (tmp_path / "raw").mkdir()
    source = f"{IMPORTS}\n@step\ndef seen(raw: Iterator[pd.DataFrame]) -> int: ...\n"

    [read] = pipeline(tmp_path, source, wiring=f'[inputs]\nraw = "{text}"\n').steps[0].parameters

    assert (read.in_batches, read.codec, read.annotation) == (True, "DataFrame", None)


REFUSED = {
    "Batches of a whole table": (
        FLIGHTS,
        "flights: Annotated[pd.DataFrame, Batches(rows=9)]",
        "Batches applies to one table that a step takes in batches. Annotate it "
        "`Annotated[Iterator[pd.DataFrame], Batches(rows=9)]`, or take Batches out.",
    ),
    "Batches of a value of several": (
        MANY,
        "flights: Annotated[Iterator[pd.DataFrame], Batches(rows=9)]",
        "Batches applies to one table that a step takes in batches.",
    ),
    "a reader of a value of several": (
        MANY,
        "flights: pa.RecordBatchReader",
        "`flights` makes a list[pandas.DataFrame], which cannot be loaded as pyarrow.RecordBatchR",
    ),
    "an iterator of what is lazy": (
        FLIGHTS,
        "flights: Iterator[pa.RecordBatchReader]",
        "`flights` makes a pandas.DataFrame, which cannot be loaded as ",
    ),
    "batches of what is no table": (
        "\n@step\ndef flights() -> int: ...\n",
        "flights: Iterator[pd.DataFrame]",
        "`flights` makes a number, which cannot be loaded as ",
    ),
    "batches of what may be None": (
        "\n@step\ndef flights() -> pd.DataFrame | None: ...\n",
        "flights: Iterator[pd.DataFrame]",
        "`flights` makes a pandas.DataFrame or None. Annotate it `... | None`, and say what",
    ),
    "an unknown name": ("", "fligths: Iterator[pd.DataFrame]", "has that name"),
    "a param": ("", "n: Iterator[pd.DataFrame]", "is one of [params]; annotate it as what TOML"),
    "an input at a URL": (
        "",
        "far: Iterator[pd.DataFrame]",
        "'s3://b/a.csv' is a URL, which no step takes in batches. Annotate it `str`, and read it",
    ),
    "an input of another kind": (
        "",
        "sheet: Iterator[pd.DataFrame]",
        "'raw/a.xlsx' is no table that can be read in batches (.xlsx): that are files .parquet,",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_taken_in_batches_is_refused(tmp_path: Path, case: str) -> None:
    first, parameter, said = REFUSED[case]
    source = f"{IMPORTS}{first}\n@step\ndef seen({parameter}) -> int: ...\n"
    wiring = '[params]\nn = 3\n[inputs]\nfar = "s3://b/a.csv"\nsheet = "raw/a.xlsx"\n'

    assert said in problems(tmp_path, source, wiring=wiring)


def test_a_step_may_stream_a_table_for_each_item(tmp_path: Path) -> None:
    source = f"{IMPORTS}\n@step(each='n')\ndef seen(n: int) -> Iterator[pd.DataFrame]: yield None\n"

    [seen] = pipeline(tmp_path, source, wiring="[params]\nn = [1, 2]\n").steps

    assert seen.streams
    assert seen.shape is not None
    assert [kind.codec for kind in seen.shape.types] == ["DataFrame"]
