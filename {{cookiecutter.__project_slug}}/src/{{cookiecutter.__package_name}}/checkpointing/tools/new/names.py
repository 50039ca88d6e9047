"""The names of what is made: which are refused, and the number that a segment's module gets."""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Collection, Mapping

from ...base.errors import ConfigurationError

_NUMBERED = re.compile(r"(?P<head>[a-z_]*?)(?P<number>\d+)(?P<letter>[a-z]?)_(?P<rest>\w+)")
_LETTERED = re.compile(r"(?P<letter>[a-z])_(?P<rest>\w+)")
_FIRST = "s01_"
_MOST = 40
"""The most characters of a name, so that the lines that contain it twice are not too long."""


def require_name(kind: str, name: str, limit: int) -> None:
    """Refuse what cannot be the name of a function, file or folder, or fails the checks.

    Raises ConfigurationError.
    """
    most = min(_MOST, (limit - 20) // 2)
    fixed = re.sub(r"\W+", "_", name).strip("_").lower()
    problem = ""
    if len(name) > most:
        problem = f"has {len(name)} characters; {most} are the most, so that lines stay short."
    elif not name.isidentifier() or unicodedata.normalize("NFKC", name) != name:
        problem = "is no name in Python: use letters, digits and `_`, and begin with a letter"
        problem += f"; did you mean `{fixed}`?" if fixed.isidentifier() else "."
    elif keyword.iskeyword(name):
        problem = "is a keyword of Python. Choose another one."
    elif hasattr(builtins, name):
        problem = "would hide what Python itself calls so. Choose another one."
    elif name != name.lower() or name.startswith("_"):
        problem = f"has to be in lower case and begin with a letter; did you mean `{fixed}`?"
    elif kind != "step" and not name.isascii():
        problem = "names a folder: use letters of ASCII, digits and `_`."
    if problem:
        raise ConfigurationError(f"the {kind} name `{name}` {problem}")


def require_free(name: str, taken: Mapping[str, str]) -> None:
    """Refuse the name of a step that something has already. Raises ConfigurationError."""
    if name in taken:
        raise ConfigurationError(
            f"the step name `{name}` is taken by {taken[name]}. A name means one value, so choose "
            f"another one."
        )


def free_name(name: str, taken: Collection[str]) -> str:
    """A name for an example step: `name`, or else the same with a number."""
    is_bad = keyword.iskeyword(name) or hasattr(builtins, name) or not name.isidentifier()
    names = [f"{name}_rows" if is_bad else name, *(f"{name}_{n}" for n in range(2, 1000))]
    return next(n for n in names if n not in taken)


def short_name(module: str) -> str:
    """The name of a segment's module without its number: `clean` of `s02_clean`."""
    match = _NUMBERED.fullmatch(module)
    return match["rest"] if match else module


def module_name(name: str, siblings: Collection[str], before: str | None, after: str | None) -> str:
    """The name of a new segment's module, which follows the names that the others have.

    Nothing is renumbered: between two numbers that follow each other comes a letter, `s02b_more`
    between `s02_clean` and `s03_enrich`.

    Args:
        name: as the person wrote it, without a number or with one.
        siblings: all modules in the folder of the segments, in a pipeline or not.
        before: the module of the segment before it; None if it is the first.
        after: the module of the segment behind it; None if it is the last.

    Raises:
        ConfigurationError: a module has that name or number already.
    """
    label = _label(siblings, before, after)
    heads = {
        match["head"] for match in map(_NUMBERED.fullmatch, {*siblings, _FIRST + "x"}) if match
    }
    own = _NUMBERED.fullmatch(name)
    if own and own["head"] in heads:
        number = name[: own.start("rest")]
        same = [sibling for sibling in siblings if sibling.startswith(number)]
        if same:
            raise ConfigurationError(
                f"the number of `{name}` is taken by `{same[0]}`. Give the name alone, "
                f"`{own['rest']}`, to get the next one."
            )
        label, name = number, own["rest"]
    same = [sibling for sibling in siblings if short_name(sibling) == name]
    if same:
        raise ConfigurationError(
            f"the segment name `{name}` is taken by `{same[0]}`. Choose another one, because both "
            f"would have the same test file."
        )
    return label + name


def _label(siblings: Collection[str], before: str | None, after: str | None) -> str:
    """What the new module's name begins with, in the form that its neighbours have."""
    if not siblings:
        return _FIRST
    numbered = [match for match in map(_NUMBERED.fullmatch, sorted(siblings)) if match]
    former = _NUMBERED.fullmatch(before) if before else None
    latter = _NUMBERED.fullmatch(after) if after else None
    if former is None and before and all(map(_LETTERED.fullmatch, siblings)):
        return _next_letter(siblings, before, after)
    if former is None and (before or not numbered):
        return ""
    last = former or max(numbered, key=lambda match: int(match["number"]))
    head, width = last["head"], len(last["number"])
    taken = {(m["head"], int(m["number"]), m["letter"]) for m in numbered}
    numbers = {number for first, number, _ in taken if first == head}
    if former and latter and latter["head"] == head:
        start, stop = int(former["number"]), int(latter["number"])
        for number in range(start + 1, stop):
            if number not in numbers:
                return f"{head}{number:0{width}}_"
        begin = (
            chr(ord(former["letter"]) + 1) if former["letter"] else "a" if start == stop else "b"
        )
        end = latter["letter"] if start == stop else "{"  # the character behind `z`
        for code in range(ord(begin), ord(end or "a")):
            if (head, start, chr(code)) not in taken:
                return f"{head}{start:0{width}}{chr(code)}_"
        return f"{head}{max(numbers) + 1:0{width}}_"
    number = next(n for n in range(int(last["number"]) + 1, 10**9) if n not in numbers)
    return f"{head}{number:0{width}}_"


def _next_letter(siblings: Collection[str], before: str, after: str | None) -> str:
    """As `_label`, for modules such as `a_ingest` and `b_clean`."""
    taken = {match["letter"] for match in map(_LETTERED.fullmatch, siblings) if match}
    end = "{" if after is None else (after[0] if _LETTERED.fullmatch(after) else "{")
    free = (chr(c) for c in range(ord(before[0]) + 1, ord(end)) if chr(c) not in taken)
    return f"{letter}_" if (letter := next(free, "")) else f"{before[0]}b_"


def constant_name(name: str, taken: Collection[str]) -> str:
    """The constant of a new pipeline. Raises ConfigurationError if pipeline.py has it already."""
    constant = name.upper()
    if constant in taken:
        raise ConfigurationError(f"pipeline.py has a `{constant}` already. Choose another name.")
    return constant
