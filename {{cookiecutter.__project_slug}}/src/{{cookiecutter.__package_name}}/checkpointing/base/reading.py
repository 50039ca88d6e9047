"""Read the small files of a project, JSON and TOML, whatever lies in their place.

Such a file may have been replaced by a pipe, on which a read would wait for ever, by a device that
never ends, or by text with numbers and nesting without bounds. All of these are refused here, and
`Unreadable`, which is an OSError, says why.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from .refusals import NotAFile, Unreadable
from .texts import cut

MOST_JSON_BYTES = 1 << 28
MOST_TOML_BYTES = 1_000_000

_MOST_LEVELS = 100  # of nesting
_MOST_NAME = 1_000  # characters
_MOST_BITS = 1_000  # of an integer: larger ones have no float
_MOST_DIGITS = 20  # of a number in our own files: all of them fit into 64 bits
_WORD = r"""["']?+[\w-]++["']?+"""  # possessive: never tried twice
_LONG_NAME = re.compile(  # with spaces only at the beginning of a line: text has such words too
    rf"(?<![\w-])(?:{_WORD}\.){{{_MOST_LEVELS}}}"
    rf"|^[ \t\[]*+(?:{_WORD}[ \t]*+\.[ \t]*+){{{_MOST_LEVELS}}}",
    re.MULTILINE,
)
_LONG_NUMBER = re.compile(r"[\d_]{1000}")
_KINDS = (
    (stat.S_ISLNK, "a link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_file(path: Path) -> BinaryIO:
    """Open a regular file, unbuffered, for reading. Never waits.

    Raises:
        NotAFile: it is a pipe, a device or the like.
        OSError: it does not exist, or cannot be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket, which cannot be opened at all
            raise NotAFile("it is no file that can be read", path) from error
        raise
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb", buffering=0)
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    raise NotAFile(f"it is {kind_of(mode)}, not a file", path)


def kind_of(mode: int) -> str:
    """What lies there, such as "a pipe"; empty for a regular file."""
    if stat.S_ISREG(mode):
        return ""
    return next((kind for is_such, kind in _KINDS if is_such(mode)), "no file")


def read_bytes(path: Path, most: int) -> bytes:
    """The content of a regular file of at most so many bytes. Raises as `open_file`."""
    with open_file(path) as file:
        count = os.fstat(file.fileno()).st_size
        if count > most:
            raise Unreadable(f"it has {count} bytes, {most} are the most that is read", path)
        return file.read()


def read_json(path: Path) -> Any:
    """The content of a JSON file of ours: finite numbers of at most 64 bits.

    Raises:
        Unreadable: there is something else.
        OSError: it does not exist, or cannot be read.
    """
    return parse_json(read_bytes(path, MOST_JSON_BYTES), path)


def parse_json(text: bytes, path: Path | None = None) -> Any:
    """JSON of ours as data, within the same bounds. Raises Unreadable, which names the path."""
    try:
        content = json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=_no_number)
        _require_shallow(content)
        return content
    except RecursionError:
        raise Unreadable("it is nested too deep", path) from None
    except ValueError as error:  # no JSON, or no UTF-8
        raise Unreadable(cut(str(error), 300), path) from None


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file. Raises Unreadable, or OSError if it cannot be read."""
    content = read_bytes(path, MOST_TOML_BYTES)
    try:
        return parse_toml(content.decode())
    except UnicodeDecodeError as error:
        raise Unreadable(str(error), path) from None


def parse_toml(text: str) -> dict[str, Any]:
    """TOML as data, with bounds on its names, numbers and nesting. Raises Unreadable."""
    if len(text) > MOST_TOML_BYTES:
        raise Unreadable(f"it has {len(text)} characters, {MOST_TOML_BYTES} are the most")
    if deep := _LONG_NAME.search(text):  # the parser takes hours for a name of a million parts
        raise Unreadable(f"`{cut(deep[0], 60)}` names more than {_MOST_LEVELS} levels")
    try:
        data = tomllib.loads(text, parse_float=_float)
    except RecursionError:
        raise Unreadable(f"it is nested deeper than {_MOST_LEVELS} levels") from None
    except tomllib.TOMLDecodeError as error:
        raise Unreadable(cut(str(error), 300)) from None
    except ValueError:  # Python reads no number of so many digits
        line = text.count("\n", 0, _start_of(_LONG_NUMBER, text)) + 1
        raise Unreadable(f"a number has too many digits (at line {line})") from None
    for name, value, level in _entries(data):
        if level > _MOST_LEVELS:
            raise Unreadable(f"`{cut(name, 60)}` is nested deeper than {_MOST_LEVELS} levels")
        if len(name) > _MOST_NAME:
            raise Unreadable(f"the name `{cut(name, 60)}` has more than {_MOST_NAME} characters")
        if isinstance(value, int) and value.bit_length() > _MOST_BITS:
            raise Unreadable(f"`{name}` is a number of more than {_MOST_BITS} bits")
    return data


def _require_shallow(content: Any) -> None:
    """Refuse what can be read, but perhaps not be written again. Raises RecursionError."""
    level = [content]
    for _ in range(_MOST_LEVELS):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return
    raise RecursionError


def _start_of(pattern: re.Pattern[str], text: str) -> int:
    match = pattern.search(text)
    return match.start() if match else 0


def _entries(data: dict[str, Any]) -> Iterator[tuple[str, Any, int]]:
    """Every value with the name of the innermost key around it, and its level."""
    waiting: list[tuple[str, Any, int]] = [("", data, 0)]
    while waiting:
        name, value, level = waiting.pop()
        yield name, value, level
        if level > _MOST_LEVELS:
            continue
        if isinstance(value, dict):
            waiting += ((key, inner, level + 1) for key, inner in value.items())
        elif isinstance(value, list):
            waiting += ((name, inner, level + 1) for inner in value)


def _whole(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"{cut(text, 60)} is a number of more than {_MOST_DIGITS} digits")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{cut(text, 60)} is larger than any number")
    return number


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number) and "inf" not in text:
        raise Unreadable(f"{cut(text, 60)} is larger than any number")
    return number


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")
