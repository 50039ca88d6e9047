"""What a person sees of a plan: its parts against the budget, and what else could be."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from ...base.units import size
from ...memory.budget import EffectiveBudget
from ...memory.forecast import Forecast, PartForecast
from ...memory.plan import Choice, peak_step
from .outlook import Boundary, Outlook, rounded_up

_WIDE = 100  # columns of a terminal with room for the step that the peak is in
_WHY = {"memory": "for memory", "sink": "after a sink"}
_UNKNOWN = " [yellow]?[/]"


def print_outlook(
    console: Console,
    told: Outlook,
    budget: EffectiveBudget,
    outdated: Sequence[str],
    refused: Collection[str],
) -> None:
    """Print all that is known of a plan, in tables and sentences.

    `outdated` are segments that were measured with other code, params or inputs than those of now,
    `refused` those that a run would not begin.
    """
    console.print(_parts_table(told, budget, is_wide=console.width >= _WIDE))
    if told.is_measured:
        if told.boundaries:
            console.print("", _boundaries_table(told), sep="\n")
        console.print("", _budgets_table(told), "", sep="\n")
    for sentence in _notes(told, outdated, refused):
        console.print(sentence, highlight=False, markup=False)


def _parts_table(told: Outlook, budget: EffectiveBudget, *, is_wide: bool) -> Table:
    limit = f"budget {size(budget.bytes)} ({budget.source}), planned to {size(told.usable)}"
    table = Table(title=f"{told.forecast.graph.name}: {limit}", title_justify="left")
    headings = ["peak", *(["peak in"] if is_wide else []), "writes", "reads"]
    for heading in ["segment", "steps", *(headings if told.is_measured else [])]:
        is_figure = heading in ("peak", "writes", "reads")
        table.add_column(heading, justify="right" if is_figure else "left", no_wrap=is_figure)
    for segment, planned in told.declared.items():
        for place, part in enumerate(planned.parts):
            name = f" └ {_WHY[told.why(part)]}" if place else segment.name
            table.add_row(name, steps_told(told.forecast, part), *_figures(told, part, is_wide))
    if told.is_measured:
        best = told.best
        table.add_section()
        count = sum(len(planned.parts) for planned in told.declared.values())
        declared = (told.peak, told.written, told.read)
        table.add_row("all", _parts(count), *_sums(told, *declared, is_wide))
        cuts = f", cut before {_listed(told.forecast, best.cuts)}" if best.cuts else ""
        sums = _sums(told, best.peak, best.written, best.read, is_wide)
        table.add_row("best cuts", f"{_parts(len(best.parts))}{cuts}", *sums)
    return table


def steps_told(forecast: Forecast, part: PartForecast) -> str:
    """The steps of a part in a few words: their names, or the first, the last and how many."""
    names = [step.name for step in forecast.graph.steps[part.part.start : part.part.stop]]
    return ", ".join(names) if len(names) < 3 else f"{names[0]} … {names[-1]} ({len(names)})"


def _figures(told: Outlook, part: PartForecast, is_wide: bool) -> Iterator[str]:
    if not told.is_measured:
        return
    graph = told.forecast.graph
    yield _peak(told, part.peak, part.unknown)
    if is_wide:
        yield peak_step(told.forecast, part) or "writing"
    yield _moved(part.written, set(told.unknown) & set(graph.kept(part.part)))
    yield _moved(part.read, set(told.unknown) & set(graph.loaded(part.part)))


def _sums(told: Outlook, peak: int, written: int, read: int, is_wide: bool) -> Iterator[str]:
    yield _peak(told, peak, told.unknown)
    if is_wide:
        yield ""
    yield _moved(written, told.unknown) or size(0)
    yield _moved(read, told.unknown) or size(0)


def _peak(told: Outlook, peak: int, unknown: Collection[str]) -> str:
    style = "red" if peak > told.budget else "yellow" if peak > told.usable else "green"
    mark = _UNKNOWN if unknown else ""
    return f"{size(peak)} [{style}]{peak / told.budget:>4.0%}[/]{mark}"


def _moved(count: int, unknown: Collection[str]) -> str:
    return (size(count) if count else "") + (_UNKNOWN if unknown else "")


def _boundaries_table(told: Outlook) -> Table:
    table = _plain_table("declared boundaries", "before", "live", "")
    graph = told.forecast.graph
    for boundary in told.boundaries:
        segment = graph.producer(graph.steps[boundary.before].name).name
        mark = _UNKNOWN if boundary.unknown else ""
        style = "green" if boundary.pays else "yellow"
        verdict, _, reason = verdict_told(told.forecast, boundary).partition(": ")
        table.add_row(segment, size(boundary.live), f"[{style}]{verdict}[/]{mark}: {reason}")
    return table


def verdict_told(forecast: Forecast, boundary: Boundary) -> str:
    """Whether a boundary pays, and why, in a sentence."""
    instead = _listed(forecast, boundary.instead)
    match boundary.verdict:
        case "sink":
            return "needed: keeps a sink from running twice"
        case "needed" if boundary.instead:
            return (
                f"needed: memory needs a cut, and none costs less I/O (one before {instead} costs "
                f"as much)"
            )
        case "needed":
            return "needed: memory needs a cut exactly here"
        case "free":
            return "costs nothing: memory does not need it, but it adds no I/O"
        case "hinders":
            most, less = size(boundary.kept.limit), size(boundary.without.limit)
            return f"counter-productive: peak {most} with this boundary, {less} without"
        case "costs" if boundary.instead:
            return f"costs {size(boundary.cost)} of I/O: cheaper before {instead}"
        case "costs":
            return f"costs {size(boundary.cost)} of I/O: memory does not need it"


def _budgets_table(told: Outlook) -> Table:
    headroom = f", with {told.headroom:.0%} headroom" if told.headroom else ""
    table = _plain_table(f"other budgets{headroom}", "from", "as declared", "with the best cuts")
    for other in told.others:
        table.add_row(size(other.budget), _choice(other.declared), _choice(other.best))
    return table


def _choice(choice: Choice | None) -> str:
    if choice is None:
        return "does not fit"
    moved = size(choice.transfers) if choice.transfers else "no"
    return f"{_parts(len(choice.parts))}, {moved} I/O"


def _plain_table(title: str, *headings: str) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    for heading in headings:
        table.add_column(heading, justify="right" if heading in ("from", "live") else "left")
    return table


def _notes(told: Outlook, outdated: Sequence[str], refused: Collection[str]) -> Iterator[str]:
    graph = told.forecast.graph
    if not told.is_measured:
        yield "Nothing is measured yet: `run` once, and `plan` tells what each part will take."
        return
    yield from _misfits(told, refused)
    yield f"{size(told.fixed)} of every peak is held before any step: Python and its libraries."
    if told.budget >= told.peak > told.usable:
        yield f"Some step needs more than {size(told.usable)}, so some of the headroom is used."
    if told.peak <= told.usable:
        yield from _comparison(told)
    if outputs := graph.outputs(range(len(graph.steps))):
        yield f"Outputs are written in any case, and not counted: {', '.join(outputs)}."
    if told.unknown:
        unknown = ", ".join(told.unknown)
        yield f"? Never measured to the end, so the plan counts too little: {unknown}."
    if outdated:
        yield f"Measured with other code, params or inputs: {', '.join(outdated)}."


def _comparison(told: Outlook) -> Iterator[str]:
    """What the declared boundaries cost between them, where all is planned to the same limit."""
    if more := told.written + told.read - told.lower_bound:
        yield (
            f"The declared boundaries cost {size(more)} more I/O than memory asks for. They are "
            f"also where a later run starts again."
        )
    elif not told.unknown:
        yield "No other cuts have less I/O."


def _misfits(told: Outlook, refused: Collection[str]) -> Iterator[str]:
    """The steps that do not fit, and the budget from which all do."""
    steps = told.forecast.graph.steps
    misfits = {s.name: p.misfit for s, p in told.declared.items() if p.misfit is not None}
    for segment, misfit in misfits.items():
        tried = " A run would try: it was not measured as it is now." * (segment not in refused)
        yield f"`{steps[misfit].name}` does not fit, however its segment is cut.{tried}"
    least, step = told.least
    if misfits:
        yield f"Every step fits from {size(rounded_up(least))}."
    else:
        below = f"Below {size(rounded_up(least))} `{steps[step].name}` does not fit"
        yield f"{below}, however its segment is cut."


def _parts(count: int) -> str:
    return "1 part" if count == 1 else f"{count} parts"


def _listed(forecast: Forecast, numbers: Iterable[int]) -> str:
    return ", ".join(f"`{forecast.graph.steps[number].name}`" for number in numbers)
