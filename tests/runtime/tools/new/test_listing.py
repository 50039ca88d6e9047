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
        +PIPELINE = Pipeline(segments.s01_ingest, segments.s02_clean, s02b_more, \
segments.s03_enrich)
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
        "from .checkpointing import Pipeline, Segment\n"
        "from .segments import s01_ingest, s02_clean\n"
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
        f'"""Größe: ÄÖÜ."""\n\n{IMPORT}{LIST}\nPIPELINE: Pipeline = Pipeline(s01_ingest, '
        's02_clean, s03_enrich, name="demo")  # ö\nprint("ß", PIPELINE)\n',
        """
        -from .segments import s01_ingest, s02_clean, s03_enrich
        +from .segments import s01_ingest, s02_clean, s02b_more, s03_enrich
        -PIPELINE: Pipeline = Pipeline(s01_ingest, s02_clean, s03_enrich, name="demo")  # ö
        +PIPELINE: Pipeline = Pipeline(s01_ingest, s02_clean, s02b_more, s03_enrich, \
name="demo")  # ö
        """,
    ),
    "a line that becomes too long": (
        f"{IMPORT}from .segments import a_rather_long_name_of_some_function, s01_ingest, "
        f"s02_clean, s03_enrich\n\na_rather_long_name_of_some_function()\n"
        "A_RATHER_LONG_NAME_OF_A_PIPELINE = Pipeline(s01_ingest, s02_clean, s03_enrich, "
        'name="demonstration")\n',
        """
        -from .segments import a_rather_long_name_of_some_function, s01_ingest, s02_clean, \
s03_enrich
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
def test_a_segment_is_listed_in_the_form_that_the_file_has(draft: Written, form: str) -> None:
    text, expected = FORMS[form]
    draft.pipeline.write_bytes(text.encode())
    if form not in UNTIDY:
        draft.require_tidy()

    draft.add_segment("more", after="s02_clean")

    told = changes(text, draft.pipeline.read_bytes().decode())
    assert told == textwrap.dedent(expected).strip().splitlines()
    if form not in UNTIDY:
        draft.require_tidy()


def test_line_ends_stay_what_they_are(draft: Written) -> None:
    text = FORMS["trailing commas and comments"][0].replace("\n", "\r\n")
    draft.pipeline.write_bytes(text.encode())

    draft.add_segment("more", after="s02_clean")

    made = draft.pipeline.read_bytes().decode()
    assert made.count("\n") == made.count("\r\n") == text.count("\r\n") + 2
    assert made.replace("    s02b_more,\r\n", "") == text


def test_a_byte_order_mark_and_a_missing_last_line_end_stay(draft: Written) -> None:
    content = b"\xef\xbb\xbf" + draft.pipeline.read_bytes().rstrip()
    draft.pipeline.write_bytes(content)

    draft.add_segment("more")

    made = draft.pipeline.read_bytes()
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
    draft: Written, form: str
) -> None:
    draft.pipeline.write_text(IMPORT + COMPUTED[form])
    before = draft.files()

    made = draft.add_segment("more", after="s02_clean")

    assert "from .segments import s04_more\n" in made.by_hand
    assert "list `s04_more` after `s02_clean` in `PIPELINE`" in made.by_hand
    assert {path.name for path in made.created} == {"s04_more.py", "test_more.py"}
    assert draft.files() == before
    with pytest.raises(ConfigurationError, match="Nothing was changed"):
        draft.add_step("more", "s02_clean")


def test_a_pipeline_that_is_not_made_at_the_top_is_not_guessed(draft: Written) -> None:
    draft.pipeline.write_text(f"{IMPORT}{LIST}\nif LIST:\n    PIPELINE = Pipeline(s01_ingest)\n")
    before = draft.files()
    with pytest.raises(ConfigurationError, match="makes no pipeline at its top"):
        draft.add_segment("more")
    assert draft.files() == before


def test_wrong_syntax_is_named_with_its_line_and_stays(draft: Written) -> None:
    draft.pipeline.write_text(f"{IMPORT}{LIST}\nPIPELINE = Pipeline(s01_ingest\n")
    before = draft.files()
    with pytest.raises(ConfigurationError, match=r"pipeline\.py:4 is no correct Python"):
        draft.add_segment("more")
    assert draft.files() == before


def test_a_deleted_sample_gives_its_place_to_the_first_segment(draft: Written) -> None:
    for path in (draft.package / "segments").glob("s0*.py"):
        path.unlink()

    with pytest.raises(ConfigurationError, match="lists `s02_clean`, and there is no such module"):
        draft.add_step("more", "clean")

    made = draft.add_segment("orders")

    assert draft.pipeline.read_text() == (
        f"{IMPORT}from .segments import s01_orders\n\n"
        'PIPELINE = Pipeline(s01_orders, name="demo")\n'
    )
    assert made.sentence == (
        "Segment `s01_orders` runs first in pipeline `demo`; its step `orders` makes a small table."
    )
    draft.require_tidy()


@pytest.mark.parametrize("folder", ["kept", "deleted"])
def test_an_empty_pipeline_gets_its_first_segment(draft: Written, folder: str) -> None:
    for path in (draft.package / "segments").glob("*.py"):
        path.unlink()
    if folder == "deleted":
        (draft.package / "segments").rmdir()
    draft.pipeline.write_text(f'{IMPORT}\nPIPELINE = Pipeline(name="demo")\n')

    draft.add_segment("orders")

    assert draft.pipeline.read_text() == (
        f"{IMPORT}from .segments import s01_orders\n\n"
        'PIPELINE = Pipeline(s01_orders, name="demo")\n'
    )
    draft.require_tidy()


def test_a_segment_that_is_gone_among_others_is_named(draft: Written) -> None:
    (draft.package / "segments" / "s02_clean.py").unlink()
    with pytest.raises(ConfigurationError, match="lists s02_clean, and there is no such module"):
        draft.add_segment("more")


def test_a_second_pipeline_has_a_segment_of_its_own(draft: Written) -> None:
    before = draft.pipeline.read_text()

    made = draft.add_pipeline("nightly")
    draft.add_segment("more", after="nightly")

    last = "s03_enrich, s04_nightly, s05_more\n"
    assert draft.pipeline.read_text() == (
        before.replace("s03_enrich\n", last, 1)
        + 'NIGHTLY = Pipeline(s04_nightly, s05_more, name="nightly")\n'
    )
    assert made.sentence == (
        "Pipeline `nightly` is `NIGHTLY` in src/demo/pipeline.py; its segment is `s04_nightly`, "
        "with the step `nightly`."
    )
    draft.require_tidy()
    for name in ("nightly", "demo", "pipeline"):
        with pytest.raises(ConfigurationError, match=r"taken by|has a `PIPELINE` already"):
            draft.add_pipeline(name)


def test_a_segment_goes_into_the_pipeline_that_is_named(draft: Written) -> None:
    draft.add_pipeline("nightly")

    draft.add_segment("more")
    draft.add_segment("late", pipeline="nightly")
    draft.add_segment("later", pipeline="NIGHTLY")

    told = draft.pipeline.read_text()
    assert 'PIPELINE = Pipeline(s01_ingest, s02_clean, s03_enrich, s05_more, name="demo")' in told
    assert 'NIGHTLY = Pipeline(s04_nightly, s06_late, s07_later, name="nightly")' in told
    with pytest.raises(ConfigurationError, match="no such pipeline, but demo, nightly"):
        draft.add_segment("last", pipeline="daily")
