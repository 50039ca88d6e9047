"""Every check in turn, and what is left of their findings after the exceptions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from . import (
    rules_columns,
    rules_effects,
    rules_form,
    rules_given,
    rules_memory,
    rules_owners,
    rules_repeat,
    rules_state,
)
from .findings import Finding
from .graph import Project, read_project
from .source import MEMORY_BUDGET_FILE
from .standard import RULES
from .suppressions import Suppression, in_module, in_toml, judged

Check = Callable[[Project], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    rules_form.too_long,
    rules_form.unannotated,
    rules_form.entangled,
    rules_form.internals,
    rules_owners.not_the_template_s,
    rules_effects.own_places,
    rules_state.outside_state,
    rules_given.given_values,
    rules_repeat.unseeded,
    rules_repeat.clock,
    rules_effects.pickles,
    rules_memory.data_outside_steps,
    rules_memory.cargo,
    rules_columns.whole_tables,
    rules_owners.unowned,
)


def review(root: Path, package: Path, base: str | None = None) -> list[Finding]:
    """All findings on the project in `root`, whose package is the folder `package`, in order.

    With `base`, a git ref, the limits of memory_budget.toml are compared with those there.
    Raises ConfigurationError if git does not know `base`.
    """
    project = read_project(root, package)
    found = [*project.unreadable, *(f for check in CHECKS for f in check(project))]
    ran = set(RULES)
    if base is None:
        ran.remove("CKP401")
    else:
        found += rules_owners.raised(project, base)
    return sorted(set(judged(found, _suppressions(project), ran)))


def _suppressions(project: Project) -> Iterator[Suppression]:
    for module in project.modules.values():
        yield from in_module(module)
    budget = project.root / MEMORY_BUDGET_FILE
    if budget.is_file():
        yield from in_toml(budget.name, budget.read_text("utf-8", errors="replace"))
