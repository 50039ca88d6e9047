"""The batches that a step takes and makes, as the step sees them."""

from __future__ import annotations

import contextlib
import gc
import os
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from flight_delays.checkpointing.base.errors import InexactValue
from flight_delays.checkpointing.codecs import codec_named
from flight_delays.checkpointing.codecs.table.batches import slices
from flight_delays.checkpointing.graph.steps import Parameter
from flight_delays.checkpointing.memory.batching import Allotment
from flight_delays.checkpointing.memory.gauge import Gauge
from flight_delays.checkpointing.worker.streaming import Pulled, StepStreams, UsedUp

from ..builders import TABLE, table

ROWS = 10


@pytest.fixture
def streams() -> Iterator[StepStreams]:
    streams = StepStreams("late", Allotment(10**12), Gauge(os.getpid()), "held")
    yield streams
    streams.close()


def taken(streams: StepStreams, codec: str = "DataFrame", rows: int | None = 4) -> Any:
    parameter = Parameter("flights", "", None, codec, None, batch=codec, rows=rows, in_batches=True)
    return streams.take(parameter, partial(slices, table(ROWS)), contextlib.nullcontext, 8.0)


def test_a_step_gets_the_rows_in_order_with_the_labels_of_the_whole(streams: StepStreams) -> None:
    batches = list(taken(streams))

    assert [len(batch) for batch in batches] == [4, 4, 2]
    pd.testing.assert_frame_equal(pd.concat(batches), TABLE.thaw(table(ROWS)))
    assert streams.figures()["batches"] == 3
    assert streams.figures()["rows"] == ROWS


AGAIN: dict[str, Callable[[Any], Any]] = {
    "a loop": lambda batches: {len(batch) for batch in batches},
    "list": list,
    "concat": pd.concat,
    "a generator": lambda batches: (len(batch) for batch in batches),
}


@pytest.mark.parametrize("how", AGAIN)
def test_batches_that_were_used_up_say_so(streams: StepStreams, how: str) -> None:
    batches = taken(streams)
    list(batches)

    with pytest.raises(UsedUp) as refused:
        AGAIN[how](batches)

    assert str(refused.value) == (
        "`flights` was read to its end before: batches are given once. Go through them in one "
        "loop, keep what is needed of each for later, or take the whole table: "
        "`flights: pd.DataFrame`."
    )


def test_a_loop_that_was_left_can_be_taken_up_again(streams: StepStreams) -> None:
    batches = taken(streams)
    first = next(batches)

    assert len(first) + sum(len(batch) for batch in batches) == ROWS
    assert next(batches, None) is None


def test_batches_kept_beyond_the_step_are_closed(streams: StepStreams) -> None:
    batches = taken(streams)
    next(batches)
    streams.close()

    with pytest.raises(UsedUp):
        list(batches)


def test_only_the_step_holds_a_batch(streams: StepStreams) -> None:
    batches = taken(streams)
    batch = next(batches)
    alive = weakref.ref(batch)
    del batch
    gc.collect()

    assert alive() is None


def test_a_reader_gives_the_rows_as_arrow_without_the_recipe(streams: StepStreams) -> None:
    reader = taken(streams, "RecordBatchReader")

    assert type(reader) is pa.RecordBatchReader
    assert reader.schema.metadata is None
    assert reader.read_all().to_pydict() == {"x": list(range(ROWS))}


def test_batches_of_two_tables_share_what_is_free() -> None:
    """Each of two iterators that are open gets half of what one alone would get."""

    def first(open_too: int) -> int:
        known = {"late": 10.0**6}
        streams = StepStreams("late", Allotment(10**12, 0.0, known), Gauge(os.getpid()), "held")
        several = [taken(streams, rows=None) for _ in range(1 + open_too)]
        asked: list[int] = []
        streams._paces[0][0].rows = lambda free: asked.append(int(free)) or 3  # type: ignore[method-assign,func-returns-value]
        next(several[0])
        streams.close()
        return asked[0]

    assert first(open_too=1) == pytest.approx(first(open_too=0) / 2, rel=0.01)


def pulled(result: Any, streams: StepStreams) -> Pulled:
    return Pulled(result, codec_named("DataFrame"), streams)


REFUSED: dict[str, Callable[[], Any]] = {
    "a pandas.DataFrame": pd.DataFrame,
    "None": lambda: None,
    "a int": lambda: 3,
    "a str": lambda: "rows",
    "a dict": dict,
}


@pytest.mark.parametrize("shown", REFUSED)
def test_a_step_that_returns_no_iterator_is_refused(streams: StepStreams, shown: str) -> None:
    with pytest.raises(InexactValue) as refused:
        pulled(REFUSED[shown](), streams)

    assert refused.value.message.startswith(
        f"the step promised an iterator of pandas.DataFrame and returned {shown}; yield each batch"
    )


@pytest.mark.parametrize("several", [list, tuple, iter])
def test_a_step_may_return_any_iterable_of_batches(
    streams: StepStreams, several: Callable[[Any], Any]
) -> None:
    frames = [pd.DataFrame({"x": [n]}) for n in range(3)]

    assert list(pulled(several(frames), streams)) == frames
    assert streams.figures()["made_batches"] == 3


def test_what_a_generator_raises_is_raised_as_it_is(streams: StepStreams) -> None:
    wrong = ValueError("the step's own")

    def generator() -> Iterator[pd.DataFrame]:
        yield pd.DataFrame()
        raise wrong

    batches = pulled(generator(), streams)
    next(batches)
    with pytest.raises(ValueError, match="own") as raised:
        next(batches)

    assert raised.value is wrong


def test_a_generator_that_is_not_needed_further_is_closed(streams: StepStreams) -> None:
    ended = []

    def generator() -> Iterator[pd.DataFrame]:
        try:
            yield pd.DataFrame()
            yield pd.DataFrame()
        finally:
            ended.append("closed")

    batches = pulled(generator(), streams)
    next(batches)
    batches.close()

    assert ended == ["closed"]
    assert next(batches, None) is None
