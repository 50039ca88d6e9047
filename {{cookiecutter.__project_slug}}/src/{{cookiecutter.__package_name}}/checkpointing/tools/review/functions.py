"""Steps as they are written, the functions that they call, and the meaning of their names."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from ...base.seal import RUNTIME
from .annotations import Parameter, parameter_of
from .source import Definition, Module, Source, assignments


@dataclass(frozen=True, eq=False)
class Function:
    """A step, or a function that steps call. `step` is the name of the step that uses it."""

    module: Module
    node: Definition
    step: str
    is_sink: bool
    is_helper: bool

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def title(self) -> str:
        """How messages name the function."""
        return f"`{self.name}` (for step `{self.step}`)" if self.is_helper else f"`{self.name}`"

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        arguments = self.node.args
        return tuple(
            parameter_of(argument, self.module)
            for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        )

    @cached_property
    def local(self) -> frozenset[str]:
        """Names that the function binds itself; what it imports is not among them."""
        return frozenset(_bound(self.node))

    @cached_property
    def inside(self) -> tuple[ast.AST, ...]:
        """Every node of the body, nested functions included; not decorators and annotations."""
        return tuple(node for statement in self.node.body for node in ast.walk(statement))

    @cached_property
    def calls(self) -> tuple[ast.Call, ...]:
        return tuple(node for node in self.inside if isinstance(node, ast.Call))

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """The node around each node of the body."""
        return {child: node for node in ast.walk(self.node) for child in ast.iter_child_nodes(node)}

    @cached_property
    def assigned(self) -> dict[str, list[ast.expr]]:
        """The expressions that the body assigns to each name, without those of loops."""
        expressions: dict[str, list[ast.expr]] = {}
        for node in self.inside:
            if isinstance(node, ast.stmt):
                for target, value in assignments(node):
                    if isinstance(target, ast.Name):
                        expressions.setdefault(target.id, []).append(value)
        return expressions

    def meant(self, expression: ast.expr) -> ast.expr:
        """The expression assigned to a name, if there is exactly one; else the name itself."""
        if not isinstance(expression, ast.Name):
            return expression
        name = expression.id
        is_local = name in self.local
        values = self.assigned.get(name, ()) if is_local else self.module.variables.get(name, ())
        return values[0] if len(values) == 1 else expression

    def dotted(self, expression: ast.AST) -> str | None:
        """The dotted name of an expression in this function's scope."""
        return self.module.dotted(expression, self.local)


def steps_of(source: Source, module: Module) -> list[Function]:
    """The functions of a module that are marked `@step`, in their order."""
    return [
        Function(module, node, node.name, _is_none(node.returns), is_helper=False)
        for node in module.definitions.values()
        if not isinstance(node, ast.ClassDef) and _is_step(source, module, node)
    ]


def reached(source: Source, steps: Iterable[Function]) -> list[Function]:
    """These steps, and the project's own functions that they call, directly or not.

    A function that both sinks and other steps call counts as the other step's.
    """
    known = {step.node for step in steps}
    functions = sorted(steps, key=lambda step: step.is_sink)
    for function in functions:  # grows while the loop runs
        for node in function.inside:
            if isinstance(node, ast.Name | ast.Attribute):
                for module, called in _defined(source, function.dotted(node)):
                    if called not in known:
                        known.add(called)
                        functions.append(
                            Function(module, called, function.step, function.is_sink, True)
                        )
    return functions


def _is_step(source: Source, module: Module, node: Definition) -> bool:
    marks = (d.func if isinstance(d, ast.Call) else d for d in node.decorator_list)
    names = [module.dotted(mark) or "" for mark in marks]
    return any(
        source.inside_runtime(name) in ("step", "steps.step")
        or f".{name}".endswith(f".{RUNTIME}.step")
        for name in names
    )


def _is_none(annotation: ast.expr | None) -> bool:
    if isinstance(annotation, ast.Constant) and annotation.value == "None":
        return True
    return isinstance(annotation, ast.Constant) and annotation.value is None


def _defined(source: Source, dotted: str | None) -> Iterator[tuple[Module, Definition]]:
    owner, _, name = (dotted or "").rpartition(".")
    module = source.modules.get(owner)
    node = module.definitions.get(name) if module else None
    methods = (ast.FunctionDef, ast.AsyncFunctionDef)
    if module is not None and isinstance(node, ast.ClassDef):
        yield from ((module, method) for method in node.body if isinstance(method, methods))
    elif module is not None and isinstance(node, methods):
        yield module, node


def _bound(function: Definition) -> Iterator[str]:
    shared: set[str] = set()
    bound: set[str] = set()
    for node in ast.walk(function):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                bound.add(name)
            case ast.arg(arg=name):
                bound.add(name)
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
            ):
                if node is not function:
                    bound.add(name)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                bound.add(name)
            case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                bound.add(name)
            case ast.Global(names=names):
                shared |= set(names)
    yield from bound - shared
