"""Segment 1, read: what the tools wrote for each sample, as one table a tool."""

from pathlib import Path

import pandas as pd

from ..callers import Caller, with_depths
from ..checkpointing import step

FIRST_ONLY = ["ALT", "GENE", "EFFECT", "HGVS_C", "HGVS_P"]
AMINO_ACIDS = {
    "Ala": "A", "Arg": "R", "Asn": "N", "Asp": "D", "Cys": "C", "Gln": "Q", "Glu": "E", "Gly": "G",
    "His": "H", "Ile": "I", "Leu": "L", "Lys": "K", "Met": "M", "Phe": "F", "Pro": "P", "Pyl": "O",
    "Ser": "S", "Sec": "U", "Thr": "T", "Trp": "W", "Tyr": "Y", "Val": "V", "Asx": "B", "Glx": "Z",
    "Xaa": "X", "Xle": "J", "Ter": "*",
}  # fmt: skip


@step
def samples(calls_files: list[Path], effects_files: list[Path]) -> list[str]:
    """The names of all samples; refused if a file is missing."""
    called, explained = ({sample(file) for file in files} for files in (calls_files, effects_files))
    if called != explained:
        raise ValueError(f"calls or effects are missing of {sorted(called ^ explained)}")
    return sorted(called)


@step
def calls(samples: list[str], calls_files: list[Path], caller: Caller) -> pd.DataFrame:
    """The variants of all samples that have any: a row for each, with its depths."""
    files = {sample(file): file for file in calls_files}
    tables = []
    for name in samples:
        table = pd.read_table(files[name]).dropna(how="all", axis=1)
        table = table.rename(columns=lambda label: label.split("]")[-1].split(":")[-1])
        if not table.empty:
            table = with_depths(table, caller)
            table.insert(0, "SAMPLE", name)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


@step
def effects(effects_files: list[Path]) -> pd.DataFrame:
    """What SnpSift says of each variant: of several genes or proteins the first."""
    names = ["CHROM", "POS", "REF", *FIRST_ONLY]
    tables = []
    for file in effects_files:
        table = pd.read_table(file).rename(columns=lambda label: label.replace("ANN[*].", ""))[
            names
        ]
        tables.append(table.assign(SAMPLE=sample(file)))
    merged = pd.concat(tables, ignore_index=True)
    first = {name: merged[name].fillna("nan").str.split(",").str[0] for name in FIRST_ONLY}
    return merged.assign(**first, HGVS_P_1LETTER=first["HGVS_P"].map(one_letter))


@step
def lineages(lineage_files: list[Path]) -> dict[str, str]:
    """Pangolin's lineage of each sample."""
    return {sample(file): str(pd.read_csv(file)["lineage"].iloc[0]) for file in lineage_files}


def sample(file: Path) -> str:
    """The name of the sample that a file is about."""
    return file.name.partition(".")[0]


def one_letter(protein: str) -> str:
    """A change of a protein with its amino acids as single letters: `p.D614G`."""
    for three, letter in AMINO_ACIDS.items():
        protein = protein.replace(three, letter)
    return protein
