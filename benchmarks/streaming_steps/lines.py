"""One table, yielded piece by piece, so that nothing ever holds the whole."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from flight_delays.checkpointing import step

from streaming_steps.frames import frame

ROWS = 250_000


@step
def lines(rows: int) -> Iterator[pd.DataFrame]:
    for number, start in enumerate(range(0, rows, ROWS)):
        yield frame(number, min(ROWS, rows - start))
