"""The answers, and one line of each."""

from __future__ import annotations

import pandas as pd
from flight_delays.checkpointing import step

from tpch_steps.exact import CENTS

_OF_CUSTOMER = ["c_custkey", "c_name", "c_acctbal", "c_phone", "n_name", "c_address", "c_comment"]


@step
def q01(shipped: pd.DataFrame) -> pd.DataFrame:
    sums = shipped.groupby(["l_returnflag", "l_linestatus"], as_index=False).agg(
        sum_qty=("l_quantity", "sum"),
        sum_base_price=("l_extendedprice", "sum"),
        sum_disc_price=("disc_price", "sum"),
        sum_charge=("charge", "sum"),
        sum_disc=("l_discount", "sum"),
        count_order=("l_quantity", "size"),
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


def _revenue(joined: pd.DataFrame, by: list[str], order: dict[str, bool]) -> pd.DataFrame:
    """The revenue of each group, in the order of some columns, each upwards or not."""
    sums = joined.groupby(by, as_index=False)[["disc_price"]].sum()
    sums = sums.rename(columns={"disc_price": "revenue"})
    ordered = sums.sort_values(list(order), ascending=list(order.values()), ignore_index=True)
    return ordered.assign(revenue=ordered["revenue"] / CENTS**2)


@step
def q03(unshipped: pd.DataFrame) -> pd.DataFrame:
    by = ["l_orderkey", "o_orderdate", "o_shippriority"]
    return _revenue(unshipped, by, {"revenue": False, "o_orderdate": True}).head(10)


@step
def q05(local_volume: pd.DataFrame) -> pd.DataFrame:
    return _revenue(local_volume, ["n_name"], {"revenue": False})


@step
def q10(returned: pd.DataFrame) -> pd.DataFrame:
    found = _revenue(returned, _OF_CUSTOMER, {"revenue": False}).head(20)
    return found.assign(c_acctbal=found["c_acctbal"] / CENTS)


@step
def q12(late_by_mail: pd.DataFrame) -> pd.DataFrame:
    is_high = late_by_mail["o_orderpriority"].isin(["1-URGENT", "2-HIGH"])
    return (
        late_by_mail.assign(
            high_line_count=is_high.astype(int), low_line_count=(~is_high).astype(int)
        )
        .groupby("l_shipmode", as_index=False)[["high_line_count", "low_line_count"]]
        .sum()
    )


@step
def rows(
    q01: pd.DataFrame, q03: pd.DataFrame, q05: pd.DataFrame, q10: pd.DataFrame, q12: pd.DataFrame
) -> pd.DataFrame:
    """How many rows each answer has."""
    answers = {"q01": q01, "q03": q03, "q05": q05, "q10": q10, "q12": q12}
    return pd.DataFrame({"rows": {name: len(answer) for name, answer in answers.items()}})
