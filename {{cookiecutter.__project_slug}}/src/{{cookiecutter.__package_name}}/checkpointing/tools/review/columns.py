"""Which columns of a table a step uses, and which it makes, where its code shows them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from .functions import Function

_AS_IT_WAS = {"head", "tail", "copy", "reset_index", "sort_index"}  # the same columns
_BY_COLUMNS = {"sort_values": "by", "dropna": "subset", "drop_duplicates": "subset"}
_SELECTS = {"select", "select_columns", "column"}
_WITHOUT_COLUMNS = {"index", "shape", "empty", "height", "num_rows"}
_READERS = re.compile(
    r"(pandas|polars|geopandas)\.(read|scan)_\w+|pyarrow\.(parquet|feather)\.read_\w+"
)
_TABLES = re.compile(r"(pandas|polars)\.(DataFrame|LazyFrame)|pyarrow\.(table|Table\.from_pydict)")


def columns_used(step: Function, parameter: str) -> set[str] | None:
    """The columns of a table that a step uses; None if the code does not show them."""
    used: set[str] = set()
    for node in step.inside:
        if isinstance(node, ast.Name) and node.id == parameter:
            columns = _used_at(step, node) if isinstance(node.ctx, ast.Load) else None
            if columns is None:
                return None
            used |= columns
    return used


def columns_made(step: Function) -> set[str] | None:
    """The columns of the table that a step returns; None if the code does not show them."""
    returned = [node.value for node in step.inside if isinstance(node, ast.Return)]
    if len(returned) != 1 or returned[0] is None:
        return None
    value = step.meant(returned[0])
    match value:
        case ast.Subscript(slice=chosen):
            return _literals(step, chosen) if not isinstance(chosen, ast.Constant) else None
        case ast.Call(func=ast.Attribute(attr=name), args=arguments) if name in _SELECTS:
            return _merged(_literals(step, argument) for argument in arguments)
        case ast.Call(func=called, args=arguments, keywords=keywords):
            name = step.dotted(called) or ""
            if _READERS.fullmatch(name):
                listed = [k.value for k in keywords if k.arg in ("columns", "usecols")]
                return _literals(step, listed[0]) if listed else None
            if _TABLES.fullmatch(name) and len(arguments) == 1 and not keywords:
                content = step.meant(arguments[0])
                if isinstance(content, ast.Dict) and all(content.keys):
                    return _merged(_literals(step, key) for key in content.keys if key)
    return None


def _used_at(step: Function, table: ast.AST) -> set[str] | None:
    """The columns that the expression around one mention of a table takes from it."""
    around = step.parents.get(table)
    match around:
        case ast.Subscript(ctx=ast.Store() | ast.Del()):
            return None  # from here on the table has other columns
        case ast.Subscript(value=value, slice=chosen) if value is table:
            names = _literals(step, chosen)
            return _used_at(step, around) if names is None and _is_mask(chosen) else names
        case ast.Call(func=ast.Name(id="len")):
            return set()
        case ast.Attribute(attr=name) if name in _WITHOUT_COLUMNS:
            return set()
        case ast.Attribute(attr="loc"):
            located = step.parents.get(around)
            if isinstance(located, ast.Subscript) and isinstance(located.ctx, ast.Load):
                if isinstance(located.slice, ast.Tuple) and len(located.slice.elts) == 2:
                    return _literals(step, located.slice.elts[1])
                return _used_at(step, located)
        case ast.Attribute(attr=name):
            call = step.parents.get(around)
            if isinstance(call, ast.Call) and call.func is around:
                return _used_by_method(step, name, call)
    return None


def _used_by_method(step: Function, name: str, call: ast.Call) -> set[str] | None:
    keyword = _BY_COLUMNS.get(name, "by")
    arguments = [*call.args, *(k.value for k in call.keywords if k.arg == keyword)]
    if name in _SELECTS:
        return _merged(_literals(step, argument) for argument in call.args)
    if name in _AS_IT_WAS:
        return _used_at(step, call)
    if name in _BY_COLUMNS and arguments:
        return _merged([_literals(step, arguments[0]), _used_at(step, call)])
    if name in ("groupby", "set_index") and arguments:
        around = step.parents.get(call)
        if isinstance(around, ast.Subscript) and around.value is call:
            return _merged([_literals(step, arguments[0]), _literals(step, around.slice)])
    return None


def _literals(step: Function, expression: ast.expr) -> set[str] | None:
    """The names in a string or in a list of strings, also behind a variable; else None."""
    expression = step.meant(expression)
    match expression:
        case ast.Constant(value=str() as name):
            return {name}
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return _merged(
                _literals(step, e.value if isinstance(e, ast.Starred) else e) for e in elements
            )
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _merged([_literals(step, left), _literals(step, right)])
    return None


def _merged(parts: Iterator[set[str] | None] | list[set[str] | None]) -> set[str] | None:
    columns: set[str] = set()
    for part in parts:
        if part is None:
            return None
        columns |= part
    return columns


def _is_mask(expression: ast.expr) -> bool:
    """Whether an index chooses rows: a comparison, or several of them together."""
    match expression:
        case ast.Compare() | ast.UnaryOp(op=ast.Invert()):
            return True
        case ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
            return True
        case ast.Call(func=ast.Attribute(attr="between" | "isin" | "isna" | "notna")):
            return True
    return False
