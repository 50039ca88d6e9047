"""From a table [executors.NAME] to its executor: the built-in kinds, and those of adapters.py."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from ..base.elsewhere import BUILT_IN, ExecutorTable
from ..base.errors import ConfigurationError, nearest
from ..base.location import PACKAGE_NAME
from .interface import Executor

_CLASSES = {"local": "Local", "skypilot": "SkyPilot"}
_registered: dict[str, Callable[[str, ExecutorTable, Path], Executor]] = {}


def register(kind: str, make: Callable[[str, ExecutorTable, Path], Executor]) -> None:
    """Add a kind of executor of a project's own, in adapters.py.

    Args:
        make: takes the name of the table [executors.NAME], the table, and a folder for its own use.

    Raises ConfigurationError if the kind is already taken.
    """
    if kind in BUILT_IN:
        raise ConfigurationError(f"the kind of executor {kind!r} exists already; name yours anew")
    _registered[kind] = make


def open_executor(name: str, table: ExecutorTable, folder: Path) -> Executor:
    """The executor of a table; nothing is started.

    Args:
        folder: of the ledger, where an executor may keep what it needs on this machine.

    Raises ConfigurationError for a kind that is neither built in nor registered, and ExecutorError
    if a program is missing that it needs.
    """
    if table.kind in BUILT_IN:
        module = import_module(f".{table.kind}", __package__)
        make: Any = getattr(module, _CLASSES[table.kind])
        return cast(Executor, make(name, table, folder))
    if table.kind not in _registered and importlib.util.find_spec(f"{PACKAGE_NAME}.adapters"):
        import_module(f"{PACKAGE_NAME}.adapters")
    if table.kind not in _registered:
        known = [*BUILT_IN, *_registered]
        raise ConfigurationError(
            f"pipeline.toml: [executors.{name}] kind = {table.kind!r} is no kind of executor"
            f"{nearest(table.kind, known)}; there are {', '.join(known)}, and a kind of your own "
            f"is registered in adapters.py."
        )
    return _registered[table.kind](name, table, folder)
