"""The benchmarks run to their end on small data."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parent.parent / "benchmarks" / "run.py"
LONG = (
    "watching",
    "seed20",
    "checkpoint_io",
    "fixed_costs",
    "growth",
    "engines",
    "streaming",
    "tpch",
    "tpch_pipeline",
    "side_by_side",
    "wide",
    "shared_storage",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("sample", "planner", "each"),
        *(pytest.param(name, marks=pytest.mark.exhaustive) for name in LONG),
    ],
)
def test_a_quick_run_prints_a_table(name: str) -> None:
    done = subprocess.run(
        [sys.executable, RUN, "--quick", name], capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr
    assert f"{name}" in done.stdout


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    done = subprocess.run([sys.executable, RUN, "seed21"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "sample, seed20, checkpoint_io, fixed_costs, growth, planner, each" in done.stderr
