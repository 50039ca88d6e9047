"""Outputs in formats for people: by the suffix, without a step that runs again."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from ..conftest import Project

STEPS = """
@step
def table() -> pd.DataFrame:
    ran("table")
    return pd.DataFrame({
        "n": [1, 2, 3],
        "x": [0.1 + 0.2, None, 1e-20],
        "day": pd.array(["2013-01-01", "2013-01-02", None], dtype="datetime64[s]"),
        "text": ["a,b", 'say "é"', "=1+1"],
        "kind": pd.Categorical(["low", "high", "low"]),
    }, index=[5, 6, 9])

@step
def total(table: pd.DataFrame) -> int:
    ran("total")
    return int(table["n"].sum())

@step
def page(total: int) -> str:
    return f"<h1>{total} é</h1>"

@step
def grid() -> np.ndarray:
    return np.array([[1, 2], [3, 4]])

@step
def by_kind(table: pd.DataFrame) -> pd.Series:
    return table.groupby("kind", observed=True)["n"].sum()
"""
CSV = (
    "n,x,day,text,kind\n"
    '1,0.30000000000000004,2013-01-01,"a,b",low\n'
    '2,,2013-01-02,"say ""é""",high\n'
    "3,1e-20,,=1+1,low\n"
)


def published(project: Project, **outputs: str) -> Project:
    lines = "\n".join(f'{value} = "out/{name}"' for value, name in outputs.items())
    project.write("pipeline.toml", f"[outputs]\n{lines}\n")
    return project


def out(project: Project, name: str) -> Path:
    return project.folder / "out" / name


@pytest.mark.slow
def test_a_changed_suffix_publishes_anew_and_runs_no_step(project: Project) -> None:
    project.segments(s01=STEPS)
    published(project, table="t.csv", page="p.html", grid="g.csv", by_kind="k.csv", total="n.json")
    record = project.run()
    assert record["exit_code"] == 0, record
    assert out(project, "t.csv").read_text("utf-8") == CSV
    assert out(project, "p.html").read_text("utf-8") == "<h1>6 é</h1>"
    assert out(project, "g.csv").read_text() == "1,2\n3,4\n"
    assert out(project, "k.csv").read_text() == "kind,n\nhigh,2\nlow,4\n"
    assert out(project, "n.json").read_text() == "6"
    assert project.strays() == []
    assert project.executed() == ["table", "total"]
    shown = project.command("show", "table").stdout
    assert "low" in shown

    for name in ("t.csv.gz", "t.json", "t.jsonl", "t.feather", "t.arrow", "t.xlsx", "t.parquet"):
        published(project, table=name, page="p.txt", grid="g.npy")
        assert project.statuses() == {"s01": "reused"}, name
    assert project.executed() == []
    assert gzip.decompress(out(project, "t.csv.gz").read_bytes()).decode() == CSV
    rows = json.loads(out(project, "t.json").read_text("utf-8"))
    assert rows[0]["x"] == 0.1 + 0.2
    assert rows[1] == {
        "n": 2, "x": None, "day": "2013-01-02T00:00:00", "text": 'say "é"', "kind": "high"
    }  # fmt: skip
    lines = out(project, "t.jsonl").read_text("utf-8").splitlines()
    assert list(map(json.loads, lines)) == rows
    value = pd.read_feather(out(project, "t.feather"))
    assert str(value["day"].dtype) == "datetime64[s]"
    assert list(value.index) == [5, 6, 9]
    with pa.memory_map(str(out(project, "t.arrow"))) as file:
        assert pa.ipc.open_file(file).read_all().column("x").null_count == 1
    book = pd.read_excel(out(project, "t.xlsx"))
    assert list(book["text"]) == ["a,b", 'say "é"', "=1+1"]
    assert str(pd.read_parquet(out(project, "t.parquet"))["day"].dtype) == "datetime64[ms]"
    assert np.load(out(project, "g.npy")).tolist() == [[1, 2], [3, 4]]

    assert project.run("--fresh")["exit_code"] == 0
    again = project.run()
    assert [segment["status"] for segment in again["segments"]] == ["reused"]


def test_what_a_format_refuses_costs_no_work(project: Project) -> None:
    project.segments(
        s01="""
        @step
        def table() -> pd.DataFrame:
            ran("table")
            return pd.DataFrame({"at": pd.date_range("2013", periods=2, tz="UTC")})
        """
    )
    record = published(project, table="t.xlsx").run()
    assert (record["exit_code"], record["error"]["kind"]) == (5, "inexact_value")
    message = record["error"]["message"]
    assert "`table` cannot be published as .xlsx: column 'at' has a time zone" in message
    assert "frame['at'].dt.tz_convert(\"UTC\").dt.tz_localize(None)" in message
    assert not out(project, "t.xlsx").exists()
    assert project.executed() == ["table"]
    assert published(project, table="t.csv").run()["exit_code"] == 0
    assert project.executed() == []
    assert project.strays() == []


def test_a_run_says_which_type_parquet_changes(project: Project) -> None:
    project.segments(s01=STEPS)
    done = published(project, table="t.parquet").command("run")
    assert "datetime64[ms] for `day`" in " ".join(done.stderr.split())
    assert "datetime64[ms]" not in project.command("run").stderr, "once, when it is made"
