"""Small builders for tests that need no run: modules of steps, project files, checkpoints."""

from __future__ import annotations

import importlib.util
import sys
import textwrap
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.codecs import Codec, codec_named, format_named
from flight_delays.checkpointing.disk.commit import Commit
from flight_delays.checkpointing.disk.manifest import Manifest
from flight_delays.checkpointing.disk.owner import Owner
from flight_delays.checkpointing.disk.place import Place
from flight_delays.checkpointing.disk.store import Store
from flight_delays.checkpointing.graph.steps import Step, segment_of
from flight_delays.checkpointing.pipeline import Pipeline
from flight_delays.checkpointing.reuse.bound import Project as Declared
from flight_delays.checkpointing.reuse.key import Code

MEMORY_BUDGET = """
[cluster]
ram = "100 GB"
quota = "50 %"
"""
PLENTY = 10**12  # bytes that checkpoints may take
TABLE: Codec = codec_named("DataFrame")
JSON: Codec = codec_named("json")

_HEADER = """\
from pathlib import Path
from typing import Annotated
import numpy as np
import pandas as pd
from flight_delays.checkpointing import Columns, step
"""
FIRST_LINE = _HEADER.count("\n") + 1  # of a source text, within its module
_packages = count()


def write(path: Path, text: str) -> Path:
    """A text file in a folder that is made when missing; the text may be indented."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    return path


def link(path: Path, target: Path | str) -> Path:
    """A symbolic link in a folder that is made when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    return path


def toml_files(folder: Path, wiring: str = "", memory: str = MEMORY_BUDGET) -> Path:
    """The two TOML files of a project; returns its folder."""
    write(folder / "pipeline.toml", wiring)
    write(folder / "memory_budget.toml", memory)
    return folder


def module(folder: Path, source: str, name: str = "s01", header: str = _HEADER) -> ModuleType:
    """A module of steps, written to `folder` and imported under a name that no other test has."""
    path = write(folder / f"{name}.py", header + textwrap.dedent(source))
    spec = importlib.util.spec_from_file_location(f"package{next(_packages)}.{name}", path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made
    spec.loader.exec_module(made)
    return made


def line_of(made: ModuleType, text: str) -> str:
    """`file:line` of the one line of a module that holds `text`."""
    lines = Path(str(made.__file__)).read_text(encoding="utf-8").splitlines()
    [number] = [n for n, line in enumerate(lines, start=1) if text in line]
    return f"{made.__file__}:{number}"


def steps_of(folder: Path, source: str) -> dict[str, Step]:
    """The steps of a source text, by name."""
    return {step.name: step for step in segment_of(module(folder, source)).steps}


def pipeline(
    folder: Path, *sources: str, wiring: str = "", memory: str = MEMORY_BUDGET
) -> Pipeline:
    """A pipeline with one segment for each source text: s01, s02, …"""
    toml_files(folder, wiring, memory)
    modules = [module(folder, source, f"s{n:02}") for n, source in enumerate(sources, start=1)]
    return Pipeline(*modules, name="demo")


def declared(built: Pipeline, code: Code | None = None) -> Declared:
    """A pipeline as a run is given it; `code` stands for that of each of its segments."""
    known = {segment.name: code for segment in built.segments} if code else {}
    return Declared(built, built.settings, known, {})


def problems(folder: Path, *sources: str, wiring: str = "", memory: str = MEMORY_BUDGET) -> str:
    """The message that refuses a pipeline."""
    try:
        pipeline(folder, *sources, wiring=wiring, memory=memory)
    except ConfigurationError as error:
        return error.message
    raise AssertionError("the pipeline was not refused")


def claim_runs(runs: Path) -> None:
    """Make the folder of a project's runs what it is after a first run."""
    Place(runs, "runs", Owner(runs.parent, None), "").claim()


def table(rows: int = 3) -> pa.Table:
    """A small table, as the codec of a DataFrame would freeze it."""
    return TABLE.freeze(pa.table({"x": list(range(rows))}).to_pandas())


def commit(
    store: Store,
    key: str = "key",
    *,
    segment: str = "s01",
    values: dict[str, pa.Table] | None = None,
    params: dict[str, str] | None = None,
    committed_at: str = "2026-01-01T00:00:00.000000+00:00",
    use: int = 0,
) -> Manifest:
    """A real checkpoint, committed to a store."""
    store.folder.mkdir(parents=True, exist_ok=True)
    making = Commit(store.path(segment, key), PLENTY)
    frozen: dict[str, Any] = {"flights": table()} if values is None else values
    manifest = Manifest(
        pipeline="demo",
        segment=segment,
        key=key,
        steps=tuple(frozen),
        ingredients={"params": params or {}},
        params=params or {},
        values={n: making.write(n, v, TABLE, format_named("arrow")) for n, v in frozen.items()},
        outputs={},
        committed_at=committed_at,
        seconds=0.5,
        use=use,
    )
    making.finish(manifest)
    return manifest
