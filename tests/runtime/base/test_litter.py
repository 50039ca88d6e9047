"""What does not count in inputs and packages, and how a team changes that."""

from __future__ import annotations

from pathlib import Path

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.base.litter import in_inputs, in_packages
from flight_delays.checkpointing.base.names import temporary_name
from flight_delays.checkpointing.base.settings import load_settings

from ..builders import toml_files

LITTER = (
    *("x.csv~", "x.csv.orig", "x.rej", "x.bak", ".x.csv.swp", ".x.swo", "#x.csv#", ".#x.csv"),
    *(".DS_Store", "._x.csv", "Thumbs.db", "desktop.ini", "x.pyc", "__pycache__/x.txt"),
    *(".ipynb_checkpoints/x.csv", ".~lock.x.ods#", "~$x.xlsx", ".nfs0001", "x.lock"),
    *(".delays.parquet.published", "a/b/x.csv~"),
)
DATA = ("x.csv", ".hidden", "x.py", "README", "x.tmp", "lock", "x.csv.gz", "a~b", "part-0.parquet")
OF_PACKAGES = ("README.md", "CHANGELOG", "LICENSE.txt", "x.ipynb", "x.pyi", "py.typed", ".hidden")


@pytest.mark.parametrize("path", LITTER)
def test_litter_counts_nowhere(path: str) -> None:
    assert in_inputs().covers(path)
    assert in_packages().covers(path)


def test_our_own_temporary_files_count_nowhere() -> None:
    assert in_inputs().covers(temporary_name("delays.parquet"))
    assert in_packages().covers(temporary_name("delays.parquet"))


@pytest.mark.parametrize("path", DATA)
def test_data_counts_in_inputs(path: str) -> None:
    assert not in_inputs().covers(path)


@pytest.mark.parametrize("path", [*OF_PACKAGES, "lib/x.py"])
def test_what_is_for_people_and_tools_counts_in_no_package(path: str) -> None:
    assert in_packages().covers(path)


@pytest.mark.parametrize(
    ("patterns", "path", "ignored"),
    [
        (["*.tmp"], "a/x.tmp", True),
        (["*.tmp", "!keep.tmp"], "keep.tmp", False),
        (["!keep.tmp", "*.tmp"], "keep.tmp", True),
        (["!*.bak"], "x.bak", False),
        (["out/*.csv"], "out/x.csv", True),
        (["out/*.csv"], "a/out/x.csv", False),
        (["*/out/*.csv"], "a/out/x.csv", True),
        (["/x.csv"], "x.csv", True),
        (["/x.csv"], "a/x.csv", False),
        (["cache/"], "a/cache/x.csv", True),
        (["cache/"], "cache", False),
        (["cache"], "cache", True),
        (["X.csv"], "x.csv", False),
        (["cache/", "!x.csv"], "cache/x.csv", True),
    ],
)
def test_a_team_ignores_more_and_takes_back(patterns: list[str], path: str, ignored: bool) -> None:
    assert in_inputs(patterns).covers(path) == ignored


def test_the_patterns_of_a_team_come_from_pipeline_toml(tmp_path: Path) -> None:
    toml_files(tmp_path, '[reuse]\nignore = ["*.tmp", "!keep.bak"]\n')

    assert load_settings(tmp_path).wiring.reuse.ignore == ("*.tmp", "!keep.bak")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ignored = []", "`reuse.ignored` is not a setting; did you mean `ignore`?"),
        ('ignore = "*.tmp"', "`reuse.ignore` = '*.tmp'"),
        ('ignore = ["!"]', "`reuse.ignore.0` = '!'"),
        ('ignore = [""]', "`reuse.ignore.0` = ''"),
    ],
)
def test_a_wrong_setting_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    toml_files(tmp_path, f"[reuse]\n{text}\n")

    with pytest.raises(ConfigurationError) as caught:
        load_settings(tmp_path)
    assert problem in caught.value.message
