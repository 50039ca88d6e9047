"""Long texts keep their head and their tail."""

from __future__ import annotations

import pytest
from flight_delays.checkpointing.base.errors import StorageError
from flight_delays.checkpointing.base.texts import cut, shown


def test_a_short_text_stays() -> None:
    assert cut("x" * 60, 60) == "x" * 60


def test_a_long_text_keeps_its_head_and_its_tail() -> None:
    text = cut("begin " + "x" * 1_000_000 + " end", 300, "; see the log")

    assert text.startswith("begin xxx")
    assert text.endswith("xxx end")
    assert " … 999764 characters left out; see the log … " in text
    assert len(text) <= 300


@pytest.mark.parametrize("most", [60, 61, 200, 10_000])
def test_it_has_no_more_characters_than_asked_for_and_is_cut_once(most: int) -> None:
    for text in ("x" * 10**7, "line\n" * 10**6):
        once = cut(text, most, "; see the log" if most > 60 else "")
        assert len(once) <= most + (30 if most < 100 else 0)
        assert cut(once, most + 30) == once


def test_a_value_is_shown_by_its_repr_whatever_it_is() -> None:
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]

    assert shown("x") == "'x'"
    assert len(shown("x" * 10**6)) <= 200
    assert shown(nested) == "a value of type list"
    assert shown(10**5_000) == "a value of type int"


def test_no_message_of_an_error_is_longer_than_a_page() -> None:
    error = StorageError("x" * 10**7)

    assert len(error.message) <= 10_000
    assert str(error) == error.message
