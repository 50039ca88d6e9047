"""Random pipelines, edited, damaged and stopped at random: the result is that of a fresh run.

A step's value is worked out from its params, its code and what it reads, so a model of a few lines
tells what each value has to be, and what each run may at most have executed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ..conftest import Project

RUNS = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@dataclass(frozen=True)
class Node:
    """One step: its segment, the numbers of the steps that it reads, and whether it is a sink."""

    segment: int
    reads: tuple[int, ...]
    is_sink: bool
    is_always: bool


@st.composite
def nodes(draw: st.DrawFn) -> list[Node]:
    """Two segments of a few steps each; nothing reads a sink."""
    made: list[Node] = []
    for segment in (1, 2):
        for _ in range(draw(st.integers(2, 5))):
            values = [n for n, node in enumerate(made) if not node.is_sink]
            reads = draw(st.sets(st.sampled_from(values), max_size=3)) if values else set()
            is_sink = bool(made) and draw(st.integers(0, 4)) == 0
            is_always = draw(st.integers(0, 7)) == 0
            made.append(Node(segment, tuple(sorted(reads)), is_sink, is_always))
    if made[-1].is_sink:
        made.append(Node(2, (), False, False))
    return made


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["param", "param", "remove", "fail", "code", "nothing"]), st.integers(0, 99)
    ),
    min_size=2,
    max_size=5,
)


class Model:
    """What the project is now, and what each of its values has to be."""

    def __init__(self, project: Project, made: list[Node]) -> None:
        self.project = project
        self.nodes = made
        self.params = [0] * len(made)
        self.codes = [0] * len(made)
        self.write()

    def write(self) -> None:
        """Write the project's files as they are now."""
        lines = [f"p{n} = {value}" for n, value in enumerate(self.params)]
        self.project.write("pipeline.toml", "\n".join(["[params]", *lines]) + "\n")
        sources = {"s1": "", "s2": ""}
        for n, node in enumerate(self.nodes):
            takes = [f"p{n}: int", *(f"v{read}: str" for read in node.reads)]
            mark = "@step(always=True)" if node.is_always else "@step"
            ending = f"Path('sunk-v{n}.txt').write_text(made)" if node.is_sink else "return made"
            known = ", ".join([f"p{n}", str(self.codes[n]), *(f"v{read}" for read in node.reads)])
            sources[f"s{node.segment}"] += f"""
{mark}
def v{n}({", ".join(takes)}) -> {"None" if node.is_sink else "str"}:
    ran("v{n}")
    if Path("fail.txt").exists() and Path("fail.txt").read_text() == "v{n}":
        raise RuntimeError("no")
    made = digest("v{n}", {known})
    {ending}
"""
        self.project.write(
            "src/demo/digests.py",
            """
            import hashlib

            def digest(*parts: object) -> str:
                return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]
            """,
        )
        header = "from ..digests import digest\n"
        self.project.segments(**{name: header + text for name, text in sources.items()})

    def values(self) -> list[str]:
        """What each step has to make."""
        values: list[str] = []
        for n, node in enumerate(self.nodes):
            parts = (f"v{n}", self.params[n], self.codes[n], *(values[read] for read in node.reads))
            values.append(hashlib.sha256(repr(parts).encode()).hexdigest()[:12])
        return values

    def check(self) -> None:
        """Whether all that is on disk is what it has to be."""
        values = self.values()
        for n, node in enumerate(self.nodes):
            if node.is_sink:
                assert (self.project.folder / f"sunk-v{n}.txt").read_text() == values[n]
        for segment in ("s1", "s2"):
            manifest = self.newest(segment)
            steps = [f"v{n}" for n, node in enumerate(self.nodes) if f"s{node.segment}" == segment]
            assert manifest["steps"] == steps
            folder = self.project.checkpoints() / segment / manifest["key"]
            for kind in ("values", "outputs"):
                for name, record in manifest[kind].items():
                    kept = json.loads((folder / record["file"]).read_text())
                    assert kept == values[int(name[1:])]
        assert self.project.strays() == []

    def newest(self, segment: str) -> dict[str, Any]:
        """The manifest of the checkpoint that a run used last."""
        every = self.project.checkpoints().glob(f"{segment}/*/manifest.json")
        paths = (path for path in every if ".damaged-" not in path.parent.name)  # set aside
        found: dict[str, Any] = max((json.loads(p.read_text()) for p in paths), key=_use)
        return found

    def files(self) -> list[Path]:
        """All files of values, of former checkpoints too."""
        return sorted(self.project.checkpoints().glob("s*/*/v*"))


def _use(manifest: dict[str, Any]) -> int:
    return int(manifest["use"])


def check_history(model: Model, history: list[tuple[str, int]], run: Callable[..., Any]) -> None:
    """Run after each of some changes, and compare what is on disk with the model."""
    count = len(model.nodes)
    assert "error" not in run()
    model.check()
    for action, number in history:
        model.project.executed()
        changed = {n for n, node in enumerate(model.nodes) if node.is_always}
        if action == "param":
            model.params[number % count] += 1
            changed.add(number % count)
        elif action == "code":
            model.codes[number % count] += 1
            changed |= set(range(count))
        elif action == "remove" and (files := model.files()):
            files[number % len(files)].unlink()
            changed |= set(range(count))
        elif action == "fail":
            model.params[0] += 1
            changed.add(0)
            model.project.write("fail.txt", f"v{number % count}")
        model.write()
        if action == "fail":
            run()
            (model.project.folder / "fail.txt").unlink()
        record = run()
        assert "error" not in record, record["error"]
        model.check()
        if action == "param":
            check_executed(model, changed)


def check_executed(model: Model, changed: set[int]) -> None:
    """Every step ran that changed; every other one because what it reads or is read by had run."""
    executed = {int(name[1:]) for name in model.project.executed()}
    assert {n for n in changed if not model.nodes[n].is_always} <= executed
    for n in executed - changed:
        after = any(read in executed for read in model.nodes[n].reads)
        before = any(n in model.nodes[other].reads for other in executed)
        assert after or before, f"v{n} ran needlessly"


CHAIN = [
    Node(1, (), is_sink=False, is_always=False),
    Node(1, (0,), is_sink=False, is_always=False),
    Node(1, (1,), is_sink=True, is_always=False),
    Node(1, (0,), is_sink=False, is_always=True),
    Node(1, (1, 3), is_sink=False, is_always=False),
    Node(2, (1, 4), is_sink=False, is_always=False),
]


@settings(RUNS, max_examples=1)
@example(made=CHAIN, history=[("param", 1), ("fail", 4), ("remove", 3), ("param", 0)])
@given(made=nodes(), history=ACTIONS)
def test_whatever_is_edited_the_result_is_that_of_a_fresh_run(
    made: list[Node], history: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    project = Project(tmp_path_factory.mktemp("random") / "demo")
    with project.session() as run:
        check_history(Model(project, made), history, run)


@pytest.mark.exhaustive
@settings(RUNS, max_examples=60)
@given(made=nodes(), history=ACTIONS)
def test_many_random_pipelines_and_histories(
    made: list[Node], history: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    project = Project(tmp_path_factory.mktemp("random") / "demo")
    with project.session() as run:
        check_history(Model(project, made), history, run)
