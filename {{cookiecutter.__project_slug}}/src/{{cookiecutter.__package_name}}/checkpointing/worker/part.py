"""One part: run its steps in order, keep each value while it is needed, then commit.

All this happens in a worker, which receives an Order and sends events; both are plain data.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ..base.errors import StorageError
from ..codecs.several import value_of
from ..disk.manifest import FurtherFiles, Manifest
from ..disk.store import Store
from ..disk.value_files import sure_bytes
from ..graph.steps import Step
from ..memory import meter
from .ahead import PLAIN_FORMATS, Ahead
from .calling import call, seed
from .engines import engines_of, is_elastic
from .forks import children_end_here
from .messages import (
    CommitStarted,
    LaneEnded,
    Next,
    Order,
    PartCommitted,
    StepEnded,
    StepStarted,
    WriteEnded,
)
from .unchanged import further_code, import_unchanged, require_unchanged
from .values import WITHOUT_MEMORY, Values


class Part(Values):
    """The steps of an order, and the values between them.

    Args:
        send: sends an event to the parent.
        ask: asks the parent what to do before the next step.

    Attributes:
        current: the step that is running.
        finished: the steps that have ended.
        is_in_step: whether a step is at work: its engine starts, or it computes, or its value is
            frozen, but no checkpoint is written.
    """

    def __init__(self, order: Order, send: Callable[[Any], None], ask: Callable[[], Next]) -> None:
        super().__init__(order, send)
        self.ask = ask
        self.current: str | None = None
        self.finished: list[Step] = []
        self.is_in_step = False
        self.began = time.perf_counter()
        self.item_keys: dict[str, str] = {}
        self.ahead = Ahead()

    def run(self) -> PartCommitted | LaneEnded:
        """Run the steps and commit. After an error, `rescue` or `abandon` has to be called."""
        with children_end_here():  # a forked child that returns must not remove files
            return PartCommitted(self._run_steps())

    def abandon(self) -> None:
        """Remove all that the part has written, but items that it has noted."""
        self.ahead.close()
        self.commit.close()
        self.commit.abandon()

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
                self._write_ahead(step)
                answer = self.ask()
                if answer is Next.COMMIT:
                    return self._commit(order.number(following))
                self.lends = answer is Next.LEND
        return self._commit(order.part.stop)

    def _write_ahead(self, step: Step) -> None:
        """Begin to write what a step has made and the end of the part will write in any case.

        Only what takes no memory beside the value: where mapped pages count, to compare the file
        with it would. Nor while an engine may need the disk for what it does not hold. A part that
        ends sooner writes these too, and in the same format.
        """
        order, stop = self.order, self.order.part.stop
        if order.keep_all or order.count != "held" or any(map(engines_of, order.steps)):
            return
        for name in [name for name in self.live if value_of(name) == step.name]:
            files, made = self._files(name, stop), self.made[name]
            forms = {form.name for form in (files.kept, files.output) if form is not None}
            is_plain = bool(forms) and forms.issubset(PLAIN_FORMATS)
            is_settled = order.is_kept(name, stop) and value_of(name) not in order.as_files
            if not is_plain or not is_settled or name in self.streamed:
                continue
            frozen = self.live[name]
            count = sure_bytes(frozen, files)
            with suppress(StorageError, RuntimeError):  # the end of the part says what is wrong
                self.commit.require_room(self.ahead.bytes + count)
                write = partial(self.commit.keep, name, frozen, made.codec, files, made.stem)
                self.ahead.begin(name, count, write)

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
            and self.made[name].codec.family not in WITHOUT_MEMORY
        ]

    def _run_step(self, step: Step, following: Step | None) -> None:
        self.current, self.number = step.name, self.order.number(step)
        self.is_in_step = True
        started = time.perf_counter()
        live, held = self.residency.bytes, self.gauge.sample()
        elastic = is_elastic(step)
        self.send(StepStarted(step.name, self._sizes(), live, held, is_elastic=elastic))
        function = step.function()
        seed(self.order.seeds[step.name], step.name)
        self._begin_step(step)
        taken: dict[str, int] = {}
        take = self._taker(step, taken)
        result = call(function, [p.name for p in step.parameters], take)
        own = likely = 0
        if step.codec is not None:
            own, likely = self._keep(step, result, self.commit.workdir_path(step.name))
        del result
        self._end_step(step)
        self.is_in_step = False
        gone = [name for name in {*taken, *self.live} if self._is_over(name, self.number)]
        self._let_go(gone)
        self.lent.clear()
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
                **self.streams.figures(),
            )
        )

    def _commit(self, stop: int, *, is_rescue: bool = False) -> Manifest:
        """Write the values that steps from number `stop` on need, and the outputs, and commit.

        Raises ConfigurationError if code or inputs have changed since the part began.
        """
        seconds = time.perf_counter() - self.began
        require_unchanged([self.order.code], self.order.trees, Path.read_bytes)
        further: FurtherFiles = further_code(self.order.code, self.order.root)
        self.current = None
        order, before = self.order, self.order.before
        waiting = [
            name for name in self.live if name not in self.written and self._is_written(name, stop)
        ]
        self.residency.drop(*(name for name in self.live if name not in waiting))
        self.live = {name: self.live[name] for name in waiting}
        self.send(CommitStarted(self._sizes(), self.residency.bytes, self.gauge.sample()))
        for value in self.ahead.wait():
            del self.live[value.name]
            self.residency.drop(value.name)
            self.written[value.name] = value.kept
            self.send(WriteEnded(value.name, value.kept.bytes, value.seconds, ahead=True))
        self.ahead.close()
        self._write([name for name in waiting if name not in self.written], stop, release=True)
        values = {} if before is None else before.values
        values = {name: record for name, record in values.items() if order.is_kept(name, stop)}
        outputs = {} if before is None else dict(before.outputs)
        places = {name: place for place, name in enumerate(self.made)}
        for name in sorted(self.written, key=lambda name: places.get(name, -1)):  # as they are made
            records = self.written[name]
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
