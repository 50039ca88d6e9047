"""How a plain function becomes a Step: plain data that any process can load.

A Step names its function instead of containing it, so that a pipeline can be sent to the process
that watches it, which never imports the project's own code.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..base.errors import ConfigurationError
from ..base.names import LONGEST, is_too_long
from ..codecs import codec_named, codec_of, outer_types, why_refused
from ..codecs.several import INDEX, ItemType, Shape, item_name
from .batches import READER, batch_of, codec_of_batches, is_lazy, require_batches
from .marking import Batches, Columns, is_step, options_of, require_function
from .shapes import Item, item_type, shape_of, why_items_refused
from .signatures import is_plain, problems_of_form, without_none
from .sources import read

WORKDIR = "workdir"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a step: its name, its type, and how a value is loaded for it."""

    name: str

    type_name: str
    """The annotation for people, such as `pandas.DataFrame`."""

    annotation: Any
    """The annotation itself. None for tables and arrays, and for classes of the project's own:
    with the class, every process that receives a Step would have to import it."""

    codec: str | None
    """The name of the codec that loads a value for it; None if there is none for that type."""

    columns: tuple[str, ...] | None
    """The columns to load of a table; None: all."""

    refused: str = ""
    """Why no value can be loaded as this type, and what to write; empty if one can."""

    kinds: tuple[tuple[str, ...], ...] = ()
    """The outermost types of a JSON value, with their bases; see `outer_types`."""

    shape: Shape | None = None
    """How the value that it takes is made of several, where the annotation says so."""

    is_optional: bool = False
    """Whether it may be None in place of what the codec loads."""

    value: str = ""
    """The step whose value it takes, if that is not its own name."""

    key: str | None = None
    """The key of the item that it takes of that value; None: the whole."""

    of_items: Shape | None = None
    """The shape of a plain list or dict, should what it takes be made of several."""

    batch: str = ""
    """The codec of each batch, should what it takes be one table; empty if it takes none so."""

    rows: int | None = None
    """How many rows each batch has; None: the runtime chooses."""

    in_batches: bool = False
    """Whether it takes one table in batches; then `codec` is that of a batch."""

    @property
    def source(self) -> str:
        """The name of the step that makes its value, if a step does."""
        return self.value or self.name

    @property
    def taken(self) -> str:
        """The name of the value, or of the item of it, that it takes."""
        return self.source if self.key is None else item_name(self.source, self.key)


@dataclass(frozen=True)
class Step:
    """One step: where its function is, which values it needs and how its value is stored."""

    name: str
    """The function's name, which is also its value's."""

    module: str
    """The module to import it from."""

    file: str
    line: int
    """Where it is written, for messages."""

    parameters: tuple[Parameter, ...]

    codec: str | None
    """The name of the codec that stores its value; None for a sink, which returns None."""

    refused: str = ""
    """Why its value cannot be stored, and what to write; empty if it can. Then `codec` is None."""

    kinds: tuple[tuple[str, ...], ...] = ()
    """The outermost types of a JSON value, with their bases; see `outer_types`."""

    shape: Shape | None = None
    """How its value is made of several items; the codec is then that of their index."""

    is_optional: bool = False
    """Whether it may return None in place of its value."""

    is_text: bool = False
    """Whether its value is a `str`, which can be published as any kind of text file."""

    always: bool = False
    """Whether it runs in each run, also where a checkpoint has its value."""

    each: str = ""
    """The parameter for whose every item it runs; empty: it runs once."""

    streams: bool = False
    """Whether its value is computed while it is written, batch by batch."""

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line} {self.name}"

    @property
    def is_alone(self) -> bool:
        """Whether it runs in a part of its own: a sink, or a step that runs for each item."""
        return self.is_sink or bool(self.each)

    @property
    def is_sink(self) -> bool:
        return self.codec is None and not self.refused

    def function(self) -> Callable[..., Any]:
        """The function; imports its module. Raises ConfigurationError when it no longer exists."""
        module: Any = importlib.import_module(self.module)
        if not hasattr(module, self.name):
            raise ConfigurationError(
                f"{self.module} has no step `{self.name}` any more. Build the pipeline again, from "
                f"the steps that there are."
            )
        function: Callable[..., Any] = getattr(module, self.name)
        return function


@dataclass(frozen=True)
class Segment:
    """A run of steps that ends in a checkpoint.

    A module of steps is a segment by itself. This makes one of steps that lie in several modules,
    or that are to be grouped differently, from functions that are decorated with `@step`:

    >>> first, *others = PIPELINE.steps
    >>> Segment("all_at_once", [first, *others]).name
    'all_at_once'
    """

    name: str
    steps: tuple[Step, ...]

    module: str | None
    """The module that all its steps are read from; None: they were listed."""

    written: tuple[str, ...]
    """The names of its steps in the order in which they are written, or were listed."""

    def __init__(
        self,
        name: str,
        steps: typing.Iterable[Callable[..., Any] | Step],
        module: str | None = None,
        written: tuple[str, ...] = (),
    ) -> None:
        check_name("segment", name)
        read = tuple(s if isinstance(s, Step) else _read_step(s) for s in steps)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "steps", read)
        object.__setattr__(self, "module", module)
        object.__setattr__(self, "written", written or tuple(step.name for step in read))

    @property
    def as_written(self) -> tuple[Step, ...]:
        """Its steps in the order in which they are written."""
        named = {step.name: step for step in self.steps}
        return tuple(named[name] for name in self.written)

    def __hash__(self) -> int:
        return hash(self.name)  # by far quicker than one of all steps, and nearly as good

    def read_anew(self) -> Segment:
        """The segment as its source declares it now, in a process that has not imported it yet.

        Raises ConfigurationError if a listed step no longer exists.
        """
        if self.module is not None:
            return segment_of(importlib.import_module(self.module))
        return Segment(self.name, [step.function() for step in self.steps])


def check_name(kind: str, name: str) -> None:
    """Refuse a name that cannot be a folder of checkpoints. Raises ConfigurationError."""
    if is_too_long(name):
        raise ConfigurationError(
            f"{kind} name {name!r} has {len(name.encode())} bytes; the longest has {LONGEST}, "
            f"because files are named after it"
        )
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"{kind} name {name!r}: use letters, digits, `_`, `-`, `.`")


def segment_of(module: types.ModuleType) -> Segment:
    """The segment of a module: its own functions marked `@step`, in their order."""
    functions = [
        member
        for member in vars(module).values()
        if isinstance(member, types.FunctionType)
        and is_step(member)
        and member.__module__ == module.__name__  # an imported step belongs to its own segment
    ]
    if not functions:
        raise ConfigurationError(
            f"{module.__file__}: no step found. Decorate a function with `@step`, or take the "
            f"module out of the Pipeline."
        )
    _refuse_second_definitions(module, {function.__name__ for function in functions})
    return Segment(module.__name__.rpartition(".")[2], functions, module.__name__)


def _refuse_second_definitions(module: types.ModuleType, steps: set[str]) -> None:
    """Refuse a second `def` of a name, which silently replaces the first in Python."""
    source = Path(str(module.__file__))
    body = ast.parse(read(source)).body if source.is_file() else []
    lines: dict[str, int] = {}
    for node in body:
        if isinstance(node, ast.FunctionDef) and node.name in steps:
            first = lines.setdefault(node.name, node.lineno)
            if first != node.lineno:
                raise ConfigurationError(
                    f"{source}:{node.lineno} {node.name}: the name `{node.name}` is taken by the "
                    f"function at line {first}. Rename one of them."
                )


def _read_step(marked: Callable[..., Any]) -> Step:
    require_function(marked)
    options = options_of(marked)
    function: Any = inspect.unwrap(marked)  # as it was written, below other decorators
    code = function.__code__
    place = f"{code.co_filename}:{code.co_firstlineno} {function.__name__}"
    problems = list(problems_of_form(function))
    if problems:
        raise ConfigurationError("\n".join(f"{place}: {problem}" for problem in problems))
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        raise ConfigurationError(
            f"{place}: an annotation cannot be read ({error}). Import the name at the top of the "
            f"module, not under `if TYPE_CHECKING`."
        ) from None
    except ConfigurationError as error:  # of what an annotation says, such as Columns
        raise ConfigurationError(f"{place}: {error.message}") from None
    names = [p.name for p in inspect.signature(function).parameters.values()]
    missing = [name for name in names if name not in hints]
    if missing:
        raise ConfigurationError(
            f"{place}: parameter `{missing[0]}` has no annotation. Write its type, such as "
            f"`{missing[0]}: pd.DataFrame`."
        )
    if "return" not in hints:
        raise ConfigurationError(
            f"{place}: no return annotation. Write the type of its value, or `-> None` for a step "
            f"that only has an effect."
        )
    made = _returned(hints["return"])
    require_batches(place, function, hints["return"])
    if options.each:
        made = _of_each(made, hints["return"], options.each)
    return Step(
        name=function.__name__,
        module=function.__module__,
        file=str(Path(code.co_filename)),
        line=code.co_firstlineno,
        parameters=tuple(_parameter(name, hints[name]) for name in names),
        codec=made.codec,
        refused=made.refused,
        kinds=made.kinds,
        shape=made.shape,
        is_optional=made.is_optional,
        is_text=hints["return"] is str,
        always=options.always,
        each=options.each,
        streams=made.streams,
    )


def _parameter(name: str, annotation: Any) -> Parameter:
    columns = item = rows = None
    if typing.get_origin(annotation) is typing.Annotated:
        annotation, *extras = typing.get_args(annotation)
        rows = next((extra.rows for extra in extras if isinstance(extra, Batches)), None)
        columns = next((extra.names for extra in extras if isinstance(extra, Columns)), None)
        item = next((extra for extra in extras if isinstance(extra, Item)), None)
    value, key = (item.value, str(item.key)) if item is not None else ("", None)
    read = _read_annotation(annotation, is_returned=False)
    if read.codec is not None and codec_named(read.codec).family not in ("json", "path"):
        shown, kept = codec_named(read.codec).type_name, None
    else:
        shown = annotation.__qualname__ if type(annotation) is type else repr(annotation)
        kept = annotation if is_plain(annotation) and not read.batch else None
    return Parameter(
        name, shown, kept, read.codec, columns, read.refused, read.kinds,
        read.shape, read.is_optional, value, key, shape_of(annotation, is_plain_too=True),
        read.batch, rows,
    )  # fmt: skip


@dataclass(frozen=True)
class _Read:
    """What an annotation says; the fields are those of a Step or a Parameter."""

    codec: str | None = None
    refused: str = ""
    kinds: tuple[tuple[str, ...], ...] = ()
    shape: Shape | None = None
    is_optional: bool = False
    batch: str = ""
    streams: bool = False


def _returned(annotation: Any) -> _Read:
    """What a return annotation says; nothing for None."""
    if typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    if annotation is type(None):
        return _Read()
    inner, is_optional = without_none(annotation)
    if (codec := codec_of_batches(inner, is_returned=True)) is not None:
        return _Read(codec.name, is_optional=is_optional, streams=True)
    read = _read_annotation(annotation, is_returned=True)
    if read.shape is None:
        return replace(read, streams=is_lazy(read.codec))
    if lazy := next((kind for kind in read.shape.types if is_lazy(kind.codec)), None):
        return _Read(
            refused=f"`{lazy.type_name}` is computed while it is written, so it cannot be one of "
            f"several values. Return it from a step of its own."
        )
    return replace(read, codec=INDEX)


def _of_each(made: _Read, annotation: Any, each: str) -> _Read:
    """What a step makes that runs for each item, from what it returns for one."""
    if made.shape is not None:
        return _Read(
            refused=f"it runs for each of `{each}`, so it may return one value, not several. "
            f"Return a table or the like, and the others from a step of their own."
        )
    if made.codec is None:
        return made
    kind = item_type(annotation)
    if kind is None:  # an iterator of batches: each item is the table that they make up
        kind = ItemType(made.codec, codec_named(made.codec).type_name, made.is_optional)
    shape = Shape("each", f"{kind.type_name} for each of {each}", (), (kind,))
    return _Read(INDEX, shape=shape, streams=made.streams)


def _read_annotation(annotation: Any, *, is_returned: bool) -> _Read:
    shape, batch = shape_of(annotation), "" if is_returned else batch_of(annotation)
    if shape is not None and not (shape.is_lazy and is_returned):
        return _Read(shape=shape, batch=batch)
    if batch and batch != READER:
        return _Read(is_optional=True, batch=batch)
    inner, is_optional = annotation, False
    codec = codec_of(annotation)
    if codec is None:
        inner, is_optional = without_none(annotation)
        codec = codec_of(inner) if is_optional else None
    if codec is None:
        return _Read(refused=why_items_refused(annotation) or why_refused(annotation))
    kinds = outer_types(inner) if codec.family == "json" else ()
    return _Read(codec.name, "", kinds, None, is_optional, batch)
