"""CSV, JSON and plain text. The same value gives the same bytes."""

from __future__ import annotations

import gzip
import io
import json
import math
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from ...base.errors import InexactValue
from ..table.batches import empty_of
from .frames import for_people, parts_for_people, plain_labels

_ROWS = 10_000  # that are JSON at a time
_CELLS = 100_000  # of which pandas makes text at a time, and decides how dates are written
_TIMES = 8  # as many become a frame


def write_csv(frozen: Any, file: BinaryIO) -> None:
    """A table as `DataFrame.to_csv(index=False)` writes it, in UTF-8 with `\\n` between lines."""
    text: Any = _Text(file.write)
    width = for_people(empty_of(frozen)).shape[1]
    rows = max(1, _CELLS // max(1, width))
    is_first = True
    for part in parts_for_people(frozen, rows * _TIMES):
        part.to_csv(text, index=False, header=is_first, lineterminator="\n", chunksize=rows)
        is_first = False


def write_csv_gz(frozen: Any, file: BinaryIO) -> None:
    """The same, compressed; without a time and a file name, so that the bytes stay the same."""
    with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        write_csv(frozen, packed)  # type: ignore[arg-type]


def write_array_csv(frozen: Any, file: BinaryIO) -> None:
    """An array of one or two dimensions, a line for each row, without a header."""
    if frozen.ndim not in (1, 2):
        raise InexactValue(
            f"the array has {frozen.ndim} dimensions, and a .csv file has two; "
            "publish it as .npy, or reshape it"
        )
    text: Any = _Text(file.write)
    pd.DataFrame(frozen).to_csv(text, index=False, header=False, lineterminator="\n")


def write_json(frozen: Any, file: BinaryIO) -> None:
    """A table as one list with an object for each row, one a line."""
    before = b"[\n"
    for row in _rows(frozen):
        file.write(before + row)
        before = b",\n"
    file.write(b"[]\n" if before == b"[\n" else b"\n]\n")


def write_jsonl(frozen: Any, file: BinaryIO) -> None:
    """A table as lines, each an object."""
    for row in _rows(frozen):
        file.write(row + b"\n")


def write_text(frozen: bytes, file: BinaryIO) -> None:
    """The text that a step returned, as it is."""
    text = json.loads(frozen)
    if not isinstance(text, str):
        raise InexactValue(
            f"the step promised text and returned {type(text).__name__}; publish it as .json"
        )
    file.write(text.encode())


class _Text(io.TextIOBase):
    """A text file over a function that takes bytes."""

    def __init__(self, write: Callable[[bytes], Any]) -> None:
        self._write = write

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._write(text.encode())
        return len(text)


def _rows(frozen: Any) -> Iterator[bytes]:
    for part in parts_for_people(frozen, _ROWS):
        labels = plain_labels(part)
        columns = [part.iloc[:, number].tolist() for number in range(len(labels))]
        for values in zip(*columns, strict=True):
            row = dict(zip(labels, map(_plain, values), strict=True))
            yield json.dumps(row, ensure_ascii=False, allow_nan=False).encode()


def _plain(value: Any) -> Any:
    """A cell in JSON's own types: what is missing or infinite is null, other types are text."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return float(value) if math.isfinite(value) else None
        case list() | tuple() | np.ndarray():
            return [_plain(item) for item in value]
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case np.generic():
            return _plain(value.item())
        case bytes():
            raise InexactValue("the table has a column of bytes, which JSON has no form for")
    if value is pd.NaT or value is pd.NA:
        return None
    match value:
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return pd.Timedelta(value).isoformat()
    return str(value)
