"""Frames of polars as frozen tables, and back: whole, or as a lazy scan of the table's file.

Numbers, dates and times share their memory with the frozen table. Text is copied once when it is
frozen, from polars' views into Arrow's large strings, which every other library maps; polars then
reads it with a view of 16 bytes a row beside the mapped text. A category is frozen with its values
in order of their first appearance, so that a file depends on the data alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from polars.io.plugins import register_io_source

from ...base.errors import InexactValue
from ..room import Room
from ..table import arrow, parquet, parquets
from ..table.buffers import no_rows
from ..table.packing import pack_table, unpack_table
from .polars_batches import pulled
from .polars_bits import settled
from .polars_types import Column, column_of, read

_KEY = b"checkpointing.polars"
"""The metadata of a frozen table that polars made: the schema that polars gave, without rows."""

_FOR_OTHERS = pl.CompatLevel.oldest()  # large strings, not views, which pandas would copy
_SLICE = 2 * 2**20  # bytes of a table that a lazy scan converts at once
_set_by_user = frozenset(os.environ)


def freeze_frame(value: Any) -> Any:
    """The `polars.DataFrame` as a table; raises InexactValue, naming the column."""
    _expect(value, pl.DataFrame)
    return _frozen(value, keeps_categories=True)


def freeze_batch(value: Any) -> Any:
    """A batch of a `polars.LazyFrame` as a table: a Categorical is text, and comes back as one.

    Its values appear batch by batch, and a file has the categories of a column only once.
    """
    return _frozen(value, keeps_categories=False)


def thaw_frame(frozen: Any) -> Any:
    """A `polars.DataFrame` of any frozen table, which shares its memory; see `polars_types`.

    Of a pandas frame, NaN and NaT are null, and the index is the last columns.
    Raises InexactValue, naming the column that polars would change.
    """
    return _read(frozen, _columns(frozen))


def thaw_lazy(frozen: Any) -> Any:
    """A `polars.LazyFrame` that scans the table slice by slice, as often as it is asked to.

    Raises InexactValue as `thaw_frame` does, at once for a type that polars does not have; for a
    single value while the scan comes to it.
    """

    def parts(names: list[str], count: int | None, size: int | None) -> Iterator[Any]:
        left = frozen.num_rows if count is None else min(count, frozen.num_rows)
        return _slices(frozen.select(names).slice(0, left), size)

    return _scan(_columns(frozen), parts)


def open_lazy(path: Path, names: tuple[str, ...] | None) -> Any:
    """A `polars.LazyFrame` that scans a table on disk as Parquet, or the named columns of it.

    Raises InexactValue as `thaw_lazy` does.
    """
    if not path.is_dir():
        return thaw_lazy(parquet.read(path, names))
    table = parquets.opened(path)
    empty = table.empty if names is None else arrow.select(table.empty, names)
    columns = _columns(empty)
    scan = pl.scan_parquet(list(table.files), glob=False, hive_partitioning=False)
    scan = scan.select(list(columns))
    if scan.collect_schema() == {name: column.dtype for name, column in columns.items()}:
        return scan  # polars reads each column as what it would be as a whole

    def parts(names: list[str], count: int | None, size: int | None) -> Iterator[Any]:
        left = table.rows if count is None else min(count, table.rows)
        for part in table.parts(tuple(names)):
            yield from _slices(part.slice(0, left), size)
            left = max(0, left - part.num_rows)

    return _scan(columns, parts)


def _scan(
    columns: dict[str, Column], parts: Callable[[list[str], int | None, int | None], Iterator[Any]]
) -> Any:
    """A lazy frame with these columns.

    Args:
        parts: gives rows of frozen tables: of these columns, at most so many, and so many at once.
    """

    def scan(
        names: list[str] | None, predicate: Any, count: int | None, size: int | None
    ) -> Iterator[Any]:
        wanted = columns if names is None else {name: columns[name] for name in names}
        for part in parts(list(wanted or columns), count, size):
            frame = _read(part, wanted)
            yield frame if predicate is None else frame.filter(predicate)

    schema = pl.Schema({name: column.dtype for name, column in columns.items()})
    return register_io_source(scan, schema=schema, is_pure=True, explain_name="checkpoint")


def batches(value: Any) -> Iterator[Any]:
    """The batches of a `polars.LazyFrame`, in the order of its rows, from the streaming engine."""
    _expect(value, pl.LazyFrame)
    is_empty = True
    for batch in pulled(value):
        is_empty = False
        yield batch
        del batch  # or it is held while the next one is waited for
    if is_empty:
        yield pl.DataFrame(schema=value.collect_schema())


def prepare(room: Room) -> None:
    """Let polars spill to disk when it holds more than a step may take.

    polars counts what it has allocated itself. It reads the number of threads and the folder, and
    makes its own folder within that, only once in a process. What the user has set stays.
    """
    megabytes = {
        "POLARS_OOC_MEMORY_BUDGET_MB": room.memory // 10**6,
        "POLARS_OOC_DISK_BUDGET_MB": room.disk // 10**6,
    }
    for name, amount in megabytes.items():
        if name not in _set_by_user:
            os.environ[name] = str(amount)
    os.environ.setdefault("POLARS_OOC_SPILL_DIR", str(room.spill))
    os.environ.setdefault("POLARS_MAX_THREADS", str(room.threads))
    pl.Config.reload_env_vars()
    # The folder is removed after each step, and polars would then keep all in memory.
    own = Path(os.environ["POLARS_OOC_SPILL_DIR"]) / str(os.getpid())
    own.mkdir(0o700, parents=True, exist_ok=True)


def _frozen(value: Any, *, keeps_categories: bool) -> Any:
    if value.height and not value.width:
        raise InexactValue(
            f"the frame has {value.height} rows and no columns, and a file gives back no rows "
            "without columns; keep a column, or return the number of rows"
        )
    for name, dtype in value.schema.items():
        _require_kept(dtype, f"column {name!r}")
    arrays = []
    for series in value.iter_columns():
        is_kept = isinstance(series.dtype, pl.Enum) or (
            keeps_categories and isinstance(series.dtype, pl.Categorical)
        )
        plain = series.dtype if is_kept else _without_categories(series.dtype)
        array = (series if plain == series.dtype else series.cast(plain)).to_arrow(
            compat_level=_FOR_OTHERS
        )
        arrays.append(settled(array, by_appearance=isinstance(series.dtype, pl.Categorical)))
    table = arrow.freeze(pa.Table.from_arrays(arrays, names=value.columns))
    given = value.clear().to_arrow(compat_level=_FOR_OTHERS).schema
    return table.replace_schema_metadata({_KEY: pack_table(no_rows(given))})


def _columns(frozen: Any) -> dict[str, Column]:
    """How polars reads each column of a frozen table, by its name; raises InexactValue."""
    recipe = arrow.recipe_of(frozen)
    index = {} if recipe is None else recipe["index"]
    if not frozen.num_columns and len(range(*index.get("range", [0]))):
        raise InexactValue(
            "the table has rows and no columns, which a frame of polars would lose; keep a column"
        )
    if len(set(frozen.column_names)) < frozen.num_columns:
        raise InexactValue(
            "the table has several columns of one name, which polars does not have; give every "
            "column a name of its own with table.rename_columns(...)"
        )
    metadata = frozen.schema.metadata or {}
    noted = unpack_table(metadata[_KEY]).schema if _KEY in metadata else pa.schema([])
    recipes = [None] * frozen.num_columns if recipe is None else arrow.column_recipes(recipe)
    empty = frozen.slice(0, 0)
    return {
        name: column_of(name, column, of_it, noted.field(name) if name in noted.names else None)
        for name, column, of_it in zip(empty.column_names, empty.columns, recipes, strict=True)
    }


def _read(frozen: Any, columns: dict[str, Column]) -> Any:
    if not columns:
        return pl.DataFrame(height=frozen.num_rows)
    return pl.DataFrame([read(frozen.column(name), column) for name, column in columns.items()])


def _slices(frozen: Any, size: int | None) -> Iterator[Any]:
    """Slices of a table, one at least, of about 2 MiB each, and of at most `size` rows."""
    rows = max(1, _SLICE * frozen.num_rows // max(1, arrow.own_bytes(frozen)))
    rows = rows if size is None else min(rows, size)
    for start in range(0, max(1, frozen.num_rows), rows):
        yield frozen.slice(start, rows)


def _without_categories(dtype: Any) -> Any:
    """The type with text in place of all categories: of a Categorical, and within other types."""
    if isinstance(dtype, (pl.Categorical, pl.Enum)):
        return pl.String()
    if isinstance(dtype, pl.List):
        return pl.List(_without_categories(dtype.inner))
    if isinstance(dtype, pl.Array):
        return pl.Array(_without_categories(dtype.inner), dtype.size)
    if isinstance(dtype, pl.Struct):
        return pl.Struct({f.name: _without_categories(f.dtype) for f in dtype.fields})
    return dtype


def _require_kept(dtype: Any, where: str) -> None:
    for kinds, what, remedy in _REFUSED:
        if isinstance(dtype, kinds):
            raise InexactValue(f"{where} holds {what} ({dtype}), which no file keeps; {remedy}")
    if isinstance(dtype, pl.Array) and 0 in dtype.shape:
        raise InexactValue(f"{where} holds arrays of no elements ({dtype}); drop it")
    if isinstance(dtype, (pl.List, pl.Array)):
        _require_kept(dtype.inner, where)
    if isinstance(dtype, pl.Struct):
        for field in dtype.fields:
            _require_kept(field.dtype, where)


_REFUSED: tuple[tuple[tuple[Any, ...], str, str], ...] = (
    ((pl.Object,), "Python objects", "convert them to a dtype of polars"),
    ((pl.Unknown,), "values of no known type", "cast it to a dtype of polars"),
    (
        (pl.Int128, pl.UInt128),
        "integers of 128 bits",
        "cast it to pl.Decimal(38, 0), pl.Int64 or pl.String",
    ),
    ((pl.BaseExtension,), "an extension type", "use its storage, with .ext.storage()"),
)


def _expect(value: Any, expected: type) -> None:
    kind = type(value)
    if kind is not expected:
        remedy = _REMEDIES.get((kind, expected))
        if remedy is None and kind.__module__.partition(".")[0] == "pandas":
            remedy = "return pl.from_pandas(result)" + ".lazy()" * (expected is pl.LazyFrame)
        raise InexactValue(
            f"the step promised a polars.{expected.__name__} and returned "
            f"{kind.__module__}.{kind.__qualname__}; "
            f"{remedy or 'return one, or annotate what the step does return'}"
        )


_REMEDIES: dict[tuple[type, type], str] = {
    (pl.LazyFrame, pl.DataFrame): "return result.collect(), or annotate the step polars.LazyFrame",
    (pl.DataFrame, pl.LazyFrame): "return result.lazy(), or annotate the step polars.DataFrame",
    (pa.Table, pl.DataFrame): "return pl.from_arrow(result), or annotate the step pyarrow.Table",
}
