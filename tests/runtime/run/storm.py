"""A storm of interrupts: commands of a small project, interrupted at random moments.

The moments are random, from a seed that a failure tells. What a command answers depends on where
it was; that it ends at once, says 130, leaves nothing and spoils nothing does not.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..conftest import Project, until

SEGMENTS = {
    "s01": """
    @step
    def table() -> pd.DataFrame:
        ran("table")
        return pd.DataFrame({"number": range(300_000)})
    """,
    "s02": """
    import subprocess, sys

    @step
    def doubled(table: pd.DataFrame) -> pd.DataFrame:
        subprocess.run([sys.executable, "-c", "import json"], check=True)
        return table * 2

    @step
    def notes(doubled: pd.DataFrame, workdir: Path) -> Path:
        (workdir / "notes.txt").write_text(str(len(doubled)))
        return workdir
    """,
    "s03": """
    import time

    @step
    def total(doubled: pd.DataFrame, notes: Path) -> int:
        while Path("endless.txt").exists():
            time.sleep(0.01)
        return int(doubled["number"].sum())
    """,
}

WIRING = """
[outputs]
doubled = "data/doubled.parquet"
notes = "data/notes"
total = "data/total.json"
"""

Arguments = tuple[str, ...]

RUN: Arguments = ("run", "--fresh", "--json")
COMPARE: Arguments = ("compare", "--json")
SILENT: tuple[Arguments, ...] = (
    ("plan",),
    ("plan", "--json"),
    ("report",),
    ("status", "--verify"),
    ("review",),
)


@dataclass(frozen=True)
class Blow:
    """What is sent: how often, and whether to the command alone or to all of its group."""

    number: signal.Signals
    times: int
    to_group: bool

    def strike(self, process: subprocess.Popen[str]) -> None:
        send = os.killpg if self.to_group else os.kill
        with contextlib.suppress(ProcessLookupError):
            for _ in range(self.times):
                send(process.pid, self.number)


@dataclass(frozen=True)
class Undisturbed:
    """How a command ends by itself, in seconds from when it listens, and with which exit code.

    `begins` is when it has taken the lock, 0 if it takes none: before, it only loads libraries.
    """

    begins: float
    ends: float
    code: int


BLOWS = [
    Blow(number, times, to_group)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for times in (1, 3)
    for to_group in (False, True)
]


class Storm:
    """A project that has run once, and commands of it that are interrupted.

    `landed` counts the interrupts by what the command was found to be at.
    """

    def __init__(self, project: Project, temporary: str, seed: int) -> None:
        self.project = project
        self.temporary = Path(temporary)
        self.random = random.Random(seed)
        self.landed: Counter[str] = Counter()
        self.undisturbed: dict[Arguments, Undisturbed] = {}
        project.segments(**SEGMENTS)
        project.write("pipeline.toml", WIRING)
        assert project.run()["exit_code"] == 0
        self.published = self._published()

    def interrupt(self, arguments: Arguments, *, endless: bool = False) -> None:
        """Interrupt a command at a random moment; `endless` is one that would not end by itself."""
        blow, usual = self.random.choice(BLOWS), self._undisturbed(arguments)
        moment = self.random.uniform(self.random.choice([0, usual.begins]), usual.ends)
        told = f"{' '.join(arguments)}: {blow} after {moment:.3f} s"
        if endless:
            (self.project.folder / "endless.txt").touch()
        process = self.project.start(*arguments, **self._environment())
        until(lambda: answers(process), "the command to listen")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moment)
        blow.strike(process)
        out, err = self._end_of(process, told)
        (self.project.folder / "endless.txt").unlink(missing_ok=True)
        codes = {130} if endless else {130, usual.code}
        assert process.returncode in codes, f"{told}\n{err}"
        for word in ("Traceback", "ignored", "Aborted"):
            assert word not in err, f"{told}\n{err}"
        until(lambda: not self.project.processes(), f"the end of all processes: {told}")
        assert list(self.temporary.iterdir()) == [], told
        self.landed[self._place(arguments, process.returncode, out)] += 1

    def check(self) -> None:
        """The next run is right, and nothing of what was interrupted is left."""
        done = self.project.run()
        assert done["exit_code"] == 0, done
        assert self.project.strays() == []
        assert self._published() == self.published

    def _end_of(self, process: subprocess.Popen[str], told: str) -> tuple[str, str]:
        """What the command printed; if it hangs, the places where its threads do."""
        try:
            return process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # faulthandler then tells
            _, err = process.communicate(timeout=60)
            raise AssertionError(f"it hangs: {told}\n{err}") from None

    def _place(self, arguments: Arguments, code: int, out: str) -> str:
        """Where a command was when it was interrupted, as far as it tells."""
        if code != 130:
            return f"{arguments[0]}: over"
        if arguments not in (RUN, COMPARE):
            return arguments[0]
        error = json.loads(out)["error"]
        assert error["kind"] == "interrupted", out
        return f"{arguments[0]}: {error['segment'] or error['message']}"

    def _undisturbed(self, arguments: Arguments) -> Undisturbed:
        if arguments not in self.undisturbed:
            process = self.project.start(*arguments, **self._environment())
            until(lambda: answers(process), "the command to listen")
            started = time.time()
            process.communicate(timeout=120)
            ends = time.time() - started
            begins = (self.project.checkpoints() / "run.json").stat().st_mtime - started
            self.undisturbed[arguments] = Undisturbed(max(0, begins), ends, process.returncode)
        return self.undisturbed[arguments]

    def _environment(self) -> dict[str, str]:
        return {"TMPDIR": str(self.temporary), "PYTHONFAULTHANDLER": "1"}

    def _published(self) -> dict[str, bytes]:
        data = self.project.folder / "data"
        return {str(path): path.read_bytes() for path in data.rglob("*") if path.is_file()}


def answers(process: subprocess.Popen[str]) -> bool:
    """Whether a process has a handler for each signal that interrupts, or is over."""
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    except OSError:
        return True
    caught = int(next(line.split()[1] for line in lines if line.startswith("SigCgt")), 16)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    return process.poll() is not None or all(caught >> (number - 1) & 1 for number in numbers)
