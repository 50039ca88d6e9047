"""Storms of Ctrl-C, SIGTERM and SIGHUP: each ends a command, and the next run is right."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator

import pytest

from ..runtime.conftest import Project
from ..runtime.run.storm import COMPARE, RUN, SILENT, Arguments, Storm
from .conftest import Rounds

TROUBLE = "interrupts at a random moment"


@pytest.fixture
def busy() -> Iterator[None]:
    """A process that keeps a core busy, so that more happens between two looks of a command."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        yield
        process.kill()


@pytest.fixture
def storm(toy: Project, rounds: Rounds, busy: None) -> Iterator[Storm]:
    with tempfile.TemporaryDirectory() as temporary:
        storm = Storm(toy, temporary, rounds.random.randrange(10**6))
        yield storm
    print(dict(sorted(storm.landed.items())))


@pytest.mark.parametrize("arguments", [RUN, COMPARE])
def test_interrupts_leave_a_next_run_that_is_right(
    storm: Storm, rounds: Rounds, arguments: Arguments
) -> None:
    for chance in rounds.of(TROUBLE, short=16, long=400):
        storm.interrupt(arguments, endless=chance.random() < 0.5)
        storm.check()


@pytest.mark.parametrize("arguments", SILENT)
def test_interrupts_end_a_command_that_only_looks(
    storm: Storm, rounds: Rounds, arguments: Arguments
) -> None:
    for _ in rounds.of(TROUBLE, short=8, long=100):
        storm.interrupt(arguments)
    storm.check()
