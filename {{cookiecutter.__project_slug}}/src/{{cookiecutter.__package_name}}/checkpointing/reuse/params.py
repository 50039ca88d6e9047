"""The params of a run: those of pipeline.toml, changed by `--set` or by a caller, and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import PydanticUserError, TypeAdapter, ValidationError

from ..base.errors import ConfigurationError, nearest
from ..base.settings import PIPELINE_FILE, Wiring
from ..base.texts import shown
from ..graph.graph import Graph
from ..graph.signatures import admits_none
from ..graph.steps import Parameter, Step


def left_out(graph: Graph, wiring: Wiring) -> set[str]:
    """The names of params that pipeline.toml leaves out, and that steps take as None then."""
    known = {step.name for step in graph.steps} | wiring.params.keys() | wiring.inputs.keys()
    known |= wiring.env.keys()
    return {
        parameter.name
        for step in graph.steps
        for parameter in step.parameters
        if parameter.name not in known and not parameter.value and admits_none(parameter.annotation)
    }


def changed_params(graph: Graph, wiring: Wiring, changed: Mapping[str, Any]) -> dict[str, Any]:
    """The params of pipeline.toml with those of `changed`, whose names may be `table.key`.

    Those that it leaves out are None.

    Raises ConfigurationError for a name that is none of a param, an input or a variable of [env],
    nor a key that the configured table has.
    """
    params = dict.fromkeys(sorted(left_out(graph, wiring))) | wiring.params
    for name in sorted(changed, key=len):  # a whole table before its keys
        if name in params:
            params[name] = changed[name]
        elif name not in wiring.inputs and name not in wiring.env:
            _change_key(params, name, changed[name], wiring)
    return params


def _change_key(params: dict[str, Any], name: str, value: Any, wiring: Wiring) -> None:
    first, *keys = name.split(".")
    if first not in params or not keys:
        known = [*params, *wiring.inputs, *wiring.env]
        raise ConfigurationError(
            f"`{name}` is under none of [params], [inputs] and [env] in "
            f"{PIPELINE_FILE}{nearest(name, known)}"
        )
    keys = [first, *keys]
    table: Any = params
    for number, key in enumerate(keys):
        place = ".".join(keys[:number])
        if not isinstance(table, dict):
            raise ConfigurationError(f"`{name}`: `{place}` is no table, so it has no key `{key}`.")
        if key not in table:
            raise ConfigurationError(
                f"`{name}`: `{place}` has no key `{key}` in {PIPELINE_FILE}"
                f"{nearest(key, list(table))}. Add it there, or set the whole table."
            )
        if number < len(keys) - 1:
            table[key] = table[key].copy() if isinstance(table[key], dict) else table[key]
            table = table[key]
    table[keys[-1]] = value


def check_params(
    graph: Graph, wiring: Wiring, changed: Mapping[str, Any]
) -> dict[tuple[str, str], Any]:
    """Each param as each step receives it, by (step, parameter), checked by its annotation.

    A whole number is a float where the annotation says so: `10` and `10.0` are the same.

    Raises:
        ConfigurationError: a value does not fit an annotation, or a changed name is none of a
            param or an input.
    """
    params = changed_params(graph, wiring, changed)
    received = {}
    for step in graph.steps:
        for parameter in step.parameters:
            if parameter.name in params:
                value = params[parameter.name]
                received[step.name, parameter.name] = _received(step, parameter, value)
    return received


def fits(graph: Graph, name: str, params: Mapping[str, Any]) -> bool:
    """Whether the value of a param fits the annotation of each step that takes it."""
    try:
        for step in graph.steps:
            for parameter in (p for p in step.parameters if p.name == name):
                _received(step, parameter, params[name])
    except ConfigurationError:
        return False
    return True


def _received(step: Step, parameter: Parameter, value: Any) -> Any:
    """A param as a step receives it; where it runs for each item, the list of them."""
    if step.each != parameter.name:
        return _checked(step, parameter, value)
    if not isinstance(value, list):
        raise ConfigurationError(
            f"param `{parameter.name}` is {shown(value)}, but {step.place} runs for each item of "
            f"it: write a list.",
            step=step.name,
        )
    return [_checked(step, parameter, item) for item in value]


def _checked(step: Step, parameter: Parameter, value: Any) -> Any:
    try:
        repr(value)
        checked = TypeAdapter(parameter.annotation).validate_python(value, strict=True)
    except ValidationError as error:
        raise ConfigurationError(
            f"param `{parameter.name}` is {shown(value)}, but {step.place} takes "
            f"`{parameter.name}: {parameter.type_name}`: {error.errors()[0]['msg']}",
            step=step.name,
        ) from None
    except PydanticUserError:
        raise ConfigurationError(
            f"{step.place}: parameter `{parameter.name}` is one of [params]; annotate it "
            f"as what TOML gives, such as `int`, not as {parameter.type_name}.",
            step=step.name,
        ) from None
    except (ValueError, RecursionError) as error:  # Python writes no integer of that many digits
        raise ConfigurationError(
            f"param `{parameter.name}` cannot be written down ({error}); make it smaller",
            step=step.name,
        ) from None
    return _with_floats(value, checked)


def _with_floats(value: Any, checked: Any) -> Any:
    """The value with the floats of what pydantic made of it, and nothing else of that.

    It drops keys that a TypedDict does not name, for example.
    """
    if type(value) is int and type(checked) is float:
        return checked
    if isinstance(value, list) and isinstance(checked, list):
        return [_with_floats(*pair) for pair in zip(value, checked, strict=True)]
    if isinstance(value, dict) and isinstance(checked, dict):
        return {key: _with_floats(item, checked.get(key, item)) for key, item in value.items()}
    return value
