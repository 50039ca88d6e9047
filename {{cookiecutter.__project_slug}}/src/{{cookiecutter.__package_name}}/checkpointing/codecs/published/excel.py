"""Excel workbooks, by XlsxWriter: a sheet with a header and a row for each row of the table."""

from __future__ import annotations

import io
import warnings
from datetime import datetime
from typing import Any, BinaryIO

import pandas as pd

from ...base.errors import InexactValue
from ..table.batches import rows_of, whole_of
from .frames import for_people, plain_labels

MOST_ROWS = 1_048_575  # below the header
MOST_COLUMNS = 16_384
MOST_CHARACTERS = 32_767  # of a cell

_MADE = datetime(2000, 1, 1)  # noqa: DTZ001 what a workbook says of its making, always the same
_AS_TEXT = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}


def write(frozen: Any, file: BinaryIO) -> None:
    """Write a workbook with one sheet, always the same bytes for the same table.

    Raises InexactValue, before anything is written, for what a sheet has no place for.
    """
    rows = rows_of(frozen)
    if rows > MOST_ROWS:
        raise InexactValue(
            f"the table has {rows:,} rows, and a sheet has room for {MOST_ROWS:,}; "
            "publish it as .csv or .parquet, or fewer rows of it"
        )
    frame = for_people(whole_of(frozen))
    labels = plain_labels(frame)
    if len(labels) > MOST_COLUMNS:
        raise InexactValue(
            f"the table has {len(labels):,} columns, and a sheet has room for {MOST_COLUMNS:,}; "
            "publish it as .csv or .parquet, or fewer columns of it"
        )
    frame.columns = pd.Index(labels, dtype=object)
    for label in labels:
        frame[label] = _cells(frame[label], label)
    written = io.BytesIO()
    options: dict[str, Any] = {"options": {**_AS_TEXT, "nan_inf_to_errors": False}}
    with (
        warnings.catch_warnings(action="error"),
        pd.ExcelWriter(written, engine="xlsxwriter", engine_kwargs=options) as writer,
    ):
        writer.book.set_properties({"created": _MADE})
        frame.to_excel(writer, index=False)
    file.write(written.getvalue())


def _cells(column: pd.Series[Any], label: str) -> pd.Series[Any]:
    """A column as a sheet takes it. Raises InexactValue."""
    kind = column.dtype
    if isinstance(kind, pd.ArrowDtype):
        column = column.astype(object)
        kind = column.dtype
    if isinstance(kind, pd.DatetimeTZDtype) or any(map(_has_zone, _objects(column))):
        raise InexactValue(
            f"column {label!r} has a time zone, which Excel does not know; convert it: "
            f'frame[{label!r}].dt.tz_convert("UTC").dt.tz_localize(None)'
        )
    if isinstance(kind, pd.PeriodDtype | pd.IntervalDtype):
        column = column.astype(str)
    longest = max((len(v) for v in _objects(column) if isinstance(v, str)), default=0)
    if longest > MOST_CHARACTERS:
        raise InexactValue(
            f"column {label!r} has a text of {longest:,} characters, and a cell has room for "
            f"{MOST_CHARACTERS:,}; publish the table as .csv or .parquet, or shorten the text"
        )
    return column.map(_as_text) if pd.api.types.is_object_dtype(kind) else column


def _objects(column: pd.Series[Any]) -> list[Any]:
    numeric = pd.api.types.is_numeric_dtype(column.dtype)
    return [] if numeric or pd.api.types.is_datetime64_dtype(column.dtype) else column.tolist()


def _has_zone(value: Any) -> bool:
    return isinstance(value, datetime) and value.tzinfo is not None


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, list | dict | bytes) else value
