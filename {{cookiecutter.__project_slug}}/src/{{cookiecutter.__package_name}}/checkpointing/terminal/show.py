"""`show`: one checkpointed value, printed."""

from __future__ import annotations


import contextlib
import json
import tomllib
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..base.errors import CheckpointingError, ConfigurationError, Interrupted
from ..base.interrupts import answered, interruptible
from ..base.units import short, size
from ..disk.loading import load_value
from ..disk.place import checkpoints_place, runs_place
from ..disk.store import Store
from ..disk.sweeping import Cleared
from ..memory.budget import effective_budget
from ..memory.limits import machine_limits
from ..reuse.bound import Bound, Project, bind
from ..reuse.standing import Standing, standings
from ..run.describing import describe_project
from ..run.record import RunRecord, clear_runs
from ..run.run import RunOptions, run
from .console import closing_table, progress
from .project import parse_changes, print_error, reported

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
