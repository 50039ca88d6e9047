"""The tutorial does what it says: its files and commands, in their order."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from itertools import pairwise

import pandas as pd
import pytest

from .conftest import ROOT, Bakery

FENCE = re.compile(r"(?:`([\w./]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# What the commands of the tutorial do where uv has installed nothing.
STAND_INS = """
set -eu
uvx() {{ shift; shift; "{python}" -m cookiecutter "{template}" --config-file "{config}" "$@"; }}
uv() {{
    case "$*" in
        "run python "*) shift 2; "{python}" "$@" ;;
        "run pytest "*) shift; "{python}" -m "$@" ;;
        "run fleet-use "*) shift 2; "{python}" -m fleet_use "$@" ;;
    esac
}}
"""


def script(tutorial: str) -> str:
    """The tutorial as one shell script that also writes the files it shows.

    Commands that a traceback follows must fail; what they say goes to `death.txt`.
    """
    lines = []
    fences = FENCE.findall(tutorial)
    for (path, language, content), (*_, below) in pairwise([*fences, ("", "", "")]):
        if path:
            lines.append(f"cat > {path} <<'END OF FILE'\n{content}END OF FILE\n")
        elif language == "sh" and below.startswith("Traceback"):
            lines.append(f"if {content.rstrip()} 2> death.txt\nthen echo it lives; exit 9; fi\n")
        elif language == "sh":
            lines.append(content)
        else:
            assert language == "text"
    return "".join(lines)


def peaks(text: str) -> dict[str, int]:
    """The peak of each segment that ran in one part, in MB, of the first table in the text."""
    row = re.compile(r"│ (s\d\d_\w+) +│ ran +│ +1 │ +(\d+) MB │ +\d\d% │")
    table = text[text.index("┃ segment") :]
    return {name: int(peak) for name, peak in row.findall(table[: table.index("└")])}


@pytest.mark.slow
def test_the_script_dies_where_its_segments_complete_with_the_same_output(bakery: Bakery) -> None:
    bakery.output.mkdir()
    tutorial = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    stand_ins = STAND_INS.format(python=sys.executable, template=ROOT, config=bakery.config)
    project = bakery.output / "fleet-use"
    last = f"\nuv run fleet-use run --set rounds=200 --json > {project}/record.json\n"

    finished = subprocess.run(
        ["bash", "-c", stand_ins + script(tutorial) + last],
        cwd=bakery.output,
        env=os.environ | {"PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "the same, to the last bit" in finished.stdout
    assert "1 passed" in finished.stdout
    death = (project / "death.txt").read_text(encoding="utf-8")
    assert death.startswith("Traceback")
    [line] = re.findall(r", (line \d+, in <module>\n.*\n)…\n.*MemoryError", tutorial)
    assert line in death
    assert "MemoryError" in death.splitlines()[-1]
    used, shown = peaks(finished.stdout), peaks(tutorial)
    assert used == {name: pytest.approx(peak, rel=0.2) for name, peak in shown.items()}
    made = pd.read_parquet(project / "fleet.parquet")
    assert len(made) == 16
    for airline in made.head(3).itertuples():
        assert (
            f"| {airline.name} | {airline.hours:.2f} | {airline.error:.2f} | {airline.at_once} "
            f"| {airline.queue:.1f} | {airline.late_share:.0%} |\n"
        ) in tutorial
    record = json.loads((project / "record.json").read_text(encoding="utf-8"))
    assert [segment["status"] for segment in record["segments"]] == ["reused", "ran"]


def test_every_file_of_the_tutorial_is_shown_once_and_named() -> None:
    tutorial = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    languages = {"sh", "text"}
    named = [path for path, language, _ in FENCE.findall(tutorial) if language not in languages]
    assert len(named) == len(set(named)) == 7
    assert all(named)
