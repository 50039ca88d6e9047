"""Small tables among the outputs of the last run, such as the metrics of a model, as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...base.errors import CheckpointingError
from ...base.texts import VALUE_CHARACTERS, cut
from ...disk.loading import Head, load_value
from ...reuse.bound import Project
from ...run.record import RunRecord
from .facts import Measured, disk_bytes

_MOST_BYTES = 100_000  # of its file, which may have to come from a URL
_MOST_ROWS, _MOST_COLUMNS = 12, 12


@dataclass(frozen=True)
class SmallTable:
    """An output of few rows and columns. `numbers` are the positions of its columns of numbers."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]


def small_tables(
    project: Project, run: RunRecord, segments: Sequence[Measured]
) -> Iterator[SmallTable]:
    """Those of the last run's outputs that a reader takes in at a glance.

    A failed run has none. What cannot be loaded is left out: `show` tells why.
    """
    sizes = {
        name: size for values in disk_bytes(segments).values() for name, size in values.items()
    }
    for name in run.outputs:
        if sizes.get(name, _MOST_BYTES) >= _MOST_BYTES:
            continue
        try:
            value = load_value(project.graph, project.settings, name, first=_MOST_ROWS)
        except CheckpointingError:
            continue
        if isinstance(value, Head) and value.rows <= _MOST_ROWS:
            table = _as_text(name, value.value)
            if len(table.columns) <= _MOST_COLUMNS:
                yield table


def _as_text(name: str, value: Any) -> SmallTable:
    """A table of any library, with its index if that is no row number."""
    import pandas as pd
    from pandas.api.types import is_numeric_dtype

    frame = value.to_pandas() if hasattr(value, "to_pandas") else value
    frame = frame if isinstance(frame, pd.DataFrame) else frame.to_frame()
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    numbers = [n for n, dtype in enumerate(frame.dtypes) if is_numeric_dtype(dtype)]
    rows = [tuple(map(_cell, row)) for row in frame.itertuples(index=False, name=None)]
    return SmallTable(name, tuple(map(str, frame.columns)), tuple(rows), tuple(numbers))


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else cut(str(value), VALUE_CHARACTERS)
