"""Index kind × column kind × value kind × format: what is committed comes back exactly.

Or it is refused by name before it is committed. In another process, and never in silence.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import kinds, roundtrips
from .roundtrips import Outcome

NAMED = re.compile(r"column |the index|the Series ")
REFUSED_VALUES = {*kinds.REFUSED, "arrow dictionary of dictionaries", "arrow own type"}
REFUSED_BY_PARQUET: set[str] = set()
REFUSED_LABELS = {"index of object bytes", "index of object Decimal"}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory where there is one: thousands of files are made durable there."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as made:
        yield Path(made)


def require_exact_or_refused(outcomes: list[Outcome]) -> None:
    print(Counter(outcome.result for outcome in outcomes))
    assert [o for o in outcomes if o.result == "wrong"] == []
    refused = [o for o in outcomes if o.result == "refused"]
    assert [o for o in refused if not NAMED.search(o.said)] == []


def test_a_sample_of_the_matrix_is_exact_or_refused_by_name(folder: Path) -> None:
    outcomes = roundtrips.there_and_back(every=23, count=60, folder=folder)
    require_exact_or_refused(outcomes)


@pytest.mark.slow
def test_the_matrix_is_exact_or_refused_by_name(folder: Path) -> None:
    outcomes = roundtrips.there_and_back(every=1, count=1500, folder=folder)
    require_exact_or_refused(outcomes)
