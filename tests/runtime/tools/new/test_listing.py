"""What `new` changes in pipeline.py: one place, whatever the form of the file."""

from __future__ import annotations

import difflib
import textwrap

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError

from .written import Written

IMPORT = "from .checkpointing import Pipeline\n"
LIST = "from .segments import s01_ingest, s02_clean, s03_enrich\n"
CALL = 'PIPELINE = Pipeline(s01_ingest, s02_clean, s03_enrich, name="demo")\n'

# Forms that `ruff format` leaves as they are, and the lines that `new segment more` changes in them
# behind `s02_clean`.
FORMS = {
    "one line": (
        f"{IMPORT}{LIST}\n{CALL}",
        """
        -from .segments import s01_ingest, s02_clean, s03_enrich
        +from .segments import s01_ingest, s02_clean, s02b_more, s03_enrich
        -PIPELINE = Pipeline(s01_ingest, s02_clean, s03_enrich, name="demo")
        +PIPELINE = Pipeline(s01_ingest, s02_clean, s02b_more, s03_enrich, name="demo")
        """,
    ),
    "trailing commas and comments": (
        f'''"""The order."""

# What is read first.
{IMPORT}from .segments import (
    s01_ingest,  # reads
    # cleans
    s02_clean,
    s03_enrich,
)

PIPELINE = Pipeline(
    s01_ingest,
    # Nothing is read after this line.
    s02_clean,  # the rest trusts it
    s03_enrich,
    name="demo",
)
''',
        """
        +    s02b_more,
        +    s02b_more,
        """,
    ),
    "one import per line": (
        f"{IMPORT}from .segments import s01_ingest  # isort: skip\n"
        "from .segments import s02_clean  # isort: skip\n"
        f"from .segments import s03_enrich  # isort: skip\n\n{CALL}",
        """
        +from .segments import s02b_more
        -PIPELINE = Pipeline(s01_ingest, s02_clean, s03_enrich, name="demo")
        +PIPELINE = Pipeline(s01_ingest, s02_clean, s02b_more, s03_enrich, name="demo")
        """,
    ),
    "absolute imports": (
        "from demo.checkpointing import Pipeline\n"
        f"from demo.segments import s01_ingest, s02_clean, s03_enrich\n\n{CALL}",
        """
        -from demo.segments import s01_ingest, s02_clean, s03_enrich
        +from demo.segments import s01_ingest, s02_clean, s02b_more, s03_enrich
        -PIPELINE = Pipeline(s01_ingest, s02_clean, s03_enrich, name="demo")
        +PIPELINE = Pipeline(s01_ingest, s02_clean, s02b_more, s03_enrich, name="demo")
        """,
    ),
    "a module with its attributes": (
        f"from . import segments\n{IMPORT}\n"
        "PIPELINE = Pipeline(segments.s01_ingest, segments.s02_clean, segments.s03_enrich)\n",
        """
        +from .segments import s02b_more
        -PIPELINE = Pipeline(segments.s01_ingest, segments.s02_clean, segments.s03_enrich)
        +PIPELINE = Pipeline(segments.s01_ingest, segments.s02_clean, s02b_more, segments.s03_enrich)
        """,
    ),
    "aliases": (
        "from . import checkpointing as runtime\n"
        "from .segments import s01_ingest as ingest\nfrom .segments import s02_clean as clean\n"
        "from .segments import s03_enrich as enrich\n\n"
        'PIPELINE = runtime.Pipeline(ingest, clean, enrich, name="demo")\n',
        """
        +from .segments import s02b_more
        -PIPELINE = runtime.Pipeline(ingest, clean, enrich, name="demo")
        +PIPELINE = runtime.Pipeline(ingest, clean, s02b_more, enrich, name="demo")
        """,
    ),
    "segments of listed steps": (
        "from .checkpointing import Pipeline, Segment\nfrom .segments import s01_ingest, s02_clean\n"
        "from .segments.s03_enrich import delays\n\n"
        'LAST = Segment("last", [delays])\n\n'
        "PIPELINE = Pipeline(\n"
        '    Segment("first", [s01_ingest.flights]),\n    s02_clean,\n    LAST,\n)\n',
        """
        -from .segments import s01_ingest, s02_clean
        +from .segments import s01_ingest, s02_clean, s04_more
        +    s04_more,
        """,
    ),
    "two lines, without a name": (
        f"{IMPORT}{LIST}\nPIPELINE = Pipeline(\n    s01_ingest, s02_clean, s03_enrich\n)\n",
        """
        -from .segments import s01_ingest, s02_clean, s03_enrich
        +from .segments import s01_ingest, s02_clean, s02b_more, s03_enrich
        -    s01_ingest, s02_clean, s03_enrich
        +    s01_ingest, s02_clean, s02b_more, s03_enrich
        """,
    ),
    "an annotation, letters outside ASCII, another statement": (
        f'"""Größe: ÄÖÜ."""\n\n{IMPORT}{LIST}\nPIPELINE: Pipeline = Pipeline(s01_ingest, s02_clean, '
        's03_enrich, name="demo")  # ö\nprint("ß", PIPELINE)\n',
        """
        -from .segments import s01_ingest, s02_clean, s03_enrich
        +from .segments import s01_ingest, s02_clean, s02b_more, s03_enrich
        -PIPELINE: Pipeline = Pipeline(s01_ingest, s02_clean, s03_enrich, name="demo")  # ö
        +PIPELINE: Pipeline = Pipeline(s01_ingest, s02_clean, s02b_more, s03_enrich, name="demo")  # ö
        """,
    ),
    "a line that becomes too long": (
        f"{IMPORT}from .segments import a_rather_long_name_of_some_function, s01_ingest, s02_clean, "
        f"s03_enrich\n\na_rather_long_name_of_some_function()\n"
        "A_RATHER_LONG_NAME_OF_A_PIPELINE = Pipeline(s01_ingest, s02_clean, s03_enrich, "
        'name="demonstration")\n',
        """
        -from .segments import a_rather_long_name_of_some_function, s01_ingest, s02_clean, s03_enrich
        +from .segments import (
        +    a_rather_long_name_of_some_function,
        +    s01_ingest,
        +    s02_clean,
        +    s02b_more,
        +    s03_enrich,
        +)
        -A_RATHER_LONG_NAME_OF_A_PIPELINE = Pipeline(s01_ingest, s02_clean, s03_enrich, \
name="demonstration")
        +A_RATHER_LONG_NAME_OF_A_PIPELINE = Pipeline(
        +    s01_ingest, s02_clean, s02b_more, s03_enrich, name="demonstration"
        +)
        """,
    ),
}


UNTIDY = {"one import per line", "two lines, without a name"}


def changes(before: str, after: str) -> list[str]:
    """The lines that differ, each with its sign."""
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line[0] + line[2:] for line in lines if line[0] in "+-"]


@pytest.mark.parametrize("form", FORMS)
def test_a_segment_is_listed_in_the_form_that_the_file_has(project: Written, form: str) -> None:
    text, expected = FORMS[form]
    project.pipeline.write_bytes(text.encode())
    if form not in UNTIDY:
        project.require_tidy()

    project.add_segment("more", after="s02_clean")

    told = changes(text, project.pipeline.read_bytes().decode())
    assert told == textwrap.dedent(expected).strip().splitlines()
    if form not in UNTIDY:
        project.require_tidy()


def test_line_ends_stay_what_they_are(project: Written) -> None:
    text = FORMS["trailing commas and comments"][0].replace("\n", "\r\n")
    project.pipeline.write_bytes(text.encode())

    project.add_segment("more", after="s02_clean")

    made = project.pipeline.read_bytes().decode()
    assert made.count("\n") == made.count("\r\n") == text.count("\r\n") + 2
    assert made.replace("    s02b_more,\r\n", "") == text


def test_a_byte_order_mark_and_a_missing_last_line_end_stay(project: Written) -> None:
    content = b"\xef\xbb\xbf" + project.pipeline.read_bytes().rstrip()
    project.pipeline.write_bytes(content)

    project.add_segment("more")

    made = project.pipeline.read_bytes()
    assert made.replace(b", s04_more", b"") == content


COMPUTED = {
    "a list": f"{LIST}SEGMENTS = [s01_ingest, s02_clean]\nPIPELINE = Pipeline(*SEGMENTS)\n",
    "a loop": f"{LIST}for part in (s01_ingest, s02_clean):\n    last = part\n"
    "PIPELINE = Pipeline(s01_ingest, last)\n",
    "a function": f"{LIST}\n\ndef chosen():\n    return s02_clean\n\n\n"
    "PIPELINE = Pipeline(s01_ingest, chosen())\n",
    "a choice": f"{LIST}PIPELINE = Pipeline(s01_ingest if print else s02_clean)\n",
    "steps": "from .checkpointing import Segment\n"
    'PIPELINE = Pipeline(Segment("all", [step for step in ()]))\n',
}


@pytest.mark.parametrize("form", COMPUTED)
def test_where_the_list_is_computed_nothing_changes_and_all_is_told(
    project: Written, form: str
) -> None:
    project.pipeline.write_text(IMPORT + COMPUTED[form])
    before = project.files()

    made = project.add_segment("more", after="s02_clean")

    assert "from .segments import s04_more\n" in made.by_hand
    assert "list `s04_more` after `s02_clean` in `PIPELINE`" in made.by_hand
    assert {path.name for path in made.created} == {"s04_more.py", "test_more.py"}
    assert project.files() == before
    with pytest.raises(ConfigurationError, match="Nothing was changed"):
        project.add_step("more", "s02_clean")


def test_a_pipeline_that_is_not_made_at_the_top_is_not_guessed(project: Written) -> None:
    project.pipeline.write_text(f"{IMPORT}{LIST}\nif LIST:\n    PIPELINE = Pipeline(s01_ingest)\n")
    before = project.files()
    with pytest.raises(ConfigurationError, match="makes no pipeline at its top"):
        project.add_segment("more")
    assert project.files() == before


def test_wrong_syntax_is_named_with_its_line_and_stays(project: Written) -> None:
    project.pipeline.write_text(f"{IMPORT}{LIST}\nPIPELINE = Pipeline(s01_ingest\n")
    before = project.files()
    with pytest.raises(ConfigurationError, match=r"pipeline\.py:4 is no correct Python"):
        project.add_segment("more")
    assert project.files() == before


def test_a_deleted_sample_gives_its_place_to_the_first_segment(project: Written) -> None:
    for path in (project.package / "segments").glob("s0*.py"):
        path.unlink()

    made = project.add_segment("orders")

    assert project.pipeline.read_text() == (
        f"{IMPORT}from .segments import s01_orders\n\n"
        'PIPELINE = Pipeline(s01_orders, name="demo")\n'
    )
    assert made.sentence == (
        "Segment `s01_orders` runs first in pipeline `demo`; its step `orders` makes a small table."
    )
    project.require_tidy()


@pytest.mark.parametrize("folder", ["kept", "deleted"])
def test_an_empty_pipeline_gets_its_first_segment(project: Written, folder: str) -> None:
    for path in (project.package / "segments").glob("*.py"):
        path.unlink()
    if folder == "deleted":
        (project.package / "segments").rmdir()
    project.pipeline.write_text(f'{IMPORT}\nPIPELINE = Pipeline(name="demo")\n')

    project.add_segment("orders")

    assert project.pipeline.read_text() == (
        f"{IMPORT}from .segments import s01_orders\n\n"
        'PIPELINE = Pipeline(s01_orders, name="demo")\n'
    )
    project.require_tidy()


def test_a_segment_that_is_gone_among_others_is_named(project: Written) -> None:
    (project.package / "segments" / "s02_clean.py").unlink()
    with pytest.raises(ConfigurationError, match="lists s02_clean, and there is no such module"):
        project.add_segment("more")


def test_a_second_pipeline_has_a_segment_of_its_own(project: Written) -> None:
    before = project.pipeline.read_text()

    made = project.add_pipeline("nightly")
    project.add_segment("more", after="nightly")

    last = "s03_enrich, s04_nightly, s05_more\n"
    assert project.pipeline.read_text() == (
        before.replace("s03_enrich\n", last, 1)
        + 'NIGHTLY = Pipeline(s04_nightly, s05_more, name="nightly")\n'
    )
    assert made.sentence == (
        "Pipeline `nightly` is `NIGHTLY` in src/demo/pipeline.py; its segment is `s04_nightly`, "
        "with the step `nightly`."
    )
    project.require_tidy()
    for name in ("nightly", "demo", "pipeline"):
        with pytest.raises(ConfigurationError, match="taken by|has a `PIPELINE` already"):
            project.add_pipeline(name)


def test_a_segment_goes_into_the_pipeline_that_is_named(project: Written) -> None:
    project.add_pipeline("nightly")

    project.add_segment("more")
    project.add_segment("late", pipeline="nightly")
    project.add_segment("later", pipeline="NIGHTLY")

    told = project.pipeline.read_text()
    assert 'PIPELINE = Pipeline(s01_ingest, s02_clean, s03_enrich, s05_more, name="demo")' in told
    assert 'NIGHTLY = Pipeline(s04_nightly, s06_late, s07_later, name="nightly")' in told
    with pytest.raises(ConfigurationError, match="no such pipeline, but demo, nightly"):
        project.add_segment("last", pipeline="daily")
