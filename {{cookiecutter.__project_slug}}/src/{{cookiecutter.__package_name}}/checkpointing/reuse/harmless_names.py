"""What builtins and libraries do that modules use where they are imported, as far as it is known.

Nothing is harmless unless it stands here.
"""

from __future__ import annotations

import builtins
from enum import Enum
from typing import NamedTuple


class Must(Enum):
    """What a name has to stand for, so that a statement with it is harmless."""

    BE_DATA = "data"
    """A constant, a class or something of a library: operators on it change nothing."""

    BE_OWNED = "owned"
    """A name of a module, a class or data: loading an attribute of it changes nothing."""

    ONLY_MAKE = "make"
    """A callable that only makes its result."""

    ONLY_WRAP = "wrap"
    """A decorator that only wraps or marks its function."""

    ONLY_WRAP_WHEN_CALLED = "wrap when called"
    """A function that returns such a decorator."""

    BE_A_BASE = "base"
    """A class that does nothing when it is inherited from."""

    BE_NO_ENUM = "no enum"
    """A class whose making makes no object of it."""

    BE_INDEXED = "indexed"
    """Data, or a class whose `Class[…]` only makes an annotation."""


class Condition(NamedTuple):
    """A dotted name of the module, and what it has to be."""

    must: Must
    names: tuple[str, ...]


ITERATORS = frozenset({"zip", "map", "filter", "enumerate", "reversed", "iter"})
MAKING = frozenset({"abs", "all", "any", "bool", "bytes", "chr", "complex", "dict", "divmod"})
MAKING |= {"float", "format", "frozenset", "hash", "hex", "int", "isinstance", "issubclass", "len"}
MAKING |= {"list", "max", "min", "oct", "ord", "pow", "range", "repr", "round", "set", "slice"}
MAKING |= {"sorted", "str", "sum", "tuple", "type", "object"}
_CLASS_METHODS = frozenset({"maketrans", "fromkeys", "fromhex", "from_bytes"})

_MAKING_OF = {
    "re": {"compile", "escape"},
    "collections": {"namedtuple", "OrderedDict", "Counter", "deque", "ChainMap"},
    "types": {"MappingProxyType", "SimpleNamespace"},
    "enum": {"auto"},
    "dataclasses": {"field"},
    "logging": {"getLogger"},
    "os": {"getenv", "path", "fspath", "cpu_count"},
    "json": {"loads"},
    "tomllib": {"loads"},
    "uuid": {"UUID"},
    "string": {"Template"},
    "textwrap": {"dedent"},
    "zoneinfo": {"ZoneInfo"},
    "decimal": {"Decimal"},
    "fractions": {"Fraction"},
    "pydantic": {"Field", "ConfigDict"},
    "numpy": {"array", "arange", "linspace", "zeros", "ones", "full", "dtype", "eye", "deg2rad"},
    "pandas": {"Timestamp", "Timedelta", "DataFrame", "Series", "Index", "CategoricalDtype"},
}
_MAKING_OF["numpy"] |= {"int8", "int16", "int32", "int64", "float32", "float64", "datetime64"}
_MAKING_OF["numpy"] |= {"timedelta64", "uint8", "bool_", "sqrt", "log", "exp", "radians", "sin"}
_MAKING_OF["pandas"] |= {"to_datetime", "to_timedelta", "date_range", "DateOffset", "offsets"}
_MAKING_OF["pandas"] |= {"Categorical", "Interval", "IntervalIndex", "MultiIndex", "Period"}
_MAKING_OF["pandas"] |= {"StringDtype", "Int64Dtype", "DatetimeTZDtype", "timedelta_range"}
_MAKING_OF["pyarrow"] = {"schema", "field", "list_", "struct", "dictionary", "timestamp", "string"}
_MAKING_OF["pyarrow"] |= {"int8", "int16", "int32", "int64", "float32", "float64", "bool_"}
_MAKING_OF["pyarrow"] |= {"date32", "decimal128", "large_string", "binary"}
_MAKING_MODULES = frozenset({"pathlib", "datetime", "typing", "typing_extensions", "math"})
_MARKS = frozenset({"step", "Columns"})  # of the runtime

METHODS = frozenset({"split", "rsplit", "splitlines", "strip", "lstrip", "rstrip", "lower"})
METHODS |= {"upper", "title", "casefold", "replace", "format", "join", "encode", "decode"}
METHODS |= {"startswith", "endswith", "removeprefix", "removesuffix", "zfill", "keys", "values"}
METHODS |= {"items", "get", "copy", "union", "intersection", "difference", "issubset", "index"}
METHODS |= {"count", "resolve", "absolute", "with_name", "with_suffix", "joinpath", "read_text"}
METHODS |= {"relative_to", "read_bytes", "is_file", "exists", "expanduser", "as_posix", "date"}
METHODS |= {"isoformat", "strftime", "total_seconds", "timestamp", "tz_localize", "tz_convert"}
METHODS |= {"normalize", "tolist", "astype", "reshape", "set_index", "translate", "parse"}

_WRAPPING = frozenset({"staticmethod", "classmethod", "property"})
_WRAPPING_OF = {
    "functools": {"cache", "lru_cache", "wraps", "cached_property", "total_ordering"},
    "contextlib": {"contextmanager", "asynccontextmanager"},
    "dataclasses": {"dataclass"},
    "typing": {"overload", "final", "override", "runtime_checkable", "no_type_check"},
    "abc": {"abstractmethod"},
    "enum": {"unique", "verify"},
    "pydantic": {"field_validator", "model_validator", "computed_field", "field_serializer"},
    "numba": {"njit", "jit", "vectorize", "guvectorize"},
}
_WRAPPING_OF["functools"] |= {"singledispatch", "cached_property"}
_WRAPPING_OF["typing_extensions"] = _WRAPPING_OF["typing"]
_BASES_OF = {
    "typing": {"NamedTuple", "TypedDict", "Protocol", "Generic"},
    "typing_extensions": {"NamedTuple", "TypedDict", "Protocol", "Generic"},
    "enum": {"Enum", "IntEnum", "StrEnum", "Flag", "IntFlag"},
    "abc": {"ABC"},
    "pydantic": {"BaseModel"},
    "collections": {"OrderedDict", "UserDict", "UserList", "UserString", "Counter", "defaultdict"},
    "threading": {"Thread"},
}


HOOKS = frozenset({"__init_subclass__", "__class_getitem__", "__set_name__", "__prepare__"})
HOOKS |= {"__pydantic_init_subclass__", "__attrs_init_subclass__"}
"""What runs where another class is made, or is the base of one."""


def is_built_in(names: tuple[str, ...], must: Must) -> bool:
    """Whether a name that no module binds is what it has to be: a builtin."""
    first, *rest = names
    if must is Must.ONLY_MAKE:
        return first in MAKING and (not rest or rest[-1] in _CLASS_METHODS | METHODS)
    if must is Must.ONLY_WRAP:
        return first in _WRAPPING and not rest
    if must is Must.ONLY_WRAP_WHEN_CALLED:
        return False
    return hasattr(builtins, first) or first.startswith("__")


def is_of_library(module: str, names: tuple[str, ...], must: Must) -> bool:
    """Whether something of a library is what it has to be."""
    if must in (Must.BE_DATA, Must.BE_OWNED, Must.BE_INDEXED):
        return True
    if must is Must.BE_NO_ENUM:
        return module.partition(".")[0] != "enum"
    dotted = (*module.split("."), *names)
    top, first = dotted[0], dotted[1] if len(dotted) > 1 else ""
    if must is Must.ONLY_MAKE:
        is_asked = dotted == ("os", "environ", "get")
        return top in _MAKING_MODULES or first in _MAKING_OF.get(top, ()) or is_asked
    table = _BASES_OF if must is Must.BE_A_BASE else _WRAPPING_OF
    return first in table.get(top, ())


def is_mark(names: tuple[str, ...], must: Must) -> bool:
    """Whether something of the runtime only marks a step."""
    return must is not Must.BE_A_BASE and names[-1:] != () and names[-1] in _MARKS
