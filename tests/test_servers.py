"""The servers that tests start end with them, however they end."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

from .conftest import ROOT
from .runtime.conftest import until

TESTS = """
from tests.s3 import serving

with serving() as server:
    print(server.endpoint, server.bucket(), flush=True)
    input()
"""


def test_the_server_of_s3_ends_when_the_tests_are_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", TESTS],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as tests:
        assert tests.stdout is not None
        endpoint, bucket = tests.stdout.readline().split()
        assert bucket.startswith("s3://")
        assert answers(endpoint)
        tests.send_signal(signal.SIGKILL)
    until(lambda: not answers(endpoint), "the end of the server")


def answers(endpoint: str) -> bool:
    parts = urlsplit(endpoint)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), 5).close()
    except ConnectionRefusedError:
        return False
    return True
