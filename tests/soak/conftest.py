"""How often each kind of trouble is made, with which random numbers, and the table at the end."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from ..runtime.conftest import Project

SEED = "SOAK_SEED"
SHARDS = 4  # tests of one kind of trouble, so that several processes share its rounds

Item = TypeVar("Item")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="hundreds of rounds instead of some")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed; worker processes of pytest-xdist inherit it."""
    os.environ.setdefault(SEED, str(random.randrange(10**6)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.soak)


class Rounds:
    """The rounds of one test, each counted once it has ended well."""

    def __init__(self, node: pytest.Item, *, is_long: bool) -> None:
        self._node = node
        self.is_long = is_long
        self.random = random.Random(f"{os.environ[SEED]} {node.nodeid}")

    def of(self, trouble: str, *, short: int, long: int) -> Iterator[random.Random]:
        """Random numbers for each round; this test makes its shard of the rounds.

        Args:
            trouble: the kind of trouble, a line of the table at the end.
            short: the rounds of all shards together.
            long: the same, with the option `--long`.
        """
        count = -(-(long if self.is_long else short) // SHARDS)
        return self._counted(trouble, [self.random] * count)

    def each(self, trouble: str, items: Sequence[Item], *, short: int) -> Iterator[Item]:
        """Every item with the option `--long`, else so many of them by chance."""
        chosen = items if self.is_long else self.random.sample(items, min(short, len(items)))
        return self._counted(trouble, chosen)

    def _counted(self, trouble: str, items: Sequence[Item]) -> Iterator[Item]:
        # Noted before the first round: the report of a failure is made while this still waits.
        self._node.user_properties.append((trouble, done := [0]))
        for item in items:
            yield item
            done[0] += 1


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> Rounds:
    return Rounds(request.node, is_long=request.config.getoption("--long", False))


@pytest.fixture
def toy(tmp_path: Path) -> Project:
    """A project without segments, for a test to fill."""
    return Project(tmp_path / "demo")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    done: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            for trouble, [count] in report.user_properties:
                done[trouble] += count
                failed[trouble] += outcome == "failed"
    if done:
        terminalreporter.section(f"soak, {SEED}={os.environ[SEED]}")
    for trouble, count in sorted(done.items()):
        terminalreporter.write_line(f"{trouble:44} {count:6} rounds {failed[trouble]:4} failures")
