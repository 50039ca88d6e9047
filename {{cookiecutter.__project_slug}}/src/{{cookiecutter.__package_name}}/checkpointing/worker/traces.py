"""Tracebacks for people: the frames of the project's own code, without the runtime's."""

from __future__ import annotations

import traceback
from pathlib import Path

from ..base.location import RUNTIME

_RUNTIME = str(RUNTIME)


def user_traceback(error: BaseException, root: Path) -> str:
    """The traceback of an error, trimmed to the frames of the project in `root`.

    If it has no frame of the project, all frames but those of the runtime stay.
    """
    trimmed = traceback.TracebackException.from_exception(error)
    _trim(trimmed, root, foreign=True)
    return "".join(trimmed.format())


def headline(error: BaseException) -> str:
    """The type and the message of an error, even if its `__str__` raises."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception as failure:
        return f"{type(error).__name__}, whose message raises {type(failure).__name__}"


def _trim(trace: traceback.TracebackException, root: Path, *, foreign: bool) -> None:
    others = [f for f in trace.stack if not f.filename.startswith((_RUNTIME, "<"))]
    own = [f for f in others if _is_own(f.filename, root)]
    trace.stack = traceback.StackSummary.from_list(own or (others if foreign else []))
    for linked in (trace.__cause__, trace.__context__, *(trace.exceptions or ())):
        if linked is not None:
            _trim(linked, root, foreign=foreign and not own)


def _is_own(filename: str, root: Path) -> bool:
    path = Path(filename)
    return path.is_relative_to(root) and not {"site-packages", ".venv"} & set(path.parts)
