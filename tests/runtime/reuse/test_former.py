"""Manifests and profiles that an earlier layout of the runtime made are still read.

`former/` contains a project's sources and the files of a run, from before the runtime had folders.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from flight_delays.checkpointing.disk.manifest import Manifest, read_manifest
from flight_delays.checkpointing.memory.profile import read_profile
from flight_delays.checkpointing.reuse.key import Ingredients

from ..conftest import Project

FORMER = Path(__file__).with_name("former")
FOLDERS = sorted(path.parent for path in FORMER.glob("kept/*/*/manifest.json"))


def manifest(folder: Path) -> Manifest:
    read = read_manifest(folder)
    assert read is not None
    return read


def ingredients(of: Manifest, **changed: object) -> Ingredients:
    content = of.ingredients | {"steps": tuple(of.ingredients["steps"])} | changed
    return Ingredients(**content)


@pytest.fixture
def former(project: Project) -> Project:
    """The former project with the runtime as it is now."""
    for source in FORMER.rglob("*.txt"):
        shutil.copy(source, project.package / source.relative_to(FORMER).with_suffix(".py"))
    shutil.copy(FORMER / "pipeline.toml", project.folder)
    return project


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_a_key_is_worked_out_as_before(folder: Path) -> None:
    assert ingredients(manifest(folder)).key() == folder.name


def test_a_profile_is_read_as_before() -> None:
    profile = read_profile(FORMER, "demo")
    written = json.loads((FORMER / "profile.json").read_text(encoding="utf-8"))["demo"]
    for segment, [known] in written.items():
        assert profile.of(segment).baseline_bytes == known["baseline_bytes"]
        assert profile.of(segment).steps.keys() == known["steps"].keys()


def test_a_checkpoint_of_before_keys_by_function_is_made_again_once(former: Project) -> None:
    """Its key covers whole modules, so nobody can tell whether it is that of the code of today."""
    assert former.run()["exit_code"] == 0
    for segment in ("s01", "s02"):
        shutil.rmtree(former.checkpoints() / segment)
    for folder in FOLDERS:
        shutil.copytree(folder, former.checkpoints() / folder.parent.name / folder.name)
    status = former.command("status").stdout

    assert "made by another version of the runtime" in status
    assert former.statuses() == {"s01": "ran", "s02": "ran"}
    assert former.statuses() == {"s01": "reused", "s02": "reused"}
    assert former.load("total") == "25"
