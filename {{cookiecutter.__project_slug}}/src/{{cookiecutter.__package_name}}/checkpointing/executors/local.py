"""The executor `local`: a throwaway process in a throwaway folder of this machine.

It needs no account and costs nothing, and behaves like the others in everything but the place. So
it serves to try a segment before it goes to a cloud, and where a machine has the memory that the
project's quota does not grant.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil

from ..base.elsewhere import ExecutorTable
from ..base.errors import ExecutorError
from ..base.files import replace_text
from ..base.reading import read_json
from ..base.refusals import refusal_of, remedy_of
from .interface import Living, Task

_NOTE = "process.json"
_NOT_HANDED_ON = ("MEMORY_BUDGET", "PYTHONPATH")
_END_SECONDS = 10.0


class Local:
    """Runs a task in a process of its own; see `Executor`."""

    def __init__(self, name: str, table: ExecutorTable, folder: Path) -> None:
        self._name = name
        self._folder = folder

    def run(self, task: Task, say: Callable[[str], None]) -> int:
        place = self._folder / task.place
        try:
            shutil.copytree(task.folder, place / "work")
            process = self._start(task, place)
        except OSError as error:
            several = isinstance(error, shutil.Error)  # as `copytree` tells it
            why = error.args[0][0][2] if several else f"{refusal_of(error)}. {remedy_of(error)}"
            raise ExecutorError(f"{place} cannot be made: {why}") from error
        with process:
            try:
                assert process.stdout is not None, "it is a pipe"
                for line in process.stdout:
                    say(line.rstrip("\n"))
                return process.wait()
            except BaseException:
                _kill(process.pid)
                raise

    def _start(self, task: Task, place: Path) -> subprocess.Popen[str]:
        """Start the process of a task, and note which it is. Raises OSError."""
        environment = {n: v for n, v in os.environ.items() if n not in _NOT_HANDED_ON}
        environment |= {**task.variables, "PYTHONPATH": str(place / "work" / "src")}
        program, *arguments = task.command
        process = subprocess.Popen(
            [sys.executable if program == "python" else program, *arguments],
            cwd=place / "work",
            env=environment,
            stdin=subprocess.PIPE,  # it closes when this process ends, and the task ends with it
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is for this process, which then ends the task
        )
        try:
            began = psutil.Process(process.pid).create_time()
            note = {"executor": self._name, "pid": process.pid, "began": began}
            replace_text(place / _NOTE, json.dumps(note))
        except BaseException:
            with process:
                _kill(process.pid)
            raise
        return process

    def destroy(self, place: str) -> None:
        folder = self._folder / place
        note = _note(folder)
        if (process := _process_of(note)) is not None:
            _kill(process.pid)
            _, alive = psutil.wait_procs([process], timeout=_END_SECONDS)
            if alive:
                raise ExecutorError(f"process {process.pid} does not end")
        deadline = time.monotonic() + _END_SECONDS
        while folder.exists():
            try:
                shutil.rmtree(folder)
            except FileNotFoundError:
                continue
            except OSError as error:  # its processes may write while they end
                if time.monotonic() > deadline:
                    raise ExecutorError(
                        f"{folder} cannot be removed: {refusal_of(error)}"
                    ) from error
                time.sleep(0.05)

    def living(self) -> list[Living]:
        notes = {path.parent.name: _note(path.parent) for path in self._folder.glob(f"*/{_NOTE}")}
        return [
            Living(place, _moment(note), "runs" if _process_of(note) else "ended")
            for place, note in sorted(notes.items())
            if note.get("executor") == self._name
        ]

    def by_hand(self, place: str) -> str:
        pid = _note(self._folder / place).get("pid")
        end = f"kill -9 -- -{pid}; " if pid else ""
        return f"{end}rm -rf {shlex.quote(str(self._folder / place))}"


def _note(folder: Path) -> dict[str, object]:
    with suppress(OSError):
        content = read_json(folder / _NOTE)
        return content if isinstance(content, dict) else {}
    return {}


def _moment(note: dict[str, object]) -> str:
    began = note.get("began")
    if not isinstance(began, float):
        return ""
    return datetime.fromtimestamp(began, UTC).isoformat(timespec="seconds")


def _process_of(note: dict[str, object]) -> psutil.Process | None:
    """The process of a note; None once it has ended, also if another one has its number now."""
    pid = note.get("pid")
    with suppress(psutil.NoSuchProcess, ValueError):
        process = psutil.Process(pid) if isinstance(pid, int) else None
        if process is not None and process.create_time() == note.get("began"):
            return process
    return None


def _kill(pid: int) -> None:
    """Kill a process and all that it started, which are of one session."""
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
