"""Wherever a segment is cut, its values and outputs are the same to the last bit."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..conftest import Project
from .cutting import BUDGET, choose_cuts, contents, cuts_of, steps_of
from .sketches import Sketch, sketches


def sets_of_cuts(segments: dict[str, list[str]]) -> Iterator[set[str]]:
    """Every set of cuts within each segment, those of all segments side by side."""
    inside = [names[1:] for names in segments.values()]
    for chosen in range(1 << max(map(len, inside))):
        yield {
            name
            for names in inside
            for number, name in enumerate(names)
            if chosen % (1 << len(names)) >> number & 1
        }


def check_same_results(project: Project, segments: int | None, chance: random.Random) -> None:
    """Run the sample with sets of cuts, all or so many at random: the results never differ."""
    with project.session() as run:
        record = run(fresh=True, budget=BUDGET)
        assert "error" not in record, record["error"]
        steps, expected = steps_of(record), contents(project)
        assert cuts_of(record) == set()
        assert {"data/out/delays.parquet", "data/out/report.md"} <= expected.keys()
        every = list(sets_of_cuts(steps))
        some = every if segments is None else [every[-1], *chance.sample(every[1:-1], segments)]
        for cuts in some:
            choose_cuts(project, steps, cuts)
            assert cuts_of(run(fresh=True, budget=BUDGET)) == cuts
            assert contents(project) == expected
            assert project.strays() == []


@pytest.mark.slow
def test_the_sample_gives_the_same_results_under_some_cuts(sample: Project) -> None:
    check_same_results(sample, 1, random.Random(1))


@pytest.mark.exhaustive
def test_the_sample_gives_the_same_results_under_more_sets_of_cuts(sample: Project) -> None:
    check_same_results(sample, 5, random.Random(2))


@pytest.mark.exhaustive
def test_the_sample_gives_the_same_results_under_every_possible_set_of_cuts(
    sample: Project,
) -> None:
    check_same_results(sample, None, random.Random(1))


def check_sketch(sketch: Sketch, chance: random.Random) -> None:
    """Run a random pipeline uncut, with all cuts, and with a few sets of cuts."""
    with tempfile.TemporaryDirectory(prefix="sketch-") as folder:
        project = Project(Path(folder) / "demo")
        project.segments(**sketch.sources)
        with project.session() as run:
            record = run(budget=BUDGET)
            assert "error" not in record, (sketch, record["error"])
            expected = contents(project)
            inside = {name for names in sketch.steps.values() for name in names[1:]}
            for cuts in (inside, *({n for n in inside if chance.random() < 0.5} for _ in "12")):
                choose_cuts(project, sketch.steps, cuts)
                assert cuts_of(run(fresh=True, budget=BUDGET)) == cuts
                assert contents(project) == expected, sketch
                assert project.strays() == []


REAL_RUNS = settings(deadline=None, suppress_health_check=list(HealthCheck))


@given(sketches(), st.randoms(use_true_random=False))
@settings(REAL_RUNS, max_examples=1)
def test_random_pipelines_give_the_same_results_under_random_cuts(
    sketch: Sketch, chance: random.Random
) -> None:
    check_sketch(sketch, chance)


@pytest.mark.exhaustive
@given(sketches(), st.randoms(use_true_random=False))
@settings(REAL_RUNS, max_examples=60)
def test_many_random_pipelines_give_the_same_results_under_random_cuts(
    sketch: Sketch, chance: random.Random
) -> None:
    check_sketch(sketch, chance)
