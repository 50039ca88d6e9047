"""Q5, the volume of local suppliers: a join of all six tables."""

from __future__ import annotations

import duckdb
from flight_delays.checkpointing import step


@step
def q05(
    customer: duckdb.DuckDBPyRelation,
    orders: duckdb.DuckDBPyRelation,
    lineitem: duckdb.DuckDBPyRelation,
    supplier: duckdb.DuckDBPyRelation,
    nation: duckdb.DuckDBPyRelation,
    region: duckdb.DuckDBPyRelation,
) -> duckdb.DuckDBPyRelation:
    return duckdb.sql("""
        select n_name, sum(l_extendedprice * (1 - l_discount)) as revenue
        from customer
        join orders on c_custkey = o_custkey
        join lineitem on l_orderkey = o_orderkey
        join supplier on l_suppkey = s_suppkey and c_nationkey = s_nationkey
        join nation on s_nationkey = n_nationkey
        join region on n_regionkey = r_regionkey
        where r_name = 'ASIA'
            and o_orderdate >= date '1994-01-01' and o_orderdate < date '1995-01-01'
        group by all
        order by revenue desc
    """)
