"""CKP202: steps that change or use up something outside themselves."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from .chains import CONTAINER_METHODS, changes, items_of, root
from .findings import Finding
from .functions import Function
from .graph import Project
from .source import Module

_STATEFUL = re.compile(
    r"""numpy\.random\.(default_rng|RandomState|Generator) | random\.(Random|SystemRandom)
    | itertools\.(count|cycle) | iter | open | (duckdb|sqlite3|psycopg2?)\.connect
    | requests\.Session | httpx\.Client | sqlalchemy\.create_engine | boto3\.\w+""",
    re.VERBOSE,
)
_CONTAINERS = re.compile(
    r"list|dict|set|bytearray|collections\.(defaultdict|Counter|deque|OrderedDict|ChainMap)"
)
_GLOBAL_SETTINGS = re.compile(
    r"""pandas\.(set_option|reset_option) | numpy\.(seterr|seterrcall) | os\.(chdir|putenv|umask)
    | locale\.setlocale | decimal\.setcontext | sys\.(setrecursionlimit|path\.\w+)
    | os\.environ\.(update|setdefault|pop|clear) | time\.tzset
    | polars\.(enable_string_cache|set_random_seed|Config\.set_\w+)""",
    re.VERBOSE,
)
_MAKES_A_TABLE = re.compile(r"\s*create\s+(or\s+replace\s+)?(temp\w*\s+)?(table|view)\b", re.I)


def outside_state(project: Project) -> Iterator[Finding]:
    """CKP202: state outside a step that the step changes or uses up."""
    for function in project.functions:
        messages: dict[int, str] = {}
        for line, message in _shared_state(project, function):
            messages.setdefault(line, message)
        for line, message in messages.items():
            yield Finding(function.module.shown, line, "CKP202", f"{function.title} {message}")


def _shared_state(project: Project, function: Function) -> Iterator[tuple[int, str]]:
    for node in function.inside:
        if isinstance(node, ast.Global):
            yield node.lineno, f"sets the module's `{node.names[0]}`"
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            if maker := _stateful(project, function.dotted(node)):
                yield node.lineno, f"consumes `{node.id}`, a module-level `{maker}`"
        elif isinstance(node, ast.Call):
            name = function.dotted(node.func) or ""
            if _GLOBAL_SETTINGS.fullmatch(name):
                yield node.lineno, f"changes a setting of the process (`{name}`)"
            elif name in ("duckdb.sql", "duckdb.execute", "duckdb.query") and node.args:
                text = function.meant(node.args[0])
                query = text.values[0] if isinstance(text, ast.JoinedStr) and text.values else text
                if isinstance(query, ast.Constant) and _MAKES_A_TABLE.match(str(query.value)):
                    yield node.lineno, "makes a table in duckdb's shared database"
    for change in changes(function):
        owner = items_of(change.owner) if change.method else root(change.owner)
        dotted = function.dotted(owner) if owner else None
        if owner is None or dotted is None:
            continue
        if not change.method:
            yield change.line, f"changes `{owner.id}`, which is not its own"
        elif change.method in CONTAINER_METHODS and _is_container(project, dotted):
            yield change.line, f"changes the module's `{owner.id}`"


def _variable(project: Project, dotted: str | None) -> tuple[Module, tuple[ast.expr, ...]] | None:
    owner, _, name = (dotted or "").rpartition(".")
    module = project.modules.get(owner)
    return (module, module.variables[name]) if module and name in module.variables else None


def _stateful(project: Project, dotted: str | None) -> str | None:
    """The constructor of a module's variable that every use changes; None for other variables."""
    variable = _variable(project, dotted)
    if variable is None:
        return None
    module, values = variable
    for value in values:
        if isinstance(value, ast.GeneratorExp):
            return "generator"
        made = module.dotted(value.func) if isinstance(value, ast.Call) else None
        if made and _STATEFUL.fullmatch(made):
            return made
    return None


def _is_container(project: Project, dotted: str) -> bool:
    variable = _variable(project, dotted)
    if variable is None:
        return False
    module, values = variable
    literals = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
    return any(
        isinstance(value, literals)
        or (
            isinstance(value, ast.Call)
            and bool(_CONTAINERS.fullmatch(module.dotted(value.func) or ""))
        )
        for value in values
    )
