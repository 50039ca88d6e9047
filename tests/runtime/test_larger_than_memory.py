"""The steps on the page `larger-than-memory.md` run as they stand, whatever their batches are."""

from __future__ import annotations

import re

import pytest

from ..conftest import TEMPLATE
from ..marks import in_exhaustive
from .conftest import Project

PAGE = (TEMPLATE / "docs" / "larger-than-memory.md").read_text(encoding="utf-8")
STEPS = "\n\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
IMPORTS = """
from collections import Counter
from collections.abc import Iterator
import math
import duckdb
import polars as pl
from ..checkpointing import Batches
"""
MADE = """
@step
def flights(rows: int) -> pd.DataFrame:
    numbers = np.arange(rows)
    return pd.DataFrame(
        {
            "carrier": np.array(["AA", "UA", "DL"])[numbers % 3],
            "delay": numbers * 7919 % 90 - 20,
            "miles": numbers * 0.1 + 1 / 3,
            "minute": numbers * 3 + numbers % 7,
            "day": numbers // 100,
        }
    )
"""
IN_BATCHES = re.compile(r"flights: Iterator\[pd\.DataFrame\]")


@pytest.mark.parametrize("sizes", [(7, 10_000), *in_exhaustive((1, 2, 99, 100, 101, 500))])
def test_the_steps_of_the_page_give_the_same_for_each_size_of_batches(
    project: Project, sizes: tuple[int, ...]
) -> None:
    assert len(IN_BATCHES.findall(STEPS)) >= 5
    made: list[dict[str, str]] = []
    for rows in sizes:
        taken = f"flights: Annotated[Iterator[pd.DataFrame], Batches(rows={rows})]"
        project.segments(s01=MADE, s02=IMPORTS + IN_BATCHES.sub(taken, STEPS))
        project.write("pipeline.toml", "[params]\nrows = 500\n")
        record = project.run("--fresh")  # the size of batches is in no key
        assert record["exit_code"] == 0, record.get("error")
        kept = project.manifests()["s02"]
        made.append({name: r["checksum"] for name, r in (kept["outputs"] | kept["values"]).items()})
    assert len(made[0]) >= 8
    assert made == [made[0]] * len(made)
