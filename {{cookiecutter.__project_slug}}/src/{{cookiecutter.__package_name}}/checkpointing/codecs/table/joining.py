"""What is known of a table from the batches that have come: what continues it, and what does not.

A later batch may show of a column of objects what the former could not, such as its type where
they had nothing but None. All else has to be alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from .arrow import column_recipes, raw_recipe_of, with_recipe, without_recipe
from .arrow_types import has_dictionary, way_out_of_cuts
from .buffers import Recipe, no_rows
from .columns import column_from_arrow
from .row_labels import Labels, Rows

_NUMBERS: Recipe = {"as": "numpy", "dtype": "int64"}


class Unlike(Exception):
    """A batch that does not continue the batches before it; the message has no batch number."""


@dataclass(frozen=True)
class Column:
    """What is known of a column, or of a level of the index.

    `is_nan` says of a column of objects that all its values are NaN: beside text, say, these are
    missing values. `field` is that of a table of Arrow, with what it says beside the type.
    """

    name: str
    type: Any
    recipe: Recipe | None
    has_nulls: bool
    is_nan: bool = False
    dictionary: Any = None
    field: Any = None


@dataclass(frozen=True)
class Whole:
    """What is known of the whole table.

    Attributes:
        columns: its own columns.
        levels: those of an index that is not of integers.
        recipe: of the frame, without its columns and its index; None for a table of Arrow.
        metadata: of a table of Arrow.
        index: the recipe of an index that is not of integers.
        labels: what is known of integer labels.
        is_empty: whether no row has come yet: then its index says nothing.
    """

    columns: tuple[Column, ...]
    levels: tuple[Column, ...]
    recipe: Recipe | None
    metadata: Any
    index: Recipe | None
    labels: Labels | None
    is_empty: bool

    @property
    def has_label_column(self) -> bool:
        return self.labels is not None and self.labels.span is None

    def require_labels_known_unique(self) -> None:
        """Refuse a flag that holds for the labels of each batch, and maybe not for all. Raises."""
        if (self.recipe or {}).get("unique_labels") and (
            self.index is not None or self.has_label_column
        ):
            raise Unlike(
                "it does not allow duplicate labels, which nobody can tell of row labels in "
                "batches; use set_flags(allows_duplicate_labels=True), or reset_index()"
            )

    def fields(self) -> list[Any]:
        """The columns of the file, without one of integer labels."""
        return [
            pa.field(column.name, column.type)
            if column.field is None
            else column.field.with_type(column.type)
            for column in (*self.columns, *self.levels)
        ]

    def schema(self) -> Any:
        """The schema of the file."""
        fields = self.fields()
        if self.recipe is None:
            return pa.schema(fields, self.metadata)
        index = self.index
        if self.labels is not None:
            name, span = self.labels.name, self.labels.span
            index = {"rows": span, "name": name}
            if span is None:
                index = {"flat": _NUMBERS | {"name": name}}
                is_unused = isinstance(name, str) and name not in {c.name for c in self.columns}
                fields.append(pa.field(name if is_unused else "__index_level_0__", pa.int64()))
        recipe = self.recipe | {"columns": [c.recipe for c in self.columns], "index": index}
        return with_recipe(no_rows(pa.schema(fields)), recipe).schema

    def empty(self) -> Any:
        """The table without rows, with its dictionaries."""
        arrays = [
            pa.nulls(0, column.type)
            if column.dictionary is None
            else pa.DictionaryArray.from_arrays(
                pa.nulls(0, column.type.index_type),
                column.dictionary,
                ordered=column.type.ordered,
            )
            for column in (*self.columns, *self.levels)
        ]
        arrays += [pa.nulls(0, pa.int64())] if self.has_label_column else []
        return pa.Table.from_arrays(arrays, schema=self.schema())

    def joined(self, batch: Batch) -> Whole:
        """What is known with one batch more. Raises Unlike."""
        other = batch.whole
        _require_same_names(_names(self.columns), _names(other.columns))
        if (self.recipe is None) != (other.recipe is None):
            raise Unlike("it is a table of another library than those before; yield one kind")
        for key, what in _OF_FRAME.items():
            if (self.recipe or {}).get(key) != (other.recipe or {}).get(key):
                raise Unlike(f"{what} than before; make them the same before the yield")
        columns = tuple(map(_joined_column, self.columns, other.columns))
        if self.is_empty:
            return replace(other, columns=columns)
        if other.is_empty:
            return replace(self, columns=columns)
        if (self.index, _name(self.labels)) != (other.index, _name(other.labels)):
            raise Unlike(
                "its index is of another type or name than before; use reset_index() before the "
                "yield"
            )
        levels = tuple(map(_joined_column, self.levels, other.levels))
        labels = None if self.labels is None else self.labels.joined(batch.rows)
        return replace(self, columns=columns, levels=levels, labels=labels)

    def moved(self, batch: Any, position: int) -> Rows:
        """Rows that were written with a former schema, as rows to write again."""
        columns = [pa.chunked_array([array]) for array in batch.columns]
        count, labels = len(self.columns) + len(self.levels), None
        if len(columns) > count:
            labels = columns[-1].to_numpy()
        elif self.labels is not None:
            labels = self.labels.array(position, batch.num_rows)
        return Rows(columns[:count], batch.num_rows, labels)


_OF_FRAME = {
    "labels": "the names of its columns are others",
    "attrs": "its attrs are others",
    "unique_labels": "its flags are others",
    "series": "its name is another",
}
"""What all batches have alike beside their columns, by its key in a recipe."""


@dataclass(frozen=True)
class Batch:
    """A batch: what it says of the whole, and its rows."""

    whole: Whole
    rows: Rows


def read_batch(frozen: Any) -> Batch:
    recipe = raw_recipe_of(frozen)
    table = without_recipe(frozen)
    if recipe is None:
        columns = _columns(table, [None] * table.num_columns)
        rows = Rows(table.columns, table.num_rows, None)
        metadata = table.schema.metadata
        return Batch(Whole(columns, (), None, metadata, None, None, not table.num_rows), rows)
    index: Recipe | None = _without_freq(recipe["index"])
    recipes: list[Recipe] = column_recipes(recipe | {"index": index})
    known, labels = None, None
    if index is not None and "range" in index:
        start, _, step = index["range"]
        known, labels, index = Labels(index["name"]), (start, step), None
    elif index is not None and "flat" in index and _is_of_numbers(index["flat"]):
        known = Labels(index["flat"]["name"])
        labels, index = table.columns[-1].to_numpy(), None
        table, recipes = table.select(range(table.num_columns - 1)), recipes[:-1]
    if not table.num_columns and isinstance(labels, tuple) and recipe["index"]["range"][1]:
        raise Unlike("it has rows and no columns, which a file does not give back; keep a column")
    rows = Rows(table.columns, table.num_rows, labels)
    frame = {key: value for key, value in recipe.items() if key not in ("columns", "index")}
    every, own_count = _columns(table, recipes), len(recipe["columns"])
    whole = Whole(
        columns=every[:own_count],
        levels=every[own_count:],
        recipe=frame,
        metadata=None,
        index=index,
        labels=None if known is None else known.joined(rows),
        is_empty=not table.num_rows,
    )
    return Batch(whole, rows)


def _is_of_numbers(recipe: Recipe) -> bool:
    return {key: value for key, value in recipe.items() if key != "name"} == _NUMBERS


def _names(columns: Iterable[Column]) -> list[str]:
    return [column.name for column in columns]


def _name(labels: Labels | None) -> Any:
    return None if labels is None else ["labels", labels.name]


def _without_freq(index: Recipe) -> Recipe:
    if "flat" in index:
        return {"flat": {key: value for key, value in index["flat"].items() if key != "freq"}}
    if "levels" in index:
        return index | {"sorted_by": None}
    return index


def _columns(table: Any, recipes: Iterable[Recipe | None]) -> tuple[Column, ...]:
    for field in table.schema:
        if not pa.types.is_dictionary(field.type) and has_dictionary(field.type):
            raise Unlike(
                f"column {field.name!r} holds dictionaries within {field.type}, which may differ "
                "from batch to batch; cast it to a type without dictionaries before the yield"
            )
        if (way_out := way_out_of_cuts(field.type)) is not None:
            raise Unlike(
                f"column {field.name!r} is of type {field.type}, whose file would depend on how "
                f"the rows were divided; {way_out} before the yield"
            )
    triples = zip(table.schema, table.columns, recipes, strict=True)
    return tuple(
        Column(
            field.name,
            column.type,
            recipe,
            bool(column.null_count),
            _is_nan(column, recipe),
            _dictionary(column),
            field if recipe is None else None,
        )
        for field, column, recipe in triples
    )


def _is_nan(column: Any, recipe: Recipe | None) -> bool:
    """Whether a column is of objects that are all NaN."""
    if recipe is None or recipe["as"] != "object" or not pa.types.is_floating(column.type):
        return False
    return bool(len(column)) and bool(pc.all(pc.is_nan(column).fill_null(False)).as_py())


def _dictionary(column: Any) -> Any:
    if not pa.types.is_dictionary(column.type):
        return None
    if column.num_chunks == 0:
        return pa.nulls(0, column.type.value_type)
    return column.chunk(0).dictionary


def _require_same_names(before: list[str], names: list[str]) -> None:
    if before == names:
        return
    if missing := [name for name in before if name not in names]:
        raise Unlike(
            f"it has no column {missing[0]!r}, which the batches before have; give every batch "
            "the same columns, with batch.reindex(columns=[...]), say"
        )
    if added := [name for name in names if name not in before]:
        raise Unlike(
            f"it has a column {added[0]!r}, which the batches before do not have; give every "
            "batch the same columns"
        )
    raise Unlike("its columns are in another order than before; yield batch[[...]] in one order")


def _joined_column(before: Column, added: Column) -> Column:
    """What is known of a column with one batch more. Raises Unlike."""
    has_nulls = before.has_nulls or added.has_nulls
    if before.type == added.type and before.recipe == added.recipe:
        if before.field is not None and not before.field.equals(added.field, check_metadata=True):
            raise Unlike(
                f"column {before.name!r} may have nulls, or has metadata, where those before "
                "differ; give all batches one schema before the yield"
            )
        _require_same_dictionary(before, added)
        return replace(before, has_nulls=has_nulls, is_nan=before.is_nan and added.is_nan)
    if all(c.recipe is not None and c.recipe["as"] == "object" for c in (before, added)):
        return _joined_objects(before, added)
    raise _of_types(before, added)


def _joined_objects(before: Column, added: Column) -> Column:
    """As `_joined_column`, of two columns of objects of which one may show more than the other."""
    columns, marks = [before, added], set()
    is_of_floats = all(pa.types.is_floating(c.type) or pa.types.is_null(c.type) for c in columns)
    for number, column in enumerate(columns):
        assert column.recipe is not None, "it is of a frame"
        marks |= {column.recipe["missing"]} if column.has_nulls else set()
        if column.is_nan and not is_of_floats:
            marks.add("nan")
            columns[number] = replace(column, type=pa.null())
    kind = _joined_type(columns[0].type, columns[1].type)
    if kind is None:
        raise _of_types(before, added)
    if len(marks) > 1:
        raise Unlike(
            f"column {before.name!r} has {' and '.join(sorted(marks))} for missing values; "
            "make them one, for instance with column.where(column.notna(), None)"
        )
    recipe = {"as": "object", "missing": next(iter(marks), "None")}
    is_nan = is_of_floats and all(c.is_nan or pa.types.is_null(c.type) for c in columns)
    is_nan = is_nan and any(c.is_nan for c in columns)
    return replace(before, type=kind, recipe=recipe, has_nulls=bool(marks), is_nan=is_nan)


def _of_types(before: Column, added: Column) -> Unlike:
    return Unlike(
        f"column {before.name!r} is {_shown(added)}, and {_shown(before)} in the batches before; "
        f"give it one type in all batches, with astype or cast, before the yield"
    )


def _joined_type(before: Any, added: Any) -> Any:
    """The type of objects of both types; None if there is none that keeps both exactly."""
    if before == added or pa.types.is_null(added):
        return before
    if pa.types.is_null(before):
        return added
    both = (before, added)
    if all(map(pa.types.is_decimal128, both)) and before.scale == added.scale:
        return max(both, key=lambda kind: int(kind.precision))
    if all(map(pa.types.is_list, both)):  # of which all were empty in some batches, say
        items = _joined_type(before.value_type, added.value_type)
        return None if items is None else pa.list_(before.value_field.with_type(items))
    if all(map(pa.types.is_struct, both)) and before.names == added.names:
        kinds = [_joined_type(f.type, g.type) for f, g in zip(before, added, strict=True)]
        return (
            None
            if None in kinds
            else pa.struct([f.with_type(k) for f, k in zip(before, kinds, strict=True)])
        )
    return None


def _require_same_dictionary(before: Column, added: Column) -> None:
    if before.dictionary is None or _is_same(before.dictionary, added.dictionary):
        return
    known = set(before.dictionary.to_pylist())
    new = [value for value in added.dictionary.to_pylist() if value not in known]
    what = f"new: {', '.join(map(repr, new[:3]))}" if new else "fewer, or in another order"
    if before.recipe is not None and before.recipe["as"] != "category":
        raise Unlike(
            "its MultiIndex has other levels than before; use reset_index() before the yield"
        )
    raise Unlike(
        f"column {before.name!r} has other categories than the batches before ({what}); give all "
        "batches the same categories, with astype(pd.CategoricalDtype([...])), or yield plain text"
    )


def _is_same(before: Any, added: Any) -> bool:
    """Whether two dictionaries are equal, NaN included: a level of an index may hold it."""
    if before.equals(added):
        return True
    if before.type != added.type or len(before) != len(added):
        return False
    batches = [pa.RecordBatch.from_arrays([array], names=["x"]) for array in (before, added)]
    return bool(batches[0].serialize().equals(batches[1].serialize()))


def _shown(column: Column) -> str:
    """A type for people: of a frame the dtype."""
    if column.recipe is None or column.recipe["as"] in ("category", "arrow"):
        return str(column.type)
    dtype = str(
        column_from_arrow(no_rows(pa.schema([("x", column.type)])).column(0), column.recipe).dtype
    )
    return f"object ({column.type})" if dtype == "object" else dtype
