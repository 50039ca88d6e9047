"""A generated project takes over later versions of the template, by cruft and git."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import ROOT, Bakery, Project
from .test_repository import kept_files

pytestmark = pytest.mark.slow

AUTHOR = 'O\'Brien "{{ 7 * 7 }}" #% if 🛫 \\'
IDENTITY = {
    f"GIT_{who}_{what}": f"{who}@example.org".lower()
    for who in ("AUTHOR", "COMMITTER")
    for what in ("NAME", "EMAIL")
}
BUDGET = "checkpointing/memory/budget.py"
UPDATED = {".cruft.json", "checkpointing.sha256", f"src/flight_delays/{BUDGET}"}
NEXT_VERSION = '\nNEWS = "what only the next version has"\n'


def attempt(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command, with the sources under `src` importable and temporary files beside it.

    cruft is on its PATH: that of this environment.
    """
    variables = {"TMPDIR": str(cwd.parent), "PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1"}
    variables["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=os.environ | IDENTITY | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command that has to succeed; returns what it prints on stdout."""
    finished = attempt(*command, cwd=cwd)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def commit(folder: Path) -> None:
    run("git", "add", "--all", cwd=folder)
    run("git", "commit", "--quiet", "--message", "a version", cwd=folder)


def head(folder: Path) -> str:
    return run("git", "rev-parse", "HEAD", cwd=folder).strip()


def edit(path: Path, old: str, new: str) -> None:
    """Replace what stands exactly once in a file."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def cruft(*words: str | Path, project: Project) -> str:
    return run(sys.executable, "-m", "cruft", *words, cwd=project.folder)


def attempt_update(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", project.package.name, "update", *words)
    return attempt(*command, cwd=project.folder)


def update(project: Project, *words: str) -> str:
    """Run the project's own command, which has to succeed; returns what it prints."""
    finished = attempt_update(project, *words)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def changed(project: Project) -> dict[str, str]:
    """What git says of each file that differs from the last commit, such as `M` or `UU`."""
    lines = run("git", "status", "--porcelain", cwd=project.folder).splitlines()
    return {line[3:]: line[:2].strip() for line in lines}


def record(project: Project) -> dict[str, Any]:
    """What `run --json` prints for the first day of the sample."""
    command = ("-m", project.package.name, "run", "--json", "--set", "last_day=2013-01-01")
    told: dict[str, Any] = json.loads(run(sys.executable, *command, cwd=project.folder))
    return told


def review(project: Project) -> str:
    """What the project's own review prints."""
    command = (sys.executable, "-m", project.package.name, "review")
    finished = attempt(*command, cwd=project.folder)
    assert finished.returncode in (0, 4), finished.stderr
    return finished.stdout


@dataclass(frozen=True)
class Template:
    """A copy of this template in a git repository of its own, which a test develops further."""

    folder: Path
    config: Path  # of cookiecutter

    @property
    def generated(self) -> Path:
        """The folder from which projects are generated."""
        [folder] = self.folder.glob("{{*}}")
        return folder

    @property
    def package(self) -> Path:
        [cli] = self.generated.glob("src/*/cli.py")
        return cli.parent

    def release(self) -> None:
        """Commit a version with another runtime, besides what the test changed."""
        with (self.package / BUDGET).open("a", encoding="utf-8") as module:
            module.write(NEXT_VERSION)
        commit(self.folder)


def start_history(folder: Path) -> None:
    run("git", "init", "--quiet", cwd=folder)
    commit(folder)


@pytest.fixture(scope="session")
def first_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template, and a project that cruft made of it, each committed; tests copy them."""
    folder = tmp_path_factory.mktemp("first")
    template = folder / "template"
    for path in kept_files():
        copy = template / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    start_history(template)
    config = Bakery(folder).config
    answers = yaml.safe_load(config.read_text()) | {"default_context": {"author": AUTHOR}}
    config.write_text(yaml.safe_dump(answers))
    words = ("create", template, "--config-file", config, "--no-input")
    run(sys.executable, "-m", "cruft", *words, cwd=folder)
    start_history(folder / "flight-delays")
    return folder


@pytest.fixture
def template(first_version: Path, tmp_path: Path) -> Template:
    shutil.copytree(first_version / "template", tmp_path / "template")
    return Template(tmp_path / "template", first_version / "cookiecutter.yaml")


@pytest.fixture
def project(first_version: Path, template: Template) -> Project:
    """A project that cruft made from the template, committed as it was generated."""
    folder = template.folder.parent / "flight-delays"
    shutil.copytree(first_version / "flight-delays", folder)
    moved = (str(first_version / "template"), str(template.folder))
    state = folder / ".cruft.json"
    state.write_text(state.read_text(encoding="utf-8").replace(*moved), encoding="utf-8")
    commit(folder)
    return Project(folder)


def cookiecut(template: Template, **answers: str) -> Project:
    """A project that plain cookiecutter made, which knows nothing of its template."""
    output = template.folder.parent / "plain"
    options = ("--no-input", "--config-file", template.config, "-o", output)
    words = [f"{key}={value}" for key, value in answers.items()]
    run(
        sys.executable, "-m", "cookiecutter", template.folder, *words, *options, cwd=template.folder
    )
    [folder] = output.iterdir()
    return Project(folder)


def link(project: Project, template: Template, to: str, **answers: str) -> None:
    options = ("--checkout", to, "--config-file", template.config, "--no-input")
    context = ("--extra-context", json.dumps(answers))
    cruft("link", template.folder, *options, *context, project=project)


def has_the_next_version(project: Project) -> bool:
    return (project.package / BUDGET).read_text(encoding="utf-8").endswith(NEXT_VERSION)


def test_an_update_brings_the_new_runtime_and_merges_a_toml_that_both_edited(
    template: Template, project: Project
) -> None:
    assert project.toml("pyproject.toml")["project"]["authors"] == [{"name": AUTHOR}]
    before = project.text("pyproject.toml")
    edit(project.folder / "memory_budget.toml", 'max_disk = "500 GB"', 'max_disk = "50 GB"')
    commit(project.folder)
    edit(
        template.generated / "memory_budget.toml",
        "nothing can raise it",
        "and nothing can raise it",
    )
    template.release()

    update(project)

    assert has_the_next_version(project)
    assert project.text("pyproject.toml") == before
    merged = project.text("memory_budget.toml")
    assert "and nothing can raise it" in merged
    assert project.toml("memory_budget.toml")["checkpoints"]["max_disk"] == "50 GB"
    assert changed(project).keys() == UPDATED | {"memory_budget.toml"}


def test_an_update_leaves_steps_wiring_and_data_to_the_team(
    template: Template, project: Project
) -> None:
    segments = project.package / "segments"
    edit(segments / "s02_plan.py", "Segment 2, plan", "What we trust")
    (segments / "s03_flown.py").unlink()
    edit(project.folder / "pipeline.toml", "late_minutes = 15", "late_minutes = 30")
    commit(project.folder)
    sample = template.package / "segments"
    edit(sample / "s02_plan.py", "Segment 2, plan", "Segment 2, intent")
    edit(sample / "s03_flown.py", "Segment 3, flown", "Segment 3, facts")
    (sample / "s06_more.py").write_text('"""Segment 6, more: of a later sample."""\n')
    edit(template.package / "pipeline.py", "the one list to read first", "read it first")
    edit(template.generated / "pipeline.toml", "late_minutes = 15", "late_minutes = 20")
    template.release()

    update(project)

    assert changed(project).keys() == UPDATED


def test_the_changes_of_an_update_are_no_edits_by_hand_but_the_team_s_are(
    template: Template, project: Project
) -> None:
    (template.package / "checkpointing" / "later.py").write_text('"""New in this version."""\n')
    template.release()
    update(project)
    assert project.has_file("src/flight_delays/checkpointing/later.py")
    assert review(project) == "The review found nothing.\n"

    files = project.package / "checkpointing" / "base" / "files.py"
    files.write_text("# ours\n" + files.read_text(encoding="utf-8"), encoding="utf-8")
    lines = [line for line in review(project).splitlines() if "CKP" in line]
    assert [line.partition(":")[0] for line in lines] == [
        "src/flight_delays/checkpointing/base/files.py"
    ]


def test_where_both_edited_the_same_line_git_shows_a_conflict_and_the_rest_is_updated(
    template: Template, project: Project
) -> None:
    edit(project.folder / "memory_budget.toml", 'headroom = "20 %" ', 'headroom = "30 %" ')
    commit(project.folder)
    edit(template.generated / "memory_budget.toml", 'headroom = "20 %" ', 'headroom = "25 %" ')
    template.release()

    told = attempt_update(project)

    assert (told.returncode, "memory_budget.toml has a conflict." in told.stderr) == (2, True)
    assert has_the_next_version(project)
    assert {path for path, state in changed(project).items() if state == "UU"} == {
        "memory_budget.toml"
    }
    ours, theirs = project.text("memory_budget.toml").split("\n=======\n")
    assert 'headroom = "30 %"' in ours.split("<<<<<<< ours\n")[1]
    assert 'headroom = "25 %"' in theirs.split("\n>>>>>>> theirs")[0]
    assert (
        "leftover conflict marker" in attempt("git", "diff", "--check", cwd=project.folder).stdout
    )
    assert attempt("git", "commit", "--message", "unresolved", cwd=project.folder).returncode


def test_without_the_generated_files_in_git_what_does_not_fit_is_left_as_a_rej_file(
    template: Template,
) -> None:
    project = cookiecut(template)
    edit(project.folder / "memory_budget.toml", 'headroom = "20 %" ', 'headroom = "30 %" ')
    start_history(project.folder)  # too late: git never saw the file as it was generated
    link(project, template, to=head(template.folder))
    commit(project.folder)
    edit(template.generated / "memory_budget.toml", 'headroom = "20 %" ', 'headroom = "25 %" ')
    template.release()

    told = attempt_update(project)

    assert (told.returncode, "memory_budget.toml.rej holds" in told.stderr) == (2, True)
    assert has_the_next_version(project)
    assert '+headroom = "25 %"' in project.text("memory_budget.toml.rej")
    assert project.toml("memory_budget.toml")["segment"]["headroom"] == "30 %"


@pytest.mark.exhaustive
def test_a_project_of_plain_cookiecutter_is_linked_later_and_then_updated(
    template: Template,
) -> None:
    answers = {"project_name": "Night Batch", "ci": "gitlab"}
    project = cookiecut(template, **answers)
    origin = head(template.folder)
    start_history(project.folder)
    template.release()

    link(project, template, to=origin, **answers)
    assert cruft("diff", project=project) == ""
    assert attempt(sys.executable, "-m", "cruft", "check", cwd=project.folder).returncode == 1
    commit(project.folder)
    update(project)

    assert has_the_next_version(project)
    assert not project.has_file(".github/workflows/ci.yml")
    assert "up to date" in cruft("check", project=project)


def test_a_link_with_other_answers_is_told_by_the_diff(template: Template) -> None:
    project = cookiecut(template, license="Apache-2.0")
    link(project, template, to=head(template.folder))
    told = cruft("diff", project=project)
    assert set(re.findall(r"^diff --git \S+?/(\S+)", told, re.MULTILINE)) >= {"LICENSE"}


def test_an_answer_is_changed_by_an_update(project: Project) -> None:
    answer = json.dumps({"quota_percent": "5"})
    update(project, "--variables-to-update", answer)
    assert project.toml("memory_budget.toml")["cluster"]["quota"] == "5 %"
    assert "this project's share: 250 GB" in project.text("memory_budget.toml")
    assert (
        json.loads(project.text(".cruft.json"))["context"]["cookiecutter"]["quota_percent"] == "5"
    )


def test_a_project_from_before_a_question_gets_its_default(
    template: Template, project: Project
) -> None:
    state = project.folder / ".cruft.json"
    edit(state, '      "training": "off",\n', "")
    commit(project.folder)
    template.release()

    update(project)

    assert has_the_next_version(project)
    assert changed(project).keys() == UPDATED
    assert json.loads(state.read_text())["context"]["cookiecutter"]["training"] == "off"


@pytest.mark.exhaustive
def test_training_that_is_chosen_later_brings_what_it_needs_and_leaves_the_segments(
    project: Project,
) -> None:
    update(project, "--variables-to-update", json.dumps({"training": "local"}))
    assert '"scikit-learn>=' in project.text("pyproject.toml")
    assert {"README.md", "tests/test_train.py"} <= changed(project).keys()
    assert not project.has_file("src/flight_delays/segments/s06_train.py")
    assert "run_on" not in project.toml("pipeline.toml")
    tests = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/test_train.py")
    assert "generate a new project to copy it from" in run(*tests, cwd=project.folder)


def test_what_an_update_leaves_alone_is_there(default_project: Project) -> None:
    skipped = default_project.toml("pyproject.toml")["tool"]["cruft"]["skip"]
    assert [path for path in skipped if not (default_project.folder / path).exists()] == []


def test_an_update_of_what_is_up_to_date_changes_nothing(project: Project) -> None:
    assert "Nothing to do" in update(project)
    assert changed(project) == {}


def test_after_an_update_checkpoints_are_reused_and_the_project_passes_its_own_tests(
    template: Template, project: Project
) -> None:
    edit(project.folder / "pipeline.toml", "late_minutes = 15", "late_minutes = 30")
    report = project.package / "segments" / "s05_report.py"
    edit(report, "All causes together", "Together all causes")
    commit(project.folder)
    ran = record(project)
    template.release()

    update(project)

    reused = record(project)
    assert {segment["status"] for segment in reused["segments"]} == {"reused"}
    assert reused["outputs"] == ran["outputs"]
    run(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", cwd=project.folder)
