"""Random pipelines with random budgets, numbers of jobs and kills: always the same results."""

from __future__ import annotations

import json
import random
import time

import pytest

from ...marks import in_exhaustive
from ..conftest import Project

MB = 10**6
_STEP = """
@step
def {name}({parameters}) -> np.ndarray:
    block = np.arange({count}, dtype=float)
    return block{more}
"""
_MOST = 60  # MB of a step's value


def sketch(project: Project, chance: random.Random) -> list[str]:
    """Write a pipeline of three to six segments; the names of its values."""
    made: list[str] = []
    sources = {}
    for segment in range(chance.randint(3, 6)):
        text, own = "", list[str]()
        for number in range(chance.randint(1, 3)):
            name = f"v{segment}_{number}"
            earlier = [*own, *(chance.sample(made, min(len(made), chance.randint(0, 2))))]
            read = list(dict.fromkeys(chance.sample(earlier, min(len(earlier), 2))))
            text += _STEP.format(
                name=name,
                parameters=", ".join(f"{value}: np.ndarray" for value in read),
                count=chance.randint(1, _MOST) * MB // 8,
                more="".join(f" + {value}.sum()" for value in read),
            )
            own.append(name)
        made += own
        sources[f"s{segment:02}"] = text
    project.segments(**sources)
    named = "\n".join(f'{name} = "out/{name}.npy"' for name in made)
    project.write("pipeline.toml", f"[outputs]\n{named}\n")
    return made


def published(project: Project) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (project.folder / "out").iterdir()}


def kill_somewhen(project: Project, chance: random.Random, *options: str) -> None:
    process = project.start("run", "--fresh", *options)
    time.sleep(chance.uniform(0.2, 2.5))  # anywhere in the run, or after its end
    process.kill()
    process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [*range(3), *in_exhaustive(*range(3, 500))])
def test_results_are_the_same_and_nothing_is_above_the_budget(project: Project, seed: int) -> None:
    chance = random.Random(seed)
    sketch(project, chance)
    first = project.run("--jobs", "1")
    assert first["exit_code"] == 0, first["error"]
    expected = published(project)
    alone = max(segment["peak_bytes"] for segment in first["segments"])
    for _ in range(2):
        budget = str(round(alone * chance.uniform(1.3, 3.0)))
        options = ("--budget", budget, "--jobs", str(chance.randint(2, 4)))
        if chance.random() < 0.5:
            kill_somewhen(project, chance, *options)
        record = project.run(*options, *(() if chance.random() < 0.3 else ("--fresh",)))
        assert record["exit_code"] == 0, json.dumps(record["error"])
        assert record["peak_bytes"] <= int(budget)
        assert published(project) == expected
