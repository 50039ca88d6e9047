"""CKP101 to CKP104: the form of steps and segments, and what they may import."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator

from ...base.seal import RUNTIME
from .findings import Finding
from .graph import Project
from .source import EXPORTS, MEMORY_BUDGET_FILE

DEFAULT_MAX_STEPS = 10

# Modules of a project that import internal modules of the runtime on purpose, and which ones.
_MEETING_POINTS = {
    "adapters": {"codecs"},
    "cli": {"cli", "start"},
    "__main__": {"cli", "start"},
}


def too_long(project: Project) -> Iterator[Finding]:
    """CKP101: a segment with more steps than memory_budget.toml allows."""
    table = project.memory.get("segment")
    most = table.get("max_steps", DEFAULT_MAX_STEPS) if isinstance(table, dict) else 0
    if not isinstance(most, int) or most < 1:
        most = DEFAULT_MAX_STEPS
    has_file = (project.root / MEMORY_BUDGET_FILE).exists()
    allows = f"{MEMORY_BUDGET_FILE} allows" if has_file else "the standard allows"
    for segment in project.written:
        if len(segment.steps) > most:
            first = segment.steps[most]
            line = first.node.lineno if first.module is segment.module else segment.line
            yield Finding(
                segment.module.shown,
                line,
                "CKP101",
                f"segment `{segment.name}` has {len(segment.steps)} steps; {allows} "
                f"{most}, so `{first.name}` is one too many",
            )


def unannotated(project: Project) -> Iterator[Finding]:
    """CKP102: a parameter or a result of a step without a type."""
    for step in project.steps:
        for parameter in step.parameters:
            if parameter.annotation is None:
                message = f"parameter `{parameter.name}` of `{step.name}` has no annotation"
                yield Finding(step.module.shown, parameter.line, "CKP102", message)
        if step.node.returns is None:
            message = f"the result of `{step.name}` has no annotation"
            yield Finding(step.module.shown, step.node.lineno, "CKP102", message)


def entangled(project: Project) -> Iterator[Finding]:
    """CKP103: a segment that imports another, itself or through other modules."""
    segments = project.segments
    loads = {
        name: {imported for _, loaded in module.imports for imported in _modules(project, loaded)}
        for name, module in project.modules.items()
    }
    for name, segment in segments.items():
        for node, loaded in segment.module.imports:
            for first in sorted(_modules(project, loaded)):
                if name.startswith(f"{first}."):
                    continue  # a package around the segment loads before it, whatever it imports
                others = sorted(_reachable(first, loads, segments) & segments.keys() - {name})
                if others:
                    other = segments[others[0]].name
                    through = "" if first in others else f" through `{first}`"
                    message = f"segment `{segment.name}` imports segment `{other}`{through}"
                    yield Finding(segment.module.shown, node.lineno, "CKP103", message)
                    break


def internals(project: Project) -> Iterator[Finding]:
    """CKP104: an import of the runtime's inside, or its use through the package."""
    for module in project.modules.values():
        allowed = _MEETING_POINTS.get(project.within(module), set())
        used = [(node.lineno, name) for node, loaded in module.imports for name in loaded]
        used += [
            (node.lineno, module.dotted(node) or "")
            for node in module.nodes
            if isinstance(node, ast.Attribute)
        ]
        lines: dict[int, str] = {}
        for line, name in used:
            if (inside := _inside(project, name)) and inside.partition(".")[0] not in allowed:
                lines.setdefault(line, inside)
        for line, inside in lines.items():
            message = f"`{RUNTIME}.{inside}` is the runtime's own"
            yield Finding(module.shown, line, "CKP104", message)


def _inside(project: Project, dotted: str) -> str:
    """The part of the runtime that a dotted name means; empty if the runtime exports it."""
    inside = project.inside_runtime(dotted)
    first = inside.partition(".")[0]
    return "" if first in (*EXPORTS, "*") or first.startswith("__") else inside


def _modules(project: Project, loaded: tuple[str, ...]) -> set[str]:
    return {name for name in loaded if name in project.modules}


def _reachable(start: str, loads: dict[str, set[str]], stops: Container[str]) -> set[str]:
    """The modules that importing `start` leads to; not beyond a segment."""
    reachable, waiting = {start}, [start]
    while waiting:
        name = waiting.pop()
        if name in stops:
            continue
        for other in loads[name] - reachable:
            reachable.add(other)
            waiting.append(other)
    return reachable
