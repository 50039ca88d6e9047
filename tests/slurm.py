"""A real Slurm on loopback, and a SkyPilot that drives it by SSH, for tests: this machine as root.

Everything lies in one folder: keys, state, logs, the home of the throwaway user who owns the jobs,
and the home of SkyPilot with its API server. SkyPilot takes fixed ports on the node, so one of
these serves a machine at a time; the next waits. What a real cluster has and this one has not:
accounting, limits by cgroup, a shared file system, and more than one node.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

BUILD = Path(__file__).resolve().parents[1] / "build"
SKYPILOT = "skypilot[slurm]>=0.14,<0.15"
PROGRAMS = ("slurmctld", "slurmd", "squeue", "munged", "sshd", "socat", "nc", "rsync", "useradd")
PACKAGES = (
    "slurmctld slurmd slurm-client munge openssh-server openssh-client rsync socat "
    "netcat-openbsd curl ca-certificates"
)
USER = "checkpointing-job"  # who owns the jobs; made for the tests, and removed after them
INFRA = "slurm/loopback"
_PLACE = "/tmp/slurm-loopback-"  # how the paths of folders begin, which other users have to read
SBIN = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
CERTIFICATES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")
INDEXES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX")

_SLURM = """
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
SlurmctldPidFile={folder}/slurm/slurmctld.pid
SlurmdPidFile={folder}/slurm/slurmd.pid
StateSaveLocation={folder}/slurm/state
SlurmdSpoolDir={folder}/slurm/spool
SlurmctldLogFile={folder}/slurm/slurmctld.log
SlurmdLogFile={folder}/slurm/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
MpiDefault=none
ReturnToService=2
KillWait=2
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=20000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=01:00:00 State=UP
"""

# The user's programs are first on PATH: a uv and a `curl` that "downloads" it, for SkyPilot fetches
# its installer from a site that is no package index.
_SSHD = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/ssh/host
PidFile {folder}/ssh/sshd.pid
PasswordAuthentication no
UsePAM no
StrictModes no
Subsystem sftp internal-sftp
MaxStartups 100
MaxSessions 100
SetEnv {variables}
"""

_HOST = """
Host loopback
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/ssh/key
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
"""

_CURL = """#!/bin/bash
case "$*" in
*astral.sh*) echo 'mkdir -p "$UV_INSTALL_DIR"; ln -sf {folder}/programs/uv "$UV_INSTALL_DIR/uv"' ;;
*) exec /usr/bin/curl "$@" ;;
esac
"""

# SkyPilot's own environment on the node: it names a Python that the machine may not have.
_UV = """#!/bin/bash
words=()
for word in "$@"; do [ "$word" = 3.10 ] && word={python}; words+=("$word"); done
exec {folder}/programs/real-uv "${{words[@]}}"
"""


def missing() -> str:
    """What keeps this machine from running a Slurm for tests; empty if nothing does."""
    if os.name == "nt" or os.geteuid() != 0:
        return "only root can start the daemons of Slurm"
    absent = [name for name in PROGRAMS if not shutil.which(name, path=SBIN)]
    return f"apt-get install {PACKAGES}: no {', '.join(absent)}" if absent else ""


@dataclass(frozen=True)
class Slurm:
    """A running Slurm, and the SkyPilot that drives it."""

    folder: Path
    """Where everything lies; the throwaway user can read it."""

    variables: Mapping[str, str]
    """The environment in which a process finds this Slurm and this SkyPilot."""

    def environment(self) -> dict[str, str]:
        """The environment of here, with `variables`."""
        return os.environ | self.variables

    def jobs(self) -> list[str]:
        """The jobs that Slurm has now, one `ID NAME STATE` each: no job, no allocation."""
        listed = subprocess.run(
            ["squeue", "--noheader", "--format=%i %j %T"],
            env=self.environment(),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return listed.stdout.splitlines()

    def end_jobs(self) -> None:
        """End each job of Slurm, and wait until it is gone."""
        environment = self.environment()
        subprocess.run(["scancel", "--user", USER], env=environment, check=True, timeout=60)
        _wait(lambda: not self.jobs(), "the end of all jobs of Slurm")

    def kill_skypilot(self) -> None:
        """End SkyPilot's API server and all that it started here, by SIGKILL."""
        home = f"\0HOME={self.variables['HOME']}\0".encode()
        _kill_all(lambda pid, environment: home in environment and not _is_ours(pid))


@contextmanager
def loopback() -> Iterator[Slurm]:
    """Start Slurm, and end it with every process that ran in it; skypilot is made if need be."""
    skypilot = _skypilot()
    with ExitStack() as stack:
        stack.enter_context(_one_on_a_machine())
        folder = Path(tempfile.mkdtemp(prefix=Path(_PLACE).name, dir=Path(_PLACE).parent))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)
        stack.enter_context(_user(folder / "user"))
        ports = _free_ports(4)
        _programs(folder)
        _write(folder / "slurm.conf", _SLURM, folder, controller=ports[0], daemon=ports[1])
        home = folder / "home"
        variables = {
            "HOME": str(home),
            "PATH": f"{skypilot.parent}:{os.environ['PATH']}:{SBIN}",
            "SKY": str(skypilot),
            "SKYPILOT_DISABLE_USAGE_COLLECTION": "1",
            "SKYPILOT_API_SERVER_LOCAL_PORT": str(ports[3]),
            "SLURM_CONF": str(folder / "slurm.conf"),
        }
        slurm = Slurm(folder, variables)
        stack.callback(_end_user)
        stack.callback(slurm.kill_skypilot)
        _write(home / ".slurm" / "config", _HOST, folder, port=ports[2], user=USER)
        _write(home / ".sky" / "config.yaml", "slurm:\n  provision_timeout: 60\n", folder)
        stack.enter_context(_daemons(folder))
        stack.enter_context(_sshd(folder, ports[2]))
        _wait_for_node(slurm)
        yield slurm


def _skypilot() -> Path:
    """The `sky` of an environment of its own in build/, made the first time."""
    environment = BUILD / "skypilot"
    sky = environment / "bin" / "sky"
    stamp = environment / "installed"
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "skypilot.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != SKYPILOT:
            python = sys._base_executable  # type: ignore[attr-defined]
            subprocess.run([python, "-m", "venv", "--clear", environment], check=True)
            pip = (environment / "bin" / "python", "-m", "pip", "install", "--quiet")
            subprocess.run([*pip, "uv"], check=True)
            uv = (environment / "bin" / "uv", "pip", "install", "--quiet", "--python")
            subprocess.run([*uv, environment / "bin" / "python", SKYPILOT], check=True)
            stamp.write_text(SKYPILOT)
    return sky


@contextmanager
def _one_on_a_machine() -> Iterator[None]:
    """Wait until no other Slurm of this kind runs, and end one whose tests were killed."""
    with Path(f"{_PLACE}lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ours = f"\0SLURM_CONF={_PLACE}".encode()
        _kill_all(lambda pid, environment: ours in environment and not _is_ours(pid))
        for folder in Path(_PLACE).parent.glob(f"{Path(_PLACE).name}*"):
            if folder.is_dir():
                shutil.rmtree(folder, ignore_errors=True)
        yield


@contextmanager
def _user(home: Path) -> Iterator[None]:
    """A user without a password; `*` and not `!`, which sshd takes for a locked account."""
    home.mkdir()
    if USER in {user.pw_name for user in pwd.getpwall()}:  # of tests that were killed
        _end_user()
        _run("userdel", "--force", USER)
    _run("useradd", "--password", "*", "--shell", "/bin/bash", "--home-dir", str(home), USER)
    shutil.chown(home, USER, USER)
    try:
        yield
    finally:
        _run("userdel", "--force", USER)


def _programs(folder: Path) -> None:
    """What the user finds first on PATH."""
    programs = folder / "programs"
    programs.mkdir()
    shutil.copy2(BUILD / "skypilot" / "bin" / "uv", programs / "real-uv")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    own = shutil.which(f"python{python}", path="/usr/local/bin:/usr/bin")
    if own is None:  # a Python of root's, which the user cannot read: a copy of it
        shutil.copytree(sys.base_prefix, folder / "python", symlinks=True)
        own = str(folder / "python" / "bin" / f"python{python}")
        (programs / f"python{python}").symlink_to(own)
    for name, text in (("uv", _UV), ("curl", _CURL)):
        path = _write(programs / name, text, folder, python=own)
        path.chmod(0o755)


@contextmanager
def _daemons(folder: Path) -> Iterator[None]:
    """munged, slurmctld and slurmd, in this order."""
    munge, slurm = folder / "munge", folder / "slurm"
    munge.mkdir()
    (munge / "key").write_bytes(os.urandom(128))
    (munge / "key").chmod(0o400)
    for name in ("state", "spool"):
        (slurm / name).mkdir(parents=True)
    environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": SBIN}
    files = (f"--{name}-file={munge / name}" for name in ("key", "log", "pid", "seed"))
    commands = (
        ["munged", "--foreground", "--force", f"--socket={munge / 'socket'}", *files],
        ["slurmctld", "-D", "-c"],
        ["slurmd", "-D", "-c"],
    )
    with ExitStack() as stack:
        for command in commands:
            stack.enter_context(_running(command, folder / f"{command[0]}.out", environment))
            if command[0] == "munged":
                _wait(lambda: (munge / "socket").exists(), f"munged, see {munge / 'log'}")
        yield


@contextmanager
def _sshd(folder: Path, port: int) -> Iterator[None]:
    """The login node: a sshd for the throwaway user alone, by key."""
    ssh = folder / "ssh"
    ssh.mkdir()
    for name in ("host", "key"):
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(ssh / name))
    authorised = folder / "user" / ".ssh" / "authorized_keys"
    authorised.parent.mkdir()
    shutil.copy(ssh / "key.pub", authorised)
    first = f"export PATH={folder}/programs:$PATH\n"  # a login shell sets PATH anew
    login = _write(folder / "user" / ".profile", first, folder)
    for path in (authorised.parent, authorised, login):
        shutil.chown(path, USER, USER)
    kept = {name: os.environ[name] for name in (*CERTIFICATES, *INDEXES) if name in os.environ}
    shown = {
        "PATH": f"{folder}/programs:/usr/local/bin:/usr/bin:/bin",
        "BASH_ENV": str(login),
        "UV_CACHE_DIR": str(folder / "user" / "uv"),  # or every launch would fetch its packages
        "SLURM_CONF": str(folder / "slurm.conf"),
        **kept,
    }
    words = " ".join(f'"{name}={value}"' for name, value in shown.items())
    _write(ssh / "config", _SSHD, folder, port=port, variables=words)
    Path("/run/sshd").mkdir(exist_ok=True)
    sshd = shutil.which("sshd", path=SBIN)  # it starts itself again, so it wants its whole path
    assert sshd is not None
    command = [sshd, "-D", "-e", "-f", str(ssh / "config")]
    environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}
    with _running(command, folder / "sshd.out", environment):
        yield


@contextmanager
def _running(command: list[str], log: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """A daemon in the foreground, ended by SIGTERM, or else by SIGKILL."""
    program = shutil.which(command[0], path=SBIN) or command[0]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [program, *command[1:]],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for_node(slurm: Slurm) -> None:
    def is_idle() -> bool:
        command = ["sinfo", "--noheader", "--format=%T"]
        asked = subprocess.run(
            command, env=slurm.environment(), capture_output=True, text=True, check=False
        )
        return asked.stdout.strip() == "idle"

    _wait(is_idle, f"the node of Slurm, see {slurm.folder}/*.out")


def _wait(is_there: Callable[[], bool], what: str) -> None:
    """Wait until a function answers yes; a minute at most."""
    ends = time.monotonic() + 60
    while not is_there():
        if time.monotonic() > ends:
            raise TimeoutError(f"not there after a minute: {what}")
        time.sleep(0.05)


def _end_user() -> None:
    """End every process of the throwaway user."""
    uid = pwd.getpwnam(USER).pw_uid
    _kill_all(lambda pid, _: Path(f"/proc/{pid}").stat().st_uid == uid)


def _kill_all(is_meant: Callable[[int, bytes], bool]) -> None:
    """End by SIGKILL each process that is meant, until there is none.

    And all of a session that begins with one: SkyPilot's workers overwrite their environment.

    Args:
        is_meant: of the number of a process and its environment, each variable after a NUL.
    """
    sessions = set[int]()
    for _ in range(20):
        living = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            pid = int(entry.name)
            try:
                if is_meant(pid, b"\0" + (entry / "environ").read_bytes()):
                    living.append(pid)
                    if os.getsid(pid) == pid:
                        sessions.add(pid)
                elif os.getsid(pid) in sessions and not _is_ours(pid):
                    living.append(pid)
            except OSError:
                continue  # it has ended
        for pid in living:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if not living:
            return
        time.sleep(0.1)


def _is_ours(pid: int) -> bool:
    """Whether a process is this one, or one from which it descends."""
    ours = os.getpid()
    while ours > 1:
        if ours == pid:
            return True
        ours = int(Path(f"/proc/{ours}/stat").read_text().rpartition(")")[2].split()[1])
    return False


def _free_ports(count: int) -> list[int]:
    """Ports of loopback that nothing listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def _write(path: Path, text: str, folder: Path, **values: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    host = socket.gethostname().partition(".")[0]
    path.write_text(text.format(folder=folder, host=host, **values).lstrip(), encoding="utf-8")
    return path


def _run(*words: str) -> None:
    environment = os.environ | {"PATH": SBIN}
    subprocess.run(words, env=environment, check=True, capture_output=True, timeout=60)
