"""CKP304: a step that takes a table piece by piece, and then holds all of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .annotations import ITERATORS, annotation_kind, expression_of
from .findings import Finding
from .functions import Function
from .graph import Project
from .source import Module

_READER = "pyarrow.RecordBatchReader"
_LAZY = {"polars.LazyFrame", "duckdb.DuckDBPyRelation", "pyspark.sql.DataFrame"}
_OPTIONAL = ("typing.Annotated", "typing.Optional")
_COLLECTS = {
    *("list", "tuple", "collections.deque", "pandas.concat", "polars.concat"),
    *("pyarrow.concat_tables", "pyarrow.Table.from_batches"),
}
_READS_ALL = {
    _READER: {"read_all", "read_pandas"},
    "polars.LazyFrame": {"collect"},
    "duckdb.DuckDBPyRelation": {
        *("df", "to_df", "fetchdf", "fetch_df", "fetchall", "fetchnumpy", "pl"),
        *("to_arrow_table", "fetch_arrow_table"),
    },
    "pyspark.sql.DataFrame": {"collect", "toPandas", "toArrow", "pandas_api"},
}
_KEEPS_ALL_ROWS = {
    *("assign", "astype", "convert_dtypes", "copy", "fillna", "rename", "reset_index", "set_axis"),
    *("to_pandas", "to_polars", "with_columns", "cast", "clone"),
}
_CONVERTS = {"pandas.DataFrame", "polars.from_arrow", "polars.from_pandas", "polars.DataFrame"}
_EMPTIES = {"clear", "pop", "popleft"}


def collected_batches(project: Project) -> Iterator[Finding]:
    """CKP304: batches that a step puts together again, and a lazy table that it reads whole."""
    made_of_several = {step.name for step in project.steps if _makes_several(step)}
    for step in project.steps:
        for parameter in step.parameters:
            kind = _taken_as(parameter.annotation, step.module)
            if kind is None or (kind == "batches" and parameter.name in made_of_several):
                continue
            for node in _collecting(step, parameter.name, kind):
                message = f"`{step.name}` puts all of `{parameter.name}` together: `{_shown(node)}`"
                yield Finding(step.module.shown, node.lineno, "CKP304", message)


def _makes_several(step: Function) -> bool:
    """Whether the value of a step is items, which a later step may take one by one."""
    if any(isinstance(mark, ast.Call) and _names_each(mark) for mark in step.node.decorator_list):
        return True
    returns = expression_of(step.node.returns)
    base = returns.value if isinstance(returns, ast.Subscript) else returns
    name = step.module.dotted(base) if base is not None else None
    return name == "tuple" or annotation_kind(step.node.returns, step.module) == "container"


def _names_each(mark: ast.Call) -> bool:
    return any(keyword.arg == "each" for keyword in mark.keywords)


def _taken_as(annotation: ast.expr | None, module: Module) -> str | None:
    """`batches`, or the type of a reader or of a lazy table; None for any other annotation."""
    annotation = expression_of(annotation)
    match annotation:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _taken_as(left, module) or _taken_as(right, module)
        case ast.Subscript(value=base, slice=inner):
            name = module.dotted(base)
            if name in _OPTIONAL:
                first = inner.elts[0] if isinstance(inner, ast.Tuple) and inner.elts else inner
                return _taken_as(first, module)
            is_table = annotation_kind(inner, module) == "frame"
            return "batches" if name in ITERATORS and is_table else None
        case ast.Name() | ast.Attribute():
            name = module.dotted(annotation)
            return name if name is not None and name in {_READER, *_LAZY} else None
    return None


def _collecting(step: Function, name: str, kind: str) -> Iterator[ast.expr | ast.stmt]:
    """The expressions and statements of a step that hold all rows of a parameter."""
    reads_all = _READS_ALL.get(kind, set())
    for node in step.inside:
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=owner), attr=method), keywords=keywords
            ) if owner == name and method in reads_all:
                if not any(keyword.arg == "lazy" for keyword in keywords):
                    yield node
            case _ if kind in _LAZY:
                continue
            case ast.Call(func=called, args=[first, *_]) if step.dotted(
                called
            ) in _COLLECTS and _is_every(step, first, name):
                if not _is_inside_another(step, node, name):
                    yield node
            case ast.ListComp() | ast.List() if _is_every(step, node, name):
                if not _is_inside_another(step, node, name):
                    yield node
            case ast.For(target=ast.Name(id=batch), iter=ast.Name(id=taken)) if taken == name:
                yield from _gathered(step, node, batch)


def _is_every(step: Function, expression: ast.expr, name: str) -> bool:
    """Whether an expression gives every row of every batch."""
    match expression:
        case ast.Name(id=other):
            return other == name
        case ast.List(elts=[ast.Starred(value=inner)]) | ast.Tuple(elts=[ast.Starred(value=inner)]):
            return _is_every(step, inner, name)
        case (
            ast.ListComp(elt=each, generators=[around])
            | ast.GeneratorExp(elt=each, generators=[around])
        ):
            return (
                isinstance(around.target, ast.Name)
                and not around.ifs
                and _is_every(step, around.iter, name)
                and _has_all_rows(step, each, around.target.id)
            )
        case ast.Call(func=called, args=[ast.Lambda() as each, batches]) if (
            step.dotted(called) == "map" and len(each.args.args) == 1
        ):
            batch = each.args.args[0].arg
            return _is_every(step, batches, name) and _has_all_rows(step, each.body, batch)
        case ast.Call(func=called, args=[converts, batches]) if step.dotted(called) == "map":
            return step.dotted(converts) in _CONVERTS and _is_every(step, batches, name)
        case ast.Call(func=called, args=[first, *_]):
            return step.dotted(called) in _COLLECTS and _is_every(step, first, name)
    return False


def _has_all_rows(step: Function, expression: ast.expr, batch: str) -> bool:
    """Whether an expression is a batch, or a table with each of its rows."""
    match expression:
        case ast.Name(id=name):
            return name == batch
        case ast.Call(func=ast.Attribute(value=owner, attr=method)) if method in _KEEPS_ALL_ROWS:
            return _has_all_rows(step, owner, batch)
        case ast.Call(func=called, args=[first, *_]) if step.dotted(called) in _CONVERTS:
            return _has_all_rows(step, first, batch)
    return False


def _gathered(step: Function, loop: ast.For, batch: str) -> Iterator[ast.stmt]:
    """Statements of a loop that add each batch to what is kept of those before it."""
    if _changes(loop, batch) or any(isinstance(node, ast.Break) for node in ast.walk(loop)):
        return
    for statement in loop.body:
        match statement:
            case ast.Expr(
                value=ast.Call(
                    func=ast.Attribute(value=ast.Name(id=kept), attr="append"), args=[each]
                )
            ) if _has_all_rows(step, each, batch) and not _changes(loop, kept):
                yield statement
            case ast.AugAssign(target=ast.Name(id=kept), op=ast.Add(), value=ast.List(elts=[each])):
                others = [node for node in loop.body if node is not statement]
                is_kept = not any(_changes(node, kept) for node in others)
                if _has_all_rows(step, each, batch) and is_kept:
                    yield statement
            case ast.Assign(
                targets=[ast.Name(id=kept)],
                value=ast.Call(func=called, args=[ast.List(elts=parts), *_]),
            ) if step.dotted(called) in _COLLECTS:
                names = {part.id for part in parts if isinstance(part, ast.Name)}
                if kept in names and any(_has_all_rows(step, part, batch) for part in parts):
                    yield statement


def _changes(around: ast.AST, name: str) -> bool:
    """Whether code inside of a node gives a name another value, or takes out of what it has."""
    loop_target = around.target if isinstance(around, ast.For) else None
    for node in ast.walk(around):
        match node:
            case ast.Name(id=other, ctx=ast.Store() | ast.Del()) if (
                other == name and node is not loop_target
            ):
                return True
            case ast.Attribute(value=ast.Name(id=other), attr=method) if (
                other == name and method in _EMPTIES
            ):
                return True
            case ast.Delete(targets=targets):
                if any(
                    isinstance(t, ast.Subscript)
                    and isinstance(t.value, ast.Name)
                    and t.value.id == name
                    for t in targets
                ):
                    return True
    return False


def _is_inside_another(step: Function, node: ast.expr, name: str) -> bool:
    """Whether an expression around this one is reported already."""
    around = step.parents.get(node)
    while isinstance(around, ast.expr):
        if isinstance(around, ast.Call) and around.args and _is_every(step, around, name):
            return True
        around = step.parents.get(around)
    return False


def _shown(node: ast.expr | ast.stmt) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 60 else f"{text[:57]}..."
