"""The example step that a person fills in: it runs, and its test passes, as it is written.

It takes the last value before it, as the type that this has, if an example of that type can be
written down for the test; else the value before that.
"""

from __future__ import annotations

import ast
import builtins
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from .imports import Imported, bound_names
from .project import Module
from .source import Source

_PANDAS = Imported("pandas", None, "pd")
_NUMPY = Imported("numpy", None, "np")
_POLARS = Imported("polars", None, "pl")
_OF_BATCHES = {f"collections.abc.{name}" for name in ("Iterator", "Iterable", "Generator")}
_REMARK = "# An example: write your own body, docstring and test."
_LONGEST = 40  # characters of the name of a value that fits on a line

_PLAIN = {"int": "1", "float": "1.0", "str": '"text"', "bool": "True"}


@dataclass(frozen=True)
class Value:
    """An earlier value: its name, and its type as a file writes it, with what that imports."""

    name: str
    type: str
    """As its own module writes it."""

    kind: str
    """The dotted name of the type, or its first part: `pandas.DataFrame`, `dict`."""

    imports: tuple[Imported, ...]

    given: str
    """An expression for a small value of the type."""

    given_imports: tuple[Imported, ...]


@dataclass(frozen=True)
class Example:
    """A step and its test: the text of both, and what each of them imports."""

    step: Callable[[str, int], str]
    """The text, for the decorator as the module writes it, and the limit of a line."""

    imports: tuple[Imported, ...]
    test: Callable[[str, str, int], str]
    """The text, for the step as the test calls it, the parameter that gives it or nothing, and the
    limit of a line."""

    test_imports: tuple[Imported, ...]
    takes: str | None


def example_of(name: str, value: Value | None) -> Example:
    """The example step `name`, which takes an earlier value or makes a small table itself."""
    if value is None:
        returns, text, body = "pd.DataFrame", "A small table.", 'pd.DataFrame({"number": [1, 2]})'
        promise, check = "has_its_rows", 'assert made["number"].tolist() == [1, 2]'
        imports: tuple[Imported, ...] = (_PANDAS,)
    else:
        returns, text, body, promise, check = _of_value(value)
        imports = value.imports

    def step(mark: str, limit: int) -> str:
        parameters = [f"{value.name}: {value.type}"] if value else []
        head = definition(name, parameters, returns, limit)
        return f'@{mark}\n{head}\n    """{text}"""\n    {_REMARK}\n    return {body}\n'

    def test(called: str, parameter: str, limit: int) -> str:
        head = definition(f"test_{name}_{promise}", [parameter] if parameter else [], "None", limit)
        if value is None:
            return f"{head}\n    made = {called}()\n\n    {check}\n"
        given = "given"
        if value.kind in ("list", "dict"):
            given += f": {value.type}"
        call = f"    made = {called}(given)\n"
        if len(call) > limit:
            call = f"    step = {called}\n    made = step(given)\n"
        return f"{head}\n    {given} = {value.given}\n\n{call}\n    {check}\n"

    needs = (*value.given_imports, *_typed(value)) if value else ()
    return Example(step, imports, test, needs, value.name if value else None)


def _typed(value: Value) -> tuple[Imported, ...]:
    return value.imports if value.kind in ("list", "dict") else ()


def _of_value(value: Value) -> tuple[str, str, str, str, str]:
    """What a step on a value returns, its docstring, its body, and what its test expects."""
    name = value.name
    numbers = "assert made.tolist() == given.tolist()"
    match value.kind:
        case "pandas.DataFrame":
            rows = 'assert made["number"].tolist() == [1.0]'
            body = f'{name}.dropna(how="all")'
            doc = f"The rows of `{name}` that are not empty."
            return value.type, doc, body, "leaves_out_empty_rows", rows
        case "pandas.Series":
            rows, body = "assert made.tolist() == [1.0]", f"{name}.dropna()"
            doc = f"The entries of `{name}` that are known."
            return value.type, doc, body, "leaves_out_missing_values", rows
        case "polars.DataFrame" | "polars.LazyFrame":
            collected = ".collect()" if value.kind == "polars.LazyFrame" else ""
            rows = f'assert made{collected}["number"].to_list() == [1.0]'
            doc, body = f"The rows of `{name}` without a null.", f"{name}.drop_nulls()"
            return value.type, doc, body, "leaves_out_rows_with_a_null", rows
        case "pathlib.Path":
            doc, rows = f"The name of the file `{name}`.", 'assert made == "file.txt"'
            return "str", doc, f"{name}.name", "is_the_name_of_the_file", rows
        case "numpy.ndarray" | "numpy.typing.NDArray":
            check = numbers
        case _:
            check = "assert made == given"
    return value.type, f"The same as `{name}`.", name, "is_the_value_that_it_takes", check


def value_for(
    earlier: Iterable[tuple[Module, ast.FunctionDef]], target: Module, name: str
) -> Value | None:
    """The last of the earlier values that a step `name` in the module `target` can take.

    A type that is defined in a segment cannot be imported by another one, so it does not count.
    """
    for module, step in reversed([*earlier]):
        value = _value(module, step)
        fits = value is not None and is_free(target.source, target.imported, value.imports, {name})
        if value is not None and fits and len(value.name) <= _LONGEST:
            return value
    return None


def is_free(
    source: Source,
    imported: Mapping[str, Imported],
    wanted: Iterable[Imported],
    others: set[str],
) -> bool:
    """Whether a file can import these names: it uses none of them for something else."""
    bound = bound_names(source) | others
    return all(imported.get(w.local) == w or w.local not in bound for w in wanted)


def _value(module: Module, step: ast.FunctionDef) -> Value | None:
    annotation, source = step.returns, module.source
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            annotation = ast.parse(annotation.value, mode="eval").body
        except SyntaxError:
            return None
        source = Source(ast.unparse(annotation), "utf-8", source.shown)
        annotation = ast.parse(source.text, mode="eval").body
    if annotation is None:
        return None
    if isinstance(annotation, ast.Subscript) and _kind(annotation, module) in _OF_BATCHES:
        whole = annotation.slice  # what is made in batches is taken as the whole
        annotation = whole.elts[0] if isinstance(whole, ast.Tuple) else whole
    imports: list[Imported] = []
    names = [node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)]
    for name in dict.fromkeys(names):
        if name in module.imported:
            imports.append(module.imported[name])
        elif not hasattr(builtins, name) or name in bound_names(module.source):
            return None
    kind = _kind(annotation, module)
    text = " ".join(source.segment(annotation).split())
    given, needed = _given(annotation, kind, source, imports)
    if not given:
        return None
    return Value(step.name, text, kind, tuple(imports), given, needed)


def _kind(annotation: ast.expr, module: Module) -> str:
    base = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    attributes: list[str] = []
    while isinstance(base, ast.Attribute):
        attributes.append(base.attr)
        base = base.value
    if not isinstance(base, ast.Name):
        return ""
    return ".".join([module.names.get(base.id, base.id), *reversed(attributes)])


def _given(
    annotation: ast.expr, kind: str, source: Source, imports: list[Imported]
) -> tuple[str, tuple[Imported, ...]]:
    """An expression for a small value of a type, and what it imports; empty if there is none."""
    if kind in _PLAIN and isinstance(annotation, ast.Name):
        return _PLAIN[kind], ()
    match kind, annotation:
        case "pandas.DataFrame", _:
            return 'pd.DataFrame({"number": [1.0, None]})', (_PANDAS,)
        case "pandas.Series", _:
            return "pd.Series([1.0, None])", (_PANDAS,)
        case "polars.DataFrame" | "polars.LazyFrame", _:
            made = kind.rpartition(".")[2]
            return f'pl.{made}({{"number": [1.0, None]}})', (_POLARS,)
        case "pathlib.Path", _:
            return 'Path("folder") / "file.txt"', (Imported("pathlib", "Path"),)
        case (("list" | "dict"), ast.Subscript()):
            return ("[]" if kind == "list" else "{}"), ()
        case "datetime.date", _:
            return "date(2024, 2, 29)", (Imported("datetime", "date"),)
        case "pyarrow.Table", _:
            return 'pa.table({"number": [1.0]})', (Imported("pyarrow", None, "pa"),)
        case "numpy.ndarray", ast.Name() | ast.Attribute():
            return "np.zeros(2)", (_NUMPY,)
        case "numpy.typing.NDArray", ast.Subscript(slice=ast.Attribute() as kept):
            local = [there for there in imports if there.means.partition(".")[0] == "numpy"]
            return f"np.zeros(2, dtype={source.segment(kept)})", (_NUMPY, *local)
    return "", ()


def definition(name: str, parameters: list[str], returns: str, limit: int) -> str:
    """The head of a function, on as many lines as `ruff format` would give it."""
    head = f"def {name}({', '.join(parameters)}) -> {returns}:"
    if len(head) <= limit or not parameters:
        return head
    together = f"    {', '.join(parameters)}"
    if len(parameters) > 1 and len(together) <= limit:
        return f"def {name}(\n{together}\n) -> {returns}:"
    lines = textwrap.indent("".join(f"{parameter},\n" for parameter in parameters), "    ")
    return f"def {name}(\n{lines}) -> {returns}:"
