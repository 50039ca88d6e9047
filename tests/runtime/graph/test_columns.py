"""Which columns of a table any step reads, and what names none."""

from __future__ import annotations

from pathlib import Path

import pytest
from flight_delays.checkpointing import Columns
from flight_delays.checkpointing.base.errors import ConfigurationError

from ..builders import FIRST_LINE, pipeline, problems

IMPORT = "from flight_delays.checkpointing import Item\n"
MADE = """
@step
def table() -> pd.DataFrame: ...

@step
def pair() -> dict[str, pd.DataFrame]: ...
"""


def reader(name: str, parameter: str) -> str:
    return f"{IMPORT}@step\ndef {name}({parameter}) -> int: ...\n"


def some(value: str, *columns: str) -> str:
    return f"{value}: Annotated[pd.DataFrame, Columns({', '.join(map(repr, columns))})]"


LEFT = "left: Annotated[pd.DataFrame, Item('pair', 'left'), Columns('b')]"


@pytest.mark.parametrize(
    ("value", "readers", "columns"),
    [
        ("table", [some("table", "b", "a")], ("a", "b")),
        ("table", [some("table", "b"), some("table", "a", "b")], ("a", "b")),
        ("table", [some("table", "b"), "table: pd.DataFrame"], ()),
        ("table", ["table: pd.DataFrame", some("table", "b")], ()),
        ("table", [], ()),
        ("pair.left", [LEFT], ("b",)),
        ("pair.left", [LEFT, "pair: dict[str, pd.DataFrame]"], ()),
        ("pair.right", [LEFT], ()),
    ],
)
def test_the_columns_of_a_value_are_those_of_all_its_readers_together(
    tmp_path: Path, value: str, readers: list[str], columns: tuple[str, ...]
) -> None:
    sources = [reader(f"reader{n}", parameter) for n, parameter in enumerate(readers)]
    graph = pipeline(tmp_path, MADE, *sources)
    assert graph.columns(value) == columns
    everything = range(len(graph.steps))
    assert graph.without(everything).columns(value) == columns


@pytest.mark.parametrize("columns", ["'a', 'b', 'a'", "['a', 'b']", "3"])
def test_names_that_choose_no_columns_are_refused_with_the_step(
    tmp_path: Path, columns: str
) -> None:
    with pytest.raises(ConfigurationError, match="Columns"):
        eval(f"Columns({columns})", {"Columns": Columns})
    parameter = f'table: "Annotated[pd.DataFrame, Columns({columns})]"'
    text = problems(tmp_path, MADE, f"@step\ndef one({parameter}) -> int: ...\n")
    assert text == (
        f"{tmp_path}/s02.py:{FIRST_LINE} one: Columns({columns}): name each column once, as text, "
        f"such as Columns('carrier', 'delay')."
    )
