"""A pipeline that cannot work is refused when it is built; one that can knows what is live."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from flight_delays.checkpointing import Pipeline, Segment
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.graph.steps import Parameter, Step, segment_of
from hypothesis import given, settings
from hypothesis import strategies as st

from ..builders import MEMORY_BUDGET, line_of, module, pipeline, problems, toml_files, write

ONE = "@step\ndef one() -> int: ...\n"
TWO = "@step\ndef two(one: int) -> int: ...\n"
FRAME = "@step\ndef frame() -> pd.DataFrame: ...\n"


def test_a_pipeline_that_works_has_its_segments_and_steps_in_order(tmp_path: Path) -> None:
    built = pipeline(tmp_path, ONE, TWO)

    assert [segment.name for segment in built.segments] == ["s01", "s02"]
    assert [step.name for step in built.steps] == ["one", "two"]
    assert built.name == "demo"
    assert built.settings.root == tmp_path


def test_modules_and_segments_can_be_mixed(tmp_path: Path) -> None:
    toml_files(tmp_path)
    first = module(tmp_path, ONE)
    second = module(tmp_path, TWO, name="s02")
    built = Pipeline(first, Segment("more", [second.two]))

    assert [segment.name for segment in built.segments] == ["s01", "more"]
    assert built.name == "main"


def test_a_step_takes_values_inputs_params_and_a_workdir(tmp_path: Path) -> None:
    source = """
    from datetime import date
    @step
    def one() -> int: ...
    @step
    def two(
        one: int, file: Path, folder: list[Path], address: str, least: int, day: date, workdir: Path
    ) -> Path: ...
    """
    wiring = """
    [inputs]
    file = "data/x.csv"
    folder = "data/*.csv"
    address = "https://example.org/x.csv"
    [params]
    least = 3
    day = 2013-01-01
    """

    assert len(pipeline(tmp_path, source, wiring=wiring).steps) == 2


REFUSED = {
    "unknown": (
        ["@step\ndef two(onec: int) -> int: ...\n"],
        "parameter `onec`: no earlier step, and no entry of [inputs], [params] or [env] in "
        "pipeline.toml, has that name; did you mean `once`?",
    ),
    "forward": (
        [ONE.replace("()", "(two: int)") + "@step\ndef two() -> int: ...\n"],
        "parameter `two` is the value of a later step; move that step before this one.",
    ),
    "its own": (
        ["@step\ndef one(one: int) -> int: ...\n"],
        "parameter `one` is the value of a later step; move that step before this one.",
    ),
    "duplicate": ([ONE, ONE], "the name `one` is taken by the step at {folder}/s01.py:6."),
    "name of an input": (["@step\ndef file() -> int: ...\n"], "`file` is taken by [inputs]."),
    "name of a param": (["@step\ndef once() -> int: ...\n"], "`once` is taken by [params]."),
    "named workdir": (["@step\ndef workdir() -> int: ...\n"], "`workdir` is taken by the runtime."),
    "undeclared": (
        [ONE + "@step\ndef two() -> int:\n    return [one for _ in 'ab']\n"],
        "two: the body uses `one`, an earlier step. Add `one` to the parameters to receive its "
        "value.",
    ),
    "input as text": (
        ["@step\ndef two(file: str) -> int: ...\n"],
        "parameter `file` is one of [inputs]; annotate it `Path`.",
    ),
    "URL as path": (
        ["@step\ndef two(address: Path) -> int: ...\n"],
        "parameter `address` is one of [inputs]; annotate it `str`, for it is a URL.",
    ),
    "param as table": (
        ["@step\ndef two(once: pd.DataFrame) -> int: ...\n"],
        "parameter `once` is one of [params]; annotate it as what TOML gives, such as `int`.",
    ),
    "param of a class of the project's own": (
        ["class Own: ...\n@step\ndef two(once: Own) -> int: ...\n"],
        "parameter `once` is one of [params]; annotate it as what TOML gives, such as `int`, not "
        "as Own.",
    ),
    "param as path": (
        ["@step\ndef two(once: Path) -> int: ...\n"],
        "parameter `once` is one of [params]; annotate it as what TOML gives, such as `int`.",
    ),
    "workdir as text": (
        ["@step\ndef two(workdir: str) -> int: ...\n"],
        "parameter `workdir` is a fresh folder; annotate it `Path`.",
    ),
    "value of a sink": (
        ["@step\ndef sink() -> None: ...\n@step\ndef two(sink: int) -> int: ...\n"],
        "parameter `sink`: `sink` returns None, there is no value to receive.",
    ),
    "another type": (
        [FRAME + "@step\ndef two(frame: np.ndarray) -> int: ...\n"],
        "`frame` makes a pandas.DataFrame, which cannot be loaded as numpy.ndarray. Annotate it as "
        "that type.",
    ),
    "a type without codec": (
        [FRAME + "@step\ndef two(frame: set) -> int: ...\n"],
        "`frame` makes a pandas.DataFrame, which cannot be loaded as set. Annotate it as that "
        "type.",
    ),
    "columns of no table": (
        [ONE + "@step\ndef two(one: Annotated[int, Columns('a')]) -> int: ...\n"],
        "parameter `one`: Columns applies to tables only.",
    ),
    "columns of an input": (
        ["@step\ndef two(file: Annotated[Path, Columns('a')]) -> int: ...\n"],
        "parameter `file`: Columns applies to an earlier step's table only.",
    ),
}
WIRING = """
[inputs]
file = "data/x.csv"
address = "https://example.org/x.csv"
[params]
once = 3
"""


@pytest.mark.parametrize("case", REFUSED)
def test_a_graph_that_cannot_work_is_refused(tmp_path: Path, case: str) -> None:
    sources, complaint = REFUSED[case]
    message = problems(tmp_path, *sources, wiring=WIRING)
    headline, problem = message.splitlines()

    assert headline == "pipeline `demo` cannot be built:"
    assert problem.startswith(f"  {tmp_path}/s0{len(sources)}.py:")
    assert problem.endswith(complaint.format(folder=tmp_path))


def test_a_problem_is_placed_at_the_step_it_belongs_to(tmp_path: Path) -> None:
    toml_files(tmp_path)
    made = module(tmp_path, ONE + "@step\ndef two(nothing: int) -> int: ...  # here\n")
    with pytest.raises(ConfigurationError) as caught:
        Pipeline(made)

    where, line = line_of(made, "# here").rsplit(":", 1)
    assert f"{where}:{int(line) - 1} two: parameter `nothing`: " in caught.value.message


def test_every_problem_of_a_graph_is_told_at_once(tmp_path: Path) -> None:
    source = ONE + ONE.replace("one()", "two(a: int, b: int)")
    message = problems(tmp_path, source, wiring='[outputs]\nzzz = "x.json"')

    assert len(message.splitlines()) == 4


def test_all_types_that_cannot_be_stored_are_named_at_once_with_what_to_write(
    tmp_path: Path,
) -> None:
    header = "import fractions, io, altair, dataclasses\nfrom typing import Any, Iterator\n"
    first = """
    @dataclasses.dataclass
    class Drawn:
        chart: altair.Chart
    @step
    def chart() -> altair.Chart: ...
    @step
    def parts() -> list[fractions.Fraction]: ...
    @step
    def rows() -> Iterator[int]: ...
    """
    second = """
    @step
    def file() -> io.StringIO | None: ...
    @step
    def drawn() -> Drawn: ...
    @step
    def anything() -> Any: ...
    @step
    def shown(chart: altair.Chart, rows: list[int], count: int) -> None: ...
    """
    source = textwrap.dedent(header) + textwrap.dedent(first) + textwrap.dedent(second)
    wiring = '[params]\ncount = 3\n[outputs]\nchart = "data/chart.json"\n'
    _, *lines = problems(tmp_path, source, wiring=wiring).splitlines()

    said = [line.partition(": ")[2] for line in lines]
    assert said == [
        "values of type `altair.vegalite.v6.api.Chart` cannot be stored: a chart. Save it to a "
        "file in `workdir` (Altair: chart.save) and return that Path, or return chart.to_json() as "
        "str.",
        "values of type `list[fractions.Fraction]` cannot be stored: its part `fractions.Fraction` "
        "is a Fraction. Return (value.numerator, value.denominator) as tuple[int, int].",
        "values of type `Iterator[int]` cannot be stored: a generator or iterator. Return a "
        "list; batches of a table come as Iterator[pandas.DataFrame], say.",
        "values of type `_io.StringIO | None` cannot be stored: its part `_io.StringIO` is an open "
        "file. Write to a path in `workdir`, close the file, and return the Path.",
        "its field `chart`: values of type `altair.vegalite.v6.api.Chart` cannot be stored: a "
        "chart. Save it to a file in `workdir` (Altair: chart.save) and return that Path, or "
        "return chart.to_json() as str.",
        "values of type `typing.Any` cannot be stored: any type at all. Name the type that the "
        "step returns, such as pandas.DataFrame.",
        "parameter `chart`: values of type `altair.vegalite.v6.api.Chart` cannot be stored: a "
        "chart. Save it to a file in `workdir` (Altair: chart.save) and return that Path, or "
        "return chart.to_json() as str.",
    ]


@pytest.mark.parametrize(
    ("made", "taken", "problem"),
    [
        ("list[int]", "tuple[int, ...]", "makes a list, which cannot be loaded as tuple[int, ...]"),
        ("set[int]", "list[int]", "makes a set, which cannot be loaded as list[int]"),
        ("str", "int", "makes a str, which cannot be loaded as int"),
        ("int | str", "list", "makes a number or a str"),
        ("pd.Index", "pd.DataFrame", "makes a pandas.Index, which cannot be loaded as pandas.Data"),
        ("pd.DataFrame", "pd.Index", "makes a pandas.DataFrame, which cannot be loaded as pandas."),
        ("date", "Decimal", "makes a datetime.date, which cannot be loaded as Decimal"),
        ("int", "float", ""),
        ("float", "int | None", ""),
        ("np.float64", "float", ""),
        ("int | None", "int", ""),
        ("datetime", "date", ""),
        ("pd.Timestamp", "datetime", ""),
        ("dict[str, int]", "dict", ""),
        ("Any | None", "list", ""),
        ("Literal['a']", "str", ""),
        ("pd.RangeIndex", "pd.Index", ""),
    ],
)
def test_json_is_loaded_as_the_type_that_it_was_made_as(
    tmp_path: Path, made: str, taken: str, problem: str
) -> None:
    source = (
        "from datetime import date, datetime\nfrom decimal import Decimal\n"
        "from typing import Any, Literal\n"
        f"@step\ndef one() -> {made}: ...\n@step\ndef two(one: {taken}) -> None: ...\n"
    )
    if problem:
        assert f"two: parameter `one`: `one` {problem}" in problems(tmp_path, source)
    else:
        assert len(pipeline(tmp_path, source).steps) == 2


def test_a_value_may_be_loaded_as_another_type_of_its_family(tmp_path: Path) -> None:
    source = "import pyarrow as pa\n@step\ndef two(frame: pa.Table) -> int: ...\n"

    assert len(pipeline(tmp_path, FRAME, source).steps) == 2


def test_columns_may_be_chosen_of_an_earlier_table(tmp_path: Path) -> None:
    source = "@step\ndef two(frame: Annotated[pd.DataFrame, Columns('a')]) -> int: ...\n"

    assert len(pipeline(tmp_path, FRAME + source).steps) == 2


@pytest.mark.parametrize(
    "body", ["one = 1\n    return one", "return sum(one for one in range(2))", "return max(1, 2)"]
)
def test_a_local_or_another_global_may_have_the_name_of_an_earlier_step(
    tmp_path: Path, body: str
) -> None:
    source = f"@step\ndef two() -> int:\n    {body}\n"

    assert len(pipeline(tmp_path, ONE + ONE.replace("one", "max"), source).steps) == 3


def test_a_parameter_may_be_used_in_the_body(tmp_path: Path) -> None:
    source = "@step\ndef two(one: int) -> int:\n    return [one for _ in range(2)]\n"

    assert len(pipeline(tmp_path, ONE + source).steps) == 2


def test_a_segment_over_max_steps_is_refused_at_the_first_step_too_many(tmp_path: Path) -> None:
    memory = MEMORY_BUDGET + "[segment]\nmax_steps = 2\n"
    three = "".join(ONE.replace("one", name) for name in ("a", "b", "c"))

    assert problems(tmp_path, three, memory=memory) == (
        f"pipeline `demo` cannot be built:\n  {tmp_path}/s01.py:10 c: segment `s01` has 3 steps, "
        f"max_steps in memory_budget.toml is 2. Move the later ones to a segment of their own."
    )


def test_a_segment_of_max_steps_is_fine(tmp_path: Path) -> None:
    memory = MEMORY_BUDGET + "[segment]\nmax_steps = 2\n"

    assert len(pipeline(tmp_path, ONE + TWO, memory=memory).steps) == 2


def test_two_segments_of_one_name_are_refused(tmp_path: Path) -> None:
    toml_files(tmp_path)
    first, second = (segment_of(module(tmp_path, s)).steps for s in (ONE, TWO))

    with pytest.raises(ConfigurationError, match="two segments are named `clean`"):
        Pipeline(Segment("clean", first), Segment("clean", second))


def test_a_pipeline_without_steps_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="pipeline `main` has no steps"):
        Pipeline()


def test_a_segment_without_steps_is_refused(tmp_path: Path) -> None:
    toml_files(tmp_path)

    with pytest.raises(ConfigurationError, match="segment `empty` has no steps"):
        Pipeline(module(tmp_path, ONE), Segment("empty", []))


@pytest.mark.parametrize("name", ["", "..", "a/b"])
def test_a_pipeline_name_that_is_no_folder_name_is_refused(tmp_path: Path, name: str) -> None:
    toml_files(tmp_path)

    with pytest.raises(ConfigurationError, match=r"pipeline name .*: use letters, digits"):
        Pipeline(module(tmp_path, ONE), name=name)


def test_a_pipeline_outside_a_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"no pipeline.toml in a folder above {tmp_path}"):
        Pipeline(module(tmp_path, ONE))


@pytest.mark.parametrize(
    ("wiring", "complaint"),
    [
        ('[inputs]\nx = "x.csv"\n[params]\nx = 1', "[params] `x`: the name is taken by [inputs]."),
        ('[params]\nx = 1\n[env]\nx = "X"', "[env] `x`: the name is taken by [params]."),
        ("[params]\nworkdir = 1", "[params] `workdir`: the name is taken by the runtime."),
        ('[inputs]\nworkdir = "x"', "[inputs] `workdir`: the name is taken by the runtime."),
        ('[outputs]\nfram = "x.json"', "[outputs] `fram` is no step; did you mean `frame`?"),
        (
            '[outputs]\nsink = "x.json"',
            "[outputs] `sink` returns None, there is nothing to publish",
        ),
        (
            '[outputs]\nframe = "x.orc"',
            "[outputs] `frame` is published as one of .parquet, .csv, .csv.gz, .json, .jsonl, "
            ".feather, .arrow, .xlsx, not .orc. For another format, write the file in a step that "
            "takes `workdir: Path` and returns its path.",
        ),
        (
            '[outputs]\none = "x"',
            "[outputs] `one` is published as .json, not without a suffix. For another format, "
            "write the file in a step that takes `workdir: Path` and returns its path.",
        ),
        (
            '[inputs]\nx = "a.parquet"\n[outputs]\nframe = "./a.parquet"',
            "[outputs] `frame` = './a.parquet' would overwrite [inputs] `x`.",
        ),
        (
            '[outputs]\none = "a.json"\ntwo = "a.json"',
            "[outputs] `two` = 'a.json' would overwrite [outputs] `one`.",
        ),
    ],
)
def test_names_and_outputs_of_the_pipeline_file_are_checked(
    tmp_path: Path, wiring: str, complaint: str
) -> None:
    sink = "@step\ndef sink() -> None: ...\n"
    message = problems(tmp_path, ONE + TWO + FRAME + sink, wiring=wiring)

    assert message == f"pipeline `demo` cannot be built:\n  pipeline.toml: {complaint}"


def test_a_format_whose_library_is_missing_is_refused_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    message = problems(tmp_path, FRAME, wiring='[outputs]\nframe = "a.xlsx"')
    assert "[outputs] `frame`: .xlsx needs the library `xlsxwriter`" in message
    assert "`uv add xlsxwriter`, or a line in `dependencies`" in message


@pytest.mark.parametrize(
    ("wiring", "annotation", "complaint"),
    [
        ('x = "X"', "list[int]", "is one of [env]; annotate it `str`, `int`, `float` or `bool`."),
        ('x = "X"', "Path", "is one of [env]; annotate it `str`, `int`, `float` or `bool`."),
        ('x = { variable = "X", secret = true }', "int", "is a secret of [env]; annotate it `str`"),
    ],
)
def test_a_variable_is_taken_as_plain_text_or_a_number(
    tmp_path: Path, wiring: str, annotation: str, complaint: str
) -> None:
    source = f"@step\ndef one(x: {annotation}) -> int: ...\n"
    assert f"parameter `x` {complaint}" in problems(tmp_path, source, wiring=f"[env]\n{wiring}")


def test_text_is_published_as_any_text_and_a_dict_is_not(tmp_path: Path) -> None:
    source = "@step\ndef page() -> str: ...\n@step\ndef facts() -> dict: ...\n"
    pipeline(tmp_path, source, wiring='[outputs]\npage = "a.html"\nfacts = "a.json"')
    message = problems(tmp_path, source, wiring='[outputs]\nfacts = "a.html"')
    assert "`facts` is published as .json, not .html." in message


def test_outputs_have_the_suffix_of_their_format_and_files_any(tmp_path: Path) -> None:
    source = "@step\ndef page(workdir: Path) -> Path: ...\n"
    wiring = '[outputs]\nframe = "a.parquet"\none = "b.json"\npage = "c.html"'

    assert pipeline(tmp_path, ONE + FRAME + source, wiring=wiring).settings.wiring.outputs


def test_liveness_of_a_small_pipeline(tmp_path: Path) -> None:
    source = """
    @step
    def a() -> int: ...
    @step
    def b(a: int) -> int: ...
    @step
    def c(a: int, b: int) -> int: ...
    """
    later = """
    @step
    def d(c: int, a: int) -> int: ...
    @step
    def sink(d: int, once: int) -> None: ...
    """
    built = pipeline(tmp_path, source, later, wiring='[params]\nonce = 1\n[outputs]\nb = "b.json"')
    first, second = map(built.span, built.segments)

    assert (first, second) == (range(3), range(3, 5))
    assert (built.loaded(first), built.loaded(second)) == ((), ("c", "a"))
    assert (built.kept(first), built.kept(second)) == (("a", "c"), ())
    assert (built.outputs(first), built.outputs(second)) == (("b",), ())
    assert [built.last_use(name) for name in ("a", "b", "c", "d", "sink")] == [3, 2, 3, 4, 4]
    assert built.producer("b") is built.segments[0]
    assert built.producer("d") is built.segments[1]
    assert [p.name for p in built.values_of(built.steps[4])] == ["d"]


def any_step() -> None:
    """The function of every step of a random graph."""


def __getattr__(name: str) -> Callable[[], None]:
    """Steps of random graphs are found here, under any name."""
    if name.startswith("v"):
        return any_step
    raise AttributeError(name)


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project for random graphs, with room for many steps in a segment."""
    folder = tmp_path_factory.mktemp("graphs")
    return toml_files(folder, "", MEMORY_BUDGET + "[segment]\nmax_steps = 99\n")


def random_step(folder: Path, number: int, reads: list[int], is_sink: bool) -> Step:
    parameters = (Parameter(f"v{n}", "int", int, "json", None) for n in reads)
    return Step(
        f"v{number}", __name__, f"{folder}/x.py", 1, tuple(parameters), None if is_sink else "json"
    )


@st.composite
def shapes(draw: st.DrawFn) -> list[tuple[list[int], bool, bool]]:
    """Of each step: the earlier steps that it reads, whether it is a sink, whether it is the
    first of a segment."""
    made: list[int] = []
    steps = []
    for number in range(draw(st.integers(1, 14))):
        reads = draw(st.lists(st.sampled_from(made), unique=True)) if made else []
        is_sink = draw(st.integers(0, 9)) == 0
        steps.append((reads, is_sink, number == 0 or draw(st.integers(0, 2)) == 0))
        made += [] if is_sink else [number]
    return steps


@settings(deadline=None)
@given(shape=shapes(), data=st.data())
def test_liveness_is_what_its_definition_says(
    graphs: Path, shape: list[tuple[list[int], bool, bool]], data: st.DataObject
) -> None:
    steps = [random_step(graphs, n, reads, sink) for n, (reads, sink, _) in enumerate(shape)]
    starts = [n for n, (_, _, is_first) in enumerate(shape) if is_first]
    ends = [*starts[1:], len(steps)]
    published = data.draw(
        st.sets(st.sampled_from([n for n, s in enumerate(shape) if not s[1]] or [0]))
    )
    published = {n for n in published if not shape[n][1]}
    write(
        graphs / "pipeline.toml",
        "[outputs]\n" + "".join(f'v{n} = "out/{n}.json"\n' for n in published),
    )
    built = Pipeline(*(Segment(f"s{a}", steps[a:b]) for a, b in zip(starts, ends, strict=True)))
    readers = {
        n: [m for m, (reads, _, _) in enumerate(shape) if n in reads] for n in range(len(steps))
    }

    assert [built.span(segment) for segment in built.segments] == [
        range(a, b) for a, b in zip(starts, ends, strict=True)
    ]
    for n in range(len(steps)):
        assert built.last_use(f"v{n}") == max([n, *readers[n]])
        assert built.producer(f"v{n}").name == f"s{max(a for a in starts if a <= n)}"
    first = data.draw(st.integers(0, len(steps)))
    cut = data.draw(st.integers(first, len(steps)))
    for part in [*map(built.span, built.segments), range(first, cut)]:
        outside = [n for m in part for n in shape[m][0] if n < part.start]
        assert set(built.loaded(part)) == {f"v{n}" for n in outside}
        assert list(built.loaded(part)) == [f"v{n}" for n in dict.fromkeys(outside)]
        assert built.kept(part) == tuple(
            f"v{n}" for n in part if any(m not in part for m in readers[n])
        )
        assert built.outputs(part) == tuple(
            f"v{n}" for n in part if not shape[n][1] and (n in published or not readers[n])
        )


def imported_by_unpickling(data: bytes, folder: Path) -> list[str]:
    code = "import pickle, sys; pickle.loads(sys.stdin.buffer.read()); print(*sys.modules)"
    path = os.pathsep.join([str(folder), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=data,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        check=True,
    )
    return done.stdout.decode().split()


def test_a_pipeline_can_be_sent_to_a_process_that_imports_neither_pandas_nor_its_steps(
    tmp_path: Path,
) -> None:
    source = """
    @step
    def frame(file: Path, files: list[Path], least: float | None) -> pd.DataFrame: ...
    @step
    def few(frame: Annotated[pd.DataFrame, Columns("a")]) -> np.ndarray: ...
    """
    built = pipeline(
        tmp_path, source, wiring='[inputs]\nfile = "a"\nfiles = "b"\n[params]\nleast = 1'
    )
    data = pickle.dumps(built)
    names = {name.partition(".")[0] for name in imported_by_unpickling(data, tmp_path)}

    assert "flight_delays" in names
    assert not {"pandas", "numpy", "pyarrow"} & names
    assert built.steps[0].module.partition(".")[0] not in names
    assert [step.place for step in pickle.loads(data).steps] == [step.place for step in built.steps]
