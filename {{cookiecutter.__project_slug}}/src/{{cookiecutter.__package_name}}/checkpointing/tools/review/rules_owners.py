"""CKP105, CKP401, CKP402: files that are not the team's own, and changes only owners may make."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...base import seal
from ...base.errors import ConfigurationError
from ...base.reading import parse_toml
from ...base.refusals import Unreadable
from .findings import Finding
from .graph import Project
from .owners import PLACEHOLDER, PLACES, owners_file, owners_of, repository
from .source import MEMORY_BUDGET_FILE

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "p": 10**15}
_UNITS |= {f"{name}i": 1024**power for power, name in enumerate(("k", "m", "g", "t", "p"), 1)}
_SIZE = re.compile(r"\s*(\d*\.?\d+)\s*(?:([kmgtp]i?)?b?)?\s*", re.IGNORECASE)


def edited_template_files(project: Project) -> Iterator[Finding]:
    """CKP105: files of the template that are not as `checkpointing.sha256` records them.

    Generating a project writes the record, and the command `update` replaces it with the files.
    """
    for problem in seal.problems(project.root, project.vendored) if project.vendored else ():
        yield Finding(problem.path, problem.line, "CKP105", problem.message)


def unowned(project: Project) -> Iterator[Finding]:
    """CKP402: an owners' file that leaves out the budget, the runtime, or itself."""
    top = repository(project.root)
    listed = owners_file(top)
    if listed is None:
        return
    text = listed.read_text(encoding="utf-8", errors="replace")
    inside = project.root.relative_to(top)
    own = listed.relative_to(top).as_posix()
    subjects = {own: own}
    if (project.root / MEMORY_BUDGET_FILE).exists():
        budget = (inside / MEMORY_BUDGET_FILE).as_posix()
        subjects[budget] = budget
    if project.vendored:
        runtime = project.vendored.relative_to(top).as_posix()
        subjects[f"{runtime}/__init__.py"] = runtime
    for path, subject in subjects.items():
        if not owners_of(path, text):
            yield Finding(project.shown(listed), 1, "CKP402", f"nobody owns `{subject}`")


def raised(project: Project, base: str) -> Iterator[Finding]:
    """CKP401: limits that grew since the git ref `base`, where no owner is named.

    Raises:
        ConfigurationError: git does not know `base`, or there is no git.
    """
    top = repository(project.root)
    inside = project.root.relative_to(top)
    commit = _git(top, "merge-base", base, "HEAD")
    budget = (inside / MEMORY_BUDGET_FILE).as_posix()
    before = _committed(top, commit, budget)
    if before is None:
        return
    texts = [_committed(top, commit, place) or "" for place in PLACES]
    owners = [owner for text in texts for owner in owners_of(budget, text)]
    if any(not owner.startswith(PLACEHOLDER) for owner in owners):
        return
    path = project.root / MEMORY_BUDGET_FILE
    lines = path.read_text("utf-8", errors="replace").splitlines() if path.is_file() else []
    try:
        old = _limits(parse_toml(before))
    except Unreadable:
        return
    new = _limits(project.memory)
    for key, limit in new.items():
        if limit > old.get(key, limit):
            line = next(
                (n for n, text in enumerate(lines, 1) if re.match(rf"\s*{key}\s*=", text)), 1
            )
            message = f"`{key}` was raised since {base}, and no owners' file there names who may"
            yield Finding(MEMORY_BUDGET_FILE, line, "CKP401", message)


def _limits(memory: Mapping[str, Any]) -> dict[str, float]:
    """The limits that a change can raise: sizes in bytes, the quota in bytes of the cluster."""
    tables = {name: table for name, table in memory.items() if isinstance(table, dict)}
    cluster, checkpoints = tables.get("cluster", {}), tables.get("checkpoints", {})
    ram, share = _size(cluster.get("ram")), _share(cluster.get("quota"))
    limits: dict[str, float | None] = {
        "quota": ram * share if ram is not None and share is not None else None,
        "count": float(tables.get("budget", {}).get("count", "held") == "held"),
        "max_steps": tables.get("segment", {}).get("max_steps", 10),
        "max_disk": _size(checkpoints.get("max_disk", "500 GB")),
        "cache_max": _size(checkpoints.get("cache_max", "50 GB")),
    }
    return {key: limit for key, limit in limits.items() if isinstance(limit, int | float)}


def _size(value: object) -> float | None:
    if isinstance(value, int | float):
        return float(value)
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    return float(match[1]) * _UNITS[(match[2] or "").lower()] if match else None


def _share(value: object) -> float | None:
    if isinstance(value, int | float):
        return float(value)
    match = re.fullmatch(r"\s*(\d*\.?\d+)\s*%\s*", value) if isinstance(value, str) else None
    return float(match[1]) / 100 if match else None


def _committed(top: Path, commit: str, path: str) -> str | None:
    """A file's text in a commit, or None if it was not there."""
    try:
        return _git(top, "show", f"{commit}:{path}")
    except ConfigurationError:
        return None


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",  # git takes file names, and text, of any bytes
            check=False,
        )
    except OSError:
        raise ConfigurationError("--base needs git, which is not installed.") from None
    if done.returncode:
        message = done.stderr.strip() or "no common commit"
        raise ConfigurationError(
            f"--base: git {words[0]} says: {message}. In CI, fetch the branch first, with its "
            "history."
        )
    return done.stdout.strip("\n") if words[0] == "show" else done.stdout.strip()
