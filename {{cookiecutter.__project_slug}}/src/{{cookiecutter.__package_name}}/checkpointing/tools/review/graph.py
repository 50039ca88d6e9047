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
    """The files of a project, and the steps and segments that their code shows."""

    @cached_property
    def segments(self) -> dict[str, WrittenSegment]:
        """Every module that contains steps, by its dotted name."""
        segments = {}
        for name, module in self.modules.items():
            if steps := steps_of(self, module):
                own = name.rpartition(".")[2]
                segments[name] = WrittenSegment(own, module, steps[0].node.lineno, tuple(steps))
        return segments

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
        """The segments of each `Pipeline(...)`, in order, as far as the code shows them."""
        return tuple(
            tuple(
                segment
                for argument in node.args
                if (segment := self._segment(module, argument)) is not None
            )
            for module in self.modules.values()
            for node in module.nodes
            if isinstance(node, ast.Call) and self._is(module, node.func, "Pipeline")
        )

    @cached_property
    def written(self) -> tuple[WrittenSegment, ...]:
        """All segments, in a pipeline or not, each once."""
        modules = {id(segment.module) for segment in self.segments.values()}
        listed = [segment for segments in self.pipelines for segment in segments]
        inline = {
            (segment.module.shown, segment.line): segment
            for segment in listed
            if id(segment.module) not in modules
        }
        return (*self.segments.values(), *inline.values())

    def _segment(self, module: Module, argument: ast.expr) -> WrittenSegment | None:
        if isinstance(argument, ast.Name) and len(module.variables.get(argument.id, ())) == 1:
            argument = module.variables[argument.id][0]
        match argument:
            case ast.Name() | ast.Attribute():
                return self.segments.get(module.dotted(argument) or "")
            case ast.Call(
                func=called,
                args=[ast.Constant(value=str(name)), ast.List(elts=items) | ast.Tuple(elts=items)],
            ) if self._is(module, called, "Segment"):
                steps = {f"{step.module.name}.{step.name}": step for step in self.steps}
                named = (steps.get(module.dotted(item) or "") for item in items)
                known = tuple(step for step in named if step is not None)
                return WrittenSegment(name, module, argument.lineno, known)
        return None

    def _is(self, module: Module, called: ast.expr, name: str) -> bool:
        """Whether an expression is the runtime's `name`, by whichever import."""
        inside = self.inside_runtime(module.dotted(called) or "")
        return inside.rpartition(".")[2] == name


def read_project(root: Path, package: Path, vendored: Path | None) -> Project:
    """Read the project in `root` whose package is the folder `package`. Raises nothing.

    `vendored` is the folder of its runtime, if it contains one.

    A file that cannot be read or parsed becomes a finding.
    """
    modules, unreadable = read_modules(root, package)
    memory, wiring = (read_toml(root / name) for name in (MEMORY_BUDGET_FILE, PIPELINE_FILE))
    unreadable += [problem for problem in (memory, wiring) if isinstance(problem, Finding)]
    return Project(
        root,
        package,
        vendored,
        modules,
        memory if isinstance(memory, dict) else {},
        wiring if isinstance(wiring, dict) else None,
        tuple(unreadable),
    )
