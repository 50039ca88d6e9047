"""After random edits of a realistic project, nothing is reused that a fresh run would not give.

The soak (`tests/soak`) makes such edits in every run; here it is counted what runs needlessly.
"""

from __future__ import annotations

from random import Random

import pytest

from ..conftest import Project
from .comparing import needless

NEEDLESS_OF_200 = 233
"""Segments that would run again, and whose values would be the same: this may only fall."""


@pytest.fixture
def project(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("PYTHONPATH", str(project.folder / "lib"))
    return project


@pytest.mark.exhaustive
def test_no_stale_value_is_reused_after_many_random_edits(project: Project) -> None:
    counted = needless(project, [Random(2)] * 200)
    print("\n".join(counted), f"needless: {counted.total()} of {3 * 200}", sep="\n")
    assert counted.total() <= NEEDLESS_OF_200
