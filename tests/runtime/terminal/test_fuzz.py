"""Some rounds of fuzzing, always the same; `dev.py soak` makes others, and more of them."""

from __future__ import annotations

import random
from pathlib import Path

from ..conftest import Project, run_once
from . import settings_fuzz
from .fuzz import SEGMENTS, WIRING, fuzz
from .settings_fuzz import caller, round_of_settings, round_of_state


def test_hostile_files_end_no_command_badly(project: Project, tmp_path: Path) -> None:
    project.write("data/file.csv", "1")
    run_once(project, SEGMENTS, WIRING)
    fuzz(random.Random(0), project, tmp_path / "copy" / "demo")


def test_mutated_settings_and_states_are_refused_or_work(project: Project) -> None:
    with caller(settings_fuzz.lay_out(project)) as call:
        for seed in range(6):
            round_of_settings(random.Random(seed), project, call)
            if seed < 3:
                round_of_state(random.Random(seed), project, call)
