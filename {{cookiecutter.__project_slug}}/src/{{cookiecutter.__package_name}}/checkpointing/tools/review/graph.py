"""A project as a review sees it: its steps, its segments, and the order of its pipelines."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ...base.location import PIPELINE_FILE
from .findings import Finding
from .functions import Function, reached, steps_of
from .source import MEMORY_BUDGET_FILE, Module, Source, read_modules, read_toml


@dataclass(frozen=True)
class WrittenSegment:
    """A segment as it is written: in a module of its own, or as `Segment("name", [...])`."""

    name: str
    module: Module
    line: int
    steps: tuple[Function, ...]


@dataclass(frozen=True, eq=False)
class Project(Source):
    """The files of a project and what they say, as far as the text tells."""

    @cached_property
    def segments(self) -> dict[str, WrittenSegment]:
        """Every module that holds steps, by its dotted name."""
        found = {}
        for name, module in self.modules.items():
            if steps := steps_of(self, module):
                own = name.rpartition(".")[2]
                found[name] = WrittenSegment(own, module, steps[0].node.lineno, tuple(steps))
        return found

    @cached_property
    def steps(self) -> tuple[Function, ...]:
        """All steps, in a pipeline or not."""
        return tuple(step for segment in self.segments.values() for step in segment.steps)

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        """All steps, and the project's own functions that they call."""
        return tuple(reached(self, self.steps))

    @cached_property
    def pipelines(self) -> tuple[tuple[WrittenSegment, ...], ...]:
        """The segments of each `Pipeline(...)`, in order; what cannot be told is left out."""
        return tuple(
            tuple(one for given in node.args if (one := self._segment(module, given)) is not None)
            for module in self.modules.values()
            for node in module.nodes
            if isinstance(node, ast.Call) and self._is(module, node.func, "Pipeline")
        )

    @cached_property
    def written(self) -> tuple[WrittenSegment, ...]:
        """All segments, in a pipeline or not, each once."""
        modules = {id(one.module) for one in self.segments.values()}
        listed = [one for segments in self.pipelines for one in segments]
        own = {(o.module.shown, o.line): o for o in listed if id(o.module) not in modules}
        return (*self.segments.values(), *own.values())

    def _segment(self, module: Module, given: ast.expr) -> WrittenSegment | None:
        if isinstance(given, ast.Name) and len(module.variables.get(given.id, ())) == 1:
            given = module.variables[given.id][0]
        match given:
            case ast.Name() | ast.Attribute():
                return self.segments.get(module.dotted(given) or "")
            case ast.Call(
                func=called,
                args=[ast.Constant(value=str(name)), ast.List(elts=items) | ast.Tuple(elts=items)],
            ) if self._is(module, called, "Segment"):
                steps = {f"{step.module.name}.{step.name}": step for step in self.steps}
                named = (steps.get(module.dotted(item) or "") for item in items)
                found = tuple(step for step in named if step is not None)
                return WrittenSegment(name, module, given.lineno, found)
        return None

    def _is(self, module: Module, called: ast.expr, name: str) -> bool:
        """Whether an expression is the runtime's `name`, by whichever import."""
        dotted = module.dotted(called) or ""
        return dotted.startswith(f"{self.runtime}.") and dotted.rpartition(".")[2] == name


def read_project(root: Path, package: Path) -> Project:
    """Read the project in `root` whose package is the folder `package`. Raises nothing.

    A file that cannot be read or parsed becomes a finding.
    """
    modules, unreadable = read_modules(root, package)
    memory, wiring = (read_toml(root / name) for name in (MEMORY_BUDGET_FILE, PIPELINE_FILE))
    unreadable += [found for found in (memory, wiring) if isinstance(found, Finding)]
    return Project(
        root,
        package,
        modules,
        memory if isinstance(memory, dict) else {},
        wiring if isinstance(wiring, dict) else None,
        tuple(unreadable),
    )
