"""Sales, in SQL over tables and files that the step is given."""

from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
from flight_delays.checkpointing import step

TOTALS = """
    SELECT store, date_trunc('month', day) AS month, sum(amount) AS amount
    FROM sales JOIN stores USING (store)
    WHERE day >= ? AND region <> 'test'
    GROUP BY ALL
"""


@step
def sales(sales_folder: Path) -> duckdb.DuckDBPyRelation:
    """All sales, read by the engine when they are needed."""
    return duckdb.read_parquet(str(sales_folder / "*.parquet")).filter("amount is not null")


@step
def stores(stores_file: Path) -> pd.DataFrame:
    """The stores, with regions in lower case."""
    query = f"SELECT store, lower(region) AS region FROM read_csv('{stores_file}', header = true)"
    return duckdb.sql(query).df()


@step
def monthly_sales(
    sales: duckdb.DuckDBPyRelation, stores: pd.DataFrame, first_day: date
) -> pd.DataFrame:
    """Sales of each store by month, from the first day on."""
    with duckdb.connect() as database:
        database.register("sales", sales.arrow())
        database.register("stores", stores)
        return database.execute(TOTALS, [first_day]).df()


@step
def ranked(monthly_sales: pd.DataFrame, rows: int) -> pd.DataFrame:
    """The best stores of each month, and how they were a month before."""
    return duckdb.sql(
        f"""
        SELECT *, lag(amount) OVER (PARTITION BY store ORDER BY month) AS before
        FROM monthly_sales
        QUALIFY row_number() OVER (PARTITION BY month ORDER BY amount DESC) <= {rows}
        """
    ).df()


@step
def spilled(sales: duckdb.DuckDBPyRelation, workdir: Path, memory: str) -> Path:
    """The sales sorted by store: more than memory holds, so the engine may spill."""
    target = workdir / "sorted.parquet"
    database = duckdb.connect(str(workdir / "scratch.duckdb"))
    database.execute(f"SET memory_limit = '{memory}'; SET temp_directory = '{workdir}/spill'")
    database.execute(f"COPY (SELECT * FROM sales ORDER BY store) TO '{target}' (FORMAT parquet)")
    database.close()
    return target


@step
def from_query_file(monthly_sales: pd.DataFrame) -> pd.DataFrame:
    """What the query beside the code asks for."""
    query = (Path(__file__).parent / "growth.sql").read_text(encoding="utf-8")
    return duckdb.query_df(monthly_sales, "monthly_sales", query).df()
