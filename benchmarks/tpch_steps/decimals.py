"""Decimals in polars, whose products have no more digits after the point than their factors."""

from __future__ import annotations

import polars as pl


def price(digits: int) -> pl.Expr:
    """The extended price with that many digits after the point, for products of that many.

    polars rounds each product to the longer of its two factors: 9.99 × 0.95 is 9.49.
    """
    return pl.col("l_extendedprice").cast(pl.Decimal(38, digits))
