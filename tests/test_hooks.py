"""What the hooks check, say and clear away."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from flight_delays.checkpointing import __version__

from .checkouts import commit, git
from .conftest import ROOT, TEMPLATE, Bakery, Project, Refuse

HOOKS = sorted((ROOT / "hooks").glob("*.py"))
QUESTIONS = [
    key
    for key in json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    if not key.startswith("_")
]
WRONG = {
    "project_name": "pandas",
    "description": "two\nlines",
    "author": "",
    "license": "GPL",
    "cluster_ram_gb": "-5",
    "quota_percent": "101",
    "max_steps": "0",
    "ci": "jenkins",
    "language": "fr",
    "engine": "dask",
    "training": "gpu",
}
pre_gen = runpy.run_path(str(ROOT / "hooks" / "pre_gen_project.py"), run_name="pre_gen")


def corrected_command(told: str) -> list[str]:
    """The words of the command that a refusal offers."""
    return shlex.split(told.split("Corrected:")[1].strip().splitlines()[0])


def test_all_wrong_answers_are_reported_at_once(refusal: Refuse) -> None:
    told = refusal(**WRONG)
    assert WRONG.keys() == set(QUESTIONS)
    for key, value in WRONG.items():
        assert re.search(rf"^  {key} must .*it was {re.escape(ascii(value))}$", told, re.MULTILINE)


def test_the_corrected_command_works_as_it_stands(bakery: Bakery, refusal: Refuse) -> None:
    told = refusal(**WRONG | {"author": "O'Brien $(id) `id`"})
    program, *words = corrected_command(told)
    finished = bakery.command(*words)
    assert (program, finished.returncode) == ("cookiecutter", 0), finished.stderr
    assert "O'Brien $(id) `id`" in (bakery.output / "flight-delays/LICENSE").read_text()


@pytest.mark.parametrize("key", ["cluster_ram_gb", "quota_percent", "max_steps"])
@pytest.mark.parametrize(
    "value",
    [
        "0",
        "0.0",
        "-1",
        "nan",
        "inf",
        "1e3",
        "0x10",
        "5,000",
        "5 GB",
        "\u0665",
        "1_000",
        "ten",
        ".",
        " 7",
    ],
)
def test_what_is_no_plain_number_above_zero_is_refused(
    refusal: Refuse, key: str, value: str
) -> None:
    assert f"{key} must be" in refusal(**{key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("quota_percent", "100.5"),
        ("quota_percent", "100.000001"),
        ("max_steps", "2.5"),
        ("max_steps", "4"),
        ("max_steps", "10000"),
        ("cluster_ram_gb", "9" * 400),
        ("license", "mit"),
        ("ci", "GitHub"),
        ("ci", "github|gitlab"),
        ("language", "ES"),
        ("engine", "Polars"),
        ("engine", "polars|duckdb"),
        ("training", "Local"),
        ("training", "local|off"),
        ("training", "yes"),
    ],
)
def test_what_is_out_of_bounds_is_refused(refusal: Refuse, key: str, value: str) -> None:
    assert f"{key} must be" in refusal(**{key: value})


@pytest.mark.parametrize(("ram", "quota"), [("0.4", "100"), ("10", "4.99"), ("5000", "0.009")])
def test_a_budget_too_small_to_start_python_in_is_refused(
    refusal: Refuse, ram: str, quota: str
) -> None:
    assert "0.5 GB that Python needs" in refusal(cluster_ram_gb=ram, quota_percent=quota)


def test_a_budget_that_python_starts_in_may_be_too_small_for_spark(refusal: Refuse) -> None:
    told = refusal(cluster_ram_gb="1.9", quota_percent="100", engine="spark")
    assert "2 GB that Spark needs" in told


@pytest.mark.parametrize(
    "answers", [{"max_steps": 12}, {"cluster_ram_gb": 64, "quota_percent": 2.5}]
)
def test_numbers_may_come_as_numbers(bakery: Bakery, answers: dict[str, Any]) -> None:
    assert bakery.bake(answers).toml("memory_budget.toml")


def test_fewer_steps_than_the_sample_has_are_refused_and_no_more() -> None:
    """The bound in the hook is the number of steps of the sample's largest segment."""
    segments = TEMPLATE.glob("src/*/segments/s*.py")
    largest = max(len(re.findall("^@step$", s.read_text(), re.MULTILINE)) for s in segments)
    form = pre_gen["RULES"]["max_steps"][0]
    assert re.fullmatch(form, str(largest))
    assert not re.fullmatch(form, str(largest - 1))


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("cluster_ram=100", "nearest: cluster_ram_gb"),
        ("licence=MIT", "nearest: license"),
        ("zzz=1", "nearest: project_name, description"),
    ],
)
def test_a_mistyped_question_on_the_command_line_is_refused(
    bakery: Bakery, word: str, hint: str
) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("the hook sees the command line on Linux only")
    finished = bakery.command(str(ROOT), word)
    assert finished.returncode != 0
    assert f"{word.split('=')[0]} is not a question; {hint}" in finished.stderr
    assert list(bakery.output.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ["python", "-m", "cookiecutter", "t=1", "--config-file", "a=b", "ci=none"],
        ["python", "/bin/cookiecutter", "-o", "out=1", "t=1", "--no-input", "ci=none"],
        ["python", "/bin/cruft", "create", "zzz=1"],
        ["python", "script.py", "zzz=1"],
        [],
    ],
)
def test_what_only_looks_like_a_mistyped_question_passes(words: list[str]) -> None:
    answers = {"_template": "t=1", "ci": "none"}
    assert pre_gen["unknown_keys"](words, answers) == []


def test_the_next_steps_are_printed(bakery: Bakery) -> None:
    finished = bakery.command(str(ROOT), "project_name=Night Batch")
    assert f"cd {bakery.output.resolve() / 'night-batch'}" in finished.stdout
    assert "uv run night-batch run" in finished.stdout


def test_pruning_ci_leaves_what_a_team_put_beside_it(bakery: Bakery) -> None:
    project = bakery.bake(ci="github")
    (project.folder / ".github" / "CODEOWNERS").write_text("* @team\n")
    bakery.bake(ci="gitlab")
    assert project.has_file(".github/CODEOWNERS")
    assert not project.has_file(".github/workflows/ci.yml")


def test_segments_of_an_engine_replace_those_of_pandas_and_folders_of_a_team_stay(
    bakery: Bakery,
) -> None:
    project = bakery.bake()
    (project.package / "segments_old").mkdir()
    (project.package / "segments_old" / "s01_mine.py").write_text("# ours\n")
    bakery.bake(engine="polars")
    folders = {path.name for path in project.package.glob("segments*")}
    assert folders == {"segments", "segments_old"}
    assert "import polars" in (project.package / "segments" / "s01_ingest.py").read_text()


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.stem)
def test_a_hook_is_short(hook: Path) -> None:
    assert len(hook.read_text(encoding="utf-8").splitlines()) < 100


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.stem)
def test_a_hook_needs_the_standard_library_alone_and_no_network(hook: Path) -> None:
    tree = ast.walk(ast.parse(hook.read_text(encoding="utf-8")))
    names = {
        name
        for node in tree
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [str(node.module)]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert names <= set(sys.stdlib_module_names)
    assert not names & {
        "asyncio",
        "ftplib",
        "http",
        "smtplib",
        "socket",
        "ssl",
        "urllib",
    }


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.stem)
def test_the_only_program_that_a_hook_starts_is_git_with_a_command_that_only_looks(
    hook: Path,
) -> None:
    source = hook.read_text(encoding="utf-8")
    started = re.findall(r"subprocess\.run\((\w+)", source)
    assert len(re.findall(r"\bsubprocess\.", source)) == len(started) == source.count("import subp")
    if started:
        assert started == ["command"]
        assert 'command = ["git", "--no-optional-locks", ' in source
        assert 'words = ("describe", ' in source


def recorded(project: Project) -> dict[str, str]:
    """What the head of a project's record says."""
    text = project.text("checkpointing.sha256")
    return dict(re.findall(r"^# (\w+): (.+)$", text, re.MULTILINE))


def copied(folder: Path) -> Path:
    """A copy of the template that is no repository."""
    for name in ("hooks", "templates", TEMPLATE.name):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "cookiecutter.json", folder)
    return folder


def test_the_record_says_the_template_its_version_and_that_no_commit_is_known(
    bakery: Bakery, tmp_path: Path
) -> None:
    assert bakery.command(str(copied(tmp_path / "template"))).returncode == 0
    assert recorded(Project(bakery.output / "flight-delays")) == {
        "template": "cookiecutter-checkpoint-pipeline",
        "version": __version__,
        "commit": "unknown",
    }


def test_the_record_says_the_commit_and_whether_files_were_changed_since(
    bakery: Bakery, tmp_path: Path
) -> None:
    template = copied(tmp_path / "template")
    git(template, "init", "--quiet")
    commit(template)
    head = git(template, "rev-parse", "HEAD")
    project = Project(bakery.output / "flight-delays")
    assert bakery.command(str(template)).returncode == 0
    assert recorded(project)["commit"] == head
    options = ["--no-input", "-f", "-o", str(bakery.output)]
    options += ["--config-file", str(bakery.config)]
    (template / "cookiecutter.json").open("a").write("\n")
    subprocess.run(  # from the template's folder, as a person types it
        [sys.executable, "-m", "cookiecutter", ".", *options],
        cwd=template,
        env=os.environ | {"PWD": str(template), "TMPDIR": str(tmp_path)},
        check=True,
    )
    assert recorded(project)["commit"] == f"{head}-dirty"


def test_the_version_is_the_same_wherever_it_stands() -> None:
    questions = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert questions["_version"] == metadata["project"]["version"] == __version__
