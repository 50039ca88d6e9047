"""Segment 1 written for another library: the rest of the project, and the results, are the same."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyspark.sql
import pytest
from flight_delays.checkpointing.codecs import Room, codec_of, collected
from flight_delays.checkpointing.codecs.engines.duckdb import prepare, release
from flight_delays.segments import s01_ingest as s01_pandas
from flight_delays.segments_duckdb import s01_ingest as s01_duckdb
from flight_delays.segments_polars import s01_ingest as s01_polars
from flight_delays.segments_spark import s01_ingest as s01_spark

from .conftest import Bakery, Project
from .local_spark import local_spark
from .marks import in_exhaustive, in_slow
from .running import python, tried
from .spark_cluster import spark_cluster

LIBRARIES = {"polars": "polars", "duckdb": "duckdb", "spark": "pyspark"}
ENGINES = ("pandas", *LIBRARIES)
FIRST_DAY = ("--set", "last_day=2013-01-01")
PERIODS = [
    pytest.param(FIRST_DAY, id="first day"),
    pytest.param((), id="January"),
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


@pytest.fixture(scope="module")
def spark() -> Iterator[None]:
    """A session that a step finds, as in the process that runs it."""
    with local_spark():
        yield


def tables(segment: ModuleType, project: Project) -> dict[str, pd.DataFrame]:
    """What a segment 1 makes of the sample's files, as later segments take it."""
    settings = project.toml("pipeline.toml")
    files = {name: project.folder / path for name, path in settings["inputs"].items()}
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
    """A table of any library as a step takes it that asks for a DataFrame of pandas."""
    if isinstance(value, pyspark.sql.DataFrame):
        value = value.toArrow()  # what its executors would write
    codec, frames = codec_of(type(value)), codec_of(pd.DataFrame)
    assert codec is not None
    assert frames is not None
    frozen = collected(codec.batches(value), codec) if codec.batches else codec.freeze(value)
    frame: pd.DataFrame = frames.thaw(frozen)
    return frame


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize(
    ("segment", "kind"),
    [
        pytest.param(s01_polars, pl.LazyFrame, id="polars"),
        pytest.param(s01_duckdb, duckdb.DuckDBPyRelation, id="duckdb"),
        pytest.param(s01_spark, pyspark.sql.DataFrame, id="spark", marks=pytest.mark.slow),
    ],
)
def test_segment_1_makes_the_same_tables_whatever_it_is_written_for(
    segment: ModuleType,
    kind: type,
    projects: dict[str, Project],
    request: pytest.FixtureRequest,
) -> None:
    assert {segment.flights.__annotations__["return"]} == {kind}
    if kind is pyspark.sql.DataFrame:
        request.getfixturevalue("spark")
    of_pandas = tables(s01_pandas, projects["pandas"])
    for name, table in tables(segment, projects["pandas"]).items():
        pd.testing.assert_frame_equal(table, of_pandas[name], check_exact=True)


def test_segment_1_alone_is_written_for_the_engine(projects: dict[str, Project]) -> None:
    segment = "src/flight_delays/segments/s01_ingest.py"
    differ = {segment, "pyproject.toml", "docs/adapting.md", "checkpointing.sha256"}
    java = {"memory_budget.toml", ".github/workflows/ci.yml"}  # where it runs, and in how much
    for name, library in LIBRARIES.items():
        assert projects[name].files() == projects["pandas"].files()
        same = projects[name].files() - differ - (java if name == "spark" else set())
        assert [path for path in sorted(same) if not is_same(projects, name, path)] == []
        assert re.search(f"^(import|from) {library}", projects[name].text(segment), re.MULTILINE)


def is_same(projects: dict[str, Project], name: str, path: str) -> bool:
    """Whether a file is the one that the project for pandas has too."""
    ours, others = (projects[engine].folder / path for engine in ("pandas", name))
    return ours.read_bytes() == others.read_bytes()


@pytest.mark.parametrize("name", ENGINES)
def test_a_project_depends_on_its_engine_and_has_others_as_extras(
    projects: dict[str, Project], name: str
) -> None:
    project = projects[name].toml("pyproject.toml")["project"]
    needed = {requirement.split(">")[0] for requirement in project["dependencies"]}
    assert needed & {"pandas", *LIBRARIES.values()} == {"pandas", LIBRARIES.get(name, name)}
    assert LIBRARIES.keys() - {"spark"} <= project["optional-dependencies"].keys()


@pytest.mark.parametrize("name", ["pandas", "polars", "duckdb"])
def test_a_project_that_did_not_choose_spark_requires_it_nowhere(
    projects: dict[str, Project], name: str
) -> None:
    """PyPI has no wheel of it: to lock such a project, uv would download and build 430 MB."""
    project = projects[name].toml("pyproject.toml")
    requirements = [
        *project["project"]["dependencies"],
        *chain.from_iterable(project["project"]["optional-dependencies"].values()),
        *chain.from_iterable(project["dependency-groups"].values()),
    ]
    assert "pandas>=3,<4" in requirements
    assert [text for text in requirements if "spark" in text] == []


@pytest.mark.parametrize("name", ["duckdb", *in_slow("polars"), *in_exhaustive("spark")])
def test_a_project_passes_the_tests_of_the_segment_that_is_written_for_its_engine(
    projects: dict[str, Project], name: str
) -> None:
    python(projects[name], "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_ingest.py")


@pytest.mark.slow
def test_the_tests_of_a_project_for_spark_say_in_a_line_that_there_is_no_java(
    projects: dict[str, Project], tmp_path: Path
) -> None:
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_ingest.py", "-k", "due")
    finished = tried(projects["spark"], *words, JAVA_HOME=str(tmp_path))
    lines = [line for line in finished.stdout.splitlines() if "Java" in line]
    assert finished.returncode == 1
    assert len([line for line in lines if line.startswith("Spark needs Java 17 or newer")]) == 1
    assert "Traceback" not in finished.stdout


@pytest.mark.exhaustive
@pytest.mark.parametrize("check", [("pytest", "-q"), ("ruff", "check"), ("mypy",)])
@pytest.mark.parametrize("name", LIBRARIES)
def test_a_project_for_an_engine_passes_all_its_checks(
    projects: dict[str, Project], name: str, check: tuple[str, ...]
) -> None:
    python(projects[name], "-m", *check)
    assert "found nothing" in python(projects[name], "-m", "flight_delays", "review")


@pytest.fixture
def decoys(tmp_path: Path) -> Path:
    """Modules in place of the engines' libraries that note each import before it fails."""
    for name in LIBRARIES.values():
        note = f"open({str(tmp_path / 'imported')!r}, 'a').write('{name}\\n')"
        (tmp_path / f"{name}.py").write_text(f"{note}\nraise ImportError('a decoy')\n")
    return tmp_path


def before_others(decoys: Path) -> str:
    """A search path on which modules of this folder hide others of their names."""
    return os.pathsep.join([str(decoys), "src"])


def test_a_project_that_chose_no_engine_imports_none_in_any_process(
    projects: dict[str, Project], decoys: Path
) -> None:
    project = projects["pandas"]
    run = ("run", "--fresh", "--only", "s01_ingest", *FIRST_DAY)
    for command in (run, ("status",)):
        python(project, "-m", "flight_delays", *command, PYTHONPATH=before_others(decoys))
    assert not (decoys / "imported").exists()


@pytest.mark.parametrize("name", ["polars", *in_slow("duckdb", "spark")])
def test_the_decoys_note_an_import_of_an_engine(
    projects: dict[str, Project], decoys: Path, name: str
) -> None:
    """Else the test above would pass whatever a project imports."""
    with pytest.raises(AssertionError):
        python(projects[name], "-m", "flight_delays", "status", PYTHONPATH=before_others(decoys))
    assert set((decoys / "imported").read_text().split()) == {LIBRARIES[name]}


def outputs(
    project: Project, *words: str, budget: str = "600MB", **variables: str
) -> dict[str, bytes]:
    """Run the project; returns what is in each published file."""
    words = ("-m", "flight_delays", "run", "--fresh", "--json", "--budget", budget, *words)
    published = json.loads(python(project, *words, **variables))["outputs"]
    return {name: (project.folder / path).read_bytes() for name, path in published.items()}


@pytest.mark.exhaustive
@pytest.mark.parametrize("period", PERIODS)
def test_the_outputs_are_the_same_bytes_whatever_the_engine(
    projects: dict[str, Project], period: tuple[str, ...]
) -> None:
    of_pandas = outputs(projects["pandas"], *period)
    assert of_pandas.keys() == {"delays", "by_cause", "headline", "picture", "report"}
    for name in ("polars", "duckdb"):
        assert outputs(projects[name], *period) == of_pandas
    # A JVM takes more than 1 GB before it computes anything.
    assert outputs(projects["spark"], *period, budget="2GB", SPARK_MASTER="local[2]") == of_pandas


@pytest.mark.exhaustive
def test_the_outputs_are_the_same_bytes_on_a_cluster_whose_checkpoints_one_machine_reuses(
    projects: dict[str, Project], bakery: Bakery, tmp_path: Path
) -> None:
    project = bakery.bake(engine="spark")
    of_pandas = outputs(projects["pandas"])
    with spark_cluster(tmp_path / "cluster", cores=(1, 1)) as cluster:
        place = f'[spark]\nmaster_ui = "{cluster.page}"\nexecutors = 2\ncores = 1\n'
        settings = project.text("memory_budget.toml").replace("[spark]\n", place)
        (project.folder / "memory_budget.toml").write_text(settings, encoding="utf-8")
        assert outputs(project, budget="4GB", SPARK_MASTER=cluster.url) == of_pandas
        assert cluster.applications() == []
    again = python(project, "-m", "flight_delays", "run", "--json", "--budget", "2GB")
    assert {segment["status"] for segment in json.loads(again)["segments"]} == {"reused"}
