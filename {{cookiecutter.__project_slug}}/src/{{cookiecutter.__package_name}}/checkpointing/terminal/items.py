"""What `status` says of steps that run for each item: how many are done, and which runs next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..base.errors import ConfigurationError
from ..codecs.several import key_of
from ..disk.store import Damaged
from ..reuse.bound import Bound
from ..reuse.standing import Stale, Standing, reusable
from ..run.adopting import pending_items


def item_lines(bound: Bound, standings: Sequence[Standing]) -> Iterator[str]:
    """A line for each step that will run for some of its items."""
    upstream = reusable(standings)
    for item in standings:
        if not isinstance(item, Stale):
            continue
        for step in (bound.graph.steps[number] for number in sorted(item.left)):
            if not step.each:
                continue
            where = f"{step.name} of {item.segment.name}"
            try:
                pending = pending_items(bound, item, step, upstream)
            except ConfigurationError as error:
                yield f"{where}: {error.message}"
                continue
            except Damaged as damage:
                yield f"{where}: damaged on disk: {damage}"
                continue
            if pending is not None:
                every, waiting = pending
                following = f", next is {key_of(waiting[0].name)}" if waiting else ""
                done = len(every) - len(waiting)
                yield f"{where}: {done} of {len(every)} items are done{following}"
