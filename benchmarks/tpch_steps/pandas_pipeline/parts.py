"""What several questions ask for: prices worked out, and the rows of a year or a kind."""

from __future__ import annotations

import pandas as pd
from flight_delays.checkpointing import step

from tpch_steps.exact import CENTS


@step
def items(lineitem: pd.DataFrame) -> pd.DataFrame:
    """The items of orders with their price after the discount."""
    price = lineitem["l_extendedprice"] * (CENTS - lineitem["l_discount"])
    return lineitem.assign(disc_price=price, charge=price * (CENTS + lineitem["l_tax"]))


@step
def shipped(items: pd.DataFrame) -> pd.DataFrame:
    return items[items["l_shipdate"] <= pd.Timestamp("1998-09-02")]


@step
def builders(customer: pd.DataFrame) -> pd.DataFrame:
    return customer[customer["c_mktsegment"] == "BUILDING"]


@step
def asians(region: pd.DataFrame, nation: pd.DataFrame, customer: pd.DataFrame) -> pd.DataFrame:
    """The customers of the nations of Asia."""
    nations = region[region["r_name"] == "ASIA"].merge(
        nation, left_on="r_regionkey", right_on="n_regionkey"
    )
    return nations.merge(customer, left_on="n_nationkey", right_on="c_nationkey")


@step
def orders_of_1994(orders: pd.DataFrame) -> pd.DataFrame:
    began, ended = pd.Timestamp("1994-01-01"), pd.Timestamp("1995-01-01")
    return orders[(orders["o_orderdate"] >= began) & (orders["o_orderdate"] < ended)]
