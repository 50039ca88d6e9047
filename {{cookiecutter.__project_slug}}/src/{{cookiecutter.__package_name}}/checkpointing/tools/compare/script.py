"""The plain script: every step in one process, every value kept, nothing frozen or written.

Everything here happens in a worker. It receives a ScriptOrder, plain data, and sends events.
"""

from __future__ import annotations

import contextlib
import copy
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from ...base.errors import InexactValue
from ...base.secrets import Secret
from ...base.units import Count
from ...codecs import (
    PARQUETS,
    Codec,
    OnDisk,
    Room,
    codec_named,
    codec_of,
    collected,
    have_same_rows,
    select,
)
from ...codecs.several import Shape, assemble, index_of, item_name, key_of, value_of
from ...disk.commit import Commit
from ...disk.manifest import FileRecord
from ...disk.value_files import files_of
from ...graph.batches import READER
from ...graph.signatures import annotation_of
from ...graph.steps import WORKDIR, Parameter, Segment, Step
from ...memory import meter
from ...memory.gauge import Gauge
from ...reuse.key import Code
from ...reuse.trees import Tree
from ...worker.calling import call, given, seed
from ...worker.engines import close, engines_of, meant, usable_cores
from ...worker.forks import children_end_here
from ...worker.freezing import NONE, Frozen, freeze, thaw, thaw_as, written_form
from ...worker.main import as_failure, settle_in
from ...worker.messages import StepEnded, StepStarted
from ...worker.reading import ARROW_TABLE, input_slices, reader, slices, stored_slices
from ...worker.streaming import TakenBatches
from ...worker.unchanged import import_unchanged

if TYPE_CHECKING:  # for real it would load pydantic in a worker
    from ...base.settings import Spark


@dataclass(frozen=True)
class ScriptOrder:
    """The steps to run as a plain script, and their arguments.

    Attributes:
        folder: for the files that steps make, and for outputs while they are hashed.
        code: of each segment, in the other run.
        data: the data files of the code, in the other run.
        seeds: by step, what its random numbers depend on, as in the run with checkpoints.
        item_keys: the same for each item of a step that runs for each, by name and in order.
        arguments: inputs, params and variables by (step, parameter).
        secrets: what nothing may show that the script prints or reports.
        outputs: the values whose bytes are to be compared.
        suffixes: of the paths where outputs are published.
        spark: where Spark runs, as in the other run.
        unordered: by output, the folder of the other run, and its identity, where its rows have no
            order: then the same rows are the same result.
    """

    root: Path
    folder: Path
    segments: tuple[Segment, ...]
    code: dict[str, Code]
    data: tuple[Tree, ...]
    seeds: dict[str, str]
    item_keys: dict[str, str]
    arguments: dict[tuple[str, str], Any]
    secrets: tuple[Secret, ...]
    outputs: tuple[str, ...]
    suffixes: dict[str, str]
    unordered: dict[str, tuple[Path, str]]
    format: str
    count: Count
    log: Path
    spark: Spark | None = None


@dataclass(frozen=True)
class ScriptEnded:
    """The last step has returned; what the process does after this is not part of the script."""


@dataclass(frozen=True)
class OutputsHashed:
    """The identity of each output as the key of a checkpoint contains it: its bytes and file name.

    An output that no checkpoint could restore exactly is left out. `made` are the paths of those
    that are files which a step made.
    """

    identities: dict[str, str]
    made: dict[str, Path]


def run_script(connection: Connection, order: ScriptOrder) -> None:
    """Entry point of a worker: run the script and send events; the last one shows how it ended."""
    settle_in(connection, order.log, order.root, order.secrets)
    script = Script(order, connection.send)
    try:
        with children_end_here():
            script.run()
            connection.send(ScriptEnded())
            identities = script.identities()
            connection.send(OutputsHashed(identities, script.made))
    except BaseException as error:  # a step may raise anything, a polars panic or SystemExit too
        error = meant(script.steps.values(), error)
        connection.send(as_failure(error, script.current, order.root, order.secrets))
    finally:
        close(script.steps.values())


class Script:
    """The steps of an order as plain functions, and all values that they returned."""

    def __init__(self, order: ScriptOrder, send: Callable[[Any], None]) -> None:
        self.order = order
        self.send = send
        self.current: str | None = None
        self.values: dict[str, Any] = {}
        self.steps = {step.name: step for segment in order.segments for step in segment.steps}
        self.made: dict[str, Path] = {}
        self.stored: dict[str, tuple[Any, OnDisk]] = {}
        self.records: dict[str, FileRecord] = {}
        self.files = Commit(order.folder, allowance=sys.maxsize)
        server = os.getppid() if meter.START_METHOD == "forkserver" else 0
        self.gauge = Gauge(os.getpid(), order.count, alone=True, adopter=server, between_steps=True)

    def run(self) -> None:
        """Call every step in order with the results of earlier steps, and keep its result.

        Raises ConfigurationError if the code differs from that of the run with checkpoints.
        """
        code = {segment: self.order.code[segment.name] for segment in self.order.segments}
        with children_end_here():  # this imports their modules
            import_unchanged(code, self.order.data)
            functions = {name: step.function() for name, step in self.steps.items()}
        for segment in self.order.segments:
            for step in segment.steps:
                self.current = step.name
                started = time.perf_counter()
                self.send(StepStarted(step.name, {}, held_bytes=self.gauge.sample()))
                seed(self.order.seeds[step.name], step.name)
                self._start_engine(step)
                names = [parameter.name for parameter in step.parameters]
                if step.each:
                    result = self._of_each(step, functions[step.name], names)
                else:
                    result = call(functions[step.name], names, self._giver(step))
                if step.streams and result is not None and not step.each:
                    result = self._collected(str(step.codec), result)
                if not step.is_sink:
                    self.values[step.name] = result
                self.send(StepEnded(step.name, time.perf_counter() - started, self.gauge.sample()))
        self.current = None

    def _start_engine(self, step: Step) -> None:
        """See that the engine of a step runs, if it is one that has to be started."""
        for codec in map(codec_named, engines_of(step)):
            if codec.store is not None and codec.prepare is not None:
                room = psutil.virtual_memory().available // 2
                spill = self.order.folder / "spill"
                place = self.order.spark
                codec.prepare(Room(room, spill, sys.maxsize, usable_cores(), spark=place))

    def identities(self) -> dict[str, str]:
        """The identities of the outputs in checkpoints; all other values are released first."""
        identities = {}
        outputs = {value_of(name): self.values[value_of(name)] for name in self.order.outputs}
        self.values.clear()
        for value in list(outputs):
            wanted = {name for name in self.order.outputs if value_of(name) == value}
            with contextlib.suppress(InexactValue):
                maker, made = self.steps[value], outputs.pop(value)
                for name, item in self._frozen(maker, made, is_output=True).items():
                    if name in wanted or value in wanted:
                        identities[name] = self._identity(name, item)
        return identities

    def _identity(self, name: str, item: Frozen) -> str:
        """The identity of an output in a checkpoint."""
        order = self.order
        suffix = order.suffixes.get(name, "")
        files = files_of(item.codec, order.format, kept=False, output=True, suffix=suffix)
        streamed = self.records.get(name)
        record = self.files.keep(name, item.form, item.codec, files, item.stem, streamed).output
        assert record is not None, "an output was asked for"
        if record.format == "path":
            self.made[name] = self.files.folder / record.file
        if record.format == PARQUETS and name in order.unordered:
            kept, identity = order.unordered[name]
            if have_same_rows(kept, self.files.folder / record.file):
                return identity
        return record.identity

    def _of_each(self, step: Step, function: Callable[..., Any], names: list[str]) -> Any:
        """The results of a step for each of its items, in the order of the other run."""
        items = [name for name in self.order.item_keys if value_of(name) == step.name]
        source = self.order.arguments.get((step.name, step.each), self.values.get(step.each))
        each = list(source.values()) if isinstance(source, dict) else list(source or ())
        results: dict[str, Any] = {}
        for name, item in zip(items, each, strict=True):
            seed(self.order.item_keys[name], step.name)
            give = self._giver(step, item, f"{step.name}-{len(results)}")
            result = call(function, names, give)
            if step.streams and step.shape is not None and result is not None:
                result = self._collected(step.shape.types[0].codec, result)
            results[key_of(name)] = result
        return results

    def _giver(self, step: Step, item: Any = None, stem: str = "") -> Callable[[str], Any]:
        """A function that returns arguments of a step; unlike a part, a script keeps its values.

        Args:
            item: of a step that runs for each.
            stem: what the folder for the item's files is called.
        """
        parameters = {parameter.name: parameter for parameter in step.parameters}

        def give(name: str) -> Any:
            if name == WORKDIR:
                return self.files.workdir(stem or step.name)
            parameter = parameters[name]
            if name == step.each:
                return self._each(step, parameter, item)
            if (step.name, name) in self.order.arguments:
                argument = given(self.order.arguments[step.name, name])
                if not parameter.in_batches or argument is None:
                    return argument
                return _in_one_batch(parameter, partial(input_slices, argument, parameter.columns))
            return self._converted(step, parameter)

        return give

    def _each(self, step: Step, parameter: Parameter, item: Any) -> Any:
        """One item, as the step that runs for each takes it."""
        if (step.name, step.each) in self.order.arguments:
            if not parameter.in_batches:
                return copy.deepcopy(item)
            return _in_one_batch(parameter, partial(input_slices, [item], parameter.columns))
        shape = self.steps[step.each].shape
        if shape is None or item is None:
            return copy.deepcopy(item)
        codec = codec_named(shape.types[0].codec)
        is_same = codec.name == parameter.codec and parameter.columns is None
        if is_same and not parameter.in_batches and not isinstance(item, _Lazy):
            return copy.deepcopy(item)
        frozen = _table(codec, item, is_output=False)
        if not parameter.in_batches:
            return thaw(parameter, frozen)
        if parameter.columns is not None:
            frozen = select(frozen, parameter.columns)
        return _in_one_batch(parameter, partial(slices, frozen))

    def _converted(self, step: Step, parameter: Parameter) -> Any:
        """An earlier value or item, converted if the parameter has another type or some columns.

        Codecs convert without copying where they can.
        """
        whole, maker = self.values[parameter.source], self.steps[parameter.source]
        value = whole
        if parameter.in_batches:
            if value is None:
                return None
            frozen = self._frozen(maker, value)[parameter.taken].form
            if isinstance(frozen, OnDisk):
                parts = partial(stored_slices, frozen.path, frozen.form, parameter.columns)
                return _in_one_batch(parameter, parts)
            if parameter.columns is not None:
                frozen = select(frozen, parameter.columns)
            return _in_one_batch(parameter, partial(slices, frozen))
        if parameter.key is not None:
            assert maker.shape is not None, "the pipeline refused an item of a single value"
            kind = maker.shape.type_of(parameter.key)
            value = _item(maker.shape, value, parameter.key)
            is_same = kind is not None and kind.codec == parameter.codec
        elif parameter.shape is not None and maker.shape is not None:
            is_alike = parameter.shape.types == maker.shape.types and not parameter.shape.is_lazy
            is_alike &= not (maker.streams and codec_named(maker.shape.types[0].codec).batches)
            is_alike &= {parameter.shape.kind, maker.shape.kind} != {"list", "each"}
            return value if is_alike else self._whole(step, parameter, parameter.shape)
        else:
            is_same = maker.codec == parameter.codec
        if value is None or (
            is_same and parameter.columns is None and not isinstance(value, _Lazy)
        ):
            return value
        return thaw(parameter, self._frozen(maker, whole)[parameter.taken].form)

    def _whole(self, step: Step, parameter: Parameter, shape: Shape) -> Any:
        """A value that is made of several, each item as the parameter wants it."""
        maker = self.steps[parameter.source]
        items = {
            key_of(name): thaw_as(kind.codec, kind.is_optional, frozen.form)
            for name, frozen in self._frozen(maker, self.values[maker.name]).items()
            if name != maker.name and (kind := shape.loads(key_of(name))) is not None
        }
        if shape.is_lazy:
            return iter(items.items() if shape.kind == "dict" else items.values())
        whole = annotation_of(step.function(), parameter.name) if shape.kind == "fields" else None
        return assemble(shape, items, whole)

    def _frozen(self, maker: Step, value: Any, *, is_output: bool = False) -> dict[str, Frozen]:
        """A value, by name, as its files would hold it.

        Args:
            is_output: whether a table of batches is copied, since they are cut in its file.
        """
        if not maker.streams or value is None:
            forms = freeze(maker, value, self.files.workdir_path(maker.name))
            return {name: self._stored(name, form) for name, form in forms.items()}
        assert maker.codec is not None, "it makes a table"
        codec, shape = codec_named(maker.codec), maker.shape
        if shape is None:
            table = _table(codec, value, is_output=is_output)
            return {maker.name: Frozen(codec, table, maker.name)}
        forms = {maker.name: Frozen(codec, index_of(shape, value), maker.name)}
        codec = codec_named(shape.types[0].codec)
        for number, (key, item) in enumerate(value.items()):
            name, stem = item_name(maker.name, key), f"{maker.name}-{number}"
            if item is None:
                forms[name] = Frozen(codec_named("json"), NONE, stem)
            else:
                forms[name] = Frozen(codec, _table(codec, item, is_output=is_output), stem)
        return forms

    def _stored(self, name: str, made: Frozen) -> Frozen:
        """A value or an item; one whose library writes it itself is written once, for all."""
        if made.codec.store is None:
            return made
        if name not in self.stored or self.stored[name][0] is not made.form:
            record = self.files.store(name, made.form, made.codec, made.stem)
            self.records[name] = record
            self.stored[name] = made.form, written_form(self.files.folder, record)
        return Frozen(made.codec, self.stored[name][1], made.stem)

    def _collected(self, name: str, result: Any) -> Any:
        """The table that a step gives in batches, or computes when it is asked for, as a whole.

        One batch is the table: a script would hold no copy of it.
        """
        codec = codec_named(name)
        if codec.batches:
            return _Lazy(collected(codec.batches(result), codec))
        batches = iter(result)
        first = list(islice(batches, 2))
        if len(first) == 1 and codec_of(type(first[0])) is codec:
            return first[0]
        return codec.thaw(collected(chain(first, batches), codec))


@dataclass(frozen=True)
class _Lazy:
    """A value of a type that is computed or read only once: each step gets one of its own."""

    frozen: Any


def _table(codec: Codec, value: Any, *, is_output: bool) -> Any:
    """The frozen form of a table; as an output it is cut as the file of its batches is."""
    if isinstance(value, _Lazy):
        return value.frozen
    return collected([value], codec) if is_output and codec.batches is None else codec.freeze(value)


def _in_one_batch(parameter: Parameter, slices: Callable[[Callable[[], int]], Any]) -> Any:
    """A table as a step takes it in batches, all of it in one."""
    codec = ARROW_TABLE if parameter.codec == READER else str(parameter.codec)
    thawed = partial(thaw_as, codec, False)
    taken = TakenBatches(parameter, slices(lambda: sys.maxsize), thawed, contextlib.nullcontext)
    return reader(taken) if parameter.codec == READER else taken


def _item(shape: Shape, value: Any, key: str) -> Any:
    """An item of a value as the step returned it."""
    if shape.kind == "fields":
        return getattr(value, key)
    return value[key if shape.kind in ("dict", "each") else int(key)]
