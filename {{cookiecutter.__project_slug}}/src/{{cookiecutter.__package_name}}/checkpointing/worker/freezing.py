"""What a step returns, in the form that its files hold, and back: a value, or each item of it."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..base.errors import InexactValue
from ..base.names import LONGEST
from ..codecs import (
    PARQUETS,
    Codec,
    OnDisk,
    codec_named,
    file_bytes,
    format_named,
    frozen_bytes,
    require_whole,
    select,
)
from ..codecs.several import Shape, index_of, item_name, key_of, unpack, value_of
from ..disk.manifest import FileRecord
from ..graph.signatures import annotation_of
from ..graph.steps import Parameter, Step
from ..reuse.each import EachItem
from .forks import children_end_here

NONE = b"null"
"""What JSON keeps in place of a value that may be None."""


@dataclass(frozen=True)
class Frozen:
    """A value, or an item of one, in the in-memory form of its codec.

    `stem` is what its files are called.
    """

    codec: Codec
    form: Any
    stem: str


def freeze(
    step: Step, result: Any, workdir: Path, taken: Collection[str] = ()
) -> dict[str, Frozen]:
    """A step's result by name: its value; of a value that is made of several the index and items.

    Args:
        workdir: the step's own; a path that it returns has to lie there.
        taken: the names of all items that later steps take or that are published.

    Raises InexactValue for what could not be restored exactly, for a path outside of `workdir`, and
    if an item of `taken` is missing.
    """
    name, shape = step.name, step.shape
    assert step.codec is not None, "a sink has no value"
    if shape is None:
        return {name: _frozen(step, name, step.codec, step.is_optional, result, workdir)}
    with naming(name, step):
        items = unpack(shape, result, annotation_of(step.function(), "return"))
    _require(step, items, taken)
    frozen = {name: Frozen(codec_named(step.codec), index_of(shape, items), name)}
    for number, (key, item) in enumerate(items.items()):
        kind = shape.type_of(key)
        assert kind is not None, "every item has a type"
        inner = item_name(name, key)
        form = _frozen(step, inner, kind.codec, kind.is_optional, item, workdir)
        frozen[inner] = Frozen(form.codec, form.form, _stem(shape, name, key, number))
    return frozen


def freeze_item(step: Step, item: EachItem, result: Any, workdir: Path) -> Frozen:
    """What a step has returned for one item. Raises InexactValue as `freeze`."""
    assert step.shape is not None, "a sink has no value"
    kind = step.shape.types[0]
    frozen = _frozen(step, item.name, kind.codec, kind.is_optional, result, workdir)
    stem = _stem(step.shape, step.name, key_of(item.name), item.number)
    return Frozen(frozen.codec, frozen.form, stem)


def is_none(frozen: Any) -> bool:
    """Whether a value that may be None was None, where the codec of another type keeps it."""
    return bool(isinstance(frozen, bytes) and frozen == NONE)


def thaw(parameter: Parameter, frozen: Any) -> Any:
    """The argument that a step receives for a parameter, from one value or item."""
    assert parameter.codec is not None, "the pipeline refused a value without a codec"
    return thaw_as(parameter.codec, parameter.is_optional, frozen, parameter.columns)


def thaw_as(
    codec: str, is_optional: bool, frozen: Any, columns: tuple[str, ...] | None = None
) -> Any:
    """A value or an item as the type of a codec; None if it was None and may be."""
    known = codec_named(codec)
    if is_optional and known.family != "json" and frozen == NONE:
        return None
    if isinstance(frozen, OnDisk):
        if known.open is not None:
            with children_end_here():
                return known.open(frozen.path, columns)
        frozen = format_named(frozen.form).read(frozen.path, columns)
    elif columns is not None:
        frozen = select(frozen, columns)
    with children_end_here():
        return known.thaw(frozen)


def _frozen(
    step: Step, name: str, codec: str, is_optional: bool, value: Any, workdir: Path
) -> Frozen:
    known = codec_named(codec)
    if is_optional and value is None and known.family != "json":
        return Frozen(codec_named("json"), NONE, name)
    with naming(name, step), children_end_here():
        form = known.freeze(value)
    if known.family == "path":
        if not Path(form).resolve().is_relative_to(workdir.resolve()):
            raise InexactValue(
                f"`{name}` is {form}, which does not lie in its workdir. Take a parameter "
                f"`workdir: Path` and make the file there.",
                step=step.name,
            )
        with naming(name, step):
            require_whole(Path(form))
    return Frozen(known, form, name)


def _require(step: Step, items: dict[str, Any], taken: Collection[str]) -> None:
    """Refuse a value without an item that somebody takes. Raises InexactValue."""
    for name in taken:
        if value_of(name) == step.name != name and key_of(name) not in items:
            listed = ", ".join(f"`{key}`" for key in items) or "none"
            raise InexactValue(
                f"`{step.name}` has no item `{key_of(name)}`, which a later step or [outputs] "
                f"takes; its items are {listed}",
                step=step.name,
            )


def _stem(shape: Shape, value: str, key: str, number: int) -> str:
    """What the files of an item are called: a key of a dict may be no name for a file."""
    stem = f"{value}-{key}"
    is_name = shape.kind not in ("dict", "each") and len(stem.encode()) <= LONGEST
    return stem if is_name else f"{value}-{number}"


@contextlib.contextmanager
def naming(name: str, step: Step) -> Iterator[None]:
    """Name the value in the message of an InexactValue."""
    try:
        yield
    except InexactValue as error:
        raise InexactValue(f"`{name}`: {error.message}", step=step.name) from None


def written_form(folder: Path, record: FileRecord) -> Any:
    """The frozen form of a value that was written as it was made."""
    path = folder / record.file
    if record.format == PARQUETS:
        return OnDisk(path, record.format)
    return format_named(record.format).read(path, None)


def argument_bytes(frozen: Any) -> int:
    """The size of what a step takes: in memory, or of a table on disk there."""
    return file_bytes(frozen) if isinstance(frozen, OnDisk) else frozen_bytes(frozen)
