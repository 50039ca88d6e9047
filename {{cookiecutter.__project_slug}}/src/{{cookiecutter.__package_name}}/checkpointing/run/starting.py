"""How this process starts others, whatever program it belongs to and wherever that runs.

multiprocessing expects an ordinary program in an ordinary place. This module adds what it lacks in
a folder with stray files, with a long TMPDIR, with few open files, in a daemon, and in a forked
child.
"""

from __future__ import annotations

import multiprocessing.process
import multiprocessing.util
import os
import shutil
import socket
import sys
import tempfile
import types
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..base.errors import ConfigurationError
from ..memory.orphans import FOLDER

_SOCKET_NAME = "listener-01234567"  # as long as the names that multiprocessing makes
_OTHER_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")
_FILES_OF_A_START = 6  # a socket, two pipes, and what is sent through them

_socket_folder: tuple[int, str] | None = None  # the process that made it, and its path


@contextmanager
def children_allowed() -> Iterator[None]:
    """Let a daemonic process start a worker: a process of a pool, or of Celery.

    multiprocessing forbids that, because a daemonic process may be killed at any moment and would
    leave its children behind. A worker ends with its parent.
    """
    former = _config().pop("daemon", None)
    try:
        yield
    finally:
        if former is not None:
            _config()["daemon"] = former


@contextmanager
def without_main() -> Iterator[None]:
    """Keep multiprocessing from running the program's own script again in a new worker.

    That is needless, and never ends for a script that calls `PIPELINE.run()` outside of
    `if __name__ == "__main__"`.
    """
    former = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = former


def ensure_files() -> None:
    """Raise OSError if this process may not open the files with which a worker starts.

    multiprocessing would fail between two of them, and the fork server, to which it then sends
    nothing, would end with a traceback.
    """
    opened: list[int] = []
    try:
        for _ in range(_FILES_OF_A_START):
            opened.append(os.open(os.devnull, os.O_RDONLY))
    finally:
        for number in opened:
            os.close(number)


def forget_lost_server(server: Any) -> None:
    """Forget a fork server that ended, that belongs to a parent that has forked this process, or
    whose socket was removed with old temporary files.

    The next worker then starts another one. multiprocessing itself fails if the number in
    `_forkserver_pid` is not that of a child. A server ends when nobody has its pipe open.
    """
    if server._forkserver_pid is None:
        return
    with suppress(ChildProcessError):
        is_running = os.waitpid(server._forkserver_pid, os.WNOHANG) == (0, 0)
        if is_running and os.path.exists(server._forkserver_address):
            return
    os.close(server._forkserver_alive_fd)
    server._forkserver_address = server._forkserver_alive_fd = server._forkserver_pid = None


def choose_socket_folder() -> str:
    """Choose the folder for the sockets of multiprocessing: private, and with a short path.

    The path of a socket has at most 107 bytes on Linux and 103 on macOS, and some file systems
    cannot contain one. TMPDIR is tried first, and stays what it is for all else.

    Raises ConfigurationError if no folder can contain a socket.
    """
    global _socket_folder
    if _socket_folder and _socket_folder[0] == os.getpid() and _is_fit(_socket_folder[1]):
        return _socket_folder[1]
    tried: list[str] = []
    for place in _places():
        with suppress(OSError):
            folder = tempfile.mkdtemp(prefix="pymp-", dir=place)
            if _is_fit(folder):
                _config()["tempdir"] = folder
                _socket_folder = os.getpid(), folder
                multiprocessing.util.Finalize(
                    None, shutil.rmtree, args=(folder, True), exitpriority=-100
                )
                return folder
            shutil.rmtree(folder, ignore_errors=True)
        tried.append(place)
    raise ConfigurationError(
        f"no temporary folder can contain the socket through which workers start; tried "
        f"{', '.join(dict.fromkeys(tried))}. Set TMPDIR to a folder with a short path in which you "
        f"may write."
    )


@contextmanager
def named_to_server(folder: str) -> Iterator[None]:
    """Tell a fork server that starts meanwhile the folder of its socket.

    It removes the folder when it ends. If this process is killed, nobody else would.
    """
    os.environ[FOLDER] = folder
    try:
        yield
    finally:
        del os.environ[FOLDER]


def remove_socket_folder() -> None:
    """Remove the folder that `choose_socket_folder` made, before `os._exit` would leave it."""
    if _socket_folder is not None:
        shutil.rmtree(_socket_folder[1], ignore_errors=True)


def _places() -> Iterator[str]:
    with suppress(OSError):  # none of those that Python knows is usable
        yield tempfile.gettempdir()
    yield from filter(None, (os.environ.get("XDG_RUNTIME_DIR"), *_OTHER_FOLDERS))


def _is_fit(folder: str) -> bool:
    """Whether a folder can contain a socket of multiprocessing."""
    path = Path(folder, _SOCKET_NAME)
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(str(path))
        path.unlink()
    except OSError:
        return False
    return True


def _config() -> dict[str, Any]:
    """What multiprocessing knows of this process."""
    process: Any = multiprocessing.process.current_process()
    config: dict[str, Any] = process._config
    return config
