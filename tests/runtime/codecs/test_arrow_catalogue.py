"""A column of any Arrow type comes back exactly, or is refused by its name, in both formats."""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from flight_delays.checkpointing.base.errors import InexactValue
from flight_delays.checkpointing.codecs import Codec, codec_named, format_named
from flight_delays.checkpointing.disk.commit import Commit

from .arrow_catalogue import SHAPES, Kind, array, kinds
from .exactness import same_arrow

FORMATS = ("arrow", "parquet")
TABLE, FRAME = codec_named("Table"), codec_named("DataFrame")

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder, in memory if possible, because each of thousands of files is synced to disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        prefix="catalogue-", dir=memory if memory.is_dir() else None
    ) as path:
        yield Path(path)


def through_file(value: Any, codec: Codec, form: str, folder: Path) -> Any:
    """The value that another part would receive."""
    commit = Commit(folder, 1 << 60)
    try:
        record = commit.write("value", codec.freeze(value), codec, format_named(form))
        return codec.thaw(format_named(form).read(folder / record.file, None))
    finally:
        commit.abandon()


def column_of(value: Any) -> Any:
    """The column `x` of a table or of a frame, as Arrow has it."""
    return value["x"] if isinstance(value, pa.Table) else value["x"].array.__arrow_array__()


def outcome(column: Any, codec: Codec, form: str, folder: Path) -> str:
    """How a column is kept: `exact` or `refused`, else what is wrong."""
    length = len(column)
    value: Any = pa.table({"fine": pa.array(range(length), pa.int8()), "x": column})
    if codec is FRAME:
        column = value["x"]
        value = pd.DataFrame({"fine": range(length), "x": pd.arrays.ArrowExtensionArray(column)})
    try:
        back = through_file(value, codec, form, folder)
    except InexactValue as refusal:
        return "refused" if "column 'x'" in refusal.message else refusal.message
    except Exception as error:
        return repr(error)
    stored = column_of(back)
    if str(stored.type) != str(column_of(value).type):
        return f"another type, {stored.type}"
    return "exact" if _is_same(stored, column_of(value)) else "other values"


def _is_same(left: Any, right: Any) -> bool:
    if left.equals(right):
        return True
    try:
        return same_arrow(left, right)
    except pa.ArrowNotImplementedError:  # these cannot be made one chunk
        return str(left) == str(right)


def outcomes(
    cases: Iterable[tuple[Kind, str]], folder: Path
) -> Iterator[tuple[tuple[str, str, str], str]]:
    """The outcome of each case in each format, as a table and as a frame."""
    for (kind, both), shape in cases:
        for form, codec in itertools.product(FORMATS, (TABLE, FRAME)):
            try:
                column = SHAPES[shape](kind, both)
            except pa.ArrowException:  # Arrow itself cannot make this one, such as a required null
                continue
            yield (str(kind), shape, f"{codec.name} {form}"), outcome(column, codec, form, folder)


def require_exact_or_refused(cases: Iterable[tuple[Kind, str]], folder: Path) -> Counter[str]:
    results = dict(outcomes(cases, folder))
    assert {c: r for c, r in results.items() if r not in ("exact", "refused")} == {}
    return Counter(results.values())


def test_a_column_of_some_types_is_exact_or_refused_by_its_name(folder: Path) -> None:
    every = list(itertools.product(kinds(1), SHAPES))
    counts = require_exact_or_refused(every[::67], folder)
    assert counts["exact"] > counts["refused"] > 10


@pytest.mark.exhaustive
def test_a_column_of_any_type_is_exact_or_refused_by_its_name(folder: Path) -> None:
    counts = require_exact_or_refused(itertools.product(kinds(2), SHAPES), folder)
    assert counts["exact"] > counts["refused"]


def test_a_map_is_of_the_same_type_in_every_format(folder: Path) -> None:
    plain, ordered = pa.map_(pa.string(), pa.int8()), pa.map_(pa.int8(), pa.list_(pa.bool_()), True)
    for kind, both in ((plain, [[("k", 1)], []]), (ordered, [[(1, [True])], [(2, [None])]])):
        outer = pa.struct([("m", pa.list_(kind))])
        for form in FORMATS:
            value = pa.table({"x": array(kind, both), "y": array(outer, [[both], [[]]])})
            back = through_file(value, TABLE, form, folder)
            assert [str(column.type) for column in back.columns] == [str(kind), str(outer)]
            assert back.equals(value)


def test_what_has_no_rows_is_refused_as_what_has_some(folder: Path) -> None:
    kinds_of_arrow = (
        pa.run_end_encoded(pa.int32(), pa.int8()),
        pa.sparse_union([pa.field("0", pa.int8())]),
        pa.list_(pa.string_view(), 0),
    )
    for kind in kinds_of_arrow:
        for shape in ("no rows", "all null"):
            assert outcome(SHAPES[shape](kind, []), TABLE, "arrow", folder) == "exact"
            assert outcome(SHAPES[shape](kind, []), TABLE, "parquet", folder) == "refused"


@pytest.mark.parametrize("make", [pa.string_view, pa.binary_view])
def test_a_slice_of_views_without_rows_is_exact_wherever_it_begins(make: Any, folder: Path) -> None:
    text = array(make(), [b"a", b"\xff" * 30] if make is pa.binary_view else ["a", "é" * 30])
    for column in (text[2:2], pa.chunked_array([text[1:1], text[1:], text[2:2]])):
        for form, codec in itertools.product(FORMATS, (TABLE, FRAME)):
            assert outcome(column, codec, form, folder) == "exact"


def test_a_dictionary_of_numbers_can_be_loaded_as_a_frame() -> None:
    codes = pa.array([0, None, 1], pa.uint64())
    words = pa.DictionaryArray.from_arrays(codes, pa.array(["a", "b"]), ordered=True)
    numbers = pa.DictionaryArray.from_arrays([0, 0, 1], pa.array([1.5, float("nan")]))
    frame = FRAME.thaw(TABLE.freeze(pa.table({"words": words, "numbers": numbers})))

    assert frame["words"].cat.codes.tolist() == [0, -1, 1]
    assert frame["words"].cat.categories.tolist() == ["a", "b"]
    assert frame["numbers"].dtype == "float64"


def test_a_table_of_rows_without_columns_is_refused() -> None:
    rows = pa.table({"x": [1, 2]}).select([])
    with pytest.raises(InexactValue, match="2 rows and no columns"):
        TABLE.freeze(rows)
    assert TABLE.thaw(TABLE.freeze(rows.slice(0, 0))).num_rows == 0


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "index",
    [pd.RangeIndex(3, 9, 2), pd.Index(["a", "b"]), pd.MultiIndex.from_product([[1], ["a"]])],
)
def test_a_frame_of_rows_without_columns_keeps_its_index(
    index: Any, form: str, folder: Path
) -> None:
    back = through_file(pd.DataFrame(index=index), FRAME, form, folder)
    assert back.index.equals(index)
    assert back.shape == (len(index), 0)
