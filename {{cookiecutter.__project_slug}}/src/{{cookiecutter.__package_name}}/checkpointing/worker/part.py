"""One part: run its steps in order, keep each value while it is needed, then commit.

All this happens in a worker, which receives an Order and sends events; both are plain data.
"""

from __future__ import annotations

import copy
import gc
import multiprocessing
import os
import random
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

from ..base.files import storage_errors
from ..codecs import format_named, frozen_bytes
from ..codecs.several import Shape, assemble, item_name, keys_in, value_of
from ..disk.commit import Commit, files_of, likely_bytes, sure_bytes
from ..disk.loading import restoring
from ..disk.manifest import Manifest
from ..disk.store import Damaged, Store, is_sound
from ..graph.signatures import annotation_of
from ..graph.steps import WORKDIR, Step
from ..memory import meter
from ..memory.gauge import Gauge
from ..memory.residency import Residency
from ..reuse.further import FurtherCode
from .forks import children_end_here
from .freezing import Frozen, freeze, thaw, thaw_as
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

    Items of a value that is made of several have names of their own, and so has its index.

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
        self.made: dict[str, Frozen] = {}
        """Of each value that the part made, all but the value itself."""
        self.number = order.part.start
        self.last_read = {
            p.taken: number
            for number, step in zip(order.part, order.steps, strict=True)
            for p in step.parameters
        }
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
        gc.freeze()  # imported objects stay: no collection has to look at them again
        meter.give_back_memory()
        stop = order.part.start
        for step in order.steps:
            stop += 1
            if step.name in order.done:
                continue
            self.number = stop - 1
            self._run_step(step, commit)
            if stop < order.part.stop and not self.is_to_go_on():
                break
        require_unchanged([order.code], order.trees, Path.read_bytes)
        further = further_code(order.code, order.root)
        return self._commit(commit, stop, time.perf_counter() - started, further)

    def _is_written(self, name: str, stop: int) -> bool:
        """Whether a value is live or an output, if the part ends before step `stop`."""
        return name in self.made and (self.last_use(name) >= stop or self._is_output(name))

    def last_use(self, name: str) -> int:
        """The number of the last step that takes a value of the segment, itself or in the whole."""
        last = self.order.last_use
        return last.get(name, last[value_of(name)])

    def _is_output(self, name: str) -> bool:
        """Whether a value is an output; an unnamed item is one if its whole is."""
        outputs, last = self.order.outputs, self.order.last_use
        return name in outputs or (name not in last and value_of(name) in outputs)

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
            own, likely = self._keep(step, result, commit.workdir_path(step.name))
        gone = [name for name in {*taken, *self.live} if self._is_over(name)]
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

    def _keep(self, step: Step, result: Any, workdir: Path) -> tuple[int, int]:
        """Freeze a result; returns the memory that came with it, and the likely size on disk."""
        own = likely = 0
        for name, frozen in freeze(step, result, workdir, self.order.last_use).items():
            own += self.residency.add(name, frozen.form)
            likely += likely_bytes(frozen.form)
            self.live[name] = frozen.form
            self.made[name] = Frozen(frozen.codec, None, frozen.stem)
        return own, likely

    def _is_over(self, name: str) -> bool:
        """Whether no step of the part after this one needs a value, and it is not written."""
        last = max(self.last_read.get(n, -1) for n in (name, value_of(name)))
        return last <= self.number and not self._is_written(name, self.order.part.stop)

    def _taker(self, step: Step, commit: Commit, taken: dict[str, int]) -> Callable[[str], Any]:
        """The function that gives a step its arguments; at a value's last use it drops it.

        The function records the size of each value, in bytes, in `taken`.
        """
        parameters = {parameter.name: parameter for parameter in step.parameters}
        takers = Counter(parameter.source for parameter in step.parameters)

        def one(name: str, thawed: Callable[[Any], Any]) -> Any:
            if name not in self.live:
                self._load(name)
            taken[name] = frozen_bytes(self.live[name])
            is_last = takers[value_of(name)] == 1 and self._is_over(name)
            frozen = self.live.pop(name) if is_last else self.live[name]
            with restoring(name, is_stored=name in self.order.sources):
                return thawed(frozen)

        def items(value: str, shape: Shape) -> Iterator[tuple[str, Any]]:
            for key in one(value, keys_in):
                kind = shape.type_of(key)
                assert kind is not None, "the pipeline compared both shapes"
                thawed = partial(thaw_as, kind.codec, kind.is_optional)
                yield key, one(item_name(value, key), thawed)

        def take(name: str) -> Any:
            parameter = parameters[name]
            if name == WORKDIR:
                return commit.workdir(step.name)
            if (step.name, name) in self.order.arguments:
                return copy.deepcopy(self.order.arguments[step.name, name])
            shape = parameter.shape
            if shape is None or parameter.key is not None:
                return one(parameter.taken, lambda frozen: thaw(parameter, frozen))
            if shape.is_lazy:
                pairs = items(parameter.source, shape)
                # Not a generator expression, which would hold an item while it makes the next.
                return pairs if shape.kind == "dict" else map(itemgetter(1), pairs)
            whole = annotation_of(step.function(), name) if shape.kind == "fields" else None
            return assemble(shape, dict(items(parameter.source, shape)), whole)

        return take

    def _columns(self, name: str) -> tuple[str, ...] | None:
        """The columns to load of a value or an item; None: all."""
        wanted = [self.columns[n] for n in (name, value_of(name)) if n in self.columns]
        return None if None in wanted else wanted[0]

    def _load(self, name: str) -> None:
        started = time.perf_counter()
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
                columns = None if source.record.codec == "json" else self._columns(name)
                self.live[name] = form.read(path, columns)
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
                self.made[name].codec,
                order.format,
                kept=self.last_use(name) >= stop,
                output=self._is_output(name),
            )
            for name in waiting
        }
        commit.require_room(sum(sure_bytes(self.live[name], files[name]) for name in waiting))
        values = {} if before is None else before.values
        values = {name: record for name, record in values.items() if self.last_use(name) >= stop}
        outputs = {} if before is None else dict(before.outputs)
        for name in waiting:
            started = time.perf_counter()
            self.send(WriteStarted(name, self.gauge.sample()))
            codec, stem = self.made[name].codec, self.made[name].stem
            records = commit.keep(name, self.live.pop(name), codec, files[name], stem)
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
    """For each value or item, the columns that these steps read; None for all."""
    columns: dict[str, tuple[str, ...] | None] = {}
    for parameter in (p for step in steps for p in step.parameters):
        former = columns.get(parameter.taken, ())
        if former is None or parameter.columns is None:
            columns[parameter.taken] = None
        else:
            columns[parameter.taken] = tuple(dict.fromkeys((*former, *parameter.columns)))
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
