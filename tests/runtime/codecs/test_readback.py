"""No file is committed that cannot be read back, even of kinds that no list contains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from flight_delays.checkpointing.base.errors import InexactValue
from flight_delays.checkpointing.codecs import Codec, Format, codec_named, format_named
from flight_delays.checkpointing.codecs.table.arrow import recipe_of, with_recipe
from flight_delays.checkpointing.disk.commit import Commit

from ...marks import in_exhaustive, in_slow
from ..builders import PLENTY
from ..conftest import Project

FRAME, TABLE = codec_named("DataFrame"), codec_named("Table")
FORMATS = ["arrow", "parquet"]


def unchanged(value: Any) -> Any:
    return value


OWN = Codec("own", "own.Type", "table", unchanged, unchanged)
"""A codec of a project's own, which accepts every value."""


def refusal(folder: Path, frozen: Any, codec: Codec, form: Format) -> str:
    """The message of the error that refuses a value."""
    with pytest.raises(InexactValue) as caught:
        Commit(folder, PLENTY).write("made", frozen, codec, form)
    assert caught.value.step == "made"
    return caught.value.message


def test_a_file_that_arrow_writes_and_cannot_read_is_no_commit(tmp_path: Path) -> None:
    values = pa.array(["a", "b"]).dictionary_encode()
    nested = pa.DictionaryArray.from_arrays(pa.array([0, 1, 1]), values)
    message = refusal(
        tmp_path, pa.table({"fine": [1, 2, 3], "odd": nested}), OWN, format_named("arrow")
    )
    assert message.startswith(
        "`made`: column 'odd' cannot be kept as arrow and read back exactly (buffer_index out of "
    )
    assert "Nothing was committed. Convert it" in message


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("place", ["column 'odd'", "the index"])
def test_a_recipe_that_restores_nothing_is_no_commit(tmp_path: Path, form: str, place: str) -> None:
    frozen = FRAME.freeze(pd.DataFrame({"fine": [1], "odd": [2.5]}, index=["a"]))
    recipe = recipe_of(frozen)
    assert recipe is not None
    broken = recipe["index"]["flat"] if place == "the index" else recipe["columns"][1]
    broken["as"] = "a kind to come"
    message = refusal(tmp_path, with_recipe(frozen, recipe), FRAME, format_named(form))
    assert message.startswith(f"`made`: {place} cannot be kept as {form}")


def losing_last(write: Callable[[Any, BinaryIO], None]) -> Callable[[Any, BinaryIO], None]:
    """A writer that does not write the last row, element or byte."""
    return lambda frozen, file: write(frozen[: len(frozen) - 1], file)


LOSSES: dict[str, tuple[Any, Codec, str]] = {
    "a row": (TABLE.freeze(pa.table({"x": [1, 2]})), TABLE, "arrow"),
    "an element": (np.arange(3), codec_named("ndarray"), "npy"),
    "a byte": (b"[1] ", codec_named("json"), "json"),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_file_that_holds_less_is_no_commit(tmp_path: Path, loss: str) -> None:
    frozen, codec, name = LOSSES[loss]
    form = format_named(name)
    losing = Format("losing", form.suffix, form.family, losing_last(form.write), form.read)
    assert "read back exactly" in refusal(tmp_path, frozen, codec, losing)


def test_other_values_in_the_file_are_no_commit(tmp_path: Path) -> None:
    form = format_named("arrow")
    losing = Format(
        "losing",
        ".arrow",
        "table",
        lambda frozen, file: form.write(FRAME.freeze(FRAME.thaw(frozen).round()), file),
        form.read,
    )
    frozen = FRAME.freeze(pd.DataFrame({"fine": [1.0, np.nan], "odd": [np.nan, 1.25]}))
    message = refusal(tmp_path, frozen, FRAME, losing)
    assert message.startswith("`made`: column 'odd' cannot be kept as losing")
    assert "(other values)" in message


def test_what_parquet_refuses_names_the_value_too(tmp_path: Path) -> None:
    table = TABLE.freeze(pa.table({"odd": pa.array([(1, 2, 3)], pa.month_day_nano_interval())}))
    message = refusal(tmp_path, table, TABLE, format_named("parquet"))
    assert message.startswith("`made`: column 'odd' cannot be kept in Parquet")


def test_only_a_sample_is_read_back_of_much(tmp_path: Path) -> None:
    """Few rows and few entries of dictionaries are compared, wherever the codes point."""
    names = pd.Index([f"name {number}" for number in range(50_000)])
    frame = pd.DataFrame(
        {"name": pd.Categorical.from_codes(np.arange(50_000)[::-1], names), "text": names}
    )
    sizes: list[int] = []

    def thaw(frozen: Any) -> Any:
        sizes.append(frozen.nbytes)
        return FRAME.thaw(frozen)

    watched = Codec("watched", "own.Frame", "table", FRAME.freeze, thaw)
    for form in FORMATS:
        Commit(tmp_path / form, PLENTY).write(
            "made", FRAME.freeze(frame), watched, format_named(form)
        )
    assert max(sizes) < 100_000 < frame.memory_usage().sum()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("index_type", [pa.int32(), pa.uint16(), pa.uint64()])
def test_a_dictionary_that_is_longer_than_the_sample_is_committed(
    tmp_path: Path, form: str, index_type: Any
) -> None:
    values = pa.array([f"name {number}" for number in range(3000)])
    codes = pa.array([None, 2999, 0, 1500], index_type)
    table = TABLE.freeze(pa.table({"x": pa.DictionaryArray.from_arrays(codes, values)}))
    record = Commit(tmp_path, PLENTY).write("made", table, TABLE, format_named(form))
    assert format_named(form).read(tmp_path / record.file, None).equals(table)


ADAPTERS = '''
from .checkpointing.codecs import Codec, Format, register


class Odd:
    """Something that can be written, and never read."""


def read(path, columns):
    raise ValueError("no such luck")


def thaw(frozen):
    raise ValueError("no such luck")


register(
    Codec("Odd", "demo.adapters.Odd", "odd", lambda value: b"odd", thaw),
    Format("odd", ".odd", "odd", lambda frozen, file: file.write(frozen), read),
)
'''


@pytest.mark.parametrize("is_committed", [True, False])
def test_a_value_that_cannot_be_given_back_ends_the_run_by_name(
    project: Project, is_committed: bool
) -> None:
    project.write("src/demo/adapters.py", ADAPTERS)
    producer = """
    from ..adapters import Odd

    @step
    def odd() -> Odd:
        return Odd()
    """
    consumer = """
    @step
    def used(odd: Odd) -> int:
        return 1
    """
    if is_committed:
        project.segments(s01=producer, s02="    from ..adapters import Odd\n" + consumer)
    else:
        project.segments(s01=producer + consumer)
    record = project.run()
    assert record["exit_code"] == 5
    assert record["error"]["kind"] == "inexact_value"
    assert record["error"]["step"] == "odd"
    assert "`odd`" in record["error"]["message"]
    assert "no such luck" in record["error"]["message"]
    assert project.manifests() == {}
    assert project.strays() == []


GROUPED = """
@step
def late() -> pd.Series:
    flights = pd.DataFrame(
        {
            "carrier": pd.Categorical(["UA", "AA", "UA"], ["AA", "UA", "XX"]),
            "delay": [3, 30, 300],
        }
    )
    bins = pd.cut(flights["delay"], [0, 10, 100])
    return flights.groupby(["carrier", bins], observed=False)["delay"].sum()


@step
def wide(late: pd.Series) -> pd.DataFrame:
    return late.rename("sum").to_frame().unstack()
"""
READ = """
@step
def dtypes(late: pd.Series, wide: pd.DataFrame) -> list[str]:
    names, bins = late.index.levels
    return [str(names.dtype), str(bins.dtype), str(wide.columns.levels[1].dtype), str(late.sum())]
"""


@pytest.mark.parametrize("form", [*in_slow(FORMATS[0]), *in_exhaustive(*FORMATS[1:])])
def test_what_groupby_on_a_category_makes_is_committed_reused_loaded_and_shown(
    project: Project, form: str
) -> None:
    budget = project.folder / "memory_budget.toml"
    budget.write_text(f'{budget.read_text()}\n[checkpoints]\nformat = "{form}"\n')
    project.write("pipeline.toml", '[outputs]\nlate = "late.parquet"\nwide = "wide.parquet"\n')
    project.segments(s01=GROUPED, s02=READ)
    assert project.run()["exit_code"] == 0
    assert project.statuses("--rerun-from", "s02") == {"s01": "reused", "s02": "ran"}
    assert project.load("dtypes") == "['category', 'category', 'category', '33']"
    assert "(10, 100]" in project.command("show", "late").stdout
    assert "(10, 100]" in project.command("show", "wide").stdout
    assert len(pd.read_parquet(project.folder / "wide.parquet")) == 3  # by pandas alone
