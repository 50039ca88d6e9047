"""Files for people: what they hold and refuse; the same value gives the same bytes."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pytest
from flight_delays.checkpointing.base.errors import InexactValue
from flight_delays.checkpointing.codecs import (
    codec_named,
    collected,
    output_format,
    output_suffixes,
)
from flight_delays.checkpointing.codecs.published import excel, texts
from flight_delays.checkpointing.codecs.table import streams
from hypothesis import HealthCheck, given, settings

from .exactness import frames

TABLE = codec_named("DataFrame")
SUFFIXES = [s for s in output_suffixes("table", is_text=False) if s != ".parquet"]


def written(value: Any, suffix: str, codec: str = "DataFrame") -> bytes:
    """The bytes of a value that is published with a suffix."""
    kind = codec_named(codec)
    form = output_format(kind.family, suffix)
    assert form is not None
    assert form.suffix == suffix
    file = io.BytesIO()
    form.write(kind.freeze(value), file)
    return file.getvalue()


def plain() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "number": [1.5, None, 3.0],
            "whole": pd.array([1, None, 3], dtype="Int64"),
            "day": pd.to_datetime(pd.Series(["2013-01-01 00:00", None, "2013-01-03 04:05"])),
            "text": ["a", None, "é\n"],
        }
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_value_gives_the_same_bytes(suffix: str) -> None:
    assert written(plain(), suffix) == written(plain(), suffix)


def test_a_compressed_file_has_no_time_in_it() -> None:
    assert written(plain(), ".csv.gz")[4:8] == bytes(4)


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(deadline=None, max_examples=12, suppress_health_check=list(HealthCheck))
@given(frames())
def test_a_table_of_any_kind_is_written_or_refused_in_words(suffix: str, value: Any) -> None:
    try:
        content = written(value, suffix)
    except InexactValue:
        return
    if suffix == ".json":
        assert len(json.loads(content)) == len(value)


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(frames())
def test_feather_holds_the_columns_of_a_table_as_arrow_has_them(value: Any) -> None:
    frozen = TABLE.freeze(value)
    expected = [str(field.type) for field in frozen.schema]
    with pa.ipc.open_file(pa.BufferReader(written(value, ".feather"))) as reader:
        table = reader.read_all()
    assert [str(field.type) for field in table.schema] == expected
    assert table.num_rows == frozen.num_rows


@pytest.mark.parametrize(
    ("index", "columns"),
    [
        (pd.RangeIndex(3), []),
        (pd.Index([7, 1, 9]), []),
        (pd.Index([7, 1, 9], name="id"), ["id"]),
        (pd.date_range("2013", periods=3, name="at"), ["at"]),
        (pd.Index(["a", "b", "c"]), ["index"]),
        (pd.MultiIndex.from_product([[1], ["x", "y", "z"]], names=["k", None]), ["k", "level_1"]),
    ],
)
def test_an_index_that_is_more_than_row_numbers_becomes_columns(
    index: Any, columns: list[str]
) -> None:
    value = pd.DataFrame({"n": [1, 2, 3]}, index=index)
    assert written(value, ".csv").decode().splitlines()[0] == ",".join([*columns, "n"])
    [first, *_] = json.loads(written(value, ".json"))
    assert list(first) == [*columns, "n"]


def test_json_has_every_digit_and_null_for_what_it_has_no_number_for() -> None:
    value = pd.DataFrame(
        {"x": [0.1 + 0.2, 5e-324, float("inf"), None], "of": [[1.0], [2.5], [], None]}
    )
    rows = [json.loads(line) for line in written(value, ".jsonl").splitlines()]
    assert [row["x"] for row in rows] == [0.1 + 0.2, 5e-324, None, None]
    assert [row["of"] for row in rows] == [[1.0], [2.5], [], None]
    assert json.loads(written(value.head(0), ".json")) == []


def test_a_workbook_gives_back_numbers_text_and_moments() -> None:
    value = pd.read_excel(io.BytesIO(written(plain(), ".xlsx")))
    pd.testing.assert_frame_equal(value, plain(), check_dtype=False, check_index_type=False)


def test_a_workbook_says_nothing_of_the_time_at_which_it_was_made() -> None:
    with zipfile.ZipFile(io.BytesIO(written(plain(), ".xlsx"))) as book:
        assert {entry.date_time[0] for entry in book.infolist()} == {1980}
        assert b"2000-01-01T00:00:00Z" in book.read("docProps/core.xml")


@pytest.mark.parametrize(
    ("value", "suffix", "complaint"),
    [
        (lambda: pd.DataFrame({"a": ["x" * 40_000]}), ".xlsx", "column 'a' has a text of 40,000"),
        (lambda: pd.DataFrame({"a": pd.date_range("2013", periods=1, tz="UTC")}), ".xlsx", "zone"),
        (lambda: pd.DataFrame([[1] * 16_385]), ".xlsx", "room for 16,384"),
        (lambda: pd.DataFrame({("a", "b"): [1]}), ".json", "labels of several levels"),
        (lambda: pd.DataFrame({"a": [b"x"]}), ".json", "a column of bytes"),
        (
            lambda: pd.DataFrame({"a": [1]}, index=pd.Index(["x"], name="a")),
            ".csv",
            "the index cannot become columns",
        ),
    ],
)
def test_what_a_format_has_no_place_for_is_refused(
    value: Callable[[], Any], suffix: str, complaint: str
) -> None:
    with pytest.raises(InexactValue, match=complaint):
        written(value(), suffix)


def test_columns_of_one_name_are_no_json() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(InexactValue, match="several columns are named 'a'"):
        written(table, ".json", "Table")


def test_a_sheet_of_too_many_rows_is_refused_before_anything_is_written() -> None:
    class Closed(io.BytesIO):
        def write(self, chunk: Any) -> int:
            raise AssertionError("it was refused too late")

    frozen = TABLE.freeze(pd.DataFrame({"a": range(excel.MOST_ROWS + 1)}))
    with pytest.raises(InexactValue, match=r"1,048,576 rows, and a sheet has room for 1,048,575"):
        excel.write(frozen, Closed())


def test_an_array_of_three_dimensions_is_no_csv() -> None:
    assert written(np.array([1.5, 2.0]), ".csv", "ndarray") == b"1.5\n2.0\n"
    with pytest.raises(InexactValue, match="3 dimensions"):
        written(np.zeros((2, 2, 2)), ".csv", "ndarray")


def test_text_is_written_as_it_is(tmp_path: Path) -> None:
    assert written("é\n", ".md", "json") == "é\n".encode()
    with pytest.raises(InexactValue, match="returned dict"):
        written({"a": 1}, ".md", "json")
    assert output_suffixes("json", is_text=False) == (".json",)


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl", ".feather", ".arrow"])
def test_a_large_table_is_published_as_it_would_be_at_once(
    suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = 2500
    days = pd.date_range("2013-01-01", periods=rows, freq="12h").to_series(
        index=pd.RangeIndex(rows)
    )
    frame = pd.DataFrame({"n": np.arange(rows) / 3, "day": days, "t": ["a", None] * (rows // 2)})
    frame.index = pd.Index([f"k{n}" for n in range(rows)], name="key")
    whole = written(frame.copy(), suffix)
    monkeypatch.setattr(texts, "_TIMES", 1)
    monkeypatch.setattr(texts, "_CELLS", 700)
    monkeypatch.setattr(texts, "_ROWS", 90)
    monkeypatch.setattr(streams, "_CHUNK_BYTES", 1 << 12)
    form = output_format("table", suffix)
    assert form is not None
    frozen = collected((frame.iloc[n : n + 400] for n in range(0, rows, 400)), TABLE)
    assert frozen.column(0).num_chunks > 1
    file = io.BytesIO()
    form.write(frozen, file)
    if suffix in (".feather", ".arrow"):
        expected = pa.feather.read_table(io.BytesIO(whole))
        read = pa.feather.read_table(file)
        assert read.equals(expected)
        assert read.schema.metadata == expected.schema.metadata
    elif suffix == ".csv":
        lines = frame.reset_index().to_csv(index=False, lineterminator="\n", chunksize=700 // 4)
        assert file.getvalue().decode() == lines
    else:
        assert file.getvalue() == whole
