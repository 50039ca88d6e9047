"""Dotted names of modules, and which of them an import binds."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from .syntax import absolute


class Reference(NamedTuple):
    """A dotted name: `names` of a module, or of the source's own module if that is None."""

    module: str | None
    names: tuple[str, ...]


def imported(node: ast.Import | ast.ImportFrom, package: str) -> dict[str, Reference]:
    """What an import binds, by name; for `import *` nothing."""
    if isinstance(node, ast.Import):
        return {
            alias.asname or alias.name.partition(".")[0]: Reference(
                alias.name if alias.asname else alias.name.partition(".")[0], ()
            )
            for alias in node.names
        }
    base = absolute(node.module or "", node.level, package)
    names = (alias for alias in node.names if alias.name != "*")
    return {alias.asname or alias.name: Reference(base, (alias.name,)) for alias in names}


def modules_in(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[str]:
    """The modules that an import may import: `from a import b` imports `a`, or `a.b` as well."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = absolute(node.module or "", node.level, package)
    yield base
    yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")
