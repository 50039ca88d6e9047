"""Which edits of which code count for a step: what its function can reach by names.

Each case is a small package and an edit of it; nothing runs. `test_programs.py` runs such packages.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from flight_delays.checkpointing.graph.steps import Segment
from flight_delays.checkpointing.reuse.key import code_of

from ..builders import write
from .packages import code, sources, step_in

STEP = "def one(x):\n    return {}\n"
HELPERS = """
SCALE = 4
OFFSET = 1

def scaled(x):
    return x * SCALE

def moved(x):
    return x + OFFSET
"""
PATCHES = "from .. import patch\nfrom ..helpers import scaled\n"


class Case(NamedTuple):
    """The files of a package: its segment `main`, and others by name; and an edit of one."""

    main: str
    files: dict[str, str]
    edited: str
    old: str
    new: str


def case(main: str, edit: tuple[str, str, str], **files: str) -> Case:
    return Case(main, {"helpers": HELPERS, **files}, *edit)


SCALE = ("helpers", "SCALE = 4", "SCALE = 5")
OFFSET = ("helpers", "OFFSET = 1", "OFFSET = 2")
MOVED = ("helpers", "x + OFFSET", "x - OFFSET")
USES_SCALED = "from ..helpers import scaled\n" + STEP.format("scaled(x)")

COUNTS = {
    "a function of ours that is called as pydoc's is": case(
        "def locate(code): return len(code) + 1\n" + STEP.format("locate('JFK')"),
        ("main", "+ 1", "+ 2"),
    ),
    "one of another module": case(
        "from .. import geo\n" + STEP.format("geo.locate('JFK')"),
        ("geo", "+ 1", "+ 2"),
        geo="def locate(code): return len(code) + 1\n",
    ),
    "a method that is called as pydoc's function is": case(
        "class Places:\n    def locate(self, code): return 1\n"
        + STEP.format("Places().locate('JFK')"),
        ("main", "return 1", "return 2"),
    ),
    "a function of ours that is called as importlib's is": case(
        "from .. import plug\n" + STEP.format("plug.import_module('a')"),
        ("plug", "'demo.'", "'demo.lib.'"),
        plug="import importlib\ndef import_module(name):\n"
        "    return importlib.import_module('demo.' + name)\n",
        a="A = 1\n",
    ),
    "what a function of ours imports that is called as importlib's is": case(
        "from .. import plug\n" + STEP.format("plug.import_module('a')"),
        ("a", "A = 1", "A = 2"),
        plug="import importlib\ndef import_module(name):\n"
        "    return importlib.import_module('demo.' + name)\n",
        a="A = 1\n",
    ),
    "a formula by keyword": case(
        "LIMIT = 1\n" + STEP.format("x.query(expr=x.condition)"),
        ("main", "LIMIT = 1", "LIMIT = 2"),
    ),
    "a formula of a library by keyword": case(
        "LIMIT = 1\n" + STEP.format("x.ols(data=x, formula=x.text)"),
        ("main", "LIMIT = 1", "LIMIT = 2"),
    ),
    "the text of a view": case(
        "LIMIT = 1\n" + STEP.format("x.query('view', x.text)"),
        ("main", "LIMIT = 1", "LIMIT = 2"),
    ),
    "SQL that a function of DuckDB takes": case(
        "import duckdb\nLIMIT = 1\n" + STEP.format("duckdb.from_query(x.text)"),
        ("main", "LIMIT = 1", "LIMIT = 2"),
    ),
    "a member of an enum that notes its members": case(
        "from enum import Enum\nBY = {}\nclass Carrier(Enum):\n    AA = 'American'\n"
        "    def __init__(self, label): BY[label] = self.name\n" + STEP.format("BY"),
        ("main", "American", "Delta"),
    ),
    "a member of an enum that makes its members": case(
        "from enum import Enum\nBY = {}\nclass Carrier(Enum):\n    AA = 'American'\n"
        "    def __new__(cls, label):\n        BY[label] = cls\n        return object()\n"
        + STEP.format("BY"),
        ("main", "American", "Delta"),
    ),
    "a member of an enum whose base notes the members": case(
        "from ..codes import BY, Code\nclass Carrier(Code):\n    AA = 'American'\n"
        + STEP.format("BY"),
        ("main", "American", "Delta"),
        codes="from enum import Enum\nBY = {}\nclass Code(Enum):\n"
        "    def __init__(self, label): BY[label] = self.name\n",
    ),
    "a member of an enum that notes its members and has a base of ours": case(
        "from ..codes import Code\nBY = {}\nclass Carrier(Code):\n    AA = 'American'\n"
        "    def __init__(self, label): BY[label] = self.name\n" + STEP.format("BY"),
        ("main", "American", "Delta"),
        codes="import enum\nclass Code(enum.Enum):\n    pass\n",
    ),
    "a member of an enum whose other base notes the members": case(
        "from enum import Enum\nKNOWN = []\nclass Noting:\n"
        "    def __init__(self, *given): KNOWN.append(self)\n"
        "class Carrier(Noting, Enum):\n    AA = 'American'\n" + STEP.format("KNOWN"),
        ("main", "American", "Delta"),
    ),
    "a member of an enum the base of whose other base notes the members": case(
        "from enum import Enum\nfrom ..noting import KNOWN, Noting\n"
        "class Text(Noting): pass\nclass Base(Enum): pass\n"
        "class Carrier(Text, Base):\n    AA = 'American'\n" + STEP.format("KNOWN"),
        ("main", "American", "Delta"),
        noting="KNOWN = []\nclass Noting:\n"
        "    def __new__(cls, *given):\n        KNOWN.append(cls)\n        return object()\n",
    ),
    "a default of a lambda": case(
        "KNOWN = []\nhook = lambda x, _=KNOWN.append(1): x\n" + STEP.format("KNOWN"),
        ("main", "append(1)", "append(2)"),
    ),
    "a method that an iterator calls": case(
        "KNOWN = []\nX = list(map(KNOWN.append, (1, 2)))\n" + STEP.format("KNOWN"),
        ("main", "(1, 2)", "(1, 3)"),
    ),
    "a function of a library that an iterator calls": case(
        "import os\nX = list(map(os.putenv, 'A', 'B'))\n" + STEP.format("os.environ"),
        ("main", "'B'", "'C'"),
    ),
    "a method that a sort calls": case(
        "KNOWN = []\nX = sorted((1, 2), key=KNOWN.append)\n" + STEP.format("KNOWN"),
        ("main", "(1, 2)", "(1, 3)"),
    ),
    "a class that `type` makes": case(
        "from ..base import KNOWN, Base\nX = type('Alpha', (Base,), {})\n" + STEP.format("KNOWN"),
        ("main", "Alpha", "Beta"),
        base="KNOWN = []\nclass Base:\n    def __init_subclass__(cls): KNOWN.append(cls)\n",
    ),
    "the name by which a class holds what notes it": case(
        "KNOWN = []\nclass Field:\n    def __set_name__(self, owner, name): KNOWN.append(name)\n"
        "FIELD = Field()\nclass Row:\n    alpha = FIELD\n" + STEP.format("KNOWN"),
        ("main", "alpha", "beta"),
    ),
    "what a class is asked for that notes it": case(
        "KNOWN = []\nclass Box:\n    def __class_getitem__(cls, item): KNOWN.append(item)\n"
        "X = Box['alpha']\n" + STEP.format("KNOWN"),
        ("main", "alpha", "beta"),
    ),
    "what a class is asked for whose base notes it": case(
        "KNOWN = []\nclass Base:\n    def __class_getitem__(cls, item): KNOWN.append(item)\n"
        "class Box(Base):\n    pass\ndef f(x: Box['alpha']): pass\n" + STEP.format("KNOWN"),
        ("main", "alpha", "beta"),
    ),
    "a subclass of a model that notes its subclasses": case(
        "from pydantic import BaseModel\nKNOWN = []\nclass Base(BaseModel):\n    @classmethod\n"
        "    def __pydantic_init_subclass__(cls): KNOWN.append(cls.kind)\n"
        "class Row(Base):\n    kind = 'alpha'\n" + STEP.format("KNOWN"),
        ("main", "alpha", "beta"),
    ),
    "a subclass of a class that is told later to note them": case(
        "KNOWN = []\nclass Base: pass\nBase.__init_subclass__ = classmethod(KNOWN.append)\n"
        "class Row(Base):\n    kind = 'alpha'\n" + STEP.format("KNOWN"),
        ("main", "alpha", "beta"),
    ),
    "a subclass of a class that a call tells to note them": case(
        "KNOWN = []\nclass Base: pass\nsetattr(Base, '__init_subclass__', print)\n"
        "class Row(Base):\n    kind = 'alpha'\n" + STEP.format("KNOWN"),
        ("main", "alpha", "beta"),
    ),
    "a subclass of a class in another that notes them": case(
        "KNOWN = []\nclass Outer:\n    class Inner:\n"
        "        def __init_subclass__(cls): KNOWN.append(cls)\n"
        "class Row(Outer.Inner):\n    kind = 'alpha'\n" + STEP.format("KNOWN"),
        ("main", "alpha", "beta"),
    ),
    "what a function of ours notes that is named as that of functools": case(
        "KNOWN = []\ndef wraps(f):\n    KNOWN.append(f)\n    return lambda g: g\n"
        "def marked(f):\n    @wraps(f)\n    def inner(): return f()\n    return inner\n"
        "@marked\ndef alpha(): pass\n" + STEP.format("KNOWN"),
        ("main", "def alpha", "def beta"),
    ),
    "what an attribute of a decorator notes": case(
        "KNOWN = []\ndef hook(f):\n    def inner(): return f()\n    return inner\n"
        "hook.register = KNOWN.append\n@hook.register\ndef alpha(): pass\n" + STEP.format("KNOWN"),
        ("main", "def alpha", "def beta"),
    ),
    "a docstring that is read": case(
        'def sql():\n    """select 1"""\n' + STEP.format("sql.__doc__"),
        ("main", "select 1", "select 2"),
    ),
    "a docstring of another module that is read": case(
        "import inspect\nfrom ..queries import Sql\n" + STEP.format("inspect.getdoc(Sql)"),
        ("queries", "select 1", "select 2"),
        queries='class Sql:\n    """select 1"""\n',
    ),
    "a docstring that a method of it is read by": case(
        '"""select 1"""\n' + STEP.format("__doc__.strip()"),
        ("main", "select 1", "select 2"),
    ),
    "a docstring where any code may be reached": case(
        'def sql():\n    """select 1"""\n' + STEP.format("eval(sql.__doc__)"),
        ("main", "select 1", "select 2"),
    ),
    "a package whose data are found by its name": case(
        "from importlib.resources import files\n"
        + STEP.format("files('demo.lib').joinpath('x.txt')"),
        ("lib___init__", "A = 1", "A = 2"),
        lib___init__="A = 1\n",
    ),
    "an annotation that is read": case(
        "amount: int\n" + STEP.format("__annotations__"), ("main", "int", "float")
    ),
    "a helper's constant": case(USES_SCALED, SCALE),
    "a helper's body": case(USES_SCALED, ("helpers", "x * SCALE", "SCALE * x")),
    "a module's attribute": case(
        "from .. import helpers\n" + STEP.format("helpers.scaled(x)"), SCALE
    ),
    "a dotted module": case("import demo.helpers\n" + STEP.format("demo.helpers.scaled(x)"), SCALE),
    "a module by another name": case(
        "import demo.helpers as h\n" + STEP.format("h.scaled(x)"), SCALE
    ),
    "an import in the function": case(
        "def one(x):\n    from ..helpers import scaled\n    return scaled(x)", SCALE
    ),
    "a module imported in the function": case(
        "def one(x):\n    from .. import helpers\n    return helpers.scaled(x)", SCALE
    ),
    "an import in a class": case(
        "class Box:\n    from ..helpers import scaled\ndef one(x):\n    return Box.scaled(x)", SCALE
    ),
    "an import under try": case(
        "try:\n    from ..helpers import scaled\nexcept ImportError:\n    scaled = abs\n"
        + STEP.format("scaled(x)"),
        SCALE,
    ),
    "the other branch of try": case(
        "try:\n    from fast import scaled\nexcept ImportError:\n    from ..helpers import scaled\n"
        + STEP.format("scaled(x)"),
        SCALE,
    ),
    "an import under if": case(
        "import sys\nif sys.version_info > (3, 0):\n    from ..helpers import scaled\n"
        + STEP.format("scaled(x)"),
        SCALE,
    ),
    "a definition under if": case(
        "FAST = True\nif FAST:\n    def f(x): return x\nelse:\n    def f(x): return -x\n"
        + STEP.format("f(x)"),
        ("main", "return -x", "return 0"),
    ),
    "the test of an if": case(
        "FAST = True\nif FAST:\n    def f(x): return x\nelse:\n    def f(x): return -x\n"
        + STEP.format("f(x)"),
        ("main", "FAST = True", "FAST = False"),
    ),
    "a name that two branches share": case(
        "for n in range(3):\n    LAST = n\n" + STEP.format("LAST"),
        ("main", "range(3)", "range(4)"),
    ),
    "a name bound twice": case("A = 1\nA = 2\n" + STEP.format("A"), ("main", "A = 2", "A = 3")),
    "the order of a name bound twice": case(
        "A = 1\nB = A\nA = 2\n" + STEP.format("B"), ("main", "B = A\nA = 2", "A = 2\nB = A")
    ),
    "a default": case("A = 1\ndef one(x, by=A): return by", ("main", "A = 1", "A = 2")),
    "a default of a helper": case(
        "A = 1\ndef f(x, by=A): return by\n" + STEP.format("f(x)"), ("main", "A = 1", "A = 2")
    ),
    "a keyword default": case(
        "A = 1\ndef f(x, *, by=A): return by\n" + STEP.format("f(x)"), ("main", "A = 1", "A = 2")
    ),
    "an annotation of the step": case(
        "Table = dict[str, int]\ndef one(x: Table) -> int: ...", ("main", "str, int", "str, float")
    ),
    "an annotation in quotes": case(
        "Table = dict[str, int]\ndef one(x: 'Table') -> int: ...",
        ("main", "str, int", "str, float"),
    ),
    "an annotation of a class's field": case(
        "Amount = int\nclass Row:\n    amount: 'list[Amount]'\n" + STEP.format("Row"),
        ("main", "Amount = int", "Amount = float"),
    ),
    "a decorator of our own": case(
        "from ..marks import marked\n@marked\ndef one(x): return x",
        ("marks", "MARK = 1", "MARK = 2"),
        marks="MARK = 1\ndef marked(f):\n    def inner(x): return f(x) + MARK\n    return inner",
    ),
    "a decorator of a helper": case(
        "from ..marks import marked\n@marked\ndef f(x): return x\n" + STEP.format("f(x)"),
        ("marks", "MARK = 1", "MARK = 2"),
        marks="MARK = 1\ndef marked(f):\n    def inner(x): return f(x) + MARK\n    return inner",
    ),
    "a decorator's argument": case(
        "from ..marks import by\nA = 1\n@by(A)\ndef f(x): return x\n" + STEP.format("f(x)"),
        ("main", "A = 1", "A = 2"),
        marks="def by(n):\n    def d(f):\n        def i(x): return n\n        return i\n"
        "    return d",
    ),
    "what a decorator registers": case(
        "from .. import plugins\nfrom ..registry import KNOWN\n" + STEP.format("KNOWN['red'](x)"),
        ("plugins", "return 13", "return 14"),
        registry="KNOWN = {}\ndef register(f):\n    KNOWN[f.__name__] = f\n    return f",
        plugins="from .registry import register\n@register\ndef red(x): return 13",
    ),
    "what a subclass registers": case(
        "from .. import plugins\nfrom ..registry import Plugin\n"
        + STEP.format("Plugin.known[0].n"),
        ("plugins", "n = 13", "n = 14"),
        registry="class Plugin:\n    known = []\n    def __init_subclass__(cls): "
        "Plugin.known.append(cls)",
        plugins="from .registry import Plugin\nclass Red(Plugin):\n    n = 13",
    ),
    "subclasses that nobody names": case(
        "from .. import plugins\nfrom ..registry import Plugin\n"
        + STEP.format("[p.n for p in Plugin.__subclasses__()]"),
        ("plugins", "n = 13", "n = 14"),
        registry="class Plugin: pass",
        plugins="from .registry import Plugin\nclass Red(Plugin):\n    n = 13",
    ),
    "a class attribute": case(
        "class Box:\n    width = 2\n    def area(self): return self.width\n"
        + STEP.format("Box().area()"),
        ("main", "width = 2", "width = 3"),
    ),
    "a base class": case(
        "class A:\n    n = 1\nclass B(A): pass\n" + STEP.format("B.n"), ("main", "n = 1", "n = 2")
    ),
    "a metaclass": case(
        "class M(type):\n    n = 1\nclass B(metaclass=M): pass\n" + STEP.format("B.n"),
        ("main", "n = 1", "n = 2"),
    ),
    "a name that Python mangles": case(
        "_Box__n = 1\nclass Box:\n    def get(self): return __n\n" + STEP.format("Box().get()"),
        ("main", "_Box__n = 1", "_Box__n = 2"),
    ),
    "a constant's expression": case(
        "A = 1\nB = A + 1\n" + STEP.format("B"), ("main", "A = 1", "A = 2")
    ),
    "an effect of its own module": case(
        "A = []\nA.append(1)\n" + STEP.format("x"), ("main", "append(1)", "append(2)")
    ),
    "the order of effects": case(
        "A = []\nA.append(1)\nB = list(A)\n" + STEP.format("B"),
        ("main", "A.append(1)\nB = list(A)", "B = list(A)\nA.append(1)"),
    ),
    "an augmented assignment": case(
        "A = [1]\nA += [2]\n" + STEP.format("x"), ("main", "+= [2]", "+= [3]")
    ),
    "an effect hidden in an assignment": case(
        "A = []\n_ = A.append(1)\n" + STEP.format("A"), ("main", "append(1)", "append(2)")
    ),
    "a mutation by a subscript of a default dict": case(
        "from collections import defaultdict\nA = defaultdict(int)\nB = A['x']\n"
        + STEP.format("list(A)"),
        ("main", "A['x']", "A['y']"),
    ),
    "an iterator that another constant uses up": case(
        "A = iter('ab')\nB = next(A)\nC = next(A)\n" + STEP.format("B"),
        ("main", "B = next(A)\nC = next(A)", "C = next(A)\nB = next(A)"),
    ),
    "a setting of a library": case(
        "import numpy as np\nOLD = np.seterr(all='raise')\n" + STEP.format("x"),
        ("main", "'raise'", "'warn'"),
    ),
    "an effect of a module that it imports": case(
        PATCHES + STEP.format("scaled(x)"),
        ("patch", "SCALE = 9", "SCALE = 8"),
        patch="from . import helpers\nhelpers.SCALE = 9",
    ),
    "an effect two imports away": case(
        "from .. import near\nfrom ..helpers import scaled\n" + STEP.format("scaled(x)"),
        ("patch", "SCALE = 9", "SCALE = 8"),
        near="from . import patch",
        patch="from . import helpers\nhelpers.SCALE = 9",
    ),
    "an effect of what is imported under try": case(
        "try:\n    from .. import patch\nexcept ImportError: pass\n" + USES_SCALED,
        ("patch", "SCALE = 9", "SCALE = 8"),
        patch="from . import helpers\nhelpers.SCALE = 9",
    ),
    "an effect of what is imported in the function": case(
        "from ..helpers import scaled\ndef one(x):\n    from .. import patch\n    return scaled(x)",
        ("patch", "SCALE = 9", "SCALE = 8"),
        patch="from . import helpers\nhelpers.SCALE = 9",
    ),
    "an effect of the package's init": case(
        "from ..lib.part import f\n" + STEP.format("f(x)"),
        ("lib___init__", "SCALE = 9", "SCALE = 8"),
        lib___init__="from .. import helpers\nhelpers.SCALE = 9",
        lib_part="from ..helpers import scaled as f",
    ),
    "the order of two imports with effects": case(
        "from .. import first\nfrom .. import second\n" + USES_SCALED,
        ("main", "first\nfrom .. import second", "second\nfrom .. import first"),
        first="from . import helpers\nhelpers.SCALE = 8",
        second="from . import helpers\nhelpers.SCALE = 9",
    ),
    "a constant before or after an import with an effect": case(
        "from .. import helpers\nA = helpers.SCALE\nfrom .. import patch\n" + STEP.format("A"),
        (
            "main",
            "A = helpers.SCALE\nfrom .. import patch",
            "from .. import patch\nA = helpers.SCALE",
        ),
        patch="from . import helpers\nhelpers.SCALE = 9",
    ),
    "setattr of a module": case(
        "from .. import patch\n" + USES_SCALED,
        ("patch", "'SCALE', 9", "'SCALE', 8"),
        patch="from . import helpers\nsetattr(helpers, 'SCALE', 9)",
    ),
    "what a helper patches": case(
        "from ..patch import patch\nfrom ..helpers import scaled\n"
        "def one(x):\n    patch()\n    return scaled(x)",
        ("patch", "return 5", "return 6"),
        patch="from . import helpers\ndef five(x): return 5\ndef patch(): helpers.scaled = five",
    ),
    "a global that another function assigns": case(
        "A = 1\ndef set_it():\n    global A\n    A = 2\ndef one(x):\n    set_it()\n    return A",
        ("main", "A = 2", "A = 3"),
    ),
    "a name that is global in an outer function": case(
        "A = 1\ndef one(x):\n    global A\n    def f():\n        return A\n    return f()",
        ("main", "A = 1", "A = 2"),
    ),
    "a name that only a comprehension hides": case(
        "A = 1\ndef one(x):\n    [A for A in x]\n    return A", ("main", "A = 1", "A = 2")
    ),
    "a name that only a class hides": case(
        "A = 1\ndef one(x):\n    class B:\n        A = 2\n        def f(self): return A\n"
        "    return B().f()",
        ("main", "A = 1", "A = 9"),
    ),
    "a name that only a lambda hides": case(
        "A = 1\ndef one(x):\n    f = lambda A: A\n    return A", ("main", "A = 1", "A = 9")
    ),
    "a name that only an inner function hides": case(
        "A = 1\ndef one(x):\n    def f():\n        A = 2\n    return A", ("main", "A = 1", "A = 9")
    ),
    "a star import": case("from ..helpers import *\n" + STEP.format("scaled(x)"), SCALE),
    "a star import of a star import": case(
        "from ..near import *\n" + STEP.format("scaled(x)"), SCALE, near="from .helpers import *"
    ),
    "a star import under try": case(
        "try:\n    from fast import *\nexcept ImportError:\n    from ..helpers import *\n"
        + STEP.format("scaled(x)"),
        SCALE,
    ),
    "a star import under try, of a star import": case(
        "try:\n    from ..near import *\nexcept ImportError:\n    pass\n"
        + STEP.format("scaled(x)"),
        SCALE,
        near="from .helpers import *",
    ),
    "a star import of a module that has one under if": case(
        "from ..near import *\n" + STEP.format("scaled(x)"),
        SCALE,
        near="import sys\nif sys.version_info:\n    from .helpers import *",
    ),
    "an attribute that a star import under if brings": case(
        "from .. import near\n" + STEP.format("near.scaled(x)"),
        SCALE,
        near="import sys\nif sys.version_info:\n    from .helpers import *",
    ),
    "a name that a star import comes to hide": case(
        "from ..helpers import *\ndef f(x): return 1\n" + STEP.format("f(x)"),
        ("helpers", "OFFSET = 1", "f = abs\nOFFSET = 1"),
    ),
    "a builtin that a star import comes to hide": case(
        "from ..helpers import *\n" + STEP.format("abs(x)"),
        ("helpers", "OFFSET = 1", "abs = round\nOFFSET = 1"),
    ),
    "a builtin that the module comes to hide": case(
        "A = 1\n" + STEP.format("abs(x)"), ("main", "A = 1", "A = 1\nabs = round")
    ),
    "the order of a builtin's new meaning": case(
        "A = str(1)\ndef str(x): return x\n" + STEP.format("A"),
        ("main", "A = str(1)\ndef str(x): return x", "def str(x): return x\nA = str(1)"),
    ),
    "a star import of modules that a package lists": case(
        "from ..lib import *\n" + STEP.format("stars.STAR"),
        ("lib_stars", "STAR = 6", "STAR = 7"),
        lib___init__="__all__ = ['stars']",
        lib_stars="STAR = 6",
    ),
    "getattr of a module": case(
        "from .. import helpers\n" + STEP.format("getattr(helpers, 'scaled')(x)"), SCALE
    ),
    "getattr of a package": case(
        "from .. import lib\n" + STEP.format("getattr(lib, x).STAR"),
        ("lib_stars", "STAR = 6", "STAR = 7"),
        lib___init__="from . import stars",
        lib_stars="STAR = 6",
    ),
    "a module in a list": case(
        "from .. import helpers\nALL = [helpers]\n" + STEP.format("ALL[0].scaled(x)"), SCALE
    ),
    "a module by a second name": case(
        "from .. import helpers\nh = helpers\n" + STEP.format("h.scaled(x)"), SCALE
    ),
    "a module that is handed over": case(
        "from .. import helpers\nfrom ..near import f\n" + STEP.format("f(helpers)"),
        SCALE,
        near="def f(m): return m.scaled(1)",
    ),
    "the namespace of a module": case(
        "from .. import helpers\n" + STEP.format("helpers.__dict__['scaled'](x)"), SCALE
    ),
    "the namespace of a module by vars": case(
        "from .. import helpers\n" + STEP.format("vars(helpers)['scaled'](x)"), SCALE
    ),
    "globals": case("A = 1\n" + STEP.format("globals()['A']"), ("main", "A = 1", "A = 2")),
    "globals with an import": case(
        "from ..helpers import scaled\n" + STEP.format("globals()['scaled'](x)"), SCALE
    ),
    "eval": case(USES_SCALED.replace("return scaled(x)", "return eval('scal' + 'ed')(x)"), SCALE),
    "exec": case("from .. import helpers\ndef one(x):\n    exec(x)", SCALE),
    "sys.modules": case(
        "import sys\nfrom .. import helpers\n" + STEP.format("sys.modules['demo.' + x].SCALE"),
        SCALE,
    ),
    "modules of sys by from": case(
        "from sys import modules as m\nfrom .. import helpers\n" + STEP.format("m[x].SCALE"), SCALE
    ),
    "a frame": case(
        "import sys\nfrom ..helpers import scaled\n" + STEP.format("sys._getframe().f_globals"),
        SCALE,
    ),
    "a function's globals": case(
        "from ..helpers import moved\n" + STEP.format("moved.__globals__['scaled']"), SCALE
    ),
    "a name computed for an import": case(
        "import importlib\n" + STEP.format("importlib.import_module('demo.' + x).SCALE"), SCALE
    ),
    "a computed name in a known package": case(
        "import importlib\nfrom ..lib import stars\n"
        + STEP.format("importlib.import_module(f'demo.lib.{x}').STAR"),
        ("lib_stars", "STAR = 6", "STAR = 7"),
        lib_stars="STAR = 6",
    ),
    "a computed relative name": case(
        "import importlib\nfrom ..lib import stars\n"
        + STEP.format("importlib.import_module('..lib.' + x, __package__).STAR"),
        ("lib_stars", "STAR = 6", "STAR = 7"),
        lib_stars="STAR = 6",
    ),
    "a computed name of dots": case(
        "import importlib\nfrom .. import helpers\n"
        + STEP.format("importlib.import_module('.' + x, 'demo').SCALE"),
        SCALE,
    ),
    "a computed import of a helper": case(
        "from .. import helpers\nfrom ..near import load\n" + STEP.format("load('demo.' + x)"),
        SCALE,
        near="from importlib import import_module as load",
    ),
    "a literal name for an import": case(
        "import importlib\n" + STEP.format("importlib.import_module('..helpers', __package__)"),
        SCALE,
    ),
    "a name in a text for a library": case(
        "import pydoc\nfrom .. import helpers\n"
        + STEP.format("pydoc.locate('demo.helpers.SCALE')"),
        SCALE,
    ),
    "a name in a text with a colon": case(
        "import plugin\nfrom .. import helpers\n"
        + STEP.format("plugin.load('demo.helpers:SCALE')"),
        SCALE,
    ),
    "the beginning of a name in a text": case(
        "import pydoc\nfrom .. import helpers\n" + STEP.format("pydoc.locate(f'demo.{x}.SCALE')"),
        SCALE,
    ),
    "a package's name in a text": case(
        "import pydoc\nfrom .. import helpers\n"
        + STEP.format("pydoc.locate('.'.join(['demo', x]))"),
        SCALE,
    ),
    "a module's own name": case(
        "import pydoc\nA = 1\n" + STEP.format("pydoc.locate(__name__ + '.A')"),
        ("main", "A = 1", "A = 2"),
    ),
    "a name in a query": case(
        "LEAST = 1\ndef one(x):\n    return x.query('delay > @LEAST')",
        ("main", "LEAST = 1", "LEAST = 2"),
    ),
    "a query that is a constant of another module": case(
        "from ..helpers import QUERY\nLEAST = 1\ndef one(x):\n    return x.query(QUERY)",
        ("main", "LEAST = 1", "LEAST = 2"),
        helpers="QUERY = 'delay > @LEAST'",
    ),
    "a constant of a star import in a query": case(
        "from ..helpers import *\ndef one(x):\n    return x.query('delay > @SCALE')", SCALE
    ),
    "a computed name for a library": case(
        "import pydoc\nfrom ..helpers import moved\n" + STEP.format("pydoc.locate(x)"), SCALE
    ),
    "what an array may unpickle": case(
        "import numpy as np\nfrom .. import helpers\n"
        + STEP.format("np.load(x, allow_pickle=True)"),
        SCALE,
    ),
    "a walrus of a lambda in a comprehension": case(
        "A = 1\ndef one(x):\n    [(lambda: (A := 2)) for n in x]\n    return A",
        ("main", "A = 1", "A = 9"),
    ),
    "an index that a comprehension stores at": case(
        "A = 1\ndef one(x):\n    return [0 for x[A] in [3]]", ("main", "A = 1", "A = 0")
    ),
    "a function in a formula": case(
        "def centred(x): return x\ndef one(x):\n    return ols('y ~ centred(x)', x)",
        ("main", "return x\ndef", "return -x\ndef"),
    ),
    "a table in SQL": case(
        "import duckdb, pandas as pd\nRATES = pd.DataFrame({'a': [1]})\n"
        "def one(x):\n    return duckdb.sql('select * from RATES')",
        ("main", "[1]", "[2]"),
    ),
    "what a pickle may name": case(
        "import pickle\nfrom .. import helpers\n" + STEP.format("pickle.loads(x)"), SCALE
    ),
    "a module that begins to exist": case(
        "def one(x):\n    try:\n        from ..optional import BETTER\n    except ImportError:\n"
        "        return 0\n    return 1",
        ("optional", "", "BETTER = 1"),
    ),
    "a name that begins to exist": case(
        "def one(x):\n    try:\n        from ..near import BETTER\n    except ImportError:\n"
        "        return 0\n    return 1",
        ("near", "A = 1", "A = 1\nBETTER = 1"),
        near="A = 1",
    ),
    "a module that begins to exist, under try": case(
        "try:\n    from .. import optional\n    HAS = True\nexcept ImportError:\n    HAS = False\n"
        + STEP.format("HAS"),
        ("optional", "", "BETTER = 1"),
    ),
    "a name behind __getattr__ of a module": case(
        "from .. import lazy\n" + STEP.format("lazy.thing"),
        ("lazy", "return 1", "return 2"),
        lazy="def __getattr__(name): return 1",
    ),
    "a module behind __getattr__ of a package": case(
        "from ..lib import stars\n" + STEP.format("stars"),
        ("lib___init__", "return 1", "return 2"),
        lib___init__="def __getattr__(name): return 1",
        lib_stars="STAR = 6",
    ),
    "a name that a package takes from within": case(
        "from ..lib import STAR\n" + STEP.format("STAR"),
        ("lib_stars", "STAR = 6", "STAR = 7"),
        lib___init__="from .stars import STAR",
        lib_stars="STAR = 6",
    ),
    "a namespace package": case(
        "import demo.loose.part\n" + STEP.format("demo.loose.part.STAR"),
        ("loose_part", "STAR = 6", "STAR = 7"),
        loose_part="STAR = 6",
    ),
    "modules that import each other": case(
        "from .. import a\n" + STEP.format("a.f()"),
        ("b", "N = 1", "N = 2"),
        a="from . import b\ndef f(): return b.g()",
        b="from . import a\nN = 1\ndef g(): return a, N",
    ),
    "adapters": case(STEP.format("x"), ("adapters", "A = 1", "A = 2"), adapters="A = 1"),
    "what adapters use": case(STEP.format("x"), SCALE, adapters="from .helpers import scaled\n"),
    "another meaning of annotations": case(
        "A = 1\ndef one(x: int) -> int: ...",
        ("main", "A = 1", "from __future__ import annotations\nA = 1"),
    ),
    "a walrus in a comprehension": case(
        "A = [B := n for n in range(3)]\n" + STEP.format("B"), ("main", "range(3)", "range(4)")
    ),
    "a global of a with": case(
        "with open('x') as F:\n    A = 1\n" + STEP.format("A"), ("main", "A = 1", "A = 2")
    ),
    "a global that is deleted": case(
        "A = 1\nB = A\ndel A\n" + STEP.format("B"), ("main", "del A\n", "")
    ),
    "several names at once": case(
        "A, (B, *C) = 1, (2, 3)\n" + STEP.format("C"), ("main", "(2, 3)", "(2, 4)")
    ),
    "a match statement": case(
        "A = 1\nmatch A:\n    case 1:\n        B = 1\n    case _:\n        B = 2\n"
        + STEP.format("B"),
        ("main", "A = 1\n", "A = 3\n"),
    ),
    "a lambda": case(
        "A = 1\nf = lambda x: x + A\n" + STEP.format("f(x)"), ("main", "A = 1", "A = 2")
    ),
    "a partial": case(
        "from functools import partial\nfrom ..helpers import scaled\nf = partial(scaled)\n"
        + STEP.format("f(x)"),
        SCALE,
    ),
    "the place of a module": case(
        "from pathlib import Path\nHERE = Path(__file__).parent\n" + STEP.format("HERE / x"),
        ("main", "parent", "parents[1]"),
    ),
    "what another module puts into a list": case(
        "from .. import more\nfrom ..near import ALL\n" + STEP.format("ALL"),
        ("more", "append(1)", "append(2)"),
        near="ALL = []",
        more="from .near import ALL\nALL.append(1)",
    ),
    "what a function does when the module is imported": case(
        "A = []\ndef fill(): A.append(1)\nfill()\n" + STEP.format("A"),
        ("main", "append(1)", "append(2)"),
    ),
    "what a function does for a constant": case(
        "A = []\ndef fill(): A.append(1)\n_ = fill()\n" + STEP.format("A"),
        ("main", "append(1)", "append(2)"),
    ),
    "what a constructor does for a constant": case(
        "A = []\nclass Box:\n    def __init__(self): A.append(1)\n_ = Box()\n" + STEP.format("A"),
        ("main", "append(1)", "append(2)"),
    ),
    "what an operator does for a constant": case(
        "A = []\nclass Box:\n    def __add__(self, x): A.append(1)\nB = Box()\nC = B\n_ = C + 1\n"
        + STEP.format("A"),
        ("main", "append(1)", "append(2)"),
    ),
    "what a callback does for a constant": case(
        "A = []\n_ = sorted([1], key=lambda x: A.append(x))\n" + STEP.format("A"),
        ("main", "append(x)", "append(0)"),
    ),
    "a test that the module makes when it is imported": case(
        "A = []\nassert A.append(1) is None\n" + STEP.format("A"),
        ("main", "append(1)", "append(2)"),
    ),
}


def reached(folder: Path, case: Case, step: str = "one") -> dict[str, str]:
    files = {name: text for name, text in case.files.items() if text or name != case.edited}
    sources(folder, case.main, **{n: t for n, t in files.items() if "___" not in n})
    for name, text in files.items():
        if "___" in name:
            package, _, file = name.partition("___")
            write(folder / f"src/demo/{package}/__{file}.py", text)
    return code(folder).steps[step]


def edit(case: Case) -> Case:
    text = case.main if case.edited == "main" else case.files.get(case.edited, "")
    assert case.old in text, "the edit changes nothing"
    changed = text.replace(case.old, case.new, 1)
    if case.edited == "main":
        return case._replace(main=changed)
    return case._replace(files={**case.files, case.edited: changed}, edited="")


@pytest.mark.parametrize("name", COUNTS)
def test_an_edit_counts_for_a_step_that_it_can_change(tmp_path: Path, name: str) -> None:
    before = reached(tmp_path, COUNTS[name])

    assert reached(tmp_path, edit(COUNTS[name])) != before


NOT = {
    "a docstring that nobody reads": case(
        'def sql():\n    """select 1"""\n' + STEP.format("sql()"),
        ("main", "select 1", "select 2"),
    ),
    "a member of an enum that nobody uses": case(
        "from enum import Enum\nclass Carrier(Enum):\n    AA = 'American'\n"
        "    def label(self): return self.value\n" + STEP.format("x"),
        ("main", "American", "Delta"),
    ),
    "a member of an enum whose other base only adds to it": case(
        "from enum import Enum\nclass Named:\n    def label(self): return self.name\n"
        "class Carrier(str, Named, Enum):\n    AA = 'American'\n" + STEP.format("x"),
        ("main", "American", "Delta"),
    ),
    "a class of ours with several bases": case(
        "class Base:\n    def __init__(self): pass\nclass More:\n    pass\n"
        "class Row(Base, More):\n    kind = 'alpha'\n" + STEP.format("x"),
        ("main", "alpha", "beta"),
    ),
    "a class of ours that is made like any other": case(
        "from ..base import Base\nclass Row(Base):\n"
        "    def __init__(self): self.kind = 'alpha'\n" + STEP.format("x"),
        ("main", "alpha", "beta"),
        base="class Base:\n    def __init__(self): pass\n",
    ),
    "a class that holds data by its name": case(
        "LIMIT = 1\nclass Row:\n    limit = LIMIT\n    def top(self, by=LIMIT): return 'alpha'\n"
        + STEP.format("x"),
        ("main", "alpha", "beta"),
    ),
    "a list that harmless functions make": case(
        "WORDS = ('a', 'B')\nX = sorted(map(str.lower, WORDS), key=len)\n" + STEP.format("x"),
        ("main", "'B'", "'C'"),
    ),
    "an annotation of a class that is asked for another": case(
        "from typing import Generic, TypeVar\nT = TypeVar('T')\nclass Box(Generic[T]): pass\n"
        "def f(x: Box[int]): return 'alpha'\n" + STEP.format("x"),
        ("main", "alpha", "beta"),
    ),
    "a text that a library looks names up in, by keyword": case(
        "LIMIT = 1\n" + STEP.format("x.query(expr='a > 1', engine=x.engine)"),
        ("main", "LIMIT = 1", "LIMIT = 2"),
    ),
    "a module outside of the package of a computed name": case(
        "import importlib\nfrom .. import helpers\n"
        + STEP.format("importlib.import_module(f'demo.lib.{x}').STAR"),
        SCALE,
        lib_stars="STAR = 6",
    ),
    "another function": case(USES_SCALED, MOVED),
    "another constant": case(USES_SCALED, OFFSET),
    "another function of its own module": case(
        STEP.format("x") + "def two(x): return 1", ("main", "return 1", "return 2")
    ),
    "another step that a parameter is named after": case(
        "def two(x): return 1\ndef one(two): return two", ("main", "return 1", "return 2")
    ),
    "a step that a column is named after": case(
        "def two(x): return 1\ndef one(x): return x['two']", ("main", "return 1", "return 2")
    ),
    "a constant that a local hides": case(
        "A = 1\ndef one(x):\n    A = 2\n    return A", ("main", "A = 1", "A = 3")
    ),
    "a constant that an argument of a lambda hides": case(
        "A = 1\ndef one(x):\n    return lambda A: A", ("main", "A = 1", "A = 3")
    ),
    "an import that is not used": case(
        "from ..helpers import moved, scaled\n" + STEP.format("scaled(x)"), MOVED
    ),
    "a further import": case(USES_SCALED, ("main", "import scaled", "import moved, scaled")),
    "a module's other attribute": case(
        "from .. import helpers\n" + STEP.format("helpers.scaled(x)"), MOVED
    ),
    "the other attribute of a module imported in the function": case(
        "def one(x):\n    from .. import helpers\n    return helpers.scaled(x)", MOVED
    ),
    "a module of types alone": case(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..near import A\n"
        + STEP.format("x"),
        ("near", "A = 1", "A = 2"),
        near="A = 1",
    ),
    "a star import's other names": case(
        "from ..helpers import *\n" + STEP.format("scaled(x)"), MOVED
    ),
    "a further name behind a star import": case(
        "from ..helpers import *\n" + STEP.format("scaled(x)"),
        ("helpers", "OFFSET = 1", "OFFSET = 1\nMORE = 2"),
    ),
    "the main part of a module": case(
        STEP.format("x") + "if __name__ == '__main__':\n    print(one(1))",
        ("main", "one(1)", "one(2)"),
    ),
    "a logger": case(
        "import logging\nLOG = logging.getLogger(__name__)\nA = 1\ndef one(x):\n    LOG.info('x')",
        ("main", "A = 1", "A = 2"),
    ),
    "a path beside the module": case(
        "from pathlib import Path\nHERE = Path(__file__).parent\nQUERY = (HERE / 'q').read_text()\n"
        + STEP.format("x"),
        ("main", "'q'", "'r'"),
    ),
    "a constant of a library": case(
        "import pandas as pd, re\nDAY = pd.Timestamp('2013-01-01')\nNAME = re.compile('a')\n"
        + STEP.format("x"),
        ("main", "'2013-01-01'", "'2013-01-02'"),
    ),
    "a table of constants": case(
        "NAMES = {k: v.lower() for k, v in dict(a='B').items()}\n" + STEP.format("x"),
        ("main", "'B'", "'C'"),
    ),
    "a dataclass": case(
        "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Row:\n    a: int = 1\n"
        + STEP.format("x"),
        ("main", "a: int = 1", "a: int = 2"),
    ),
    "a function with a wrapper of our own": case(
        "from ..marks import marked\n@marked\ndef f(x): return 1\n" + STEP.format("x"),
        ("main", "return 1", "return 2"),
        marks="import functools\ndef marked(f):\n    @functools.wraps(f)\n"
        "    def inner(x): return f(x)\n    return inner",
    ),
    "a cached function": case(
        "import functools\n@functools.lru_cache(maxsize=None)\ndef f(x): return 1\n"
        + STEP.format("x"),
        ("main", "return 1", "return 2"),
    ),
    "an enumeration": case(
        "from enum import Enum\nclass Colour(Enum):\n    RED = 1\n" + STEP.format("x"),
        ("main", "RED = 1", "RED = 2"),
    ),
    "a class and its subclass": case(
        "from ..near import Base\nclass Sub(Base):\n    n = 1\n" + STEP.format("x"),
        ("main", "n = 1", "n = 2"),
        near="class Base:\n    m = 1",
    ),
    "where imports of one line stand": case(
        "from ..helpers import scaled, moved\nA = 1\n" + STEP.format("scaled(x)"),
        ("main", "A = 1\n", "import math\nA = 1\n"),
    ),
    "a docstring, a comment and the layout": case(
        USES_SCALED, ("helpers", "def scaled(x):\n", "# why\ndef scaled( x ):\n    '''Scale.'''\n")
    ),
    "the docstring of a module": case(USES_SCALED, ("helpers", "\nSCALE", '"""New."""\nSCALE')),
    "an effect of a module that is not imported": case(
        USES_SCALED,
        ("patch", "SCALE = 9", "SCALE = 8"),
        patch="import demo.helpers as h\nh.SCALE = 9",
    ),
    "what another function imports": case(
        "def two(x):\n    from ..helpers import moved\n" + STEP.format("x"), MOVED
    ),
    "an effect of what another function imports": case(
        "def two(x):\n    from .. import patch\n" + STEP.format("x"),
        ("patch", "SCALE = 9", "SCALE = 8"),
        patch="import demo.helpers as h\nh.SCALE = 9",
    ),
}


@pytest.mark.parametrize("name", NOT)
def test_an_edit_does_not_count_for_a_step_that_cannot_reach_it(tmp_path: Path, name: str) -> None:
    before = reached(tmp_path, NOT[name])

    assert reached(tmp_path, edit(NOT[name])) == before


def steps(folder: Path, *names: str) -> dict[str, dict[str, str]]:
    return code_of(Segment("s01", [step_in(folder, name=name) for name in names])).steps


def test_what_an_earlier_step_may_change_for_a_later_one_counts_for_that_too(
    tmp_path: Path,
) -> None:
    main = "SEEN = []\ndef one(x): SEEN.append(1)\ndef two(x): return SEEN\ndef three(x): return x"
    before = steps(sources(tmp_path, main), "one", "two", "three")
    sources(tmp_path, main.replace("append(1)", "append(2)"))
    after = steps(tmp_path, "one", "two", "three")

    assert before["two"] != after["two"]
    assert before["three"] == after["three"]
    assert steps(tmp_path, "two", "one")["two"].keys() < after["two"].keys()


def test_the_steps_that_may_change_what_others_use_are_known(tmp_path: Path) -> None:
    main = "SEEN = []\ndef one(x): SEEN.append(1)\ndef two(x): return SEEN\ndef three(x): return x"
    folder = sources(tmp_path, main)
    segment = Segment("s01", [step_in(folder, name=name) for name in ("one", "two", "three")])

    assert code_of(segment).changing == {"one"}


CHANGING_AND_OPEN = """
from .. import helpers
def one(x): helpers.guess(x); helpers.count(x)
def two(x): return helpers.STATE
"""
CHANGING_FAR_AWAY = """
STATE = []
def guess(x): exec(x)
def count(x): noted(x)
def noted(x): STATE.append(x)
"""


def test_a_step_that_may_reach_anything_changes_what_else_it_reaches(tmp_path: Path) -> None:
    """Which of both is met first depends on the order of a set."""
    sources(tmp_path, CHANGING_AND_OPEN, helpers=CHANGING_FAR_AWAY)
    both = steps(tmp_path, "one", "two")

    assert both["one"].keys() <= both["two"].keys()


def test_what_happens_at_import_ties_no_steps_together(tmp_path: Path) -> None:
    main = "SEEN = []\nSEEN.append(1)\ndef one(x): return SEEN\ndef two(x): return 1"
    counted = steps(sources(tmp_path, main), "one", "two")

    assert "demo.segments.s01.one" not in counted["two"]


def test_an_effect_in_the_module_of_another_step_of_the_segment_counts(tmp_path: Path) -> None:
    sources(tmp_path, "def one(x): return x", segments_s02="import numpy\nnumpy.seterr('raise')")
    both = [step_in(tmp_path), step_in(tmp_path, "src/demo/segments/s02.py", "two")]

    alone = code_of(Segment("s01", both[:1])).steps["one"]
    together = code_of(Segment("s01", both)).steps["one"]

    assert together.keys() - alone.keys() == {
        "demo.segments.s02.<module>",
        "demo.segments.s02.numpy",
    }


def test_a_step_that_its_module_does_not_define_is_all_of_it(tmp_path: Path) -> None:
    assert "demo.segments.s01" in steps(sources(tmp_path, "A = 1"), "one")["one"]


def test_an_expression_that_is_too_deep_to_follow_may_use_anything(tmp_path: Path) -> None:
    deep = "def one(x): return " + " + ".join(["x"] * 700)
    counted = steps(sources(tmp_path, f"from .. import helpers\n{deep}", helpers=HELPERS), "one")

    assert "demo.helpers" in counted["one"]


def test_what_is_reached_is_named_by_module_and_name(tmp_path: Path) -> None:
    main = "from .. import helpers, patch\n" + STEP.format("helpers.scaled(x)")
    patch = "import demo.helpers\ndemo.helpers.SCALE = 2"
    sources(tmp_path, main, helpers=HELPERS, patch=patch)

    assert set(steps(tmp_path, "one")["one"]) == {
        "demo.helpers.SCALE",
        "demo.helpers.scaled",
        "demo.patch.<module>",
        "demo.patch.demo",
        "demo.segments.s01.<module>",
        "demo.segments.s01.helpers",
        "demo.segments.s01.one",
    }
