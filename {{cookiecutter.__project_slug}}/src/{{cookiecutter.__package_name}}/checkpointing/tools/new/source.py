"""One file of Python, edited by position: everything that an edit does not name stays as it is."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ...base.errors import ConfigurationError
from ...base.reading import read_bytes
from ...base.refusals import Unreadable

INDENT = "    "

_MOST_BYTES = 1 << 24
_LINE_END = re.compile(r"\r\n|\r|\n")


class Unclear(Exception):
    """An edit would have to guess. The text says why, for the person who makes it by hand."""


@dataclass(frozen=True)
class Edit:
    """Text in the place of the characters from `start` up to `end`, with the line ends of Unix."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Source:
    """The text of a file with its own line ends, how it is encoded, and how it is shown."""

    text: str
    encoding: str
    shown: str

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax. Raises ConfigurationError if it is wrong."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a doubtful escape in the project's code, say
                return ast.parse(self.text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
            said = error.msg if isinstance(error, SyntaxError) else error or type(error).__name__
            raise ConfigurationError(
                f"{self.shown}{line} is no correct Python: {said}. Nothing was changed; correct it "
                f"first."
            ) from None

    @property
    def content(self) -> bytes:
        return self.text.encode(self.encoding)

    @property
    def newline(self) -> str:
        first = _LINE_END.search(self.text)
        return first[0] if first else "\n"

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(match.end() for match in _LINE_END.finditer(self.text))]

    def offset(self, line: int, column: int) -> int:
        """The character at a position as `ast` gives it: lines from 1, columns in UTF-8 bytes."""
        start = self._starts[line - 1]
        stop = self._starts[line] if line < len(self._starts) else len(self.text)
        return start + len(self.text[start:stop].encode()[:column].decode())

    def span(self, node: ast.expr | ast.stmt | ast.alias | ast.keyword) -> tuple[int, int]:
        """The characters of a node: first, and one past the last."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self.offset(node.lineno, node.col_offset)
        return start, self.offset(node.end_lineno, node.end_col_offset)

    def segment(self, node: ast.expr | ast.stmt | ast.alias | ast.keyword) -> str:
        """The text of a node."""
        start, end = self.span(node)
        return self.text[start:end]

    def line_of(self, offset: int) -> int:
        """The number of a character's line, from 1."""
        return bisect_right(self._starts, offset)

    def line_start(self, offset: int) -> int:
        """The first character of the line."""
        return self._starts[self.line_of(offset) - 1]

    def line_end(self, offset: int) -> int:
        """The end of the line, before its line end."""
        match = _LINE_END.search(self.text, offset)
        return match.start() if match else len(self.text)

    def line(self, offset: int) -> str:
        """The text of the line around a character."""
        return self.text[self.line_start(offset) : self.line_end(offset)]

    def comments(self, start: int, end: int) -> bool:
        """Whether there is a comment between two characters."""
        lines = io.StringIO(_LINE_END.sub("\n", self.text)).readline
        return any(
            token.type == tokenize.COMMENT
            and start <= self._starts[token.start[0] - 1] + token.start[1] < end
            for token in tokenize.generate_tokens(lines)
        )

    def edited(self, edits: Iterable[Edit]) -> Source:
        """The file after edits that do not overlap. Raises ConfigurationError at wrong syntax."""
        text = self.text
        for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
            new = _LINE_END.sub("\n", edit.text).replace("\n", self.newline)
            text = text[: edit.start] + new + text[edit.end :]
        made = Source(text, self.encoding, self.shown)
        assert made.tree
        return made


def read_source(path: Path, shown: str) -> Source:
    """Read a file. Raises ConfigurationError if it is not readable text; OSError."""
    try:
        content = read_bytes(path, _MOST_BYTES)
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return Source(content.decode(encoding), encoding, shown)
    except (SyntaxError, UnicodeDecodeError, Unreadable) as error:
        raise ConfigurationError(f"{shown} cannot be read: {error}. Save it as UTF-8.") from None


def new_source(text: str, shown: str) -> Source:
    """A file that does not exist yet."""
    return Source(text, "utf-8", shown)
