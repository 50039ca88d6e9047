"""Segment 1 written for another library: the rest of the project, and the results, are the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest
from flight_delays.checkpointing.codecs import Room, codec_of, collected
from flight_delays.checkpointing.codecs.engines.duckdb import prepare, release
from flight_delays.segments import s01_ingest as s01_pandas
from flight_delays.segments_duckdb import s01_ingest as s01_duckdb
from flight_delays.segments_polars import s01_ingest as s01_polars

from .conftest import TEMPLATE, Bakery, Project
from .marks import in_slow

ENGINES = ("pandas", "polars", "duckdb")
FIRST_DAY = ("--set", "last_day=2013-01-01")
PERIODS = [
    pytest.param(FIRST_DAY, marks=pytest.mark.slow, id="first day"),
    pytest.param((), marks=pytest.mark.exhaustive, id="January"),
]


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Project]:
    """A project for each engine; tests change none of their files."""
    return {name: Bakery(tmp_path_factory.mktemp(name)).bake(engine=name) for name in ENGINES}


@pytest.fixture
def room(tmp_path: Path) -> Iterator[None]:
    """DuckDB's default connection as a step gets it."""
    prepare(Room(memory=600_000_000, spill=tmp_path / "spill", disk=10**9, threads=2))
    yield
    release()


def python(project: Project, *words: str, first: Path | None = None) -> str:
    """Run Python in the project, in the environment of these tests; returns what it prints.

    Modules in the folder `first` hide others of their names.
    """
    places = [str(first)] if first else []
    finished = subprocess.run(
        [sys.executable, *words],
        cwd=project.folder,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join([*places, "src"]), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def tables(segment: ModuleType) -> dict[str, pd.DataFrame]:
    """What a segment 1 makes of the sample's files, as later segments take it."""
    settings = tomllib.loads((TEMPLATE / "pipeline.toml").read_text(encoding="utf-8"))
    files = {name: TEMPLATE / path for name, path in settings["inputs"].items()}
    params = settings["params"]
    made = {
        "flights": segment.flights(
            files["flights_file"], files["airports_file"], params["first_day"], params["last_day"]
        ),
        "weather": segment.weather(
            files["weather_file"], params["max_wind_mph"], params["sky_limits"]
        ),
    }
    return {name: taken(value) for name, value in made.items()}


def taken(value: Any) -> pd.DataFrame:
    """A table of any library as a step takes it that asks for a DataFrame."""
    codec, frames = codec_of(type(value)), codec_of(pd.DataFrame)
    assert codec is not None
    assert frames is not None
    frozen = collected(codec.batches(value), codec) if codec.batches else codec.freeze(value)
    frame: pd.DataFrame = frames.thaw(frozen)
    return frame


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize(
    ("segment", "kind"),
    [(s01_polars, pl.LazyFrame), (s01_duckdb, duckdb.DuckDBPyRelation)],
    ids=["polars", "duckdb"],
)
def test_segment_1_makes_the_same_tables_whatever_it_is_written_for(
    segment: ModuleType, kind: type
) -> None:
    assert {segment.flights.__annotations__["return"]} == {kind}
    of_pandas = tables(s01_pandas)
    for name, table in tables(segment).items():
        pd.testing.assert_frame_equal(table, of_pandas[name], check_exact=True)


def test_segment_1_alone_is_written_for_the_engine(projects: dict[str, Project]) -> None:
    segment = "src/flight_delays/segments/s01_ingest.py"
    differ = {segment, "pyproject.toml", "docs/adapting.md", "checkpointing.sha256"}
    for name in ("polars", "duckdb"):
        assert projects[name].files() == projects["pandas"].files()
        same = projects[name].files() - differ
        assert [path for path in sorted(same) if not is_same(projects, name, path)] == []
        assert f"import {name}" in projects[name].text(segment)


def is_same(projects: dict[str, Project], name: str, path: str) -> bool:
    """Whether a file is the one that the project for pandas has too."""
    ours, others = (projects[engine].folder / path for engine in ("pandas", name))
    return ours.read_bytes() == others.read_bytes()


@pytest.mark.parametrize("name", ENGINES)
def test_a_project_depends_on_its_engine_and_has_the_others_as_extras(
    projects: dict[str, Project], name: str
) -> None:
    project = projects[name].toml("pyproject.toml")["project"]
    needed = {requirement.split(">")[0] for requirement in project["dependencies"]}
    assert needed & {*ENGINES} == {"pandas", name}
    assert {"polars", "duckdb"} <= project["optional-dependencies"].keys()


@pytest.mark.parametrize("name", ["duckdb", *in_slow("polars")])
def test_a_project_passes_the_tests_of_the_segment_that_is_written_for_its_engine(
    projects: dict[str, Project], name: str
) -> None:
    python(projects[name], "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_ingest.py")


@pytest.mark.exhaustive
@pytest.mark.parametrize("check", [("pytest", "-q"), ("ruff", "check"), ("mypy",)])
@pytest.mark.parametrize("name", ["polars", "duckdb"])
def test_a_project_for_an_engine_passes_all_its_checks(
    projects: dict[str, Project], name: str, check: tuple[str, ...]
) -> None:
    python(projects[name], "-m", *check)
    assert "found nothing" in python(projects[name], "-m", "flight_delays", "review")


@pytest.fixture
def decoys(tmp_path: Path) -> Path:
    """Modules in place of polars and DuckDB that note each import before it fails."""
    for name in ("polars", "duckdb"):
        note = f"open({str(tmp_path / 'imported')!r}, 'a').write('{name}\\n')"
        (tmp_path / f"{name}.py").write_text(f"{note}\nraise ImportError('a decoy')\n")
    return tmp_path


def test_a_project_that_chose_no_engine_imports_none_in_any_process(
    projects: dict[str, Project], decoys: Path
) -> None:
    project = projects["pandas"]
    run = ("run", "--fresh", "--only", "s01_ingest", *FIRST_DAY)
    for command in (run, ("status",)):
        python(project, "-m", "flight_delays", *command, first=decoys)
    assert not (decoys / "imported").exists()


@pytest.mark.parametrize("name", ["polars", *in_slow("duckdb")])
def test_the_decoys_note_an_import_of_an_engine(
    projects: dict[str, Project], decoys: Path, name: str
) -> None:
    """Else the test above would pass whatever a project imports."""
    with pytest.raises(AssertionError):
        python(projects[name], "-m", "flight_delays", "status", first=decoys)
    assert set((decoys / "imported").read_text().split()) == {name}


def outputs(project: Project, *words: str) -> dict[str, bytes]:
    """Run the project; returns what is in each published file."""
    words = ("-m", "flight_delays", "run", "--fresh", "--json", "--budget", "600MB", *words)
    published = json.loads(python(project, *words))["outputs"]
    return {name: (project.folder / path).read_bytes() for name, path in published.items()}


@pytest.mark.parametrize("period", PERIODS)
def test_the_outputs_are_the_same_bytes_whatever_the_engine(
    projects: dict[str, Project], period: tuple[str, ...]
) -> None:
    of_pandas = outputs(projects["pandas"], *period)
    assert of_pandas.keys() == {"delays", "by_cause", "headline", "picture", "report"}
    for name in ("polars", "duckdb"):
        assert outputs(projects[name], *period) == of_pandas
