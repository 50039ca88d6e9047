"""The depths of reads, as each variant caller writes them."""

from typing import Literal

import pandas as pd

Caller = Literal["ivar", "bcftools", "nanopolish", "medaka"]


def with_depths(table: pd.DataFrame, caller: Caller) -> pd.DataFrame:
    """The calls of one sample with DP, REF_DP and ALT_DP as numbers, and AF = ALT_DP / DP.

    `REF_DP` stays text where a caller writes it beside `ALT_DP` in one column.
    """
    match caller:
        case "bcftools":
            table = _split(table, "AD")
        case "medaka":
            table = _split(table, "AC")
        case "nanopolish":
            table = _by_strand(table)
        case "ivar":
            pass
    alt, depth = pd.to_numeric(table["ALT_DP"]), pd.to_numeric(table["DP"])
    return table.assign(ALT_DP=alt, DP=depth, AF=(alt / depth).round(2))


def _split(table: pd.DataFrame, column: str) -> pd.DataFrame:
    pairs = table[column].str.split(",", expand=True)
    return table.drop(columns=column).assign(REF_DP=pairs[0], ALT_DP=pairs[1])


def _by_strand(table: pd.DataFrame) -> pd.DataFrame:
    """The column holds reads of the reference, forward and reverse, then of the variant."""
    reads = table["StrandSupport"].str.split(",", expand=True).apply(pd.to_numeric)
    ref, alt = reads[0] + reads[1], reads[2] + reads[3]
    return table.drop(columns="StrandSupport").assign(DP=ref + alt, REF_DP=ref, ALT_DP=alt)
