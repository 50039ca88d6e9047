"""What the default answers generate."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import TEMPLATE, Bakery, Project

BESIDES_THE_RUNTIME = {
    ".gitattributes",
    ".github/pull_request_template.md",
    ".github/workflows/ci.yml",
    ".gitignore",
    ".pre-commit-config.yaml",
    "AGENTS.md",
    "CODEOWNERS",
    "LICENSE",
    "README.md",
    "checkpointing.sha256",
    "data/raw/NOTICE.md",
    "data/raw/airlines.csv",
    "data/raw/airports.csv",
    "data/raw/flights.parquet",
    "data/raw/planes.csv",
    "data/raw/weather.parquet",
    "docs/adapting.md",
    "docs/onboarding.md",
    "docs/engine-types.md",
    "docs/larger-than-memory.md",
    "docs/porting.md",
    "docs/review-standard.md",
    "docs/shared-storage.md",
    "docs/tenth-case.md",
    "docs/training.md",
    "memory_budget.toml",
    "pipeline.toml",
    "pyproject.toml",
    "scripts/full_year.py",
    "src/flight_delays/__init__.py",
    "src/flight_delays/__main__.py",
    "src/flight_delays/adapters.py",
    "src/flight_delays/airspace.py",
    "src/flight_delays/charts.py",
    "src/flight_delays/cli.py",
    "src/flight_delays/pipeline.py",
    "src/flight_delays/py.typed",
    "src/flight_delays/segments/__init__.py",
    "src/flight_delays/segments/s01_ingest.py",
    "src/flight_delays/segments/s02_plan.py",
    "src/flight_delays/segments/s03_flown.py",
    "src/flight_delays/segments/s04_crowd.py",
    "src/flight_delays/segments/s05_report.py",
    "tests/conftest.py",
    "tests/test_crowd.py",
    "tests/test_flown.py",
    "tests/test_ingest.py",
    "tests/test_pattern.py",
    "tests/test_plan.py",
    "tests/test_report.py",
}
RUNTIME = TEMPLATE / "src" / "{{cookiecutter.__package_name}}" / "checkpointing"
PARSERS: dict[str, Any] = {
    ".toml": tomllib.loads,
    ".yml": yaml.safe_load,
    ".yaml": yaml.safe_load,
    ".json": json.loads,
}


def rendered(project: Project) -> set[str]:
    """The files that cookiecutter fills in."""
    copied = (".py", ".parquet", ".csv", "/page.html", "/page.css")
    return {path for path in project.files() if not path.endswith(copied)}


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_project_holds_exactly_these_files(default_project: Project) -> None:
    vendored = {f"src/flight_delays/checkpointing/{path}" for path in contents(RUNTIME)}
    assert default_project.files() == BESIDES_THE_RUNTIME | vendored


def test_the_runtime_is_the_template_s_byte_for_byte(default_project: Project) -> None:
    vendored = contents(default_project.package / "checkpointing")
    assert "README.md" in vendored
    assert vendored == contents(RUNTIME)
    assert b"{{ run.pipeline }}" in vendored["tools/report/page.html"]


@pytest.mark.parametrize("mark", ["{{", "}}", "{%", "#%", "cookiecutter."])
def test_no_template_syntax_is_left(default_project: Project, mark: str) -> None:
    texts = {path: default_project.text(path) for path in rendered(default_project)}
    workflow = ".github/workflows/ci.yml"
    texts[workflow] = re.sub(r"\$\{\{ github\.[^{}]+ \}\}", "", texts[workflow])  # GitHub's own
    assert [path for path, text in texts.items() if mark in text] == []


def test_every_configuration_file_parses(default_project: Project) -> None:
    parsed = 0
    for path in default_project.files():
        if parse := PARSERS.get(Path(path).suffix):
            assert parse(default_project.text(path))
            parsed += 1
    assert parsed >= 4


def test_the_memory_budget_is_as_designed(default_project: Project) -> None:
    assert default_project.toml("memory_budget.toml") == {
        "cluster": {"ram": "5000 GB", "quota": "2 %"},
        "budget": {"count": "held"},
        "segment": {"max_steps": 10, "headroom": "20 %"},
        "checkpoints": {
            "path": "checkpoints",
            "format": "arrow",
            "keep": 2,
            "max_disk": "500 GB",
        },
    }


def test_the_budget_in_gb_stands_beside_the_quota(default_project: Project) -> None:
    assert "this project's share: 100 GB" in default_project.text("memory_budget.toml")


def test_baking_twice_gives_the_same_bytes(bakery: Bakery, default_project: Project) -> None:
    assert contents(bakery.bake().folder) == contents(default_project.folder)


def test_baking_over_a_project_changes_nothing(bakery: Bakery) -> None:
    first = contents(bakery.bake(ci="gitlab").folder)
    assert contents(bakery.bake(ci="gitlab").folder) == first


def test_every_file_is_ignored_that_a_run_makes(default_project: Project) -> None:
    ignored = default_project.text(".gitignore").split()
    assert {"checkpoints/", "runs/", "data/out/", "data/full_year/", ".venv/"} <= set(ignored)
