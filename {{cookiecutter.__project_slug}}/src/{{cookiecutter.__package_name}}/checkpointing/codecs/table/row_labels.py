"""The rows of a batch and their labels: whether integer labels are one range over all batches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Rows:
    """Some rows: their columns, and their labels if these are integers.

    `labels` are the first label and the step from one to the next, or an array of them.
    """

    columns: list[Any]
    count: int
    labels: tuple[int, int] | npt.NDArray[np.int64] | None

    def slice(self, start: int, count: int) -> Rows:
        labels = self.labels
        if isinstance(labels, tuple):
            labels = labels[0] + start * labels[1], labels[1]
        elif labels is not None:
            labels = labels[start : start + count]
        return Rows([column.slice(start, count) for column in self.columns], count, labels)

    def label_array(self) -> npt.NDArray[np.int64]:
        assert self.labels is not None, "the labels are integers"
        if isinstance(self.labels, tuple):
            first, step = self.labels
            return first + step * np.arange(self.count, dtype=np.int64)
        return self.labels


@dataclass(frozen=True)
class Labels:
    """What is known of integer row labels: whether they are a range, and which.

    Attributes:
        name: the name of the index, as JSON.
        runs: first label, step and count of each run of rows, while all labels are in ranges.
        is_range: whether no batch had labels that are not a range.
        is_numbered: whether every batch numbered its rows from 0.
        is_sequence: whether each batch went on where the one before it ended.
        step: from one label to the next; None while there is at most one row.
    """

    name: Any
    runs: tuple[tuple[int, int, int], ...] = ()
    is_range: bool = True
    is_numbered: bool = True
    is_sequence: bool = True
    step: int | None = None

    @property
    def span(self) -> tuple[int, int] | None:
        """The first label and the step of the whole; None if it is no range."""
        if not self.is_range or not (self.is_numbered or self.is_sequence):
            return None
        if not self.is_sequence or not self.runs:
            return 0, 1
        return self.runs[0][0], self.step or 1

    def joined(self, rows: Rows) -> Labels:
        if not rows.count:
            return self
        if not isinstance(rows.labels, tuple):
            return replace(self, is_range=False)
        first, step = rows.labels
        numbered = self.is_numbered and first == 0 and (rows.count == 1 or step == 1)
        own_step = step if rows.count > 1 else None
        if not self.runs:
            run = (first, step, rows.count)
            return replace(self, runs=(run,), is_numbered=numbered, step=own_step)
        start, before, count = self.runs[-1]
        last = start + before * (count - 1)
        wanted = first - last if self.step is None else self.step
        goes_on = first == last + wanted and own_step in (None, wanted) and wanted != 0
        runs = (*self.runs, (first, step, rows.count))
        if goes_on and self.is_sequence and len(self.runs) == 1:
            runs = ((start, wanted, count + rows.count),)
        known = wanted if goes_on and self.is_sequence else self.step
        return replace(
            self,
            runs=runs,
            is_numbered=numbered,
            is_sequence=self.is_sequence and goes_on,
            step=known,
        )

    def array(self, position: int, count: int) -> npt.NDArray[np.int64]:
        """The labels of rows, from a position on, which all lie in runs."""
        parts: list[npt.NDArray[np.int64]] = []
        for first, step, length in self.runs:
            if 0 <= position < length and count:
                taken = min(count, length - position)
                parts.append(first + step * np.arange(position, position + taken, dtype=np.int64))
                position, count = position + taken, count - taken
            position -= length
        return np.concatenate(parts) if parts else np.empty(0, np.int64)
