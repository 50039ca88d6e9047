"""Each promise in docs/guarantees.md names the tests that hold it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
SECTIONS = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
FAULTS = [section for section in SECTIONS if not section.startswith("The soak")]


def test_every_test_that_is_named_exists() -> None:
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    existing = {name for text in sources for name in re.findall(r"^def (test_\w+)", text, re.M)}
    assert set(re.findall(r"`(test_\w+)`", PAGE)) - existing == set()


@pytest.mark.parametrize("section", FAULTS, ids=lambda section: section.splitlines()[0])
def test_every_fault_says_what_happens_what_is_kept_what_one_sees_and_who_holds_it(
    section: str,
) -> None:
    for part in ("What happens", "What is kept", "What you see", "Held by"):
        assert f"- **{part}**: " in section
    assert "`test_" in section
