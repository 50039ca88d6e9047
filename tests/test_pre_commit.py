"""Before a commit, the project's own tools check it, whichever way they were installed."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev import scripts, uv

from .checkouts import environment, git, repository
from .ci_jobs import jobs
from .conftest import Bakery, Project

CONFIG = ".pre-commit-config.yaml"
NOWHERE = "http://127.0.0.1:9"  # no proxy is there, so a download fails at once
OFFLINE = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), NOWHERE) | {
    "NO_PROXY": "",
    "PIP_NO_INDEX": "1",
    "UV_OFFLINE": "1",
}
FROM_THE_NET = """

@step
def rates() -> pd.DataFrame:
    \"\"\"Read from a place that no parameter names.\"\"\"
    return pd.read_csv("https://example.org/rates.csv")
"""
UNTIDY = "import os\n\nX = {'a':1}\n"


@dataclass(frozen=True)
class Checkout:
    """A project under version control, and a shell to type in."""

    project: Project
    environment: dict[str, str]

    def shell(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            shell=True,
            cwd=self.project.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def must(self, command: str) -> str:
        finished = self.shell(command)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout + finished.stderr

    def offline(self, cache: Path) -> Checkout:
        """The same, with no way to fetch anything, and an empty cache of hooks."""
        shut = {**OFFLINE, **{key.lower(): value for key, value in OFFLINE.items()}}
        return replace(self, environment=self.environment | shut | {"PRE_COMMIT_HOME": str(cache)})


@pytest.fixture(scope="module")
def with_uv(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A project with its lock, in a shell where no environment is active."""
    project = Bakery(tmp_path_factory.mktemp("uv")).bake(project_name="Night Batch")
    checkout = Checkout(project, environment(Path(uv()).parent))
    checkout.must("uv sync --quiet")
    repository(project)
    git(project.folder, "tag", "generated")
    return checkout


@pytest.fixture(scope="module")
def with_pip(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A project installed into an environment that is active, and is elsewhere."""
    folder = tmp_path_factory.mktemp("pip")
    project = repository(Bakery(folder).bake(project_name="Day Batch"))
    active = Checkout(project, environment(scripts(folder / "active"), Path(uv()).parent))
    active.must("uv venv --quiet ../../active")
    install = "uv pip install --quiet --python ../../active --editable . --group dev"
    active.must(install)
    return active


@pytest.fixture
def fresh(with_uv: Checkout) -> Checkout:
    """The project as it was generated."""
    git(with_uv.project.folder, "reset", "--quiet", "--hard", "generated")
    git(with_uv.project.folder, "clean", "--quiet", "-d", "--force")
    return with_uv


@pytest.mark.slow
def test_a_fresh_project_passes_without_a_network(fresh: Checkout, tmp_path: Path) -> None:
    told = fresh.offline(tmp_path).must("uv run --no-sync pre-commit run --all-files")
    assert told.count("Passed") == len(hooks(fresh.project))
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []  # no hooks fetched
    assert git(fresh.project.folder, "status", "--porcelain") == ""


@pytest.mark.exhaustive
def test_it_passes_where_pip_installed_the_tools(with_pip: Checkout, tmp_path: Path) -> None:
    told = with_pip.offline(tmp_path).must("pre-commit run --all-files")
    assert told.count("Passed") == len(hooks(with_pip.project))
    assert not (with_pip.project.folder / ".venv").exists()


@pytest.mark.slow
def test_git_runs_the_hooks_although_no_environment_is_active(fresh: Checkout) -> None:
    fresh.must("uv run pre-commit install")
    [step] = fresh.project.package.glob("segments/s01_*.py")
    step.write_text(step.read_text() + FROM_THE_NET)
    stopped = fresh.shell("git commit --all --message more")
    assert stopped.returncode == 1
    assert "CKP201" in stopped.stdout + stopped.stderr
    assert git(fresh.project.folder, "log", "--oneline", "generated..") == ""

    git(fresh.project.folder, "checkout", "--", ".")
    (fresh.project.folder / "src" / "night_batch" / "more.py").write_text('"""More."""\n')
    fresh.must("git add --all && git commit --message more")


@pytest.mark.slow
def test_what_a_tool_can_mend_is_mended_and_has_to_be_looked_at(fresh: Checkout) -> None:
    untidy = fresh.project.package / "untidy.py"
    untidy.write_text(UNTIDY)
    git(fresh.project.folder, "add", "--all")
    assert fresh.shell("uv run pre-commit run").returncode == 1
    assert untidy.read_text() == 'X = {"a": 1}\n'


@pytest.mark.slow
def test_no_hook_touches_the_runtime_and_the_review_tells_of_an_edit(fresh: Checkout) -> None:
    module = fresh.project.package / "checkpointing" / "base" / "units.py"
    edited = module.read_text() + UNTIDY
    module.write_text(edited)
    git(fresh.project.folder, "rm", "--quiet", "AGENTS.md")
    git(fresh.project.folder, "add", "--all")
    stopped = fresh.shell("uv run pre-commit run")
    assert stopped.returncode == 1
    assert module.read_text() == edited
    assert "CKP105 the file was edited by hand" in stopped.stdout
    assert "CKP105 `AGENTS.md` is missing" in stopped.stdout


@pytest.mark.slow
def test_no_hook_touches_what_runs_made(fresh: Checkout) -> None:
    for name in ("checkpoints", "runs", "data/raw"):
        path = fresh.project.folder / name / "made.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(UNTIDY)
        git(fresh.project.folder, "add", "--force", str(path))
    fresh.must("uv run pre-commit run --all-files")
    assert {path.read_text() for path in fresh.project.folder.rglob("made.py")} == {UNTIDY}


def hooks(project: Project) -> list[dict[str, Any]]:
    [local] = yaml.safe_load(project.text(CONFIG))["repos"]
    assert local["repo"] == "local"
    return list(local["hooks"])


def test_every_hook_is_a_tool_that_ci_runs_too(default_project: Project) -> None:
    run = "\n".join(jobs(default_project, "github")["check"].lines())
    words = [" ".join(map(str, hook["args"])).split(" --")[0] for hook in hooks(default_project)]
    assert words == ["ruff check", "ruff format", "mypy", "flight-delays review"]
    assert [word for word in words if f"uv run {word}" not in run] == []


@pytest.mark.parametrize("ci", ["github", "gitlab", "none"])
def test_every_choice_of_ci_has_the_hooks_and_their_runner(bakery: Bakery, ci: str) -> None:
    project = bakery.bake(ci=ci)
    assert hooks(project)
    group = project.toml("pyproject.toml")["dependency-groups"]["dev"]
    assert [spec for spec in group if spec.startswith("pre-commit>")]
