"""`accept`: declare that edits of the code do not change the values of a segment."""

from __future__ import annotations

import getpass
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from ..base.errors import ConfigurationError, StorageError, nearest
from ..base.interrupts import held
from ..base.texts import one_line
from ..disk.commit import Commit
from ..disk.manifest import Acceptance, FileRecord, Manifest
from ..disk.place import checkpoints_place
from ..disk.stores import open_store
from ..graph.steps import Segment
from ..reuse.bound import Bound, as_json, bind, kept_columns
from ..reuse.further import present_code
from ..reuse.key import explain
from ..reuse.standing import Reusable, Stale, Waiting, reusable, standings
from ..reuse.step_keys import step_keys, wirings
from ..run.adopting import Adopting
from ..run.describing import describe_project
from .changes import parse_changes
from .ending import ended


@ended
def accept_command(
    package: str, pipeline: str | None, segment: str, why: str, changes: list[str]
) -> int:
    """Let a checkpoint from before an edit count as one of the present code; the exit code.

    A checkpoint is taken over whose inputs, params, values of earlier segments and wiring are those
    of now. Raises ConfigurationError where something else than code differs.
    """
    why = one_line(why)
    if not why:
        raise ConfigurationError("--why: say in a few words why the values stay the same.")
    project = describe_project(package, pipeline)
    names = [each.name for each in project.graph.segments]
    if segment not in names:
        raise ConfigurationError(
            f"no segment is named `{segment}`{nearest(segment, names)}; the segments are "
            f"{', '.join(names)}"
        )
    place = checkpoints_place(project.settings, project.graph.name)
    store = open_store(project.settings, project.graph.name)
    store.refresh()
    if not place.is_ours():
        raise ConfigurationError(f"segment `{segment}` has not run yet. Run it.")
    with store.lock():
        bound = bind(project, parse_changes(project, changes), store=store)
        accepted = _accept(bound, segment, why)
    print(f"{segment}: {accepted.sentence}")
    return 0


def _accept(bound: Bound, name: str, why: str) -> Acceptance:
    every = standings(bound)
    now = next(each for each in every if each.segment.name == name)
    match now:
        case Waiting(reasons=reasons):
            raise ConfigurationError(
                f"segment `{name}` {'; '.join(reasons)}. Accept or run those first."
            )
        case Reusable():
            raise ConfigurationError(
                f"segment `{name}` has a checkpoint of the present code already: nothing differs."
            )
        case Stale(damaged=True, reasons=reasons):
            raise StorageError(f"segment `{name}`: {'; '.join(reasons)}. Run it.")
    former, differed = _former(bound, now)
    acceptance = Acceptance(
        _who(bound.settings.root), datetime.now(UTC).isoformat(timespec="seconds"), why, differed
    )
    read = bound.graph.loaded(bound.graph.span(now.segment))
    usable = reusable(every)
    upstream = {value: usable[bound.graph.producer(value).name] for value in read}
    _take_over(bound, now, former, acceptance, upstream)
    return acceptance


def _former(bound: Bound, now: Stale) -> tuple[Manifest, tuple[str, ...]]:
    """The last used checkpoint that differs in code alone, and what differs.

    Raises ConfigurationError, naming what else differs in the last used one, and StorageError.
    """
    store, name = bound.store, now.segment.name
    others = []
    for manifest in store.all_of(name):
        further = present_code(manifest.further, bound.settings.root)
        code = [n for n, known in manifest.further.items() if further.get(n) != known]
        differed = explain(manifest.ingredients, now.ingredients)
        differed += [f"code of {', '.join(sorted(code))} changed"] if code else []
        if problems := _problems(bound, now, manifest):
            others.append("; ".join(problems))
        elif broken := store.damaged(manifest, hash_all=True):
            raise StorageError(
                f"segment `{name}`: damaged on disk: {', '.join(dict.fromkeys(broken))}. Run it."
            )
        else:
            return manifest, tuple(differed)
    if not others:
        raise ConfigurationError(f"segment `{name}` has no former checkpoint. Run it.")
    raise ConfigurationError(
        f"segment `{name}` cannot be accepted: {others[0]}. Only an edit of code can be declared "
        f"to change nothing. Run it."
    )


def _problems(bound: Bound, now: Stale, manifest: Manifest) -> list[str]:
    """What differs besides code, and what the checkpoint lacks, for people."""
    only_code = {"code": now.ingredients.code, "libraries": now.ingredients.libraries}
    only_code["columns"] = now.ingredients.columns  # what is lacking of them is looked for below
    problems = explain(manifest.ingredients | only_code, now.ingredients)
    span, wiring = bound.graph.span(now.segment), wirings(now.segment)
    if not manifest.wiring:
        problems.append(
            "the checkpoint was made by a version that did not note how steps are wired"
        )
    elif changed := [n for n in wiring if manifest.wiring.get(n) != wiring[n]]:
        problems.append(f"the parameters or the type of {', '.join(changed)} changed")
    kept = bound.graph.kept(span)
    lacking = [v for v in kept if v not in manifest.values]
    lacking += [v for v in bound.graph.outputs(span) if v not in manifest.outputs]
    problems += [f"`{value}` is not in the checkpoint" for value in dict.fromkeys(lacking)]
    problems += [
        f"`{value}` is in the checkpoint without columns that are read now"
        for value in kept
        if value in manifest.values and not manifest.values[value].has(kept_columns(bound, value))
    ]
    return problems


def _take_over(
    bound: Bound,
    now: Stale,
    former: Manifest,
    acceptance: Acceptance,
    upstream: Mapping[str, Manifest],
) -> None:
    """Write the checkpoint of the present key, with the files of a former one."""
    store = bound.store
    adopting = Adopting(bound, now.segment, now.key, now.ingredients, former.params, upstream)
    commit = Commit(
        store.path(former.segment, now.key), store.allowance(bound.settings, former.segment)
    )

    def taken(records: Mapping[str, FileRecord]) -> dict[str, FileRecord]:
        return {n: store.adopt(commit, n, former, record) for n, record in records.items()}

    try:
        manifest = replace(
            former,
            key=now.key,
            ingredients=as_json(now.ingredients),
            values=taken(former.values),
            outputs=taken(former.outputs),
            published=taken(former.published),
            use=store.next_use(former.segment),
            further=present_code(former.further, bound.settings.root),
            step_keys=_keys(bound, now.segment, now.ingredients.values, former),
            item_keys=adopting.item_keys(former),
            wiring=wirings(now.segment),
            accepted=(*former.accepted, acceptance),
        )
    except BaseException:
        commit.abandon()
        raise
    with held():  # what a manifest names must not be abandoned
        commit.finish(manifest)
    store.push(manifest)


def _keys(
    bound: Bound, segment: Segment, values: dict[str, str], former: Manifest
) -> dict[str, str]:
    """The keys that the steps have with the present code."""
    contents = {
        step.name: identity
        for step in segment.steps
        if step.always and (identity := former.identity(step.name)) is not None
    }
    return step_keys(bound, segment, values, contents)


def _who(root: Path) -> str:
    """The person at work: as git knows them, or else the name of the login."""
    try:
        asked = subprocess.run(
            ["git", "config", "user.name"], cwd=root, capture_output=True, text=True, check=False
        )
        name = one_line(asked.stdout)
    except OSError:  # no git
        name = ""
    try:
        return name or getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        return "an unknown user"
