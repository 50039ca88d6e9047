"""The values of a part: taken from checkpoints and steps, kept between steps, written to disk."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import nullcontext, suppress
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

from ..base.errors import InexactValue
from ..base.files import storage_errors, total_bytes
from ..codecs import PARQUET, PARQUETS, OnDisk, codec_named, format_named, frozen_bytes
from ..codecs.several import Shape, assemble, item_name, keys_in, value_of
from ..disk.commit import Commit
from ..disk.hashed import is_sound
from ..disk.loading import reading
from ..disk.manifest import FileRecord
from ..disk.store import Damaged, Store
from ..disk.value_files import Files, Kept, files_of, likely_bytes, sure_bytes
from ..graph.signatures import annotation_of
from ..graph.steps import WORKDIR, Parameter, Step
from ..memory import meter
from ..memory.company import beside_this
from ..memory.gauge import Gauge
from ..memory.residency import Residency
from .calling import columns_read, given, lend, thawing
from .engines import prepare, release, taken_as_files
from .forks import children_end_here
from .freezing import Frozen, argument_bytes, freeze, is_none, naming, thaw, thaw_as, written_form
from .messages import Order, ValueLoaded, WriteEnded, WriteStarted
from .reading import (
    input_row_bytes,
    input_slices,
    row_bytes,
    slices,
    stored_row_bytes,
    stored_slices,
)
from .streaming import Pulled, StepStreams

WITHOUT_MEMORY = ("path", "index")
"""Families whose values take next to no memory."""


class Values:
    """The values of a part, each in its codec's in-memory form.

    Items of a value that is made of several have names of their own, and so has its index. A value
    that was streamed is the mapped file that it was written to.

    Args:
        send: sends an event to the parent.

    Attributes:
        live: the values that a later step needs, or the checkpoint.
        made: of each value that the part made, all but the value itself.
        streamed: the files of the values that were streamed, until a checkpoint has them.
        written: the records of the values that are on disk.
        streams: the batches of the current step.
    """

    def __init__(self, order: Order, send: Callable[[Any], None]) -> None:
        self.order = order
        self.send = send
        self.live: dict[str, Any] = {}
        self.lends = False
        self.lent: dict[str, Callable[[], Any]] = {}
        self._let_go_of_mapped = meter.letting_go(order.store, order.count)
        self.commit = Commit(
            Store(order.store).path(order.segment.name, order.key),
            order.allowance,
            self._let_go_of_mapped,
        )
        self.residency = Residency(order.store, order.count)
        parent = multiprocessing.parent_process()
        root = parent.pid if parent and parent.pid else os.getpid()
        self.gauge = Gauge(
            root, order.count, between_steps=True, beside=partial(beside_this, order.company)
        )
        self.made: dict[str, Frozen] = {}
        self.streamed: dict[str, FileRecord] = {}
        self.written: dict[str, Kept] = {}
        self.number = order.part.start
        self.last_read = {p.taken: order.number(s) for s in order.steps for p in s.parameters}
        self.columns = columns_read(order.steps)
        self.as_files = taken_as_files(order.steps)
        self.streams = StepStreams("", order.allotment, self.gauge, order.count)

    def take_back(self) -> None:
        """Take back what the failed step had been lent and has not let go of, or lies on disk."""
        for name, lent in self.lent.items():
            if (frozen := lent()) is not None:
                self.live[name] = frozen
        self.lent.clear()
        for name, record in self.streamed.items():
            if name in self.made and name not in self.live:
                self.live[name] = written_form(self.commit.folder, record)

    def _begin_step(self, step: Step) -> None:
        """What goes before the call of a step: room for its batches and for its engine."""
        order = self.order
        self.streams = StepStreams(
            step.name, order.allotment, self.gauge, order.count, self._between_batches
        )
        prepare(step, order, self.commit, self.gauge)

    def _end_step(self, step: Step) -> None:
        """What goes after it: no table in batches is held any more, nor anything by an engine."""
        self.streams.close()
        release(step, self.order, self.send)

    def _is_written(self, name: str, stop: int) -> bool:
        """Whether a value is live or an output, if the part ends before step `stop`.

        With `keep_all` files that a step made are too, and indexes: to hold these takes no memory.
        """
        order = self.order
        return name in self.made and (
            order.last_take(name) >= stop
            or order.is_output(name)
            or (order.keep_all and self.made[name].codec.family in WITHOUT_MEMORY)
        )

    def _keep(self, step: Step, result: Any, workdir: Path) -> tuple[int, int]:
        """Freeze a result; returns the memory that came with it, and the likely size on disk."""
        own = likely = 0
        if step.streams and not (step.is_optional and result is None):
            assert step.codec is not None, "a sink has no value"
            forms = {step.name: self._stream(step, step.name, step.codec, result, step.name)}
        else:
            forms = freeze(step, result, workdir, self.order.last_use)
        for name, made in forms.items():
            frozen = self._stored(name, made)
            own += self.residency.add(name, frozen.form, in_batches=name in self.streamed)
            likely += likely_bytes(frozen.form, self.order.kept_columns(name))
            self.live[name] = frozen.form
            self.made[name] = Frozen(frozen.codec, None, frozen.stem)
        return own, likely

    def _stream(self, step: Step, name: str, codec: str, result: Any, stem: str) -> Frozen:
        """Write the batches of a result to a file, each as it is made; the mapped file.

        What the step's own code raises meanwhile is raised as it is. Raises InexactValue for what
        the step gives that is no batch of one table.
        """
        known = codec_named(codec)
        with naming(name, step):
            batches = Pulled(result, known, self.streams)
        del result
        try:
            # Its file is all that there is of it, so an output is whole.
            columns = () if self.order.is_output(name) else self.order.kept_columns(name)
            record = self.commit.stream(name, batches, known, stem, columns)
        except BaseException as error:
            with suppress(BaseException):  # the first error is the one to speak of
                batches.close()
            if isinstance(error, InexactValue):
                raise InexactValue(error.message, step=step.name) from None
            raise
        batches.close()
        self.streamed[name] = record
        form = written_form(self.commit.folder, record)
        self.streams.made_rows = form.num_rows
        return Frozen(known, form, stem)

    def _stored(self, name: str, made: Frozen) -> Frozen:
        """A value or an item; one whose library writes it itself is written now.

        Raises what the library raises: that is what the step computes.
        """
        if made.codec.store is None:
            return made
        with children_end_here():
            record = self.commit.store(name, made.form, made.codec, made.stem)
        self.streamed[name] = record
        return Frozen(made.codec, written_form(self.commit.folder, record), made.stem)

    def _between_batches(self) -> None:
        """Refuse what an engine has spilled, if that and the checkpoint exceed `max_disk`.

        Where mapped pages count, those of the batches before are let go of.
        """
        if self._let_go_of_mapped is not None:
            self._let_go_of_mapped()
        if self.order.spill.exists():
            self.commit.require_room(total_bytes(self.order.spill))

    def _let_go(self, names: Collection[str]) -> None:
        """Drop values that nothing needs any more, and the files of those that were streamed."""
        for name in names:
            self.live.pop(name, None)
            if (record := self.streamed.pop(name, None)) is not None:
                self.commit.discard(record)

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
                argument = given(self.order.arguments[step.name, name])
                return self._read_input(parameter, argument) if parameter.in_batches else argument
            if parameter.in_batches:
                may_drop = takers[parameter.source] == 1
                return self._in_batches(parameter, taken, may_drop=may_drop)
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
        taken[name] = argument_bytes(self.live[name])
        is_last = may_drop and self._is_over(name, self.number)
        frozen = self.live.pop(name) if is_last else self.live[name]
        source = self.order.sources.get(name)
        with thawing(name, source):
            argument = thawed(frozen)
        if is_last and self.lends and source is None:
            self.lent[name] = lend(frozen, argument)
        return argument

    def _in_batches(self, parameter: Parameter, taken: dict[str, int], *, may_drop: bool) -> Any:
        """A value or an item in batches, for the current step; None if it is None and may be."""
        name = parameter.taken
        source = self.order.sources.get(name)
        form = source.record.format if source is not None else ""
        if source is not None and name not in self.live and form in (PARQUET, PARQUETS):
            self._require_sound(name)
            self.send(ValueLoaded(name, source.record.bytes))
            return self._stored_batches(parameter, OnDisk(source.path, form), taken)
        if name not in self.live:
            self._load(name, in_batches=True)
        frozen = self._take(name, lambda frozen: frozen, taken, may_drop=may_drop)
        if isinstance(frozen, OnDisk):
            return self._stored_batches(parameter, frozen, taken)
        if parameter.is_optional and is_none(frozen):
            return None
        return self.streams.take(
            parameter,
            partial(slices, frozen),
            partial(thawing, name, source),
            row_bytes(frozen),
            columns=parameter.columns,
        )

    def _stored_batches(self, parameter: Parameter, stored: OnDisk, taken: dict[str, int]) -> Any:
        """A table that lies on disk as Parquet, in batches of which no more is decoded."""
        name, columns = parameter.taken, parameter.columns
        taken[name] = stored.bytes
        return self.streams.take(
            parameter,
            partial(stored_slices, stored.path, stored.form, columns),
            partial(thawing, name, self.order.sources.get(name)),
            stored_row_bytes(stored.path, stored.form, columns),
        )

    def _read_input(self, parameter: Parameter, files: list[Path] | None) -> Any:
        """The files of an input in batches, for the current step; None if there are none."""
        if files is None:
            return None
        return self.streams.take(
            parameter,
            partial(input_slices, files, parameter.columns),
            nullcontext,
            input_row_bytes(files),
        )

    def _stem(self, step: Step) -> str:
        """What the folder for a step's files is called."""
        return step.name

    def _columns(self, name: str) -> tuple[str, ...] | None:
        """The columns to load of a value or an item; None: all."""
        wanted = [self.columns[n] for n in (name, value_of(name)) if n in self.columns]
        return None if None in wanted else tuple(dict.fromkeys(c for w in wanted for c in w or ()))

    def _load(self, name: str, *, in_batches: bool = False) -> None:
        started = time.perf_counter()
        source = self.order.sources[name]
        self._require_sound(name)
        path = source.path
        known = source.record.format
        if known == "path":
            self.live[name] = path
        elif known == PARQUETS or (known == PARQUET and value_of(name) in self.as_files):
            self.live[name] = OnDisk(path, known)  # each step reads of it what it needs
        else:
            with reading(name):
                form = format_named(known)
                columns = None if source.record.codec == "json" else self._columns(name)
                self.live[name] = form.read(path, columns)
        held = self.residency.add(name, self.live[name], in_batches=in_batches)
        seconds = time.perf_counter() - started
        self.send(ValueLoaded(name, argument_bytes(self.live[name]), held, seconds))

    def _require_sound(self, name: str) -> None:
        """Hash the file of a value of an earlier part, if that is still to be done.

        Raises Damaged.
        """
        source = self.order.sources[name]
        is_known = not source.verify and source.record.untouched(source.folder)
        with storage_errors(f"Reading `{name}`", source.folder):
            if not is_known and not is_sound(source.folder, source.record):
                raise Damaged(name)

    def _write(self, values: list[str], stop: int, *, release: bool) -> None:
        """Write values of a part that ends before step `stop`; with `release` let go of each."""
        files = {name: self._files(name, stop) for name in values}
        waiting = (name for name in values if name not in self.streamed)
        self.commit.require_room(sum(sure_bytes(self.live[name], files[name]) for name in waiting))
        for name in values:
            started = time.perf_counter()
            self.send(WriteStarted(name, self.gauge.sample()))
            frozen = self.live.pop(name) if release else self.live[name]
            codec, stem = self.made[name].codec, self.made[name].stem
            streamed = self.streamed.pop(name, None)
            records = self.commit.keep(name, frozen, codec, files[name], stem, streamed)
            del frozen
            self.residency.drop(*([name] if release else []))
            self.written[name] = records
            self.send(WriteEnded(name, records.bytes, time.perf_counter() - started))

    def _files(self, name: str, stop: int) -> Files:
        """The files that a value of the part gets, if it ends before step `stop`."""
        order = self.order
        return files_of(
            self.made[name].codec,
            order.format_of(name, stop),
            kept=order.is_kept(name, stop),
            output=order.is_output(name),
            suffix=order.suffixes.get(name, ""),
            columns=order.kept_columns(name),
        )

    def _sizes(self) -> dict[str, int]:
        return {name: frozen_bytes(frozen) for name, frozen in self.live.items()}
