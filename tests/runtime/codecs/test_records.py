"""Objects of classes with fields come back as objects of these classes, or are refused."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flight_delays.checkpointing import codecs
from flight_delays.checkpointing.base.errors import InexactValue

from . import classes
from .classes import Access, Colour, Config, Level, Odd, Point, Run, Slotted, Split, Tags

JSON = codecs.codec_named("json")
SPLIT = Split("train", (1, 2), -0.0)
RUN = Run(date(2013, 1, 31), [SPLIT, Split("test", ())], np.float64(0.5))
RUN.total  # noqa: B018 - cached from now on
VALUES: dict[str, Any] = {
    "a dataclass": SPLIT,
    "a dataclass with computed fields": RUN,
    "a dataclass within itself": Run(date(2013, 2, 1), [], {1: SPLIT}, before=RUN),
    "a dataclass with slots": Slotted(Decimal("1.10"), Colour.BLUE),
    "a NamedTuple": Point(1.5),
    "a model": Config.model_validate(
        {"name": "a", "limits": {1: 0.5}, "split": SPLIT, "note": (1, 2)}
    ),
    "a root model": Tags(["a"]),
    "members": [Colour.RED, Colour.CRIMSON, Level.LOW, Access.READ | Access.WRITE, Access(0)],
    "keys and sets": {Point(1, 2): {Colour.RED}, SPLIT: frozenset({Level.LOW})},
}


def same(left: Any, right: Any) -> bool:
    """The same classes and fields, all the way down."""
    return type(left) is type(right) and left == right and repr(left) == repr(right)


@pytest.mark.parametrize("case", VALUES)
def test_an_object_comes_back_as_one_of_its_class(case: str) -> None:
    value = VALUES[case]
    assert same(JSON.thaw(JSON.freeze(value)), value)


def test_fields_come_back_whatever_the_class_would_make_of_them() -> None:
    run = Run(date(2013, 1, 31), [SPLIT], None)
    run.count = 7
    assert JSON.thaw(JSON.freeze(run)).count == 7
    config = Config(name="a")
    config.limits = "not checked"  # type: ignore[assignment]
    config._seen = 9
    thawed = JSON.thaw(JSON.freeze(config))
    assert (thawed.limits, thawed._seen) == ("not checked", 9)
    assert thawed.model_fields_set == {"name", "limits"}


def test_a_file_holds_the_fields_of_each_class_once() -> None:
    plain = json.loads(JSON.freeze([SPLIT, SPLIT]))
    schemas, objects = plain["$with"]
    assert schemas == {
        f"{classes.__name__}:Split": [
            ["name", "str"],
            ["months", "tuple[int, ...]"],
            ["share", "float"],
        ]
    }
    assert objects[0] == {
        "$dataclass": [
            f"{classes.__name__}:Split",
            {"name": "train", "months": {"$tuple": [1, 2]}, "share": -0.0},
        ]
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('["share", "float"]', '["part", "float"]'), r"other fields now \(part: float, share: "),
        (('["share", "float"]', '["share", "int"]'), r"share: float, share: int\); run"),
        ((":Split", ":Gone"), "cannot be imported any more"),
    ],
)
def test_an_object_of_an_edited_class_is_refused(change: tuple[str, str], message: str) -> None:
    frozen = JSON.freeze(SPLIT).decode().replace(*change).encode()
    with pytest.raises(InexactValue, match=message):
        JSON.thaw(frozen)


def local() -> Any:
    class Hidden(Split):
        pass

    return Hidden("a", ())


def with_attribute() -> Any:
    run = Run(date(2013, 1, 31), [], 1)
    run.extra = 1  # type: ignore[attr-defined]
    return run


REFUSED: dict[str, tuple[Any, str]] = {
    "a class within a function": (local(), "define it at the top of a module"),
    "an attribute that is no field": (
        [with_attribute()],
        r"^result\[0\] has the attribute `extra`",
    ),
    "a field that JSON does not keep": (
        Split("a", (1, range(2))),  # type: ignore[arg-type]
        r"^result.months\[1\] is a range",
    ),
    "a dataclass that is a dict": (Odd("a"), "is also a dict"),
    "a model with a field that JSON does not keep": (
        Config.model_validate({"name": "a", "odd": range(2)}),
        "^result.odd is a range",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_objects_are_refused_with_their_place(case: str) -> None:
    value, message = REFUSED[case]
    with pytest.raises(InexactValue, match=message):
        JSON.freeze(value)


def test_a_process_without_the_class_imports_it(tmp_path: Path) -> None:
    file = tmp_path / "value.json"
    file.write_bytes(JSON.freeze({"split": SPLIT, "point": Point(1.0)}))
    code = (
        "import sys, pathlib\n"
        "from flight_delays.checkpointing.codecs import codec_named\n"
        "value = codec_named('json').thaw(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "print(value)\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str({"split": SPLIT, "point": Point(1.0)})


def test_objects_are_nested_as_deep_as_every_process_can_read() -> None:
    run = Run(date(2013, 1, 31), [], 1)
    for _ in range(120):
        run = Run(date(2013, 1, 31), [], 1, before=run)
    depth, thawed = 0, JSON.thaw(JSON.freeze(run))
    while thawed.before is not None:
        depth, thawed = depth + 1, thawed.before
    assert depth == 120
    for _ in range(10):
        run = Run(date(2013, 1, 31), [], 1, before=run)
    with pytest.raises(InexactValue, match="nested more than 250 levels deep"):
        JSON.freeze(run)


@pytest.mark.parametrize(
    "kind", [Split, Run, Run[int], Slotted, Point, Config, Tags, Colour, list[Split]]
)
def test_a_class_of_plain_fields_has_the_codec_of_json(kind: Any) -> None:
    codec = codecs.codec_of(kind)
    assert codec is not None
    assert codec.name == "json"


def test_a_class_with_other_fields_has_none() -> None:
    assert codecs.codec_of(list[classes.WithFrame]) is None
    assert "its part `pandas.DataFrame` is a table" in codecs.why_refused(list[classes.WithFrame])
