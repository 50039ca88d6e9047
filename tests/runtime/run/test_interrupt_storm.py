"""A few interrupts at random moments end each command; a soak sends hundreds (`tests/soak`)."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator

import pytest

from ..conftest import Project
from .storm import COMPARE, RUN, SILENT, Storm


@pytest.fixture
def storm(project: Project) -> Iterator[Storm]:
    seed = int(os.environ.get("STORM_SEED", random.randrange(10**6)))
    print(f"STORM_SEED={seed}")
    with tempfile.TemporaryDirectory() as temporary:  # a short path: sockets are put there
        storm = Storm(project, temporary, seed)
        yield storm
    print(dict(sorted(storm.landed.items())))


def test_a_few_interrupts_end_every_command_and_spoil_nothing(storm: Storm) -> None:
    for arguments in (RUN, COMPARE):
        storm.interrupt(arguments, endless=True)
    for arguments in (RUN, *storm.random.sample(SILENT, 2)):
        storm.interrupt(arguments)
    storm.check()
