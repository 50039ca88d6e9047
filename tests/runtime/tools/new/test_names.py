"""The number of a new segment's module: it follows the others, and none of them is renamed."""

from __future__ import annotations

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.tools.new.names import free_name, module_name

TWO = ["s01_a", "s02_b"]


@pytest.mark.parametrize(
    ("siblings", "before", "after", "expected"),
    [
        ([], None, None, "s01_more"),
        (TWO, "s02_b", None, "s03_more"),
        (TWO, "s01_a", "s02_b", "s01b_more"),
        ([*TWO, "s01b_x"], "s01b_x", "s02_b", "s01c_more"),
        ([*TWO, "s01b_x"], "s01_a", "s01b_x", "s01a_more"),
        ([*TWO, "s01a_x"], "s01_a", "s01a_x", "s03_more"),
        ([*TWO, "s01b_draft"], "s01_a", "s02_b", "s01c_more"),
        (["s01_a", "s04_b"], "s01_a", "s04_b", "s02_more"),
        (["s01_a", "s02_draft", "s04_b"], "s01_a", "s04_b", "s03_more"),
        ([*TWO, "s03_draft", "s05_other"], "s02_b", None, "s04_more"),
        ([*TWO, "s09_draft"], None, None, "s10_more"),
        (["s09_a"], "s09_a", None, "s10_more"),
        (["s99_a"], "s99_a", None, "s100_more"),
        (["step_1_a", "step_2_b"], "step_2_b", None, "step_3_more"),
        (["seg001_a"], "seg001_a", None, "seg002_more"),
        (["ingest", "clean"], "clean", None, "more"),
        (["ingest", "clean"], "ingest", "clean", "more"),
        (["a_ingest", "b_clean"], "b_clean", None, "c_more"),
        (["a_ingest", "b_clean"], "a_ingest", "b_clean", "ab_more"),
        (["a_ingest", "z_clean"], "z_clean", None, "zb_more"),
    ],
)
def test_a_module_is_numbered_as_its_neighbours_are(
    siblings: list[str], before: str | None, after: str | None, expected: str
) -> None:
    assert module_name("more", siblings, before, after) == expected


def test_a_number_that_a_person_gives_counts_if_it_is_free() -> None:
    assert module_name("s07_more", TWO, "s02_b", None) == "s07_more"
    assert module_name("s01_more", [], None, None) == "s01_more"
    with pytest.raises(ConfigurationError, match=r"is taken by `s02_b`\. Give the name alone, `mo"):
        module_name("s02_more", TWO, "s02_b", None)


@pytest.mark.parametrize("name", ["b", "s05_b"])
def test_a_name_that_another_segment_has_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="the segment name `b` is taken by `s02_b`"):
        module_name(name, TWO, "s02_b", None)


def test_an_example_step_gets_a_name_that_is_free() -> None:
    assert free_name("more", {"flights"}) == "more"
    assert free_name("flights", {"flights", "flights_2"}) == "flights_3"
    assert free_name("filter", ()) == "filter_rows"
    assert free_name("class", ()) == "class_rows"
