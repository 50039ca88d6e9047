"""A part of one step that runs for each item: what is made of one is on disk before the next runs.

So a process that dies loses the item that it was at, and no other.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..codecs import codec_named
from ..codecs.several import INDEX, index_of, item_name, key_of
from ..disk.manifest import FurtherFiles, Manifest
from ..disk.value_files import Kept, files_of, sure_bytes
from ..graph.steps import Parameter, Step
from ..memory import meter
from ..reuse.each import EachItem
from .calling import call, given, seed
from .engines import is_elastic
from .freezing import Frozen, freeze_item, thaw
from .messages import Next, StepEnded, StepStarted
from .part import Part
from .unchanged import further_code


class ItemPart(Part):
    """The part of a step that runs for each item.

    Attributes:
        item: the item that it runs for now.
    """

    item: EachItem | None = None
    _is_last = False
    _modules = 0  # that were imported when the last item ended

    @property
    def key(self) -> str:
        """What the item is called; empty if none runs."""
        return key_of(self.item.name) if self.item else ""

    def _run_steps(self) -> Manifest:
        order, before = self.order, self.order.before
        [step] = order.steps
        self._prepare()
        items = order.items[step.name]
        done = before.item_keys if before else {}
        waiting = [item for item in items if done.get(item.name) != item.key]
        self.item_keys = {item.name: item.key for item in items if item not in waiting}
        self.number = order.number(step)
        self.commit.open_journal(order.manifest())
        for item in waiting:
            self._is_last = item is waiting[-1]
            self._run_item(step, item)
            if not self._is_last and self.ask() is Next.COMMIT:
                return self._commit(self.number, is_rescue=True)
        self.item = None
        self.commit.close()
        self.item_keys = {item.name: item.key for item in items}
        if step.shape is not None:
            keys = [key_of(item.name) for item in items]
            self.live[step.name] = index_of(step.shape, keys)
            self.made[step.name] = Frozen(codec_named(INDEX), None, step.name)
        self.finished.append(step)
        return self._commit(order.part.stop)

    def _run_item(self, step: Step, item: EachItem) -> None:
        self.current, self.item, self.is_in_step = step.name, item, True
        key, started = key_of(item.name), time.perf_counter()
        held, elastic = self.gauge.sample(), is_elastic(step)
        self.send(StepStarted(step.name, self._sizes(), self.residency.bytes, held, key, elastic))
        seed(item.key, step.name)
        self._begin_step(step)
        taken: dict[str, int] = {}
        take = self._taker(step, taken)
        result = call(step.function(), [p.name for p in step.parameters], take)
        own, kept = 0, None
        if step.shape is not None:
            frozen = self._frozen(step, item, result)
            own = self.residency.add(item.name, frozen.form, in_batches=item.name in self.streamed)
            seconds = time.perf_counter() - started
            kept = self._kept(item, frozen)
            del frozen
        else:
            seconds = time.perf_counter() - started
        del result
        self._end_step(step)
        self.is_in_step = False
        gone = [name for name in {*taken, *self.live} if self._is_done_with(name)]
        self._let_go(gone)
        meter.give_back_memory()
        self.residency.drop(item.name, *gone)
        self.commit.note(item.name, item.key, kept, self._further())
        self.item_keys[item.name] = item.key
        self.send(
            StepEnded(
                step.name,
                seconds,
                self.gauge.sample(),
                self.residency.bytes,
                input_bytes=sum(taken.values()),
                value_bytes=own,
                file_bytes=kept.bytes if kept else 0,
                item=key,
                more=not self._is_last,
                written_bytes=kept.bytes if kept else 0,
                **self.streams.figures(),
            )
        )

    def _further(self) -> FurtherFiles:
        """The modules that the key does not contain, if any was imported since the last item."""
        if len(sys.modules) == self._modules:
            return {}
        self._modules = len(sys.modules)
        return further_code(self.order.code, self.order.root)

    def _frozen(self, step: Step, item: EachItem, result: Any) -> Frozen:
        """What was made of an item; a file already, if the step streams."""
        assert step.shape is not None, "a sink has no value"
        is_none = result is None and step.shape.types[0].is_optional
        if not step.streams or is_none:
            workdir = self.commit.workdir_path(self._stem(step))
            return self._stored(item.name, freeze_item(step, item, result, workdir))
        codec, stem = step.shape.types[0].codec, self._stem(step)
        return self._stream(step, item.name, codec, result, stem)

    def _kept(self, item: EachItem, frozen: Frozen) -> Kept:
        """Write what was made of an item."""
        order, stop = self.order, self.number + 1
        files = files_of(
            frozen.codec,
            order.format_of(item.name, stop),
            kept=order.is_kept(item.name, stop),
            output=order.is_output(item.name),
            suffix=order.suffixes.get(item.name, ""),
            columns=order.kept_columns(item.name),
        )
        streamed = self.streamed.pop(item.name, None)
        if streamed is None:
            self.commit.require_room(sure_bytes(frozen.form, files))
        kept = self.commit.keep(item.name, frozen.form, frozen.codec, files, frozen.stem, streamed)
        self.written[item.name] = kept
        return kept

    def _is_done_with(self, name: str) -> bool:
        """Whether no further item needs a value: one that belongs to an item is needed once."""
        return self._is_last or (bool(key_of(name)) and name not in self._shared())

    def _shared(self) -> set[str]:
        """The values and items that the step takes for every item alike."""
        [step] = self.order.steps
        return {p.taken for p in step.parameters if p.name != step.each}

    def _taker(self, step: Step, taken: dict[str, int]) -> Callable[[str], Any]:
        take = super()._taker(step, taken)
        each = next(p for p in step.parameters if p.name == step.each)

        def of_item(name: str) -> Any:
            return self._argument(step, each, taken) if name == step.each else take(name)

        return of_item

    def _take(
        self, name: str, thawed: Callable[[Any], Any], taken: dict[str, int], *, may_drop: bool
    ) -> Any:
        may_drop = may_drop and self._is_done_with(name)
        return super()._take(name, thawed, taken, may_drop=may_drop)

    def _argument(self, step: Step, each: Parameter, taken: dict[str, int]) -> Any:
        """The item itself: of a list of params or files, or of a value of an earlier step."""
        assert self.item is not None, "an item runs"
        if (step.name, each.name) in self.order.arguments:
            argument = given(self.order.arguments[step.name, each.name][self.item.number])
            return self._read_input(each, [argument]) if each.in_batches else argument
        if self.order.sources[each.source].record.codec == INDEX:
            name = item_name(each.source, key_of(self.item.name))
            if each.in_batches:
                own = replace(each, value=each.source, key=key_of(self.item.name))
                return self._in_batches(own, taken, may_drop=True)
            return self._take(name, lambda frozen: thaw(each, frozen), taken, may_drop=True)
        number = self.item.number
        return self._take(
            each.source,
            lambda frozen: thaw(each, json.dumps(json.loads(frozen)[number]).encode()),
            taken,
            may_drop=False,
        )

    def _stem(self, step: Step) -> str:
        return f"{step.name}-{self.item.number}" if self.item else step.name
