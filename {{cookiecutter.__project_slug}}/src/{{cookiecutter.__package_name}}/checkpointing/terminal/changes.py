"""The option `--set NAME=VALUE` of a command, read as values."""

from __future__ import annotations

import contextlib
from typing import Any

from ..base.errors import ConfigurationError
from ..base.reading import parse_toml
from ..base.refusals import Unreadable
from ..base.texts import shown
from ..reuse.bound import Project


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
            raise ConfigurationError(f"--set {shown(change)}: write NAME=VALUE")
        parsed[name] = value
        if name not in texts:
            with contextlib.suppress(Unreadable):
                parsed[name] = parse_toml(f"value = {value}")["value"]
    return parsed
