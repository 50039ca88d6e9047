"""Exceptions from the standard: comments that allow a finding, and give the reason.

In code an exception is an `Exemption`, because `Exception` is Python's own class.
"""

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

_COMMENT = re.compile(r"#\s*review:\s*(?:allow|ignore|disable|noqa)\b(?P<text>.*)", re.IGNORECASE)
_ID = re.compile(r"CKP\d+", re.IGNORECASE)
_REASON = re.compile(r"\bbecause\b\s*(?P<reason>.*)", re.IGNORECASE)
_NEVER_EXEMPT = {"CKP001", "CKP002", "CKP105"}
_NOT_CODE = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    tokenize.ENCODING,
}


@dataclass(frozen=True)
class Exemption:
    """One comment: the rules that it allows to break, and the lines on which it does so."""

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
            and finding.rule not in _NEVER_EXEMPT
            and self.first <= finding.line <= self.last
        )


def in_module(module: Module) -> list[Exemption]:
    """The exceptions in a module. A comment on its own line is about the statement below it."""
    if b"review:" not in module.source:
        return []
    try:
        tokens = list(tokenize.tokenize(io.BytesIO(module.source).readline))
    except (tokenize.TokenError, SyntaxError):
        return []
    code = sorted({token.start[0] for token in tokens if token.type not in _NOT_CODE})
    exemptions = []
    for token in tokens:
        if token.type == tokenize.COMMENT and (comment := _COMMENT.search(token.string)):
            line = token.start[0]
            code_line = next((number for number in code if number >= line), line)
            first, last = _statement(module.tree, code_line)
            exemptions.append(_read(module.shown, line, first, last, comment["text"]))
    return exemptions


def in_toml(path: str, text: str) -> list[Exemption]:
    """The exceptions in a TOML file. A comment on its own line is about the line below it."""
    exemptions = []
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if comment := _COMMENT.search(line):
            code_line = number
            while code_line < len(lines) and lines[code_line - 1].lstrip().startswith("#"):
                code_line += 1
            exemptions.append(_read(path, number, code_line, code_line, comment["text"]))
    return exemptions


def judged(
    findings: Iterable[Finding], exemptions: Iterable[Exemption], ran: set[str]
) -> Iterator[Finding]:
    """The findings that no exception allows, and the findings about exceptions (CKP002).

    `ran` contains the rules that were checked. An exception from any other rule may have a purpose.
    """
    findings, exemptions = list(findings), list(exemptions)
    used: set[tuple[Exemption, str]] = set()
    for finding in findings:
        allowing = [exemption for exemption in exemptions if exemption.allows(finding)]
        used |= {(exemption, finding.rule) for exemption in allowing}
        if not allowing:
            yield finding
    for exemption in exemptions:
        used_rules = {rule for user, rule in used if user == exemption}
        if problem := _problem(exemption, used_rules, ran):
            yield Finding(exemption.path, exemption.line, "CKP002", problem)


def _problem(exemption: Exemption, used: set[str], ran: set[str]) -> str | None:
    unknown = [rule for rule in exemption.rules if rule not in RULES or rule in _NEVER_EXEMPT]
    if not exemption.rules:
        return "the exception names no rule"
    if unknown:
        return f"no rule {unknown[0]} can be allowed"
    if not exemption.has_reason:
        return f"the exception from {', '.join(exemption.rules)} gives no reason"
    idle = [rule for rule in exemption.rules if rule not in used and rule in ran]
    return f"nothing here breaks {idle[0]}" if idle else None


def _read(path: str, line: int, first: int, last: int, text: str) -> Exemption:
    because = _REASON.search(text)
    named = text[: because.start()] if because else text
    rules = tuple(dict.fromkeys(rule.upper() for rule in _ID.findall(named)))
    reason = because["reason"] if because else ""
    return Exemption(path, line, first, last, rules, bool(re.search(r"\w{2}", reason)))


def _statement(tree: ast.Module, line: int) -> tuple[int, int]:
    """First and last line of the innermost statement around `line`; of a block, only its head."""
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
