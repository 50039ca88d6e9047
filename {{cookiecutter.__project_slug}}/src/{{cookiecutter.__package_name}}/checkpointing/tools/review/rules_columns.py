"""CKP303: tables that are loaded whole after a cut, for few of their columns."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .columns import columns_made, columns_used
from .findings import Finding
from .functions import Function
from .graph import Project, WrittenSegment

_TABLES = ("pandas.DataFrame", "pyarrow.Table", "polars.DataFrame", "polars.LazyFrame")


def whole_tables(project: Project) -> Iterator[Finding]:
    """CKP303: a table of an earlier segment of which a step uses one column, or not all.

    Reports nothing unless the step's code names every column that it uses. More than one column
    counts only if the code of the step that makes the table names more than those.
    """
    reported = set()
    for segments in project.pipelines:
        for step, name, maker in _crossings(segments):
            parameter = next(p for p in step.parameters if p.name == name)
            if parameter.columns is not None or not _is_table(step, parameter.annotation):
                continue
            used, made = columns_used(step, name), columns_made(maker)
            if not used or (made is None and len(used) > 1) or (made is not None and used >= made):
                continue
            listed = ", ".join(f'"{column}"' for column in sorted(used))
            whole = f" of {len(made)}" if made is not None else ""
            columns = "the column" if len(used) == 1 else f"{len(used)}{whole} columns"
            message = (
                f"`{step.name}` loads all of `{name}` and uses {columns} {listed}: "
                f"annotate `Columns({listed})`"
            )
            finding = Finding(step.module.shown, parameter.line, "CKP303", message)
            if finding not in reported:
                reported.add(finding)
                yield finding


def _crossings(segments: tuple[WrittenSegment, ...]) -> Iterator[tuple[Function, str, Function]]:
    """Each use of an earlier segment's value: the step, the value, and the step that made it."""
    made: dict[str, tuple[int, Function]] = {}
    for number, segment in enumerate(segments):
        for step in segment.steps:
            for parameter in step.parameters:
                maker = made.get(parameter.name)
                if maker is not None and maker[0] < number:
                    yield step, parameter.name, maker[1]
            made[step.name] = (number, step)


def _is_table(step: Function, annotation: ast.expr | None) -> bool:
    return annotation is not None and step.module.dotted(annotation) in _TABLES
