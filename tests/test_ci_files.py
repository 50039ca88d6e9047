"""The CI files: valid, pinned, bounded, and with nothing that a job does not need."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dev import scripts

from .ci_jobs import FILES, jobs
from .conftest import ROOT, Bakery, Project

TEMPLATE_WORKFLOWS = sorted((ROOT / ".github" / "workflows").iterdir())
TOOLS = ("ruff format", "ruff check", "mypy", "pytest")


@pytest.fixture(params=["github", "gitlab"])
def ci(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def project(bakery: Bakery, ci: str) -> Project:
    return bakery.bake(ci=ci, project_name="Night Batch")


@pytest.fixture(params=[*TEMPLATE_WORKFLOWS, "a project's"], ids=lambda path: Path(path).name)
def workflow(request: pytest.FixtureRequest, default_project: Project) -> Path:
    own = isinstance(request.param, Path)
    return request.param if own else default_project.folder / FILES["github"]


def must(*command: str | Path) -> None:
    finished = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr


def valid(path: Path, *options: str) -> None:
    must(sys.executable, "-m", "check_jsonschema", *options, path)


@pytest.mark.parametrize(
    "schema", ["vendor.github-workflows", "custom.github-workflows-require-timeout"]
)
def test_a_workflow_is_valid_and_every_job_has_a_timeout(workflow: Path, schema: str) -> None:
    valid(workflow, "--builtin-schema", schema)


def test_the_pipeline_of_gitlab_is_valid_and_every_job_has_a_timeout(bakery: Bakery) -> None:
    project = bakery.bake(ci="gitlab")
    path = project.folder / FILES["gitlab"]
    valid(path, "--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci")
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["default"]["timeout"]


def test_a_workflow_has_pinned_actions_least_permissions_and_no_way_in(workflow: Path) -> None:
    zizmor = scripts(Path(sys.prefix)) / "zizmor"
    must(zizmor, "--offline", "--persona=pedantic", "--min-severity=low", workflow)


def test_the_version_of_an_action_stands_beside_its_commit(workflow: Path) -> None:
    used = [line for line in workflow.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    pinned = re.compile(r"\s*(- )?uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert used
    assert [line for line in used if not pinned.fullmatch(line)] == []


def test_a_token_may_only_read(workflow: Path) -> None:
    content = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    assert content["permissions"] == {"contents": "read"}
    assert [job for job in content["jobs"].values() if "permissions" in job] == []


def test_the_same_action_has_the_same_pin_everywhere(default_project: Project) -> None:
    texts = [path.read_text(encoding="utf-8") for path in TEMPLATE_WORKFLOWS]
    texts.append(default_project.text(FILES["github"]))
    pins = set(re.findall(r"uses: (\S+)@(\w+)", "\n".join(texts)))
    assert len(pins) == len({action for action, _ in pins})


def test_every_change_is_linted_typed_reviewed_and_tested(project: Project, ci: str) -> None:
    run = "\n".join(jobs(project, ci)["check"].lines())
    for tool in (*TOOLS, f"night-batch review --format {ci}"):
        assert f"uv run {tool}" in run


def test_the_sample_is_run_within_a_budget_of_ci_s_own(project: Project, ci: str) -> None:
    memory = jobs(project, ci)["memory"]
    assert "uv run night-batch run" in memory.lines()
    assert memory.environment["MEMORY_BUDGET"] == "500MB"


def test_the_page_of_the_memory_report_is_kept(project: Project, ci: str) -> None:
    assert jobs(project, ci)["memory"].published == ("runs/memory.html",)
