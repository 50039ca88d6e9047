"""What a run reports of memory is what the system sees from outside."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ...marks import in_exhaustive
from ..conftest import Project

MB = 1_000_000


def held_bytes(pid: int) -> int:
    """The anonymous and shared memory of a process: of each page the share that it maps."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    counted = ("Pss_Anon:", "Pss_Shmem:", "SwapPss:")
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith(counted))


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    found, waiting = [], [pid]
    while waiting:
        member = waiting.pop()
        found.append(member)
        try:
            for task in Path(f"/proc/{member}/task").glob("*/children"):
                waiting += [int(child) for child in task.read_text().split()]
        except OSError:
            continue  # it ended while we looked
    return found


@contextmanager
def sampled(pid: int) -> Iterator[list[int]]:
    """The peak of a process tree, as the list's only item, sampled without a break.

    A sum during which a process came or went is left out: what that one shared is then told once
    as a half of one, and once as all of another.
    """
    peak, done = [0], threading.Event()

    def sample() -> None:
        while not done.is_set():
            members = family(pid)
            held = sum(map(held_bytes, members))
            if members == family(pid):
                peak[0] = max(peak[0], held)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


# Ways to hold some 400 MB. The child process is ended when its input is closed.
WAYS = {
    "numpy": "held = np.ones(50_000_000)",
    "a frame": "held = pd.DataFrame(np.ones((5_000_000, 8))).copy()",
    "objects": "held = [object() for _ in range(20_000_000)]",
    "shared": "held = mmap.mmap(-1, 400_000_000); held.write(b'x' * 400_000_000)",
    "a child process": "held = child(); held.stdout.readline()",
}

OTHERS = ["a frame", "objects", "shared"]

SOURCE = """
import mmap, subprocess, sys, time

def child() -> subprocess.Popen[bytes]:
    tell = "held = bytearray(b'x') * 400_000_000; print('ready', flush=True); input()"
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", tell], stdin=pipe, stdout=pipe, stderr=pipe)

@step
def small() -> int:
    return 1

@step
def peak(small: int) -> int:
    {way}
    time.sleep(0.05)
    if isinstance(held, subprocess.Popen):
        held.communicate()
    return small
"""


@pytest.mark.parametrize("way", ["numpy", "a child process", *in_exhaustive(*OTHERS)])
def test_the_reported_peak_is_the_one_an_outside_sampler_sees(project: Project, way: str) -> None:
    project.segments(s01=SOURCE.replace("{way}", WAYS[way]))
    process = project.start("run", "--json")
    with sampled(process.pid) as outside:
        out, _ = process.communicate(timeout=120)
    record = json.loads(out)
    assert abs(record["peak_bytes"] - outside[0]) <= 0.02 * outside[0] + 16 * MB
    small, peak = record["segments"][0]["steps"]
    assert peak["peak_bytes"] == record["peak_bytes"]
    assert peak["peak_bytes"] - small["peak_bytes"] > 250 * MB


@pytest.mark.slow
def test_memory_is_back_at_the_start_after_every_segment(project: Project) -> None:
    source = """
    import os, time

    @step
    def start_{n}({before}) -> int:
        return os.getpid()

    @step
    def made_{n}(start_{n}: int) -> pd.DataFrame:
        ones = np.ones((4_000_000, 12))
        frame = pd.DataFrame(ones)
        time.sleep(0.1)  # both arrays stay for some looks, so that the highest of them is the peak
        return frame
    """
    first = source.format(n=1, before="")
    second = source.format(n=2, before="made_1: pd.DataFrame, start_1: int")
    third = source.format(n=3, before="made_2: pd.DataFrame, start_2: int")
    project.segments(s01=first, s02=second, s03=third)
    project.write("pipeline.toml", '[outputs]\nstart_3 = "data/pid.json"\n')
    record = project.run()
    starts = [segment["steps"][0]["peak_bytes"] for segment in record["segments"]]
    peaks = [segment["steps"][1]["peak_bytes"] for segment in record["segments"]]
    assert max(starts) - min(starts) < 24 * MB
    assert all(peak - starts[0] > 350 * MB for peak in peaks)
    assert max(peaks) - min(peaks) < 24 * MB
    assert len({project.load(f"start_{n}") for n in (1, 2, 3)}) == 3


def test_reused_segments_hold_nothing(project: Project) -> None:
    project.segments(s01="@step\ndef one() -> int:\n    return 1\n")
    project.run()
    assert project.run()["peak_bytes"] == 0
