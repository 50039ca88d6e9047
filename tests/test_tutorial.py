"""The tutorial does what it says: its files and commands, in their order."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pandas as pd
import pytest

from .conftest import ROOT, Bakery

FENCE = re.compile(r"(?:`([\w./]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# What the commands of the tutorial do where uv has installed nothing.
STAND_INS = """
set -eu
uvx() {{ shift; shift; "{python}" -m cookiecutter "{template}" --config-file "{config}" "$@"; }}
uv() {{
    shift
    case "$1" in
        python) shift; "{python}" "$@" ;;
        pytest) "{python}" -m "$@" ;;
        fleet-use) shift; "{python}" -m fleet_use "$@" ;;
    esac
}}
"""


def script(tutorial: str) -> str:
    """The tutorial as one shell script that also writes the files it shows."""
    lines = []
    for path, language, content in FENCE.findall(tutorial):
        if path:
            lines.append(f"cat > {path} <<'END OF FILE'\n{content}END OF FILE\n")
        else:
            assert language == "sh"
            lines.append(content)
    return "".join(lines)


@pytest.mark.slow
def test_the_script_and_its_segments_give_the_same_output(bakery: Bakery) -> None:
    bakery.output.mkdir()
    tutorial = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    stand_ins = STAND_INS.format(python=sys.executable, template=ROOT, config=bakery.config)
    project = bakery.output / "fleet-use"
    last = f"\nuv run fleet-use run --set min_days=11 --json > {project}/record.json\n"

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
    made = pd.read_parquet(project / "fleet.parquet")
    assert len(made) > 5
    record = json.loads((project / "record.json").read_text(encoding="utf-8"))
    assert [segment["status"] for segment in record["segments"]] == ["reused", "ran"]


def test_every_file_of_the_tutorial_is_shown_once_and_named() -> None:
    tutorial = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    named = [path for path, language, _ in FENCE.findall(tutorial) if language != "sh"]
    assert len(named) == len(set(named)) == 7
    assert all(named)
