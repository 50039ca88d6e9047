"""A server of Spark Connect: a session of its application for each part, and no JVM of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from ...spark_cluster import connect_server
from ..conftest import Project
from .held_spark import EXPECTED, ended, lay_out, log_of


@pytest.mark.exhaustive
def test_a_part_has_a_session_of_a_connect_server_and_no_jvm(
    project: Project, tmp_path: Path
) -> None:
    lay_out(project, "[spark.conf]\nspark.sql.shuffle.partitions = 3\n")
    with connect_server(tmp_path) as url:
        record = ended(project.start("run", "--json", SPARK_MASTER=url, JAVA_HOME="/nowhere"))

        assert record["exit_code"] == 0, (record.get("error"), log_of(project))
        assert project.load("sums") == EXPECTED
        assert record["segments"][1]["applications"] == []
        assert project.strays() == []

        project.write(
            "memory_budget.toml",
            (project.folder / "memory_budget.toml")
            .read_text()
            .replace("spark.sql.shuffle.partitions = 3", 'spark.jars = "x.jar"'),
        )
        refused = ended(project.start("run", "--json", "--fresh", SPARK_MASTER=url))

    assert (refused["exit_code"], refused["error"]["kind"]) == (2, "configuration")
    assert "spark.jars" in refused["error"]["message"]
    assert "settings that begin with spark.sql. alone" in refused["error"]["message"]


def test_a_connect_server_that_does_not_listen_is_refused_before_anything_runs(
    project: Project,
) -> None:
    lay_out(project, '[spark]\nmaster = "sc://127.0.0.1:9"\n')

    record = ended(project.start("run", "--json"))

    assert (record["exit_code"], record["error"]["kind"]) == (2, "configuration")
    assert "no server of Spark Connect listens at 127.0.0.1:9" in record["error"]["message"]
    assert project.executed() == []
