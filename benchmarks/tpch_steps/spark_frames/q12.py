"""Q12, the shipping modes and the priority of orders that arrived late."""

from __future__ import annotations

from flight_delays.checkpointing import step
from pyspark.sql import DataFrame


@step
def q12(orders: DataFrame, lineitem: DataFrame) -> DataFrame:
    query = """
        select l_shipmode,
            count(*) filter (where o_orderpriority in ('1-URGENT', '2-HIGH')) as high_line_count,
            count(*) filter (where o_orderpriority not in ('1-URGENT', '2-HIGH')) as low_line_count
        from {orders}
        join {lineitem} on o_orderkey = l_orderkey
        where l_shipmode in ('MAIL', 'SHIP')
            and l_commitdate < l_receiptdate and l_shipdate < l_commitdate
            and l_receiptdate >= date '1994-01-01' and l_receiptdate < date '1995-01-01'
        group by all
        order by l_shipmode
    """
    return orders.sparkSession.sql(query, orders=orders, lineitem=lineitem)
