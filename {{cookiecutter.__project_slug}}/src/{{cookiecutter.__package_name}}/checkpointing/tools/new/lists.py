"""Insert an item into a list with commas: the arguments of a call, or the names of an import.

The list keeps its form, as `ruff format` would leave it: on one line while that fits, then all
items on an indented line (calls only), then one item a line, which a comma after the last keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .source import INDENT, Edit, Source


@dataclass(frozen=True)
class Items:
    """The items of a list: the characters of each, and of what is around them.

    `start` is the first character after the opening bracket, or after `import` where there is
    none; `end` is the closing bracket, or the end of the last name.
    """

    start: int
    end: int
    spans: Sequence[tuple[int, int]]
    in_brackets: bool
    is_call: bool


def inserted(source: Source, items: Items, place: int, text: str, limit: int) -> Source:
    """The file with `text` as item number `place`; lines have at most `limit` characters."""
    spans = items.spans
    inner = source.text[items.start : items.end]
    if not spans and "\n" not in inner and "\r" not in inner:
        return source.edited([Edit(items.start, items.end, text)])
    if not spans:  # nothing but comments
        at = source.line_start(items.end)
        return source.edited([Edit(at, at, f"{_indent(source, items.end)}{INDENT}{text},\n")])
    if _is_one_a_line(source, items):
        return source.edited(_line_more(source, items, place, text))
    if place:
        at = spans[place - 1][1]
        made = source.edited([Edit(at, at, f", {text}")])
    else:
        at = spans[0][0]
        made = source.edited([Edit(at, at, f"{text}, ")])
    if len(made.line(at)) <= limit or source.comments(items.start, items.end):
        return made
    texts = [source.text[start:end] for start, end in spans]
    return source.edited([_wrapped(source, items, [*texts[:place], text, *texts[place:]], limit)])


def _is_one_a_line(source: Source, items: Items) -> bool:
    lines = [source.line_of(items.start), *(source.line_of(start) for start, _ in items.spans)]
    is_several = len(items.spans) > 1 or source.text[items.spans[-1][1] : items.end].strip()
    return items.in_brackets and len({*lines}) == len(lines) and bool(is_several)


def _line_more(source: Source, items: Items, place: int, text: str) -> list[Edit]:
    """The edits for a line of its own, below the comment of the item before."""
    indent = source.line(items.spans[0][0])
    indent = indent[: len(indent) - len(indent.lstrip())]
    if not place:
        at = source.line_end(items.start)
        return [Edit(at, at, f"\n{indent}{text},")]
    end = items.spans[place - 1][1]
    stop = items.spans[place][0] if place < len(items.spans) else items.end
    between = source.text[end:stop].split("#")[0]
    at = source.line_end(end)
    comma = [] if "," in between else [Edit(end, end, ",")]
    if at == end:  # both are in one place, and edits of one place have no order
        return [Edit(at, at, f"{',' if comma else ''}\n{indent}{text},")]
    if at > stop:  # the bracket is on the last item's line
        return [Edit(end, end, f", {text}")]
    return [*comma, Edit(at, at, f"\n{indent}{text},")]


def _wrapped(source: Source, items: Items, texts: list[str], limit: int) -> Edit:
    """The edit that spreads a list over lines."""
    indent = _indent(source, items.start)
    together = f"{indent}{INDENT}{', '.join(texts)}"
    is_hugging = "\n" in source.text[items.start : items.spans[0][0]]
    if items.is_call and not is_hugging and len(together) <= limit:
        return Edit(items.start, items.end, f"\n{together}\n{indent}")
    lines = "".join(f"\n{indent}{INDENT}{text}," for text in texts)
    if items.in_brackets:
        return Edit(items.start, items.end, f"{lines}\n{indent}")
    return Edit(items.start, items.end, f" ({lines}\n{indent})")


def _indent(source: Source, offset: int) -> str:
    line = source.line(offset)
    return line[: len(line) - len(line.lstrip())]
