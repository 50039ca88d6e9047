"""Marks for some of a test's parameters: the runs that try these too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from _pytest.mark import ParameterSet


def in_slow(*values: Any) -> list[ParameterSet]:
    """Parameters that the default run leaves to `--slow`."""
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]


def one_in(count: int, values: Iterable[Any]) -> list[ParameterSet]:
    """Parameters of which the default run tries every so many, and `--slow` the others as well."""
    rows = (value if isinstance(value, tuple) else (value,) for value in values)
    marks = pytest.mark.slow
    return [pytest.param(*row, marks=marks if n % count else ()) for n, row in enumerate(rows)]


def in_exhaustive(*values: Any) -> list[ParameterSet]:
    """Parameters that only the exhaustive run tries; others of their kind stand for them."""
    return [pytest.param(value, marks=pytest.mark.exhaustive) for value in values]
