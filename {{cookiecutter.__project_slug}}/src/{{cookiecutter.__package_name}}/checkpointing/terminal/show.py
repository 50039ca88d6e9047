"""`show`: one checkpointed value, printed."""

from __future__ import annotations

from typing import Any

from ..base.interrupts import answered
from ..disk.loading import load_value
from ..run.describing import describe_project
from .project import reported


@answered
def show_command(package: str, value: str, rows: int) -> int:
    """Print one checkpointed value; the exit code."""
    with reported() as code:
        project = describe_project(package)
        found = load_value(project.graph, project.settings, value)
        shape = f", {' × '.join(map(str, found.shape))}" if hasattr(found, "shape") else ""
        print(f"{value}: {type(found).__name__}{shape}")
        if hasattr(found, "head"):
            found = found.head(rows)
        elif hasattr(found, "slice"):
            found = found.slice(0, rows)
        print(_as_text(found))
    return code[0]


def _as_text(found: Any) -> str:
    try:
        return str(found.to_string() if hasattr(found, "to_string") else found)
    except Exception as error:  # pandas keeps types of Arrow that it cannot print
        return f"its own library cannot print it: {error!r}"
