"""`clean`: checkpoints removed, and run records if asked."""

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
def clean_command(package: str, old: bool, runs: bool) -> int:
    """Remove checkpoints, and run records if asked; the exit code.

    What no run has made stays, and a place that no run has claimed is left as it is.
    """
    with reported() as code:
        project = describe_project(package)
        settings = project.settings
        checkpoints = checkpoints_place(settings, project.graph.name)
        records = runs_place(settings)
        has_records = records.is_ours() if runs else False  # refuses before anything is removed
        cleared = Cleared()
        if checkpoints.is_ours():
            store = Store(checkpoints.folder)
            with store.lock():
                spare = None
                if old:
                    found = standings(bind(project, {}))
                    spare = {(s.segment.name, s.key) for s in found if s.reusable and s.key}
                cleared += store.clear(spare=spare)
        if has_records:
            cleared += clear_runs(records.folder)
            records.give_up()
        print(f"{size(cleared.bytes)} set free")
        cleared.require_complete()
    return code[0]
