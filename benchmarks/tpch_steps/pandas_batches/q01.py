"""Q1, the pricing summary: one pass over nearly all of lineitem, four groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import pandas as pd
from flight_delays.checkpointing import Columns, step

from tpch_steps.exact import CENTS

_KEYS = ["l_returnflag", "l_linestatus"]


@step
def q01(
    lineitem: Annotated[
        Iterator[pd.DataFrame],
        Columns(
            "l_returnflag",
            "l_linestatus",
            "l_quantity",
            "l_extendedprice",
            "l_discount",
            "l_tax",
            "l_shipdate",
        ),
    ],
) -> pd.DataFrame:
    parts = pd.concat(map(_sums, lineitem))
    sums = parts.groupby(_KEYS, as_index=False).sum()
    return pd.DataFrame(
        {
            "l_returnflag": sums["l_returnflag"],
            "l_linestatus": sums["l_linestatus"],
            "sum_qty": sums["sum_qty"] / CENTS,
            "sum_base_price": sums["sum_base_price"] / CENTS,
            "sum_disc_price": sums["sum_disc_price"] / CENTS**2,
            "sum_charge": sums["sum_charge"] / CENTS**3,
            "avg_qty": sums["sum_qty"] / CENTS / sums["count_order"],
            "avg_price": sums["sum_base_price"] / CENTS / sums["count_order"],
            "avg_disc": sums["sum_disc"] / CENTS / sums["count_order"],
            "count_order": sums["count_order"],
        }
    )


def _sums(lineitem: pd.DataFrame) -> pd.DataFrame:
    """Sums and numbers of rows, which add up over batches as means do not."""
    shipped = lineitem[lineitem["l_shipdate"] <= pd.Timestamp("1998-09-02")]
    disc_price = shipped["l_extendedprice"] * (CENTS - shipped["l_discount"])
    return (
        shipped.assign(disc_price=disc_price, charge=disc_price * (CENTS + shipped["l_tax"]))
        .groupby(_KEYS, as_index=False)
        .agg(
            sum_qty=("l_quantity", "sum"),
            sum_base_price=("l_extendedprice", "sum"),
            sum_disc_price=("disc_price", "sum"),
            sum_charge=("charge", "sum"),
            sum_disc=("l_discount", "sum"),
            count_order=("l_quantity", "size"),
        )
    )
