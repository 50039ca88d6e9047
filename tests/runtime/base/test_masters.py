"""Where Spark runs, as [spark] and SPARK_MASTER say it: known, or refused without a secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.base.masters import parse_master
from flight_delays.checkpointing.base.settings import Spark, load_settings

from ..builders import MEMORY_BUDGET, toml_files


def spark(folder: Path, table: str) -> Spark:
    return load_settings(toml_files(folder, memory=f"{MEMORY_BUDGET}\n{table}")).spark


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("local", "local"),
        ("local[*]", "local"),
        (" local[4] ", "local"),
        ("spark://host:7077", "standalone"),
        ("spark://one:7077,two:7077", "standalone"),
        ("yarn", "yarn"),
        ("k8s://https://api.example.com:6443", "kubernetes"),
        ("sc://host", "connect"),
        ("sc://host:15002/;use_ssl=true", "connect"),
    ],
)
def test_each_place_of_spark_is_known(text: str, kind: str) -> None:
    assert parse_master(text).kind == kind


def test_what_a_master_says_is_read() -> None:
    assert parse_master("local[3]").cores == 3
    assert parse_master("local[*]").cores is None
    assert parse_master("spark://a:7077,b:7078").hosts == (("a", 7077), ("b", 7078))
    assert parse_master("spark://127.0.0.1:7077").is_loopback
    assert not parse_master("spark://127.0.0.1:7077,host:7077").is_loopback


@pytest.mark.parametrize(
    "text",
    [
        *("", "locl[2]", "local[0]", "local[2,3]", "local-cluster[2,1,1024]", "mesos://host:5050"),
        *("spark://host", "spark://host:7077/path", "http://host:8080", "yarn-client"),
    ],
)
def test_what_is_no_master_is_refused_with_those_that_there_are(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no master of Spark .*spark://host:7077, yarn"):
        parse_master(text)


@pytest.mark.parametrize(
    "text",
    ["sc://host:1/;token=hunter2", "spark://ana:hunter2@host:7077", "sc://ana:hunter2@host"],
)
def test_a_secret_in_a_master_is_refused_and_not_repeated(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match="no user, password or token") as refused:
        spark(tmp_path, f'[spark]\nmaster = "{text}"\n')
    assert "hunter2" not in refused.value.message

    monkeypatch.setenv("SPARK_MASTER", text)
    with pytest.raises(ConfigurationError, match="SPARK_MASTER") as refused:
        spark(tmp_path, "")
    assert "hunter2" not in refused.value.message


def test_the_environment_comes_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPARK_MASTER", raising=False)
    table = '[spark]\nmaster = "yarn"\nexecutors = 3\n'
    assert spark(tmp_path, table).master == "yarn"

    monkeypatch.setenv("SPARK_MASTER", "local[2]")
    assert (spark(tmp_path, table).master, spark(tmp_path, table).executors) == ("local[2]", 3)
    assert spark(tmp_path, "").master == "local[2]"


def test_further_settings_are_text_by_their_full_names(tmp_path: Path) -> None:
    table = """
    [spark.conf]
    spark.yarn.queue = "etl"
    "spark.sql.shuffle.partitions" = 64
    spark.eventLog.enabled = true
    "spark.sql.adaptive.coalescePartitions.enabled" = false
    "spark.sql.catalog.lake.uri" = "thrift://host:9083"
    "spark.hadoop.fs.s3a.aws.credentials.provider" = "org.example.Provider"
    """
    assert spark(tmp_path, table).conf == {
        "spark.yarn.queue": "etl",
        "spark.sql.shuffle.partitions": "64",
        "spark.eventLog.enabled": "true",
        "spark.sql.adaptive.coalescePartitions.enabled": "false",
        "spark.sql.catalog.lake.uri": "thrift://host:9083",
        "spark.hadoop.fs.s3a.aws.credentials.provider": "org.example.Provider",
    }


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("spark.executor.memory", "follows from the budget"),
        ("spark.driver.memoryOverhead", "follows from the budget"),
        ("spark.cores.max", "follows from the budget"),
        ("spark.memory.offHeap.size", "follows from the budget"),
        ("spark.dynamicAllocation.enabled", "follows from the budget"),
        ("spark.master", "cannot be set here"),
        ("spark.sql.session.timeZone", "cannot be set here"),
        ("spark.hadoop.fs.s3a.secret.key", "may be a secret"),
        ("spark.ssl.keyPassword", "may be a secret"),
        ("spark.hadoop.fs.azure.account.key.a.dfs.core.windows.net", "may be a secret"),
        ("spark.hadoop.google.cloud.auth.service.account.private.key", "may be a secret"),
        ("spark.hadoop.fs.azure.sas.container.a", "may be a secret"),
        ("spark.sql.legacy.timeParserPolicy", "no key contains"),
        ("spark.sql.caseSensitive", "no key contains"),
        ("spark.sql.files.ignoreCorruptFiles", "no key contains"),
        ("spark.files.ignoreMissingFiles", "no key contains"),
        ("spark.sql.catalogImplementation", "cannot be set here"),
        ("queue", "is no setting of Spark"),
    ],
)
def test_a_setting_that_is_not_the_places_own_is_refused(
    name: str, why: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=f"`{name}`.* .*{why}") as refused:
        spark(tmp_path, f'[spark.conf]\n"{name}" = "hunter2"\n')
    assert "hunter2" not in refused.value.message


def test_a_wait_is_a_time(tmp_path: Path) -> None:
    assert spark(tmp_path, '[spark]\nwait = "5 min"\n').wait == 300
    assert spark(tmp_path, "[spark]\nwait = 30\n").wait == 30
    with pytest.raises(ConfigurationError, match="write a time like"):
        spark(tmp_path, '[spark]\nwait = "soon"\n')
