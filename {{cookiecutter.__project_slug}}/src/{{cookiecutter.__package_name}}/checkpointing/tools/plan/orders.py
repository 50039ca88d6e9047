"""What another order of steps would save, or saves, in sentences and as data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ...base.units import counted, size
from ...memory.ordering import Ordering
from ...memory.plan import Plan

_MOST = 5  # segments that are named; `--json` lists all
_MOST_NAMES = 8
_HOW = '`order = "planned"` below a line `[steps]` in pipeline.toml lets a run take it.'


def order_sentences(orders: Sequence[Ordering], taken: Sequence[Ordering]) -> Iterator[str]:
    """What another order of each segment's steps does to its plan.

    Args:
        orders: those that pay.
        taken: those in which a run runs them.
    """
    names = {ordering.segment.name for ordering in taken}
    for ordering in taken[:_MOST]:
        yield (
            f"{ordering.segment.name} runs in another order than it is written in: "
            f"{_steps(ordering)}. {_gains(ordering)}."
        )
    others = [ordering for ordering in orders if ordering.segment.name not in names]
    for ordering in others[:_MOST]:
        yield (
            f"{ordering.segment.name} could run in another order: {_steps(ordering)}. "
            f"{_gains(ordering)}."
        )
    if more := len(taken[_MOST:]) + len(others[_MOST:]):
        yield f"So it is with {counted(more, 'segment')} more: `plan --json` lists all."
    if others and not taken:
        yield _HOW


def orders_json(orders: Sequence[Ordering], taken: Sequence[Ordering]) -> list[dict[str, Any]]:
    """The same as data; `taken` says whether a run runs them so."""
    names = {ordering.segment.name for ordering in taken}
    return [
        {
            "name": ordering.segment.name,
            "steps": list(ordering.names),
            "taken": ordering.segment.name in names,
            "written": _sums(ordering.written),
            "planned": _sums(ordering.planned),
        }
        for ordering in orders
    ]


def _sums(planned: Plan) -> dict[str, int]:
    return {
        "parts": len(planned.parts),
        "peak_bytes": planned.peak,
        "bytes_written": planned.written,
        "bytes_read": planned.read,
    }


def _steps(ordering: Ordering) -> str:
    """The steps from the first to the last that has another place."""
    pairs = zip(ordering.names, ordering.segment.written, strict=True)
    changed = [place for place, (now, written) in enumerate(pairs) if now != written]
    names = [f"`{name}`" for name in ordering.names[changed[0] : changed[-1] + 1]]
    before = ["…"] * (changed[0] > 0)
    after = ["…"] * (changed[-1] + 1 < len(ordering.names) or len(names) > _MOST_NAMES)
    return ", ".join([*before, *names[:_MOST_NAMES], *after])


def _gains(ordering: Ordering) -> str:
    written, planned = ordering.written, ordering.planned
    gains = []
    if saved := written.transfers - planned.transfers:
        gains.append(f"{size(saved)} less I/O" if saved > 0 else f"{size(-saved)} more I/O")
    if len(planned.parts) != len(written.parts):
        gains.append(f"{counted(len(planned.parts), 'part')} instead of {len(written.parts)}")
    peak, former = size(planned.peak), size(written.peak)
    if peak != former:
        gains.append(f"a peak of {peak} instead of {former}")
    listed = ", ".join(gains) or "a slightly lower peak"
    return listed[:1].upper() + listed[1:]
