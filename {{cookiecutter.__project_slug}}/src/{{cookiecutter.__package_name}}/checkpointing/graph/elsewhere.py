"""What [run_on] and [executors] may say: which segment runs elsewhere, and what is needed there."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..base.elsewhere import ExecutorTable
from ..base.errors import nearest
from ..base.location import PACKAGE_NAME
from ..base.settings import Settings

_OF_SKYPILOT = ("infra", "cpus", "accelerators", "resources")


def problems_of_executors(
    segments: Mapping[str, Sequence[str]], settings: Settings
) -> Iterator[str]:
    """What is wrong with both, a sentence for each problem.

    Args:
        segments: the names of a pipeline's segments, each with those of its sinks.
    """
    wiring = settings.wiring
    for segment, executor in wiring.run_on.items():
        where = f"pipeline.toml: [run_on] `{segment}`"
        if segment not in segments and not _is_segment_beside(segment):
            yield f"{where} is no segment{nearest(segment, list(segments))}."
        if executor not in wiring.executors:
            near = nearest(executor, list(wiring.executors))
            yield (
                f"{where} = {executor!r}, and there is no table [executors.{executor}]{near}. "
                f"Write one, with `kind`, `memory` and `time_limit`; or take the line out, and the "
                f"segment runs here."
            )
        for sink in segments.get(segment, ()):
            if _is_of_the_project(wiring.sinks.get(sink), settings.root):
                yield (
                    f"{where} = {executor!r}: its sink `{sink}` writes {wiring.sinks[sink]!r}, so "
                    f"[sinks] says, and of the project's folder there is just a copy there, which "
                    f"goes with the place. Return a value and publish it by [outputs], or put "
                    f"the sink into a segment that runs here."
                )
    for name, table in wiring.executors.items():
        for problem in _problems_of(table, is_used=name in wiring.run_on.values()):
            yield f"pipeline.toml: [executors.{name}] {problem}"


def _problems_of(table: ExecutorTable, *, is_used: bool) -> Iterator[str]:
    """Of a kind of the project's own nothing is known here.

    A table that no segment is sent to may still have to be filled in.
    """
    if table.kind == "skypilot":
        if is_used and not table.infra:
            yield (
                'needs `infra`: where the infrastructure is made, such as "aws", "kubernetes", '
                '"slurm" or "ssh/pool".'
            )
        if is_used and table.storage is None:
            yield 'needs `storage`: where checkpoints travel, such as "s3://bucket/path".'
    elif table.kind == "local":
        for key in _OF_SKYPILOT:
            if getattr(table, key):
                yield f"is of kind local, so it has no `{key}`: that is for kind skypilot."


def _is_of_the_project(target: str | None, root: Path) -> bool:
    """Whether what a sink writes lies in the project's folder, or in one that is named from it."""
    return target is not None and (root / target).is_relative_to(root)


def _is_segment_beside(segment: str) -> bool:
    """Whether another pipeline of the project may have the segment: a module of that name is there.

    All pipelines of a project share its pipeline.toml, and the module that makes them has imported
    the segments of all.
    """
    return any(
        name.partition(".")[0] == PACKAGE_NAME and name.rpartition(".")[2] == segment
        for name in list(sys.modules)
    )
