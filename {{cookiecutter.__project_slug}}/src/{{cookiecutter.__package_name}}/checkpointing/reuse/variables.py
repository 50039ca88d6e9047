"""The environment variables of a run: those of [env], read once, as the process that starts it sees
them.

The value of one that is no secret counts in keys, like a param. Of a secret only the variable's
name counts, and its value is needed only where a step that takes it is to run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..base.errors import ConfigurationError
from ..base.secrets import Secret
from ..base.settings import PIPELINE_FILE, Variable, Wiring
from ..base.texts import shown
from ..graph.graph import Graph
from ..graph.steps import Parameter, Step

_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}
_WHOLE = re.compile(r"[+-]?[0-9]{1,4000}")
_HOW = "Set it before the command, or give it a `default`, which a secret cannot have."


@dataclass(frozen=True)
class Variables:
    """What the steps of a graph take from the environment."""

    values: dict[tuple[str, str], Any]
    """Each value that is no secret, as each step receives it, by (step, parameter)."""

    secrets: dict[str, Secret]
    """The secrets that are set, by their name in [env]."""


def read_variables(
    graph: Graph,
    wiring: Wiring,
    changed: Mapping[str, Any],
    environment: Mapping[str, str] = os.environ,
) -> Variables:
    """Read the variables that steps take; values in `changed` replace those of no secret.

    Raises:
        ConfigurationError: variables without a default are not set, all of them named at once, or
            a value is not what a step's annotation says.
    """
    refuse_secrets(wiring, changed)
    secrets = {
        name: Secret(environment[variable.variable])
        for name, variable in wiring.env.items()
        if variable.secret and environment.get(variable.variable)
    }
    texts: dict[str, Any] = {}
    for name, variable in wiring.env.items():
        if not variable.secret:
            given = environment.get(variable.variable, variable.default)
            texts[name] = changed.get(name, given)
    _require_set(graph, wiring, {n for n, text in texts.items() if text is not None}, secrets)
    values = {
        (step.name, parameter.name): _converted(
            step, parameter, texts[parameter.name], wiring.env[parameter.name]
        )
        for step, parameter in _taken(graph.steps, wiring)
        if parameter.name in texts
    }
    return Variables(values, secrets)


def require_secrets(steps: Iterable[Step], wiring: Wiring, secrets: Mapping[str, Secret]) -> None:
    """Refuse, before anything runs, to run steps whose secrets are not set. All are named.

    Raises ConfigurationError.
    """
    lacking = {
        parameter.name: step
        for step, parameter in _taken(steps, wiring)
        if wiring.env[parameter.name].secret and parameter.name not in secrets
    }
    if lacking:
        raise _not_set(lacking, wiring)


def refuse_secrets(wiring: Wiring, changed: Iterable[str]) -> None:
    """Refuse a secret from a command line, which a shell keeps. Raises ConfigurationError."""
    for name in changed:
        variable = wiring.env.get(name.partition(".")[0])
        if variable is not None and variable.secret:
            raise ConfigurationError(
                f"`{name}` is a secret of [env], which is taken from the environment alone: a "
                f"command line stays in the shell's history and in the list of processes. Set the "
                f"variable {variable.variable} instead."
            )


def variable_texts(
    steps: Iterable[Step], wiring: Wiring, values: Mapping[tuple[str, str], Any]
) -> dict[str, str]:
    """What counts in a key of each variable that steps take: of a secret, the variable's name."""
    texts: dict[str, dict[str, None]] = {}
    for step, parameter in _taken(steps, wiring):
        variable = wiring.env[parameter.name]
        if variable.secret:
            text = f"the secret {variable.variable}"
        else:
            text = repr(values[step.name, parameter.name])
        texts.setdefault(parameter.name, {})[text] = None
    return {name: ", ".join(sorted(each)) for name, each in texts.items()}


def _taken(steps: Iterable[Step], wiring: Wiring) -> list[tuple[Step, Parameter]]:
    return [(step, p) for step in steps for p in step.parameters if p.name in wiring.env]


def _require_set(
    graph: Graph, wiring: Wiring, known: set[str], secrets: Mapping[str, Secret]
) -> None:
    taken = {parameter.name: step for step, parameter in _taken(graph.steps, wiring)}
    lacking = {n: step for n, step in taken.items() if n not in known and n not in secrets}
    if any(not wiring.env[name].secret for name in lacking):  # then a key cannot be known
        raise _not_set(lacking, wiring)


def _not_set(lacking: Mapping[str, Step], wiring: Wiring) -> ConfigurationError:
    lines = [
        f"  {wiring.env[name].variable}: [env] `{name}` of step `{step.name}`"
        + (", a secret" if wiring.env[name].secret else "")
        for name, step in lacking.items()
    ]
    listed = "\n".join(lines)
    several = "these environment variables are" if len(lines) > 1 else "an environment variable is"
    return ConfigurationError(
        f"{several} not set, or empty, and {PIPELINE_FILE} names no default:\n{listed}\n{_HOW}",
        step=next(iter(lacking.values())).name,
    )


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError("no whole number")
    return int(text)


def _number(text: str) -> float:
    if "_" in text or text != text.strip():
        raise ValueError("no number")
    return float(text)


def _truth(text: str) -> bool:
    if (word := text.lower()) in _TRUE | _FALSE:
        return word in _TRUE
    raise ValueError("neither")


_READERS: dict[Any, tuple[Callable[[str], Any], str]] = {
    int: (_whole, "a whole number, such as 10"),
    float: (_number, "a number, such as 0.5"),
    bool: (_truth, "true or false (or yes, no, on, off, 1, 0)"),
}


def _converted(step: Step, parameter: Parameter, value: Any, variable: Variable) -> Any:
    """The value as the annotation says; `PIPELINE.run(params={...})` may give it as such."""
    kind: Any = parameter.annotation
    if type(value) is kind or (kind is float and type(value) is int):
        return kind(value)
    reader, wanted = _READERS.get(kind, (None, "text"))
    if reader is not None and isinstance(value, str):
        try:
            return reader(value)
        except ValueError:
            pass
    raise ConfigurationError(
        f"env `{parameter.name}` (variable {variable.variable}) is {shown(value)}, but "
        f"{step.place} takes `{parameter.name}: {parameter.type_name}`, {wanted}.",
        step=step.name,
    )
