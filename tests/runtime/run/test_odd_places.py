"""A run works wherever it is started: a long TMPDIR, a daemon, a forked child, closed streams."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flight_delays.checkpointing.memory import meter

from ...marks import in_exhaustive
from ..conftest import MEMORY_BUDGET, Project

# What the step sees of the folders for temporary files.
SEEN = """
    @step
    def seen() -> dict[str, str | None]:
        import multiprocessing.util, os
        return {
            "TMPDIR": os.environ.get("TMPDIR"), "sockets": multiprocessing.util.get_temp_dir()
        }
"""
PROGRAM = """
import sys
from demo.pipeline import PIPELINE

def run():
    record = PIPELINE.run()
    print([segment.status for segment in record.segments], PIPELINE.load("answer"), flush=True)
"""
ANSWER = """
    @step
    def question() -> int:
        import multiprocessing
        with multiprocessing.get_context("fork").Pool(1) as pool:
            return sum(pool.map(abs, [-40, 2]))
"""
LATER = """
    @step
    def answer(question: int) -> int:
        return question
"""
FINISHED = "['ran', 'ran'] 42"


def python(project: Project, code: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """A process that executes code and can import the project's package."""
    path = project.write("code.py", code)
    return subprocess.run(
        [sys.executable, str(path)],
        cwd=project.folder,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def program(project: Project, code: str) -> subprocess.CompletedProcess[str]:
    """Execute code that can import `program`, whose `run` prints how a run of PIPELINE ended."""
    project.write("program.py", PROGRAM)
    done = python(project, code, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def looking(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose only step returns which folders for temporary files it sees."""
    project = Project(tmp_path_factory.mktemp("looking") / "demo")
    project.segments(s01=SEEN)
    return project


@pytest.fixture
def asking(project: Project) -> Project:
    """A project with two segments; a step of the first one starts processes of its own."""
    project.segments(s01=ANSWER, s02=LATER)
    return project


@pytest.mark.parametrize(
    ("name", "exists"),
    [("x" * 90, True), ("é" * 45, True), ("x" * 90, False), ("relative", True)],
    ids=["long", "not ASCII", "missing", "relative"],
)
def test_tmpdir_may_be_any_folder_and_steps_see_it(
    looking: Project, tmp_path: Path, name: str, exists: bool
) -> None:
    is_relative = name == "relative"
    folder = (looking.folder if is_relative else tmp_path) / name
    if exists:
        folder.mkdir()
    given = name if is_relative else str(folder)

    assert looking.run("--fresh", TMPDIR=given)["exit_code"] == 0

    seen = json.loads(next(looking.checkpoints().glob("*/*/seen.*.json")).read_text())
    assert seen["TMPDIR"] == given
    assert not Path(seen["sockets"]).exists()
    assert not exists or list(folder.iterdir()) == []


@pytest.mark.skipif(meter.START_METHOD == "spawn", reason="needs no socket")
def test_without_a_folder_for_sockets_a_command_says_what_to_set(looking: Project) -> None:
    nowhere = looking.folder / "nowhere"
    code = f"""
    import sys, tempfile
    from demo.checkpointing.run import starting

    tempfile.tempdir, starting._OTHER_FOLDERS = {str(nowhere)!r}, ()
    sys.argv = ["demo", "run", "--json"]
    from demo.cli import main
    main()
    """
    done = python(looking, code)
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["kind"]) == (2, "configuration")
    assert str(nowhere) in error["message"]
    assert "Set TMPDIR to a folder with a short path" in error["message"]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("start_method", ["fork", *in_exhaustive("spawn", "forkserver")])
def test_a_process_of_a_pool_runs_the_pipeline(asking: Project, start_method: str) -> None:
    code = f"""
    if __name__ == "__main__":
        import multiprocessing
        import program
        with multiprocessing.get_context({start_method!r}).Pool(1) as pool:
            pool.apply(program.run)
    """
    assert program(asking, code).stdout.strip() == FINISHED


def test_a_forked_child_runs_the_pipeline_also_after_its_parent_did(asking: Project) -> None:
    code = """
    import os
    import program

    program.run()
    child = os.fork()
    if child == 0:
        program.run()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    program.run()
    """
    reused = "['reused', 'reused'] 42"
    assert program(asking, code).stdout.split("\n") == [FINISHED, reused, reused, ""]


@pytest.mark.slow
def test_a_forked_child_goes_on_when_its_parent_has_ended(asking: Project) -> None:
    code = """
    import os
    import program

    program.run()
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(writer)
        os.read(reader, 1)  # until the parent has ended
        program.run()
    """
    done = program(asking, code)
    assert done.stdout.split("\n") == [FINISHED, "['reused', 'reused'] 42", ""]


def test_a_thread_and_an_event_loop_run_the_pipeline(asking: Project) -> None:
    code = """
    import asyncio, threading
    import program

    thread = threading.Thread(target=program.run)
    thread.start()
    thread.join()

    async def main():
        program.run()
        await asyncio.to_thread(program.run)

    asyncio.run(main())
    """
    reused = "['reused', 'reused'] 42"
    assert program(asking, code).stdout.split("\n") == [FINISHED, reused, reused, ""]


def test_a_program_that_ignores_the_end_of_its_children_does_not_hide_it_from_steps(
    project: Project,
) -> None:
    project.segments(
        s01="""
        @step
        def answer() -> int:
            import subprocess, sys
            return subprocess.run([sys.executable, "-c", "raise SystemExit(42)"]).returncode
        """
    )
    code = """
    import signal
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    import program
    program.run()
    """
    assert program(project, code).stdout.strip() == "['ran'] 42"


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_standard_streams_may_be_closed(asking: Project, closed: str) -> None:
    asking.write("program.py", PROGRAM)
    code = "import program; record = program.PIPELINE.run(); open('done', 'w').write(str(record))"
    words = f'"{sys.executable}" -c "{code}" {closed}'
    subprocess.run(["sh", "-c", words], cwd=asking.folder, env=asking.environment(), check=True)
    assert "status='ran'" in (asking.folder / "done").read_text()


def test_another_file_may_have_the_number_of_a_closed_stream(asking: Project) -> None:
    code = """
    import os
    os.close(1)
    kept = os.open("kept", os.O_CREAT | os.O_WRONLY)
    assert kept == 1
    import program
    program.PIPELINE.run()
    os.write(kept, repr(program.PIPELINE.load("answer")).encode())
    """
    program(asking, code)
    assert (asking.folder / "kept").read_text() == "42"


@pytest.mark.slow
def test_a_user_needs_no_home_and_no_entry_in_the_list_of_users(looking: Project) -> None:
    unshare = ["unshare", "--user", "--map-user=54321"]
    if shutil.which("unshare") is None or subprocess.run([*unshare, "true"]).returncode:
        pytest.skip("this system makes no user namespace")
    kept = {k: v for k, v in looking.environment().items() if k in ("PATH", "PYTHONPATH")}
    for words in (["run", "--fresh"], ["report"]):
        done = subprocess.run(
            [*unshare, sys.executable, "-m", "demo", *words],
            cwd=looking.folder,
            env=kept | {"PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (words, done.returncode) == (words, 0), done.stderr


@pytest.fixture
def as_owner() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command of a project by a user whom modes of files restrict, which root is not."""
    drop_override = [
        *(sys.executable, "-c"),
        "import ctypes, os, sys\n"
        "PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1\n"
        "ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'demo', *sys.argv[1:]])",
    ]

    def run(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*drop_override, *words],
            cwd=project.folder,
            env=project.environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@contextmanager
def write_protected(*folders: Path) -> Iterator[None]:
    """Folders, and all in them, in which nobody may write."""
    members = [path for folder in folders for path in (folder, *folder.rglob("*"))]
    modes = {path: path.stat().st_mode for path in members if not path.is_symlink()}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    try:
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


def test_another_user_s_checkpoints_can_be_read_and_a_run_says_why_it_cannot(
    looking: Project, as_owner: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    assert looking.run()["exit_code"] == 0
    with write_protected(looking.folder / "checkpoints", looking.folder / "runs"):
        assert as_owner(looking, "show", "seen").returncode == 0
        assert "reused" in as_owner(looking, "status").stdout
        done = as_owner(looking, "run")
    assert done.returncode == 5
    assert done.stderr.startswith("error: Taking the lock in ")
    assert "Check who owns the folder, and who may read and write there." in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_read_only_project_keeps_its_files_elsewhere(
    project: Project, tmp_path: Path, as_owner: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    project.segments(s01=SEEN)
    with write_protected(project.folder):
        done = as_owner(project, "run")
    assert done.returncode == 5
    assert "Name another [runs] path in memory_budget.toml." in done.stderr
    assert done.stderr.count("\n") == 1

    elsewhere = f'[checkpoints]\npath = "{tmp_path}/made"\n[runs]\npath = "{tmp_path}/records"\n'
    project.write("memory_budget.toml", MEMORY_BUDGET + elsewhere)
    with write_protected(project.folder):
        for words in (["run"], ["status"], ["clean", "--runs"]):
            done = as_owner(project, *words)
            assert (words, done.returncode) == (words, 0), done.stderr
    assert not (project.folder / "runs").exists()
    assert list((tmp_path / "made").rglob("manifest.json")) == []


def test_an_installed_copy_of_the_package_works_in_the_project_s_folder(
    project: Project, tmp_path: Path
) -> None:
    project.segments(s01=SEEN)
    venv.create(tmp_path / "venv", symlinks=True)
    [libraries] = (tmp_path / "venv").glob("lib/*/site-packages")
    project.package.rename(libraries / "demo")
    (libraries / "ours.pth").write_text(sysconfig.get_path("purelib"))

    def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [tmp_path / "venv" / "bin" / "python", "-m", "demo", *words],
            cwd=folder,
            env=project.environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    for words in (["run"], ["show", "seen"]):
        done = command(project.folder, *words)
        assert (words, done.returncode) == (words, 0), done.stderr
    assert (project.folder / "runs").is_dir()

    done = command(tmp_path, "run")
    assert done.returncode == 2
    assert done.stderr == (
        f"error: no pipeline.toml in {tmp_path} or above it. Run the command in the project's "
        f"folder.\n"
    )


@pytest.mark.slow
def test_a_clock_that_went_back_leaves_the_last_run_the_last(project: Project) -> None:
    project.segments(
        s01="""
        @step
        def day(which: str) -> str:
            return which
        """
    )
    project.write("pipeline.toml", '[params]\nwhich = "1"')
    with project.session() as run:
        for which in "123":
            assert "error" not in run(params={"which": which})
            for path in project.checkpoints().rglob("manifest.json"):
                ahead = 4_000_000_000 - int(which) * 1_000_000
                os.utime(path, (ahead, ahead))
        assert project.load("day") == "'3'"
        assert run(params={"which": "1"})["segments"][0]["status"] == "reused"
    assert project.load("day") == "'1'"


@pytest.mark.exhaustive
def test_a_run_as_on_other_systems_gives_what_a_run_on_linux_gives(project: Project) -> None:
    project.segments(
        s01="""
        @step
        def started_by() -> list[str]:
            import psutil
            return psutil.Process().parent().cmdline()
        """,
        s02="""
        @step
        def kinds(started_by: list[str]) -> list[str]:
            return list({"a", "set", "of", "words"})
        """,
    )
    assert project.run(CHECKPOINTING_PORTABLE="1")["exit_code"] == 0
    assert "demo" in project.load("started_by")  # the command itself, and no fork server
    kinds = project.load("kinds")

    assert set(project.statuses().values()) == {"reused"}
    assert set(project.statuses("--fresh").values()) == {"ran"}
    assert project.load("kinds") == kinds


def test_a_program_without_a_guard_is_not_run_again_by_its_workers(asking: Project) -> None:
    code = """
    import os
    os.environ["CHECKPOINTING_PORTABLE"] = "1"
    import program
    program.run()
    """
    assert program(asking, code).stdout.strip() == FINISHED
