"""One part: its steps run in order, their values kept while they are needed, then committed.

Everything here happens in a worker. It receives an Order, plain data, and sends events.
"""

from __future__ import annotations

import copy
import multiprocessing
import os
import random
import sys
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import meter
from .codecs import (
    Codec,
    Format,
    codec_named,
    format_named,
    frozen_bytes,
    output_format,
    select,
    working_format,
)
from .commit import Commit, uncompressed_bytes
from .errors import ConfigurationError, InexactValue
from .events import CommitStarted, StepEnded, StepStarted, ValueLoaded
from .files import stamp
from .fingerprint import code_of, differing
from .manifest import FileRecord, Manifest
from .order import Order
from .steps import WORKDIR, Parameter, Segment, Step
from .store import Damaged, Store, is_sound


class Part:
    """The steps of an order and the values between them, each in its codec's in-memory form."""

    def __init__(self, order: Order, send: Callable[[Any], None]) -> None:
        self.order = order
        self.send = send
        self.current: str | None = None
        self.live: dict[str, Any] = {}
        self.codecs = {s.name: codec_named(s.codec) for s in order.steps if s.codec is not None}
        self.last_use = {p.name: s.name for s in order.steps for p in s.parameters}
        self.written_later = {*order.kept, *order.outputs}
        self.columns = _columns_read(order.steps)

    def run(self) -> Manifest:
        order = self.order
        commit = Commit(Store(order.store).path(order.segment, order.key), order.allowance)
        try:
            started = time.perf_counter()
            self._require_same_sources()
            for step in order.steps:
                self._run_step(step, commit)
            self._require_same_sources()
            return self._commit(commit, time.perf_counter() - started)
        except BaseException:
            commit.abandon()
            raise

    def _require_same_sources(self) -> None:
        """Refuse code and inputs that are not those of the key: somebody edits during the run."""
        order = self.order
        for step in order.steps:
            step.function()  # imports its module, so that what is compared is what runs
        code = code_of(Segment(order.segment, order.steps)).modules
        changed = differing(order.ingredients["code"], code)
        changed += [str(path) for path, at in order.stamps.items() if stamp(path) != at]
        if changed:
            raise ConfigurationError(
                f"{', '.join(changed)} changed while the pipeline ran, so the values of this "
                f"segment would belong to neither version. Run again."
            )

    def _run_step(self, step: Step, commit: Commit) -> None:
        self.current = step.name
        started = time.perf_counter()
        self.send(StepStarted(step.name, self._sizes()))
        function = step.function()
        _seed(self.order.key, step.name)
        result = _call(function, [p.name for p in step.parameters], self._taker(step, commit))
        if step.codec is not None:
            frozen = _freeze(self.codecs[step.name], result, step, commit)
            if step.name in self.last_use or step.name in self.written_later:
                self.live[step.name] = frozen
        seconds = time.perf_counter() - started
        self.send(StepEnded(step.name, seconds, meter.tree_bytes(_root_pid(), self.order.count)))

    def _taker(self, step: Step, commit: Commit) -> Callable[[str], Any]:
        """How a step gets one argument; at a value's last use nothing else holds on to it."""
        parameters = {parameter.name: parameter for parameter in step.parameters}

        def take(name: str) -> Any:
            if name == WORKDIR:
                return commit.workdir(step.name)
            if (step.name, name) in self.order.arguments:
                return copy.deepcopy(self.order.arguments[step.name, name])
            if name not in self.live:
                self.live[name] = self._load(parameters[name])
                self.send(ValueLoaded(name, frozen_bytes(self.live[name])))
            is_last = self.last_use[name] == step.name and name not in self.written_later
            frozen = self.live.pop(name) if is_last else self.live[name]
            return _thaw(parameters[name], frozen)

        return take

    def _load(self, parameter: Parameter) -> Any:
        source = self.order.sources[parameter.name]
        is_known = not source.verify and source.record.untouched(source.folder)
        if not is_known and not is_sound(source.folder, source.record):
            raise Damaged(parameter.name)
        path = source.folder / source.record.file
        if source.record.format == "path":
            return path
        return format_named(source.record.format).read(path, self.columns[parameter.name])

    def _commit(self, commit: Commit, seconds: float) -> Manifest:
        self.current = None
        order = self.order
        waiting = [name for name in self.live if name in self.written_later]
        self.live = {name: self.live[name] for name in waiting}
        self.send(CommitStarted(self._sizes()))
        forms = {name: self._formats(name) for name in waiting}
        commit.require_room(
            sum(uncompressed_bytes(self.live[n], form) for n in waiting for form in {*forms[n]})
        )
        values: dict[str, FileRecord] = {}
        outputs: dict[str, FileRecord] = {}
        for name in waiting:
            kept, output = self._write(name, self.live.pop(name), commit, *forms[name])
            values |= {name: kept} if kept else {}
            outputs |= {name: output} if output else {}
        manifest = Manifest(
            pipeline=order.pipeline,
            segment=order.segment,
            key=order.key,
            steps=tuple(step.name for step in order.steps),
            ingredients=order.ingredients,
            values=values,
            outputs=outputs,
            committed_at=datetime.now(UTC).isoformat(timespec="microseconds"),
            seconds=seconds,
            params=order.params,
        )
        commit.finish(manifest)
        return manifest

    def _formats(self, name: str) -> tuple[Format | None, Format | None]:
        """The files that a value gets: one for later segments, one as an output."""
        family = self.codecs[name].family
        if family == "path":
            return None, None  # its files are taken as they are
        kept = working_format(family, self.order.format) if name in self.order.kept else None
        return kept, output_format(family) if name in self.order.outputs else None

    def _write(
        self, name: str, frozen: Any, commit: Commit, kept: Format | None, output: Format | None
    ) -> tuple[FileRecord | None, FileRecord | None]:
        """Write one value, the only one who holds it; the records of both files."""
        codec = self.codecs[name]
        if codec.family == "path":
            taken = commit.take(name, frozen, codec)
            return (
                taken if name in self.order.kept else None,
                taken if name in self.order.outputs else None,
            )
        first = commit.write(name, frozen, codec, kept) if kept else None
        if output is None or output == kept:  # one file then serves for both
            return first, first if output else None
        return first, commit.write(name, frozen, codec, output)

    def _sizes(self) -> dict[str, int]:
        return {name: frozen_bytes(frozen) for name, frozen in self.live.items()}


def _root_pid() -> int:
    """The process that gave the order: the root of the tree whose memory counts."""
    parent = multiprocessing.parent_process()
    return parent.pid if parent and parent.pid else os.getpid()


def _columns_read(steps: tuple[Step, ...]) -> dict[str, tuple[str, ...] | None]:
    """For each value, the columns that the steps read between them; None for all."""
    found: dict[str, tuple[str, ...] | None] = {}
    for parameter in (p for step in steps for p in step.parameters):
        former = found.get(parameter.name, ())
        if former is None or parameter.columns is None:
            found[parameter.name] = None
        else:
            found[parameter.name] = tuple(dict.fromkeys((*former, *parameter.columns)))
    return found


def _seed(key: str, step: str) -> None:
    seed = zlib.crc32(f"{key} {step}".encode())
    random.seed(seed)
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed(seed)


def _call(function: Callable[..., Any], names: list[str], take: Callable[[str], Any]) -> Any:
    """Call a step so that only the step itself holds its arguments.

    A call through `*args` or `**kwargs` keeps every argument alive until it returns, even one that
    the step has rebound; a plain positional call hands the references over.
    """
    arguments = ", ".join(f"take({name!r})" for name in names)
    return eval(f"lambda call, take: call({arguments})")(function, take)


def _freeze(codec: Codec, result: Any, step: Step, commit: Commit) -> Any:
    try:
        frozen = codec.freeze(result)
    except InexactValue as error:
        raise InexactValue(f"`{step.name}`: {error.message}", step=step.name) from None
    workdir = commit.workdir_path(step.name).resolve()
    if codec.family == "path" and not Path(frozen).resolve().is_relative_to(workdir):
        raise InexactValue(
            f"`{step.name}` returned {frozen}, which does not lie in its workdir. Take a parameter "
            f"`workdir: Path` and make the file there.",
            step=step.name,
        )
    return frozen


def _thaw(parameter: Parameter, frozen: Any) -> Any:
    assert parameter.codec is not None, "the pipeline refused a value without a codec"
    codec = codec_named(parameter.codec)
    if parameter.columns is not None:
        frozen = select(frozen, parameter.columns)
    return codec.thaw(frozen)
