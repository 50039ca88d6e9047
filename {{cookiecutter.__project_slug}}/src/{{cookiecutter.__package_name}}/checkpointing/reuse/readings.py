"""What the sources of modules say: each is parsed, examined and compiled once, for others as well.

That takes no library. So the parent of a run does it while the fork server imports them, and a
worker takes over what was made of the same bytes.
"""

from __future__ import annotations

import gc
import marshal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.machinery import SourceFileLoader
from pathlib import Path

from ..graph.modules import Module
from ..graph.sources import content_of, have_compiled, read
from ..memory import meter
from .definitions import TOO_DEEP, Definitions, definitions_of
from .syntax import Parsed, Source


@dataclass(frozen=True)
class Reading:
    """What the source of a module says: its digest and imports, and what it defines."""

    parsed: Parsed
    definitions: Definitions


@dataclass
class Readings:
    """What a process has read, and handed on to another one.

    Attributes:
        said: by the file, the name and the package of a module, and the checksum of its bytes.
        compiled: what bytes of this checksum were compiled to, by file.
    """

    said: dict[tuple[Path, str, str, str], Reading] = field(default_factory=dict)
    compiled: dict[Path, tuple[str, bytes]] = field(default_factory=dict)


_here = Readings()


def reading_of(module: Module, file: Path) -> Reading:
    """What the source of a module says. Raises OSError; ConfigurationError if it is not Python."""
    content = read(file)
    key = file, module.name, module.package, content_of(content)
    reading = _here.said.get(key)
    if reading is None:
        source = Source(file, module.name, module.package, content)
        reading = _here.said[key] = Reading(source.parsed, definitions_of(source))
    return reading


@contextmanager
def handed_on() -> Iterator[Readings]:
    """Collect what this process reads in this context, for another one; little of it stays here.

    Whatever fails is left to the other process, which finds it and says it itself, and so is what
    depends on the process: code that Python warns of, and expressions that are nested too deep.
    """
    global _here
    former, collects = _here, gc.isenabled()
    try:
        _here = readings = Readings()
        gc.disable()  # nothing of a syntax tree is garbage
        with warnings.catch_warnings(record=True):
            with suppress(Exception):
                yield readings
            for key, reading in list(readings.said.items()):
                if any(statement.uses == TOO_DEEP for statement in reading.definitions.statements):
                    del readings.said[key]
            for file, name, _, content in readings.said:
                with suppress(Exception):
                    if (code := _compiled(file, name, content)) is not None:
                        readings.compiled[file] = content, code
    finally:
        _here = former
        if collects:
            gc.enable()
    meter.trim()


def take_over(readings: Readings) -> None:
    """Use what another process has made of the bytes that this one reads."""
    _here.said.update(readings.said)
    have_compiled(readings.compiled)


def _compiled(file: Path, name: str, content: str) -> bytes | None:
    """What the import of a file would compile; None if it was edited, or Python warns of it."""
    source = read(file)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        code = SourceFileLoader(name, str(file)).source_to_code(source, str(file))
    return None if warned or content_of(source) != content else marshal.dumps(code)
