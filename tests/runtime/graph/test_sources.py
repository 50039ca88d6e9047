"""A worker reads the project's own modules once, and leaves the rest to Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from flight_delays.checkpointing.graph.sources import OWN_HOME, Home, home_of

from ..conftest import RUNTIME, Project

LOADERS = """
import sys
import demo.helper, demo.segments.s01
from demo.checkpointing.graph.sources import OWN_HOME, import_afresh, read_once

read_once([OWN_HOME])
import_afresh()
import demo.helper, beside, elsewhere
from demo.segments import s01
for name in ("demo", "demo.segments.s01", "beside", "elsewhere", "demo.checkpointing", "json"):
    print(name, type(sys.modules[name].__loader__).__name__ == "_ReadOnce")
print(demo.checkpointing.step is s01.step)
"""


def test_first_party_modules_are_read_once_wherever_they_lie_and_no_others(
    project: Project, tmp_path: Path
) -> None:
    project.write("src/demo/helper.py", "")
    project.write("src/beside.py", "")
    project.segments(s01="@step\ndef one() -> int: ...\n")
    (tmp_path / "elsewhere.py").write_text("")
    code = f"import sys; sys.path.append({str(tmp_path)!r})\n{LOADERS}"

    assert project.python(code).splitlines() == [
        "demo True",
        "demo.segments.s01 True",
        "beside True",
        "elsewhere True",
        "demo.checkpointing False",
        "json False",
        "True",
    ]


def test_a_module_that_is_imported_anew_has_none_of_what_it_was(project: Project) -> None:
    code = """
    from pathlib import Path
    from demo.checkpointing.graph.sources import OWN_HOME, import_afresh, read, read_once
    import demo.notes

    place = Path(demo.notes.__file__)
    demo.notes.LEFT = place.write_text("MADE = 1")
    read_once([OWN_HOME])
    import_afresh()
    import demo.notes
    place.write_text("MADE = 2")
    print(demo.notes.MADE, hasattr(demo.notes, "LEFT"), read(place))
    """
    assert project.python(code) == "1 False b'MADE = 1'\n"


@pytest.mark.parametrize(("compiled", "imported"), [("MADE = 2", "1"), ("MADE = 1", "2")])
def test_a_module_is_imported_as_another_process_has_compiled_the_same_bytes(
    project: Project, compiled: str, imported: str
) -> None:
    project.write("src/demo/notes.py", "MADE = 1")
    imports = """
    from pathlib import Path
    from demo.checkpointing.graph.sources import *
    from demo.checkpointing.graph.sources import OWN_HOME
    read_once([OWN_HOME])
    """
    code = f"""{imports}
    import_afresh()
    import demo.notes
    print(compiled(Path(demo.notes.__file__)).hex())
    """
    made = project.python(code).strip()
    place = project.write("src/demo/notes.py", "MADE = 2")
    code = f"""{imports}
    code = content_of({compiled.encode()!r}), bytes.fromhex("{made}")
    have_compiled({{Path({str(place)!r}).resolve(): code}})
    import_afresh()
    import demo.notes
    print(demo.notes.MADE)
    """

    assert project.python(code).strip() == imported


def test_a_module_with_another_comment_is_compiled_anew(project: Project) -> None:
    """Its digest is the same, but not the lines that a traceback names."""
    project.segments(s01="@step\ndef one() -> int:\n    return 1\n")
    describing = """
    import pickle
    from pathlib import Path
    from demo.checkpointing.graph.sources import OWN_HOME, import_afresh, read_once
    from demo.checkpointing.reuse.bound import describe

    read_once([OWN_HOME])
    import_afresh()
    from demo.pipeline import PIPELINE
    Path("described").write_bytes(pickle.dumps(describe(PIPELINE)))
    """
    importing = """
    import pickle, sys
    from pathlib import Path
    import demo
    from demo.checkpointing.worker.unchanged import import_unchanged

    described = pickle.loads(Path("described").read_bytes())
    [segment] = described.graph.segments
    import_unchanged({segment: described.code["s01"]}, ())
    assert "demo.segments.s01" in described.code["s01"].compiled
    print(sys.modules["demo.segments.s01"].one.__code__.co_firstlineno)
    """
    project.python(describing)
    before = int(project.python(importing))
    place = project.package / "segments" / "s01.py"
    place.write_text("# a comment\n\n" + place.read_text())

    assert int(project.python(importing)) == before + 2


@pytest.mark.parametrize(
    ("module", "file", "folder", "packages"),
    [
        ("demo.segments.s01", "/x/src/demo/segments/s01.py", "/x/src", {"demo"}),
        ("demo.segments", "/x/src/demo/segments/__init__.py", "/x/src", {"demo"}),
        ("demo", "/x/src/demo/__init__.py", "/x/src", {"demo"}),
        ("alone", "/x/src/alone.py", "/x/src", set()),
    ],
)
def test_the_home_of_a_module_is_where_its_imports_start_from(
    module: str, file: str, folder: str, packages: set[str]
) -> None:
    assert home_of(module, Path(file)) == Home(Path(folder), frozenset(packages))


def test_the_home_of_the_runtime_is_that_of_the_package_it_lies_in() -> None:
    assert Home(RUNTIME.parents[1], frozenset({"flight_delays"})) == OWN_HOME
