"""A small realistic project, and random edits of it: code, data, inputs, links, params.

No edit says whether it matters: the test runs the steps after it, and compares.
"""

from __future__ import annotations

import os
import random
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..builders import link, write
from ..conftest import MEMORY_BUDGET, Project

SRC = "src/demo"

FILES = {
    "pipeline.toml": """
        [inputs]
        folder = "data/in"
        files = "data/in/*.csv"
        today = "data/latest"

        [params]
        factor = 3
        unused = 1
    """,
    "memory_budget.toml": MEMORY_BUDGET,
    "data/in/a.csv": "1\n2\n",
    "data/in/b.csv": "3\n",
    "data/day=01/x.csv": "5\n",
    "data/day=02/x.csv": "5\n",
    "data/far/deep.csv": "8\n",
    "lib/sibling/__init__.py": "from .rates import rate\n",
    "lib/sibling/rates.py": "RATE = 2\n\ndef rate(x):\n    return x * RATE\n",
    "lib/sibling/limits.txt": "100\n",
    "lib/plugin.py": "OFFSET = 7\n",
    f"{SRC}/__init__.py": "VERSION = 1\n",
    f"{SRC}/pipeline.py": """
        from .checkpointing import Pipeline
        from .segments import s01, s02, s03, s04

        PIPELINE = Pipeline(s01, s02, s03, s04, name="demo")
    """,
    f"{SRC}/other.py": "VALUE = 1\n",
    f"{SRC}/helpers.py": """
        from typing import TYPE_CHECKING

        if TYPE_CHECKING:
            from .other import VALUE

        SCALE = 4
        UNUSED = 9

        def scaled(x, by=SCALE):
            total = x * by
            return total

        def unused(x):
            return x - 1
    """,
    f"{SRC}/lib/__init__.py": """
        from .shapes import Box

        __all__ = ["Box", "stars"]
    """,
    f"{SRC}/lib/shapes.py": """
        from .marks import marked

        class Box:
            \"\"\"A box.\"\"\"
            width = 2

            def area(self, height):
                return self.width * height

            @marked
            def label(self):
                return "box"
    """,
    f"{SRC}/lib/marks.py": """
        import functools

        MARK = "<"

        def marked(function):
            @functools.wraps(function)
            def inner(*args):
                return MARK + function(*args)
            return inner
    """,
    f"{SRC}/lib/stars.py": "STAR = 6\n",
    f"{SRC}/lib/late.py": "LATE = 11\n",
    f"{SRC}/lib/literal.py": "LITERAL = 12\n",
    f"{SRC}/plugins/__init__.py": "",
    f"{SRC}/plugins/red.py": "COLOUR = 13\n",
    f"{SRC}/plugins/blue.py": "COLOUR = 14\n",
    f"{SRC}/limits.json": '{"least": 1}\n',
    f"{SRC}/notes.txt": "not read\n",
    f"{SRC}/segments/__init__.py": "",
    f"{SRC}/segments/s01.py": """
        from pathlib import Path
        import sibling
        from .. import VERSION
        from ..checkpointing import step
        from ..helpers import scaled
        from ..lib import *

        @step
        def numbers(files: list[Path]) -> list[int]:
            return [int(line) for path in files for line in path.read_text().split()]

        @step
        def names(folder: Path) -> list[str]:
            return sorted(p.name for p in folder.rglob("*") if not p.name.endswith(("~", "#")))

        @step
        def total(numbers: list[int], names: list[str]) -> int:
            return scaled(sum(numbers)) + sibling.rate(VERSION) + stars.STAR + len(names)
    """,
    f"{SRC}/segments/s02.py": """
        import importlib
        import json
        import pydoc
        from pathlib import Path
        from ..checkpointing import step
        from ..lib.shapes import Box

        HERE = Path(__file__).parents[1]

        @step
        def label(total: int, factor: int) -> str:
            from ..lib.late import LATE
            literal = importlib.import_module("..lib.literal", __package__).LITERAL
            least = json.loads((HERE / "limits.json").read_text())["least"]
            return f"{Box().label()} {Box().area(total) * factor + LATE + literal + least}"

        @step
        def plugged(total: int) -> int:
            return total + pydoc.locate("plugin.OFFSET")
    """,
    f"{SRC}/segments/s03.py": """
        from importlib import import_module
        from pathlib import Path
        from ..checkpointing import step

        COLOUR = "red"

        @step
        def colour() -> int:
            try:
                from ..lib.optional import BETTER
            except ImportError:
                BETTER = 0
            return import_module(f"demo.plugins.{COLOUR}").COLOUR + BETTER

        @step
        def day(today: Path) -> str:
            return today.resolve().name + (today / "x.csv").read_text()

        @step
        def limit() -> int:
            import sibling
            return int(Path(sibling.__file__).with_name("limits.txt").read_text())
    """,
}
# One step for each way in which code may reach other code, or change it.
FILES |= {
    f"{SRC}/tools.py": """
        from .registry import register

        RATE = 3
        SHARE = 5
        MODE = 1

        try:
            from .fast import quick
        except ImportError:
            def quick(x):
                return x + 1

        if MODE > 15:
            def sized(x):
                return x + 100
        else:
            def sized(x):
                return x + 200

        def rated(x, by=RATE):
            return x * by

        def shared(x):
            return x * SHARE

        @register
        def red(x):
            return x + 21

        class Shape:
            sides = 4

            def around(self, x):
                return x * self.sides

        class Square(Shape):
            corners = 5

        def never(x):
            return x - 77
    """,
    f"{SRC}/registry.py": """
        KNOWN = {}

        def register(function):
            KNOWN[function.__name__] = function
            return function
    """,
    f"{SRC}/patched.py": "LEVEL = 1\nOTHER = 2\n\ndef level(x):\n    return x + LEVEL\n",
    f"{SRC}/patches.py": "from . import patched\n\npatched.LEVEL = 31\n",
    f"{SRC}/names.py": "FIRST = 41\nSECOND = 42\n",
    f"{SRC}/dynamic.py": "SPEED = 51\nIDLE = 52\n",
    f"{SRC}/noted.py": "NOTED = []\nSILENT = 62\nNOTED.append(61)\n",
    f"{SRC}/counted.py": "COUNT = 1\n",
    f"{SRC}/extra/__init__.py": "from .. import counted\n\ncounted.COUNT = 71\n",
    f"{SRC}/extra/leaf.py": "LEAF = 72\n",
    f"{SRC}/segments/s04.py": """
        from .. import counted, dynamic, patched, patches, tools
        from ..checkpointing import step
        from ..extra.leaf import LEAF
        from ..names import *
        from ..noted import NOTED
        from ..registry import KNOWN
        from ..tools import quick, rated, sized

        LEAST = 81
        MOST = 82

        @step
        def tried(limit: int) -> int:
            return quick(limit) + sized(limit)

        @step
        def defaulted(limit: int) -> int:
            return rated(limit)

        @step
        def shared(defaulted: int) -> int:
            return tools.shared(defaulted) + LEAST

        @step
        def registered(limit: int) -> int:
            return KNOWN["red"](limit)

        @step
        def shaped(limit: int) -> int:
            return tools.Square().around(limit)

        @step
        def levelled(limit: int) -> int:
            return patched.level(limit)

        @step
        def starred(limit: int) -> int:
            return limit + FIRST

        @step
        def chosen(limit: int) -> int:
            return limit + getattr(dynamic, "SPEED")

        @step
        def noted(limit: int) -> int:
            return limit + sum(NOTED)

        @step
        def leaves(limit: int) -> int:
            return limit + LEAF + counted.COUNT
    """,
}
LINKS = {"data/in/far": "../far", "data/latest": "day=01", f"{SRC}/shared": "../../data/far"}


class Edited:
    """The project, to be edited and restored."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.folder = project.folder
        for path, text in FILES.items():
            project.write(path, text)
        for path, target in LINKS.items():
            link(self.folder / path, target)
        (self.folder / SRC / "notes.py").unlink()  # no step calls it
        self._first = self._state()

    def replace(self, path: str, old: str, new: str) -> None:
        file = self.folder / path
        text = file.read_text()
        if old in text:  # an edit before may have changed it
            file.write_text(text.replace(old, new, 1))

    def restore(self) -> None:
        """Undo all edits, in places that they touched."""
        now = self._state()
        for path in sorted(now.keys() - self._first.keys(), reverse=True):
            place = self.folder / path
            if place.is_dir() and not place.is_symlink():
                place.rmdir()
            else:
                place.unlink()
        for path, content in sorted(self._first.items()):
            if path in now and now[path] == content:
                continue
            place = self.folder / path
            if content is None:
                place.mkdir()
            elif isinstance(content, str):
                place.unlink(missing_ok=True)
                place.symlink_to(content)
            else:
                place.write_bytes(content)

    def _state(self) -> dict[str, bytes | str | None]:
        """The bytes of each file, the target of each link, and None for each folder, by path."""
        state: dict[str, bytes | str | None] = {}
        for top in ("data", "lib", "src", "pipeline.toml"):
            for folder, inner, names in os.walk(self.folder / top):
                inner[:] = [n for n in inner if n != "checkpointing"]
                for path in (Path(folder, n) for n in (*inner, *names)):
                    name = path.relative_to(self.folder).as_posix()
                    if path.is_symlink():
                        state[name] = os.readlink(path)
                    else:
                        state[name] = None if path.is_dir() else path.read_bytes()
        state["pipeline.toml"] = (self.folder / "pipeline.toml").read_bytes()
        return state


@dataclass(frozen=True)
class Edit:
    """What somebody may do to the project."""

    name: str
    make: Callable[[Edited, random.Random], object]


def _number(path: str, name: str, sign: str = " = ") -> Edit:
    """Give a constant another value, or by chance the same."""

    def make(edited: Edited, chance: random.Random) -> None:
        file = edited.folder / path
        if file.exists():
            pattern = rf"({re.escape(name + sign)})\d+"
            text = re.sub(pattern, rf"\g<1>{chance.randint(1, 30)}", file.read_text(), count=1)
            file.write_text(text)

    return Edit(f"{name} in {path}", make)


def _text(path: str, old: str, *new: str) -> Edit:
    return Edit(f"{old!r} in {path}", lambda e, chance: e.replace(path, old, chance.choice(new)))


def _added(*paths: str, text: str = "") -> Edit:
    def make(edited: Edited, chance: random.Random) -> None:
        write(edited.folder / chance.choice(paths), text or str(chance.random()))

    return Edit(f"added {', '.join(paths)}", make)


def _comment(edited: Edited, chance: random.Random) -> None:
    path = chance.choice([path for path in FILES if path.endswith(".py")])
    file = edited.folder / path
    if file.exists():
        file.write_text(f'"""{chance.random()}."""\n# a comment\n{file.read_text()}\n\n')


def _times_back(edited: Edited, chance: random.Random) -> None:
    path = edited.folder / chance.choice(
        ["data/in/b.csv", "data/far/deep.csv", f"{SRC}/limits.json"]
    )
    times, text = path.stat(), path.read_text()
    path.write_text(re.sub(r"\d", lambda match: str((int(match[0]) + 1) % 10), text))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _relink(path: str, *targets: str) -> Edit:
    def make(edited: Edited, chance: random.Random) -> None:
        (edited.folder / path).unlink()
        (edited.folder / path).symlink_to(chance.choice(targets))

    return Edit(f"link {path}", make)


def _module_to_package(edited: Edited, chance: random.Random) -> None:
    name = chance.choice(["lib/late", "lib/stars", "other"])
    file = edited.folder / SRC / f"{name}.py"
    if file.exists():
        file.with_suffix("").mkdir()
        file.rename(file.with_suffix("") / "__init__.py")


def _touch(edited: Edited, chance: random.Random) -> None:
    for path in FILES:
        if (edited.folder / path).exists():
            os.utime(edited.folder / path)


EDITS = (
    _number(f"{SRC}/helpers.py", "SCALE"),
    _number(f"{SRC}/helpers.py", "UNUSED"),
    _text(f"{SRC}/helpers.py", "x * by", "by * x", "x * by + 1", "x * (by)"),
    _text(
        f"{SRC}/helpers.py",
        "total = x * by\n    return total",
        "result = x * by\n    return result",
    ),
    _text(f"{SRC}/helpers.py", "by=SCALE", "by=SCALE + 1", "by=SCALE + 0"),
    _text(f"{SRC}/helpers.py", "return x - 1", "return x - 2"),
    _text(f"{SRC}/helpers.py", "import VALUE", "import VALUE as OTHER"),
    _number(f"{SRC}/__init__.py", "VERSION"),
    _number(f"{SRC}/other.py", "VALUE"),
    _number(f"{SRC}/lib/shapes.py", "width"),
    _text(f"{SRC}/lib/shapes.py", "self.width * height", "height * self.width", "height"),
    _text(f"{SRC}/lib/shapes.py", "    @marked\n", "", "    @(marked)\n"),
    _text(f"{SRC}/lib/marks.py", 'MARK = "<"', 'MARK = ">"', "MARK = chr(60)"),
    _text(f"{SRC}/lib/marks.py", "@functools.wraps(function)", ""),
    _text(f"{SRC}/lib/__init__.py", "shapes import Box", "shapes import Box as Box"),
    _number(f"{SRC}/lib/stars.py", "STAR"),
    _number(f"{SRC}/lib/late.py", "LATE"),
    _number(f"{SRC}/lib/literal.py", "LITERAL"),
    _added(f"{SRC}/lib/optional.py", text="BETTER = 100\n"),
    _number(f"{SRC}/plugins/red.py", "COLOUR"),
    _number(f"{SRC}/plugins/blue.py", "COLOUR"),
    _text(f"{SRC}/segments/s03.py", '"red"', '"blue"', "'red'"),
    _text(f"{SRC}/segments/s01.py", "len(names)", "2 * len(names)", "len([*names])"),
    _number("lib/sibling/rates.py", "RATE"),
    _text("lib/sibling/rates.py", "x * RATE", "x * RATE + 1", "RATE * x"),
    _number("lib/sibling/limits.txt", "", sign=""),
    _number("lib/plugin.py", "OFFSET"),
    _number(f"{SRC}/limits.json", '"least"', sign=": "),
    _text(f"{SRC}/limits.json", "{", "{ "),
    _text(f"{SRC}/notes.txt", "not", "never"),
    _added(f"{SRC}/new.sql", "lib/sibling/new.txt"),
    _added(f"{SRC}/unused.py", "lib/unused.py", text="UNUSED = 1\n"),
    _added(
        f"{SRC}/s01.py~", f"{SRC}/README.md", "data/in/a.csv~", "data/in/#a.csv#", f"{SRC}/x.ipynb"
    ),
    _number("pipeline.toml", "factor"),
    _number("pipeline.toml", "unused"),
    _number("data/in/a.csv", "", sign=""),
    _added("data/in/c.csv", "data/in/c.txt", "data/far/more.csv", text="4\n"),
    _relink("data/in/far", "../day=01", "../far"),
    _relink("data/latest", "day=02", "day=01", "./day=01"),
    _number("data/far/deep.csv", "", sign=""),
    _number(f"{SRC}/tools.py", "RATE"),
    _number(f"{SRC}/tools.py", "SHARE"),
    _number(f"{SRC}/tools.py", "MODE"),
    _number(f"{SRC}/tools.py", "sides"),
    _number(f"{SRC}/tools.py", "corners"),
    _text(f"{SRC}/tools.py", "x + 1\n", "x + 2\n", "1 + x\n"),
    _text(f"{SRC}/tools.py", "x + 100", "x + 101"),
    _text(f"{SRC}/tools.py", "x + 200", "x + 201"),
    _text(f"{SRC}/tools.py", "x + 21", "x + 22", "21 + x"),
    _text(f"{SRC}/tools.py", "@register\n", ""),
    _text(f"{SRC}/tools.py", "x - 77", "x - 78"),
    _text(f"{SRC}/tools.py", "class Square(Shape)", "class Square(Shape, dict)"),
    _text(f"{SRC}/tools.py", "by=RATE", "by=SHARE", "by=RATE + 0"),
    _text(f"{SRC}/registry.py", "return function", "return lambda x: -function(x)"),
    _added(f"{SRC}/fast.py", text="def quick(x):\n    return x + 500\n"),
    _number(f"{SRC}/patched.py", "LEVEL"),
    _number(f"{SRC}/patched.py", "OTHER"),
    _number(f"{SRC}/patches.py", "LEVEL"),
    _text(
        f"{SRC}/patches.py", "patched.LEVEL =", "patched.OTHER =", "setattr(patched, 'LEVEL', 3) #"
    ),
    _number(f"{SRC}/names.py", "FIRST"),
    _number(f"{SRC}/names.py", "SECOND"),
    _text(f"{SRC}/names.py", "SECOND", "LEAST", "rated = abs\nSECOND"),
    _number(f"{SRC}/dynamic.py", "SPEED"),
    _number(f"{SRC}/dynamic.py", "IDLE"),
    _number(f"{SRC}/noted.py", "NOTED.append(", sign=""),
    _number(f"{SRC}/noted.py", "SILENT"),
    _number(f"{SRC}/counted.py", "COUNT"),
    _number(f"{SRC}/extra/__init__.py", "COUNT"),
    _number(f"{SRC}/extra/leaf.py", "LEAF"),
    _number(f"{SRC}/segments/s04.py", "LEAST"),
    _number(f"{SRC}/segments/s04.py", "MOST"),
    _text(f"{SRC}/segments/s04.py", "LEAST = 81\nMOST = 82", "MOST = 82\nLEAST = 81"),
    _text(f"{SRC}/segments/s04.py", "rated(limit)", "rated(limit, 2)", "rated(limit, by=RATE)"),
    _text(f"{SRC}/segments/s04.py", "quick(limit) + sized(limit)", "sized(limit) + quick(limit)"),
    Edit("comments", _comment),
    Edit("times set back", _times_back),
    Edit("a module becomes a package", _module_to_package),
    Edit("touched", _touch),
    Edit(
        "renamed", lambda e, chance: (e.folder / "data/in/b.csv").rename(e.folder / "data/in/d.csv")
    ),
    Edit(
        "moved", lambda e, chance: shutil.move(e.folder / "data/day=02", e.folder / "data/day=03")
    ),
)
