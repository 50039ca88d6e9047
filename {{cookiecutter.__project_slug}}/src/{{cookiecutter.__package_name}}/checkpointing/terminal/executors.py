"""`executors`: what lives elsewhere because of this project, and an end to what was left behind."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from ..base.elsewhere import FOLDER
from ..base.errors import CheckpointingError, ConfigurationError, ExecutorError
from ..base.location import find_project
from ..base.settings import Settings, load_settings
from ..base.units import moment
from ..executors.interface import Executor, Living
from ..executors.ledger import Entry, damaged_entries, known_places, prefix_of, read_entries
from ..executors.opening import open_executor
from ..executors.teardown import destroy, sentence_of, sweep
from .ending import ended

_GONE = {
    "waits": "gone; what it has made waits for the next run of its segment, or `sweep --results`",
    "done": "gone; `executors sweep` removes what has travelled",
}


@dataclass(frozen=True)
class Line:
    """One place: what the ledger knows of it, and what its infrastructure says."""

    place: str
    executor: str
    entry: Entry | None
    living: Living | None
    executor_object: Executor | None = None

    @property
    def state(self) -> str:
        """What is to be known of it, in a few words."""
        if self.entry is None:
            return "in no ledger: `executors sweep` destroys it"
        if self.entry.state != "made":
            return _GONE[self.entry.state]
        says = self.living.state if self.living else "not there now"
        if self.entry.is_abandoned():
            return f"{says}; left behind: the next run destroys it"
        if not self.entry.holder.is_of_here:
            left = moment(self.entry.abandoned_at.isoformat())
            return (
                f"{says}; made by {self.entry.holder}, which cannot be asked from here: it counts "
                f"as left behind from {left}; `executors sweep --place {self.place}` ends it now"
            )
        return f"{says}; {self.entry.holder} is at work"


@ended
def executors_command(
    package: str, action: str, as_json: bool, place: str | None, results: bool
) -> int:
    """Show what lives, or destroy what was left behind, or a place; the exit code."""
    root, _ = find_project(package)
    settings = load_settings(root)
    if action == "sweep":
        return _sweep(settings, as_json, place, results)
    if place is not None or results:
        raise ConfigurationError("--place and --results go with `executors sweep`.")
    return _status(settings, as_json)


def _status(settings: Settings, as_json: bool) -> int:
    lines, failures = _lines(settings)
    if as_json:
        print(json.dumps({"places": [_as_json(line) for line in lines], "unknown": failures}))
        return 0
    console = Console()
    if lines:
        console.print(_table(lines))
    else:
        console.print("nothing lives elsewhere.")
    for failure in failures:
        console.print(failure, highlight=False, markup=False, soft_wrap=True)
    return 0


def _sweep(settings: Settings, as_json: bool, place: str | None, results: bool) -> int:
    """Destroy what was left behind, or a place. Raises ConfigurationError if that cannot be."""
    folder, console = settings.root / FOLDER, Console(stderr=as_json)

    def say(sentence: str) -> None:
        console.print(sentence, highlight=False, markup=False, soft_wrap=True)

    if place is not None:
        _require_no_run(place, read_entries(folder))
    swept = sweep(folder, say, place=place, results=results)
    for each in swept:
        say(sentence_of(each))
    failed = [each.entry.place for each in swept if each.failure]
    gone = [each.entry.place for each in swept if not each.failure]
    lines, unknown = ([], []) if swept and place is not None else _lines(settings)
    for line in lines:
        if line.executor_object is not None and place in (None, line.place):
            if line.place in known_places(folder):  # of a run that began meanwhile
                continue
            try:
                destroy(line.executor_object, line.place)
                say(f"`{line.place}` was in no ledger, and is gone")
                gone.append(line.place)
            except ExecutorError as error:
                say(error.message)
                failed.append(line.place)
    for failure in unknown:
        say(failure)
    if as_json:
        print(json.dumps({"gone": gone, "failed": failed, "unknown": unknown}))
    elif not gone and not failed:
        say("nothing was left behind." if place is None else f"there is no place `{place}`.")
    return ExecutorError.exit_code if failed or unknown else 0


def _lines(settings: Settings) -> tuple[list[Line], list[str]]:
    """Every place that the ledger or an executor knows, and why some could not be asked."""
    folder = settings.root / FOLDER
    before, known_before = read_entries(folder), known_places(folder)
    used = {*settings.wiring.run_on.values(), *(entry.executor for entry in before)}
    tables = {n: table for n, table in settings.wiring.executors.items() if n in used}
    failures = damaged_entries(folder)
    for entry in before:
        try:
            tables.setdefault(entry.executor, entry.settings)
        except ValidationError:
            failures.append(f"[executors.{entry.executor}] is of another version of the runtime")
    known: dict[str, tuple[str, Living, Executor]] = {}
    prefix = prefix_of(settings.root)
    for name, table in tables.items():
        try:
            executor = open_executor(name, table, folder)
            for living in executor.living():
                if prefix is not None and living.place.startswith(prefix):
                    known.setdefault(living.place, (name, living, executor))
        except CheckpointingError as error:
            failures.append(f"[executors.{name}] does not tell what lives: {error.message}")
    # A place is in the ledger before it lives, and until it is gone. So what lives without an entry
    # is known after the answers alone, and what had one before them has ended meanwhile.
    entries = read_entries(folder)
    lines = [
        Line(entry.place, entry.executor, entry, known.get(entry.place, (None, None))[1])
        for entry in entries
    ]
    named = known_before | known_places(folder)
    lines += [
        Line(place, name, None, living, executor)
        for place, (name, living, executor) in sorted(known.items())
        if place not in named
    ]
    return lines, failures


def _require_no_run(place: str, entries: list[Entry]) -> None:
    """Refuse to destroy what a process of this machine is at work with.

    Raises ConfigurationError.
    """
    for entry in entries:
        if entry.place == place and entry.holder.is_of_here and not entry.is_abandoned():
            raise ConfigurationError(
                f"{entry.holder} is at work with `{place}`. End that run (Ctrl-C, or "
                f"`kill {entry.holder.pid}`): it destroys the place."
            )


def _table(lines: list[Line]) -> Table:
    table = Table(title="elsewhere", title_justify="left")
    for heading in ("place", "executor", "segment", "since", "ends itself", "cost", "state"):
        table.add_column(heading, overflow="fold")
    for line in lines:
        entry, living = line.entry, line.living
        since = (living.since if living else "") or (entry.made_at if entry else "")
        cost = living.cost if living else None
        table.add_row(
            line.place,
            line.executor,
            entry.segment if entry else "",
            moment(since),
            moment(entry.ends_at) if entry else "",
            f"${cost:.2f}" if cost is not None else "",
            line.state,
        )
    return table


def _as_json(line: Line) -> dict[str, Any]:
    entry, living = line.entry, line.living
    return {
        "place": line.place,
        "executor": line.executor,
        "segment": entry.segment if entry else None,
        "since": (living.since if living else "") or (entry.made_at if entry else ""),
        "ends_at": entry.ends_at if entry else None,
        "cost_dollars": living.cost if living else None,
        "lives": living is not None,
        "state": line.state,
    }
