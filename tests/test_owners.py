"""Who is asked before the budget, the runtime or what checks them changes; what reviewers tick."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

import pytest

from .conftest import Bakery, Project

PLACEHOLDER = "@your-org/architects"
PATCHES = "/patches/"  # a new project has none
CHECKED_BY = {"github": "/.github/workflows/", "gitlab": "/.gitlab-ci.yml", "none": None}
CHECK_LISTS = {
    "github": ".github/pull_request_template.md",
    "gitlab": ".gitlab/merge_request_templates/Default.md",
}


def owned(project: Project) -> dict[str, str]:
    """The owner of each pattern."""
    lines = project.text("CODEOWNERS").splitlines()
    pairs = [line.split() for line in lines if line and not line.startswith("#")]
    assert {len(pair) for pair in pairs} == {2}
    return dict(pairs)


@pytest.mark.parametrize("ci", CHECKED_BY)
def test_the_budget_the_runtime_and_what_checks_them_are_the_architects(
    bakery: Bakery, ci: str
) -> None:
    patterns = {"/memory_budget.toml", "/src/*/checkpointing/", "/checkpointing.sha256", PATCHES}
    checks = {CHECKED_BY[ci]} - {None}
    assert set(owned(bakery.bake(ci=ci))) == patterns | checks | {"/CODEOWNERS"}


@pytest.mark.parametrize("ci", CHECKED_BY)
def test_everything_that_has_an_owner_exists(bakery: Bakery, ci: str) -> None:
    project = bakery.bake(ci=ci)
    paths = {f"/{path}" for path in project.files()}
    for pattern in owned(project).keys() - {PATCHES}:
        assert [path for path in paths if fnmatchcase(path, pattern + "*")], pattern


def test_the_only_owner_is_a_placeholder_that_the_file_explains(default_project: Project) -> None:
    assert set(owned(default_project).values()) == {PLACEHOLDER}
    comments = [line for line in default_project.text("CODEOWNERS").splitlines() if "#" in line]
    assert f"in place of {PLACEHOLDER}" in "\n".join(comments)


@pytest.mark.parametrize("language", ["en", "es"])
def test_both_hosts_have_the_same_check_list(bakery: Bakery, language: str) -> None:
    texts = {bakery.bake(ci=ci, language=language).text(path) for ci, path in CHECK_LISTS.items()}
    assert len(texts) == 1
    assert texts.pop().count("- [ ] ") == 10


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_check_list_is_the_standard_s(bakery: Bakery, language: str) -> None:
    project = bakery.bake(language=language)
    listed: list[str] = []
    check_list = project.text(CHECK_LISTS["github"])
    for first, last in re.findall(r"(CKP\d+)(?:–(CKP\d+))?", check_list):
        numbers = range(int(first[3:]), int((last or first)[3:]) + 1)
        listed += [f"CKP{number:03}" for number in numbers]
    rules = re.findall(r"^## (CKP\d+)", project.text("docs/review-standard.md"), re.MULTILINE)
    assert rules
    assert listed == rules
