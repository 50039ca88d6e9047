"""Long texts, cut for a record, a page or a terminal: their head and their tail stay."""

from __future__ import annotations

MESSAGE_CHARACTERS = 10_000
"""The most of an error's message that is kept outside of the log."""

TRACEBACK_CHARACTERS = 30_000
"""The most of a step's traceback that is kept outside of the log."""

VALUE_CHARACTERS = 200
"""The most of a value that a message repeats."""


_MARK_CHARACTERS = 54  # of what stands in place of what is left out


def cut(text: str, most: int, where: str = "") -> str:
    """A text of at most so many characters (60 or more); `where` says where all of it is."""
    if len(text) <= most:
        return text
    room = most - _MARK_CHARACTERS
    head, tail = text[: room * 2 // 3], text[-(room // 3) :]
    space = "\n" if "\n" in text else " "
    left = len(text) - len(head) - len(tail)
    return f"{head}{space}… {left} characters left out{where} …{space}{tail}"


def shown(value: object) -> str:
    """A value as a message repeats it: the head and the tail of its repr."""
    try:
        return cut(repr(value), VALUE_CHARACTERS)
    except (ValueError, RecursionError):  # a number of too many digits, a value nested too deep
        return f"a value of type {type(value).__name__}"


def one_line(text: str) -> str:
    """A text without line breaks, and with single spaces between its words."""
    return " ".join(text.split())
