"""The checkpoint runtime: run a segment, write its live values to disk, free all RAM, continue.

Steps import the names in `__all__` and nothing else of this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .codecs.models import write_model
    from .graph.marking import Batches, Columns, step
    from .graph.shapes import Item
    from .graph.steps import Segment
    from .pipeline import Pipeline

__all__ = ["Batches", "Columns", "Item", "Pipeline", "Segment", "step", "write_model"]

__version__ = "0.1.0"
"""The version of the template that this runtime belongs to, as in `checkpointing.sha256`."""


def __getattr__(name: str) -> Any:
    """Load a name on first use: a command is quicker when it starts without all of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    homes = {"Pipeline": "pipeline", "Item": "graph.shapes", "Segment": "graph.steps"}
    homes["write_model"] = "codecs.models"
    return getattr(import_module(f"{__name__}.{homes.get(name, 'graph.marking')}"), name)
