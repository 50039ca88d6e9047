"""Every command of the CI files is run here, in their order, on a branch of a real project."""

from __future__ import annotations

import json
import shutil
import venv
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dev import scripts, uv

from .checkouts import commit, environment, git, repository
from .ci_jobs import Job, Performed, jobs
from .conftest import Bakery, Project

pytestmark = pytest.mark.exhaustive

GREEDY = """

@step
def hoard(flights: pd.DataFrame) -> int:
    \"\"\"More than CI's budget, all at once.\"\"\"
    return len(b"x" * 5_000_000_000) + len(flights)
"""
FROM_THE_NET = """

@step
def rates() -> pd.DataFrame:
    \"\"\"Read from a place that no parameter names.\"\"\"
    return pd.read_csv("https://example.org/rates.csv")
"""


@dataclass(frozen=True)
class Runner:
    """A checkout of a branch, with what the host tells its jobs about the change."""

    ci: str
    project: Project
    environment: dict[str, str]

    @property
    def jobs(self) -> dict[str, Job]:
        return jobs(self.project, self.ci)

    def perform(self, name: str) -> Performed:
        if self.ci == "github":
            self.summary.write_text("")
        return self.jobs[name].perform(self.project.folder, self.environment)

    @property
    def summary(self) -> Path:
        return Path(self.environment["GITHUB_STEP_SUMMARY"])

    def told(self, performed: Performed) -> str:
        """Where the host shows the memory report: GitHub on a page, GitLab in the log."""
        return self.summary.read_text(encoding="utf-8") if self.ci == "github" else performed.log

    def append(self, path: str, text: str) -> None:
        target = self.project.package / path
        target.write_text(target.read_text(encoding="utf-8") + text, encoding="utf-8")


def runner(ci: str, folder: Path) -> Runner:
    """A fresh clone, on the branch `change`, that nothing was installed into."""
    origin = repository(Bakery(folder).bake(ci=ci)).folder
    git(origin, "checkout", "--quiet", "-b", "change")
    (origin / "NOTES.md").write_text("Something that a reviewer shall see.\n")
    commit(origin)
    clone = folder / "clone"
    git(folder, "clone", "--quiet", "--branch", "change", str(origin), str(clone))
    if ci == "github":
        variables = {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_BASE_REF": "main",
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
            "GITHUB_WORKSPACE": str(clone),
        }
        programs = Path(uv()).parent
    else:
        variables = {
            "CI": "true",
            "GITLAB_CI": "true",
            "CI_MERGE_REQUEST_DIFF_BASE_SHA": git(clone, "rev-parse", "origin/main"),
            "CI_PROJECT_DIR": str(clone),
        }
        venv.create(folder / "image", with_pip=True)  # what the image brings: Python and pip
        programs = scripts(folder / "image")
    return Runner(ci, Project(clone), environment(programs) | variables)


@pytest.fixture(
    scope="module", params=["github", pytest.param("gitlab", marks=pytest.mark.exhaustive)]
)
def unchanged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """The clone that a host's jobs begin with; tests that change it copy it."""
    return runner(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def performed(unchanged: Runner) -> dict[str, Performed]:
    """Every job, one after the other; the later ones find what the first one installed."""
    return {name: unchanged.perform(name) for name in unchanged.jobs}


@pytest.fixture
def changed(unchanged: Runner, performed: dict[str, Performed], tmp_path: Path) -> Runner:
    """A copy of the clone after its jobs, to change; what they installed is installed anew."""
    made = shutil.ignore_patterns(".venv", "checkpoints", "runs", "code-quality.json")
    clone = shutil.copytree(unchanged.project.folder, tmp_path / "clone", ignore=made)
    return replace(unchanged, project=Project(clone))


def test_every_command_succeeds_in_a_fresh_project(
    unchanged: Runner, performed: dict[str, Performed]
) -> None:
    for name, job in unchanged.jobs.items():
        assert performed[name].failures == [], performed[name].log
        assert [script for script, _ in performed[name].scripts] == list(job.scripts)


def test_what_a_job_publishes_is_there(unchanged: Runner, performed: dict[str, Performed]) -> None:
    files = [path for job in unchanged.jobs.values() for path in job.published]
    assert "runs/memory.html" in files
    assert [path for path in files if not unchanged.project.has_file(path)] == []


def test_the_memory_of_every_segment_is_told(
    unchanged: Runner, performed: dict[str, Performed]
) -> None:
    told = unchanged.told(performed["memory"])
    for segment in ("s01_ingest", "s02_plan", "s03_flown", "s04_crowd", "s05_report"):
        assert f"| `{segment}` | ran |" in told
    assert "500 MB" in told
    assert "s05_report" in unchanged.project.text("runs/memory.html")


def test_a_step_that_outgrew_the_budget_fails_the_job_and_is_told_all_the_same(
    changed: Runner,
) -> None:
    changed.append("segments/s01_ingest.py", GREEDY)
    performed = changed.perform("memory")
    [(command, code)] = performed.failures
    assert (command, code) == ("uv run flight-delays run", 3)
    assert "Failed in segment s01\\_ingest, at step hoard" in changed.told(performed)
    assert "hoard" in changed.project.text("runs/memory.html")


def test_a_step_against_the_standard_fails_the_check_and_stands_beside_its_line(
    changed: Runner,
) -> None:
    changed.append("segments/s01_ingest.py", FROM_THE_NET)
    performed = changed.perform("check")
    [(_, code)] = performed.failures
    assert code == 4
    path = "src/flight_delays/segments/s01_ingest.py"
    if changed.ci == "github":
        assert f"::error file={path},line=" in performed.log
        assert "title=CKP201" in performed.log
    else:
        [finding] = json.loads(changed.project.text("code-quality.json"))
        assert (finding["check_name"], finding["location"]["path"]) == ("CKP201", path)
        assert f"{path}:{finding['location']['lines']['begin']}: CKP201" in performed.log


def test_a_raise_of_the_budget_is_seen_against_where_the_change_began(changed: Runner) -> None:
    budget = changed.project.folder / "memory_budget.toml"
    budget.write_text(budget.read_text().replace('quota = "2 %"', 'quota = "3 %"'))
    performed = changed.perform("check")
    [(_, code)] = performed.failures
    assert code == 4
    assert "CKP401" in performed.log


def test_a_lock_that_no_longer_fits_is_not_resolved_anew(changed: Runner) -> None:
    metadata = changed.project.folder / "pyproject.toml"
    assert changed.project.has_file("uv.lock")
    metadata.write_text(metadata.read_text().replace('"filelock>=3.18"', '"filelock>=3.19"'))
    performed = changed.perform("memory")
    assert performed.failures
    assert "lockfile" in performed.log
    assert changed.told(performed).count("| ran |") == 0
