"""CKP301, CKP302: data that stays in memory after its use, and code that frees none."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from .annotations import annotation_kind
from .chains import root
from .effects import READS
from .findings import Finding
from .functions import Function
from .graph import Project
from .source import Module

_TABLES = re.compile(
    r"""pandas\.(DataFrame|Series)(\.from_\w+)? | polars\.(DataFrame|LazyFrame|Series|from_\w+)
    | pyarrow\.(table|Table\.from_\w+|record_batch) | geopandas\.GeoDataFrame
    | duckdb\.(sql|query|table|from_\w+)""",
    re.VERBOSE,
)
_CACHES = re.compile(
    r"functools\.(cache|lru_cache|cached_property)|cachetools\.(func\.)?\w+|diskcache\.\w+"
    r"|streamlit\.cache_\w+"
)


def data_outside_steps(project: Project) -> Iterator[Finding]:
    """CKP301: tables in variables of a module, and functions that keep tables in a cache."""
    for module in project.modules.values():
        for name, values in module.variables.items():
            for value in values:
                if source := _data(module, value):
                    message = f"the module holds data: `{name}` comes from `{source}`"
                    yield Finding(module.shown, value.lineno, "CKP301", message)
        segment = project.segments.get(module.name)
        steps = {step.name for step in segment.steps} if segment else set()
        for node in module.definitions.values():
            if isinstance(node, ast.ClassDef):
                continue
            kept = node.returns is None or node.name in steps
            kept = kept or annotation_kind(node.returns, module) in ("frame", "array")
            for decorator in node.decorator_list:
                if kept and (cache := _cache(module, decorator)):
                    message = f"`{cache}` keeps what `{node.name}` returns"
                    yield Finding(module.shown, decorator.lineno, "CKP301", message)


def needless_frees(project: Project) -> Iterator[Finding]:
    """CKP302: `gc.collect()`, and `del` of a name where nothing more is made."""
    for function in project.functions:
        collects = [c for c in function.calls if _collects(function, c)]
        for call in collects:
            message = f"{function.title} calls `{ast.unparse(call.func)}`"
            yield Finding(function.module.shown, call.lineno, "CKP302", message)
        for node in _useless_deletes(function, {c.lineno for c in collects}):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            if names:
                message = f"{function.title} ends with `del {', '.join(names)}`"
                yield Finding(function.module.shown, node.lineno, "CKP302", message)


def _data(module: Module, value: ast.expr) -> str | None:
    for node in ast.walk(value):
        if isinstance(node, ast.Lambda):
            return None
        if isinstance(node, ast.Call):
            name = module.dotted(node.func) or ""
            if READS.fullmatch(name) and name not in ("open", "input"):
                return name
    node = value
    while isinstance(node, ast.Call | ast.Attribute | ast.Subscript):
        if isinstance(node, ast.Call):
            name = module.dotted(node.func) or ""
            holds = bool(node.args) or any(k.arg == "data" for k in node.keywords)
            if _TABLES.fullmatch(name) and holds:
                return name
            node = node.func
        else:
            node = node.value
    return None


def _cache(module: Module, decorator: ast.expr) -> str | None:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = module.dotted(called) or ""
    if _CACHES.fullmatch(name):
        return name
    if isinstance(called, ast.Attribute) and called.attr == "cache":  # joblib.Memory(...).cache
        owner = root(called.value)
        values = module.variables.get(owner.id, ()) if owner else ()
        made = [module.dotted(v.func) for v in values if isinstance(v, ast.Call)]
        return "joblib.Memory" if "joblib.Memory" in made else None
    return None


def _collects(function: Function, call: ast.Call) -> bool:
    if isinstance(call.func, ast.Attribute) and call.func.attr == "malloc_trim":
        return True
    return function.dotted(call.func) == "gc.collect"


def _useless_deletes(function: Function, collected: set[int]) -> Iterator[ast.Delete]:
    """`del` of names after which the function makes nothing, or beside a collection."""
    for node in (function.node, *function.inside):
        for body in (getattr(node, name, None) for name in ("body", "orelse", "finalbody")):
            if not isinstance(body, list):
                continue
            for place, statement in enumerate(body):
                after = body[place + 1 :]
                if not isinstance(statement, ast.Delete):
                    continue
                last = body is function.node.body and all(_makes_nothing(s) for s in after)
                before_a_collection = bool(after) and after[0].lineno in collected
                if last or before_a_collection:
                    yield statement


def _makes_nothing(statement: ast.stmt) -> bool:
    match statement:
        case ast.Delete() | ast.Pass():
            return True
        case ast.Return(value=value):
            return value is None or isinstance(value, ast.Name | ast.Constant | ast.Attribute)
        case ast.Expr(value=ast.Call() as call):
            return "collect" in ast.unparse(call.func)
    return False
