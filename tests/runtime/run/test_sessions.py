"""A session that imported the pipeline long ago runs, and loads, what the files say now."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ...marks import in_exhaustive, in_slow
from ..conftest import MEMORY_BUDGET, Project

Notebook = Callable[[str], str]

FILES = {
    "src/demo/__init__.py": "SIGN = 1\n",
    "src/demo/helper.py": "FACTOR = 1\n\ndef scaled(x: int) -> int:\n    return x * FACTOR\n",
    "src/demo/units.sql": "select 1",
    "src/demo/segments/s01.py": """
        import pandas as pd
        from .. import SIGN
        from ..checkpointing import step
        from ..helper import scaled

        LEAST = 0

        @step
        def first(start: int) -> int:
            return SIGN * scaled(start) + LEAST

        @step
        def second(first: int) -> int:
            return first * 10

        @step
        def table(first: int) -> pd.DataFrame:
            return pd.DataFrame({"a": [first], "b": [2]})
    """,
    "src/demo/segments/s02.py": """
        from pathlib import Path
        from typing import Annotated
        import pandas as pd
        from ..checkpointing import Columns, step

        @step
        def minus(first: int, second: int) -> int:
            return first - second

        @step
        def names(table: Annotated[pd.DataFrame, Columns("a")]) -> list[str]:
            return [type(table).__name__, *table.columns]

        @step
        def words(text_file: Path) -> str:
            return text_file.read_text()
    """,
    "src/demo/pipeline.py": """
        from .checkpointing import Pipeline
        from .segments import s01, s02

        PIPELINE = Pipeline(s01, s02, name="demo")
    """,
    "pipeline.toml": """
        [inputs]
        text_file = "one.txt"

        [params]
        start = 1
    """,
    "memory_budget.toml": MEMORY_BUDGET,
    "one.txt": "one",
    "two.txt": "two",
}
VALUES = {"minus": "-9", "names": "['DataFrame', 'a']", "words": "'one'"}
GONE = ""
S01, S02 = "src/demo/segments/s01.py", "src/demo/segments/s02.py"


@dataclass(frozen=True)
class Edit:
    """What somebody changes while the session is open, and what is right after it.

    `changes` are texts to replace, and `added` are new files, by path; `values` are the values that
    it changes; `ran` are the segments that have to run.
    """

    changes: dict[str, dict[str, str]]
    values: dict[str, str] = field(default_factory=dict)
    ran: str = "s02"
    added: dict[str, str] = field(default_factory=dict)


SECOND = "@step\ndef second(first: int) -> int:\n    return first * 10\n"
MINUS = "@step\ndef minus(first: int, second: int) -> int:\n    return first - second\n"
NAMES, WORDS = "@step\ndef names(", "@step\ndef words("
AFTER = "\n\n@step\ndef after(minus: int) -> int:\n    return minus + 1\n\n"
IMPORT = "from ..checkpointing import"
QUOTA = 'quota = "50 %"'

SWAPPED = {
    "minus(first: int, second: int)": "minus(second: int, first: int)",
    "first - second": "second - first",
}
EDITS = {
    "parameters swapped": Edit({S02: SWAPPED}, {"minus": "9"}),
    "other Columns": Edit(
        {S02: {'Columns("a")': 'Columns("b")'}},
        {"names": "['DataFrame', 'b']"},
        ran="s01 s02",  # nobody read `b` before
    ),
    "a constant": Edit({S01: {"LEAST = 0": "LEAST = 5"}}, {"minus": "-54"}, ran="s01 s02"),
    "a segment added": Edit(
        {"src/demo/pipeline.py": {"s01, s02": "s01, s02, s03"}},
        {"after": "-8"},
        ran="s03",  # `minus` was an output of s02 before
        added={"src/demo/segments/s03.py": f"{IMPORT} step\n{AFTER}"},
    ),
    "a param": Edit({"pipeline.toml": {"start = 1": "start = 2"}}, {"minus": "-18"}, ran="s01 s02"),
}
MORE_EDITS = {
    "a parameter renamed": Edit(
        {S02: {"second: int": "start: int", "first - second": "first - start"}},
        {"minus": "0"},
        ran="s01 s02",  # for `second` is an output now
    ),
    "a table loaded as another type": Edit(
        {
            S02: {
                "import pandas as pd": "import pyarrow as pa",
                "pd.DataFrame": "pa.Table",
                "*table.columns": "*table.column_names",
            }
        },
        {"names": "['Table', 'a']"},
    ),
    "a value stored as another type": Edit(
        {
            S01: {
                "-> pd.DataFrame": "-> pd.Series",
                'pd.DataFrame({"a": [first], "b": [2]})': "pd.Series([first])",
            },
            S02: {'Annotated[pd.DataFrame, Columns("a")]': "pd.Series", "*table.columns": "*table"},
        },
        {"names": "['Series', 1]"},
        ran="s01 s02",
    ),
    "a step renamed": Edit(
        {S01: {"def second": "def tenfold"}, S02: {"second": "tenfold"}}, ran="s01 s02"
    ),
    "a step added": Edit(
        {S02: {NAMES: AFTER + NAMES}},
        {"after": "-8", "minus": GONE},  # read within its segment now, so it is not kept
    ),
    "a step removed": Edit(
        {S02: {NAMES: "def names("}},
        {"names": GONE},
        ran="s01",  # for nothing reads `table`, which is an output now
    ),
    "a step moved to another segment": Edit(
        {S01: {SECOND: ""}, S02: {MINUS: f"{SECOND}\n\n{MINUS}"}}, ran="s02"
    ),
    "steps in another order": Edit({S02: {MINUS: "", WORDS: f"{MINUS}\n\n{WORDS}"}}, ran=""),
    "a function of another module": Edit(
        {"src/demo/helper.py": {"x * FACTOR": "x * FACTOR + 6"}}, {"minus": "-63"}, ran="s01 s02"
    ),
    "a constant of another module": Edit(
        {"src/demo/helper.py": {"FACTOR = 1": "FACTOR = 3"}}, {"minus": "-27"}, ran="s01 s02"
    ),
    "a constant of the package itself": Edit(
        {"src/demo/__init__.py": {"SIGN = 1": "SIGN = -1"}}, {"minus": "9"}, ran="s01 s02"
    ),
    "a module added": Edit(
        {S02: {IMPORT: f"from ..added import MORE\n{IMPORT}", "first - second": "MORE"}},
        {"minus": "7"},
        added={"src/demo/added.py": "MORE = 7\n"},
    ),
    "a data file": Edit({"src/demo/units.sql": {"1": "2"}}, ran="s01 s02"),
    "an input of another path": Edit({"pipeline.toml": {"one.txt": "two.txt"}}, {"words": "'two'"}),
    "an output published": Edit(
        {"pipeline.toml": {"[params]": '[outputs]\nminus = "out/minus.json"\n\n[params]'}}, ran=""
    ),
    "another format": Edit(
        {"memory_budget.toml": {QUOTA: f'{QUOTA}\n[checkpoints]\nformat = "parquet"'}}, ran=""
    ),
    "another folder for checkpoints": Edit(
        {"memory_budget.toml": {QUOTA: f'{QUOTA}\n[checkpoints]\npath = "elsewhere"'}},
        ran="s01 s02",
    ),
}


LOAD_ALL = """
def loaded(value):
    try:
        return repr(PIPELINE.load(value))
    except Exception as error:
        return type(error).__name__

print({value: loaded(value) for value in ["minus", "names", "words", "after", "tenfold"]})
"""


class Session:
    """A project, and a notebook that imported its pipeline when nothing was edited yet."""

    def __init__(self, project: Project, cell: Notebook) -> None:
        self.project = project
        self.cell = cell
        self.added: list[Path] = []

    def restore(self) -> None:
        """Undo all edits, as somebody would in an editor."""
        while self.added:
            self.added.pop().unlink()
        for path, text in FILES.items():
            self.project.write(path, text)

    def edit(self, path: str, *changes: tuple[str, str]) -> None:
        """Replace texts of a file, each an old one and a new one."""
        target = self.project.folder / path
        text = target.read_text()
        for old, new in changes:
            assert old in text, (path, old)
            text = text.replace(old, new)
        target.write_text(text)

    def add(self, path: str, text: str) -> None:
        """Add a file; the text may be indented."""
        self.added.append(self.project.write(path, text))

    def takes(self, edit: Edit) -> bool:
        """Whether an edit can be made on top of those that were made before."""
        folder = self.project.folder
        texts = {path: (folder / path).read_text() for path in edit.changes}
        found = (old in texts[path] for path, changes in edit.changes.items() for old in changes)
        return all(found) and not any((folder / path).exists() for path in edit.added)

    def make(self, edit: Edit) -> None:
        for path, text in edit.added.items():
            self.add(path, text)
        for path, changes in edit.changes.items():
            self.edit(path, *changes.items())

    def run(self) -> str:
        """Run the pipeline in the notebook: the segments that ran, or the error."""
        return self.cell("print(*(s.name for s in PIPELINE.run().segments if s.status == 'ran'))")

    def load(self, value: str) -> str:
        """Load a value in the notebook: its repr, or the error."""
        return self.cell(f"print(repr(PIPELINE.load({value!r})))")

    def values(self) -> str:
        """What the notebook loads of every value that there ever is."""
        return self.cell(LOAD_ALL)


@pytest.fixture(scope="module")
def opened(shared_project: Project) -> Iterator[Session]:
    """A session that ran the pipeline once."""
    with shared_project.notebook() as cell:
        session = Session(shared_project, cell)
        session.restore()
        cell("from demo.pipeline import PIPELINE")
        yield session


@pytest.fixture
def session(opened: Session) -> Session:
    """The session of all tests of this module, with nothing edited and all checkpoints made."""
    opened.restore()
    answer = opened.run()
    assert "Error" not in answer
    return opened


@pytest.mark.parametrize(
    "name", [*EDITS, *in_slow(*list(MORE_EDITS)[:4]), *in_exhaustive(*list(MORE_EDITS)[4:])]
)
def test_a_session_runs_and_loads_what_the_files_say_after_an_edit(
    session: Session, name: str
) -> None:
    edit = (EDITS | MORE_EDITS)[name]
    session.make(edit)
    assert session.run() == edit.ran
    for value, right in (VALUES | edit.values).items():
        if right != GONE:
            assert session.load(value) == right
    assert set(session.project.statuses().values()) == {"reused"}


def test_an_edit_that_breaks_the_pipeline_is_told_and_leaves_nothing_until_it_is_mended(
    session: Session,
) -> None:
    before = session.project.manifests()
    session.edit(S02, ("first - second", "first -"))
    assert session.run().startswith("ConfigurationError: the pipeline cannot be imported: Syntax")
    assert session.load("minus").startswith("ConfigurationError: the pipeline cannot be imported")
    session.restore()
    session.edit("src/demo/__init__.py", ("SIGN = 1", "SIGN = none"))
    assert "cannot be imported: NameError: name 'none' is not defined" in session.run()
    session.restore()
    session.edit(S02, ("second: int", "secnod: int"))
    assert "did you mean `second`?" in session.run()
    assert session.project.manifests() == before
    session.restore()
    assert session.run() == ""


def test_an_error_in_a_session_carries_the_record_of_its_run(session: Session) -> None:
    session.edit(S02, ("second: int", "secnod: int"))
    session.cell(
        """
        try:
            PIPELINE.run()
        except Exception as error:
            caught = error
        """
    )
    assert session.cell("print(caught.record.pipeline, caught.record.error['kind'])") == (
        "demo configuration"
    )


def test_limits_that_change_in_a_session_count(session: Session) -> None:
    session.edit("memory_budget.toml", (QUOTA, f"{QUOTA}\n[segment]\nmax_steps = 2"))
    assert "max_steps in memory_budget.toml is 2" in session.run()
    session.restore()
    session.edit("memory_budget.toml", ("50 %", "1 %"))
    assert session.cell("print(PIPELINE.run().budget_bytes)") == str(10**9)


def test_a_pipeline_that_a_notebook_builds_follows_its_modules_and_listed_steps(
    session: Session,
) -> None:
    session.cell(
        """
        from demo.checkpointing import Pipeline, Segment
        from demo.segments import s01, s02
        MINE = Pipeline(s01, Segment("both", [s02.minus, s02.names]), name="mine")
        MINE.run()
        """
    )
    session.edit(S02, *SWAPPED.items())
    session.cell("MINE.run()")
    assert session.cell("print(MINE.load('minus'))") == "9"
    session.edit(S01, (SECOND, AFTER.replace("minus", "first") + SECOND))
    session.cell("MINE.run()")
    assert session.cell("print(MINE.load('after'))") == "2"
    session.edit(S02, ("def minus", "def less"))
    assert "demo.segments.s02 has no step `minus` any more" in session.cell("MINE.run()")


def test_of_a_module_that_was_reloaded_the_pipeline_that_it_holds_now_is_meant(
    session: Session,
) -> None:
    session.make(EDITS["a segment added"])
    session.cell("import importlib, demo.pipeline; importlib.reload(demo.pipeline)")
    session.edit("src/demo/segments/s03.py", ("minus + 1", "minus + 2"))
    assert session.run() == "s03"
    assert session.load("after") == "-7"


def test_a_pipeline_that_a_function_of_a_module_builds_is_found_where_it_is_held(
    session: Session,
) -> None:
    session.add(
        "src/demo/nightly.py",
        """
        from .checkpointing import Pipeline
        from .segments import s01, s02

        def built() -> Pipeline:
            return Pipeline(s01, name="nightly")

        NIGHTLY = built()
        """,
    )
    session.cell("from demo.nightly import NIGHTLY")
    session.edit("src/demo/nightly.py", ("Pipeline(s01,", "Pipeline(s01, s02,"))
    assert session.cell("print(len(NIGHTLY.run().segments))") == "2"


def test_a_step_that_is_written_in_a_notebook_is_refused(session: Session) -> None:
    answer = session.cell(
        """
        from demo.checkpointing import Pipeline, Segment, step
        from demo.segments import s01
        @step
        def here(first: int) -> int:
            return first
        Pipeline(s01, Segment("here", [here]), name="mine").run()
        """
    )
    assert "<cell>:4 here: the step is in no module of the project." in answer


@pytest.mark.slow
def test_code_of_a_former_edit_is_never_taken_from_the_cache_of_bytecode(
    session: Session, tmp_path: Path
) -> None:
    """The edit keeps size and mtime, by which Python tells that a `.pyc` is up to date."""
    caching = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path)}
    project = session.project
    with project.notebook(**caching) as cell:
        cell("from demo.pipeline import PIPELINE; PIPELINE.run()")
        assert list(tmp_path.rglob("s02*.pyc"))
        kept = (project.folder / S02).stat().st_mtime_ns
        session.edit(S02, ("first - second", "first + second"))
        os.utime(project.folder / S02, ns=(kept, kept))
        assert project.statuses(**caching) == {"s01": "reused", "s02": "ran"}
        assert cell("print(PIPELINE.load('minus'))") == "11"
        assert cell("print(PIPELINE.run().segments[1].status)") == "reused"


def test_types_of_the_project_may_be_added_and_changed_in_a_session(session: Session) -> None:
    session.add(
        "src/demo/kinds.py",
        """
        from typing import NewType, TypedDict

        class Rates(TypedDict):
            low: int

        Minutes = NewType("Minutes", int)
        """,
    )
    rates = "@step\ndef rates(minus: int) -> Rates:\n    return {'low': minus}\n"
    low = "@step\ndef low(rates: Rates, start: Minutes) -> int:\n    return rates['low'] + start\n"
    session.edit(
        S02, (IMPORT, f"from ..kinds import Minutes, Rates\n{IMPORT}"), (NAMES, rates + low + NAMES)
    )
    assert session.run() == "s02"
    assert session.load("low") == "-8"
    session.edit("src/demo/kinds.py", ("low: int", "low: int\n    high: int"))
    assert session.run() == "s02"


def test_a_codec_of_the_project_serves_a_run_at_once_and_a_session_that_knows_it(
    session: Session,
) -> None:
    session.add(
        "src/demo/money.py",
        """
        class Money:
            def __init__(self, cents: int) -> None:
                self.cents = cents
        """,
    )
    session.add(
        "src/demo/adapters.py",
        """
        from .checkpointing.codecs import Codec, register
        from .money import Money

        def freeze(money: Money) -> bytes:
            return str(money.cents).encode()

        def thaw(frozen: bytes) -> Money:
            return Money(int(frozen))

        register(Codec("Money", "demo.money.Money", "json", freeze, thaw))
        """,
    )
    session.edit("pipeline.toml", ("[params]", '[outputs]\nprice = "out/price.json"\n[params]'))
    price = "@step\ndef price(minus: int) -> Money:\n    return Money(minus)\n"
    cents = "@step\ndef cents(price: Money) -> int:\n    return price.cents\n"
    session.edit(
        S02, (IMPORT, f"from ..money import Money\n{IMPORT}"), (NAMES, price + cents + NAMES)
    )
    assert session.run() == "s01 s02"
    assert session.load("cents") == "-9"
    assert "Start the session again to load it." in session.load("price")
    with session.project.notebook() as later:
        later("from demo.pipeline import PIPELINE")
        assert later("print(PIPELINE.load('price').cents)") == "-9"
        session.edit(
            "src/demo/adapters.py",
            ("str(money.cents)", "str(money.cents * 10)"),
            ("int(frozen)", "int(frozen) // 10"),
        )
        later("PIPELINE.run()")
        assert later("print(PIPELINE.load('cents'))") == "-9"
        assert "Start the session again to load it." in later("PIPELINE.load('price')")


def test_the_first_run_of_a_session_may_come_after_the_package_was_broken_and_mended(
    session: Session,
) -> None:
    with session.project.notebook() as cell:
        cell("from demo.pipeline import PIPELINE")
        session.edit("src/demo/__init__.py", ("SIGN = 1", "SIGN = "))
        assert "Try `python -c 'import demo.pipeline'`" in cell("PIPELINE.run()")
        session.restore()
        assert cell("print(len(PIPELINE.run().segments))") == "2"


def test_a_library_that_is_upgraded_in_a_session_is_not_taken_for_the_one_at_work(
    session: Session, tmp_path: Path
) -> None:
    metadata = tmp_path / "pandas-99.1.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: pandas\nVersion: 99.1\n")
    session.cell(f"import sys; sys.path.insert(0, {str(tmp_path)!r})")
    assert "ConfigurationError: pandas 99.1 was installed while pandas" in session.run()
    session.cell("del sys.path[0]")
    assert session.run() == ""


@pytest.mark.slow
def test_a_session_may_find_its_package_by_a_path_that_is_relative(session: Session) -> None:
    project = session.project
    (project.folder / "notebooks").mkdir(exist_ok=True)
    with project.notebook(PYTHONPATH=os.environ.get("PYTHONPATH", "")) as cell:
        cell("import os, sys; os.chdir('notebooks'); sys.path.append('../src')")
        cell("from demo.pipeline import PIPELINE; PIPELINE.run()")
        session.edit(S02, *SWAPPED.items())
        cell("PIPELINE.run()")
        assert cell("print(PIPELINE.load('minus'))") == "9"
    assert set(project.statuses().values()) == {"reused"}


@pytest.mark.slow
def test_a_session_whose_workers_are_spawned_runs_what_the_files_say(session: Session) -> None:
    with session.project.notebook() as cell:
        cell("from demo.checkpointing.memory import meter; meter.START_METHOD = 'spawn'")
        cell("from demo.pipeline import PIPELINE")
        session.edit(S02, *SWAPPED.items())
        session.edit("src/demo/__init__.py", ("SIGN = 1", "SIGN = 2"))
        cell("PIPELINE.run()")
        assert cell("print(PIPELINE.load('minus'))") == "18"
    assert set(session.project.statuses().values()) == {"reused"}


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(6))
def test_after_any_edits_a_session_loads_what_a_fresh_project_makes(
    session: Session, tmp_path: Path, seed: int
) -> None:
    chance, made = random.Random(seed), 0
    while made < 5:
        edit = chance.choice(list((EDITS | MORE_EDITS).values()))
        if chance.random() < 0.3:
            session.restore()
        if not session.takes(edit):
            continue
        session.make(edit)
        answer = session.run()
        made += 1
        fresh = session.project.copy(tmp_path / str(made))
        for folder in ("checkpoints", "elsewhere", "out"):
            shutil.rmtree(fresh.folder / folder, ignore_errors=True)
        record = fresh.run()
        if "error" in record:  # the edits together break the pipeline: to both in the same words
            refusal = record["error"]["message"]
            here = refusal.replace(str(fresh.folder), str(session.project.folder))
            assert (record["exit_code"], answer) == (2, f"ConfigurationError: {here}")
            session.restore()
            continue
        assert (
            session.values()
            == fresh.python(f"from demo.pipeline import PIPELINE\n{LOAD_ALL}").strip()
        )
        assert set(session.project.statuses().values()) == {"reused"}
