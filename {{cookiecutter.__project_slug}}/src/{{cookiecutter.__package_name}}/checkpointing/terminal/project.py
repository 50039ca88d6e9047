"""Functions that all commands use: read `--set`, print errors."""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Iterator
from typing import Any

from rich.console import Console

from ..base.errors import CheckpointingError, ConfigurationError
from ..reuse.bound import Project

_ERROR_STYLE = "bold red"


def parse_changes(project: Project, changes: list[str]) -> dict[str, Any]:
    """`--set NAME=VALUE` as values: text for inputs and for params annotated `str`, else TOML.

    Raises:
        ConfigurationError: an argument is not NAME=VALUE.
    """
    texts = {
        parameter.name
        for step in project.graph.steps
        for parameter in step.parameters
        if parameter.annotation is str
    } | set(project.settings.wiring.inputs)
    parsed: dict[str, Any] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise ConfigurationError(f"--set {change!r}: write NAME=VALUE")
        parsed[name] = value
        if name not in texts:
            with contextlib.suppress(tomllib.TOMLDecodeError):
                parsed[name] = tomllib.loads(f"value = {value}")["value"]
    return parsed


def print_error(console: Console, error: CheckpointingError) -> None:
    """An error for a person: its own traceback first when a step raised, then what to do."""
    trace = error.details.get("traceback")
    if trace:
        console.print(trace.rstrip(), highlight=False, markup=False, soft_wrap=True)
    where = (
        ""
        if not error.segment or f"`{error.segment}`" in error.message
        else (f"segment `{error.segment}`" + (f", step `{error.step}`: " if error.step else ": "))
    )
    console.print("error:", style=_ERROR_STYLE, end=" ")
    console.print(f"{where}{error.message}", highlight=False, markup=False, soft_wrap=True)


@contextlib.contextmanager
def reported() -> Iterator[list[int]]:
    """Errors as messages; the exit code is the only item of the list."""
    code = [0]
    try:
        yield code
    except CheckpointingError as error:
        print_error(Console(stderr=True), error)
        code[0] = error.exit_code
