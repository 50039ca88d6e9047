"""Q3, the shipping priority: the ten unshipped orders of most revenue."""

from __future__ import annotations

from flight_delays.checkpointing import step
from pyspark.sql import DataFrame


@step
def q03(customer: DataFrame, orders: DataFrame, lineitem: DataFrame) -> DataFrame:
    query = """
        select l_orderkey, sum(l_extendedprice * (1 - l_discount)) as revenue,
            o_orderdate, o_shippriority
        from {customer}
        join {orders} on c_custkey = o_custkey
        join {lineitem} on l_orderkey = o_orderkey
        where c_mktsegment = 'BUILDING'
            and o_orderdate < date '1995-03-15' and l_shipdate > date '1995-03-15'
        group by all
        order by revenue desc, o_orderdate
        limit 10
    """
    return customer.sparkSession.sql(query, customer=customer, orders=orders, lineitem=lineitem)
