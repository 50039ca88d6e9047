"""What each kind of `new` makes: all new texts, computed before anything is written."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path

from ...base.errors import ConfigurationError
from ...base.location import FOLDER_NAME
from . import tests
from .examples import Example, example_of, is_free, value_for
from .imports import Imported, Place, bound_names, with_import
from .listing import chosen, folder_of, require_there, with_pipeline, with_segment
from .names import (
    constant_name,
    free_name,
    module_name,
    require_free,
    require_name,
    short_name,
)
from .project import DEFAULT_CONSTANT, Listed, Module, Pipeline, Project, segment_named
from .source import Edit, Source, Unclear, new_source

_STEP = Imported(f".{FOLDER_NAME}", "step")
_PACKAGE_TEXT = '"""The segments of the pipeline: one module each, one function a step."""\n'


@dataclass
class Made:
    """The files to create and to change, and what a person is told afterwards."""

    pipeline: str
    segment: str
    step: str
    sentence: str
    created: dict[Path, Source] = field(default_factory=dict)
    changed: dict[Path, Source] = field(default_factory=dict)
    by_hand: str = ""
    """What stands in the way of listing it, and what to add; empty if it is listed."""


def new_step(project: Project, name: str, into: str) -> Made:
    """A step at the end of a segment. Raises ConfigurationError."""
    require_name("step", name, project.limit)
    for pipeline in project.pipelines:
        _require_clear(project, pipeline)
    require_there(project, project.pipelines)
    segment = segment_named(project, into, "--in")
    module = _own_module(project, segment)
    most = project.settings.memory.segment.max_steps
    if len(module.steps) >= most:
        raise ConfigurationError(
            f"segment `{segment.name}` is full: it has {len(module.steps)} steps, and max_steps in "
            f"memory_budget.toml is {most}. Begin the next one: `new segment NAME --after "
            f"{segment.name}`."
        )
    holders = [p for p in project.pipelines if p.place_of(segment.name) is not None]
    require_free(name, project.taken() | _bound(module))
    value = value_for(_earlier(holders, segment), module, name)
    example = example_of(name, value)
    made = Made(holders[0].name, segment.name, name, "")
    made.changed[module.path] = _with_step(project, module, example)
    path = tests.test_file(project, segment.name)
    imported = Imported(module.dotted.rpartition(".")[0] or ".", segment.name)
    source = None
    if path.is_file():
        source = tests.more_tests(project, path, imported, name, example)
        path = path if source else path.with_name(f"test_{short_name(segment.name)}_{name}.py")
    if source:
        made.changed[path] = source
    else:
        made.created[path] = tests.new_tests(project, path, imported, name, example)
    made.sentence = f"Step `{name}` is the last of segment `{segment.name}`; it"
    return _told(made, example)


def new_segment(project: Project, name: str, after: str | None, pipeline_name: str | None) -> Made:
    """A segment of one step, behind another one or at the end. Raises ConfigurationError."""
    require_name("segment", name, project.limit)
    pipelines = project.pipelines
    if not pipelines:
        raise ConfigurationError(
            f"{project.listing.source.shown} makes no pipeline at its top: add `{DEFAULT_CONSTANT} "
            f'= Pipeline(name="{project.package.name}")` there, or ask for `new pipeline NAME`.'
        )
    default = DEFAULT_CONSTANT
    if after is not None and pipeline_name is None and not any(p.unclear for p in pipelines):
        former = segment_named(project, after, "--after")
        holders = [p for p in pipelines if p.place_of(former.name) is not None]
        default = next((p.constant for p in holders if p.constant == default), holders[0].constant)
    pipeline = chosen(project, pipeline_name, default)
    if pipeline.unclear:
        return _by_hand(project, pipeline, name, after)
    require_there(project, [pipeline])
    place = len(pipeline.segments)
    if after is not None:
        former = segment_named(project, after, "--after")
        found = pipeline.place_of(former.name)
        if found is None:
            raise ConfigurationError(
                f"--after {after}: pipeline `{pipeline.name}` has no segment `{former.name}`."
            )
        place = found + 1
    made, wanted = _segment(project, pipeline, name, place)
    try:
        made.changed[project.listing.path] = with_segment(project, pipeline, place, wanted)
    except Unclear as problem:
        made.by_hand = _to_add(project, pipeline, wanted, _behind(pipeline, place), str(problem))
    outputs = {*project.settings.wiring.outputs}
    steps = {*project.taken(), made.step}
    if gone := sorted(outputs - steps):
        made.sentence += (
            f" pipeline.toml publishes {', '.join(f'`{n}`' for n in gone)}, which no step makes: "
            f"take that out of [outputs]."
        )
    return made


def new_pipeline(project: Project, name: str) -> Made:
    """A pipeline with a first segment of its own. Raises ConfigurationError."""
    require_name("pipeline", name, project.limit)
    require_there(project, project.pipelines)
    for pipeline in project.pipelines:
        if pipeline.name == name:
            raise ConfigurationError(
                f"the pipeline name `{name}` is taken by `{pipeline.constant}`. Choose another "
                f"one, because a pipeline has its own folder of checkpoints."
            )
    constant = constant_name(name, bound_names(project.listing.source))
    made, wanted = _segment(project, None, name, 0)
    made.sentence = (
        f"Pipeline `{name}` is `{constant}` in {project.listing.source.shown}; its segment is "
        f"`{wanted.local}`, with the step `{made.step}`."
    )
    try:
        made.changed[project.listing.path] = with_pipeline(project, constant, name, wanted)
    except Unclear as problem:
        made.by_hand = (
            f"{problem}. Add by hand to {project.listing.source.shown}:\n"
            f"{_import_line(project, wanted)}\n"
            f'{constant} = Pipeline({wanted.local}, name="{name}")'
        )
    return made


def _segment(
    project: Project, pipeline: Pipeline | None, name: str, place: int
) -> tuple[Made, Imported]:
    """The module and the test of a new segment, and how pipeline.py imports the module."""
    segments = pipeline.segments if pipeline else ()
    base = folder_of(pipeline)
    folder = project.package.joinpath(*filter(None, base.split(".")))
    siblings = _siblings(folder)
    listed = [s.name for s in segments if s.module and s.module.path.parent == folder]
    named = [s.name for s in segments]
    before = next((n for n in reversed(named[:place]) if n in listed), None)
    after = next((n for n in named[place:] if n in listed), None)
    own = module_name(name, siblings, before, after)
    parts = (*filter(None, base.split(".")), own)
    path = folder / f"{own}.py"
    module = Module(path, new_source("", project.shown(path)), Place(project.package.name, parts))
    taken = project.taken() | {"step": "the decorator", "pd": "pandas"}
    step = free_name(short_name(own), taken)
    earlier = [known for segment in segments[:place] for known in segment.steps]
    example = example_of(step, value_for(earlier, module, step))
    made = Made(pipeline.name if pipeline else name, own, step, "")
    text = f'"""Segment {short_name(own)}: say here, in a sentence, what its steps are for."""\n'
    if not folder.is_dir():
        made.created[folder / "__init__.py"] = new_source(_PACKAGE_TEXT, "")
    blank = Module(path, new_source(text, module.source.shown), module.place)
    made.created[path] = _with_step(project, blank, example)
    wanted = Imported(base, own)
    test = tests.test_file(project, own)
    made.created[test] = tests.new_tests(project, test, wanted, step, example)
    for new in made.created:
        if new.exists():
            raise ConfigurationError(
                f"{project.shown(new)} exists already, and is never overwritten. Move it away, or "
                f"choose another name. Nothing was changed."
            )
    is_first = not place or segments[place - 1].is_missing
    behind = "first" if is_first else f"after `{segments[place - 1].name}`"
    made.sentence = (
        f"Segment `{own}` runs {behind} in pipeline `{made.pipeline}`; its step `{step}`"
    )
    return _told(made, example), wanted


def _told(made: Made, example: Example) -> Made:
    made.sentence += f" takes `{example.takes}`." if example.takes else " makes a small table."
    return made


def _with_step(project: Project, module: Module, example: Example) -> Source:
    """A module with a step behind its last one, and with what the step imports."""
    source = module.source
    if module.steps:
        mark = next(d for d in module.steps[-1].decorator_list if module.is_mark(d))
        mark = mark.func if isinstance(mark, ast.Call) else mark  # its options are that step's own
        at = source.line_end(source.span(module.steps[-1])[1])
        step = example.step(source.segment(mark), project.limit)
        if source.text[at:].strip():
            source = source.edited([Edit(at, at, f"\n\n\n{step.rstrip()}")])
        else:
            source = source.edited([Edit(at, len(source.text), f"\n\n\n{step}")])
    else:
        known = next((n for n, t in module.names.items() if t == _STEP.means), None)
        wanted = _STEP if known is None else None
        if wanted and not is_free(source, module.imported, [wanted], set()):
            raise ConfigurationError(
                f"{source.shown} uses the name `step` for something else. Rename that first."
            )
        source = with_import(source, module.place, wanted, project.limit) if wanted else source
        kept = len(source.text.rstrip())
        step = example.step(known or "step", project.limit)
        source = source.edited([Edit(kept, len(source.text), f"\n\n\n{step}")])
    for wanted in example.imports:
        source = with_import(source, module.place, wanted, project.limit)
    return source


def _siblings(folder: Path) -> list[str]:
    """The modules in a folder of segments, files and packages."""
    if not folder.is_dir():
        return []
    found = [path.stem for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()]
    return [name for name in found if name.isidentifier() and not name.startswith("__")]


def _earlier(holders: list[Pipeline], segment: Listed) -> list[tuple[Module, ast.FunctionDef]]:
    """The steps that run before a new step of a segment does, in each pipeline that has it."""
    lists = []
    for pipeline in holders:
        place = pipeline.place_of(segment.name)
        assert place is not None
        lists.append([known for s in pipeline.segments[: place + 1] for known in s.steps])
    first, *others = lists
    names = [{step.name for _, step in steps} for steps in others]
    return [known for known in first if all(known[1].name in there for there in names)]


def _own_module(project: Project, segment: Listed) -> Module:
    if segment.is_missing:
        raise ConfigurationError(
            f"{project.listing.source.shown} lists `{segment.name}`, and there is no such module. "
            f"`new segment NAME` makes one in the place of those that are gone."
        )
    if segment.module is None:
        raise ConfigurationError(
            f"segment `{segment.name}` is made by `Segment(...)` in "
            f"{project.listing.source.shown}. Write the step in one of its modules, and its name "
            f"into that list."
        )
    return segment.module


def _bound(module: Module) -> dict[str, str]:
    names = bound_names(module.source)
    return dict.fromkeys(names, f"something else in {module.source.shown}")


def _require_clear(project: Project, pipeline: Pipeline) -> None:
    if pipeline.unclear:
        raise ConfigurationError(
            f"{project.listing.source.shown}: {pipeline.unclear}, so nothing shows which values "
            f"there are. Write the step by hand, as AGENTS.md describes. Nothing was changed."
        )


def _behind(pipeline: Pipeline, place: int) -> str:
    return f" after `{pipeline.segments[place - 1].name}`" if place else ""


def _by_hand(project: Project, pipeline: Pipeline, name: str, after: str | None) -> Made:
    """What to add by hand where the list of segments is computed."""
    bare = Pipeline(pipeline.constant, pipeline.name, pipeline.call, ())
    made, wanted = _segment(project, bare, name, 0)
    behind = f" after `{after}`" if after else " at the end"
    made.by_hand = _to_add(project, pipeline, wanted, behind, pipeline.unclear)
    return made


def _to_add(
    project: Project, pipeline: Pipeline, wanted: Imported, behind: str, problem: str
) -> str:
    shown = project.listing.source.shown
    return (
        f"{shown}: {problem}, so nothing shows where a segment belongs. Nothing was changed. Add "
        f"by hand to {shown}:\n{_import_line(project, wanted)}\nand list "
        f"`{wanted.local}`{behind} in `{pipeline.constant}`"
    )


def _import_line(project: Project, wanted: Imported) -> str:
    return f"from {project.listing.place.written(wanted.module)} import {wanted.local}"
