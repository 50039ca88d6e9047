"""Which columns of a table any step reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..builders import pipeline

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
