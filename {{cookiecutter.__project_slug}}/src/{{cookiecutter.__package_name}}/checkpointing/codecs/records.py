"""Objects of classes with fields: dataclasses, NamedTuples, pydantic models, members of an Enum.

An object is kept as the name of its class and the values of its fields. It is made again without a
call of the class: what its `__init__` computed is in the fields. The names and types of the fields
lie in the file too, so that an object is never made of a class that has others by now.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import importlib
import inspect
import re
import sys
import typing
from typing import Any

from ..base.errors import InexactValue

Schemas = dict[str, list[list[str]]]
"""For each class, as `module:Class`, the name and the type of each field."""

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_MODEL_STATE = ("$set", "$extra", "$private")


def record_tag(kind: type) -> str | None:
    """The tag of objects of a class; None if the class is none with fields."""
    if issubclass(kind, enum.Enum):
        return "$enum"
    if issubclass(kind, tuple):
        return "$namedtuple" if hasattr(kind, "_fields") else None
    if dataclasses.is_dataclass(kind):
        return "$dataclass"
    pydantic = sys.modules.get("pydantic")
    return "$model" if pydantic is not None and issubclass(kind, pydantic.BaseModel) else None


def annotations_of(kind: Any) -> list[Any]:
    """The annotations of the fields of a class; `Any` for those that cannot be read."""
    tag = record_tag(kind)
    if tag == "$enum":
        return []  # a member goes by its name
    if tag == "$model":
        return [field.annotation for field in kind.model_fields.values()]
    try:
        hints = typing.get_type_hints(kind)
    except (NameError, AttributeError, TypeError, SyntaxError):
        hints = {}
    return [hints.get(name, Any) for name in _names(kind)]


def schema_name(kind: type, path: str, schemas: Schemas) -> str:
    """The name of a class in a file, with its fields added to `schemas`.

    Raises InexactValue if other processes do not find the class by its name.
    """
    name = f"{kind.__module__}:{kind.__qualname__}"
    if name not in schemas:
        try:
            is_there = kind.__module__ != "__main__" and _class(name) is kind
        except (ImportError, AttributeError):
            is_there = False
        if not is_there:
            raise InexactValue(
                f"{path} is of the class {kind.__qualname__}, which other processes do not find "
                f"in {kind.__module__}; define it at the top of a module of the project"
            )
        schemas[name] = _schema(kind)
    return name


def require_schemas(schemas: Schemas) -> None:
    """Refuse classes that have other fields than in the file; raises InexactValue."""
    for name, fields in schemas.items():
        try:
            now = _schema(_class(name))
        except (ImportError, AttributeError) as error:
            raise InexactValue(
                f"the value holds objects of {name}, which cannot be imported any more ({error}); "
                "run the pipeline again"
            ) from None
        if now != fields:
            changed = sorted({f"{field}: {kind}" for field, kind in (*_only(now, fields),)})
            raise InexactValue(
                f"the value holds objects of {name}, which has other fields now "
                f"({', '.join(changed) or 'in another order'}); run the pipeline again"
            )


def members(value: Any, tag: str, path: str) -> dict[str, Any]:
    """What an object consists of, by name; raises InexactValue if that is more than its fields."""
    kind = type(value)
    if tag == "$enum":
        if isinstance(value, enum.Flag):
            return {"value": value.value}
        return {"name": value.name}
    if tag == "$model":
        return _members_of_model(value, path)
    state: Any = object.__getstate__(value)
    own = {key: v for part in (state if isinstance(state, tuple) else (state,)) if part
           for key, v in part.items()}  # fmt: skip
    if tag == "$namedtuple":
        _require_fields(kind, own, set(), path)
        return dict(zip(kind._fields, value, strict=True))
    _require_fields(kind, own, set(_names(kind)), path)
    try:
        object.__new__(kind)
    except TypeError:
        raise InexactValue(
            f"{path} is of the class {kind.__qualname__}, which is also a "
            f"{kind.__mro__[-2].__name__}; put that into a field of its own"
        ) from None
    return {name: own[name] for name in _names(kind) if name in own}


def read_record(tag: str, name: str, parts: dict[str, Any]) -> Any:
    """The object that `members` described."""
    kind = _class(name)
    if tag == "$enum":
        return kind(parts["value"]) if "value" in parts else kind[parts["name"]]
    if tag == "$namedtuple":
        return kind._make(parts.values())
    if tag == "$model":
        return _model(kind, parts)
    made = object.__new__(kind)
    for field, value in parts.items():
        object.__setattr__(made, field, value)
    return made


def _names(kind: Any) -> tuple[str, ...]:
    if issubclass(kind, tuple):
        return tuple(kind._fields)
    return tuple(field.name for field in dataclasses.fields(kind))


def _class(name: str) -> Any:
    module, _, path = name.partition(":")
    place: Any = sys.modules.get(module) or importlib.import_module(module)
    for part in path.split("."):
        place = getattr(place, part)
    return place


def _schema(kind: Any) -> list[list[str]]:
    tag = record_tag(kind)
    if tag == "$enum":
        return [[name, _text(member.value)] for name, member in kind.__members__.items()]
    if tag == "$model":
        return [[name, _text(field.annotation)] for name, field in kind.model_fields.items()]
    if tag == "$dataclass":
        return [[field.name, _text(field.type)] for field in dataclasses.fields(kind)]
    written = inspect.get_annotations(kind)
    return [[name, _text(written.get(name, ""))] for name in kind._fields]


def _text(annotation: Any) -> str:
    """An annotation, or the value of a member, as text that is the same in every process."""
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return _ADDRESS.sub("", text)


def _only(left: list[list[str]], right: list[list[str]]) -> list[list[str]]:
    return [field for field in (*left, *right) if field not in left or field not in right]


def _require_fields(kind: type, state: dict[str, Any], fields: set[str], path: str) -> None:
    """Refuse attributes that are neither fields nor what a cached_property has computed."""
    for name in state:
        computed = isinstance(inspect.getattr_static(kind, name, None), functools.cached_property)
        if name not in fields and not computed:
            raise InexactValue(
                f"{path} has the attribute `{name}`, which is no field of {kind.__qualname__}; "
                "declare it as one"
            )


def _members_of_model(value: Any, path: str) -> dict[str, Any]:
    kind = type(value)
    state = value.__getstate__()
    fields, extra = state["__dict__"], state.get("__pydantic_extra__")
    _require_fields(kind, fields, set(kind.model_fields), path)
    if extra and not extra.keys().isdisjoint(_MODEL_STATE):
        raise InexactValue(f"{path} has a field named as one of {', '.join(_MODEL_STATE)}")
    return {
        **{name: fields[name] for name in kind.model_fields if name in fields},
        **(extra or {}),
        "$set": sorted(state["__pydantic_fields_set__"]),
        "$extra": None if extra is None else list(extra),
        "$private": state.get("__pydantic_private__"),
    }


def _model(kind: Any, parts: dict[str, Any]) -> Any:
    written, extra, private = (parts.pop(name) for name in _MODEL_STATE)
    more = None if extra is None else {name: parts.pop(name) for name in extra}
    made = kind.__new__(kind)
    object.__setattr__(made, "__dict__", parts)
    object.__setattr__(made, "__pydantic_fields_set__", set(written))
    object.__setattr__(made, "__pydantic_extra__", more)
    object.__setattr__(made, "__pydantic_private__", private)
    return made
