"""The documentation: its links lead somewhere, and its reference and pictures say what is so."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from flight_delays.checkpointing.base import elsewhere, remedies, settings
from pydantic import BaseModel

from docs.site.__main__ import fetches
from docs.site.markdown import anchors, links, replace_links, section, slug
from docs.site.pages import stage, written_pages

from .conftest import ROOT, TEMPLATE, Bakery
from .test_repository import kept_files

PICTURES = ROOT / "docs" / "pictures"
FIGURE = r"\d[.,]\d+"
WORDS = re.compile(r">[^<>\n]+</text>")


def dead_links(root: Path, pages: list[Path]) -> list[str]:
    """Every link in these pages to a file or a section that is not there."""
    dead = []
    for page in pages:
        name = page.relative_to(root).as_posix()
        for link in links(page.read_text(encoding="utf-8")):
            if not link.is_internal:
                continue
            target = root / link.path_from(name)
            is_page = target.suffix == ".md" and target.exists()
            known = anchors(target.read_text(encoding="utf-8")) if is_page else []
            if not target.exists() or (link.anchor and link.anchor not in known):
                dead.append(f"{name}: {link.as_markdown()}")
    return dead


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of the site, as Sphinx gets them."""
    folder = tmp_path_factory.mktemp("pages")
    stage(folder)
    return folder


def test_every_link_of_this_repository_leads_to_a_file_and_a_section() -> None:
    texts = [path for path in kept_files() if path.suffix == ".md"]
    parts = {TEMPLATE, ROOT / "templates"}  # of pages of a generated project
    pages = [path for path in texts if not parts & set(path.parents)]
    assert len(pages) > 15
    assert dead_links(ROOT, pages) == []


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_link_of_a_generated_project_leads_to_a_file_and_a_section(
    bakery: Bakery, language: str
) -> None:
    project = bakery.bake(language=language)
    pages = [project.folder / path for path in project.files()]
    assert dead_links(project.folder, [page for page in pages if page.suffix == ".md"]) == []


def test_everything_in_docs_is_a_page() -> None:
    sources = {page.source for page in written_pages()}
    written = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/**/*.md")}
    assert written <= sources


def test_every_page_of_the_site_is_in_its_navigation(pages: Path) -> None:
    paths = {path.relative_to(pages).as_posix() for path in pages.rglob("*.md")}
    trees = (pages / "index.md").read_text() + (pages / "adr" / "index.md").read_text()
    listed = re.findall(r"^(?:.*<)?/?([\w./-]+?)(?:\.md)?>?$", trees, re.MULTILINE)
    assert {path.removesuffix(".md") for path in paths} - set(listed) == {"index"}


def test_every_decision_is_listed_with_its_title(pages: Path) -> None:
    listed = (pages / "adr" / "index.md").read_text(encoding="utf-8")
    for path in (ROOT / "docs" / "adr").glob("*.md"):
        title = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        assert f"[{title}]({path.name})" in listed


def test_the_reference_has_every_question_and_every_setting(pages: Path) -> None:
    questions = (pages / "reference" / "questions.md").read_text(encoding="utf-8")
    asked = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))["__prompts__"]
    assert [key for key in asked if f"\n| `{key}` | {asked[key]}" not in questions] == []
    configuration = (pages / "reference" / "configuration.md").read_text(encoding="utf-8")
    for name, table in settings.MemoryBudget.model_fields.items():
        part = section(configuration, name)
        model = table.annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        assert [key for key in model.model_fields if f"\n| `{key}` | " not in part] == []
    part = section(configuration, "executorsname")
    keys = elsewhere.ExecutorTable.model_fields
    assert [key for key in keys if f"\n| `{key}` | " not in part] == []
    assert "| `headroom` | " in configuration
    assert '| `"20 %"` |' in configuration


def test_the_reference_has_every_type_that_the_code_knows(pages: Path) -> None:
    values = (pages / "reference" / "values.md").read_text(encoding="utf-8")
    kept, refused = section(values, "kept"), section(values, "refused")
    for entry in remedies.KEPT:
        assert f" | {entry.form} |" in kept
        assert [name for name in entry.types if f"`{name}`" not in kept] == []
    for refusal in remedies.REFUSED:
        [row] = [line for line in refused.splitlines() if line.startswith(f"| {refusal.what} |")]
        assert refusal.remedy in row
        assert [name for name in refusal.types if f"`{name}`" not in row] == []


def test_the_reference_has_options_as_they_are_typed(pages: Path) -> None:
    run = section((pages / "reference" / "commands.md").read_text(encoding="utf-8"), "run")
    for option in ("--budget SIZE", "--set NAME=VALUE", "--fresh", "--only SEGMENT", "--json"):
        assert f"\n| `{option}` | " in run


def test_a_section_of_another_file_stands_where_it_is_asked_for(pages: Path) -> None:
    pattern = (pages / "pattern.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert section(pattern, "what-it-costs-and-what-it-buys").count("\n| ") > 5
    assert section(readme, "when-it-is-not-for-you").strip() in pattern
    assert "<!-- include -->" not in pattern


def test_the_spanish_picture_is_the_english_one_in_other_words() -> None:
    english, spanish = (
        (PICTURES / name).read_text(encoding="utf-8") for name in ("memory.svg", "memory.es.svg")
    )
    assert WORDS.sub("", english) == WORDS.sub("", spanish)
    assert len(WORDS.findall(english)) == len(WORDS.findall(spanish))


def test_figures_in_pictures_and_on_front_pages_are_those_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    measured = section(readme, "what-it-costs-and-what-it-buys")
    whole, cut = (
        re.search(rf"peaks? (?:at )?({FIGURE}){words}", measured)
        for words in (" × the quota", " of the quota")
    )
    assert whole
    assert cut
    shown = [*PICTURES.glob("memory*.svg"), ROOT / "docs/index.md", ROOT / "docs/index.es.md"]
    for path in shown:
        text = path.read_text(encoding="utf-8")
        words = " ".join(WORDS.findall(text)) if path.suffix == ".svg" else text
        figures = {figure.replace(",", ".") for figure in re.findall(rf"\b{FIGURE}\b", words)}
        assert figures == {whole[1], cut[1]}, path


def test_links_in_code_are_none_and_others_may_be_broken_over_lines() -> None:
    text = "`[a](b)` and [two\nwords](c.md#d)\n\n```\n[e](f)\n```\n\n![`g`](h.svg) [i](https://j)\n"
    found = [(link.text, link.path, link.anchor, link.is_internal) for link in links(text)]
    assert found == [
        ("two\nwords", "c.md", "d", True),
        ("`g`", "h.svg", "", True),
        ("i", "https://j", "", False),
    ]
    assert replace_links(text, lambda link: link.as_markdown()) == text


def test_a_section_ends_at_the_next_heading_of_its_level() -> None:
    text = "# A\n\n## B\n\nb\n\n### C\n\n```sh\n## no heading\n```\n\n## B\n\nd\n"
    assert anchors(text) == ["a", "b", "c", "b-1"]
    assert section(text, "b") == "## B\n\nb\n\n### C\n\n```sh\n## no heading\n```\n\n"
    assert section(text, "b-1") == "## B\n\nd\n"


@pytest.mark.parametrize(
    ("title", "anchor"),
    [
        ("What it costs, and what it buys", "what-it-costs-and-what-it-buys"),
        ("seed20: a script that outgrows its quota", "seed20-a-script-that-outgrows-its-quota"),
        ("`--set` changes [inputs](x) as well", "--set-changes-inputs-as-well"),
        ("Qué es un paso_vivo", "qué-es-un-paso_vivo"),
    ],
)
def test_a_heading_has_the_anchor_that_forges_give_it(title: str, anchor: str) -> None:
    assert slug(title) == anchor


@pytest.mark.parametrize(
    ("name", "content", "is_fetched"),
    [
        ("a.html", '<a href="https://example.org">a link to follow</a>', False),
        ("a.html", '<script src="_static/furo.js"></script>', False),
        ("a.html", '<script src="https://example.org/x.js"></script>', True),
        ("a.html", '<link rel="stylesheet" href="//example.org/x.css">', True),
        ("a.css", "body { background: url(https://example.org/x.png) }", True),
        ("a.css", "body { background: url(x.png) }", False),
    ],
)
def test_a_page_that_loads_from_elsewhere_is_noticed(
    tmp_path: Path, name: str, content: str, is_fetched: bool
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert fetches(tmp_path / name) == is_fetched
