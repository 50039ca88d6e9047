"""First-party is what may change under the same version, wherever it lies."""

from __future__ import annotations

import ast
import py_compile
import shutil
import sys
import zipfile
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import spec_from_file_location
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.graph.modules import RUNTIME_LIBRARIES
from flight_delays.checkpointing.graph.steps import Segment
from flight_delays.checkpointing.reuse.key import code_of

from ..builders import write
from ..conftest import RUNTIME
from .packages import MAIN, code, record, sources, step_in


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where distributions are installed."""
    folder = tmp_path / "lib/site-packages"
    folder.mkdir(parents=True)
    monkeypatch.syspath_prepend(folder)
    return folder


COMMIT = '{"url": "https://host/x.git", "vcs_info": {"vcs": "git", "commit_id": "f00d"}}'
ARCHIVE = '{"url": "file:///x.whl", "archive_info": {"hashes": {"sha256": "beef"}}}'
UNKNOWN = '{"url": "file:///x.whl", "archive_info": {}}'
FOLDER = '{"url": "file:///x", "dir_info": {}}'
EDITABLE = '{"url": "file:///x", "dir_info": {"editable": true}}'


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({}, "1.2"),
        ({"direct_url_json": COMMIT}, "1.2 f00d"),
        ({"direct_url_json": ARCHIVE}, "1.2 sha256=beef"),
        ({"direct_url_json": FOLDER, "INSTALLER": "conda"}, "1.2"),
        ({"direct_url_json": UNKNOWN}, None),
        ({"direct_url_json": FOLDER}, None),
        ({"direct_url_json": EDITABLE}, None),
        ({"direct_url_json": "[]"}, None),
    ],
)
def test_a_package_counts_by_its_version_where_it_cannot_change_under_the_same_one(
    tmp_path: Path, site: Path, files: dict[str, str], version: str | None
) -> None:
    sources(tmp_path, main="from lib.inner import x")
    record(site, "lib", **files)
    write(site / "lib/__init__.py", "")
    write(site / "lib/inner.py", "x = 1")
    installed = code(tmp_path)

    assert ("lib.inner" in installed.modules) == (version is None)
    assert installed.libraries.get("lib") == version


def test_a_module_that_somebody_put_beside_libraries_counts(tmp_path: Path, site: Path) -> None:
    sources(tmp_path, main="import dropped, six_like, space.own.part, space.theirs")
    record(site, "six_like", "space/theirs")
    for name in ("dropped", "six_like", "space/own/__init__", "space/own/part"):
        write(site / f"{name}.py", "x = 1")
    write(site / "space/theirs/__init__.py", "x = 1")
    modules = code(tmp_path).modules

    assert {"dropped", "space.own", "space.own.part"} <= modules.keys()
    assert not {"six_like", "space.theirs"} & modules.keys()


def test_an_installed_project_counts_by_its_code_and_libraries_beside_it_do_not(
    tmp_path: Path, site: Path
) -> None:
    write(sources(tmp_path) / MAIN, "import lib\nfrom .. import helper")
    shutil.copytree(tmp_path / "src/demo", site / "demo")
    write(site / "demo/helper.py", "x = 1")
    write(site / "lib/__init__.py", "")
    record(site, "lib", "demo")
    installed = code_of(
        Segment("s01", [step_in(site.parent / "site-packages", "demo/segments/s01.py")])
    )

    assert {"demo.segments.s01", "demo.helper"} <= installed.modules.keys()
    assert "lib" not in installed.modules


def beside(folder: Path, monkeypatch: pytest.MonkeyPatch, **files: str) -> Path:
    """A folder on PYTHONPATH; `shared_far="…"` is the file shared/far.py in it."""
    path = folder / "elsewhere"
    for name, text in files.items():
        write(path / f"{name.replace('_', '/')}.py", text)
    monkeypatch.syspath_prepend(path)
    return path


REACHED = [
    "import sibling",
    "import sibling as s",
    "import sibling.far as far",
    "from sibling import far",
    "from sibling import *",
    "from sibling.far import x",
    "def one():\n    import sibling.far",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from sibling import far",
    "import importlib\nimportlib.import_module('sibling.far')",
    "from importlib import import_module as load\nload('sibling.far')",
    "import importlib\nimportlib.import_module('.far', 'sibling')",
    "import importlib\nimportlib.import_module(package='sibling', name='.far')",
    "__import__('sibling.far')",
    "__import__('sibling', fromlist=['far'])",
]


@pytest.mark.parametrize("line", REACHED)
def test_code_on_pythonpath_counts_however_it_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    sources(tmp_path, main=line)
    text = "from .far import x\n__all__ = ['far']"
    folder = beside(tmp_path, monkeypatch, sibling___init__=text, sibling_far="x = 1")
    write(folder / "sibling/__init__.py", text)
    before = code(tmp_path).modules
    write(folder / "sibling/far.py", "x = 2")

    assert code(tmp_path).modules["sibling.far"] != before["sibling.far"]


@pytest.mark.parametrize("package", ["__package__", "package=__package__", "'demo.segments'"])
def test_a_helper_that_is_imported_by_a_relative_name_counts(tmp_path: Path, package: str) -> None:
    line = f"from importlib import import_module\nimport_module('..helper', {package})"
    modules = code(sources(tmp_path, main=line, helper="x = 1", other="x = 1")).modules

    assert "demo.helper" in modules
    assert "demo.other" not in modules


@pytest.mark.parametrize(
    "main",
    [
        "import importlib\nname = 'helper'\nimportlib.import_module(f'demo.{name}')",
        "import importlib\nload = importlib.import_module",
        "from importlib import import_module as load\nfor n in 'ab': load(n)",
        "from importlib import import_module\nimport_module('.helper', find_package())",
        "import importlib\nimportlib.import_module(*['demo.helper'])",
        "__import__('demo.' + 'helper')",
        "__import__('helper', globals(), locals(), [], depth)",
        "import runpy\nrunpy.run_path('helper.py')",
        "import importlib.util as u\nu.spec_from_file_location('x', 'helper.py')",
    ],
)
def test_where_a_name_is_computed_the_whole_package_counts(tmp_path: Path, main: str) -> None:
    sources(tmp_path, main=main, helper="x = 1", broken="def")

    assert "demo.helper" in code(tmp_path).modules


def test_what_is_broken_is_refused_where_an_import_names_it(tmp_path: Path) -> None:
    """However many modules are looked at besides, and in whichever order."""
    main = "from .. import helper\n__import__('demo.' + name)"
    sources(tmp_path, main, helper="from . import broken", broken="def", old="from . import older")
    write(tmp_path / "src/demo/older.py", "print 'Python 2'")

    with pytest.raises(ConfigurationError, match=r"broken\.py is not valid Python"):
        code(tmp_path)
    write(tmp_path / "src/demo/broken.py", "")
    assert "demo.old" in code(tmp_path).modules


def test_star_imports_reach_the_modules_that_a_package_lists(tmp_path: Path) -> None:
    sources(tmp_path, main="from ..lib import *", lib_inner="x = 1")
    write(tmp_path / "src/demo/lib/__init__.py", "__all__ = ['inner']")

    assert "demo.lib.inner" in code(tmp_path).modules


def test_own_code_that_is_no_source_counts_by_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources(tmp_path, main="import native, compiled", lib_far="x = 1")
    folder = beside(tmp_path, monkeypatch)
    native = write(folder / f"native{EXTENSION_SUFFIXES[0]}", "1")
    py_compile.compile(
        str(write(tmp_path / "compiled.py", "x = 1")), cfile=str(folder / "compiled.pyc")
    )
    before = code(tmp_path).modules
    native.write_text("2")
    after = code(tmp_path).modules

    assert {"native", "compiled"} <= before.keys()
    assert before["compiled"] == after["compiled"]
    assert before["native"] != after["native"]


def test_a_module_in_a_zip_file_counts_by_the_bytes_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources(tmp_path, main="import zipped")
    archive = tmp_path / "code.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("zipped.py", "x = 1")
    monkeypatch.syspath_prepend(archive)
    before = code(tmp_path).modules
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("zipped.py", "x = 2")

    assert code(tmp_path).modules["zipped"] != before["zipped"]


def test_an_import_hook_of_an_editable_install_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As setuptools installs packages of other layouts; the folder may have another name."""
    inner = write(tmp_path / "work/sources/__init__.py", "x = 1")

    class Finder:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> object:
            if name != "hooked":
                return None
            places = [str(inner.parent)]
            return spec_from_file_location(name, inner, submodule_search_locations=places)

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    write(tmp_path / "work/sources/part.py", "x = 1")
    sources(tmp_path, main="import hooked.part")

    assert {"hooked", "hooked.part"} <= code(tmp_path).modules.keys()


def test_namespace_packages_count_by_their_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources(tmp_path, main="from space.deep.part import x\nimport space.other")
    beside(tmp_path, monkeypatch, space_deep_part="x = 1")
    write(tmp_path / "more/space/other.py", "x = 1")
    monkeypatch.syspath_prepend(tmp_path / "more")

    assert {"space.deep.part", "space.other"} <= code(tmp_path).modules.keys()


def test_the_libraries_of_the_runtime_are_known() -> None:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in RUNTIME.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
    names |= {str(n.module) for n in nodes if isinstance(n, ast.ImportFrom) and not n.level}
    tops = {name.partition(".")[0] for name in names} - sys.stdlib_module_names

    assert tops <= RUNTIME_LIBRARIES
