"""A part at work: it waits for its share of the budget, and is watched in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..memory.limits import oom_kills
from ..worker.main import run_part
from ..worker.messages import DamageFound, LaneEnded, Order, PartCommitted, PartFailed
from . import verdicts
from .job import Job
from .processes import Ending, Finished, run_worker
from .shares import Share
from .spilling import clearing
from .verdicts import Exceeded, LogTail
from .watch import PartWatch

Answer = Callable[[Any, Share], Any]
"""Takes a message of the worker, and what its part may hold; the result, unless None, is sent."""


@dataclass(frozen=True)
class Worked:
    """How the process of a part has ended.

    Attributes:
        has_died: whether the process ended without a report.
        exceeded: the lack of memory that ended it; None if it ended for another reason.
        had_all: whether the part could not have had more memory, were nothing else at work.
    """

    ending: Ending
    has_died: bool
    log: LogTail
    exceeded: Exceeded | None
    had_all: bool


def work(
    job: Job,
    watch: PartWatch,
    needed: int | None,
    order: Callable[[Share], Order],
    answer: Answer,
    *,
    last: bool = False,
) -> Worked:
    """Run a part as soon as there is a share of the budget for it.

    Args:
        needed: the bytes that it is expected to need; None if that is not known.
        order: gives the order, once the share is known.
        last: wait until no other part and no other run is at work.
    """
    kills = oom_kills()
    with job.shares.grant(needed, last=last) as share:
        ordered = order(share)
        log = LogTail(ordered.log, job.bound.secrets)
        with log.masked(), clearing(ordered.spill):
            ending = run_worker(
                run_part,
                (ordered,),
                is_last=_is_last,
                on_message=lambda message: answer(message, share),
                on_sample=watch.on_sample,
                limit=share,
                count=job.budget.count,
                company=job.company,
            )
        had_all = share.is_all
    has_died = not isinstance(ending, Finished)
    if watch.raised is not None and has_died:
        ending = Finished(watch.raised)  # it ended while it wrote what was finished before
    exceeded = verdicts.exceedance(ending, log, struck=oom_kills() > kills)
    return Worked(ending, has_died, log, exceeded, had_all)


def _is_last(message: Any) -> bool:
    return isinstance(message, PartCommitted | LaneEnded | PartFailed | DamageFound)
