"""A worker's check that code, wiring and inputs still match its order.

The parent read them in another process, some time ago, so a worker checks them itself: a value is
committed only if the code that made it is the code of its key.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from ..base.errors import ConfigurationError
from ..disk.manifest import FurtherFiles
from ..graph.modules import file_of
from ..graph.sources import (
    content_of,
    have_compiled,
    home_of,
    import_afresh,
    is_first_party,
    read,
    read_once,
)
from ..graph.steps import Segment
from ..reuse.first_party import digest_of
from ..reuse.further import place_of
from ..reuse.key import Code
from ..reuse.trees import Tree, changed_in


def import_unchanged(code: Mapping[Segment, Code], trees: Collection[Tree]) -> None:
    """Import the modules of some segments, from the same bytes as their keys were made from.

    Args:
        code: of each segment.
        trees: the inputs and data files, as they were when they were hashed.

    Raises ConfigurationError if a file has changed, or the wiring differs from the order's.
    """
    steps = [step for segment in code for step in segment.steps]
    read_once({home_of(step.module, Path(step.file)) for step in steps})
    require_unchanged(code.values(), trees)
    for known in code.values():
        have_compiled(
            {known.files[n]: (known.contents[n], code) for n, code in known.compiled.items()}
        )
    import_afresh({name for known in code.values() for name in known.files})
    for segment in code:
        if _wiring(segment.read_anew()) != _wiring(segment):
            raise _changed([f"the wiring of {segment.name}"])


def require_unchanged(
    code: Collection[Code], trees: Collection[Tree], read: Callable[[Path], bytes] = read
) -> None:
    """Refuse code and inputs that are not those of the keys: they were edited during the run.

    Args:
        read: `Path.read_bytes` reads the disk again, as a process started by a step does.
    """
    changed = [
        name
        for known in code
        for name, file in known.files.items()
        if not _is_same(known, name, file, read)
    ]
    changed += changed_in(trees)
    if changed:
        raise _changed(changed)


def further_code(code: Code, root: Path) -> FurtherFiles:
    """The first-party modules that this process has imported and the key does not contain.

    The analysis of imports cannot see them: a name that was computed, or a library's plugin.

    Raises ConfigurationError if a module of the key was imported from another file.
    """
    further: FurtherFiles = {}
    for name, module in list(sys.modules.items()):
        file = file_of(module)
        known = code.files.get(name)
        if file is None or not (known or is_first_party(name, file)) or not os.path.isfile(file):
            continue
        if known is None:
            digest = digest_of(name, Path(file), read)
            further[name] = place_of(Path(file), root), digest
        elif not os.path.samefile(known, file):
            raise _changed([name])
    return further


def _is_same(code: Code, name: str, file: Path, read: Callable[[Path], bytes]) -> bool:
    """Whether a module is that of a key. It is parsed only where its bytes are other ones."""
    try:
        if name in code.contents and content_of(read(file)) == code.contents[name]:
            return True
        return digest_of(name, file, read) == code.modules[name]
    except OSError:  # it is gone
        return False


def _changed(names: list[str]) -> ConfigurationError:
    return ConfigurationError(
        f"{', '.join(dict.fromkeys(names))} changed while the pipeline ran, so the values of this "
        f"segment would belong to neither version. Run again."
    )


def _wiring(segment: Segment) -> Any:
    """All that decides how a segment's steps are called and stored, so no line numbers.

    They may run in another order than they are written in, which decides nothing.
    """
    return segment.name, [
        (
            step.name,
            step.module,
            step.codec,
            step.shape,
            step.each,
            step.streams,
            [
                (p.name, p.type_name, p.batch or p.codec, p.columns, p.of_items, p.rows)
                for p in step.parameters
            ],
        )
        for step in segment.as_written
    ]
