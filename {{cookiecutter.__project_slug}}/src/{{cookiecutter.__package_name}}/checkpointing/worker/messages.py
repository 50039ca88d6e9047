"""The messages between a run and its worker: the order, then the events of its part."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

from ..base.secrets import Secret
from ..base.settings import Spark
from ..base.units import Count
from ..codecs import PARQUET
from ..codecs.applications import Application
from ..codecs.several import value_of
from ..disk.manifest import FileRecord, Manifest
from ..graph.steps import Segment, Step
from ..memory.batching import Allotment
from ..memory.residency import Shared
from ..reuse.each import EachItem
from ..reuse.key import Code
from ..reuse.trees import Tree


@dataclass(frozen=True)
class Source:
    """The file of a value of an earlier part, and whether to hash it before loading."""

    folder: Path
    record: FileRecord
    verify: bool

    @property
    def path(self) -> Path:
        return self.folder / self.record.file


@dataclass(frozen=True)
class Order:
    """One part to run: its steps, the values that they read, and where to write.

    Attributes:
        first: the number of the segment's first step.
        part: the numbers of the part's steps, within `range(first, first + len(segment.steps))`.
        last_use: for each of the segment's values the number of the last step to run that takes the
            whole, and for each item that is known the last that takes it, itself or in the whole.
        outputs: the segment's values that are published, or that nothing reads.
        suffixes: of the paths where they are published.
        before: the values of the segment's earlier parts, and of its steps that do not run.
        runs: the steps of the segment that are still to be run, in this part and after it.
        done: sinks that an earlier attempt at this part has finished; they do not run again.
        items: of a step that runs for each item, which has a part of its own.
        step_keys, wiring: by step, for the manifest.
        seeds: by step, what its random numbers depend on.
        arguments: inputs, params and variables by (step, parameter).
        secrets: what nothing may show that the worker prints or reports.
        code: of the segment; the key was made from it.
        trees: the inputs and data files, as they were when they were hashed.
        allowance: the most bytes that may be written.
        allotment: what the part may hold, for batches and for engines.
        spill: the folder for what an engine does not hold in memory.
        number_of_part: the number of the part in its segment, counted from 1.
        spark: where Spark runs.
        as_files: for each of the segment's values the last step that takes it as a type which reads
            Parquet alone; only for those that there are.
        columns: of each table whose readers name their columns, these columns together.
        keep_all: whether values stay on disk that no later part reads.
        company: the file that names the workers of the run that are at work at once.
        at_once: how many workers may be at work at once; they share the cores.
        journal: of a worker that runs items beside others: where all of them note theirs.
        beside: the name that the worker has among those of the run, if others may be at work.
    """

    root: Path
    store: Path
    pipeline: str
    segment: Segment
    first: int
    part: range
    key: str
    ingredients: dict[str, Any]
    params: dict[str, str]
    last_use: dict[str, int]
    outputs: tuple[str, ...]
    suffixes: dict[str, str]
    before: Manifest | None
    runs: frozenset[str]
    done: frozenset[str]
    items: dict[str, tuple[EachItem, ...]]
    step_keys: dict[str, str]
    wiring: dict[str, str]
    seeds: dict[str, str]
    sources: dict[str, Source]
    arguments: dict[tuple[str, str], Any]
    secrets: tuple[Secret, ...]
    code: Code
    trees: tuple[Tree, ...]
    format: str
    allowance: int
    count: Count
    log: Path
    company: Path
    allotment: Allotment
    spill: Path
    as_files: dict[str, int]
    columns: dict[str, tuple[str, ...]]
    number_of_part: int = 1
    at_once: int = 1
    journal: str = ""
    beside: str = ""
    spark: Spark | None = None
    keep_all: bool = False

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that the part runs."""
        named = self.segment.steps[self.part.start - self.first : self.part.stop - self.first]
        return tuple(step for step in named if step.name in self.runs)

    @property
    def step_spill(self) -> Path:
        """The folder for what the engine of one step does not hold; it goes with the step."""
        return self.spill / "step"

    @property
    def part_spill(self) -> Path:
        """The folder of an engine that goes on until the part ends."""
        return self.spill / "part"

    def number(self, step: Step) -> int:
        """The number of one of the segment's steps."""
        return self.first + self.segment.steps.index(step)

    def is_kept(self, value: str, stop: int) -> bool:
        """Whether the segment's checkpoint keeps a value when the part ends before step `stop`."""
        return self.keep_all or self.last_take(value) >= stop

    def format_of(self, name: str, stop: int) -> str:
        """The format of a value or an item, if the part ends before step `stop`."""
        return PARQUET if self.as_files.get(value_of(name), -1) >= stop else self.format

    def kept_columns(self, name: str) -> tuple[str, ...]:
        """The columns to keep of a table of the segment, a value or an item; none: all."""
        if self.keep_all:
            return ()
        return self.columns.get(name if name in self.last_use else value_of(name), ())

    def last_take(self, name: str) -> int:
        """The number of the last step that takes a value of the segment, itself or in the whole."""
        return self.last_use.get(name, self.last_use[value_of(name)])

    def is_output(self, name: str) -> bool:
        """Whether a value is an output; an item that no step names is one if its whole is."""
        is_unnamed = name not in self.last_use and value_of(name) in self.outputs
        return is_unnamed or name in self.outputs

    def manifest(self) -> Manifest:
        """The manifest of what the segment had before this part."""
        if self.before is not None:
            return replace(self.before, wiring=self.wiring, journal="")
        return Manifest(
            pipeline=self.pipeline,
            segment=self.segment.name,
            key=self.key,
            steps=(),
            ingredients=self.ingredients,
            values={},
            outputs={},
            committed_at=datetime.now(UTC).isoformat(timespec="microseconds"),
            seconds=0.0,
            params=self.params,
            wiring=self.wiring,
        )

    def is_complete(self, stop: int) -> bool:
        """Whether the segment is done when the part ends before step number `stop`."""
        return self.runs.isdisjoint(s.name for s in self.segment.steps[stop - self.first :])


class Next(Enum):
    """The answer to StepEnded: what the worker does before the next step."""

    COMMIT = "commit"
    """It writes its values and ends: another process runs the next step."""

    HAND_OVER = "hand over"
    """It runs the next step, and gives up each value that it is the last to use."""

    LEND = "lend"
    """It runs the next step. There is room to keep what that step is the last to use."""

    SKIP = "skip"
    """The item that it asked for is another worker's."""


@dataclass(frozen=True)
class StepStarted:
    """A step is about to load what it needs and run. Sizes are bytes."""

    step: str

    live: dict[str, int]
    """The size of each value that the part holds."""

    live_bytes: int = 0
    """The memory of all these values together: values may share memory."""

    held_bytes: int = 0
    """Held memory of the process tree."""

    item: str = ""
    """The item that it runs for, if it runs for each."""

    is_elastic: bool = False
    """Whether it takes as much memory as there is; see `engines.is_elastic`."""


@dataclass(frozen=True)
class ValueLoaded:
    """The worker has loaded a value for the current step."""

    value: str

    bytes: int
    """Its size, mapped pages counted."""

    held_bytes: int = 0
    """The memory that loading it took."""

    seconds: float = 0.0
    """The time of loading and verifying it."""


@dataclass(frozen=True)
class StepEnded:
    """A step has returned and its value has its in-memory form.

    Unless it is the part's last, the worker waits for the answer: run the next, or commit.
    """

    step: str

    seconds: float
    """The time of the step and of freezing its value."""

    held_bytes: int
    """Held memory of the process tree now: a quick step may fall between two samples."""

    live_bytes: int = 0
    """The memory of the values that are still needed."""

    input_bytes: int = 0
    """The size of the step's arguments."""

    value_bytes: int = 0
    """The memory that came with its value."""

    file_bytes: int = 0
    """The likely size of the value's file."""

    shared: tuple[Shared, ...] = ()
    """The memory that values of the part share."""

    lent_bytes: int = 0
    """The size of the values that the next step is the last to use."""

    item: str = ""
    """The item that it ran for, if it runs for each; what it made of that is on disk already."""

    more: bool = False
    """Whether further items are to be run. Then the worker waits for an answer too."""

    written_bytes: int = 0
    """The bytes that were written for the item."""

    batches: int = 0
    """How many batches it took of tables, and how many `rows` these had."""

    rows: int = 0

    made_batches: int = 0
    """How many batches of its value it made, and how many `made_rows` these had."""

    made_rows: int = 0

    row_bytes: float = 0.0
    """The most memory that a row of the batches it took has cost, where that was measured."""


@dataclass(frozen=True)
class ItemWanted:
    """A worker that runs items beside others asks whether it may run this one."""

    item: str


@dataclass(frozen=True)
class LaneEnded:
    """A worker that runs items beside others has no item left; the checkpoint is for another."""


@dataclass(frozen=True)
class ApplicationSeen:
    """What an engine says that its application has taken until now."""

    application: Application


@dataclass(frozen=True)
class CommitStarted:
    """The part's steps are done, and its live values are about to be written. Sizes are bytes."""

    live: dict[str, int]
    live_bytes: int = 0
    held_bytes: int = 0


@dataclass(frozen=True)
class WriteStarted:
    """One value is about to be written."""

    value: str

    held_bytes: int
    """Held memory of the process tree."""


def total_held(message: Any) -> int:
    """The bytes that the process tree held when a message was sent; 0 if it does not say."""
    match message:
        case StepStarted() | StepEnded() | CommitStarted() | WriteStarted():
            return message.held_bytes
    return 0


def with_held(message: Any, more: int) -> Any:
    """The message of a worker with more held memory than it knows of, in bytes."""
    held = total_held(message)
    return replace(message, held_bytes=held + more) if held and more else message


@dataclass(frozen=True)
class WriteEnded:
    """One value's files are durable: their size, and the seconds of writing."""

    value: str
    bytes: int
    seconds: float

    ahead: bool = False
    """Whether it was written while steps computed; then no `WriteStarted` came before."""


@dataclass(frozen=True)
class PartCommitted:
    """The part is done: all values that its segment has made so far are on disk."""

    manifest: Manifest


@dataclass(frozen=True)
class PartFailed:
    """The part did not run to its end. `kind` is one of errors.BY_KIND."""

    kind: str
    message: str
    step: str | None = None
    traceback: str = ""

    kept: Manifest | None = None
    """The checkpoint of what was finished before, if that was committed."""

    in_engine: bool = False
    """Whether an engine refused to take more memory than it was allowed."""

    least: int = 0
    """The bytes with which that engine would start, on top of what was held; 0 if it did start."""

    at_max_disk: bool = False
    """Whether its files would have taken more than it was told that they may."""


@dataclass(frozen=True)
class StepRaised:
    """A step has failed, and the worker tries to commit what was finished before."""

    failure: PartFailed


@dataclass(frozen=True)
class DamageFound:
    """The file of a value is not what was committed: its segment has to run again."""

    value: str
