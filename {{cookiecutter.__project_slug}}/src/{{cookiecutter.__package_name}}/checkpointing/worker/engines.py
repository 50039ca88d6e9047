"""Tell the engine of a step what it may take of the machine, and when the step has ended."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from ..base.errors import CheckpointingError
from ..base.files import remove, storage_errors
from ..codecs import Room, codec_named, family_known
from ..disk.commit import Commit
from ..graph.steps import Parameter, Step
from ..memory.gauge import Gauge
from .forks import children_end_here
from .messages import ApplicationSeen, Order

_LEAST_BYTES = 64 << 20
"""What an engine needs to do anything; with less, it would fail where it might have succeeded."""


def engines_of(step: Step) -> tuple[str, ...]:
    """The codecs of a step's types whose library wants to be told what it may take.

    Of codecs of the project's own those that are registered in this process: the parent of a run
    imports none of the project's code.
    """
    typed: list[Step | Parameter] = [step, *step.parameters]
    names = [name for each in typed for name in _codecs_of(each)]
    known = dict.fromkeys(name for name in names if family_known(name) is not None)
    return tuple(name for name in known if codec_named(name).prepare is not None)


def _codecs_of(typed: Step | Parameter) -> Iterator[str]:
    """The codecs of a step's own value, or of a parameter, and of the items that it is made of."""
    if typed.codec is not None:
        yield typed.codec
    yield from (kind.codec for kind in (typed.shape.types if typed.shape else ()))


def reads_files(codec: str | None) -> bool:
    """Whether the library of a type reads and writes values itself, as Parquet."""
    return family_known(codec) is not None and codec_named(codec or "").store is not None


def taken_as_files(steps: Iterable[Step]) -> frozenset[str]:
    """The values that these steps take, the whole or an item, as a type that reads files itself."""
    return frozenset(
        parameter.source
        for step in steps
        for parameter in step.parameters
        if any(map(reads_files, _codecs_of(parameter)))
    )


def last_as_files(steps: Sequence[Step]) -> dict[str, int]:
    """For each value that a step takes as such a type, the number of the last such step."""
    return {name: n for n, step in enumerate(steps) for name in taken_as_files([step])}


def is_elastic(step: Step) -> bool:
    """Whether a step takes as much memory as there is: batches of the runtime's size, an engine.

    What it held in one run does not say that it needs that in another.
    """
    return any(p.in_batches and p.rows is None for p in step.parameters) or bool(engines_of(step))


def prepare(step: Step, order: Order, commit: Commit, gauge: Gauge) -> None:
    """Give each engine of a step its share of the memory that is left, and of the disk."""
    engines = _calls_of([step], "prepare")
    if not engines:
        return
    commit.make_folder()
    with storage_errors("Making a folder for what an engine spills", commit.folder):
        order.spill.mkdir(exist_ok=True)  # engines make no more than the last folder of a path
    held = gauge.sample()
    free = order.allotment.free(held) // len(engines)
    room = Room(
        max(free, _LEAST_BYTES),
        order.step_spill,
        commit.room // len(engines),
        max(1, usable_cores() // order.at_once),
        part=f"{order.pipeline}/{order.segment.name} part {order.number_of_part}",
        lasting=order.part_spill,
        folder=commit.folder,
        most=free * order.allotment.shrunk,
        granted=max(0, order.allotment.granted - held),
        spark=order.spark,
    )
    for tell in engines:
        with children_end_here():
            tell(room)


def check(steps: Sequence[Step], room: Room) -> None:
    """Refuse, before any of some steps runs, what the places of their engines cannot give.

    Raises ConfigurationError.
    """
    for refuse in _calls_of(steps, "check"):
        refuse(room)


def figures(steps: Iterable[Step]) -> Iterator[ApplicationSeen]:
    """What the engines of some steps have taken until now, where they tell."""
    for tell in _calls_of(steps, "figures"):
        with children_end_here(), suppress(Exception):  # it has ended by itself
            if (seen := tell()) is not None:
                yield ApplicationSeen(seen)


def meant(steps: Iterable[Step], error: BaseException) -> BaseException:
    """The error to report in place of one that a step has raised, by the engines of some steps."""
    if not isinstance(error, Exception) or isinstance(error, CheckpointingError):
        return error
    for explain in _calls_of(steps, "meant"):
        with suppress(Exception):
            better: Exception = explain(error)
            if better is not error:
                return better.with_traceback(error.__traceback__)
    return error


def _calls_of(steps: Iterable[Step], field: str) -> list[Callable[..., Any]]:
    """What the engines of some steps have in a field of their codecs, each once."""
    names = dict.fromkeys(name for step in steps for name in engines_of(step))
    calls = dict.fromkeys(getattr(codec_named(name), field) for name in names)
    return [call for call in calls if call is not None]


def release(step: Step, order: Order, send: Callable[[ApplicationSeen], Any]) -> None:
    """Have each engine of a step that has ended let go of what it holds, in memory and on disk.

    What the engines say that they have taken is sent.
    """
    for end in _calls_of([step], "release"):
        with children_end_here():
            end()
    for seen in figures([step]):
        send(seen)
    if order.step_spill.exists():
        remove(order.step_spill)


def close(steps: Iterable[Step]) -> None:
    """End what the engines of some steps run: a process ends for which there is nothing to do.

    What goes wrong with that is in the log: the values are on disk by then.
    """
    for end in _calls_of(steps, "close"):
        try:
            with children_end_here():
                end()
        except Exception:
            traceback.print_exc()


def share_cores(at_once: int) -> None:
    """Have the threads of Arrow leave cores to other segments that are at work, too.

    Those of numpy's linear algebra stay as they are: their number may change the last digits.
    """
    if at_once > 1:
        import pyarrow as pa  # a run, which has no need of it, imports this file

        pa.set_cpu_count(max(1, usable_cores() // at_once))


def usable_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
