"""Files in the current folder never run in place of a library's module, or of the package.

A project's root may contain any script. Python looks there first when it is started with `-c` or
`-m`, and a run starts several Python processes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ...marks import one_in
from ..conftest import Project

# Modules that multiprocessing, pandas or the runtime import, needed or only tried. What Python
# itself imports to run a module with `-m`, such as functools, is beyond our reach.
STRAYS = (
    *("calendar", "random", "json", "signal", "socket", "selectors", "typing", "dataclasses"),
    *("tempfile", "multiprocessing", "pickle", "logging", "inspect", "copy"),
    *("pandas", "numpy", "pyarrow", "psutil", "typer", "pydantic", "numexpr", "bottleneck"),
)
STRAY = """
with open({marker!r}, "a") as marker:
    marker.write(__file__ + "\\n")
raise RuntimeError("a stray file was executed")
"""
STEPS = """
    @step
    def numbers() -> dict[str, float]:
        import calendar, json, random
        return {"days": calendar.monthrange(2024, 2)[1], "n": json.loads("7") + random.random()}

    @step
    def doubled(numbers: dict[str, float]) -> float:
        return numbers["days"] * 2.0
"""
# What an installer makes of an entry of `[project.scripts]`.
CONSOLE_SCRIPT = """
import sys
from demo.cli import main
sys.exit(main())
"""
COMMANDS = (["run", "--json"], ["status"], ["plan"], ["compare"], ["show", "doubled"])


@pytest.fixture(scope="module")
def littered(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that a run has finished, whose root and a subfolder are full of stray modules."""
    folder = tmp_path_factory.mktemp("stray")
    project = Project(folder / "demo")
    project.segments(s01=STEPS)
    assert project.run()["exit_code"] == 0
    for place in (project.folder, project.folder / "notebooks"):
        place.mkdir(exist_ok=True)
        for name in STRAYS:
            (place / f"{name}.py").write_text(STRAY.format(marker=str(folder / "executed")))
    (folder / "bin").mkdir()
    (folder / "bin" / "demo").write_text(CONSOLE_SCRIPT)
    return project


def executed(project: Project) -> list[str]:
    """The stray files that were executed."""
    marker = project.folder.parent / "executed"
    return marker.read_text().split() if marker.exists() else []


def command(
    project: Project, program: list[str], words: list[str], where: str = "."
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *program, *words],
        cwd=project.folder / where,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("words", one_in(2, COMMANDS), ids=lambda words: words[0])
def test_a_command_runs_no_file_of_the_current_folder(littered: Project, words: list[str]) -> None:
    script = littered.folder.parent / "bin" / "demo"
    (littered.folder / "demo.py").write_text((littered.folder / "calendar.py").read_text())
    try:
        done = command(littered, [str(script)], words)
    finally:
        (littered.folder / "demo.py").unlink()
    assert (executed(littered), done.returncode) == ([], 0), done.stderr


@pytest.mark.parametrize("where", [".", "notebooks"])
def test_the_module_runs_no_more_files_than_the_command(littered: Project, where: str) -> None:
    done = command(littered, ["-m", "demo"], ["run", "--fresh", "--json"], where)
    assert (executed(littered), done.returncode) == ([], 0), done.stderr
    assert "58.0" in command(littered, ["-m", "demo"], ["show", "doubled"], where).stdout


def test_a_program_of_a_folder_gives_its_workers_what_it_sees_itself(project: Project) -> None:
    project.segments(
        s01="""
        @step
        def there() -> str:
            import beside
            return beside.TEXT
        """
    )
    tools = project.folder / "tools"
    project.write("tools/beside.py", "TEXT = 'from beside the program'")
    program = "from demo.pipeline import PIPELINE; PIPELINE.run(); print(PIPELINE.load('there'))"
    project.write("tools/program.py", program)
    assert project.script(tools / "program.py").strip() == "from beside the program"


def test_what_a_step_starts_has_python_s_usual_path(project: Project) -> None:
    project.segments(
        s01="""
        @step
        def printed() -> str:
            import subprocess, sys
            words = [sys.executable, "-c", "import beside; print(beside.TEXT)"]
            return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
        """
    )
    project.write("beside.py", "TEXT = 'from the current folder'")
    assert project.run()["exit_code"] == 0
    assert project.load("printed") == "'from the current folder'"


@pytest.mark.slow
def test_a_person_s_own_safe_path_stays_for_what_a_step_starts(project: Project) -> None:
    project.segments(
        s01="""
        @step
        def seen() -> str:
            import os
            return os.environ.get("PYTHONSAFEPATH", "unset")
        """
    )
    assert project.run()["exit_code"] == 0
    assert project.load("seen") == "'unset'"
    assert project.run("--fresh", PYTHONSAFEPATH="1")["exit_code"] == 0
    assert project.load("seen") == "'1'"


def test_the_module_starts_in_the_folder_of_an_uninstalled_package(
    project: Project, tmp_path: Path
) -> None:
    project.segments(s01=STEPS)
    done = subprocess.run(
        [sys.executable, "-m", "demo", "run"],
        cwd=project.folder / "src",
        env={k: v for k, v in project.environment().items() if k != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
