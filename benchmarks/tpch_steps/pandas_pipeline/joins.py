"""The joins, each of the rows that a question is about."""

from __future__ import annotations

import pandas as pd
from flight_delays.checkpointing import step


@step
def unshipped(builders: pd.DataFrame, orders: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    date = pd.Timestamp("1995-03-15")
    early = orders[orders["o_orderdate"] < date]
    return builders.merge(early, left_on="c_custkey", right_on="o_custkey").merge(
        items[items["l_shipdate"] > date], left_on="o_orderkey", right_on="l_orderkey"
    )


@step
def local_volume(
    asians: pd.DataFrame,
    orders_of_1994: pd.DataFrame,
    items: pd.DataFrame,
    supplier: pd.DataFrame,
) -> pd.DataFrame:
    return (
        asians.merge(orders_of_1994, left_on="c_custkey", right_on="o_custkey")
        .merge(items, left_on="o_orderkey", right_on="l_orderkey")
        .merge(
            supplier, left_on=["l_suppkey", "c_nationkey"], right_on=["s_suppkey", "s_nationkey"]
        )
    )


@step
def returned(
    orders: pd.DataFrame, items: pd.DataFrame, customer: pd.DataFrame, nation: pd.DataFrame
) -> pd.DataFrame:
    began, ended = pd.Timestamp("1993-10-01"), pd.Timestamp("1994-01-01")
    quarter = orders[(orders["o_orderdate"] >= began) & (orders["o_orderdate"] < ended)]
    return (
        quarter.merge(
            items[items["l_returnflag"] == "R"], left_on="o_orderkey", right_on="l_orderkey"
        )
        .merge(customer, left_on="o_custkey", right_on="c_custkey")
        .merge(nation, left_on="c_nationkey", right_on="n_nationkey")
    )


@step
def late_by_mail(items: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    late = items[
        items["l_shipmode"].isin(["MAIL", "SHIP"])
        & (items["l_commitdate"] < items["l_receiptdate"])
        & (items["l_shipdate"] < items["l_commitdate"])
        & (items["l_receiptdate"] >= pd.Timestamp("1994-01-01"))
        & (items["l_receiptdate"] < pd.Timestamp("1995-01-01"))
    ]
    return late.merge(orders, left_on="l_orderkey", right_on="o_orderkey")
