"""Segment 2, table: all that is known of each variant, in one row."""

from pathlib import Path

import pandas as pd

from ..callers import Caller
from ..checkpointing import step


@step
def long_table(
    calls: pd.DataFrame, effects: pd.DataFrame, lineages: dict[str, str], caller: Caller
) -> pd.DataFrame:
    """A row for each variant of each sample, with its effect and the sample's lineage."""
    called = effects[effects["SAMPLE"].isin(calls["SAMPLE"])]
    merged = calls.merge(called, how="outer")
    return merged.assign(CALLER=caller, LINEAGE=merged["SAMPLE"].map(lineages))


@step
def long_csv(long_table: pd.DataFrame, workdir: Path) -> Path:
    """The table as a CSV file that Excel reads as UTF-8."""
    file = workdir / "variants_long_table.csv"
    long_table.to_csv(file, index=False, encoding="utf-8-sig")
    return file
