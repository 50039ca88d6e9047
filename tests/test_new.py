"""What `new` makes in a generated project passes all of its checks as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from .conftest import Bakery, Project

CHECKS = (
    ("ruff", "format", "--no-cache", "--check"),
    ("ruff", "check", "--no-cache"),
    ("flight_delays", "review"),
    ("pytest", "-q", "-p", "no:cacheprovider", "-k", "not pattern or built", "tests"),
)


def python(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    unset = {"MEMORY_BUDGET", "PYTHONPATH"}
    environment = {key: value for key, value in os.environ.items() if key not in unset}
    source = str(project.folder / "src")
    return subprocess.run(
        [sys.executable, "-B", "-m", *words],
        cwd=project.folder,
        env=environment | {"PYTHONPATH": source, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def must(project: Project, *words: str) -> str:
    done = python(project, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def require_green(project: Project) -> None:
    """Fail unless every check of the project succeeds."""
    for check in (*CHECKS, ("mypy", "--cache-dir", str(project.folder.parent / "mypy"))):
        must(project, *check)


def without_sample(project: Project) -> None:
    """Delete the sample as docs/adapting.md says; pipeline.py still lists its segments."""
    for pattern in ("src/*/segments/s0*.py", "data/raw/*", "scripts/full_year.py"):
        for path in project.folder.glob(pattern):
            path.unlink()
    for path in project.folder.glob("tests/test_*.py"):
        if path.name != "test_pattern.py":
            path.unlink()
    (project.folder / "pipeline.toml").write_text("[inputs]\n\n[params]\n\n[outputs]\n")


@pytest.mark.exhaustive
@pytest.mark.parametrize("start", ["fresh", "without the sample"])
def test_everything_is_green_after_each(bakery: Bakery, start: str) -> None:
    project = bakery.bake()
    steps: list[tuple[str, ...]]
    there = sorted(path.stem for path in (project.package / "segments").glob("s*.py"))
    if start == "fresh":
        steps = [("segment", "more_of_it", "--after", there[1]), ("step", "more", "--in", there[1])]
        first = there[-1]
    else:
        without_sample(project)
        steps, first = [("segment", "orders"), ("segment", "totals", "--after", "orders")], "orders"
    steps += [("step", "checked", "--in", first), ("pipeline", "nightly")]
    steps += [("segment", "later", "--after", "nightly"), ("step", "latest", "--in", "later")]
    for words in steps:
        told = json.loads(must(project, "flight_delays", "new", *words, "--json"))
        assert all((project.folder / path).is_file() for path in told["created"])
        require_green(project)
    if start != "fresh":
        ran = json.loads(must(project, "flight_delays", "run", "--json"))
        assert [segment["name"] for segment in ran["segments"]] == ["s01_orders", "s02_totals"]


def test_the_names_of_what_was_published_are_told_when_their_steps_are_gone(
    bakery: Bakery,
) -> None:
    project = bakery.bake()
    wiring = (project.folder / "pipeline.toml").read_bytes()
    without_sample(project)
    (project.folder / "pipeline.toml").write_bytes(wiring)
    told = must(project, "flight_delays", "new", "segment", "orders")
    assert "which no step makes: take that out of [outputs]" in told


def test_a_pipeline_in_pipeline_py_may_publish_what_another_one_does_not_make(
    bakery: Bakery,
) -> None:
    project = bakery.bake()
    must(project, "flight_delays", "new", "pipeline", "nightly")
    must(project, "flight_delays", "status")
    wiring = project.folder / "pipeline.toml"
    name = next(iter(project.toml("pipeline.toml")["outputs"]))
    wiring.write_text(wiring.read_text().replace(f"\n{name} =", f"\n{name}x ="))
    done = python(project, "flight_delays", "status")
    assert done.returncode == 2
    assert f"[outputs] `{name}x` is no step; did you mean `{name}`?" in done.stderr
