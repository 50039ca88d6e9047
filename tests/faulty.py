"""A proxy in front of a server that fails on purpose: some requests, or all from some moment on.

It runs in threads of the test's own process and hands on everything else as it is.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_BETWEEN_TWO = {"connection", "transfer-encoding", "keep-alive"}  # of a proxy's own connection


@dataclass
class Faults:
    """What goes wrong, and what was asked; a test may change it at any time."""

    every: int = 0
    """Each n-th request fails: in turns with 503, and with an answer that breaks off."""

    vanish_after: int | None = None
    """So many requests are answered; then every connection is closed without an answer."""

    cut: int = 0
    """So many of the next GET requests are answered in part: the answer breaks off."""

    lose_answers: str = ""
    """Requests of this method reach the server, and nobody hears what it answers: once each."""

    refuse: dict[str, int] = field(default_factory=dict)
    """Header or method of a request: the status that it is answered with, and nothing is done."""

    drop: tuple[str, ...] = ()
    """Headers that the server does not get to see, as if it did not know them."""

    answer: tuple[int, str] | None = None
    """The status and the body that every request is answered with, and nothing is done."""

    requests: list[tuple[str, str]] = field(default_factory=list)
    """The method and the path of each request."""

    is_end: Callable[[str, str], bool] = lambda method, path: False
    """Called with the method and the path of each request; if it is true, it is not handed on."""

    is_lost: Callable[[str, str], bool] = lambda method, path: False
    """Called after the server has answered; if it is true, nobody hears of it."""

    failed: int = 0

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _lost: set[str] = field(default_factory=set)

    def next_fault(self, method: str, path: str, headers: Any) -> str | int:
        """ "", "cut", "gone", "lost" or a status, for one more request."""
        with self._lock:
            self.requests.append((method, path))
            count = len(self.requests)
            fault: str | int = ""
            if self.vanish_after is not None and count > self.vanish_after:
                fault = "gone"
            elif self.cut and method == "GET":
                self.cut -= 1
                fault = "cut"
            elif self.answer is not None:
                fault = self.answer[0]
            elif statuses := [
                status for name, status in self.refuse.items() if name == method or name in headers
            ]:
                fault = statuses[0]
            elif method == self.lose_answers and path not in self._lost:
                self._lost.add(path)
                fault = "lost"
            elif self.every and count % self.every == 0:
                fault = "cut" if self.failed % 2 else 503
            self.failed += fault != ""
            return fault

    def forget_lost(self) -> None:
        """Lose the next answer to a request whose answer was lost before."""
        self._lost.clear()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream: str
    faults: Faults

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        fault = self.faults.next_fault(self.command, self.path, self.headers)
        if fault == "gone" or self.faults.is_end(self.command, self.path):
            self.close_connection = True
            return
        if isinstance(fault, int):
            said = (self.faults.answer[1] if self.faults.answer else "").encode()
            self.send_response(fault)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said if self.command != "HEAD" else b"")
            return
        status, headers, content = self._asked(body)
        is_lost = fault == "lost" or self.faults.is_lost(self.command, self.path)
        if is_lost or (fault == "cut" and not content):
            self.close_connection = True
            return
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _BETWEEN_TWO | {"content-length"}:
                self.send_header(name, value)
        lengths = [value for name, value in headers if name.lower() == "content-length"]
        self.send_header("Content-Length", lengths[0] if lengths else str(len(content)))
        self.end_headers()
        if fault == "cut":
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            self.close_connection = True
        elif self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer  # noqa: N815

    def _asked(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        host = urlsplit(self.upstream).netloc
        connection = http.client.HTTPConnection(host, timeout=60)
        try:
            left_out = _BETWEEN_TWO | {name.lower() for name in self.faults.drop}
            headers = {k: v for k, v in self.headers.items() if k.lower() not in left_out}
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


@contextmanager
def in_front_of(endpoint: str, **faults: Any) -> Iterator[tuple[str, Faults]]:
    """Start a proxy; its address, and what goes wrong in it."""
    behaviour = Faults(**faults)
    handler = type("Handler", (_Handler,), {"upstream": endpoint, "faults": behaviour})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", behaviour
    finally:
        server.shutdown()
        server.server_close()
