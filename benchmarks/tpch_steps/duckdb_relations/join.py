"""All columns of lineitem beside those of its order: the widest table, and no aggregate."""

from __future__ import annotations

import duckdb
from flight_delays.checkpointing import step


@step
def joined(
    lineitem: duckdb.DuckDBPyRelation, orders: duckdb.DuckDBPyRelation
) -> duckdb.DuckDBPyRelation:
    return duckdb.sql("select * from lineitem join orders on l_orderkey = o_orderkey")


@step
def join(joined: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    return duckdb.sql("""
        select count(*) as rows, sum(l_extendedprice) as price, sum(o_totalprice) as total_price,
            count(distinct o_clerk) as clerks
        from joined
    """)
