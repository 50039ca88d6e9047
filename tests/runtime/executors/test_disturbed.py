"""What goes wrong on the way to a place, in it and on the way back: nothing is lost or leaks.

The executor is one of the project's own, in adapters.py, that a file tells how to go wrong.
"""

from __future__ import annotations

import json
import signal

import pytest

from ...marks import in_slow
from ..conftest import Project, until
from .sent import (
    PREPARED,
    TRAINED,
    USED,
    ended_by,
    lay_out,
    left_behind,
    places,
    reached,
    trainings,
)


@pytest.fixture
def sent(project: Project) -> Project:
    return lay_out(project, kind="disturbed")


def test_a_kind_of_the_projects_own_runs_a_segment(sent: Project) -> None:
    record = sent.run()
    assert record["exit_code"] == 0, record["error"]
    assert record["segments"][1]["executor"] == "trainer"
    assert (sent.load("used"), left_behind(sent)) == ("100.0", [])


def test_a_kind_that_nobody_registered_is_refused_before_anything_runs(sent: Project) -> None:
    wiring = (sent.folder / "pipeline.toml").read_text()
    sent.write("pipeline.toml", wiring.replace('"disturbed"', '"disturbd"'))
    record = sent.run()
    assert (record["exit_code"], record["segments"]) == (2, [])
    assert "there are local, skypilot, disturbed" in record["error"]["message"]


def test_infrastructure_that_cannot_be_had_is_an_error_of_its_own(sent: Project) -> None:
    sent.write("disturb.txt", "no machine")
    record = sent.run()
    assert (record["exit_code"], record["error"]["kind"]) == (5, "executor")
    assert record["error"]["segment"] == "s02"
    assert "no machine with so much memory" in record["error"]["message"]
    assert left_behind(sent) == []


@pytest.mark.slow
def test_of_a_machine_that_was_lost_the_finished_parts_are_kept(sent: Project) -> None:
    sent.write("order.txt", "raise")  # after its first step, which is then in storage
    sent.write("disturb.txt", "lost")
    record = sent.run()
    assert (record["exit_code"], record["error"]["kind"]) == (5, "executor")
    assert left_behind(sent) == []
    sent.write("order.txt", "")
    sent.write("disturb.txt", "")
    assert sent.run()["segments"][1]["reused_steps"] == ["features"]
    assert (sent.load("used"), left_behind(sent)) == ("100.0", [])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("disturbed", "kind", "says"),
    [
        ("a flipped byte", "storage", "as it was sent from there"),
        pytest.param(
            *("no result", "storage", "its result is not in storage"), marks=pytest.mark.exhaustive
        ),
        pytest.param(
            *("half a result", "storage", "result.json is damaged"), marks=pytest.mark.exhaustive
        ),
    ],
)
def test_a_result_that_is_not_whole_is_refused_and_the_former_one_kept(
    sent: Project, disturbed: str, kind: str, says: str
) -> None:
    assert sent.run()["exit_code"] == 0
    published = (sent.folder / "data/out/model.txt").read_text()
    former = sent.manifests()["s02"]
    wiring = (sent.folder / "pipeline.toml").read_text()
    sent.write("pipeline.toml", wiring.replace("factor = 10", "factor = 20"))
    sent.write("disturb.txt", disturbed)
    record = sent.run()
    assert (record["exit_code"], record["error"]["kind"]) == (5, kind)
    assert says in record["error"]["message"]
    assert (sent.folder / "data/out/model.txt").read_text() == published
    assert sent.manifests()["s02"] == former
    assert (left_behind(sent), sent.strays()) == ([], [])
    sent.write("pipeline.toml", wiring)
    assert sent.statuses()["s02"] == "reused"
    sent.write("pipeline.toml", wiring.replace("factor = 10", "factor = 20"))
    sent.write("disturb.txt", "")
    assert sent.statuses()["s02"] == "ran"
    assert (sent.load("used"), left_behind(sent)) == ("200.0", [])


@pytest.mark.slow
def test_a_result_that_cannot_be_committed_now_waits_for_the_next_run(sent: Project) -> None:
    assert sent.run()["exit_code"] == 0
    wiring = (sent.folder / "pipeline.toml").read_text()
    sent.write("pipeline.toml", wiring.replace("factor = 10", "factor = 20"))
    sent.write("disturb.txt", "in the way")
    record = sent.run()
    assert (record["exit_code"], record["error"]["kind"]) == (5, "storage")
    assert "the next run takes it" in record["error"]["message"]
    folder = sent.checkpoints() / "s02"
    folder.unlink()
    folder.with_name("s02-away").rename(folder)
    sent.write("disturb.txt", "")
    record = sent.run()
    assert record["exit_code"] == 0, record["error"]
    assert (sent.load("used"), trainings(sent), left_behind(sent)) == ("200.0", 2, [])


@pytest.mark.slow
def test_a_result_counts_also_if_the_connection_was_lost_after_it(sent: Project) -> None:
    sent.write("disturb.txt", "lost after the result")
    record = sent.run()
    assert (record["exit_code"], record["error"]["kind"]) == (5, "executor")
    sent.write("disturb.txt", "")
    assert sent.run()["exit_code"] == 0
    assert (sent.load("used"), trainings(sent), left_behind(sent)) == ("100.0", 1, [])


@pytest.mark.exhaustive
def test_a_waiting_result_that_is_damaged_is_made_again_at_once(sent: Project) -> None:
    sent.write("disturb.txt", "fetch")
    process = sent.start("run")
    reached(sent)
    ended_by(process, signal.SIGINT)
    [line] = places(sent)
    assert "waits" in line["state"]
    [model] = (sent.folder / "executors").glob(
        f"{line['place']}.storage/checkpoints/*/s02/*/model*"
    )
    file = model if model.is_file() else next(model.iterdir())
    file.write_bytes(b"9" + file.read_bytes()[1:])
    sent.write("disturb.txt", "")
    done = sent.command("run")
    assert done.returncode == 0, done.stderr
    assert "It is made again" in done.stderr
    assert (sent.load("used"), trainings(sent), left_behind(sent)) == ("100.0", 2, [])


@pytest.mark.slow
def test_what_waits_can_be_dropped(sent: Project) -> None:
    sent.write("disturb.txt", "fetch")
    process = sent.start("run")
    reached(sent)
    ended_by(process, signal.SIGINT)
    assert len(places(sent)) == 1
    sent.command("executors", "sweep")
    assert len(places(sent)) == 1
    assert sent.command("executors", "sweep", "--results").returncode == 0
    assert left_behind(sent) == []


@pytest.mark.slow
def test_a_leak_is_shouted_also_if_a_later_segment_fails(sent: Project) -> None:
    sent.write("disturb.txt", "no teardown")
    sent.segments(
        s01=PREPARED,
        s02=TRAINED,
        s03=USED.replace("return float", "raise ValueError; return float"),
    )
    record = sent.run()
    assert (record["exit_code"], record["error"]["step"]) == (1, "used")
    assert "MAY STILL LIVE" in record["error"]["message"]


@pytest.mark.exhaustive
def test_one_damaged_entry_keeps_no_other_place_alive(sent: Project) -> None:
    sent.write("order.txt", "wait")
    process = sent.start("run")
    reached(sent)
    ended_by(process, signal.SIGKILL)
    [line] = places(sent)
    sent.write(f"executors/{line['place'][:-8]}deadbeef.json", "{")
    swept = sent.command("executors", "sweep")
    assert swept.returncode == 5
    assert f"`{line['place']}` is gone" in swept.stdout
    assert "deadbeef" in swept.stdout
    sent.write("order.txt", "")
    done = sent.command("run")
    assert done.returncode == 0, done.stderr
    assert "deadbeef" in done.stderr


@pytest.mark.slow
def test_a_teardown_that_fails_is_shouted_after_the_run_has_kept_its_results(
    sent: Project,
) -> None:
    sent.write("disturb.txt", "no teardown")
    done = sent.command("run")
    assert done.returncode == 5
    [line] = places(sent)
    assert f"`{line['place']}` MAY STILL LIVE, and cost money: the cloud does not" in done.stderr
    assert "rm -rf" in done.stderr, "the command to end it by hand"
    assert sent.load("used") == "100.0"
    assert (sent.folder / "data/out/model.txt").exists()
    sweep = sent.command("executors", "sweep")
    assert sweep.returncode == 5
    assert line["place"] in sweep.stdout

    sent.write("disturb.txt", "")
    done = sent.command("run")
    assert done.returncode == 0, done.stderr
    assert f"`{line['place']}` is gone" in done.stderr
    assert (trainings(sent), left_behind(sent)) == (1, [])


@pytest.mark.exhaustive
def test_a_teardown_that_fails_does_not_hide_why_the_training_did(sent: Project) -> None:
    sent.write("order.txt", "raise")
    sent.write("disturb.txt", "raise, no teardown")
    record = sent.run()
    error = record["error"]
    assert (record["exit_code"], error["kind"]) == (1, "step_failed")
    assert error["message"].startswith("step `model`") or "no signal" in error["message"]
    assert "MAY STILL LIVE" in error["message"]
    assert len(places(sent)) == 1
    sent.write("disturb.txt", "")
    assert sent.command("executors", "sweep").returncode == 0
    assert sent.processes() == []
    [line] = places(sent)
    assert "what it has made waits" in line["state"]
    sent.write("order.txt", "")
    record = sent.run()
    assert (record["exit_code"], record["segments"][1]["reused_steps"]) == (0, ["features"])
    assert left_behind(sent) == []


@pytest.mark.parametrize(
    ("place", "number"),
    [
        pytest.param("launch", signal.SIGINT, marks=pytest.mark.slow),
        pytest.param("fetch", signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param("launch", signal.SIGTERM, marks=pytest.mark.exhaustive),
        pytest.param("fetch", signal.SIGINT, marks=pytest.mark.exhaustive),
        pytest.param("teardown", signal.SIGINT, marks=pytest.mark.exhaustive),
        pytest.param("teardown", signal.SIGTERM, marks=pytest.mark.exhaustive),
    ],
)
def test_an_interrupt_in_any_phase_leaves_nothing_alive(
    sent: Project, place: str, number: signal.Signals
) -> None:
    sent.write("disturb.txt", place)
    process = sent.start("run")
    reached(sent)
    if place == "teardown":  # it is not cut off; here it would wait for two minutes
        process.send_signal(number)
        process.kill()
        process.communicate()
    else:
        code, _ = ended_by(process, number)
        assert code == 130
        kept = [line["state"] for line in places(sent)]
        assert len(kept) == (place == "fetch"), "what has been made waits, and nothing else"
        assert sent.processes() == []
    sent.write("disturb.txt", "")
    assert sent.run()["exit_code"] == 0
    assert (sent.load("used"), left_behind(sent)) == ("100.0", [])
    assert trainings(sent) == 1


@pytest.mark.parametrize("place", ["fetch", *in_slow("launch", "teardown")])
def test_a_run_that_is_killed_in_any_phase_is_cleaned_up_by_the_next(
    sent: Project, place: str
) -> None:
    sent.write("disturb.txt", place)
    process = sent.start("run")
    reached(sent)
    ended_by(process, signal.SIGKILL)
    sent.write("disturb.txt", "")
    done = sent.command("run", "--json")
    assert done.returncode == 0, done.stderr
    assert (sent.load("used"), left_behind(sent)) == ("100.0", [])
    # Once it had ended, its result was durable: nothing is trained again.
    assert trainings(sent) == 1
    assert json.loads(done.stdout)["segments"][1]["status"] == "ran"


@pytest.mark.slow
def test_a_sweep_leaves_alone_what_a_run_has_begun_since_it_read_the_ledger(sent: Project) -> None:
    sent.write("order.txt", "wait")
    process = sent.start("run")
    reached(sent)
    [entry] = (sent.folder / "executors").glob("*.json")
    hidden = entry.rename(sent.folder / "entry")  # the ledger before the run began
    adapters = (sent.package / "adapters.py").read_text()
    began = f"def living(self, _of=Local.living):\n    Path('{hidden}').rename('{entry}')\n"
    sent.write(
        "src/demo/adapters.py",
        f"{adapters}\n{began}    return _of(self)\n\nDisturbed.living = living\n",
    )
    swept = sent.command("executors", "sweep", "--json")
    assert json.loads(swept.stdout) == {"gone": [], "failed": [], "unknown": []}
    sent.write("src/demo/adapters.py", adapters)
    [line] = places(sent)
    assert line["lives"]
    assert ended_by(process, signal.SIGINT)[0] == 130
    assert left_behind(sent) == []


@pytest.mark.slow
def test_an_interrupt_while_inputs_are_sent_leaves_nothing(sent: Project) -> None:
    with open(sent.folder / "data/large.bin", "wb") as file:
        file.truncate(3 << 30)  # sparse: it takes seconds to send, and no room
    source = (sent.package / "segments/s02.py").read_text()
    taking = source.replace("factor: int, marks", "large: Path, factor: int, marks")
    sent.write("src/demo/segments/s02.py", taking)
    wiring = (sent.folder / "pipeline.toml").read_text()
    sent.write("pipeline.toml", wiring.replace("[inputs]", '[inputs]\nlarge = "data/large.bin"'))
    process = sent.start("run")
    until(lambda: list((sent.folder / "executors").glob("*.storage")), "its storage")
    code, _ = ended_by(process, signal.SIGINT)
    assert (code, left_behind(sent), trainings(sent)) == (130, [], 0)
