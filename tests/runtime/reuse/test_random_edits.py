"""After random edits of a realistic project, nothing is reused that a fresh run would not give.

The soak (`tests/soak`) makes such edits in every run; here it is counted what runs needlessly.
"""

from __future__ import annotations

from random import Random

import pytest

from ..conftest import Project
from .comparing import needless

NEEDLESS_OF_200 = 89
"""Segments that would run again, and whose values would be the same: this may only fall. Most for
a data file that no step reads."""

BY_CODE_OF_200 = 45
"""Those of them that only an edit of code made run."""

NEEDLESS_STEPS_OF_200 = 322
"""Steps whose own code counts as changed, and whose values would be the same."""


@pytest.fixture
def project(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("PYTHONPATH", str(project.folder / "lib"))
    return project


@pytest.mark.exhaustive
def test_no_stale_value_is_reused_after_many_random_edits(project: Project) -> None:
    chance = Random(2)
    counted = needless(project, [chance] * 200)
    print("\n".join(counted.segments), "\n".join(counted.steps), sep="\n")
    totals = [of.total() for of in (counted.segments, counted.by_code, counted.steps)]
    print("needless: {} segments, {} of them by code, {} steps".format(*totals))
    assert counted.segments.total() <= NEEDLESS_OF_200
    assert counted.by_code.total() <= BY_CODE_OF_200
    assert counted.steps.total() <= NEEDLESS_STEPS_OF_200
