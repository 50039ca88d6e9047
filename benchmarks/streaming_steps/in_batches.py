"""pandas, in batches of a size that the runtime chooses by the budget."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from flight_delays.checkpointing import step

from streaming_steps.late import late, together


@step
def by_pandas(lines: Iterator[pd.DataFrame]) -> pd.DataFrame:
    return together(pd.concat(map(late, lines)))
