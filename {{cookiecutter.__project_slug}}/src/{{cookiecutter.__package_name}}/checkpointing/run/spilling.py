"""The folder for what an engine does not hold in memory: within the part's own checkpoint.

Its name is one that only we make, so the next run removes it too, should this process be killed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..base.files import remove
from ..base.interrupts import held
from ..base.names import new_number, value_name

_STEM = "spill"


def spill_of(checkpoint: Path) -> Path:
    """A folder for one part, in the folder of its checkpoint; nothing is made yet."""
    return checkpoint / value_name(checkpoint, _STEM, new_number())


@contextmanager
def clearing(spill: Path) -> Iterator[None]:
    """Remove the folder when the process of the part has ended, however that was."""
    try:
        yield
    finally:
        with held(), suppress(OSError):
            if spill.exists():
                remove(spill)
            spill.parent.rmdir()  # unless there is something in it
