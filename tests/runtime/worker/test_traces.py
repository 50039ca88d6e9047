"""A traceback shows a person the project's own frames."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from flight_delays.checkpointing.base import files
from flight_delays.checkpointing.codecs.engines.spark_errors import SparkFailed
from flight_delays.checkpointing.codecs.room import NoRoom
from flight_delays.checkpointing.worker.main import as_failure, import_remedy
from flight_delays.checkpointing.worker.traces import headline, user_traceback
from pyspark.errors import PySparkRuntimeError

from ..builders import module

SOURCE = """
import json

def one(runtime=None, argument=None):
    return two(runtime, argument)

def two(runtime, argument):
    if runtime is not None:
        return runtime(argument)
    return json.loads("{")

def because():
    try:
        one()
    except ValueError as error:
        raise KeyError("after") from error

def during():
    try:
        one()
    except ValueError:
        raise KeyError("after")

def together():
    try:
        one()
    except ValueError as error:
        raise ExceptionGroup("several", [error])
"""


def trace(folder: Path, function: str, *arguments: object, root: Path | None = None) -> str:
    """The traceback for people of an error that a module of the project raises."""
    made = module(folder / "src", SOURCE)
    try:
        getattr(made, function)(*arguments)
    except Exception as error:
        return user_traceback(error, root or folder)
    raise AssertionError("nothing was raised")


def test_an_engine_that_cannot_start_is_told_without_the_name_of_a_class(tmp_path: Path) -> None:
    failure = as_failure(NoRoom("Spark needs 1 GB", 10**9), "counted", tmp_path)
    assert (failure.message, failure.in_engine, failure.least) == ("Spark needs 1 GB", True, 10**9)
    assert headline(SparkFailed("java.io.IOException: gone")) == "java.io.IOException: gone"


def test_what_needs_a_session_of_spark_in_a_module_is_told_with_the_way_out() -> None:
    error = PySparkRuntimeError(errorClass="SESSION_OR_CONTEXT_NOT_EXISTS", messageParameters={})
    assert "`@F.udf(returnType=LongType())`" in import_remedy(error)
    assert "uv add polars" in import_remedy(ModuleNotFoundError("no", name="polars"))
    assert import_remedy(ValueError("no")) == ""


def test_only_frames_of_the_project_are_shown(tmp_path: Path) -> None:
    text = trace(tmp_path, "one")

    assert text.startswith("Traceback (most recent call last):\n")
    assert "in one\n    return two(runtime, argument)\n" in text
    assert 'in two\n    return json.loads("{")\n' in text
    assert text.count("  File ") == 2
    assert text.endswith(
        "json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 "
        "column 2 (char 1)\n"
    )


def test_frames_of_the_runtime_are_never_shown(tmp_path: Path) -> None:
    text = trace(tmp_path, "one", files.checksum, tmp_path / "missing")

    assert "FileNotFoundError" in text
    assert "checkpointing" not in text
    assert text.count("  File ") == 2


@pytest.mark.parametrize(
    ("function", "link"),
    [
        ("because", "The above exception was the direct cause"),
        ("during", "During handling of the above exception"),
        ("together", "| ExceptionGroup: several (1 sub-exception)"),
    ],
)
def test_linked_errors_are_trimmed_too(tmp_path: Path, function: str, link: str) -> None:
    text = trace(tmp_path, function)

    assert link in text
    assert "in two" in text
    assert json.__file__ not in text
    assert json.decoder.__file__ not in text


@pytest.mark.parametrize("place", [".venv/lib", "lib/site-packages"])
def test_libraries_that_lie_in_the_projects_folder_are_not_its_own(
    tmp_path: Path, place: str
) -> None:
    library = module(tmp_path / place, "def broken(x):\n    raise ValueError(x)\n", name="library")
    text = trace(tmp_path, "one", library.broken, 3)

    assert text.endswith("ValueError: 3\n")
    assert "in two" in text
    assert "library.py" not in text


def test_where_the_project_has_no_frame_all_but_the_runtimes_are_shown(tmp_path: Path) -> None:
    text = trace(tmp_path, "one", files.checksum, tmp_path / "missing", root=tmp_path / "other")

    assert "in two" in text
    assert "test_traces.py" in text
    assert "checkpointing" not in text


def test_frames_without_a_file_are_not_shown(tmp_path: Path) -> None:
    text = trace(tmp_path, "one", eval, "1 / 0", root=tmp_path / "other")

    assert "ZeroDivisionError" in text
    assert "<string>" not in text


def test_a_panic_of_polars_is_called_by_its_name() -> None:
    assert headline(pl.exceptions.PanicException("of some assumption")) == (
        "polars panicked: of some assumption"
    )
    assert headline(ValueError("no")) == "ValueError: no"
