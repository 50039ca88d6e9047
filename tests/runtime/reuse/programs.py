"""Small random packages whose step can be run, and random edits of them.

Every statement refers to what the statements before it have bound, so that most programs run. They
do on purpose what makes it hard to see what a function depends on.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from importlib import import_module, invalidate_caches
from pathlib import Path

from hypothesis import strategies as st

from ..builders import write

PACKAGE = "lab"
MODULES = ("pack/__init__", "pack/inner", "low", "high", "main")
"""In the order in which they may import each other."""

Programs = dict[str, list[str]]
"""The statements of each module."""


@dataclass
class _Names:
    """What a module has bound so far."""

    numbers: list[str] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    decorators: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    modules: dict[str, str] = field(default_factory=dict)
    """The modules that it has imported, by the expression for them."""


@st.composite
def programs(draw: st.DrawFn) -> Programs:
    """A package whose function `main.one` takes a number."""
    made: dict[str, _Names] = {}
    package: Programs = {}
    for module in MODULES:
        names = _Names()
        package[module] = []
        for _ in range(draw(st.integers(2, 6))):
            package[module].append(draw(_statements(module, names, made)))
        made[module] = names
    results = [draw(_numbers("main", names, made)) for _ in range(draw(st.integers(4, 12)))]
    package["main"].append(f"def one(x):\n    return [{', '.join(results)}]")
    return package


@st.composite
def edits(draw: st.DrawFn, package: Programs) -> Programs:
    """The package after one edit."""
    module = draw(st.sampled_from([name for name in MODULES if package[name]]))
    body = list(package[module])
    place = draw(st.integers(0, len(body) - 1))
    match draw(st.sampled_from(["number", "number", "swap", "swap", "leave out", "repeat"])):
        case "number":
            numbers = list(re.finditer(r"(?<![\w.])\d+", body[place]))
            if numbers:
                hit = draw(st.sampled_from(numbers))
                new = str((int(hit[0]) + draw(st.integers(1, 9))) % 10)
                body[place] = body[place][: hit.start()] + new + body[place][hit.end() :]
        case "swap":
            other = draw(st.integers(0, len(body) - 1))
            body[place], body[other] = body[other], body[place]
        case "leave out":
            del body[place]
        case "repeat":
            body.insert(draw(st.integers(0, len(body))), body[place])
    return package | {module: body}


def lay_out(folder: Path, package: Programs) -> None:
    write(folder / f"src/{PACKAGE}/__init__.py", "")
    for module, body in package.items():
        write(folder / f"src/{PACKAGE}/{module}.py", "\n".join(body) + "\n")


def result(folder: Path) -> str | None:
    """What the step returns; None if it cannot be run."""
    sys.path.insert(0, str(folder / "src"))
    forget()
    try:
        return repr(import_module(f"{PACKAGE}.main").one(3))
    except Exception:
        return None
    finally:
        sys.path.remove(str(folder / "src"))
        forget()


def forget() -> None:
    invalidate_caches()
    for name in [n for n in sys.modules if n.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def _import_of(here: str, other: str, name: str | None) -> tuple[str, str]:
    """A statement that imports a module or a name of it, and the expression for the module."""
    dots = ".." if here.startswith("pack/") else "."
    if other == "pack/inner":
        source, last = f"{dots}pack", "inner"
    elif other == "pack/__init__":
        source, last = dots, "pack"
    else:
        source, last = dots, other
    if name is None:
        return f"from {source} import {last}", last
    whole = f"{source}.{last}" if not source.endswith(".") else f"{source}{last}"
    return f"from {whole} import {name}", last


@st.composite
def _statements(draw: st.DrawFn, here: str, names: _Names, made: dict[str, _Names]) -> str:
    fresh = draw(st.sampled_from("ABCDEFGHIJKLMNOPQRST"))
    value = _numbers(here, names, made)
    kinds = ["constant", "constant", "function", "function", "list", "class", "if", "decorator"]
    kinds += ["for"]
    kinds += ["import", "import", "import"] if made else []
    kinds += ["append", "extend", "index"] if names.lists else []
    kinds += ["decorated", "decorated"] if names.decorators else []
    kinds += ["subclass", "attribute"] if names.classes else []
    kinds += ["patch", "setattr"] if names.modules else []
    kinds += ["globals"] if names.numbers else []
    kind = draw(st.sampled_from(kinds))
    if kind == "constant":
        text = f"{fresh} = {draw(value)}"
        _bind(names, names.numbers, fresh)
        return text
    if kind == "list":
        text = f"{fresh} = [{draw(value)}, {draw(value)}]"
        _bind(names, names.lists, fresh)
        return text
    if kind == "append":
        return f"{draw(st.sampled_from(names.lists))}.append({draw(value)})"
    if kind == "extend":
        return f"{draw(st.sampled_from(names.lists))} += [{draw(value)}]"
    if kind == "index":
        return f"{draw(st.sampled_from(names.lists))}[0] = {draw(value)}"
    if kind == "globals":
        return f"globals()['{draw(st.sampled_from(names.numbers))}'] = {draw(value)}"
    if kind == "if":
        test, first, second = draw(value), draw(value), draw(value)
        _bind(names, names.numbers, fresh)
        return f"if {test} > 3:\n    {fresh} = {first}\nelse:\n    {fresh} = {second}"
    if kind == "for":
        text = f"for {fresh} in range({draw(value)} % 7 + 1):\n    pass"
        _bind(names, names.numbers, fresh)
        return text
    if kind in ("function", "decorated"):
        return draw(_functions(here, names, made, fresh, kind == "decorated"))
    if kind == "decorator":
        inside = draw(value)
        does = draw(st.sampled_from(["", "", *(f"    {n}.append(1)\n" for n in names.lists)]))
        _bind(names, names.decorators, fresh)
        return (
            f"def {fresh}(function):\n{does}    def inner(x):\n"
            f"        return function(x) + {inside}\n    return inner"
        )
    if kind in ("class", "subclass"):
        base = f"({draw(st.sampled_from(names.classes))})" if kind == "subclass" else ""
        text = f"class {fresh}{base}:\n"
        if draw(st.booleans()) or not base:
            text += f"    n = {draw(value)}\n"
        hook = draw(st.sampled_from(["", "", "", *names.lists]))
        if hook:
            text += f"    def __init_subclass__(cls):\n        {hook}.append({draw(value)})\n"
        text += f"    def m(self, x):\n        return self.n + {draw(value)}"
        _bind(names, names.classes, fresh)
        return text
    if kind == "attribute":
        return f"{draw(st.sampled_from(names.classes))}.n = {draw(value)}"
    if kind in ("patch", "setattr"):
        expression, module = draw(st.sampled_from(sorted(names.modules.items())))
        name = draw(st.sampled_from([*made[module].numbers, "A"]))
        new = draw(value)
        if kind == "patch":
            return f"{expression}.{name} = {new}"
        return f"setattr({expression}, '{name}', {new})"
    return draw(_imports(here, names, made))


@st.composite
def _imports(draw: st.DrawFn, here: str, names: _Names, made: dict[str, _Names]) -> str:
    other = draw(st.sampled_from(list(made)))
    theirs = made[other]
    form = draw(st.sampled_from(["module", "name", "name", "star", "dotted", "try", "alias"]))
    if form == "star":
        text = _import_of(here, other, "*")[0]
        for kind in ("numbers", "lists", "functions", "decorators", "classes"):
            for name in getattr(theirs, kind):
                _bind(names, getattr(names, kind), name)
        return text
    if form == "dotted":
        dotted = f"{PACKAGE}.{other.replace('/__init__', '').replace('/', '.')}"
        _bind(names, [], PACKAGE)
        names.modules[dotted] = other
        return f"import {dotted}"
    if form in ("name", "try"):
        kind = draw(st.sampled_from(["numbers", "functions", "lists", "classes", "decorators"]))
        if offered := getattr(theirs, kind):
            name = draw(st.sampled_from(offered))
            text = _import_of(here, other, name)[0]
            _bind(names, getattr(names, kind), name)
            if form == "name" or kind != "numbers":
                return text
            return f"try:\n    {text}\nexcept ImportError:\n    {name} = {draw(st.integers(0, 9))}"
    text, expression = _import_of(here, other, None)
    if form == "alias":
        text, expression = f"{text} as mod", "mod"
    _bind(names, [], expression)
    names.modules[expression] = other
    return text


@st.composite
def _functions(
    draw: st.DrawFn, here: str, names: _Names, made: dict[str, _Names], name: str, decorated: bool
) -> str:
    value = _numbers(here, names, made)
    lines = []
    form = draw(st.sampled_from(["plain", "plain", "local", "global", "import", "append", "inner"]))
    if form == "local" and names.numbers:
        hidden = draw(st.sampled_from(names.numbers))
        lines += [f"{hidden} = {draw(st.integers(0, 9))}"]
    elif form == "global" and names.numbers:
        changed = draw(st.sampled_from(names.numbers))
        lines += [f"global {changed}", f"{changed} = {draw(st.integers(0, 9))}"]
    elif form == "append" and names.lists:
        lines += [f"{draw(st.sampled_from(names.lists))}.append({draw(st.integers(0, 9))})"]
    elif form == "inner" and names.numbers:
        hidden = draw(st.sampled_from(names.numbers))
        lines += [f"def inner({hidden}=1):\n        return {hidden}", f"[{hidden} for x in [1]]"]
    elif form == "import" and made:
        other = draw(st.sampled_from(list(made)))
        text, expression = _import_of(here, other, None)
        theirs = [f"{expression}.{n}" for n in made[other].numbers] or ["1"]
        theirs += [f"getattr({expression}, '{n}')" for n in made[other].numbers]
        lines += [f"{text} as {expression}", f"x = x + {draw(st.sampled_from(theirs))}"]
    default = draw(value)
    lines += [f"return x + d + {draw(value)}"]
    mark = f"@{draw(st.sampled_from(names.decorators))}\n" if decorated else ""
    _bind(names, names.functions, name)
    body = "\n    ".join(lines)
    return f"{mark}def {name}(x, d={default}):\n    {body}"


@st.composite
def _numbers(draw: st.DrawFn, here: str, names: _Names, made: dict[str, _Names]) -> str:
    """An expression whose value is a number."""
    offered = [str(draw(st.integers(0, 9)))]
    offered += names.numbers * 2
    offered += [f"sum({name})" for name in names.lists]
    offered += [f"{name}({n})" for n, name in enumerate(names.functions)]
    offered += [f"{name}.n" for name in names.classes]
    offered += [f"{name}().m(2)" for name in names.classes]
    for expression, module in sorted(names.modules.items()):
        theirs = made[module]
        offered += [f"{expression}.{name}" for name in theirs.numbers]
        offered += [f"getattr({expression}, '{name}')" for name in theirs.numbers]
        offered += [f"{expression}.{name}(1)" for name in theirs.functions]
        offered += [f"sum({expression}.{name})" for name in theirs.lists]
        offered += [f"{expression}.{name}.n" for name in theirs.classes]
    offered += [f"globals()['{name}']" for name in names.numbers]
    first, second = draw(st.sampled_from(offered)), draw(st.sampled_from(offered))
    return draw(st.sampled_from([first, first, f"({first} + {second})", f"({second} * 2)"]))


def _bind(names: _Names, kind: list[str], name: str) -> None:
    """Note what a name stands for from now on."""
    every = (names.numbers, names.lists, names.functions, names.decorators, names.classes)
    for other in every:
        if name in other:
            other.remove(name)
    for expression in [e for e in names.modules if e.partition(".")[0] == name]:
        if name != PACKAGE:
            del names.modules[expression]
    kind.append(name)
