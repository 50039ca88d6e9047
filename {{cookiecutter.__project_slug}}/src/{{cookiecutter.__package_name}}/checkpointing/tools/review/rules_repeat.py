"""CKP204, CKP205: calls that make a second run differ from the first."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from .chains import root
from .findings import Finding
from .functions import Function
from .graph import Project

# `random` and `numpy.random` themselves are seeded by the runtime before each step.
_ALWAYS_RANDOM = re.compile(r"secrets\.\w+|os\.urandom|uuid\.uuid[14]|random\.SystemRandom")
_RANDOM_WITHOUT_SEED = re.compile(
    r"""numpy\.random\.(default_rng|RandomState|SeedSequence|seed|PCG64|Philox|MT19937|SFC64)
    | random\.(Random|seed)
    | pyspark\.sql\.functions\.(rand|randn|randstr|uniform|uuid)""",
    re.VERBOSE,
)
_CLOCK = re.compile(
    r"""datetime\.(datetime\.(now|utcnow|today)|date\.today) | time\.(time|time_ns|ctime)
    | pandas\.(Timestamp|Period)\.(now|today|utcnow) | pendulum\.(now|today|tomorrow|yesterday)
    | arrow\.(now|utcnow) | django\.utils\.timezone\.now""",
    re.VERBOSE,
)
_CLOCK_WITHOUT_TIME = {"time.localtime": 0, "time.gmtime": 0, "time.strftime": 1}
_CLOCK_BY_WORD = {
    *("pandas.Timestamp", "pandas.to_datetime", "numpy.datetime64", "pandas.DatetimeIndex"),
}
_LOGGING = {"debug", "info", "warning", "error", "exception", "critical", "log"}
_QUERIES = {"sql", "execute", "query"}
_RANDOM_SQL = re.compile(r"\b(random|rand|randn|uuid|gen_random_uuid|uuidv[47])\s*\(\s*\)", re.I)
_CLOCK_SQL = re.compile(
    r"\b(now|today|get_current_timestamp|localtimestamp)\s*\(\s*\)"
    r"|\bcurrent_(date|time|timestamp)\b",
    re.I,
)


def unseeded(project: Project) -> Iterator[Finding]:
    """CKP204: randomness that the next run would not repeat."""
    for function in project.functions:
        for call in function.calls:
            if source := _random(function, call):
                message = f"{function.title} draws from `{source}` without a seed"
                yield Finding(function.module.shown, call.lineno, "CKP204", message)


def clock(project: Project) -> Iterator[Finding]:
    """CKP205: the wall clock, in a step whose value is kept; a sink may note the time."""
    for function in project.functions:
        for call in () if function.is_sink else function.calls:
            if (source := _clock(function, call)) and not is_logged(function, call):
                message = f"{function.title} reads the clock (`{source}`)"
                yield Finding(function.module.shown, call.lineno, "CKP205", message)


def _random(function: Function, call: ast.Call) -> str | None:
    name = function.dotted(call.func) or ""
    if _ALWAYS_RANDOM.fullmatch(name):
        return name
    if _RANDOM_WITHOUT_SEED.fullmatch(name):
        seeds = [*call.args, *(keyword.value for keyword in call.keywords)]
        return None if any(not _is_none(seed) for seed in seeds) else name
    if isinstance(call.func, ast.Attribute):
        method = call.func.attr
        if method in ("sample", "shuffle", "sample_n") and _is_polars(function, call.func):
            seeded = any(k.arg == "seed" and not _is_none(k.value) for k in call.keywords)
            return None if seeded else f".{method}()"
        return _in_query(function, call, _RANDOM_SQL)
    return None


def _clock(function: Function, call: ast.Call) -> str | None:
    name = function.dotted(call.func) or ""
    if _CLOCK.fullmatch(name):
        return name
    if name in _CLOCK_WITHOUT_TIME and len(call.args) <= _CLOCK_WITHOUT_TIME[name]:
        return name
    words = [a.value for a in call.args if isinstance(a, ast.Constant)]
    if name in _CLOCK_BY_WORD and any(word in ("now", "today") for word in words):
        return f"{name}({words[0]!r})"
    return _in_query(function, call, _CLOCK_SQL)


def is_logged(function: Function, value: ast.expr) -> bool:
    """Whether only a log or the screen receives a value."""
    node: ast.AST | None = value
    while isinstance(node, ast.expr | ast.keyword | ast.FormattedValue):
        if isinstance(node, ast.Call) and node is not value:
            called = node.func
            if isinstance(called, ast.Attribute) and called.attr in _LOGGING:
                return True
            if function.dotted(called) == "print":
                return True
        node = function.parents.get(node)
    return False


def _in_query(function: Function, call: ast.Call, pattern: re.Pattern[str]) -> str | None:
    """The call in a SQL query that matches `pattern`; None for the `query` of pandas."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in _QUERIES or not call.args:
        return None
    text = function.meant(call.args[0])
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    texts = [p.value for p in parts if isinstance(p, ast.Constant)]
    query = " ".join(text for text in texts if isinstance(text, str))
    match = pattern.search(query) if re.search(r"\b(select|insert|create)\b", query, re.I) else None
    return match[0] if match else None


def _is_polars(function: Function, method: ast.Attribute) -> bool:
    """Whether a method belongs to polars, which has a random state of its own."""
    name = root(method.value)
    if name is None:
        return False
    if (function.dotted(name) or "").startswith("polars"):
        return True
    annotations = {p.name: p.annotation for p in function.parameters}
    annotation = annotations.get(name.id)
    return annotation is not None and any(
        (function.module.dotted(node) or "").startswith("polars.")
        for node in ast.walk(annotation)
        if isinstance(node, ast.Name | ast.Attribute)
    )


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
