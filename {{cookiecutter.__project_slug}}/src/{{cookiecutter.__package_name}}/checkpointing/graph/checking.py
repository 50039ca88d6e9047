"""Check a graph against its project's TOML files: all problems at once, with the lines to fix."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..base.errors import ConfigurationError, nearest
from ..base.names import LONGEST, is_too_long
from ..base.settings import Settings, find_root, load_settings
from ..base.urls import without_user
from ..codecs import codec_named, missing_library, output_suffixes, suffix_of
from ..codecs.several import ItemType, key_of, value_of
from .batches import problem_of_input, problems_of_rows
from .bodies import undeclared_uses
from .elsewhere import problems_of_executors
from .fitting import problems_of_each, problems_of_item, problems_of_loading
from .graph import Graph
from .marking import is_step
from .places import is_url, needed_annotation, place_of, problem_of_place, problem_of_target
from .signatures import admits_none
from .steps import WORKDIR, Parameter, Segment, Step

READ_FROM_TEXT = (str, int, float, bool)
"""The annotations as which a step may take an environment variable."""


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
    yield from _problems_of_sinks(graph, settings)
    sinks = {s.name: [step.name for step in s.steps if step.is_sink] for s in graph.segments}
    yield from problems_of_executors(sinks, settings)
    earlier: dict[str, Step] = {}
    for step in graph.steps:
        if step.refused:
            yield f"{step.place}: {step.refused}"
        if step.each and step.each not in {parameter.name for parameter in step.parameters}:
            yield (
                f"{step.place}: `each` names `{step.each}`, which is no parameter of the step"
                f"{nearest(step.each, [parameter.name for parameter in step.parameters])}"
            )
        for parameter in step.parameters:
            yield from _problems_of_parameter(step, parameter, earlier, graph, settings)
        for name in undeclared_uses(step, earlier):
            yield (
                f"{step.place}: the body uses `{name}`, an earlier step. Add `{name}` to the "
                f"parameters to receive its value."
            )
        earlier[step.name] = step


def _problems_of_names(graph: Graph, settings: Settings) -> Iterator[str]:
    wiring = settings.wiring
    taken = {WORKDIR: "the runtime"}
    for table, names in (
        ("[inputs]", wiring.inputs),
        ("[params]", wiring.params),
        ("[env]", wiring.env),
    ):
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
    yield from problems_of_rows(where, parameter.rows, in_batches=parameter.in_batches)
    is_read = parameter.in_batches and name in wiring.inputs
    if parameter.columns is not None and parameter.source not in earlier and not is_read:
        yield f"{where}: Columns applies to an earlier step's table only."
    if step.each == name:
        yield from problems_of_each(where, parameter, earlier, settings)
        return
    if parameter.value:
        yield from problems_of_item(where, parameter, earlier, settings)
    elif name == WORKDIR:
        if parameter.annotation is not Path:
            yield f"{where} is a fresh folder; annotate it `Path`."
    elif name in earlier:
        yield from problems_of_loading(where, parameter, earlier[name])
    elif is_read:
        if problem := problem_of_input(wiring.inputs[name], settings.root):
            yield f"{where} is one of [inputs], and {wiring.inputs[name]!r} {problem}."
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
    elif name in wiring.env:
        if wiring.env[name].secret and parameter.annotation is not str:
            yield f"{where} is a secret of [env]; annotate it `str`."
        elif parameter.annotation not in READ_FROM_TEXT:
            yield f"{where} is one of [env]; annotate it `str`, `int`, `float` or `bool`."
    elif any(name == later.name for later in graph.steps):
        yield f"{where} is the value of a later step; move that step before this one."
    elif len(holders := _holders(name, earlier)) > 1:
        yield (
            f"{where} is an item of {' and of '.join(f'`{h}`' for h in holders)}. Say of which: "
            f'`Annotated[..., Item("{holders[-1]}", "{name}")]`.'
        )
    elif _is_left_out(parameter, settings):
        yield from _problems_of_absence(where, name, graph, settings)
    else:
        known = [*earlier, *wiring.inputs, *wiring.params, *wiring.env, *_items(earlier)]
        yield (
            f"{where}: no earlier step, and no entry of [inputs], [params] or [env] in "
            f"pipeline.toml, has that name{nearest(name, known)}"
        )


def _problems_of_outputs(graph: Graph, settings: Settings) -> Iterator[str]:
    wiring, root = settings.wiring, settings.root
    steps = {step.name: step for step in graph.steps}
    taken = {place_of(text, root): f"[inputs] `{name}`" for name, text in wiring.inputs.items()}
    taken |= {
        settings.checkpoints: "the checkpoints",
        settings.runs: "the run records",
        root / "src": "the project's code",
    }
    if url := settings.checkpoints_url:
        taken[place_of(url, root)] = "the checkpoints"
    for name, text in wiring.outputs.items():
        if problem := problem_of_target(text):
            yield f"pipeline.toml: [outputs] `{name}` cannot be published at this URL: {problem}."
            continue
        target = place_of(text, root)
        for other, usage in taken.items():
            if target.is_relative_to(other) or other.is_relative_to(target):
                yield f"pipeline.toml: [outputs] `{name}` = {text!r} would overwrite {usage}."
        taken[target] = f"[outputs] `{name}`"
        if is_too_long(target.name):
            yield (
                f"pipeline.toml: [outputs] `{name}` = {text!r}: the file's name is longer than "
                f"{LONGEST} bytes, so there is no room for temporary names."
            )
        if (step := steps.get(value_of(name))) is not None:
            yield from _problems_of_publishing(name, step, suffix_of(text))
        elif not _is_step_beside(graph, value_of(name)):
            yield f"pipeline.toml: [outputs] `{name}` is no step{nearest(name, list(steps))}"


def _problems_of_sinks(graph: Graph, settings: Settings) -> Iterator[str]:
    sinks = {step.name: step.is_sink for step in graph.steps}
    for name, text in settings.wiring.sinks.items():
        where = f"pipeline.toml: [sinks] `{name}`"
        if sinks.get(name) is False:
            yield (
                f"{where} returns a value, so it is no sink. What a run is to publish belongs in "
                f"[outputs]."
            )
        elif name not in sinks and not _is_step_beside(graph, name):
            yield f"{where} is no step{nearest(name, [n for n, sink in sinks.items() if sink])}"
        if not text.strip():
            yield f"{where} names nothing; write the file, folder or glob that the sink writes."
        elif is_url(text):
            yield (
                f"{where} = {without_user(text)!r} is a URL, behind which nothing can be looked "
                f"for. Name a file, a folder or a glob, or leave the entry out."
            )


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


def _problems_of_publishing(name: str, step: Step, suffix: str) -> Iterator[str]:
    where, key = f"pipeline.toml: [outputs] `{name}`", key_of(name)
    if step.refused:
        return  # its own line says so
    if step.codec is None:
        yield f"{where} returns None, there is nothing to publish"
        return
    made: ItemType | None = ItemType(step.codec, "", step.is_optional)
    if step.shape is not None and not key:
        items = step.shape.keys or ("KEY",)
        yield (
            f"{where} is made of several values. Publish each by its name: "
            f'`"{name}.{items[0]}" = ...`'
        )
        return
    if key:
        made = step.shape.type_of(key) if step.shape else None
    if made is None:
        yield f"{where}: `{step.name}` has no item `{key}`"
        return
    family = codec_named(made.codec).family
    if family == "path":
        return
    is_text = step.is_text or made.type_name == "str"
    suffixes = output_suffixes(family, is_text=is_text)
    if made.is_optional:
        yield f"{where} may be None, and then there is nothing to publish. Return an empty table."
    elif suffix not in suffixes:
        several = "one of " if len(suffixes) > 1 else ""
        yield (
            f"{where} is published as {several}{', '.join(suffixes)}, not "
            f"{suffix or 'without a suffix'}. For another format, write the file in a step that "
            f"takes `workdir: Path` and returns its path."
        )
    elif library := missing_library(suffix):
        yield (
            f"{where}: {suffix} needs the library `{library}`. Add it to the project: "
            f"`uv add {library}`, or a line in `dependencies` of pyproject.toml and "
            f"`pip install -e .`."
        )


def _holders(item: str, earlier: dict[str, Step]) -> list[str]:
    """The earlier steps whose value has an item of that name."""
    return [name for name, step in earlier.items() if step.shape and item in step.shape.keys]


def _items(earlier: dict[str, Step]) -> list[str]:
    return [key for step in earlier.values() if step.shape for key in step.shape.keys]


def _is_left_out(parameter: Parameter, settings: Settings) -> bool:
    """Whether a parameter of no known name may be None, as a param or an input that is absent."""
    is_known = parameter.name in settings.wiring.params or parameter.name in settings.wiring.inputs
    if parameter.in_batches:
        return False
    return admits_none(parameter.annotation) and not is_known and parameter.name != WORKDIR


def _problems_of_absence(where: str, name: str, graph: Graph, settings: Settings) -> Iterator[str]:
    """Refuse an absent param if a similar one, which no step takes, may be meant."""
    wiring = settings.wiring
    taken = {parameter.name for step in graph.steps for parameter in step.parameters}
    unused = [other for other in (*wiring.params, *wiring.inputs) if other not in taken]
    if hint := nearest(name, unused):
        yield f"{where} is not in pipeline.toml, where no step takes all{hint}"
