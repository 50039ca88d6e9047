"""Describe the current pipeline: a worker imports its source and returns it as plain data.

The parent of a run never uses what it has imported itself. A command line has imported nothing of
the project; a notebook may have imported it days and many edits ago.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..base.errors import BY_KIND, ConfigurationError
from ..base.location import PACKAGE_NAME
from ..base.settings import PIPELINE_FILE, find_root
from ..graph.checking import root_of
from ..graph.graph import Graph
from ..graph.sources import OWN_HOME, Home, home_of
from ..reuse.bound import Project
from ..reuse.first_party import read_ahead
from ..reuse.key import home_of_segment
from ..reuse.readings import Readings
from ..worker.main import Declared, describe_pipeline
from ..worker.messages import PartFailed
from . import processes

_MODULE = "pipeline"  # of a project's package
_DEFAULT = "PIPELINE"


def describe_project(package: str, pipeline: str | None = None) -> Project:
    """A pipeline in the module `pipeline` of a project's package: `PIPELINE`, or by its name.

    Raises:
        ConfigurationError: the project or the pipeline is not found, or it cannot be built.
    """
    module = f"{package}.{_MODULE}"
    constant = _DEFAULT if pipeline is None else None
    source = Declared(module, constant, pipeline)
    [project] = _describe_ahead(source, package)
    return project


def describe_pipelines(package: str) -> list[Project]:
    """All pipelines of a project, in the order of its module `pipeline`. Raises as above."""
    return _describe_ahead(Declared(f"{package}.{_MODULE}"), package)


def describe_again(graph: Graph) -> Project:
    """A pipeline that this process has imported, as its source and its TOML files are now.

    If it is a global of a module, that module is imported anew, so an added segment counts. Else
    its segments are read anew, each from its own module.

    Raises:
        ConfigurationError: it cannot be built any more, or a step of it is in no module.
    """
    root = root_of(graph.name, graph.segments)
    homes = {OWN_HOME, *(home_of(step.module, Path(step.file)) for step in graph.steps)}
    holder = _holder(graph)
    if holder is None:
        for segment in graph.segments:
            home_of_segment(segment)  # refuses what no other process could import
        [project] = _describe(Graph(graph.segments, graph.name), homes, root)
        return project
    module, name = holder
    if file := sys.modules[module].__file__:
        homes.add(home_of(module, Path(file)))
    [project] = _describe(Declared(module, name), homes, root)
    return project


def _holder(graph: Graph) -> tuple[str, str] | None:
    """The imported module in which a pipeline is a global, and the global's name.

    If the module that built it was reloaded since, the pipeline of the same name is meant.
    """
    builder = [graph.built_by] if graph.built_by else []
    for module in (*builder, *sorted(sys.modules)):
        for name, held in _members(module):
            if held is graph:
                return module, name
    for module in builder:
        for name, held in _members(module):
            if isinstance(held, Graph) and held.name == graph.name:
                return module, name
    return None


def _members(module: str) -> list[tuple[str, Any]]:
    """The globals of a module, if another process can import it too."""
    imported, names = sys.modules.get(module), ("__main__", "__mp_main__")
    is_importable = module not in names and getattr(imported, "__spec__", None) is not None
    return list(vars(imported).items()) if is_importable and imported is not None else []


def _describe_ahead(source: Declared, package: str) -> list[Project]:
    """Describe for a command, and read its modules while the fork server loads libraries."""
    root = _project_root(package)
    readings = read_ahead({PACKAGE_NAME, source.module})
    return _describe(source, [OWN_HOME], root, readings)


def _describe(
    source: Declared | Graph, homes: Iterable[Home], root: Path, readings: Readings | None = None
) -> list[Project]:
    ending = processes.run_worker(
        describe_pipeline,
        (source, tuple(homes), readings or Readings(), Path(os.devnull), root),
        is_last=lambda message: True,
        on_message=lambda message: None,
        on_sample=lambda held, beside: None,
    )
    match ending:
        case processes.Finished(list() as projects):
            return projects
        case processes.Finished(PartFailed() as failure):
            details = {"traceback": failure.traceback} if failure.traceback else {}
            raise BY_KIND[failure.kind](failure.message, step=failure.step, **details)
    modules = {s.module for s in source.steps} if isinstance(source, Graph) else {source.module}
    named = ", ".join(sorted(modules))
    raise ConfigurationError(
        f"{named} cannot be imported: its process ended and left no error. "
        f"Try `python -c 'import {named}'`."
    )


def _project_root(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    places = [Path(spec.origin).parent] if spec and spec.origin else []
    root = find_root(*places, Path.cwd())
    if root is None:
        raise ConfigurationError(
            f"no {PIPELINE_FILE} in {Path.cwd()} or above it. Run the command in the project's "
            f"folder."
        )
    return root
