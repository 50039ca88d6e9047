"""The free names in the body of a step: names that are not its parameters."""

from __future__ import annotations

import builtins
import dis
import inspect
import sys
import types
from collections.abc import Container, Iterator
from typing import Any

from .marking import is_step
from .steps import Step


def undeclared_uses(candidate: Step, earlier: Container[str]) -> list[str]:
    """Names of earlier steps that the body uses although they are no parameters of the step.

    Such a name stands for the function, not for its value: a mistake whose effect would appear far
    from its cause.
    """
    function: Any = inspect.unwrap(candidate.function())
    declared = {parameter.source for parameter in candidate.parameters}
    used = {n for n in _global_names(function.__code__) if n in earlier and n not in declared}
    if not used:
        return []
    known = vars(builtins) | vars(sys.modules[function.__module__])
    return sorted(name for name in used if name not in known or is_step(known[name]))


def _global_names(code: types.CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _global_names(constant)
