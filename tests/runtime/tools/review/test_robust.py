"""A review of anything that calls itself Python ends with findings, never with a traceback."""

from __future__ import annotations

import ast
import sysconfig
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .reviewed import Reviewed, lines_of

LIBRARY = Path(sysconfig.get_path("stdlib"))
FILES = sorted(path for path in LIBRARY.rglob("*.py") if "site-packages" not in path.parts)
ANY_FOLDER = [HealthCheck.function_scoped_fixture]  # each example writes its file anew


def as_steps(source: bytes) -> bytes:
    """The same code, with every function at the top of the module a step."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError):
        return source
    lines = source.splitlines(keepends=True)
    for node in reversed(body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            lines.insert(first - 1, b"@step\n")
    return b"".join(lines) + b"\nfrom ..checkpointing import step\n"


@settings(max_examples=100, deadline=None, suppress_health_check=ANY_FOLDER)
@given(st.sampled_from(FILES))
def test_any_file_of_the_standard_library_can_be_reviewed(tmp_path: Path, path: Path) -> None:
    project = Reviewed(tmp_path).put({"src/demo/segments/s01.py": as_steps(path.read_bytes())})
    text = path.read_bytes()
    for finding in project.findings():
        assert 1 <= finding.line <= text.count(b"\n") + text.count(b"def ") + 5


@settings(max_examples=100, deadline=None, suppress_health_check=ANY_FOLDER)
@given(st.sampled_from(FILES), st.data())
def test_any_part_of_such_a_file_can_be_reviewed(
    tmp_path: Path, path: Path, data: st.DataObject
) -> None:
    source = path.read_bytes()
    start = data.draw(st.integers(0, len(source)))
    end = data.draw(st.integers(start, min(len(source), start + 2000)))
    project = Reviewed(tmp_path).put({"src/demo/segments/s01.py": source[start:end]})
    project.findings()


@settings(max_examples=50, deadline=None, suppress_health_check=ANY_FOLDER)
@given(st.binary(max_size=200), st.sampled_from(["pipeline.toml", "memory_budget.toml"]))
def test_any_bytes_can_stand_in_the_configuration(tmp_path: Path, text: bytes, name: str) -> None:
    rules = set(Reviewed(tmp_path).put({name: text}).rules())
    assert rules <= {"CKP001", "CKP002"}


@pytest.mark.parametrize(
    "memory",
    [
        "segment = 3",
        "[segment]\nmax_steps = 'ten'",
        "[segment]\nmax_steps = -1",
        "[cluster]\nram = []\nquota = 'all'",
        "cluster = 'big'",
        "[cluster]\nram = '1,5 GB'\nquota = 2.5",
    ],
)
def test_a_budget_that_makes_no_sense_is_left_to_the_run_to_refuse(
    tmp_path: Path, memory: str
) -> None:
    project = Reviewed(tmp_path).put({"memory_budget.toml": memory})
    project.commit()
    assert project.rules("HEAD") == []


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (b"def broken(:\n    pass\n", 1),
        (b"\n\nx = (1,\n", 3),
        ("# \u00e9\nx = 1\n".encode("latin-1"), 1),
        (b"x = '\x00'\n", 1),
        (b"# -*- coding: no-such-code -*-\n", 1),
        (b"x = " + b"(" * 500 + b")" * 500, 1),
    ],
)
def test_a_file_that_cannot_be_read_is_a_finding_and_the_others_are_reviewed(
    tmp_path: Path, source: bytes, line: int
) -> None:
    project = Reviewed(tmp_path).put({"src/demo/segments/s01.py": source})
    project.put({"src/demo/segments/s02.py": b"import pickle\n"})
    assert lines_of(project.findings()) == [f"s01.py:{line} CKP001", "s02.py:1 CKP206"]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-8-sig", "utf-16"])
def test_a_file_in_another_encoding_is_read_as_it_says(tmp_path: Path, encoding: str) -> None:
    mark = "" if encoding.startswith("utf") else f"# -*- coding: {encoding} -*-\n"
    text = f"{mark}# caf\u00e9\nimport pickle  # review: allow CKP206 because caf\u00e9\n"
    project = Reviewed(tmp_path).put({"src/demo/segments/s01.py": text.encode(encoding)})
    assert project.rules() == (["CKP001"] if encoding == "utf-16" else [])


def test_an_empty_project_has_nothing_to_find(tmp_path: Path) -> None:
    assert Reviewed(tmp_path).put({}).findings() == []


def test_a_project_without_a_runtime_or_configuration_has_nothing_to_find(tmp_path: Path) -> None:
    project = Reviewed(tmp_path)
    (tmp_path / "src" / "demo").mkdir(parents=True)
    assert project.findings() == []


def test_long_chains_and_many_branches_are_no_trouble(tmp_path: Path) -> None:
    chain = "table" + "".join(f'.rename(columns={{"a{n}": "b"}})' for n in range(150))
    branches = "".join(f"elif KIND == {number}:\n    X = {number}\n" for number in range(300))
    source = f"KIND = 1\nif KIND == 0:\n    X = 0\n{branches}"
    step = f"@step\ndef long(table: pd.DataFrame) -> pd.DataFrame:\n    return {chain}\n"
    header = "import pandas as pd\nfrom ..checkpointing import step\n"
    project = Reviewed(tmp_path).put({"src/demo/segments/s01.py": header + source + step})
    assert project.findings() == []


def test_the_package_may_have_any_name_and_place(tmp_path: Path) -> None:
    project = Reviewed(tmp_path, package="libs/night_batch")
    source = "from night_batch.checkpointing import step\n\n@step\ndef one():\n    return 1\n"
    project.put({"libs/night_batch/segments/s01.py": source})
    assert lines_of(project.findings()) == ["s01.py:4 CKP102"]


def test_what_python_and_editors_leave_behind_is_not_reviewed(tmp_path: Path) -> None:
    project = Reviewed(tmp_path).put(
        {
            "src/demo/.ipynb_checkpoints/s01.py": "import pickle\n",
            "src/demo/segments/.#s01.py": "import pickle\n",
            "tests/test_x.py": "import pickle\n",
        }
    )
    assert project.findings() == []
