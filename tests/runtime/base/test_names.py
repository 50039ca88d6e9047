"""The names that we give prove that we gave them, and no others do."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from flight_delays.checkpointing.base.names import (
    aside_name,
    checkpoint_key,
    is_aside_name,
    is_run_name,
    is_temporary_name,
    is_value_name,
    new_number,
    run_name,
    temporary_name,
    value_name,
)
from hypothesis import example, given
from hypothesis import strategies as st

PLACE = Path("checkpoints/demo/s01/0123456789abcdef0123456789abcdef")
MOMENT = datetime(2026, 1, 2, 3, 4, 5)
SEAL = "0123456789abcdef"  # of the right form, and of no name

folders = st.text(st.characters(exclude_characters="/\0"), min_size=1)
values = st.from_regex(r"[^\W\d]\w*", fullmatch=True)
suffixes = st.sampled_from(["", ".arrow", ".tar.gz", "."])


def is_known(folder: Path, name: str) -> bool:
    """Whether any sweep would take the name for one of ours."""
    return (
        is_value_name(folder, name)
        or is_temporary_name(name)
        or is_aside_name(folder.name, name)
        or is_run_name(name)
    )


@given(folder=folders, segment=folders, value=values, suffix=suffixes)
def test_every_name_that_we_give_is_known(
    folder: str, segment: str, value: str, suffix: str
) -> None:
    checkpoint = Path(segment) / folder
    given_to = value_name(checkpoint, value, new_number(), suffix)

    assert is_value_name(checkpoint, given_to)
    assert is_aside_name(segment, aside_name(segment, folder))
    assert is_temporary_name(temporary_name(folder))
    assert is_temporary_name(temporary_name(folder), folder)
    assert is_run_name(run_name(MOMENT, new_number()))


@given(name=folders)
@example(f"x.{SEAL}.arrow")
@example(f".x.{SEAL}.tmp")
@example(f"{PLACE.name}.damaged-{SEAL}")
@example(f"20260102T030405-{SEAL}")
def test_no_name_that_a_person_makes_up_is_known(name: str) -> None:
    assert not is_known(PLACE, name)


@given(value=values, changed=values, suffix=suffixes)
def test_no_copy_under_another_name_or_in_another_folder_is_known(
    value: str, changed: str, suffix: str
) -> None:
    name = value_name(PLACE, value, new_number(), suffix)
    moment = run_name(MOMENT, new_number())
    temporary = temporary_name(value)

    assert not is_known(PLACE.with_name("another key"), name)
    assert not is_known(PLACE.parent.with_name("another segment") / PLACE.name, name)
    assert not is_known(PLACE, f"{name}.bak")
    assert not is_known(PLACE, f"{changed}{name}")
    assert not is_known(PLACE, name.upper())
    assert not is_known(PLACE, f"{moment}-copy")
    assert not is_known(PLACE, f"2{moment}"[:-1])
    assert is_temporary_name(temporary, changed) == (changed == value)


def test_a_value_is_known_in_the_folder_that_its_checkpoint_was_set_aside_in() -> None:
    aside = PLACE.with_name(aside_name("s01", PLACE.name))
    name = value_name(PLACE, "x", new_number(), ".arrow")

    assert checkpoint_key(aside) == checkpoint_key(PLACE) == PLACE.name
    assert is_value_name(aside, name)
    assert not is_value_name(aside.with_name(f"{PLACE.name}.damaged-{SEAL}"), name)


def test_names_differ_from_one_to_the_next() -> None:
    assert len({temporary_name("x") for _ in range(100)}) == 100
