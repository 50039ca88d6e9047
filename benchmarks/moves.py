"""How far one `run` travels through the files of the runtime, counted and not timed.

It runs a pipeline of two segments of one step each, with a profile function in every process, and
counts for each process the files of the runtime that it entered, and how often it moved from one to
another, by a call or a return. What watches memory is left out: it looks every 10 ms, so it would
count time. It is a measure of how much a reader has to turn pages, not of time.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

from measure import watch
from project import write_project

# Python imports a module of this name when it starts; the fork server hands it on to workers.
EVERY_PROCESS = """
import json, os, sys

last, moves, files = None, 0, {}
leave = os._exit


def note(frame, event, argument):
    global last, moves
    name = frame.f_code.co_filename
    if event == "return":
        frame = frame.f_back
        name = frame.f_code.co_filename if frame else ""
    elif event != "call":
        return
    _, is_runtime, inside = name.rpartition("/checkpointing/")
    if is_runtime and inside != last and not inside.endswith(("gauge.py", "meter.py", "procfs.py")):
        last, moves = inside, moves + 1
        files[inside] = files.get(inside, 0) + 1


def leave_with_a_note(code):
    sys.setprofile(None)
    with open(os.path.join(os.environ["MOVES"], f"{os.getpid()}.json"), "w") as file:
        json.dump({"files": files, "moves": moves}, file)
    leave(code)


def begin_anew():
    global last, moves
    last, moves = None, 0
    files.clear()


os._exit = leave_with_a_note
os.register_at_fork(after_in_child=begin_anew)
sys.setprofile(note)
"""

FIRST = '''\
"""Segment 1."""

from ..checkpointing import step


@step
def one() -> int:
    return 1
'''
SECOND = FIRST.replace("Segment 1", "Segment 2").replace("one() -> int", "two(one: int) -> int")


def main() -> None:
    """Run, and print a line for each kind of process."""
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "notes"
        for made in (notes, Path(folder) / "site"):
            made.mkdir()
        (Path(folder) / "site" / "sitecustomize.py").write_text(EVERY_PROCESS, encoding="utf-8")
        project = write_project(Path(folder) / "demo", "demo", {"s01": FIRST, "s02": SECOND})
        path = os.pathsep.join([str(Path(folder) / "site"), str(project.folder / "src")])
        command = [sys.executable, "-m", project.package, "run"]
        watch(command, project.folder, {"PYTHONPATH": path, "MOVES": str(notes)}).expected()
        found = [json.loads(file.read_text(encoding="utf-8")) for file in notes.iterdir()]
    for what in sorted(found, key=lambda what: -int(what["moves"])):
        most = Counter(what["files"]).most_common(3)
        busiest = ", ".join(f"{name} {count}" for name, count in most)
        print(f"{len(what['files'])} files, {what['moves']} moves; most into {busiest}")


if __name__ == "__main__":
    main()
