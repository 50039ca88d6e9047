"""URLs under [outputs]: what is one, what it may not be, and what it would write over."""

from __future__ import annotations

from pathlib import Path

import pytest
from flight_delays.checkpointing.disk.targets import suffixes, targets

from ..builders import MEMORY_BUDGET, pipeline, problems

STEPS = """
@step
def frame(x: str) -> pd.DataFrame: ...
@step
def one() -> int: ...
"""
INPUT = '[inputs]\nx = "s3://bucket/raw"\n[outputs]\n'


def refusal(tmp_path: Path, outputs: str) -> str:
    return problems(tmp_path, STEPS, wiring=INPUT + outputs)


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/t.parquet",
        "s3a://bucket/a b/t.parquet",
        "gs://bucket/reports/t.parquet",
        "abfss://container@account.dfs.core.windows.net/t.parquet",
        "az://container/reports/t.parquet",
        "hdfs://namenode:8020/reports/t.parquet",
        "hdfs:///reports/t.parquet",
        "file:///mnt/reports/t.parquet",
    ],
)
def test_a_value_is_published_at_a_url_by_its_suffix(tmp_path: Path, url: str) -> None:
    made = pipeline(tmp_path, STEPS, wiring=f'{INPUT}frame = "{url}"\none = "out/one.json"')
    assert {v: t.text for v, t in targets(made.settings).items()} == {
        "frame": url,
        "one": str(tmp_path / "out/one.json"),
    }
    assert suffixes(made.settings) == {"frame": ".parquet", "one": ".json"}


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://host/t.parquet", "nothing is stored at https:// URLs"),
        ("s3://key:hunter2@bucket/t.parquet", "no user or password"),
        ("s3://hunter2@bucket/t.parquet", "no user or password"),
        ("s3://bucket/t.parquet?signature=hunter2", "no ?"),
        ("s3:/bucket/t.parquet", "two slashes"),
        ("s3://bucket", "name an object in a folder"),
        ("s3://bucket/", "name an object in a folder"),
        ("file:///t.parquet", "name an object in a folder"),
        ("hdfs://namenode/t.parquet", "name an object in a folder"),
        ("s3://bucket/../t.parquet", "no empty part"),
        ("s3://bucket/a//t.parquet", "no empty part"),
    ],
)
def test_a_url_where_nothing_can_be_published_is_refused_and_not_repeated(
    tmp_path: Path, url: str, why: str
) -> None:
    message = refusal(tmp_path, f'frame = "{url}"')
    assert "pipeline.toml: [outputs] `frame` cannot be published at this URL: " in message
    assert why in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("outputs", "complaint"),
    [
        ('frame = "s3://bucket/raw/t.parquet"', "would overwrite [inputs] `x`"),
        ('frame = "s3a://bucket/raw/t.parquet"', "would overwrite [inputs] `x`"),
        (
            'frame = "s3://bucket/t.parquet"\none = "s3://bucket/t.parquet/one.json"',
            "[outputs] `one` = 's3://bucket/t.parquet/one.json' would overwrite [outputs] `frame`",
        ),
        ('frame = "file://{}/checkpoints/t.parquet"', "would overwrite the checkpoints"),
        ('frame = "s3://bucket/t"', "[outputs] `frame` is published as one of .parquet"),
        (f'frame = "s3://bucket/{"t" * 200}.parquet"', "longer than 200 bytes"),
    ],
)
def test_an_output_at_a_url_obeys_the_rules_of_all_outputs(
    tmp_path: Path, outputs: str, complaint: str
) -> None:
    assert complaint in refusal(tmp_path, outputs.replace("{}", str(tmp_path)))


@pytest.mark.parametrize("url", ["s3://bucket/flights/demo/t.parquet", "s3://bucket/flights"])
def test_no_output_lies_among_the_checkpoints_at_a_url(tmp_path: Path, url: str) -> None:
    message = problems(
        tmp_path,
        "@step\ndef files() -> Path: ...",
        wiring=f'[outputs]\nfiles = "{url}"',
        memory=f'{MEMORY_BUDGET}[checkpoints]\npath = "s3://bucket/flights"',
    )
    assert f"[outputs] `files` = {url!r} would overwrite the checkpoints." in message


def test_a_bucket_whose_name_begins_alike_is_another_one(tmp_path: Path) -> None:
    wiring = f'{INPUT}frame = "s3://bucket/raw2/t.parquet"\none = "gs://bucket/raw/one.json"'
    assert len(targets(pipeline(tmp_path, STEPS, wiring=wiring).settings)) == 2


def test_the_url_of_a_sink_is_refused_without_its_password(tmp_path: Path) -> None:
    message = problems(
        tmp_path,
        "@step\ndef load() -> None: ...",
        wiring='[sinks]\nload = "postgres://me:hunter2@host/db"',
        memory=MEMORY_BUDGET,
    )
    assert "is a URL, behind which nothing can be looked for" in message
    assert "hunter2" not in message
