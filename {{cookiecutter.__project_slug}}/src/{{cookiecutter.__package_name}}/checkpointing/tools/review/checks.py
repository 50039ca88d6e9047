"""Runs every check in turn, and leaves out the findings that exceptions allow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from ...base.location import PIPELINE_FILE
from ...base.seal import RUNTIME
from . import (
    rules_arguments,
    rules_batches,
    rules_columns,
    rules_effects,
    rules_environment,
    rules_form,
    rules_imports,
    rules_memory,
    rules_owners,
    rules_repeat,
    rules_state,
    rules_values,
)
from .exemptions import Exemption, in_module, in_toml, judged
from .findings import Finding
from .graph import Project, read_project
from .owners import owners_file, repository
from .rules_form import DEFAULT_MAX_STEPS
from .source import MEMORY_BUDGET_FILE
from .standard import RULES

Check = Callable[[Project], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    rules_form.too_long,
    rules_form.unannotated,
    rules_form.entangled,
    rules_form.internals,
    rules_owners.edited_template_files,
    rules_values.unstorable,
    rules_effects.own_places,
    rules_state.outside_state,
    rules_arguments.changed_arguments,
    rules_repeat.unseeded,
    rules_repeat.clock,
    rules_effects.pickles,
    rules_imports.computed_imports,
    rules_environment.environment,
    rules_memory.data_outside_steps,
    rules_memory.needless_frees,
    rules_columns.whole_tables,
    rules_batches.collected_batches,
    rules_owners.unowned,
)


def review(root: Path, package: Path, base: str | None = None) -> list[Finding]:
    """All findings on the project in `root`, whose package is the folder `package`, sorted.

    With `base`, a git ref, the review also compares memory_budget.toml with its state at that ref.
    Raises ConfigurationError if git does not know `base`.
    """
    return findings_on(read_project(root, package, package / RUNTIME), base)


def findings_on(project: Project, base: str | None = None) -> list[Finding]:
    """As `review`, on a project that was read."""
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


def unjudged(project: Project) -> Iterator[str]:
    """What the review cannot judge, because the project lacks it: a sentence for each."""
    if not project.steps:
        yield "no step was found, so no rule on steps and segments could apply"
    elif not any(project.pipelines):
        yield (
            "no `Pipeline(...)` lists these segments, so their order is unknown: whether a step "
            "loads too many columns is not judged (CKP303)"
        )
    if not (project.root / PIPELINE_FILE).exists():
        yield (
            f"there is no {PIPELINE_FILE}: any parameter that is a path or a text may be an input "
            f"(CKP201)"
        )
    if not (project.root / MEMORY_BUDGET_FILE).exists():
        yield (
            f"there is no {MEMORY_BUDGET_FILE}: a segment may have {DEFAULT_MAX_STEPS} steps "
            f"(CKP101), and no budget is judged (CKP401, CKP402)"
        )
    if project.vendored is None:
        yield (
            "there is no runtime in a folder `checkpointing`: its version and its edits are not "
            "judged (CKP105)"
        )
    if owners_file(repository(project.root)) is None:
        yield "there is no CODEOWNERS: who approves a change is not judged (CKP402)"
