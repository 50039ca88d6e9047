"""CKP207: imports by a name or path that only the run computes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .findings import Finding
from .graph import Project

_BY_NAME = {"importlib.import_module", "__import__", "builtins.__import__", "runpy.run_module"}
_BY_PATH = {"runpy.run_path", "importlib.util.spec_from_file_location"}


def computed_imports(project: Project) -> Iterator[Finding]:
    """CKP207: code that a key cannot name, in any module of the project."""
    for module in project.modules.values():
        for call in module.nodes:
            if not isinstance(call, ast.Call):
                continue
            name = module.dotted(call.func)
            by_path = name in _BY_PATH
            if by_path or (name in _BY_NAME and not _is_literal(call)):
                problem = "loads a file by its path" if by_path else "imports a computed name"
                yield Finding(module.shown, call.lineno, "CKP207", f"`{name}` {problem}")


def _is_literal(call: ast.Call) -> bool:
    given = [*call.args[:1], *(k.value for k in call.keywords if k.arg in ("name", "mod_name"))]
    return any(isinstance(node, ast.Constant) for node in given)
