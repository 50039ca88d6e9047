"""Markdown read as far as links need it: headings, the anchors they get, and what is linked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import PurePosixPath
from posixpath import normpath, relpath

_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_HEADING = re.compile(r"(#{1,6}) +(.+?)(?: +#+)? *$")
_LINK = re.compile(
    r"(?P<code>(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`))"
    r"|(?P<image>!?)\[(?P<text>(?:`[^`]*`|\\.|[^\[\]`\\])*)\]\((?P<target>[^\s()]+)\)"
)
_OUTSIDE = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)


@dataclass(frozen=True)
class Link:
    """A link or picture: `[text](target)`, with the path and the anchor of the target apart."""

    text: str
    target: str
    is_picture: bool

    @property
    def is_internal(self) -> bool:
        """Whether it leads to a file of the same repository."""
        return not _OUTSIDE.match(self.target)

    @property
    def path(self) -> str:
        return self.target.partition("#")[0]

    @property
    def anchor(self) -> str:
        return self.target.partition("#")[2]

    def as_markdown(self) -> str:
        return f"{'!' * self.is_picture}[{self.text}]({self.target})"

    def path_from(self, page: str) -> str:
        """The path from the repository's root, for a link that stands in the file `page`."""
        return normpath(PurePosixPath(page).parent / self.path) if self.path else page


def prose(text: str) -> Iterator[tuple[str, bool]]:
    """Each line with its end, and whether it is prose rather than part of a fenced block."""
    fence = ""
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if fence:
            yield line, False
            fence = "" if mark and mark[1].startswith(fence) else fence
        else:
            yield line, not mark
            fence = mark[1] if mark else ""


def headings(text: str) -> Iterator[tuple[int, str, int]]:
    """Level, title and line number, from 0, of each heading."""
    for number, (line, is_prose) in enumerate(prose(text)):
        if is_prose and (found := _HEADING.match(line)):
            yield len(found[1]), found[2], number


def slug(title: str) -> str:
    """The anchor that GitHub, and MyST like it, give to a heading."""
    plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", title)
    return re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")


def anchors(text: str) -> list[str]:
    """The anchors of all headings in their order; a title's second use gets `-1`, and so on."""
    given: list[str] = []
    seen: dict[str, int] = {}
    for _, title, _ in headings(text):
        name = slug(title)
        given.append(f"{name}-{seen[name]}" if seen.get(name) else name)
        seen[name] = seen.get(name, 0) + 1
    return given


def section(text: str, anchor: str) -> str:
    """The section that an anchor names: its heading, and all down to the next of its level.

    Raises:
        KeyError: no heading has this anchor.
    """
    found = dict(zip(anchors(text), headings(text), strict=True))
    level, _, start = found[anchor]
    after = [line for other, _, line in found.values() if line > start and other <= level]
    return "".join(text.splitlines(keepends=True)[start : min(after, default=None)])


def _blocks(text: str) -> Iterator[tuple[str, bool]]:
    """The text in runs of lines that are all prose, or all not; a link may be broken over lines."""
    for is_prose, lines in groupby(prose(text), key=itemgetter(1)):
        yield "".join(line for line, _ in lines), is_prose


def links(text: str) -> Iterator[Link]:
    """All links and pictures in the prose; code is no prose."""
    for block, is_prose in _blocks(text):
        for found in _LINK.finditer(block if is_prose else ""):
            if not found["code"]:
                yield Link(found["text"], found["target"], bool(found["image"]))


def replace_links(text: str, replacement: Callable[[Link], str]) -> str:
    """The text with each link and picture in its prose replaced."""

    def replaced(found: re.Match[str]) -> str:
        if found["code"]:
            return found[0]
        return replacement(Link(found["text"], found["target"], bool(found["image"])))

    blocks = _blocks(text)
    return "".join(_LINK.sub(replaced, block) if is_prose else block for block, is_prose in blocks)


def relative(path: str, page: str) -> str:
    """The path of a file as a link in `page` writes it; both are given from the root."""
    return relpath(path, PurePosixPath(page).parent.as_posix())


def table(headings: list[str], rows: list[list[str]]) -> str:
    """A table; what would end a cell is escaped."""
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    lines = [headings, ["---"] * len(headings), *cells]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
