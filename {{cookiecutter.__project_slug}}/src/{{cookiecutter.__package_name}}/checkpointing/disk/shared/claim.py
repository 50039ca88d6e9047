"""Whose a folder at a URL is: a note in it names the project and the pipeline.

Clones of a project lie in different folders of different machines, so the project is named by its
package. The note also says whether the storage has conditional writes, on which the lease depends.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from ...base.errors import ConfigurationError
from ...base.location import PACKAGE_NAME
from ...base.reading import parse_json
from ...base.refusals import Unreadable
from ...base.settings import MEMORY_BUDGET_FILE
from .contents import object_name
from .objects import Objects, Stored

OWNER = "owner.json"

_FORMAT = 1
_INSTEAD = f"Name another [checkpoints] path in {MEMORY_BUDGET_FILE}."


@dataclass(frozen=True)
class Claim:
    """The content of the note."""

    project: str
    """The name of its package."""

    pipeline: str

    conditional: bool
    """Whether the storage refuses to create an object twice, and to replace another one."""

    format: int = _FORMAT
    holds: str = "checkpoints"


def read_claim(objects: Objects, pipeline: str) -> Claim | None:
    """Whose the folder of a pipeline is, None if nobody has claimed it.

    Raises ConfigurationError when it is, or may be, somebody else's, and StorageError.
    """
    where = f"{objects.url}/{object_name(pipeline)}"
    try:
        content, _ = objects.read(object_name(pipeline, OWNER))
    except FileNotFoundError:
        return None
    try:
        claim = Claim(**parse_json(content))
    except (Unreadable, TypeError):
        raise ConfigurationError(
            f"{where}/{OWNER} is damaged, or from another version of this runtime, so nothing "
            f"tells whose this is. Restore it, or move it away with all that is beside it."
        ) from None
    if (claim.format, claim.holds) != (_FORMAT, "checkpoints"):
        raise ConfigurationError(f"{where} was made by another version of this runtime. {_INSTEAD}")
    if (claim.project, claim.pipeline) != (PACKAGE_NAME, pipeline):
        raise ConfigurationError(
            f"{where} belongs to the pipeline `{claim.pipeline}` of the project "
            f"`{claim.project}`, this one is `{pipeline}` of `{PACKAGE_NAME}`. {_INSTEAD} "
            f'If it is this project, renamed, write "{PACKAGE_NAME}" after "project" in '
            f"{where}/{OWNER}."
        )
    return claim


def others_bytes(every: Iterable[Stored], pipeline: str) -> int:
    """Bytes of the checkpoints of other pipelines at a URL: of the folders with a note in them."""
    stored = list(every)
    claimed = {s.name.partition("/")[0] for s in stored if s.name.endswith(f"/{OWNER}")}
    claimed.discard(object_name(pipeline))
    return sum(s.bytes for s in stored if s.name.partition("/")[0] in claimed)


def claim(objects: Objects, pipeline: str) -> Claim:
    """Make the folder of a pipeline ours, if it is not yet. Raises as `read_claim`.

    Two first runs at the same time agree on one note.
    """
    if (present := read_claim(objects, pipeline)) is not None:
        return present
    others = [stored.name for stored in objects.list(object_name(pipeline))]
    if others and (present := read_claim(objects, pipeline)) is not None:
        return present  # a first run elsewhere has come meanwhile
    if others:
        raise ConfigurationError(
            f"{objects.url}/{object_name(pipeline)} is to be the folder of checkpoints, but "
            f"`{others[0]}` is in it, and no {OWNER}: no run made it, so nothing in it is touched. "
            f"{_INSTEAD} Or move it away."
        )
    made = Claim(PACKAGE_NAME, pipeline, objects.is_conditional)
    content = json.dumps(asdict(made), indent=1).encode()
    if objects.create(object_name(pipeline, OWNER), content) is None:
        return claim(objects, pipeline)
    return made
