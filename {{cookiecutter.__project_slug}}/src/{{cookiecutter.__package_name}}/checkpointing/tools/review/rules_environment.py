"""CKP208: environment variables that a step reads past its parameters."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from .findings import Finding
from .functions import Function
from .graph import Project
from .rules_repeat import is_logged

_READERS = re.compile(
    r"""os\.getenvb? | os\.environb?\.(get|pop|__getitem__)
    | dotenv\.(get_key|dotenv_values) | dotenv\.main\.(get_key|dotenv_values)
    | decouple\.config""",
    re.VERBOSE,
)
_ENVIRONMENT = {"os.environ", "os.environb"}
_WRITERS = re.compile(r"os\.(putenv|unsetenv)|os\.environb?\.(update|setdefault|pop|clear)")


def environment(project: Project) -> Iterator[Finding]:
    """CKP208: a variable that a step reads itself, in its body or through the module's constants.

    What only goes back into the environment, or to a log, is no finding; nor is a sink's, which
    has no value. A whole environment that is handed on to a program is none either.
    """
    for function in project.functions:
        if function.is_sink:
            continue
        for node, source in _reads(function, project):
            if not _goes_nowhere(function, node, set()):
                message = f"{function.title} reads an environment variable ({source})"
                yield Finding(function.module.shown, node.lineno, "CKP208", message)


def _reads(function: Function, project: Project) -> Iterator[tuple[ast.expr, str]]:
    """The expressions of a function that read a variable, and how a message names them."""
    for node in function.inside:
        if source := _read(node, function.dotted):
            assert isinstance(node, ast.expr)
            yield node, f"`{source}`"
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            owner, _, name = (function.dotted(node) or "").rpartition(".")
            module = project.modules.get(owner)
            for value in module.variables.get(name, ()) if module else ():
                for inner in ast.walk(value):
                    if module is not None and (source := _read(inner, module.dotted)):
                        yield node, f"`{name}`, which is `{source}`"


def _read(node: ast.AST, name: Callable[[ast.AST], str | None]) -> str | None:
    """What reads a variable, as it is written; None if nothing does here.

    `name` gives the dotted name of an expression.
    """
    match node:
        case ast.Call(func=called) if _READERS.fullmatch(name(called) or ""):
            return ast.unparse(node)
        case ast.Subscript(value=owner, ctx=ast.Load()) if name(owner) in _ENVIRONMENT:
            return ast.unparse(node)
        case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[owner]):
            return ast.unparse(node) if name(owner) in _ENVIRONMENT else None
    return None


def _goes_nowhere(function: Function, node: ast.AST, seen: set[str]) -> bool:
    """Whether a value only goes back into the environment, or to a log or the screen."""
    if isinstance(node, ast.Call) and _WRITERS.fullmatch(function.dotted(node.func) or ""):
        outer = function.parents.get(node)
        if isinstance(outer, ast.Expr):  # `os.environ.pop("X", None)`
            return True
    if isinstance(node, ast.expr) and is_logged(function, node):
        return True
    inner: ast.AST = node
    around = function.parents.get(node)
    while around is not None and not isinstance(around, ast.stmt):
        if _hands_to_the_environment(function, around, inner):
            return True
        inner, around = around, function.parents.get(around)
    match around:
        case ast.Expr():
            return inner is node  # a bare `os.environ["X"]`: that it is there
        case ast.Assign(targets=[ast.Name(id=name)]):
            if name in seen:
                return True
            seen.add(name)
            uses = [
                use
                for use in function.inside
                if isinstance(use, ast.Name) and use.id == name and isinstance(use.ctx, ast.Load)
            ]
            return all(_goes_nowhere(function, use, seen) for use in uses)
        case ast.Assign(targets=targets):
            return all(_is_variable(function, target) for target in targets)
        case ast.If(body=then, orelse=other):
            return all(_sets_variables(function, line) for line in (*then, *other))
    return False


def _hands_to_the_environment(function: Function, around: ast.AST, inner: ast.AST) -> bool:
    """Whether `inner` is an argument of a call that sets variables."""
    if not isinstance(around, ast.Call) or inner is around.func:
        return False
    return bool(_WRITERS.fullmatch(function.dotted(around.func) or ""))


def _is_variable(function: Function, target: ast.AST) -> bool:
    return isinstance(target, ast.Subscript) and function.dotted(target.value) in _ENVIRONMENT


def _sets_variables(function: Function, line: ast.stmt) -> bool:
    match line:
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            return all(_is_variable(function, target) for target in targets)
        case ast.Expr(value=ast.Call(func=called)):
            return bool(_WRITERS.fullmatch(function.dotted(called) or ""))
    return isinstance(line, ast.Pass)
