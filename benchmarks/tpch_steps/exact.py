"""The types in which pandas computes with the columns of TPC-H exactly."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

CENTS = 100
"""How many units of a price, quantity, discount or tax make one: they are kept as whole numbers."""


def exact(table: Any) -> Any:
    """A table or record batch, with whole hundredths for decimals, and timestamps for dates.

    pandas has no decimals but Python's own, each an object. Whole numbers are as exact, and fast:
    a sum of products of three of them stays below 2^63 up to scale 10.
    """
    columns = [_exact(column) for column in table.columns]
    return type(table).from_arrays(columns, names=table.schema.names)


def _exact(column: Any) -> Any:
    if pa.types.is_decimal(column.type):
        return pc.multiply(column, pa.scalar(CENTS, pa.decimal128(3))).cast(pa.int64())
    if pa.types.is_date(column.type):
        return column.cast(pa.timestamp("s"))
    if pa.types.is_string_view(column.type):
        return column.cast(pa.large_string())
    return column
