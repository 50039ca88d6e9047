"""A plan as a Mermaid flowchart: steps grouped by part, and the values that go through a file.

Grammar: https://mermaid.js.org/syntax/flowchart.html. Nodes are known by numbers, for words such as
`end` mean something there. Names are quoted: they hold letters, digits, `_`, `-` and `.` alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...graph.graph import Graph
from ...memory.forecast import PartForecast
from .outlook import Outlook
from .table import steps_told

_MOST_STEPS = 40  # in a graph that can still be read step by step
_MOST_NAMES = 3  # on one edge or node
_WHY = {"segment": "", "memory": ": cut for memory", "sink": ": cut after a sink"}


def flowchart(told: Outlook) -> str:
    """The declared segments as a plan cuts them.

    A thick arrow is a value that one part writes and another reads. Outputs have round ends, and
    sinks two lines at each side. Of many steps only the parts are drawn, with the names of some of
    the values between them.
    """
    graph = told.forecast.graph
    draw = _by_step if len(graph.steps) <= _MOST_STEPS else _by_part
    lines = ["flowchart TB", *(f"  {line}" for line in draw(told, graph))]
    return "\n".join(lines)


def _by_step(told: Outlook, graph: Graph) -> Iterator[str]:
    part_of: dict[int, int] = {}
    for number, (segment, planned) in enumerate(told.declared.items()):
        yield f'subgraph s{number}["{segment.name}"]'
        for place, part in enumerate(planned.parts, start=1):
            nodes = [f"  {_node(graph, n)}" for n in part.part]
            part_of |= dict.fromkeys(part.part, part.part.start)
            if len(planned.parts) > 1:
                title = f"part {place}{_WHY[told.why(part)]}"
                inner = [f"  {node}" for node in nodes]
                nodes = [f'  subgraph p{part.part.start}["{title}"]', *inner, "  end"]
            yield from nodes
        yield "end"
    made = {step.name: number for number, step in enumerate(graph.steps)}
    for number, step in enumerate(graph.steps):
        for parameter in graph.values_of(step):
            maker = made[parameter.name]
            is_cut = part_of[maker] != part_of[number]
            arrow = f'==>|"{parameter.name}"|' if is_cut else "-->"
            yield f"n{maker} {arrow} n{number}"


def _node(graph: Graph, number: int) -> str:
    label = f'"{graph.steps[number].name}"'
    if graph.steps[number].is_sink:
        return f"n{number}[[{label}]]"
    is_output = bool(graph.outputs(range(number, number + 1)))
    return f"n{number}([{label}])" if is_output else f"n{number}[{label}]"


def _by_part(told: Outlook, graph: Graph) -> Iterator[str]:
    parts: list[PartForecast] = []
    for number, (segment, planned) in enumerate(told.declared.items()):
        yield f'subgraph s{number}["{segment.name}"]'
        for part in planned.parts:
            outputs = graph.outputs(part.part)
            published = f"<br/>outputs: {_some(outputs)}" if outputs else ""
            yield f'  n{part.part.start}["{steps_told(told.forecast, part)}{published}"]'
        yield "end"
        parts += planned.parts
    for maker in parts:
        made = set(graph.kept(maker.part))
        for reader in parts:
            if values := [v for v in graph.loaded(reader.part) if v in made]:
                yield f'n{maker.part.start} ==>|"{_some(values)}"| n{reader.part.start}'


def _some(names: Sequence[str]) -> str:
    more = f" … ({len(names)})" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
