"""A run works wherever it is started: a long TMPDIR, a daemon, a forked child, closed streams."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..conftest import Project

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


@pytest.mark.parametrize("start_method", ["fork", "spawn", "forkserver"])
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
