"""Findings as text, as JSON, and as the annotations of GitHub and GitLab."""

from __future__ import annotations

import hashlib
import json
import os
import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

from .findings import Finding
from .standard import RULES

Format = Literal["text", "json", "github", "gitlab"]

DOCS = "docs/review-standard.md"
_WIDTH = 100  # columns of text


def formatted(findings: Sequence[Finding], form: Format, root: Path, standard: str = DOCS) -> str:
    """The findings in one of the formats.

    `root` is the folder that their paths begin in, `standard` the page with the standard.
    """
    match form:
        case "json":
            return json.dumps([_as_json(finding) for finding in findings], indent=2)
        case "gitlab":
            folder = _inside_repository(root, "CI_PROJECT_DIR")
            return json.dumps(_code_quality(findings, folder), indent=2)
        case "github":
            folder = _inside_repository(root, "GITHUB_WORKSPACE")
            lines = [_annotation(finding, folder) for finding in findings]
            return "\n".join([*lines, _count(findings, standard)])
        case _:
            return "\n".join([*map(_text, findings), _count(findings, standard)])


def _text(finding: Finding) -> str:
    rule = RULES[finding.rule]
    paragraphs = [("    Why: ", rule.reason), ("    Do:  ", rule.remedy)]
    wrapped = [
        textwrap.fill(text, _WIDTH, initial_indent=mark, subsequent_indent=" " * len(mark))
        for mark, text in paragraphs
    ]
    return "\n".join([f"{finding.path}:{finding.line}: {rule.id} {finding.message}", *wrapped])


def _count(findings: Sequence[Finding], standard: str) -> str:
    if not findings:
        return "The review found nothing."
    word = "finding" if len(findings) == 1 else "findings"
    return f"{len(findings)} {word}; {standard} shows an example of each rule."


def _as_json(finding: Finding) -> dict[str, object]:
    rule = RULES[finding.rule]
    place = {"path": finding.path, "line": finding.line}
    problem = {"rule": rule.id, "message": finding.message}
    return place | problem | {"reason": rule.reason, "remedy": rule.remedy}


def _annotation(finding: Finding, folder: PurePosixPath) -> str:
    """A workflow command of GitHub Actions, with the escapes that its toolkit makes.

    Source: `escapeData` and `escapeProperty` in actions/toolkit, packages/core/src/command.ts.
    """
    rule = RULES[finding.rule]
    path = _property(str(folder / finding.path))
    title = _property(f"{rule.id}: {rule.title}")
    message = _data(f"{finding.message}\n{rule.reason}\n{rule.remedy}")
    return f"::error file={path},line={finding.line},title={title}::{message}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _code_quality(findings: Sequence[Finding], folder: PurePosixPath) -> list[dict[str, object]]:
    """GitLab's Code Quality report: https://docs.gitlab.com/ci/testing/code_quality/.

    A fingerprint leaves out the line, so that a finding that moved is not taken for a new one.
    """
    seen: Counter[tuple[str, str, str]] = Counter()
    report: list[dict[str, object]] = []
    for finding in findings:
        same = (finding.rule, finding.path, finding.message)
        seen[same] += 1
        text = "\0".join([*same, str(seen[same])])
        rule = RULES[finding.rule]
        report.append(
            {
                "description": f"{finding.message}. {rule.reason} {rule.remedy}",
                "check_name": finding.rule,
                "fingerprint": hashlib.sha256(os.fsencode(text)).hexdigest(),
                "severity": "major",
                "location": {
                    "path": str(folder / finding.path),
                    "lines": {"begin": finding.line},
                },
            }
        )
    return report


def _inside_repository(root: Path, variable: str) -> PurePosixPath:
    """Where the project is in the checkout that CI names, for its paths start there."""
    checkout = Path(os.environ.get(variable) or root)
    inside = root.resolve().relative_to(checkout.resolve()) if _is_in(root, checkout) else Path()
    return PurePosixPath(inside.as_posix())


def _is_in(root: Path, checkout: Path) -> bool:
    return root.resolve().is_relative_to(checkout.resolve())
