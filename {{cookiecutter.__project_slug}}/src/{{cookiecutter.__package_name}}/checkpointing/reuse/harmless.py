"""Whether a statement of a module does nothing but bind its names when the module is imported.

Such a statement counts only for what uses its names. Any other may change whatever it reaches, so
it counts for all that import the module. Nothing is harmless unless it is known to be.
"""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from .nodes import children
from .scopes import Comprehension, bound_in, chain_of, targets_of


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

_METHODS = frozenset({"split", "rsplit", "splitlines", "strip", "lstrip", "rstrip", "lower"})
_METHODS |= {"upper", "title", "casefold", "replace", "format", "join", "encode", "decode"}
_METHODS |= {"startswith", "endswith", "removeprefix", "removesuffix", "zfill", "keys", "values"}
_METHODS |= {"items", "get", "copy", "union", "intersection", "difference", "issubset", "index"}
_METHODS |= {"count", "resolve", "absolute", "with_name", "with_suffix", "joinpath", "read_text"}
_METHODS |= {"relative_to", "read_bytes", "is_file", "exists", "expanduser", "as_posix", "date"}
_METHODS |= {"isoformat", "strftime", "total_seconds", "timestamp", "tz_localize", "tz_convert"}
_METHODS |= {"normalize", "tolist", "astype", "reshape", "set_index", "translate", "parse"}

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
_HOOKS = frozenset({"__init_subclass__", "__class_getitem__", "__set_name__", "__prepare__"})


def is_built_in(names: tuple[str, ...], must: Must) -> bool:
    """Whether a name that no module binds is what it has to be: a builtin."""
    first, *rest = names
    if must is Must.ONLY_MAKE:
        return first in MAKING and (not rest or rest[-1] in _CLASS_METHODS)
    if must is Must.ONLY_WRAP:
        return first in _WRAPPING and not rest
    if must is Must.ONLY_WRAP_WHEN_CALLED:
        return False
    return hasattr(builtins, first) or first.startswith("__")


def is_of_library(module: str, names: tuple[str, ...], must: Must) -> bool:
    """Whether something of a library is what it has to be."""
    if must in (Must.BE_DATA, Must.BE_OWNED):
        return True
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


def conditions(node: ast.stmt) -> frozenset[Condition] | None:
    """What makes a statement harmless; None if nothing does."""
    check = _Check()
    return frozenset(check.needed) if check.statement(node) else None


def conditions_of_data(node: ast.stmt) -> frozenset[Condition] | None:
    """What makes a constant's value data: operators on it, and its methods, change nothing."""
    if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
        return None
    check = _Check()
    return frozenset(check.needed) if check.data(node.value) else None


def wraps(node: ast.stmt) -> int:
    """How often a function has to be called until it may do something else than make functions.

    1 is a decorator that only wraps, 2 a function that makes one; 0 does more than that.
    """
    if not isinstance(node, ast.FunctionDef):
        return 0
    inner = {n.name: n for n in node.body if isinstance(n, ast.FunctionDef)}
    last = node.body[-1] if node.body else None
    if len(inner) != len(node.body) - 1 or not isinstance(last, ast.Return):
        return 0
    if not isinstance(last.value, ast.Name) or last.value.id not in inner:
        return 0
    for made in inner.values():
        calls = [d.func if isinstance(d, ast.Call) else None for d in made.decorator_list]
        if any(c is None or (chain_of(c) or ("",))[-1] != "wraps" for c in calls):
            return 0
        if made.args.defaults or any(made.args.kw_defaults):
            return 0
    return 1 + wraps(inner[last.value.id])


def is_plain_base(node: ast.stmt) -> bool:
    """Whether a class does nothing of its own when it is inherited from."""
    if not isinstance(node, ast.ClassDef) or node.keywords:
        return False
    return _HOOKS.isdisjoint(bound_in(node.body))


@dataclass
class _Check:
    """One statement; what it `needed` so far."""

    needed: set[Condition] = field(default_factory=set)
    own: set[str] = field(default_factory=set)
    """The names of a class that it is in, which hide those of the module."""

    items: set[str] = field(default_factory=set)
    """The names of comprehensions, each an item of data."""

    def statement(self, node: ast.stmt) -> bool:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return self._function(node)
            case ast.ClassDef():
                return self._class(node)
            case ast.Assign():
                return all(map(_is_name, node.targets)) and self._value(node.value)
            case ast.AnnAssign():
                is_set = node.value is None or self._value(node.value)
                return _is_name(node.target) and is_set and self._annotation(node.annotation)
            case ast.Expr():
                return isinstance(node.value, ast.Constant)
            case ast.ImportFrom():  # in a branch, `import *` binds names that nothing lists
                return node.names[0].name != "*"
            case ast.Pass() | ast.Import():
                return True
            case ast.If():
                inside = [*node.body, *node.orelse]
                return self.data(node.test) and all(map(self.statement, inside))
            case ast.Try():
                inside = [*node.body, *node.orelse, *node.finalbody]
                inside += [n for handler in node.handlers for n in handler.body]
                types = [h.type for h in node.handlers if h.type is not None]
                return all(map(self._value, types)) and all(map(self.statement, inside))
        return False

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
        annotations = [a.annotation for a in every if a.annotation] + [node.returns]
        defaults = [d for d in (*arguments.defaults, *arguments.kw_defaults) if d is not None]
        return (
            all(map(self._decorator, node.decorator_list))
            and all(map(self._value, defaults))
            and all(self._annotation(a) for a in annotations if a is not None)
        )

    def _class(self, node: ast.ClassDef) -> bool:
        bases = [b.value if isinstance(b, ast.Subscript) else b for b in node.bases]
        if node.keywords or not all(map(self._decorator, node.decorator_list)):
            return False
        for base in bases:
            chain = chain_of(base)
            if chain is None or not self._need(Must.BE_A_BASE, chain):
                return False
        if any(isinstance(n, ast.Import | ast.ImportFrom) for n in node.body):
            return False
        inside = _Check(self.needed, self.own | set(bound_in(node.body)), self.items)
        return all(map(inside.statement, node.body))

    def _decorator(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Call):
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            chain = chain_of(node.func)
            is_known = chain is not None and self._need(Must.ONLY_WRAP_WHEN_CALLED, chain)
            return is_known and all(map(self._value, given))
        chain = chain_of(node)
        if chain and chain[0] in self.own:  # @x.setter
            return chain[1:] in {("setter",), ("getter",), ("deleter",)}
        return chain is not None and self._need(Must.ONLY_WRAP, chain)

    def _annotation(self, node: ast.expr) -> bool:
        return self.data(node)

    def _need(self, must: Must, chain: tuple[str, ...]) -> bool:
        if chain[0] in self.items:
            is_method = must is Must.ONLY_MAKE and chain[-1] in _METHODS and len(chain) > 1
            return must in (Must.BE_DATA, Must.BE_OWNED) or is_method
        if chain[0] in self.own:
            return False
        self.needed.add(Condition(must, chain))
        return True

    def _value(self, node: ast.expr) -> bool:
        """Whether it is harmless to work out an expression."""
        match node:
            case ast.Constant() | ast.Name() | ast.Lambda():
                return True
            case ast.Tuple() | ast.List() | ast.Set():
                return all(map(self._value, node.elts))
            case ast.Dict():
                keys = [key for key in node.keys if key is not None]
                spread = [v for k, v in zip(node.keys, node.values, strict=True) if k is None]
                return all(map(self._value, node.values)) and all(map(self.data, keys + spread))
            case ast.Attribute():
                chain = chain_of(node)
                return self._need(Must.BE_OWNED, chain) if chain else self.data(node.value)
            case ast.Call():
                return self._call(node)
            case ast.ListComp() | ast.SetComp() | ast.DictComp():
                return self._comprehension(node)
            case ast.GeneratorExp() | ast.NamedExpr() | ast.Await() | ast.Yield() | ast.YieldFrom():
                return False
        return all(map(self.data, _expressions(node)))

    def data(self, node: ast.expr) -> bool:
        """Whether an expression is harmless, and operators on its value are too."""
        match node:
            case ast.Name():
                return self._need(Must.BE_DATA, (node.id,))
            case ast.Attribute() if chain := chain_of(node):
                return self._need(Must.BE_DATA, chain)
            case ast.Lambda():
                return False
            case ast.Tuple() | ast.List() | ast.Set():
                return all(map(self.data, node.elts))
            case ast.Dict():
                every = (*node.keys, *node.values)
                return all(self.data(n) for n in every if n is not None)
        return self._value(node)

    def _argument(self, node: ast.expr) -> bool:
        """What the call takes an iterator from is used up by the call alone."""
        if isinstance(node, ast.GeneratorExp):
            return self._comprehension(node)
        if isinstance(node, ast.Call) and chain_of(node.func) in {(name,) for name in ITERATORS}:
            return not node.keywords and all(map(self._argument, node.args))
        return self.data(node)

    def _call(self, node: ast.Call) -> bool:
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        if not all(map(self._argument, given)):
            return False
        chain = chain_of(node.func)
        if chain is not None:
            return self._need(Must.ONLY_MAKE, chain)
        is_method = isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS
        return is_method and self.data(node.func.value)  # type: ignore[attr-defined]  # checked

    def _comprehension(self, node: Comprehension) -> bool:
        generators = node.generators
        inside = _Check(self.needed, self.own, self.items | targets_of(node))
        results = [getattr(node, name) for name in ("key", "value", "elt") if hasattr(node, name)]
        parts = [part for g in generators for part in (g.iter, *g.ifs)]
        return all(map(inside._argument, [*parts, *results]))


def is_method_of_data(names: tuple[str, ...]) -> bool:
    """Whether `CONSTANT.method` changes nothing, if the constant is data."""
    return len(names) > 0 and names[-1] in _METHODS


def _is_name(node: ast.expr) -> bool:
    if isinstance(node, ast.Tuple | ast.List):
        return all(map(_is_name, node.elts))
    return isinstance(node, ast.Name) or (isinstance(node, ast.Starred) and _is_name(node.value))


def _expressions(node: ast.AST) -> list[ast.expr]:
    inner: list[ast.expr] = []
    for child in children(node):
        if isinstance(child, ast.expr):
            inner.append(child)
        else:
            inner += _expressions(child)
    return inner
