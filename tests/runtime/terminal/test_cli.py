"""The commands, as a person at a terminal, a log file and a scheduler see them."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..conftest import Project, run_once

SEGMENTS = {
    "s01": """
    @step
    def table(rows: int) -> pd.DataFrame:
        print("printed by a step")
        return pd.DataFrame({"number": range(rows)})
    """,
    "s02": """
    @step
    def doubled(table: pd.DataFrame) -> pd.DataFrame:
        return table * 2

    @step
    def total(doubled: pd.DataFrame) -> int:
        if (doubled["number"] < 0).any():
            raise ValueError("a negative number")
        return int(doubled["number"].sum())

    @step
    def told(doubled: pd.DataFrame) -> None:
        print(len(doubled))
    """,
}

WIRING = """
[params]
rows = 30

[outputs]
doubled = "data/doubled.parquet"
"""


@pytest.fixture(scope="module")
def original(shared_project: Project) -> Project:
    """A project that was run once."""
    return run_once(shared_project, SEGMENTS, WIRING)


def shape(value: Any) -> Any:
    """The keys and types of JSON data."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return type(value).__name__


STEP = {
    **{"name": "str", "part": "int", "began_bytes": "int", "peak_bytes": "int"},
    **{"seconds": "float", "read_seconds": "float", "input_bytes": "int", "value_bytes": "int"},
    **dict.fromkeys(("batches", "rows", "made_batches", "made_rows"), "int"),
    "items": [],
}
WRITE = {
    **{"value": "str", "part": "int", "began_bytes": "int", "peak_bytes": "int"},
    **{"seconds": "float", "bytes": "int", "ahead": "bool"},
}
SEGMENT = {
    **{"name": "str", "status": "str", "parts": "int", "peak_bytes": "int"},
    **{"seconds": "float", "bytes_written": "int"},
    **{"cuts": [], "steps": [STEP], "writes": [WRITE], "applications": []},
    **{"reused_steps": [], "accepted": [], "executor": "str", "budget_bytes": "int"},
}
RUN = {
    **{"budget_bytes": "int", "peak_bytes": "int", "seconds": "float", "bytes_written": "int"},
    **{"bytes_pushed": "int", "bytes_fetched": "int"},
    "segments": [SEGMENT],
}


def test_the_json_of_a_run_keeps_its_contract(done: Project) -> None:
    record = done.run("--fresh")
    assert {key: shape(record[key]) for key in RUN} == RUN
    cut = SEGMENT | {"cuts": [{"before": "str", "why": "str"}]}
    assert [shape(segment) for segment in record["segments"]] == [SEGMENT, cut]
    assert record["outputs"].keys() == {"doubled", "total"}
    assert all(Path(path).exists() for path in record["outputs"].values())
    assert "error" not in record
    assert [s["parts"] for s in record["segments"]] == [1, 2]  # a sink is a part of its own
    assert record["peak_bytes"] == max(s["peak_bytes"] for s in record["segments"]) > 0
    assert record["bytes_written"] == sum(s["bytes_written"] for s in record["segments"]) > 0
    names = [[step["name"] for step in s["steps"]] for s in record["segments"]]
    assert names == [["table"], ["doubled", "total", "told"]]


def test_the_json_of_a_reused_run_has_the_same_shape(done: Project) -> None:
    record = done.run()
    assert [s["status"] for s in record["segments"]] == ["reused", "reused"]
    names = ("cuts", "steps", "writes", "applications", "reused_steps", "accepted")
    lists: dict[str, Any] = {name: [] for name in names}
    empty = {"parts": 0, "peak_bytes": 0, "seconds": 0.0, "bytes_written": 0, **lists}
    empty |= {"executor": "", "budget_bytes": 0}
    assert record["segments"] == [
        {"name": name, "status": "reused", **empty} for name in ("s01", "s02")
    ]
    assert record["outputs"].keys() == {"doubled", "total"}


def test_the_json_of_a_failed_run_says_what_failed(done: Project) -> None:
    source = done.package / "segments" / "s01.py"
    source.write_text(source.read_text().replace("range(rows)", "[-1]"))
    record = done.run()
    assert [s["status"] for s in record["segments"]] == ["ran", "failed"]
    assert {key: record["error"][key] for key in ("kind", "segment", "step", "message")} == {
        "kind": "step_failed",
        "segment": "s02",
        "step": "total",
        "message": "ValueError: a negative number\n"
        "  The steps before `total` are kept: the next run starts there.",
    }


@pytest.mark.parametrize("arguments", [["--budget", "none"], ["--only", "s03"]])
def test_even_a_run_that_never_began_prints_one_json_object(
    done: Project, arguments: list[str]
) -> None:
    record = done.run(*arguments)
    assert record["exit_code"] == 2
    assert record["error"]["kind"] == "configuration"
    assert record["segments"] == []


def test_stdout_holds_the_json_object_and_nothing_else(done: Project) -> None:
    ran = done.command("run", "--json", "--fresh")
    assert len(ran.stdout.splitlines()) == 1
    assert json.loads(ran.stdout)
    assert "printed by a step" not in ran.stdout + ran.stderr
    assert "s01: step 1/1 table" in ran.stderr


def test_where_there_is_no_terminal_progress_is_plain_lines(done: Project) -> None:
    ran = done.command("run", "--fresh", COLUMNS="40")
    assert "\x1b" not in ran.stderr + ran.stdout
    lines = ran.stderr.splitlines()
    assert lines[0].startswith("demo: budget ")
    assert [line for line in lines if ": step" in line] == [
        "s01: step 1/1 table",
        "s02: step 1/3 doubled",
        "s02: step 2/3 total",
        "s02: step 3/3 told",
    ]
    assert any(re.fullmatch(r"s02: ran in \d+\.\d s, peak \d+ MB", line) for line in lines)


def test_a_run_ends_with_a_table_of_what_each_segment_took(done: Project) -> None:
    out = done.command("run", "--rerun-from", "s02", COLUMNS="100").stdout
    for heading in ("segment", "status", "parts", "peak", "of budget", "seconds", "written"):
        assert heading in out
    assert re.search(r"s01 +│ reused", out)
    assert re.search(r"s02 +│ ran +│ +2 │ +\d+ MB │ +\d+% │ +\d+\.\d │ +[\d.]+ kB", out)
    assert "doubled: data/doubled.parquet" in out


def on_a_terminal(project: Project, *arguments: str) -> tuple[int, str]:
    """Exit code and all that a command shows on a terminal of its own."""
    ours, theirs = pty.openpty()
    environment = project.environment(TERM="xterm", COLUMNS="100", LINES="40")
    with subprocess.Popen(
        [sys.executable, "-m", "demo", *arguments],
        cwd=project.folder,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other side is closed
                break
            if not piece:
                break
            shown += piece
    os.close(ours)
    return process.returncode, shown.decode()


def test_on_a_terminal_progress_is_live(project: Project) -> None:
    project.segments(
        s01="""
        import time

        @step
        def slow() -> int:
            time.sleep(1)
            return 1
        """
    )
    code, shown = on_a_terminal(project, "run", "--budget", "2GB")
    assert code == 0
    assert "\x1b[?25l" in shown  # the cursor is hidden while a line is redrawn
    assert "\x1b[?25h" in shown
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert re.search(r"s01 1/1 +slow .* \d+ MB of 2 GB +\d+ s", plain)
    assert "s01: step" not in plain
    assert "s01: ran in" in plain
    assert "of budget" in plain


def test_on_a_terminal_segments_that_run_at_once_are_shown(project: Project) -> None:
    project.segments(
        s01="@step\ndef left() -> int:\n    return 1",
        s02="@step\ndef right() -> int:\n    return 2",
        s03="@step\ndef both(left: int, right: int) -> int:\n    return left + right",
    )
    for _ in range(2):  # the first run measures, so in the second one they run at once
        code, shown = on_a_terminal(project, "run", "--budget", "2GB", "--jobs", "2", "--fresh")
        assert code == 0, shown
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
        assert all(f"{name}: ran in" in plain for name in ("s01", "s02", "s03"))


def test_status_says_what_would_run_and_why(done: Project) -> None:
    done.write("pipeline.toml", WIRING.replace("30", "31"))
    out = " ".join(done.command("status", COLUMNS="200").stdout.split())
    assert "│ s01 │ runs │ param rows changed from 30 to 31 │" in out
    assert "│ s02 │ runs │ waits for s01 │" in out
    assert "50 GB (50 % of 100 GB, memory_budget.toml)" in out


def test_status_as_json_says_the_same(done: Project) -> None:
    segments = json.loads(done.command("status", "--json").stdout)["segments"]
    assert [s["name"] for s in segments if s["reusable"]] == ["s01", "s02"]
    segments = json.loads(done.command("status", "--json", "--set", "rows=31").stdout)["segments"]
    assert segments[0]["reasons"] == ["param rows changed from 30 to 31"]


def test_status_and_run_say_which_limit_binds(done: Project) -> None:
    job = {"SLURM_MEM_PER_NODE": "600"}
    binds = "629 MB (Slurm's SLURM_MEM_PER_NODE)"
    out = " ".join(done.command("status", COLUMNS="200", **job).stdout.split())
    assert f"memory budget: {binds}; other limits: " in out
    status = json.loads(done.command("status", "--json", **job).stdout)
    assert status["limits"][0] == {"bytes": 600 << 20, "source": "Slurm's SLURM_MEM_PER_NODE"}
    assert status["limits"] == sorted(status["limits"], key=lambda limit: int(limit["bytes"]))
    assert "this machine's RAM" in [limit["source"] for limit in status["limits"]]
    assert status["budget_bytes"] == 600 << 20
    ran = done.command("run", COLUMNS="200", **job)
    assert f"demo: budget {binds}; log " in ran.stderr
    assert f"demo: budget {binds}" in ran.stdout
    record = done.run(**job)
    assert (record["budget_bytes"], record["budget_source"]) == tuple(status["limits"][0].values())


def test_status_before_the_first_run_says_that_nothing_ran(project: Project) -> None:
    project.segments(**SEGMENTS)
    project.write("pipeline.toml", WIRING)
    assert "has not run yet" in project.command("status").stdout
    assert not project.checkpoints().exists()


def test_status_says_that_a_url_is_not_watched(project: Project) -> None:
    project.segments(
        s01="""
        @step
        def read(address: str) -> str:
            return address
        """
    )
    project.write("pipeline.toml", '[inputs]\naddress = "https://example.org/data.csv"\n')
    out = project.command("status", COLUMNS="200").stdout
    assert "input address is a URL; changes behind it are not noticed" in out


def test_show_prints_a_value_with_its_type_and_its_first_rows(done: Project) -> None:
    shown = done.command("show", "table", "--rows", "3").stdout.splitlines()
    assert shown[0] == "table: DataFrame, 30 × 1"
    assert [line.split() for line in shown[1:]] == [["number"], ["0", "0"], ["1", "1"], ["2", "2"]]
    assert done.command("show", "total").stdout == "total: int\n870\n"
    output = done.command("show", "doubled", "--rows", "2").stdout.splitlines()  # Parquet
    assert output[0].startswith("doubled: DataFrame, 30 × ")
    assert [line.split()[0] for line in output[2:]] == ["0", "1"]


def test_show_of_what_is_not_there_says_so(done: Project) -> None:
    unknown = done.command("show", "tabel")
    assert unknown.returncode == 2
    assert "no step makes `tabel`; did you mean `table`?" in unknown.stderr
    sink = done.command("show", "told")
    assert sink.returncode == 2


def test_clean_removes_checkpoints_and_never_outputs(done: Project) -> None:
    cleaned = done.command("clean")
    assert re.fullmatch(r"freed [\d.]+ kB\n", cleaned.stdout)
    assert done.manifests() == {}
    assert (done.folder / "data" / "doubled.parquet").exists()
    assert list((done.folder / "runs").iterdir())
    assert done.statuses() == {"s01": "ran", "s02": "ran"}


def test_clean_old_keeps_what_a_run_would_reuse(done: Project) -> None:
    done.run("--set", "rows=31")
    assert len(list(done.checkpoints().glob("*/*/manifest.json"))) == 4
    done.command("clean", "--old")
    assert len(list(done.checkpoints().glob("*/*/manifest.json"))) == 2
    assert done.statuses() == {"s01": "reused", "s02": "reused"}


def test_clean_runs_removes_the_records_of_runs_too(done: Project) -> None:
    done.command("clean", "--runs")
    assert not (done.folder / "runs").exists()


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["status", "--help"]])
def test_help_imports_neither_pandas_nor_pyarrow(done: Project, arguments: list[str]) -> None:
    code = f"""
    import sys
    sys.argv = ["demo", *{arguments}]
    from demo.checkpointing.cli import application
    try:
        application("demo")()
    except SystemExit as end:
        assert end.code == 0
    print(sorted({{"pandas", "pyarrow", "numpy"}} & set(sys.modules)))
    """
    out = done.python(code)
    assert "Usage" in out
    assert out.splitlines()[-1] == "[]"


def test_the_process_that_watches_imports_none_of_the_projects_code(done: Project) -> None:
    code = """
    import sys
    from demo.checkpointing.terminal.run import run_command
    assert run_command("demo", None, None, [], True, None, None, None, False, True) == 0
    heavy = {"pandas", "pyarrow", "numpy", "demo.pipeline", "demo.segments"}
    print(sorted(heavy & set(sys.modules)))
    """
    assert done.python(code).splitlines()[-1] == "[]"


def test_a_command_that_is_unknown_is_a_usage_error(done: Project) -> None:
    assert done.command("rnu").returncode == 2
    assert done.command("run", "--frehs").returncode == 2


def test_no_command_at_all_shows_the_help(done: Project) -> None:
    out = done.command()
    for name in ("run", "status", "show", "clean"):
        assert re.search(rf"\b{name}\b", out.stdout + out.stderr)
