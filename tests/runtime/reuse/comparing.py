"""Compare, after random edits, what would be reused with what a plain run of the steps gives."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ..conftest import Project
from .edits import EDITS, Edited

Ask = Callable[[], Any]
Pair = tuple[dict[str, Any], dict[str, Any]]
"""Something before an edit, and after it."""

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
        made[segment.name] = {step.name: values[step.name] for step in segment.steps}
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

# A process that answers each line with the standing of each segment, and with all that each step
# depends on by itself but the values of other steps.
STANDINGS = """
import json, sys
from demo.pipeline import PIPELINE
from demo.checkpointing.base.errors import CheckpointingError
from demo.checkpointing.reuse.bound import bind, ingredients_of
from demo.checkpointing.reuse.further import changed_code
from demo.checkpointing.reuse.standing import standings
from demo.checkpointing.run.describing import describe_again

def own(bound, segment, step):
    code, all_of_it = bound.code[segment.name], ingredients_of(bound, segment, {})
    names = {parameter.name for parameter in step.parameters}
    taken = {**all_of_it.inputs, **all_of_it.params}
    data = {name: digest for name, digest in all_of_it.code.items() if name not in code.reached}
    [made] = bound.store.all_of(segment.name)
    further = changed_code(made.further, bound.settings.root)
    reads = {name: taken.get(name) for name in sorted(names)}
    return [code.steps[step.name], code.libraries, data, further, reads]

for line in sys.stdin:
    try:
        bound = bind(describe_again(PIPELINE), {})
        answer = {
            now.segment.name: {
                "standing": type(now).__name__,
                "reasons": getattr(now, "reasons", ()),
                "steps": {s.name: own(bound, now.segment, s) for s in now.segment.steps},
                "reads": {s.name: [p.name for p in s.parameters] for s in now.segment.steps},
            }
            for now in standings(bound)
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


@dataclass
class Needless:
    """What would run though its values would be the same, by the edits made."""

    segments: Counter[str]

    by_code: Counter[str]
    """Those segments that only code made run, and no data file or input."""

    steps: Counter[str]
    """Steps whose own code counts as changed, while all that they read is the same."""


def needless(project: Project, chances: Iterable[random.Random]) -> Needless:
    """Edit the project once for each of `chances`; what ran needlessly.

    Fails when a segment is reusable though a plain run of its steps gives other values now, or when
    a step gives another value though nothing has changed that it depends on.
    """
    edited, counted = Edited(project), Needless(Counter(), Counter(), Counter())
    assert project.run()["exit_code"] == 0
    with asking(project, PLAIN) as plain, asking(project, STANDINGS) as standings:
        before, first = plain(), standings()
        assert isinstance(before, dict), before
        for number, chance in enumerate(chances):
            edits = chance.sample(EDITS, chance.choice([1, 1, 1, 2, 3]))
            for edit in edits:
                with suppress(FileNotFoundError):  # the edit before may have moved it
                    edit.make(edited, chance)
            named, after, now = "; ".join(edit.name for edit in edits), plain(), standings()
            if isinstance(after, dict) and isinstance(now, dict):
                _compare(counted, f"{number}: {named}", (before, after), (first, now))
            edited.restore()
        assert {of["standing"] for of in standings().values()} == {"Reusable"}
    return counted


def _compare(counted: Needless, at: str, values: Pair, states: Pair) -> None:
    before, after = ({s: v for of in each.values() for s, v in of.items()} for each in values)
    for segment, state in states[1].items():
        former, standing = states[0][segment], state["standing"]
        is_same = values[0][segment] == values[1][segment]
        assert is_same or standing != "Reusable", f"{segment} after {at}"
        if is_same and standing == "Stale":
            case = f"{segment} after {at}: {state['reasons']}"
            counted.segments[case] += 1
            is_code = all(r.startswith("code of") and "/" not in r for r in state["reasons"])
            counted.by_code[case] += is_code
        for step, own in state["steps"].items():
            reads = [name for name in state["reads"][step] if name in after]
            if any(before[name] != after[name] for name in reads):
                continue
            known = former["steps"].get(step)
            assert before.get(step) == after[step] or own != known, f"{step} after {at}"
            if before.get(step) == after[step] and known and own[0] != known[0]:
                counted.steps[f"{step} after {at}"] += 1
