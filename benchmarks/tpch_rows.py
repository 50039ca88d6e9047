"""The rows of the benchmark tpch: what each engine took, against the first of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from measure import Row, Watched, ratios, seconds_of, show_bytes, show_ratio, show_seconds, spread

NAME = "tpch"
BUDGET_EXCEEDED = 3  # the exit code of the project's `run`
_COMPLETES = "completes"


@dataclass(frozen=True)
class Measured:
    """What one engine took under its budget, in bytes, if it had one.

    Attributes:
        ingest: the run that made the tables.
        queries: the runs of each query, one a round.
        is_right: of each query that completed, whether its answer is the right one.
    """

    budget: int | None
    ingest: Watched
    queries: dict[str, list[Watched]]
    is_right: dict[str, bool]


def of(measured: dict[str, Measured]) -> list[Row]:
    """All rows of the engines, the first of which is the baseline of the others."""
    queries = next(iter(measured.values())).queries
    return [
        *_of_ingest(measured),
        *(row for query in queries for row in _of_query(query, measured)),
        *(_of_answers(engine, its) for engine, its in measured.items()),
    ]


def of_plain_join(plain: list[Watched], measured: dict[str, Measured]) -> list[Row]:
    """A plain script that joins the files, against each engine's join that completed."""
    peak = spread([run.peak_bytes for run in plain]).median
    rows = [
        Row(
            NAME,
            "join, plain script of pandas, no budget",
            f"{show_seconds(spread(seconds_of(plain)))}, {show_bytes(peak)}",
        )
    ]
    for engine, its in measured.items():
        runs = its.queries["join"]
        if its.budget is not None and not is_exceeded(runs):
            ours = spread([run.peak_bytes for run in runs]).median
            rows.append(
                Row(
                    NAME,
                    f"join, {engine}: peak against the plain script",
                    show_bytes(ours),
                    f"plain {show_bytes(peak)}",
                    f"{ours / peak:.2f}",
                )
            )
    return rows


def of_whole_under_budget(engine: str, runs: dict[str, Watched], budget: int) -> Row:
    """Which segments of the engine without a budget do not complete under that of the others."""
    exceeding = [_title(segment) for segment, run in runs.items() if is_exceeded([run])]
    value = f"exceeds it: {', '.join(exceeding)}" if exceeding else _COMPLETES
    return Row(NAME, f"{engine} under the budget", value, f"budget {show_bytes(budget)}")


def is_exceeded(runs: list[Watched]) -> bool:
    """Whether the budget ended one of the runs; raises RuntimeError for any other failure."""
    for run in runs:
        run.expected(BUDGET_EXCEEDED if run.exit_code == BUDGET_EXCEEDED else 0)
    return any(run.exit_code == BUDGET_EXCEEDED for run in runs)


def _of_ingest(measured: dict[str, Measured]) -> Iterator[Row]:
    for engine, its in measured.items():
        yield _of_runs(f"six tables to checkpoints, {engine}", engine, [its.ingest], measured)
    first, *others = measured
    base = _written(measured[first].ingest)
    yield Row(NAME, f"bytes of these checkpoints, {first}", show_bytes(base))
    for engine in others:
        written = _written(measured[engine].ingest)
        ratio = f"{written / base:.2f}"
        figure = f"bytes of these checkpoints, {engine}"
        yield Row(NAME, figure, show_bytes(written), f"{first} {show_bytes(base)}", ratio)


def _of_query(query: str, measured: dict[str, Measured]) -> Iterator[Row]:
    for engine, its in measured.items():
        yield _of_runs(f"{_title(query)}, {engine}", engine, its.queries[query], measured, query)


def _of_runs(
    figure: str,
    engine: str,
    runs: list[Watched],
    measured: dict[str, Measured],
    query: str | None = None,
) -> Row:
    """Time and peak of some runs, and those of the first engine; of `query`, or the ingest."""
    first = next(iter(measured))
    its = measured[first]
    base = [its.ingest] if query is None else its.queries[query]
    budget = measured[engine].budget
    target = "" if budget is None else f"≤ {show_bytes(budget)}"
    if is_exceeded(runs):
        return Row(NAME, figure, "exceeds the budget", target=target, met=False)
    peaks = [run.peak_bytes for run in runs]
    met = None if budget is None else max(peaks) <= budget
    baseline = ratio = ""
    if engine != first and not is_exceeded(base):
        base_peak = spread([run.peak_bytes for run in base]).median
        baseline = f"{first} {_shown(base)}"
        faster = show_ratio(ratios(seconds_of(runs), seconds_of(base)))
        ratio = f"{faster}, {spread(peaks).median / base_peak:.2f}"
    return Row(NAME, figure, _shown(runs), baseline, ratio, target, met)


def _of_answers(engine: str, its: Measured) -> Row:
    wrong = [_title(query) for query, is_right in its.is_right.items() if not is_right]
    return Row(
        NAME,
        f"answers, {engine}",
        f"different: {', '.join(wrong)}" if wrong else "the same",
        "DuckDB's SQL on the files",
        target="the same, to the cent",
        met=not wrong,
    )


def _shown(runs: list[Watched]) -> str:
    peak = spread([run.peak_bytes for run in runs]).median
    return f"{show_seconds(spread(seconds_of(runs)))}, {show_bytes(peak)}"


def _title(query: str) -> str:
    """A query by TPC-H's own name, Q1 say; any other segment by its name."""
    return f"Q{int(query[1:])}" if query.startswith("q") else query


def _written(run: Watched) -> int:
    written: int = json.loads(run.out)["bytes_written"]
    return written
