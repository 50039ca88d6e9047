"""Outputs in formats for people: made from a checkpoint before they are published, if need be.

The checkpoint keeps each output in an exact format. So a changed suffix in [outputs] needs a new
file, but no step, and a format that refuses a value costs no work.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ..base.errors import BY_KIND, BudgetExceeded, StepFailed
from ..base.units import size
from ..codecs import format_known, output_format
from ..disk.manifest import FileRecord, Manifest
from ..disk.store import Damaged
from ..disk.targets import suffixes
from ..memory.budget import EffectiveBudget
from ..memory.limits import oom_kills
from ..reuse.bound import Bound
from ..worker.converting import Converted, ConvertOrder, ValueConverting, convert
from ..worker.messages import DamageFound, PartFailed
from .events import Noticed, Observer
from .processes import Finished, run_worker
from .shares import Shares
from .verdicts import LogTail, exceedance, how_it_ended


def to_publish(manifest: Manifest, value: str, suffix: str) -> FileRecord | None:
    """The file of a checkpoint that is published with this suffix; None if it is to be made."""
    exact = manifest.outputs[value]
    known = format_known(exact.format)
    wanted = output_format(known.family, suffix) if known else None
    if wanted is None or wanted.name == exact.format:
        return exact
    made = manifest.published.get(value)
    return made if made is not None and made.format == wanted.name else None


def converted(
    bound: Bound,
    manifest: Manifest,
    budget: EffectiveBudget,
    shares: Shares,
    log: Path,
    observe: Observer,
) -> Manifest:
    """The checkpoint with a file for each output whose format is not an exact one.

    Raises:
        Damaged: an output's file is not what was committed.
        InexactValue: a format cannot hold a value; the message says what to do.
        BudgetExceeded: making a file takes more memory than the budget.
    """
    named = suffixes(bound.settings)
    lacking = {
        value: named[value]
        for value in manifest.outputs
        if value in named and to_publish(manifest, value, named[value]) is None
    }
    if not lacking:
        return manifest
    bound.store.begin()
    bound.store.bring(manifest, {value: manifest.outputs[value] for value in lacking})
    current = next(iter(lacking))

    def note(message: Any) -> None:
        nonlocal current
        if isinstance(message, ValueConverting):
            current = message.value
        elif isinstance(message, Noticed):
            observe(message)

    tail, kills = LogTail(log, bound.secrets), oom_kills()
    left = partial(bound.store.allowance, bound.settings, manifest.segment)
    with shares.room.grant(left, None) as room, shares.grant(None) as grant, tail.masked():
        order = ConvertOrder(
            root=bound.settings.root,
            store=bound.store.folder,
            manifest=manifest,
            suffixes=lacking,
            allowance=room.bytes,
            count=budget.count,
            log=log,
            secrets=bound.secrets,
        )
        ending = run_worker(
            convert,
            (order,),
            is_last=lambda m: isinstance(m, Converted | PartFailed | DamageFound),
            on_message=note,
            on_sample=lambda held, beside: None,
            limit=grant,
            count=budget.count,
        )
    match ending:
        case Finished(Converted(after)):
            return bound.store.push(after)
        case Finished(DamageFound(value)):
            raise Damaged(value)
    suffix = lacking[current]
    if exceeded := exceedance(ending, tail, struck=oom_kills() > kills):
        raise BudgetExceeded(
            f"publishing `{current}` as {suffix}: {exceeded.phrase}, the budget is "
            f"{size(budget.bytes)} ({budget.source}). Publish it as .parquet, or fewer rows or "
            f"columns of it; its checkpoint is kept.",
            segment=manifest.segment,
            step=current,
            why=exceeded.why,
            held_bytes=exceeded.held,
            budget_bytes=budget.bytes,
            largest_values={},
        )
    if isinstance(ending, Finished):
        failed: PartFailed = ending.last
        details = {"traceback": failed.traceback} if failed.traceback else {}
        raise BY_KIND[failed.kind](
            failed.message, segment=manifest.segment, step=current, **details
        )
    message = f"publishing `{current}` as {suffix}: its process {how_it_ended(ending, tail)}"
    raise StepFailed(message, segment=manifest.segment, step=current)


def notes(manifest: Manifest, published: dict[str, str]) -> Iterator[str]:
    """What a published Parquet file says otherwise than the value: a sentence for each value.

    Args:
        published: the suffix of each value's path.
    """
    for value, record in manifest.outputs.items():
        if published.get(value) != ".parquet" or record.format != "parquet":
            continue
        schema: dict[str, str] = record.description.get("schema", {})
        coarse = [f"`{name}`" for name, kind in schema.items() if "timestamp[s" in kind]
        if coarse:
            yield (
                f"`{value}`: Parquet has no whole seconds, so whoever reads its file gets "
                f"datetime64[ms] for {', '.join(coarse)}; later steps get [s]"
            )
