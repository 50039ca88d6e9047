"""shared_storage: the sample and seed20 with checkpoints in a folder, and at a URL on loopback."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import seed20_frames
from measure import (
    Bench,
    Row,
    Watched,
    in_turns,
    ratios,
    seconds_of,
    show_bytes,
    show_ratio,
    show_seconds,
    spread,
)
from project import Project, sample_project
from seed20 import seed20_project

NAME = "shared_storage"
_SETTINGS = "memory_budget.toml"


def run(bench: Bench) -> list[Row]:
    """Run both projects with each kind of checkpoints, in turns."""
    sys.path.append(str(Path(__file__).resolve().parent.parent))  # `tests` has the server
    from tests.s3 import serving

    rounds = 1 if bench.quick else 5
    frame_bytes = (5 if bench.quick else 60) * 10**6
    rows = frame_bytes // seed20_frames.ROW_BYTES
    folder = bench.folder / NAME
    with serving() as server:
        projects = {
            "the sample": (sample_project(folder / "sample"), ()),
            "seed20": (seed20_project(folder / "seed20", rows), ()),
            "seed20, every value kept": (seed20_project(folder / "kept", rows), ("--keep-all",)),
        }
        found: list[Row] = []
        for title, (project, options) in projects.items():
            shared = _at_url(project, f"{server.bucket()}/checkpoints")
            found += _rows(title, project, shared, options, server.environment(), rounds)
    return found


def _at_url(project: Project, url: str) -> Project:
    """A copy of a project whose checkpoints are at a URL."""
    folder = project.folder.with_name(f"{project.folder.name}-shared")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(project.folder, folder)
    text = (folder / _SETTINGS).read_text()
    lines = [line for line in text.splitlines() if not line.startswith("path = ")]
    at = lines.index("[checkpoints]") + 1
    (folder / _SETTINGS).write_text("\n".join([*lines[:at], f'path = "{url}"', *lines[at:]]) + "\n")
    return Project(folder, project.package)


def _rows(
    title: str,
    local: Project,
    shared: Project,
    options: tuple[str, ...],
    environment: dict[str, str],
    rounds: int,
) -> list[Row]:
    anew = ("run", "--fresh", "--json", *options)
    made = in_turns(
        rounds,
        local=lambda: local.command(*anew).expected(),
        shared=lambda: shared.command(*anew, more=environment).expected(),
    )
    record = json.loads(made["shared"][-1].out)
    last = record["segments"][-1]["name"]
    again = ("run", "--json", "--rerun-from", last, *options)

    def elsewhere() -> Watched:
        """The same on a machine that has nothing yet."""
        shutil.rmtree(shared.folder / "checkpoints", ignore_errors=True)
        return shared.command(*again, more=environment).expected()

    repeated = in_turns(rounds, local=lambda: local.command(*again).expected(), shared=elsewhere)
    fetched = json.loads(repeated["shared"][-1].out)["bytes_fetched"]
    return [
        _row(f"{title}, run; {show_bytes(record['bytes_pushed'])} pushed", made),
        _row(f"{title}, {last} on a new machine; {show_bytes(fetched)} fetched", repeated),
    ]


def _row(figure: str, runs: dict[str, list[Watched]]) -> Row:
    local, shared = seconds_of(runs["local"]), seconds_of(runs["shared"])
    return Row(
        NAME,
        figure,
        show_seconds(spread(shared)),
        f"in a folder {show_seconds(spread(local))}",
        show_ratio(ratios(shared, local)),
    )
