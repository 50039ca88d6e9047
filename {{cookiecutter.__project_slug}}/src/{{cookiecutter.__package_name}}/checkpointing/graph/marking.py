"""`@step`, what it says of a function, and which columns a step loads of a table."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from ..base.errors import ConfigurationError

_MARK = "__checkpointing_step__"
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class StepOptions:
    """What `@step(...)` says of a step."""

    always: bool = False
    """Whether it runs in each run, also where a checkpoint has its value: a verdict, a check."""

    each: str = ""
    """The parameter for whose every item it runs; empty: it runs once."""


@overload
def step(function: Function, /) -> Function: ...


@overload
def step(*, always: bool = False, each: str = "") -> Callable[[Function], Function]: ...


def step(
    function: Function | None = None, /, *, always: bool = False, each: str = ""
) -> Function | Callable[[Function], Function]:
    """Mark a function of a segment's module as one of its steps; it stays a plain function.

    Its parameters are the values it needs, by name: an earlier step's result, an input or a param
    of pipeline.toml, or `workdir: Path`, a fresh folder. What it returns is the value that later
    steps know by the function's name.

    Args:
        always: run it in each run, also where nothing that it depends on has changed. The steps
            that read its value run again only if the value is another one.
        each: run it for each item of this parameter: of a list in [params], of the files that a
            glob in [inputs] matches, or of a list or dict that an earlier step makes. Its value is
            then a dict of what it returned, by item; a later step may take it as a list too.

    >>> @step
    ... def total(prices: list[float], discount: float) -> float:
    ...     return sum(prices) * (1 - discount)
    >>> total([2.0, 3.0], discount=0.5)  # a test calls it like any function
    2.5
    >>> @step(always=True)
    ... def is_dear(total: float, limit: float) -> bool:
    ...     return total > limit
    >>> is_dear(2.5, limit=2.0)
    True
    >>> @step(each="months")
    ... def rows(months: str, table: dict[str, int]) -> int:
    ...     return table[months]
    >>> rows("2013-01", {"2013-01": 7})
    7
    """
    options = StepOptions(always, each)

    def mark(function: Function) -> Function:
        require_function(function)
        setattr(function, _MARK, options)
        return function

    return mark if function is None else mark(function)


def is_step(candidate: object) -> bool:
    """Whether something was marked by `@step`."""
    return hasattr(candidate, _MARK)


def options_of(function: Callable[..., Any]) -> StepOptions:
    """What `@step(...)` says of a function; the defaults for one that is not marked."""
    options: StepOptions = getattr(function, _MARK, StepOptions())
    return options


@dataclass(frozen=True)
class Columns:
    """The columns that a step loads of a table that an earlier step made.

    If every step that takes the table names its own, its checkpoint has these columns alone. Of
    column labels that are a range, or have a frequency, the step gets the labels alone.

    Raises ConfigurationError for a name that is there twice, or is no text.

    >>> import pandas as pd
    >>> from typing import Annotated
    >>> @step
    ... def latest(flights: Annotated[pd.DataFrame, Columns("carrier", "delay")]) -> float:
    ...     return float(flights["delay"].max())
    """

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        if not all(isinstance(name, str) and names.count(name) == 1 for name in names):
            raise ConfigurationError(
                f"Columns({', '.join(map(repr, names))}): name each column once, as text, such as "
                f"Columns('carrier', 'delay')."
            )
        object.__setattr__(self, "names", names)


@dataclass(frozen=True)
class Batches:
    """How many rows each batch has of a table that a step takes in batches.

    Without it the runtime chooses the number, by the memory budget. The result of a step must not
    depend on it.

    >>> import pandas as pd
    >>> from collections.abc import Iterator
    >>> from typing import Annotated
    >>> @step
    ... def late(flights: Annotated[Iterator[pd.DataFrame], Batches(rows=50_000)]) -> int:
    ...     return sum(int((batch["delay"] > 15).sum()) for batch in flights)
    """

    rows: int

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise ConfigurationError(f"Batches(rows={self.rows}): a batch has at least one row.")


def require_function(candidate: object) -> None:
    """Refuse what is no plain function. Raises ConfigurationError."""
    if not isinstance(candidate, types.FunctionType):
        raise ConfigurationError(
            f"{candidate!r} is not a plain function, so it cannot be a step. Write `@step` above a "
            f"`def`, and take off what wraps it."
        )
