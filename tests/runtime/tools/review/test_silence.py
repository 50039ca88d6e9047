"""No false alarm: realistic steps, and the list of public code that the rules were held to."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from .reviewed import Reviewed

HERE = Path(__file__).parent
STEPS = {path.stem: path for path in sorted((HERE / "realistic_steps").glob("[!_]*.py"))}
ENGINES = {"pandas", "numpy", "pyarrow", "polars", "duckdb"}
LONG = "[segment]\nmax_steps = 20\n"
INPUTS = '[inputs]\nstations_url = "https://example.org/stations"\n'
PUBLIC: list[dict[str, Any]] = tomllib.loads((HERE / "public_code.toml").read_text())["file"]


def functions(path: Path) -> dict[str, ast.FunctionDef]:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return {node.name: node for node in body if isinstance(node, ast.FunctionDef)}


@pytest.fixture
def project(tmp_path: Path) -> Reviewed:
    """A project whose package is named as the realistic steps import it."""
    return Reviewed(tmp_path, package="src/flight_delays").put({"pipeline.toml": INPUTS})


@pytest.mark.parametrize("name", STEPS)
def test_nothing_is_found_in_realistic_steps(project: Reviewed, name: str) -> None:
    source = STEPS[name].read_bytes()
    project.put({f"src/flight_delays/segments/{name}.py": source, "memory_budget.toml": LONG})
    assert project.findings() == []


def test_nothing_is_found_where_they_follow_each_other_in_a_pipeline(project: Reviewed) -> None:
    """Cut after every step, so that each value crosses a cut."""
    segments: list[str] = []
    for name, path in STEPS.items():
        text = path.read_text(encoding="utf-8")
        for node in functions(path).values():
            if node.decorator_list and ast.unparse(node.decorator_list[0]) == "step":
                others = {n.name for n in functions(path).values()} - {node.name}
                project.put(
                    {f"src/flight_delays/segments/{name}_{node.name}.py": alone(text, others)}
                )
                segments.append(f"{name}_{node.name}")
    listed = ", ".join(segments)
    project.put(
        {
            "src/flight_delays/pipeline.py": (
                f"from .checkpointing import Pipeline\nfrom .segments import {listed}\n\n"
                f"PIPELINE = Pipeline({listed})\n"
            )
        }
    )
    assert len(segments) >= 30
    assert project.findings() == []


def alone(text: str, others: set[str]) -> str:
    """The module without the `@step` of all its other steps."""
    for other in others:
        text = re.sub(rf"@step\n(?=def {other}\()", "", text)
    return text


def test_the_realistic_steps_are_many_and_of_several_engines() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in STEPS.values())
    assert len(re.findall(r"^@step$", text, re.MULTILINE)) >= 30
    assert {engine for engine in ENGINES if f"import {engine}" in text} == ENGINES


@pytest.mark.parametrize("file", PUBLIC, ids=lambda file: f"{file['repository']}-{file['number']}")
def test_public_code_is_cited_and_what_it_does_is_kept_in_our_own_words(
    file: dict[str, Any],
) -> None:
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", file["repository"])
    assert re.fullmatch(r"[0-9a-f]{40}", file["commit"])
    assert file["licence"] in {"MIT", "Apache-2.0", "BSD-3-Clause-Clear"}
    assert file["path"].endswith(".py")
    assert file["seen"]
    module, step = file["kept_as"].split(".")
    assert step in functions(STEPS[module])
