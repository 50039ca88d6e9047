"""DuckDB, with a relation."""

from __future__ import annotations

import duckdb
from flight_delays.checkpointing import step


@step
def by_duckdb(lines: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    return duckdb.sql("""
        select carrier, count(*) as flights, cast(sum(distance) as bigint) as distance,
            max(delay) as delay, max(departure) as departure
        from lines
        where delay > 0
        group by carrier
        order by carrier
    """)
