"""The command `new` in a real process: what it prints, its exit codes, and that it does all or
nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError, StorageError
from flight_delays.checkpointing.tools.new.writing import write_all

from ...conftest import Project

STEP = """
@step
def rows(count: int) -> pd.DataFrame:
    return pd.DataFrame({"number": range(count)})

print("a module was imported")
"""


@pytest.fixture
def small(project: Project) -> Project:
    project.segments(s01_rows=STEP)
    project.write("pipeline.toml", "[params]\ncount = 3\n")
    return project


def contents(folder: Path) -> dict[str, bytes]:
    """All files of the project but for the runtime's."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in found if "checkpointing" not in p.parts
    }


def test_what_it_makes_runs(small: Project) -> None:
    for words in (["segment", "more"], ["step", "most", "--in", "more"], ["pipeline", "nightly"]):
        done = small.command("new", *words)
        assert done.returncode == 0, done.stderr
        assert "a module was imported" not in done.stdout
    assert small.statuses() == {"s01_rows": "ran", "s02_more": "ran"}


def test_it_says_in_a_few_lines_what_it_made_and_what_is_next(small: Project) -> None:
    done = small.command("new", "segment", "more")
    assert done.stdout.splitlines() == [
        "created  src/demo/segments/s02_more.py",
        "created  tests/test_more.py",
        "changed  src/demo/pipeline.py",
        "Segment `s02_more` runs after `s01_rows` in pipeline `demo`; "
        "its step `more` takes `rows`.",
        "Write your own step and test in place of the example; then run the tests and `review`.",
    ]


def test_json_is_one_object_also_when_it_is_refused(small: Project) -> None:
    told = json.loads(small.command("new", "step", "more", "--in", "rows", "--json").stdout)
    assert told["created"] == ["tests/test_rows.py"]
    assert told["changed"] == ["src/demo/segments/s01_rows.py"]
    assert (told["pipeline"], told["segment"], told["step"]) == ("demo", "s01_rows", "more")
    done = small.command("new", "step", "more", "--in", "rows", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["kind"] == "configuration"


def test_it_works_in_a_folder_within_the_project(small: Project) -> None:
    folder = small.folder / "notebooks" / "drafts"
    folder.mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-m", "demo", "new", "segment", "more"],
        cwd=folder,
        env=small.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (small.package / "segments" / "s02_more.py").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["step", "more"], "name the segment of the step"),
        (["step", "more", "--after", "rows"], "`new step` takes no --after"),
        (["segment", "more", "--in", "rows"], "`new segment` takes no --in"),
        (["pipeline", "more", "--pipeline", "demo"], "`new pipeline` takes no --pipeline"),
        (["table", "more"], "'table' is not one of"),
        (["segment", "class"], "is a keyword"),
    ],
)
def test_what_cannot_be_meant_is_a_mistake_of_usage(
    small: Project, words: list[str], message: str
) -> None:
    before = contents(small.folder)
    done = small.command("new", *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert contents(small.folder) == before


def test_by_hand_means_that_all_texts_are_printed_and_none_is_written(small: Project) -> None:
    path = small.package / "pipeline.py"
    path.write_text(path.read_text().replace("Pipeline(s01_rows", "Pipeline(*[s01_rows]"))
    before = contents(small.folder)
    done = small.command("new", "segment", "more", "--json")
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert [*error["files"]] == ["src/demo/segments/s02_more.py", "tests/test_more.py"]
    assert "from .segments import s02_more" in error["message"]
    assert "def more(" in done.stderr
    assert contents(small.folder) == before


def test_a_file_in_the_place_of_a_folder_is_refused_and_nothing_stays(small: Project) -> None:
    (small.folder / "tests").write_text("")
    before = contents(small.folder)
    done = small.command("new", "segment", "more")
    assert done.returncode == 5
    assert "Nothing was changed" in done.stderr
    assert contents(small.folder) == before


def test_an_interrupt_leaves_nothing_behind(small: Project) -> None:
    """The handler of the signal runs while the files are written: in the last rename."""
    before = contents(small.folder)
    told = small.python(
        f"""
        import os, signal, sys
        from demo.checkpointing.base import interrupts
        from demo.checkpointing.tools.new import writing
        from demo.checkpointing.tools.new.command import new_command

        interrupts.listen()
        held = writing._staged
        def staged(*arguments):
            made = held(*arguments)
            os.kill(os.getpid(), signal.{signal.SIGINT.name})
            return made
        writing._staged = staged
        print(new_command("demo", "segment", "more", None, None, None, False))
        sys.stdout.flush()
        os._exit(0)
        """
    )
    assert told.split() == ["130"]
    assert contents(small.folder) == before


def test_a_change_that_cannot_be_finished_is_taken_back(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("former")
    second.mkdir()
    made = tmp_path / "folder" / "made"
    with pytest.raises(StorageError, match="Nothing was changed"):
        write_all({made: b"new"}, {first: b"later", second: b"later"})
    assert first.read_text() == "former"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second"]


def test_a_file_that_appears_meanwhile_stays_and_the_rest_is_taken_back(tmp_path: Path) -> None:
    changed, theirs = tmp_path / "changed", tmp_path / "theirs"
    changed.write_text("former")
    theirs.write_text("theirs")
    with pytest.raises(ConfigurationError, match="exists already, and is never overwritten"):
        write_all({tmp_path / "made": b"new", theirs: b"new"}, {changed: b"later"})
    assert (changed.read_text(), theirs.read_text()) == ("former", "theirs")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["changed", "theirs"]


def test_a_changed_file_keeps_its_mode(tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    changed.write_text("former")
    changed.chmod(0o750)
    write_all({}, {changed: b"later"})
    assert changed.read_text() == "later"
    assert os.stat(changed).st_mode & 0o777 == 0o750
