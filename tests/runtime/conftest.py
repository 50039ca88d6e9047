"""A small real project around the template's runtime, for tests that run it in real processes."""

from __future__ import annotations

import atexit
import compileall
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from flight_delays import checkpointing

RUNTIME = Path(checkpointing.__file__).parent
SAMPLE = RUNTIME.parents[2]
LAST_DAY = "last_day = 2013-01-31"  # as the sample's pipeline.toml has it


def compiled(source: Path) -> Path:
    """A folder that links to each file of the runtime, with bytecode beside the links.

    Hundreds of processes import the runtime: a tenth of their time would go into compiling it.
    """
    folder = Path(tempfile.mkdtemp(prefix="runtime-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for file in (path for path in source.rglob("*") if path.is_file() and path.suffix != ".pyc"):
        link = folder / file.relative_to(source)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file)
    compileall.compile_dir(folder, quiet=2)
    return folder


COMPILED = compiled(RUNTIME.resolve())

MEMORY_BUDGET = """
[cluster]
ram = "100 GB"
quota = "50 %"
"""

NOTES = """
def ran(step: str) -> None:
    '''Note, outside all checkpoints, that a step is executed.'''
    with open("executed.txt", "a") as notes:
        notes.write(step + "\\n")
"""

# One process that answers each line of options with the record of a run: quicker than a command.
SESSION = """
import json, sys
from demo.pipeline import PIPELINE
from demo.checkpointing.base.errors import CheckpointingError
from demo.checkpointing.run.options import RunOptions
from demo.checkpointing.run.run import run

for line in sys.stdin:
    try:
        record = run(PIPELINE, RunOptions(**json.loads(line)))
    except CheckpointingError as error:
        record = error.record
    print(json.dumps(record.as_json()), flush=True)
"""

# One process that executes each line, a cell of code, in `__main__`, and answers what it prints.
NOTEBOOK = """
import contextlib, io, json, sys

for _cell in sys.stdin:
    _printed = io.StringIO()
    with contextlib.redirect_stdout(_printed):
        try:
            exec(compile(json.loads(_cell), "<cell>", "exec"))
        except Exception as _error:
            print(f"{type(_error).__name__}: {_error}")
    print(json.dumps(_printed.getvalue().strip()), flush=True)
"""

# Files of a pipeline's checkpoints that belong to no single checkpoint.
SHARED = {"owner.json", "run.lock", "worker.lock", "run.json", "hashes.json", "known.json"}
SHARED |= {"shared.json", "cache.lock"}  # if they are at a URL


class Project:
    """A project in a folder of its own, whose package `demo` links to the runtime under test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.package = folder / "src" / "demo"
        if not folder.exists():
            self._lay_out()

    def _lay_out(self) -> None:
        (self.package / "segments").mkdir(parents=True)
        (self.package / "checkpointing").symlink_to(COMPILED)
        self.write("src/demo/__init__.py", "")
        self.write("src/demo/segments/__init__.py", "")
        self.write("src/demo/notes.py", NOTES)
        for name in ("cli.py", "__main__.py"):
            shutil.copy(RUNTIME.parent / name, self.package)
        self.write("memory_budget.toml", MEMORY_BUDGET)
        self.write("pipeline.toml", "")

    def copy(self, folder: Path) -> Project:
        """A project with the same files, checkpoints and all, in another folder."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder)

    def write(self, path: str, text: str) -> Path:
        """Write a text file of the project; the text may be indented."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        return target

    def segments(self, **sources: str) -> None:
        """Write the segments in order, each a module's source, and the pipeline that lists them."""
        header = """
        from __future__ import annotations
        from pathlib import Path
        from typing import Annotated
        import numpy as np
        import pandas as pd
        from ..checkpointing import Columns, step
        from ..notes import ran
        """
        for name, source in sources.items():
            body = textwrap.dedent(header) + textwrap.dedent(source)
            self.write(f"src/demo/segments/{name}.py", body)
        names = ", ".join(sources)
        self.write(
            "src/demo/pipeline.py",
            f"""
            from .checkpointing import Pipeline
            from .segments import {names}

            PIPELINE = Pipeline({names}, name="demo")
            """,
        )

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start a command of the project in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "demo", *arguments],
            cwd=self.folder,
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def command(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the project to its end."""
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def run(self, *arguments: str, **environment: str) -> dict[str, Any]:
        """`run --json`: what it printed, with its exit code as `exit_code`."""
        done = self.command("run", "--json", *arguments, **environment)
        assert done.stdout, done.stderr
        record: dict[str, Any] = json.loads(done.stdout)
        return record | {"exit_code": done.returncode}

    def statuses(self, *arguments: str, **environment: str) -> dict[str, str]:
        """`run --json`: the status of each segment."""
        record = self.run(*arguments, **environment)
        return {segment["name"]: segment["status"] for segment in record["segments"]}

    def load(self, value: str) -> Any:
        """A checkpointed value, loaded in a process of its own and sent back as its repr."""
        code = f"from demo.pipeline import PIPELINE; print(repr(PIPELINE.load({value!r})))"
        return self.python(code).strip()

    def python(self, code: str) -> str:
        """What Python code prints that can import the project's package."""
        return self._output("-c", textwrap.dedent(code))

    def script(self, path: Path) -> str:
        """What a Python file prints that can import the project's package."""
        return self._output(str(path))

    def _output(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def session(self) -> Iterator[Callable[..., dict[str, Any]]]:
        """A function that runs the pipeline with RunOptions and returns the record.

        All its runs have one parent process, which read the project's code once and works
        outside the project's folder.
        """
        with subprocess.Popen(
            [sys.executable, "-c", SESSION],
            cwd=self.folder.parent,
            env=self.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            asked, answers = process.stdin, process.stdout

            def run(**options: Any) -> dict[str, Any]:
                print(json.dumps(options), file=asked, flush=True)
                record: dict[str, Any] = json.loads(answers.readline())
                return record

            yield run
            asked.close()

    @contextmanager
    def notebook(self, **environment: str) -> Iterator[Callable[[str], str]]:
        """A function that executes a cell of code, all in one process; what the cell prints.

        An error is printed as its type and message.
        """
        with subprocess.Popen(
            [sys.executable, "-c", NOTEBOOK],
            cwd=self.folder,
            env=self.environment(**environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            asked, answers = process.stdin, process.stdout

            def execute(cell: str) -> str:
                print(json.dumps(textwrap.dedent(cell)), file=asked, flush=True)
                return str(json.loads(answers.readline()))

            yield execute
            asked.close()

    def executed(self) -> list[str]:
        """The steps that called `ran(name)` since this was last asked, in order."""
        notes = self.folder / "executed.txt"
        if not notes.exists():
            return []
        names = notes.read_text().split()
        notes.unlink()
        return names

    def manifests(self) -> dict[str, dict[str, Any]]:
        """The manifest of each segment's newest checkpoint, by segment."""
        found = [json.loads(p.read_text()) for p in self.checkpoints().glob("*/*/manifest.json")]
        return {m["segment"]: m for m in sorted(found, key=lambda m: str(m["committed_at"]))}

    def checkpoints(self) -> Path:
        """The folder of the pipeline's checkpoints."""
        return self.folder / "checkpoints" / "demo"

    def strays(self) -> list[str]:
        """Temporary files of the project, and files in checkpoints that no manifest names."""
        found = [path for path in self.checkpoints().iterdir() if path.is_file()]
        strays = [str(path) for path in found if path.name not in SHARED]
        for folder in self.checkpoints().glob("*/*"):
            manifest = folder / "manifest.json"
            if not manifest.exists():  # the parts of a segment that is not finished
                manifest = folder / "partial.json"
            content = json.loads(manifest.read_text()) if manifest.exists() else {}
            records = [*content.get("values", {}).values(), *content.get("outputs", {}).values()]
            records += content.get("published", {}).values()
            named = {manifest.name, *(record["file"].partition("/")[0] for record in records)}
            strays += [str(path) for path in folder.iterdir() if path.name not in named]
        return strays + [str(path) for path in self.folder.rglob("*.tmp")]

    def processes(self) -> list[int]:
        """The processes at work in the project's folder."""
        found = []
        for process in psutil.process_iter():
            try:
                at_work = process.status() != psutil.STATUS_ZOMBIE
                if at_work and Path(process.cwd()).is_relative_to(self.folder):
                    found.append(process.pid)
            except psutil.Error:
                continue
        return found

    def environment(self, **changes: str) -> dict[str, str]:
        """The environment of the project's processes: ours, with its package importable."""
        source = str(self.folder / "src")
        path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
        kept = {k: v for k, v in os.environ.items() if k != "MEMORY_BUDGET"}
        return kept | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"} | changes


def until(condition: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    """Wait for a real event of another process; fail when it does not come at all."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.005)


def run_once(project: Project, segments: dict[str, str], wiring: str) -> Project:
    """Give a project its segments and pipeline.toml, and run it to its end."""
    project.segments(**segments)
    project.write("pipeline.toml", wiring)
    assert project.run()["exit_code"] == 0
    project.executed()
    return project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "demo")


@pytest.fixture(scope="module")
def shared_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One project for all tests of a module, which then only look at it."""
    return Project(tmp_path_factory.mktemp("shared") / "demo")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project that is generated by default, with its data, of which it takes the first day."""
    project = Project(tmp_path_factory.mktemp("sample") / "demo")
    shutil.rmtree(project.package / "segments")
    shutil.copytree(SAMPLE / "src" / "flight_delays" / "segments", project.package / "segments")
    shutil.copytree(SAMPLE / "data" / "raw", project.folder / "data" / "raw")
    for module in ("airspace.py", "charts.py"):
        shutil.copy(SAMPLE / "src" / "flight_delays" / module, project.package)
    wiring = (SAMPLE / "pipeline.toml").read_text()
    project.write("pipeline.toml", wiring.replace(LAST_DAY, "last_day = 2013-01-01"))
    text = (SAMPLE / "src" / "flight_delays" / "pipeline.py").read_text()
    project.write("src/demo/pipeline.py", text.replace('name="delays"', 'name="demo"'))
    return project


@pytest.fixture
def done(original: Project, tmp_path: Path) -> Project:
    """A copy, to change, of the project that a module's own fixture `original` has run."""
    return original.copy(tmp_path / "demo")
