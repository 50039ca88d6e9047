"""Q1, the pricing summary: one pass over nearly all of lineitem, four groups."""

from __future__ import annotations

from flight_delays.checkpointing import step
from pyspark.sql import DataFrame


@step
def q01(lineitem: DataFrame) -> DataFrame:
    # The mean of a decimal would have six digits after the point: too few for a discount.
    query = """
        select l_returnflag, l_linestatus,
            sum(l_quantity) as sum_qty,
            sum(l_extendedprice) as sum_base_price,
            sum(l_extendedprice * (1 - l_discount)) as sum_disc_price,
            sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) as sum_charge,
            avg(double(l_quantity)) as avg_qty,
            avg(double(l_extendedprice)) as avg_price,
            avg(double(l_discount)) as avg_disc,
            count(*) as count_order
        from {lineitem}
        where l_shipdate <= date '1998-09-02'
        group by all
        order by l_returnflag, l_linestatus
    """
    return lineitem.sparkSession.sql(query, lineitem=lineitem)
