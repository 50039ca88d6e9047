"""Params are checked against annotations, and replaced by name."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.reuse.inputs import check_names, check_params

from ..builders import FIRST_LINE, pipeline


def params(folder: Path, annotation: str, text: str, **changed: Any) -> dict[str, Any]:
    """The params of a project with one, `x`, that one step takes."""
    source = f"import datetime\n@step\ndef one(x: {annotation}) -> int: ...\n"
    built = pipeline(folder, source, wiring=f"[params]\nx = {text}\nunused = 'anything'")
    return check_params(built, built.settings.wiring, changed)


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
    assert params(tmp_path, annotation, text) == {"x": value, "unused": "anything"}


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
    check_names(built.settings.wiring, {"least": 4, "source": "y"})

    with pytest.raises(ConfigurationError) as caught:
        check_names(built.settings.wiring, {"leest": 4})
    assert caught.value.message == (
        "`leest` is neither under [params] nor under [inputs] in pipeline.toml; did you mean "
        "`least`?"
    )
