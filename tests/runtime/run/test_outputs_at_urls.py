"""Outputs at a URL: published as a whole, once, from local checkpoints, and left alone after."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from flight_delays.checkpointing.disk.shared.objects import Objects, open_objects

from ...faulty import in_front_of
from ...s3 import S3
from ..conftest import Project
from .sharing import clone, share

STEPS = """
@step
def table() -> pd.DataFrame:
    ran("table")
    return pd.DataFrame({"n": [1, 2, 3]})

@step
def page(table: pd.DataFrame) -> str:
    ran("page")
    return f"<h1>{len(table)}</h1>"

@step
def files(table: pd.DataFrame, workdir: Path) -> Path:
    ran("files")
    (workdir / "all" / "2013").mkdir(parents=True)
    (workdir / "all" / "2013" / "n.txt").write_text("3")
    (workdir / "all" / "n.txt").write_text("3")
    return workdir / "all"
"""
OUTPUTS = {"table": "t.parquet", "page": "p.html", "files": "parts"}
NAMES = [
    *(".p.html.published", ".parts.published", ".t.parquet.published"),
    *("p.html", "parts/2013/n.txt", "parts/_SUCCESS", "parts/n.txt", "t.parquet"),
]


def publishing(project: Project, url: str) -> Project:
    project.segments(s01=STEPS)
    lines = [f'{value} = "{url}/{name}"' for value, name in OUTPUTS.items()]
    project.write("pipeline.toml", "[outputs]\n" + "\n".join(lines) + "\n")
    return project


def states(project: Project, **environment: str) -> dict[str, str]:
    done = project.command("status", "--json", **environment)
    assert done.returncode == 0, done.stderr
    [segment] = json.loads(done.stdout)["segments"]
    assert segment["reusable"]
    return {output["value"]: output["state"] for output in segment["outputs"]}


@pytest.fixture
def bucket(s3: S3, monkeypatch: pytest.MonkeyPatch) -> Objects:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    return open_objects(f"{s3.bucket()}/reports")


def names(bucket: Objects) -> list[str]:
    return [stored.name for stored in bucket.list()]


@pytest.mark.slow
def test_what_is_published_at_urls_is_sent_once_and_comes_back(
    project: Project, bucket: Objects, s3: S3, tmp_path: Path
) -> None:
    publishing(project, bucket.url)
    with in_front_of(s3.endpoint, every=5) as (endpoint, behaviour):
        environment = {"AWS_ENDPOINT_URL": endpoint}
        record = project.run(**environment)
        assert record["exit_code"] == 0, record
        assert record["outputs"] == {v: f"{bucket.url}/{n}" for v, n in OUTPUTS.items()}
        assert names(bucket) == NAMES
        bucket.fetch("t.parquet", tmp_path / "t.parquet")
        assert pd.read_parquet(tmp_path / "t.parquet")["n"].tolist() == [1, 2, 3]
        assert bucket.read("p.html")[0] == b"<h1>3</h1>"
        assert behaviour.failed > 3

        behaviour.requests.clear()
        assert set(states(project, **environment).values()) == {"published"}
        assert project.statuses(**environment) == {"s01": "reused"}
        assert "1" in project.command("show", "table").stdout
        assert {method for method, _ in behaviour.requests} <= {"GET", "HEAD"}

    project.executed()
    bucket.remove(["t.parquet", "parts/n.txt"])
    assert states(project) == {"table": "missing", "files": "changed", "page": "published"}
    done = project.command("status")
    assert f"output table is missing at {bucket.url}/t.parquet" in done.stdout
    shown = project.command("run")
    assert f"table: {bucket.url}/t.parquet" in shown.stdout
    assert (project.executed(), names(bucket)) == ([], NAMES)
    assert project.command("clean").returncode == 0
    assert names(bucket) == NAMES
    assert not (project.folder / "s3:").exists()


def test_an_object_of_somebody_else_is_refused_before_any_step_runs(
    project: Project, bucket: Objects
) -> None:
    bucket.create("p.html", b"mine")
    record = publishing(project, bucket.url).run()
    assert (record["exit_code"], record["error"]["kind"]) == (2, "configuration")
    assert f"{bucket.url}/p.html exists, and no run of this" in record["error"]["message"]
    assert project.executed() == []
    assert names(bucket) == ["p.html"]


def test_what_the_storage_refuses_leaves_the_former_object_and_keeps_the_checkpoint(
    project: Project, bucket: Objects, s3: S3
) -> None:
    publishing(project, bucket.url)
    assert project.run()["exit_code"] == 0
    before = bucket.read("p.html")
    project.segments(s01=STEPS.replace("[1, 2, 3]", "[1, 2, 3, 4]"))
    project.executed()
    with in_front_of(s3.endpoint, refuse={"PUT": 403}) as (endpoint, _):
        record = project.run(AWS_ENDPOINT_URL=endpoint)
    assert (record["exit_code"], record["error"]["kind"]) == (5, "storage")
    message: str = record["error"]["message"]
    assert f"at {bucket.url} failed: the credentials do not allow it" in message
    assert "Publishing `table` ended there. Earlier checkpoints are untouched." in message
    assert s3.environment()["AWS_SECRET_ACCESS_KEY"] not in json.dumps(record)
    assert bucket.read("p.html") == before
    assert project.executed() == ["table", "page", "files"]
    assert project.statuses() == {"s01": "reused"}
    assert bucket.read("p.html")[0] == b"<h1>4</h1>"


@pytest.mark.slow
def test_nothing_is_sent_when_a_step_fails(project: Project, bucket: Objects) -> None:
    publishing(project, bucket.url)
    project.segments(s01=STEPS + "\n@step\ndef last(files: Path) -> int:\n    return 1 // 0\n")
    assert project.run()["exit_code"] == 1
    assert names(bucket) == []


def test_storage_out_of_reach_is_told_before_any_step_runs_and_status_still_answers(
    project: Project, bucket: Objects, s3: S3
) -> None:
    publishing(project, bucket.url)
    with in_front_of(s3.endpoint, refuse={"GET": 403, "HEAD": 403}) as (endpoint, _):
        record = project.run(AWS_ENDPOINT_URL=endpoint)
        assert (record["exit_code"], project.executed()) == (5, [])
        assert "Looking where `table` is published ended there" in record["error"]["message"]
        assert project.run()["exit_code"] == 0
        assert set(states(project, AWS_ENDPOINT_URL=endpoint).values()) == {"unreadable"}


@pytest.mark.slow
def test_a_comparison_publishes_nothing(project: Project, bucket: Objects) -> None:
    publishing(project, bucket.url)
    done = project.command("compare", "--json")
    assert done.returncode == 0, done.stderr
    compared: dict[str, Any] = json.loads(done.stdout)
    assert compared["same_results"] == {"table": True, "page": True, "files": True}
    assert names(bucket) == []


@pytest.mark.slow
def test_with_checkpoints_at_a_url_a_clone_sends_and_fetches_only_what_is_missing(
    project: Project, bucket: Objects, s3: S3, tmp_path: Path
) -> None:
    share(publishing(project, bucket.url), f"{s3.bucket()}/checkpoints")
    assert project.run()["exit_code"] == 0
    other = clone(project, tmp_path / "other")

    record = other.run()
    assert [segment["status"] for segment in record["segments"]] == ["reused"]
    assert record["outputs"] == {v: f"{bucket.url}/{n}" for v, n in OUTPUTS.items()}
    assert (record["bytes_pushed"], record["bytes_fetched"]) == (0, 0)
    bucket.remove(["p.html"])
    record = other.run()
    assert (record["exit_code"], other.executed()) == (0, [])
    assert 0 < record["bytes_fetched"] < 100, "the page alone"
    assert bucket.read("p.html")[0] == b"<h1>3</h1>"
    assert other.command("clean").returncode == 0
    assert names(bucket) == NAMES
