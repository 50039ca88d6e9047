"""Pull the batches of a lazy frame one by one, while polars computes the next ones.

`LazyFrame.collect_batches` would be simpler, but when polars has no room left to spill, it ends
there as if no row were left, without an error. `sink_batches` raises, and hands each batch to a
function, which waits here until the batch before has been taken: so what is computed ahead stays
within a few batches.
"""

from __future__ import annotations

from collections.abc import Iterator
from queue import Full, Queue
from threading import Event, Thread
from typing import Any

import polars as pl

_WAIT = 0.1  # seconds after which a batch that nobody takes looks whether anybody still will


def pulled(frame: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """The batches in the order of the rows, from the streaming engine; none if there are no rows.

    Raises what polars raises, or the functions of a step that polars calls.
    """
    ready: Queue[pl.DataFrame | BaseException | None] = Queue(1)
    is_over = Event()

    def hand_over(batch: pl.DataFrame) -> bool:
        return not _put(ready, batch, is_over)

    def compute() -> None:
        end: BaseException | None = None
        try:
            frame.sink_batches(hand_over, maintain_order=True, engine="streaming")
        except BaseException as error:  # a panic of polars is one
            end = error
        _put(ready, end, is_over)

    thread = Thread(target=compute, name="polars batches", daemon=True)
    thread.start()
    try:
        while isinstance(item := ready.get(), pl.DataFrame):
            if item.height:
                yield item
            del item  # or the batch is held while the next one is waited for
        thread.join()
        if item is not None:
            raise item
    finally:
        is_over.set()


def _put(ready: Queue[Any], item: Any, is_over: Event) -> bool:
    """Hand over an item as soon as there is room; False if nobody takes it any more."""
    while not is_over.is_set():
        try:
            ready.put(item, timeout=_WAIT)
        except Full:
            continue
        return True
    return False
