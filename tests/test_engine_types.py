"""Engines read each other's tables exactly or refuse a column, and the documentation says which."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import engine_types
from .engine_types import COLUMN, ENGINES, PAGES, plain_values

pytestmark = pytest.mark.slow  # it asks four engines about each type

CHAIN = ("Spark", "DuckDB", "Spark", "polars", "pandas")


@pytest.fixture(scope="module", autouse=True)
def engines() -> Iterator[None]:
    with engine_types.engines():
        yield


@pytest.mark.parametrize("language", PAGES)
def test_the_page_says_what_each_engine_reads_of_each_other(language: str) -> None:
    written = PAGES[language].read_text(encoding="utf-8")
    assert engine_types.page(language) == written, "write it: python -m tests.engine_types"


def test_a_refusal_names_the_column_and_the_way_out() -> None:
    refusals = [
        reading.refusal
        for row in engine_types.rows()
        for reading in row.readings.values()
        if reading.refusal
    ]
    assert refusals
    assert [text for text in refusals if f"column '{COLUMN}" not in text or ";" not in text] == []


def test_columns_go_through_all_engines_exactly_or_are_refused() -> None:
    pandas = ENGINES["pandas"]
    columns = {f"{COLUMN}{n}": column for n, column in enumerate(pandas.columns.values())}
    frozen = pandas.write(pandas.make(columns))
    wanted, left, refusals = plain_values(frozen, columns), list(columns), dict[str, str]()
    for engine in (ENGINES[name] for name in CHAIN):
        for name in left:
            with engine_types.refused(refusals, name):
                engine.check(engine.read(frozen, [name]))
        left = [name for name in left if name not in refusals]
        frozen = engine.write(engine.read(frozen, left))
        assert plain_values(frozen, left) == {name: wanted[name] for name in left}, engine.name
    assert len(left) > len(columns) / 2
    assert [text for text in refusals.values() if f"column '{COLUMN}" not in text] == []
