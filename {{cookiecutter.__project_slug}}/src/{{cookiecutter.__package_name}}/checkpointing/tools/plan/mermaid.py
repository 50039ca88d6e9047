"""A plan as a Mermaid flowchart: steps grouped by part, and the values passed through files.

Grammar: https://mermaid.js.org/syntax/flowchart.html. Nodes have numbers as ids, because words such
as `end` are keywords. Names are quoted: they contain only letters, digits, `_`, `-` and `.`, and
what a step's title adds spaces, commas and round brackets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...graph.graph import Graph
from ...graph.steps import Segment
from ...memory.forecast import PartForecast
from .outlook import Outlook
from .table import steps_summary
from .titles import title

_MOST_STEPS = 40  # in a chart that shows each step
_MOST_NAMES = 3  # on one edge or node
_WHY = {"segment": "", "memory": ": cut for memory", "sink": ": cut after a sink"}
_WHY |= {"before sink": ": cut before a sink", "items": ": cut for a step with items"}


def flowchart(outlook: Outlook) -> str:
    """The declared segments, as a plan cuts them into parts, here and on their executors.

    A thick arrow is a value that one part writes and another reads. Outputs have round ends, and
    sinks two lines at each side. If there are many steps, the chart shows only the parts, with the
    names of some of the values between them.
    """
    graph = outlook.forecast.graph
    draw = _by_step if len(graph.steps) <= _MOST_STEPS else _by_part
    lines = ["flowchart TB", *(f"  {line}" for line in draw(outlook, graph))]
    return "\n".join(lines)


def _by_step(outlook: Outlook, graph: Graph) -> Iterator[str]:
    part_of: dict[int, int] = {}
    for number, (segment, planned) in enumerate(outlook.plans.items()):
        yield f'subgraph s{number}["{_heading(outlook, segment)}"]'
        for place, part_forecast in enumerate(planned.parts, start=1):
            nodes = [f"  {_node(graph, n)}" for n in part_forecast.steps]
            part_of |= dict.fromkeys(part_forecast.steps, part_forecast.steps.start)
            if len(planned.parts) > 1:
                title = f"part {place}{_WHY[outlook.why(part_forecast)]}"
                inner = [f"  {node}" for node in nodes]
                nodes = [f'  subgraph p{part_forecast.steps.start}["{title}"]', *inner, "  end"]
            yield from nodes
        yield "end"
    made = {step.name: number for number, step in enumerate(graph.steps)}
    for number, step in enumerate(graph.steps):
        for parameter in graph.values_of(step):
            maker = made[parameter.source]
            is_cut = part_of[maker] != part_of[number]
            arrow = f'==>|"{parameter.taken}"|' if is_cut else "-->"
            yield f"n{maker} {arrow} n{number}"


def _heading(outlook: Outlook, segment: Segment) -> str:
    where = [each.executor for each in outlook.elsewhere if each.segment == segment]
    text = f"{segment.name}, on {where[0]}" if where else segment.name
    return text.replace('"', "#quot;")  # an executor may have any name


def _node(graph: Graph, number: int) -> str:
    label = f'"{title(graph.steps[number])}"'
    if graph.steps[number].is_sink:
        return f"n{number}[[{label}]]"
    is_output = bool(graph.outputs(range(number, number + 1)))
    return f"n{number}([{label}])" if is_output else f"n{number}[{label}]"


def _by_part(outlook: Outlook, graph: Graph) -> Iterator[str]:
    parts: list[PartForecast] = []
    for number, (segment, planned) in enumerate(outlook.plans.items()):
        yield f'subgraph s{number}["{_heading(outlook, segment)}"]'
        for part_forecast in planned.parts:
            outputs = graph.outputs(part_forecast.steps)
            published = f"<br/>outputs: {_some(outputs)}" if outputs else ""
            label = f"{steps_summary(outlook.forecast, part_forecast)}{published}"
            yield f'  n{part_forecast.steps.start}["{label}"]'
        yield "end"
        parts += planned.parts
    for maker in parts:
        made = set(graph.kept(maker.steps))
        for reader in parts:
            if values := [v for v in graph.loaded(reader.steps) if v in made]:
                yield f'n{maker.steps.start} ==>|"{_some(values)}"| n{reader.steps.start}'


def _some(names: Sequence[str]) -> str:
    more = f" … ({len(names)})" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
