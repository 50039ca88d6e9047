"""A pipeline whose middle segment runs elsewhere, on an executor that tests can disturb."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

from ..conftest import Project, until

PREPARED = """
@step
def table(raw: Path) -> pd.DataFrame:
    ran("table")
    return pd.read_csv(raw)

@step
def unread(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(wide="never sent")
"""

TRAINED = """
import os, time

def obey(marks: str) -> None:
    '''Do what a test has asked for.'''
    note = Path(marks) / "trained.txt"
    note.write_text(note.read_text() + "x" if note.exists() else "x")
    what = Path(marks) / "order.txt"
    text = what.read_text() if what.exists() else ""
    if text == "raise":
        raise RuntimeError("the data have no signal")
    if text == "wait":
        (Path(marks) / "reached.txt").write_text(str(Path.cwd()))
        time.sleep(120)
    if text == "hold":
        (Path(marks) / "reached.txt").write_text(str(Path.cwd()))
        while what.read_text() == "hold":
            time.sleep(0.1)
    if text == "fill":
        blocks = []
        while True:
            blocks.append(b"x" * (8 << 20))
    if text == "die":
        os._exit(3)

@step
def features(table: Annotated[pd.DataFrame, Columns("a", "b")]) -> pd.DataFrame:
    assert list(table.columns) == ["a", "b"], table.columns
    return table * 2

@step
def model(features: pd.DataFrame, factor: int, marks: str, workdir: Path) -> Path:
    print("training", factor)
    obey(marks)
    path = workdir / "model.txt"
    path.write_text(str(int(features["a"].sum()) * factor))
    return path

@step
def metrics(model: Path) -> pd.DataFrame:
    return pd.DataFrame({"score": [float(model.read_text())]})
"""

USED = """
@step
def used(metrics: pd.DataFrame) -> float:
    return float(metrics["score"].iloc[0])
"""

WIRING = """
[inputs]
raw = "data/raw.csv"

[params]
factor = 10
marks = "{marks}"

[outputs]
metrics = "data/out/metrics.parquet"
model = "data/out/model.txt"

[run_on]
s02 = "trainer"

[executors.trainer]
kind = "{kind}"
memory = "1 GB"
time_limit = "{limit}"
"""

DISTURBED = '''
"""An executor of the project's own: a local one that a file tells how to go wrong."""

import time
from pathlib import Path

from .checkpointing.executors import ExecutorError, Task, register
from .checkpointing.executors.local import Local


def order(folder: Path) -> str:
    file = folder.parent / "disturb.txt"
    return file.read_text() if file.exists() else ""


class Disturbed(Local):
    def __init__(self, name, table, folder):
        super().__init__(name, table, folder)
        self.folder = folder

    def _wait(self, place: str) -> None:
        if order(self.folder) == place:
            (self.folder.parent / "reached.txt").write_text(place)
            time.sleep(120)

    def run(self, task: Task, say):
        self._wait("launch")
        if order(self.folder) == "no machine":
            raise ExecutorError("there is no machine with so much memory now")
        code = super().run(task, say)
        if order(self.folder) == "lost":
            raise ExecutorError("the machine was taken away")
        self._wait("fetch")
        storage = self.folder / f"{task.place}.storage"
        results = [p for p in storage.glob("checkpoints/*/s02/*/*") if "model" in p.name]
        if order(self.folder) == "in the way":
            folder = self.folder.parent / "checkpoints/demo/s02"
            folder.rename(folder.with_name("s02-away"))
            folder.write_text("in the way")
        if order(self.folder) == "lost after the result":
            raise ExecutorError("the connection was lost")
        if order(self.folder) == "no result":
            (storage / "result.json").unlink()
        if order(self.folder) == "half a result":
            text = (storage / "result.json").read_text()
            (storage / "result.json").write_text(text[: len(text) // 2])
        if order(self.folder) == "a flipped byte":
            [path] = [p for each in results for p in ([each] if each.is_file() else each.iterdir())]
            content = path.read_bytes()
            path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        return code

    def destroy(self, place: str) -> None:
        self._wait("teardown")
        if order(self.folder) in ("no teardown", "raise, no teardown"):
            raise ExecutorError("the cloud does not answer")
        super().destroy(place)


register("disturbed", Disturbed)
'''


def lay_out(project: Project, kind: str = "local", limit: str = "5 min") -> Project:
    """Write the pipeline; its middle segment runs on `trainer`."""
    project.segments(s01=PREPARED, s02=TRAINED, s03=USED)
    project.write("data/raw.csv", "a,b,c\n1,2,3\n4,5,6\n")
    project.write("pipeline.toml", WIRING.format(marks=project.folder, kind=kind, limit=limit))
    if kind == "disturbed":
        project.write("src/demo/adapters.py", DISTURBED)
    return project


def left_behind(project: Project) -> list[str]:
    """What there is of throwaway places: files, and processes at work in them."""
    folder = project.folder / "executors"
    lying = folder.rglob("*") if folder.exists() else ()
    files = [str(path.relative_to(folder)) for path in lying]
    files = [file for file in files if file not in (".gitignore", "identity")]
    return files + [f"process {number}" for number in project.processes()]


def trainings(project: Project) -> int:
    """How often the model was trained."""
    note = project.folder / "trained.txt"
    return len(note.read_text()) if note.exists() else 0


def places(project: Project) -> list[dict[str, Any]]:
    """What `executors status --json` lists."""
    done = project.command("executors", "status", "--json")
    assert done.returncode == 0, done.stderr
    listed: list[dict[str, Any]] = json.loads(done.stdout)["places"]
    return listed


def reached(project: Project, seconds: float = 60.0) -> None:
    """Wait until what runs says that it is where the test wants it."""
    until((project.folder / "reached.txt").exists, "the place where it waits", seconds)


def ended_by(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    """End a run by a signal to it alone; its exit code, and what it printed for people."""
    process.send_signal(number)
    _, printed = process.communicate(timeout=60)
    return process.returncode, printed


def obey(project: Project, file: str, text: str) -> Path:
    """Tell the steps (`order.txt`) or the executor (`disturb.txt`) what to do."""
    return project.write(file, text)
