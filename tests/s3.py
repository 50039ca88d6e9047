"""A server that speaks S3 on loopback, for tests: moto, in a process that ends with the tests.

It keeps objects in memory and checks no signature. What it proves is that requests are formed as S3
expects, conditions included; not how a real store behaves under load or in two regions.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# The server ends when its stdin does, so however the tests end, even by SIGKILL, it goes too.
_SERVER = """
import os, sys, threading
from werkzeug.serving import make_server
from moto.server import DomainDispatcherApplication, create_backend_app

app = DomainDispatcherApplication(create_backend_app)
server = make_server("127.0.0.1", 0, app, threaded=True)
print(server.server_port, flush=True)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
server.serve_forever()
"""


@dataclass(frozen=True)
class S3:
    """A running server."""

    endpoint: str
    """Its address, such as http://127.0.0.1:40001."""

    def environment(self, endpoint: str | None = None) -> dict[str, str]:
        """The variables by which a process uses this server, or one in front of it."""
        return {
            "AWS_ENDPOINT_URL": endpoint or self.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "AKIAOFTHETESTS",
            "AWS_SECRET_ACCESS_KEY": "the-secret-of-the-tests",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def bucket(self) -> str:
        """The URL of a new, empty bucket."""
        name = f"bucket-{secrets.token_hex(6)}"
        request = urllib.request.Request(f"{self.endpoint}/{name}", method="PUT")
        urllib.request.urlopen(request, timeout=30).close()
        return f"s3://{name}"


@contextmanager
def serving() -> Iterator[S3]:
    """Start a server, and end it."""
    command = [sys.executable, "-c", _SERVER]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # Ctrl-C is for the tests
    ) as process:
        assert process.stdout is not None
        try:
            yield S3(f"http://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.kill()
