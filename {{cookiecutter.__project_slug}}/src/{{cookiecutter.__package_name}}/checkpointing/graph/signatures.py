"""The signature of a step's function: which ones are refused, and what a Step keeps of them.

A Step is sent to the parent of a run, which has not imported the project's code, or, in a notebook,
has it as it was before the last edit. So a Step contains no class of the project's own.
"""

from __future__ import annotations

import inspect
import sys
import sysconfig
import types
import typing
from collections.abc import Callable, Iterator
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, NewType, NotRequired, Required

_LIBRARIES = tuple(
    Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
_WRAPPERS = (Required, NotRequired)
_LARGE = ("numpy", "pandas", "pyarrow", "polars", "duckdb", "_duckdb", "pyspark")


def problems_of_form(function: types.FunctionType) -> Iterator[str]:
    """Why a function cannot be a step, whatever its annotations are."""
    if function.__qualname__ != function.__name__:
        yield "a step must be defined at the top of its module, where other processes can find it."
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        yield "a step cannot be `async`. Run the event loop inside: `asyncio.run(...)`."
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
            yield f"`{stars}{parameter.name}`: name each value that the step needs as a parameter."
        elif parameter.default is not parameter.empty:
            yield (
                f"parameter `{parameter.name}` has a default. Put the value under [params] in "
                f"pipeline.toml and drop the default."
            )
        elif parameter.kind is parameter.KEYWORD_ONLY:
            yield f"parameter `{parameter.name}` is keyword-only. Drop the `*` before it."


def is_plain(annotation: Any) -> bool:
    """Whether a process can load an annotation without the project's own code, or a large library.

    Scalars of NumPy and pandas would make it import these, tables of an engine the engine.
    """
    if members := typing.get_args(annotation):
        return all(map(is_plain, members))
    if hasattr(annotation, "__required_keys__"):  # a TypedDict, of `typing` or typing_extensions
        ForkingPickler.register(type(annotation), _send_by_structure)
        return True
    if isinstance(annotation, NewType):
        return True  # sent by its structure, below
    home = annotation if isinstance(annotation, type) else type(annotation)
    if home.__module__.partition(".")[0] in _LARGE:
        return False
    file = getattr(sys.modules.get(home.__module__), "__file__", None)
    return file is None or any(Path(file).is_relative_to(folder) for folder in _LIBRARIES)


def annotation_of(function: Callable[..., Any], name: str) -> Any:
    """The class that a function's annotation names, of a parameter or of "return"."""
    annotation = typing.get_type_hints(inspect.unwrap(function), include_extras=True)[name]
    is_annotated = typing.get_origin(annotation) is typing.Annotated
    return typing.get_args(annotation)[0] if is_annotated else annotation


def without_none(annotation: Any) -> tuple[Any, bool]:
    """`X` and True for `X | None`; any other annotation as it is, and False."""
    members = typing.get_args(annotation)
    is_union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    if not is_union or type(None) not in members:
        return annotation, False
    rest = [member for member in members if member is not type(None)]
    return (rest[0] if len(rest) == 1 else typing.Union[tuple(rest)]), True  # noqa: UP007


def admits_none(annotation: Any) -> bool:
    """Whether None fits an annotation, such as `int | None`."""
    return without_none(annotation)[1]


def _send_by_structure(kind: Any) -> tuple[Any, ...]:
    """How a TypedDict is pickled: its fields, not the address of the class."""
    fields = {}
    for name, hint in typing.get_type_hints(kind, include_extras=True).items():
        bare = typing.get_args(hint)[0] if typing.get_origin(hint) in _WRAPPERS else hint
        wrapper = Required if name in kind.__required_keys__ else NotRequired
        fields[name] = wrapper[bare]
    return _typed_dict, (kind.__name__, fields)


def _typed_dict(name: str, fields: dict[str, Any]) -> Any:
    from typing_extensions import TypedDict  # pydantic takes no other before Python 3.12

    kind: Any = TypedDict(name, fields)  # type: ignore[misc]
    ForkingPickler.register(type(kind), _send_by_structure)  # it may be sent on
    return kind


ForkingPickler.register(NewType, lambda new: (_same, (new.__supertype__,)))


def _same(kind: Any) -> Any:
    return kind
