"""A worker's check that code, wiring and inputs still match its order.

The parent read them in another process, some time ago, so a worker checks them itself: a value is
committed only if the code that made it is the code of its key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..base.errors import ConfigurationError
from ..base.files import stamp
from ..graph.sources import home_of, import_afresh, read, read_once
from ..graph.steps import Segment
from ..reuse.key import code_of, differing


def import_unchanged(code: Mapping[Segment, dict[str, str]], inputs: Mapping[Path, Any]) -> None:
    """Import the modules of some segments, from the same bytes as their keys were made from.

    Args:
        code: of each segment, the digests of its modules and data files.
        inputs: the stamp of each input file, from the moment it was hashed.

    Raises ConfigurationError if a file has changed, or the wiring differs from the order's.
    """
    steps = [step for segment in code for step in segment.steps]
    read_once({home_of(step.module, Path(step.file)) for step in steps})
    require_unchanged(code, inputs)
    import_afresh()
    for segment in code:
        if _wiring(segment.read_anew()) != _wiring(segment):
            raise _changed([f"the wiring of {segment.name}"])


def require_unchanged(
    code: Mapping[Segment, dict[str, str]],
    inputs: Mapping[Path, Any],
    read: Callable[[Path], bytes] = read,
) -> None:
    """Refuse code and inputs that are not those of the keys: they were edited during the run.

    Args:
        read: `Path.read_bytes` reads the disk again, as a process started by a step does.
    """
    changed: list[str] = []
    for segment, digests in code.items():
        changed += differing(digests, code_of(segment, read).modules)
    changed += [str(path) for path, at in inputs.items() if _stamp(path) != at]
    if changed:
        raise _changed(changed)


def _stamp(path: Path) -> Any:
    try:
        return stamp(path)
    except OSError:  # it is gone
        return None


def _changed(names: list[str]) -> ConfigurationError:
    return ConfigurationError(
        f"{', '.join(dict.fromkeys(names))} changed while the pipeline ran, so the values of this "
        f"segment would belong to neither version. Run again."
    )


def _wiring(segment: Segment) -> Any:
    """All that decides how a segment's steps are called and stored, so no line numbers."""
    return segment.name, [
        (
            step.name,
            step.module,
            step.codec,
            [(p.name, p.type_name, p.codec, p.columns) for p in step.parameters],
        )
        for step in segment.steps
    ]
