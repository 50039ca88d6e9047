"""Params are checked, changed for one run, and received as their annotation says."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.reuse.bound import Project, bind, ingredients_of
from flight_delays.checkpointing.reuse.key import Code
from flight_delays.checkpointing.reuse.params import changed_params, check_params
from flight_delays.checkpointing.terminal.changes import parse_changes

from ..builders import FIRST_LINE, declared, pipeline

NO_CODE = Code({}, {})


def params(folder: Path, annotation: str, text: str, **changed: Any) -> dict[str, Any]:
    """The params of a project with one, `x`, that one step takes."""
    imports = "import datetime; from typing_extensions import *"  # pydantic wants its TypedDict
    source = f"{imports}\n@step\ndef one(x: {annotation}) -> int: ...\n"
    built = pipeline(folder, source, wiring=f"[params]\nx = {text}\nunused = 'anything'")
    received = check_params(built, built.settings.wiring, changed)
    return {name: value for (_, name), value in received.items()}


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        ("int", "3", 3),
        ("float", "3", 3),
        ("float | None", "1.5", 1.5),
        ("str", '"a"', "a"),
        ("bool", "true", True),
        ("datetime.date", "2013-01-31", date(2013, 1, 31)),
        ("list[str]", '["a"]', ["a"]),
        ("dict[str, int]", "{ a = 1 }", {"a": 1}),
        ("object", "3", 3),
    ],
)
def test_a_param_that_fits_its_annotation_is_taken_as_it_is(
    tmp_path: Path, annotation: str, text: str, value: object
) -> None:
    assert params(tmp_path, annotation, text) == {"x": value}


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        ("int", '"3"'),
        ("int", "3.0"),
        ("int", "true"),
        ("str", "3"),
        ("datetime.date", '"2013-01-31"'),
        ("list[str]", "[1]"),
        ("dict[str, int]", "{ a = 'b' }"),
        ("tuple[int, ...]", "[1]"),
    ],
)
def test_a_param_that_does_not_fit_is_refused(tmp_path: Path, annotation: str, text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        params(tmp_path, annotation, text)

    assert caught.value.message.startswith("param `x` is ")
    assert f"but {tmp_path}/s01.py:{FIRST_LINE + 1} one takes `x: " in caught.value.message
    assert caught.value.step == "one"


def test_a_refused_param_says_what_it_should_be(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"takes `x: int`: Input should be a valid integer"
    ):
        params(tmp_path, "int", '"3"')


def test_an_annotation_that_nothing_can_check_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        params(tmp_path, "type('Odd', (), {})", "3")

    assert caught.value.message.endswith(
        f"{tmp_path}/s01.py:{FIRST_LINE + 1} one: parameter `x` is one of [params]; annotate it as "
        f"what TOML gives, such as `int`, not as Odd."
    )


def test_a_changed_param_takes_the_place_of_what_is_configured_and_is_checked(
    tmp_path: Path,
) -> None:
    assert params(tmp_path, "int", "3", x=4)["x"] == 4
    with pytest.raises(ConfigurationError, match="param `x` is 'four'"):
        params(tmp_path, "int", "3", x="four")


def test_only_params_and_inputs_can_be_changed(tmp_path: Path) -> None:
    built = pipeline(
        tmp_path,
        "@step\ndef one(least: int, source: Path) -> int: ...\n",
        wiring='[params]\nleast = 3\n[inputs]\nsource = "x"',
    )
    assert changed_params(built, built.settings.wiring, {"least": 4, "source": "y"}) == {"least": 4}

    with pytest.raises(ConfigurationError) as caught:
        changed_params(built, built.settings.wiring, {"leest": 4})
    assert caught.value.message == (
        "`leest` is under none of [params], [inputs] and [env] in pipeline.toml; did you mean "
        "`least`?"
    )


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        ("float", "10", 10.0),
        ("float | None", "10", 10.0),
        ("list[float]", "[1, 2.5]", [1.0, 2.5]),
        ("dict[str, float]", "{ a = 1 }", {"a": 1.0}),
        ("dict[str, list[float]]", "{ a = [1], b = [] }", {"a": [1.0], "b": []}),
        ("TypedDict('T', {'a': float})", "{ a = 1, b = 2 }", {"a": 1.0, "b": 2}),
        ("int | float", "10", 10),
        ("dict[str, Any]", "{ a = 1 }", {"a": 1}),
    ],
)
def test_a_whole_number_is_a_float_where_the_annotation_says_so(
    tmp_path: Path, annotation: str, text: str, value: object
) -> None:
    assert repr(params(tmp_path, annotation, text)["x"]) == repr(value)


def test_a_number_and_its_float_have_the_same_key(tmp_path: Path) -> None:
    built = pipeline(
        tmp_path,
        "@step\ndef one(x: float) -> int: ...\n",
        "@step\ndef two(x: int) -> int: ...\n",
        wiring="[params]\nx = 10",
    )
    bound = bind(declared(built, NO_CODE), {})
    texts = [ingredients_of(bound, segment, {}).params for segment in built.segments]

    assert texts == [{"x": "10.0"}, {"x": "10"}]
    with pytest.raises(ConfigurationError, match=r"param `x` is 10.5, but .* takes `x: int`"):
        bind(declared(built, NO_CODE), {"x": 10.5})


def test_a_number_too_long_to_write_down_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="param `x` cannot be written down"):
        params(tmp_path, "int", "3", x=16**9000)


def test_one_key_of_a_table_is_changed(tmp_path: Path) -> None:
    table = "{ a = 1, inner = { b = 2, c = 3 } }"
    kind = "dict[str, Any]"

    assert params(tmp_path, kind, table, **{"x.inner.b": 5})["x"] == {
        "a": 1,
        "inner": {"b": 5, "c": 3},
    }
    changes = {"x.a": 5, "x.inner.c": 6}
    assert params(tmp_path, kind, table, **changes)["x"] == {"a": 5, "inner": {"b": 2, "c": 6}}
    assert params(tmp_path, kind, table)["x"] == {"a": 1, "inner": {"b": 2, "c": 3}}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.aa", "`x` has no key `aa` in pipeline.toml; did you mean `a`?"),
        ("x.inner.d", "`x.inner` has no key `d`"),
        ("x.a.b", "`x.a` is no table, so it has no key `b`"),
        ("y.a", "`y.a` is under none of [params], [inputs] and [env]"),
        ("x.", "`x` has no key ``"),
    ],
)
def test_a_key_that_the_table_does_not_have_is_refused(
    tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        params(tmp_path, "dict[str, Any]", "{ a = 1, inner = { b = 2 } }", **{name: 5})
    assert message in caught.value.message


# --- as the command line gives them ---------------------------------------------------------------


def with_param(folder: Path, annotation: str, text: str) -> Project:
    """A project with one param, `x`, that a step takes, and one input."""
    header = "import datetime; from typing import *\n"
    source = f"{header}@step\ndef one(x: {annotation}, source: Path) -> int: ...\n"
    wiring = f"[params]\nx = {text}\nunused = 1\n[inputs]\nsource = 'data.csv'"
    return declared(pipeline(folder, source, wiring=wiring))


@pytest.mark.parametrize(
    ("annotation", "configured", "typed", "value"),
    [
        ("int", "1", "5", 5),
        ("float", "1.0", "10", 10.0),
        ("bool", "true", "false", False),
        ("str", "'a'", "2024", "2024"),
        ("str", "'a'", "", ""),
        ("str", "'a'", "5#3", "5#3"),
        ("str | None", "'a'", "2024", "2024"),
        ("str | None", "'a'", "true", "true"),
        ("str | None", "'a'", "'2024'", "2024"),
        ("int | str", "'a'", "2024", 2024),
        ("int | str", "'a'", "5#3", "5#3"),
        ("Literal['a', 'b']", "'a'", "b", "b"),
        ("Literal['1', '2']", "'1'", "2", "2"),
        ("Literal[1, 2]", "1", "2", 2),
        ("list[str]", "['a']", '["b", "c#d"]', ["b", "c#d"]),
        ("list[float]", "[1.0]", "[1, 2]", [1.0, 2.0]),
        ("datetime.date", "2013-01-31", "2013-02-01", date(2013, 2, 1)),
        ("datetime.date | str", "'today'", "2013-02-01", date(2013, 2, 1)),
        ("dict[str, Any]", "{ a = 1 }", "{ a = { b = 2 } }", {"a": {"b": 2}}),
        ("Any", "1", "text", "text"),
    ],
)
def test_what_is_typed_is_the_value_that_the_annotation_admits(
    tmp_path: Path, annotation: str, configured: str, typed: str, value: object
) -> None:
    project = with_param(tmp_path, annotation, configured)
    changes = parse_changes(project, [f"x={typed}"])
    received = check_params(project.graph, project.settings.wiring, changes)

    assert repr(received["one", "x"]) == repr(value)


@pytest.mark.parametrize(
    "typed",
    ["5#3", "5 # three", "5\ny = 3", "5, z = 3", "5 }#", "5 ]#", "'5'", "1e999", "9" * 5000],
)
def test_what_is_not_exactly_one_value_of_that_type_is_refused(tmp_path: Path, typed: str) -> None:
    for annotation, configured in (("int", "1"), ("float", "1.0")):
        project = with_param(tmp_path, annotation, configured)
        changes = parse_changes(project, [f"x={typed}"])
        with pytest.raises(ConfigurationError, match="param `x` is '"):
            check_params(project.graph, project.settings.wiring, changes)


def test_a_typed_key_of_a_table_is_read_as_its_annotation_says(tmp_path: Path) -> None:
    kind = "dict[str, str | float | dict[str, int]]"
    project = with_param(tmp_path, kind, "{ name = 'a', rate = 1.0, inner = { n = 1 } }")
    changes = parse_changes(project, ["x.name=b", "x.rate=2", "x.inner.n=3"])
    received = check_params(project.graph, project.settings.wiring, changes)

    assert received["one", "x"] == {"name": "b", "rate": 2.0, "inner": {"n": 3}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["x"], "--set 'x': write NAME=VALUE"),
        (["x=1", "x=2"], "--set 'x=2': `x` is set already"),
        (["source=a", "source=a"], "--set 'source=a': `source` is set already"),
        (["x={ a = 1 }", "x.a=2"], "--set 'x.a=2': `x` is set already"),
        (["x.a=2", "x={ a = 1 }"], "--set 'x={ a = 1 }': `x.a` is set already"),
        (["sauce=2"], "`sauce` is under none of [params], [inputs] and [env] in pipeline.toml"),
        (["=2"], "`` is under none of"),
    ],
)
def test_an_argument_that_cannot_be_meant_is_refused(
    tmp_path: Path, changes: list[str], message: str
) -> None:
    project = with_param(tmp_path, "dict[str, int]", "{ a = 1, ab = 2 }")
    with pytest.raises(ConfigurationError) as caught:
        parse_changes(project, changes)
    assert caught.value.message.startswith(message)
    assert parse_changes(project, ["x.a=2", "x.ab=3"]) == {"x.a": 2, "x.ab": 3}


@pytest.mark.parametrize(
    ("changes", "most", "word"),
    [
        ([], None, None),
        (["most=5"], 5, None),
        (["most=null", "word=null"], None, None),
        (["word=5"], None, "5"),
    ],
)
def test_a_param_that_is_left_out_is_none(
    tmp_path: Path, changes: list[str], most: int | None, word: str | None
) -> None:
    source = "@step\ndef one(most: int | None, word: str | None) -> int: ...\n"
    project = declared(pipeline(tmp_path, source))
    changed = parse_changes(project, changes)
    received = check_params(project.graph, project.settings.wiring, changed)
    assert received == {("one", "most"): most, ("one", "word"): word}


def test_a_param_that_is_left_out_counts_in_the_key(tmp_path: Path) -> None:
    source = "@step\ndef one(most: int | None) -> int: ...\n"
    texts = []
    for changes in ({}, {"most": 5}):
        bound = bind(declared(pipeline(tmp_path, source), NO_CODE), changes)
        texts.append(ingredients_of(bound, bound.graph.segments[0], {}).params)
    assert texts == [{"most": "None"}, {"most": "5"}]
