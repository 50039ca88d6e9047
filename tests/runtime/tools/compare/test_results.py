"""Both ways make the same bytes, or the comparison names what differs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ....java import java_variables
from ...conftest import Project
from .comparing import (
    compared,
)


def test_results_of_every_kind_are_the_same(project: Project) -> None:
    project.segments(
        s01="""
        import random
        import pyarrow as pa

        @step
        def table(lines: Path) -> pa.Table:
            return pa.table({"line": lines.read_text().split(), "n": [1, None, 3]})

        @step
        def frame(options: dict) -> pd.DataFrame:
            options["rows"] += 0
            n = options["rows"]
            return pd.DataFrame({
                "integer": np.arange(n),
                "missing": pd.array([None if i % 3 == 0 else i for i in range(n)], dtype="Int64"),
                "number": np.random.standard_normal(n),
                "flag": np.arange(n) % 2 == 0,
                "text": pd.array([f"text {i % 7}" for i in range(n)], dtype="str"),
                "kind": pd.Categorical([f"kind {i % 5}" for i in range(n)]),
                "moment": pd.date_range("2013-01-01", periods=n, freq="min", tz="UTC"),
            })

        @step
        def luck() -> float:
            return random.random()

        @step
        def array() -> np.ndarray:
            return np.random.standard_normal((50, 20)).T
        """,
        s02="""
        @step
        def from_table(table: pd.DataFrame) -> pd.DataFrame:
            return table

        @step
        def some_columns(
            frame: Annotated[pd.DataFrame, Columns("kind", "missing", "text")]
        ) -> pd.DataFrame:
            return frame.iloc[::2].assign(more=frame["missing"] + 1)

        @step
        def grouped(frame: pd.DataFrame) -> pd.DataFrame:
            return frame.groupby("kind", observed=True)[["number", "integer"]].mean()

        @step
        def sorted_text(frame: pd.DataFrame) -> pd.Series:
            return frame["text"].sort_values()

        @step
        def facts(luck: float, frame: pd.DataFrame) -> dict:
            return {"luck": luck, "rows": len(frame), "none": None}

        @step
        def product(array: np.ndarray) -> np.ndarray:
            return array * 2

        @step
        def a_file(luck: float, workdir: Path) -> Path:
            made = workdir / "luck.txt"
            made.write_text(str(luck))
            return made
        """,
        s03="""
        @step
        def read_back(a_file: Path) -> str:
            return a_file.read_text()
        """,
    )
    project.write(
        "pipeline.toml",
        """
        [inputs]
        lines = "lines.txt"

        [params]
        options = { rows = 1000 }

        [outputs]
        frame = "data/frame.parquet"
        a_file = "data/luck.txt"
        """,
    )
    project.write("lines.txt", "a b c")
    comparison = compared(project)
    assert comparison["exit_code"] == 0, comparison["stderr"]
    assert comparison["same_results"] == dict.fromkeys(
        (
            "frame",
            "from_table",
            "some_columns",
            "grouped",
            "sorted_text",
            "facts",
            "product",
            "a_file",
            "read_back",
        ),
        True,
    )
    assert not (project.folder / "data").exists()


@pytest.mark.parametrize("differently", ["return 3", "return float('nan')", "return {1, 2}"])
def test_results_that_differ_are_named(
    two_faced: Callable[[str], Project], differently: str
) -> None:
    assert compared(two_faced(differently))["same_results"] == {"second": False}


def test_the_text_names_the_results_that_differ_and_a_possible_cause(
    two_faced: Callable[[str], Project],
) -> None:
    done = two_faced("return 3").command("compare")
    assert done.returncode == 0
    assert "Results differ: `second`. The cause may be a step that changes" in done.stdout


def test_files_that_say_when_they_were_made_are_compared_by_what_they_hold(
    project: Project,
) -> None:
    project.segments(
        s01="""
        import gzip, zipfile
        from datetime import datetime
        from ..notes import number

        @step
        def book(workdir: Path) -> Path:
            return archive(workdir / "book.xlsx", number(), "1")

        @step
        def other(workdir: Path) -> Path:
            return archive(workdir / "book.xlsx", 0, str(number()))

        @step
        def packed(workdir: Path) -> Path:
            (workdir / "all").mkdir()
            made = gzip.GzipFile(workdir / "all/x.gz", "wb", mtime=number())
            made.write(b"text")
            made.close()
            return workdir / "all"

        def archive(path: Path, made: int, content: str) -> Path:
            core = f"<a/><dcterms:created x='y'>20{made}</dcterms:created>"
            with zipfile.ZipFile(path, "w") as book:
                for name, text in {"docProps/core.xml": core, "sheet.xml": content}.items():
                    book.writestr(zipfile.ZipInfo(name, (2000 + made, 1, 1, 0, 0, 0)), text)
            return path
        """
    )
    project.write(
        "src/demo/notes.py",
        """
        from pathlib import Path
        def ran(step: str) -> None: ...
        def number() -> int:
            with open("count.txt", "a") as counted:
                counted.write("x")
            return Path("count.txt").stat().st_size
        """,
    )
    comparison = compared(project)
    assert comparison["same_results"] == {"book": True, "other": False, "packed": True}
    assert comparison["same_but_for_time"] == ["book", "packed"]


def test_a_pipeline_of_sinks_has_no_results_to_compare(project: Project) -> None:
    project.segments(s01="@step\ndef sink() -> None:\n    ran('sink')")
    assert "There are no outputs to compare." in project.command("compare").stdout


def test_a_step_that_changes_what_it_was_given_shows(project: Project) -> None:
    project.segments(
        s01="""
        @step
        def numbers() -> pd.DataFrame:
            return pd.DataFrame({"x": [1.0, 2.0]})

        @step
        def doubled(numbers: pd.DataFrame) -> pd.DataFrame:
            numbers["x"] = numbers["x"] * 2
            return numbers

        @step
        def total(numbers: pd.DataFrame) -> float:
            return float(numbers["x"].sum())
        """
    )
    assert compared(project)["same_results"] == {"doubled": True, "total": False}


def test_outputs_that_cannot_be_hashed_are_not_held_against_the_script(
    two_faced: Callable[[str], Project],
) -> None:
    project = two_faced("os.fsync = lambda descriptor: os._exit(0)")
    comparison = compared(project)
    assert comparison["exit_code"] == 0
    assert comparison["plain"]["status"] == "ran"
    assert comparison["same_results"] is None


def test_tables_in_batches_and_of_engines_are_the_same(project: Project) -> None:
    project.segments(
        s01="""
        from collections.abc import Iterator
        import duckdb
        import polars as pl
        import pyarrow as pa
        from ..checkpointing import Batches

        @step
        def made(rows: int) -> Iterator[pd.DataFrame]:
            for start in range(0, rows, 700):
                numbers = np.arange(start, min(start + 700, rows))
                yield pd.DataFrame({"n": numbers, "t": numbers.astype(str)})

        @step
        def lazy(made: pl.LazyFrame) -> pl.LazyFrame:
            return made.filter(pl.col("n") % 3 == 0)

        @step
        def related(lazy: duckdb.DuckDBPyRelation, made: duckdb.DuckDBPyRelation) -> (
            duckdb.DuckDBPyRelation
        ):
            texts = made.project("n, t AS text")
            return lazy.join(texts, "n").order("n").project("n, text AS t")

        @step
        def read(lines: Annotated[Iterator[pd.DataFrame], Batches(rows=2)]) -> (
            Iterator[pd.DataFrame]
        ):
            for batch in lines:
                yield batch[batch["x"] != 3]
        """,
        s02="""
        from collections.abc import Iterator
        import polars as pl
        import pyarrow as pa

        @step
        def kept(made: Annotated[Iterator[pd.DataFrame], Columns("n")]) -> Iterator[pd.DataFrame]:
            for batch in made:
                yield batch[batch["n"] % 7 == 0]

        @step
        def eager(lazy: pl.DataFrame, related: pl.DataFrame) -> pl.DataFrame:
            return lazy.with_columns(other=related["t"])

        @step
        def passed(lazy: pa.RecordBatchReader) -> pa.RecordBatchReader:
            return lazy

        @step
        def sums(kept: pd.DataFrame, eager: pd.DataFrame, passed: pa.Table, read: pd.DataFrame) -> (
            dict
        ):
            rows = [len(kept), len(eager), passed.num_rows, len(read)]
            return {"rows": rows, "n": int(kept["n"].sum())}
        """,
    )
    project.write("lines.csv", "x\n" + "\n".join(map(str, range(7))) + "\n")
    project.write(
        "pipeline.toml",
        """
        [params]
        rows = 5000
        [inputs]
        lines = "lines.csv"
        [outputs]
        kept = "kept.parquet"
        eager = "eager.parquet"
        passed = "passed.parquet"
        sums = "sums.json"
        """,
    )
    comparison = compared(project)
    assert comparison["exit_code"] == 0, comparison["stderr"]
    assert comparison["same_results"] == dict.fromkeys(("kept", "eager", "passed", "sums"), True)


def test_tables_in_batches_of_each_item_are_the_same(project: Project) -> None:
    project.segments(
        s01="""
        from collections.abc import Iterator
        import polars as pl

        @step(each="days")
        def flown(days: int) -> Iterator[pd.DataFrame] | None:
            return iter([pd.DataFrame({"n": range(days * 10)})]) if days != 2 else None

        @step(each="days")
        def lazy(days: int) -> pl.LazyFrame:
            return pl.LazyFrame({"n": range(days * 10)})

        @step(each="lines")
        def read(lines: Iterator[pd.DataFrame]) -> int:
            return sum(int(batch["x"].sum()) for batch in lines)

        @step(each="flown")
        def counted(flown: Iterator[pd.DataFrame] | None) -> int:
            return -1 if flown is None else sum(len(batch) for batch in flown)

        @step(each="lazy")
        def high(lazy: pl.LazyFrame) -> pd.DataFrame:
            return lazy.filter(pl.col("n") > 5).collect().to_pandas()
        """,
        s02="""
        from collections.abc import Iterator
        import polars as pl

        @step(each="lazy")
        def long(lazy: pd.DataFrame) -> int:
            return len(lazy)

        @step
        def sums(
            flown: dict[str, pd.DataFrame | None],
            lazy: dict[str, pl.LazyFrame],
            high: dict[str, pd.DataFrame],
            read: dict[str, int],
            counted: dict[str, int],
            long: dict[str, int],
        ) -> list[int]:
            frames = [*flown.values(), *high.values()]
            heights = [frame.collect().height for frame in lazy.values()]
            sizes = [-1 if frame is None else len(frame) for frame in frames]
            return [*sizes, *heights, *read.values(), *counted.values(), *long.values()]
        """,
    )
    for name in ("a", "b"):
        project.write(f"raw/{name}.csv", "x\n" + "\n".join(map(str, range(7))) + "\n")
    project.write(
        "pipeline.toml",
        """
        [params]
        days = [1, 2, 3]
        [inputs]
        lines = "raw/*.csv"
        [outputs]
        sums = "sums.json"
        "lazy.1" = "lazy.csv"
        """,
    )
    comparison = compared(project)
    assert comparison["exit_code"] == 0, comparison["stderr"]
    assert comparison["same_results"] == dict.fromkeys(("lazy.1", "sums"), True)


@pytest.mark.exhaustive
def test_spark_has_the_same_settings_both_ways(project: Project) -> None:
    project.segments(
        s01="""
        from pyspark.sql import DataFrame

        @step
        def made() -> pd.DataFrame:
            return pd.DataFrame({"x": [1]})

        @step
        def partitions(made: DataFrame) -> int:
            return int(made.sparkSession.conf.get("spark.sql.shuffle.partitions"))
        """
    )
    project.write("pipeline.toml", '[outputs]\npartitions = "partitions.json"\n')
    budget = (project.folder / "memory_budget.toml").read_text()
    settings = '[spark]\nmaster = "local[2]"\nwait = "10 min"\n[spark.conf]\n'
    settings += '"spark.sql.shuffle.partitions" = 3\n'
    project.write("memory_budget.toml", f"{budget}\n{settings}")

    comparison = compared(project, MEMORY_BUDGET="2.5GB", **java_variables())

    assert comparison["exit_code"] == 0, comparison
    assert comparison["same_results"] == {"partitions": True}
