"""Rows that wait until they make a record batch, in few pieces however small the batches were."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ...base.errors import InexactValue
from .buffers import read_only
from .row_labels import Rows
from .slices import own

_FEW_ROWS = 4096  # up to which pieces are joined before they are needed


class Waiting:
    """Rows in their order. Batches of a few rows are joined, so each row is copied a few times."""

    def __init__(self) -> None:
        self._pieces: deque[Rows] = deque()
        self.count = 0

    def add(self, rows: Rows, fields: Sequence[Any]) -> None:
        """Add rows. `fields` are the columns as the whole table has them by now.

        Raises InexactValue for columns that cannot be joined.
        """
        if not rows.count:
            return
        pieces = self._pieces
        pieces.append(rows)
        self.count += rows.count
        while len(pieces) > 1 and _is_worth_joining(pieces[-2].count, pieces[-1].count):
            last = pieces.pop()
            pieces.append(_as_one([pieces.pop(), last], fields))

    def first(self, count: int) -> list[Rows]:
        """The first rows, of which there are as many; they go on waiting."""
        first: list[Rows] = []
        for rows in self._pieces:
            if not count:
                break
            first.append(rows.slice(0, min(count, rows.count)))
            count -= first[-1].count
        return first

    def take(self, count: int) -> list[Rows]:
        """The first rows, which wait no more."""
        taken = self.first(count)
        self.count -= count
        for part in taken:
            rows = self._pieces.popleft()
            if part.count < rows.count:
                self._pieces.appendleft(rows.slice(part.count, rows.count - part.count))
        return taken


def _is_worth_joining(before: int, last: int) -> bool:
    return before < 2 * last and before + last <= _FEW_ROWS


def _as_one(parts: list[Rows], fields: Sequence[Any]) -> Rows:
    columns = [pa.chunked_array([joined(parts, n, field)]) for n, field in enumerate(fields)]
    count = sum(rows.count for rows in parts)
    labels = None if parts[0].labels is None else joined_labels(parts)
    return Rows(columns, count, labels)


def joined_labels(parts: list[Rows]) -> Any:
    """The labels of rows, which are integers."""
    return np.concatenate([rows.label_array() for rows in parts])


def joined(parts: list[Rows], number: int, field: Any) -> Any:
    """A column of some rows as one array of a type, in memory of its own.

    So it is the same however the rows were cut. Raises InexactValue, naming the column.
    """
    chunks = [chunk for rows in parts for chunk in rows.columns[number].chunks if len(chunk)]
    try:
        return _joined([as_type(chunk, field.type) for chunk in chunks])
    except pa.ArrowException as reason:
        raise InexactValue(
            f"column {field.name!r} is of a type of which batches cannot be joined ({reason}); "
            "convert it to a plainer type before the yield"
        ) from None


def as_type(array: Any, arrow_type: Any) -> Any:
    """The array as the whole table has it, where a later batch has shown more."""
    if array.type == arrow_type:
        return array
    if pa.types.is_null(array.type) or pa.types.is_floating(array.type):
        # These are NaN among other objects, too. `pa.nulls` has other bits within nested types.
        return pa.array([None] * len(array), arrow_type)
    if pa.types.is_nested(array.type):  # a cast gives other bits beneath nulls
        return pa.array(array.to_pylist(), arrow_type)
    return array.cast(arrow_type)


_VIEWS = (
    (pa.types.is_string_view, pa.large_string()),
    (pa.types.is_binary_view, pa.large_binary()),
)


def _joined(chunks: list[Any]) -> Any:
    if pa.types.is_dictionary(chunks[0].type):
        # Codes keep their bits, those of nulls too, which Arrow's own function need not keep.
        codes = pa.concat_arrays([chunk.indices for chunk in chunks])
        first = chunks[0]
        return pa.DictionaryArray.from_arrays(
            codes, first.dictionary, ordered=first.type.ordered, safe=False
        )
    array = pa.concat_arrays(chunks)
    for is_view, plain in _VIEWS:
        if is_view(array.type):  # joined views keep all buffers of their sources
            array = array.cast(plain).cast(array.type)
    return read_only(own(array))
