"""The findings of a review: one place in the project's files, and the rule that it breaks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """One rule of the standard: its reason, and the remedy for a finding."""

    id: str
    title: str
    reason: str
    remedy: str


@dataclass(frozen=True, order=True)
class Finding:
    """One breach of a rule.

    `path` is relative to the project's folder, with forward slashes; lines count from 1.
    """

    path: str
    line: int
    rule: str
    message: str
