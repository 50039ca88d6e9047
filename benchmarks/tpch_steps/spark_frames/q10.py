"""Q10, the returned items: the twenty customers who cost most revenue."""

from __future__ import annotations

from flight_delays.checkpointing import step
from pyspark.sql import DataFrame


@step
def q10(
    customer: DataFrame, orders: DataFrame, lineitem: DataFrame, nation: DataFrame
) -> DataFrame:
    query = """
        select c_custkey, c_name, sum(l_extendedprice * (1 - l_discount)) as revenue,
            c_acctbal, n_name, c_address, c_phone, c_comment
        from {customer}
        join {orders} on c_custkey = o_custkey
        join {lineitem} on l_orderkey = o_orderkey
        join {nation} on c_nationkey = n_nationkey
        where l_returnflag = 'R'
            and o_orderdate >= date '1993-10-01' and o_orderdate < date '1994-01-01'
        group by all
        order by revenue desc
        limit 20
    """
    return customer.sparkSession.sql(
        query, customer=customer, orders=orders, lineitem=lineitem, nation=nation
    )
