"""Syntax trees are walked as `ast` walks them, and hashed as wholes although that goes by parts."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from flight_delays.checkpointing.reuse.nodes import children, walk
from flight_delays.checkpointing.reuse.syntax import digest_of_tree, parsed, tree_of

STANDARD = [
    Path(ast.__file__).parent / name
    for name in ("ast.py", "dataclasses.py", "enum.py", "typing.py", "asyncio/tasks.py")
]


@pytest.mark.parametrize("source", STANDARD, ids=lambda path: path.stem)
def test_every_node_is_met_once_in_the_order_of_ast(source: Path) -> None:
    tree = ast.parse(source.read_bytes())

    assert walk(tree) == [*ast.walk(tree)]
    assert all(children(node) == [*ast.iter_child_nodes(node)] for node in ast.walk(tree))


@pytest.mark.parametrize("source", STANDARD, ids=lambda path: path.stem)
def test_the_digest_of_a_module_is_that_of_its_whole_tree(source: Path) -> None:
    content = source.read_bytes()

    digest = parsed(source, source.stem, "", content).digest
    assert digest == digest_of_tree(tree_of(source, content))
