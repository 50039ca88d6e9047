"""The kernel guards a part where its control group is ours to divide; else it is said why not.

Each layout is recorded: what a real system has in /proc/self and in the folders of its groups, cut
down to what has to do with memory. `tests/runtime/run/test_kernel.py` is for systems that do it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from flight_delays.checkpointing.memory import meter
from flight_delays.checkpointing.memory.guard import Guard, beyond, margin
from flight_delays.checkpointing.memory.limits import BESIDE, oom_kills
from flight_delays.checkpointing.memory.warden import divided, warden

from ..builders import write

MB = 10**6
SCOPE = "/user.slice/user-1000.slice/user@1000.service/app.slice/run-r7b1.scope"
V2 = "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"

pytestmark = pytest.mark.skipif(not meter.ON_LINUX, reason="reads /proc")


def recorded(
    root: Path,
    group: str,
    mount: str = V2,
    *,
    controllers: str = "cpu memory pids",
    is_divided: bool = False,
    is_whole_system: bool = False,
    is_delegated: bool = False,
) -> Path:
    """A system with a process in a group, which has two processes; returns the group's folder."""
    write(root / "proc/self/cgroup", f"0::{group}\n")
    write(root / "proc/self/mountinfo", f"{mount}\n")
    own = root / f"sys/fs/cgroup{group}"
    folder = own.parent if own.name == BESIDE else own
    for each in {own, folder}:
        write(each / "cgroup.procs", "" if is_divided and each == folder else "4711\n4712\n")
    write(folder / "cgroup.controllers", f"{controllers}\n")
    write(folder / "cgroup.subtree_control", "memory\n" if is_divided else "")
    if not is_whole_system:
        write(folder / "cgroup.events", "populated 1\nfrozen 0\n")
    if is_delegated:
        try:
            os.setxattr(folder, "user.delegate", b"1")
        except OSError:
            pytest.skip("the file system of temporary files has no attributes")
    return folder


def test_a_delegated_scope_is_divided_and_its_processes_go_beside(tmp_path: Path) -> None:
    folder = recorded(tmp_path, SCOPE, is_delegated=True)

    assert warden(tmp_path).kind == "kernel"
    assert str(folder) in warden(tmp_path).why
    assert (folder / "cgroup.subtree_control").read_text() == ""  # to ask changes nothing
    assert divided(tmp_path) == folder
    assert (folder / "cgroup.subtree_control").read_text() == "+memory"
    assert (folder / BESIDE / "cgroup.procs").read_text() in ("4711", "4712")


def test_a_container_that_may_write_to_its_group_divides_it(tmp_path: Path) -> None:
    folder = recorded(tmp_path, "/")

    assert warden(tmp_path).kind == "kernel"
    assert divided(tmp_path) == folder
    assert (folder / BESIDE).exists()


def test_a_group_that_is_divided_already_is_used_as_it_is(tmp_path: Path) -> None:
    folder = recorded(tmp_path, f"{SCOPE}/{BESIDE}", is_divided=True)

    assert warden(tmp_path).kind == "kernel"
    assert divided(tmp_path) == folder
    assert (folder / BESIDE / "cgroup.procs").read_text() == "4711\n4712\n"


def test_in_the_group_of_the_whole_system_nothing_is_moved(tmp_path: Path) -> None:
    folder = recorded(tmp_path, "/", is_whole_system=True)

    assert divided(tmp_path) == folder
    assert not (folder / BESIDE).exists()


def test_a_scope_that_systemd_has_not_delegated_is_left_alone(tmp_path: Path) -> None:
    recorded(tmp_path, "/user.slice/user-0.slice/session-3.scope")
    found = warden(tmp_path)

    assert found.kind == "watchdog"
    assert "nobody has delegated" in found.why
    assert "systemd-run --user --scope --property=Delegate=yes" in found.why
    assert divided(tmp_path) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="what belongs to a user is the user's to divide")
def test_root_divides_no_group_that_nobody_has_delegated(tmp_path: Path) -> None:
    """Some other program manages it: that it may be written to says nothing."""
    recorded(tmp_path, "/manager/job-7")

    assert "nobody has delegated" in warden(tmp_path).why


@pytest.mark.parametrize(
    ("group", "mount", "controllers", "why"),
    [
        ("/", V2, "cpu pids", "has no memory controller of version 2"),
        (
            "/",
            "30 24 0:26 / /sys/fs/cgroup rw - cgroup cgroup rw,memory",
            "",
            "in no control group",
        ),
    ],
    ids=["the controller is that of version 1", "version 1 alone"],
)
def test_without_a_controller_the_watchdog_is_alone(
    tmp_path: Path, group: str, mount: str, controllers: str, why: str
) -> None:
    recorded(tmp_path, group, mount, controllers=controllers)

    assert warden(tmp_path).kind == "watchdog"
    assert why in warden(tmp_path).why
    assert divided(tmp_path) is None


def test_a_group_of_another_user_is_left_alone(tmp_path: Path) -> None:
    folder = recorded(tmp_path, "/")
    if os.geteuid() == 0:
        (folder / "cgroup.procs").unlink()  # nothing is forbidden to root but what is not there
    else:
        (folder / "cgroup.procs").chmod(0o444)

    assert "is not this user's to divide" in warden(tmp_path).why


def test_what_the_kernel_ended_in_a_group_beside_counts(tmp_path: Path) -> None:
    folder = recorded(tmp_path, f"{SCOPE}/{BESIDE}", is_divided=True)
    write(folder / BESIDE / "memory.events", "oom_kill 0\n")
    write(folder / "memory.events", "oom_kill 3\n")  # those of all groups below

    assert oom_kills(tmp_path) == 3


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    """The group of a worker of a run that may hold 500 MB; 100 MB of it are held outside."""
    write(tmp_path / "memory.swap.max", "max")
    write(tmp_path / "memory.current", "0")
    guard = Guard(tmp_path, 500 * MB, 100 * MB)
    guard.set_up()
    return guard


def limits(guard: Guard) -> tuple[int, int]:
    """Where the kernel lets it wait, and where it kills."""
    high, most = (int((guard.folder / f"memory.{name}").read_text()) for name in ("high", "max"))
    return high, most


def test_the_limits_leave_room_for_what_is_held_outside_and_a_margin(guard: Guard) -> None:
    within = 400 * MB + margin(500 * MB)

    assert limits(guard) == (within, within + beyond(500 * MB))
    assert (guard.folder / "memory.swap.max").read_text() == "0"
    assert (guard.folder / "memory.oom.group").read_text() == "1"


def test_room_is_made_for_what_is_charged_and_not_held_once_it_is_close(guard: Guard) -> None:
    within, killed = limits(guard)
    charged = {"anon": 90, "file": 90, "file_dirty": 8, "kernel": 20, "slab": 19, "shmem": 200}
    lines = "".join(f"{name} {size * MB}\n" for name, size in charged.items())
    write(guard.folder / "memory.stat", lines)
    write(guard.folder / "memory.current", str(300 * MB))
    guard.adjust()
    assert limits(guard) == (within, killed)

    write(guard.folder / "memory.current", str(430 * MB))
    guard.adjust()
    assert limits(guard) == (within + 228 * MB, killed + 228 * MB)


def test_the_margin_is_a_part_of_a_large_budget() -> None:
    assert margin(100 * MB) == 32 << 20
    assert margin(64_000 * MB) == 1000 * MB


def test_a_kill_by_the_kernel_says_more_than_the_budget(guard: Guard) -> None:
    assert guard.exceeded() is None
    write(guard.folder / "memory.events", "low 0\noom 0\noom_kill 1\n")  # of the whole machine
    assert guard.exceeded() is None
    write(guard.folder / "memory.events", "low 0\noom 1\noom_kill 4\noom_group_kill 1\n")
    assert guard.exceeded() == 500 * MB + margin(500 * MB) + beyond(500 * MB)
