"""Pages made from the source: questions, commands, configuration, what steps import and return.

Nothing here knows what a question or an option means: prompts, help, docstrings and the docstrings
under settings say it. `flight_delays` is the project that the default answers make, its code linked
to the template's.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import runpy
import tomllib
import typing
from collections.abc import Callable
from enum import Enum
from itertools import pairwise
from pathlib import Path
from types import NoneType
from typing import Any

from flight_delays import checkpointing
from flight_delays.checkpointing import Pipeline, cli, codecs
from flight_delays.checkpointing.base import elsewhere, errors, forms, remedies, settings
from flight_delays.checkpointing.tools.review.command import FINDINGS_EXIT_CODE
from pydantic import BaseModel
from typer.models import ArgumentInfo, ParameterInfo
from typer.utils import get_params_from_function

from .markdown import table

ROOT = Path(__file__).resolve().parents[2]
BAKED = ROOT / "build" / "dev" / "flight-delays"

TYPES = {str: "TEXT", int: "NUMBER", float: "NUMBER"}


def questions() -> str:
    """What cookiecutter asks, its defaults, and what the hook accepts."""
    asked = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    hook = runpy.run_path(str(ROOT / "hooks" / "pre_gen_project.py"), run_name="")
    rows = []
    for key, prompt in asked["__prompts__"].items():
        form, words, _ = hook["RULES"][key]
        choices = "one line of text" if form == ".+" else "one of " + form.replace("|", ", ")
        accepted = choices if words in ("", "text") else words
        rows.append([f"`{key}`", prompt, asked[key], accepted])
    slug, package = BAKED.name, checkpointing.__name__.partition(".")[0]
    return (
        "# Questions\n\n"
        "What is asked when a project is generated. All answers are checked together, before a "
        "file is written.\n\n"
        + table(["question", "asked as", "default", "accepted"], rows)
        + f"\nNames follow from `project_name`: {asked['project_name']} gives the folder and the "
        f"command `{slug}`, and the package `{package}`. The quota, `quota_percent` of "
        f"`cluster_ram_gb`, has to reach {hook['SMALLEST_GB']['Python']} GB, "
        f"{hook['SMALLEST_GB']['Spark']} GB for the engine `spark`.\n\n"
        "On a command line an answer is `key=value`:\n\n"
        '```sh\nuvx cookiecutter REPOSITORY project_name="Night Batch" quota_percent=5\n```\n'
    )


def commands() -> str:
    """The command line, its exit codes, and the kinds of error."""
    text = (
        "# Commands\n\n"
        f"`{BAKED.name}` stands for your project's own command; `python -m PACKAGE` is the same. "
        "Every command also takes `--help`.\n"
    )
    for command in cli.application("flight_delays").registered_commands:
        assert command.callback is not None
        text += _command(command.name or command.callback.__name__, command.callback)
    codes: dict[int, list[type[errors.CheckpointingError]]] = {}
    for error in errors.BY_KIND.values():
        codes.setdefault(error.exit_code, []).append(error)
    rows = [["0", "", "Done."], [str(FINDINGS_EXIT_CODE), "", "`review` found something."]]
    for code, kinds in sorted(codes.items()):
        rows += [[str(code), f"`{error.kind}`", _first_line(error)] for error in kinds]
    rows.sort(key=lambda row: int(row[0]))
    return (
        text
        + "\n## Exit codes\n\n`kind` is what `run --json` gives under `error`.\n\n"
        + table(["code", "kind", "what happened"], rows)
    )


def _command(name: str, callback: Callable[..., Any]) -> str:
    """One command: how it is typed, what it does, its arguments and options."""
    usage, rows = [BAKED.name, name], []
    for parameter in get_params_from_function(callback).values():
        told = parameter.default
        if not isinstance(told, ParameterInfo):
            continue  # typer's own context
        is_needed = told.default is ...
        has_default = told.default not in (None, False, ...)
        default = f" Default: `{_plain(told.default)}`." if has_default else ""
        known = [kind for kind in typing.get_args(parameter.annotation) if kind is not NoneType]
        kind = known[0] if known else parameter.annotation
        if isinstance(told, ArgumentInfo):
            typed = told.metavar or parameter.name.upper()
            usage.append(typed if is_needed else f"[{typed}]")
        else:
            names = told.param_decls or [f"--{parameter.name.replace('_', '-')}"]
            typed = ", ".join(names) + ("" if kind is bool else f" {told.metavar or _form(kind)}")
        often = " May be given again." if typing.get_origin(kind) is list else ""
        rows.append([f"`{typed}`", f"{told.help or ''}{often}{default}"])
    if any(row[0].startswith("`-") for row in rows):
        usage.append("[OPTIONS]")
    options = "\n" + table(["argument or option", "meaning"], rows) if rows else ""
    typed = " ".join(usage)
    return f"\n## {name}\n\n```text\n{typed}\n```\n\n{inspect.getdoc(callback)}\n{options}"


def _plain(value: object) -> str:
    return str(value.value if isinstance(value, Enum) else value)


def _form(kind: Any) -> str:
    """What is typed for a value of this type."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(str(member.value) for member in kind)
    return TYPES.get(kind, "TEXT")


def configuration() -> str:
    """Both TOML files: as they are generated, and every key."""
    body = [
        node
        for module in (settings, elsewhere)
        for node in ast.parse(inspect.getsource(module)).body
    ]
    meanings = _meanings(ast.parse(inspect.getsource(forms)).body)
    classes = {node.name: _meanings(node.body) for node in body if _is_class(node)}
    text = (
        "# Configuration\n\n"
        "Two files at the root of a project. A wrong or unknown key is refused, with the nearest "
        "right one named. A key that is left out has its default.\n"
    )
    for name, model in (
        (settings.MEMORY_BUDGET_FILE, settings.MemoryBudget),
        (settings.PIPELINE_FILE, settings.Wiring),
    ):
        purpose = (inspect.getdoc(model) or "").removeprefix(f"{name}, ")
        text += f"\n## {name}\n\n{purpose[:1].upper()}{purpose[1:]}\n"
        rows = []
        for key, field in model.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                text += _settings(name, key, field.annotation, classes, meanings)
            else:
                rows.append([f"`[{key}]`", classes[model.__name__][key].meaning])
                for inner in typing.get_args(field.annotation):
                    if isinstance(inner, type) and issubclass(inner, BaseModel):
                        text += _settings(name, f"{key}.NAME", inner, classes, meanings)
        text += "\n" + table(["table", "what it holds"], rows) if rows else ""
        generated = (BAKED / name).read_text(encoding="utf-8")
        text += f"\nAs the default answers generate it:\n\n```toml\n{generated}```\n"
    return text


class Described(typing.NamedTuple):
    """A name in a source: the names in its annotation or value, and the docstring below it."""

    names: list[str]
    meaning: str


def _is_class(node: ast.stmt) -> typing.TypeGuard[ast.ClassDef]:
    return isinstance(node, ast.ClassDef)


def _meanings(body: list[ast.stmt]) -> dict[str, Described]:
    """What the docstring below each assignment says."""
    found = {}
    for node, after in pairwise(body):
        if not isinstance(after, ast.Expr) or not isinstance(after.value, ast.Constant):
            continue
        if isinstance(node, ast.AnnAssign):
            target, said = ast.unparse(node.target), node.annotation
        elif isinstance(node, ast.Assign):
            target, said = ast.unparse(node.targets[0]), node.value
        else:
            continue
        names = [name.id for name in ast.walk(said) if isinstance(name, ast.Name)]
        found[target] = Described(names, inspect.cleandoc(str(after.value.value)))
    return found


def _settings(
    file: str,
    key: str,
    model: type[BaseModel],
    classes: dict[str, dict[str, Described]],
    forms: dict[str, Described],
) -> str:
    """One table of a TOML file. A key without a docstring is a KeyError."""
    generated = tomllib.loads((BAKED / file).read_text(encoding="utf-8")).get(key, {})
    rows = []
    for name, field in model.model_fields.items():
        told = classes[model.__name__][name]
        form = next((forms[word].meaning for word in told.names if word in forms), "")
        form = form or _plain_form(model.model_json_schema()["properties"][name])
        is_needed = field.is_required()
        default = "none" if is_needed else _toml(generated.get(name), field.default)
        rows.append([f"`{name}`", f"{told.meaning} {form}", default])
    heading = f"\n### \\[{key}\\]\n\n{inspect.getdoc(model)}\n\n"
    return heading + table(["key", "meaning", "default"], rows)


def _plain_form(schema: dict[str, Any]) -> str:
    """The form of a value as its JSON schema has it."""
    if "enum" in schema:
        return "One of " + ", ".join(f'`"{choice}"`' for choice in schema["enum"]) + "."
    if schema.get("type") == "integer":
        lowest = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
        return f"A whole number from {lowest}."
    return ""


def _toml(generated: object, default: object) -> str:
    """A default as it is written in TOML: as the generated file has it, where that is the same."""
    if default is None:
        return "none"
    if default in ((), {}):
        return "`[]`" if default == () else "`{}`"
    if isinstance(generated, str) and not isinstance(default, str):
        return f'`"{generated}"`'
    return f"`{json.dumps(default if isinstance(default, str | int) else str(default))}`"


def steps() -> str:
    """What the package `checkpointing` exports, and which values steps exchange."""
    text = "# What steps import\n\n" + _documented(checkpointing)
    named = {name: getattr(checkpointing, name) for name in sorted(checkpointing.__all__)}
    named |= {"Pipeline.load": Pipeline.load, "Pipeline.run": Pipeline.run}
    order = sorted(named, key=lambda name: (name[0].isupper(), name))
    for name in order:
        shown = str(inspect.signature(named[name])).replace("(self, ", "(")
        shown = re.sub(r"(: |-> )'([^']*)'", r"\1\2", shown)
        call = f"{name}{shown}".removesuffix(" -> None")
        text += f"\n## {name}\n\n```python\n{call}\n```\n\n{_documented(named[name])}"
    return f"{text}\n## Values\n\n{_documented(codecs)}"


def values() -> str:
    """Which types a step may return, and what to write in place of the others."""
    kept = [[_types(entry.types), entry.form] for entry in remedies.KEPT]
    refused = [[entry.what, _types(entry.types), entry.remedy] for entry in remedies.REFUSED]
    return (
        "# What a step may return\n\n"
        "A value comes back from its checkpoint exactly, with its type, or it is refused. Types "
        "are looked at when the pipeline is built: all that cannot be stored are named at once, "
        "with what to write instead. `review` names them from the source (CKP106). What shows only "
        "in the value, such as a column of unlike objects, is refused when the step has returned "
        "it, with the path of the part.\n\n"
        "## Kept\n\n"
        + table(["type", "kept as"], kept)
        + "\nA container may hold all that JSON keeps, to 250 levels; `dict` and `list` without "
        "types, and `Any` within them, are looked at when they are frozen. A value of JSON is "
        "loaded as the type that its step promises: a `list` is no `tuple`. An object with fields "
        "is made again without a call of its class; the file holds the names and types of the "
        "fields, and a class that has others by now is refused.\n\n"
        "## Refused\n\n"
        + table(["what", "types", "what to write instead"], refused)
        + f"\nFor all other types: {remedies.GENERAL}.\n"
    )


def _types(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _documented(thing: Any) -> str:
    """A docstring as Markdown: sections such as `Args:` become lists."""
    lines: list[str] = []
    for line in (inspect.getdoc(thing) or "").splitlines():
        if re.fullmatch(r"[A-Z][a-z]+:", line):
            lines += [f"**{line}**", ""]
        elif found := re.match(r" {4}(\S+?): (.+)", line):
            lines.append(f"- `{found[1]}`: {found[2]}")
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def _first_line(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").splitlines()[0]


PAGES: dict[str, Callable[[], str]] = {
    "reference/questions.md": questions,
    "reference/commands.md": commands,
    "reference/configuration.md": configuration,
    "reference/steps.md": steps,
    "reference/values.md": values,
}
