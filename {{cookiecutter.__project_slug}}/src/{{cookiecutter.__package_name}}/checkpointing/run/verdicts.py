"""Why a part ended without a checkpoint, or was not started, and what to do about it."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..base.errors import BY_KIND, BudgetExceeded, CheckpointingError, StepFailed
from ..base.interrupts import held
from ..base.reading import open_file
from ..base.secrets import Secret, mask_file, masked
from ..base.texts import VALUE_CHARACTERS, cut
from ..base.units import size
from ..disk.manifest import Manifest
from ..graph.steps import Segment, Step
from ..memory import meter
from ..memory.budget import EffectiveBudget
from ..memory.forecast import Forecast
from ..memory.plan import Plan
from ..memory.ways_out import PAGE, Excess, WayOut, ways_out
from ..worker.messages import PartFailed
from .processes import Died, Ending, Finished, OverBudget
from .watch import PartWatch

_LISTED_VALUES = 5
_LOG_TAIL_LINES = 8
_LOG_TAIL_BYTES = 1_000_000
_ALIKE_BYTES = 16 * 2**20  # by which processes differ that did the same
_SIGKILL: int = getattr(signal, "SIGKILL", 9)
_SIGABRT: int = signal.SIGABRT
_TOO_SMALL = "the budget is too small to start Python and the libraries; raise it."
# What Rust, C++ and glibc print when an allocation fails and they give up.
_REFUSED = re.compile(r"memory allocation of \d+ bytes failed|bad_alloc|[Oo]ut of memory")


@dataclass(frozen=True)
class Exceeded:
    """A part ran out of memory."""

    why: str
    """The cause in a word, for the record."""

    phrase: str
    """The cause as a part of a sentence."""

    held: int = 0
    """The bytes that the process tree held, if they were seen; else 0."""

    in_engine: bool = False
    """Whether an engine could not do with the memory that it was allowed; less would not help."""

    least: int = 0
    """The bytes with which that engine would start, on top of what was held; 0 if it did start."""


class LogTail:
    """The output of a part's process, from the moment this object is made, without `secrets`."""

    def __init__(self, path: Path, secrets: tuple[Secret, ...] = ()) -> None:
        self.path = path
        self._secrets = secrets
        self._start = path.stat().st_size if path.exists() else 0

    def text(self) -> str:
        try:
            with open_file(self.path) as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(self._start, end - _LOG_TAIL_BYTES))
                text = file.read().decode(errors="replace")
        except OSError:
            return ""
        return masked(text, self._secrets)

    @contextmanager
    def masked(self) -> Iterator[None]:
        """However this context ends, write stars over secrets that were printed past Python."""
        try:
            yield
        finally:
            with held():
                mask_file(self.path, self._start, self._secrets)


def exceedance(ending: Ending, log: LogTail, *, struck: bool) -> Exceeded | None:
    """The lack of memory that ended a part; None if it ended for another reason.

    `struck` says whether the kernel's OOM killer was active here while the part ran.
    """
    match ending:
        case OverBudget(held):
            return Exceeded("over budget", f"{size(held)} held", held)
        case Finished(PartFailed(kind=BudgetExceeded.kind, in_engine=True) as failed):
            phrase = f"out of memory in the engine ({failed.message})"
            return Exceeded("out of memory", phrase, in_engine=True, least=failed.least)
        case Finished(PartFailed(kind=BudgetExceeded.kind) as failed):
            return Exceeded("out of memory", f"an allocation failed ({failed.message})")
        case Died(exit_code) if exit_code == -_SIGKILL and struck:
            return Exceeded("out of memory", "killed by the system, which was out of memory")
        case Died(exit_code) if exit_code == -_SIGKILL:
            return Exceeded(
                "killed", "killed from outside, by the system out of memory or by a person"
            )
        case Died(exit_code) if exit_code == -_SIGABRT:
            said = next((line for line in log.text().splitlines() if _REFUSED.search(line)), None)
            aborted = f"aborted ({cut(said.strip(), VALUE_CHARACTERS)})" if said else ""
            return Exceeded("out of memory", aborted) if said else None
    return None


def kept_by(ending: Ending) -> Manifest | None:
    """The checkpoint of what a part had finished before one of its steps failed, if it has one."""
    match ending:
        case Finished(PartFailed(kept=manifest)):
            return manifest
    return None


def over_budget(
    segment: Segment,
    watch: PartWatch,
    exceeded: Exceeded,
    budget: EffectiveBudget,
    forecast: Forecast,
    tables: Mapping[str, Mapping[str, Any]],
) -> CheckpointingError:
    """The error for a step that ran out of memory with a process of its own.

    `forecast` knows what the step was measured to take, `tables` what values are like that it may
    take: their descriptions in manifests.
    """
    if watch.step is None and not watch.writing and exceeded.why == "killed":
        return _died(segment, watch, f"was {exceeded.phrase}")
    largest = sorted(watch.live.items(), key=lambda item: item[1], reverse=True)[:_LISTED_VALUES]
    listed = ", ".join(f"{name} {size(count)}" for name, count in largest) or "none"
    held = exceeded.held or watch.held
    cause = (
        f"{size(held)} of memory held" if exceeded.held else f"{exceeded.phrase}, {size(held)} held"
    )
    stopped = watch.step or (watch.ended[-1] if watch.ended and watch.writing else None)
    ways: tuple[WayOut, ...] = ()
    if stopped is not None:
        excess = Excess(
            budget.bytes,
            forecast.settings.segment.headroom,
            needed=held + exceeded.least if exceeded.least else 0,
            is_start=exceeded.least > 0,
            is_writing=watch.writing,
            in_engine=exceeded.in_engine,
            tables=tables,
            executor=budget.executor,
        )
        ways = ways_out(_step(forecast, stopped), forecast, excess)
    message = (
        f"segment `{segment.name}`, {_doing(watch)}: {cause}, the budget is "
        f"{size(budget.bytes)} ({budget.source}).\n"
        f"  Largest live values: {listed}.\n"
        f"  What to do: {_listed(ways) if ways else _TOO_SMALL}"
    )
    return BudgetExceeded(
        message,
        segment=segment.name,
        step=watch.step or (watch.ended[-1] if watch.ended else None),
        why=exceeded.why,
        held_bytes=held,
        budget_bytes=budget.bytes,
        largest_values=dict(largest),
        ways_out=[way.as_json() for way in ways],
    )


def require_fit(
    planned: Plan, forecast: Forecast, segment: Segment, known_by: str, budget: EffectiveBudget
) -> None:
    """Refuse a plan with a step that is known not to fit, whatever the cuts.

    It is known when the step was measured with the same code, params and inputs, by identity. The
    memory of the process that started the run then (a notebook, say) counts no more than that of
    the process that starts it now.

    Raises:
        BudgetExceeded: naming the step; nothing of the plan was run.
    """
    if planned.misfit is None:
        return
    step = forecast.graph.steps[planned.misfit]
    measure = forecast.measures.get(step.name)
    if measure is not None and measure.identity == known_by:
        alone = forecast.part(range(planned.misfit, planned.misfit + 1))
        needed = alone.peak
        asked_then = forecast.parents.get(segment.name, 0)
        spared = asked_then - meter.process_bytes(os.getpid(), budget.count)
        if spared > _ALIKE_BYTES:
            needed -= spared
        if needed > budget.bytes:
            headroom = forecast.settings.segment.headroom
            excess = Excess(budget.bytes, headroom, needed, executor=budget.executor)
            ways = ways_out(step, forecast, excess)
            raise _will_not_fit(segment, step.name, needed, budget, ways)


def _will_not_fit(
    segment: Segment, step: str, needed: int, budget: EffectiveBudget, ways: tuple[WayOut, ...]
) -> CheckpointingError:
    """The error for a step that is known not to fit, before anything of its segment is run.

    `needed` is the least that the process tree holds at its peak, in bytes.
    """
    message = (
        f"segment `{segment.name}`, step `{step}`: an earlier run with the same code and inputs "
        f"measured that it needs {size(needed)} even in a process of its own, the budget is "
        f"{size(budget.bytes)} ({budget.source}). The segment was not started.\n"
        f"  What to do: {_listed(ways)}"
    )
    return BudgetExceeded(
        message,
        segment=segment.name,
        step=step,
        why="planned",
        held_bytes=needed,
        budget_bytes=budget.bytes,
        largest_values={},
        ways_out=[way.as_json() for way in ways],
    )


def failure(ending: Ending, segment: Segment, watch: PartWatch, log: LogTail) -> CheckpointingError:
    """The error for a part that ended without its values, for another reason than memory."""
    match ending:
        case Finished(PartFailed() as failed):
            details = {"traceback": failed.traceback} if failed.traceback else {}
            kind = BY_KIND[failed.kind]
            return kind(failed.message, segment=segment.name, step=failed.step, **details)
        case Died(exit_code):
            return _died(segment, watch, how_it_ended(ending, log), exit_code)
    raise AssertionError(f"unhandled ending: {ending}")


def how_it_ended(ending: Ending, log: LogTail) -> str:
    """The end of a sentence about a process that left no error, with the last lines of its log."""
    last = log.text().splitlines()[-_LOG_TAIL_LINES:]
    tail = "".join(f"  | {cut(line, VALUE_CHARACTERS)}\n" for line in last)
    code = ending.exit_code if isinstance(ending, Died) else None
    return f"{_end(code)} and left no error.\n{tail}  Log: {log.path}"


def _died(
    segment: Segment, watch: PartWatch, how: str, exit_code: int | None = None
) -> CheckpointingError:
    message = f"segment `{segment.name}`, {_doing(watch)}: its process {how}"
    return StepFailed(message, segment=segment.name, step=watch.step, exit_code=exit_code)


def _doing(watch: PartWatch) -> str:
    if watch.step is not None:
        return f"step `{watch.step}`" + (f", item `{watch.item}`" if watch.item else "")
    return "writing its checkpoint" if watch.writing else "before its first step"


def _step(forecast: Forecast, name: str) -> Step:
    return forecast.graph.steps[forecast.graph.number(name)]


def _listed(ways: tuple[WayOut, ...]) -> str:
    listed = "".join(f"\n    - {way.do}" for way in ways)
    return f"{listed}\n  {PAGE} shows each with examples."


def _end(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return f"ended with exit code {exit_code}"
    try:
        return f"was killed by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"was killed by signal {-exit_code}"
