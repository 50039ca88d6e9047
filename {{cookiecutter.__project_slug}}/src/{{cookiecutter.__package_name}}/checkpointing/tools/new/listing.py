"""The edits of pipeline.py: a segment more in a list, or a pipeline more."""

from __future__ import annotations

import ast
from collections.abc import Collection

from ...base.errors import ConfigurationError
from ...base.location import FOLDER_NAME
from .imports import Imported, bound_names, with_import
from .lists import Items, inserted
from .project import Module, Pipeline, Project
from .source import Edit, Source, Unclear

SEGMENTS = ".segments"


def folder_of(pipeline: Pipeline | None) -> str:
    """The dotted name of the folder that new modules go into: that of the other segments."""
    modules = (
        [segment.module for segment in pipeline.segments if segment.module] if pipeline else []
    )
    return modules[-1].dotted.rpartition(".")[0] or "." if modules else SEGMENTS


def with_segment(project: Project, pipeline: Pipeline, place: int, wanted: Imported) -> Source:
    """pipeline.py with a module as segment number `place` of a pipeline.

    Raises Unclear if the text does not show where it belongs.
    """
    listing, call = project.listing, pipeline.call
    if wanted.local in bound_names(listing.source):
        raise Unclear(f"it uses the name `{wanted.local}` already")
    if pipeline.segments and all(segment.is_missing for segment in pipeline.segments):
        return _in_their_place(listing, pipeline, wanted)
    source = listing.source
    start, end = source.span(call.func)[1], source.span(call)[1] - 1
    opening = source.text.index("(", start) + 1
    given: list[ast.expr | ast.keyword] = [*call.args, *call.keywords]
    spans = [source.span(item) for item in given]
    items = Items(opening, end, spans, in_brackets=True, is_call=True)
    edited = inserted(source, items, place, wanted.local, project.limit)
    return with_import(edited, listing.place, wanted, project.limit)


def _in_their_place(listing: Module, pipeline: Pipeline, wanted: Imported) -> Source:
    """pipeline.py with a module instead of those that are gone, such as the deleted sample's."""
    source, call = listing.source, pipeline.call
    gone = {segment.name for segment in pipeline.segments}
    nodes: dict[ast.ImportFrom, list[Imported]] = {}
    for node, there in listing.place.imports(source):
        if isinstance(node, ast.ImportFrom) and there.module == wanted.module:
            nodes.setdefault(node, []).append(there)
    names = {there.member for found in nodes.values() for there in found}
    used = {node.id for node in ast.walk(source.tree) if isinstance(node, ast.Name)}
    listed = {node.id for node in call.args if isinstance(node, ast.Name)}
    others = [n for n in ast.walk(source.tree) if isinstance(n, ast.Name) and n.id in listed]
    if names != gone or len(others) != len(call.args) or not used >= listed:
        raise Unclear("its segments are gone, and it uses their names elsewhere")
    first, *rest = nodes
    edits = [_replaced(source, first.names, str(wanted.member))]
    edits += [_replaced(source, call.args, wanted.local)]
    for node in rest:
        start, end = source.span(node)
        edits.append(
            Edit(source.line_start(start), source.line_start(end) + _whole(source, end), "")
        )
    return source.edited(edits)


def _whole(source: Source, end: int) -> int:
    """The characters of the line with this end, its line end too."""
    stop = source.line_end(end)
    return stop - source.line_start(end) + len(source.newline) * (stop < len(source.text))


def _replaced(source: Source, nodes: list[ast.alias] | list[ast.expr], text: str) -> Edit:
    return Edit(source.span(nodes[0])[0], source.span(nodes[-1])[1], text)


def with_pipeline(project: Project, constant: str, name: str, wanted: Imported) -> Source:
    """pipeline.py with a pipeline of one segment below the others. Raises Unclear."""
    listing, pipelines = project.listing, project.pipelines
    source = listing.source
    if wanted.local in bound_names(source):
        raise Unclear(f"it uses the name `{wanted.local}` already")
    made = source.segment(pipelines[-1].call.func) if pipelines else "Pipeline"
    text = f'{constant} = {made}({wanted.local}, name="{name}")'
    if len(text) > project.limit:
        text = f'{constant} = {made}(\n    {wanted.local}, name="{name}"\n)'
    if pipelines:
        end = source.line_end(source.span(pipelines[-1].call)[1])
        is_last = not source.text[end:].strip()
        edited = source.edited(
            [Edit(end, end, f"\n{text}" + "\n" * (is_last and end == len(source.text)))]
        )
    else:
        gap = "" if not source.text or source.text.endswith(("\n", "\r")) else "\n"
        edited = source.edited([Edit(len(source.text), len(source.text), f"{gap}\n{text}\n")])
        runtime = Imported(f".{FOLDER_NAME}", "Pipeline")
        edited = with_import(edited, listing.place, runtime, project.limit)
    return with_import(edited, listing.place, wanted, project.limit)


def chosen(project: Project, name: str | None, default: str) -> Pipeline:
    """The pipeline that a person names by its constant or its name; without one, the default.

    Raises ConfigurationError.
    """
    pipelines = project.pipelines
    known = [p for p in pipelines if name in (p.constant, p.name)]
    if name is None:
        known = [p for p in pipelines if p.constant == default] or list(pipelines)
    if len(known) == 1:
        return known[0]
    names = ", ".join(p.name for p in pipelines)
    if name is not None:
        raise ConfigurationError(f"--pipeline {name}: there is no such pipeline, but {names}.")
    raise ConfigurationError(f"name one of the pipelines, by --pipeline: {names}.")


def require_there(project: Project, pipelines: Collection[Pipeline]) -> None:
    """Refuse a pipeline of which a part is gone. Raises ConfigurationError."""
    for pipeline in pipelines:
        gone = [segment.name for segment in pipeline.segments if segment.is_missing]
        if gone and len(gone) < len(pipeline.segments):
            raise ConfigurationError(
                f"{project.listing.source.shown} lists {', '.join(gone)}, and there is no such "
                f"module. Restore it, or take it out of the import and of `{pipeline.constant}`."
            )
