"""Which types a step may return, and what to write in place of each other type.

The codecs, the command `review` and the documentation read this one table. A type goes by the name
that people write, such as `polars.DataFrame`; `polars.*` means all types of a package.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Kept:
    """Types that come back exactly."""

    types: tuple[str, ...]
    """As a step's annotation has them."""

    form: str
    """How a checkpoint keeps them."""


@dataclass(frozen=True)
class Refused:
    """Types that no checkpoint keeps, because they would not come back as they were."""

    what: str
    """What they are, in a noun."""

    types: tuple[str, ...]
    """Names of classes, of which subclasses count too, and of packages: `polars.*`."""

    remedy: str
    """What to write instead, as an order."""


KEPT = (
    Kept(
        (
            *("pandas.DataFrame", "pandas.Series", "pyarrow.Table", "pyarrow.RecordBatchReader"),
            *("polars.DataFrame", "polars.LazyFrame", "duckdb.DuckDBPyRelation"),
            "pyspark.sql.DataFrame",
        ),
        "a table, with dtypes and index; sparse columns keep the values that they store; lazy ones "
        "are written batch by batch, those of Spark by Spark itself, without an order of rows; for "
        "those of polars, DuckDB and Spark `uv add` the library first",
    ),
    Kept(
        (
            *("pandas.Index", "pandas.RangeIndex", "pandas.MultiIndex", "pandas.DatetimeIndex"),
            *("pandas.TimedeltaIndex", "pandas.PeriodIndex", "pandas.CategoricalIndex"),
            "pandas.IntervalIndex",
        ),
        "a table of its levels, with names and frequency",
    ),
    Kept(("numpy.ndarray", "numpy.typing.NDArray"), "a .npy file, with dtype and order"),
    Kept(
        ("scipy.sparse.csr_array", "scipy.sparse.csr_matrix", "scipy.sparse.*"),
        "its arrays in one .npz file; csr, csc, bsr, coo and dia",
    ),
    Kept(
        ("sklearn.base.BaseEstimator", "sklearn.*"),
        "a .skops file, after `uv add skops`; never a pickle",
    ),
    Kept(("pathlib.Path",), "the file or folder that the step made in its `workdir`"),
    Kept(("bool", "int", "float", "str", "None", "dict", "list"), "JSON"),
    Kept(
        (
            *("complex", "bytes", "tuple", "set", "frozenset", "datetime.date"),
            *("datetime.datetime", "datetime.time", "datetime.timedelta", "decimal.Decimal"),
            *("uuid.UUID", "pandas.Timestamp", "pandas.Timedelta", "numpy.float64"),
        ),
        "JSON with the name of the type beside the value; so are all NumPy scalars of at most 64 "
        "bits, and dicts whose keys are not str",
    ),
    Kept(
        ("dataclasses.dataclass", "typing.NamedTuple", "pydantic.BaseModel", "enum.Enum"),
        "JSON with the fields of the class, if all of them are of types that JSON keeps",
    ),
)

_MODEL = (
    "write the model in its library's own format to a file in `workdir` and return its Path; a "
    "later step reads the file"
)
_CONNECTION = (
    "take the address or path as a parameter and open it inside of each step that uses it; return "
    "what was read"
)

REFUSED = (
    Refused(
        "a scikit-learn model",
        ("sklearn.*", "sklearn.base.BaseEstimator"),
        "add skops to the project, with `uv add skops`, and models are kept as .skops files; or "
        + _MODEL,
    ),
    Refused(
        "a model of XGBoost",
        ("xgboost.*",),
        'use model.save_model(workdir / "model.ubj") and return that Path; a later step calls '
        "load_model",
    ),
    Refused(
        "a model of LightGBM",
        ("lightgbm.*",),
        "use booster.save_model(path) with a path in `workdir`, of a scikit-learn wrapper "
        "model.booster_.save_model(path), and return the Path",
    ),
    Refused(
        "a model of CatBoost",
        ("catboost.*",),
        'use model.save_model(workdir / "model.cbm") and return that Path',
    ),
    Refused("a tensor", ("torch.Tensor",), "return tensor.detach().cpu().numpy() as numpy.ndarray"),
    Refused(
        "a model of PyTorch",
        ("torch.*",),
        "write its state_dict with safetensors.torch.save_file to a file in `workdir` and return "
        "the Path",
    ),
    Refused(
        "a model of Keras or TensorFlow",
        ("keras.*", "tensorflow.*"),
        'use model.save(workdir / "model.keras") and return that Path',
    ),
    Refused(
        "a fitted model",
        ("statsmodels.*", "prophet.*", "transformers.*", "spacy.*"),
        "return the numbers that later steps need, such as its coefficients; or " + _MODEL,
    ),
    Refused(
        "a figure",
        ("matplotlib.*", "seaborn.*"),
        'use figure.savefig(workdir / "figure.png") and return that Path, or draw it in the step '
        "that publishes it",
    ),
    Refused(
        "a figure of Plotly",
        ("plotly.*",),
        'use figure.write_html(workdir / "figure.html") and return that Path',
    ),
    Refused(
        "a chart",
        ("altair.*", "bokeh.*"),
        "save it to a file in `workdir` (Altair: chart.save) and return that Path, or return "
        "chart.to_json() as str",
    ),
    Refused(
        "a picture",
        ("PIL.*",),
        "return np.asarray(image) as numpy.ndarray, or save it to a "
        "file in `workdir` and return that Path",
    ),
    Refused(
        "another type of Polars",
        ("polars.*",),
        "return a polars.DataFrame: series.to_frame(), groups.agg(...), frame.select(expression)",
    ),
    Refused(
        "a connection or statement of DuckDB",
        ("duckdb.*", "_duckdb.*"),
        "return a duckdb.DuckDBPyRelation; duckdb.sql(\"ATTACH 'FILE'\") opens a file in a step",
    ),
    Refused(
        "another type of Spark",
        ("pyspark.*",),
        "return a pyspark.sql.DataFrame: groups.agg(...), frame.select(column), rdd.toDF(schema)",
    ),
    Refused("a frame of Dask", ("dask.*",), "return frame.compute() as pandas.DataFrame"),
    Refused("a frame of Modin", ("modin.*",), "return modin.utils.to_pandas(frame)"),
    Refused(
        "a DataFrame of GeoPandas",
        ("geopandas.*",),
        "write it with frame.to_parquet to a file in `workdir` and return that Path; a later step "
        "reads it with geopandas.read_parquet",
    ),
    Refused("a geometry", ("shapely.*",), "return geometry.wkb as bytes, or geometry.wkt as str"),
    Refused(
        "a DataFrame that pandera checks",
        ("pandera.*",),
        "annotate the step pandas.DataFrame, and call Schema.validate(frame) in its body",
    ),
    Refused(
        "an array of xarray",
        ("xarray.*",),
        "write it with to_netcdf or to_zarr to `workdir` "
        "and return that Path, or return data.to_dataframe()",
    ),
    Refused(
        "an array or dataset of Arrow",
        ("pyarrow.*",),
        "return a pyarrow.Table: pa.table({'x': array}); of a dataset "
        "dataset.scanner().to_reader() as pyarrow.RecordBatchReader",
    ),
    Refused(
        "groups or windows that were not computed",
        ("pandas.api.*", "pandas.core.groupby.*", "pandas.core.window.*", "pandas.core.resample.*"),
        "return the result, such as groups.agg(...), or group again in the step that needs it",
    ),
    Refused(
        "a writer or store",
        ("pandas.ExcelWriter", "pandas.HDFStore", "pandas.ExcelFile"),
        "open it inside of the step, write to a path in `workdir`, and return that Path",
    ),
    Refused(
        "a Period",
        ("pandas.Period",),
        "return period.start_time as pandas.Timestamp, or "
        "str(period); a column or index of periods is kept",
    ),
    Refused(
        "an Interval",
        ("pandas.Interval",),
        "return (interval.left, interval.right) as tuple; a column or index of intervals is kept",
    ),
    Refused(
        "a date offset",
        ("pandas.tseries.*", "pandas.offsets.*", "pandas.DateOffset"),
        "return offset.freqstr as str",
    ),
    Refused(
        "an array of pandas",
        ("pandas.Categorical", "pandas.arrays.*", "pandas.core.arrays.*"),
        "return pandas.Series(array)",
    ),
    Refused(
        "an array with a mask", ("numpy.ma.*",), "return array.filled(...), or a frame with NaN"
    ),
    Refused(
        "a generator of random numbers",
        ("numpy.random.*", "random.Random"),
        "take a seed from [params] and make the generator inside of each step",
    ),
    Refused(
        "a number of more than 64 bits",
        ("numpy.longdouble", "numpy.clongdouble"),
        "return float(value)",
    ),
    Refused(
        "a NumPy type without one size",
        ("numpy.generic", "numpy.number", "numpy.integer", "numpy.floating", "numpy.inexact"),
        "name the type: numpy.float64, say, or float",
    ),
    Refused(
        "a database connection or engine",
        ("sqlite3.*", "sqlalchemy.*", "psycopg.*", "psycopg2.*", "pymysql.*", "pymongo.*"),
        _CONNECTION,
    ),
    Refused(
        "a session or socket",
        ("requests.*", "httpx.*", "aiohttp.*", "socket.*", "boto3.*"),
        _CONNECTION,
    ),
    Refused(
        "an open file",
        (
            *("io.*", "_io.*", "typing.IO", "typing.TextIO", "typing.BinaryIO", "tempfile.*"),
            *("zipfile.ZipFile", "tarfile.TarFile", "gzip.GzipFile"),
        ),
        "write to a path in `workdir`, close the file, and return the Path",
    ),
    Refused(
        "a generator or iterator",
        (
            *("typing.Iterator", "typing.Generator", "typing.Iterable", "typing.AsyncIterator"),
            *("collections.abc.Iterator", "collections.abc.Generator", "collections.abc.Iterable"),
            *("collections.abc.AsyncIterator", "collections.abc.AsyncGenerator", "itertools.*"),
            *("types.GeneratorType", "map", "filter", "zip", "enumerate", "reversed"),
        ),
        "return a list; batches of a table come as Iterator[pandas.DataFrame], say",
    ),
    Refused(
        "a coroutine or future",
        ("collections.abc.Awaitable", "typing.Awaitable", "asyncio.*", "concurrent.futures.*"),
        "wait for it inside of the step and return its result",
    ),
    Refused(
        "a function or class",
        (
            *("collections.abc.Callable", "typing.Callable", "types.FunctionType", "type"),
            *("types.MethodType", "types.BuiltinFunctionType", "types.LambdaType", "functools.*"),
            *("typing.Type", "types.ModuleType"),
        ),
        "write it as a function of a module beside `segments`, import it where it is called, and "
        "return the numbers or text that it needs",
    ),
    Refused(
        "any type at all",
        ("typing.Any", "object", "typing.TypeVar"),
        "name the type that the step returns, such as pandas.DataFrame",
    ),
    Refused(
        "an abstract type",
        (
            *("typing.Sequence", "typing.Mapping", "typing.MutableMapping", "typing.Collection"),
            *("typing.AbstractSet", "typing.MutableSequence", "typing.Hashable", "typing.Sized"),
            *("collections.abc.*", "numbers.*"),
        ),
        "name the type that comes back: list, tuple, dict or set; float for a number; "
        "numpy.ndarray for an array",
    ),
    Refused(
        "a dict or list of a special kind",
        (
            *("collections.OrderedDict", "collections.defaultdict", "collections.Counter"),
            *("collections.ChainMap", "collections.UserDict", "types.MappingProxyType"),
            *("typing.DefaultDict", "typing.OrderedDict", "typing.Counter"),
        ),
        "return dict(value)",
    ),
    Refused(
        "a queue",
        ("collections.deque", "collections.UserList", "array.array", "queue.*", "typing.Deque"),
        "return list(value)",
    ),
    Refused("bytes that change", ("bytearray", "memoryview"), "return bytes(value)"),
    Refused(
        "a Fraction",
        ("fractions.Fraction",),
        "return (value.numerator, value.denominator) as tuple[int, int]",
    ),
    Refused(
        "a range or slice", ("range", "slice"), "return list(value), or start, stop, step as tuple"
    ),
    Refused(
        "a time zone",
        ("datetime.tzinfo", "datetime.timezone", "zoneinfo.ZoneInfo"),
        "return its name as str",
    ),
    Refused("an address", ("ipaddress.*",), "return str(address)"),
    Refused(
        "a pattern", ("re.*",), "return pattern.pattern as str, and compile it inside of the step"
    ),
    Refused("a document", ("xml.*", "lxml.*", "bs4.*"), "return its text as str"),
    Refused(
        "a path that is no concrete file",
        ("os.PathLike", "pathlib.PurePath", "pathlib.PosixPath", "pathlib.PurePosixPath"),
        "annotate pathlib.Path, and return a file in `workdir`; for the name of a file alone "
        "return str(path)",
    ),
    Refused("a logger", ("logging.*",), "call logging.getLogger inside of the step"),
    Refused(
        "a lock, thread or process",
        ("threading.*", "multiprocessing.*", "subprocess.*"),
        "make it inside of the step, and return what it computed",
    ),
    Refused("an error", ("BaseException", "Exception"), "raise it, or return str(error)"),
    Refused(
        "a path within another value",
        ("pathlib.Path",),
        "write all files into one folder in `workdir` and return the Path of the folder",
    ),
    Refused(
        "a table or array within another value, or a subclass of one",
        (
            *("pandas.DataFrame", "pandas.Series", "pandas.Index", "pyarrow.lib.Table"),
            *("numpy.ndarray", "polars.DataFrame", "polars.dataframe.frame.DataFrame"),
            *("polars.LazyFrame", "polars.lazyframe.frame.LazyFrame"),
            *("duckdb.DuckDBPyRelation", "duckdb._relation.DuckDBPyRelation"),
            *("pyspark.sql.DataFrame", "pyspark.sql.dataframe.DataFrame"),
        ),
        "return each table and array from a step of its own; of a subclass return "
        "pandas.DataFrame(frame), say, and annotate that",
    ),
    Refused(
        "a namespace",
        ("types.SimpleNamespace", "argparse.Namespace"),
        "return vars(value), or a dataclass",
    ),
)

GENERAL = (
    "return a DataFrame, Series, pyarrow.Table, NumPy array, a Path within `workdir`, or numbers, "
    "text, dicts, lists and dataclasses of these; or register a codec in adapters.py"
)


def refused(names: Iterable[str]) -> Refused | None:
    """The entry for a type that goes by these names, its own first; None: no entry names it.

    The names are those of a class and of its bases. The name of a class comes before that of a
    package.
    """
    for name in names:
        package = name
        while package:
            if package in _EXACT and package == name:
                return _EXACT[package]
            if package in _PACKAGES:
                return _PACKAGES[package]
            package = package.rpartition(".")[0]
    return None


_EXACT = {name: entry for entry in REFUSED for name in entry.types if not name.endswith(".*")}
_PACKAGES = {
    name.removesuffix(".*"): entry for entry in REFUSED for name in entry.types if ".*" in name
}
