"""One part: run its steps in order, keep each value while it is needed, then commit.

All this happens in a worker, which receives an Order and sends events; both are plain data.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import multiprocessing
import os
import random
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..base.errors import InexactValue
from ..base.files import storage_errors
from ..codecs import Codec, codec_named, format_named, frozen_bytes, require_whole, select
from ..disk.commit import Commit, files_of, likely_bytes, sure_bytes
from ..disk.loading import restoring
from ..disk.manifest import Manifest
from ..disk.store import Damaged, Store, is_sound
from ..graph.steps import WORKDIR, Parameter, Step
from ..memory import meter
from ..memory.gauge import Gauge
from ..memory.residency import Residency
from ..reuse.further import FurtherCode
from .forks import children_end_here
from .messages import (
    CommitStarted,
    Order,
    StepEnded,
    StepStarted,
    ValueLoaded,
    WriteEnded,
    WriteStarted,
)
from .unchanged import further_code, import_unchanged, require_unchanged


class Part:
    """The steps of an order and the values between them, each in its codec's in-memory form.

    Args:
        send: sends an event to the parent.
        is_to_go_on: asks the parent whether to run the next step, or to commit before it.
    """

    def __init__(
        self, order: Order, send: Callable[[Any], None], is_to_go_on: Callable[[], bool]
    ) -> None:
        self.order = order
        self.send = send
        self.is_to_go_on = is_to_go_on
        self.current: str | None = None
        self.live: dict[str, Any] = {}
        self.residency = Residency(order.store, order.count)
        parent = multiprocessing.parent_process()
        root = parent.pid if parent and parent.pid else os.getpid()
        self.gauge = Gauge(root, order.count, between_steps=True)
        self.codecs: dict[str, Codec] = {}
        self.last_use = {p.name: s.name for s in order.steps for p in s.parameters}
        self.columns = columns_read(order.steps)

    def run(self) -> Manifest:
        order = self.order
        commit = Commit(Store(order.store).path(order.segment.name, order.key), order.allowance)
        try:
            with children_end_here():  # a forked child that returns must not remove files
                return self._run_steps(commit)
        except BaseException:
            commit.abandon()
            raise

    def _run_steps(self, commit: Commit) -> Manifest:
        order, started = self.order, time.perf_counter()
        with children_end_here():
            import_unchanged({order.segment: order.code}, order.trees)
        self.codecs = {s.name: codec_named(s.codec) for s in order.steps if s.codec is not None}
        gc.freeze()  # imported objects stay: no collection has to look at them again
        meter.give_back_memory()
        stop = order.part.start
        for step in order.steps:
            stop += 1
            if step.name in order.done:
                continue
            self._run_step(step, commit)
            if stop < order.part.stop and not self.is_to_go_on():
                break
        require_unchanged([order.code], order.trees, Path.read_bytes)
        further = further_code(order.code, order.root)
        return self._commit(commit, stop, time.perf_counter() - started, further)

    def _is_written(self, value: str, stop: int) -> bool:
        """Whether a value is live or an output, if the part ends before step `stop`."""
        return value in self.codecs and (
            self.order.last_use[value] >= stop or value in self.order.outputs
        )

    def _run_step(self, step: Step, commit: Commit) -> None:
        self.current = step.name
        started = time.perf_counter()
        self.send(StepStarted(step.name, self._sizes(), self.residency.bytes, self.gauge.sample()))
        function = step.function()
        seed(self.order.key, step.name)
        taken: dict[str, int] = {}
        take = self._taker(step, commit, taken)
        result = call(function, [p.name for p in step.parameters], take)
        own = likely = 0
        if step.codec is not None:
            result = freeze(step, result, commit.workdir_path(step.name))
            own, likely = self.residency.add(step.name, result), likely_bytes(result)
            self.live[step.name] = result
        gone = [name for name in (*taken, step.name) if self._is_over(name, step)]
        for name in gone:
            self.live.pop(name, None)
        del result
        meter.give_back_memory()
        self.residency.drop(*gone)
        self.send(
            StepEnded(
                step.name,
                time.perf_counter() - started,
                self.gauge.sample(),
                self.residency.bytes,
                input_bytes=sum(taken.values()),
                value_bytes=own,
                file_bytes=likely,
                shared=self.residency.shared(),
            )
        )

    def _is_over(self, name: str, step: Step) -> bool:
        """Whether this step is the last of the part that needs a value."""
        return self.last_use.get(name, step.name) == step.name and not self._is_written(
            name, self.order.part.stop
        )

    def _taker(self, step: Step, commit: Commit, taken: dict[str, int]) -> Callable[[str], Any]:
        """The function that gives a step its arguments; at a value's last use it drops it.

        The function records the size of each value, in bytes, in `taken`.
        """
        parameters = {parameter.name: parameter for parameter in step.parameters}

        def take(name: str) -> Any:
            if name == WORKDIR:
                return commit.workdir(step.name)
            if (step.name, name) in self.order.arguments:
                return copy.deepcopy(self.order.arguments[step.name, name])
            if name not in self.live:
                self._load(parameters[name])
            taken[name] = frozen_bytes(self.live[name])
            frozen = self.live.pop(name) if self._is_over(name, step) else self.live[name]
            with restoring(name, is_stored=name in self.order.sources):
                return thaw(parameters[name], frozen)

        return take

    def _load(self, parameter: Parameter) -> None:
        started = time.perf_counter()
        name = parameter.name
        source = self.order.sources[name]
        is_known = not source.verify and source.record.untouched(source.folder)
        with storage_errors(f"Reading `{name}`", source.folder):
            if not is_known and not is_sound(source.folder, source.record):
                raise Damaged(name)
        path = source.path
        if source.record.format == "path":
            self.live[name] = path
        else:
            with restoring(name, is_stored=True):
                form = format_named(source.record.format)
                self.live[name] = form.read(path, self.columns[name])
        held = self.residency.add(name, self.live[name])
        seconds = time.perf_counter() - started
        self.send(ValueLoaded(name, frozen_bytes(self.live[name]), held, seconds))

    def _commit(self, commit: Commit, stop: int, seconds: float, further: FurtherCode) -> Manifest:
        """Write the values that steps from number `stop` on need, and the outputs, and commit."""
        self.current = None
        order, before = self.order, self.order.before
        waiting = [name for name in self.live if self._is_written(name, stop)]
        self.residency.drop(*(name for name in self.live if name not in waiting))
        self.live = {name: self.live[name] for name in waiting}
        self.send(CommitStarted(self._sizes(), self.residency.bytes, self.gauge.sample()))
        files = {
            name: files_of(
                self.codecs[name],
                order.format,
                kept=order.last_use[name] >= stop,
                output=name in order.outputs,
            )
            for name in waiting
        }
        commit.require_room(sum(sure_bytes(self.live[name], files[name]) for name in waiting))
        values = {} if before is None else before.values
        values = {name: record for name, record in values.items() if order.last_use[name] >= stop}
        outputs = {} if before is None else dict(before.outputs)
        for name in waiting:
            started = time.perf_counter()
            self.send(WriteStarted(name, self.gauge.sample()))
            codec = self.codecs[name]
            records = commit.keep(name, self.live.pop(name), codec, files[name])
            self.residency.drop(name)
            values |= {name: records.kept} if records.kept else {}
            outputs |= {name: records.output} if records.output else {}
            self.send(WriteEnded(name, records.bytes, time.perf_counter() - started))
        manifest = Manifest(
            pipeline=order.pipeline,
            segment=order.segment.name,
            key=order.key,
            steps=tuple(step.name for step in order.segment.steps[: stop - order.first]),
            ingredients=order.ingredients,
            values=values,
            outputs=outputs,
            committed_at=datetime.now(UTC).isoformat(timespec="microseconds"),
            seconds=seconds + (before.seconds if before else 0),
            params=order.params,
            use=Store(order.store).next_use(order.segment.name),
            further=(before.further if before else {}) | further,
        )
        commit.finish(manifest, partial=not order.is_complete(stop))
        return manifest

    def _sizes(self) -> dict[str, int]:
        return {name: frozen_bytes(frozen) for name, frozen in self.live.items()}


def columns_read(steps: tuple[Step, ...]) -> dict[str, tuple[str, ...] | None]:
    """For each value, the columns that these steps read; None for all."""
    columns: dict[str, tuple[str, ...] | None] = {}
    for parameter in (p for step in steps for p in step.parameters):
        former = columns.get(parameter.name, ())
        if former is None or parameter.columns is None:
            columns[parameter.name] = None
        else:
            columns[parameter.name] = tuple(dict.fromkeys((*former, *parameter.columns)))
    return columns


def seed(key: str, step: str) -> None:
    """Seed the random numbers, so that a step draws the same ones in every run."""
    number = zlib.crc32(f"{key} {step}".encode())
    random.seed(number)
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed(number)


def call(function: Callable[..., Any], names: list[str], take: Callable[[str], Any]) -> Any:
    """Call a step so that only the step itself holds its arguments.

    A call through `*args` or `**kwargs` keeps every argument alive until it returns, even after
    the step rebinds its name; a plain positional call hands the references over.
    """
    arguments = ", ".join(f"take({name!r})" for name in names)
    with children_end_here():
        return eval(f"lambda function, take: function({arguments})")(function, take)


def freeze(step: Step, result: Any, workdir: Path) -> Any:
    """The in-memory form of a step's result.

    Raises InexactValue for a value that could not be restored exactly, and for a path outside the
    step's own `workdir`.
    """
    assert step.codec is not None, "a sink has no value"
    codec = codec_named(step.codec)
    with naming(step.name), children_end_here():
        frozen = codec.freeze(result)
    if codec.family == "path" and not Path(frozen).resolve().is_relative_to(workdir.resolve()):
        raise InexactValue(
            f"`{step.name}` returned {frozen}, which does not lie in its workdir. Take a parameter "
            f"`workdir: Path` and make the file there.",
            step=step.name,
        )
    if codec.family == "path":
        with naming(step.name):
            require_whole(Path(frozen))
    return frozen


@contextlib.contextmanager
def naming(step: str) -> Iterator[None]:
    """Name the step in the message of an InexactValue."""
    try:
        yield
    except InexactValue as error:
        raise InexactValue(f"`{step}`: {error.message}", step=step) from None


def thaw(parameter: Parameter, frozen: Any) -> Any:
    """The argument that a step receives for a parameter."""
    assert parameter.codec is not None, "the pipeline refused a value without a codec"
    codec = codec_named(parameter.codec)
    if parameter.columns is not None:
        frozen = select(frozen, parameter.columns)
    with children_end_here():
        return codec.thaw(frozen)
