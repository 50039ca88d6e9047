"""Read the files of an input in batches: Parquet, CSV, and Arrow, which is also Feather.

All files are one table, in their order, and what the whole is like is known before the first batch:
of Parquet from its statistics, of CSV and Arrow from a first reading. So no dtype depends on how
the rows are divided. Rows are numbered through all files.

A CSV file gives what `pandas.read_csv(file)` gives, except that a column of true and false with
missing values is of dtype `boolean`, and one with whole numbers of more than 64 bits is text.
Integers with missing values become nullable in a frame that is made of Parquet or Arrow,
dictionaries their plain values, and of floats a null is NaN.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ...base.errors import ConfigurationError, nearest
from ..readable import DELIMITERS, READABLE, kind_of, suffix_of
from .batches import Rows, divided
from .buffers import no_rows
from .frames import freeze_frame
from .parquets import BY_PAGES
from .parts import with_note

_PARQUET_ROWS = 1 << 13
_SCANNED_ROWS = 1 << 16


def input_slices(
    files: Sequence[Path], columns: tuple[str, ...] | None, rows: Rows
) -> Iterator[Any]:
    """The rows of files as frozen tables, or the named columns of them; see the module.

    Raises ConfigurationError, which names the file, for files of several kinds, a column that a
    file does not have or has with another type, and a file that cannot be read as what its suffix
    says.
    """
    kinds = {kind_of(path): path for path in reversed(files)}
    if not files or None in kinds or len(kinds) > 1:
        shown = ", ".join(str(path) for path in list(kinds.values())[:2]) or "no file"
        raise ConfigurationError(
            f"{shown}: batches are read of files of one kind, Parquet, CSV or Arrow, by their "
            f"suffix ({', '.join(READABLE)}). Take the input as a `Path`, and read it in the step."
        )
    if next(iter(kinds)) == "text":
        yield from _text_slices(files, columns, rows)
    else:
        yield from _arrow_slices(files, columns, rows)


def _arrow_slices(
    files: Sequence[Path], columns: tuple[str, ...] | None, rows: Rows
) -> Iterator[Any]:
    sources = [_source(path) for path in files]
    schema = _common_schema(sources, columns)
    nulls = [any(source.has_nulls(name) for source in sources) for name in schema.names]

    def tables() -> Iterator[Any]:
        yield no_rows(schema)
        for source in sources:
            for batch in _reading(source.path, source.batches(schema.names)):
                yield pa.Table.from_arrays([_decoded(c) for c in batch.columns], schema=schema)

    start = 0
    for part in divided(tables(), rows):
        yield with_note(part, nulls, start, is_null_nan=True)
        start += part.num_rows


@dataclass(frozen=True)
class _Source:
    """A file of Parquet or Arrow.

    Attributes:
        batches: its rows in batches, of the named columns in that order.
        has_nulls: whether a column has nulls.
    """

    path: Path
    schema: Any
    batches: Callable[[list[str]], Iterator[Any]]
    has_nulls: Callable[[str], bool]


def _source(path: Path) -> _Source:
    read = _parquet if kind_of(path) == "parquet" else _arrow
    try:
        return read(path)
    except pa.ArrowException as error:
        raise _unreadable(path, error) from None


def _parquet(path: Path) -> _Source:
    with pq.ParquetFile(path) as file:
        schema, about = file.schema_arrow, file.metadata
        paths = [about.schema.column(n).path for n in range(len(about.schema))]
    # `a.b` is a column of that name, or the field `b` of `a`: of one of both alone it says which.
    leaves = {path: n for n, path in enumerate(paths) if paths.count(path) == 1}

    def batches(names: list[str]) -> Iterator[Any]:
        with pq.ParquetFile(path, **BY_PAGES) as file:
            for batch in file.iter_batches(_PARQUET_ROWS, columns=names, use_threads=False):
                yield batch.select(names)

    def has_nulls(name: str) -> bool:
        if pa.types.is_nested(schema.field(name).type):
            return True  # nobody asks
        if name not in leaves:
            return any(batch.column(0).null_count for batch in batches([name]))
        for number in range(about.num_row_groups):
            known = about.row_group(number).column(leaves[name]).statistics
            if known is None or not known.has_null_count:
                return any(batch.column(0).null_count for batch in batches([name]))
            if known.null_count:
                return True
        return False

    return _Source(path, schema, batches, has_nulls)


def _arrow(path: Path) -> _Source:
    def opened() -> Any:
        return pa.ipc.open_file(pa.memory_map(os.fsencode(path)))

    def batches(names: list[str]) -> Iterator[Any]:
        with opened() as reader:
            for number in range(reader.num_record_batches):
                yield reader.get_batch(number).select(names)

    def has_nulls(name: str) -> bool:
        return any(batch.column(0).null_count for batch in batches([name]))

    with opened() as reader:
        return _Source(path, reader.schema, batches, has_nulls)


def _common_schema(sources: list[_Source], columns: tuple[str, ...] | None) -> Any:
    """The schema of all files, of the named columns. Raises ConfigurationError."""
    first = sources[0]
    names = list(columns or first.schema.names)
    fields = []
    for name in names:
        for source in sources:
            if source.schema.names.count(name) != 1:
                has = f"no column {name!r}{nearest(name, source.schema.names)}"
                if name in source.schema.names:
                    has = f"several columns {name!r}"
                raise ConfigurationError(
                    f"{source.path} has {has}. Give all files of the input the same columns, or "
                    f"name others in Columns(...)."
                )
            kind, wanted = (_plain(s.schema.field(name).type) for s in (source, first))
            if kind != wanted:
                raise ConfigurationError(
                    f"{source.path}: column {name!r} is {kind}, and {wanted} in {first.path}. "
                    f"Write all files of the input with one type."
                )
        fields.append(pa.field(name, _plain(first.schema.field(name).type)))
    if columns is None:
        for source in sources:
            if more := [name for name in source.schema.names if name not in names]:
                raise ConfigurationError(
                    f"{source.path} has a column {more[0]!r}, which {first.path} does not have. "
                    f"Give all files of the input the same columns, or choose with Columns(...)."
                )
    return pa.schema(fields)


def _plain(kind: Any) -> Any:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _decoded(array: Any) -> Any:
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _text_slices(
    files: Sequence[Path], columns: tuple[str, ...] | None, rows: Rows
) -> Iterator[Any]:
    dtypes = _dtypes(files, columns)
    start = 0
    for number, path in enumerate(files):
        with _opened_text(path, columns, dtypes) as reader:
            is_first = True
            while True:
                try:
                    frame = reader.get_chunk(max(1, rows()))
                except StopIteration:
                    break
                except ValueError as error:
                    raise _unreadable(path, error) from None
                frame = frame[list(columns or dtypes)]
                frame.index = pd.RangeIndex(start, start + len(frame))
                start, is_first = start + len(frame), False
                yield freeze_frame(frame)
            if is_first and number == len(files) - 1 and not start:
                empty = {name: pd.Series([], dtype=dtype) for name, dtype in dtypes.items()}
                yield freeze_frame(pd.DataFrame(empty))


def _opened_text(
    path: Path, columns: tuple[str, ...] | None, dtypes: Mapping[str, Any] | None
) -> Any:
    try:
        return pd.read_csv(
            path,
            sep=DELIMITERS[suffix_of(path)],
            usecols=None if columns is None else list(columns),
            dtype=None if dtypes is None else dict(dtypes),
            iterator=True,
            low_memory=False,
        )
    except (ValueError, UnicodeDecodeError) as error:  # pandas' own errors are ValueErrors
        raise _unreadable(path, error) from None


def _dtypes(files: Sequence[Path], columns: tuple[str, ...] | None) -> dict[str, Any]:
    """The dtype of each column over all rows of all files. Raises ConfigurationError."""
    seen: dict[str, set[str]] = {}
    missing: set[str] = set()
    for path in files:
        with _opened_text(path, columns, None) as reader:
            names: list[str] | None = None
            count = 0
            while True:
                try:
                    frame = reader.get_chunk(_SCANNED_ROWS)
                except StopIteration:
                    break
                except ValueError as error:
                    raise _unreadable(path, error) from None
                if not frame.index.equals(pd.RangeIndex(count, count + len(frame))):
                    raise _unreadable(path, ValueError("its rows have more fields than its header"))
                count += len(frame)
                names = list(frame.columns)
                for name, values in frame.items():
                    has_missing = bool(values.isna().any())
                    missing |= {str(name)} if has_missing else set()
                    kinds = seen.setdefault(str(name), set())
                    kinds |= set() if values.isna().all() else {_kind(values)}
        if names is not None and sorted(names) != sorted(seen):
            other = next(iter(set(names) ^ set(seen)))
            raise ConfigurationError(
                f"{path}: not all files of the input have a column {other!r}. Give all the same "
                f"columns, or choose with Columns(...)."
            )
    return {name: _dtype(kinds, has_missing=name in missing) for name, kinds in seen.items()}


def _kind(values: pd.Series[Any]) -> str:
    """What a chunk of a column consists of."""
    if values.dtype == object:
        given = {type(value) for value in values.dropna()}
        return "bool" if given <= {bool, np.bool_} else "text"
    if values.dtype.kind == "i" and (values < 0).any():
        return "negative"
    return {"b": "bool", "i": "int64", "u": "uint64", "f": "float64"}.get(values.dtype.kind, "text")


def _dtype(kinds: set[str], *, has_missing: bool) -> Any:
    """The dtype of a column of which chunks were of these kinds; of none, all was missing."""
    if {"negative", "uint64"} <= kinds:
        return "str"  # no type has numbers of both
    kinds = {"int64" if kind == "negative" else kind for kind in kinds}
    if kinds == {"bool"}:
        return "boolean" if has_missing else "bool"
    if kinds == {"int64"} and not has_missing:
        return "int64"
    if kinds <= {"int64", "uint64"} and kinds and not has_missing:
        return "uint64"
    return "float64" if kinds <= {"int64", "uint64", "float64"} else "str"


def _reading(path: Path, batches: Iterator[Any]) -> Iterator[Any]:
    """Batches of a file; an error of the reader names the file."""
    try:
        yield from batches
    except pa.ArrowException as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> ConfigurationError:
    reason = " ".join(str(error).split())
    return ConfigurationError(
        f"{path} cannot be read as {kind_of(path)} in batches: {reason}. Correct the file, or take "
        f"the input as a `Path` and read it in the step."
    )
