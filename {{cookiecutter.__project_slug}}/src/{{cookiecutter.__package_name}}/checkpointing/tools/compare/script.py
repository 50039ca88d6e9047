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
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ...base.errors import InexactValue
from ...base.units import Count
from ...codecs import codec_named
from ...disk.commit import Commit, files_of
from ...graph.steps import WORKDIR, Parameter, Segment, Step
from ...memory import meter
from ...memory.gauge import Gauge
from ...reuse.key import Code
from ...reuse.trees import Tree
from ...worker.forks import children_end_here
from ...worker.main import as_failure, settle_in
from ...worker.messages import StepEnded, StepStarted
from ...worker.part import call, freeze, seed, thaw
from ...worker.unchanged import import_unchanged


@dataclass(frozen=True)
class ScriptOrder:
    """The steps to run as a plain script, and their arguments.

    Attributes:
        folder: for the files that steps make, and for outputs while they are hashed.
        code: of each segment, in the other run.
        data: the data files of the code, in the other run.
        keys: of each segment in the run with checkpoints; they seed random numbers.
        arguments: inputs and params by (step, parameter).
        outputs: the values whose bytes are to be compared.
    """

    root: Path
    folder: Path
    segments: tuple[Segment, ...]
    code: dict[str, Code]
    data: tuple[Tree, ...]
    keys: dict[str, str]
    arguments: dict[tuple[str, str], Any]
    outputs: tuple[str, ...]
    format: str
    count: Count
    log: Path


@dataclass(frozen=True)
class ScriptEnded:
    """The last step has returned; what the process does after this is not part of the script."""


@dataclass(frozen=True)
class OutputsHashed:
    """The identity of each output as the key of a checkpoint contains it: its bytes and file name.

    An output that no checkpoint could restore exactly is left out.
    """

    identities: dict[str, str]


def run_script(connection: Connection, order: ScriptOrder) -> None:
    """Entry point of a worker: run the script and send events; the last one shows how it ended."""
    settle_in(connection, order.log, order.root)
    script = Script(order, connection.send)
    try:
        with children_end_here():
            script.run()
            connection.send(ScriptEnded())
            connection.send(OutputsHashed(script.identities()))
    except BaseException as error:  # a step may raise anything, a polars panic or SystemExit too
        connection.send(as_failure(error, script.current, order.root))


class Script:
    """The steps of an order as plain functions, and all values that they returned."""

    def __init__(self, order: ScriptOrder, send: Callable[[Any], None]) -> None:
        self.order = order
        self.send = send
        self.current: str | None = None
        self.values: dict[str, Any] = {}
        self.steps = {step.name: step for segment in order.segments for step in segment.steps}
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
                seed(self.order.keys[segment.name], step.name)
                names = [parameter.name for parameter in step.parameters]
                result = call(functions[step.name], names, self._giver(step))
                if not step.is_sink:
                    self.values[step.name] = result
                self.send(StepEnded(step.name, time.perf_counter() - started, self.gauge.sample()))
        self.current = None

    def identities(self) -> dict[str, str]:
        """The identities of the outputs in checkpoints; all other values are released first."""
        identities = {}
        outputs = {name: self.values[name] for name in self.order.outputs}
        self.values.clear()
        for name in self.order.outputs:
            step = self.steps[name]
            codec = codec_named(step.codec or "")
            files = files_of(codec, self.order.format, kept=False, output=True)
            with contextlib.suppress(InexactValue):
                frozen = freeze(step, outputs.pop(name), self.files.workdir_path(name))
                record = self.files.keep(name, frozen, codec, files).output
                assert record is not None, "an output was asked for"
                identities[name] = record.identity
        return identities

    def _giver(self, step: Step) -> Callable[[str], Any]:
        """A function that returns arguments of a step; unlike a part, a script keeps its values."""
        parameters = {parameter.name: parameter for parameter in step.parameters}

        def give(name: str) -> Any:
            if name == WORKDIR:
                return self.files.workdir(step.name)
            if (step.name, name) in self.order.arguments:
                return copy.deepcopy(self.order.arguments[step.name, name])
            return self._converted(parameters[name])

        return give

    def _converted(self, parameter: Parameter) -> Any:
        """An earlier value, converted if the parameter has another type or selects some columns.

        Codecs convert without copying where they can.
        """
        value, made = self.values[parameter.name], self.steps[parameter.name].codec
        if parameter.codec == made and parameter.columns is None:
            return value
        return thaw(parameter, codec_named(made or "").freeze(value))
