"""The option `--set NAME=VALUE` of a command, read as values."""

from __future__ import annotations

from typing import Any

from ..base.errors import ConfigurationError
from ..base.reading import parse_toml
from ..base.refusals import Unreadable
from ..base.texts import shown
from ..reuse.bound import Project
from ..reuse.params import changed_params, fits
from ..reuse.variables import refuse_secrets


def parse_changes(project: Project, changes: list[str]) -> dict[str, Any]:
    """`--set NAME=VALUE` as values; NAME may be a key of a table, `TABLE.KEY`.

    An input and a variable of [env] are text. A param annotated `str` is text too; any other is the
    one TOML value that the text is, if that fits its annotations, and else text: `2024` is a number
    for `int | str`, and text for `str | None`. `null`, which TOML has no word for, is None where
    that fits.

    Raises:
        ConfigurationError: an argument is not NAME=VALUE, names what no run can change, or
            changes again what an earlier one changes.
    """
    graph, wiring = project.graph, project.settings.wiring
    texts = {
        parameter.name
        for step in graph.steps
        for parameter in step.parameters
        if parameter.annotation is str
    } | {*wiring.inputs, *wiring.env}
    refuse_secrets(wiring, (change.partition("=")[0] for change in changes))
    parsed: dict[str, Any] = {}
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals:
            raise ConfigurationError(f"--set {shown(change)}: write NAME=VALUE")
        for earlier in parsed:
            if f"{name}.".startswith(f"{earlier}.") or f"{earlier}.".startswith(f"{name}."):
                raise ConfigurationError(
                    f"--set {shown(change)}: `{earlier}` is set already; set each name once"
                )
        parsed[name] = text
        if name in texts:
            continue
        nothing = [None] if text == "null" else []
        for value in (*nothing, *_toml_values(text), text):
            params = changed_params(graph, wiring, {**parsed, name: value})
            if fits(graph, name if name in params else name.partition(".")[0], params):
                parsed[name] = value
                break
        else:
            parsed[name] = next(iter(_toml_values(text)), text)
    return parsed


def _toml_values(text: str) -> list[Any]:
    """The value that a text is in TOML; none if it is not exactly one value."""
    try:
        # A comment would swallow the brace behind it, and no text but a value fits into both.
        table = parse_toml(f"x = {{ y = {text} }}")
        array = parse_toml(f"x = [ {text} ]")
    except Unreadable:
        return []
    return array["x"] if list(table) == ["x"] and list(table["x"]) == ["y"] else []
