"""Why a part ended without a checkpoint, in words that say what to do next."""

from __future__ import annotations

import signal
from pathlib import Path

from .budget import EffectiveBudget, size
from .errors import BY_KIND, BudgetExceeded, CheckpointingError, StepFailed
from .events import PartFailed
from .steps import Segment
from .watch import PartWatch

_LISTED_VALUES = 5
_LOG_TAIL_LINES = 8


def over_budget(
    segment: Segment, watch: PartWatch, held: int, budget: EffectiveBudget
) -> CheckpointingError:
    """The error for a part that was killed above the budget."""
    largest = sorted(watch.live.items(), key=lambda item: item[1], reverse=True)[:_LISTED_VALUES]
    listed = ", ".join(f"{name} {size(count)}" for name, count in largest) or "none"
    message = (
        f"segment `{segment.name}`, {_doing(watch)}: {size(held)} of memory held, the budget is "
        f"{size(budget.bytes)} ({budget.source}).\n"
        f"  Largest live values: {listed}.\n"
        f"  What to do: {_ways_out(segment, watch)}"
    )
    return BudgetExceeded(
        message,
        segment=segment.name,
        step=watch.step,
        held_bytes=held,
        budget_bytes=budget.bytes,
        largest_values=dict(largest),
    )


def failure_of(segment: Segment, failure: PartFailed) -> CheckpointingError:
    """The error that a worker reported."""
    details = {"traceback": failure.traceback} if failure.traceback else {}
    return BY_KIND[failure.kind](
        failure.message, segment=segment.name, step=failure.step, **details
    )


def worker_died(
    segment: Segment, watch: PartWatch, exit_code: int | None, log: Path
) -> CheckpointingError:
    """The error for a worker that ended without a word."""
    where = f"segment `{segment.name}`, {_doing(watch)}"
    if exit_code == -getattr(signal, "SIGKILL", 9):
        message = (
            f"{where}: its process was killed from outside: by the system, out of memory, or by a "
            f"person. Nothing that was finished is lost; run again, with a smaller --budget if the "
            f"machine ran out of memory."
        )
    else:
        how = _signal_name(exit_code)
        message = f"{where}: its process ended {how} without a word.\n{_tail(log)}  Log: {log}"
    return StepFailed(message, segment=segment.name, step=watch.step, exit_code=exit_code)


def _doing(watch: PartWatch) -> str:
    if watch.step is not None:
        return f"step `{watch.step}`"
    return "writing its checkpoint" if watch.committing else "before its first step"


def _ways_out(segment: Segment, watch: PartWatch) -> str:
    if watch.step is None and not watch.committing:
        return "the budget is too small to start Python and the libraries; raise it."
    names = [step.name for step in segment.steps]
    ways = []
    if watch.step is not None and names.index(watch.step) > 0:
        ways.append(f"begin a new segment with `{watch.step}`, so that it starts from empty RAM")
    ways += [
        "load only the columns it needs: `Annotated[pd.DataFrame, Columns(...)]`",
        "split the step in two, so that less is held at once",
        "if it still cannot fit, use an engine that works out of core for this step",
    ]
    return "\n    - " + "\n    - ".join(ways)


def _signal_name(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return f"with exit code {exit_code}"
    try:
        return f"by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"by signal {-exit_code}"


def _tail(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
    except OSError:
        return ""
    return "".join(f"  | {line}\n" for line in lines)
