"""A project's own tools leave the runtime alone, hosts fold it, its page says whose it is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from flight_delays.checkpointing.base.seal import OWNED, parts, with_parts

from .checkouts import git, repository
from .ci_jobs import FILES
from .conftest import ROOT, TEMPLATE, Bakery, Project, unmeasured

UNTIDY = 'import json\nx:int = "one"\n'  # unused, badly spaced, and no int
MODULE = "src/flight_delays/checkpointing/base/units.py"
RUNTIME = TEMPLATE / "src" / "{{cookiecutter.__package_name}}" / "checkpointing"
CODE = ("src", "tests", "scripts")
OURS = ("--config", str(ROOT / "ruff-runtime.toml"), MODULE)


def attempt(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of this environment in a project, which alone configures it."""
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=project.folder,
        env=unmeasured(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def untidy(bakery: Bakery) -> Project:
    """A project with lines in its runtime that each tool would report."""
    project = bakery.bake()
    module = project.folder / MODULE
    module.write_text(module.read_text(encoding="utf-8") + UNTIDY, encoding="utf-8")
    return project


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tool", "own", "template_s", "said"),
    [
        (("ruff", "check", "--no-cache"), CODE, OURS, "F401"),
        (("ruff", "format", "--no-cache", "--check"), CODE, OURS, "Would reformat|would be ref"),
        (("mypy", "--cache-dir", os.devnull), (), (MODULE,), "Incompatible types in assignment"),
    ],
    ids=["ruff check", "ruff format", "mypy"],
)
def test_what_a_tool_says_of_the_runtime_it_says_to_the_template_alone(
    untidy: Project,
    tool: tuple[str, ...],
    own: tuple[str, ...],
    template_s: tuple[str, ...],
    said: str,
) -> None:
    finished = attempt(untidy, *tool, *own)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    told = attempt(untidy, *tool, *template_s)
    assert told.returncode == 1
    assert re.search(said, told.stdout)
    assert "units.py" in told.stdout


@pytest.mark.slow
def test_types_of_the_runtime_serve_the_steps_all_the_same(bakery: Bakery) -> None:
    project = bakery.bake()
    step = project.package / "segments" / "s05_more.py"
    step.write_text("from ..checkpointing import Columns\n\nOF_NUMBERS: int = Columns('a')\n")
    told = attempt(project, "mypy", "--cache-dir", os.devnull)
    assert [line for line in told.stdout.splitlines() if ": error: " in line] == [
        "src/flight_delays/segments/s05_more.py:3: error: Incompatible types in assignment "
        '(expression has type "Columns", variable has type "int")  [assignment]'
    ]


def test_a_file_that_is_named_is_left_alone_too_as_a_hook_names_it(untidy: Project) -> None:
    before = untidy.text(MODULE)
    for words in (("check", "--fix"), ("format",)):
        finished = attempt(untidy, "ruff", *words, "--no-cache", "--force-exclude", MODULE)
        assert finished.returncode == 0, finished.stdout
    assert untidy.text(MODULE) == before


def test_no_hook_gets_a_file_of_the_runtime_and_the_review_runs_always(
    default_project: Project,
) -> None:
    config = yaml.safe_load(default_project.text(".pre-commit-config.yaml"))
    left_out = [path for path in default_project.files() if re.search(config["exclude"], path)]
    runtime = {path for path in default_project.files() if "/checkpointing/" in path}
    data = {path for path in left_out if path.startswith("data/")}
    assert set(left_out) == runtime | data
    [local] = config["repos"]
    assert [hook["id"] for hook in local["hooks"] if hook.get("always_run")] == ["review"]


def test_coverage_of_the_project_is_of_its_own_code(bakery: Bakery) -> None:
    project = bakery.bake()
    environment = {"PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1"}
    run = ("run", "--source=src", "-m", "flight_delays", "--help")
    for words in (run, ("report",)):
        told = subprocess.run(
            [sys.executable, "-m", "coverage", *words],
            cwd=project.folder,
            env=unmeasured() | environment,
            capture_output=True,
            text=True,
            check=True,
        )
    measured = re.findall(r"^(src/\S+\.py)", told.stdout, re.MULTILINE)
    assert "src/flight_delays/cli.py" in measured
    assert [path for path in measured if "checkpointing" in path] == []


def test_hosts_fold_the_runtime_in_a_change_of_a_project_but_not_in_one_of_the_template(
    bakery: Bakery,
) -> None:
    folder = repository(bakery.bake()).folder
    paths = (MODULE, "checkpointing.sha256", "src/flight_delays/pipeline.py")
    for attribute in ("linguist-generated", "gitlab-generated"):
        told = git(folder, "check-attr", attribute, "--", *paths)
        assert re.findall(r": (\w+)$", told, re.MULTILINE) == ["set", "set", "unspecified"]
        told = git(ROOT, "check-attr", attribute, "--", str(RUNTIME / "base" / "units.py"))
        assert told.endswith(": unspecified")


def test_the_runtime_s_page_says_whose_it_is_and_names_what_is_there() -> None:
    page = (RUNTIME / "README.md").read_text(encoding="utf-8")
    assert "This folder is the template's" in page
    assert (RUNTIME / "run" / "run.py").is_file()
    assert (ROOT / "docs" / "runtime.md").is_file()
    for named in ("run/run.py", "docs/runtime.md", "adapters.py", "`update`", "patches/"):
        assert named in page


@pytest.mark.parametrize("ci", ["github", "gitlab", "none"])
@pytest.mark.parametrize("language", ["en", "es"])
def test_each_file_of_the_template_has_parts_that_a_team_may_write_in(
    bakery: Bakery, ci: str, language: str
) -> None:
    project = bakery.bake(ci=ci, language=language)
    expected = set(OWNED) - {path for host, path in FILES.items() if host != ci}
    assert {path for path in OWNED if project.has_file(path)} == expected
    for path in expected:
        file = project.folder / path
        content = file.read_bytes()
        own = {
            begin: text + b"    # a remark of the team\n" for begin, text in parts(content).items()
        }
        assert own
        file.write_bytes(with_parts(content, own))
        assert file.read_bytes() != content
        if path.endswith((".yml", ".yaml")):
            assert yaml.safe_load(file.read_bytes()) == yaml.safe_load(content)
    assert reviewed(project) == "The review found nothing.\n"


@pytest.mark.parametrize(
    ("ci", "step"), [("github", b"      - run: make more\n"), ("gitlab", b"    - make more\n")]
)
def test_a_step_of_the_team_s_own_is_a_step_of_ci(bakery: Bakery, ci: str, step: bytes) -> None:
    project = bakery.bake(ci=ci)
    file = project.folder / FILES[ci]
    begins = [begin for begin in parts(file.read_bytes()) if " of check;" in begin]
    assert len(begins) == 1
    file.write_bytes(with_parts(file.read_bytes(), {begins[0]: step}))
    check = yaml.safe_load(file.read_text())
    job = check["jobs"]["check"]["steps"] if ci == "github" else check["check"]["script"]
    assert job[-1] in ({"run": "make more"}, "make more")
    assert reviewed(project) == "The review found nothing.\n"


def reviewed(project: Project) -> str:
    """What the project's own review prints."""
    told = subprocess.run(
        [sys.executable, "-m", project.package.name, "review"],
        cwd=project.folder,
        env=os.environ | {"PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout + told.stderr


def test_lint_of_the_template_names_the_runtime() -> None:
    """`dev.py lint` runs mypy with the first, and ruff with the second."""
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert '"build/dev/flight-delays/src/flight_delays/checkpointing"' in settings
    lint = (ROOT / "dev.py").read_text(encoding="utf-8")
    assert 'ROOT / "ruff-runtime.toml", f"src/{BAKED_PACKAGE}/checkpointing"' in lint
    assert Path(ROOT / "ruff-runtime.toml").is_file()
