"""`show`: one checkpointed value, printed."""

from __future__ import annotations

from typing import Any

from ..base.texts import VALUE_CHARACTERS, cut
from ..codecs.several import item_name
from ..disk.loading import Head, load_value
from ..run.describing import describe_project
from .ending import ended


@ended
def show_command(package: str, pipeline: str | None, value: str, rows: int) -> int:
    """Print one checkpointed value; the exit code."""
    project = describe_project(package, pipeline)
    loaded = load_value(project.graph, project.settings, value, first=rows)
    step = next((step for step in project.graph.steps if step.name == value), None)
    if step is None or step.shape is None:
        _show(value, loaded, rows)
        return 0
    items = loaded if isinstance(loaded, dict) else dict(enumerate(loaded))
    print(f"{value}: {step.shape.type_name} of {len(items)}")
    for key, item in items.items():
        is_short = not isinstance(item, Head) and not hasattr(item, "shape")
        shown = f", {cut(repr(item), VALUE_CHARACTERS)}" if is_short else ""
        print(f"  {item_name(value, key)}: {_kind(item)}{shown}")
    if items:
        print(f"`show {item_name(value, next(iter(items)))}` prints one of them.")
    return 0


def _show(name: str, value: Any, rows: int) -> None:
    print(f"{name}: {_kind(value)}")
    note = value.note if isinstance(value, Head) else ""
    if isinstance(value, Head):
        value = value.value
    elif hasattr(value, "head"):
        value = value.head(rows)
    print(_as_text(value))
    if note:
        print(note)


def _kind(value: Any) -> str:
    shape, kind = tuple(getattr(value, "shape", ())), type(value).__name__
    if isinstance(value, Head):
        shape, kind = (value.rows, *value.value.shape[1:]), value.kind
    sized = f", {' × '.join(map(str, shape))}" if shape else ""
    return f"{kind}{sized}"


def _as_text(value: Any) -> str:
    try:
        return str(value.to_string() if hasattr(value, "to_string") else value)
    except Exception as error:  # pandas keeps types of Arrow that it cannot print
        return f"its own library cannot print it: {error!r}"
