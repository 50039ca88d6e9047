"""A frozen table as the DataFrame that people expect in a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from ...base.errors import InexactValue
from ..on_disk import OnDisk
from ..table.arrow import recipe_of
from ..table.batches import parts_of, slices
from ..table.frames import thaw_frame


def for_people(frozen: Any) -> pd.DataFrame:
    """The table as a frame whose index needs no column any more.

    Row numbers are left out: an unnamed index of whole numbers, a range or what filtering left of
    one. Any other index becomes the first columns.

    Raises InexactValue if a level of the index is named like a column.
    """
    if recipe_of(frozen) is None:
        return frozen.to_pandas(types_mapper=pd.ArrowDtype)  # type: ignore[no-any-return]
    frame = thaw_frame(frozen)
    if _are_row_numbers(frame.index):
        return frame
    try:
        return frame.reset_index(allow_duplicates=False)
    except ValueError as error:
        raise InexactValue(
            f"the index cannot become columns of the file ({error}); rename it with "
            "rename_axis(...), or drop it with reset_index(drop=True)"
        ) from None


def parts_for_people(frozen: Any, rows: int) -> Iterator[pd.DataFrame]:
    """The table in frames of as many rows each, as `for_people` gives it; at least one."""
    is_frame = not isinstance(frozen, OnDisk) and recipe_of(frozen) is not None
    yield from map(for_people, slices(frozen, lambda: rows) if is_frame else parts_of(frozen, rows))


def plain_labels(frame: pd.DataFrame) -> list[str]:
    """The column labels as text, each once. Raises InexactValue."""
    if isinstance(frame.columns, pd.MultiIndex):
        raise InexactValue(
            "the columns have labels of several levels, for which this kind of file has no place; "
            'join them first: `frame.columns = frame.columns.map("_".join)`'
        )
    labels = [str(label) for label in frame.columns]
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        raise InexactValue(
            f"several columns are named {twice[0]!r}; give every column a name of its own"
        )
    return labels


def _are_row_numbers(index: pd.Index[Any]) -> bool:
    return (
        not isinstance(index, pd.MultiIndex)
        and index.name is None
        and pd.api.types.is_integer_dtype(index.dtype)
    )
