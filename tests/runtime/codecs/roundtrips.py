"""The matrix of values that a process commits and another process reads, case by case.

    python -m tests.runtime.codecs.roundtrips CASES FOLDER

reads the files that `write` committed to the folder, and prints for each file how it compares with
the value that the case makes again: the second process gets nothing of the first except the files.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache, partial
from math import gcd, prod
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from flight_delays.checkpointing.base.errors import InexactValue
from flight_delays.checkpointing.codecs import codec_named, format_named
from flight_delays.checkpointing.codecs.table.indexes import chosen_labels
from flight_delays.checkpointing.disk.commit import Commit
from flight_delays.checkpointing.disk.manifest import FileRecord

from . import exactness as exact
from . import kinds, ordinary

ROOT = Path(__file__).parents[3]
FORMATS = ("arrow", "parquet")
SHAPES: dict[str, Callable[[Callable[[int], Any]], Any]] = {
    "no rows": lambda make: make(0),
    "one row": lambda make: make(1),
    "rows": lambda make: make(6),
    "a slice": lambda make: make(9).iloc[2:7],
    "rows backwards": lambda make: make(5).iloc[::-1],
    "rows twice": lambda make: pd.concat([make(4), make(4)]),
    "no rows of some": lambda make: make(5).iloc[3:3],
}


@dataclass(frozen=True)
class Case:
    """A value and the format of its file. The name lists the kinds that the value consists of.

    `kind` is its unusual kind, if only one of its kinds is unusual.
    """

    name: str
    codec: str
    form: str
    make: Callable[[], Any]
    kind: str = ""


@dataclass(frozen=True)
class Outcome:
    """The result of a case, `exact`, `refused` or `wrong`, and the message that explains it."""

    case: str
    result: str
    message: str = ""
    kind: str = ""


def frame(values: Any, index: Any, labels: Any, size: int) -> pd.DataFrame:
    """Two columns of the given kinds of values, index and labels."""
    row_labels = index(size)
    columns = {number: as_series(values(size), row_labels) for number in range(2)}
    result = pd.DataFrame(columns, index=row_labels)
    result.columns = labels(2)
    return result


def as_series(values: Any, index: Any = None) -> pd.Series[Any]:
    """A Series that keeps Python objects unchanged."""
    is_object = isinstance(values, np.ndarray) and values.dtype == object
    return pd.Series(values, index=index, dtype=object if is_object else None)


def series(values: Any, index: Any, title: Any, size: int) -> pd.Series[Any]:
    """A Series of the given kinds of values and index."""
    return as_series(values(size), index(size)).rename(title)


def single_kinds() -> Iterator[Case]:
    """Every kind in its place, together with ordinary kinds only."""
    plain, labels = kinds.FLAT["int64"], lambda size: pd.Index(["x", "y"][:size])
    for form in FORMATS:
        for (name, values), shape in _paired((kinds.VALUES | kinds.REFUSED).items(), SHAPES):
            make = partial(frame, values, pd.RangeIndex, labels)
            yield _case("columns", name, "DataFrame", form, shape, make)
            make_series = partial(series, values, pd.RangeIndex, None)
            yield _case("Series", name, "Series", form, shape, make_series)
        for (name, index), shape in _paired(kinds.INDEXES.items(), SHAPES):
            make = partial(frame, plain, index, labels)
            yield _case("index", name, "DataFrame", form, shape, make)
        for name, index in kinds.INDEXES.items():
            yield Case(f"{form}: alone, {name}", "Index", form, partial(index, 5), name)
            make = partial(frame, plain, pd.RangeIndex, index)
            yield _case("labels", name, "DataFrame", form, "rows", make)
        for name, column in kinds.ARROW.items():
            for size in (0, 1, 5):
                table = partial(_table, column, size)
                yield Case(f"{form}: table, {name}, {size}", "Table", form, table, f"arrow {name}")
        for name, value in frames_of_a_day().items():
            copy = partial(_ordinary, name)
            yield Case(f"{form}: {name}", type(value).__name__, form, copy, "ordinary")
    for name, array in (kinds.ARRAYS | kinds.REFUSED_ARRAYS).items():
        yield Case(f"npy: {name}", "ndarray", "npy", partial(_itself, array), f"array: {name}")
    for name, plain in kinds.PLAIN.items():
        yield Case(f"json: {name}", "json", "json", partial(_itself, plain), f"plain: {name}")


def combined(count: int) -> Iterator[Case]:
    """`count` combinations of index, labels, values, shape and format, at equal distances."""
    dimensions: list[list[Any]] = [
        list(kinds.INDEXES.items()),
        list(kinds.INDEXES.items()),
        list(kinds.VALUES.items()),
        list(SHAPES),
        list(FORMATS),
        list(kinds.NAMES),
        ["DataFrame", "DataFrame", "Series"],
    ]
    total = prod(map(len, dimensions))
    stride = next(n for n in itertools.count(int(total * 0.618034)) if gcd(n, total) == 1)
    for number in range(count):
        rest, combination = number * stride % total, []
        for dimension in dimensions:
            rest, position = divmod(rest, len(dimension))
            combination.append(dimension[position])
        (index_name, index), (label_name, labels), (name, values), shape, form, title, codec = (
            combination
        )
        description = f"{name}; {index_name}; {label_name}, {shape}, called {title!r}"
        if codec == "Series":
            make: Callable[[int], Any] = partial(series, values, index, title)
        else:
            make = partial(_named_frame, values, index, labels, title)
        yield Case(f"{form}: {description}", codec, form, partial(SHAPES[shape], make))


def _paired(named_kinds: Any, shapes: Any) -> Iterator[tuple[Any, str]]:
    """Each kind with the shape `rows` and, in turn, with another shape."""
    others = itertools.cycle(shape for shape in shapes if shape != "rows")
    for kind in named_kinds:
        yield kind, "rows"
        yield kind, next(others)


def _case(
    place: str, kind: str, codec: str, form: str, shape: str, make: Callable[[int], Any]
) -> Case:
    return Case(
        f"{form}: {place}, {kind}, {shape}", codec, form, partial(SHAPES[shape], make), kind
    )


def _named_frame(values: Any, index: Any, labels: Any, title: Any, size: int) -> pd.DataFrame:
    result = frame(values, index, labels, size)
    result.index.names = [title] * result.index.nlevels
    result.columns.names = [title] * result.columns.nlevels
    result.attrs = {"source": title if isinstance(title, str) else "none", "years": [2013]}
    return result


def _table(column: Any, size: int) -> pa.Table:
    half = pa.table({"x": column(size)})
    return pa.concat_tables([half, half]) if size > 1 else half


def _itself(value: Any) -> Any:
    return value


frames_of_a_day = cache(ordinary.ordinary)


def _ordinary(name: str) -> Any:
    return frames_of_a_day()[name].copy(deep=False)


# --- there and back -------------------------------------------------------------------------------


def chosen(every: int, count: int) -> list[Case]:
    """Every n-th case of a single kind, all ordinary cases, and `count` combinations."""
    is_ordinary: dict[bool, list[Case]] = {True: [], False: []}
    for case in single_kinds():
        is_ordinary[case.kind == "ordinary"].append(case)
    return [*is_ordinary[True], *is_ordinary[False][::every], *combined(count)]


def there_and_back(every: int, count: int, folder: Path) -> list[Outcome]:
    """Commit the cases in this process, and let another process read them."""
    outcomes = write(chosen(every, count), folder)
    command = [sys.executable, "-m", __name__, str(every), str(count), str(folder)]
    reader = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return outcomes + [Outcome(**line) for line in map(json.loads, reader.stdout.splitlines())]


def write(cases: list[Case], folder: Path) -> list[Outcome]:
    """Commit each case's value; returns the outcomes of the cases without a file."""
    commit, records, outcomes = Commit(folder, allowance=1 << 60), {}, []
    for number, case in enumerate(cases):
        codec, form = codec_named(case.codec), format_named(case.form)
        try:
            frozen = codec.freeze(case.make())
            record = commit.write(f"value{number}", frozen, codec, form)
            records[number] = asdict(record)
        except InexactValue as refusal:
            outcomes.append(Outcome(case.name, "refused", refusal.message, case.kind))
        except Exception as error:
            outcomes.append(Outcome(case.name, "wrong", f"writing: {error!r}", case.kind))
    (folder / "records.json").write_text(json.dumps(records))
    return outcomes


def read(cases: list[Case], folder: Path) -> Iterator[Outcome]:
    """Compare the value from each file with the value that the case makes again."""
    records = json.loads((folder / "records.json").read_text())
    for number, record in records.items():
        case = cases[int(number)]
        try:
            differences = _differences(case, folder, FileRecord(**record))
        except Exception as error:
            differences = [f"reading: {error!r}"]
        yield Outcome(
            case.name, "wrong" if differences else "exact", ", ".join(differences), case.kind
        )


def _differences(case: Case, folder: Path, record: FileRecord) -> list[str]:
    value, codec, path = case.make(), codec_named(case.codec), folder / record.file
    frozen = format_named(record.format).read(path, None)
    thawed = codec.thaw(frozen)
    if case.codec in ("ndarray", "json"):
        same = exact.same_ndarray if case.codec == "ndarray" else exact.same_scalar
        return [] if same(thawed, value) else ["another value"]
    if case.codec == "Table":
        value = value.unify_dictionaries()
        is_same = thawed.schema.equals(value.schema, check_metadata=True)
        is_same = is_same and all(map(exact.same_arrow, thawed.columns, value.columns))
        return [] if is_same else ["another table"]
    if case.codec == "Index":
        return [] if exact.same_index(thawed, value) else ["another index"]
    differences = [] if exact.same_frame(thawed, value) else ["another value"]
    codec_named("Table").thaw(frozen)  # a step may declare it as a Table
    if isinstance(value, pd.DataFrame) and value.shape[1]:
        first_column = format_named(record.format).read(path, (frozen.column_names[0],))
        first = value.iloc[:, [0]]
        first.columns = chosen_labels(value.columns, [0])
        if not exact.same_frame(codec.thaw(first_column), first):
            differences.append("another column")
    return differences


def main() -> None:
    """Read the files that another process wrote."""
    every, count, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for outcome in read(chosen(every, count), folder):
            print(json.dumps(asdict(outcome)))


if __name__ == "__main__":
    main()
