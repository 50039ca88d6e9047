"""Read a table slice by slice, and what is known of its rows before the first is read.

The modules that do so load pandas, so they are imported when a step needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..codecs import PARQUET
from ..codecs.readable import kind_of, suffix_of

ARROW_TABLE = "Table"
"""The codec of `pyarrow.Table`, which a `RecordBatchReader` is made of."""

_SAMPLE_BYTES = 1 << 16  # of a CSV file, from its begin: they tell how long a line is


def slices(frozen: Any, rows: Callable[[], int]) -> Iterator[Any]:
    """The slices of a frozen table; see `codecs.table.batches`."""
    from ..codecs.table import batches

    return batches.slices(frozen, rows)


def stored_slices(
    path: Path, form: str, columns: tuple[str, ...] | None, rows: Callable[[], int]
) -> Iterator[Any]:
    """The slices of a checkpoint's file; see `codecs.table.batches`."""
    from ..codecs.table import batches

    return batches.stored_slices(path, form, columns, rows)


def input_slices(
    files: Sequence[Path], columns: tuple[str, ...] | None, rows: Callable[[], int]
) -> Iterator[Any]:
    """The slices of the files of an input; see `codecs.table.inputs`."""
    from ..codecs.table import inputs

    return inputs.input_slices(files, columns, rows)


def reader(batches: Iterable[Any]) -> Any:
    """A `pyarrow.RecordBatchReader` of tables, of which it reads the first at once."""
    import pyarrow as pa

    waiting = iter(batches)
    first = [next(waiting)]
    schema = first[0].schema

    def each() -> Iterator[Any]:
        yield from first.pop().to_batches()
        for table in waiting:
            yield from table.to_batches()

    return pa.RecordBatchReader.from_batches(schema, each())


def row_bytes(frozen: Any) -> float:
    """The bytes of a row of a frozen table, on average."""
    from ..codecs.table import batches

    return batches.row_bytes(frozen)


def stored_row_bytes(path: Path, form: str, columns: tuple[str, ...] | None) -> float:
    """The bytes of a row of a checkpoint's file, as it was encoded."""
    from ..codecs.table import batches

    return batches.stored_row_bytes(path, form, columns)


def input_row_bytes(files: Sequence[Path]) -> float:
    """The bytes of a row in the first of some files; 0 if that is not known.

    It is advice: a file that cannot be read says so when it is read.
    """
    import pyarrow as pa

    try:
        path = files[0]
        if kind_of(path) == PARQUET:
            return stored_row_bytes(path, PARQUET, None)
        if suffix_of(path) in (".csv", ".tsv"):
            with open(path, "rb") as file:
                sample = file.read(_SAMPLE_BYTES)
            return len(sample) / max(1, sample.count(b"\n"))
    except (OSError, IndexError, pa.ArrowException):
        pass
    return 0.0
