"""Random hostile files, and TOML without bounds: every command keeps its promises."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ..conftest import Project, run_once
from .fuzz import SEGMENTS, WIRING, fuzz


@pytest.fixture(scope="module")
def original(shared_project: Project) -> Project:
    """A project that was run once, with an input and a published output."""
    shared_project.write("data/file.csv", "1")
    return run_once(shared_project, SEGMENTS, WIRING)


@pytest.mark.parametrize("seed", range(6))
def test_hostile_files_end_no_command_badly(original: Project, tmp_path: Path, seed: int) -> None:
    fuzz(random.Random(seed), original, tmp_path / "demo")


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(100, 300))
def test_no_hostile_file_ends_a_command_badly(original: Project, tmp_path: Path, seed: int) -> None:
    fuzz(random.Random(seed), original, tmp_path / "demo")
