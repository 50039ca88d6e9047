"""What each engine reads of what each engine wrote, type by type: the table of the documentation.

    python -m tests.engine_types

writes it to the page about engines of a generated project, in English and in Spanish. A test
compares the pages with what the libraries do now.
"""

from __future__ import annotations

import datetime as dt
import io
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyspark.sql
from flight_delays.checkpointing.base.errors import InexactValue
from flight_delays.checkpointing.codecs import (
    PARQUETS,
    Codec,
    OnDisk,
    Room,
    codec_of,
    format_named,
    select,
)
from flight_delays.checkpointing.codecs.engines import spark_session
from flight_delays.checkpointing.codecs.table import arrow

from .runtime.codecs import kinds
from .spark import application

ROOT = Path(__file__).parents[1]
PAGES = {
    "en": ROOT / "{{cookiecutter.__project_slug}}" / "docs" / "engine-types.md",
    "es": ROOT / "templates" / "es" / "docs" / "engine-types.md",
}
COLUMN = "x"
ROW = "row"
ROWS = 3
REFUSED = "refused"


@dataclass(frozen=True)
class Engine:
    """A library whose tables steps exchange."""

    name: str

    kind: Any
    """The class of its tables."""

    make: Callable[[Mapping[str, Any]], Any]
    """A table of some columns, from what `columns` has, and of the numbers of its rows."""

    columns: Mapping[str, Any]
    """By the name of a type a column of it, as `make` takes it."""

    type_of: Callable[[Any, str], str]
    """The type of a column of a table, as the engine calls it."""

    @property
    def codec(self) -> Codec:
        codec = codec_of(self.kind)
        assert codec is not None
        return codec

    def check(self, value: Any) -> None:
        """Raise InexactValue if the table cannot be kept."""
        if self.codec.store is not None:
            self.codec.freeze(value)
        else:
            self.write(value)

    def write(self, value: Any) -> Any:
        """The frozen form of a table, as a later step finds it on disk."""
        codec = self.codec
        if codec.store is not None:
            folder = Path(tempfile.mkdtemp(dir=FILES.name)) / "x.parquet"
            codec.store(codec.freeze(value), folder)
            return OnDisk(folder, PARQUETS)
        batches = [value] if codec.batches is None else codec.batches(value)
        tables = [codec.freeze(batch) for batch in batches]
        file = io.BytesIO()
        arrow.write(pa.concat_tables(tables) if len(tables) > 1 else tables[0], file)
        return pa.ipc.open_file(pa.BufferReader(file.getvalue())).read_all()

    def read(self, frozen: Any, names: Iterable[str]) -> Any:
        """Some columns of the table as a step receives it that names the class."""
        columns = (ROW, *names)
        if not isinstance(frozen, OnDisk):
            return self.codec.thaw(select(frozen, columns))
        if self.codec.open is not None:
            return self.codec.open(frozen.path, columns)
        return self.codec.thaw(format_named(frozen.form).read(frozen.path, columns))


def _frame(kinds_of: Mapping[str, kinds.Kind]) -> Any:
    made = {ROW: range(ROWS)} | {name: pd.Series(make(ROWS)) for name, make in kinds_of.items()}
    return pd.DataFrame(made)


def _table(arrays: Mapping[str, Any]) -> Any:
    padded = {
        name: pa.concat_arrays([array, pa.nulls(ROWS - len(array), array.type)])
        if len(array) < ROWS
        else array
        for name, array in arrays.items()
    }
    return pa.table({ROW: pa.array(range(ROWS))} | padded)


def _polars(columns: Mapping[str, Any]) -> Any:
    padded = [
        series.extend_constant(None, ROWS - len(series)).alias(name)
        for name, series in columns.items()
    ]
    return pl.DataFrame([pl.Series(ROW, range(ROWS)), *padded])


def _relation(queries: Mapping[str, str]) -> Any:
    joined = [
        f"POSITIONAL JOIN ({query}) AS _{n}(x{n})" for n, query in enumerate(queries.values())
    ]
    named = [f'x{number} AS "{name}"' for number, name in enumerate(queries)]
    rows = f"FROM (SELECT range AS {ROW} FROM range({ROWS})) AS _rows"
    return duckdb.sql(" ".join([f"SELECT {', '.join([ROW, *named])}", rows, *joined]))


def _spark(columns: Mapping[str, tuple[str, ...]]) -> Any:
    rows = [
        ", ".join(
            [f"{number}L AS {ROW}"]
            + [
                f"{(expressions * ROWS)[number]} AS `{name}`"
                for name, expressions in columns.items()
            ]
        )
        for number in range(ROWS)
    ]
    return spark_session.session().sql(" UNION ALL ".join(f"SELECT {row}" for row in rows))


PANDAS_KINDS = {
    **{name: kinds.FLAT[name] for name in ("int64", "int8", "uint32", "huge uint64", "Int64")},
    "Int64, one missing": kinds.FLAT["Int64, one missing"],
    **{name: kinds.FLAT[name] for name in ("float32", "float64", "float64, one missing")},
    **{name: kinds.FLAT[name] for name in ("Float64, one missing", "bool", "boolean")},
    "boolean, one missing": kinds.FLAT["boolean, one missing"],
    **{name: kinds.FLAT[name] for name in ("str", "str, one missing", "string[python]")},
    "string[pyarrow]": kinds.FLAT["string[pyarrow]"],
    **{name: kinds.FLAT[name] for name in ("object str", "object bytes", "object date")},
    "object Decimal": kinds.FLAT["object Decimal"],
    "object None": kinds.OBJECTS["object None"],
    **{f"datetime {unit}": kinds.FLAT[f"datetime {unit}"] for unit in ("s", "ms", "us", "ns")},
    "datetime ns, one missing": kinds.FLAT["datetime ns, one missing"],
    **{name: kinds.FLAT[name] for name in ("datetime UTC", "datetime Madrid", "datetime -01:00")},
    **{name: kinds.FLAT[name] for name in ("timedelta s", "timedelta ns", "period M")},
    "interval right of int64": kinds.FLAT["interval right of int64"],
    **{f"category of {name}": kinds.CATEGORIES[f"category of {name}"] for name in ("str", "int64")},
    "category of datetime us": kinds.CATEGORIES["category of datetime us"],
    "arrow list": kinds.NESTED["arrow list"],
    "arrow struct": kinds.NESTED["arrow struct"],
    "object list": kinds.OBJECTS["object list"],
    "object dict": kinds.OBJECTS["object dict"],
    "object time": kinds.OBJECTS["object time"],
}
_DAY, _MOMENT = dt.date(2013, 1, 31), dt.datetime(2013, 1, 31, 1, 2, 3, 456789)
ARROW_VALUES: dict[str, Any] = (
    {
        "double, NaN and null": pa.array([1.5, None, float("nan")]),
    }
    | {
        str(kind): pa.array(values, kind)
        for kind, values in (
            (pa.int64(), [1, None, 2**53 + 1]),
            (pa.uint64(), [1, None, 2**64 - 1]),
            (pa.float16(), [np.float16(1.5), None]),
            (pa.float64(), [1.5, None]),
            (pa.bool_(), [True, None]),
            (pa.null(), [None, None]),
            *((make(), ["é", None, ""]) for make in (pa.string, pa.large_string, pa.string_view)),
            *((make(), [b"\xff", None]) for make in (pa.binary, pa.large_binary, pa.binary_view)),
            (pa.binary(2), [b"ab", None]),
            (pa.decimal32(5, 2), [Decimal("1.10"), None]),
            (pa.decimal64(12, 2), [Decimal("1.10"), None]),
            (pa.decimal128(20, 2), [Decimal("1.10"), None]),
            (pa.decimal256(50, 2), [Decimal("1.10"), None]),
            (pa.date32(), [_DAY, None]),
            (pa.date64(), [_DAY, None]),
            (pa.time32("s"), [dt.time(1, 2, 3), None]),
            (pa.time32("ms"), [dt.time(1, 2, 3), None]),
            (pa.time64("us"), [dt.time(1, 2, 3, 4), None]),
            (pa.time64("ns"), [3_723_000_000_005, None]),
            *((pa.timestamp(unit), [1, None]) for unit in ("s", "ms", "us", "ns")),
            *((pa.timestamp(unit, "Europe/Madrid"), [1, None]) for unit in ("s", "us", "ns")),
            (pa.timestamp("us", "UTC"), [1, None]),
            *((pa.duration(unit), [1, None]) for unit in ("s", "ms", "us", "ns")),
            (pa.month_day_nano_interval(), [(1, 2, 3000), None]),
            (pa.list_(pa.int64()), [[1, None], None, []]),
            (pa.large_list(pa.string()), [["a"], None]),
            (pa.list_(pa.int8(), 2), [[1, 2], None]),
            (pa.struct([("a", pa.int8()), ("b", pa.string())]), [{"a": 1, "b": "x"}, None]),
            (pa.map_(pa.string(), pa.int64()), [[("a", 1)], None]),
            (pa.list_(pa.timestamp("ns", "Europe/Madrid")), [[1], None]),
        )
    }
    | {
        str(pa.dictionary(pa.int8(), kind, ordered)): pa.DictionaryArray.from_arrays(
            pa.array([1, None, 0], pa.int8()), pa.array(values, kind), ordered=ordered
        )
        for kind, values, ordered in (
            (pa.string(), ["b", "a", "unused"], False),
            (pa.string(), ["b", "a", "unused"], True),
            (pa.int64(), [5, 3], False),
        )
    }
)
_UNITS: tuple[Literal["ms", "us", "ns"], ...] = ("ms", "us", "ns")
POLARS_VALUES: dict[str, Any] = {
    "Float64, NaN and null": pl.Series([1.5, None, float("nan")]),
} | {
    str(series.dtype): series
    for series in (
        *(pl.Series([1, None, 100], dtype=kind) for kind in (pl.Int8, pl.Int64, pl.UInt8)),
        pl.Series([1, None, 2**64 - 1], dtype=pl.UInt64),
        pl.Series([1, None, 2**100], dtype=pl.Int128),
        *(pl.Series([1.5, None], dtype=kind) for kind in (pl.Float32, pl.Float64)),
        pl.Series([True, None], dtype=pl.Boolean),
        pl.Series(["é", None, ""], dtype=pl.String),
        pl.Series([b"\xff", None], dtype=pl.Binary),
        pl.Series([Decimal("1.10"), None], dtype=pl.Decimal(20, 2)),
        pl.Series([_DAY, None], dtype=pl.Date),
        pl.Series([dt.time(1, 2, 3, 4), None], dtype=pl.Time),
        *(pl.Series([_MOMENT, None], dtype=pl.Datetime(unit)) for unit in _UNITS),
        *(
            pl.Series([_MOMENT, None], dtype=kind).dt.convert_time_zone(zone)
            for kind, zone in (
                (pl.Datetime("us", "UTC"), "UTC"),
                (pl.Datetime("us", "UTC"), "Europe/Madrid"),
                (pl.Datetime("ns", "UTC"), "Europe/Madrid"),
            )
        ),
        *(pl.Series([1, None], dtype=pl.Duration(unit)) for unit in _UNITS),
        pl.Series(["b", None, "a"], dtype=pl.Categorical),
        pl.Series(["b", None, "a"], dtype=pl.Enum(["b", "a", "unused"])),
        pl.Series([[1, None], None, []], dtype=pl.List(pl.Int64)),
        pl.Series([[1, 2], None], dtype=pl.Array(pl.Int8, 2)),
        pl.Series([{"a": 1, "b": "x"}, None], dtype=pl.Struct({"a": pl.Int8, "b": pl.String})),
        pl.Series([None, None], dtype=pl.Null),
        pl.Series([object(), None], dtype=pl.Object),
    )
}
DUCKDB_VALUES: dict[str, Any] = {
    "DOUBLE, NaN and null": f"SELECT v::DOUBLE AS {COLUMN} FROM (VALUES ('1.5'), (NULL), ('nan'))"
    " AS t(v)",
    "HUGEINT of 39 digits": f"SELECT {2**127 - 1}::HUGEINT AS {COLUMN}",
} | {
    name: f"SELECT CAST(v AS {name}) AS {COLUMN} FROM (VALUES {rows}) AS t(v)"
    for name, rows in (
        *((name, "(1), (NULL), (100)") for name in ("TINYINT", "BIGINT", "UTINYINT")),
        ("UBIGINT", "(1), (NULL), (18446744073709551615)"),
        ("HUGEINT", "(1), (NULL), (9007199254740993000)"),
        ("UHUGEINT", "(1), (NULL)"),
        ("FLOAT", "(1.5), (NULL)"),
        ("DOUBLE", "('1.5'), (NULL)"),
        ("DECIMAL(20,2)", "(1.10), (NULL)"),
        ("DECIMAL(5,2)", "(1.10), (NULL)"),
        ("BOOLEAN", "(true), (NULL)"),
        ("VARCHAR", "('é'), (NULL), ('')"),
        ("BLOB", r"('\xFF'), (NULL)"),
        ("BIT", "('101'), (NULL)"),
        ("DATE", "('2013-01-31'), (NULL)"),
        ("TIME", "('01:02:03.000004'), (NULL)"),
        ("TIMETZ", "('01:02:03+02'), (NULL)"),
        *(
            (name, "('2013-01-31 01:02:03'), (NULL)")
            for name in ("TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP", "TIMESTAMP_NS")
        ),
        ("TIMESTAMPTZ", "('2013-01-31 01:02:03+00'), (NULL)"),
        ("INTERVAL", "('2 days 3 seconds'), (NULL)"),
        ("UUID", "('12345678-1234-5678-1234-567812345678'), (NULL)"),
        ("JSON", "('{}'), (NULL)"),
        ("ENUM('b', 'a', 'unused')", "('b'), (NULL), ('a')"),
        ("BIGINT[]", "([1, NULL]), (NULL), ([])"),
        ("TINYINT[2]", "([1, 2]), (NULL)"),
        ("STRUCT(a TINYINT, b VARCHAR)", "({'a': 1, 'b': 'x'}), (NULL)"),
        ("MAP(VARCHAR, BIGINT)", "(MAP {'a': 1}), (NULL)"),
        ("UNION(n INTEGER, t VARCHAR)", "(1), (NULL)"),
    )
}
SPARK_VALUES: dict[str, tuple[str, ...]] = {
    "double, NaN and null": ("1.5D", "CAST(NULL AS double)", "double('NaN')"),
    "struct<>": ("struct()",),
    "time(6)": ("TIME'01:02:03'",),
} | {
    name: tuple(f"CAST({value} AS {name})" for value in values)
    for name, values in (
        *((name, ("1", "NULL", "100")) for name in ("tinyint", "smallint", "int", "bigint")),
        ("float", ("1.5", "NULL")),
        ("double", ("1.5", "NULL")),
        ("decimal(20,2)", ("1.10", "NULL")),
        ("decimal(38,0)", ("1", "NULL")),
        ("boolean", ("true", "NULL")),
        ("string", ("'é'", "NULL", "''")),
        ("string collate UTF8_LCASE", ("'a'", "NULL", "'B'")),
        ("binary", ("X'FF'", "NULL")),
        ("date", ("'2013-01-31'", "NULL")),
        ("timestamp", ("'2013-01-31 01:02:03.456789'", "NULL")),
        ("timestamp_ntz", ("'2013-01-31 01:02:03.456789'", "NULL")),
        ("void", ("NULL",)),
        ("interval day to second", ("INTERVAL '2 3' DAY TO HOUR", "NULL")),
        ("interval year to month", ("INTERVAL '2' YEAR", "NULL")),
        ("variant", ("1", "NULL")),
        ("array<bigint>", ("array(1, NULL)", "NULL", "array()")),
        ("struct<a:tinyint,b:string>", ("named_struct('a', 1, 'b', 'x')", "NULL")),
        ("map<string,bigint>", ("map('a', 1)", "NULL")),
        ("map<int,array<string>>", ("map(1, array('a'))", "NULL")),
    )
}
ENGINES = {
    engine.name: engine
    for engine in (
        Engine(
            "pandas",
            pd.DataFrame,
            _frame,
            PANDAS_KINDS,
            lambda frame, name: str(frame.dtypes[name]),
        ),
        Engine(
            "Arrow",
            pa.Table,
            _table,
            ARROW_VALUES,
            lambda table, name: str(table.schema.field(name).type),
        ),
        Engine(
            "polars",
            pl.DataFrame,
            _polars,
            POLARS_VALUES,
            lambda frame, name: str(frame.schema[name]),
        ),
        Engine(
            "DuckDB",
            duckdb.DuckDBPyRelation,
            _relation,
            DUCKDB_VALUES,
            lambda relation, name: str(relation.types[relation.columns.index(name)]),
        ),
        Engine(
            "Spark",
            pyspark.sql.DataFrame,
            _spark,
            SPARK_VALUES,
            lambda frame, name: frame.schema[name].dataType.simpleString(),
        ),
    )
}


@dataclass(frozen=True)
class Reading:
    """What an engine reads of a column that another wrote, and what that one then reads again.

    `comes_back` says whether the type is the one that was written, after both ways. `refusal` is
    the message if the column is refused, on either way.
    """

    type: str
    comes_back: bool
    refusal: str = ""


@dataclass(frozen=True)
class Row:
    """A type as an engine writes it, and what every engine reads of it, by name.

    `refusal` is the message if the engine's own value is not kept.
    """

    writer: str
    type: str
    readings: Mapping[str, Reading]
    refusal: str = ""


class Changed(AssertionError):
    """An engine has read another value than was written, without a word."""


FILES = tempfile.TemporaryDirectory(prefix="engine-types-")
_INTERPRETED = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
"""No query is compiled: of so many columns, and so few rows, that would take most of the time."""

_ROOM = Room(2 * 10**9, Path(FILES.name), 10**9, 2)


@contextmanager
def engines() -> Iterator[None]:
    """Start the engines that have to be, and end them."""
    with application():
        tell = ENGINES["DuckDB"].codec.prepare
        assert tell is not None
        tell(_ROOM)
        for setting, value in _INTERPRETED.items():
            spark_session.session().conf.set(setting, value)
        yield


@cache
def rows() -> tuple[Row, ...]:
    """All rows of the table, while the engines run. Raises Changed."""
    return tuple(row for engine in ENGINES.values() for row in _rows(engine))


def _rows(writer: Engine) -> Iterator[Row]:
    """The rows of what an engine writes: all its columns at once, so that each engine runs once."""
    columns = {f"{COLUMN}{n}": column for n, column in enumerate(writer.columns.values())}
    refusals = dict[str, str]()
    for name, column in columns.items():
        with refused(refusals, name):
            writer.check(writer.make({name: column}))
    kept = {name: column for name, column in columns.items() if name not in refusals}
    frozen = writer.write(writer.make(kept))
    read = {name: _readings(writer, reader, frozen, kept) for name, reader in ENGINES.items()}
    for name, kind in zip(columns, writer.columns, strict=True):
        shown = kind.split(",")[0] + ", missing" if ", one missing" in kind else kind
        readings = {reader: of[name] for reader, of in read.items() if name in of}
        yield Row(writer.name, shown, readings, refusals.get(name, ""))


def _readings(
    writer: Engine, reader: Engine, frozen: Any, names: Iterable[str]
) -> dict[str, Reading]:
    """What an engine reads of each column that another wrote."""
    wanted, written = plain_values(frozen, names), writer.read(frozen, names)
    refusals = dict[str, str]()
    for name in names:
        with refused(refusals, name):
            reader.check(reader.read(frozen, [name]))
    left = [name for name in names if name not in refusals]
    value = reader.read(frozen, left)
    passed_on = reader.write(value)
    _require_same(wanted, plain_values(passed_on, left), f"{writer.name} → {reader.name}")
    not_back = dict[str, str]()
    for name in left:
        with refused(not_back, name):
            writer.check(writer.read(passed_on, [name]))
    back = [name for name in left if name not in not_back]
    again = writer.read(passed_on, back)
    there_and_back = f"{writer.name} → {reader.name} → {writer.name}"
    _require_same(wanted, plain_values(writer.write(again), back), there_and_back)
    readings = {name: Reading(REFUSED, False, text) for name, text in refusals.items()}
    for name in left:
        comes_back = name in back and writer.type_of(again, name) == writer.type_of(written, name)
        shown = reader.type_of(value, name)
        readings[name] = Reading(shown, comes_back, not_back.get(name, ""))
    return readings


@contextmanager
def refused(refusals: dict[str, str], name: str) -> Iterator[None]:
    """Note why a column is refused, if it is."""
    try:
        yield
    except InexactValue as refusal:
        refusals[name] = refusal.message


def _require_same(wanted: dict[str, list[Any]], read: dict[str, list[Any]], where: str) -> None:
    for name, values in read.items():
        if wanted[name] != values:
            raise Changed(f"{where}, {name}: {values} in place of {wanted[name]}")


def plain_values(frozen: Any, names: Iterable[str]) -> dict[str, list[Any]]:
    """The values of columns, of whatever engine, so that equal ones compare equal, row by row.

    Moments, spans and times are nanoseconds, NaN is a missing value.
    """
    if isinstance(frozen, OnDisk):
        frozen = format_named(frozen.form).read(frozen.path, None)
    table = arrow.thaw(frozen)
    order = np.argsort(table.column(ROW).to_numpy())
    columns = {name: list(_plain(table.column(name).combine_chunks())) for name in names}
    return {name: [_frozen(values[row]) for row in order] for name, values in columns.items()}


_LISTS = (
    *(pa.types.is_list, pa.types.is_large_list, pa.types.is_map),
    pa.types.is_fixed_size_list,
)


def _plain(array: Any) -> Iterator[Any]:
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        yield from _plain(array.storage)
    elif pa.types.is_dictionary(kind):
        yield from _plain(array.dictionary_decode())
    elif pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        unit = getattr(kind, "unit", "D" if pa.types.is_date32(kind) else "ms")
        nanoseconds = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1, "D": 86_400 * 10**9}[unit]
        is_zoned = getattr(kind, "tz", None) is not None
        for number in array.cast(pa.int32() if kind.bit_width == 32 else pa.int64()).to_pylist():
            yield None if number is None else (number * nanoseconds, is_zoned)
    elif (
        pa.types.is_list(kind)
        or pa.types.is_large_list(kind)
        or pa.types.is_map(kind)
        or pa.types.is_fixed_size_list(kind)
    ):
        for item in array:
            yield None if not item.is_valid else list(_plain(item.values))
    elif pa.types.is_struct(kind):
        fields = [list(_plain(array.field(number))) for number in range(kind.num_fields)]
        for number, is_valid in enumerate(array.is_valid().to_pylist()):
            yield [field[number] for field in fields] if is_valid else None
    else:
        yield from array.to_pylist()


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    if isinstance(value, Decimal):
        return value.normalize()
    if isinstance(value, float) and value != value:
        return None
    return value


_WORDS = {
    "en": {
        "title": "# What each engine reads of what each engine wrote",
        "opening": (
            "A checkpoint is the same file for all engines. A step may take a table as a type of "
            "another engine than that of the step that made it: each row is a type that one engine "
            "writes, each column what a step of another engine receives. Values are always the "
            "same; where an engine would change one, the column is *refused* with an error that "
            "names it and says what to write instead. *Not kept* says that the step that makes "
            "such a column is refused already, because no file gives back its values. A star says "
            "that the type is another one after a way there and back, with the same values. The "
            "rows of a table keep their order, except through Spark, which keeps none. In Spark a "
            "category is its values: `max` and `orderBy` there follow these, not the order of the "
            "categories."
        ),
        "written by": "written by",
        REFUSED: "*refused*",
        "not kept": "*not kept*",
    },
    "es": {
        "title": "# Qué lee cada motor de lo que escribió cada motor",
        "opening": (
            "Un punto de control es el mismo fichero para todos los motores. Un paso puede tomar "
            "una tabla como un tipo de otro motor que el del paso que la hizo: cada fila es un "
            "tipo que escribe un motor, cada columna lo que recibe un paso de otro motor. Los "
            "valores son siempre los mismos; donde un motor cambiaría uno, la columna aparece como "
            "*rechazado*: un error la nombra y dice qué escribir en su lugar. *No se guarda* dice "
            "que ya se rechaza el paso que crea una columna así, porque ningún fichero devuelve "
            "sus valores. Un asterisco dice que el tipo es otro después de ida y vuelta, con los "
            "mismos valores. Las filas de una tabla conservan su orden, salvo a través de Spark, "
            "que no guarda ninguno. En Spark una categoría es sus valores: allí `max` y `orderBy` "
            "siguen a estos, no al orden de las categorías."
        ),
        "written by": "escrito por",
        REFUSED: "*rechazado*",
        "not kept": "*no se guarda*",
    },
}


_CHOICE = """#% if cookiecutter.language == "es"
#% include "es/docs/engine-types.md"
#% else
{}#% endif
"""


def page(language: str) -> str:
    """The page in a language, as a file of the template."""
    words = _WORDS[language]
    parts = [words["title"], words["opening"]]
    for writer in ENGINES:
        head = [f"{words['written by']} {writer}", *ENGINES]
        lines = [_line(head), _line(["---"] * len(head))]
        for row in (row for row in rows() if row.writer == writer):
            cells = [_cell(row.readings[name], words) for name in ENGINES if row.readings]
            lines.append(_line([f"`{row.type}`", *(cells or [words["not kept"]] * len(ENGINES))]))
        parts += [f"## {writer}", "\n".join(lines)]
    text = "\n\n".join(parts) + "\n"
    return text if language != "en" else _CHOICE.format(text)


def _cell(reading: Reading, words: Mapping[str, str]) -> str:
    if reading.type == REFUSED:
        return words[REFUSED]
    return f"`{reading.type}`" + ("" if reading.comes_back else " \\*")


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    with engines():
        for language, path in PAGES.items():
            path.write_text(page(language), encoding="utf-8")
