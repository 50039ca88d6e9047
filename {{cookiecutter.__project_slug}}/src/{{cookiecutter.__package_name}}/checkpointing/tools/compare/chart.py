"""The held memory of both runs, step by step, as bars in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from ...base.units import size
from ...run.record import SegmentRecord
from .figures import Comparison, Figures, PlainFigures

WIDTH = 18  # characters of a bar
MOST_ROWS = 40  # for more steps than that a row is a segment
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_ROUGH = " ########"  # for a terminal that has no block elements


def memory_chart(
    comparison: Comparison, plain: PlainFigures, checkpoints: Figures, encoding: str
) -> Table:
    """A row for each step: what either run held at most while it ran.

    A line marks the budget, where it is within the chart; what exceeds it is red.
    """
    parts = _EIGHTHS if _has_blocks(encoding) else _ROUGH
    budget = comparison.budget_bytes
    highest = max(plain.peak_bytes, checkpoints.peak_bytes, 1)
    scale = max(highest, budget) if budget < 2 * highest else highest
    mark = f"; {_line(parts)} budget {size(budget)}" if budget <= scale else ""
    table = Table(title=f"held memory{mark}", title_justify="left", box=None, padding=(0, 1, 0, 0))
    table.add_column("")
    for heading in ("plain script", "checkpoints"):
        table.add_column(heading, width=WIDTH)
        table.add_column("", justify="right")
    peaks = [_peaks(run.segments) for run in (plain, checkpoints)]
    for group in _rows(checkpoints.segments):
        for name in group:
            cells: list[Text | str] = [name]
            for run in peaks:
                peak = run.get(name)
                cells += [
                    bar(peak or 0, budget, scale, parts),
                    "" if peak is None else size(peak),
                ]
            if name == plain.ended_in:
                cells[2] = Text(f"{cells[2]} stopped", style="bold red")
            table.add_row(*cells)
        table.add_section()
    return table


def bar(count: int, budget: int, scale: int, parts: str = _EIGHTHS) -> Text:
    """A bar of `count` bytes, of at most `WIDTH` characters for `scale` bytes."""
    eighths = round(8 * WIDTH * min(count, scale) / scale)
    full, rest = divmod(eighths, 8)
    drawn = parts[8] * full + (parts[rest] if rest else "")
    limit = min(WIDTH - 1, int(WIDTH * budget / scale)) if budget <= scale else WIDTH
    text = Text(drawn[:limit], style="cyan")
    text.append(drawn[limit:], style="red" if count > budget else "cyan")
    if len(drawn) <= limit < WIDTH:
        text.append(" " * (limit - len(drawn)) + _line(parts), style="dim")
    return text


def _rows(segments: Sequence[SegmentRecord]) -> Iterator[list[str]]:
    """The names of the rows, those of each segment together."""
    if sum(len(segment.steps) for segment in segments) > MOST_ROWS:
        yield [segment.name for segment in segments]
    else:
        for segment in segments:
            yield list(dict.fromkeys(step.name for step in segment.steps))  # a cut repeats some


def _peaks(segments: Sequence[SegmentRecord]) -> dict[str, int]:
    """By the name of a segment or a step."""
    known = {segment.name: segment.peak_bytes for segment in segments}
    return known | {step.name: step.peak_bytes for s in segments for step in s.steps}


def _line(parts: str) -> str:
    return "┊" if parts == _EIGHTHS else "|"


def _has_blocks(encoding: str) -> bool:
    try:
        _EIGHTHS.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
