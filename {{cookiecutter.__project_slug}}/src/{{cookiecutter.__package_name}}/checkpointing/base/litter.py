"""What does not count: files that editors, systems and runs leave beside data and code.

This is the one place that says so. A step's value does not follow from these files, so they are
neither hashed nor handed over in a `list[Path]`. A team adds patterns, and takes others back, by
`[reuse] ignore` in pipeline.toml.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import translate

from .names import is_temporary_name

EVERYWHERE = (
    *("*~", "*.orig", "*.rej", "*.bak", "*.swp", "*.swo", "#*#", ".#*"),  # editors and merges
    *(".DS_Store", "._*", "Thumbs.db", "desktop.ini"),  # file browsers
    *("__pycache__", "*.pyc", ".ipynb_checkpoints"),  # Python and notebooks
    *(".~lock.*#", "~$*", ".nfs*", "*.lock"),  # locks, and files that were deleted while open
    ".*.published",  # our own claims; our temporary files have names of their own
)
"""Patterns of names in every input and in the package."""

IN_PACKAGES = (
    *(".*", "README*", "CHANGELOG*", "LICENSE*", "*.ipynb", "*.pyi", "py.typed"),
    "*.py",  # these count as code, where something imports them
)
"""Patterns of names in packages of code, whose other files count as data."""

NEVER_SENT = (".*", "*.ipynb")
"""Patterns of names in packages of code that never travel: secrets lie in dot files."""


@dataclass(frozen=True)
class Ignore:
    """Patterns in the manner of .gitignore; the last one that matches decides.

    A pattern is compared with the name of a file or folder, or, if it contains a slash, with the
    path from the folder that is looked at; `*` matches any text, slashes too. With a slash at its
    end it matches folders alone. After a leading `!` the pattern takes back what an earlier one
    ignores. Nothing in an ignored folder counts.

    >>> ignored = Ignore(("*.tmp", "!keep.tmp", "cache/"))
    >>> [ignored.covers(path) for path in ("x.tmp", "a/keep.tmp", "cache/x.csv", "x.csv")]
    [True, False, True, False]
    """

    patterns: tuple[str, ...]

    def covers(self, path: str, *, is_folder: bool = False) -> bool:
        """Whether a path, with `/` and relative to the folder that is looked at, is ignored."""
        parts = path.split("/")
        last = len(parts)
        return any(
            self.names("/".join(parts[:count]), is_folder=count < last or is_folder)
            for count in range(1, last + 1)
        )

    def names(self, path: str, *, is_folder: bool) -> bool:
        """Whether a path is ignored by itself, not with a folder that it lies in."""
        name = path.rpartition("/")[2]
        ignored = is_temporary_name(name)
        for pattern in self.patterns:
            wanted = pattern.removeprefix("!")
            if wanted.endswith("/") and not is_folder:
                continue
            wanted = wanted.removesuffix("/")
            subject = path if "/" in wanted else name  # a slash in front counts too
            if _matcher(wanted.removeprefix("/"))(subject):
                ignored = not pattern.startswith("!")
        return ignored


@functools.cache
def _matcher(pattern: str) -> Callable[[str], object]:
    return re.compile(translate(pattern)).match


for _pattern in (*EVERYWHERE, *IN_PACKAGES):  # once in the fork server, for all of its workers
    _matcher(_pattern)


def in_inputs(team: Iterable[str] = ()) -> Ignore:
    """What does not count in a folder or glob of [inputs]; `team` are the project's patterns."""
    return Ignore((*EVERYWHERE, *team))


def in_packages(team: Iterable[str] = ()) -> Ignore:
    """What does not count as data in a package of code."""
    return Ignore((*EVERYWHERE, *IN_PACKAGES, *team))
