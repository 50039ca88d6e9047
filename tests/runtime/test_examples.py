"""The examples in docstrings do what they show."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest
from flight_delays.checkpointing import codecs, pipeline
from flight_delays.checkpointing.graph import steps
from flight_delays.pipeline import PIPELINE

FLAGS = doctest.IGNORE_EXCEPTION_DETAIL


@pytest.mark.parametrize("module", [codecs, pipeline, steps], ids=lambda module: module.__name__)
def test_the_examples_of_a_module_hold(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs, "_CODECS", dict(codecs._CODECS))  # an example registers one
    found = doctest.testmod(module, extraglobs={"PIPELINE": PIPELINE}, optionflags=FLAGS)
    assert found.attempted > 0
    assert found.failed == 0
