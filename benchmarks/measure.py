"""Measuring: a process tree watched from outside, runs taken in turns, and rows to report.

Memory is read from Linux's /proc by code of its own, so that no figure rests on what it judges.
"""

from __future__ import annotations

import os
import select
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

SAMPLE_SECONDS = 0.004
SHARED_SECONDS = 0.25  # what is shared changes slowly, and takes the kernel long to tell

# A limit of the caller's would count; and whoever starts a program twice has it compiled.
_UNSET = {"MEMORY_BUDGET", "PYTHONDONTWRITEBYTECODE"}

Result = TypeVar("Result")


@dataclass(frozen=True)
class Watched:
    """One command that was run: how it ended, seconds, and the most it held, in bytes.

    `exit_code` is None when it was killed at the limit. `cpu_seconds` are those of all processes,
    short of what each spent after it was last looked at.
    """

    exit_code: int | None
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    out: str
    err: str

    def expected(self, exit_code: int = 0) -> Watched:
        """The same, if it ended as it should; raises RuntimeError with what it said if not."""
        if self.exit_code != exit_code:
            raise RuntimeError(f"exit code {self.exit_code}:\n{self.err}")
        return self


@dataclass(frozen=True)
class Spread:
    """The median of repeated figures, and the quartiles that tell how noisy they were."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """One line of the report, as text; `met` is None where there is no target."""

    benchmark: str
    figure: str
    value: str
    baseline: str = ""
    ratio: str = ""
    target: str = ""
    met: bool | None = None


@dataclass(frozen=True)
class Bench:
    """What every benchmark is told: a folder for its data, and whether small data will do.

    `scale` is the scale factor of TPC-H's tables; empty: as suits `quick`.
    """

    folder: Path
    quick: bool
    scale: str = ""


class Held:
    """What a process and all its descendants hold, in bytes, shared pages once.

    What each has mapped is added up; what counts too often is found by each one's share, now and
    then, and whenever much more is mapped than when it was last found.
    """

    def __init__(self) -> None:
        self._twice = 0
        self._mapped = 0
        self._next = 0.0

    def of(self, members: Sequence[int]) -> int:
        mapped = sum(map(_mapped_bytes, members))
        if mapped > 1.05 * self._mapped or time.perf_counter() > self._next:
            held = sum(map(_share_bytes, members))
            self._mapped = max(mapped, sum(map(_mapped_bytes, members)))
            self._twice = max(0, self._mapped - held)
            self._next = time.perf_counter() + SHARED_SECONDS
        return mapped - self._twice


def mapped_bytes(pid: int) -> int:
    """RssAnon + RssShmem + VmSwap of a process and all its descendants, in bytes."""
    return sum(map(_mapped_bytes, _tree(pid)))


def _mapped_bytes(pid: int) -> int:
    return _sum(_read(pid, "status"), (b"RssAnon:", b"RssShmem:", b"VmSwap:"))


def _share_bytes(pid: int) -> int:
    return _sum(_read(pid, "smaps_rollup"), (b"Pss_Anon:", b"Pss_Shmem:", b"SwapPss:"))


def _sum(text: bytes, names: tuple[bytes, ...]) -> int:
    counted = (line for line in text.splitlines() if line.startswith(names))
    return sum(int(line.split()[1]) << 10 for line in counted)


def _cpu_seconds(pid: int) -> float:
    fields = _read(pid, "stat").rpartition(b")")[2].split()  # a name may hold spaces
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def _tree(pid: int) -> Iterator[int]:
    waiting = [pid]
    while waiting:
        member = waiting.pop()
        yield member
        try:
            for task in os.listdir(f"/proc/{member}/task"):
                waiting += map(int, _read(member, f"task/{task}/children").split())
        except OSError:
            continue  # it ended while we looked


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""  # the same


def watch(
    command: Sequence[str | Path],
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    limit: int | None = None,
    *,
    memory: bool = True,
) -> Watched:
    """Run a command, sample what its process tree holds, and kill the tree above `limit` bytes.

    Args:
        environment: is added to this process's own.
        memory: False: only the time is taken, so the peak and the processor time are 0, and
            there is no limit. Where a command keeps all cores busy, an observer takes its time.
    """
    kept = {name: text for name, text in os.environ.items() if name not in _UNSET}
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            list(map(str, command)),
            cwd=cwd,
            env=kept | dict(environment or {}),
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        ended = select.poll()
        descriptor = os.pidfd_open(process.pid)
        ended.register(descriptor)
        peak, killed, held = 0, False, Held()
        cpu: dict[int, float] = {}
        while not ended.poll(SAMPLE_SECONDS * 1000 if memory else None):
            members = list(_tree(process.pid))
            peak = max(peak, held.of(members))
            for member in members:
                cpu[member] = max(cpu.get(member, 0.0), _cpu_seconds(member))
            if limit is not None and peak > limit and not killed:
                os.killpg(process.pid, signal.SIGKILL)
                killed = True
        seconds = time.perf_counter() - started
        os.close(descriptor)
        code = process.wait()
        out.seek(0)
        err.seek(0)
        spent = sum(cpu.values())
        return Watched(None if killed else code, seconds, spent, peak, out.read(), err.read())


def in_turns(rounds: int, **kinds: Callable[[], Result]) -> dict[str, list[Result]]:
    """Run every kind once a round, each in every place of the order, so that noise hits all alike.

    The order matters: a disk, say, may stall those who come after much was written.
    """
    names = list(kinds)
    results: dict[str, list[Result]] = {name: [] for name in names}
    for number in range(rounds):
        first = number // 2 % len(names)
        for name in (names[first:] + names[:first])[:: -1 if number % 2 else 1]:
            results[name].append(kinds[name]())
    return results


def timed(action: Callable[[], object]) -> float:
    """Seconds that an action takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def spread(values: Sequence[float]) -> Spread:
    """Median and quartiles."""
    if len(values) < 2:
        return Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, low, high)


def ratios(values: Sequence[float], baselines: Sequence[float]) -> Spread:
    """The spread of value / baseline over pairs of the same round."""
    return spread([value / base for value, base in zip(values, baselines, strict=True)])


def show_times(values: Sequence[float], baselines: Sequence[float]) -> str:
    """The ratio of times, within rounds and of the shortest of each, for people."""
    best = min(values) / min(baselines)
    return f"{show_ratio(ratios(values, baselines))}, best {best:.2f}"


def seconds_of(runs: Sequence[Watched]) -> list[float]:
    """The wall time of each run."""
    return [run.seconds for run in runs]


def show_seconds(found: Spread) -> str:
    """Seconds for people, with the quartiles."""
    if found.median < 0.1:
        low, median, high = (1000 * part for part in (found.low, found.median, found.high))
        return f"{median:.3g} ms [{low:.3g}–{high:.3g}]"
    return f"{found.median:.2f} s [{found.low:.2f}–{found.high:.2f}]"


def show_ratio(found: Spread) -> str:
    """A ratio for people, with the quartiles."""
    return f"{found.median:.2f} [{found.low:.2f}–{found.high:.2f}]"


def show_bytes(count: float) -> str:
    """Bytes in powers of ten."""
    return f"{count / 1e6:,.0f} MB"
