"""Tables in batches in real runs: the same bytes whatever the batches, within the budget."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ...marks import in_exhaustive, in_slow
from ..conftest import Project
from .cutting import BUDGET, choose_cuts, contents, cuts_of

HEADER = """
from collections.abc import Iterable, Iterator
import os, signal
import pyarrow as pa
from ..checkpointing import Batches, Item
"""
MADE = """
@step
def flights(rows: int) -> Iterator[pd.DataFrame]:
    for start in range(0, rows, 50_000):
        numbers = np.arange(start, min(start + 50_000, rows))
        yield pd.DataFrame(
            {"late": numbers * 7919 % 1000, "way": numbers / 3, "carrier": numbers % 12}
        )
"""
SIZES = (100, 111, 128, 999, 1000, 1024, 4096, 9_999, 10_000, 10**9)


def filtered(rows: int) -> str:
    """A step that keeps some rows of batches of a size of its own."""
    taken = f"Annotated[Iterator[pd.DataFrame], Batches(rows={rows})]"
    return f"""
@step
def batched_{rows}(flights: {taken}) -> Iterator[pd.DataFrame]:
    for batch in flights:
        yield batch[batch["late"] > 500].assign(double=lambda kept: kept["late"] * 2)
"""


WHOLE = """
@step
def whole(flights: pd.DataFrame) -> pd.DataFrame:
    return flights[flights["late"] > 500].assign(double=lambda kept: kept["late"] * 2)
"""


def checksums(project: Project, of: str) -> set[str]:
    """The checksums of the values whose names begin so."""
    kept = [m["outputs"] | m["values"] for m in project.manifests().values()]
    return {r["checksum"] for each in kept for name, r in each.items() if name.startswith(of)}


def test_a_result_does_not_depend_on_the_size_of_batches(project: Project) -> None:
    project.segments(s01=HEADER + MADE, s02=HEADER + "".join(map(filtered, SIZES)), s03=WHOLE)
    project.write("pipeline.toml", "[params]\nrows = 10_000\n")

    record = project.run("--keep-all")

    assert record["exit_code"] == 0, record.get("error")
    assert len(checksums(project, "batched_")) == 1
    assert (
        project.python(
            "from demo.pipeline import PIPELINE; from pandas.testing import assert_frame_equal; "
            "assert_frame_equal(PIPELINE.load('whole'), PIPELINE.load('batched_999')); "
            "print('same')"
        ).strip()
        == "same"
    )
    steps = {step["name"]: step for step in record["segments"][1]["steps"]}
    assert steps["batched_100"]["batches"] == steps["batched_100"]["made_batches"] == 100
    assert steps["batched_100"]["rows"] == 10_000
    assert project.strays() == []


AGGREGATED = """
@step
def late(flights: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for batch in flights:
        yield batch[batch["late"] > 500]

@step
def per_carrier(late: Iterator[pd.DataFrame]) -> pd.DataFrame:
    parts = [batch.groupby("carrier")[["late"]].agg(["sum", "count"]) for batch in late]
    return pd.concat(parts).groupby(level=0).sum()
"""


@pytest.mark.parametrize(
    "case", [(5_000_000, 190), *in_slow((40_000_000, 230)), *in_exhaustive((100_000_000, 600))]
)
def test_a_table_of_four_times_the_budget_is_filtered_and_aggregated(
    project: Project, case: tuple[int, int]
) -> None:
    """Of the smallest, the table has about four times what is left of the budget."""
    rows, megabytes = case
    project.segments(s01=HEADER + MADE, s02=HEADER + AGGREGATED)
    project.write("pipeline.toml", f"[params]\nrows = {rows}\n")

    record = project.run("--budget", f"{megabytes}MB")

    assert record["exit_code"] == 0, record.get("error")
    assert record["peak_bytes"] <= megabytes * 10**6
    assert all(segment["parts"] == 1 for segment in record["segments"])
    [late, per_carrier] = record["segments"][1]["steps"]
    assert late["rows"] == rows
    assert late["batches"] > 1
    assert per_carrier["rows"] == late["made_rows"]
    total = project.python(
        "from demo.pipeline import PIPELINE; t = PIPELINE.load('per_carrier'); "
        "print(t['late', 'count'].sum())"
    )
    assert int(total) == late["made_rows"]


@pytest.mark.exhaustive
def test_batches_keep_the_budget_where_mapped_pages_count_too(project: Project) -> None:
    """What a run has measured of them there does not refuse the next one."""
    project.segments(s01=HEADER + MADE, s02=HEADER + AGGREGATED)
    published = """
        [outputs]
        flights = "flights.parquet"
        late = "late.feather"
    """
    project.write("pipeline.toml", f"[params]\nrows = 40_000_000\n{published}")
    toml = '[cluster]\nram = "100 GB"\nquota = "50 %"\n[budget]\ncount = "rss"\n'
    project.write("memory_budget.toml", toml)

    for options in ((), ("--fresh",)):
        record = project.run("--budget", "480MB", *options)

        assert record["exit_code"] == 0, record.get("error")
        assert record["peak_bytes"] <= 480_000_000


@pytest.mark.slow
def test_what_a_former_run_measured_does_not_cut_or_refuse_a_step_in_batches(
    project: Project,
) -> None:
    """It took what there was; with a smaller budget it takes less."""
    project.segments(s01=HEADER + MADE, s02=HEADER + AGGREGATED)
    project.write("pipeline.toml", "[params]\nrows = 8_000_000\n")

    first = project.run("--budget", "1GB")
    again = project.run("--budget", "260MB", "--fresh")

    assert (first["exit_code"], again["exit_code"]) == (0, 0)
    assert first["segments"][1]["steps"][0]["peak_bytes"] > 260 * 10**6
    assert again["segments"][1]["cuts"] == []
    assert again["peak_bytes"] <= 260 * 10**6


GREEDY = """
@step
def seen(flights: Iterator[pd.DataFrame]) -> int:
    ran("seen")
    count = 0
    for batch in flights:
        if len(batch) > 40_000:
            held = np.ones(60_000_000)
            signal.pause()
        count += len(batch)
    return count
"""


def test_a_step_that_exceeds_the_budget_alone_runs_again_with_smaller_batches(
    project: Project,
) -> None:
    project.segments(s01=HEADER + MADE, s02=HEADER + GREEDY)
    project.write("pipeline.toml", "[params]\nrows = 200_000\n")

    done = project.command("run", "--budget", "250MB")

    assert done.returncode == 0, done.stderr
    assert "held; `seen` runs again with less at once" in done.stdout + done.stderr
    assert len(project.executed()) > 1
    assert project.load("seen") == "200000"


HUNGRY = """
@step
def seen(flights: Iterator[pd.DataFrame]) -> int:
    ran("seen")
    next(flights)
    held = np.ones(60_000_000)
    signal.pause()
    return 1
"""


def test_a_step_that_no_batch_is_small_enough_for_fails_for_its_memory(project: Project) -> None:
    project.segments(s01=HEADER + MADE, s02=HEADER + HUNGRY)
    project.write("pipeline.toml", "[params]\nrows = 20_000\n")

    record = project.run("--budget", "250MB")

    assert record["exit_code"] == 3
    assert record["error"]["kind"] == "budget_exceeded"
    assert len(project.executed()) == 3
    assert project.strays() == []


BAD = """
import weakref

def batches(how: str) -> Iterator[pd.DataFrame]:
    frame = pd.DataFrame({"x": [1, 2]})
    if how == "nothing":
        return
    yield frame
    if how == "None":
        yield None
    elif how == "another engine":
        yield pa.table({"x": [1]})
    elif how == "another schema":
        yield frame.assign(x=["a", "b"])
    elif how == "raises":
        raise ValueError("half-way")
    elif how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "forks":
        if os.fork() == 0:
            yield frame
            ran("resumed")
        else:
            os.wait()
            yield frame
    elif how == "panics":
        from polars.exceptions import PanicException
        raise PanicException("index out of bounds")
    elif how == "lacks memory":
        import duckdb
        duckdb.execute("set memory_limit='10MB'; set temp_directory=''")
        duckdb.execute("select list(i) from range(100_000_000) t(i)").fetchall()

@step
def before(how: str) -> pd.DataFrame:
    return pd.DataFrame({"x": np.arange(100)})

@step
def made(how: str, before: pd.DataFrame) -> Iterator[pd.DataFrame]:
    if how == "a frame":
        return pd.DataFrame({"x": [1]})
    if how == "no value":
        return None
    return batches(how)

@step
def seen(before: Iterator[pd.DataFrame], made: Annotated[Iterator[pd.DataFrame], Batches(rows=1)],
         how: str) -> int:
    rows = sum(map(len, before)) + sum(map(len, made))
    return sum(map(len, made)) if how == "used twice" else rows
"""
ENDINGS: dict[str, tuple[str | None, str, str]] = {
    "well": (None, "", ""),
    "nothing": ("inexact_value", "made", "`made`: "),
    "a frame": ("inexact_value", "made", "returned a pandas.DataFrame; yield"),
    "no value": ("inexact_value", "made", "returned None; yield"),
    "None": ("inexact_value", "made", "batch 2"),
    "another engine": ("inexact_value", "made", "batch 2"),
    "another schema": ("inexact_value", "made", "column 'x'"),
    "raises": ("step_failed", "made", "ValueError: half-way"),
    "killed": ("budget_exceeded", "made", "killed from outside, by the system out of memory"),
    "forks": (None, "", ""),
    "panics": ("step_failed", "made", "panicked: index out of bounds"),
    "lacks memory": ("budget_exceeded", "made", "out of memory in the engine (OutOfMemoryExc"),
    "used twice": ("step_failed", "seen", "UsedUp: `made` was read to its end before"),
}


@pytest.fixture(scope="module")
def bad(shared_project: Project) -> Iterator[Any]:
    shared_project.segments(s01=HEADER + BAD)
    shared_project.write("pipeline.toml", '[params]\nhow = "well"\n')
    with shared_project.session() as run:
        yield lambda **options: (shared_project, run(**options))


@pytest.mark.parametrize("how", ENDINGS)
def test_what_a_step_does_wrong_in_batches_is_told_and_leaves_nothing(bad: Any, how: str) -> None:
    kind, step, said = ENDINGS[how]

    project, record = bad(params={"how": how})

    assert project.executed() == []

    error = record.get("error", {})
    assert (error.get("kind"), error.get("step", "")) == (kind, step), record
    assert said in error.get("message", "")
    assert project.strays() == []


KEPT = """
@step
def late(flights: Annotated[Iterator[pd.DataFrame], Batches(rows=700)]) -> Iterator[pd.DataFrame]:
    for batch in flights:
        yield batch[batch["late"] > 500]

@step
def again(late: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    files = list(Path("checkpoints/demo").glob("*/*/late.*"))
    ran(f"files-{len(files)}")
    return iter(list(late))

@step
def fails(again: Iterator[pd.DataFrame], wrong: bool) -> int:
    ran("fails")
    files = list(Path("checkpoints/demo").glob("*/*/late.*"))
    ran(f"files-{len(files)}")
    if wrong:
        next(again)
        raise ValueError("wrong")
    return sum(map(len, again))
"""


@pytest.fixture
def kept(project: Project) -> Project:
    """A project whose second segment makes two tables in batches, and may fail after that."""
    project.segments(s01=HEADER + MADE, s02=HEADER + KEPT)
    project.write("pipeline.toml", "[params]\nrows = 5_000\nwrong = false\n")
    return project


def test_a_table_that_no_later_part_reads_is_on_disk_while_it_is_used(kept: Project) -> None:
    assert kept.run()["exit_code"] == 0
    assert kept.executed() == ["files-1", "fails", "files-0"]
    assert set(kept.manifests()["s02"]["values"]) == set()
    assert kept.strays() == []


def test_what_was_streamed_before_a_step_failed_is_kept(kept: Project) -> None:
    record = kept.run("--set", "wrong=true")
    assert record["error"]["message"].endswith("are kept: the next run starts there.")
    kept.executed()

    assert kept.run("--set", "wrong=true")["exit_code"] == 1
    assert kept.executed() == ["fails", "files-0"]
    assert kept.strays() == []


def test_a_cut_between_batches_of_two_steps_changes_nothing(kept: Project) -> None:
    assert kept.run("--keep-all")["exit_code"] == 0
    uncut = contents(kept)
    choose_cuts(kept, {"s01": ["flights"], "s02": ["late", "again", "fails"]}, {"again"})

    record = kept.run("--keep-all", "--fresh", "--budget", BUDGET)

    assert cuts_of(record) == {"again"}
    assert contents(kept) == uncut


@pytest.mark.slow
def test_checkpoints_as_parquet_hold_the_same_tables(kept: Project) -> None:
    assert kept.run()["exit_code"] == 0
    read = "from demo.pipeline import PIPELINE; print(PIPELINE.load('flights').to_csv())"
    former = kept.python(read)
    toml = '[cluster]\nram = "100 GB"\nquota = "50 %"\n[checkpoints]\nformat = "parquet"\n'
    kept.write("memory_budget.toml", toml)

    record = kept.run("--fresh")

    assert record["exit_code"] == 0, record.get("error")
    [late, *_] = record["segments"][1]["steps"]
    assert (late["batches"], late["rows"]) == (8, 5000)
    assert kept.manifests()["s01"]["values"]["flights"]["format"] == "parquet"
    assert kept.python(read) == former
    assert kept.strays() == []


EACH = """
@step
def days(rows: int) -> list[pd.DataFrame]:
    return [pd.DataFrame({"x": np.arange(rows) + day}) for day in range(3)]

@step(each="days")
def late(days: Annotated[Iterator[pd.DataFrame], Batches(rows=7)], fails: int
         ) -> Iterator[pd.DataFrame]:
    for batch in days:
        ran("late")
        yield batch[batch["x"] % 2 == 0]
        if batch["x"].iloc[0] == fails:
            raise ValueError("an item")

@step
def total(late: Iterator[tuple[str, pd.DataFrame]]) -> dict[str, int]:
    return {key: int(day["x"].sum()) for key, day in late}
"""


@pytest.mark.slow
def test_a_step_streams_a_table_for_each_item(project: Project) -> None:
    project.segments(s01=HEADER + EACH)
    project.write("pipeline.toml", "[params]\nrows = 20\nfails = 9\n")

    record = project.run()
    assert "item `2`: ValueError: an item" in record["error"]["message"]
    assert len(project.executed()) == 8
    files = {path.name.partition(".")[0] for path in project.checkpoints().glob("*/*/late-*")}
    assert files == {"late-0", "late-1"}
    project.write("pipeline.toml", "[params]\nrows = 20\nfails = 99\n")
    project.run("--keep-all")

    assert project.load("total") == str({"0": 90, "1": 110, "2": 110})


READ = """
@step
def seen(raw: Annotated[Iterator[pd.DataFrame], Columns("late"), Batches(rows=700)]) -> int:
    return sum(int(batch["late"].sum()) for batch in raw)

@step
def kept(raw: pa.RecordBatchReader) -> pa.RecordBatchReader:
    return raw

@step
def late(raw: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in raw:
        yield batch.filter(pa.compute.field("late") > 500)

@step(each="raw")
def rows(raw: Iterator[pd.DataFrame]) -> int:
    return sum(map(len, raw))
"""


@pytest.mark.parametrize("suffix", ["parquet", *in_exhaustive("csv", "feather")])
def test_a_step_reads_the_files_of_an_input_in_batches(project: Project, suffix: str) -> None:
    project.segments(s01="import pyarrow.compute\n" + HEADER + READ)
    (project.folder / "raw").mkdir()
    frame = pd.DataFrame({"late": np.arange(5000) * 7919 % 1000, "way": np.arange(5000) / 3})
    for number in range(2):
        half = frame[number * 2500 :][:2500].reset_index(drop=True)
        path = project.folder / f"raw/{number}.{suffix}"
        keep = {"index": False} if suffix == "csv" else {}
        getattr(half, f"to_{suffix}")(path, **keep)
    project.write("pipeline.toml", f'[inputs]\nraw = "raw/*.{suffix}"\n')

    record = project.run("--keep-all")

    assert record["exit_code"] == 0, record.get("error")
    assert project.load("seen") == str(frame["late"].sum())
    assert project.load("rows") == str({f"{n}.{suffix}": 2500 for n in range(2)})
    [seen, kept, late, *_] = record["segments"][0]["steps"]
    assert (seen["batches"], seen["rows"], kept["made_rows"]) == (8, 5000, 5000)
    assert late["made_rows"] == (frame["late"] > 500).sum()
