"""Random edits of code, data, links and params: what is reused is what a plain run gives."""

from __future__ import annotations

import pytest

from ..runtime.conftest import Project
from ..runtime.reuse.comparing import needless
from .conftest import SHARDS, Rounds


@pytest.mark.parametrize("shard", range(SHARDS))
def test_no_stale_value_is_reused_after_any_edits(
    rounds: Rounds, toy: Project, monkeypatch: pytest.MonkeyPatch, shard: int
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(toy.folder / "lib"))
    needless(toy, rounds.of("edits", short=40, long=1000))
