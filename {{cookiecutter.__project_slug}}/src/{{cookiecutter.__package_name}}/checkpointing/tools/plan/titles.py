"""How a plan names a step: for each of what it runs, in batches, in which engine."""

from __future__ import annotations

from collections.abc import Iterator

from ...codecs import codec_named
from ...graph.steps import Step
from ...worker.engines import engines_of

_SHOWN = {
    "duckdb": "DuckDB",
    "pyspark": "Spark",
}  # as the engine writes its own name; others write it as Python does


def title(step: Step) -> str:
    """Such as `late (polars)`, `by_day for each of days (in batches)`; the name if it is plain."""
    each = f" for each of {step.each}" if step.each else ""
    ways = ", ".join(_ways(step))
    return f"{step.name}{each}" + (f" ({ways})" if ways else "")


def _ways(step: Step) -> Iterator[str]:
    libraries = [codec_named(name).type_name.partition(".")[0] for name in engines_of(step)]
    yield from dict.fromkeys(_SHOWN.get(library, library) for library in libraries)
    is_lazy = step.codec is not None and step.codec in engines_of(step)
    if any(p.in_batches for p in step.parameters) or (step.streams and not is_lazy):
        yield "in batches"
