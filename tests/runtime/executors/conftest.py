"""A Slurm on this machine, for tests that send tasks and segments to it; and what they measure."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ... import slurm as loopback

FIGURES: list[str] = []
"""What tests have measured, each a row of a table; `dev.py test --slurm` prints them at the end."""


@pytest.fixture(scope="session")
def running() -> Iterator[loopback.Slurm]:
    if reason := loopback.missing():
        pytest.skip(reason)
    with loopback.loopback() as slurm:
        yield slurm


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if FIGURES:
        terminalreporter.section("figures of the Slurm on loopback")
        for row in FIGURES:
            terminalreporter.write_line(row)


@pytest.fixture
def slurm(running: loopback.Slurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[loopback.Slurm]:
    """An idle Slurm, whose SkyPilot is the one of this process; it has to be idle afterwards."""
    assert running.jobs() == []
    for name, value in running.variables.items():
        monkeypatch.setenv(name, value)
    yield running
    left = running.jobs()
    running.end_jobs()  # or each later test would fail too
    assert left == []
