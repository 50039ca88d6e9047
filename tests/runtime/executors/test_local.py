"""A segment that runs on the executor `local`: the same results, and nothing left of the place."""

from __future__ import annotations

import json
import signal

import pandas as pd
import pytest

from ...marks import in_slow
from ..conftest import Project
from .sent import ended_by, lay_out, left_behind, places, reached, trainings


@pytest.fixture
def sent(project: Project) -> Project:
    return lay_out(project)


def test_a_segment_elsewhere_gives_what_it_gives_here_and_nothing_of_the_place_remains(
    sent: Project,
) -> None:
    record = sent.run()
    assert record["exit_code"] == 0, record
    trained = record["segments"][1]
    assert (trained["status"], trained["executor"]) == ("ran", "trainer")
    assert [step["name"] for step in trained["steps"]] == ["features", "model", "metrics"]
    assert 0 < trained["peak_bytes"] <= trained["budget_bytes"] == 10**9
    assert left_behind(sent) == []
    assert "training 10" in next((sent.folder / "runs").glob("*/run.log")).read_text()
    there = {name: m["values"] | m["outputs"] for name, m in sent.manifests().items()}
    published = (sent.folder / "data/out/model.txt").read_text()
    assert sent.statuses() == dict.fromkeys(("s01", "s02", "s03"), "reused")

    wiring = (sent.folder / "pipeline.toml").read_text()
    sent.write("pipeline.toml", wiring.replace('s02 = "trainer"', ""))
    assert sent.statuses()["s02"] == "reused", "where it runs is not in its key"
    assert sent.statuses("--fresh") == dict.fromkeys(("s01", "s02", "s03"), "ran")
    here = {name: m["values"] | m["outputs"] for name, m in sent.manifests().items()}
    assert _contents(there) == _contents(here)
    assert (sent.folder / "data/out/model.txt").read_text() == published == "100"


def _contents(manifests: dict[str, dict[str, dict[str, str]]]) -> dict[str, dict[str, str]]:
    return {
        segment: {value: record["checksum"] for value, record in records.items()}
        for segment, records in manifests.items()
    }


def test_only_the_values_and_columns_that_the_segment_reads_are_sent(sent: Project) -> None:
    # Its first step asserts that it gets two columns; the third is not even there.
    sent.write("order.txt", "wait")
    process = sent.start("run")
    reached(sent)
    [storage] = (sent.folder / "executors").glob("*.storage")
    [table] = storage.glob("checkpoints/demo/s01/*/*.arrow")
    assert table.name.startswith("table.")
    assert pd.read_feather(table).columns.tolist() == ["a", "b"]
    code, _ = ended_by(process, signal.SIGTERM)
    assert (code, left_behind(sent)) == (130, [])


def test_a_step_that_raises_there_ends_the_run_as_it_does_here(sent: Project) -> None:
    sent.write("order.txt", "raise")
    record = sent.run()
    error = record["error"]
    assert (record["exit_code"], error["kind"], error["step"]) == (1, "step_failed", "model")
    assert "the data have no signal" in error["message"]
    assert "s02.py" in error["traceback"]
    assert "checkpointing" not in error["traceback"]
    assert left_behind(sent) == []
    sent.write("order.txt", "")
    record = sent.run()
    assert record["exit_code"] == 0
    assert record["segments"][1]["reused_steps"] == ["features"], "what was finished there is kept"


def test_a_step_that_exceeds_the_memory_there_names_that_memory(sent: Project) -> None:
    sent.write("order.txt", "fill")
    wiring = (sent.folder / "pipeline.toml").read_text()
    sent.write("pipeline.toml", wiring.replace('"1 GB"', '"400 MB"'))
    record = sent.run("--budget", "20GB")
    error = record["error"]
    assert (record["exit_code"], error["kind"], error["step"]) == (3, "budget_exceeded", "model")
    assert "400 MB (memory of [executors.trainer], pipeline.toml)" in error["message"]
    assert error["ways_out"][-1]["do"].startswith("raise `memory` of [executors.trainer]")
    assert error["budget_bytes"] == 400 * 10**6
    assert left_behind(sent) == []


@pytest.mark.slow
def test_max_disk_holds_for_what_comes_back(sent: Project) -> None:
    source = (sent.package / "segments/s02.py").read_text()
    large = source.replace(
        "path.write_text(", "path.with_name('zeros.bin').write_bytes(bytes(10**7));path.write_text("
    )
    sent.write(
        "src/demo/segments/s02.py",
        large.replace("return path\n", "return workdir\n").replace(
            "model.read_text()", "(model / 'model.txt').read_text()"
        ),
    )
    budget = (sent.folder / "memory_budget.toml").read_text()
    wiring = (sent.folder / "pipeline.toml").read_text()
    sent.write(
        "pipeline.toml", wiring.replace('model = "data/out/model.txt"', 'model = "data/out/model"')
    )
    sent.write("memory_budget.toml", f'{budget}\n[checkpoints]\nmax_disk = "9 MB"\n')
    record = sent.run()
    assert (record["exit_code"], record["error"]["kind"]) == (5, "storage")
    assert "max_disk in memory_budget.toml leaves" in record["error"]["message"]
    assert "s02" not in sent.manifests()


def test_the_budget_of_the_run_does_not_hold_there(sent: Project) -> None:
    sent.segments(
        s01="@step\ndef small() -> int:\n    return 1",
        s02="""
        import time

        @step
        def large(small: int) -> int:
            ones = np.ones(40_000_000)
            time.sleep(0.1)  # the array stays for some looks, or they see it half filled
            return small + len(ones)
        """,
    )
    wiring = (sent.folder / "pipeline.toml").read_text()
    kept, _, _ = wiring.partition("[outputs]")
    sent.write("pipeline.toml", kept + "[run_on]" + wiring.partition("[run_on]")[2])
    record = sent.run(MEMORY_BUDGET="300MB")
    assert record["exit_code"] == 0, record
    assert record["segments"][1]["peak_bytes"] > 320 * 10**6
    assert record["peak_bytes"] <= 300 * 10**6, "what is held elsewhere is not held here"


def test_a_process_that_dies_there_says_so_and_leaves_nothing(sent: Project) -> None:
    sent.write("order.txt", "die")
    record = sent.run()
    error = record["error"]
    assert (record["exit_code"], error["kind"], error["step"]) == (1, "step_failed", "model")
    assert "ended with exit code 3" in error["message"]
    assert left_behind(sent) == []


@pytest.mark.slow
def test_a_place_ends_itself_at_its_time_limit(project: Project) -> None:
    sent = lay_out(project, limit="4 s")
    sent.write("order.txt", "wait")
    record = sent.run()
    assert (record["exit_code"], record["error"]["kind"]) == (5, "executor")
    assert "time limit of 4.0 s" in record["error"]["message"]
    assert "time_limit" in record["error"]["message"]
    assert left_behind(sent) == []


@pytest.mark.parametrize("number", [signal.SIGINT, *in_slow(signal.SIGTERM)])
def test_an_interrupt_ends_the_place_too(sent: Project, number: signal.Signals) -> None:
    sent.write("order.txt", "wait")
    process = sent.start("run")
    reached(sent)
    [line] = places(sent)
    assert (line["segment"], line["executor"], line["lives"]) == ("s02", "trainer", True)
    code, printed = ended_by(process, number)
    assert code == 130
    assert f"`{line['place']}` is gone" in printed
    assert left_behind(sent) == []
    sent.write("order.txt", "")
    assert sent.statuses() == {"s01": "reused", "s02": "ran", "s03": "ran"}


def test_a_killed_run_takes_the_place_with_it_and_the_next_run_cleans_up(sent: Project) -> None:
    sent.write("order.txt", "wait")
    process = sent.start("run")
    reached(sent)
    ended_by(process, signal.SIGKILL)
    [line] = places(sent)
    assert "left behind" in line["state"]
    sent.write("order.txt", "")
    done = sent.command("run")
    assert done.returncode == 0, done.stderr
    assert f"`{line['place']}` was left behind" in done.stderr
    assert f"`{line['place']}` is gone" in done.stderr
    assert left_behind(sent) == []
    assert sent.load("used") == "100.0"


@pytest.mark.slow
def test_a_sweep_destroys_what_a_killed_run_has_left(sent: Project) -> None:
    sent.write("order.txt", "wait")
    process = sent.start("run")
    reached(sent)
    [line] = places(sent)
    busy = sent.command("executors", "sweep", "--json")
    assert json.loads(busy.stdout) == {"gone": [], "failed": [], "unknown": []}, "it is at work"
    ended_by(process, signal.SIGKILL)
    swept = sent.command("executors", "sweep", "--json")
    assert json.loads(swept.stdout)["gone"] == [line["place"]]
    assert left_behind(sent) == []
    assert "nothing lives" in sent.command("executors").stdout


@pytest.mark.slow
def test_a_changed_last_step_trains_nothing_again(sent: Project) -> None:
    assert sent.run()["exit_code"] == 0
    source = (sent.package / "segments/s02.py").read_text()
    sent.write("src/demo/segments/s02.py", source.replace("[float(model", "[1 + float(model"))
    record = sent.run()
    assert record["segments"][1]["reused_steps"] == ["features", "model"]
    assert (sent.load("used"), trainings(sent)) == ("101.0", 1)
    sent.write("src/demo/segments/s02.py", source)
    assert sent.statuses()["s02"] == "reused"


@pytest.mark.slow
def test_params_and_inputs_of_a_run_go_along(sent: Project) -> None:
    sent.segments(
        s01="@step\ndef small() -> int:\n    return 1",
        s02="""
        import datetime

        @step
        def sums(
            small: int, raw: Path, folder: Path, every: list[Path], day: datetime.date,
            region: str, token: str,
        ) -> dict[str, str | int | list[str] | datetime.date]:
            return {
                "raw": raw.read_text(),
                "folder": sorted(path.name for path in folder.rglob("*")),
                "every": [path.read_text() for path in every],
                "day": day, "region": region, "token": len(token),
            }
        """,
    )
    outside = sent.folder.parent / "outside"
    (outside / "inner").mkdir(parents=True)
    for name in ("one.csv", "two.csv", "inner/three.csv"):
        (outside / name).write_text(name)
    sent.write(
        "pipeline.toml",
        f"""
        [inputs]
        raw = "data/raw.csv"
        folder = "{outside}"
        every = "{outside}/*.csv"
        [params]
        day = 2024-02-29
        [env]
        region = {{ variable = "REGION", default = "north" }}
        token = {{ variable = "TOKEN", secret = true }}
        [run_on]
        s02 = "trainer"
        [executors.trainer]
        kind = "local"
        memory = "1 GB"
        time_limit = "5 min"
        """,
    )
    record = sent.run("--set", "day=2025-01-31", "--set", "region=south", TOKEN="opensesame")
    assert record["exit_code"] == 0, record["error"]
    value = sent.load("sums")
    assert "'raw': 'a,b,c\\n1,2,3\\n4,5,6\\n'" in value
    assert "'folder': ['inner', 'one.csv', 'three.csv', 'two.csv']" in value
    assert "'every': ['one.csv', 'two.csv']" in value
    assert "datetime.date(2025, 1, 31), 'region': 'south', 'token': 10" in value
    assert left_behind(sent) == []


def test_nothing_runs_beside_what_is_elsewhere_so_an_interrupt_ends_the_place(
    sent: Project,
) -> None:
    """A segment that could run at once waits, and the main thread is there for the interrupt."""
    sent.write(
        "src/demo/segments/s04.py",
        """
        import pandas as pd

        from ..checkpointing import step
        from ..notes import ran


        @step
        def free(unread: pd.DataFrame) -> int:
            ran("free")
            return len(unread)
        """,
    )
    pipeline = sent.package / "pipeline.py"
    pipeline.write_text(pipeline.read_text().replace("s03", "s03, s04"))
    sent.write("order.txt", "wait")
    process = sent.start("run", "--jobs", "3")
    reached(sent)
    code, printed = ended_by(process, signal.SIGINT)
    assert code == 130
    assert "is gone" in printed
    assert left_behind(sent) == []
    assert "free" not in sent.executed()
