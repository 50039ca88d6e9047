"""The types and formats of the template: which codec, which file, in which module.

The modules are imported on first use, so that a command starts without pandas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from .applications import Application
from .on_disk import PARQUETS
from .room import Room


@dataclass(frozen=True)
class Codec:
    """A type that steps exchange, and how it becomes the frozen form of its family and back."""

    name: str
    """The name of the codec in a manifest."""

    type_name: str
    """The module and name of the class: `pandas.DataFrame`."""

    family: str
    """Types of one family share a frozen form: a value may be loaded as another of them."""

    freeze: Callable[[Any], Any]
    """Turns a value into its frozen form, which may share the value's memory: nobody may use the
    value afterwards. Raises InexactValue for a value that would not come back exactly."""

    thaw: Callable[[Any], Any]
    """Turns any frozen form of the family, whichever codec froze it, into a value that a step may
    change without an effect on the frozen form."""

    batches: Callable[[Any], Iterator[Any]] | None = None
    """Of a type whose values are computed while they are written: the batches of a value, in order,
    which `freeze` then freezes one by one. What the iterator raises, the step has raised."""

    prepare: Callable[[Room], None] | None = None
    """Tells the library of the type, before a step that takes or returns it, what it may take."""

    release: Callable[[], None] | None = None
    """Has the library let go of what it holds, after such a step: its value is on disk by then."""

    store: Callable[[Any, Path], None] | None = None
    """Of a type whose library writes its values itself: has it write what `freeze` returned to a
    new folder, as Parquet files of one table, named in the order of its rows. What it raises, the
    step has raised. Such a type reads the values of others from Parquet, too."""

    open: Callable[[Path, tuple[str, ...] | None], Any] | None = None
    """Of a type that reads a table from its files: the value that a step may change, of a file of
    the format `parquet` or a folder of the format `parquets`, or the named columns of it."""

    running: Callable[[], bool] | None = None
    """Whether the library runs in this process already, so that `open` costs next to nothing."""

    close: Callable[[], None] | None = None
    """Ends what the library runs. It is called when all steps of a process have ended, however."""

    check: Callable[[Room], None] | None = None
    """Refuses, before any step runs, what the place where the library works cannot give. It is
    called in the process of the command, and imports no library."""

    figures: Callable[[], Application | None] | None = None
    """What the library says that it has taken until now, where it works in other processes."""

    meant: Callable[[Exception], Exception] | None = None
    """The error to raise in place of one that a step has raised, of the library or of another."""


@dataclass(frozen=True)
class Format:
    """A kind of file for the frozen forms of one family."""

    name: str
    """The name of the format in a manifest and in `[checkpoints] format`."""

    suffix: str
    """The suffix of the files, with the dot."""

    family: str

    write: Callable[[Any, BinaryIO], None]
    """Writes a frozen form to a file. It calls only the file's `flush`, `tell` and `write`, the
    last with bytes-like chunks that may be as large as a column."""

    read: Callable[[Path, tuple[str, ...] | None], Any]
    """Reads a frozen form from a path, mapped where the format allows it. Of a table it reads only
    the named columns, or all columns for None."""

    is_exact: bool = True
    """Whether `read` gives back what was written; the others are for people and other programs."""


def late(module: str, function: str) -> Callable[..., Any]:
    """A function of a module of this package, which is imported at the first call."""

    def call(*args: Any) -> Any:
        return getattr(import_module(f".{module}", __package__), function)(*args)

    return call


CODECS: dict[str, Codec] = {
    name: Codec(name, type_name, family, late(module, freeze), late(module, thaw))
    for name, type_name, family, module, freeze, thaw in (
        ("DataFrame", "pandas.DataFrame", "table", "table.frames", "freeze_frame", "thaw_frame"),
        ("Series", "pandas.Series", "table", "table.frames", "freeze_series", "thaw_series"),
        ("Table", "pyarrow.Table", "table", "table.arrow", "freeze", "thaw"),
        (
            "RecordBatch",
            "pyarrow.RecordBatch",
            "table",
            "table.arrow",
            "freeze_batch",
            "thaw_batch",
        ),
        ("Index", "pandas.Index", "table", "table.whole_index", "freeze", "thaw"),
        ("ndarray", "numpy.ndarray", "array", "arrays", "freeze", "thaw"),
        ("sparse", "scipy.sparse.csr_array", "sparse", "matrices", "freeze", "thaw"),
        ("model", "sklearn.base.BaseEstimator", "model", "models", "freeze", "thaw"),
        ("json", "json", "json", "plain", "freeze", "thaw"),
        ("Path", "pathlib.Path", "path", "paths", "freeze", "thaw"),
        ("several", "several", "index", "several", "freeze", "thaw"),
    )
}
_prepare_polars = late("engines.polars", "prepare")
CODECS |= {
    "RecordBatchReader": Codec(
        "RecordBatchReader",
        "pyarrow.RecordBatchReader",
        "table",
        late("table.arrow", "freeze_batch"),
        late("table.arrow", "thaw_reader"),
        batches=late("table.arrow", "batches_of"),
    ),
    "polars.DataFrame": Codec(
        "polars.DataFrame",
        "polars.DataFrame",
        "table",
        late("engines.polars", "freeze_frame"),
        late("engines.polars", "thaw_frame"),
        prepare=_prepare_polars,
    ),
    "polars.LazyFrame": Codec(
        "polars.LazyFrame",
        "polars.LazyFrame",
        "table",
        late("engines.polars", "freeze_batch"),
        late("engines.polars", "thaw_lazy"),
        batches=late("engines.polars", "batches"),
        prepare=_prepare_polars,
        open=late("engines.polars", "open_lazy"),
    ),
    "DuckDBPyRelation": Codec(
        "DuckDBPyRelation",
        "duckdb.DuckDBPyRelation",
        "table",
        late("engines.duckdb", "freeze"),
        late("engines.duckdb", "thaw"),
        batches=late("engines.duckdb", "batches"),
        prepare=late("engines.duckdb", "prepare"),
        release=late("engines.duckdb", "release"),
        open=late("engines.duckdb", "open_relation"),
    ),
    "pyspark.sql.DataFrame": Codec(
        "pyspark.sql.DataFrame",
        "pyspark.sql.DataFrame",
        "table",
        late("engines.spark", "freeze"),
        late("engines.spark", "thaw"),
        prepare=late("engines.spark", "prepare"),
        release=late("engines.spark", "release"),
        store=late("engines.spark", "store"),
        open=late("engines.spark", "open_frame"),
        running=late("engines.spark", "is_running"),
        close=late("engines.spark", "close"),
        check=late("engines.spark_place", "check"),
        figures=late("engines.spark_session", "figures"),
        meant=late("engines.spark_errors", "meant"),
    ),
}
FORMATS: dict[str, Format] = {
    name: Format(name, suffix, family, late(module, "write"), late(module, "read"))
    for name, suffix, family, module in (
        ("arrow", ".arrow", "table", "table.arrow"),
        ("parquet", ".parquet", "table", "table.parquet"),
        ("npy", ".npy", "array", "arrays"),
        ("npz", ".npz", "sparse", "matrices"),
        ("skops", ".skops", "model", "models"),
        ("json", ".json", "json", "plain"),
        ("index", ".json", "index", "several"),
    )
}


def _stored(frozen: Any, file: BinaryIO) -> None:
    raise AssertionError("the library of the type writes the folder itself")


FORMATS[PARQUETS] = Format(
    PARQUETS, ".parquet", "table", _stored, late("table.parquets", "read"), is_exact=True
)


def _unread(path: Path, columns: tuple[str, ...] | None) -> Any:
    raise AssertionError(f"{path} is published, and no step reads it")


_TEXTS = (
    *(".txt", ".md", ".rst", ".html", ".htm", ".xml", ".svg", ".sql", ".tex", ".csv", ".tsv"),
    *(".yaml", ".yml", ".toml", ".ini", ".geojson", ".dot", ".css", ".js", ".py", ".log"),
)
PUBLISHED: dict[tuple[str, str], Format] = {
    (family, suffix): Format(
        name, suffix, family, late(f"published.{module}", write), _unread, is_exact=False
    )
    for family, suffix, name, module, write in (
        ("table", ".csv", "csv", "texts", "write_csv"),
        ("table", ".csv.gz", "csv.gz", "texts", "write_csv_gz"),
        ("table", ".json", "json records", "texts", "write_json"),
        ("table", ".jsonl", "json lines", "texts", "write_jsonl"),
        ("table", ".feather", "feather", "feather", "write_feather"),
        ("table", ".arrow", "arrow for others", "feather", "write_arrow"),
        ("table", ".xlsx", "xlsx", "excel", "write"),
        ("array", ".csv", "array csv", "texts", "write_array_csv"),
        *(("json", suffix, f"text {suffix}", "texts", "write_text") for suffix in _TEXTS),
    )
}
NEEDED = {".xlsx": "xlsxwriter"}  # a library that no project has unless it adds it

PUBLIC_NAMES = {
    "polars.dataframe.frame.DataFrame": "polars.DataFrame",
    **{
        f"pyspark.sql.{module}.DataFrame": "pyspark.sql.DataFrame"
        for module in ("dataframe", "classic.dataframe", "connect.dataframe")
    },
    "polars.lazyframe.frame.LazyFrame": "polars.LazyFrame",
    **{
        f"{module}.DuckDBPyRelation": "duckdb.DuckDBPyRelation"
        for module in ("_duckdb", "duckdb.duckdb", "duckdb._relation")
    },
    **{f"pyarrow.lib.{n}": f"pyarrow.{n}" for n in ("Table", "RecordBatch", "RecordBatchReader")},
    **{
        f"pandas.{kind}Index": "pandas.Index"
        for kind in ("Range", "Multi", "Datetime", "Timedelta", "Period", "Categorical", "Interval")
    },
}
# Of other modules, a class that JSON keeps may have a codec of the project's own.
ALWAYS_PLAIN = ("builtins", "datetime")
# A codec for all subclasses of a class, and the package that it needs.
BY_BASE = {
    "scipy.sparse._base._spbase": ("sparse", "scipy"),
    "sklearn.base.BaseEstimator": ("model", "skops"),
}
