"""The runtime's files are the floors that docs/runtime.md lists, and each rests on those above."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from .conftest import RUNTIME

TABLE = Path(__file__).parents[2] / "docs" / "runtime.md"
ROWS = re.findall(
    r"^\| `(\w+)(?:\.py|/)` \|.*\| (\w+) \|$", TABLE.read_text(encoding="utf-8"), re.MULTILINE
)
FLOORS = [floor for floor, _ in ROWS]
CORE = {floor for floor, storey in ROWS if storey == "core"}


def floor_files() -> dict[str, list[Path]]:
    """The files of each floor; the folder of codecs is one floor."""
    return {
        floor: sorted((RUNTIME / floor).glob("*.py")) or [RUNTIME / f"{floor}.py"]
        for floor in FLOORS
    }


def imported_floors(path: Path) -> set[str]:
    """The floors that a file imports when it is imported itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    below_runtime = len(path.relative_to(RUNTIME).parts)
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.level == below_runtime:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found |= {name.split(".")[0] for name in names}
    return found


def code_lines(path: Path) -> int:
    """Lines that are neither blank, comment nor docstring."""
    source = path.read_text(encoding="utf-8")
    told: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            told |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") and number not in told
        for number, line in enumerate(source.splitlines(), start=1)
    )


def test_the_table_lists_every_file_of_the_runtime() -> None:
    present = {path.stem for path in RUNTIME.glob("*.py")} - {"__init__"}
    present |= {path.name for path in RUNTIME.iterdir() if (path / "__init__.py").exists()}
    assert set(FLOORS) == present


@pytest.mark.parametrize("floor", FLOORS)
def test_a_file_imports_only_floors_above_it(floor: str) -> None:
    above = set(FLOORS[: FLOORS.index(floor)])
    for path in floor_files()[floor]:
        assert imported_floors(path) - {floor} <= above, path


def test_no_file_is_too_long_to_be_read_in_one_go() -> None:
    lengths = {
        path.name: len(path.read_text(encoding="utf-8").splitlines())
        for paths in floor_files().values()
        for path in paths
    }
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_the_core_is_small() -> None:
    """What makes and guards checkpoints, apart from formats, planning and the terminal."""
    core = [path for floor, paths in floor_files().items() if floor in CORE for path in paths]
    assert len(CORE) > 15
    assert sum(map(code_lines, core)) < 3000
