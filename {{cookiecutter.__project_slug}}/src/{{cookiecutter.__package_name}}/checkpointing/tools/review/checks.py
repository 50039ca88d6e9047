"""Runs every check in turn, and leaves out the findings that exceptions allow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from . import (
    rules_arguments,
    rules_columns,
    rules_effects,
    rules_form,
    rules_imports,
    rules_memory,
    rules_owners,
    rules_repeat,
    rules_state,
)
from .exemptions import Exemption, in_module, in_toml, judged
from .findings import Finding
from .graph import Project, read_project
from .source import MEMORY_BUDGET_FILE
from .standard import RULES

Check = Callable[[Project], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    rules_form.too_long,
    rules_form.unannotated,
    rules_form.entangled,
    rules_form.internals,
    rules_owners.edited_template_files,
    rules_effects.own_places,
    rules_state.outside_state,
    rules_arguments.changed_arguments,
    rules_repeat.unseeded,
    rules_repeat.clock,
    rules_effects.pickles,
    rules_imports.computed_imports,
    rules_memory.data_outside_steps,
    rules_memory.needless_frees,
    rules_columns.whole_tables,
    rules_owners.unowned,
)


def review(root: Path, package: Path, base: str | None = None) -> list[Finding]:
    """All findings on the project in `root`, whose package is the folder `package`, sorted.

    With `base`, a git ref, the review also compares memory_budget.toml with its state at that ref.
    Raises ConfigurationError if git does not know `base`.
    """
    project = read_project(root, package)
    findings = [*project.unreadable, *(finding for check in CHECKS for finding in check(project))]
    ran = set(RULES)
    if base is None:
        ran.remove("CKP401")
    else:
        findings += rules_owners.raised(project, base)
    return sorted(set(judged(findings, _exemptions(project), ran)))


def _exemptions(project: Project) -> Iterator[Exemption]:
    for module in project.modules.values():
        yield from in_module(module)
    budget = project.root / MEMORY_BUDGET_FILE
    if budget.is_file():
        yield from in_toml(budget.name, budget.read_text("utf-8", errors="replace"))
