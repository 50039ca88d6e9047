"""How a step is called: what it is given, and what becomes of the value that it returns."""

from __future__ import annotations

import random
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..base.errors import InexactValue
from ..codecs import codec_named, select
from ..graph.steps import Parameter, Step
from .forks import children_end_here


def columns_read(steps: tuple[Step, ...]) -> dict[str, tuple[str, ...] | None]:
    """For each value, the columns that the steps read between them; None for all."""
    found: dict[str, tuple[str, ...] | None] = {}
    for parameter in (p for step in steps for p in step.parameters):
        former = found.get(parameter.name, ())
        if former is None or parameter.columns is None:
            found[parameter.name] = None
        else:
            found[parameter.name] = tuple(dict.fromkeys((*former, *parameter.columns)))
    return found


def seed(key: str, step: str) -> None:
    """Make what is random the same in every run of a step."""
    number = zlib.crc32(f"{key} {step}".encode())
    random.seed(number)
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed(number)


def call(function: Callable[..., Any], names: list[str], take: Callable[[str], Any]) -> Any:
    """Call a step so that only the step itself holds its arguments.

    A call through `*args` or `**kwargs` keeps every argument alive until it returns, even one that
    the step has rebound; a plain positional call hands the references over.
    """
    arguments = ", ".join(f"take({name!r})" for name in names)
    with children_end_here():
        return eval(f"lambda function, take: function({arguments})")(function, take)


def freeze(step: Step, result: Any, workdir: Path) -> Any:
    """The in-memory form of what a step returned.

    Raises InexactValue, for a value that would not come back exactly, and for a path outside of
    the step's own `workdir`.
    """
    assert step.codec is not None, "a sink has no value"
    codec = codec_named(step.codec)
    try:
        with children_end_here():
            frozen = codec.freeze(result)
    except InexactValue as error:
        raise InexactValue(f"`{step.name}`: {error.message}", step=step.name) from None
    if codec.family == "path" and not Path(frozen).resolve().is_relative_to(workdir.resolve()):
        raise InexactValue(
            f"`{step.name}` returned {frozen}, which does not lie in its workdir. Take a parameter "
            f"`workdir: Path` and make the file there.",
            step=step.name,
        )
    return frozen


def thaw(parameter: Parameter, frozen: Any) -> Any:
    """What a step receives for a parameter."""
    assert parameter.codec is not None, "the pipeline refused a value without a codec"
    codec = codec_named(parameter.codec)
    if parameter.columns is not None:
        frozen = select(frozen, parameter.columns)
    with children_end_here():
        return codec.thaw(frozen)
