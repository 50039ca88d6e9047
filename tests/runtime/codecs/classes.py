"""Classes with fields, as a project defines them at the top of a module."""

from __future__ import annotations

import enum
import functools
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import pandas as pd
from pydantic import BaseModel, ConfigDict, PrivateAttr, RootModel

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"
    CRIMSON = "r"


class Level(enum.IntEnum):
    LOW = 1


class Access(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()


@dataclass(frozen=True)
class Split:
    """A plain dataclass."""

    name: str
    months: tuple[int, ...]
    share: float = 0.5
    kinds: ClassVar[int] = 3


@dataclass
class Run(Generic[T]):
    """It computes a field, caches a property and holds itself."""

    day: date
    parts: list[Split]
    best: T
    before: Run[Any] | None = None
    count: int = field(init=False)

    def __post_init__(self) -> None:
        self.count = len(self.parts)

    @functools.cached_property
    def total(self) -> float:
        return sum(part.share for part in self.parts)


@dataclass(slots=True)
class Slotted:
    price: Decimal
    colour: Colour


class Point(NamedTuple):
    x: float
    y: float = 0.0


class Config(BaseModel):
    """It keeps what it was given beside its fields, and something private."""

    model_config = ConfigDict(extra="allow")

    name: str
    limits: dict[int, float] = {}
    split: Split | None = None
    _seen: int = PrivateAttr(default=3)


class Tags(RootModel[list[str]]):
    pass


@dataclass
class WithFrame:
    frame: pd.DataFrame


@dataclass
class Odd(dict[str, int]):
    name: str
