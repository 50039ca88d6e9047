"""The steps of `pandas_pipeline` as a plain script: one process, which keeps every table.

The arguments are the folder of the data, and the one that gets the answers.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

from tpch_steps.pandas_pipeline import answers, joins, parts, tables

STEPS = (
    *(tables.lineitem, tables.orders, tables.customer),
    *(tables.supplier, tables.nation, tables.region),
    *(parts.items, parts.shipped, parts.builders, parts.asians, parts.orders_of_1994),
    *(joins.unshipped, joins.local_volume, joins.returned, joins.late_by_mail),
    *(answers.q01, answers.q03, answers.q05, answers.q10, answers.q12, answers.rows),
)

if __name__ == "__main__":
    data, out = Path(sys.argv[1]), Path(sys.argv[2])
    values: dict[str, Any] = {f"{file.stem}_file": file for file in data.glob("*.parquet")}
    for made in STEPS:
        values[made.__name__] = made(*(values[name] for name in inspect.signature(made).parameters))
    for query in ("q01", "q03", "q05", "q10", "q12"):
        values[query].to_parquet(out / f"{query}.parquet")
