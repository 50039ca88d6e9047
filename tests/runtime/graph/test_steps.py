"""A plain function becomes a step, or is refused with the line and what to change."""

from __future__ import annotations

import functools
import pickle
import sys
import typing
from datetime import date, time
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from flight_delays.checkpointing import Columns, Segment, step
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.graph.bodies import undeclared_uses
from flight_delays.checkpointing.graph.marking import StepOptions, options_of
from flight_delays.checkpointing.graph.steps import Step, segment_of

from ..builders import FIRST_LINE, line_of, module, steps_of, write


def refusal(folder: Path, source: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        segment_of(module(folder, source))
    return caught.value.message


def test_a_step_stays_a_plain_function() -> None:
    @step
    def doubled(x: int) -> int:
        return 2 * x

    assert doubled(2) == 4


def test_a_step_knows_its_function_by_address(tmp_path: Path) -> None:
    made = module(tmp_path, "@step\ndef one() -> int:\n    return 1\n")
    [declared] = segment_of(made).steps

    assert (declared.name, declared.module) == ("one", made.__name__)
    assert declared.place == f"{line_of(made, '@step')} one"
    assert declared.function() is made.one


def test_a_segment_is_named_like_its_module_and_keeps_the_order_of_its_steps(
    tmp_path: Path,
) -> None:
    source = "@step\ndef z() -> int: ...\n@step\ndef a(z: int) -> int: ...\n"
    segment = segment_of(module(tmp_path, source, name="s07_order"))

    assert segment.name == "s07_order"
    assert [made.name for made in segment.steps] == ["z", "a"]


@pytest.mark.parametrize(
    ("annotation", "shown", "kept", "codec"),
    [
        ("pd.DataFrame", "pandas.DataFrame", None, "DataFrame"),
        ("pd.Series", "pandas.Series", None, "Series"),
        ("np.ndarray", "numpy.ndarray", None, "ndarray"),
        ("int", "int", int, "json"),
        ("list[str]", "list[str]", list[str], "json"),
        ("float | None", "float | None", float | None, "json"),
        ("datetime.date", "date", date, "json"),
        ("Path", "Path", Path, "Path"),
        ("list[Path]", "list[pathlib.Path]", list[Path], None),
        ("datetime.time", "time", time, "json"),
        ("pd.Timestamp", "Timestamp", None, "json"),
    ],
)
def test_a_parameter_keeps_its_type_but_for_classes_of_heavy_libraries(
    tmp_path: Path, annotation: str, shown: str, kept: Any, codec: str | None
) -> None:
    source = f"import datetime\n@step\ndef one(x: {annotation}) -> int: ...\n"
    [parameter] = steps_of(tmp_path, source)["one"].parameters

    assert (parameter.name, parameter.type_name) == ("x", shown)
    assert parameter.annotation == kept
    assert (parameter.codec, parameter.columns) == (codec, None)


def test_columns_name_what_is_loaded_of_a_table(tmp_path: Path) -> None:
    source = """
    @step
    def one(x: Annotated[pd.DataFrame, "a note", Columns("a", "b")]) -> int: ...
    @step
    def two(x: Annotated[pd.DataFrame, "a note"]) -> int: ...
    """
    steps = steps_of(tmp_path, source)

    assert steps["one"].parameters[0].columns == ("a", "b")
    assert steps["one"].parameters[0].type_name == "pandas.DataFrame"
    assert steps["two"].parameters[0].columns is None


def test_columns_are_equal_by_their_names() -> None:
    assert Columns("a", "b") == Columns("a", "b") != Columns("b", "a")


@pytest.mark.parametrize(
    ("annotation", "codec"),
    [
        ("pd.DataFrame", "DataFrame"),
        ("Annotated[pd.Series, 'delays']", "Series"),
        ("dict[str, int]", "json"),
        ("int | None", "json"),
        ("Path", "Path"),
    ],
)
def test_the_return_annotation_says_how_a_value_is_stored(
    tmp_path: Path, annotation: str, codec: str
) -> None:
    declared = steps_of(tmp_path, f"@step\ndef one() -> {annotation}: ...\n")["one"]

    assert (declared.codec, declared.is_sink) == (codec, False)


def test_a_step_that_returns_none_is_a_sink(tmp_path: Path) -> None:
    declared = steps_of(tmp_path, "@step\ndef one() -> None: ...\n")["one"]

    assert (declared.codec, declared.is_sink) == (None, True)


def test_annotations_may_be_postponed(tmp_path: Path) -> None:
    header = "from __future__ import annotations\nimport pandas as pd\n"
    header += (
        "from typing import Annotated\nfrom flight_delays.checkpointing import Columns, step\n"
    )
    source = """
    @step
    def one(x: Annotated[pd.DataFrame, Columns("a")], n: int) -> pd.DataFrame: ...
    """
    [declared] = segment_of(module(tmp_path, source, header=header)).steps

    assert [p.type_name for p in declared.parameters] == ["pandas.DataFrame", "int"]
    assert declared.parameters[0].columns == ("a",)
    assert declared.codec == "DataFrame"


def test_an_imported_step_belongs_to_its_own_segment(tmp_path: Path) -> None:
    first = module(tmp_path, "@step\ndef one() -> int: ...\n", name="s01")
    source = f"from {first.__name__} import one\n@step\ndef two(one: int) -> int: ...\n"
    second = module(tmp_path, source, name="s02")

    assert [made.name for made in segment_of(second).steps] == ["two"]


def test_functions_without_the_mark_are_no_steps(tmp_path: Path) -> None:
    source = "def helper(x): ...\n@step\ndef one() -> int: ...\n"

    assert list(steps_of(tmp_path, source)) == ["one"]


def test_a_module_without_steps_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "def helper(x): ...") == (
        f"{tmp_path}/s01.py: no step found. Decorate a function with `@step`, or take the module "
        f"out of the Pipeline."
    )


def test_a_segment_may_be_made_without_a_module(tmp_path: Path) -> None:
    made = module(tmp_path, "@step\ndef one() -> int: ...\n@step\ndef two() -> int: ...\n")
    segment = Segment("clean", [made.two, segment_of(made).steps[0]])

    assert segment.name == "clean"
    assert [declared.name for declared in segment.steps] == ["two", "one"]
    assert all(isinstance(declared, Step) for declared in segment.steps)


@pytest.mark.parametrize("name", ["", "a b", "../x", ".hidden", "-x", "a/b", "a\n"])
def test_a_segment_name_that_is_no_folder_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"segment name .*: use letters, digits"):
        Segment(name, [])


@pytest.mark.parametrize("name", ["s01_clean", "7", "A.b-c_d"])
def test_a_segment_name_may_hold_letters_digits_and_some_marks(name: str) -> None:
    assert Segment(name, []).name == name


REFUSED = {
    "def one(x) -> int: ...": (
        "parameter `x` has no annotation. Write its type, such as `x: pd.DataFrame`."
    ),
    "def one(a: int, x, y) -> int: ...": (
        "parameter `x` has no annotation. Write its type, such as `x: pd.DataFrame`."
    ),
    "def one(x: int): ...": (
        "no return annotation. Write the type of its value, or `-> None` for a step that only has "
        "an effect."
    ),
    "def one(x: int = 3) -> int: ...": (
        "parameter `x` has a default. Put the value under [params] in pipeline.toml and drop the "
        "default."
    ),
    "def one(x: int = None) -> int: ...": (
        "parameter `x` has a default. Put the value under [params] in pipeline.toml and drop the "
        "default."
    ),
    "def one(*x: int) -> int: ...": "`*x`: name each value that the step needs as a parameter.",
    "def one(**x: int) -> int: ...": "`**x`: name each value that the step needs as a parameter.",
    "def one(*, x: int) -> int: ...": "parameter `x` is keyword-only. Drop the `*` before it.",
    "def one() -> int: yield 1": (
        "a step that yields makes one table in batches. Annotate it `-> Iterator[pd.DataFrame]`, "
        "or of another type of table, such as pa.RecordBatch, or return the whole value instead of "
        "yielding parts."
    ),
    "async def one() -> int: ...": (
        "a step cannot be `async`. Run the event loop inside: `asyncio.run(...)`."
    ),
    "async def one() -> int: yield 1": (
        "a step cannot be `async`. Run the event loop inside: `asyncio.run(...)`."
    ),
    "def one(x: 'pd.Nothing') -> int: ...": (
        "an annotation cannot be read (module 'pandas' has no attribute 'Nothing'). Import the "
        "name at the top of the module, not under `if TYPE_CHECKING`."
    ),
    "def one(x: 'Missing') -> int: ...": (
        "an annotation cannot be read (name 'Missing' is not defined). Import the name at the top "
        "of the module, not under `if TYPE_CHECKING`."
    ),
}


@pytest.mark.parametrize("source", REFUSED)
def test_a_function_that_cannot_be_a_step_is_refused(tmp_path: Path, source: str) -> None:
    place = f"{tmp_path}/s01.py:{FIRST_LINE} one"

    assert refusal(tmp_path, f"@step\n{source}\n") == f"{place}: {REFUSED[source]}"


@pytest.mark.parametrize("annotation", ["int[", "int[str]", "3 +"])
def test_text_that_is_no_annotation_is_refused(tmp_path: Path, annotation: str) -> None:
    assert "one: an annotation cannot be read (" in refusal(
        tmp_path, f"@step\ndef one(x: '{annotation}') -> int: ...\n"
    )


def test_every_problem_of_a_function_is_told_at_once(tmp_path: Path) -> None:
    message = refusal(tmp_path, "@step\nasync def one(*x: int, y: int = 3) -> int: ...\n")

    assert len(message.splitlines()) == 3
    assert message.count(f"{tmp_path}/s01.py:{FIRST_LINE} one: ") == 3


def test_a_function_within_another_is_refused() -> None:
    @step
    def inner() -> None: ...

    with pytest.raises(ConfigurationError, match="inner: a step must be defined at the top of its"):
        Segment("clean", [inner])


@pytest.mark.parametrize("thing", [int, functools.cache(len), functools.partial(max, 1)])
def test_what_is_no_function_is_refused(thing: Any) -> None:
    with pytest.raises(ConfigurationError, match="is not a plain function, so it cannot be a step"):
        step(thing)
    with pytest.raises(ConfigurationError, match="is not a plain function, so it cannot be a step"):
        Segment("clean", [thing])


def test_a_second_function_of_the_same_name_in_a_module_is_refused(tmp_path: Path) -> None:
    source = "@step\ndef one() -> int: ...\n\ndef helper(): ...\ndef helper(): ...\n"

    assert list(steps_of(tmp_path, source)) == ["one"]
    assert refusal(tmp_path, source + "@step\ndef one() -> str: ...\n") == (
        f"{tmp_path}/s01.py:{FIRST_LINE + 6} one: the name `one` is taken by the function at line "
        f"{FIRST_LINE + 1}. Rename one of them."
    )


def test_a_step_under_another_decorator_is_read_as_it_was_written(tmp_path: Path) -> None:
    write(
        tmp_path / "decorators.py",
        """
        import functools

        def timed(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                return function(*args, **kwargs)
            return wrapper
        """,
    )
    source = f"""
    import sys
    sys.path.insert(0, {str(tmp_path)!r})
    from decorators import timed
    sys.path.remove({str(tmp_path)!r})
    @step
    def one() -> int: ...
    @step
    @timed
    def two(n: int) -> int: return one
    @timed
    @step
    def three(n: int) -> int: ...
    """
    made = module(tmp_path, source)
    _, two, three = segment_of(made).steps

    assert [p.name for p in two.parameters] == [p.name for p in three.parameters] == ["n"]
    assert two.file == three.file == made.__file__
    assert two.function() is made.two
    assert undeclared_uses(two, {"one"}) == ["one"]


BODIES = {
    "return one": ["one"],
    "return [one for _ in range(2)]": ["one"],
    "return (lambda: one)()": ["one"],
    "return {k: [one for _ in v] for k, v in {}.items()}": ["one"],
    "class Local:\n        x = one\n    return 1": ["one"],
    "def inner():\n        return one\n    return inner()": ["one"],
    "return one + other": ["one", "other"],
    "one = 1\n    return one": [],
    "return [one for one in range(2)]": [],
    "return sum(one for one in range(2))": [],
    "return (lambda one: one)(1)": [],
    "import one\n    return 1": [],
    "return x.one": [],
    "return 'one'": [],
    "return dict(one=1)": [],
    "return shadowed": [],
    "return max(1, 2)": [],
}


@pytest.mark.parametrize("body", BODIES)
def test_an_earlier_step_that_a_body_uses_without_a_parameter_is_found(
    tmp_path: Path, body: str
) -> None:
    write(tmp_path / "used.py", "")
    first = module(tmp_path, "@step\ndef one() -> int: ...\n", name="s01")
    source = f"from {first.__name__} import one\n@step\ndef other() -> int: ...\nshadowed = 3\n"
    source += f"@step\ndef two(x: int) -> int:\n    {body}\n"
    two = segment_of(module(tmp_path, source, name="s02")).steps[1]

    assert undeclared_uses(two, {"one", "other", "shadowed", "max"}) == BODIES[body]


def test_a_name_that_nothing_defines_is_taken_for_the_earlier_step(tmp_path: Path) -> None:
    two = steps_of(tmp_path, "@step\ndef two(x: int) -> int:\n    return one\n")["two"]

    assert undeclared_uses(two, {"one"}) == ["one"]
    assert undeclared_uses(two, {"x", "two"}) == []


def test_only_what_an_annotation_needs_is_kept_of_pandas(tmp_path: Path) -> None:
    source = "@step\ndef one(x: Annotated[pd.DataFrame, Columns('a')]) -> pd.DataFrame: ...\n"
    [declared] = steps_of(tmp_path, source).values()

    assert pd.DataFrame not in [p.annotation for p in declared.parameters]
    assert typing.get_origin(declared.parameters[0].annotation) is None


def test_a_type_of_the_project_travels_by_its_structure_and_not_by_its_address(
    tmp_path: Path,
) -> None:
    source = """
    from typing import NewType, NotRequired, TypedDict
    class Inner(TypedDict, total=False):
        a: int
    class Row(TypedDict):
        inner: Inner
        more: NotRequired[list[Inner]]
    Minutes = NewType("Minutes", int)
    @step
    def one(row: Row, least: dict[str, Minutes]) -> int: ...
    """
    [declared] = steps_of(tmp_path, source).values()
    sent = ForkingPickler.dumps(declared.parameters)
    del sys.modules[declared.module]
    row, least = (parameter.annotation for parameter in pickle.loads(sent))

    assert (row.__required_keys__, row.__optional_keys__) == ({"inner"}, {"more"})
    assert typing.get_type_hints(row)["inner"].__optional_keys__ == {"a"}
    assert least == dict[str, int]


def test_a_step_that_runs_each_time_stays_a_plain_function(tmp_path: Path) -> None:
    source = """
    @step(always=True)
    def seen() -> int:
        return 1

    @step
    def read(seen: int) -> int:
        return seen
    """
    made = module(tmp_path, source)
    assert made.seen() == 1
    for _ in range(2):  # a notebook reads the same functions more than once
        assert [step.always for step in segment_of(made).steps] == [True, False]
        assert [step.always for step in Segment("s", [made.seen, made.read]).steps] == [True, False]
    assert options_of(made.seen) == StepOptions(always=True)
