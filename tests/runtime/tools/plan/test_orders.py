"""What another order of steps does to a plan, in sentences."""

from __future__ import annotations

from pathlib import Path

from flight_delays.checkpointing.memory.ordering import Ordering, better_order
from flight_delays.checkpointing.tools.plan.orders import order_sentences

from ...memory.forecasts import Told, forecast

MB = 10**6
FRAMES = ("a", "b", "c")
SUMS = ("a1", "b1", "c1")
STEPS = {
    **{frame: Told(value=100 * MB) for frame in FRAMES},
    "a": Told(value=100 * MB + 200_000),
    **{
        total: Told((frame,), value=1000, extra=50_000)
        for frame, total in zip(FRAMES, SUMS, strict=True)
    },
    "all": Told(SUMS),
}
ORDER = "…, `a1`, `b`, `b1`, `c`, …"


def ordering_in(folder: Path, budget: int) -> Ordering:
    """Another order of the steps, in which each frame is used before the next is made."""
    known = forecast(folder, [STEPS])
    [segment] = known.graph.segments
    found = better_order(known, segment, budget, 0.0)
    assert found is not None
    return found


def test_one_part_is_told_as_one_and_a_peak_that_looks_the_same_is_no_gain(
    tmp_path: Path,
) -> None:
    ordering = ordering_in(tmp_path, 150 * MB)
    assert ordering.planned.peak != ordering.written.peak
    [sentence] = order_sentences([ordering], [ordering])
    assert sentence == (
        f"s01 runs in another order than it is written in: {ORDER}. "
        f"400 MB less I/O, 1 part instead of 3."
    )


def test_a_lower_peak_is_told_with_the_one_before(tmp_path: Path) -> None:
    sentence, how = order_sentences([ordering_in(tmp_path, 1000 * MB)], [])
    assert sentence == (
        f"s01 could run in another order: {ORDER}. A peak of 100 MB instead of 300 MB."
    )
    assert "lets a run take it." in how


def test_orders_beyond_the_first_are_counted(tmp_path: Path) -> None:
    ordering = ordering_in(tmp_path, 1000 * MB)
    for more, words in ((1, "1 segment"), (2, "2 segments")):
        *_, last, _ = order_sentences([ordering] * (5 + more), [])
        assert last == f"So it is with {words} more: `plan --json` lists all."
