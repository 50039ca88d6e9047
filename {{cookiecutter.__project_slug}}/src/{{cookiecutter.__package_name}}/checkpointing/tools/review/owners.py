"""CODEOWNERS: who has to approve a change of a file. Syntax as GitHub and GitLab document it."""

from __future__ import annotations

import re
from pathlib import Path

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")

PLACEHOLDER = "@your-org/"  # how the owners begin that the template writes: teams yet to be named

_SECTION = re.compile(r"\^?\[[^\]]+\](\[\d+\])?\s*(?P<owners>.*)")
_OWNER = re.compile(r"@[\w./-]+|[^@\s]+@[^@\s]+")


def repository(folder: Path) -> Path:
    """The folder of the git repository around `folder`, or `folder` if there is none."""
    return next((f for f in (folder, *folder.parents) if (f / ".git").exists()), folder)


def owners_file(repository: Path) -> Path | None:
    """The first file of owners that the hosts look for."""
    return next((repository / name for name in PLACES if (repository / name).is_file()), None)


def owners_of(path: str, text: str) -> tuple[str, ...]:
    """Who owns `path`, relative to the repository with forward slashes, by a CODEOWNERS text.

    The last line that matches counts; in a file with sections (GitLab), that of each section.
    """
    by_section: dict[str, tuple[str, ...]] = {}
    section, default = "", ()
    for line in text.splitlines():
        line = re.sub(r"(?<!\\)#.*", "", line).strip()
        if header := _SECTION.fullmatch(line):
            section = line[: line.index("]")].lower()
            default = tuple(_OWNER.findall(header["owners"]))
        elif line:
            pattern, *owners = re.split(r"(?<!\\)\s+", line)
            if _matches(pattern, path):
                by_section[section] = tuple(o for o in owners if _OWNER.fullmatch(o)) or default
    return tuple(dict.fromkeys(owner for owners in by_section.values() for owner in owners))


def _matches(pattern: str, path: str) -> bool:
    anchored = "/" in pattern.rstrip("/")
    text = pattern.replace("\\ ", " ").strip("/")
    parts = [
        re.escape(part).replace(r"\*", "[^/]*").replace(r"\?", "[^/]") for part in text.split("/")
    ]
    expression = "/".join(".*" if part == "[^/]*[^/]*" else part for part in parts)
    expression = expression.replace(".*/", "(?:.*/)?")
    start = "" if anchored else "(?:.*/)?"
    last_is_star = text.split("/")[-1] == "*"
    below = "" if last_is_star and anchored else "(?:/.*)?"
    if pattern.endswith("/"):
        below = "/.*"
    return re.fullmatch(start + expression + below, path) is not None
