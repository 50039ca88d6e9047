"""[run_on] and [executors] of pipeline.toml: read, or refused with the line to correct."""

from __future__ import annotations

from pathlib import Path

import pytest
from flight_delays.checkpointing.base.elsewhere import ExecutorTable
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.base.settings import load_settings
from flight_delays.checkpointing.graph.elsewhere import problems_of_executors

SENT = '[run_on]\ns05_train = "gpu"\n'
BUDGET = '[cluster]\nram = "100 GB"\nquota = "50 %"\n'
LOCAL = 'kind = "local"\nmemory = "8 GB"\ntime_limit = "30 min"\n'


def problems(root: Path, wiring: str) -> list[str]:
    (root / "memory_budget.toml").write_text(BUDGET)
    (root / "pipeline.toml").write_text(wiring)
    segments = {"s01": ["told"], "s05_train": ["upload"]}
    return list(problems_of_executors(segments, load_settings(root)))


@pytest.mark.parametrize(
    ("text", "count"),
    [("512+", 512 * 10**9), ("512", 512 * 10**9), (64, 64 * 10**9), ("64 GB", 64 * 10**9)],
)
def test_memory_is_a_size_or_gigabytes_as_skypilot_writes_them(text: object, count: int) -> None:
    table = ExecutorTable.model_validate({"kind": "local", "memory": text, "time_limit": "2h"})
    assert (table.memory, table.time_limit) == (count, 7200)


def test_what_the_issue_of_a_team_would_write_is_accepted(tmp_path: Path) -> None:
    wiring = """
    [run_on]
    s05_train = "gpu"
    [executors.gpu]
    kind = "skypilot"
    infra = "aws"
    memory = "512+"
    accelerators = "A100:1"
    time_limit = "2h"
    storage = "s3://bucket/path"
    """
    assert problems(tmp_path, wiring) == []


@pytest.mark.parametrize(
    ("wiring", "says"),
    [
        (f'[run_on]\ns05_trian = "gpu"\n[executors.gpu]\n{LOCAL}', "did you mean `s05_train`"),
        (f'[run_on]\ns05_train = "gpo"\n[executors.gpu]\n{LOCAL}', "did you mean `gpu`"),
        (f'{SENT}[executors.gpu]\n{LOCAL}infra = "aws"\n', "it has no `infra`"),
        (
            f"{SENT}[executors.gpu]\n{LOCAL.replace('local', 'skypilot')}storage = 's3://bucket/x'\n",
            "needs `infra`",
        ),
        (
            f"{SENT}[executors.gpu]\n{LOCAL.replace('local', 'skypilot')}infra = 'aws'\n",
            "needs `storage`",
        ),
    ],
)
def test_what_cannot_be_is_named_with_its_remedy(tmp_path: Path, wiring: str, says: str) -> None:
    [problem] = problems(tmp_path, wiring)
    assert says in problem
    assert problem.startswith("pipeline.toml: [")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('memory = "much"', "memory"),
        ('time_limit = "0 s"', "time_limit"),
        ('storage = "bucket/path"', "s3://bucket/folder"),
        ('storage = "s3://key:secret@bucket/path"', "user or password"),
        ('variables = ["A=1"]', "environment variable"),
        ('acelerators = "A100"', "did you mean `accelerators`"),
        ('cpus = "many"', "cpus"),
    ],
)
def test_a_wrong_line_of_an_executor_is_named(tmp_path: Path, line: str, says: str) -> None:
    name = line.partition(" ")[0]
    kept = "\n".join(each for each in LOCAL.splitlines() if not each.startswith(name))
    with pytest.raises(ConfigurationError, match=r"executors\.gpu") as refusal:
        problems(tmp_path, f"[executors.gpu]\n{kept}\n{line}\n")
    assert says in str(refusal.value)
    assert "secret@" not in str(refusal.value)


@pytest.mark.parametrize("target", ["data/out/*.csv", "{root}/told.txt", "data"])
def test_a_sink_that_writes_into_the_project_is_not_sent_away(tmp_path: Path, target: str) -> None:
    table = f"[executors.gpu]\n{LOCAL}[sinks]\nupload = '{target.format(root=tmp_path)}'\n"
    [problem] = problems(tmp_path, f"[run_on]\ns05_train = 'gpu'\n{table}")
    assert problem.startswith("pipeline.toml: [run_on] `s05_train` = 'gpu': its sink `upload`")
    assert "[outputs]" in problem
    assert problems(tmp_path, f"[run_on]\ns01 = 'gpu'\n{table}") == [], "it runs here"


def test_a_sink_that_writes_elsewhere_may_be_sent_away(tmp_path: Path) -> None:
    table = f"[run_on]\ns05_train = 'gpu'\n[executors.gpu]\n{LOCAL}"
    assert problems(tmp_path, table) == []
    assert problems(tmp_path, f"{table}[sinks]\nupload = '/mnt/shared/told.txt'\n") == []
