"""Engines read each other's tables exactly or refuse a column, and the documentation says which."""

from __future__ import annotations

import pytest
from flight_delays.checkpointing.base.errors import InexactValue

from . import engine_types
from .engine_types import COLUMN, ENGINES, PAGES, plain_values

CHAIN = ("DuckDB", "polars", "pandas")


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
    assert [text for text in refusals if f"{COLUMN!r}" not in text or ";" not in text] == []


@pytest.mark.parametrize("kind", ENGINES["pandas"].columns)
def test_a_column_goes_through_all_engines_exactly_or_is_refused(kind: str) -> None:
    pandas = ENGINES["pandas"]
    frozen = pandas.write(pandas.make(pandas.columns[kind]))
    wanted = plain_values(frozen)
    for name in CHAIN:
        try:
            frozen = ENGINES[name].write(ENGINES[name].read(frozen))
        except InexactValue as refusal:
            text = refusal.message
            assert f"{COLUMN!r}" in text
            return
        assert plain_values(frozen) == wanted, name
