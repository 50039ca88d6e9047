"""The project as its source shows it: the pipelines, their segments and steps; imports none of it.

So a project can be read whose pipeline cannot be built at the moment, and no code of it runs.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ...base.errors import ConfigurationError, nearest
from ...base.location import FOLDER_NAME, find_project
from ...base.settings import Settings, load_settings
from .imports import Imported, Place, dotted
from .names import short_name
from .source import Source, Unclear, read_source

PIPELINE_MODULE = "pipeline.py"
DEFAULT_CONSTANT = "PIPELINE"
_LIMIT = 88  # characters of a line, where the project's settings of ruff name no other limit


@dataclass(frozen=True)
class Module:
    """One file of the package, and where it is."""

    path: Path
    source: Source
    place: Place

    @cached_property
    def imported(self) -> dict[str, Imported]:
        """What it imports, by the names that it uses."""
        return {there.local: there for _, there in self.place.imports(self.source)}

    @cached_property
    def names(self) -> dict[str, str]:
        """What these names stand for."""
        return {local: there.means for local, there in self.imported.items()}

    @property
    def dotted(self) -> str:
        parts = [part for part in self.place.parts or () if part != "__init__"]
        return "." + ".".join(parts)

    @cached_property
    def steps(self) -> tuple[ast.FunctionDef, ...]:
        """Its functions that are decorated with `@step`."""
        return tuple(
            node
            for node in self.source.tree.body
            if isinstance(node, ast.FunctionDef)
            and any(self.is_mark(decorator) for decorator in node.decorator_list)
        )

    def is_mark(self, decorator: ast.expr) -> bool:
        """Whether a decorator is the runtime's `@step`, with options or without."""
        decorator = decorator.func if isinstance(decorator, ast.Call) else decorator
        return (dotted(decorator, self.names) or "").endswith(f"{FOLDER_NAME}.step")


@dataclass(frozen=True)
class Listed:
    """One segment of a pipeline: a module, or what `Segment(...)` makes of listed steps."""

    name: str
    module: Module | None
    """Its module; None if it is made by `Segment(...)`, or if the module is missing."""

    steps: tuple[tuple[Module, ast.FunctionDef], ...] = ()
    is_missing: bool = False


@dataclass(frozen=True)
class Pipeline:
    """One `Pipeline(...)` at the top of pipeline.py: its constant, its name and its segments."""

    constant: str
    name: str
    call: ast.Call
    segments: tuple[Listed, ...]
    unclear: str = ""
    """Why its segments are not known; empty if they are."""

    @property
    def steps(self) -> list[tuple[Module, ast.FunctionDef]]:
        """All steps, in their order."""
        return [step for segment in self.segments for step in segment.steps]

    def place_of(self, name: str) -> int | None:
        return next((n for n, s in enumerate(self.segments) if s.name == name), None)


@dataclass(frozen=True)
class Project:
    """A project's folder, its package, its settings and its pipeline.py."""

    root: Path
    package: Path
    settings: Settings
    listing: Module

    def shown(self, path: Path) -> str:
        """A path as messages show it: from the project's folder."""
        return _shown(path, self.root)

    @cached_property
    def limit(self) -> int:
        """The most characters of a line, as the project's settings of ruff say."""
        path = self.root / "pyproject.toml"
        try:
            length = tomllib.loads(path.read_text("utf-8"))["tool"]["ruff"]["line-length"]
        except (OSError, ValueError, KeyError, TypeError):
            return _LIMIT
        return length if isinstance(length, int) else _LIMIT

    def module(self, dotted_name: str) -> Module | None:
        """A module of the package by its dotted name, such as `.segments.s01`; None: no such file.

        Raises ConfigurationError if it cannot be parsed.
        """
        parts = tuple(filter(None, dotted_name.split(".")))
        for inside in (parts, (*parts, "__init__")):
            path = self.package.joinpath(*inside).with_suffix(".py")
            if inside and path.is_file():
                source = read_source(path, self.shown(path))
                return Module(path, source, Place(self.package.name, inside))
        return None

    @cached_property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """All pipelines that the top of pipeline.py makes."""
        found = []
        for node in self.listing.source.tree.body:
            match node:
                case ast.Assign(targets=[ast.Name(id=constant)], value=ast.Call() as call):
                    found.append((constant, call))
                case ast.AnnAssign(target=ast.Name(id=constant), value=ast.Call() as call):
                    found.append((constant, call))
        return tuple(
            self._pipeline(constant, call)
            for constant, call in found
            if self.stands_for(call.func, "Pipeline")
        )

    def stands_for(self, node: ast.expr, name: str) -> bool:
        """Whether an expression in pipeline.py is a name that the runtime exports."""
        return (dotted(node, self.listing.names) or "") == f".{FOLDER_NAME}.{name}"

    def taken(self) -> dict[str, str]:
        """The names that no new step may have, each with what has it already."""
        wiring = self.settings.wiring
        taken = {"workdir": "the runtime, for a folder of files"}
        taken |= dict.fromkeys(wiring.inputs, "an input in pipeline.toml")
        taken |= dict.fromkeys(wiring.params, "a param in pipeline.toml")
        taken |= dict.fromkeys(wiring.env, "an environment variable in pipeline.toml")
        for module in self._modules():
            at = {node.name: f"{module.source.shown}:{node.lineno}" for node in module.steps}
            taken |= {name: f"the step at {place}" for name, place in at.items()}
        return taken

    def _modules(self) -> Iterator[Module]:
        """The modules of the package that can be parsed."""
        for path in sorted(self.package.rglob("*.py")):
            inside = path.relative_to(self.package).with_suffix("").parts
            if inside[0] != FOLDER_NAME:
                module = Module(path, *self._read(path, inside))
                try:
                    assert module.source.tree
                except ConfigurationError:
                    continue
                yield module

    def _read(self, path: Path, inside: tuple[str, ...]) -> tuple[Source, Place]:
        place = Place(self.package.name, inside)
        try:
            return read_source(path, self.shown(path)), place
        except (ConfigurationError, OSError):
            return Source("", "utf-8", self.shown(path)), place

    def _pipeline(self, constant: str, call: ast.Call) -> Pipeline:
        named = next((k.value for k in call.keywords if k.arg == "name"), None)
        name = named.value if isinstance(named, ast.Constant) else "main"
        try:
            segments = tuple(self._listed(argument) for argument in call.args)
        except Unclear as problem:
            return Pipeline(constant, str(name), call, (), str(problem))
        if any(keyword.arg is None for keyword in call.keywords):
            return Pipeline(constant, str(name), call, (), "`**` may contain its name")
        return Pipeline(constant, str(name), call, segments)

    def _listed(self, argument: ast.expr) -> Listed:
        """The segment that an argument of `Pipeline(...)` is. Raises Unclear."""
        shown = self.listing.source.segment(argument)
        where = f"line {argument.lineno} lists `{shown}`"
        if isinstance(argument, ast.Name) and argument.id not in self.listing.names:
            argument = self._assigned(argument.id) or argument
        if isinstance(argument, ast.Call) and self.stands_for(argument.func, "Segment"):
            match argument.args:
                case [ast.Constant(value=str(name)), ast.List(elts=items) | ast.Tuple(elts=items)]:
                    return Listed(name, None, tuple(self._step(item, where) for item in items))
        meant = dotted(argument, self.listing.names)
        if meant is None or not meant.startswith("."):
            raise Unclear(f"{where}, which only a run of pipeline.py computes")
        name = meant.rpartition(".")[2]
        module = self.module(meant)
        if module is None:
            return Listed(name, None, is_missing=True)
        return Listed(name, module, tuple((module, node) for node in module.steps))

    def _assigned(self, name: str) -> ast.expr | None:
        """The one expression that the top of pipeline.py assigns to a name."""
        body = self.listing.source.tree.body
        bound = [n for s in body for n in ast.walk(s) if isinstance(n, ast.Name) and n.id == name]
        if sum(isinstance(n.ctx, ast.Store) for n in bound) != 1:
            return None
        for node in body:
            match node:
                case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                    return value
        return None

    def _step(self, item: ast.expr, where: str) -> tuple[Module, ast.FunctionDef]:
        owner, _, name = (dotted(item, self.listing.names) or "").rpartition(".")
        module = self.module(owner) if owner.startswith(".") else None
        for node in module.steps if module else ():
            if module and node.name == name:
                return module, node
        shown = self.listing.source.segment(item)
        raise Unclear(f"{where}, and `{shown}` there is no step of a module")


def read_project(package: str) -> Project:
    """The project whose package is `package`.

    Raises:
        ConfigurationError: there is none here, or its files cannot be read.
    """
    return project_in(*find_project(package))


def project_in(root: Path, folder: Path) -> Project:
    """The project in the folder `root`, whose package is `folder`. Raises ConfigurationError."""
    path = folder / PIPELINE_MODULE
    if not path.is_file():
        raise ConfigurationError(
            f"{_shown(path, root)} is missing, which lists the segments. Restore it first."
        )
    source = read_source(path, _shown(path, root))
    assert source.tree
    listing = Module(path, source, Place(folder.name, ("pipeline",)))
    return Project(root, folder, load_settings(root), listing)


def _shown(path: Path, root: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def segment_named(project: Project, text: str, option: str) -> Listed:
    """The listed segment that a person means by its name, its name without its number, its file.

    Raises ConfigurationError.
    """
    name = text.replace("\\", "/").rpartition("/")[2].removesuffix(".py").rpartition(".")[2]
    listed = {s.name: s for pipeline in project.pipelines for s in pipeline.segments}
    if name in listed:
        return listed[name]
    meant = [known for known in listed if short_name(known) == name]
    if len(meant) == 1:
        return listed[meant[0]]
    if meant:
        raise ConfigurationError(f"{option} {text}: choose one of {', '.join(meant)}.")
    if any((project.package / "segments").glob(f"{name}.py")):
        raise ConfigurationError(
            f"{option} {text}: no pipeline in {project.listing.source.shown} lists this module. "
            f"List it first."
        )
    candidates = [*listed, *map(short_name, listed)]
    close = nearest(name, candidates)
    if not close:
        close = f". There are: {', '.join(listed)}."
    if not listed:
        close = ". There is none yet: `new segment NAME` makes the first."
    raise ConfigurationError(f"{option} {text}: no segment has that name{close}")
