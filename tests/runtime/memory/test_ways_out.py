"""The ways out of a step that does not fit, from what a graph and a profile tell."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flight_delays.checkpointing.graph.graph import Graph
from flight_delays.checkpointing.graph.steps import Parameter, Segment, Step
from flight_delays.checkpointing.memory.forecast import Forecast
from flight_delays.checkpointing.memory.profile import ELASTIC_BYTES, SegmentProfile
from flight_delays.checkpointing.memory.ways_out import Excess, WayOut, ways_out

from . import graphs
from .graphs import NAMES, measure, step

MB = 10**6
EXCESS = Excess(budget=600 * MB, headroom=0.2)


def advised(
    last: Step,
    *,
    excess: Excess = EXCESS,
    baseline: int = 150 * MB,
    loads: dict[str, int] | None = None,
) -> list[WayOut]:
    """The ways out for a step behind two others, each of which makes a frame."""
    steps = (step(0, ()), step(1, ()), last)
    graph = Graph([Segment("all", steps)], "graph")
    known = graphs.graph([()]).settings.memory
    measures = {NAMES[0]: measure(value=300 * MB), NAMES[1]: measure(value=20 * MB)}
    profile = SegmentProfile(1, baseline, measures, loads or {})
    return list(ways_out(last, Forecast(graph, {"all": profile}, known), excess))


def kinds(ways: list[WayOut]) -> list[str]:
    return [way.kind for way in ways]


def test_a_step_over_tables_has_every_way_out_and_the_smallest_change_comes_first() -> None:
    ways = advised(step(2, (1, 0)))
    assert kinds(ways) == ["columns", "batches", "engine", "engine", "split", "budget", "executor"]
    assert ways[0].code == tuple(
        f"{name}: Annotated[pd.DataFrame, Columns(...)]" for name in NAMES[:2]
    )
    assert ways[1].code == (f"{NAMES[0]}: Iterator[pd.DataFrame]", "-> Iterator[pd.DataFrame]")


def test_the_figure_of_batches_is_what_the_planner_counts_for_them() -> None:
    [_, batches, *_] = advised(step(2, (0, 1)), loads={NAMES[0]: 300 * MB, NAMES[1]: 30 * MB})
    assert batches.held_bytes == (150 + 30) * MB + ELASTIC_BYTES
    assert batches.fits


def test_a_way_that_does_not_fit_either_says_so() -> None:
    [_, batches, *_] = advised(step(2, (0, 1)), loads={NAMES[1]: 400 * MB})
    assert batches.fits is False
    assert "needs about 617 MB, and the budget less its headroom is 480 MB, so it" in batches.do


def test_nothing_is_claimed_of_what_is_not_measured() -> None:
    ways = advised(step(2, (0,)), baseline=0)
    assert [way.held_bytes for way in ways] == [None] * len(ways)
    assert "is not known: nothing of the step is measured yet" in ways[1].do
    assert "how much it takes is not known, as it was stopped" in ways[-2].do


def test_a_budget_that_suffices_is_named_with_its_headroom() -> None:
    *_, budget, _ = advised(step(2, (0,)), excess=replace(EXCESS, needed=1_600 * MB))
    assert budget.command == "plan --budget 2GB"


def test_a_step_that_takes_batches_hears_what_remains_to_do() -> None:
    taken = Parameter(NAMES[0], "pandas.DataFrame", None, "DataFrame", None)
    batched = replace(taken, batch="DataFrame", rows=10_000_000, in_batches=True)
    ways = advised(replace(step(2, (0,)), parameters=(batched,)))
    assert kinds(ways) == ["less", "less", "split", "budget", "executor"]
    assert "take `Batches(rows=10000000)` out" in ways[0].do
    assert "`-> Iterator[pd.DataFrame]`" in ways[1].do


def test_a_step_with_an_engine_is_not_told_to_use_it() -> None:
    lazy = Parameter(NAMES[0], "polars.LazyFrame", None, "polars.LazyFrame", None)
    ways = advised(replace(step(2, (0,)), parameters=(lazy,)), excess=replace(EXCESS))
    assert kinds(ways) == ["less", "engine", "split", "budget", "executor"]
    assert "DuckDB" in ways[1].do


def test_an_engine_has_a_figure_if_it_puts_on_disk_all_that_does_not_fit() -> None:
    ways = advised(step(2, (0, 1)), loads={NAMES[1]: 30 * MB})
    duckdb, polars = (way for way in ways if way.kind == "engine")
    assert duckdb.held_bytes == (150 + 100) * MB
    assert duckdb.fits
    assert polars.held_bytes is None
    assert "it puts on disk a part of what a sort or a group holds" in polars.do


def test_an_engine_that_is_not_installed_is_added_to_the_project(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    ways = advised(step(2, (0,)))
    assert [way.command for way in ways if way.kind == "engine"] == [
        "uv add duckdb",
        "uv add polars",
    ]


def test_a_value_that_is_too_large_to_write_is_made_in_batches() -> None:
    ways = advised(step(2, (0,)), excess=replace(EXCESS, is_writing=True))
    assert kinds(ways) == ["batches", "split", "budget", "executor"]


def test_a_step_without_tables_hears_nothing_of_tables() -> None:
    plain = Step(NAMES[2], __name__, "graph.py", 1, (), "ndarray")
    assert kinds(advised(plain)) == ["split", "budget", "executor"]


def test_a_file_is_taken_in_batches_in_place_of_its_path() -> None:
    file = Parameter("flights_file", "pathlib.Path", None, "Path", None)
    [batches, *_] = advised(replace(step(2, ()), parameters=(file,)))
    assert batches.code[0] == "flights_file: Iterator[pd.DataFrame]"


def test_an_engine_that_did_not_start_is_helped_by_a_larger_budget_alone() -> None:
    excess = Excess(600 * MB, 0.2, needed=1320 * MB, is_start=True, in_engine=True)
    [budget] = advised(step(2, (1, 0)), excess=excess)
    assert (budget.kind, budget.command) == ("budget", "plan --budget 1.65GB")


def test_the_last_way_out_is_infrastructure_that_lives_only_for_the_segment() -> None:
    way = advised(step(2, (0,)))[-1]
    assert (way.kind, way.fits) == ("executor", None)
    assert way.do.endswith("docs/tenth-case.md")


@pytest.mark.parametrize(
    ("needed", "says"),
    [(0, "; how much it takes is not known"), (1_600 * MB, " to 2 GB")],
)
def test_a_segment_that_runs_elsewhere_is_told_of_the_memory_there(needed: int, says: str) -> None:
    ways = advised(step(2, (0,)), excess=replace(EXCESS, needed=needed, executor="gpu"))
    assert kinds(ways)[-2:] == ["split", "budget"]
    assert ways[-1].do.startswith("raise `memory` of [executors.gpu] in pipeline.toml" + says)
    assert ways[-1].command == ""
