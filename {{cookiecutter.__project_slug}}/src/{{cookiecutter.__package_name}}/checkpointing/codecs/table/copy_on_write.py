"""Copy-on-write for frames whose memory belongs to a checkpoint.

The columns of a thawed frame lie in a mapped file or in a frozen value, both read-only. pandas
copies a column on its first write as long as another frame refers to the same memory, which would
oblige the worker to keep that other frame, and with it the memory, alive. So every column is given
a co-owner that never dies and owns nothing: each write copies the one column it touches, nothing
is copied before, and the step can still free all of it.

This is the one place that touches pandas' internals (`_mgr`, `_references`, since 2.0).
"""

from __future__ import annotations

from typing import Any, TypeVar

import pandas as pd

_Pandas = TypeVar("_Pandas", pd.DataFrame, "pd.Series[Any]")

_OWNER: Any = pd.Series([0])
_OWNERS_BLOCK: Any = _OWNER._mgr.blocks[0]


def share(frame: _Pandas) -> _Pandas:
    """Mark a DataFrame's or Series' memory, and its index's, as shared for good; returns it."""
    blocks: Any = frame._mgr.blocks
    for block in blocks:
        block.refs.add_reference(_OWNERS_BLOCK)
    share_index(frame.index)
    return frame


def share_index(index: Any) -> None:
    """The same for an index, whose values become a column in `reset_index` and the like."""
    if not isinstance(index, (pd.MultiIndex, pd.RangeIndex)):
        index._references.add_reference(_OWNERS_BLOCK)
