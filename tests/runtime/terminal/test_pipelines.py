"""Each command serves one of several pipelines; `status` shows all."""

from __future__ import annotations

import json

import pytest

from ..conftest import Project, run_once

SEGMENT = """
@step
def {name}(number: int) -> int:
    ran("{name}")
    return number
"""
PIPELINES = """
from .checkpointing import Pipeline
from .segments import s01, s02

PIPELINE = Pipeline(s01, name="daily")
WEEKLY = Pipeline(s02, name="weekly")
"""


def add_second(project: Project, pipelines: str = PIPELINES) -> Project:
    project.write("src/demo/pipeline.py", pipelines)
    return project


@pytest.fixture(scope="module")
def original(shared_project: Project) -> Project:
    """Two pipelines; both were run once."""
    project = run_once(
        shared_project,
        {name: SEGMENT.format(name=value) for name, value in (("s01", "a"), ("s02", "b"))},
        "[params]\nnumber = 7",
    )
    add_second(project)
    assert project.run()["exit_code"] == 0
    assert project.run("--pipeline", "weekly")["exit_code"] == 0
    project.executed()
    return project


@pytest.mark.slow
def test_each_command_serves_the_named_pipeline(done: Project) -> None:
    assert list(done.statuses("--pipeline", "weekly")) == ["s02"]
    assert list(done.statuses()) == ["s01"]
    assert done.command("show", "b", "--pipeline", "weekly").stdout == "b: int\n7\n"
    assert "`b`" in done.command("show", "b").stderr
    plan = json.loads(done.command("plan", "--json", "--pipeline", "weekly").stdout)
    assert [segment["name"] for segment in plan["segments"]] == ["s02"]
    report = done.command("report", "--markdown", "--pipeline", "weekly").stdout
    assert report.startswith("### `weekly`")
    assert done.command("report", "--markdown").stdout.startswith("### `daily`")
    compared = done.command("compare", "--pipeline", "weekly")
    assert compared.stdout.count("weekly") >= 1
    assert done.command("clean", "--pipeline", "weekly").returncode == 0
    assert done.command("show", "b", "--pipeline", "weekly").returncode == 5
    assert done.command("show", "a").stdout == "a: int\n7\n"


def test_status_shows_all_or_the_named_one(done: Project) -> None:
    def shown(*options: str) -> dict[str, list[bool]]:
        content = json.loads(done.command("status", "--json", *options).stdout)
        assert content["segments"] == content["pipelines"][0]["segments"]
        return {
            pipeline["name"]: [segment["reusable"] for segment in pipeline["segments"]]
            for pipeline in content["pipelines"]
        }

    assert shown() == {"daily": [True], "weekly": [True]}
    assert shown("--pipeline", "weekly") == {"weekly": [True]}
    assert shown("--set", "number=8") == {"daily": [False], "weekly": [False]}
    table = done.command("status").stdout
    assert table.index("daily") < table.index("s01") < table.index("weekly") < table.index("s02")


def test_a_name_that_no_pipeline_has_is_refused_with_the_names_there_are(done: Project) -> None:
    ended = done.command("run", "--pipeline", "weekli")

    assert ended.returncode == 2
    assert "no pipeline is named `weekli`; did you mean `weekly`?" in ended.stderr
    assert "demo.pipeline has daily, weekly" in ended.stderr


@pytest.mark.parametrize("command", ["run", "status"])
def test_a_module_without_a_pipeline_is_refused(done: Project, command: str) -> None:
    add_second(done, "")
    ended = done.command(command)

    assert ended.returncode == 2
    assert "demo.pipeline has no Pipeline" in ended.stderr


def test_two_pipelines_of_one_name_are_refused(done: Project) -> None:
    add_second(done, PIPELINES.replace('"weekly"', '"daily"'))

    for options in ([], ["--pipeline", "daily"]):
        ended = done.command("run", *options)
        assert ended.returncode == 2
        assert "two pipelines of demo.pipeline are named `daily`" in ended.stderr


def test_a_broken_pipeline_is_named_whichever_is_run(done: Project) -> None:
    done.write(
        "src/demo/segments/s02.py",
        "from ..checkpointing import step\n\n\n@step\ndef b(unknown: int) -> int:\n    return 1\n",
    )
    for options in ([], ["--pipeline", "weekly"]):
        broken = done.command("run", *options)
        assert broken.returncode == 2
        assert "pipeline `weekly` cannot be built" in broken.stderr


def test_max_disk_is_for_the_checkpoints_of_all_pipelines(done: Project) -> None:
    files = (path for path in done.folder.glob("checkpoints/**/*") if path.is_file())
    used = sum(file.stat().st_size for file in files)
    done.write(
        "memory_budget.toml",
        f'[cluster]\nram = "100 GB"\nquota = "50 %"\n[checkpoints]\nmax_disk = "{used} B"\n',
    )
    record = done.run("--set", "number=8")

    assert record["error"]["kind"] == "storage"
    assert "max_disk in memory_budget.toml leaves" in record["error"]["message"]
