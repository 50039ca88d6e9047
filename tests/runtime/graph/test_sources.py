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
