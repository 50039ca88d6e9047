"""A small project of three segments."""

from __future__ import annotations

from pathlib import Path

import pytest

from .written import Written, written


@pytest.fixture
def draft(tmp_path: Path) -> Written:
    return written(tmp_path / "demo")
