"""Made data for the example: what three tools would write for a few samples. No value is real.

python make_data.py data/raw --caller ivar
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

GENES = ("ORF1ab", "S", "N")
EFFECTS = ("missense_variant", "synonymous_variant")
PROTEINS = ("p.Asp614Gly", "p.Asn501Tyr,p.Asn501Tyr", "p.Gln27Ter", "")
LINEAGES = ("B.1.1.7", "BA.2", "BA.5")

# What each caller writes behind CHROM, POS, REF, ALT and FILTER, of the depths of both alleles.
DEPTHS = {
    "ivar": (("DP", "REF_DP", "ALT_DP"), "{both}\t{ref}\t{alt}"),
    "bcftools": (("DP", "AD"), "{both}\t{ref},{alt}"),
    "medaka": (("DP", "AC"), "{both}\t{ref},{alt}"),
    "nanopolish": (("StrandSupport",), "1,{ref_rest},2,{alt_rest}"),
}


def make(folder: Path, caller: str, samples: int = 4, variants: int = 6) -> None:
    """Write the files of all samples; the second sample has no variant."""
    chance = random.Random(1)
    for tool in ("bcftools_query", "snpsift", "pangolin"):
        (folder / tool).mkdir(parents=True, exist_ok=True)
    names, depths = DEPTHS[caller]
    for number in range(1, samples + 1):
        sample = f"SAMPLE_{number:02}"
        calls = [
            "\t".join([*head(), *(f"[{n}]{sample}:{name}" for n, name in enumerate(names, 6))])
        ]
        effects = ["\t".join(["CHROM", "POS", "REF", "ALT", *annotations()])]
        for place in sorted(chance.sample(range(100, 29_000), 0 if number == 2 else variants)):
            ref, alt = chance.randint(3, 400), chance.randint(3, 400)
            where = f"MN908947.3\t{place}\t{chance.choice('AC')}\t{chance.choice('GT')}"
            numbers = {"both": ref + alt, "ref": ref, "alt": alt}
            rest = {"ref_rest": ref - 1, "alt_rest": alt - 2}
            calls.append(f"{where}\tPASS\t{depths.format(**numbers, **rest)}")
            gene, effect = chance.choice(GENES), chance.choice(EFFECTS)
            protein = chance.choice(PROTEINS)
            if chance.random() < 0.9:  # a variant that SnpSift does not know stays without effect
                effects.append(f"{where}\t{gene},{gene}\t{effect}\tc.{place}A>G\t{protein}")
        lineage = chance.choice(LINEAGES)
        write(folder / "bcftools_query" / f"{sample}.bcftools_query.txt", calls, end="\t\n")
        write(folder / "snpsift" / f"{sample}.snpsift.txt", effects, end="\t\n")
        table = ["taxon,lineage,status", f"{sample},{lineage},passed_qc"]
        write(folder / "pangolin" / f"{sample}.pangolin.csv", table, end="\n")


def head() -> list[str]:
    """The names of the first columns, as `bcftools query -H` writes them."""
    return ["# [1]CHROM", "[2]POS", "[3]REF", "[4]ALT", "[5]FILTER"]


def annotations() -> list[str]:
    """The names of SnpSift's columns."""
    return [f"ANN[*].{name}" for name in ("GENE", "EFFECT", "HGVS_C", "HGVS_P")]


def write(file: Path, lines: list[str], end: str) -> None:
    """Write lines, each with a tab behind it where the tool writes one."""
    file.write_text("".join(line + end for line in lines), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--caller", choices=DEPTHS, default="ivar")
    options = parser.parse_args()
    make(options.folder, options.caller)
