"""The memory, time and disk of both runs of a comparison, as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ...run.record import SegmentRecord


@dataclass
class Figures:
    """The figures of one run, in bytes and seconds; `status` is ran, stopped or failed.

    `peak_bytes` is held memory, `bytes_read` the size in memory of the values that were loaded
    from checkpoints, `disk_bytes` the largest size of all checkpoints at any time.
    """

    status: str = "failed"
    peak_bytes: int = 0
    seconds: float = 0.0
    bytes_written: int = 0
    bytes_read: int = 0
    disk_bytes: int = 0
    segments: list[SegmentRecord] = field(default_factory=list)

    @property
    def fixed_bytes(self) -> int:
        """Memory in use before any step: Python, its libraries, the processes of the runtime."""
        began = (step.began_bytes for segment in self.segments for step in segment.steps)
        return min(began, default=0)

    @property
    def own_bytes(self) -> int:
        """What the steps hold at most: with more data this grows, and the rest does not."""
        return self.peak_bytes - self.fixed_bytes


@dataclass
class PlainFigures(Figures):
    """The figures of the plain script, which uses no disk.

    `over_budget_in` is the step in which it first used more than the budget, `ended_in` the step in
    which it was stopped or failed, `why` the reason in words.
    """

    over_budget_in: str | None = None
    ended_in: str | None = None
    why: str | None = None


@dataclass
class Comparison:
    """Both runs: what `compare --json` prints.

    `limit_bytes` is the memory that the plain script may use on this machine. `same_results` says
    for each output whether both runs made the same; None if that is unknown. `same_but_for_time`
    are the files among these, such as workbooks, whose bytes differ by the time of their making.
    """

    pipeline: str = ""
    budget_bytes: int = 0
    budget_source: str = ""
    limit_bytes: int = 0
    limit_source: str = ""
    plain: PlainFigures | None = None
    checkpoints: Figures | None = None
    same_results: dict[str, bool] | None = None
    same_but_for_time: list[str] = field(default_factory=list)
    error: dict[str, Any] | None = None

    @property
    def peak_ratio(self) -> float | None:
        """Peak with checkpoints over the plain script's; at most that when it was stopped."""
        return self._ratio("peak_bytes", {"ran", "stopped"})

    @property
    def own_ratio(self) -> float | None:
        """The same of what the steps themselves hold, without what is fixed."""
        return self._ratio("own_bytes", {"ran", "stopped"})

    @property
    def time_ratio(self) -> float | None:
        """Time with checkpoints over the plain script's; None when it did not come to its end."""
        return self._ratio("seconds", {"ran"})

    def as_json(self) -> dict[str, Any]:
        """The comparison as JSON-able data; `error` is left out when both runs could be made."""
        ratios = {"peak": self.peak_ratio, "own": self.own_ratio, "seconds": self.time_ratio}
        content = asdict(self) | {"ratios": ratios}
        if self.error is None:
            del content["error"]
        return content

    def _ratio(self, figure: str, statuses: set[str]) -> float | None:
        plain, checkpoints = self.plain, self.checkpoints
        if plain is None or checkpoints is None or plain.status not in statuses:
            return None
        base = getattr(plain, figure)
        return float(getattr(checkpoints, figure) / base) if base > 0 else None
