"""The question `training`: the segment that trains a model, and nothing of it if it is off."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from itertools import product
from pathlib import Path

import pandas as pd
import pytest

from .conftest import Bakery, Project
from .marks import in_exhaustive, in_slow
from .running import python, tried
from .test_docs import dead_links
from .test_documentation import blocks, follow, prose, write

TRAINING = ("off", "local", "skypilot")
ENGINES = ("pandas", "polars", "duckdb", "spark")
LIBRARIES = ("sklearn", "skops", "threadpoolctl", "obstore")
FIRST_DAY = ("--set", "last_day=2013-01-01")
SEGMENT = "src/flight_delays/segments/s06_train.py"
PIPELINE = "src/flight_delays/pipeline.py"
TESTS = "tests/test_train.py"
PAGES = {"README.md", "docs/adapting.md", "docs/onboarding.md", "docs/training.md"}
LOAD_THE_MODEL = """
import skops.io
from flight_delays.pipeline import PIPELINE

path = PIPELINE.load("model")
model = skops.io.load(path, trusted=["numpy.dtype"])
print(path.name, *model.feature_names_in_[:3], *model.classes_)
"""


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Project]:
    """A project for each answer; tests change none of their files."""
    return {name: Bakery(tmp_path_factory.mktemp(name)).bake(training=name) for name in TRAINING}


def needs(project: Project) -> set[str]:
    """The packages that a project depends on."""
    dependencies = project.toml("pyproject.toml")["project"]["dependencies"]
    return {re.split(r"[\[>]", requirement)[0] for requirement in dependencies}


def test_without_training_nothing_of_it_is_there(projects: dict[str, Project]) -> None:
    off = projects["off"]
    wiring = off.toml("pipeline.toml")
    assert not {"run_on", "executors"} & wiring.keys()
    assert "train_share" not in wiring["params"]
    assert not needs(off) & {"scikit-learn", "skops", "threadpoolctl", "obstore"}
    assert "sklearn" not in off.text("pyproject.toml")
    # The page says when a segment has to run elsewhere, whatever was chosen.
    runtime = ("src/flight_delays/checkpointing/", "checkpointing.sha256", "docs/")
    texts = [path for path in off.files() if not path.startswith((*runtime, "data/"))]
    training = re.compile("s06_train|sklearn|test_train|pipeline_training|executors.trainer")
    assert [path for path in sorted(texts) if training.search(off.text(path))] == []
    assert off.has_file("docs/training.md")


@pytest.mark.parametrize("training", ["local", "skypilot"])
def test_training_adds_a_segment_and_changes_only_what_tells_of_it(
    projects: dict[str, Project], training: str
) -> None:
    off, project = projects["off"], projects[training]
    assert project.files() == off.files() | {SEGMENT, TESTS}
    differ = {PIPELINE, "pipeline.toml", "pyproject.toml", "checkpointing.sha256", *PAGES}
    same = off.files() - differ
    assert [path for path in sorted(same) if not is_same(off, project, path)] == []
    assert "s06_train" in project.text(PIPELINE)


def is_same(one: Project, other: Project, path: str) -> bool:
    return (one.folder / path).read_bytes() == (other.folder / path).read_bytes()


def test_training_here_has_a_process_and_a_memory_limit_of_its_own(
    projects: dict[str, Project],
) -> None:
    wiring = projects["local"].toml("pipeline.toml")
    assert wiring["run_on"] == {"s06_train": "trainer"}
    limits = {"memory": "2 GB", "time_limit": "30 min"}
    assert wiring["executors"] == {"trainer": {"kind": "local", **limits}}
    assert needs(projects["local"]) - needs(projects["off"]) == {
        "scikit-learn",
        "skops",
        "threadpoolctl",
    }


def test_training_elsewhere_waits_until_storage_is_filled_in_and_never_installs_skypilot(
    projects: dict[str, Project],
) -> None:
    project = projects["skypilot"]
    wiring = project.toml("pipeline.toml")
    assert wiring["run_on"] == {}
    limits = {"memory": "16+", "time_limit": "30 min"}
    assert wiring["executors"] == {"trainer": {"kind": "skypilot", "infra": "aws", **limits}}
    assert needs(project) - needs(projects["local"]) == {"obstore"}
    assert "skypilot" not in project.text("pyproject.toml")
    filled = project.text("pipeline.toml").replace('# s06_train = "', 's06_train = "')
    filled = filled.replace("# storage =", "storage =")
    (project.folder.parent / "filled.toml").write_text(filled, encoding="utf-8")
    wiring = Project(project.folder.parent).toml("filled.toml")
    assert wiring["run_on"] == {"s06_train": "trainer"}
    assert wiring["executors"]["trainer"]["storage"] == "s3://BUCKET/PATH"


SOME = [("local", "duckdb", "es", "gitlab"), ("skypilot", "spark", "es", "none")]
ALL = [*product(TRAINING, ENGINES, ("en", "es"), ("github", "none"))]


@pytest.mark.parametrize(
    ("training", "engine", "language", "ci"),
    [*SOME, *(pytest.param(*answers, marks=pytest.mark.exhaustive) for answers in ALL)],
)
def test_training_goes_with_every_other_answer(
    bakery: Bakery, training: str, engine: str, language: str, ci: str
) -> None:
    project = bakery.bake(training=training, engine=engine, language=language, ci=ci)
    assert "segments_" not in " ".join(project.files())
    assert (engine in needs(project)) == (engine in ("pandas", "polars", "duckdb"))
    assert project.has_file(SEGMENT) == (training != "off")


@pytest.mark.parametrize("training", ["local", *in_exhaustive("skypilot")])
def test_a_project_passes_the_tests_of_the_segment_that_trains(
    projects: dict[str, Project], training: str
) -> None:
    python(projects[training], "-m", "pytest", "-q", "-p", "no:cacheprovider", TESTS)


@pytest.mark.parametrize("check", in_exhaustive(("mypy",), ("pytest", "-q")))
def test_a_project_that_trains_passes_its_own_checks(
    projects: dict[str, Project], check: tuple[str, ...]
) -> None:
    python(projects["local"], "-m", *check)


def test_a_project_that_trains_is_formatted_and_has_nothing_to_review(
    projects: dict[str, Project],
) -> None:
    project = projects["local"]
    for words in (("ruff", "format", "--check"), ("ruff", "check")):
        python(project, "-m", *words, "--no-cache")
    assert "found nothing" in python(project, "-m", "flight_delays", "review")


@pytest.fixture
def decoys(tmp_path: Path) -> Path:
    """Modules in place of the libraries that note each import before it fails."""
    for name in LIBRARIES:
        note = f"open({str(tmp_path / 'imported')!r}, 'a').write('{name}\\n')"
        (tmp_path / f"{name}.py").write_text(f"{note}\nraise ImportError('a decoy')\n")
    return tmp_path


def before_others(decoys: Path) -> str:
    """A search path on which modules of this folder hide others of their names."""
    return os.pathsep.join([str(decoys), "src"])


@pytest.mark.parametrize("training", ["off", *in_slow("local")])
def test_no_process_imports_what_only_training_needs_before_it_trains(
    projects: dict[str, Project], decoys: Path, training: str
) -> None:
    run = ("run", "--fresh", "--only", "s01_ingest", *FIRST_DAY)
    for command in (run, ("status",)):
        words = ("-m", "flight_delays", *command)
        python(projects[training], *words, PYTHONPATH=before_others(decoys))
    assert not (decoys / "imported").exists()


@pytest.mark.exhaustive
def test_training_elsewhere_runs_here_until_it_is_sent_there_and_then_asks_for_storage(
    bakery: Bakery,
) -> None:
    project = bakery.bake(training="skypilot")
    words = ("-m", "flight_delays", "run", "--json", "--budget", "600MB", *FIRST_DAY)
    record = json.loads(python(project, *words))
    assert record["segments"][-1]["status"] == "ran"
    wiring = project.text("pipeline.toml").replace('# s06_train = "', 's06_train = "')
    (project.folder / "pipeline.toml").write_text(wiring, encoding="utf-8")
    refused = tried(project, *words)
    assert refused.returncode == 2
    assert "[executors.trainer] needs `storage`" in refused.stderr + refused.stdout


@pytest.mark.exhaustive
def test_a_run_trains_and_its_results_are_shown_reported_and_loaded(bakery: Bakery) -> None:
    project = bakery.bake(training="local")
    words = ("run", "--json", "--budget", "600MB", *FIRST_DAY)
    record = json.loads(python(project, "-m", "flight_delays", *words))
    assert record["segments"][-1]["name"] == "s06_train"
    assert record["segments"][-1]["status"] == "ran"
    beside = {path.name for path in project.folder.glob("executors/*")}
    assert beside <= {".gitignore", "identity"}, "nothing is left of the place"
    assert not [*project.folder.parent.glob(".*")]
    table = pd.read_csv(project.folder / record["outputs"]["metrics"])
    assert table[["part", "predictor"]].to_numpy().tolist() == [
        ["train", "model"],
        ["train", "baseline"],
        ["test", "model"],
        ["test", "baseline"],
    ]
    assert table["auc"][0] > 0.7
    shown = python(project, "-m", "flight_delays", "show", "metrics")
    assert "metrics: DataFrame, 4 × 7" in shown
    assert "baseline" in shown
    assert "model.skops" in python(project, "-m", "flight_delays", "show", "model")
    assert "**Output** `metrics`" in python(project, "-m", "flight_delays", "report", "--markdown")
    loaded = python(project, "-c", LOAD_THE_MODEL)
    assert loaded.split() == ["model.skops", "due", "hour", "plane_age", "False", "True"]


@pytest.mark.parametrize("engine", in_exhaustive("polars", "duckdb", "spark"))
def test_the_model_and_its_metrics_are_the_same_bytes_whatever_the_engine(
    bakery: Bakery, engine: str
) -> None:
    results = []
    for name in ("pandas", engine):
        project = bakery.bake(training="local", engine=name, project_name=f"Of {name}")
        words = ("-m", project.package.name, "run", "--json", "--budget", "2GB", *FIRST_DAY)
        outputs = json.loads(python(project, *words, SPARK_MASTER="local[2]"))["outputs"]
        results.append(
            [(project.folder / outputs[out]).read_bytes() for out in ("model", "metrics")]
        )
    assert results[0] == results[1]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Project]:
    """A project that trains, in each language."""
    folders = {language: tmp_path_factory.mktemp(language) for language in ("en", "es")}
    return {
        language: Bakery(folder).bake(training="local", language=language)
        for language, folder in folders.items()
    }


def test_the_pages_about_training_hold_the_same_code_in_both_languages(
    pages: dict[str, Project],
) -> None:
    for page in sorted(PAGES):
        english, spanish = (pages[language].text(page) for language in ("en", "es"))
        assert blocks(english) == blocks(spanish), page
        there, here = (Counter(re.findall(r"`[^`\n]+`", prose(t))) for t in (english, spanish))
        assert there == here, f"{page}: {there - here} {here - there}"


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_pages_about_training_are_filled_in_and_lead_somewhere(
    pages: dict[str, Project], language: str
) -> None:
    project = pages[language]
    texts = {project.folder / path: project.text(path) for path in sorted(PAGES)}
    left = [path for path, text in texts.items() if re.search(r"\{\{|^#%|cookiecutter", text, re.M)]
    assert left == []
    assert dead_links(project.folder, [*texts]) == []
    title = {"en": "## Train a model", "es": "## Entrena un modelo"}[language]
    assert title in texts[project.folder / "README.md"]
    table_without_a_line_before = re.compile(r"^[^|\n].*\n\| .*\n\| ---", re.M)
    assert [p for p, text in texts.items() if table_without_a_line_before.search(text)] == []


def test_the_readme_s_picture_has_the_segment_that_trains(pages: dict[str, Project]) -> None:
    readme = pages["en"].text("README.md")
    assert 's05 -- "delays" --> s06[s06_train]' in readme


def test_what_the_readme_says_to_add_follows_the_segment_that_trains(bakery: Bakery) -> None:
    project = bakery.bake(training="local")
    for page in ("README.md", "docs/onboarding.md"):
        changed = bakery.bake(training="local")
        for block in blocks(project.text(page)):
            if block.path:
                write(block, changed)
        for words in (("ruff", "format", "--check"), ("ruff", "check")):
            python(changed, "-m", *words, "--no-cache")
        for path in changed.folder.rglob("s07_*"):
            path.unlink()


@pytest.mark.exhaustive
@pytest.mark.parametrize("page", ["README.md", "docs/onboarding.md"])
def test_what_a_page_of_a_project_that_trains_says_can_be_followed(
    bakery: Bakery, page: str
) -> None:
    project = bakery.bake(training="local")
    follow(page, project)


def test_the_deep_model_of_the_page_is_a_segment_that_can_be_read_and_reviewed(
    bakery: Bakery,
) -> None:
    project = bakery.bake(training="local")
    [deep] = [b for b in blocks(project.text("docs/training.md")) if "torch" in b.text]
    segment = project.package / "segments" / "s07_deep.py"
    segment.write_text(deep.text, encoding="utf-8")
    for words in (("ruff", "format", "--check"), ("ruff", "check")):
        python(project, "-m", *words, "--no-cache", str(segment))


def test_the_types_that_the_page_trusts_are_those_of_the_segment(
    pages: dict[str, Project],
) -> None:
    trusted = re.search(r"^TRUSTED = (.*)$", pages["en"].text(SEGMENT), re.M)
    assert trusted
    assert f"trusted={trusted[1]})" in pages["en"].text("docs/training.md")
