"""Rounds of fuzzing: something hostile in the place of a random file, then random commands.

A round asserts what every command promises: an exit code of the contract, one JSON object if it
was asked for, no traceback, an end, and that `clean` and `run` work again once what no run made is
removed.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..conftest import MEMORY_BUDGET, Project

SEGMENTS = {
    "s01": """
    @step
    def table(rows: int, folder: Path) -> pd.DataFrame:
        return pd.DataFrame({"number": range(rows)})

    @step
    def page(workdir: Path) -> Path:
        (workdir / "page").write_text("x")
        return workdir / "page"
    """,
    "s02": """
    @step
    def total(table: pd.DataFrame, page: Path) -> int:
        return int(table["number"].sum())
    """,
}
WIRING = """
[inputs]
folder = "data"

[params]
rows = 30

[outputs]
total = "out/total.json"
"""
COMMANDS = (
    ["run", "--json"],
    ["run", "--json", "--fresh"],
    ["run", "--json", "--only", "s02"],
    ["status", "--json"],
    ["status", "--json", "--verify"],
    ["plan", "--json"],
    ["show", "total"],
    ["report", "--markdown"],
    ["review", "--format", "json"],
    ["clean", "--old"],
    ["clean", "--runs"],
)
EXIT_CODES = range(6)  # 130 is for interrupts
SECONDS = 100.0  # no command takes so long, so it hangs
TOML_FILES = ("pipeline.toml", "memory_budget.toml")


@dataclass(frozen=True)
class Hostile:
    """What is done to a file of the project, and how to take it back if a person has to."""

    path: Path
    what: str
    do: Callable[[], object]

    def __str__(self) -> str:
        return f"{self.what} at {self.path}"


def hostile(rng: random.Random, project: Project) -> Hostile:
    """A random hostile thing for a random place in a project that has run."""
    if rng.random() < 0.3:
        path = project.folder / rng.choice(TOML_FILES)
        text = _toml(rng)
        return Hostile(
            path, f"{text[:60]!r} ({len(text)} characters)", lambda: path.write_text(text)
        )
    path = rng.choice(_places(project))
    kind = rng.choice(sorted(THINGS))
    return Hostile(path, kind, lambda: _replace(path, THINGS[kind]))


def fuzz(rng: random.Random, original: Project, folder: Path) -> str:
    """One round, on a copy of a project that has run; returns what was done."""
    shutil.rmtree(folder, ignore_errors=True)
    project = original.copy(folder)
    thing = hostile(rng, project)
    thing.do()
    arguments = rng.choice(COMMANDS)
    change = f"{thing}, then {' '.join(arguments)}"
    _command(project, arguments, change)
    _command(project, ["clean"], f"{change}, then clean")
    if _command(project, ["run", "--json"], f"{change}, then run") != 0:
        _take_back(thing.path, original, project)
        assert _command(project, ["clean"], f"{change}, taken back, then clean") == 0, change
        assert _command(project, ["run", "--json"], f"{change}, taken back, then run") == 0, change
    return change


def _command(project: Project, arguments: list[str], change: str) -> int:
    process = project.start(*arguments)
    try:
        out, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"{change}: it hangs") from None
    assert process.returncode in EXIT_CODES, f"{change}: exit code {process.returncode}\n{err}"
    assert "Traceback" not in err, f"{change}:\n{err}"
    assert "bug of the runtime" not in err, f"{change}:\n{err}"
    if "--json" in arguments:
        content = json.loads(out)
        assert isinstance(content, dict), change
        assert ("error" in content) == (process.returncode != 0), f"{change}:\n{err}"
    return process.returncode


def _places(project: Project) -> list[Path]:
    """Files and folders of a run, published ones too, and some that are not there."""
    folder, store = project.folder, project.checkpoints()
    made = [p for top in ("checkpoints", "runs", "out") for p in (folder / top).rglob("*")]
    absent = [store / "hashes.json", folder / "runs" / "compare.log", *folder.glob("runs/*/")]
    absent += [manifest.with_name("partial.json") for manifest in store.glob("*/*/manifest.json")]
    return sorted({*made, *absent, *(folder / name for name in TOML_FILES)})


def _replace(path: Path, make: Callable[[Path], object]) -> None:
    _remove(path)
    make(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _take_back(path: Path, original: Project, project: Project) -> None:
    """Do what the messages ask for: remove what no run made, and restore what was there."""
    _remove(path)
    before = original.folder / path.relative_to(project.folder)
    if before.is_dir():
        shutil.copytree(before, path, symlinks=True)
    elif before.exists():
        shutil.copy2(before, path)


def _socket(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)  # a socket's path may have 107 characters
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")
    os.close(folder)


THINGS: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a socket": _socket,
    "a folder": lambda path: path.mkdir(),
    "a full folder": lambda path: shutil.copytree(Path(__file__).parent, path),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a device that never ends": lambda path: path.symlink_to("/dev/zero"),
    "nothing": lambda path: None,
    "an empty file": lambda path: path.write_text(""),
    "bytes": lambda path: path.write_bytes(random.Random(7).randbytes(1_000)),
    "nested lists": lambda path: path.write_text("[" * 100_000),
    "nested objects": lambda path: path.write_text('{"demo":' * 100_000),
    "many digits": lambda path: path.write_text('{"format": ' + "9" * 10_000 + "}"),
    "NaN": lambda path: path.write_text('{"checksum": NaN, "demo": {"s01": [{"x": 1e999}]}}'),
    "a key twice": lambda path: path.write_text('{"format": 1, "format": 2}'),
    "a list": lambda path: path.write_text("[1, null, true]"),
    "a surrogate": lambda path: path.write_text('{"format": 1, "holds": "\\ud800"}'),
}
"""What is put in the place of a file, by its name."""

_NAMES = ("cluster", "budget", "segment", "checkpoints", "inputs", "params", "outputs", "ram", "x")
_VALUES: tuple[Callable[[random.Random], str], ...] = (
    lambda rng: "9" * rng.choice((5, 400, 10_000)),
    lambda rng: "0x" + "f" * rng.choice((15, 16, 5_000)),
    lambda rng: f"{rng.uniform(-2, 2)}e{rng.choice((0, 308, 999))}",
    lambda rng: rng.choice(("nan", "-inf", "true", "1979-05-27", "[]", "{}", "07:32:00", "-1")),
    lambda rng: "[" * rng.choice((3, 1_000)) + "]" * rng.choice((3, 1_000)),
    lambda rng: "{a = " * 300 + "1" + "}" * 300,
    lambda rng: json.dumps("x" * rng.choice((0, 300, 100_000))),
    lambda rng: rng.choice(('"\\u0000"', '"../out"', '"/dev/null"', '"9e9 GB"', '"٢ %"', '"data"')),
)


def _toml(rng: random.Random) -> str:
    """A random TOML file; most are refused, and some are a project's after all."""
    lines = [MEMORY_BUDGET] if rng.random() < 0.5 else []
    for _ in range(rng.randint(1, 6)):
        name = rng.choice(_NAMES) if rng.random() < 0.9 else "a" * rng.choice((1_000, 100_000))
        if rng.random() < 0.4:
            lines.append(f"[{'.'.join([name] * rng.choice((1, 1, 2, 5_000)))}]")
        lines.append(f"{name} = {rng.choice(_VALUES)(rng)}")
    return "\n".join(lines)
