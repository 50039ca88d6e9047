"""Of a table whose readers all name columns, a checkpoint keeps these columns."""

from __future__ import annotations

import ast
import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..conftest import Project, run_once
from .cutting import BUDGET, choose_cuts, cuts_of

SLOW = pytest.mark.slow
FLIGHTS = """
    @step
    def raw() -> int:
        ran("raw")
        return 3

    @step
    def flights(raw: int) -> pd.DataFrame:
        ran("flights")
        numbers = range(raw)
        index = pd.Index([n * 10 for n in numbers], name="key")
        columns = {name: [f"{name}{n}" for n in numbers] for name in "dcba"}
        return pd.DataFrame(columns, index=index)
"""
READER = """
    @step
    def {name}(flights: Annotated[pd.DataFrame, Columns({columns})]) -> str:
        ran("{name}")
        return flights.to_csv()
"""
ASIDE = """
    @step
    def aside() -> int:
        ran("aside")
        return 1
"""
WHOLE = """
    @step
    def whole(flights: pd.DataFrame) -> int:
        ran("whole")
        return flights.shape[1]
"""


def reader(name: str, *columns: str) -> str:
    return READER.format(name=name, columns=", ".join(map(repr, columns)))


def kept(project: Project, value: str = "flights") -> dict[str, Any]:
    """The record of a value for later steps."""
    [manifest] = [m for m in project.manifests().values() if value in m["values"]]
    record: dict[str, Any] = manifest["values"][value]
    return record


def names_in(project: Project, value: str = "flights") -> list[str]:
    """The columns in the file of a value, with those of its index."""
    record = kept(project, value)
    [path] = project.checkpoints().glob(f"*/*/{record['file']}")
    names: list[str] = pa.ipc.open_file(path).schema.names
    assert list(record["description"]["schema"]) == names
    return names


def reasons(project: Project) -> list[str]:
    """Why the first segment has to run, and which of its steps."""
    [first, *_] = json.loads(project.command("status", "--json").stdout)["segments"]
    return [*first["reasons"], *first["runs"]]


def test_a_checkpoint_has_the_columns_that_any_step_names(project: Project) -> None:
    segments = {"s01": FLIGHTS + reader("early", "b"), "s02": reader("late", "c", "b")}
    run_once(project, segments, '[outputs]\nlate = "late.txt"\n')

    assert names_in(project) == ["c", "b", "key"]
    assert kept(project)["columns"] == ["c", "b"]
    assert (project.folder / "late.txt").read_text().startswith("key,c,b\n0,c0,b0\n")
    assert project.strays() == []
    shown = project.command("show", "flights").stdout
    assert "DataFrame, 3 × 2" in shown
    assert "the columns that later steps read are kept: `c`, `b`" in shown
    loaded = project.python(
        """
        import warnings
        from demo.pipeline import PIPELINE
        with warnings.catch_warnings(record=True) as caught:
            print(*PIPELINE.load("flights"), *(each.message for each in caught), caught[0].filename)
        """
    )
    assert loaded.startswith("c b Of `flights`, the columns that later steps read are kept:")
    assert loaded.rstrip().endswith("<string>")


def test_a_reader_of_one_column_more_has_the_table_made_again(project: Project) -> None:
    first, others = FLIGHTS + ASIDE, {"s03": reader("other", "c")}
    run_once(project, {"s01": first, "s02": reader("late", "b"), **others}, "")

    project.segments(s01=first, s02=reader("late", "a", "b"), **others)
    [why, *runs] = reasons(project)
    assert (why, runs[1:]) == ("of `flights`, `a` is read now", ["raw", "flights"])
    record = project.run()
    assert sorted(project.executed()) == ["flights", "late", "other", "raw"]
    assert record["segments"][0]["reused_steps"] == ["aside"]
    assert names_in(project) == ["c", "b", "a", "key"]

    # What has more columns than are read is as good.
    project.segments(s01=first, s02=reader("late", "b"), s03=reader("other", "b"))
    project.run()
    assert sorted(project.executed()) == ["late", "other"]
    assert project.statuses() == dict.fromkeys(("s01", "s02", "s03"), "reused")

    project.segments(s01=first, s02=reader("late", "b"), s03=WHOLE)
    project.run()
    assert sorted(project.executed()) == ["flights", "late", "raw", "whole"]
    assert names_in(project) == ["d", "c", "b", "a", "key"]


@pytest.mark.parametrize(
    ("wiring", "memory"),
    [
        pytest.param('[outputs]\nflights = "out.parquet"\n', 'format = "parquet"\n', marks=SLOW),
        pytest.param("", "keep_all = true\n", marks=SLOW),
        pytest.param("", 'columns = "all"\n', marks=SLOW),
    ],
    ids=["an output in the same format", "keep_all", "all"],
)
def test_all_columns_are_kept_where_somebody_wants_them(
    project: Project, wiring: str, memory: str
) -> None:
    cluster = '[cluster]\nram = "100 GB"\nquota = "50 %"\n[checkpoints]\n'
    project.write("memory_budget.toml", cluster + memory)
    run_once(project, {"s01": FLIGHTS, "s02": reader("late", "b")}, wiring)
    assert kept(project)["columns"] == []

    project.segments(s01=FLIGHTS, s02=reader("late", "a"))
    project.run()
    assert project.executed() == ["late"]


@SLOW
def test_a_published_table_is_whole_and_serves_who_needs_more(project: Project) -> None:
    wiring = '[outputs]\nflights = "out.parquet"\n'
    run_once(project, {"s01": FLIGHTS, "s02": reader("late", "b")}, wiring)
    assert names_in(project) == ["b", "key"]
    assert "5 columns" in project.python(
        "import pyarrow.parquet as pq; print(len(pq.read_schema('out.parquet').names), 'columns')"
    )
    assert "DataFrame, 3 × 4" in project.command("show", "flights").stdout

    project.segments(s01=FLIGHTS, s02=reader("late", "a"))
    project.run()
    assert project.executed() == ["late"]


@SLOW
def test_the_file_is_the_same_however_the_segment_is_cut(project: Project) -> None:
    segments = {"s01": FLIGHTS + reader("early", "b"), "s02": reader("late", "c")}
    run_once(project, segments, "")
    whole = kept(project)["checksum"]

    choose_cuts(project, {"s01": ["raw", "flights", "early"], "s02": ["late"]}, ["early"])
    record = project.run("--fresh", "--budget", BUDGET)
    assert cuts_of(record) == {"early"}
    assert kept(project)["checksum"] == whole


def test_a_column_that_is_not_there_is_missed_by_its_reader(project: Project) -> None:
    project.segments(s01=FLIGHTS, s02=reader("late", "b", "x"))
    error = project.run()["error"]
    assert (error["kind"], error["step"]) == ("inexact_value", "late")
    assert "no column 'x' among 'd', 'c', 'b', 'a'" in error["message"]


ITEMS = """
    from collections.abc import Iterator
    from ..checkpointing import Item

    @step(each="months")
    def months_of(months: int) -> pd.DataFrame:
        ran(f"month{months}")
        return pd.DataFrame({"a": [months], "b": [months], "c": [months]})

    @step
    def batched() -> Iterator[pd.DataFrame]:
        ran("batched")
        yield pd.DataFrame({"a": [1], "b": [1], "c": [1]})
        yield pd.DataFrame({"a": [2], "b": [2], "c": [2]})

    @step
    def pair() -> dict[str, pd.DataFrame]:
        ran("pair")
        frame = pd.DataFrame({"a": [1], "b": [1], "c": [1]})
        return {"left": frame, "right": frame}
"""
OF_ITEMS = """
    from collections.abc import Iterator
    from ..checkpointing import Item

    @step(each="months_of")
    def of_month(months_of: Annotated[pd.DataFrame, Columns({columns})]) -> int:
        return int(months_of.to_numpy().sum())

    @step
    def of_batches(batched: Annotated[Iterator[pd.DataFrame], Columns({columns})]) -> int:
        return int(sum(batch.to_numpy().sum() for batch in batched))

    @step
    def of_left(
        left: Annotated[pd.DataFrame, Item("pair", "left"), Columns({columns})],
        right: Annotated[pd.DataFrame, Item("pair", "right")],
    ) -> int:
        return int(left.to_numpy().sum() + right.to_numpy().sum())
"""


@SLOW
def test_items_and_tables_in_batches_keep_the_columns_that_are_read(project: Project) -> None:
    wiring = "[params]\nmonths = [1, 2]\n"
    run_once(project, {"s01": ITEMS, "s02": OF_ITEMS.format(columns="'b'")}, wiring)
    assert [names_in(project, f"months_of.{n}") for n in (1, 2)] == [["b"], ["b"]]
    assert names_in(project, "batched") == ["b"]
    assert names_in(project, "pair.left") == ["b"]
    assert names_in(project, "pair.right") == ["a", "b", "c"]
    assert project.strays() == []

    project.segments(s01=ITEMS, s02=OF_ITEMS.format(columns="'a', 'b'"))
    record = project.run()
    assert sorted(project.executed()) == ["batched", "month1", "month2", "pair"]
    assert record["exit_code"] == 0
    assert project.load("of_batches") == "6"
    assert names_in(project, "months_of.2") == ["a", "b"]


def test_a_step_for_each_item_may_take_other_columns_of_one_of_them(project: Project) -> None:
    made = """
    @step
    def pair() -> dict[str, pd.DataFrame]:
        frame = pd.DataFrame({"a": [1], "b": [2], "c": [3]})
        return {"left": frame, "right": frame * 2}
    """
    of_each = """
    from ..checkpointing import Item

    @step(each="pair")
    def of_each(
        pair: Annotated[pd.DataFrame, Columns("b")],
        left: Annotated[pd.DataFrame, Item("pair", "left"), Columns("a")],
    ) -> str:
        return f"{pair.to_dict('list')} {left.to_dict('list')}"

    @step
    def both(of_each: list[str]) -> str:
        return "; ".join(of_each)
    """
    run_once(project, {"s01": made, "s02": of_each}, "")
    assert names_in(project, "pair.left") == ["a", "b"]
    assert names_in(project, "pair.right") == ["b"]
    assert project.load("both") == repr("{'b': [2]} {'a': [1]}; {'b': [4]} {'a': [1]}")


@SLOW
def test_a_checkpoint_without_a_column_that_is_read_cannot_be_accepted(project: Project) -> None:
    run_once(project, {"s01": FLIGHTS, "s02": reader("late", "a", "b")}, "")
    edited = FLIGHTS.replace("return 3", "return 2 + 1")
    why = ("--why", "the same number")

    project.segments(s01=edited, s02=reader("late", "c"))
    refused = project.command("accept", "s01", *why)
    assert refused.returncode == 2
    assert "`flights` is in the checkpoint without columns that are read" in refused.stderr

    project.segments(s01=edited, s02=reader("late", "b"))
    assert project.command("accept", "s01", *why).returncode == 0
    project.run()
    assert project.executed() == ["late"]


LOADED = """
from demo.pipeline import PIPELINE
print([PIPELINE.load(f"reader{n}") for n in range(3)])
"""
names = st.one_of(st.none(), st.sets(st.sampled_from("abcd"), min_size=1))
wanted = st.tuples(names, names, names)


@pytest.mark.exhaustive
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(edits=st.lists(wanted, min_size=3, max_size=4))
def test_whatever_columns_readers_name_one_edit_after_another_each_gets_its_own(
    edits: list[tuple[set[str] | None, ...]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder) / "demo")
        for wants in edits:
            readers = [
                READER.format(name=f"reader{n}", columns=", ".join(map(repr, sorted(columns))))
                if columns
                else f"\n    @step\n    def reader{n}(flights: pd.DataFrame) -> str:\n"
                "        return flights.to_csv()\n"
                for n, columns in enumerate(wants)
            ]
            project.segments(s01=FLIGHTS + readers[0], s02=readers[1], s03=readers[2])
            assert project.run()["exit_code"] == 0
            assert project.strays() == []
            together = [] if None in wants else sorted({c for each in wants for c in each or ()})
            columns = kept(project)["columns"]
            assert columns == [] or set(columns) >= set(together)
            assert together or columns == []
            made = ast.literal_eval(project.python(LOADED))
            for csv, each in zip(made, wants, strict=True):
                assert csv.startswith(",".join(["key", *(sorted(each) if each else "dcba")]))
            project.executed()
            assert set(project.statuses().values()) == {"reused"}
            assert project.executed() == []
