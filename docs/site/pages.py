"""The pages of the site: which there are, in which order, and how each comes from the repository.

Markdown of the repository stays as it is read on a forge; here it becomes a page:

- A link to another page leads to it on the site. A link to a file that is no page keeps its text.
- A line that is a link and `<!-- include -->` gives way to the section that the link leads to.
- A picture is put into the page itself, so that it follows the page's colours.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from pathlib import Path

from . import reference
from .markdown import Link, headings, relative, replace_links, section

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = "{{cookiecutter.__project_slug}}"
PROJECT = "build/dev/flight-delays"  # the project that the default answers make
DECISIONS = "adr/index.md"
README, FIRST = "project/readme.md", "onboarding.md"

_INCLUDE = re.compile(r"^\[.+\]\((\S+)\) <!-- include -->$", re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """One page: its path on the site, and the file of the repository that it is made of."""

    path: str
    source: str


@dataclass(frozen=True)
class Chapter:
    """Pages under one heading of the navigation: paths on the site, or `title <path>`."""

    title: str
    pages: tuple[str, ...]


def written_pages() -> list[Page]:
    """What people wrote. Decisions and the pages of a generated project are found, not listed."""
    pages = [
        Page("index.md", "docs/index.md"),
        Page("es.md", "docs/index.es.md"),
        Page("pattern.md", "docs/pattern.md"),
        Page("tutorial.md", "docs/tutorial.md"),
        Page("variants.md", "docs/examples/variants/README.md"),
        Page("planning.md", "docs/planning.md"),
        Page("guarantees.md", "docs/guarantees.md"),
        Page("updating.md", "docs/updating.md"),
        Page("architecture.md", "docs/architecture.md"),
        Page("runtime.md", "docs/runtime.md"),
        Page("benchmarks.md", "benchmarks/README.md"),
        Page("contributing.md", "CONTRIBUTING.md"),
        Page("changelog.md", "CHANGELOG.md"),
        Page(README, f"{PROJECT}/README.md"),
    ]
    for folder, site in (("docs/adr", "adr"), (f"{PROJECT}/docs", "project")):
        found = sorted((ROOT / folder).glob("*.md"), key=lambda path: (path.name != FIRST, path))
        pages += [Page(f"{site}/{path.name}", f"{folder}/{path.name}") for path in found]
    return pages


def chapters(pages: list[Page]) -> list[Chapter]:
    """The navigation, top to bottom."""
    found = (page.path for page in pages if page.path.startswith("project/"))
    project = tuple(path for path in found if path != README)
    return [
        Chapter(
            "Start",
            (
                *("pattern.md", "tutorial.md", "variants.md", "planning.md", "guarantees.md"),
                "updating.md",
                "En español <es>",
            ),
        ),
        Chapter("Reference", tuple(reference.PAGES)),
        Chapter("A generated project", (f"Its README <{README}>", *project)),
        Chapter("Inside", ("architecture.md", "runtime.md", DECISIONS, "benchmarks.md")),
        Chapter("Taking part", ("contributing.md", "changelog.md")),
    ]


def stage(folder: Path) -> None:
    """Write the source of the whole site into an empty folder.

    Raises:
        KeyError: what is to be included is no section.
    """
    pages = written_pages()
    places = {page.source: page.path for page in pages} | {
        "README.md": "index.md",
        "docs/adr": DECISIONS,
    }
    places |= {included: page.path for page in pages for included in _includes(page)}
    texts = {page.path: _as_page(page, places) for page in pages}
    texts |= {path: make() for path, make in reference.PAGES.items()}
    texts[DECISIONS] = _decisions(texts)
    texts["index.md"] += "".join(_tree(chapter) for chapter in chapters(pages))
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def _includes(page: Page) -> list[str]:
    """The sections that a page takes in, each as `file#anchor`."""
    links = (Link("", target, is_picture=False) for target in _INCLUDE.findall(_text(page.source)))
    return [f"{link.path_from(page.source)}#{link.anchor}" for link in links]


def _text(source: str) -> str:
    return (ROOT / source).read_text(encoding="utf-8")


def _as_page(page: Page, places: dict[str, str]) -> str:
    """The text of a file as its page shows it: text and links to include take turns."""
    pieces = _INCLUDE.split(_text(page.source))
    for number, piece in enumerate(pieces):
        source = page.source
        if number % 2:
            link = Link("", piece, is_picture=False)
            source = _generated(link.path_from(page.source))
            piece = section(_text(source), link.anchor).rstrip("\n")
        pieces[number] = _relinked(piece, source, page, places)
    return "".join(pieces)


def _generated(path: str) -> str:
    """Where a file of the template is read: in the project that was generated from it."""
    return path.replace(TEMPLATE, PROJECT)


def _relinked(text: str, source: str, page: Page, places: dict[str, str]) -> str:
    """A text out of the file `source`, with its links as they have to be on a page."""

    def on_page(link: Link) -> str:
        path = _generated(link.path_from(source))
        if not link.is_internal or not (ROOT / path).exists():
            return link.as_markdown()  # where it leads nowhere, the build will say so
        if link.is_picture:
            return _drawn(ROOT / path, link.text)
        place = places.get(f"{path}#{link.anchor}") or places.get(path)
        if place is None:
            return link.text
        place = "" if place == page.path else relative(place, page.path)
        return f"[{link.text}]({place}{'#' * bool(link.anchor)}{link.anchor})"

    return replace_links(text, on_page)


def _drawn(picture: Path, words: str) -> str:
    """An SVG as a block of HTML, which must not hold an empty line."""
    label = f'<svg aria-label="{html.escape(words)}"'
    drawing = picture.read_text(encoding="utf-8").replace("<svg", label, 1)
    lines = [line for line in drawing.splitlines() if line.strip()]
    return "\n".join(["<figure>", *lines, "</figure>"])


def _decisions(texts: dict[str, str]) -> str:
    """The list of all decision records."""
    records = {path: text for path, text in texts.items() if path.startswith("adr/")}
    lines = []
    for path, text in records.items():
        [title, *_] = [title for level, title, _ in headings(text) if level == 1]
        lines.append(f"1. [{title}]({relative(path, DECISIONS)})\n")
    purpose = "What was decided, why, and what follows, for whoever may want to undo it.\n\n"
    return (
        "# Decisions\n\n"
        + purpose
        + "".join(lines)
        + _tree(Chapter("", tuple(f"/{path}" for path in records)))
    )


def _tree(chapter: Chapter) -> str:
    """A chapter of the navigation, as the front page declares it."""
    caption = [f":caption: {chapter.title}"] if chapter.title else []
    lines = ["", "```{toctree}", ":hidden:", *caption, "", *chapter.pages, "```", ""]
    return "\n".join(lines)
