"""What `status` says of results outside the checkpoints: published outputs, and sinks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from ..base.texts import one_line
from ..base.units import short
from ..reuse.bound import Bound
from ..reuse.sinks import Sink, sinks_of
from ..reuse.standing import Reusable, Standing, usable
from ..run.outputs import Lookout

_OUTPUT = {
    "missing": "is missing at {path}; `run` publishes it again",
    "changed": "at {path} is not what its checkpoint contains; `run` publishes it again",
    "refused": "at {path} was published by no run of this project; `run` refuses to replace it",
    "unreadable": "at {path} cannot be read: {why}",
}


def outside_json(bound: Bound, lookout: Lookout, item: Standing) -> dict[str, Any]:
    """The outputs that a segment publishes from a checkpoint that can be used, and its sinks."""
    manifest = usable(item)
    outputs = lookout.published(manifest) if manifest else []
    return {
        "outputs": [
            {"value": output.value, "path": output.path, "state": output.state, "why": output.why}
            for output in outputs
        ],
        "sinks": [asdict(sink) for sink in _sinks(bound, item)],
    }


def outside_lines(bound: Bound, lookout: Lookout, item: Standing) -> Iterator[str]:
    """For people: the outputs of a segment that are not as published, and all of its sinks."""
    if (manifest := usable(item)) is not None:
        for output in lookout.published(manifest):
            if output.state in _OUTPUT:
                how = _OUTPUT[output.state].format(
                    path=short(output.path), why=one_line(output.why)
                )
                yield f"output {output.value} {how}"
    for sink in _sinks(bound, item):
        ran = f"ran last {sink.ran_at[:19].replace('T', ' ')}" if sink.ran_at else "has not run"
        how = f" {sink.ran_otherwise}" if sink.ran_otherwise else ""
        way = f"; `run --rerun-from {sink.segment}` repeats it"
        again = way if isinstance(item, Reusable) else ""
        yield f"sink {sink.name} of {sink.segment} {ran}{how}{again}"


def _sinks(bound: Bound, item: Standing) -> list[Sink]:
    return sinks_of(bound.store, bound.settings, item.segment, usable(item))
