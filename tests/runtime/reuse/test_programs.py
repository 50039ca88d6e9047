"""Random programs are run before and after an edit: another result needs another reach."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from flight_delays.checkpointing.graph.steps import Segment, Step
from flight_delays.checkpointing.reuse.key import code_of
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from .programs import PACKAGE, edits, forget, lay_out, programs, result

EDITS = 15  # of each program


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


def reached(folder: Path) -> dict[str, str]:
    forget()
    file = folder / f"src/{PACKAGE}/main.py"
    step = Step("one", f"{PACKAGE}.main", str(file), 1, (), "json")
    return code_of(Segment("s01", [step])).steps["one"]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_edit_that_changes_a_result_is_missed(folder: Path, data: st.DataObject) -> None:
    """A program that raises has no result, which no key needs to tell from others."""
    package = data.draw(programs())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)
        lay_out(folder, package)
        before, counted = result(folder), reached(folder)
        for _ in range(EDITS if before else 0):
            edited = data.draw(edits(package))
            lay_out(folder, edited)
            after = result(folder)
            is_same = after in (None, before)
            event("the same result, or none" if is_same else "another result")
            assert is_same or reached(folder) != counted
