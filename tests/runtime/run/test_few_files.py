"""A program that may open few files more gets an error, and no process dies with a traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest
from flight_delays.checkpointing.memory import meter

from ..conftest import Project

# Every limit from none to plenty, each with a fork server that waits for its next request.
PROGRAM = """
import os, resource
from demo.checkpointing.base.errors import StorageError
from demo.pipeline import PIPELINE

def highest():
    return max(map(int, os.listdir("/proc/self/fd")))

_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
endings = []
for more in range(2, 14):
    PIPELINE.run({"number": -more})
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest() + more, hard))
    try:
        PIPELINE.run({"number": more + 1})
        endings.append("done")
    except StorageError as error:
        endings.append("refused" if "Too many open files" in str(error) else str(error))
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
print(*endings)
"""


@pytest.mark.skipif(meter.START_METHOD != "forkserver", reason="needs a fork server and /proc")
@pytest.mark.slow
def test_no_number_of_open_files_lets_the_fork_server_end_with_a_traceback(
    project: Project,
) -> None:
    project.segments(s01="@step\ndef same(number: int) -> int:\n    return number")
    project.write("pipeline.toml", "[params]\nnumber = 1")
    ended = subprocess.run(
        [sys.executable, str(project.write("code.py", PROGRAM))],
        cwd=project.folder,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=True,
    )

    assert set(ended.stdout.split()) == {"refused", "done"}
    assert ended.stderr == ""
