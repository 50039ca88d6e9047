"""A value that is damaged on disk is made again, at most once in a run."""

from __future__ import annotations

from ..base.errors import StorageError


def note_damage(value: str, damaged: set[str], segment: str) -> None:
    """Record that a value is damaged; rebuilding it helps at most once in a run.

    Raises:
        StorageError: the value was damaged before in this run.
    """
    if value in damaged:
        raise StorageError(
            f"segment `{segment}`: the checkpoint of `{value}` was damaged twice in one run.\n"
            f"  What to do: see whether a step writes to a file that it was given, and have it "
            f"work on a copy in its workdir; if none does, check the disk.",
            segment=segment,
        )
    damaged.add(value)
