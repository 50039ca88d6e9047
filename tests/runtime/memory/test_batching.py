"""How many rows a batch has: from what is free, and from what the batches before have cost."""

from __future__ import annotations

import mmap
from itertools import pairwise

from flight_delays.checkpointing.memory.batching import Allotment, Pace, PeakWatch
from hypothesis import given
from hypothesis import strategies as st

MB = 10**6


def go(pace: Pace, rows: int, made: int, peak: int, before: int = 0) -> None:
    """Let a pace see a batch: what making it took, and the peak of the work on it."""
    pace.made(rows, made)
    pace.worked(peak, before)


def test_what_is_free_is_the_budget_less_headroom_and_what_is_held() -> None:
    allotment = Allotment(1000, 0.2)

    assert allotment.free(500) == 300
    assert allotment.free(900) == 0
    assert Allotment(1000, 0.2, shrunk=8).free(0) == 100


def test_a_first_batch_is_a_small_part_of_what_is_free() -> None:
    pace = Pace(stored=100.0)

    assert 100 * pace.rows(free=160 * MB) <= 10 * MB


def test_a_first_batch_is_as_large_as_a_former_run_allows() -> None:
    assert Pace(former=1000.0, stored=100.0).rows(free=100 * MB) == 35_000


def test_a_row_that_costs_more_than_thought_makes_smaller_batches_at_once() -> None:
    pace = Pace(former=10.0)
    first = pace.rows(free=100 * MB)
    go(pace, first, made=0, peak=first * 1000)

    assert pace.rows(free=100 * MB) * 1000 <= 50 * MB


def test_what_a_step_takes_once_does_not_keep_batches_small() -> None:
    """Imports, and what it collects, are no matter of rows."""
    pace = Pace(stored=100.0)
    for _ in range(12):
        rows = pace.rows(free=100 * MB)
        go(pace, rows, made=0, peak=20 * MB + 100 * rows)

    assert 100 * rows > 9 * MB


def test_a_batch_that_finds_memory_of_the_one_before_makes_none_larger() -> None:
    pace = Pace(stored=100.0)
    for _ in range(12):
        rows = pace.rows(free=100 * MB)
        go(pace, rows, made=0, peak=1000 * rows)
    for _ in range(12):
        go(pace, pace.rows(free=100 * MB), made=0, peak=0)

    assert pace.rows(free=100 * MB) <= rows


def test_a_batch_is_never_too_small_to_matter() -> None:
    assert Pace(stored=100.0).rows(free=0) * 100 > 500_000
    assert Pace(stored=100.0, shrunk=8).rows(free=0) * 100 < 200_000


def test_batches_of_rows_that_cost_nothing_grow_by_steps() -> None:
    pace = Pace(stored=8.0)
    sizes = []
    for _ in range(4):
        sizes.append(pace.rows(free=10**12))
        go(pace, sizes[-1], made=0, peak=0)

    assert [later // former for former, later in pairwise(sizes)] == [4] * 3


@given(
    free=st.integers(0, 10**12),
    row=st.floats(1.0, 10**6),
    work=st.floats(0.0, 50.0),
    former=st.floats(0.0, 10**6),
    stored=st.floats(0.0, 10**6),
)
def test_a_batch_fits_what_is_free_once_a_row_is_known(
    free: int, row: float, work: float, former: float, stored: float
) -> None:
    """The batch before is held while the next is made, and let go of before the work on that."""
    pace, before, made = Pace(former, stored), 0, 0
    least = pace.rows(0)
    for number in range(8):
        left = max(0, free - made)
        rows = pace.rows(left)
        assert rows >= least
        before, made = made, int(rows * row)
        peak = max(made, made - before + int(rows * row * work))
        if number and rows > least:
            assert made <= left
            assert peak <= left + 1
        go(pace, rows, made, peak, before)


def test_a_watch_tells_the_peak_since_each_of_several_beginnings() -> None:
    watch = PeakWatch("held")
    try:
        first, second = object(), object()
        began = watch.begin(first)
        memory = mmap.mmap(-1, 40 * MB)
        memory.write(b"x" * 40 * MB)
        watch.held()
        memory.close()
        later = watch.begin(second)

        assert watch.peak(first) >= began + 38 * MB
        assert watch.peak(second) < later + 20 * MB
    finally:
        watch.end()
