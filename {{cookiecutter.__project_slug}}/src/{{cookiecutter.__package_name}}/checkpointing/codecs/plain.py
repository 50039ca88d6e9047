"""JSON values: scalars, containers and objects with fields, stored exactly.

JSON cannot express NaN, dates, tuples or NumPy scalars, so these are written as an object with a
single key that starts with `$`, such as `{"$date": "2013-01-31"}`. A user's dict that looks like
such an object is wrapped: `{"$dict": {...}}`. `scalars` and `records` have a tag for each type.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from ..base.errors import InexactValue
from ..base.remedies import GENERAL
from .annotations import remedy_of
from .records import Schemas, members, read_record, record_tag, require_schemas, schema_name
from .scalars import READERS, number_to_plain, scalar_to_plain, text_to_plain

# A value that is read deep in a call stack must not fail there: each level takes three frames of
# the 1,000 that Python allows. What takes more frames or more levels of JSON counts as two levels.
_MOST_LEVELS = 250
# int() and json refuse to read decimal integers of more than 4300 digits.
_MOST_BITS_IN_DECIMAL = 14_000


def freeze(value: Any) -> bytes:
    """The value as UTF-8 JSON; raises InexactValue with the path of a part that is not kept.

    The fields of the classes of its objects come with it, once for each class.
    """
    schemas: Schemas = {}
    plain = to_plain(value, schemas=schemas)
    if schemas:
        plain = {"$with": [schemas, plain]}
    return json.dumps(plain, ensure_ascii=False, allow_nan=False).encode()


def thaw(frozen: bytes) -> Any:
    """A fresh copy of the value; imports the modules of the classes of its objects.

    Raises InexactValue if such a class has other fields now.
    """
    return from_plain(json.loads(frozen))


def write(frozen: bytes, file: BinaryIO) -> None:
    """Write the bytes unchanged."""
    file.write(frozen)


def read(path: Path, columns: tuple[str, ...] | None) -> bytes:
    """Read the bytes of a file."""
    if columns is not None:
        raise InexactValue("only tables have columns to choose from; drop Columns(...)")
    return path.read_bytes()


def to_plain(
    value: Any, path: str = "result", level: int = 0, schemas: Schemas | None = None
) -> Any:
    """The value in JSON's own types, with tagged objects for all other types.

    `path` is the name of the value in messages, `level` its depth within another value. `schemas`
    receives the fields of each class; None: objects of such classes are refused. Raises
    InexactValue.
    """
    kind = type(value)
    if level > _MOST_LEVELS:
        raise InexactValue(
            f"the result holds itself, or is nested more than {_MOST_LEVELS} levels deep, which "
            "JSON does not keep; return a flatter value"
        )
    if value is None or kind is bool:
        return value
    if kind is int:
        return value if value.bit_length() < _MOST_BITS_IN_DECIMAL else {"$int": hex(value)}
    if kind is float:
        return number_to_plain(value)
    if kind is str:
        return text_to_plain(value, path)
    if kind is list:
        return [to_plain(item, f"{path}[{i}]", level + 1, schemas) for i, item in enumerate(value)]
    if kind is dict:
        return _dict(value, path, level, schemas)
    if kind is tuple:
        items = enumerate(value)
        return {"$tuple": [to_plain(v, f"{path}[{i}]", level + 1, schemas) for i, v in items]}
    if kind in (set, frozenset):
        plains = [to_plain(item, f"{path}{{{item!r}}}", level + 1, schemas) for item in value]
        return {f"${kind.__name__}": sorted(plains, key=json.dumps)}
    if (plain := scalar_to_plain(value, path)) is not None:
        return plain
    if schemas is not None and (tag := record_tag(kind)) is not None:
        name = schema_name(kind, path, schemas)
        parts = members(value, tag, path)
        fields = {key: to_plain(v, f"{path}.{key}", level + 2, schemas) for key, v in parts.items()}
        return {tag: [name, fields]}
    raise _refusal(value, path)


def from_plain(plain: Any) -> Any:
    """The value that `to_plain` wrote."""
    if isinstance(plain, list):
        return [from_plain(item) for item in plain]
    if not isinstance(plain, dict):
        return plain
    if not _looks_tagged(plain):
        return {key: from_plain(item) for key, item in plain.items()}
    [(tag, content)] = plain.items()
    return _READERS[tag](content)


def _looks_tagged(plain: dict[str, Any]) -> bool:
    return len(plain) == 1 and next(iter(plain)).startswith("$")


def _dict(value: dict[Any, Any], path: str, level: int, schemas: Schemas | None) -> Any:
    """A dict: an object if all keys are str, else a list of pairs."""
    if all(type(key) is str for key in value):
        plain = {
            text_to_plain(key, path): to_plain(item, f"{path}[{key!r}]", level + 1, schemas)
            for key, item in value.items()
        }
        return {"$dict": plain} if _looks_tagged(plain) else plain
    place = f"a key of {path}"
    return {
        "$items": [
            [
                to_plain(key, place, level + 2, schemas),
                to_plain(item, f"{path}[{key!r}]", level + 2, schemas),
            ]
            for key, item in value.items()
        ]
    }


def _refusal(value: Any, path: str) -> InexactValue:
    kind = type(value)
    own = [base for base in kind.__mro__[1:] if base in (dict, list, tuple, set, str, int, float)]
    remedy = remedy_of(kind) or (f"use {own[0].__name__}(value)" if own else GENERAL)
    if kind.__module__ == "numpy":
        remedy = "return arrays from a step annotated numpy.ndarray, or use value.tolist()"
    elif kind.__module__.partition(".")[0] in ("pandas", "pyarrow") and hasattr(value, "shape"):
        remedy = "return tables and indexes from steps of their own"
    name = (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )
    return InexactValue(f"{path} is a {name}, which JSON would not give back as such; {remedy}")


def _pairs(content: Iterable[Any]) -> dict[Any, Any]:
    return {from_plain(key): from_plain(item) for key, item in content}


def _record(tag: str, content: list[Any]) -> Any:
    name, fields = content
    return read_record(tag, name, {key: from_plain(item) for key, item in fields.items()})


def _with_schemas(content: list[Any]) -> Any:
    schemas, plain = content
    require_schemas(schemas)
    return from_plain(plain)


_READERS: dict[str, Any] = {
    **READERS,
    "$dict": lambda items: {key: from_plain(item) for key, item in items.items()},
    "$items": _pairs,
    "$tuple": lambda items: tuple(from_plain(item) for item in items),
    "$set": lambda items: {from_plain(item) for item in items},
    "$frozenset": lambda items: frozenset(from_plain(item) for item in items),
    "$dataclass": lambda content: _record("$dataclass", content),
    "$namedtuple": lambda content: _record("$namedtuple", content),
    "$model": lambda content: _record("$model", content),
    "$enum": lambda content: _record("$enum", content),
    "$with": _with_schemas,
}
