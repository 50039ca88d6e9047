"""A generated project does at once what its README says, installed as its users install it."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from dev import scripts, uv

from .conftest import ROOT, TEMPLATE, Bakery, Project, unmeasured
from .marks import in_exhaustive, in_slow

RUNTIME = "src/{{cookiecutter.__package_name}}"


def run(*command: str | Path, project: Project) -> subprocess.CompletedProcess[str]:
    """Run a command in the project, in an environment that names no other one."""
    unset = {"VIRTUAL_ENV", "PYTHONPATH", "MEMORY_BUDGET"}
    environment = {key: value for key, value in os.environ.items() if key not in unset}
    return subprocess.run(
        [str(word) for word in command],
        cwd=project.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def must(*command: str | Path, project: Project) -> str:
    """Run a command that has to succeed; returns what it prints on stdout."""
    finished = run(*command, project=project)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def with_uv(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that nothing was done to but `uv sync`."""
    project = Bakery(tmp_path_factory.mktemp("uv")).bake(project_name="Night Batch")
    must(uv(), "sync", "--quiet", project=project)
    return project


@pytest.fixture(scope="module")
def with_pip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Path]:
    """A project installed by pip, and where its programs are."""
    project = Bakery(tmp_path_factory.mktemp("pip")).bake(project_name="Day Batch")
    venv.create(project.folder / ".venv", with_pip=True)
    programs = scripts(project.folder / ".venv")
    must(programs / "python", "-m", "pip", "install", "--quiet", "pip>=25.1", project=project)
    install = ("-m", "pip", "install", "--quiet", "--editable", ".", "--group", "dev")
    must(programs / "python", *install, project=project)
    return project, programs


@pytest.mark.slow
def test_uv_locks_a_new_project_with_all_its_extras_and_builds_no_package(
    with_uv: Project,
) -> None:
    must(uv(), "lock", "--quiet", "--upgrade", "--no-build", project=with_uv)
    names = {package["name"] for package in with_uv.toml("uv.lock")["package"]}
    assert {"pandas", "polars", "duckdb", "obstore", "skops"} <= names
    assert "pyspark" not in names


@pytest.mark.slow
def test_a_run_reports_every_segment_and_a_second_one_reuses_them_all(with_uv: Project) -> None:
    for status in ("ran", "reused"):
        told = json.loads(must(uv(), "run", "night-batch", "run", "--json", project=with_uv))
        assert [segment["status"] for segment in told["segments"]] == [status] * 5
        assert {(with_uv.folder / path).is_file() for path in told["outputs"].values()} == {True}
    assert "reused" in must(uv(), "run", "night-batch", "status", project=with_uv)
    page = must(uv(), "run", "night-batch", "report", project=with_uv).strip()
    assert "Nothing had to run" in (with_uv.folder / page).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "command",
    [
        *in_slow(["pytest"], ["mypy"]),
        *in_exhaustive(["ruff", "format", "--check"], ["ruff", "check"]),  # `lint` does it as well
    ],
)
def test_the_project_passes_its_own_checks(with_uv: Project, command: list[str]) -> None:
    must(uv(), "run", *command, project=with_uv)


@pytest.mark.slow
def test_the_module_is_the_command(with_uv: Project) -> None:
    as_module = must(uv(), "run", "python", "-m", "night_batch", "status", project=with_uv)
    assert as_module == must(uv(), "run", "night-batch", "status", project=with_uv)


@pytest.mark.slow
def test_a_wheel_holds_each_file_of_the_package(with_uv: Project, tmp_path: Path) -> None:
    must(uv(), "build", "--quiet", "--wheel", "--out-dir", tmp_path, project=with_uv)
    [wheel] = tmp_path.glob("*.whl")
    source = with_uv.folder / "src"
    files = (path for path in source.rglob("*") if path.is_file() and path.suffix != ".pyc")

    with zipfile.ZipFile(wheel) as archive:
        assert {path.relative_to(source).as_posix() for path in files} <= {*archive.namelist()}


@pytest.mark.slow
def test_the_names_of_all_its_packages_are_refused_as_project_names(with_uv: Project) -> None:
    listed = json.loads(must(uv(), "pip", "list", "--format", "json", project=with_uv))
    refused = runpy.run_path(str(ROOT / "hooks" / "pre_gen_project.py"), run_name="")["name_rule"]
    slugs = {package["name"].replace("_", "-").lower() for package in listed} - {"night-batch"}
    assert [slug for slug in slugs if not refused(slug, slug.replace("-", "_"))] == []


@pytest.mark.exhaustive
def test_pip_does_what_uv_does(with_pip: tuple[Project, Path]) -> None:
    project, programs = with_pip
    must(programs / "day-batch", "run", project=project)
    must(programs / "pytest", project=project)


@pytest.mark.slow
def test_the_projects_tests_run_no_step_of_the_team(bakery: Bakery) -> None:
    project = bakery.bake()
    sink = """

@step
def warehouse(flights: pd.DataFrame) -> None:
    import pathlib
    pathlib.Path("/tmp/warehouse").touch()
""".replace("/tmp", str(bakery.folder))
    with (project.package / "segments" / "s01_ingest.py").open("a", encoding="utf-8") as module:
        module.write(sink)
    shutil.rmtree(project.folder / "data")
    tests = ("-m", "pytest", "-p", "no:cacheprovider", "tests/test_pattern.py")
    done = subprocess.run(
        [sys.executable, *tests],
        cwd=project.folder,
        env=unmeasured() | {"PYTHONPATH": str(project.folder / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (bakery.folder / "warehouse").exists()
    assert not (project.folder / "checkpoints").exists()


@pytest.mark.slow
def test_types_are_checked_whatever_is_left_of_the_sample(bakery: Bakery) -> None:
    project = bakery.bake()
    shutil.rmtree(project.folder / "scripts")
    for test in project.folder.glob("tests/test_*.py"):
        test.unlink()
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", os.devnull],
        cwd=project.folder,
        env=unmeasured() | {"PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_entry_point_imports_nothing_heavy(default_project: Project) -> None:
    """Workers import it again, and `--help` has to answer at once."""
    heavy = "{'pandas', 'pyarrow', 'numpy', 'typer', 'rich', 'pydantic'}"
    code = f"import sys, flight_delays.cli; print({heavy} & set(sys.modules))"
    environment = os.environ | {"PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1"}
    printed = subprocess.run(
        [sys.executable, "-c", code],
        cwd=default_project.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout.strip() == "set()"


def test_what_is_imported_is_declared_and_what_is_declared_is_imported(bakery: Bakery) -> None:
    """Of a project with all that the questions offer; the engines are extras."""
    metadata = bakery.bake(training="skypilot").toml("pyproject.toml")["project"]
    extras = metadata["optional-dependencies"]
    wanted = ("report", "models", "polars", "duckdb", "shared")
    specs = [*metadata["dependencies"], *(spec for extra in wanted for spec in extras[extra])]
    declared = {re.split(r"[\[>]", spec)[0].replace("-", "_") for spec in specs}
    declared = declared - {"scikit_learn"} | {"sklearn"}
    declared |= {"pyspark"}  # no extra: see pyproject.toml
    declared |= {"py4j", "pydantic_core"}  # which pyspark and pydantic bring
    imported = set()
    for path in (TEMPLATE / RUNTIME).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                imported.add(node.module.split(".")[0])
    assert imported - set(sys.stdlib_module_names) == declared


def test_the_default_environment_has_what_the_report_s_page_needs(
    default_project: Project,
) -> None:
    content = default_project.toml("pyproject.toml")
    extra = content["project"]["optional-dependencies"]["report"]
    assert set(extra) <= set(content["dependency-groups"]["dev"])


def test_git_takes_every_file_of_a_new_project(bakery: Bakery) -> None:
    project = bakery.bake(training="local")
    subprocess.run(["git", "init", "--quiet", project.folder], check=True)
    ignored = subprocess.run(
        ["git", "status", "--porcelain", "--ignored", "--untracked-files=all"],
        cwd=project.folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert [line for line in ignored.splitlines() if line.startswith("!!")] == []


def test_the_readme_of_the_project_names_real_files(default_project: Project) -> None:
    readme = default_project.text("README.md")
    for path in ("pipeline.toml", "memory_budget.toml", "src/flight_delays/pipeline.py"):
        assert path in readme
        assert default_project.has_file(path)


def test_a_formatter_keeps_the_imports_that_a_step_s_annotations_need(bakery: Bakery) -> None:
    project = bakery.bake(project_name="Night Batch")
    rules = tomllib.loads(project.text("pyproject.toml"))["tool"]["ruff"]["lint"]
    assert "TC" in rules["select"]
    step = project.package / "segments" / "s06_more.py"
    step.write_text(
        "from __future__ import annotations\n\nimport pandas as pd\n\n"
        "from ..checkpointing import step\n\n\n"
        "@step\ndef late(delays: pd.DataFrame) -> pd.DataFrame:\n    return delays\n"
    )
    must(sys.executable, "-m", "ruff", "check", "--no-cache", step, project=project)
    step.write_text(step.read_text().replace("@step\n", ""))
    finished = run(sys.executable, "-m", "ruff", "check", "--no-cache", step, project=project)
    assert "TC002" in finished.stdout
