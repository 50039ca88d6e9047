"""`clean`: remove checkpoints, and on request run records."""

from __future__ import annotations

from ..base.errors import Locked
from ..base.units import size
from ..disk.place import checkpoints_place, runs_place
from ..disk.store import FILES
from ..disk.stores import open_store
from ..disk.sweeping import Cleared, obstacles
from ..memory.profile import JOURNAL, PROFILE
from ..reuse.bound import bind
from ..reuse.standing import reusable, standings
from ..run.describing import describe_project
from ..run.ledger import runs_at_work
from ..run.record import clear_runs
from .ending import ended


@ended
def clean_command(package: str, pipeline: str | None, old: bool, runs: bool) -> int:
    """Remove checkpoints, and on request run records; the exit code.

    Files that no run has made stay, and so does a folder that no run has claimed.
    """
    project = describe_project(package, pipeline)
    settings = project.settings
    checkpoints = checkpoints_place(settings, project.graph.name)
    records = runs_place(settings)
    has_records = records.is_ours() if runs else False  # refuses before anything is removed
    if has_records and (others := runs_at_work(settings)):
        names = " and ".join(run.name for run in others)
        raise Locked(f"{names} still writes records. Wait for it, or clean without --runs.")
    cleared = Cleared()
    store = open_store(settings, project.graph.name)
    store.refresh()
    if checkpoints.is_ours():
        with store.lock(to_remove=True):
            spare = None
            if old:
                kept = reusable(standings(bind(project, {}, store=store)))
                spare = {(segment, manifest.key) for segment, manifest in kept.items()}
            cleared += store.clear(spare=spare)
    if has_records:
        cleared += clear_runs(records.folder)
        records.give_up()
    where = f" at {store.url}, for all who use it" if store.url else ""
    print(f"freed {size(cleared.bytes)}{where}")
    files = [checkpoints.folder / name for name in FILES]
    files += [records.folder / name for name in (PROFILE, JOURNAL)]
    folders = [checkpoints.folder / segment.name for segment in project.graph.segments]
    for sentence in obstacles(files, folders):
        print(sentence)
    cleared.require_complete()
    return 0
