"""Packages of steps in a folder, whose code is looked at and need not be imported."""

from __future__ import annotations

from pathlib import Path

from flight_delays.checkpointing.graph.steps import Segment, Step
from flight_delays.checkpointing.reuse.key import Code, code_of

from ..builders import write

MAIN = "src/demo/segments/s01.py"


def step_in(folder: Path, path: str = MAIN, name: str = "one") -> Step:
    """A step of a module below `src`, which need not be imported."""
    module = path.removeprefix("src/").removesuffix(".py").removesuffix("/__init__")
    return Step(name, module.replace("/", "."), f"{folder}/{path}", 1, (), "json")


def code(folder: Path, *paths: str) -> Code:
    return code_of(Segment("s01", [step_in(folder, path) for path in paths or [MAIN]]))


def sources(folder: Path, main: str = "", **files: str) -> Path:
    """A package `demo` with one segment; `lib_far="…"` is the file lib/far.py in it."""
    for path in ("src/demo/__init__.py", "src/demo/segments/__init__.py"):
        write(folder / path, "")
    write(folder / MAIN, main)
    for name, source in files.items():
        write(folder / f"src/demo/{name.replace('_', '/')}.py", source)
    return folder


def record(folder: Path, *modules: str, name: str = "lib", **files: str) -> None:
    """A distribution in `folder` that has installed these modules."""
    info = folder / f"{name}-1.2.3.dist-info"
    write(info / "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2.3\n")
    write(
        info / "RECORD", "".join(f"{module}.py,,\n{module}/__init__.py,,\n" for module in modules)
    )
    for file, text in files.items():
        write(info / file.replace("_json", ".json"), text)
