"""Compare, after random edits, what would be reused with what a plain run of the steps gives."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..conftest import Project
from .edits import EDITS, Edited

Ask = Callable[[], Any]

# A process that runs all steps as plain functions, in a fresh child for each line that it reads.
PLAIN = """
import importlib, inspect, json, os, sys, tomllib
from pathlib import Path
import pandas, pyarrow

def run():
    from demo.pipeline import PIPELINE
    wiring = tomllib.loads(Path("pipeline.toml").read_text())
    values = dict(wiring["params"])
    for name, text in wiring["inputs"].items():
        values[name] = sorted(Path.cwd().glob(text)) if "*" in text else Path.cwd() / text
    made = {}
    for segment in PIPELINE.segments:
        for step in segment.steps:
            function = step.function()
            names = inspect.signature(function).parameters
            values[step.name] = function(**{name: values[name] for name in names})
        made[segment.name] = [values[step.name] for step in segment.steps]
    return json.dumps(made)

for line in sys.stdin:
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(write, run().encode())
        except BaseException as error:
            os.write(write, json.dumps(f"{type(error).__name__}: {error}").encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        print(answer.read(), flush=True)
    os.waitpid(child, 0)
"""

# A process that answers each line with the standing of each segment.
STANDINGS = """
import json, sys
from demo.pipeline import PIPELINE
from demo.checkpointing.base.errors import CheckpointingError
from demo.checkpointing.reuse.bound import bind
from demo.checkpointing.reuse.standing import standings
from demo.checkpointing.run.describing import describe_again

for line in sys.stdin:
    try:
        answer = {
            now.segment.name: [type(now).__name__, *getattr(now, "reasons", ())]
            for now in standings(bind(describe_again(PIPELINE), {}))
        }
    except CheckpointingError as error:
        answer = str(error)
    print(json.dumps(answer), flush=True)
"""


@contextmanager
def asking(project: Project, code: str) -> Iterator[Ask]:
    """A function that has a process of its own answer, again and again."""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=project.folder,
        env=project.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        questions, answers = process.stdin, process.stdout

        def ask() -> Any:
            print(file=questions, flush=True)
            return json.loads(answers.readline())

        yield ask
        questions.close()


def needless(project: Project, chances: Iterable[random.Random]) -> Counter[str]:
    """Edit the project once for each of `chances`; what ran needlessly, by the edits made.

    Fails when a segment is reusable though a plain run of its steps gives other values now.
    """
    edited, needless = Edited(project), Counter[str]()
    assert project.run()["exit_code"] == 0
    with asking(project, PLAIN) as plain, asking(project, STANDINGS) as standings:
        before = plain()
        assert isinstance(before, dict), before
        for number, chance in enumerate(chances):
            edits = chance.sample(EDITS, chance.choice([1, 1, 1, 2, 3]))
            for edit in edits:
                with suppress(FileNotFoundError):  # the edit before may have moved it
                    edit.make(edited, chance)
            named, after, now = "; ".join(edit.name for edit in edits), plain(), standings()
            for segment, (standing, *reasons) in now.items() if isinstance(after, dict) else ():
                is_same = after[segment] == before[segment]
                assert is_same or standing != "Reusable", f"{number}: {segment} after {named}"
                if is_same and standing == "Stale":
                    needless[f"{named}: {segment}: {reasons}"] += 1
            edited.restore()
        assert {standing for standing, *_ in standings().values()} == {"Reusable"}
    return needless
