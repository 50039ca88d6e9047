"""Copy-on-write for frames whose memory belongs to a checkpoint.

The memory of a thawed frame's columns is in a mapped file or in a frozen value, both read-only.
pandas copies a column on its first write as long as another frame refers to the same memory. So the
worker would have to keep that other frame, and with it the memory. Instead, every column gets a
second reference, from a block that is never freed and that owns none of the memory. So the first
write to a column copies this column only, nothing is copied before, and the step can still free all
of the memory.

Only this module uses pandas' internals (`_mgr`, `_references`, since 2.0).
"""

from __future__ import annotations

from typing import Any, TypeVar

import pandas as pd

_Pandas = TypeVar("_Pandas", pd.DataFrame, "pd.Series[Any]")

_OWNER: Any = pd.Series([0])
_OWNERS_BLOCK: Any = _OWNER._mgr.blocks[0]


def share(frame: _Pandas) -> _Pandas:
    """Mark the memory of a DataFrame or Series and of its index as shared; returns the object."""
    blocks: Any = frame._mgr.blocks
    for block in blocks:
        block.refs.add_reference(_OWNERS_BLOCK)
    share_index(frame.index)
    return frame


def share_index(index: Any) -> None:
    """Mark an index's memory as shared, because `reset_index` and others make it a column."""
    if not isinstance(index, (pd.MultiIndex, pd.RangeIndex)):
        index._references.add_reference(_OWNERS_BLOCK)
