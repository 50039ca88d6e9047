"""Random settings, records and hostile things in the place of files: no command ends badly."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..runtime.conftest import Project, run_once
from ..runtime.terminal import fuzz, settings_fuzz
from ..runtime.terminal.settings_fuzz import caller, round_of_settings, round_of_state
from .conftest import SHARDS, Rounds


@pytest.mark.parametrize("shard", range(SHARDS))
def test_fuzzed_configurations_are_refused_or_work(
    toy: Project, rounds: Rounds, shard: int
) -> None:
    with caller(settings_fuzz.lay_out(toy)) as call:
        for chance in rounds.of("fuzzed configurations", short=60, long=6000):
            round_of_settings(chance, toy, call)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_fuzzed_manifests_and_records_lose_nothing(
    toy: Project, rounds: Rounds, shard: int
) -> None:
    with caller(settings_fuzz.lay_out(toy)) as call:
        for chance in rounds.of("fuzzed manifests, profiles and records", short=20, long=2000):
            round_of_state(chance, toy, call)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_something_hostile_in_the_place_of_a_file_ends_no_command_badly(
    toy: Project, tmp_path: Path, rounds: Rounds, shard: int
) -> None:
    toy.write("data/file.csv", "1")
    run_once(toy, fuzz.SEGMENTS, fuzz.WIRING)
    for chance in rounds.of("pipes, devices and links in a file's place", short=4, long=400):
        fuzz.fuzz(chance, toy, tmp_path / "copy" / "demo")
