"""The kinds of values that annotations declare, as far as the rules distinguish them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Literal

from .source import Module

Kind = Literal["frame", "array", "container", "path", "text", "plain", "none", "unknown"]

_FRAMES = {
    *("pandas.DataFrame", "pandas.Series", "geopandas.GeoDataFrame", "pyspark.sql.DataFrame"),
    *("polars.DataFrame", "polars.LazyFrame", "polars.Series", "duckdb.DuckDBPyRelation"),
    *("pyarrow.Table", "pyarrow.RecordBatch", "pyarrow.ChunkedArray", "pyarrow.Array"),
}
ITERATORS = {
    *("typing.Iterator", "typing.Iterable"),
    *("collections.abc.Iterator", "collections.abc.Iterable"),
}
_GENERATORS = {"typing.Generator", "collections.abc.Generator"}
_ARRAYS = {"numpy.ndarray", "numpy.typing.NDArray"}
_CONTAINERS = {
    *("list", "dict", "set", "bytearray", "typing.List", "typing.Dict", "typing.Set"),
    *("typing.MutableMapping", "typing.DefaultDict", "collections.abc.MutableMapping"),
    *("collections.abc.MutableSequence", "collections.abc.MutableSet", "collections.deque"),
    *("collections.defaultdict", "collections.Counter", "collections.OrderedDict"),
}
_PLAIN = {
    *("int", "float", "bool", "bytes", "complex", "decimal.Decimal", "datetime.date"),
    *("datetime.datetime", "datetime.timedelta", "datetime.time", "pandas.Timestamp"),
    *("pandas.Timedelta", "typing.Literal"),
}
_PATHS = {"pathlib.Path", "pathlib.PurePath", "os.PathLike"}


@dataclass(frozen=True)
class Parameter:
    """One parameter as it is annotated; `columns` are those of `Annotated[..., Columns(...)]`."""

    name: str
    line: int
    annotation: ast.expr | None
    kind: Kind
    is_place: bool
    columns: tuple[str, ...] | None


def annotation_kind(annotation: ast.expr | None, module: Module) -> Kind:
    """The kind of value that an annotation declares, as far as the rules distinguish kinds."""
    match annotation:
        case ast.Constant(value=None):
            return "none"
        case ast.Constant(value=str() as text):
            return annotation_kind(_expression(text), module)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            kinds = {annotation_kind(left, module), annotation_kind(right, module)} - {"none"}
            return kinds.pop() if len(kinds) == 1 else "unknown"
        case ast.Subscript(value=base, slice=inner):
            name = module.dotted(base)
            if name in ("typing.Annotated", "typing.Optional"):
                first = inner.elts[0] if isinstance(inner, ast.Tuple) and inner.elts else inner
                return annotation_kind(first, module)
            return annotation_kind(base, module)
        case ast.Name() | ast.Attribute():
            return _named_kind(annotation, module)
    return "unknown"


def is_of_batches(name: str | None, of: ast.expr, module: Module) -> bool:
    """Whether `name[of]` means one table in batches: an iterator, or a generator, of tables.

    `of` is what stands in the brackets; a generator has three types there, and yields the first.
    """
    if name in _GENERATORS and isinstance(of, ast.Tuple) and of.elts:
        of = of.elts[0]
    elif name not in ITERATORS:
        return False
    return annotation_kind(of, module) == "frame"


def mentions_path(annotation: ast.expr | None, module: Module) -> bool:
    """Whether an annotation contains a path type: `Path`, `list[Path]`, `Path | None`."""
    annotation = expression_of(annotation)
    return annotation is not None and any(
        module.dotted(node) in _PATHS
        for node in ast.walk(annotation)
        if isinstance(node, ast.Name | ast.Attribute)
    )


def _named_kind(annotation: ast.expr, module: Module) -> Kind:
    name = module.dotted(annotation)
    table: tuple[tuple[Kind, set[str]], ...] = (
        ("frame", _FRAMES),
        ("array", _ARRAYS),
        ("container", _CONTAINERS),
        ("path", _PATHS),
        ("text", {"str"}),
        ("plain", _PLAIN),
    )
    for kind, names in table:
        if name in names:
            return kind
    own = (name or "").removeprefix(f"{module.name}.")
    definition = module.definitions.get(own)
    if isinstance(definition, ast.ClassDef):
        bases = {module.dotted(base) for base in definition.bases}
        return "container" if bases & {"typing.TypedDict", "dict", "list"} else "unknown"
    values = module.variables.get(own, ())
    if len(values) == 1 and not isinstance(values[0], ast.Name):  # an alias of a type
        return annotation_kind(values[0], module)
    return "unknown"


def parameter_of(argument: ast.arg, module: Module) -> Parameter:
    """A parameter of a function in `module`."""
    annotation = expression_of(argument.annotation)
    kind = annotation_kind(annotation, module)
    place = mentions_path(annotation, module) or kind == "unknown"
    columns = _columns(annotation, module)
    return Parameter(argument.arg, argument.lineno, annotation, kind, place, columns)


def _columns(annotation: ast.expr | None, module: Module) -> tuple[str, ...] | None:
    for node in ast.walk(annotation) if annotation else ():
        if isinstance(node, ast.Call) and (module.dotted(node.func) or "").endswith(".Columns"):
            names = (name.value for name in node.args if isinstance(name, ast.Constant))
            return tuple(map(str, names))
    return None


def expression_of(annotation: ast.expr | None) -> ast.expr | None:
    """An annotation as an expression, also of one that is written as text."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return _expression(annotation.value)
    return annotation


def _expression(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
