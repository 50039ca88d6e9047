"""The report as GitHub-flavoured Markdown, for a pull request or a job's summary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ...base.units import duration, moment, share, size
from .content import Content
from .executors import ExecutorRow
from .facts import Row
from .words import figures, verdict

_TOP = 5  # steps in the table of peaks


def markdown(content: Content) -> str:
    """How the run ended, its segments, its highest peaks, its cuts."""
    return "\n\n".join(_blocks(content)) + "\n"


def _blocks(content: Content) -> Iterator[str]:
    run = content.run
    yield f"### {_code(run.pipeline)}: {_text(verdict(run))}"
    yield _text(figures(run))
    if run.error is not None and run.error.get("message"):
        yield _fenced(str(run.error["message"]))
    yield from (f"> {_text(note)}" for note in content.notes)
    if content.segments:
        yield _segments(content)
    measured = [row for row in content.rows if row.peak_bytes]
    if measured:
        yield "**Highest peaks**"
        yield _peaks(measured)
    if in_batches := [row for row in content.rows if row.is_in_batches]:
        yield "**In batches**"
        yield _batches(in_batches)
    if content.executors:
        yield "**What engines took in processes of their own**"
        yield _executors(content.executors)
    cuts = [
        f"- {_code(segment.name)} before {_code(cut.before)}"
        + (f": {_text(cut.why)}" if cut.why else "")
        for segment in content.segments
        for cut in segment.facts.cuts
    ]
    if cuts:
        yield "**Cuts**"
        yield "\n".join(cuts)
    for table in content.tables:
        yield f"**Output** {_code(table.name)}"
        rows = [[_text(cell) for cell in row] for row in table.rows]
        yield _table([*map(_text, table.columns)], rows, numbers=table.numbers)
    yield f"Run of {_text(moment(run.started_at))}."


def _segments(content: Content) -> str:
    rows = []
    for segment in content.segments:
        facts = segment.facts
        measured = [
            str(facts.parts or ""),
            size(facts.peak_bytes) if facts.peak_bytes else "",
            share(facts.peak_bytes, segment.budget_bytes) if facts.peak_bytes else "",
            duration(facts.seconds) if facts.seconds else "",
            size(facts.bytes_written) if facts.bytes_written else "",
        ]
        when = f" (measured {moment(segment.run.started_at)})" if segment.is_earlier else ""
        status = _text(segment.status + segment.where + when)
        rows.append([_code(segment.name), status, *map(_text, measured)])
    headings = ["segment", "status", "parts", "peak", "of budget", "time", "written"]
    return _table(headings, rows, numbers=range(2, 7))


def _peaks(rows: Sequence[Row]) -> str:
    highest = sorted(rows, key=lambda row: -row.peak_bytes)[:_TOP]
    cells = [
        [
            _code(row.label),
            f"{_code(row.segment)} {_text(row.where)}".rstrip(),
            size(row.peak_bytes),
            share(row.peak_bytes, row.budget_bytes),
            "" if not row.began_bytes else size(row.began_bytes),
        ]
        for row in highest
    ]
    return _table(
        ["step", "segment", "peak", "of budget", "began with"], cells, numbers=range(2, 5)
    )


def _batches(rows: Sequence[Row]) -> str:
    cells = [
        [
            _code(row.label),
            _code(row.segment),
            *_known(row.batches, row.rows),
            *_known(row.made_batches, row.made_rows),
        ]
        for row in rows
    ]
    return _table(
        ["step", "segment", "batches taken", "rows", "batches made", "rows"],
        cells,
        numbers=range(2, 6),
    )


def _executors(rows: Sequence[ExecutorRow]) -> str:
    cells = [
        [
            _code(row.application),
            _text(row.name),
            _text(row.process.host),
            *(size(count) if count else "" for count in _taken(row)),
        ]
        for row in rows
    ]
    headings = ["application", "process", "host", "may take", "heap", "beside it", "in all"]
    return _table(headings, cells, numbers=range(3, 7))


def _taken(row: ExecutorRow) -> tuple[int, ...]:
    taken = row.process
    return row.allowed_bytes, taken.heap_bytes, taken.off_heap_bytes, taken.tree_bytes


def _known(batches: int, rows: int) -> Iterator[str]:
    """The number of some batches and of their rows, as text; empty if there were none."""
    yield from (f"{batches:,}", f"{rows:,}") if batches else ("", "")


def _table(headings: list[str], rows: Sequence[Sequence[str]], numbers: Iterable[int]) -> str:
    right = {*numbers}
    rules = ["---:" if number in right else "---" for number in range(len(headings))]
    lines = [headings, rules, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(text: str) -> str:
    """Text as plain Markdown on one line: no markup, no mention of a user."""
    one_line = " ".join(text.split())
    escaped = re.sub(r"([\\`*_{}\[\]<>#|~&$])", r"\\\1", one_line)
    return escaped.replace("@", "@\u2060")


def _code(text: str) -> str:
    """A name as code, fit for a table too."""
    one_line = " ".join(text.split()).replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", one_line)), default=0))
    pad = " " if one_line.startswith("`") or one_line.endswith("`") else ""
    return f"{fence}{pad}{one_line}{pad}{fence}"


def _fenced(text: str) -> str:
    """Text in a code block, whatever it contains."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}text\n{text}\n{fence}"
