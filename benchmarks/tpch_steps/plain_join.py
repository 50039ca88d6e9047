"""The join as a plain script of pandas, of the files in a folder that is its argument.

`read_parquet` makes an object of every decimal and date, as it does where nobody says otherwise.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

folder = Path(sys.argv[1])
lineitem = pd.read_parquet(folder / "lineitem.parquet")
orders = pd.read_parquet(folder / "orders.parquet")
joined = lineitem.merge(orders, left_on="l_orderkey", right_on="o_orderkey")
print(len(joined))
