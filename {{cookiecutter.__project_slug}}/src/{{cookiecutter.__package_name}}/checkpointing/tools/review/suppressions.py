"""Exceptions from the standard: comments that allow a finding, and say why."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .findings import Finding
from .source import Module
from .standard import RULES

_COMMENT = re.compile(r"#\s*review:\s*(?:allow|ignore|disable|noqa)\b(?P<said>.*)", re.IGNORECASE)
_ID = re.compile(r"CKP\d+", re.IGNORECASE)
_REASON = re.compile(r"\bbecause\b\s*(?P<reason>.*)", re.IGNORECASE)
_UNSUPPRESSABLE = {"CKP001", "CKP002", "CKP105"}
_NOT_CODE = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    tokenize.ENCODING,
}


@dataclass(frozen=True)
class Suppression:
    """One comment: the rules it allows, on which lines, and why."""

    path: str
    line: int
    first: int
    last: int
    rules: tuple[str, ...]
    has_reason: bool

    def allows(self, finding: Finding) -> bool:
        return (
            self.has_reason
            and finding.path == self.path
            and finding.rule in self.rules
            and finding.rule not in _UNSUPPRESSABLE
            and self.first <= finding.line <= self.last
        )


def in_module(module: Module) -> list[Suppression]:
    """The comments of a module. One on a line of its own speaks of the statement below it."""
    if b"review:" not in module.source:
        return []
    try:
        tokens = list(tokenize.tokenize(io.BytesIO(module.source).readline))
    except (tokenize.TokenError, SyntaxError):
        return []
    code = sorted({token.start[0] for token in tokens if token.type not in _NOT_CODE})
    found = []
    for token in tokens:
        if token.type == tokenize.COMMENT and (said := _COMMENT.search(token.string)):
            line = token.start[0]
            of = line if line in code else next((n for n in code if n > line), line)
            first, last = _statement(module.tree, of)
            found.append(_read(module.shown, line, first, last, said["said"]))
    return found


def in_toml(path: str, text: str) -> list[Suppression]:
    """The comments of a TOML file. One on a line of its own speaks of the line below it."""
    found = []
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if said := _COMMENT.search(line):
            of = number
            while of < len(lines) and lines[of - 1].lstrip().startswith("#"):
                of += 1
            found.append(_read(path, number, of, of, said["said"]))
    return found


def judged(
    findings: Iterable[Finding], suppressions: Iterable[Suppression], ran: set[str]
) -> Iterator[Finding]:
    """The findings that no suppression allows, and those about suppressions (CKP002).

    `ran` are the rules that were checked: one that was not cannot be said to allow nothing.
    """
    findings, suppressions = list(findings), list(suppressions)
    used: set[tuple[Suppression, str]] = set()
    for finding in findings:
        allowing = [one for one in suppressions if one.allows(finding)]
        used |= {(one, finding.rule) for one in allowing}
        if not allowing:
            yield finding
    for one in suppressions:
        if problem := _problem(one, {rule for found, rule in used if found == one}, ran):
            yield Finding(one.path, one.line, "CKP002", problem)


def _problem(one: Suppression, used: set[str], ran: set[str]) -> str | None:
    unknown = [rule for rule in one.rules if rule not in RULES or rule in _UNSUPPRESSABLE]
    if not one.rules:
        return "the exception names no rule"
    if unknown:
        return f"no rule {unknown[0]} can be allowed"
    if not one.has_reason:
        return f"the exception from {', '.join(one.rules)} gives no reason"
    idle = [rule for rule in one.rules if rule not in used and rule in ran]
    return f"nothing here breaks {idle[0]}" if idle else None


def _read(path: str, line: int, first: int, last: int, said: str) -> Suppression:
    because = _REASON.search(said)
    named = said[: because.start()] if because else said
    rules = tuple(dict.fromkeys(rule.upper() for rule in _ID.findall(named)))
    reason = because["reason"] if because else ""
    return Suppression(path, line, first, last, rules, bool(re.search(r"\w{2}", reason)))


def _statement(tree: ast.Module, line: int) -> tuple[int, int]:
    """The lines of the innermost statement that has `line`; of a block, its head alone."""
    best = (line, line)
    length = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
            first, last = _span(node)
            if first <= line <= last and (length == 0 or last - first < length):
                best, length = (first, last), max(last - first, 1)
    return best


def _span(node: ast.stmt | ast.ExceptHandler | ast.match_case) -> tuple[int, int]:
    start = node.pattern.lineno if isinstance(node, ast.match_case) else node.lineno
    decorators = getattr(node, "decorator_list", ())
    first = min([start, *(decorator.lineno for decorator in decorators)])
    body = getattr(node, "body", None)
    if body:
        return first, max(body[0].lineno - 1, start)
    return first, getattr(node, "end_lineno", None) or start
