"""A URL, a machine that runs, and one that only looks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flight_delays.checkpointing.disk.shared.store import SharedStore

from .machines import machine


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"file://{tmp_path / 'url'}"


@pytest.fixture
def here(tmp_path: Path, url: str) -> Iterator[SharedStore]:
    """The machine that runs, with the lease."""
    store = machine(tmp_path / "here", url)
    with store.lock():
        yield store


@pytest.fixture
def there(tmp_path: Path, url: str) -> SharedStore:
    """Another machine, which only looks."""
    return machine(tmp_path / "there", url)
