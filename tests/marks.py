"""Marks for some of a test's parameters: the runs that try these too."""

from __future__ import annotations

from typing import Any

import pytest
from _pytest.mark import ParameterSet


def in_slow(*values: Any) -> list[ParameterSet]:
    """Parameters that the default run leaves to `--slow`."""
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]


def in_exhaustive(*values: Any) -> list[ParameterSet]:
    """Parameters that only the exhaustive run tries; others of their kind stand for them."""
    return [pytest.param(value, marks=pytest.mark.exhaustive) for value in values]
