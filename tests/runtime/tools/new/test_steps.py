"""The steps and tests that `new` writes: what they take, where they stand, what is refused."""

from __future__ import annotations

import subprocess
import sys

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError

from .written import HEADER, STEP, Written

# The type of the last value, what its module imports, and a value of it.
TYPES = {
    "pd.DataFrame": ("", 'pd.DataFrame({"number": [1]})'),
    "pd.Series": ("", "pd.Series([1])"),
    "int": ("", "1"),
    "str": ("", '"text"'),
    "list[str]": ("", '["text"]'),
    "dict[str, list[float]]": ("", '{"rates": [1.0]}'),
    "Path": ("from pathlib import Path\n\n", 'Path("file")'),
    "date": ("from datetime import date\n\n", "date(2024, 2, 29)"),
    "NDArray[np.int64]": (
        "import numpy as np\nfrom numpy.typing import NDArray\n",
        "np.zeros(2, dtype=np.int64)",
    ),
    "pl.DataFrame": ("import polars as pl\n", 'pl.DataFrame({"number": [1.0]})'),
    "pl.LazyFrame": ("import polars as pl\n", 'pl.LazyFrame({"number": [1.0]})'),
    "pa.Table": ("import pyarrow as pa\n", 'pa.table({"number": [1]})'),
}
OWN_STYLES = {
    "a fixture": (
        "from types import ModuleType\n\n\n"
        "def test_flown(clean: ModuleType) -> None:\n    assert clean.flown\n",
        "def test_more_leaves_out_empty_rows(clean: ModuleType) -> None:",
        "made = clean.more(given)",
    ),
    "an imported module": (
        "from demo.segments import s02_clean as own\n\n\ndef test_flown() -> None:\n"
        "    assert own.flown\n",
        "def test_more_leaves_out_empty_rows() -> None:",
        "made = own.more(given)",
    ),
    "imported steps": (
        "import pandas as pd\n\nfrom demo.segments.s02_clean import flown\n\n\n"
        "def test_flown() -> None:\n    assert flown(pd.DataFrame()).empty\n",
        "from demo.segments.s02_clean import flown, more\n",
        "made = more(given)",
    ),
    "nothing yet": ("", "from demo.segments import s02_clean\n", "made = s02_clean.more(given)"),
}


def run_tests(draft: Written) -> None:
    """Run the tests of the project, which need no more than its steps."""
    draft.put("src/demo/checkpointing/__init__.py", "def step(function):\n    return function\n")
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "tests"]
    done = subprocess.run(
        [sys.executable, "-B", *words],
        cwd=draft.folder,
        env={"PYTHONPATH": str(draft.folder / "src"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_step_takes_the_last_value_as_the_type_that_it_has(draft: Written) -> None:
    """One project for all types, because most of the time goes into starting pytest."""
    segments = []
    for number, (kind, (imports, value)) in enumerate(TYPES.items(), 4):
        name = f"s{number:02}_part"
        needs = "import pandas as pd\n\n" if "pd." in kind or not imports else ""
        head = f"{imports}{needs if 'pd.' in kind else ''}from ..checkpointing import step\n"
        text = STEP.format(name=f"value{number}", parameters="", returns=kind, body=value)
        draft.put(
            f"src/demo/segments/{name}.py",
            head.replace("pa\nfrom", "pa\n\nfrom").replace("pl\nfrom", "pl\n\nfrom") + text,
        )
        segments.append(name)
    for name in segments:
        draft.put(
            "src/demo/pipeline.py",
            f"from .checkpointing import Pipeline\nfrom .segments import {name}\n\n"
            f"PIPELINE = Pipeline({name})\n",
        )
        made = draft.add_segment(f"after_{name}")
        takes = next(iter(made.created.values())).text
        kind = list(TYPES)[int(name[1:3]) - 4]
        assert f"(value{int(name[1:3])}: {kind}) -> " in takes
    run_tests(draft)


@pytest.mark.parametrize(
    "returns", ["Iterator[pd.DataFrame]", "Generator[pd.DataFrame, None, None]"]
)
def test_a_step_takes_the_whole_of_what_is_made_in_batches(draft: Written, returns: str) -> None:
    draft.segment("s03_enrich", "delays", "", returns, "iter([pd.DataFrame()])")
    path = draft.package / "segments" / "s03_enrich.py"
    needed = f"from collections.abc import {returns.partition('[')[0]}\n\n"
    path.write_text(needed + path.read_text())

    made = draft.add_segment("more")

    text = next(iter(made.created.values())).text
    assert "def more(delays: pd.DataFrame) -> pd.DataFrame:" in text
    assert "collections" not in text


@pytest.mark.parametrize("style", OWN_STYLES)
def test_a_test_is_written_as_the_others_of_its_file_are(draft: Written, style: str) -> None:
    text, *expected = OWN_STYLES[style]
    path = draft.put("tests/test_clean.py", text)

    draft.add_step("more", "clean")

    told = path.read_text()
    assert all(line in told for line in expected), told
    assert told.endswith('    assert made["number"].tolist() == [1.0]\n')
    if "imported steps" not in style:
        assert told.count("def ") == text.count("def ") + 1
    draft.require_tidy()


def test_a_step_is_the_last_one_above_the_helpers_and_its_test_is_new(draft: Written) -> None:
    path = draft.package / "segments" / "s02_clean.py"
    helper = "\n\ndef helper() -> int:\n    return 1\n"
    before = path.read_text()
    path.write_text(before + helper)

    made = draft.add_step("more", "s02_clean")

    told = path.read_text()
    assert told.startswith(before)
    assert told.endswith(f'    return flown.dropna(how="all")\n{helper}')
    assert "def more(flown: pd.DataFrame) -> pd.DataFrame:" in told
    assert [path.name for path in made.created] == ["test_clean.py"]
    assert made.sentence == "Step `more` is the last of segment `s02_clean`; it takes `flown`."
    draft.require_tidy()


def test_a_step_imports_what_its_module_lacks(draft: Written) -> None:
    path = draft.put(
        "src/demo/segments/s03_enrich.py",
        """\
        \"\"\"Segment 3.\"\"\"

        from datetime import date

        from .. import checkpointing as runtime

        DAY = date(2024, 2, 29)
        STEP = runtime.step
        """,
    )
    draft.add_step("more", "enrich")

    told = path.read_text()
    assert "from datetime import date\n\nimport pandas as pd\n\nfrom .. import" in told
    assert "\n\n\n@step\ndef more(flown: pd.DataFrame)" in told
    draft.require_tidy()


def test_a_step_behind_one_that_runs_each_time_does_not_do_so(draft: Written) -> None:
    path = draft.put(
        "src/demo/segments/s03_enrich.py",
        """\
        \"\"\"Segment 3.\"\"\"

        from ..checkpointing import step


        @step(always=True)
        def seen() -> int:
            \"\"\"Seen.\"\"\"
            return 1
        """,
    )
    draft.add_step("more", "enrich")
    assert "\n\n\n@step\ndef more(" in path.read_text()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("class", "is a keyword"),
        ("sum", "would hide"),
        ("two words", "did you mean `two_words`?"),
        ("1st", "is no name in Python"),
        ("", "is no name in Python"),
        ("Flights", "did you mean `flights`?"),
        ("_private", "begin with a letter"),
        ("x" * 41, "has 41 characters; 40 are the most"),
        ("ﬂights", "did you mean"),
        ("flights", r"taken by the step at src/demo/segments/s01_ingest\.py:7"),
        ("raw_file", "taken by an input in pipeline.toml"),
        ("limit", "taken by a param in pipeline.toml"),
        ("workdir", "taken by the runtime"),
        ("pd", "taken by something else in"),
        ("step", "taken by something else in"),
    ],
)
def test_a_name_that_no_step_can_have_is_refused(draft: Written, name: str, message: str) -> None:
    before = draft.files()
    with pytest.raises(ConfigurationError, match=message):
        draft.add_step(name, "clean")
    assert draft.files() == before


def test_a_full_segment_takes_no_step(draft: Written) -> None:
    budget = draft.folder / "memory_budget.toml"
    budget.write_text(budget.read_text() + "\n[segment]\nmax_steps = 2\n")
    draft.add_step("more", "clean")
    before = draft.files()
    with pytest.raises(ConfigurationError, match=r"is full: it has 2 steps.*--after s02_clean`"):
        draft.add_step("most", "clean")
    assert draft.files() == before


@pytest.mark.parametrize("spelling", ["s02_clean", "clean", "segments/s02_clean.py", ".s02_clean"])
def test_a_segment_is_known_by_each_of_its_names(draft: Written, spelling: str) -> None:
    assert draft.add_step("more", spelling).segment == "s02_clean"


@pytest.mark.parametrize(
    ("segment", "message"),
    [
        ("claen", "did you mean `clean`?"),
        ("zzz", "There are: s01_ingest, s02_clean, s03_enrich"),
        ("s09_draft", "no pipeline in .* lists this module"),
    ],
)
def test_an_unknown_segment_is_refused_with_the_nearest(
    draft: Written, segment: str, message: str
) -> None:
    draft.segment("s09_draft", "draft", "", "int", "1")
    with pytest.raises(ConfigurationError, match=message):
        draft.add_step("more", segment)


def test_a_segment_of_listed_steps_takes_none_by_itself(draft: Written) -> None:
    draft.put(
        "src/demo/pipeline.py",
        """\
        from .checkpointing import Pipeline, Segment
        from .segments import s01_ingest

        PIPELINE = Pipeline(Segment("first", [s01_ingest.flights]))
        """,
    )
    with pytest.raises(ConfigurationError, match="Write the step in one of its modules"):
        draft.add_step("more", "first")


def test_a_value_of_a_type_that_a_segment_defines_is_left_to_that_segment(draft: Written) -> None:
    draft.put(
        "src/demo/segments/s03_enrich.py",
        HEADER
        + "\n\nclass Rates(dict[str, float]):\n    pass\n"
        + STEP.format(name="rates", parameters="", returns="Rates", body="Rates()"),
    )
    made = draft.add_segment("more")
    assert "its step `more` takes `flown`." in made.sentence


def test_the_tests_of_others_are_never_overwritten(draft: Written) -> None:
    draft.put("tests/test_more.py", "# mine\n")
    before = draft.files()
    with pytest.raises(ConfigurationError, match=r"tests/test_more\.py exists already"):
        draft.add_segment("more")
    assert draft.files() == before
