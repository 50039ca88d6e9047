"""Every choice that the questions offer generates a project that works."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product

import pytest

from .conftest import Bakery, Project
from .marks import one_in

LICENSES = {
    "MIT": ("MIT License", "MIT"),
    "BSD-3-Clause": ("BSD 3-Clause License", "BSD-3-Clause"),
    "Apache-2.0": ("Apache License", "Apache-2.0"),
    "Proprietary": ("All rights reserved", "LicenseRef-Proprietary"),
}
CI_FILES = {
    "github": {".github/workflows/ci.yml", ".github/pull_request_template.md"},
    "gitlab": {".gitlab-ci.yml", ".gitlab/merge_request_templates/Default.md"},
    "none": set(),
}


def run(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the project's command line in the environment of these tests."""
    return subprocess.run(
        [sys.executable, "-m", project.package.name, *words],
        cwd=project.folder,
        env=os.environ | {"PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("license_name", "ci"), one_in(3, product(LICENSES, CI_FILES)))
def test_every_licence_goes_with_every_ci_provider(
    bakery: Bakery, license_name: str, ci: str
) -> None:
    project = bakery.bake(license=license_name, ci=ci, author="Ada Lovelace")
    title, spdx = LICENSES[license_name]
    assert title in project.text("LICENSE")
    assert "Ada Lovelace" in project.text("LICENSE")
    assert project.toml("pyproject.toml")["project"]["license"] == spdx
    found = {path for path in project.files() if path.startswith((".github/", ".gitlab"))}
    assert found == CI_FILES[ci]
    folders = {path.name for path in project.folder.glob(".git*") if path.is_dir()}
    assert folders == {f".{ci}"} - {".none"}


@pytest.mark.parametrize(
    ("language", "title"), [("en", "# Your first hour"), ("es", "# Tu primera hora")]
)
def test_the_documentation_is_in_the_chosen_language(
    bakery: Bakery, language: str, title: str
) -> None:
    project = bakery.bake(language=language, project_name="Night Batch")
    page = project.text("docs/onboarding.md")
    assert page.splitlines()[0] == title
    assert "uv run night-batch run" in page
    assert project.text("AGENTS.md").startswith("# For coding assistants")


def test_the_other_licences_leave_no_text(bakery: Bakery) -> None:
    for name, (title, _) in LICENSES.items():
        text = bakery.bake(license=name).text("LICENSE")
        assert [other for other, _ in LICENSES.values() if other in text] == [title]


@pytest.mark.slow
def test_the_sample_runs_with_the_tightest_answers_that_are_accepted(bakery: Bakery) -> None:
    project = bakery.bake(cluster_ram_gb="0.5", quota_percent="100", max_steps="5")
    finished = run(project, "run")
    assert finished.returncode == 0, finished.stderr
    assert "budget 500 MB" in finished.stderr + finished.stdout


@pytest.mark.parametrize(
    ("ram", "quota", "gigabytes"), [("007.50", "100", "7.5"), ("1", "50.5", "0.505")]
)
def test_fractions_of_a_gigabyte_and_of_a_percent_count(
    bakery: Bakery, ram: str, quota: str, gigabytes: str
) -> None:
    project = bakery.bake(cluster_ram_gb=ram, quota_percent=quota)
    assert project.toml("memory_budget.toml")["cluster"] == {
        "ram": f"{ram} GB",
        "quota": f"{quota} %",
    }
    assert f"share: {gigabytes} GB" in project.text("memory_budget.toml")
