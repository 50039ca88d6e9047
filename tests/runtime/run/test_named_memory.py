"""Shared memory with a name counts while its part runs, and ends with the part in any case."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from flight_delays.checkpointing.memory import meter, shm
from flight_delays.checkpointing.run.leftovers import Leftovers

from ..conftest import Project, until

pytestmark = pytest.mark.skipif(not meter.ON_LINUX, reason="reads /dev/shm")

MB = 1_000_000
BUDGET = 250 * MB

# Ways to leave shared memory behind; each notes what it made. `large` exceeds the budget.
SOURCE = """
import ctypes, multiprocessing, os, subprocess, sys, time
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory

SMALL = 4_000_000
kept = []
LIBC = ctypes.CDLL(None)
ELSEWHERE = (
    "import time; from multiprocessing.shared_memory import SharedMemory;"
    "memory = SharedMemory(create=True, size=4000); print(memory.name, flush=True);"
    "time.sleep(100)"
)

def note(name: str, folder: str = "/dev/shm/") -> str:
    with open("made.txt", "a") as file:
        file.write(f"{folder}{name}\\n")
    return f"{folder}{name}"

def filled() -> SharedMemory:
    memory = SharedMemory(create=True, size=SMALL)
    memory.buf[:] = bytes(SMALL)
    note(memory.name)
    return memory

def open_and_registered() -> None:
    kept.append(filled())

def closed_and_unregistered() -> None:
    memory = filled()
    resource_tracker.unregister(memory._name, "shared_memory")
    memory.close()

def semaphores() -> None:
    spawn = multiprocessing.get_context("spawn")
    kept.extend([spawn.Queue(), spawn.Semaphore(2)])
    for semaphore in (kept[-2]._rlock, kept[-1]):
        note(semaphore._semlock.name[1:], "/dev/shm/sem.")

def in_a_child() -> None:
    child = multiprocessing.get_context("fork").Process(target=open_and_registered)
    child.start()
    child.join()

def in_another_python() -> None:
    other = subprocess.Popen([sys.executable, "-c", ELSEWHERE], stdout=subprocess.PIPE, text=True)
    note(other.stdout.readline().strip())

def by_the_c_library() -> None:
    name = f"c-{os.getpid()}"
    descriptor = LIBC.shm_open(f"/{name}".encode(), os.O_CREAT | os.O_RDWR, 0o600)
    os.truncate(descriptor, SMALL)
    kept.append(np.memmap(note(name), mode="r+", shape=SMALL))
    kept[-1][:] = 1

def of_system_v() -> None:
    LIBC.shmat.restype = ctypes.c_void_p
    number = LIBC.shmget(0, SMALL, 0o1600)
    place = LIBC.shmat(number, None, 0)
    ctypes.memset(place, 1, SMALL)
    LIBC.shmdt(ctypes.c_void_p(place))
    note(number, "System V segment ")

def a_folder() -> None:
    folder = Path(note(f"folder-{os.getpid()}"))
    folder.mkdir()
    kept.append(np.memmap(folder / "array", mode="w+", shape=SMALL))

WAYS = [
    open_and_registered, closed_and_unregistered, semaphores, in_a_child, in_another_python,
    by_the_c_library, of_system_v, a_folder,
]

def meet(name: str) -> None:
    '''Say that this is reached, and wait until the test has seen it.'''
    Path(f"{name}.reached").touch()
    while not Path(f"{name}.seen").exists():
        time.sleep(0.002)

def held_in_a_file(name: str, size: int) -> None:
    with open(note(f"{name}-{os.getpid()}"), "wb") as file:
        for _ in range(size // 1_000_000):
            file.write(bytes(1_000_000))

@step
def first() -> int:
    ran("first")
    kept.append(1)
    return 1

@step
def left(first: int, large: int, place: str) -> int:
    ran("left")
    is_first_try = bool(kept)
    for way in WAYS:
        way()
    if place != "later":
        meet(place)
    if Path("strange.txt").exists():
        kept.append(np.memmap(Path("strange.txt").read_text(), mode="r"))
    if place == "cut" and is_first_try or place == "alone":
        held_in_a_file("large", large)
        time.sleep(100)
    return 1

@step
def after(left: int, place: str) -> int:
    if place == "later":
        meet(place)
    return left
"""
WIRING = "[params]\nlarge = 200_000_000\nplace = 'cut'\n"


MADE = 9
"""How many of them a process of the step has made before it makes the large one."""


def made(project: Project) -> list[str]:
    """Where the objects are that the project's steps have made, those that are gone too."""
    return (project.folder / "made.txt").read_text().splitlines()


def there(project: Project) -> set[str]:
    """Those that are still there."""
    return {each.place for each in shm.objects()} & set(made(project))


@pytest.fixture
def leaving(project: Project) -> Iterator[Project]:
    """A project whose second step leaves shared memory in many ways."""
    project.segments(s01=SOURCE)
    project.write("pipeline.toml", WIRING)
    yield project
    places = there(project)
    for each in shm.objects():
        if each.place in places:
            each.remove()


def test_a_step_that_is_stopped_and_run_again_leaves_none_and_no_stranger_loses_any(
    leaving: Project,
) -> None:
    process = leaving.start("run", "--json", "--budget", str(BUDGET))
    until((leaving.folder / "cut.reached").exists, "the step")
    strange = Path(f"/dev/shm/strange-{os.getpid()}")
    strange.write_bytes(bytes(3_000_000))
    leaving.write("strange.txt", str(strange))  # for the step to read, for as long as it lives
    [also_read] = (Path(place) for place in made(leaving) if place.startswith("/dev/shm/c-"))
    with open(also_read, "rb"):
        (leaving.folder / "cut.seen").touch()
        out, err = process.communicate(timeout=120)
    record = json.loads(out)
    is_there = strange.exists()
    strange.unlink()

    assert process.returncode == 0, err
    assert record["segments"][0]["cuts"] == [{"before": "left", "why": "over budget"}]
    assert leaving.executed() == ["first", "left", "first", "left"]
    assert len(made(leaving)) == 2 * MADE + 1
    assert there(leaving) == {str(also_read)}
    assert is_there
    came, stays, gone = (
        next(line for line in err.splitlines() if said in line)
        for said in (
            "came while the part ran",
            "another process uses it",
            "is removed with",
        )
    )
    assert f"{strange} (3 MB)" in came
    assert f"{also_read} (4 MB)" in stays
    assert "/dev/shm/large-" in gone
    assert "psm_" not in gone  # Python registers it, to be removed
    assert "resource_tracker" not in err


@pytest.mark.parametrize("count", ["held", "rss"])
def test_what_no_process_has_mapped_counts(leaving: Project, count: str) -> None:
    quota = "[cluster]\nram = '1 TB'\nquota = '50 %'\n"
    leaving.write("memory_budget.toml", f"{quota}[budget]\ncount = '{count}'\n")
    (leaving.folder / "alone.seen").touch()
    record = leaving.run("--set", "place=alone", "--set", "large=300_000_000", "--budget", "400MB")

    assert record["exit_code"] == 3
    assert record["error"]["step"] == "left"
    assert record["error"]["held_bytes"] > 400 * MB


def test_a_run_that_is_killed_leaves_none(leaving: Project) -> None:
    process = leaving.start("run", "--set", "place=later")
    until((leaving.folder / "later.reached").exists, "the step after it")
    assert len(there(leaving)) == MADE
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)

    until(lambda: not leaving.processes(), "the end of all processes")
    # What outlives the command is Python's own tracker. It knows no folders and no System V.
    assert [place for place in there(leaving) if Path(place).is_file()] == []


@pytest.mark.parametrize(("size", "is_named"), [(4_000, False), (3_000_000, True)])
def test_what_may_be_anybodys_is_named_where_it_takes_memory(size: int, is_named: bool) -> None:
    strange = Path(f"/dev/shm/strange-{os.getpid()}")
    notes: list[str] = []
    try:
        with Leftovers(notes.append):
            strange.write_bytes(bytes(size))
        assert any(str(strange) in note for note in notes) is is_named
        assert strange.exists()
    finally:
        strange.unlink()
