"""What a statement uses: compared with what Python's own compiler takes for globals."""

from __future__ import annotations

import ast
import symtable
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from flight_delays.checkpointing.reuse.references import Reference
from flight_delays.checkpointing.reuse.syntax import IMPORTERS
from flight_delays.checkpointing.reuse.uses import Uses, uses_of

from ..conftest import RUNTIME

STANDARD = Path(sysconfig.get_path("stdlib"))
FILES = [*sorted(RUNTIME.rglob("*.py")), *(STANDARD / f"{n}.py" for n in ("ast", "enum", "typing"))]
FILES += [STANDARD / f"{n}.py" for n in ("dataclasses", "inspect", "functools", "argparse")]


def uses(source: str, name: str = "demo.near", package: str = "demo") -> Uses:
    """What the last statement of a source uses."""
    return uses_of(ast.parse(source).body[-1], name, package, IMPORTERS)


def globals_in(table: symtable.SymbolTable) -> Iterator[str]:
    for symbol in table.get_symbols():
        if symbol.is_global() and symbol.is_referenced():
            yield symbol.get_name()
    for inner in table.get_children():
        yield from globals_in(inner)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_the_compiler_takes_for_a_global_is_one(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    tables = {
        (table.get_name(), table.get_lineno()): table
        for table in symtable.symtable(source, path.name, "exec").get_children()
    }
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            used = uses_of(node, "demo.near", "demo", IMPORTERS)
            names = {r.names[0] for r in used.references if r.module is None}
            table = tables[node.name, node.lineno]
            expected = set(globals_in(table)) - {"__class__", "vars", "dir"}
            read_as_imports = {"__name__", "__package__", *IMPORTERS}
            assert not expected - names - read_as_imports, node.name


def refers(*dotted: str) -> set[Reference]:
    """References to names of the module; `.near:a.b` is one to `a.b` of a module."""
    parts = [text.rpartition(":") for text in dotted]
    return {Reference(m or None, tuple(n.split(".")) if n else ()) for m, _, n in parts}


CASES = {
    "def f(a): return a + b": refers("b"),
    "def f(): return m.n.o": refers("m.n.o"),
    "def f():\n    from .x import y\n    return y.z": refers("demo.x:y.z"),
    "def f():\n    import a.b\n    return a.b.c": refers("a:b.c"),
    "def f():\n    import a.b as c\n    return c.d": refers("a.b:d"),
    "def f():\n    from .x import y\n    y = 1\n    return y.z": refers("demo.x:y"),
    "def f(y):\n    from .x import y\n    return y": refers("demo.x:y"),
    "def f():\n    global a\n    a = 1": refers("a"),
    "def f():\n    def g():\n        nonlocal a\n        a = 1\n    a = b": refers("b"),
    "def f(a=b): pass": refers("b"),
    "def f(a: 'list[b]') -> 'c.d': pass": refers("list", "b", "c.d"),
    "def f(a: Annotated[int, 'b']): pass": refers("Annotated", "int", "b"),
    "def f(a: Annotated[int, Columns('b')]): pass": refers("Annotated", "int", "Columns"),
    "def f(): return [a for a in b if c]": refers("b", "c"),
    "def f(): return [a for a in a]": refers("a"),
    "def f(): return lambda a, *b, c=d: a + e": refers("d", "e"),
    "class A(B, metaclass=C):\n    d = e\n    def f(self): return d": refers("B", "C", "e", "d"),
    "A = [a for b in c]": refers("a", "c"),
    "a.b = c": refers("a.b", "c"),
    "a[0] = c": refers("a", "c"),
    "def f():\n    try: pass\n    except E as e: return e": refers("E"),
    "def f(x):\n    match x:\n        case A(b, c=[*d]): return b, d, e": refers("A", "e"),
}


@pytest.mark.parametrize("source", CASES)
def test_names_from_outside_are_listed(source: str) -> None:
    assert uses(source).references == CASES[source]


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("def f(): a.b = 1", refers("a.b")),
        ("def f(): a[0] = 1", refers("a")),
        ("def f(): a[0][1] += 1", refers("a")),
        ("def f(): a.append(1)", refers("a")),
        ("def f(): a['b'].append(1)", refers("a")),
        ("def f(): del a.b", refers("a.b")),
        ("def f():\n    global a\n    a = 1", refers("a")),
        ("def f(): return a.get(1)", set()),
        ("def f(a): a.append(1)", set()),
    ],
)
def test_what_may_be_changed_is_listed(source: str, changed: set[Reference]) -> None:
    assert uses(source).changed == changed


def test_a_literal_import_is_a_module_and_a_computed_one_may_be_any() -> None:
    literal = uses("def f(): return import_module('..a', __package__)", package="demo.b")

    assert literal.references == {Reference("demo.a", ())}
    assert not literal.is_open
    assert uses("def f(x): return import_module(x)").is_open
