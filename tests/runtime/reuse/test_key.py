"""A segment's key follows everything that its values depend on, and nothing else."""

from __future__ import annotations

import ast
import json
import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import xxhash
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.base.settings import load_settings
from flight_delays.checkpointing.graph.steps import Segment, Step
from flight_delays.checkpointing.reuse.bound import data_files
from flight_delays.checkpointing.reuse.hashes import HashCache
from flight_delays.checkpointing.reuse.key import Ingredients, code_of, explain
from hypothesis import given, settings
from hypothesis import strategies as st

from ..builders import link, toml_files, write
from ..conftest import RUNTIME, Project
from .packages import MAIN, code, record, sources

IMPORTS = [
    "from ..helper import deep",
    "from .. import helper",
    "from ..helper import *",
    "import demo.helper",
    "import demo.helper as h",
    "from demo import helper",
    "from demo.helper import deep",
    "def one():\n    from ..helper import deep",
    "if False:\n    import demo.helper",
    "try:\n    from ..helper import deep\nexcept ImportError:\n    deep = None",
]


@pytest.mark.parametrize("line", IMPORTS)
def test_a_helper_counts_however_it_is_imported(tmp_path: Path, line: str) -> None:
    sources(tmp_path, helper="deep = 1", main=line)
    before = code(tmp_path)
    write(tmp_path / "src/demo/helper.py", "deep = 2")
    after = code(tmp_path)

    assert before.modules.keys() == after.modules.keys()
    assert {name for name in after.modules if before.modules[name] != after.modules[name]} == {
        "demo.helper"
    }


def test_a_helper_two_imports_away_counts(tmp_path: Path) -> None:
    sources(
        tmp_path,
        main="from ..near import x",
        near="from .lib.far import x",
        lib_far="x = 1",
    )
    before = code(tmp_path)
    write(tmp_path / "src/demo/lib/far.py", "x = 2")

    assert code(tmp_path).modules["demo.lib.far"] != before.modules["demo.lib.far"]
    assert code(tmp_path).modules["demo.near"] == before.modules["demo.near"]


def test_a_module_beside_it_counts_by_a_relative_import_without_a_name(tmp_path: Path) -> None:
    sources(tmp_path, main="from . import shared", segments_shared="x = 1")

    assert "demo.segments.shared" in code(tmp_path).modules


def test_a_package_counts_with_what_it_imports_itself(tmp_path: Path) -> None:
    sources(
        tmp_path,
        main="from .. import lib",
        lib_inner="x = 1",
    )
    write(tmp_path / "src/demo/lib/__init__.py", "from .inner import x")

    assert {"demo.lib", "demo.lib.inner"} <= code(tmp_path).modules.keys()


def test_the_packages_that_a_module_lies_in_count(tmp_path: Path) -> None:
    modules = code(sources(tmp_path)).modules

    assert modules.keys() == {"demo", "demo.segments", "demo.segments.s01"}


def test_a_package_without_init_counts_by_its_modules(tmp_path: Path) -> None:
    sources(tmp_path, main="from ..loose.part import x", loose_part="x = 1")

    assert "demo.loose.part" in code(tmp_path).modules


def test_a_module_outside_the_package_counts_when_it_lies_beside_it(tmp_path: Path) -> None:
    sources(tmp_path, main="import beside\nimport lone.part")
    write(tmp_path / "src/beside.py", "x = 1")
    write(tmp_path / "src/lone/part.py", "x = 1")

    assert {"beside", "lone.part"} <= code(tmp_path).modules.keys()


def test_adapters_count_though_nothing_imports_them(tmp_path: Path) -> None:
    sources(tmp_path, adapters="from .helper import x", helper="x = 1")

    assert {"demo.adapters", "demo.helper"} <= code(tmp_path).modules.keys()


def test_modules_that_are_not_imported_do_not_count(tmp_path: Path) -> None:
    sources(tmp_path, other="x = 1", segments_s02="x = 1")

    assert not {"demo.other", "demo.segments.s02"} & code(tmp_path).modules.keys()


def test_modules_that_import_each_other_end(tmp_path: Path) -> None:
    sources(tmp_path, main="from .. import a", a="from . import b", b="from . import a, b")

    assert {"demo.a", "demo.b"} <= code(tmp_path).modules.keys()


def test_every_module_of_a_segments_steps_counts(tmp_path: Path) -> None:
    sources(tmp_path, segments_s02="from ..helper import x", helper="x = 1")
    modules = code(tmp_path, MAIN, "src/demo/segments/s02.py").modules

    assert {"demo.segments.s01", "demo.segments.s02", "demo.helper"} <= modules.keys()


def test_a_segment_may_be_a_package(tmp_path: Path) -> None:
    path = "src/demo/segments/s03/__init__.py"
    write(sources(tmp_path, segments_s03_part="x = 1") / path, "from .part import x")
    modules = code(tmp_path, path).modules

    assert {"demo", "demo.segments.s03", "demo.segments.s03.part"} <= modules.keys()


def test_a_module_needs_no_package(tmp_path: Path) -> None:
    write(tmp_path / "src/alone.py", "import helper")
    write(tmp_path / "src/helper.py", "")
    write(tmp_path / "src/notes.txt", "")

    assert code(tmp_path, "src/alone.py").modules.keys() == {"alone", "helper"}


def test_the_runtime_does_not_count_by_its_files(project: Project) -> None:
    project.segments(s01="@step\ndef one() -> int: ...\n")
    runtime = project.package / "checkpointing"
    runtime.unlink()
    shutil.copytree(RUNTIME, runtime)
    write(runtime / "notes.txt", "")
    code = """
    from demo.checkpointing.reuse.key import code_of
    from demo.pipeline import PIPELINE
    print(*code_of(PIPELINE.segments[0]).modules)
    """

    counted = project.python(code)

    assert "demo.segments.s01" in counted
    assert "checkpointing" not in counted


def data(folder: Path, *ignored: str) -> dict[str, str]:
    """The checksums of the data files that count, by path from their package."""
    patterns = ", ".join(f'"{pattern}"' for pattern in ignored)
    toml_files(folder, f"[reuse]\nignore = [{patterns}]\n")
    settings, cache = load_settings(folder), HashCache(folder / "none")
    trees = [data_files(place, settings, cache) for place in code(folder).folders]
    return {
        f"{tree.scope.place.name}/{name}": checksum
        for tree in trees
        for name, checksum in tree.checksums.items()
    }


def test_data_files_of_the_package_count_and_litter_does_not(tmp_path: Path) -> None:
    sources(tmp_path)
    query = write(tmp_path / "src/demo/sql/flown.sql", "select 1")
    for name in (".hidden", "README.md", "try.ipynb", "s01.py~", "#s01.py#", "x.tmp", "py.typed"):
        write(tmp_path / "src/demo/sql" / name, "")
    write(tmp_path / "src/demo/__pycache__/s01.pyc", "")
    write(tmp_path / "src/other.txt", "")
    before = data(tmp_path, "*.tmp")
    query.write_text("select 2")

    assert before.keys() == {"demo/sql/flown.sql"}
    assert data(tmp_path, "*.tmp") != before
    assert data(tmp_path, "!README.md").keys() - before.keys() == {
        "demo/sql/README.md",
        "demo/sql/x.tmp",
    }


def test_a_data_file_behind_a_link_counts(tmp_path: Path) -> None:
    sources(tmp_path)
    target = write(tmp_path / "shared/rates.csv", "1")
    link(tmp_path / "src/demo/rates", "../../shared")
    before = data(tmp_path)
    target.write_text("2")

    assert before.keys() == {"demo/rates/rates.csv"}
    assert data(tmp_path) != before


def test_data_files_of_a_package_count_that_is_only_named(tmp_path: Path) -> None:
    """By what finds data in packages, with a text; what takes such texts otherwise is no import."""
    main = "from importlib.resources import files\ndef one(x): return files('rates') / 'a.csv'\n"
    sources(tmp_path, main + "def two(x): return x.read_text('utf8') + x.files(x)\n")
    write(tmp_path / "src/rates/__init__.py", "")
    target = write(tmp_path / "src/rates/a.csv", "1")
    before = data(tmp_path)
    target.write_text("2")

    assert before.keys() == {"rates/a.csv"}
    assert data(tmp_path) != before
    assert "utf8" not in code(tmp_path).libraries


@pytest.mark.parametrize(
    "step",
    [
        Step("one", "demo.gone", "/nowhere/demo/gone.py", 7, (), "json"),
        Step("one", "__main__", __file__, 7, (), "json"),
        Step("one", "notebook", "<ipython-input-3>", 7, (), "json"),
    ],
)
def test_a_step_without_a_module_of_its_own_is_refused(step: Step) -> None:
    with pytest.raises(ConfigurationError) as caught:
        code_of(Segment("s01", [step]))

    assert caught.value.message == (
        f"{step.file}:7 one: the step is in no module of the project. Move it to one, so that its "
        f"checkpoint can follow its code."
    )


SOURCE = '''
"""The module."""
import math
from demo.checkpointing import Batches
from demo.other import Batches as Parts

TITLE = "delays" + 'x'


def three(x: Annotated[Iterator[int], Batches(rows=5)], y: Annotated[int, Parts(6)]) -> int:
    return Batches(7)


def one(x: int) -> int:
    """The step."""
    class Local:
        """Inner."""
        a = (1)
    return [n for n in range(x)]


async def two():
    """Another."""
    return f"{1}"
'''
SAME = {
    "a comment": SOURCE.replace("import math", "# why\nimport math  # how"),
    "another docstring of the module": SOURCE.replace("The module.", "Something else."),
    "no docstring of a function": SOURCE.replace('    """The step."""\n', ""),
    "another docstring of a class": SOURCE.replace("Inner.", "Else."),
    "another docstring of a coroutine": SOURCE.replace("Another.", "Else."),
    "blank lines": SOURCE.replace("\n", "\n\n"),
    "other quotes": SOURCE.replace('"delays"', "'delays'"),
    "parentheses": SOURCE.replace("(1)", "1"),
    "the size of batches": SOURCE.replace("rows=5", "rows=ROWS"),
    "spaces": SOURCE.replace("range(x)", "range( x )"),
}
OTHER = {
    "a number": SOURCE.replace("(1)", "(2)"),
    "a text": SOURCE.replace('"delays"', '"Delays"'),
    "a name": SOURCE.replace("range(x)", "range(y)"),
    "an annotation": SOURCE.replace("x: int", "x: float"),
    "an import": SOURCE.replace("import math", "import maths"),
    "a text that is no docstring": SOURCE.replace(
        '"""Inner."""\n        a', 'b = "Inner"\n        a'
    ),
    "an order": SOURCE.replace("\"delays\" + 'x'", "'x' + \"delays\""),
    "a type of number": SOURCE.replace("(1)", "(1.0)"),
    "the size of other batches": SOURCE.replace("Parts(6)", "Parts(5)"),
    "a number of batches in a body": SOURCE.replace("Batches(7)", "Batches(8)"),
    "batches of no size": SOURCE.replace(", Batches(rows=5)", ", 5"),
}


def digest(folder: Path, source: str) -> str:
    write(folder / "src/alone.py", source)
    return code(folder, "src/alone.py").modules["alone"]


@pytest.mark.parametrize("change", SAME)
def test_what_cannot_change_a_value_keeps_the_digest(tmp_path: Path, change: str) -> None:
    assert SAME[change] != SOURCE
    assert digest(tmp_path, SAME[change]) == digest(tmp_path, SOURCE)


@pytest.mark.parametrize("change", OTHER)
def test_what_can_change_a_value_changes_the_digest(tmp_path: Path, change: str) -> None:
    assert OTHER[change] != SOURCE
    assert digest(tmp_path, OTHER[change]) != digest(tmp_path, SOURCE)


def names() -> st.SearchStrategy[str]:
    return st.sampled_from(["a", "b", "flights", "x1"])


def expressions() -> st.SearchStrategy[str]:
    plain = st.one_of(names(), st.integers(0, 9).map(str), st.text(max_size=5).map(repr))
    return st.recursive(
        plain,
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from("+-*<"), inner).map(
                lambda t: f"({t[0]} {t[1]} {t[2]})"
            ),
            st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
            st.tuples(names(), inner).map(lambda t: f"{t[0]}({t[1]})"),
        ),
        max_leaves=6,
    )


@st.composite
def programs(draw: st.DrawFn) -> str:
    lines = []
    for number in range(draw(st.integers(1, 4))):
        body = draw(st.lists(st.tuples(names(), expressions()), min_size=1, max_size=3))
        lines += [f"def f{number}(a, b):", *(f"    {name} = {text}" for name, text in body)]
    return "\n".join(lines)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


@settings(max_examples=50, deadline=None)
@given(source=programs(), other=programs(), docstring=st.text(st.characters(codec="ascii")))
def test_programs_with_equal_syntax_trees_and_no_others_have_equal_digests(
    shared: Path, source: str, other: str, docstring: str
) -> None:
    tree = ast.parse(source)
    rewritten = f"{docstring!r}\n# a comment\n{ast.unparse(tree)}\n"

    assert digest(shared, rewritten) == digest(shared, source)
    assert (digest(shared, other) == digest(shared, source)) == (
        ast.dump(ast.parse(other)) == ast.dump(tree)
    )


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where libraries can be installed for one test."""
    folder = tmp_path / "libraries"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def install(folder: Path, name: str, version: str) -> None:
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    for former in folder.glob(f"{name}-*.dist-info/METADATA"):
        former.unlink()
        former.parent.rmdir()
    write(folder / f"{name}-{version}.dist-info/METADATA", text)


def test_minor_versions_of_python_and_the_codecs_libraries_always_count(tmp_path: Path) -> None:
    versions = code(sources(tmp_path)).libraries

    assert versions.keys() == {"python", "numpy", "pandas", "pyarrow"}
    assert versions["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert versions["pandas"].count(".") == 1


def test_the_minor_version_of_a_library_counts_where_it_is_imported(
    tmp_path: Path, library: Path
) -> None:
    install(library, "shapely", "2.1.7")
    sources(tmp_path, main="from .. import near", near="def f(): import shapely.ops")
    first = code(tmp_path).libraries
    install(library, "shapely", "2.1.8")
    patched = code(tmp_path).libraries
    install(library, "shapely", "2.2.0")

    assert first["shapely"] == patched["shapely"] == "2.1"
    assert code(tmp_path).libraries["shapely"] == "2.2"


def test_a_library_that_is_not_installed_by_its_own_name_is_asked_for_its_version(
    tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(library / "sklearnish.py", "__version__ = '1.7.2'")
    write(library / "nameless.py", "")
    monkeypatch.delitem(sys.modules, "sklearnish", raising=False)
    sources(tmp_path, main="import sklearnish, nameless, unheard_of, json, os.path")
    record(library, "sklearnish", "nameless")
    before = code(tmp_path).libraries
    __import__("sklearnish")

    assert "sklearnish" not in before
    assert code(tmp_path).libraries["sklearnish"] == "1.7"
    assert not {"nameless", "unheard_of", "json", "os", "demo"} & code(tmp_path).libraries.keys()


INGREDIENTS = Ingredients(
    code={"demo.helper": "1"},
    libraries={"pandas": "3.1"},
    params={"least": "10"},
    inputs={"file": "1"},
    values={"flights": "1"},
    steps=("one", "two"),
)
SOME = replace(INGREDIENTS, columns={"flights": '["a", "b"]'})
CHANGES = {
    "code of demo.helper changed": replace(INGREDIENTS, code={"demo.helper": "2"}),
    "code of demo.more changed": replace(INGREDIENTS, code={"demo.helper": "1", "demo.more": "1"}),
    "code of demo.helper, demo.more changed": replace(INGREDIENTS, code={"demo.more": "1"}),
    "pandas changed from 3.1 to 3.2": replace(INGREDIENTS, libraries={"pandas": "3.2"}),
    "numpy changed from none to 2.4": replace(
        INGREDIENTS, libraries={"pandas": "3.1", "numpy": "2.4"}
    ),
    "param least changed from 10 to 20": replace(INGREDIENTS, params={"least": "20"}),
    "param least changed from 10 to none": replace(INGREDIENTS, params={}),
    "input file changed": replace(INGREDIENTS, inputs={"file": "2"}),
    "input more changed": replace(INGREDIENTS, inputs={"file": "1", "more": "1"}),
    "value flights changed": replace(INGREDIENTS, values={"flights": "2"}),
    "value flights, weather changed": replace(INGREDIENTS, values={"weather": "1"}),
    "just some columns of `flights` are read now": SOME,
    "the segment's list of steps changed": replace(INGREDIENTS, steps=("two", "one")),
    "made by another version of the runtime": replace(INGREDIENTS, format_version=99),
}


@pytest.mark.parametrize("reason", CHANGES)
def test_every_change_of_an_ingredient_changes_the_key_and_is_explained(reason: str) -> None:
    changed = CHANGES[reason]

    assert changed.key() != INGREDIENTS.key()
    assert explain(asdict(INGREDIENTS), changed) == [reason]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"flights": '["a", "b", "c", "d"]'}, "of `flights`, `c`, `d` is read now"),
        ({"flights": '["b"]'}, "of `flights`, `a` is read no more"),
        ({"flights": '["a", "c"]'}, "of `flights`, `c` is read now"),
        ({}, "all columns of `flights` are read now"),
    ],
)
def test_other_columns_that_are_kept_change_the_key(columns: dict[str, str], reason: str) -> None:
    changed = replace(SOME, columns=columns)

    assert changed.key() != SOME.key()
    assert explain(asdict(SOME), changed) == [reason]


def test_a_segment_of_whole_tables_has_the_key_that_it_always_had() -> None:
    content = asdict(INGREDIENTS)
    del content["columns"], content["env"]

    text = json.dumps(content, sort_keys=True)
    assert INGREDIENTS.key() == xxhash.xxh3_128_hexdigest(text.encode())


def test_equal_ingredients_have_equal_keys_and_nothing_to_explain() -> None:
    two = {"a": "1", "b": "2"}
    first, second = (replace(INGREDIENTS, params=p) for p in (two, dict(reversed(two.items()))))

    assert first.key() == second.key()
    assert explain(asdict(first), second) == []


def test_several_changes_are_explained_in_order() -> None:
    changed = replace(
        INGREDIENTS, params={"b": "1", "a": "1"}, code={"demo.helper": "2"}, steps=("one",)
    )

    assert explain(asdict(INGREDIENTS), changed) == [
        "code of demo.helper changed",
        "param a changed from none to 1",
        "param b changed from none to 1",
        "param least changed from 10 to none",
        "the segment's list of steps changed",
    ]


def test_what_only_came_into_reach_by_an_edit_is_not_named() -> None:
    edited = replace(INGREDIENTS, code={"demo.one": "2", "demo.new": "1", "demo/new.sql": "1"})
    before = asdict(replace(INGREDIENTS, code={"demo.one": "1", "demo.former": "1"}))

    assert explain(before, edited) == ["code of demo.one, demo/new.sql changed"]


def test_of_many_changes_the_first_are_named() -> None:
    before, after = ({f"demo.f{n}": text for n in range(9)} for text in "12")
    former = asdict(replace(INGREDIENTS, code=before))

    assert explain(former, replace(INGREDIENTS, code=after)) == [
        "code of demo.f0, demo.f1, demo.f2, demo.f3, demo.f4 and 4 more changed"
    ]


def test_a_checkpoint_that_says_nothing_of_itself_differs_in_everything() -> None:
    assert len(explain({}, INGREDIENTS)) == 6


def test_a_checkpoint_of_another_version_is_explained_by_that_alone() -> None:
    """Its code is named in another way, so all of it would seem to have changed."""
    former = asdict(replace(INGREDIENTS, format_version=1, code={"demo": "1"}))

    assert explain(former, INGREDIENTS) == ["made by another version of the runtime"]
