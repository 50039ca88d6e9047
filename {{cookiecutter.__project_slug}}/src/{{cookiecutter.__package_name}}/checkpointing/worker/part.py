"""One part: run its steps in order, keep each value while it is needed, then commit.

All this happens in a worker, which receives an Order and sends events; both are plain data.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

from ..base.files import storage_errors
from ..codecs import format_named, frozen_bytes
from ..codecs.several import Shape, assemble, item_name, keys_in, value_of
from ..disk.commit import Commit, Kept, files_of, likely_bytes, sure_bytes
from ..disk.loading import restoring
from ..disk.manifest import Manifest
from ..disk.store import Damaged, Store, is_sound
from ..graph.signatures import annotation_of
from ..graph.steps import WORKDIR, Step
from ..memory import meter
from ..memory.gauge import Gauge
from ..memory.residency import Residency
from ..reuse.further import FurtherCode
from .calling import call, columns_read, given, lend, seed
from .forks import children_end_here
from .freezing import Frozen, freeze, thaw, thaw_as
from .messages import (
    CommitStarted,
    Next,
    Order,
    StepEnded,
    StepStarted,
    ValueLoaded,
    WriteEnded,
    WriteStarted,
)
from .unchanged import further_code, import_unchanged, require_unchanged

_WITHOUT_MEMORY = ("path", "index")
"""Families whose values take next to no memory."""


class Part:
    """The steps of an order and the values between them, each in its codec's in-memory form.

    Items of a value that is made of several have names of their own, and so has its index.

    Args:
        send: sends an event to the parent.
        ask: asks the parent what to do before the next step.

    Attributes:
        current: the step that is running.
        finished: the steps that have ended.
    """

    def __init__(self, order: Order, send: Callable[[Any], None], ask: Callable[[], Next]) -> None:
        self.order = order
        self.send = send
        self.ask = ask
        self.current: str | None = None
        self.finished: list[Step] = []
        self.live: dict[str, Any] = {}
        self.lends = False
        self.lent: dict[str, Callable[[], Any]] = {}
        self.commit = Commit(
            Store(order.store).path(order.segment.name, order.key), order.allowance
        )
        self.began = time.perf_counter()
        self.residency = Residency(order.store, order.count)
        parent = multiprocessing.parent_process()
        root = parent.pid if parent and parent.pid else os.getpid()
        self.gauge = Gauge(root, order.count, between_steps=True)
        self.made: dict[str, Frozen] = {}
        """Of each value that the part made, all but the value itself."""
        self.number = order.part.start
        self.last_read = {p.taken: order.number(s) for s in order.steps for p in s.parameters}
        self.columns = columns_read(order.steps)
        self.written: dict[str, Kept] = {}
        self.item_keys: dict[str, str] = {}

    def run(self) -> Manifest:
        """Run the steps and commit. After an error, `rescue` or `abandon` has to be called."""
        with children_end_here():  # a forked child that returns must not remove files
            return self._run_steps()

    def abandon(self) -> None:
        """Remove all that the part has written, but items that it has noted."""
        self.commit.close()
        self.commit.abandon()

    def take_back(self) -> None:
        """Take back what the failed step had been lent and has not let go of."""
        for name, lent in self.lent.items():
            if (frozen := lent()) is not None:
                self.live[name] = frozen
        self.lent.clear()

    def rescue(self) -> Manifest | None:
        """Commit the values of the steps that ended before one failed; None if that fails too."""
        failed = next(step for step in self.order.steps if step.name == self.current)
        try:
            with children_end_here():
                return self._commit(self.order.number(failed), is_rescue=True)
        except BaseException:  # what the step has raised is the failure to speak of
            self.abandon()
            return None

    def _prepare(self) -> None:
        with children_end_here():
            import_unchanged({self.order.segment: self.order.code}, self.order.trees)
        gc.freeze()  # imported objects stay: no collection has to look at them again
        meter.give_back_memory()

    def _run_steps(self) -> Manifest:
        order = self.order
        self._prepare()
        for step, following in zip(order.steps, [*order.steps[1:], None], strict=False):
            self._run_step(step, following)
            if order.keep_all:
                self._write(self._written_at_once(step), order.number(step) + 1, release=False)
                meter.give_back_memory()
            if following is not None:
                answer = self.ask()
                if answer is Next.COMMIT:
                    return self._commit(order.number(following))
                self.lends = answer is Next.LEND
        return self._commit(order.part.stop)

    def _is_written(self, name: str, stop: int) -> bool:
        """Whether a value is live or an output, if the part ends before step `stop`.

        With `keep_all` files that a step made are too, and indexes: to hold these takes no memory.
        """
        order = self.order
        return name in self.made and (
            order.last_take(name) >= stop
            or order.is_output(name)
            or (order.keep_all and self.made[name].codec.family in _WITHOUT_MEMORY)
        )

    def _written_at_once(self, step: Step) -> list[str]:
        """The values that `keep_all` writes before the next step, which may be their last use.

        At the end of the part they would have to be held until then. Outputs are held in any case,
        and files that a step made are on disk already.
        """
        return [
            name
            for name in self.live
            if value_of(name) == step.name
            and not self.order.is_output(name)
            and self.made[name].codec.family not in _WITHOUT_MEMORY
        ]

    def _run_step(self, step: Step, following: Step | None) -> None:
        self.current, self.number = step.name, self.order.number(step)
        started = time.perf_counter()
        self.send(StepStarted(step.name, self._sizes(), self.residency.bytes, self.gauge.sample()))
        function = step.function()
        seed(self.order.seeds[step.name], step.name)
        taken: dict[str, int] = {}
        take = self._taker(step, taken)
        result = call(function, [p.name for p in step.parameters], take)
        own = likely = 0
        if step.codec is not None:
            own, likely = self._keep(step, result, self.commit.workdir_path(step.name))
        gone = [name for name in {*taken, *self.live} if self._is_over(name, self.number)]
        for name in gone:
            self.live.pop(name, None)
        self.lent.clear()
        del result
        meter.give_back_memory()
        self.residency.drop(*gone)
        self.finished.append(step)
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
                lent_bytes=self._last_used_by(following),
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

    def _last_used_by(self, step: Step | None) -> int:
        """The bytes of the live values that a step is the last to use."""
        if step is None:
            return 0
        number, sources = self.order.number(step), {p.source for p in step.parameters}
        return sum(
            frozen_bytes(frozen)
            for name, frozen in self.live.items()
            if value_of(name) in sources and self._is_over(name, number)
        )

    def _is_over(self, name: str, number: int) -> bool:
        """Whether no step of the part after that number needs a value, and it is not written."""
        last = max(self.last_read.get(n, -1) for n in (name, value_of(name)))
        return last <= number and not self._is_written(name, self.order.part.stop)

    def _taker(self, step: Step, taken: dict[str, int]) -> Callable[[str], Any]:
        """The function that gives a step its arguments; at a value's last use it drops it.

        Where there is room, a value is dropped only when the step lets go of it: if the step fails,
        the value can still be committed. The function records the size of each value, in bytes, in
        `taken`.
        """
        parameters = {parameter.name: parameter for parameter in step.parameters}
        takers = Counter(parameter.source for parameter in step.parameters)

        def single(name: str, thawed: Callable[[Any], Any]) -> Any:
            return self._take(name, thawed, taken, may_drop=takers[value_of(name)] == 1)

        def items(value: str, shape: Shape) -> Iterator[tuple[str, Any]]:
            for key in single(value, keys_in):
                kind = shape.loads(key)
                assert kind is not None, "the pipeline compared both shapes"
                thawed = partial(thaw_as, kind.codec, kind.is_optional)
                yield key, single(item_name(value, key), thawed)

        def take(name: str) -> Any:
            parameter = parameters[name]
            if name == WORKDIR:
                return self.commit.workdir(self._stem(step))
            if (step.name, name) in self.order.arguments:
                return given(self.order.arguments[step.name, name])
            shape = parameter.shape
            if shape is None or parameter.key is not None:
                return single(parameter.taken, lambda frozen: thaw(parameter, frozen))
            if shape.is_lazy:
                pairs = items(parameter.source, shape)
                # Not a generator expression, which would hold an item while it makes the next.
                return pairs if shape.kind == "dict" else map(itemgetter(1), pairs)
            whole = annotation_of(step.function(), name) if shape.kind == "fields" else None
            return assemble(shape, dict(items(parameter.source, shape)), whole)

        return take

    def _take(
        self, name: str, thawed: Callable[[Any], Any], taken: dict[str, int], *, may_drop: bool
    ) -> Any:
        """A value or an item for the current step, which is dropped if no other one needs it."""
        if name not in self.live:
            self._load(name)
        taken[name] = frozen_bytes(self.live[name])
        is_last = may_drop and self._is_over(name, self.number)
        frozen = self.live.pop(name) if is_last else self.live[name]
        is_stored = name in self.order.sources
        with restoring(name, is_stored=is_stored):
            argument = thawed(frozen)
        if is_last and self.lends and not is_stored:
            self.lent[name] = lend(frozen, argument)
        return argument

    def _stem(self, step: Step) -> str:
        """What the folder for a step's files is called."""
        return step.name

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

    def _commit(self, stop: int, *, is_rescue: bool = False) -> Manifest:
        """Write the values that steps from number `stop` on need, and the outputs, and commit.

        Raises ConfigurationError if code or inputs have changed since the part began.
        """
        seconds = time.perf_counter() - self.began
        require_unchanged([self.order.code], self.order.trees, Path.read_bytes)
        further: FurtherCode = further_code(self.order.code, self.order.root)
        self.current = None
        order, before = self.order, self.order.before
        waiting = [
            name for name in self.live if name not in self.written and self._is_written(name, stop)
        ]
        self.residency.drop(*(name for name in self.live if name not in waiting))
        self.live = {name: self.live[name] for name in waiting}
        self.send(CommitStarted(self._sizes(), self.residency.bytes, self.gauge.sample()))
        self._write(waiting, stop, release=True)
        values = {} if before is None else before.values
        values = {name: record for name, record in values.items() if order.is_kept(name, stop)}
        outputs = {} if before is None else dict(before.outputs)
        for name, records in self.written.items():
            values |= {name: records.kept} if records.kept else {}
            outputs |= {name: records.output} if records.output else {}
        done = order.done | {step.name for step in self.finished}
        done |= set(before.steps) if before else set()
        steps = tuple(step.name for step in order.segment.steps if step.name in done)
        use = Store(order.store).next_use(order.segment.name)
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        manifest = replace(
            order.manifest(),
            steps=steps,
            values=values,
            outputs=outputs,
            committed_at=now,
            seconds=seconds + (before.seconds if before else 0),
            use=use,
            ran={
                **(before.ran if before else {}),
                **{step.name: (use, now) for step in self.finished},
            },
            further=(before.further if before else {}) | further,
            step_keys={name: order.step_keys[name] for name in steps if name in order.step_keys},
            item_keys=self._item_keys(before),
        )
        self.commit.finish(manifest, partial=is_rescue or not order.is_complete(stop))
        return manifest

    def _item_keys(self, before: Manifest | None) -> dict[str, str]:
        """The keys of all items that are done, those of one step in the order of its items."""
        former = before.item_keys if before else {}
        return {n: k for n, k in former.items() if n not in self.item_keys} | self.item_keys

    def _write(self, values: list[str], stop: int, *, release: bool) -> None:
        """Write values of a part that ends before step `stop`; with `release` let go of each."""
        order = self.order
        files = {
            name: files_of(
                self.made[name].codec,
                order.format,
                kept=order.is_kept(name, stop),
                output=order.is_output(name),
                suffix=order.suffixes.get(name, ""),
            )
            for name in values
        }
        self.commit.require_room(sum(sure_bytes(self.live[name], files[name]) for name in values))
        for name in values:
            started = time.perf_counter()
            self.send(WriteStarted(name, self.gauge.sample()))
            frozen = self.live.pop(name) if release else self.live[name]
            codec, stem = self.made[name].codec, self.made[name].stem
            records = self.commit.keep(name, frozen, codec, files[name], stem)
            del frozen
            self.residency.drop(*([name] if release else []))
            self.written[name] = records
            self.send(WriteEnded(name, records.bytes, time.perf_counter() - started))

    def _sizes(self) -> dict[str, int]:
        return {name: frozen_bytes(frozen) for name, frozen in self.live.items()}
