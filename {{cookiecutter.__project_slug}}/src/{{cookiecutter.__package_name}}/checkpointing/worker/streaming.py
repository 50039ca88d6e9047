"""The batches of one step: those that it takes of tables, and those of the table that it makes."""

from __future__ import annotations

import collections.abc
import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ..base.errors import InexactValue
from ..base.units import Count
from ..codecs import Codec, codec_of
from ..graph.batches import READER
from ..graph.steps import Parameter
from ..memory.batching import Allotment, Pace, PeakWatch
from ..memory.gauge import Gauge
from .forks import children_end_here
from .freezing import thaw_as
from .reading import ARROW_TABLE, reader

_END = object()


class UsedUp(RuntimeError):
    """A step goes a second time through batches that are given once."""


class TakenBatches:
    """The batches of one table, for one step that takes them. They are given once.

    Raises UsedUp when a step begins to go through them again after it came to their end.

    Attributes:
        batches: how many were given.
        rows: how many rows these have.
    """

    def __init__(
        self,
        parameter: Parameter,
        slices: Iterator[Any],
        thaw: Callable[[Any], Any],
        restoring: Callable[[], contextlib.AbstractContextManager[None]],
        made: Callable[[int], None] = lambda rows: None,
    ) -> None:
        self._name = parameter.name
        self._slices = slices
        self._thaw = thaw
        self._restoring = restoring
        self._made = made
        self.batches = self.rows = 0
        self.is_over = False

    def __iter__(self) -> TakenBatches:
        if self.is_over:
            raise UsedUp(
                f"`{self._name}` was read to its end before: batches are given once. Go through "
                f"them in one loop, keep what is needed of each for later, or "
                f"take the whole table: `{self._name}: pd.DataFrame`."
            )
        return self

    def __next__(self) -> Any:
        if self.is_over:
            raise StopIteration
        with self._restoring():
            # No name refers to the slice: the step alone decides how long its memory is held.
            batch, rows = self._batch(next(self._slices, _END))
        if batch is _END:
            self.close()
            raise StopIteration
        self.batches += 1
        self.rows += rows
        self._made(rows)
        return batch

    def close(self) -> None:
        """Let go of the table."""
        self.is_over = True
        close = getattr(self._slices, "close", None)
        self._slices = iter(())
        if close is not None:
            close()

    def _batch(self, frozen: Any) -> tuple[Any, int]:
        return (_END, 0) if frozen is _END else (self._thaw(frozen), frozen.num_rows)


class StepStreams:
    """All batches of one step, and the memory that they take.

    Args:
        step: its name, for what is known of it.
        gauge: tells what the process tree holds.
        count: how memory is counted.
        between: is called before each batch that the step takes, and after each that it makes.

    Attributes:
        made_batches: how many batches of its own value the step has given.
        made_rows: how many rows these have.
    """

    def __init__(
        self,
        step: str,
        allotment: Allotment,
        gauge: Gauge,
        count: Count,
        between: Callable[[], None] = lambda: None,
    ) -> None:
        self.between = between
        self._step = step
        self._allotment = allotment
        self._gauge = gauge
        self._watch = PeakWatch(count)
        self._taken: list[TakenBatches] = []
        self._paces: list[tuple[Pace, TakenBatches]] = []
        self.made_batches = self.made_rows = 0

    def take(
        self,
        parameter: Parameter,
        slices: Callable[[Callable[[], int]], Iterator[Any]],
        restoring: Callable[[], contextlib.AbstractContextManager[None]],
        stored: float,
        *,
        columns: tuple[str, ...] | None = None,
    ) -> Any:
        """The batches of a table, as a step takes them for a parameter.

        Args:
            slices: gives the frozen slices of the table, of as many rows as the function says that
                it is given, which it calls before each.
            restoring: a context for reading a slice.
            stored: the bytes of a row on disk; 0 if that is not known.
            columns: to select of each slice; None: it has the right ones.
        """
        assert parameter.codec is not None, "the pipeline refused a value without a codec"
        codec = ARROW_TABLE if parameter.codec == READER else parameter.codec
        thaw = partial(thaw_as, codec, False, columns=columns)
        if parameter.rows is not None:
            rows_of_next = partial(self._fixed_rows, parameter.rows)
            taken = TakenBatches(parameter, slices(rows_of_next), thaw, restoring)
        else:
            known = self._allotment.row_bytes.get(self._step, 0.0)
            pace = Pace(known, stored, self._allotment.shrunk)
            window = _Window(pace, self._watch)
            rows_of_next = partial(self._next_rows, pace, window)
            taken = TakenBatches(parameter, slices(rows_of_next), thaw, restoring, window.made)
            self._paces.append((pace, taken))
        self._taken.append(taken)
        return reader(taken) if parameter.codec == READER else taken

    def _fixed_rows(self, rows: int) -> int:
        self.between()
        return rows

    def _next_rows(self, pace: Pace, window: _Window) -> int:
        """How many rows the next batch of a table has; other tables of the step share the room."""
        window.close()
        self.between()
        sharing = sum(not taken.is_over for _, taken in self._paces)
        count = pace.rows(self._allotment.free(self._gauge.sample()) / max(1, sharing))
        window.open()
        return count

    def figures(self) -> dict[str, Any]:
        """What StepEnded tells of the batches, by its fields."""
        return {
            "batches": sum(taken.batches for taken in self._taken),
            "rows": sum(taken.rows for taken in self._taken),
            "made_batches": self.made_batches,
            "made_rows": self.made_rows,
            "row_bytes": max((pace.row_bytes for pace, _ in self._paces), default=0.0),
        }

    def close(self) -> None:
        """Let go of all tables: the step has ended."""
        for taken in self._taken:
            taken.close()
        if self._paces:
            self._watch.end()


class _Window:
    """The time between two batches of a table, in which a step works on the first."""

    def __init__(self, pace: Pace, watch: PeakWatch) -> None:
        self._pace = pace
        self._watch = watch
        self._began: int | None = None
        self._before = 0

    def open(self) -> None:
        self._before = self._pace.made_bytes
        self._began = self._watch.begin(self)

    def made(self, rows: int) -> None:
        if self._began is not None:
            self._pace.made(rows, self._watch.held() - self._began)

    def close(self) -> None:
        if self._began is not None:
            self._pace.worked(self._watch.peak(self) - self._began, self._before)


class Pulled(Iterator[Any]):
    """The batches that a step makes: each is made when it is asked for.

    A process that the step forks meanwhile ends where the step's own code ends.
    """

    def __init__(self, result: Any, codec: Codec, streams: StepStreams) -> None:
        self._streams = streams
        self._result = result
        if codec.batches is None:
            _require_batches(result, codec.type_name)
        with children_end_here():
            self._batches = codec.batches(result) if codec.batches else iter(result)

    def __iter__(self) -> Pulled:
        return self

    def __next__(self) -> Any:
        with children_end_here():
            batch = next(self._batches, _END)
        if batch is _END:
            raise StopIteration
        self._streams.made_batches += 1
        self._streams.between()
        return batch

    def close(self) -> None:
        """End the step's code, should it not have come to its end, and let go of all it holds."""
        batches, self._batches = self._batches, iter(())
        result, self._result = self._result, None
        for held in (batches, result):
            close = getattr(held, "close", None)
            if close is not None:
                with children_end_here():
                    close()


def _require_batches(result: Any, expected: str) -> None:
    """Refuse what a step returned in place of an iterator. Raises InexactValue."""
    kind = type(result)
    codec = None if kind in (list, tuple) else codec_of(kind)
    if not isinstance(result, collections.abc.Iterable) or codec is not None:
        shown = "None" if result is None else f"a {kind.__module__}.{kind.__qualname__}"
        raise InexactValue(
            f"the step promised an iterator of {expected} and returned "
            f"{shown.replace('builtins.', '')}; yield each batch, or annotate what it does return"
        )
