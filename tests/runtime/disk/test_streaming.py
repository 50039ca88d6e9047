"""A value that comes in batches is written whole, or nothing of it stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from flight_delays.checkpointing.base.errors import InexactValue, StorageError
from flight_delays.checkpointing.base.files import checksum
from flight_delays.checkpointing.codecs import Codec, codec_named, format_named
from flight_delays.checkpointing.codecs.table import streams
from flight_delays.checkpointing.disk.commit import Commit
from flight_delays.checkpointing.disk.value_files import files_of

from ..builders import PLENTY, TABLE


def frame(rows: int, start: int = 0) -> pd.DataFrame:
    return pd.DataFrame({"n": np.arange(start, start + rows)})


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def small_record_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_CHUNK_BYTES", 1 << 16)


def test_a_record_tells_what_was_streamed(tmp_path: Path) -> None:
    record = Commit(tmp_path, PLENTY).stream("flights", iter([frame(3), frame(4)]), TABLE)
    path = tmp_path / record.file

    assert names_in(tmp_path) == [record.file]
    assert (record.codec, record.format) == ("DataFrame", "arrow")
    assert (record.bytes, record.checksum) == (path.stat().st_size, checksum(path))
    assert record.description == {"rows": 7, "schema": {"n": "int64"}}
    whole = TABLE.thaw(format_named("arrow").read(path, None))
    assert whole["n"].tolist() == [0, 1, 2, 0, 1, 2, 3]
    assert list(whole.index) == list(range(7))


@pytest.mark.parametrize("format_name", ["arrow", "parquet"])
@pytest.mark.parametrize(("asked", "kept"), [(("m",), ("m",)), (("n", "m"), ()), (("x",), ())])
def test_of_a_stream_the_columns_that_are_read_are_written(
    tmp_path: Path, asked: tuple[str, ...], kept: tuple[str, ...], format_name: str
) -> None:
    making = Commit(tmp_path, PLENTY)
    batches = (frame(rows).assign(m=1.5) for rows in (3, 4))
    streamed = making.stream("flights", batches, TABLE, columns=asked)
    files = files_of(TABLE, format_name, kept=True, output=False, columns=asked)
    mapped = format_named("arrow").read(tmp_path / streamed.file, None)
    record = making.keep("flights", mapped, TABLE, files, streamed=streamed).kept

    assert record is not None
    assert names_in(tmp_path) == [record.file]
    assert (record.format, record.columns, streamed.columns) == (format_name, kept, kept)
    whole = TABLE.thaw(format_named(format_name).read(tmp_path / record.file, None))
    assert list(whole) == list(kept or ("n", "m"))
    assert len(whole) == 7


def test_max_disk_ends_a_stream_as_soon_as_it_is_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_record_batches(monkeypatch)
    made = 0

    def make() -> Iterator[pd.DataFrame]:
        nonlocal made
        while made < 1000:
            made += 1
            yield frame(10_000)

    making = Commit(tmp_path / "key", 1_000_000)
    with pytest.raises(StorageError, match=r"max_disk in memory_budget\.toml leaves 1 MB"):
        making.stream("flights", make(), TABLE)
    assert made <= 14  # of 80 kB each
    making.abandon()
    assert names_in(tmp_path) == []


def test_a_file_that_was_begun_twice_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_record_batches(monkeypatch)
    late = frame(1).set_index(pd.Index([7]))
    making = Commit(tmp_path, PLENTY)
    record = making.stream("flights", iter([frame(20_000), late]), TABLE)

    assert names_in(tmp_path) == [record.file]
    whole = TABLE.thaw(format_named("arrow").read(tmp_path / record.file, None))
    pd.testing.assert_frame_equal(whole, pd.concat([frame(20_000), late]))
    exact_room = Commit(tmp_path / "other", 20_000 * 16 + 20_000 * 8)
    exact_room.stream("flights", iter([frame(20_000), late]), TABLE)


def test_a_file_that_is_begun_again_counts_while_its_rows_are_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file without a name takes room on disk until nobody has it mapped."""
    small_record_batches(monkeypatch)
    late = frame(1).set_index(pd.Index([7]))
    making = Commit(tmp_path / "key", 20_000 * 16)

    with pytest.raises(StorageError, match="max_disk"):
        making.stream("flights", iter([frame(20_000), late]), TABLE)


@pytest.mark.parametrize("error", [KeyError("its own"), OSError(28, "No space left on device")])
def test_an_error_of_the_step_passes_unchanged_and_its_rows_go(
    tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_record_batches(monkeypatch)

    def make() -> Iterator[pd.DataFrame]:
        yield frame(100_000)
        raise error

    making = Commit(tmp_path / "key", PLENTY)
    with pytest.raises(type(error)) as caught:
        making.stream("flights", make(), TABLE)
    assert caught.value is error
    making.abandon()
    assert names_in(tmp_path) == []


def test_a_batch_that_is_refused_names_value_batch_and_column(tmp_path: Path) -> None:
    making = Commit(tmp_path / "key", PLENTY)
    with pytest.raises(InexactValue, match=r"`flights`: batch 2: column 'n' is float64") as caught:
        making.stream("flights", iter([frame(3), frame(3).astype(float)]), TABLE)
    assert caught.value.step == "flights"
    making.abandon()
    assert names_in(tmp_path) == []


def test_what_a_codec_would_not_give_back_is_refused_once_it_is_written(tmp_path: Path) -> None:
    def thaw(frozen: pa.Table) -> pd.DataFrame:
        if frozen.num_rows > 5:
            raise ValueError("rows of which it knows nothing")
        value: pd.DataFrame = TABLE.thaw(frozen)
        return value

    forgetful = Codec("Forgetful", "demo.Forgetful", "table", TABLE.freeze, thaw)
    making = Commit(tmp_path / "key", PLENTY)
    with pytest.raises(InexactValue, match=r"`flights`: .*\(rows of which it knows nothing\)"):
        making.stream("flights", iter([frame(3), frame(3)]), forgetful)
    making.abandon()
    assert names_in(tmp_path) == []


def test_a_table_without_rows_is_streamed_with_its_columns(tmp_path: Path) -> None:
    record = Commit(tmp_path, PLENTY).stream("flights", iter([frame(0)]), TABLE)
    whole = TABLE.thaw(format_named("arrow").read(tmp_path / record.file, None))
    pd.testing.assert_frame_equal(whole, frame(0))


def test_a_reader_of_arrow_is_streamed(tmp_path: Path) -> None:
    codec = codec_named("RecordBatchReader")
    table = pa.table({"x": [1, None, 3]})
    assert codec.batches is not None
    batches = codec.batches(table.to_reader(max_chunksize=1))
    record = Commit(tmp_path, PLENTY).stream("flights", batches, codec)
    assert codec.thaw(format_named("arrow").read(tmp_path / record.file, None)).read_all() == table
