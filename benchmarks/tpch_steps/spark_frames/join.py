"""All columns of lineitem beside those of its order: the widest table, and no aggregate."""

from __future__ import annotations

from flight_delays.checkpointing import step
from pyspark.sql import DataFrame


@step
def joined(lineitem: DataFrame, orders: DataFrame) -> DataFrame:
    query = "select * from {lineitem} join {orders} on l_orderkey = o_orderkey"
    return lineitem.sparkSession.sql(query, lineitem=lineitem, orders=orders)


@step
def join(joined: DataFrame) -> DataFrame:
    query = """
        select count(*) as rows, sum(l_extendedprice) as price, sum(o_totalprice) as total_price,
            count(distinct o_clerk) as clerks
        from {joined}
    """
    return joined.sparkSession.sql(query, joined=joined)
