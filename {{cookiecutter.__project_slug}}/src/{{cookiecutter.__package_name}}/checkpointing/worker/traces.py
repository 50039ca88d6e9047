"""Tracebacks for people: the frames of the project's own code, without the runtime's."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

from ..base.location import RUNTIME

_RUNTIME = str(RUNTIME)
_ENGINES = f"{__name__.rpartition('.worker.')[0]}.codecs."
"""Where errors are from that stand for those of an engine: their class says nothing to people."""


def user_traceback(error: BaseException, root: Path) -> str:
    """The traceback of an error, trimmed to the frames of the project in `root`.

    If it has no frame of the project, all frames but those of the runtime stay.
    """
    trimmed = traceback.TracebackException.from_exception(error)
    _trim(trimmed, root)
    return "".join(trimmed.format())


def release(error: BaseException) -> None:
    """Free the local variables of all calls that an error ended, and those of its causes."""
    waiting, seen = [error], set[int]()
    while waiting:
        current = waiting.pop()
        seen.add(id(current))
        traceback.clear_frames(current.__traceback__)
        linked = (current.__cause__, current.__context__)
        waiting += [other for other in linked if other is not None and id(other) not in seen]


def headline(error: BaseException) -> str:
    """The type and the message of an error, even if its `__str__` raises."""
    polars = sys.modules.get("polars")
    is_panic = polars is not None and isinstance(error, polars.exceptions.PanicException)
    try:
        if type(error).__module__.startswith(_ENGINES):
            return str(error)
        return f"{'polars panicked' if is_panic else type(error).__name__}: {error}"
    except BaseException as failure:  # it may even call sys.exit
        return f"{type(error).__name__}, whose message raises {type(failure).__name__}"


def _trim(outermost: traceback.TracebackException, root: Path) -> None:
    """Keep frames of the project, or else of others; a chain of causes may be of any length."""
    waiting = [(outermost, True)]
    while waiting:
        trace, foreign = waiting.pop()
        others = [f for f in trace.stack if not f.filename.startswith((_RUNTIME, "<"))]
        own = [f for f in others if _is_own(f.filename, root)]
        trace.stack = traceback.StackSummary.from_list(own or (others if foreign else []))
        linked = (trace.__cause__, trace.__context__, *(trace.exceptions or ()))
        waiting += [(other, foreign and not own) for other in linked if other is not None]


def _is_own(filename: str, root: Path) -> bool:
    path = Path(filename)
    return path.is_relative_to(root) and not {"site-packages", ".venv"} & set(path.parts)
