"""Rounds of fuzzing: one file of a project mutated, then commands, then the good file again.

A round asserts what every command promises: an exit code of the contract, one JSON object, no
traceback, an end; and that no state is lost: with the good file again a run reuses what it had.
All rounds of a test have one process, so that they are quick.
"""

from __future__ import annotations

import json
import random
import select
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..conftest import Project, run_once

SEGMENTS = {
    "s01": """
    @step
    def table(rows: int, share: float, title: str, on: bool, folder: Path) -> pd.DataFrame:
        return pd.DataFrame({"number": range(rows)})

    @step
    def page(workdir: Path, names: list[str], table: pd.DataFrame) -> Path:
        (workdir / "page").write_text("x")
        return workdir / "page"
    """,
    "s02": """
    @step
    def total(
        table: pd.DataFrame, files: list[Path], level: dict[str, int],
        home: str, limit: int, token: str,
    ) -> int:
        return int(table["number"].sum())

    @step
    def told(total: int) -> None:
        Path("told.txt").write_text(str(total))
    """,
}
PIPELINE: dict[str, dict[str, Any]] = {
    "inputs": {"folder": "data", "files": "data/*.csv"},
    "params": {
        "rows": 30,
        "share": 0.5,
        "title": "a title",
        "on": True,
        "names": ["a", "b"],
        "level": {"low": 1},
    },
    "env": {
        "home": "HOME",
        "limit": {"variable": "LIMIT_OF_NONE", "default": "10"},
        "token": {"variable": "HOME", "secret": True},
    },
    "outputs": {"total": "out/total.json", "table": "out/table.csv"},
    "sinks": {"told": "told.txt"},
    "reuse": {"ignore": ["*.tmp"]},
}
MEMORY: dict[str, dict[str, Any]] = {
    "cluster": {"ram": "100 GB", "quota": "50 %"},
    "budget": {"count": "held"},
    "segment": {"max_steps": 10, "headroom": "20 %"},
    "checkpoints": {
        "path": "checkpoints",
        "cache": "checkpoints",
        "cache_max": "50 GB",
        "lease": "60 s",
        "format": "arrow",
        "columns": "read",
        "keep": 2,
        "max_disk": "500 GB",
        "keep_all": False,
    },
    "runs": {"path": "runs"},
}
SETTINGS = {"pipeline.toml": PIPELINE, "memory_budget.toml": MEMORY}

COMMANDS: tuple[tuple[Any, ...], ...] = (
    ("terminal.run", "run_command", None, None, [], False, None, None, None, False, True),
    ("terminal.status", "status_command", None, [], False, True),
    ("terminal.status", "status_command", None, [], True, True),
    ("tools.plan.command", "plan_command", None, None, [], False, True, False),
    ("tools.report.command", "report_command", None, None, True),
    ("tools.review.command", "review_command", "json", None),
)
"""The module, the function, and its arguments after the package's name."""

RUN = COMMANDS[0]
EXIT_CODES = range(6)  # 130 is for interrupts
_SECONDS = 100.0  # no command takes so long, so it hangs

# One process that calls the function of a command for each line: quicker than a command.
CALLER = """
import contextlib, io, json, sys, traceback
from importlib import import_module

for line in sys.stdin:
    module, name, *arguments = json.loads(line)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            command = getattr(import_module(f"demo.checkpointing.{module}"), name)
            code = command("demo", *arguments)
        except BaseException:
            code = -1
            traceback.print_exc()
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""


@dataclass(frozen=True)
class Answer:
    """What a command returned and printed."""

    code: int
    out: str
    err: str


Call = Callable[..., Answer]


@contextmanager
def caller(project: Project) -> Iterator[Call]:
    """A function that calls a command's function, all in one process, and returns its answer."""
    with subprocess.Popen(
        [sys.executable, "-c", CALLER],
        cwd=project.folder,
        env=project.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked, answers = process.stdin, process.stdout

        def call(*command: Any) -> Answer:
            print(json.dumps(command), file=asked, flush=True)
            if not select.select([answers], [], [], _SECONDS)[0]:
                process.kill()
                raise AssertionError("it hangs")
            return Answer(*json.loads(answers.readline()))

        yield call
        asked.close()


def lay_out(project: Project) -> Project:
    """Give a project these segments and settings, and run it once."""
    project.write("data/a.csv", "1")
    project.write("memory_budget.toml", toml(MEMORY))
    return run_once(project, SEGMENTS, toml(PIPELINE))


def round_of_settings(chance: random.Random, project: Project, call: Call) -> None:
    """Mutate one of the TOML files, call commands, and take it back."""
    name = chance.choice(sorted(SETTINGS))
    content = mutated_toml(chance, SETTINGS[name])
    _round(chance, project, call, project.folder / name, content)


def round_of_state(chance: random.Random, project: Project, call: Call) -> None:
    """Mutate one of the JSON files that runs made, call commands, and take it back."""
    made = [p for top in ("checkpoints", "runs") for p in (project.folder / top).rglob("*.json")]
    path = chance.choice(sorted(path for path in made if path.is_file()))
    _round(chance, project, call, path, mutated_json(chance, path.read_bytes()))


def _round(chance: random.Random, project: Project, call: Call, path: Path, content: bytes) -> None:
    change = f"{path.relative_to(project.folder)} = {_short(content)}"
    good = path.read_bytes()
    path.write_bytes(content)
    commands = chance.sample(COMMANDS, 2)
    answers = [_check(call(*command), command, change) for command in commands]
    has_run = RUN in commands and answers[commands.index(RUN)].code == 0
    if path.parent.exists():  # a run with `keep = 0`, say, removes older checkpoints
        path.write_bytes(good)
    after = _check(call(*RUN), RUN, f"{change}, then the good file again")
    statuses = {segment["status"] for segment in json.loads(after.out)["segments"]}
    assert after.code == 0, f"{change}, then the good file again:\n{after.err}"
    assert has_run or statuses == {"reused"}, f"{change}: lost\n{after.err}"


def _check(answer: Answer, command: Any, change: str) -> Answer:
    """Assert what holds for each answer of a command."""
    said = f"{change}, {command[1]}: {answer.code}\n{answer.out[:2000]}\n{answer.err[:4000]}"
    assert answer.code in EXIT_CODES, said
    assert "Traceback" not in answer.err, said
    assert "bug of the runtime" not in answer.err, said
    assert len(answer.err) < 20_000, said
    if command[1] in ("report_command", "review_command"):
        return answer
    content = json.loads(answer.out, parse_constant=_no_json)
    assert isinstance(content, dict), said
    assert ("error" in content) == (answer.code != 0), said
    assert answer.code == 0 or content["error"]["kind"] != "internal", said
    return answer


def _no_json(text: str) -> None:
    raise AssertionError(f"{text} is not JSON")


def _short(content: bytes) -> str:
    return repr(content if len(content) < 600 else content[:300] + b" ... " + content[-200:])


# What a mutation puts in the place of a value, by the name of its kind.
NUMBERS = (0, -1, 1, 2**31, 2**63 - 1, 2**64, -(2**63), 10**300, 10**310, 0.0, -0.0, 1e308, 5e-324)
TEXTS = (
    "",
    " ",
    "\0",
    "a\0b",
    "x" * 300,
    "x/" * 3_000,
    "x" * 100_000,
    "../outside",
    "out",
    "out/total.json",
    "data",
    "data/a.csv",
    "data/none.csv",
    "data/[",
    "**",
    "*" * 300,
    "~",
    "~nobody/x",
    "checkpoints",
    "checkpoints/demo",
    "runs",
    "runs/profile.json",
    "pipeline.toml",
    "/dev/null",
    "/dev/full",
    "/proc/self/fd/0",
    "http://",
    "s3://a/b",
    "://",
    "\u202e\u0301\ufeff\U0001f600",
    "\n[x]\n",
    "%s{}",
    "[bold]x[/bold]",
    "[/x]",
    "9" * 5_000,
    "9" * 400 + " GB",
    "1e999",
    "1e999 %",
    "9" * 400 + " %",
    "nan",
    "inf GB",
    "0 GB",
    "-1 GB",
    "1 YB",
    "9e9 GB",
    "٢ %",
    "²",
    "1_000 MB",
    "100 %",
    "0.0000001 %",
    "rss",
    "parquet",
    "!x",
    "!",
    "[a-",
    "/",
    "a/**/b",
)
NAMES = ("", " ", "rows", "row", "folder", "total", "table", "s01", "x.y", "é", "\0", "x" * 2_000)
_RAW = (
    b"\xef\xbb\xbf",
    b"\0",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\r",
    b"\x1a",
    b"\xe2\x80\xa8",
    b"9" * 5_000,
    b"[" * 5_000,
    b"{a=" * 2_000,
    b'"',
    b"'''",
    b"a." * 3_000,
    b"=",
    b"#",
    b"\n\n[params]\n",
    b"nan",
    b"0x" + b"f" * 500,
    b"-",
    b"1979-05-27",
    b"," * 50,
)


def _value(chance: random.Random) -> Any:
    kind = chance.random()
    if kind < 0.5:
        return chance.choice(TEXTS)
    if kind < 0.75:
        return chance.choice(NUMBERS)
    if kind < 0.85:
        return chance.choice([True, False, [], {}, [[]], ["x"], {"x": 1}, [1, "x", 0.5, [{}]]])
    nested: Any = chance.choice([1, "x"])
    for _ in range(chance.choice([3, 99, 200, 900])):
        nested = [nested] if chance.random() < 0.5 else {"a": nested}
    return nested


def mutated(chance: random.Random, content: Any) -> Any:
    """A copy of plain data in which some values and names differ."""
    content = json.loads(json.dumps(content))
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        tables = list(_tables(content))
        if not tables:
            return _value(chance)
        table = chance.choice(tables)
        name = chance.choice(sorted(table)) if table else "x"
        kind = chance.random()
        if kind < 0.7:
            table[name] = _value(chance)
        elif kind < 0.8:
            table.pop(name, None)
        elif kind < 0.9:
            table[chance.choice(NAMES)] = table.pop(name, 1)
        else:
            table[chance.choice(NAMES)] = _value(chance)
    return content


def _tables(content: Any) -> Iterator[dict[str, Any]]:
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting += value.values()


def mutated_toml(chance: random.Random, content: dict[str, Any]) -> bytes:
    """The text of a TOML file whose values, or whose bytes, differ."""
    if chance.random() < 0.75:
        return toml(mutated(chance, content)).encode()
    return _mutated_bytes(chance, toml(content).encode())


def mutated_json(chance: random.Random, content: bytes) -> bytes:
    """The text of a JSON file whose values, or whose bytes, differ."""
    if chance.random() < 0.6:
        return json.dumps(mutated(chance, json.loads(content))).encode()
    return _mutated_bytes(chance, content)


def _mutated_bytes(chance: random.Random, content: bytes) -> bytes:
    for _ in range(chance.choice([1, 1, 3])):
        at = chance.choice([0, chance.randrange(len(content) + 1), len(content)])
        end = at + chance.choice([0, 0, 1, 20])
        content = content[:at] + chance.choice([*_RAW, b""]) + content[end:]
    return content


def toml(content: dict[str, Any]) -> str:
    """Plain data as TOML: its tables as sections, all else in line."""
    lines = []
    for name, table in content.items():
        if isinstance(table, dict):
            lines.append(f"[{_text(name)}]")
            lines += [f"{_text(key)} = {_inline(value)}" for key, value in table.items()]
        else:
            lines.insert(0, f"{_text(name)} = {_inline(table)}")
    return "\n".join(lines) + "\n"


def _inline(value: Any) -> str:
    """A value in line; it may be nested deeper than Python calls functions."""
    before, after = [], []
    while isinstance(value, list | dict) and len(value) == 1:
        if isinstance(value, list):
            before.append("[")
            after.append("]")
            [value] = value
        else:
            [(name, value)] = value.items()
            before.append(f"{{{_text(name)} = ")
            after.append("}")
    if isinstance(value, list):
        inner = "[" + ", ".join(map(_inline, value)) + "]"
    elif isinstance(value, dict):
        inner = "{" + ", ".join(f"{_text(k)} = {_inline(v)}" for k, v in value.items()) + "}"
    elif isinstance(value, str):
        inner = _text(value)
    else:
        inner = json.dumps(value)
    return "".join(before) + inner + "".join(reversed(after))


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def fresh_copy(original: Project, folder: Path) -> Project:
    """A copy of a project in the place of an earlier one."""
    shutil.rmtree(folder, ignore_errors=True)
    return original.copy(folder)
