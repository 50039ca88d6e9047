"""What the annotations of steps say: whether JSON keeps such values, and what to write if not."""

from __future__ import annotations

import builtins
import sys
import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NewType, NotRequired, Required, Union

from ..base.remedies import GENERAL, Refused, refused
from .records import annotations_of, record_tag
from .scalars import TYPES

_PLAIN = {bool, int, float, str, type(None), dict, list, tuple, set, frozenset, *TYPES}
_CONTAINERS = (list, dict, tuple, set, frozenset)
_WRAPPERS = (Annotated, Required, NotRequired)
_OF_PANDAS = ("Timestamp", "Timedelta", "NaTType", "NAType")
# Types that say they are of `builtins`, where nobody finds them: functions, say.
_OF_TYPES = {
    kind: f"types.{name}"
    for name, kind in reversed(vars(types).items())  # of two names the first
    if isinstance(kind, type) and kind.__module__ == "builtins" and not hasattr(builtins, name)
}
_NUMBERS = ("bool", "int", "float", "complex", "numpy.number")


def is_json(annotation: Any, within: tuple[Any, ...] = ()) -> bool:
    """Whether JSON may keep values of an annotation; `Any` within a container counts as yes.

    `within` are the classes whose fields are being looked at.
    """
    annotation = _bare(annotation)
    if annotation is None or annotation in _PLAIN or annotation in within:
        return True
    origin = typing.get_origin(annotation)
    if origin is Literal:
        return True
    if origin in (Union, types.UnionType, *_CONTAINERS):
        return all(_is_part(argument, within) for argument in typing.get_args(annotation))
    if typing.is_typeddict(annotation):
        hints = _typed_dict(annotation)
        return all(_is_part(hint, (*within, annotation)) for hint in hints)
    cls = origin or annotation
    if not isinstance(cls, type):
        return False
    if record_tag(cls) is not None:
        hints = [*annotations_of(cls), *typing.get_args(annotation)]
        return all(_is_part(hint, (*within, annotation, cls)) for hint in hints)
    if origin is not None:
        return False
    if annotation.__module__ in ("pandas", "pandas.api.typing"):
        return annotation.__name__ in _OF_PANDAS
    return _is_numpy_scalar(annotation)


def remedy_of(annotation: Any) -> str | None:
    """What to write in place of a type that no checkpoint keeps; None if the table lacks it."""
    entry = refused(_names(annotation))
    return None if entry is None else entry.remedy


def why_refused(annotation: Any) -> str:
    """Why values of an annotation cannot be stored, and what to write: for messages."""
    shown = _shown(annotation)
    for component in _components(annotation, ()):
        entry: Refused | None = refused(_names(component))
        if entry is not None:
            part = "" if component is annotation else f"its part `{_shown(component)}` is "
            remedy = f"{entry.remedy[:1].upper()}{entry.remedy[1:]}"
            return f"values of type `{shown}` cannot be stored: {part}{entry.what}. {remedy}."
    return f"values of type `{shown}` cannot be stored. {GENERAL[:1].upper()}{GENERAL[1:]}."


def outer_types(annotation: Any) -> tuple[tuple[str, ...], ...]:
    """The outermost types of a JSON value, each with the names of its bases; empty if unknown.

    All numbers are one type, and None is left out.
    """
    annotation = _bare(annotation)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (Union, types.UnionType):
        members = [argument for argument in arguments if argument is not type(None)]
        parts = [outer_types(member) for member in members]
        return () if () in parts else tuple(name for part in parts for name in part)
    if origin is Literal:
        return tuple({_bases(type(argument)): None for argument in arguments})
    if typing.is_typeddict(annotation):
        return (("dict",),)
    kind = origin or annotation
    if kind is Any:
        return ()
    return (_bases(kind),) if isinstance(kind, type) and kind is not type(None) else ()


def fit(made: tuple[tuple[str, ...], ...], taken: tuple[tuple[str, ...], ...]) -> bool:
    """Whether a value of one of the types may be of one of the others; see `outer_types`."""
    pairs = [(left, right) for left in made for right in taken]
    return not pairs or any(left[0] in right or right[0] in left for left, right in pairs)


def _is_part(annotation: Any, within: tuple[Any, ...]) -> bool:
    is_open = annotation in (Any, Ellipsis) or isinstance(annotation, typing.TypeVar)
    return is_open or is_json(annotation, within)


def _is_numpy_scalar(kind: type) -> bool:
    numpy = sys.modules.get("numpy")
    if numpy is None or not issubclass(kind, numpy.generic):
        return False
    try:
        dtype = numpy.dtype(kind)
    except TypeError:
        return False
    is_kept = dtype.kind in "biumMU" or (dtype.kind == "f" and dtype.itemsize <= 8)
    return bool(is_kept and dtype.type is kind and numpy.dtype(dtype.name).type is kind)


def _bare(annotation: Any) -> Any:
    """An annotation without what is wrapped around it, such as `Annotated` or a NewType."""
    while True:
        if isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif typing.get_origin(annotation) in _WRAPPERS:
            annotation = typing.get_args(annotation)[0]
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        else:
            return annotation


def _typed_dict(kind: Any) -> list[Any]:
    try:
        return list(typing.get_type_hints(kind).values())
    except (NameError, AttributeError, TypeError, SyntaxError):
        return []


def _components(annotation: Any, within: tuple[Any, ...]) -> Iterator[Any]:
    """The innermost types that JSON does not keep, then the types around them."""
    annotation = _bare(annotation)
    if annotation in within or is_json(annotation):
        return
    origin = typing.get_origin(annotation)
    cls, inner = origin or annotation, list[Any]()
    if origin in (Union, types.UnionType, *_CONTAINERS):
        inner = list(typing.get_args(annotation))
    elif typing.is_typeddict(annotation):
        inner = _typed_dict(annotation)
    elif isinstance(cls, type) and record_tag(cls) is not None:
        inner = [*annotations_of(cls), *typing.get_args(annotation)]
    for part in inner:
        if not _is_part(part, within):
            yield from _components(part, (*within, annotation))
    yield annotation


def _names(annotation: Any) -> list[str]:
    """The names by which `remedies` may know a type: its own and those of its bases."""
    kind = typing.get_origin(annotation) or annotation
    if isinstance(kind, typing.TypeVar):
        return ["typing.TypeVar"]
    if not isinstance(kind, type):
        name = getattr(kind, "__qualname__", None) or getattr(kind, "_name", None)
        return [f"{getattr(kind, '__module__', '')}.{name}"]
    bases = [base for base in kind.__mro__ if base is not object or kind is object]
    names = [_OF_TYPES.get(base) or _name(base) for base in bases]
    return names[:1] + [name for name in names[1:] if not name.startswith("collections.abc.")]


def _bases(kind: type) -> tuple[str, ...]:
    names = [_name(base) for base in kind.__mro__ if base is not object]
    return tuple("a number" if name in _NUMBERS else name for name in names)


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")


def _shown(annotation: Any) -> str:
    if typing.get_origin(annotation) is None and isinstance(annotation, type):
        return _name(annotation)
    return repr(annotation).replace("typing.", "")
