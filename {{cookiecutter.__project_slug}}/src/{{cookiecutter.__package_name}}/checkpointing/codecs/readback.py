"""Read a file back as soon as it is written, before a manifest names it.

No list of the values that files keep is complete. So each file is opened as a later process will
open it, and its first rows are thawed as for a step and compared with the same rows of the value.
This is cheap for files of any size: an Arrow file is mapped, and only the footer and the first
pages of a Parquet file are read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..base.errors import CheckpointingError, InexactValue
from .on_disk import OnDisk
from .table import arrow as tables
from .table import batches, parquet, streams
from .table.buffers import from_numpy, one_chunk, to_numpy, valid_of

if TYPE_CHECKING:
    from . import Codec, Format
    from .table.streams import Written

_ROWS = 1000
_MOST_BYTES = 1 << 24  # of the sample
_ELEMENTS = 100_000


class _Differs(Exception):
    """The value that was read back differs from the value that was written.

    `place` names the column, if it is known.
    """

    def __init__(self, difference: str, place: str | None = None) -> None:
        super().__init__(difference)
        self.place = place


@contextlib.contextmanager
def exactly(value: str, path: Path, frozen: Any, codec: Codec, form: Format) -> Iterator[None]:
    """Turn any error while a value's file is written or read back into InexactValue.

    The message names the value and, if possible, the column. Errors of the system, such as those
    for a full or a broken disk, are raised unchanged.
    """
    try:
        yield
    except InexactValue as error:
        raise InexactValue(f"`{value}`: {error.message}", step=value) from None
    except (CheckpointingError, MemoryError):
        raise
    except Exception as error:  # writers and readers may raise any type
        if isinstance(error, OSError) and error.errno:
            raise
        known = error.place if isinstance(error, _Differs) else None
        place = known or _culprit(path, frozen, codec, form)
        reason = " ".join(str(error).split())
        raise InexactValue(
            f"`{value}`: {place} cannot be kept as {form.name} and read back exactly "
            f"({reason or type(error).__name__}). Nothing was committed. Convert it to a plainer "
            f"type, with astype(...) say, or drop it.",
            step=value,
        ) from error


def require_same(path: Path, frozen: Any, codec: Codec, form: Format) -> None:
    """Compare a file with the frozen value that was written to it; raises if they differ.

    Codecs and readers may raise any error; `exactly` makes it an InexactValue.
    """
    if isinstance(frozen, OnDisk):
        rows, stored = _read_table(path, form)
        expected, first = batches.read_first(frozen.path, frozen.form, _ROWS)
        if rows != expected:
            raise _Differs(f"{rows} rows in place of {expected}")
        _require_same_rows(stored, first, codec)
    elif isinstance(frozen, pa.Table):
        rows, stored = _read_table(path, form)
        if rows != frozen.num_rows:
            raise _Differs(f"{rows} rows in place of {frozen.num_rows}")
        _require_same_rows(stored, frozen, codec)
    elif isinstance(frozen, np.ndarray):
        _require_same_elements(codec.thaw(form.read(path, None)), frozen)
    else:
        stored = form.read(path, None)
        if isinstance(frozen, bytes) and stored != frozen:
            raise _Differs("other bytes")
        codec.thaw(stored)


def require_same_start(path: Path, written: Written, codec: Codec, form: Format) -> None:
    """Compare a file with the rows that were streamed to it: their number, and the first of them.

    It raises as `require_same` does.
    """
    rows, stored = _read_table(path, form)
    if rows != written.rows:
        raise _Differs(f"{rows} rows in place of {written.rows}")
    _require_same_rows(stored.slice(0, written.first.num_rows), written.first, codec)


def _read_table(path: Path, form: Format) -> tuple[int, Any]:
    """The number of rows in a file, and at least the first of them."""
    if form.name == "parquet":  # decoding all of it would take as long as writing it
        return parquet.read_first(path, _ROWS)
    table = form.read(path, None)
    table.validate()  # offsets and lengths: cheap, and invalid ones may end the process
    return table.num_rows, table


def _require_same_rows(stored: Any, frozen: Any, codec: Codec) -> None:
    """Compare the first rows of two tables: as they are in the file, and as a step gets them."""
    for stored_field, field in zip(stored.schema, frozen.schema, strict=True):
        if not stored_field.equals(field, check_metadata=True):
            raise _Differs(f"{stored_field} in place of {field}")
    if stored.schema.metadata != frozen.schema.metadata:
        raise _Differs("other metadata")
    first, expected = (_first_rows(table) for table in (stored, frozen))
    if _bytes(expected) < _MOST_BYTES:
        # Thawed frames are frozen again and then compared. So the comparison includes NaN and NaT,
        # the codes under nulls and everything else that a recipe restores.
        first, expected = (_frozen_again(table, codec) for table in (first, expected))
    if first.schema.metadata != expected.schema.metadata:
        raise _Differs("another frame")
    columns = zip(expected.column_names, first.columns, expected.columns, strict=True)
    for name, stored_column, column in columns:
        if not _is_same(stored_column, column):
            raise _Differs("other values", f"column {name!r}")


def _frozen_again(table: Any, codec: Codec) -> Any:
    if codec.store is not None:
        return table  # its library need not run for that
    value = codec.thaw(table)
    if codec.batches is None:
        return codec.freeze(value)
    return streams.collected(codec.batches(value), codec.freeze)  # it is computed only now


def _require_same_elements(stored: npt.NDArray[Any], frozen: npt.NDArray[Any]) -> None:
    if (stored.dtype, stored.shape) != (frozen.dtype, frozen.shape):
        raise _Differs(f"{stored.dtype} {stored.shape} in place of {frozen.dtype} {frozen.shape}")
    if stored.size and stored.strides != frozen.strides:
        raise _Differs("another order in memory")
    first, expected = (array.ravel(order="K")[:_ELEMENTS].tobytes() for array in (stored, frozen))
    if first != expected:
        raise _Differs("other elements")


def _is_same(left: Any, right: Any) -> bool:
    """Whether two short columns are equal; as text too, because there NaN equals NaN."""
    if left.type != right.type or left.equals(right):
        return bool(left.type == right.type)
    texts = (c.to_string(window=_ROWS, container_window=_ROWS) for c in (left, right))
    return len(set(texts)) == 1


def _bytes(table: Any) -> int:
    """The bytes of a table and of the recipe in its metadata."""
    return tables.own_bytes(table) + sum(map(len, (table.schema.metadata or {}).values()))


def _first_rows(table: Any) -> Any:
    """The first rows, with as many entries of each dictionary, as a table of its own."""
    columns = [_cut_dictionary(one_chunk(column)) for column in table.slice(0, _ROWS).columns]
    first = pa.Table.from_arrays(columns, schema=table.schema)
    rows = first.num_rows
    while rows > 1 and tables.own_bytes(first.slice(0, rows)) > _MOST_BYTES:
        rows //= 2
    return tables.slice_rows(first, rows)


def _cut_dictionary(array: Any) -> Any:
    if not pa.types.is_dictionary(array.type) or len(array.dictionary) <= _ROWS:
        return array
    codes = to_numpy(array.indices, array.type.index_type.to_pandas_dtype())
    valid = valid_of(array) & (codes < _ROWS)
    missing = np.int64(-1).astype(codes.dtype)
    indices = from_numpy(np.where(valid, codes, missing), array.type.index_type, valid)
    dictionary = array.dictionary.slice(0, _ROWS)
    ordered = array.type.ordered
    return pa.DictionaryArray.from_arrays(indices, dictionary, ordered=ordered, safe=False)


def _culprit(path: Path, frozen: Any, codec: Codec, form: Format) -> str:
    """The column or index to blame, for a message: the first that fails when written alone."""
    recipe = tables.recipe_of(frozen) if isinstance(frozen, pa.Table) else None
    if not isinstance(frozen, pa.Table) or (recipe is not None and "series" in recipe):
        return "the value"
    count = frozen.num_columns if recipe is None else len(recipe["columns"])
    names: list[str] = frozen.column_names[:count]
    places: dict[str, tuple[str, ...]] = {f"column {name!r}": (name,) for name in names}
    if recipe is not None:
        places = {"the index": ()} | places
    for place, columns in places.items():
        try:
            selection = _first_rows(tables.select(frozen, columns))
            with _written(selection, path, form) as written:
                require_same(written, selection, codec, form)
        except MemoryError:
            raise
        except Exception:
            return place
    return "the table"


@contextlib.contextmanager
def _written(frozen: Any, path: Path, form: Format) -> Iterator[Path]:
    probe = path.with_name(f"{path.name}.probe")
    try:
        with open(probe, "wb") as file:
            form.write(frozen, file)
        yield probe
    finally:
        probe.unlink(missing_ok=True)
