"""The keys of steps, and which steps are left to run of a segment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from flight_delays.checkpointing.graph.graph import Graph
from flight_delays.checkpointing.graph.steps import Parameter, Segment, Step
from flight_delays.checkpointing.reuse.bound import Bound, bind
from flight_delays.checkpointing.reuse.inheritance import left_to_run, which_run
from flight_delays.checkpointing.reuse.key import Code
from flight_delays.checkpointing.reuse.step_keys import own_keys, step_keys
from hypothesis import given
from hypothesis import strategies as st

from ..builders import declared, pipeline, write

SEGMENT = """
@step
def read(source: Path) -> int: ...
@step
def half(read: int, rate: float) -> float: ...
@step
def plot(half: float, colour: str) -> str: ...
@step(always=True)
def seen(half: float) -> bool: ...
@step
def told(seen: bool) -> None: ...
@step
def other(source: Path) -> int: ...
"""
WIRING = """
[inputs]
source = "data/x.csv"
[params]
rate = 0.5
colour = "red"
"""
KNOWN = {"seen": "what it made"}


def code(**changed: str) -> Code:
    names = ("read", "half", "plot", "seen", "told", "other")
    return Code({"demo": "1"}, {}, steps={n: {n: changed.get(n, "1")} for n in names})


@pytest.fixture
def bound(tmp_path: Path) -> Bound:
    write(tmp_path / "data/x.csv", "1")
    return bind(declared(pipeline(tmp_path, SEGMENT, wiring=WIRING), code()), {})


def keys(bound: Bound, contents: Mapping[str, str] = KNOWN) -> dict[str, str]:
    [segment] = bound.graph.segments
    return step_keys(bound, segment, {}, contents)


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def edited(bound: Bound, **digests: str) -> Bound:
    [segment] = bound.graph.segments
    return replace(bound, code={segment.name: code(**digests)})


def test_an_edit_changes_the_keys_of_its_step_and_of_all_that_read_it(bound: Bound) -> None:
    assert changed(keys(bound), keys(edited(bound, plot="2"))) == {"plot"}
    assert changed(keys(bound), keys(edited(bound, half="2"))) == {"half", "plot", "seen", "told"}
    assert changed(keys(bound), keys(edited(bound, other="2"))) == {"other"}


def test_a_param_changes_the_keys_of_the_steps_that_take_it(bound: Bound) -> None:
    blue = {address: "blue" if value == "red" else value for address, value in bound.params.items()}
    assert changed(keys(bound), keys(replace(bound, params=blue))) == {"plot"}


def test_an_edit_changes_the_random_numbers_of_its_step_alone(bound: Bound) -> None:
    [segment] = bound.graph.segments
    after = own_keys(edited(bound, half="2"), segment)
    assert changed(own_keys(bound, segment), after) == {"half"}


def test_without_a_step_s_own_code_all_code_of_its_segment_counts(bound: Bound) -> None:
    [segment] = bound.graph.segments
    one, two = (
        keys(replace(bound, code={segment.name: Code({"demo": digest}, {})})) for digest in "12"
    )
    assert changed(one, two) == set(one)


def test_the_readers_of_what_runs_each_time_are_judged_by_what_it_made(bound: Bound) -> None:
    assert keys(bound, {}).keys() == {"read", "half", "plot", "other"}
    assert keys(bound).keys() == {step.name for step in bound.graph.steps}
    assert changed(keys(bound), keys(bound, {"seen": "else"})) == {"seen", "told"}


def graph(reads: list[set[int]]) -> tuple[Graph, Segment]:
    """One segment of steps that read earlier ones, by number."""
    steps = [
        Step(
            f"v{n}",
            __name__,
            __file__,
            n,
            tuple(Parameter(f"v{r}", "int", int, "json", None) for r in sorted(read)),
            "json",
        )
        for n, read in enumerate(reads)
    ]
    segment = Segment("s01", steps)
    return Graph([segment], "demo"), segment


@given(st.data())
def test_each_step_that_runs_finds_what_it_reads_and_no_other_step_runs(
    data: st.DataObject,
) -> None:
    count = data.draw(st.integers(1, 7))
    reads = [data.draw(st.sets(st.integers(0, n - 1))) if n else set() for n in range(count)]
    names = st.sets(st.sampled_from([f"v{n}" for n in range(count)]))
    made, segment = graph(reads)
    done, values, outputs = data.draw(names), data.draw(names), data.draw(names)
    left = left_to_run(made, segment, done, values, outputs)
    ends = {f"v{n}" for n in range(count)} - {f"v{r}" for read in reads for r in read}
    for n in range(count):
        name, is_read = f"v{n}", any(n in reads[other] for other in left)
        is_missing = (is_read and name not in values) or (name in ends and name not in outputs)
        assert (n in left) == (name not in done or is_missing)
    running = made.without(frozenset(range(count)) - left)
    assert set(running.loaded(range(count))) <= values
    assert set(running.outputs(range(count))) == {f"v{n}" for n in left} & ends


def test_the_steps_that_run_are_named_in_a_few_words() -> None:
    made, segment = graph([set()] * 9)
    assert which_run(made, segment, range(9)) == ""
    assert which_run(made, segment, range(4, 9)) == "runs again from `v4`"
    assert which_run(made, segment, {1, 8}) == "runs `v1`, `v8`"
    assert which_run(made, segment, range(1, 8)).endswith("`v5`, and 2 more")
