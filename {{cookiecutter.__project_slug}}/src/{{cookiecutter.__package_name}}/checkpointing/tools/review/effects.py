"""Calls that reach outside the process, recognized by their names. Only this file lists them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .functions import Function

Verb = Literal["reads", "writes", "runs a program", "uses the network", "opens a database"]

READS = re.compile(
    r"""open | io\.open | codecs\.open | input | (gzip|bz2|lzma|tarfile|rasterio)\.open
    | zipfile\.ZipFile | shelve\.open | fileinput\.input | linecache\.getlines?
    | (pandas|geopandas)\.(read_\w+|ExcelFile|HDFStore) | (modin|dask)\.\w+\.read_\w+
    | polars\.(read|scan)_\w+
    | pyarrow\.(memory_map|OSFile|input_stream)
    | pyarrow\.(parquet|csv|json|feather|orc)\.(read_\w+|open_\w+)
    | pyarrow\.(parquet\.(ParquetFile|ParquetDataset)|orc\.ORCFile)
    | pyarrow\.dataset\.(dataset|parquet_dataset)
    | numpy\.(load|loadtxt|genfromtxt|fromfile|memmap)
    | (xarray|h5py|netCDF4)\.(open_\w+|File|Dataset) | openpyxl\.load_workbook
    | duckdb\.(read_\w+|from_(parquet|csv_auto))
    | os\.(listdir|scandir|walk) | glob\.i?glob""",
    re.VERBOSE,
)
WRITES = re.compile(
    r"""pandas\.ExcelWriter
    | pyarrow\.(output_stream)
    | pyarrow\.(parquet|csv|feather|orc)\.(write_\w+|ParquetWriter|CSVWriter|ORCWriter)
    | pyarrow\.dataset\.write_dataset
    | numpy\.(save|savez|savez_compressed|savetxt)
    | os\.(remove|unlink|rename|replace|mkdir|makedirs|rmdir|symlink|link|truncate)
    | shutil\.(copy\w*|move|rmtree|make_archive|unpack_archive)
    | tempfile\.(TemporaryDirectory|NamedTemporaryFile|TemporaryFile|mkdtemp|mkstemp)""",
    re.VERBOSE,
)
_PROGRAMS = re.compile(r"subprocess\.\w+ | os\.(system|popen|spawn\w+|exec\w+)", re.VERBOSE)
_NETWORK = re.compile(
    r"""(requests|httpx)\.(get|post|put|patch|delete|head|options|request|stream|Session|Client)
    | requests\.sessions\.Session | aiohttp\.(ClientSession|request)
    | urllib\.request\.(urlopen|urlretrieve) | urllib3\.(PoolManager|request)
    | http\.client\.\w+ | socket\.(socket|create_connection) | ftplib\.\w+ | smtplib\.\w+
    | paramiko\.\w+ | boto3\.(client|resource|Session|session\.Session)
    | google\.cloud\.\w+\.Client | azure\.\w+\.\w+\.\w+Client
    | (psycopg|psycopg2|pymysql|MySQLdb|oracledb|cx_Oracle|pyodbc|pymssql|asyncpg)\.connect
    | snowflake\.connector\.connect | sqlalchemy\.(create_engine|engine\.create_engine)
    | pymongo\.MongoClient | redis\.(Redis|StrictRedis|from_url)
    | elasticsearch\.Elasticsearch | clickhouse_connect\.get_client
    | fsspec\.(open|open_files|filesystem) | s3fs\.\w+ | gcsfs\.\w+ | adlfs\.\w+
    | smart_open\.open | wget\.download""",
    re.VERBOSE,
)
_DATABASES = ("duckdb.connect", "sqlite3.connect")

# Methods by name alone: the type of their object is unknown here, so the name must be clear.
_PATH_READS = {"read_text", "read_bytes", "iterdir", "rglob"}
_PATH_WRITES = {"write_text", "write_bytes", "mkdir", "touch", "unlink", "rmdir", "symlink_to"}
_TABLE_READS = re.compile(r"read_(parquet|csv|csv_auto|json|excel)")
_TABLE_WRITES = re.compile(
    r"to_(csv|parquet|feather|excel|json|hdf|sql|gbq|stata|orc|xml|html|latex|file|netcdf|zarr)"
    r"|write_(csv|parquet|ipc|ipc_stream|json|ndjson|excel|avro|delta|database|parquet_dataset)"
    r"|sink_(csv|parquet|ipc|ndjson|delta)|savefig|tofile"
)
_SPARK = {"csv", "parquet", "json", "orc", "text", "table", "load", "save", "saveAsTable", "jdbc"}
_QUERIES = {"sql", "execute", "query", "from_query", "executemany"}
_FILE_IN_SQL = re.compile(
    r"""(?:\bread_\w+\s*\(\s*\[?\s*|\b(?:from|join|attach|attach\s+database)\s+|\bto\s+)
    '([^'\0]*[./][^'\0]*)'""",
    re.VERBOSE | re.IGNORECASE,
)
_PLACES = {"path", "path_or_buf", "path_or_buffer", "file", "fname", "excel_writer", "con", "buf"}
_PLACES |= {"target", "root_path", "where", "connection", "sink", "base_dir", "buffer", "store"}


@dataclass(frozen=True)
class Effect:
    """A call that reaches outside the process.

    `label` names the call in a message; `places` are the expressions that contain the location.
    """

    call: ast.Call
    verb: Verb
    label: str
    places: tuple[ast.expr, ...]


def effects(function: Function) -> Iterator[Effect]:
    """The calls in a function that read or write files, use the network, or run programs."""
    for call in function.calls:
        arguments = (*call.args, *(keyword.value for keyword in call.keywords))
        name = function.dotted(call.func) or ""
        if _opens_memory(name, arguments):
            continue
        if READS.fullmatch(name):
            verb: Verb = "writes" if _is_opened_to_write(name, call) else "reads"
            yield Effect(call, verb, name, arguments)
        elif WRITES.fullmatch(name):
            yield Effect(call, "writes", name, arguments)
        elif _PROGRAMS.fullmatch(name):
            yield Effect(call, "runs a program", name, arguments)
        elif _NETWORK.fullmatch(name):
            yield Effect(call, "uses the network", name, arguments)
        elif name in _DATABASES:
            yield Effect(call, "opens a database", name, arguments)
        elif isinstance(call.func, ast.Attribute):
            yield from _of_method(function, call, call.func, arguments)


def _of_method(
    function: Function, call: ast.Call, method: ast.Attribute, arguments: tuple[ast.expr, ...]
) -> Iterator[Effect]:
    name = method.attr
    if name in _PATH_READS:
        yield Effect(call, "reads", f".{name}()", (method.value,))
    elif name in _PATH_WRITES:
        yield Effect(call, "writes", f".{name}()", (method.value, *arguments))
    elif _TABLE_READS.fullmatch(name) and arguments:
        yield Effect(call, "reads", f".{name}()", arguments)
    elif _TABLE_WRITES.fullmatch(name):
        keywords = tuple(k.value for k in call.keywords if k.arg in _PLACES)
        places = (*call.args, *keywords)  # without one, the result is text, not a file
        if places and not all(_is_none(place) for place in places):
            yield Effect(call, "writes", f".{name}()", places)
    elif name in _SPARK and (side := _spark_side(method)):
        yield Effect(call, "reads" if side == "read" else "writes", f".{side}.{name}()", arguments)
    elif name in _QUERIES and call.args:
        for file_match in _FILE_IN_SQL.finditer(_text(function.meant(call.args[0]))):
            if file_match[1] != ":memory:":
                verb: Verb = "writes" if file_match[0].lower().startswith("to") else "reads"
                yield Effect(call, verb, f"'{file_match[1]}' in SQL", ())


def _spark_side(method: ast.Attribute) -> str | None:
    """`read` or `write`, where a chain such as `spark.read.option(...).csv` has one of them."""
    node: ast.expr = method.value
    while isinstance(node, ast.Attribute | ast.Call):
        if isinstance(node, ast.Attribute) and node.attr in ("read", "write"):
            return node.attr
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return None


def _opens_memory(name: str, arguments: tuple[ast.expr, ...]) -> bool:
    """Whether the call opens a database in memory only."""
    if name not in _DATABASES:
        return False
    return not arguments or any(
        isinstance(node, ast.Constant) and node.value in (":memory:", "", ":default:")
        for node in arguments
    )


def _is_opened_to_write(name: str, call: ast.Call) -> bool:
    if not name.endswith(("open", "ZipFile")):
        return False
    mode = call.args[1] if len(call.args) > 1 else None
    mode = next((k.value for k in call.keywords if k.arg == "mode"), mode)
    return isinstance(mode, ast.Constant) and bool(set(str(mode.value)) & set("wax+"))


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _text(node: ast.expr) -> str:
    """The constant text of a string; a NUL stands for each part that is not constant."""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_text(part) for part in parts)
        case ast.BinOp(left=left, right=right):
            return _text(left) + _text(right)
    return "\0"
