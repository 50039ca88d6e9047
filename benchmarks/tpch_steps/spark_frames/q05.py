"""Q5, the volume of local suppliers: a join of all six tables."""

from __future__ import annotations

from flight_delays.checkpointing import step
from pyspark.sql import DataFrame


@step
def q05(
    customer: DataFrame,
    orders: DataFrame,
    lineitem: DataFrame,
    supplier: DataFrame,
    nation: DataFrame,
    region: DataFrame,
) -> DataFrame:
    query = """
        select n_name, sum(l_extendedprice * (1 - l_discount)) as revenue
        from {customer}
        join {orders} on c_custkey = o_custkey
        join {lineitem} on l_orderkey = o_orderkey
        join {supplier} on l_suppkey = s_suppkey and c_nationkey = s_nationkey
        join {nation} on s_nationkey = n_nationkey
        join {region} on n_regionkey = r_regionkey
        where r_name = 'ASIA'
            and o_orderdate >= date '1994-01-01' and o_orderdate < date '1995-01-01'
        group by all
        order by revenue desc
    """
    return customer.sparkSession.sql(
        query,
        customer=customer,
        orders=orders,
        lineitem=lineitem,
        supplier=supplier,
        nation=nation,
        region=region,
    )
