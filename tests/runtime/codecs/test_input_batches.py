"""The files of an input in batches are one table, whose dtypes no batch decides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.codecs import codec_named
from flight_delays.checkpointing.codecs.table import inputs

FRAME = codec_named("DataFrame")
ROWS = 50
TABLE = pd.DataFrame(
    {
        "n": np.arange(ROWS),
        "late": [None] * (ROWS - 1) + [7],
        "f": [0.5] * 40 + [np.nan] * 10,
        "t": ["é", None, 'z, "q"', "7", "x"] * 10,
        "b": [True, False] * 25,
        "d": pd.to_datetime("2013-01-01") + pd.to_timedelta(np.arange(ROWS), unit="h"),
    }
).astype({"late": "Int64"})
WRITERS: dict[str, Callable[[Any, Path], None]] = {
    "x.parquet": lambda table, path: pq.write_table(table, path, row_group_size=7),
    "x.feather": lambda table, path: pa.feather.write_feather(table, path, chunksize=7),
    "x.arrow": lambda table, path: pa.feather.write_feather(
        table, path, compression="uncompressed"
    ),
}


def read(files: list[Path], rows: int, columns: tuple[str, ...] | None = None) -> Any:
    parts = [FRAME.thaw(part) for part in inputs.input_slices(files, columns, lambda: rows)]
    assert all((part.dtypes == parts[0].dtypes).all() for part in parts)
    return pd.concat(parts)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("rows", [1, 6, 1000])
def test_files_of_arrow_and_parquet_are_one_table(name: str, rows: int, tmp_path: Path) -> None:
    table = pa.Table.from_pandas(TABLE, preserve_index=False)
    files = [tmp_path / f"{n}{name}" for n in range(3)]
    for path, start in zip(files, (0, 20, 45), strict=True):
        WRITERS[name](table.slice(start, {0: 20, 20: 25, 45: 5}[start]), path)
    pd.testing.assert_frame_equal(read(files, rows), TABLE, check_index_type=True)
    assert list(read(files, rows, ("t", "n")).columns) == ["t", "n"]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".tsv"])
@pytest.mark.parametrize("rows", [1, 6, 1000])
def test_text_is_what_pandas_reads_of_the_whole(suffix: str, rows: int, tmp_path: Path) -> None:
    path, sep = tmp_path / f"x{suffix}", "\t" if suffix == ".tsv" else ","
    TABLE.to_csv(path, index=False, sep=sep)
    expected = pd.read_csv(path, sep=sep)
    pd.testing.assert_frame_equal(read([path], rows), expected, check_index_type=True)


COLUMNS: dict[str, list[Any]] = {
    "numbers, then text": [1, 2, "x", 4],
    "numbers, then a gap": [1, 2, None, 4],
    "numbers, then a fraction": [1, 2, 2.5, 4],
    "truth, then text": [True, False, "maybe", True],
    "a gap, then text": [None, None, "x", None],
    "large numbers": [1, 2**63 + 5, 3, 4],
    "large numbers after one below 0": [-1, 2, 2**63 + 5, 4],
    "a number below 0 after large ones": [2**63 + 5, 2, 3, -4],
    "nothing": [None, None, None, None],
}


@pytest.mark.parametrize("case", COLUMNS)
def test_what_a_later_row_shows_holds_for_all(case: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    pd.DataFrame({"k": range(4), "x": pd.Series(COLUMNS[case], dtype=object)}).to_csv(
        path, index=False
    )
    pd.testing.assert_frame_equal(read([path], 1), pd.read_csv(path, low_memory=False))


def test_a_file_without_rows_gives_its_columns(tmp_path: Path) -> None:
    table = pa.Table.from_pandas(TABLE, preserve_index=False).slice(0, 0)
    for name, write in WRITERS.items():
        write(table, tmp_path / name)
        assert list(read([tmp_path / name], 5).columns) == list(TABLE)
    (tmp_path / "x.csv").write_text("a,b\n")
    assert list(read([tmp_path / "x.csv"], 5).columns) == ["a", "b"]


def test_files_that_are_not_one_table_are_refused_by_file_and_column(tmp_path: Path) -> None:
    for name, table in {
        "a.parquet": pa.table({"x": [1], "y": [1]}),
        "b.parquet": pa.table({"x": [1.5], "y": [1]}),
        "c.parquet": pa.table({"x": [1]}),
    }.items():
        pq.write_table(table, tmp_path / name)
    (tmp_path / "no.parquet").write_bytes(b"PAR1 nothing of it")
    (tmp_path / "x.xlsx").write_bytes(b"")
    for names, expected in {
        ("a", "b"): "column 'x' is double, and int64 in",
        ("a", "c"): "has no column 'y'",
        ("c", "a"): "has a column 'y'",
        ("no",): "cannot be read as parquet",
    }.items():
        with pytest.raises(ConfigurationError) as refusal:
            read([tmp_path / f"{name}.parquet" for name in names], 5)
        assert expected in refusal.value.message
        assert f"{names[-1]}.parquet" in refusal.value.message
    with pytest.raises(ConfigurationError, match=r"x\.xlsx: batches are read of files of one kind"):
        read([tmp_path / "x.xlsx"], 5)


def test_an_index_that_pandas_wrote_is_a_column_of_the_batches(tmp_path: Path) -> None:
    gaps, plain = tmp_path / "gaps.parquet", tmp_path / "plain.parquet"
    TABLE[TABLE["n"] % 3 > 0].to_parquet(gaps)
    TABLE.to_parquet(plain)

    rows = read([gaps], 7)
    assert list(rows.columns) == [*TABLE.columns, "__index_level_0__"]
    assert rows["__index_level_0__"].tolist() == rows["n"].tolist()
    assert rows.index.equals(pd.RangeIndex(len(rows)))

    with pytest.raises(ConfigurationError, match="has no column '__index_level_0__'"):
        read([gaps, plain], 7)
    assert read([gaps, plain], 7, ("n", "t")).index.equals(pd.RangeIndex(len(rows) + ROWS))


def test_text_has_the_columns_of_its_first_file_in_their_order(tmp_path: Path) -> None:
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    files[0].write_text("x,y\n1,2\n")
    files[1].write_text("y,x\n4,3\n")
    parts = [FRAME.thaw(part) for part in inputs.input_slices(files, None, lambda: 5)]
    assert [list(part.columns) for part in parts] == [["x", "y"], ["x", "y"]]
    assert pd.concat(parts)["x"].tolist() == [1, 3]


def test_text_of_which_a_column_has_no_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,y\n7,1,2\n8,3,4\n")
    with pytest.raises(ConfigurationError, match=r"a\.csv cannot .* more fields than its header"):
        read([path], 5)


@pytest.mark.parametrize("rows", [1, 1000])
def test_a_column_with_a_dot_in_its_name_is_none_of_a_struct(rows: int, tmp_path: Path) -> None:
    table = pa.table(
        {
            "a": [{"b": None}, {"b": 2}],
            "a.b": pa.array([5, 6]),
            "c.d": pa.array([1, None]),
        }
    )
    pq.write_table(table, tmp_path / "x.parquet")

    whole = read([tmp_path / "x.parquet"], rows)
    assert whole["a.b"].tolist() == [5, 6]
    assert [str(whole[name].dtype) for name in ("a.b", "c.d")] == ["int64", "Int64"]
    assert read([tmp_path / "x.parquet"], rows, ("a.b",)).columns.tolist() == ["a.b"]


def test_text_that_changes_after_it_was_looked_at_is_refused_by_file(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("n\n" + "1234567\n" * 100_000)

    def rows() -> int:
        with path.open("r+b") as file:
            file.seek(-8, 2)
            file.write(b"no more")
        return 10_000

    with pytest.raises(ConfigurationError, match=r"x\.csv"):
        list(inputs.input_slices([path], None, rows))
