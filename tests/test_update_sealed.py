"""The command `update` replaces the template's files, and keeps what the team has in them."""

# ruff: noqa: F811  fixtures are imported, and taken by their names

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from .conftest import Project
from .test_update import (
    BUDGET,
    UPDATED,
    Template,
    attempt,
    attempt_update,
    changed,
    commit,
    cookiecut,
    cruft,
    edit,
    first_version,  # noqa: F401
    has_the_next_version,
    head,
    project,  # noqa: F401
    review,
    run,
    start_history,
    template,  # noqa: F401
    update,
)

pytestmark = pytest.mark.slow

CLEAN = "The review found nothing.\n"
MODULE = f"src/flight_delays/{BUDGET}"
FIRST_LINE = "# Our own accounting.\n"
NOTE = "Deploys happen on Mondays.\n"
WORKFLOW = ".github/workflows/ci.yml"


def patch(project: Project, name: str = "accounting") -> None:
    """Keep what differs from the last commit as a patch, and commit both."""
    diff = run("git", "diff", "--relative", cwd=project.folder)
    (project.folder / "patches").mkdir(exist_ok=True)
    path = project.folder / "patches" / f"{name}.patch"
    path.write_text(f"Reason: the cluster counts in another way\n\n{diff}", encoding="utf-8")
    commit(project.folder)


def put_first(path: Path, line: str) -> None:
    path.write_text(line + path.read_text(encoding="utf-8"), encoding="utf-8")


def add_note(project: Project) -> None:
    edit(project.folder / "AGENTS.md", "<!-- yours -->\n", f"<!-- yours -->\n{NOTE}")
    edit(project.folder / WORKFLOW, "MEMORY_BUDGET: 500MB", "MEMORY_BUDGET: 900MB")
    commit(project.folder)


def test_a_patch_is_applied_again_upon_the_new_version(
    template: Template, project: Project
) -> None:
    put_first(project.folder / MODULE, FIRST_LINE)
    patch(project)
    assert review(project) == CLEAN
    template.release()

    update(project)

    assert project.text(MODULE).startswith(FIRST_LINE)
    assert has_the_next_version(project)
    assert changed(project).keys() == UPDATED
    assert review(project) == CLEAN


def test_a_patch_that_no_longer_fits_is_named_and_the_file_is_as_the_template_has_it(
    template: Template, project: Project
) -> None:
    put_first(project.folder / MODULE, FIRST_LINE)
    patch(project)
    edits = project.package / "checkpointing" / "base" / "units.py"
    edits.write_text(edits.read_text(encoding="utf-8") + "\nOURS = 1\n", encoding="utf-8")
    patch(project, "units")
    put_first(template.package / BUDGET, '"""Rewritten."""\n')
    template.release()

    told = attempt_update(project)

    assert told.returncode == 2
    assert "patches/accounting.patch does not fit any more" in told.stderr
    assert "patches/units.patch" not in told.stderr
    assert project.text(MODULE) == (template.package / BUDGET).read_text(encoding="utf-8")
    assert edits.read_text(encoding="utf-8").endswith("OURS = 1\n")
    assert project.has_file("patches/accounting.patch")
    assert review(project).startswith("patches/accounting.patch:1: CKP105 the patch does not fit")


def test_the_team_s_parts_stay_while_the_lines_around_them_are_replaced(
    template: Template, project: Project
) -> None:
    add_note(project)
    page = template.generated / "AGENTS.md"
    edit(page, "an update of the template keeps it.\n\n", "an update keeps it.\n")
    edit(template.generated / WORKFLOW, "MEMORY_BUDGET: 500MB", "MEMORY_BUDGET: 600MB")
    edit(template.generated / WORKFLOW, "so\n      # that you notice", "so that you notice")
    template.release()

    update(project)

    assert f"keeps it.\n<!-- yours -->\n{NOTE}<!-- end" in project.text("AGENTS.md")
    assert "MEMORY_BUDGET: 900MB" in project.text(WORKFLOW)
    assert "so that you notice" in project.text(WORKFLOW)
    assert changed(project).keys() == UPDATED | {"AGENTS.md", WORKFLOW}
    assert review(project) == CLEAN


def test_git_has_to_be_clean(project: Project) -> None:
    (project.folder / "notes.md").write_text("unsaved")
    told = attempt_update(project)
    assert (told.returncode, "in no commit" in told.stderr) == (2, True)
    assert changed(project) == {"notes.md": "??"}


def test_an_edit_without_a_patch_is_named_and_nothing_is_updated(
    template: Template, project: Project
) -> None:
    put_first(project.folder / MODULE, FIRST_LINE)
    commit(project.folder)
    template.release()

    told = attempt_update(project)

    assert told.returncode == 2
    assert f"{MODULE}: the file was edited by hand" in told.stderr
    assert changed(project) == {}


def test_an_update_that_cruft_alone_began_is_told_and_then_finished(
    template: Template, project: Project
) -> None:
    edit(
        template.generated / "memory_budget.toml",
        "nothing can raise it",
        "and nothing can raise it",
    )
    template.release()
    cruft("update", "--skip-apply-ask", project=project)
    commit(project.folder)
    assert not has_the_next_version(project)
    assert ".cruft.json:1: CKP105 an update did not arrive whole" in review(project)

    update(project)

    assert has_the_next_version(project)
    assert review(project) == CLEAN


def test_files_that_the_template_adds_or_removes_come_and_go(
    template: Template, project: Project
) -> None:
    runtime = template.package / "checkpointing"
    (runtime / "later.py").write_text('"""New in this version."""\n')
    (runtime / "start.py").rename(runtime / "begin.py")
    template.release()

    update(project)

    there = {path.name for path in (project.package / "checkpointing").iterdir()}
    assert there >= {"later.py", "begin.py"}
    assert "start.py" not in there


def test_a_part_that_has_no_place_any_more_is_named(template: Template, project: Project) -> None:
    add_note(project)
    edit(template.generated / "AGENTS.md", "<!-- yours -->\n<!-- end of yours -->\n", "")
    template.release()

    told = attempt_update(project)

    assert told.returncode == 2
    assert "AGENTS.md has no part `<!-- yours -->` any more" in told.stderr
    assert NOTE in run("git", "show", "HEAD:./AGENTS.md", cwd=project.folder)
    assert review(project) == CLEAN


def test_a_patch_whose_change_the_template_took_over_can_be_deleted(
    template: Template, project: Project
) -> None:
    put_first(project.folder / MODULE, FIRST_LINE)
    patch(project)
    put_first(template.package / BUDGET, FIRST_LINE)
    template.release()

    told = attempt_update(project)

    assert (told.returncode, "delete it if the template has the change" in told.stderr) == (2, True)
    (project.folder / "patches" / "accounting.patch").unlink()
    assert review(project) == CLEAN


def test_a_patch_may_delete_a_file_of_the_template(template: Template, project: Project) -> None:
    (project.folder / ".pre-commit-config.yaml").unlink()
    patch(project)
    assert review(project) == CLEAN
    template.release()
    update(project)
    assert not project.has_file(".pre-commit-config.yaml")
    assert review(project) == CLEAN


@pytest.mark.exhaustive
def test_a_version_can_be_chosen_an_earlier_one_too(template: Template, project: Project) -> None:
    first = head(template.folder)
    template.release()
    update(project)
    commit(project.folder)

    update(project, "--checkout", first)

    assert not has_the_next_version(project)
    assert json.loads(project.text(".cruft.json"))["commit"] == first
    assert f"# commit: {first}\n" in project.text("checkpointing.sha256")
    assert review(project) == CLEAN


def test_an_answer_that_changes_reaches_the_template_s_files(project: Project) -> None:
    add_note(project)
    told = attempt_update(project, "--variables-to-update", '{"ci": "gitlab", "max_steps": "12"}')
    assert told.returncode == 2  # for the variables in the workflow have no place any more
    assert f"{WORKFLOW} has no part `# yours: variables of memory" in told.stderr
    assert project.has_file(".gitlab-ci.yml")
    assert not project.has_file(WORKFLOW)
    assert "up to 12 steps" in project.text("AGENTS.md")
    assert NOTE in project.text("AGENTS.md")


def test_a_project_below_the_top_of_its_repository_is_updated_with_its_patches(
    template: Template, project: Project
) -> None:
    top = project.folder.parent / "repository"
    shutil.copytree(project.folder, top / "batch" / "delays")
    shutil.rmtree(top / "batch" / "delays" / ".git")
    start_history(top)
    inner = Project(top / "batch" / "delays")
    put_first(inner.folder / MODULE, FIRST_LINE)
    patch(inner)
    assert review(inner) == CLEAN
    template.release()

    update(inner)

    assert inner.text(MODULE).startswith(FIRST_LINE)
    assert has_the_next_version(inner)
    assert review(inner) == CLEAN


def test_a_project_that_is_linked_to_no_template_is_told_how_to_link_it(
    template: Template,
) -> None:
    project = cookiecut(template)
    start_history(project.folder)
    told = attempt_update(project)
    assert (told.returncode, "cruft link" in told.stderr) == (2, True)


def test_without_cruft_and_uv_the_command_says_what_to_install(project: Project) -> None:
    programs = project.folder.parent / "programs"
    programs.mkdir()
    (programs / "git").symlink_to(str(shutil.which("git")))
    words = (sys.executable, "-m", "flight_delays", "update")
    told = attempt("env", f"PATH={programs}", *words, cwd=project.folder)
    assert (told.returncode, "pip install cruft" in told.stderr) == (2, True)


def test_without_cruft_uvx_runs_it(template: Template, project: Project) -> None:
    programs = project.folder.parent / "programs"
    programs.mkdir()
    uvx = programs / "uvx"
    uvx.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m "$@"\n')
    uvx.chmod(0o755)
    (programs / "git").symlink_to(str(shutil.which("git")))
    template.release()
    words = (sys.executable, "-m", "flight_delays", "update")
    path = f"PATH={programs}{os.pathsep}/bin{os.pathsep}/usr/bin"
    told = attempt("env", path, *words, cwd=project.folder)
    assert told.returncode == 0, told.stderr
    assert has_the_next_version(project)
