"""`show`: one checkpointed value, printed."""

from __future__ import annotations

from typing import Any

from ..disk.loading import load_value
from ..run.describing import describe_project
from .ending import ended


@ended
def show_command(package: str, pipeline: str | None, value: str, rows: int) -> int:
    """Print one checkpointed value; the exit code."""
    project = describe_project(package, pipeline)
    loaded = load_value(project.graph, project.settings, value)
    shape = f", {' × '.join(map(str, loaded.shape))}" if hasattr(loaded, "shape") else ""
    print(f"{value}: {type(loaded).__name__}{shape}")
    if hasattr(loaded, "head"):
        loaded = loaded.head(rows)
    elif hasattr(loaded, "slice"):
        loaded = loaded.slice(0, rows)
    print(_as_text(loaded))
    return 0


def _as_text(value: Any) -> str:
    try:
        return str(value.to_string() if hasattr(value, "to_string") else value)
    except Exception as error:  # pandas keeps types of Arrow that it cannot print
        return f"its own library cannot print it: {error!r}"
