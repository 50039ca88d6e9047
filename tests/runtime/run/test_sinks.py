"""Results outside the checkpoints: what a run and `status` know of sinks and published files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flight_delays.checkpointing.reuse.sinks import gone_targets

from ...marks import in_slow
from .. import builders
from ..conftest import Project, run_once

SEGMENTS = {
    "s01": """
    @step
    def rows() -> pd.DataFrame:
        ran("rows")
        return pd.DataFrame({"x": np.arange(3.0)})

    @step
    def load(rows: pd.DataFrame, debug: bool) -> None:
        ran("load")
        Path("db").mkdir(exist_ok=True)
        if not Path("elsewhere.txt").exists():
            Path("db/rows-1.txt").write_text(f"{len(rows)} {debug}")

    @step
    def total(rows: pd.DataFrame) -> float:
        ran("total")
        return float(rows["x"].sum())
    """,
    "s02": """
    @step
    def half(total: float) -> float:
        ran("half")
        return total / 2
    """,
}
WIRING = """
[params]
debug = false

[outputs]
half = "out/half.json"

[sinks]
load = "db/rows-*.txt"
"""
REUSED = {"s01": "reused", "s02": "reused"}
REPEATED = {"s01": "ran", "s02": "reused"}


@pytest.fixture(scope="module")
def original(shared_project: Project) -> Project:
    return run_once(shared_project, SEGMENTS, WIRING)


def status(project: Project, *arguments: str) -> str:
    """What `status` prints."""
    return project.command("status", *arguments, COLUMNS="200").stdout


def segments(project: Project, *arguments: str) -> list[dict[str, Any]]:
    """The segments that `status --json` prints."""
    listed: list[dict[str, Any]] = json.loads(status(project, "--json", *arguments))["segments"]
    return listed


def remove_target(project: Project) -> None:
    for path in (project.folder / "db").iterdir():
        path.unlink()


def test_status_says_when_each_sink_ran_last_and_how_to_repeat_it(original: Project) -> None:
    _, at = original.manifests()["s01"]["ran"]["load"]
    day, clock = at[:10], at[11:19]
    assert f"sink load of s01 ran last {day} {clock}; `run --rerun-from s01` repeats it" in status(
        original
    )
    first, second = segments(original)
    assert first["sinks"] == [
        {
            "name": "load",
            "segment": "s01",
            "target": "db/rows-*.txt",
            "is_gone": False,
            "ran_at": at,
            "ran_otherwise": "",
        }
    ]
    assert second["sinks"] == []


def test_a_sink_that_never_ran_is_listed_as_such(project: Project) -> None:
    project.segments(**SEGMENTS)
    project.write("pipeline.toml", WIRING)
    assert "sink load of s01 has not run\n" in status(project)


def test_a_sink_whose_target_is_gone_is_repeated(done: Project) -> None:
    remove_target(done)
    first, second = segments(done)
    gone = "the target of sink `load` is gone: db/rows-*.txt"
    assert first["reasons"] == [gone, "runs `rows`, `load`"]
    assert first["sinks"][0]["is_gone"]
    assert second["reusable"]
    assert done.statuses() == REPEATED
    assert (done.folder / "db/rows-1.txt").read_text() == "3 False"
    done.executed()
    assert done.statuses() == REUSED
    assert done.executed() == []


def test_the_values_of_a_segment_whose_sink_is_to_be_repeated_can_be_used(done: Project) -> None:
    remove_target(done)
    assert done.statuses("--only", "s02") == {"s02": "reused"}
    kept = set(done.manifests())
    assert done.command("clean", "--old").returncode == 0
    assert set(done.manifests()) == kept == {"s01", "s02"}
    assert done.load("total") == "3.0"


@pytest.mark.slow
def test_a_target_that_the_sink_does_not_make_is_told_of(done: Project) -> None:
    remove_target(done)
    done.write("elsewhere.txt", "")
    told = done.command("run").stderr
    assert "s01: sink `load` has run, but there is no db/rows-*.txt, which [sinks]" in told
    assert done.statuses() == REPEATED


@pytest.mark.slow
def test_a_sink_that_ran_otherwise_since_is_told_of_and_not_repeated(done: Project) -> None:
    assert done.statuses("--set", "debug=true") == REPEATED
    assert (done.folder / "db/rows-1.txt").read_text() == "3 True"
    way = "sink `load` ran last with debug=True; `run --rerun-from s01` repeats it"
    for _ in range(2):  # also when the checkpoint that is reused was used last
        ran = done.command("run")
        assert f"s01: {way}" in ran.stderr
    assert (done.folder / "db/rows-1.txt").read_text() == "3 True"
    assert segments(done)[0]["sinks"][0]["ran_otherwise"] == "with debug=True"
    assert "with debug=True; `run --rerun-from s01` repeats it" in status(done)
    assert segments(done, "--set", "debug=true")[0]["sinks"][0]["ran_otherwise"] == ""
    assert done.statuses("--rerun-from", "s01") == {"s01": "ran", "s02": "ran"}
    assert (done.folder / "db/rows-1.txt").read_text() == "3 False"
    assert "ran last" not in done.command("run").stderr


@pytest.mark.slow
def test_a_sink_that_ran_with_other_code_since_is_told_of(done: Project) -> None:
    path = done.package / "segments" / "s01.py"
    source = path.read_text()
    path.write_text(source.replace("{len(rows)} {debug}", "{debug} {len(rows)}"))
    assert done.statuses() == REPEATED
    path.write_text(source)
    told = done.command("run").stderr
    assert "sink `load` ran last with other code or inputs; `run --rerun-from s01`" in told


@pytest.mark.parametrize("state", in_slow("missing", "changed"))
def test_a_published_file_that_is_not_as_published_shows_and_is_published_again(
    done: Project, state: str
) -> None:
    file = done.folder / "out/half.json"
    good = file.read_text()
    assert segments(done)[1]["outputs"] == [
        {"value": "half", "path": str(file), "state": "published", "why": ""}
    ]
    file.write_text("0") if state == "changed" else file.unlink()
    what = "is missing at" if state == "missing" else "at"
    assert f"output half {what} out/half.json" in status(done)
    assert "`run` publishes it again" in status(done)
    [output] = segments(done)[1]["outputs"]
    assert output["state"] == state
    assert segments(done)[1]["reusable"]
    assert done.statuses() == REUSED
    assert file.read_text() == good
    assert "output half" not in status(done)


def test_a_file_that_no_run_has_published_is_said_to_be_refused(done: Project) -> None:
    (done.folder / "out/.half.json.published").unlink()
    assert segments(done)[1]["outputs"][0]["state"] == "refused"
    assert "`run` refuses to replace it" in status(done)


REFUSED = {
    'b = "x.db"': "[sinks] `b` returns a value, so it is no sink. What a run is to publish belongs",
    'laod = "x.db"': "[sinks] `laod` is no step; did you mean `load`?",
    'load = "sqlite:///x.db"': "[sinks] `load` = 'sqlite:///x.db' is a URL, behind which nothing",
    'load = " "': "[sinks] `load` names nothing; write the file, folder or glob",
}


@pytest.mark.parametrize("entry", REFUSED)
def test_an_entry_of_sinks_that_can_mean_nothing_is_refused(tmp_path: Path, entry: str) -> None:
    steps = "@step\ndef b() -> int: ...\n@step\ndef load(b: int) -> None: ...\n"
    assert REFUSED[entry] in builders.problems(tmp_path, steps, wiring=f"[sinks]\n{entry}\n")


@pytest.mark.parametrize(
    ("text", "is_there"),
    [
        ("db/a.txt", True),
        ("db", True),
        ("db/*.txt", True),
        ("**/a.*", True),
        ("db/[1].txt", True),
        ("db/b.txt", False),
        ("db/*.csv", False),
        ("db/a.txt/b", False),
        ("db/link", False),
        ("{folder}/db/a.txt", True),
        ("{folder}/db/*.csv", False),
    ],
)
def test_a_target_is_a_file_a_folder_or_a_glob(tmp_path: Path, text: str, is_there: bool) -> None:
    folder = tmp_path / "with [1] in its name"
    for name in ("a.txt", "[1].txt"):
        builders.write(folder / "db" / name, "")
    builders.link(folder / "db/link", "nowhere")
    place = text.format(folder=str(folder).replace("[1]", "[[]1]"))
    steps = "@step\ndef load() -> None: ...\n"
    built = builders.pipeline(folder, steps, wiring=f"[sinks]\nload = {place!r}\n")
    gone = gone_targets(built.settings, built.segments[0])
    assert gone == ({} if is_there else {"load": place})
