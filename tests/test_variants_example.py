"""The ported script of docs/examples runs, and gives what a plain script gives from its data."""

from __future__ import annotations

import csv
import io
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from .conftest import ROOT, Bakery, Project
from .marks import in_slow
from .test_documentation import type_in

EXAMPLE = ROOT / "docs" / "examples" / "variants"
ACIDS = {"Asp": "D", "Gly": "G", "Asn": "N", "Tyr": "Y", "Gln": "Q", "Ter": "*"}


def example(bakery: Bakery, caller: str) -> Project:
    """A project with the example in the place of the sample, as its page says."""
    project = bakery.bake()
    for path in ("segments/s0*.py", "airspace.py", "charts.py"):
        for file in project.package.glob(path):
            file.unlink()
    shutil.copytree(EXAMPLE / "src", project.package, dirs_exist_ok=True)
    shutil.copy(EXAMPLE / "pipeline.toml", project.folder)
    made = project.folder / "data" / "raw"
    type_in(f"{sys.executable} {EXAMPLE}/make_data.py {made} --caller {caller}", project)
    return project


def plain_script(raw: Path, caller: str) -> str:
    """The table, made sample by sample and row by row, without pandas."""
    rows: list[dict[str, str]] = []
    for file in sorted(raw.glob("bcftools_query/*")):
        sample = file.name.split(".")[0]
        effects = {tuple(list(row.values())[:4]): row for row in read(raw, "snpsift", sample)}
        [pangolin] = csv.DictReader((raw / f"pangolin/{sample}.pangolin.csv").open())
        for call in read(raw, "bcftools_query", sample):
            named = {name.split("]")[-1].split(":")[-1]: cell for name, cell in call.items()}
            row = {"SAMPLE": sample} | depths(named, caller)
            effect = effects.get(tuple(list(call.values())[:4]))
            for name in ("GENE", "EFFECT", "HGVS_C", "HGVS_P"):
                cell = effect[f"ANN[*].{name}"].split(",")[0] or "nan" if effect else ""
                row[name] = cell
            for three, letter in ACIDS.items():
                cell = cell.replace(three, letter)
            row["HGVS_P_1LETTER"] = cell
            rows.append(row | {"CALLER": caller, "LINEAGE": pangolin["lineage"]})
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def read(raw: Path, tool: str, sample: str) -> list[dict[str, str]]:
    [file] = raw.glob(f"{tool}/{sample}.*")
    head, *lines = [line.rstrip("\n").removesuffix("\t") for line in file.open()]
    return [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines]


def depths(call: dict[str, str], caller: str) -> dict[str, str]:
    """The call with DP, REF_DP, ALT_DP and AF, in the order in which the script writes them."""
    match caller:
        case "bcftools" | "medaka":
            call["REF_DP"], call["ALT_DP"] = call.pop("AD" if caller == "bcftools" else "AC").split(
                ","
            )
        case "nanopolish":
            reads = [int(number) for number in call.pop("StrandSupport").split(",")]
            pairs = {"REF_DP": reads[0] + reads[1], "ALT_DP": reads[2] + reads[3]}
            call |= {"DP": str(sum(reads))} | {name: str(depth) for name, depth in pairs.items()}
    share = float(np.round(int(call["ALT_DP"]) / int(call["DP"]), 2))
    return call | {"AF": repr(share)}


@pytest.mark.parametrize("caller", ["ivar", *in_slow("bcftools", "medaka", "nanopolish")])
def test_the_ported_script_gives_what_a_plain_script_gives(bakery: Bakery, caller: str) -> None:
    project = example(bakery, caller)

    type_in(f"uv run flight-delays run --set caller={caller}", project)

    made = (project.folder / "data/out/variants_long_table.csv").read_bytes().decode("utf-8-sig")
    plain = plain_script(project.folder / "data" / "raw", caller)
    assert len(plain.splitlines()) == 19
    assert made == plain


@pytest.mark.slow
def test_the_ported_script_passes_the_project_s_own_checks(bakery: Bakery) -> None:
    project = example(bakery, "ivar")
    package = project.package.relative_to(project.folder)
    for command in (
        f"ruff format --check {package}",
        f"ruff check {package}",
        f"mypy {package}",
        "flight-delays review",
    ):
        type_in(f"uv run {command}", project)


def test_a_sample_without_effects_is_named(bakery: Bakery) -> None:
    project = example(bakery, "ivar")
    [file] = project.folder.glob("data/raw/snpsift/SAMPLE_03.*")
    file.unlink()
    type_in("uv run flight-delays run 2>&1 | grep -q \"missing of .'SAMPLE_03'\"", project)
