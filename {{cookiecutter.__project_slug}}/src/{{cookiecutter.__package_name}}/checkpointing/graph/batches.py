"""Tables in batches: the annotations of a step that makes or takes one table piece by piece."""

from __future__ import annotations

import collections.abc
import inspect
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..base.errors import ConfigurationError
from ..codecs import Codec, codec_named, codec_of
from ..codecs.readable import READABLE, suffix_of
from .marking import Batches
from .places import is_glob, is_url
from .signatures import without_none

READER = "RecordBatchReader"
"""The codec of the type that is itself an iterator of batches."""

_ITERATORS = (collections.abc.Iterator, collections.abc.Iterable)
_WHOLE = ("Index",)  # of the same family, but no table


def codec_of_batches(annotation: Any, *, is_returned: bool) -> Codec | None:
    """The codec of each batch of an `Iterator` of tables; None for any other annotation.

    `Iterable` means the same, and so does, where it `is_returned`, `Generator[..., None, None]`. A
    generator that returns a value besides is none: the value would be lost.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    is_generator = is_returned and origin is collections.abc.Generator
    if not (origin in _ITERATORS or is_generator) or not arguments:
        return None
    if is_generator and any(other not in (None, types.NoneType) for other in arguments[1:]):
        return None
    codec = codec_of(arguments[0])
    if (
        codec is None
        or codec.family != "table"
        or codec.batches
        or codec.store
        or codec.name in _WHOLE
    ):
        return None
    return codec


def is_lazy(codec: str | None) -> bool:
    """Whether values of a codec are computed while they are written."""
    return codec is not None and codec_named(codec).batches is not None


def batch_of(annotation: Any) -> str:
    """The codec of each batch that a parameter takes, which may be None; empty if it takes none."""
    inner, _ = without_none(annotation)
    if (codec := codec_of_batches(inner, is_returned=False)) is not None:
        return codec.name
    whole = codec_of(inner)
    return READER if whole is not None and whole.name == READER else ""


def require_batches(place: str, function: Any, annotation: Any) -> None:
    """Refuse a generator of anything but tables, and `Batches` where a step makes its own.

    Args:
        annotation: what the function says that it returns.

    Raises ConfigurationError.
    """
    if typing.get_origin(annotation) is typing.Annotated:
        annotation, *extras = typing.get_args(annotation)
        if any(isinstance(extra, Batches) for extra in extras):
            raise ConfigurationError(
                f"{place}: Batches says how many rows a parameter takes at once. What a step "
                f"yields may have any number of rows: take Batches out of the return annotation."
            )
    inner, is_optional = without_none(annotation)
    is_one = codec_of_batches(inner, is_returned=True) is not None
    is_generator = inspect.isgeneratorfunction(function)
    if is_generator and is_one and is_optional:
        raise ConfigurationError(
            f"{place}: a step that yields always makes a table, never None. Take `| None` out of "
            f"the return annotation; where there are no rows, yield one empty frame."
        )
    if is_generator and not is_one:
        raise ConfigurationError(
            f"{place}: a step that yields makes one table in batches. Annotate it "
            f"`-> Iterator[pd.DataFrame]`, or of another type of table, such as pa.RecordBatch, or "
            f"return the whole value instead of yielding parts."
        )


def problem_of_input(text: str, root: Path) -> str | None:
    """Why an entry of [inputs] cannot be read in batches, if so; for the end of a sentence.

    What lies in a folder, or matches a glob, is seen when the step reads it.
    """
    if is_url(text):
        return "is a URL, which no step takes in batches. Annotate it `str`, and read it there"
    suffix = suffix_of(Path(text))
    if (root / text).is_dir() or suffix in READABLE or is_glob(text, root):
        return None
    return (
        f"is no table that can be read in batches ({suffix or 'no suffix'}): that are files "
        f"{', '.join(READABLE)}, or a folder or glob of them. Annotate it `Path`, and read it"
    )


def problems_of_rows(where: str, rows: int | None, *, in_batches: bool) -> Iterator[str]:
    """Problems of `Batches` on a parameter: whether there is something to have that many rows."""
    if rows is not None and not in_batches:
        yield (
            f"{where}: Batches applies to one table that a step takes in batches. Annotate it "
            f"`Annotated[Iterator[pd.DataFrame], Batches(rows={rows})]`, or take Batches out."
        )
