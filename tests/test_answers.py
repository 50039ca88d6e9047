"""Hostile answers: each gives a project that works or a clear refusal, and none runs as code."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
from cookiecutter.exceptions import FailedHookException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import Bakery, Project, Refuse
from .marks import one_in

COMMAND = "touch pwned"
ODD_BUT_RIGHT = [
    'O\'Brien & "Sons" <team@example.org>',
    '"""',
    "'''",
    '""" + __import__("os").system("touch pwned") + r"""',
    "ends in a backslash \\",
    r"\" \n \u0041 \x41 \N{BULLET}",
    "{{ 7 * 7 }}",
    "{% if true %}",
    "{# comment #}",
    "{% endraw %}{{ cookiecutter }}",
    "#% set x = 1",
    "#% endif",
    f"{{{{ cycler.__init__.__globals__.os.system('{COMMAND}') }}}}",
    "{{ cookiecutter.update(__project_slug='../../x') }}",
    "{{ '%c' | format(10) }}",
    f"$({COMMAND}) `{COMMAND}` ; {COMMAND} && {COMMAND} | {COMMAND}",
    "../../x",
    "/etc/passwd",
    "C:\\Windows\\x",
    "key: [value, {yaml: true}] # comment",
    "= [[toml]] # comment",
    "<script>alert(1)</script>",
    "[link](javascript:alert(1))",
    "%s %(author)s {0} ${HOME}",
    "日本語 العربية עברית हिन्दी Ελληνικά кириллица",
    "emoji 🛫 👩‍👩‍👧 flag 🇪🇸",
    "x" * 200,
    " spaces around ",
    "None",
    "true",
    "-rf --config-file=x",
]
NEVER_RIGHT = [
    "",
    "   ",
    "two\nlines",
    "carriage\rreturn",
    "tab\tbed",
    "nul\0byte",
    "escape \x1b[31m",
    "delete \x7f",
    "next line \x85",
    "line separator \u2028",
    "right-to-left override \u202e",
    "zero-width space \u200b",
    "lone surrogate \udc80",
    "x" * 201,
]


def assert_works(project: Project, description: str, author: str, output: Path) -> None:
    """The project holds the answers, as they were given, and nothing lies beside it."""
    metadata = project.toml("pyproject.toml")["project"]
    assert metadata["description"] == description
    assert metadata["authors"] == [{"name": author}]
    assert author in project.text("LICENSE")
    assert re.fullmatch(r"[a-z][a-z0-9-]*", project.folder.name)
    assert project.package.name == project.folder.name.replace("-", "_")
    assert project.folder.parent == output.resolve()
    assert project.toml("memory_budget.toml")["cluster"]
    assert not [*output.parent.rglob("pwned"), *Path.cwd().glob("pwned")]


@pytest.mark.parametrize("value", one_in(3, ODD_BUT_RIGHT))
def test_text_may_hold_anything_that_is_one_line(bakery: Bakery, value: str) -> None:
    project = bakery.bake(description=value, author=value)
    assert_works(project, value, value, bakery.output)


@pytest.mark.parametrize("value", NEVER_RIGHT)
@pytest.mark.parametrize("key", ["project_name", "description", "author"])
def test_text_of_no_or_several_or_unreadable_lines_is_refused(
    refusal: Refuse, key: str, value: str
) -> None:
    assert f"{key} must" in refusal(**{key: value})


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Flight Delays", "flight-delays"),
        ("Vuelos de la mañana", "vuelos-de-la-manana"),
        ("航班延误", "hang-ban-yan-wu"),
        ("Задержки рейсов", "zaderzhki-reisov"),
        ("καθυστερήσεις", "kathustereseis"),
        ("a/../../b", "a-b"),
        ('Émile\'s "batch" \\ {{ 7*7 }} #% 🛫', "emile-s-batch-7-7"),
        ("x" * 60, "x" * 60),
    ],
)
def test_a_name_in_any_script_makes_a_folder_and_a_package(
    bakery: Bakery, name: str, slug: str
) -> None:
    project = bakery.bake(project_name=name)
    assert (project.folder.name, project.package.name) == (slug, slug.replace("-", "_"))
    assert project.toml("pyproject.toml")["project"]["scripts"] == {
        slug: f"{slug.replace('-', '_')}.cli:main"
    }


@pytest.mark.parametrize("value", ["<script>alert(1)</script>", "[link](javascript:alert(1))"])
def test_markup_in_an_answer_is_text_in_the_readme(bakery: Bakery, value: str) -> None:
    readme = bakery.bake(project_name=f"A {value}", description=value).text("README.md")
    assert "<script" not in readme
    assert not re.search(r"(?<!\\)\[link\]", readme)


@pytest.mark.parametrize(
    "name",
    [
        "🛫🛫",
        "...",
        "2024 flights",
        "pandas",
        "PyArrow",
        "types psutil",
        "json",
        "asyncio",
        "class",
        "lambda",
        "tests",
        "src",
        "pip",
        "x" * 61,
        "x" * 5000,
    ],
)
def test_a_name_that_cannot_be_a_package_is_refused(refusal: Refuse, name: str) -> None:
    assert "project_name must" in refusal(project_name=name)


@pytest.mark.parametrize(
    "slug",
    [
        "../../x",
        "/tmp/no-such-folder",
        "a/b",
        "a b",
        "Flight",
        ".",
        "..",
        "-x",
        "x-",
        "a.b",
        "{{ 7 }}",
    ],
)
def test_a_folder_named_by_hand_cannot_leave_the_output_folder(
    bakery: Bakery, slug: str, capfd: pytest.CaptureFixture[str]
) -> None:
    outside = bakery.folder / "outside"
    nested = Bakery(outside / "deep" / "deeper")
    nested.folder.mkdir(parents=True)
    with pytest.raises((FailedHookException, OSError)):
        nested.bake(__project_slug=slug)
    left = {path for path in outside.rglob("*") if path.is_file()}
    assert [path for path in left if nested.folder not in path.parents] == []
    assert not Path("/tmp/no-such-folder").exists()


def test_a_package_named_by_hand_cannot_leave_the_project(refusal: Refuse) -> None:
    assert "leave out" in refusal(__package_name="../../../x")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    project_name=st.text(max_size=80),
    description=st.text(max_size=220),
    author=st.text(alphabet="{}%#\\\"'`$()_x \n|", max_size=40),
)
def test_any_text_works_or_is_refused(project_name: str, description: str, author: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bakery = Bakery(Path(folder))
        try:
            project = bakery.bake(project_name=project_name, description=description, author=author)
        except FailedHookException:
            assert list(bakery.output.iterdir()) == []
        else:
            assert_works(project, description, author, bakery.output)


@pytest.mark.parametrize("key", ["__answers_are_text", "_derivations", "_copy_without_render"])
def test_what_keeps_answers_text_cannot_be_overwritten(bakery: Bakery, key: str) -> None:
    with pytest.raises(ValueError, match="choice variable"):
        bakery.bake({key: f"{{{{ cycler.__init__.__globals__.os.system('{COMMAND}') }}}}"})
    assert not list(bakery.folder.rglob("pwned"))
