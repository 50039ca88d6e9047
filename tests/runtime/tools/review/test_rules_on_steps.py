"""What the rules about the body of a step report, and what they allow."""

from __future__ import annotations

from pathlib import Path

import pytest

from .reviewed import Reviewed

# The rule that each step breaks, and no other.
FIRES = {
    "CKP201": {
        "a literal path": """
            @step
            def table() -> pd.DataFrame:
                return pd.read_parquet("data/raw/table.parquet")
        """,
        "a path that the module holds": """
            PLACE = Path("data/raw")
            @step
            def table() -> pd.DataFrame:
                return pd.read_csv(PLACE / "table.csv")
        """,
        "a path made of a param": """
            @step
            def table(region: str) -> pd.DataFrame:
                return pd.read_csv(f"data/{region}.csv")
        """,
        "paths that a table lists": """
            @step
            def sizes(listing: pd.DataFrame) -> int:
                return sum(len(Path(name).read_bytes()) for name in listing["file"])
        """,
        "the built-in open": """
            @step
            def text() -> str:
                with open("notes.txt") as notes:
                    return notes.read()
        """,
        "a path object": """
            @step
            def text() -> str:
                return (Path.home() / "notes.txt").read_text()
        """,
        "an array file": """
            @step
            def grid() -> np.ndarray:
                return np.load("grid.npy")
        """,
        "a lazy scan": """
            import polars as pl
            @step
            def table() -> int:
                return pl.scan_parquet("data/*.parquet").collect().height
        """,
        "a file named in SQL": """
            import duckdb
            @step
            def total() -> float:
                return duckdb.sql("SELECT sum(x) FROM 'data/big.parquet'").fetchone()[0]
        """,
        "a file named in SQL that is kept in a name": """
            import duckdb
            @step
            def total() -> float:
                query = '''
                    SELECT sum(x)
                    FROM read_parquet('data/*.parquet')
                '''
                return duckdb.connect().execute(query).fetchone()[0]
        """,
        "a database file": """
            import sqlite3
            @step
            def rows() -> int:
                return sqlite3.connect("shop.db").execute("select count(*) from x").fetchone()[0]
        """,
        "the folder that the process is in": """
            import os
            @step
            def names() -> list[str]:
                return sorted(os.listdir("data"))
        """,
        "a session of Spark": """
            @step
            def rows(spark: Any) -> int:
                return spark.range(3).sparkSession.read.option("header", True).csv("x.csv").count()
        """,
        "a page on the web": """
            import requests
            @step
            def rates() -> dict[str, float]:
                return requests.get("https://example.org/rates.json").json()
        """,
        "a page whose address is a param": """
            import requests
            @step
            def rates(day: str) -> dict[str, float]:
                return requests.get("https://example.org/" + day).json()
        """,
        "a bucket": """
            import boto3
            @step
            def names() -> list[str]:
                return [o.key for o in boto3.resource("s3").Bucket("shop").objects.all()]
        """,
        "a program": """
            import subprocess
            @step
            def version() -> str:
                return subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True).stdout
        """,
        "a file written beside the project": """
            @step
            def count(table: pd.DataFrame) -> int:
                table.to_csv("data/out/table.csv", index=False)
                return len(table)
        """,
        "a file written over an input": """
            @step
            def count(table: pd.DataFrame, table_file: Path) -> int:
                table.to_parquet(table_file)
                return len(table)
        """,
        "an array written beside the project": """
            @step
            def kept(values: np.ndarray) -> int:
                np.save("values.npy", values)
                return len(values)
        """,
        "a figure written where a param says": """
            import matplotlib.pyplot as plt
            @step
            def plotted(table: pd.DataFrame, out: str) -> int:
                figure, axes = plt.subplots()
                figure.savefig(out)
                return len(table)
        """,
        "a database written by a step that returns something": """
            from sqlalchemy import create_engine
            @step
            def stored(table: pd.DataFrame, engine: Any) -> int:
                table.to_sql("table", engine)
                return len(table)
        """,
        "a temporary folder of its own": """
            import tempfile
            @step
            def count(table: pd.DataFrame) -> int:
                with tempfile.TemporaryDirectory() as folder:
                    table.to_csv(Path(folder) / "table.csv")
                    return len(list(Path(folder).iterdir()))
        """,
        "a read by a function that the step calls": """
            def read(name):
                return pd.read_csv("data/" + "countries.csv")
            @step
            def countries() -> pd.DataFrame:
                return read("countries")
        """,
        "a read in a function within the step": """
            @step
            def table() -> pd.DataFrame:
                def read() -> pd.DataFrame:
                    return pd.read_csv("x.csv")
                return read()
        """,
        "a sink that reads a place of its own": """
            @step
            def sent(table: pd.DataFrame) -> None:
                print(pd.read_csv("recipients.csv"), len(table))
        """,
    },
    "CKP202": {
        "a global": """
            COUNT = 0
            @step
            def number(table: pd.DataFrame) -> int:
                global COUNT
                COUNT = len(table)
                return COUNT
        """,
        "a list of the module": """
            SEEN = []
            @step
            def number(table: pd.DataFrame) -> int:
                SEEN.append(len(table))
                return len(table)
        """,
        "a dict in a dict of the module": """
            STATE: dict[str, dict[str, int]] = {"rows": {}}
            @step
            def number(table: pd.DataFrame) -> int:
                STATE["rows"]["table"] = len(table)
                return len(table)
        """,
        "an attribute of a class": """
            class Settings:
                rows = 0
            @step
            def number(table: pd.DataFrame) -> int:
                Settings.rows = len(table)
                return len(table)
        """,
        "a generator of numbers that the module holds": """
            RNG = np.random.default_rng(7)
            @step
            def noise(rows: int) -> np.ndarray:
                return RNG.normal(size=rows)
        """,
        "an iterator that the module holds": """
            import itertools
            NUMBERS = itertools.count()
            @step
            def number() -> int:
                return next(NUMBERS)
        """,
        "a connection that the module holds": """
            import duckdb
            DATABASE = duckdb.connect()
            @step
            def answer() -> int:
                return DATABASE.sql("select 42").fetchone()[0]
        """,
        "the environment of the process": """
            import os
            @step
            def number(table: pd.DataFrame) -> int:
                os.environ["ROWS"] = str(len(table))
                return len(table)
        """,
        "an option of pandas": """
            @step
            def shown(table: pd.DataFrame) -> str:
                pd.set_option("display.max_rows", 10)
                return str(table)
        """,
        "an option of pandas by its attribute": """
            @step
            def shown(table: pd.DataFrame) -> str:
                pd.options.display.max_rows = 10
                return str(table)
        """,
        "the folder of the process": """
            import os
            @step
            def number(workdir: Path) -> int:
                os.chdir(workdir)
                return 1
        """,
        "a table in duckdb's shared database": """
            import duckdb
            @step
            def number(table: pd.DataFrame) -> int:
                duckdb.sql("create table numbers as select * from table")
                return len(table)
        """,
        "a memo that a helper keeps": """
            _MEMO: dict[str, str] = {}
            def cleaned(name: str) -> str:
                if name not in _MEMO:
                    _MEMO[name] = name.strip().lower()
                return _MEMO[name]
            @step
            def names(table: pd.DataFrame) -> list[str]:
                return [cleaned(name) for name in table["name"]]
        """,
    },
    "CKP203": {
        "an item of a dict": """
            @step
            def limits(defaults: dict[str, float]) -> dict[str, float]:
                defaults["other"] = 1.0
                return defaults
        """,
        "an item of a dict in a list": """
            @step
            def totals(orders: list[dict[str, float]]) -> list[dict[str, float]]:
                for order in orders:
                    order["total"] = order["price"] * order["count"]
                return orders
        """,
        "a list": """
            @step
            def names(given: list[str]) -> list[str]:
                given.append("unknown")
                return given
        """,
        "a list by another name": """
            @step
            def names(given: list[str]) -> list[str]:
                ordered = given
                ordered.sort()
                return ordered
        """,
        "a list by an assignment that adds": """
            @step
            def names(given: list[str]) -> list[str]:
                given += ["unknown"]
                return given
        """,
        "a deleted item": """
            @step
            def names(given: dict[str, str]) -> dict[str, str]:
                del given["secret"]
                return given
        """,
        "a TypedDict": """
            from typing import TypedDict
            class Limits(TypedDict):
                most: float
            @step
            def limits(given: Limits) -> float:
                given["most"] = 2.0
                return given["most"]
        """,
        "an alias of a type": """
            Names = list[str]
            @step
            def names(given: Names) -> int:
                given.clear()
                return 0
        """,
        "an annotation in quotes": """
            @step
            def names(given: "list[str]") -> int:
                given.reverse()
                return 0
        """,
        "items of an array": """
            @step
            def capped(values: np.ndarray) -> np.ndarray:
                values[values > 10] = 10
                return values
        """,
        "an array that is multiplied in place": """
            @step
            def scaled(values: np.ndarray) -> np.ndarray:
                values *= 2
                return values
        """,
        "an array as the place for a result": """
            @step
            def scaled(values: np.ndarray) -> np.ndarray:
                return np.multiply(values, 2, out=values)
        """,
        "an array that is shuffled": """
            @step
            def mixed(values: np.ndarray, seed: int) -> np.ndarray:
                np.random.default_rng(seed).shuffle(values)
                return values
        """,
        "an array that is sorted": """
            from numpy.typing import NDArray
            @step
            def ordered(values: NDArray[np.float64]) -> NDArray[np.float64]:
                values.sort()
                return values
        """,
        "the array behind a column": """
            @step
            def capped(table: pd.DataFrame) -> pd.DataFrame:
                table["x"].to_numpy()[0] = 1
                return table
        """,
    },
    "CKP204": {
        "a generator without a seed": """
            @step
            def noise(rows: int) -> np.ndarray:
                return np.random.default_rng().normal(size=rows)
        """,
        "a generator whose seed is None": """
            import random
            @step
            def noise() -> float:
                return random.Random(None).random()
        """,
        "a new seed from the system": """
            @step
            def noise(rows: int) -> np.ndarray:
                np.random.seed()
                return np.random.rand(rows)
        """,
        "an identifier": """
            import uuid
            @step
            def named(table: pd.DataFrame) -> pd.DataFrame:
                return table.assign(id=[str(uuid.uuid4()) for _ in range(len(table))])
        """,
        "a sample of polars, which has a state of its own": """
            import polars as pl
            import pyarrow as pa
            @step
            def some(table: pl.DataFrame) -> pa.Table:
                return table.filter(pl.col("x") > 0).sample(10).to_arrow()
        """,
        "a sample of polars whose seed is None": """
            import polars as pl
            import pyarrow as pa
            @step
            def some(table: pl.DataFrame) -> pa.Table:
                return table.sample(10, seed=None).to_arrow()
        """,
        "random() in SQL": """
            import duckdb
            @step
            def some(table: pd.DataFrame) -> pd.DataFrame:
                return duckdb.sql("select * from table where random() < 0.1").df()
        """,
        "a sink whose keys differ each time": """
            from uuid import uuid4
            @step
            def sent(table: pd.DataFrame, engine: Any) -> None:
                table.assign(id=str(uuid4())).to_sql("t", engine)
        """,
    },
    "CKP205": {
        "now": """
            @step
            def stamped(table: pd.DataFrame) -> pd.DataFrame:
                return table.assign(loaded=datetime.now())
        """,
        "today": """
            import datetime as dt
            @step
            def today() -> int:
                return dt.date.today().year
        """,
        "seconds since the epoch": """
            import time
            @step
            def moment() -> float:
                return time.time()
        """,
        "now of pandas, by a word": """
            @step
            def recent(table: pd.DataFrame) -> pd.DataFrame:
                return table[table["day"] > pd.to_datetime("today")]
        """,
        "now of numpy": """
            @step
            def moment() -> str:
                return str(np.datetime64("now"))
        """,
        "current_date in SQL": """
            import duckdb
            @step
            def recent(table: pd.DataFrame) -> pd.DataFrame:
                return duckdb.sql("select * from table where day >= current_date").df()
        """,
        "a date formatted without one": """
            import time
            @step
            def title() -> str:
                return time.strftime("%Y-%m-%d")
        """,
    },
    "CKP206": {
        "an import": """
            import cloudpickle
        """,
        "a frame": """
            @step
            def model(table: pd.DataFrame, workdir: Path) -> Path:
                table.to_pickle(workdir / "table.pkl")
                return workdir / "table.pkl"
        """,
        "a read": """
            @step
            def table(table_file: Path) -> pd.DataFrame:
                return pd.read_pickle(table_file)
        """,
        "a model": """
            import joblib
            @step
            def model(table: pd.DataFrame, workdir: Path) -> Path:
                joblib.dump(table, workdir / "model.joblib")
                return workdir / "model.joblib"
        """,
        "objects in an array": """
            @step
            def names(names_file: Path) -> list[str]:
                return np.load(names_file, allow_pickle=True).tolist()
        """,
    },
    "CKP207": {
        "a name that is made of a param": """
            import importlib
            @step
            def rates(region: str) -> dict[str, float]:
                return importlib.import_module(f"demo.rates_{region}").RATES
        """,
        "another name of the function": """
            from importlib import import_module as load
            MODULES = [load(name) for name in ("demo.a", "demo.b")]
        """,
        "the built-in": """
            NAME = "json"
            TOOL = __import__(NAME)
        """,
        "a file": """
            import importlib.util
            SPEC = importlib.util.spec_from_file_location("old", "old.py")
        """,
    },
    "CKP208": {
        "an item of the environment": """
            import os
            @step
            def table(rows: int) -> pd.DataFrame:
                return pd.DataFrame({os.environ["REGION"]: range(rows)})
        """,
        "its method, by another name": """
            from os import environ as env
            @step
            def region() -> str:
                name = env.get("REGION", "eu")
                return name.upper()
        """,
        "getenv": """
            from os import getenv
            @step
            def limit() -> int:
                return int(getenv("LIMIT") or 10)
        """,
        "whether it is there": """
            import os
            @step
            def rows(table: pd.DataFrame) -> pd.DataFrame:
                if "DEBUG" in os.environ:
                    return table.head()
                return table
        """,
        "a constant of the module": """
            import os
            REGION = os.environ.get("REGION", "eu").lower()
            @step
            def region() -> str:
                return REGION
        """,
        "a helper of the module": """
            import os
            def region_of(default: str) -> str:
                return os.getenv("REGION", default)
            @step
            def region() -> str:
                return region_of("eu")
        """,
        "a file of variables": """
            from dotenv import dotenv_values
            @step
            def region() -> str:
                return dotenv_values()["REGION"]
        """,
    },
    "CKP301": {
        "a table that a module reads": """
            COUNTRIES = pd.read_csv("countries.csv", index_col=0)["name"].to_dict()
        """,
        "a table that a module makes": """
            COUNTRIES = pd.DataFrame({"code": ["ES"]}).set_index("code")
        """,
        "a table of Arrow": """
            import pyarrow as pa
            COUNTRIES = pa.table({"code": ["ES"]})
        """,
        "a cached step": """
            from functools import lru_cache
            @step
            @lru_cache(maxsize=None)
            def total(rows: int) -> int:
                return rows
        """,
        "a cached table": """
            import functools
            @functools.cache
            def countries(path: Path) -> pd.DataFrame:
                return pd.read_csv(path)
        """,
        "a table cached on disk": """
            from joblib import Memory
            memory = Memory("cache")
            @memory.cache
            def countries(path: Path) -> pd.DataFrame:
                return pd.read_csv(path)
        """,
    },
    "CKP302": {
        "gc": """
            import gc
            @step
            def total(table: pd.DataFrame) -> float:
                gc.collect()
                return float(table["x"].sum())
        """,
        "del before the end": """
            @step
            def total(table: pd.DataFrame) -> float:
                result = float(table["x"].sum())
                del table
                return result
        """,
        "the allocator": """
            import ctypes
            @step
            def total(table: pd.DataFrame) -> float:
                ctypes.CDLL("libc.so.6").malloc_trim(0)
                return float(table["x"].sum())
        """,
    },
    "CKP304": {
        "batches in one table": """
            from collections.abc import Iterator
            @step
            def late(flights: Iterator[pd.DataFrame]) -> pd.DataFrame:
                return pd.concat(flights)
        """,
        "batches in a list": """
            from collections.abc import Iterator
            @step
            def late(flights: Iterator[pd.DataFrame]) -> pd.DataFrame:
                every = list(flights)
                return every[0]
        """,
        "a list of batches in one table": """
            from collections.abc import Iterator
            @step
            def late(flights: Iterator[pd.DataFrame]) -> pd.DataFrame:
                return pd.concat(list(flights), ignore_index=True)
        """,
        "a list of each batch": """
            from collections.abc import Iterator
            @step
            def late(flights: Iterator[pd.DataFrame]) -> pd.DataFrame:
                return pd.concat([batch for batch in flights])
        """,
        "each batch with one column more": """
            from collections.abc import Iterator
            @step
            def late(flights: Iterator[pd.DataFrame]) -> pd.DataFrame:
                return pd.concat(b.assign(far=b["miles"] > 500) for b in flights)
        """,
        "batches by map": """
            from collections.abc import Iterator
            @step
            def late(flights: Iterator[pd.DataFrame]) -> pd.DataFrame:
                return pd.concat(map(lambda batch: batch.copy(), flights))
        """,
        "unpacked batches": """
            from collections.abc import Iterator
            @step
            def late(flights: Iterator[pd.DataFrame]) -> pd.DataFrame:
                return pd.concat([*flights])
        """,
        "batches appended in a loop": """
            from collections.abc import Iterator
            @step
            def late(flights: Iterator[pd.DataFrame]) -> pd.DataFrame:
                parts = []
                for batch in flights:
                    parts.append(batch)
                return pd.concat(parts)
        """,
        "batches added in a loop": """
            from collections.abc import Iterator
            @step
            def late(flights: Iterator[pd.DataFrame]) -> pd.DataFrame:
                parts = []
                for batch in flights:
                    parts += [batch]
                return pd.concat(parts)
        """,
        "a table that grows with each batch": """
            from collections.abc import Iterator
            @step
            def late(flights: Iterator[pd.DataFrame]) -> pd.DataFrame:
                table = pd.DataFrame()
                for batch in flights:
                    table = pd.concat([table, batch])
                return table
        """,
        "a reader that is read whole": """
            from collections.abc import Iterator
            import pyarrow as pa
            @step
            def late(flights: pa.RecordBatchReader) -> pa.Table:
                return flights.read_all()
        """,
        "batches of Arrow in one table": """
            from collections.abc import Iterator
            import pyarrow as pa
            @step
            def late(flights: Iterator[pa.RecordBatch]) -> pa.Table:
                return pa.Table.from_batches(flights)
        """,
        "a lazy frame that is collected first": """
            from collections.abc import Iterator
            import polars as pl
            @step
            def late(flights: pl.LazyFrame) -> pl.DataFrame:
                return flights.collect().filter(pl.col("delay") > 15)
        """,
        "a relation that is fetched first": """
            from collections.abc import Iterator
            import duckdb
            @step
            def late(flights: duckdb.DuckDBPyRelation) -> pd.DataFrame:
                table = flights.df()
                return table[table["delay"] > 15]
        """,
        "batches of so many rows": """
            from collections.abc import Iterator
            from ..checkpointing import Batches
            @step
            def late(flights: Annotated[Iterator[pd.DataFrame], Batches(rows=10)]) -> pd.DataFrame:
                return pd.concat(flights)
        """,
    },
}

SILENT = {
    "a step that yields each batch": """
        from collections.abc import Iterator
        @step
        def late(flights: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
            for batch in flights:
                yield batch[batch["delay"] > 15]
    """,
    "a generator of tables": """
        from collections.abc import Generator
        import pyarrow as pa
        @step
        def late(rows: int) -> Generator[pa.RecordBatch, None, None]:
            yield pa.record_batch({"rows": [rows]})
    """,
    "batches of a size that the step sets": """
        from collections.abc import Iterator
        from ..checkpointing import Batches
        @step
        def late(flights: Annotated[Iterator[pd.DataFrame], Batches(rows=10)]) -> int:
            return sum(len(batch) for batch in flights)
    """,
    "partial results of batches": """
        from collections.abc import Iterator
        @step
        def late(flights: Iterator[pd.DataFrame]) -> pd.DataFrame:
            parts = [batch.groupby("carrier")[["delay"]].sum() for batch in flights]
            return pd.concat(parts).groupby(level=0).sum()
    """,
    "few rows of each batch": """
        from collections.abc import Iterator
        @step
        def late(flights: Iterator[pd.DataFrame]) -> pd.DataFrame:
            parts = []
            for batch in flights:
                parts.append(batch[batch["delay"] > 600])
            return pd.concat(parts)
    """,
    "the batch before": """
        from collections.abc import Iterator
        @step
        def late(flights: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
            kept = []
            for batch in flights:
                kept.append(batch)
                yield pd.concat(kept)
                kept.clear()
    """,
    "batches up to some row": """
        from collections.abc import Iterator
        @step
        def late(flights: Iterator[pd.DataFrame]) -> pd.DataFrame:
            parts = []
            for batch in flights:
                parts.append(batch)
                if len(parts) > 2:
                    break
            return pd.concat(parts)
    """,
    "the items of a value of several": """
        from collections.abc import Iterator
        @step
        def months() -> list[pd.DataFrame]:
            return [pd.DataFrame({"month": [1]})]
        @step
        def year(months: Iterator[pd.DataFrame]) -> pd.DataFrame:
            return pd.concat(months)
    """,
    "a lazy frame that is collected last": """
        from collections.abc import Iterator
        import polars as pl
        @step
        def late(flights: pl.LazyFrame) -> pl.DataFrame:
            return flights.filter(pl.col("delay") > 15).collect()
    """,
    "batches from a step to a step": """
        from collections.abc import Iterator
        @step
        def flights(rows: int) -> Iterator[pd.DataFrame]:
            yield pd.DataFrame({"rows": [rows]})
        @step
        def count(flights: Iterator[pd.DataFrame]) -> int:
            return sum(len(batch) for batch in flights)
    """,
    "imports by literal names": """
        import importlib
        TOOL = importlib.import_module("json")
        SAME = importlib.import_module(name=".helpers", package=__package__)
        OTHER = __import__("json")
    """,
    "files of inputs": """
        @step
        def table(table_file: Path) -> pd.DataFrame:
            return pd.read_csv(table_file, usecols=["a"])
    """,
    "files in a folder that is an input": """
        @step
        def table(folder: Path) -> pd.DataFrame:
            parts = []
            for path in sorted(folder.glob("*.parquet")):
                parts.append(pd.read_parquet(path))
            return pd.concat(parts)
    """,
    "several files": """
        @step
        def table(files: list[Path]) -> pd.DataFrame:
            return pd.concat([pd.read_csv(file) for file in files], ignore_index=True)
    """,
    "files read by a pool": """
        from concurrent.futures import ThreadPoolExecutor
        @step
        def table(files: list[Path]) -> pd.DataFrame:
            def read(file: Path) -> pd.DataFrame:
                return pd.read_csv(file)
            with ThreadPoolExecutor() as pool:
                return pd.concat(pool.map(read, files))
    """,
    "an archive": """
        import zipfile
        @step
        def table(archive: Path) -> pd.DataFrame:
            with zipfile.ZipFile(archive) as opened, opened.open("table.csv") as member:
                return pd.read_csv(member)
    """,
    "an archive unpacked into the work folder": """
        import zipfile
        @step
        def table(archive: Path, workdir: Path) -> pd.DataFrame:
            zipfile.ZipFile(archive).extractall(workdir)
            return pd.read_csv(workdir / "table.csv")
    """,
    "a page that is an input": """
        import requests
        @step
        def rates(rates_url: str) -> dict[str, float]:
            with requests.Session() as session:
                return session.get(rates_url, timeout=10).json()
    """,
    "a database that is an input": """
        from sqlalchemy import create_engine
        @step
        def orders(rates_url: str) -> pd.DataFrame:
            return pd.read_sql("select * from orders", create_engine(rates_url))
    """,
    "text in memory": """
        import io
        @step
        def table(text: str) -> pd.DataFrame:
            lines = io.StringIO(text)
            return pd.read_csv(lines)
    """,
    "bytes in memory": """
        import io
        @step
        def size(table: pd.DataFrame) -> int:
            buffer = io.BytesIO()
            table.to_parquet(buffer)
            return buffer.tell()
    """,
    "text without a file": """
        @step
        def text(table: pd.DataFrame) -> str:
            return table.to_csv(index=False) + table.to_json(orient="records") + table.to_html()
    """,
    "a query beside the code": """
        import duckdb
        QUERY = Path(__file__).parent / "totals.sql"
        @step
        def totals(orders: pd.DataFrame) -> pd.DataFrame:
            query = (Path(__file__).parent / "totals.sql").read_text()
            return duckdb.sql(query).df()
    """,
    "a resource of the package": """
        from importlib.resources import files
        @step
        def query() -> str:
            return files("demo").joinpath("totals.sql").read_text()
    """,
    "files written to the work folder": """
        @step
        def report(table: pd.DataFrame, workdir: Path) -> Path:
            folder = workdir / "report"
            folder.mkdir()
            for name, part in table.groupby("region"):
                part.to_csv(folder / f"{name}.csv", index=False)
            with open(folder / "index.txt", "w") as index:
                index.write("done")
            with pd.ExcelWriter(folder / "book.xlsx") as book:
                table.to_excel(book, sheet_name="all")
            return folder
    """,
    "a helper that writes to a path it receives": """
        def written(table: pd.DataFrame, path: Path) -> Path:
            table.to_csv(path)
            return path
        @step
        def report(table: pd.DataFrame, workdir: Path) -> Path:
            return written(table, workdir / "report.csv")
    """,
    "a sink": """
        import os
        import requests
        from sqlalchemy import create_engine
        @step
        def stored(table: pd.DataFrame, day: date) -> None:
            engine = create_engine(os.environ["WAREHOUSE"])
            table.assign(loaded=datetime.now()).to_sql(f"orders_{day}", engine)
            requests.post("https://example.org/done", json={"rows": len(table)})
    """,
    "variables that are set for a library and put back": """
        import os
        import subprocess
        @step
        def total(table: pd.DataFrame) -> float:
            former = os.environ.get("TZ")
            print("in", os.environ.get("HOSTNAME"))
            os.environ.setdefault("OMP_NUM_THREADS", "1")  # review: allow CKP202 because threads
            os.environ["TZ"] = "UTC"  # review: allow CKP202 because it is put back
            value = float(table["x"].sum())
            if former is None:
                del os.environ["TZ"]  # review: allow CKP202 because it is put back
            else:
                os.environ["TZ"] = former  # review: allow CKP202 because it is put back
            return value
    """,
    "a database in memory": """
        import duckdb
        @step
        def total(table: pd.DataFrame) -> float:
            with duckdb.connect(":memory:") as database:
                return database.sql("select sum(x) from table").fetchone()[0]
    """,
    "a file named in SQL by a parameter": """
        import duckdb
        @step
        def total(table_file: Path) -> float:
            return duckdb.sql(f"select sum(x) from '{table_file}'").fetchone()[0]
    """,
    "a method that is named like a file's": """
        @step
        def renamed(table: pd.DataFrame) -> pd.DataFrame:
            return table.rename(columns=str.lower).replace({"": None})
    """,
    "a parameter that is named like a built-in": """
        @step
        def spread(open: pd.Series, input: pd.Series) -> pd.Series:
            return (open - input).to_frame("x")["x"]
    """,
    "nothing, written to the null device": """
        import contextlib, os
        @step
        def quiet(table: pd.DataFrame) -> int:
            with open(os.devnull, "w") as null, contextlib.redirect_stdout(null):
                return len(table)
    """,
    "constants and loggers of the module": """
        import logging
        logger = logging.getLogger(__name__)
        NAMES = {"a": "b"}
        NAMES["c"] = "d"
        COLUMNS = ["a", "b"]
        BINS = np.array([0, 1, 2])
        EMPTY = pd.DataFrame(columns=COLUMNS)
        KIND = pd.CategoricalDtype(COLUMNS)
        @step
        def table(given: pd.DataFrame) -> pd.DataFrame:
            logger.info("rows: %s", len(given))
            return given[COLUMNS].rename(columns=NAMES)
    """,
    "a name of the module that the step uses for something of its own": """
        FOUND: list[str] = []
        @step
        def names(table: pd.DataFrame) -> list[str]:
            FOUND = list(table)
            FOUND.append("x")
            return FOUND
    """,
    "an option for a while": """
        @step
        def shown(table: pd.DataFrame) -> str:
            with pd.option_context("display.max_rows", 10):
                return str(table)
    """,
    "a generator of the step's own": """
        @step
        def noise(rows: int, seed: int) -> np.ndarray:
            rng = np.random.default_rng(seed)
            return rng.normal(size=rows)
    """,
    "randomness that the run seeds": """
        import random
        @step
        def some(table: pd.DataFrame) -> pd.DataFrame:
            random.random()
            return table.sample(10).assign(noise=np.random.rand(10))
    """,
    "an identifier made from the data": """
        import uuid
        @step
        def named(names: list[str]) -> list[str]:
            return [str(uuid.uuid5(uuid.NAMESPACE_URL, name)) for name in names]
    """,
    "a sample of polars with a seed": """
        import polars as pl
        import pyarrow as pa
        @step
        def some(table: pl.DataFrame, seed: int) -> pa.Table:
            return table.sample(10, seed=seed).to_arrow()
    """,
    "time spans and dates that are given": """
        import time
        @step
        def recent(table: pd.DataFrame, day: date) -> pd.DataFrame:
            started = time.perf_counter()
            late = table[table["day"] > pd.Timestamp(day) - pd.Timedelta(days=7)]
            print(time.perf_counter() - started, datetime.now(), time.strftime("%H", (0,) * 9))
            return late
    """,
    "a pandas query that reads like SQL": """
        @step
        def recent(table: pd.DataFrame) -> pd.DataFrame:
            return table.query("current_date > 3")
    """,
    "columns of a frame": """
        @step
        def cleaned(table: pd.DataFrame) -> pd.DataFrame:
            table["a"] = 1
            table.loc[table["b"] > 1, "b"] = 0
            table.columns = [name.lower() for name in table.columns]
            del table["c"]
            table.pop("d")
            table.insert(0, "e", 1)
            table *= 2
            return table
    """,
    "the array behind a column, only looked at": """
        @step
        def most(table: pd.DataFrame) -> float:
            return float(table["x"].to_numpy().max() + table["x"].values.sum())
    """,
    "columns of frames in a dict": """
        @step
        def dated(tables: dict[str, pd.DataFrame]) -> int:
            tables["orders"]["day"] = 1
            return len(tables)
    """,
    "copies": """
        import copy
        @step
        def changed(rows: list[str], limits: dict[str, float], values: np.ndarray) -> int:
            rows = sorted(rows)
            rows.append("x")
            limits = {**limits}
            limits["x"] = 1.0
            values = values.copy()
            values[0] = 1
            return len(rows)
    """,
    "copies under other names": """
        @step
        def changed(rows: list[dict[str, int]], values: np.ndarray) -> list[dict[str, int]]:
            own = [dict(row) for row in rows]
            for row in own:
                row["x"] = 1
            grid = np.asarray(values) + 1
            grid[0] = 1
            return own
    """,
    "a loop whose variable serves for two lists": """
        @step
        def changed(rows: list[dict[str, int]]) -> list[dict[str, int]]:
            own = []
            for row in rows:
                own.append(dict(row))
            for row in own:
                row["x"] = 1
            return own
    """,
    "methods of frames that are named like a list's": """
        @step
        def updated(table: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
            table.update(other)
            table["x"].sort_values()
            return table
    """,
    "small things that are cached": """
        import re
        from functools import cache
        @cache
        def pattern(text: str) -> re.Pattern[str]:
            return re.compile(text)
        @cache
        def holidays(year: int) -> list[date]:
            return [date(year, 1, 1)]
        @step
        def days(year: int) -> int:
            return len(holidays(year)) + len(pattern("x").findall("x"))
    """,
    "a way to read that a module only names": """
        READERS = {".csv": lambda path: pd.read_csv(path)}
        @step
        def table(table_file: Path) -> pd.DataFrame:
            return READERS[table_file.suffix](table_file)
    """,
    "del that frees memory before more is made": """
        @step
        def joined(orders: pd.DataFrame, customers: pd.DataFrame) -> pd.DataFrame:
            wide = orders.merge(customers, on="customer")
            del orders, customers
            return wide.pivot_table(index="customer", values="amount")
    """,
    "the lines that run a module by hand": """
        @step
        def count(table: pd.DataFrame) -> int:
            return len(table)
        if __name__ == "__main__":
            sample = pd.read_csv("sample.csv")
            print(count(sample))
    """,
    "a function that no step calls": """
        def by_hand() -> None:
            pd.read_csv("x.csv").to_csv("y.csv")
        @step
        def one() -> int:
            return 1
    """,
}
WIRING = '[inputs]\nrates_url = "https://example.org/rates.json"\n'


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        pytest.param(r, text, id=f"{r}-{case}")
        for r, of in FIRES.items()
        for case, text in of.items()
    ],
)
def test_a_rule_reports_what_breaks_it_and_no_other_rule_does(
    rule: str, source: str, tmp_path: Path
) -> None:
    project = Reviewed(tmp_path).put({"pipeline.toml": WIRING}).write(s01=source)
    assert set(project.rules()) == {rule}


@pytest.mark.parametrize("source", SILENT.values(), ids=list(SILENT))
def test_no_rule_reports_what_is_right(source: str, tmp_path: Path) -> None:
    project = Reviewed(tmp_path).put({"pipeline.toml": WIRING}).write(s01=source)
    assert project.findings() == []


def test_of_two_names_that_are_assigned_at_once_the_one_with_data_is_reported(
    tmp_path: Path,
) -> None:
    source = 'NAMES, TABLE = ["x"], pd.DataFrame({"x": [1]})\n'
    [finding] = Reviewed(tmp_path).write(s01=source).findings()
    assert finding.message == "the module holds data: `TABLE` comes from `pandas.DataFrame`"
