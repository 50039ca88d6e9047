"""A worker takes over what its parent has read of the same bytes, and reads the rest itself."""

from __future__ import annotations

import pytest

from ..conftest import Project

ONE = "@step\ndef one() -> int:\n    return {value}\n"
READ_AHEAD = """
import pickle, sys
from pathlib import Path
import demo
from demo.checkpointing.reuse.first_party import read_ahead

ahead = read_ahead({"demo.pipeline"})
print(*sorted({name for _, name, *_ in ahead.said}))
print(*sorted(file.stem for file in ahead.compiled))
print(*(name for name in sys.modules if name == "pandas" or name.startswith("demo.segments")))
Path("ahead").write_bytes(pickle.dumps(ahead))
"""
DESCRIBE = """
import ast, pickle
from pathlib import Path
from demo.checkpointing.graph.sources import OWN_HOME, import_afresh, read_once
from demo.checkpointing.reuse.bound import describe
from demo.checkpointing.reuse.readings import take_over

def parse(*arguments, **more):
    if "filename" in more:  # else it is a library that parses a line
        print("parsed", Path(more["filename"]).stem)
    return former(*arguments, **more)

former, ast.parse = ast.parse, parse
read_once([OWN_HOME])
take_over(pickle.loads(Path("ahead").read_bytes()))
import_afresh()
from demo.pipeline import PIPELINE
code = describe(PIPELINE).code["s01"]
print(sorted(code.steps["one"].items()), sorted(code.compiled))
"""


def test_nothing_is_parsed_that_the_parent_has_read(project: Project) -> None:
    project.segments(s01=ONE.format(value=1))
    read = project.python(READ_AHEAD).splitlines()
    names = ["demo", "demo.notes", "demo.pipeline", "demo.segments", "demo.segments.s01"]
    assert read[0].split() == names
    assert read[1].split() == ["__init__", "__init__", "notes", "pipeline", "s01"]
    assert read[2] == ""  # it imports neither libraries nor what it reads

    taken = project.python(DESCRIBE)
    empty = "import pickle; from demo.checkpointing.reuse.readings import Readings\n"
    project.python(empty + "open('ahead', 'wb').write(pickle.dumps(Readings()))")
    alone = project.python(DESCRIBE)

    assert "parsed" not in taken
    stems = ("__init__", "__init__", "notes", "s01")
    assert sorted(alone.splitlines()[:-1]) == [f"parsed {stem}" for stem in stems]
    assert alone.splitlines()[-1] == taken.strip()


def test_what_was_edited_since_is_read_anew(project: Project) -> None:
    project.segments(s01=ONE.format(value=1))
    project.python(READ_AHEAD)
    before = project.python(DESCRIBE)
    project.segments(s01=ONE.format(value=2))
    after = project.python(DESCRIBE).splitlines()

    assert after[0] == "parsed s01"
    assert after[1] != before.strip()
    value = "import sys; from demo.pipeline import PIPELINE; print(sys.modules[{}].one())"
    ran = DESCRIBE + value.format("'demo.segments.s01'")
    assert project.python(ran).splitlines()[-1] == "2"


def test_a_source_that_python_warns_of_is_compiled_where_it_is_imported(project: Project) -> None:
    """So a warning that is an error stops the import, and the parent prints nothing of it."""
    project.write("src/demo/notes.py", 'assert (1, "always true")\ndef ran(step: str) -> None: ...')
    project.segments(s01=ONE.format(value=1))
    read = project.python(READ_AHEAD).splitlines()
    assert "notes" not in read[1].split()
    assert "demo.notes" in read[0].split()

    shown = project.command("run")
    assert shown.returncode == 0
    assert "SyntaxWarning" not in shown.stdout + shown.stderr
    refused = project.command("status", PYTHONWARNINGS="error::SyntaxWarning")
    assert refused.returncode == 2
    assert "SyntaxError: assertion is always true" in refused.stderr


def test_a_module_that_an_import_writes_counts_as_it_is_written(project: Project) -> None:
    project.segments(s01="from ..made import VALUE\n@step\ndef one() -> int:\n    return VALUE\n")
    pipeline = project.package / "pipeline.py"
    listing = pipeline.read_text()
    pipeline.write_text(
        "from pathlib import Path\n"
        "_ROOT = Path(__file__).parents[2]\n"
        "_MADE = Path(__file__).with_name('made.py')\n"
        "_MADE.write_text(f'VALUE = {(_ROOT / \"value.txt\").read_text()}\\n')\n" + listing
    )
    for value in ("2", "3", "3"):
        project.write("value.txt", value)
        record = project.run()
        assert record["exit_code"] == 0, record["error"]
        assert project.load("one") == value
    assert project.statuses() == {"s01": "reused"}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (f"x = {'-' * 7_000}1", "the pipeline cannot be imported: MemoryError"),
        ("def ran(", 'notes.py", line 1'),
    ],
    ids=["more than the parser can hold", "broken"],
)
def test_what_is_wrong_the_worker_says(project: Project, source: str, said: str) -> None:
    project.segments(s01=ONE.format(value=1))
    project.write("src/demo/notes.py", source)
    refused = project.command("status")

    assert refused.returncode == 2
    assert said in refused.stderr


def test_what_is_nested_too_deep_is_left_to_the_worker(project: Project) -> None:
    deep = f"DEEP = {' + '.join(['1'] * 2_000)}\n"
    project.write("src/demo/notes.py", f"{deep}def ran(step: str) -> None: ...\n")
    project.segments(s01=ONE.format(value=1))
    read = project.python(READ_AHEAD).splitlines()

    assert "demo.notes" not in read[0].split()
    assert "notes" not in read[1].split()
    assert "demo.segments.s01" in read[0].split()
