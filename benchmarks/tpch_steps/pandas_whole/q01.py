"""Q1, the pricing summary: one pass over nearly all of lineitem, four groups."""

from __future__ import annotations

from typing import Annotated

import pandas as pd
from flight_delays.checkpointing import Columns, step

from tpch_steps.exact import CENTS


@step
def q01(
    lineitem: Annotated[
        pd.DataFrame,
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
    shipped = lineitem[lineitem["l_shipdate"] <= pd.Timestamp("1998-09-02")]
    disc_price = shipped["l_extendedprice"] * (CENTS - shipped["l_discount"])
    sums = (
        shipped.assign(disc_price=disc_price, charge=disc_price * (CENTS + shipped["l_tax"]))
        .groupby(["l_returnflag", "l_linestatus"], as_index=False)
        .agg(
            sum_qty=("l_quantity", "sum"),
            sum_base_price=("l_extendedprice", "sum"),
            sum_disc_price=("disc_price", "sum"),
            sum_charge=("charge", "sum"),
            sum_disc=("l_discount", "sum"),
            count_order=("l_quantity", "size"),
        )
    )
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
