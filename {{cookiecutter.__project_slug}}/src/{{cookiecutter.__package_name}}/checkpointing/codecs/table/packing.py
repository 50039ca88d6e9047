"""Small tables as text in a file's metadata, such as the categories of a column."""

from __future__ import annotations

import base64
from typing import Any

import pyarrow as pa

from .buffers import write_batches


def pack_table(table: Any) -> str:
    """A small table as text: Arrow IPC in base 64."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        write_batches(writer, table)
    return base64.b64encode(sink.getvalue()).decode()


def unpack_table(packed: str) -> Any:
    """The table that `pack_table` wrote."""
    return pa.ipc.open_stream(base64.b64decode(packed)).read_all()
