"""What a person can do about a step that does not fit: code to write, and what it would hold.

A figure is the planner's own: the memory before any step, what the values hold that the step still
takes whole, and what is kept free for a step that takes as much memory as there is.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ..base.units import size
from ..codecs import codec_named, family_known
from ..graph.steps import Parameter, Step
from .forecast import Forecast
from .plan import budget_for, usable
from .profile import ELASTIC_BYTES

PAGE = "docs/larger-than-memory.md"
"""The page of a project that shows each of the ways with examples."""

_TENTH_CASE = "docs/tenth-case.md"

_ENGINES = (("duckdb", "DuckDBPyRelation", 100 * 10**6), ("polars", "polars.LazyFrame", None))
"""The package of an engine, its codec for a table that is not held, and the bytes with which it can
sort, join and group any number of rows; None: it puts only a part of what it holds on disk."""

_SPARK = "pyspark.sql.DataFrame"
_LAZY_CODECS = {_SPARK, *(codec for _, codec, _ in _ENGINES)}
_WITH_COLUMNS = ("DataFrame", "Table", "polars.DataFrame")
_ALIASES = {"pandas": "pd", "polars": "pl", "pyarrow": "pa"}
_LISTED_TABLES = 3

Kind = Literal["columns", "batches", "engine", "less", "split", "budget", "executor"]


@dataclass(frozen=True)
class Excess:
    """A step that does not fit; sizes in bytes."""

    budget: int
    headroom: float

    needed: int = 0
    """What it held in a process of its own, from its begin to its end; 0: it was stopped before."""

    is_start: bool = False
    """Whether an engine did not start: then `needed` is what it held, and what that takes."""

    is_writing: bool = False
    """Whether it had ended, and memory ran out while its value was written."""

    in_engine: bool = False
    """Whether an engine could not do with what it was allowed."""

    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """How manifests describe tables that it takes, by value: rows and schema."""

    executor: str = ""
    """The table of [executors] whose memory is the budget; empty: the step runs here."""


@dataclass(frozen=True)
class WayOut:
    """One way to make a step fit.

    Attributes:
        do: what to do, for people.
        code: the annotations to write, if any.
        command: what to type, without the project's name before it; empty if there is nothing.
        held_bytes: what the step would then hold by the forecast; None if that is not known.
        fits: whether that is within the budget without the headroom; None if it is not known.
    """

    kind: Kind
    do: str
    code: tuple[str, ...] = ()
    command: str = ""
    held_bytes: int | None = None
    fits: bool | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def ways_out(step: Step, forecast: Forecast, excess: Excess) -> tuple[WayOut, ...]:
    """The ways out for a step, the ones that ask for the smallest change first.

    Args:
        forecast: of the pipeline, with what is known of the step since it failed.
    """
    return tuple(_ways(step, forecast, excess))


def _ways(step: Step, forecast: Forecast, excess: Excess) -> Iterator[WayOut]:
    if excess.is_start:  # less to work on does not help
        yield _budget(excess)
        return
    tables = _tables(step, forecast)
    if not excess.is_writing:
        yield from _columns(tables, excess)
        yield from _less_at_once(step, excess)
        yield from _batches(step, tables, forecast, excess)
        yield from _engines(step, tables, forecast, excess)
    elif _holds_its_table(step):
        yield WayOut(
            "batches",
            f"make its table in batches, each of which is written at once: `{_yielded(step)}`",
            (_yielded(step),),
        )
    yield WayOut("split", "split the step in two, so that less is held at once")
    yield _budget(excess)
    if not excess.executor:
        yield WayOut(
            "executor",
            f"if it needs all of that at once, as training may, run its segment on infrastructure "
            f"that lives only for it: {_TENTH_CASE}",
        )


def _tables(step: Step, forecast: Forecast) -> list[Parameter]:
    """The parameters that take a table of an earlier step whole, the largest first."""
    whole = [
        parameter
        for parameter in forecast.graph.values_of(step)
        if family_known(parameter.codec) == "table"
        and not parameter.in_batches
        and parameter.codec is not None
        and codec_named(parameter.codec).batches is None
        and parameter.codec not in _LAZY_CODECS
    ]
    return sorted(whole, key=lambda p: _bytes_of(p, forecast), reverse=True)


def _files(step: Step, forecast: Forecast) -> list[Parameter]:
    """The parameters that are files of [inputs], as far as their types tell."""
    made = {parameter.name for parameter in forecast.graph.values_of(step)}
    return [
        parameter
        for parameter in step.parameters
        if parameter.codec == "Path" and parameter.name not in {*made, "workdir"}
    ]


def _bytes_of(parameter: Parameter, forecast: Forecast) -> int:
    measure = forecast.measures.get(parameter.source)
    return max(measure.value_bytes, measure.file_bytes) if measure else 0


def _columns(tables: list[Parameter], excess: Excess) -> Iterator[WayOut]:
    wide = [p for p in tables if p.codec in _WITH_COLUMNS and p.columns is None][:_LISTED_TABLES]
    if not wide:
        return
    code = tuple(f"{p.name}: Annotated[{_shown(p)}, Columns(...)]" for p in wide)
    listed = ", ".join(f"`{each}`" for each in code)
    named = ", ".join(filter(None, (_described(p, excess) for p in wide)))
    has = f" ({named})" if named else ""
    yield WayOut(
        "columns",
        f"load only the columns that it needs{has}: {listed}. How much that saves depends on the "
        f"columns; `review` names those that the code uses",
        code,
        "review",
    )


def _described(parameter: Parameter, excess: Excess) -> str:
    description = excess.tables.get(parameter.taken, {})
    if not description.get("schema"):
        return ""
    return (
        f"`{parameter.name}` has {len(description['schema'])} columns, {description['rows']:,} rows"
    )


def _less_at_once(step: Step, excess: Excess) -> Iterator[WayOut]:
    """What remains to do for a step that takes batches, or uses an engine, already."""
    for parameter in step.parameters:
        if parameter.in_batches and parameter.rows is not None:
            yield WayOut(
                "less",
                f"take `Batches(rows={parameter.rows})` out of `{parameter.name}`: the runtime "
                f"then chooses a number of rows that fits the budget",
            )
    if any(parameter.in_batches for parameter in step.parameters):
        yielded = "" if step.streams else f", or `yield` it: `{_yielded(step)}`"
        kept = f"keep less of each batch: a partial result in place of its rows{yielded}"
        yield WayOut("less", kept)
    if excess.in_engine or _is_lazy(step):
        yield WayOut(
            "less",
            "let the engine hold less: select columns and filter rows before it sorts, joins or "
            "groups, and collect no list of all rows",
        )


def _batches(
    step: Step, tables: list[Parameter], forecast: Forecast, excess: Excess
) -> Iterator[WayOut]:
    files = _files(step, forecast)
    if _is_lazy(step) and not tables:
        return
    if tables:
        batched = tables[0]
        code = [f"{batched.name}: Iterator[{_shown(batched)}]"]
    elif files:
        batched = files[0]
        code = [f"{batched.name}: Iterator[pd.DataFrame]"]
    elif _holds_its_table(step) and not _takes_batches(step):
        yield WayOut(
            "batches",
            f"make its table in batches, each of which is written at once: `{_yielded(step)}`. "
            f"Whether that fits is not known: it depends on the size of a batch",
            (_yielded(step),),
        )
        return
    else:
        return
    if _holds_its_table(step):
        code.append(_yielded(step))
    held = _elastic(step, {batched.taken}, forecast)
    written = " and ".join(f"`{each}`" for each in code)
    yield WayOut(
        "batches",
        f"take `{batched.name}` in batches, if each row can be worked on without the others, or "
        f"partial results can be combined: {written}. {_figure(held, excess)}",
        tuple(code),
        "",
        held,
        _fits(held, excess),
    )


def _engines(
    step: Step, tables: list[Parameter], forecast: Forecast, excess: Excess
) -> Iterator[WayOut]:
    used = {codec for codec in (step.codec, *(p.codec for p in step.parameters)) if codec}
    for package, codec, least in _ENGINES:
        taken = [*tables, *_lazy(step)]
        if codec in used or not taken or (least is None and _is_lazy(step)):
            continue
        shown = _named(codec)
        code = tuple(f"{p.name}: {shown}" for p in taken)
        do = f"use {_TITLES[package]}: " + ", ".join(f"`{each}`" for each in code[:_LISTED_TABLES])
        is_missing = importlib.util.find_spec(package) is None
        command = f"uv add {package}" if is_missing else ""
        do += f" (`{command}` adds it to the project)" if command else ""
        if least is None:
            held, figure = None, _PARTLY_ON_DISK
        else:
            held = _elastic(step, {p.taken for p in taken}, forecast, least)
            figure = _figure(held, excess)
        yield WayOut("engine", f"{do}. {figure}", code, command, held, _fits(held, excess))


_TITLES = {
    "duckdb": "DuckDB, which puts on disk what a sort, a join or a group cannot hold in memory",
    "polars": "polars, which reads only the columns and rows that it needs",
}
_PARTLY_ON_DISK = (
    "Whether that fits is not known: it puts on disk a part of what a sort or a group holds, and "
    "of a join hardly anything"
)


def _budget(excess: Excess) -> WayOut:
    agreed = "raise the budget, if whoever owns memory_budget.toml agrees"
    if excess.executor:
        agreed = f"raise `memory` of [executors.{excess.executor}] in pipeline.toml"
    if excess.needed <= excess.budget:
        return WayOut("budget", f"{agreed}; how much it takes is not known, as it was stopped")
    least = _rounded_up(budget_for(excess.needed, excess.headroom))
    if excess.executor:
        return WayOut("budget", f"{agreed} to {size(least)}", (), "", excess.needed, None)
    command = f"plan --budget {size(least).replace(' ', '')}"
    return WayOut(
        "budget", f"{agreed}: `{command}` shows that all fits", (), command, excess.needed, None
    )


def _elastic(
    step: Step, streamed: set[str], forecast: Forecast, least: int = ELASTIC_BYTES
) -> int | None:
    """What a step holds that takes some of its values piece by piece, and works on them with the
    least that it can do with; bytes."""
    baseline = forecast.baseline(forecast.graph.number(step.name))
    if not baseline:
        return None
    whole = {p.taken for p in forecast.graph.values_of(step)} - streamed
    return baseline + sum(map(forecast.load, whole)) + least


def _figure(held: int | None, excess: Excess) -> str:
    if held is None:
        return "Whether that fits is not known: nothing of the step is measured yet"
    free = usable(excess.budget, excess.headroom)
    verdict = "" if held <= free else ", so it does not fit"
    return (
        f"By the forecast the step then needs about {size(held)}, and the budget less its headroom "
        f"is {size(free)}{verdict}"
    )


def _fits(held: int | None, excess: Excess) -> bool | None:
    return None if held is None else held <= usable(excess.budget, excess.headroom)


def _holds_its_table(step: Step) -> bool:
    """Whether the process of a step holds all of the table that the step makes."""
    is_held = not step.streams and step.codec not in _LAZY_CODECS
    return is_held and family_known(step.codec) == "table"


def _takes_batches(step: Step) -> bool:
    return any(parameter.in_batches for parameter in step.parameters)


def _lazy(step: Step) -> list[Parameter]:
    """The parameters that take a table which an engine does not hold."""
    return [p for p in step.parameters if p.codec in _LAZY_CODECS]


def _is_lazy(step: Step) -> bool:
    """Whether a step takes or returns a table which an engine does not hold."""
    return bool(_lazy(step)) or step.codec in _LAZY_CODECS


def _yielded(step: Step) -> str:
    name = _named(step.codec) if step.codec else "pd.DataFrame"
    return f"-> Iterator[{name}]"


def _shown(parameter: Parameter) -> str:
    return _named(parameter.codec or "DataFrame")


def _named(codec: str) -> str:
    """The type of a codec as people write it: `pd.DataFrame`."""
    package, _, rest = codec_named(codec).type_name.partition(".")
    return f"{_ALIASES.get(package, package.removeprefix('_'))}.{rest.rpartition('.')[2]}"


def _rounded_up(count: int) -> int:
    """The next size with at most three significant digits, as sizes are shown."""
    unit = int(10 ** max(0, len(str(count)) - 3))
    return -(-count // unit) * unit
