"""A process that starts others when it is asked to, for tests of what is read of them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from .test_meter import started

# A process with 60 MB that answers each line it is given: how it forks, and what children do.
FAMILY = """
import ctypes, mmap, os, signal, subprocess, sys, threading

held = bytearray(b"x") * 60_000_000
shared = mmap.mmap(-1, 8_000_000)
kept, children, programs, closed = [], [], [], threading.Event()
LIBC = ctypes.CDLL(None)
SLEEP = [sys.executable, "-c", "print(1, flush=True); input()"]
print("ready", flush=True)
for line in sys.stdin:
    what, _, more = line.strip().partition(" ")
    if what == "fork":
        ours, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(theirs)
            while what := os.read(ours, 1):
                if what == b"f":
                    if os.fork() == 0:
                        LIBC.prctl(1, signal.SIGKILL)  # it ends with its parent
                        signal.pause()
                else:
                    held[:] = what * len(held)
                print("written", flush=True)
            os._exit(0)
        children.append((child, theirs))
    if what == "write":
        os.write(children[-1][1], b"y")
        continue
    if what == "grandchild" and children:
        os.write(children[-1][1], b"f")
        continue
    if what == "end":
        for child, pipe in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        children.clear()
    if what == "storm":
        if (child := os.fork()) == 0:
            LIBC.prctl(1, signal.SIGKILL)  # it ends with its parent
            while True:
                if os.fork() == 0:
                    os._exit(0)
                os.wait()
        children.append((child, None))
    if what == "more":
        held += bytearray(b"z") * 30_000_000
    if what == "less":
        del held[-30_000_000:]
    if what == "shared":
        shared[:] = b"s" * len(shared)
    if what == "file":
        with open(more, "rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        sum(mapped[::mmap.PAGESIZE])
    if what == "trade":  # all pages of the file for as many of shared memory
        mapped.madvise(mmap.MADV_DONTNEED)
        for page in range(0, len(mapped), mmap.PAGESIZE):
            shared[page] = 1
    if what == "thread":
        threading.Thread(target=closed.wait, daemon=True).start()
    if what == "program":
        pipe = subprocess.PIPE
        programs.append(subprocess.Popen(SLEEP, stdin=pipe, stdout=pipe))
        programs[-1].stdout.readline()
    if what == "wait":
        actions = [(os.POSIX_SPAWN_OPEN, 9, more, os.O_RDONLY, 0)]
        os.posix_spawn(sys.executable, SLEEP, os.environ, file_actions=actions)
    print("done", flush=True)
"""


class Asked:
    """A process that forks when it is asked to."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.pid = process.pid

    def ask(self, *asked: str) -> None:
        """Ask one thing after the other; returns when all is done."""
        for what in asked:
            self.begin(what)
            self.wait()

    def begin(self, what: str) -> None:
        """Ask for a thing that takes until something else happens."""
        assert self.process.stdin is not None
        print(what, file=self.process.stdin, flush=True)

    def wait(self) -> None:
        """Wait until it is done."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() in ("done\n", "written\n")


@contextmanager
def asked() -> Iterator[Asked]:
    """A process to ask; it is ended at the end."""
    with started("-c", FAMILY) as process:
        yield Asked(process)
