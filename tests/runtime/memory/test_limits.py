"""What machine, container and Slurm allow is found where real systems write it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest
from flight_delays.checkpointing.memory.limits import Limit, machine_limits, oom_kills
from hypothesis import given, settings
from hypothesis import strategies as st

from ..builders import write

GIB = 2**30
UNLIMITED = 2**63 - 4096  # what cgroup v1 writes for no limit
ID = "3c5e60a2f5b1"
POD = "pod0c7b9a1e-6a52-4b3f-9f33-7d6b6f0e7c11"

# Every layout: /proc/self/cgroup, /proc/self/mountinfo and the control groups' files, as the
# system writes them, cut down to what has to do with memory; then the limit, and the file (and key)
# that set it.
LAYOUTS = {
    "docker, v2, a namespace of its own": (
        "0::/",
        "1057 1049 0:29 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime"
        " - cgroup2 cgroup rw,nsdelegate,memory_recursiveprot",
        {"/sys/fs/cgroup/memory.max": "2147483648", "/sys/fs/cgroup/memory.high": "max"},
        (2 * GIB, "v2's /sys/fs/cgroup/memory.max"),
    ),
    "docker, v2, the host's namespace": (
        f"0::/system.slice/docker-{ID}.scope",
        "1057 1049 0:29 / /sys/fs/cgroup ro,relatime - cgroup2 cgroup rw,nsdelegate",
        {
            f"/sys/fs/cgroup/system.slice/docker-{ID}.scope/memory.max": "2147483648",
            "/sys/fs/cgroup/system.slice/memory.max": "max",
        },
        (2 * GIB, f"v2's /sys/fs/cgroup/system.slice/docker-{ID}.scope/memory.max"),
    ),
    "docker, v2, the host's namespace, only its own group mounted": (
        f"0::/system.slice/docker-{ID}.scope/worker",
        f"1057 1049 0:29 /system.slice/docker-{ID}.scope /sys/fs/cgroup ro shared:4"
        " - cgroup2 cgroup rw",
        {"/sys/fs/cgroup/worker/memory.max": "max", "/sys/fs/cgroup/memory.max": "2147483648"},
        (2 * GIB, "v2's /sys/fs/cgroup/memory.max"),
    ),
    "docker, v1, the host's namespace": (
        f"12:memory:/docker/{ID}\n11:cpu,cpuacct:/docker/{ID}\n1:name=systemd:/docker/{ID}",
        f"708 700 0:26 /docker/{ID} /sys/fs/cgroup/systemd ro master:9"
        " - cgroup cgroup rw,name=systemd\n"
        f"713 700 0:33 /docker/{ID} /sys/fs/cgroup/cpu,cpuacct ro master:14"
        " - cgroup cgroup rw,cpu,cpuacct\n"
        f"719 700 0:37 /docker/{ID} /sys/fs/cgroup/memory ro,nosuid,relatime master:18"
        " - cgroup cgroup rw,memory",
        {
            "/sys/fs/cgroup/memory/memory.limit_in_bytes": "1073741824",
            "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes": "2147483648",
            "/sys/fs/cgroup/memory/memory.stat": "cache 0\nhierarchical_memory_limit 1073741824",
        },
        (GIB, "v1's /sys/fs/cgroup/memory/memory.limit_in_bytes"),
    ),
    "docker, v1, a namespace of its own": (
        "9:memory:/\n0::/",
        "823 816 0:32 / /sys/fs/cgroup/memory ro,relatime - cgroup memory rw,memory",
        {"/sys/fs/cgroup/memory/memory.limit_in_bytes": "1073741824"},
        (GIB, "v1's /sys/fs/cgroup/memory/memory.limit_in_bytes"),
    ),
    "Kubernetes, v2": (
        "0::/",
        "2510 2502 0:30 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw",
        {"/sys/fs/cgroup/memory.max": "536870912", "/sys/fs/cgroup/memory.high": "483184640"},
        (483184640, "v2's /sys/fs/cgroup/memory.high"),
    ),
    "Kubernetes, v1, the limit set on the pod, which is not mounted": (
        f"3:cpu,cpuacct:/kubepods/burstable/{POD}/{ID}\n8:memory:/kubepods/burstable/{POD}/{ID}",
        f"1610 1602 0:28 /kubepods/burstable/{POD}/{ID} /sys/fs/cgroup/memory ro master:17"
        " - cgroup cgroup rw,memory",
        {
            "/sys/fs/cgroup/memory/memory.limit_in_bytes": str(UNLIMITED),
            "/sys/fs/cgroup/memory/memory.stat": (
                "cache 8192\nrss 4096\nhierarchical_memory_limit 4294967296\n"
                f"hierarchical_memsw_limit {UNLIMITED}\ntotal_cache 8192"
            ),
        },
        (4 * GIB, "v1's /sys/fs/cgroup/memory/memory.stat: hierarchical_memory_limit"),
    ),
    "a systemd user session": (
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-org.gnome\\x2dterm.scope",
        "35 24 0:30 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9"
        " - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot",
        {
            "/sys/fs/cgroup/user.slice/user-1000.slice/memory.max": "8589934592",
            "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/memory.max": "max",
            "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/"
            "app-org.gnome\\x2dterm.scope/memory.max": "max",
        },
        (8 * GIB, "v2's /sys/fs/cgroup/user.slice/user-1000.slice/memory.max"),
    ),
    "Slurm, v2": (
        "0::/system.slice/slurmstepd.scope/job_42/step_batch/user/task_0",
        "34 25 0:29 / /sys/fs/cgroup rw shared:8 - cgroup2 cgroup2 rw,nsdelegate",
        {
            "/sys/fs/cgroup/system.slice/slurmstepd.scope/job_42/memory.max": "524288000",
            "/sys/fs/cgroup/system.slice/slurmstepd.scope/job_42/memory.swap.max": "0",
            "/sys/fs/cgroup/system.slice/slurmstepd.scope/job_42/step_batch/memory.max": "max",
        },
        (500 * 2**20, "v2's /sys/fs/cgroup/system.slice/slurmstepd.scope/job_42/memory.max"),
    ),
    "Slurm, v1, the step's limit below the job's": (
        "4:memory:/slurm/uid_1000/job_42/step_0/task_0\n2:freezer:/slurm/uid_1000/job_42/step_0",
        "41 31 0:36 / /sys/fs/cgroup/memory rw shared:17 - cgroup cgroup rw,memory",
        {
            "/sys/fs/cgroup/memory/slurm/uid_1000/job_42/memory.limit_in_bytes": "524288000",
            "/sys/fs/cgroup/memory/slurm/uid_1000/job_42/step_0/memory.limit_in_bytes": "262144000",
            "/sys/fs/cgroup/memory/slurm/uid_1000/job_42/step_0/task_0/memory.limit_in_bytes": str(
                UNLIMITED
            ),
            "/sys/fs/cgroup/memory/slurm/uid_1000/job_42/step_0/task_0/memory.stat": (
                "hierarchical_memory_limit 262144000"
            ),
        },
        (
            250 * 2**20,
            "v1's /sys/fs/cgroup/memory/slurm/uid_1000/job_42/step_0/memory.limit_in_bytes",
        ),
    ),
    "LXC, v1, its group mounted at the host's path": (
        "7:memory:/lxc/web\n1:name=systemd:/lxc/web/init.scope",
        "512 500 0:55 / /sys/fs/cgroup rw - tmpfs none rw,mode=755\n"
        "520 512 0:33 /lxc/web /sys/fs/cgroup/memory/lxc/web rw - cgroup cgroup rw,memory",
        {"/sys/fs/cgroup/memory/lxc/web/memory.limit_in_bytes": "1073741824"},
        (GIB, "v1's /sys/fs/cgroup/memory/lxc/web/memory.limit_in_bytes"),
    ),
    "LXC, v2": (
        "0::/init.scope",
        "612 600 0:29 / /sys/fs/cgroup rw,nosuid - cgroup2 none rw",
        {"/sys/fs/cgroup/memory.max": "1073741824"},
        (GIB, "v2's /sys/fs/cgroup/memory.max"),
    ),
    "v1 rules memory, v2 only names groups": (
        "4:memory:/batch\n0::/user.slice",
        "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
        {
            "/sys/fs/cgroup/memory/batch/memory.limit_in_bytes": "1073741824",
            "/sys/fs/cgroup/unified/user.slice/cgroup.procs": "1",
        },
        (GIB, "v1's /sys/fs/cgroup/memory/batch/memory.limit_in_bytes"),
    ),
    "v1, memory mounted together with others": (
        "3:cpu,memory:/batch",
        "35 31 0:32 / /cgroup rw - cgroup none rw,cpu,memory",
        {"/cgroup/batch/memory.limit_in_bytes": "1073741824"},
        (GIB, "v1's /cgroup/batch/memory.limit_in_bytes"),
    ),
    "names with spaces, backslashes and colons": (
        "0::/night run/a\\b:c",
        r"35 31 0:32 /night\040run /control\040groups\011\134x rw - cgroup2 none rw",
        {"/control groups\t\\x/a\\b:c/memory.max": "1073741824"},
        (GIB, "v2's /control groups\t\\x/a\\b:c/memory.max"),
    ),
    "one hierarchy mounted twice": (
        "0::/outer/job",
        "35 31 0:32 /outer/job /here rw - cgroup2 none rw\n"
        "36 31 0:32 /other /there rw - cgroup2 none rw\n"
        "37 31 0:32 / /everything rw - cgroup2 none rw",
        {
            "/here/memory.max": "2147483648",
            "/there/memory.max": "1024",
            "/everything/outer/memory.max": "1073741824",
            "/everything/other/memory.max": "1024",
        },
        (GIB, "v2's /everything/outer/memory.max"),
    ),
    "a namespace whose root is below the mount": (
        "0::/worker",
        "35 31 0:32 /../.. /sys/fs/cgroup rw - cgroup2 none rw",
        {"/sys/fs/cgroup/memory.max": "1073741824", "/sys/fs/cgroup/worker/memory.max": "1024"},
        (GIB, "v2's /sys/fs/cgroup/memory.max"),
    ),
    "a group beside the root of its namespace": (
        "0::/../beside",
        "35 31 0:32 /.. /sys/fs/cgroup rw - cgroup2 none rw",
        {"/sys/fs/cgroup/beside/memory.max": "1073741824"},
        (GIB, "v2's /sys/fs/cgroup/beside/memory.max"),
    ),
    "a group that was removed": (
        "0::/outer/job (deleted)",
        "35 31 0:32 / /sys/fs/cgroup rw - cgroup2 none rw",
        {"/sys/fs/cgroup/outer/memory.max": "1073741824"},
        (GIB, "v2's /sys/fs/cgroup/outer/memory.max"),
    ),
}

V2 = "35 31 0:32 / /sys/fs/cgroup rw - cgroup2 none rw"
V1 = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup none rw,memory"
NO_LIMIT = {
    "no control groups": ("", "22 27 0:21 / /proc rw - proc proc rw", {}),
    "nothing mounted": ("0::/job", "", {"/sys/fs/cgroup/job/memory.max": "1024"}),
    "v2 without a limit": ("0::/job", V2, {"/sys/fs/cgroup/job/memory.max": "max"}),
    "v1 without a limit": (
        "4:memory:/",
        V1,
        {
            "/sys/fs/cgroup/memory/memory.limit_in_bytes": str(UNLIMITED),
            "/sys/fs/cgroup/memory/memory.stat": f"hierarchical_memory_limit {UNLIMITED}",
        },
    ),
    "another controller": ("4:cpu:/", V1, {"/sys/fs/cgroup/memory/memory.limit_in_bytes": "1024"}),
    "another group's mount": (
        "0::/job",
        "35 31 0:32 /jobs /sys/fs/cgroup rw - cgroup2 none rw",
        {"/sys/fs/cgroup/memory.max": "1024"},
    ),
    "a group of the same name in another hierarchy": (
        "1:name=systemd:/session\n0::/job",
        V2,
        {"/sys/fs/cgroup/session/memory.max": "1024", "/sys/fs/cgroup/job/memory.max": "max"},
    ),
    "a mount below the group, both above the namespace": (
        "0::/../../job",
        "35 31 0:32 /.. /sys/fs/cgroup rw - cgroup2 none rw",
        {"/sys/fs/cgroup/memory.max": "1024", "/sys/fs/job/memory.max": "1024"},
    ),
    "a mount below the group": (
        "0::/..",
        V2,
        {"/sys/fs/cgroup/memory.max": "1024", "/sys/fs/memory.max": "1024"},
    ),
    "a mount beside the group": (
        "0::/job",
        "35 31 0:32 /../beside /sys/fs/cgroup rw - cgroup2 none rw",
        {"/sys/fs/cgroup/memory.max": "1024"},
    ),
    "a limit that cannot be read": ("0::/", V2, {"/sys/fs/cgroup/memory.max/is/a/folder": ""}),
    "lines of no known form": ("0:/", "35 31 / /sys/fs/cgroup cgroup2", {}),
}

# Whatever a control group can be called, and a number that may be none.
NAMES = st.text(
    st.characters(exclude_characters="/\n\0", exclude_categories=["Cs"]), min_size=1, max_size=20
).filter(lambda name: name not in {".", ".."})
LIMITS = st.none() | st.integers(1, 2**50)


def lay_out(root: Path, groups: str, mounts: str, files: Mapping[str, str]) -> Path:
    """A folder with a system's own files in it, by their paths; returns it."""
    write(root / "proc/self/cgroup", f"{groups}\n")
    write(root / "proc/self/mountinfo", f"24 1 254:0 / / rw - ext4 /dev/vda rw\n{mounts}\n")
    for path, text in files.items():
        write(root / path.lstrip("/"), f"{text}\n")
    return root


def limits_but_ram(root: Path, environ: Mapping[str, str]) -> list[Limit]:
    """The limits that a machine with these files and this environment sets beside its RAM."""
    ram, *others = machine_limits(root, environ)
    assert ram == Limit(psutil.virtual_memory().total, "this machine's RAM")
    return others


def test_a_machine_without_any_of_the_files_has_only_its_ram(tmp_path: Path) -> None:
    assert limits_but_ram(tmp_path, {}) == []
    assert oom_kills(tmp_path) == 0


def test_this_machine_tells_its_limits() -> None:
    assert all(limit.bytes > 0 and limit.source for limit in machine_limits())
    assert oom_kills() >= 0


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_container_limits_by_the_smallest_of_its_visible_groups(
    tmp_path: Path, layout: tuple[str, str, dict[str, str], tuple[int, str]]
) -> None:
    groups, mounts, files, (limit, place) = layout
    root = lay_out(tmp_path, groups, mounts, files)

    assert limits_but_ram(root, {}) == [Limit(limit, f"the container's limit, cgroup {place}")]


@pytest.mark.parametrize("layout", NO_LIMIT.values(), ids=NO_LIMIT)
def test_what_is_not_there_sets_no_limit(
    tmp_path: Path, layout: tuple[str, str, dict[str, str]]
) -> None:
    assert limits_but_ram(lay_out(tmp_path, *layout), {}) == []


@settings(deadline=None)
@given(
    point=NAMES,
    names=st.lists(NAMES, min_size=1, max_size=4),
    limits=st.lists(LIMITS, min_size=5, max_size=5),
    data=st.data(),
)
def test_whatever_groups_are_called_the_smallest_limit_from_the_mount_down_is_found(
    tmp_path_factory: pytest.TempPathFactory,
    point: str,
    names: list[str],
    limits: list[int | None],
    data: st.DataObject,
) -> None:
    mounted = data.draw(st.integers(0, len(names)), label="depth of the group that is mounted")
    shown = {
        "/".join(["", point, *names[mounted:depth], "memory.max"]): limits[depth]
        for depth in range(mounted, len(names) + 1)
    }
    root = lay_out(
        tmp_path_factory.mktemp("machine"),
        "0::/" + "/".join(names),
        f"35 31 0:32 {escaped('/' + '/'.join(names[:mounted]))} {escaped('/' + point)} rw shared:1"
        " - cgroup2 cgroup2 rw",
        {path: "max" if limit is None else str(limit) for path, limit in shown.items()},
    )

    found = [limit.bytes for limit in limits_but_ram(root, {})]

    assert found == sorted(limit for limit in shown.values() if limit is not None)[:1]


@pytest.mark.parametrize(
    ("environ", "limit", "source"),
    [
        ({"SLURM_MEM_PER_NODE": "500"}, 500 << 20, "SLURM_MEM_PER_NODE"),
        ({"SLURM_MEM_PER_NODE": "512K"}, 512 << 10, "SLURM_MEM_PER_NODE"),
        ({"SLURM_MEM_PER_NODE": "8gb"}, 8 << 30, "SLURM_MEM_PER_NODE"),
        ({"SLURM_MEM_PER_NODE": "1T"}, 1 << 40, "SLURM_MEM_PER_NODE"),
        (
            {"SLURM_MEM_PER_CPU": "1500", "SLURM_CPUS_ON_NODE": "4", "SLURM_CPUS_PER_TASK": "2"},
            6000 << 20,
            "SLURM_MEM_PER_CPU × SLURM_CPUS_ON_NODE",
        ),
        (
            {"SLURM_MEM_PER_GPU": "4096", "SLURM_GPUS_ON_NODE": "2", "SLURM_CPUS_ON_NODE": "64"},
            8 << 30,
            "SLURM_MEM_PER_GPU × SLURM_GPUS_ON_NODE",
        ),
    ],
)
def test_slurm_limits_by_what_it_granted_on_this_node(
    tmp_path: Path, environ: dict[str, str], limit: int, source: str
) -> None:
    assert limits_but_ram(tmp_path, environ) == [Limit(limit, f"Slurm's {source}")]


def test_a_step_that_was_granted_less_than_its_job_has_both_limits(tmp_path: Path) -> None:
    environ = {
        "SLURM_MEM_PER_NODE": "8192",
        "SLURM_MEM_PER_CPU": "1024",
        "SLURM_CPUS_ON_NODE": "2",
    }

    assert [limit.bytes for limit in limits_but_ram(tmp_path, environ)] == [8 << 30, 2 << 30]


@pytest.mark.parametrize("text", ["", "0", "all", "-1", "1.5G", "4 G", "4P", "5\u212a", "9" * 5000])
def test_slurm_limits_by_nothing_where_it_grants_all_or_says_no_number(
    tmp_path: Path, text: str
) -> None:
    assert limits_but_ram(tmp_path, {"SLURM_MEM_PER_NODE": text}) == []
    assert limits_but_ram(tmp_path, {"SLURM_MEM_PER_CPU": text, "SLURM_CPUS_ON_NODE": "4"}) == []
    assert limits_but_ram(tmp_path, {"SLURM_MEM_PER_CPU": "10", "SLURM_CPUS_ON_NODE": text}) == []
    assert limits_but_ram(tmp_path, {"SLURM_MEM_PER_CPU": "10"}) == []


@settings(deadline=None)
@given(st.text(), st.text())
def test_no_text_in_slurms_variables_stops_a_run(size: str, count: str) -> None:
    environ = {"SLURM_MEM_PER_GPU": size, "SLURM_GPUS_ON_NODE": count, "SLURM_MEM_PER_NODE": size}

    assert all(limit.bytes > 0 for limit in machine_limits(environ=environ))


def test_the_container_and_slurm_are_both_told(tmp_path: Path) -> None:
    root = lay_out(tmp_path, "0::/job", V2, {"/sys/fs/cgroup/job/memory.max": "1000"})

    assert [limit.source for limit in limits_but_ram(root, {"SLURM_MEM_PER_NODE": "500"})] == [
        "the container's limit, cgroup v2's /sys/fs/cgroup/job/memory.max",
        "Slurm's SLURM_MEM_PER_NODE",
    ]


EVENTS = "low 0\nhigh 3\nmax 21\noom 4\noom_kill {}\noom_group_kill 1"
CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill {}"
VMSTAT = {"/proc/vmstat": "pgfault 10\noom_kill 9\ndrop_pagecache 0"}


@pytest.mark.parametrize(
    ("groups", "mounts", "files", "kills"),
    [
        pytest.param(
            "0::/job",
            V2,
            {"/sys/fs/cgroup/job/memory.events": EVENTS.format(2)},
            2,
            id="of the group in v2",
        ),
        pytest.param(
            "0::/job/leaf",
            V2,
            {"/sys/fs/cgroup/job/memory.events": EVENTS.format(2)},
            2,
            id="of the nearest group with the controller in v2",
        ),
        pytest.param(
            "4:memory:/job",
            V1,
            {
                "/sys/fs/cgroup/memory/job/memory.oom_control": CONTROL.format(3),
                "/sys/fs/cgroup/memory/memory.oom_control": CONTROL.format(8),
            },
            3,
            id="of the group in v1",
        ),
        pytest.param(
            "4:memory:/job\n0::/",
            f"{V1}\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
            {"/sys/fs/cgroup/memory/job/memory.oom_control": CONTROL.format(0)},
            0,
            id="of the group in v1 beside v2",
        ),
        pytest.param("0::/", V2, {}, 9, id="of the machine in the root of v2"),
        pytest.param("", "", {}, 9, id="of the machine without control groups"),
        pytest.param(
            "4:memory:/job",
            V1,
            {"/sys/fs/cgroup/memory/job/memory.oom_control": "under_oom 0"},
            9,
            id="of the machine where a kernel before 4.13 does not count by group",
        ),
    ],
)
def test_the_kernels_kills_for_memory_are_counted_as_near_as_possible(
    tmp_path: Path, groups: str, mounts: str, files: dict[str, str], kills: int
) -> None:
    assert oom_kills(lay_out(tmp_path, groups, mounts, VMSTAT | files)) == kills


def test_a_kernel_that_counts_no_kills_gives_none(tmp_path: Path) -> None:
    assert oom_kills(lay_out(tmp_path, "0::/", V2, {"/proc/vmstat": "pgfault 10"})) == 0


def escaped(path: str) -> str:
    """A path as mountinfo writes it."""
    return "".join(f"\\{ord(c):03o}" if c in " \t\n\\" else c for c in path)
