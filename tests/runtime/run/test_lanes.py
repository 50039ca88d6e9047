"""Items of a step that runs for each, several at once: the same results, and none is lost."""

from __future__ import annotations

import json
import os
import signal

import pytest

from ...marks import in_slow
from ..conftest import Project, until

MB = 10**6
STEPS = """
import importlib, os, signal, time

def busy(seconds):
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        pass

@step
def table(mb: int) -> np.ndarray:
    return np.arange(1000.0)

@step(each="items")
def made(items: str, table: np.ndarray, mb: int, meet: bool) -> np.ndarray:
    ran(f"made-{items}")
    Path(f"{items}.here").touch()
    busy(0.35)  # so long an item pays
    block = np.ones(mb << 17)
    deadline = time.monotonic() + 60
    while meet and items != "a" and len(list(Path(".").glob("*.here"))) < 3:
        assert time.monotonic() < deadline, "no other item came"
        time.sleep(0.01)
    if Path(f"{items}.order").exists():
        order = Path(f"{items}.order").read_text()
        Path(f"{items}.order").unlink()
        if order == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if order == "raise":
            raise ValueError("no")
        if order == "exit":
            os._exit(3)
        time.sleep(120 if order == "wait" else 0)
    found = importlib.import_module("." + "late", __package__).FACTOR
    return table[: ord(items) - ord("a") + 1] * found + block[0]
"""
WHOLE = """
@step
def whole(made: list[np.ndarray]) -> list[float]:
    return [float(item.sum()) for item in made]
"""
EXPECTED = [sum(float(n) * 2 + 1 for n in range(count)) for count in range(1, 6)]


@pytest.fixture
def lanes(project: Project) -> Project:
    project.segments(s01=STEPS, s02=WHOLE)
    (project.package / "segments" / "late.py").write_text("FACTOR = 2\n")
    items = ", ".join(f'"{item}"' for item in "abcde")
    project.write("pipeline.toml", f"[params]\nitems = [{items}]\nmb = 1\nmeet = false\n")
    return project


def whole(project: Project) -> list[float]:
    return list(json.loads(project.load("whole")))


def items_of(record: dict[str, object]) -> list[list[str]]:
    """The keys of the items that ran, by the part that ran them."""
    segment = record["segments"][0]  # type: ignore[index]
    return [[i["key"] for i in s["items"]] for s in segment["steps"] if s["name"] == "made"]


def test_further_items_run_at_once_when_one_was_measured(lanes: Project) -> None:
    record = lanes.run("--set", "meet=true", "--jobs", "2")
    assert record["exit_code"] == 0, record["error"]
    assert items_of(record) == [["a"], ["b", "c", "d", "e"]]
    assert whole(lanes) == EXPECTED
    assert sorted(lanes.executed()) == [f"made-{item}" for item in "abcde"]
    assert lanes.strays() == []
    assert set(lanes.statuses("--set", "meet=true").values()) == {"reused"}


@pytest.mark.slow
def test_one_by_one_gives_the_same(lanes: Project) -> None:
    record = lanes.run("--jobs", "1")
    assert items_of(record) == [["a", "b", "c", "d", "e"]]
    one_by_one = lanes.manifests()["s01"]["values"]
    at_once = lanes.run("--jobs", "2", "--fresh")
    assert items_of(at_once) == [["a", "b", "c", "d", "e"]], "it is measured: all in two lanes"
    values = lanes.manifests()["s01"]["values"]
    assert {n: v["checksum"] for n, v in values.items()} == {
        n: v["checksum"] for n, v in one_by_one.items()
    }
    assert list(values) == list(one_by_one)
    assert whole(lanes) == EXPECTED


@pytest.mark.slow
def test_they_run_one_by_one_where_there_is_no_room_for_two(lanes: Project) -> None:
    lanes.run("--set", "mb=200")
    record = lanes.run("--set", "mb=200", "--fresh", "--budget", "420MB")
    assert record["exit_code"] == 0, record["error"]
    assert record["peak_bytes"] <= 420 * MB
    assert whole(lanes) == EXPECTED


def test_an_item_that_raises_is_named_and_the_others_are_kept(lanes: Project) -> None:
    lanes.write("c.order", "raise")
    record = lanes.run("--jobs", "2")
    error = record["error"]
    assert (record["exit_code"], error["step"]) == (1, "made")
    assert "item `c`: " in error["message"]
    done = set(lanes.executed()) - {"made-c"}
    assert f"{len(done)} of its items are done and kept" in error["message"]
    assert lanes.run("--jobs", "2")["exit_code"] == 0
    assert set(lanes.executed()) == {f"made-{item}" for item in "abcde"} - done
    assert whole(lanes) == EXPECTED
    assert lanes.strays() == []


@pytest.mark.parametrize("how", in_slow("kill", "exit"))
def test_a_lane_that_dies_costs_its_item(lanes: Project, how: str) -> None:
    lanes.write("c.order", how)
    record = lanes.run("--jobs", "2")
    again = lanes.run("--jobs", "2") if how == "exit" else record
    assert (record["exit_code"], again["exit_code"]) == (1 if how == "exit" else 0, 0)
    ran = lanes.executed()
    assert sorted(ran) == sorted([f"made-{item}" for item in "abcde"] + ["made-c"])
    assert whole(lanes) == EXPECTED
    assert lanes.strays() == []


@pytest.mark.parametrize("number", in_slow(signal.SIGINT, signal.SIGKILL))
def test_a_run_that_is_ended_keeps_the_items_that_are_done(lanes: Project, number: int) -> None:
    for item in "cd":
        lanes.write(f"{item}.order", "wait")
    process = lanes.start("run", "--jobs", "2")
    for item in "cd":  # both lanes wait
        until((lanes.folder / f"{item}.here").exists, f"item {item}")
    until(lambda: not list(lanes.folder.glob("*.order")), "both of them at their orders")
    os.kill(process.pid, number)
    process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL)
    until(lambda: not lanes.processes(), "the end of all processes")
    lanes.executed()
    assert lanes.run()["exit_code"] == 0
    assert sorted(lanes.executed()) == ["made-c", "made-d", "made-e"]
    assert whole(lanes) == EXPECTED
    assert lanes.strays() == []


@pytest.mark.slow
def test_a_module_that_only_a_lane_has_seen_counts(lanes: Project) -> None:
    lanes.run("--jobs", "2")
    assert lanes.run("--jobs", "2", "--fresh")["exit_code"] == 0
    (lanes.package / "segments" / "late.py").write_text("FACTOR = 3\n")
    assert lanes.statuses("--jobs", "2") == {"s01": "ran", "s02": "ran"}
    assert whole(lanes) != EXPECTED


@pytest.mark.slow
def test_the_items_of_a_sink_keep_their_order(lanes: Project) -> None:
    source = STEPS.replace("-> np.ndarray:\n    ran", "-> None:\n    ran")
    lanes.segments(s01=source.partition("    found =")[0])
    for options in ((), ("--fresh",)):
        record = lanes.run("--jobs", "2", *options)
        assert record["exit_code"] == 0, record["error"]
        assert lanes.executed() == [f"made-{item}" for item in "abcde"]


@pytest.mark.slow
def test_items_of_a_step_that_runs_always_run_once_in_a_run(lanes: Project) -> None:
    head, _, rest = STEPS.partition("@step\ndef table")
    made = rest.partition('@step(each="items")')[2]
    made = made.replace("table: np.ndarray, ", "").replace("table[:", "np.arange(1000.0)[:")
    lanes.segments(s01=f'{head}@step(each="items", always=True){made}', s02=WHOLE)
    for _ in range(2):
        record = lanes.run("--jobs", "2")
        assert record["exit_code"] == 0, record["error"]
        assert sorted(lanes.executed()) == [f"made-{item}" for item in "abcde"]
    assert whole(lanes) == EXPECTED


@pytest.mark.slow
def test_items_that_no_lane_has_room_for_run_alone(lanes: Project) -> None:
    """They were measured to take more than there is now, with other code."""
    lanes.run("--set", "mb=300")
    module = lanes.package / "segments" / "s01.py"
    module.write_text(module.read_text().replace("mb << 17", "min(mb, 1) << 17"))
    record = lanes.run("--set", "mb=300", "--budget", "350MB", "--jobs", "2", "--fresh")
    assert record["exit_code"] == 0, record["error"]
    assert whole(lanes) == EXPECTED


@pytest.mark.slow
def test_a_module_that_a_lane_has_seen_before_another_failed_counts(lanes: Project) -> None:
    lanes.write("e.order", "raise")
    assert lanes.run("--jobs", "2")["exit_code"] == 1
    (lanes.package / "segments" / "late.py").write_text("FACTOR = 3\n")
    lanes.executed()
    assert lanes.run("--jobs", "2")["exit_code"] == 0
    assert sorted(lanes.executed()) == [f"made-{item}" for item in "abcde"]
