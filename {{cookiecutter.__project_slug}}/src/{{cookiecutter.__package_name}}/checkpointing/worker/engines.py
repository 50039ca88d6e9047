"""Tell the engine of a step what it may take of the machine, and when the step has ended."""

from __future__ import annotations

import os

from ..codecs import Room, codec_named, family_known
from ..disk.commit import Commit
from ..graph.steps import Parameter, Step
from ..memory.gauge import Gauge
from .forks import children_end_here
from .messages import Order

_LEAST_BYTES = 64 << 20
"""What an engine needs to do anything; with less, it would fail where it might have succeeded."""


def engines_of(step: Step) -> tuple[str, ...]:
    """The codecs of a step's types whose library wants to be told what it may take.

    Of codecs of the project's own those that are registered in this process: the parent of a run
    imports none of the project's code.
    """
    typed: list[Step | Parameter] = [step, *step.parameters]
    names = [each.codec for each in typed]
    names += [kind.codec for each in typed if each.shape for kind in each.shape.types]
    known = dict.fromkeys(name for name in names if name and family_known(name) is not None)
    return tuple(name for name in known if codec_named(name).prepare is not None)


def is_elastic(step: Step) -> bool:
    """Whether a step takes as much memory as there is: batches of the runtime's size, an engine.

    What it held in one run does not say that it needs that in another.
    """
    return any(p.in_batches and p.rows is None for p in step.parameters) or bool(engines_of(step))


def prepare(step: Step, order: Order, commit: Commit, gauge: Gauge) -> None:
    """Give each engine of a step its share of the memory that is left, and of the disk."""
    engines = {codec_named(name).prepare for name in engines_of(step)} - {None}
    if not engines:
        return
    commit.make_folder()
    free = order.allotment.free(gauge.sample()) // len(engines)
    room = Room(max(free, _LEAST_BYTES), order.spill, commit.room // len(engines), usable_cores())
    for tell in engines:
        assert tell is not None, "codecs without are left out"
        with children_end_here():
            tell(room)


def release(step: Step) -> None:
    """Have each engine of a step that has ended let go of what it holds."""
    for end in {codec_named(name).release for name in engines_of(step)} - {None}:
        assert end is not None, "codecs without are left out"
        with children_end_here():
            end()


def usable_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
