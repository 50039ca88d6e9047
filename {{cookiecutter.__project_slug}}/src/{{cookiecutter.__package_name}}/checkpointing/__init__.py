"""The checkpoint runtime: run a segment, keep what is still needed on disk, free all RAM, go on.

Steps import what is listed here and nothing else of this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .graph.steps import Columns, Segment, step
    from .pipeline import Pipeline

__all__ = ["Columns", "Pipeline", "Segment", "step"]

__version__ = "0.1.0"
"""The version of the template that this runtime came with; `checkpointing.sha256` says it too."""


def __getattr__(name: str) -> Any:
    """Load a name on first use: a command is quicker when it starts without all of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "pipeline" if name == "Pipeline" else "graph.steps"
    return getattr(import_module(f"{__name__}.{home}"), name)
