"""A pipeline with a segment in Spark that stays in its query for as long as a file is there."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import psutil

from ..conftest import Project, until

ROWS = 1000
SECONDS = 300.0
SEGMENTS = {
    "s01": """
    @step
    def numbers(rows: int) -> pd.DataFrame:
        ran("numbers")
        return pd.DataFrame({"number": np.arange(rows)})
    """,
    "s02": """
    import time
    import pyspark.sql.functions as F
    from pyspark.sql import DataFrame

    @step
    def squares(numbers: DataFrame, folder: str) -> DataFrame:
        ran("squares")

        def square(number: int) -> int:
            here = Path(folder)
            if (here / "hold").exists():
                (here / "reached").touch()
            while (here / "hold").exists():
                time.sleep(0.01)
            return number * number

        parts = numbers.repartition(2, "number")
        return parts.withColumn("square", F.udf(square, "long")("number"))

    @step
    def by_digit(squares: DataFrame) -> DataFrame:
        ran("by_digit")
        digits = squares.groupBy((F.col("number") % 10).alias("digit"))
        return digits.agg(F.sum("square").alias("sum"))
    """,
    "s03": """
    @step
    def sums(by_digit: pd.DataFrame) -> dict:
        return {int(d): int(s) for d, s in sorted(zip(by_digit["digit"], by_digit["sum"]))}
    """,
}
EXPECTED = str({d: sum(n * n for n in range(d, ROWS, 10)) for d in range(10)})


def lay_out(project: Project, spark: str) -> None:
    """Write the pipeline, and [spark] of memory_budget.toml."""
    project.segments(**SEGMENTS)
    folder = json.dumps(str(project.folder))
    project.write("pipeline.toml", f"[params]\nrows = {ROWS}\nfolder = {folder}\n")
    budget = (project.folder / "memory_budget.toml").read_text()
    (project.folder / "memory_budget.toml").write_text(f"{budget}\n{spark}")


def hold(project: Project) -> None:
    """Have the next run stay in its query."""
    (project.folder / "hold").touch()
    (project.folder / "reached").unlink(missing_ok=True)


def release(project: Project) -> None:
    """Let the query go on."""
    (project.folder / "hold").unlink()


def until_held(project: Project, process: Any) -> None:
    """Wait until the query of a run has begun."""

    def is_there() -> bool:
        if process.poll() is not None:
            raise AssertionError(process.communicate()[1] + log_of(project))
        return (project.folder / "reached").exists()

    until(is_there, "the query", SECONDS)


def ended(process: Any) -> dict[str, Any]:
    """The record of a run when it has ended, with its exit code."""
    out, err = process.communicate(timeout=SECONDS)
    assert out, err
    record: dict[str, Any] = json.loads(out)
    return record | {"exit_code": process.returncode}


def log_of(project: Project) -> str:
    """What the processes of the last run's parts have printed."""
    logs = sorted((project.folder / "runs").glob("*/run.log"))
    return logs[-1].read_text(errors="replace")[-4000:] if logs else ""


def driver_of(project: Project) -> psutil.Process:
    """The JVM that a run of the project has started."""
    [driver] = [p for p in map(psutil.Process, project.processes()) if p.name() == "java"]
    return driver


def worker_of(project: Project) -> psutil.Process:
    """The process of the part that has started that JVM."""
    parent = driver_of(project).parent()
    assert parent is not None
    return parent


def temporaries() -> set[str]:
    """What lies in the system's folder for temporary files, of Spark and of Python."""
    names = (
        "spark-",
        "blockmgr",
        "artifacts-",
        "liblz4",
        "snappy",
        "zstd",
        "libzstd",
        "hsperfdata",
    )
    return {name for name in os.listdir(tempfile.gettempdir()) if name.startswith(names)}


def here(project: Project) -> set[str]:
    """What lies in the project's own folder."""
    return {path.name for path in Path(project.folder).iterdir()}
