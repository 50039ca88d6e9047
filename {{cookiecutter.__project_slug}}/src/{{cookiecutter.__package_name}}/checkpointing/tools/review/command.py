"""The command `review`: find the project, review it, print, and give an exit code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ...base.errors import as_ours
from ...base.interrupts import answered
from ...base.location import find_project
from .checks import findings_on, review, unjudged
from .elsewhere import places_in
from .findings import Finding
from .formats import DOCS, Format, formatted
from .graph import read_project

FINDINGS_EXIT_CODE = 4


@answered
def review_command(package: str, form: Format, base: str | None, path: str | None = None) -> int:
    """Print the findings on the source of `package`, or of what is at `path`; the exit code.

    Nothing of the project is imported, and nothing heavy of the runtime. Findings as JSON are a
    list, and an error is an object.
    """
    try:
        if path is None:
            root, folder = find_project(package)
            findings, standard = review(root, folder, base), DOCS
        else:
            root, findings = _elsewhere(path, base)
            standard = DOCS if (root / DOCS).is_file() else f"{DOCS} of your own project"
        text = formatted(findings, form, root, standard)
    except Exception as error:
        failure = as_ours(error)
        if form == "json":
            print(json.dumps({"error": failure.as_json()}))
        print(f"error: {failure.message}", file=sys.stderr)
        return failure.exit_code
    print(text)
    return FINDINGS_EXIT_CODE if findings else 0


def _elsewhere(path: str, base: str | None) -> tuple[Path, list[Finding]]:
    """The findings on all projects at a path, and the folder that their paths begin in.

    Prints on stderr what could not be judged. Raises ConfigurationError.
    """
    places = places_in(path)
    roots = {place.root for place in places}
    top = Path(os.path.commonpath(roots))
    findings: set[Finding] = set()
    for place in places:
        project = read_project(place.root, place.package, place.runtime)
        inside = place.root.relative_to(top)
        with _git_fetches_nothing():
            found = findings_on(project, base)
        for finding in found:
            findings.add(replace(finding, path=(inside / finding.path).as_posix()))
        for sentence in unjudged(project):
            name = place.package.relative_to(top).as_posix() if place.package != top else top.name
            print(f"note: {name}: {sentence}.", file=sys.stderr)
    return top, sorted(findings)


@contextmanager
def _git_fetches_nothing() -> Iterator[None]:
    """Keep git from completing a partial clone, by whatever program that repository names."""
    name = "GIT_ALLOW_PROTOCOL"
    former = os.environ.get(name)
    os.environ[name] = "none"
    try:
        yield
    finally:
        del os.environ[name]
        os.environ |= {name: former} if former is not None else {}
