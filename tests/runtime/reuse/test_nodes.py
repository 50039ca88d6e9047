"""Syntax trees are walked as `ast` walks them, and hashed as wholes although that goes by parts."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

import pytest
from flight_delays.checkpointing.reuse.nodes import children, walk
from flight_delays.checkpointing.reuse.syntax import Source, digest_of_tree

_LIBRARY = Path(ast.__file__).parent
STANDARD = [
    _LIBRARY / name
    for name in ("ast.py", "dataclasses.py", "enum.py", "typing.py", "asyncio/tasks.py")
]
EVERY_KIND = """
from a import b as c, d
import e.f as g
async def h(i: "j", /, *k, l=m, **n) -> o:
    global p
    async for q in r: await s
    async with t as u: yield v
    return [w async for w in x if not y]
class A(B, metaclass=C):
    D: E = F
    def G(self):
        nonlocal H
        yield from I
match J:
    case K(L, M=N) | {"O": P, **Q} if R: ...
    case [S, *T] as U: ...
    case None | 1.5: ...
try: del V[W:X:Y]
except* Z as aa: raise ab from ac
else: ad += ae if af else ag
finally: assert ah, ai
while (aj := ak) < al <= am: continue
lambda an: f"{ao!r:>{ap}}" @ {**aq} | {ar for ar in at} and {au: av for au in aw} or ~ax
"""


@pytest.mark.parametrize("source", STANDARD, ids=lambda path: path.stem)
def test_every_node_is_met_once_in_the_order_of_ast(source: Path) -> None:
    tree = ast.parse(source.read_bytes())

    assert walk(tree) == _without_signs(ast.walk(tree))
    for node in ast.walk(tree):
        assert children(node) == _without_signs(ast.iter_child_nodes(node))


def test_so_it_is_whatever_a_source_holds() -> None:
    tree = ast.parse(EVERY_KIND)

    assert walk(tree) == _without_signs(ast.walk(tree))


def _without_signs(nodes: Iterable[ast.AST]) -> list[ast.AST]:
    """All but `Load()`, `Add()` and the like, of which all of a kind are one object."""
    signs = (ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop)
    return [node for node in nodes if not isinstance(node, signs)]


@pytest.mark.parametrize("source", STANDARD, ids=lambda path: path.stem)
def test_the_digest_of_a_module_is_that_of_its_whole_tree(source: Path) -> None:
    module = Source(source, source.stem, "", source.read_bytes())

    assert module.parsed.digest == digest_of_tree(module.tree)
