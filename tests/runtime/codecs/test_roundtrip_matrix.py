"""Index kind × column kind × value kind × format: another process reads each value exactly.

Or the value is refused by name before it is committed: no value changes without an error.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import kinds, roundtrips
from .ordinary import ordinary
from .roundtrips import Outcome

NAMED = re.compile("column |the index|the Series |the array |numpy.ndarray")
REFUSED = {
    *kinds.REFUSED,
    *(f"array: {name}" for name in kinds.REFUSED_ARRAYS),
    "arrow own type",
    "arrow dictionary of dictionaries",
    # Arrow cannot make a common dictionary for chunks of these.
    *("arrow dictionary with null", "arrow dictionary of nothing"),
    *("arrow dictionary of structs", "arrow dictionary of lists"),
    # As labels, which JSON cannot express.
    *("index of object bytes", "index of object Decimal"),
}
REFUSED_IN_PARQUET = {
    *("arrow month interval", "arrow empty struct", "arrow run ends"),
    *("arrow dense union", "arrow sparse union"),
    *("arrow dictionary with twins", "arrow dictionary of views"),
    *("arrow list of dictionaries", "arrow struct of dictionaries"),
    "arrow struct of ordered dictionaries",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder, in memory if possible, because each of thousands of files is synced to disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as path:
        yield Path(path)


def require_exact_or_refused(outcomes: list[Outcome]) -> None:
    """No case is wrong, each refusal names its column, and only known kinds are refused."""
    print(dict(Counter(outcome.result for outcome in outcomes)))
    assert [o for o in outcomes if o.result == "wrong"] == []
    refused = [o for o in outcomes if o.result == "refused"]
    assert [o for o in refused if not NAMED.search(o.message)] == []
    # Two labels of the same category have the same name, whatever the kind.
    of_kinds = [o for o in refused if o.kind and "would share its name" not in o.message]
    by_parquet = {o.kind for o in of_kinds if o.case.startswith("parquet")}
    assert by_parquet <= REFUSED | REFUSED_IN_PARQUET
    assert {o.kind for o in of_kinds if not o.case.startswith("parquet")} <= REFUSED


def test_a_sample_of_the_matrix_is_exact_or_refused_by_name(folder: Path) -> None:
    outcomes = roundtrips.there_and_back(every=31, count=60, folder=folder)
    require_exact_or_refused(outcomes)
    ordinary_results = Counter(o.result for o in outcomes if o.kind == "ordinary")
    assert ordinary_results == {"exact": 2 * len(ordinary())}


@pytest.mark.exhaustive
def test_the_matrix_is_exact_or_refused_by_name(folder: Path) -> None:
    outcomes = roundtrips.there_and_back(every=1, count=1500, folder=folder)
    require_exact_or_refused(outcomes)
    everything = {*kinds.VALUES, *kinds.INDEXES, *kinds.REFUSED, "ordinary"}
    assert everything - {outcome.kind for outcome in outcomes} == set()
    counts = Counter(outcome.result for outcome in outcomes)
    assert counts["exact"] > 10 * counts["refused"]
