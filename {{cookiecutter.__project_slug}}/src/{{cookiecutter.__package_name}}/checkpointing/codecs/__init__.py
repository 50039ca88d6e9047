"""Codecs: how each type is written to a file and read back.

The value of a step is the value that its checkpoint would give back. The result of a step is
*frozen* once, into the form that its file contains byte for byte, and every step that needs the
value gets that form *thawed*. A value that would not come back exactly is refused with
`InexactValue`.

| family | values                          | frozen form                        | files          |
| ------ | ------------------------------- | ---------------------------------- | -------------- |
| table  | DataFrame, Series, Index, Table | `pyarrow.Table`                    | Arrow, Parquet |
|        | DataFrame, LazyFrame of polars  |                                    |                |
|        | DuckDBPyRelation of DuckDB      |                                    |                |
|        | DataFrame of Spark              | `OnDisk`: a path                   | many Parquet   |
| array  | ndarray                         | `numpy.ndarray`, read-only         | .npy           |
| sparse | matrices of scipy.sparse        | `bytes`                            | .npz           |
| model  | models of scikit-learn          | `bytes`                            | .skops         |
| json   | scalars, containers, dataclasses | `bytes`, UTF-8                    | .json          |
| path   | a file or folder a step made    | `pathlib.Path`                     | moved as it is |
| index  | the keys of a value of several  | `bytes`, UTF-8                     | .json          |

A value may be published in further formats, which the catalogue lists: these are for people and
other programs, not for steps, and need not be exact.

`catalogue` lists the types and formats of the template; a project adds its own with `register`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import typing
from collections.abc import Callable, Collection, Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.errors import ConfigurationError
from ..base.errors import InexactValue as InexactValue  # for a project's own codecs
from .annotations import fit as fit
from .annotations import is_json
from .annotations import outer_types as outer_types
from .annotations import why_refused as why_refused
from .catalogue import (
    ALWAYS_PLAIN,
    BY_BASE,
    CODECS,
    FORMATS,
    NEEDED,
    PUBLIC_NAMES,
    PUBLISHED,
    late,
)
from .catalogue import Codec as Codec
from .catalogue import Format as Format
from .on_disk import PARQUET as PARQUET
from .on_disk import PARQUETS as PARQUETS
from .on_disk import OnDisk as OnDisk
from .room import Room as Room

if TYPE_CHECKING:
    from .table.pieces import Piece
    from .table.streams import Written


_BUILT_IN = frozenset(CODECS), frozenset(FORMATS)


def register(codec: Codec, *formats: Format) -> None:
    """Add a type of a project's own, and the formats of its family if that is new as well.

    Checkpoints and outputs of a family use its first format.
    Raises ConfigurationError if a name or the type is already taken.

    Fractions, kept as JSON text:

    >>> from fractions import Fraction
    >>> def to_json(value: Fraction) -> bytes:
    ...     return f'"{value}"'.encode()
    >>> def from_json(frozen: bytes) -> Fraction:
    ...     return Fraction(frozen.decode().strip('"'))
    >>> register(Codec("Fraction", "fractions.Fraction", "json", to_json, from_json))
    >>> codec_named("Fraction").thaw(to_json(Fraction(1, 3)))
    Fraction(1, 3)
    """
    if codec.name in CODECS or any(codec.type_name == c.type_name for c in CODECS.values()):
        raise ConfigurationError(
            f"a codec named {codec.name!r} or for {codec.type_name} exists already; "
            "register each type once, under a name of its own"
        )
    for index, format_ in enumerate(formats):
        if format_.name in FORMATS or format_.name in {f.name for f in formats[:index]}:
            raise ConfigurationError(
                f"a format named {format_.name!r} exists already; give yours another name"
            )
    CODECS[codec.name] = codec
    FORMATS.update({format_.name: format_ for format_ in formats})


def codec_of(annotation: object) -> Codec | None:
    """The codec for values of this annotation (without `Annotated`), or None.

    A union, a container or a class with fields has a codec if JSON keeps all that it consists of,
    such as `float | None` and `dict[str, tuple[int, ...]]`.
    """
    cls = typing.get_origin(annotation) or annotation
    if is_json(annotation):
        is_bare = not isinstance(annotation, type) or annotation.__module__ in ALWAYS_PLAIN
        return CODECS["json"] if is_bare else _registered(cls) or CODECS["json"]
    if annotation is Path:
        return CODECS["Path"]
    return _registered(cls) or _codec_of_base(cls) if isinstance(cls, type) else None


def _registered(cls: Any) -> Codec | None:
    """The codec for a class itself, which the project's adapters may register."""
    name = f"{cls.__module__}.{cls.__qualname__}"
    name = PUBLIC_NAMES.get(name, name)
    return _codec_of_type(name) or (_codec_of_type(name) if _import_adapters() else None)


def _codec_of_base(cls: type) -> Codec | None:
    bases = {f"{base.__module__}.{base.__qualname__}" for base in cls.__mro__}
    for base, (codec, package) in BY_BASE.items():
        if base in bases and importlib.util.find_spec(package) is not None:
            return CODECS[codec]
    return None


def _codec_of_type(type_name: str) -> Codec | None:
    return next((codec for codec in CODECS.values() if codec.type_name == type_name), None)


def _import_adapters() -> bool:
    """Let the project's adapters.py register its codecs; returns whether there is such a module."""
    package = __name__.rpartition(".checkpointing.")[0]
    if importlib.util.find_spec(f"{package}.adapters") is None:
        return False
    import_module(f"{package}.adapters")
    return True


def forget_adapters() -> None:
    """Remove the project's codecs and formats, before its adapters.py is imported again."""
    codecs, formats = _BUILT_IN
    for name in CODECS.keys() - codecs:
        del CODECS[name]
    for name in FORMATS.keys() - formats:
        del FORMATS[name]


def codec_named(name: str) -> Codec:
    """The codec with this name, built in or from the project's adapters. Raises KeyError."""
    if name not in CODECS:
        _import_adapters()
    return CODECS[name]


def is_own(name: str | None) -> bool:
    """Whether a codec is the project's own, which needs an import of its adapters.py."""
    return name is not None and name not in _BUILT_IN[0]


def family_known(name: str | None) -> str | None:
    """The family of a codec; None if only the project's adapters register the codec."""
    return CODECS[name].family if name in CODECS else None


def format_named(name: str) -> Format:
    """The format with this name. Raises KeyError."""
    return FORMATS[name]


def format_known(name: str) -> Format | None:
    """The exact format with this name; None if only the project's adapters register it."""
    return FORMATS.get(name)


def working_format(family: str, preferred: str) -> Format:
    """The format of checkpoints: `preferred` if the family has it, else the family's first."""
    formats = [format_ for format_ in FORMATS.values() if format_.family == family]
    return next((format_ for format_ in formats if format_.name == preferred), formats[0])


def output_format(family: str, suffix: str = "") -> Format | None:
    """The format of an output that is published with this suffix, or not published at all.

    None for paths, which are files already. A suffix that the family does not have gives the exact
    format; the pipeline was refused if it is published like that.
    """
    if family == "path":
        return None
    exact = FORMATS["parquet"] if family == "table" else working_format(family, "")
    return PUBLISHED.get((family, suffix), exact)


def output_suffixes(family: str, *, is_text: bool) -> tuple[str, ...]:
    """The suffixes with which a value may be published; `is_text` if a step returns `str`."""
    exact = output_format(family)
    assert exact is not None, "files have any suffix"
    further = tuple(suffix for of, suffix in PUBLISHED if of == family)
    return (exact.suffix, *(further if is_text or family != "json" else ()))


def suffix_of(path: str) -> str:
    """The suffix that says in which format a file is published: `.csv.gz` is one."""
    return ".csv.gz" if path.endswith(".csv.gz") else Path(path).suffix


def missing_library(suffix: str) -> str | None:
    """The library that a format needs and that is not installed."""
    library = NEEDED.get(suffix)
    return library if library and importlib.util.find_spec(library) is None else None


def collected(batches: Iterable[Any], codec: Codec) -> Any:
    """The frozen table that a stream of batches is, in memory; see `table.streams`.

    Raises InexactValue for batches that are not of one table, and what the iterator raises.
    """
    return late("table.streams", "collected")(batches, codec.freeze)


def write_stream(
    value: str,
    batches: Iterable[Any],
    freeze: Callable[[Any], Any],
    new_file: Callable[[], Any],
    read_back: Callable[[Any], Any],
) -> Written:
    """Write the table that a stream of batches is as an Arrow file; see `table.streams`.

    Raises InexactValue, which names the value.
    """
    try:
        written: Written = late("table.streams", "write")(batches, freeze, new_file, read_back)
        return written
    except InexactValue as error:
        raise InexactValue(f"`{value}`: {error.message}", step=value) from None


def select(frozen: Any, columns: tuple[str, ...]) -> Any:
    """The named columns of a frozen table, in this order, with its index; nothing is copied.

    Raises InexactValue if the table does not have a column, or if the value is not a table.
    """
    if _library(frozen) != "pyarrow":
        raise InexactValue("only tables have columns to choose from; drop Columns(...)")
    return late("table.arrow", "select")(frozen, columns)


def columns_to_keep(frozen: Any, columns: Collection[str]) -> tuple[str, ...]:
    """The columns to write of a frozen value of which only some are read; none: all of it."""
    if not columns or _library(frozen) != "pyarrow":
        return ()
    kept: tuple[str, ...] = late("table.arrow", "columns_to_keep")(frozen, columns)
    return kept


def require_whole(path: Path) -> None:
    """Refuse files that a checkpoint would not keep as they are; see `paths.require_whole`."""
    late("paths", "require_whole")(path)


def read_first(path: Path, form: str, rows: int) -> tuple[int, Any]:
    """The number of rows of a table in a file, and the first of them as a frozen table."""
    first: tuple[int, Any] = late("table.batches", "read_first")(path, form, rows)
    return first


def read_lazily(path: Path) -> Any:
    """A `pyarrow.dataset.Dataset` of a folder of Parquet files; see `table.parquets`."""
    return late("table.parquets", "dataset")(path)


def have_same_rows(left: Path, right: Path) -> bool:
    """Whether two folders of Parquet files have the same rows, in any order."""
    same: bool = late("table.parquets", "have_same_rows")(left, right)
    return same


def frozen_bytes(frozen: Any) -> int:
    """The size of a frozen form in memory, in bytes; buffers that columns share count once.

    A table on disk takes none.
    """
    if _library(frozen) == "pyarrow":
        return int(late("table.arrow", "whole_bytes")(frozen))
    if isinstance(frozen, bytes):
        return len(frozen)
    return int(getattr(frozen, "nbytes", 0))


def file_bytes(frozen: Any) -> int:
    """The approximate size of the file of a frozen form: of a slice, that of the slice only."""
    if isinstance(frozen, OnDisk):
        return frozen.bytes
    if _library(frozen) == "pyarrow":
        return int(late("table.arrow", "own_bytes")(frozen))
    return frozen_bytes(frozen)


def pieces(frozen: Any, is_mapped: Callable[[int], bool]) -> set[Piece]:
    """The allocations that a frozen value keeps alive; see `table.pieces`."""
    allocations: set[Piece] = late("table.pieces", "pieces")(frozen, is_mapped)
    return allocations


def exactly(
    value: str, path: Path, frozen: Any, codec: Codec, form: Format
) -> contextlib.AbstractContextManager[None]:
    """Turn errors while a value is written and read back into InexactValue; see `readback`."""
    guard: contextlib.AbstractContextManager[None] = late("readback", "exactly")(
        value, path, frozen, codec, form
    )
    return guard


def require_same(path: Path, frozen: Any, codec: Codec, form: Format) -> None:
    """Compare a new file with the value that was written to it; see `readback.require_same`."""
    late("readback", "require_same")(path, frozen, codec, form)


def require_same_start(path: Path, written: Written, codec: Codec, form: Format) -> None:
    """Compare a new file with what was streamed to it; see `readback.require_same_start`."""
    late("readback", "require_same_start")(path, written, codec, form)


def describe(frozen: Any) -> dict[str, Any]:
    """The description of a value in a manifest, JSON-able: rows and schema, or shape and dtype."""
    if isinstance(frozen, OnDisk):
        described: dict[str, Any] = late("table.parquets", "describe")(frozen.path)
        return described
    if _library(frozen) == "pyarrow":
        schema = {field.name: str(field.type) for field in frozen.schema}
        return {"rows": frozen.num_rows, "schema": schema}
    if _library(frozen) == "numpy":
        return {"shape": list(frozen.shape), "dtype": str(frozen.dtype)}
    return {}


def _library(frozen: Any) -> str:
    return type(frozen).__module__.partition(".")[0]
