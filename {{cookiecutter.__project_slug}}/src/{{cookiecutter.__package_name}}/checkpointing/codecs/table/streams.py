"""Write a table that comes in batches, so that neither its maker nor its file ever holds the whole.

The bytes of the file depend on the rows alone, not on how they were divided into batches: rows are
divided anew into record batches, and what the whole table is like is decided by all of its batches.
What a batch shows and a later one contradicts, such as a range of row labels, makes the writer
begin a second file, into which it moves the rows of the first one by one.

Rows keep the labels that `pandas.concat` would give them, with two exceptions. If every batch
numbers its rows from 0, as a new frame does, the rows of the whole are numbered on. And an index
keeps no `freq`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ...base.errors import InexactValue
from .buffers import write_batches
from .joining import Batch, Unlike, Whole, read_batch
from .row_labels import Rows
from .waiting import Waiting, joined, joined_labels

FIRST_ROWS = 1000
"""The rows of which `Written` has a copy, at most."""

_SAMPLE_ROWS = 1024
_CHUNK_BYTES = 1 << 24
_MOST_ROWS = 1 << 20


@dataclass(frozen=True)
class Written:
    """A file that has the whole table.

    Attributes:
        file: what `new_file` opened; it is still open.
        rows: how many rows were written.
        first: the first of them, to be compared with what the file gives back.
    """

    file: Any
    rows: int
    first: Any


class StreamWriter:
    """Writes frozen tables, one after the other, as one Arrow IPC file.

    It holds the rows of one record batch and those of the last table. A record batch has as many
    rows as make about 16 MiB, a power of two, by the size of the first rows: 1024 of them, or as
    many as make 16 MiB.

    Args:
        new_file: opens a new file; the writer calls it again if it has to begin a second one.
        read_back: what was written to a file so far, as a table that is mapped.
    """

    def __init__(self, new_file: Callable[[], Any], read_back: Callable[[Any], Any]) -> None:
        self._new_file = new_file
        self._read_back = read_back
        self._table: Whole | None = None
        self._count = 0
        self._waiting = Waiting()
        self._written = 0
        self._chunk_rows: int | None = None
        self._sampled = 0
        self._schema: Any = None
        self._file: Any = None
        self._writer: Any = None
        self._first: Any = None

    def add(self, batch: Any, freeze: Callable[[Any], Any]) -> None:
        """Add the rows of a batch, once it is frozen.

        Raises InexactValue if the batch cannot be kept, or does not continue those before.
        """
        self._count += 1
        try:
            self._add(read_batch(freeze(batch)))
        except (InexactValue, Unlike) as error:
            raise InexactValue(f"batch {self._count}: {error}") from None

    def _add(self, batch: Batch) -> None:
        self._table = batch.whole if self._table is None else self._table.joined(batch)
        self._table.require_labels_known_unique()
        self._waiting.add(batch.rows, self._table.fields())
        self._write(is_end=False)

    def finish(self) -> Written:
        """End the file, which stays open. Raises InexactValue if no batch came."""
        if self._table is None:
            raise InexactValue(
                "no batch came, so the columns of the table are not known; "
                "yield an empty table with its columns, such as frame.iloc[:0]"
            )
        self._write(is_end=True)
        if self._first is None:
            self._first = self._table.empty()
            write_batches(self._writer, self._first)
        self._writer.close()
        return Written(self._file, self._written, self._first)

    def _write(self, *, is_end: bool) -> None:
        """Write the rows that make whole record batches; at the end all of them."""
        assert self._table is not None, "a batch has come"
        schema = self._table.schema()
        if self._schema is None or not self._schema.equals(schema, check_metadata=True):
            self._schema, self._chunk_rows, self._sampled = schema, None, 0
            if self._file is not None:
                self._begin_again()
        self._write_chunks(is_end=is_end)
        if is_end and self._file is None:
            self._begin()

    def _begin(self) -> None:
        self._file, self._written = self._new_file(), 0
        options = pa.ipc.IpcWriteOptions(unify_dictionaries=True)
        sink = pa.PythonFile(self._file, mode="w")
        self._writer = pa.ipc.new_file(sink, self._schema, options=options)

    def _begin_again(self) -> None:
        """Move all rows that were written to a new file, which has the new schema."""
        assert self._table is not None, "a batch has come"
        waiting, self._waiting = self._waiting, Waiting()
        self._writer.close()
        former = self._read_back(self._file)
        self._begin()
        position, fields = 0, self._table.fields()
        for batch in former.to_batches():
            self._waiting.add(self._table.moved(batch, position), fields)
            position += batch.num_rows
            self._write_chunks(is_end=False)
        for rows in waiting.take(waiting.count):
            self._waiting.add(rows, fields)

    def _write_chunks(self, *, is_end: bool) -> None:
        if self._chunk_rows is None:
            self._chunk_rows = self._rows_of_a_chunk(is_end=is_end)
        if self._chunk_rows is None:
            return
        while self._waiting.count >= self._chunk_rows or (is_end and self._waiting.count):
            self._write_chunk(min(self._chunk_rows, self._waiting.count))

    def _rows_of_a_chunk(self, *, is_end: bool) -> int | None:
        """The rows of a record batch, by the first rows; None while too few have come."""
        count = self._waiting.count
        if not count:
            return None
        most = min(_SAMPLE_ROWS, 1 << (count.bit_length() - 1))
        if most == self._sampled and not is_end:
            return None
        self._sampled, size = most, self._size(most)
        if size < _CHUNK_BYTES:
            if most < _SAMPLE_ROWS and not is_end:
                return None
            sample = min(_SAMPLE_ROWS, count)
        else:
            sample = next(n for n in _powers(most) if self._size(n) >= _CHUNK_BYTES)
        rows = max(1, _CHUNK_BYTES * sample // max(1, self._size(sample)))
        return min(_MOST_ROWS, 1 << (rows.bit_length() - 1))

    def _size(self, count: int) -> int:
        """The bytes of the first rows in a file, less those of no rows; no dictionaries."""
        batch = self._record_batch(self._waiting.first(count))
        return int(
            pa.ipc.get_record_batch_size(batch) - pa.ipc.get_record_batch_size(batch.slice(0, 0))
        )

    def _write_chunk(self, count: int) -> None:
        if self._file is None:
            self._begin()
        if not self._written:
            first = self._record_batch(self._waiting.first(min(count, FIRST_ROWS)))
            self._first = pa.Table.from_batches([first])
        batch = self._record_batch(self._waiting.take(count))
        self._writer.write_batch(batch)
        self._written += count

    def _record_batch(self, parts: list[Rows]) -> Any:
        """Rows in memory of their own; raises InexactValue."""
        fields = list(self._schema)
        has_labels = self._table is not None and self._table.has_label_column
        own = fields[:-1] if has_labels else fields
        arrays = [joined(parts, number, field) for number, field in enumerate(own)]
        if has_labels:
            arrays.append(pa.array(joined_labels(parts)))
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)


def _powers(most: int) -> Iterator[int]:
    yield from (1 << n for n in range(most.bit_length()))


def collected(batches: Iterable[Any], freeze: Callable[[Any], Any]) -> Any:
    """The frozen table that batches are, in memory. Raises as `write`."""
    written = write(batches, freeze, io.BytesIO, lambda file: _opened(file.getvalue()))
    return _opened(written.file.getvalue())


def write(
    batches: Iterable[Any],
    freeze: Callable[[Any], Any],
    new_file: Callable[[], Any],
    read_back: Callable[[Any], Any],
) -> Written:
    """Freeze each batch and write it, before the next is made; see StreamWriter.

    Raises InexactValue with the number of the batch, and unchanged what the iterator raises.
    """
    writer = StreamWriter(new_file, read_back)
    iterator = iter(batches)
    while True:  # no loop over `batches`, which would hold a batch while it makes the next
        try:
            batch = next(iterator)
        except StopIteration:
            return writer.finish()
        writer.add(batch, freeze)
        del batch


def _opened(content: bytes) -> Any:
    return pa.ipc.open_file(pa.BufferReader(content)).read_all()
