"""The command `sky`: how it is called, and what it answers; nothing here knows of tasks.

Each call is a process in a session of its own: Ctrl-C is for the run, which then destroys what was
begun, and not for a client of SkyPilot that would end in the middle. It works in the user's folder,
because the server that it may start stays there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..base.errors import ExecutorError

_ANSWER_SECONDS = 300.0  # for `sky down`, which waits until the machine has ended
_LINES = 12  # of an answer, in an error
_NOT_HANDED_ON = ("MEMORY_BUDGET", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
_STYLES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def start_server() -> None:
    """Start SkyPilot's server if it is one of this machine; another one needs no start.

    Most commands start it too, but some fail on the way, and it keeps their environment.
    """
    answer("api", "start")


def ask(*words: str) -> str:
    """What a command of SkyPilot prints. Raises ExecutorError if it fails."""
    code, text = answer(*words)
    if code:
        lines = "\n    ".join(text.strip().splitlines()[-_LINES:])
        raise ExecutorError(f"`sky {' '.join(words)}` fails:\n    {lines}")
    return text


def ask_list(*words: str) -> list[dict[str, Any]]:
    """What a command of SkyPilot lists as JSON. Raises ExecutorError."""
    text = ask(*words, "--output", "json")
    start = re.search(r"^\[", text, re.MULTILINE)  # sentences may come first
    with suppress(ValueError):
        content = json.loads(text[start.start() :]) if start else None
        if isinstance(content, list):
            return content
    raise ExecutorError(
        f"`sky {' '.join(words)}` answers no JSON, so this SkyPilot is not one that the runtime "
        f"knows: {text[:200]!r}"
    )


def answer(*words: str) -> tuple[int, str]:
    """The exit code of a command of SkyPilot, and what it prints, stderr after stdout if it failed.

    Raises ExecutorError if it does not end, or if there is no SkyPilot.
    """
    try:
        done = subprocess.run(
            [program(), *words],
            env=_environment(),
            cwd=Path.home(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_ANSWER_SECONDS,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise ExecutorError(f"`sky {' '.join(words)}` does not end") from None
    text = done.stdout + done.stderr if done.returncode else done.stdout
    return done.returncode, _STYLES.sub("", text)


def follow(
    *words: str,
    take: Callable[[str], None],
    seconds: float,
    variables: Mapping[str, str] | None = None,
) -> int:
    """Run a command of SkyPilot that takes long, and hand on its lines; returns its exit code.

    After so many seconds it is killed, and the exit code is negative. What it has begun in
    SkyPilot's server goes on, then as when this raises.

    Args:
        variables: what its environment has besides.
    """
    with subprocess.Popen(
        [program(), *words],
        env=_environment() | dict(variables or {}),
        cwd=Path.home(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        timer = threading.Timer(seconds, _kill, (process.pid,))
        timer.daemon = True
        timer.start()
        try:
            assert process.stdout is not None, "it is a pipe"
            for line in process.stdout:
                take(_STYLES.sub("", line).rstrip())
            return process.wait()
        except BaseException:
            _kill(process.pid)
            raise
        finally:
            timer.cancel()


def program() -> str:
    """The path of the command. Raises ExecutorError if there is none."""
    named = os.environ.get("SKY") or "sky"
    if path := shutil.which(named):
        return os.path.abspath(path)
    raise ExecutorError(
        f"there is no program `{named}`, the command of SkyPilot. "
        f'`uv tool install --with pip "skypilot[aws]"` installs it in an environment of its own; '
        f"instead of aws write what `infra` begins with: gcp, azure, kubernetes, slurm, ssh. If it "
        f"is elsewhere, name it in the environment variable SKY."
    )


def _environment() -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if name not in _NOT_HANDED_ON}
    return {"SKYPILOT_DISABLE_USAGE_COLLECTION": "1"} | kept


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
