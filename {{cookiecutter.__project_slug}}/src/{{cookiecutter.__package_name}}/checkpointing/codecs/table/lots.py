"""Which columns of a frozen frame lie in one piece of memory, as rows of one array.

This is noted when a wide frame is frozen or first thawed, so that nobody has to look at thousands
of columns again. It is known of the very table, as long as the table lives; of one that is made
of it, such as a slice, nothing is known.
"""

from __future__ import annotations

import weakref
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class Lot(NamedTuple):
    """Columns of one dtype in one piece of memory."""

    values: npt.NDArray[Any]
    """A read-only view, with a row for each column."""

    places: npt.NDArray[np.intp]
    """The positions of the columns in the frame."""

    def is_in(self, table: Any) -> bool:
        """Whether this is all the memory of several columns of a table.

        What was joined or filled for a frame is a copy, but that is never several columns in one
        piece. A column may have a bitmap elsewhere.
        """
        columns = [table.column(place) for place in self.places.tolist()]
        return len(columns) > 1 and all(c.chunk(0).buffers()[0] is None for c in columns)


_known: dict[int, tuple[weakref.ref[Any], list[Lot]]] = {}


def note_lots(table: Any, lots: list[Lot]) -> None:
    """Note lots of a frozen table, besides those that are known."""
    number, lots = id(table), [*lots_of(table), *(lot for lot in lots if lot.values.nbytes)]
    if lots:
        _known[number] = weakref.ref(table, lambda _: _known.pop(number, None)), lots


def rest_of(table: Any) -> list[Any]:
    """The columns of a table that are in no lot that is known."""
    known = (lot.places.tolist() for lot in lots_of(table))
    return [table.column(n) for n in sorted({*range(table.num_columns)}.difference(*known))]


def lots_bytes(table: Any) -> int:
    """The bytes of the columns of a table that are in known lots."""
    return sum(lot.values.nbytes for lot in lots_of(table))


def lots_of(table: Any) -> list[Lot]:
    """The lots of a frozen table, as far as they are known."""
    reference, lots = _known.get(id(table), (None, []))
    return lots if reference is not None and reference() is table else []
