"""Check a graph against its project's TOML files: all problems at once, with the lines to fix."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..base.errors import ConfigurationError, nearest
from ..base.names import LONGEST, is_too_long
from ..base.settings import Settings, find_root, load_settings
from ..codecs import codec_named, output_format
from .bodies import undeclared_uses
from .graph import Graph
from .places import needed_annotation, problem_of_place
from .steps import WORKDIR, Parameter, Segment, Step, is_step


def root_of(name: str, segments: Sequence[Segment]) -> Path:
    """The folder of the project that a pipeline's first step lies in. Raises ConfigurationError.

    Of an installed copy of the project's package it is that of the current folder.
    """
    steps = [step for segment in segments for step in segment.steps]
    if not steps:
        raise ConfigurationError(f"pipeline `{name}` has no steps.")
    root = find_root(Path(steps[0].file).parent, Path.cwd())
    if root is None:
        raise ConfigurationError(
            f"no pipeline.toml in a folder above {steps[0].file}, nor in {Path.cwd()} or above it. "
            f"Run the command in the project's folder."
        )
    return root


def settings_of(name: str, segments: Sequence[Segment]) -> Settings:
    """The TOML files of the project that a pipeline lies in. Raises ConfigurationError."""
    return load_settings(root_of(name, segments))


def require_sound(graph: Graph, settings: Settings) -> None:
    """Refuse a graph that cannot run. Raises ConfigurationError with all of its problems."""
    problems = [*_problems(graph, settings)]
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigurationError(f"pipeline `{graph.name}` cannot be built:\n{listed}")


def _problems(graph: Graph, settings: Settings) -> Iterator[str]:
    yield from _problems_of_names(graph, settings)
    yield from _problems_of_outputs(graph, settings)
    earlier: dict[str, Step] = {}
    for step in graph.steps:
        for parameter in step.parameters:
            yield from _problems_of_parameter(step, parameter, earlier, graph, settings)
        for name in undeclared_uses(step, set(earlier) - {p.name for p in step.parameters}):
            yield (
                f"{step.place}: the body uses `{name}`, an earlier step. Add `{name}` to the "
                f"parameters to receive its value."
            )
        earlier[step.name] = step


def _problems_of_names(graph: Graph, settings: Settings) -> Iterator[str]:
    wiring = settings.wiring
    taken = {WORKDIR: "the runtime"}
    for table, names in (("[inputs]", wiring.inputs), ("[params]", wiring.params)):
        for name in names:
            if name in taken:
                yield f"pipeline.toml: {table} `{name}`: the name is taken by {taken[name]}."
            taken[name] = table
    for name, text in wiring.inputs.items():
        if problem := problem_of_place(text, settings.root):
            yield f"pipeline.toml: [inputs] `{name}` = {text!r} {problem}."
    segments: set[str] = set()
    most = settings.memory.segment.max_steps
    for segment in graph.segments:
        if segment.name in segments:
            yield f"two segments are named `{segment.name}`."
        segments.add(segment.name)
        if not segment.steps:
            yield f"segment `{segment.name}` has no steps."
        if len(segment.steps) > most:
            yield (
                f"{segment.steps[most].place}: segment `{segment.name}` has "
                f"{len(segment.steps)} steps, max_steps in memory_budget.toml is {most}. "
                f"Move the later ones to a segment of their own."
            )
        for step in segment.steps:
            if is_too_long(step.name):
                yield (
                    f"{step.place}: the name has {len(step.name.encode())} bytes; the longest has "
                    f"{LONGEST}, because files are named after it."
                )
            if step.name in taken:
                yield f"{step.place}: the name `{step.name}` is taken by {taken[step.name]}."
            taken[step.name] = f"the step at {step.file}:{step.line}"


def _problems_of_parameter(
    step: Step, parameter: Parameter, earlier: dict[str, Step], graph: Graph, settings: Settings
) -> Iterator[str]:
    name, wiring = parameter.name, settings.wiring
    where = f"{step.place}: parameter `{name}`"
    if parameter.columns is not None and name not in earlier:
        yield f"{where}: Columns applies to an earlier step's table only."
    if name == WORKDIR:
        if parameter.annotation is not Path:
            yield f"{where} is a fresh folder; annotate it `Path`."
    elif name in earlier:
        yield from _problems_of_loading(where, parameter, earlier[name])
    elif name in wiring.inputs:
        needed = needed_annotation(wiring.inputs[name], settings.root, parameter.annotation)
        if needed is not None:
            yield f"{where} is one of [inputs]; annotate it {needed}."
    elif name in wiring.params:
        if parameter.annotation is None or parameter.annotation is Path:
            other = "" if parameter.codec else f", not as {parameter.type_name}"
            yield (
                f"{where} is one of [params]; annotate it as what TOML gives, such as `int`{other}."
            )
    elif any(name == later.name for later in graph.steps):
        yield f"{where} is the value of a later step; move that step before this one."
    else:
        known = [*earlier, *wiring.inputs, *wiring.params]
        yield (
            f"{where}: no earlier step, [inputs] or [params] entry of pipeline.toml has that "
            f"name{nearest(name, known)}"
        )


def _problems_of_outputs(graph: Graph, settings: Settings) -> Iterator[str]:
    wiring, root = settings.wiring, settings.root
    codecs = {step.name: step.codec for step in graph.steps}
    taken = {root / text: f"[inputs] `{name}`" for name, text in wiring.inputs.items()}
    taken |= {
        settings.checkpoints: "the checkpoints",
        settings.runs: "the run records",
        root / "src": "the project's code",
    }
    for name, text in wiring.outputs.items():
        target = root / text
        for other, usage in taken.items():
            if target.is_relative_to(other) or other.is_relative_to(target):
                yield f"pipeline.toml: [outputs] `{name}` = {text!r} would overwrite {usage}."
        taken[target] = f"[outputs] `{name}`"
        if is_too_long(target.name):
            yield (
                f"pipeline.toml: [outputs] `{name}` = {text!r}: the file's name is longer than "
                f"{LONGEST} bytes, so there is no room for temporary names."
            )
        if name in codecs:
            yield from _problems_of_publishing(name, codecs[name], target.suffix)
        elif not _is_step_beside(graph, name):
            yield f"pipeline.toml: [outputs] `{name}` is no step{nearest(name, list(codecs))}"


def _is_step_beside(graph: Graph, name: str) -> bool:
    """Whether another pipeline of the project may make a value: an imported module has the step.

    All pipelines of a project share its pipeline.toml, and the module that makes them has imported
    the segments of all.
    """
    package = graph.steps[0].module.partition(".")[0]
    return any(
        is_step(vars(module).get(name))
        for imported, module in list(sys.modules.items())
        if imported.partition(".")[0] == package
    )


def _problems_of_publishing(name: str, codec: str | None, suffix: str) -> Iterator[str]:
    form = output_format(codec_named(codec).family) if codec else None
    if codec is None:
        yield f"pipeline.toml: [outputs] `{name}` returns None, there is nothing to publish"
    elif form is not None and suffix != form.suffix:
        yield (
            f"pipeline.toml: [outputs] `{name}` is published as {form.suffix}, not "
            f"{suffix or 'without a suffix'}. For another format, write the file in a step that "
            f"takes `workdir: Path` and returns its path."
        )


def _problems_of_loading(where: str, parameter: Parameter, producer: Step) -> Iterator[str]:
    if producer.codec is None:
        yield f"{where}: `{producer.name}` returns None, there is no value to receive."
        return
    stored = codec_named(producer.codec)
    if parameter.codec is None or codec_named(parameter.codec).family != stored.family:
        yield (
            f"{where}: `{producer.name}` makes a {stored.type_name}, which cannot be loaded as "
            f"{parameter.type_name}. Annotate it as that type."
        )
    elif parameter.columns is not None and stored.family != "table":
        yield f"{where}: Columns applies to tables only."
