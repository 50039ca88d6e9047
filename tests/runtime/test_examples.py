"""The examples in docstrings do what they show."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest
from flight_delays.checkpointing import codecs, pipeline
from flight_delays.checkpointing.codecs import catalogue
from flight_delays.checkpointing.graph import steps
from flight_delays.pipeline import PIPELINE

FLAGS = doctest.IGNORE_EXCEPTION_DETAIL


@pytest.mark.parametrize("module", [codecs, pipeline, steps], ids=lambda module: module.__name__)
def test_the_examples_of_a_module_hold(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    # An example registers one.
    monkeypatch.setattr("flight_delays.checkpointing.codecs.CODECS", dict(catalogue.CODECS))
    found = doctest.testmod(module, extraglobs={"PIPELINE": PIPELINE}, optionflags=FLAGS)
    assert found.attempted > 0
    assert found.failed == 0
