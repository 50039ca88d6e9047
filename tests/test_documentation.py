"""What the pages of a generated project tell their readers to type and to write works as it stands.

Three kinds of fenced blocks are followed, in their order on the page:

- `sh`: commands, one a line, each of which succeeds or ends as its comment `# exit N` says;
- any language with `title="PATH"`: a new file, or what is added to the end of one that is there;
- `diff` with `title="PATH"`: lines of a file, before and after.

All other blocks are examples to read.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from flight_delays.checkpointing.cli import application
from flight_delays.pipeline import PIPELINE

from .conftest import ROOT, Bakery, Project
from .marks import in_exhaustive, in_slow
from .test_repository import kept_files
from .test_update import IDENTITY, commit, run, update

LANGUAGES = ("en", "es")
PAGES = ("README.md", "docs/onboarding.md", "docs/adapting.md")
FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the path in its title, if any, and its text."""

    language: str
    path: str
    text: str


def blocks(page: str) -> list[Block]:
    return [Block(*found) for found in FENCE.findall(page)]


def prose(page: str) -> str:
    return FENCE.sub("", page)


def headings(page: str) -> list[str]:
    return re.findall(r"^#+ .*", prose(page), re.MULTILINE)


def type_in(command: str, project: Project) -> None:
    """Run a command line as a reader would, with the environment of these tests for uv's."""
    programs = Path(sys.executable).parent
    finished = subprocess.run(
        ["bash", "-c", re.sub(r"\buv run (?=\S)", f"{programs}/", command)],
        cwd=project.folder,
        env={key: value for key, value in os.environ.items() if key != "MEMORY_BUDGET"}
        | IDENTITY
        | {"PYTHONPATH": str(project.folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    expected = re.search(r"# exit (\d+)$", command)
    code = finished.returncode if finished.returncode >= 0 else 128 - finished.returncode
    told = f"{command}\n{finished.stdout}{finished.stderr}"
    assert code == int(expected[1] if expected else 0), told


def write(block: Block, project: Project) -> None:
    """Make the change that a block with a title shows."""
    file = project.folder / block.path
    if block.language == "diff":
        lines = block.text.splitlines(keepends=True)
        before, after = ("".join(x[1:] or x for x in lines if x[0] != sign) for sign in "+-")
        text = file.read_text(encoding="utf-8")
        assert text.count(before) == 1, f"{block.path} does not hold once:\n{before}"
        file.write_text(text.replace(before, after), encoding="utf-8")
    elif file.exists():
        file.write_text(f"{file.read_text(encoding='utf-8')}\n\n{block.text}", encoding="utf-8")
    else:
        file.write_text(block.text, encoding="utf-8")


def follow(page: str, project: Project) -> None:
    """Write the files of a page, and type its commands, from top to bottom."""
    for block in blocks(project.text(page)):
        if block.path:
            write(block, project)
        elif block.language == "sh":
            for command in block.text.splitlines():
                type_in(command, project)


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Project]:
    """A project in each language; tests only read them."""
    return {
        language: Bakery(tmp_path_factory.mktemp(language)).bake(language=language)
        for language in LANGUAGES
    }


def all_pages(project: Project) -> list[str]:
    return ["AGENTS.md", "README.md", *sorted(p for p in project.files() if p.startswith("docs/"))]


FOLLOWED = [
    pytest.param("README.md", "en", marks=pytest.mark.slow),
    *(pytest.param(page, "en", marks=pytest.mark.exhaustive) for page in (*PAGES[1:], "AGENTS.md")),
    # Another test holds that the code of a page is the same in every language.
    *(pytest.param(page, "es", marks=pytest.mark.exhaustive) for page in PAGES),
]


@pytest.mark.parametrize(("page", "language"), FOLLOWED)
def test_what_a_page_says_can_be_followed_from_top_to_bottom(
    bakery: Bakery, page: str, language: str
) -> None:
    project = bakery.bake(language=language)
    follow(page, project)


@pytest.mark.parametrize("page", [*in_slow(PAGES[1]), *in_exhaustive(PAGES[0], PAGES[2])])
def test_the_code_that_a_page_adds_passes_the_project_s_own_checks(
    bakery: Bakery, page: str
) -> None:
    project = bakery.bake()
    for block in blocks(project.text(page)):
        if block.path:
            write(block, project)
    for command in ("ruff format --check", "ruff check", "mypy", "flight-delays review"):
        type_in(f"uv run {command}", project)


@pytest.mark.slow
def test_an_update_brings_new_pages_in_the_language_that_was_chosen(
    bakery: Bakery, tmp_path: Path
) -> None:
    template = tmp_path / "template"
    for path in kept_files():
        copy = template / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    run("git", "init", "--quiet", cwd=template)
    commit(template)
    chosen = ("--no-input", "--extra-context", '{"language": "es"}', "--config-file", bakery.config)
    run(sys.executable, "-m", "cruft", "create", template, *chosen, cwd=tmp_path)
    project = Project(tmp_path / "flight-delays")
    run("git", "init", "--quiet", cwd=project.folder)
    commit(project.folder)
    before = project.text("docs/onboarding.md")
    for page in template.rglob("onboarding.md"):
        page.write_text(page.read_text().replace("## 1.", "## 1. 🛫", 1))
    commit(template)

    update(project)

    assert project.text("docs/onboarding.md") == before.replace("## 1.", "## 1. 🛫", 1)


def test_both_languages_generate_the_same_files(projects: dict[str, Project]) -> None:
    assert projects["en"].files() == projects["es"].files()


def test_every_page_but_the_assistants_is_translated(projects: dict[str, Project]) -> None:
    english, spanish = projects["en"], projects["es"]
    pages = all_pages(english)
    assert {*PAGES, "AGENTS.md"} <= set(pages)
    assert [p for p in pages if english.text(p) == spanish.text(p)] == ["AGENTS.md"]


def test_both_languages_hold_the_same_code(projects: dict[str, Project]) -> None:
    english, spanish = projects["en"], projects["es"]
    for page in all_pages(english):
        assert blocks(spanish.text(page)) == blocks(english.text(page)), page


def test_both_languages_have_the_same_sections(projects: dict[str, Project]) -> None:
    english, spanish = projects["en"], projects["es"]
    marks = re.compile(r"^#+ (?:CKP\d+|\d+\.)?", re.MULTILINE)  # levels, and what is not translated
    for page in all_pages(english):
        there, here = (marks.findall("\n".join(headings(p.text(page)))) for p in (english, spanish))
        assert there == here, page


def test_both_languages_name_the_same_code_in_their_prose(projects: dict[str, Project]) -> None:
    english, spanish = projects["en"], projects["es"]
    for page in all_pages(english):
        there, here = (
            Counter(re.findall(r"`[^`\n]+`", prose(p.text(page)))) for p in (english, spanish)
        )
        assert there == here, f"{page}: {there - here} {here - there}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_template_syntax_is_left_on_a_page(projects: dict[str, Project], language: str) -> None:
    project = projects[language]
    for page in all_pages(project):
        assert re.findall(r"\{\{|\}\}|\{%|^#%|cookiecutter\.", project.text(page), re.M) == [], page


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_link_leads_somewhere(projects: dict[str, Project], language: str) -> None:
    project = projects[language]
    for page in all_pages(project):
        for target, anchor in re.findall(
            r"\]\(([^)#:]*)(?:#([^)]*))?\)", prose(project.text(page))
        ):
            linked = (project.folder / page).parent / target if target else project.folder / page
            assert linked.is_file(), f"{page}: {target}"
            anchors = {slug(heading) for heading in headings(linked.read_text(encoding="utf-8"))}
            assert not anchor or anchor in anchors, f"{page}: {target}#{anchor}"


def slug(heading: str) -> str:
    """The anchor that GitHub and GitLab give a heading."""
    return re.sub(r"[^\w -]", "", heading.lstrip("# ").lower()).replace(" ", "-")


def test_every_example_in_python_can_be_parsed(default_project: Project) -> None:
    examples = [b for p in PAGES for b in blocks(default_project.text(p)) if b.language == "python"]
    assert examples
    for block in examples:
        ast.parse(block.text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_readme_can_be_read_in_two_minutes(projects: dict[str, Project], language: str) -> None:
    """At 250 words a minute; blocks of code are left out."""
    words = re.findall(r"\S*\w\S*", prose(projects[language].text("README.md")))
    assert len(words) <= 500


def test_the_readme_s_picture_is_the_sample_s_pipeline(default_project: Project) -> None:
    [picture] = [b for b in blocks(default_project.text("README.md")) if b.language == "mermaid"]
    labels = dict(re.findall(r"(\w+)\[(s\d\d_\w+)\]", picture.text))
    edges = re.findall(r'(\w+)(?:\[\w+\])? -- "([^"]*)" --> (\w+)', picture.text)
    drawn = {
        (labels[maker], labels[reader], value)
        for maker, values, reader in edges
        for value in values.split(", ")
    }
    needed = {
        (maker.name, reader.name, value)
        for reader in PIPELINE.segments
        for value in PIPELINE.loaded(PIPELINE.span(reader))
        if (maker := PIPELINE.producer(value))
    }
    assert drawn == needed
    assert list(labels.values()) == [segment.name for segment in PIPELINE.segments]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_readme_lists_every_command(projects: dict[str, Project], language: str) -> None:
    readme = projects[language].text("README.md")
    rows = re.findall(r"^\| `(\w+)(?: [A-Z]+)?` \|", readme, re.MULTILINE)
    commands = application("flight_delays").registered_commands
    assert sorted(rows) == sorted(c.callback.__name__ for c in commands if c.callback)
