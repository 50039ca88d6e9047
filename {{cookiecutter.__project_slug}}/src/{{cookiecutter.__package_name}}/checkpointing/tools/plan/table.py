"""A plan for people: its parts against the budget, and other cuts and budgets."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ...base.units import counted, size
from ...codecs.several import value_of
from ...memory.budget import EffectiveBudget
from ...memory.cuts import Choice
from ...memory.forecast import Forecast, PartForecast
from ...memory.plan import peak_step
from ...memory.profile import ELASTIC_BYTES
from .orders import order_sentences
from .outlook import Boundary, Outlook, rounded_up
from .titles import title

_WIDE = 100  # columns of a terminal that is wide enough to name the step of the peak
_WHY = {
    "memory": "for memory",
    "sink": "after a sink",
    "before sink": "before a sink",
    "items": "for its items",
}
_UNKNOWN = " [yellow]?[/]"


def print_outlook(
    console: Console,
    outlook: Outlook,
    budget: EffectiveBudget,
    outdated: Sequence[str],
    refused: Collection[str],
    next_run: str = "",
) -> None:
    """Print a plan in tables and sentences.

    `outdated` contains the segments whose code, params or inputs have changed since they were
    measured, `refused` the segments that a run would refuse to start. `next_run` is a sentence of
    what the next run does of all this.
    """
    console.print(_parts_table(outlook, budget, is_wide=console.width >= _WIDE))
    if outlook.is_measured:
        if outlook.boundaries:
            console.print("", _boundaries_table(outlook), sep="\n")
        console.print("", *([_budgets_table(outlook), ""] if outlook.others else []), sep="\n")
    for sentence in (*_notes(outlook, outdated, refused), *filter(None, [next_run])):
        console.print(sentence, highlight=False, markup=False)


def _parts_table(outlook: Outlook, budget: EffectiveBudget, *, is_wide: bool) -> Table:
    limit = f"budget {size(budget.bytes)} ({budget.source}), planned to {size(outlook.usable)}"
    table = Table(title=f"{outlook.forecast.graph.name}: {limit}", title_justify="left")
    headings = ["peak", *(["peak in"] if is_wide else []), "writes", "reads"]
    for heading in ["segment", "steps", *(headings if outlook.is_measured else [])]:
        is_figure = heading in ("peak", "writes", "reads")
        table.add_column(heading, justify="right" if is_figure else "left", no_wrap=is_figure)
    for segment, planned in outlook.declared.items():
        for place, part_forecast in enumerate(planned.parts):
            name = f" └ {_WHY[outlook.why(part_forecast)]}" if place else segment.name
            table.add_row(
                name,
                steps_summary(outlook.forecast, part_forecast),
                *_figures(outlook, part_forecast, is_wide),
            )
    for each in outlook.elsewhere:
        planned = each.planned
        share = f" [dim]of {size(planned.budget)} on {escape(each.executor)}[/]"
        figures = [f"{size(planned.peak)}{share}"] if outlook.is_measured else []
        where = "" if outlook.is_measured else share
        table.add_row(f"{each.segment.name}{where}", counted(len(planned.parts), "part"), *figures)
    if outlook.is_measured and outlook.declared:
        best = outlook.best
        table.add_section()
        count = sum(len(planned.parts) for planned in outlook.declared.values())
        declared = (outlook.peak, outlook.written, outlook.read)
        table.add_row("all", counted(count, "part"), *_sums(outlook, *declared, is_wide))
        cuts = f", cut before {_listed(outlook.forecast, best.cuts)}" if best.cuts else ""
        sums = _sums(outlook, best.peak, best.written, best.read, is_wide)
        table.add_row("best cuts", f"{counted(len(best.parts), 'part')}{cuts}", *sums)
    return table


def steps_summary(forecast: Forecast, part_forecast: PartForecast) -> str:
    """The steps of a part in a few words: their names, or the first, the last and the number."""
    names = [
        title(step)
        for step in forecast.graph.steps[part_forecast.steps.start : part_forecast.steps.stop]
    ]
    return ", ".join(names) if len(names) < 3 else f"{names[0]} … {names[-1]} ({len(names)})"


def _figures(outlook: Outlook, part_forecast: PartForecast, is_wide: bool) -> Iterator[str]:
    if not outlook.is_measured:
        return
    graph = outlook.forecast.graph
    yield _peak(outlook, part_forecast.peak, part_forecast.unknown)
    if is_wide:
        yield peak_step(outlook.forecast, part_forecast) or "writing"
    kept = {step.name for step in graph.steps} if outlook.forecast.keeps_all else set()
    kept.update(map(value_of, graph.kept(part_forecast.steps)))
    loaded = {*map(value_of, graph.loaded(part_forecast.steps))}
    yield _moved(part_forecast.written, set(part_forecast.unknown) & kept)
    yield _moved(part_forecast.read, set(outlook.unknown) & loaded)


def _sums(outlook: Outlook, peak: int, written: int, read: int, is_wide: bool) -> Iterator[str]:
    yield _peak(outlook, peak, outlook.unknown)
    if is_wide:
        yield ""
    yield _moved(written, outlook.unknown) or size(0)
    yield _moved(read, outlook.unknown) or size(0)


def _peak(outlook: Outlook, peak: int, unknown: Collection[str]) -> str:
    style = "red" if peak > outlook.budget else "yellow" if peak > outlook.usable else "green"
    mark = _UNKNOWN if unknown else ""
    return f"{size(peak)} [{style}]{peak / outlook.budget:>4.0%}[/]{mark}"


def _moved(count: int, unknown: Collection[str]) -> str:
    return (size(count) if count else "") + (_UNKNOWN if unknown else "")


def _boundaries_table(outlook: Outlook) -> Table:
    table = _plain_table("declared boundaries", "before", "live", "")
    graph = outlook.forecast.graph
    for boundary in outlook.boundaries:
        segment = graph.producer(graph.steps[boundary.before].name).name
        mark = _UNKNOWN if boundary.unknown else ""
        style = "green" if boundary.pays else "yellow"
        verdict, _, reason = verdict_sentence(outlook.forecast, boundary).partition(": ")
        table.add_row(segment, size(boundary.live), f"[{style}]{verdict}[/]{mark}: {reason}")
    return table


def verdict_sentence(forecast: Forecast, boundary: Boundary) -> str:
    """Whether a boundary pays, and why, in a sentence."""
    instead = _listed(forecast, boundary.instead)
    match boundary.verdict:
        case "sink":
            return "needed: a sink runs in a part of its own"
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


def _budgets_table(outlook: Outlook) -> Table:
    headroom = f", with {outlook.headroom:.0%} headroom" if outlook.headroom else ""
    table = _plain_table(f"other budgets{headroom}", "from", "as declared", "with the best cuts")
    for other in outlook.others:
        table.add_row(size(other.budget), _choice(other.declared), _choice(other.best))
    return table


def _choice(choice: Choice | None) -> str:
    if choice is None:
        return "does not fit"
    moved = size(choice.transfers) if choice.transfers else "no"
    return f"{counted(len(choice.parts), 'part')}, {moved} I/O"


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


def _notes(outlook: Outlook, outdated: Sequence[str], refused: Collection[str]) -> Iterator[str]:
    graph = outlook.forecast.graph
    if not outlook.is_measured:
        yield "Nothing is measured yet: `run` once, and `plan` tells what each part will take."
        return
    yield from _misfits(outlook, refused)
    if outlook.elastic:
        yield (
            f"A step in batches or in an engine takes the memory that is free, so what it took "
            f"says little of what it needs. On top of what is held when it begins, the plan counts "
            f"at most {size(ELASTIC_BYTES)} for each of these: {', '.join(outlook.elastic)}."
        )
    if outlook.declared:
        held = size(outlook.fixed)
        yield f"{held} of every peak is held before any step: Python and its libraries."
    if outlook.budget >= outlook.peak > outlook.usable:
        yield f"Some step needs more than {size(outlook.usable)}, so some of the headroom is used."
    if outlook.declared and outlook.peak <= outlook.usable:
        yield from _comparison(outlook)
    yield from order_sentences(outlook.orders, outlook.taken)
    if outputs := graph.outputs(range(len(graph.steps))):
        yield f"Outputs are written in any case, and not counted: {', '.join(outputs)}."
    if outlook.forecast.keeps_all:
        yield "Every value is kept, so every value counts as written (keep_all)."
    if outlook.unknown:
        unknown = ", ".join(outlook.unknown)
        yield f"? Never measured to the end, so the plan counts too little: {unknown}."
    if outdated:
        yield f"Measured with other code, params or inputs: {', '.join(outdated)}."


def _comparison(outlook: Outlook) -> Iterator[str]:
    """The cost of all declared boundaries together, where every plan has the same limit."""
    if more := outlook.written + outlook.read - outlook.lower_bound:
        yield (
            f"The declared boundaries cost {size(more)} more I/O than memory asks for. They are "
            f"also where a later run starts again."
        )
    elif not outlook.unknown:
        yield "No other cuts have less I/O."


def _misfits(outlook: Outlook, refused: Collection[str]) -> Iterator[str]:
    """The steps that do not fit, and the smallest budget in which all fit."""
    steps = outlook.forecast.graph.steps
    where = {each.segment.name: f" on `{each.executor}`" for each in outlook.elsewhere}
    misfits = {s.name: p.misfit for s, p in outlook.plans.items() if p.misfit is not None}
    for segment, misfit in misfits.items():
        tried = " A run would try: it was not measured as it is now." * (segment not in refused)
        there = where.get(segment, "")
        yield f"`{steps[misfit].name}` does not fit{there}, however its segment is cut.{tried}"
    if outlook.least is None:
        return
    least, step = outlook.least
    if misfits.keys() - where.keys():
        yield f"Every step fits from {size(rounded_up(least))}."
    else:
        below = f"Below {size(rounded_up(least))} `{steps[step].name}` does not fit"
        yield f"{below}, however its segment is cut."


def _listed(forecast: Forecast, numbers: Iterable[int]) -> str:
    return ", ".join(f"`{forecast.graph.steps[number].name}`" for number in numbers)
