"""One segment elsewhere: send what it reads, have it run there, bring back its checkpoint.

The rest of the run cannot tell. This file knows nothing of clouds, and the executors nothing of
segments: `errand.py` is what travels, `there.py` runs it, `executors` make and destroy the place.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..base.elsewhere import FOLDER, ExecutorTable
from ..base.errors import (
    BY_KIND,
    CheckpointingError,
    ExecutorError,
    StepFailed,
    StorageError,
)
from ..base.files import storage_errors
from ..base.interrupts import held, taking_time
from ..base.location import PACKAGE_NAME, RUNTIME, RUNTIME_NAME
from ..base.secrets import masked
from ..base.settings import Settings
from ..base.texts import VALUE_CHARACTERS, cut
from ..base.units import duration, size
from ..codecs.plain import to_plain
from ..disk.manifest import Manifest
from ..disk.shared.holder import Holder, new_holder
from ..disk.shared.holder import forget as forget_holder
from ..executors.interface import Executor, Task
from ..executors.ledger import Entry, new_place, staged_folder, write_entry
from ..executors.opening import open_executor
from ..executors.storage import CHECKPOINTS, RESULT, open_storage, storage_of
from ..executors.teardown import MOST_SECONDS, destroy, forget, settled
from ..graph.steps import Step
from ..memory.gauge import Gauge
from ..memory.profile import note_measured
from ..reuse.bound import Bound
from .adopting import Adopting
from .errand import ERRAND, MODULE, Ended, Errand, Outcome, SentInput, event_of, outcome_of
from .events import Noticed, Observer, Sampled, SentElsewhere
from .job import Job
from .packing import pack
from .record import SegmentRecord
from .staging import stage_inputs, stage_values
from .there import TIMED_OUT
from .waiting import Waiting

_LINES = 8  # that an error shows of what came last
_GRACE = 300.0  # seconds that infrastructure lives beyond the limit of the process on it


class ElsewhereRun:
    """The run of a job's segment on an executor, as `SegmentRun` is that on this machine.

    Args:
        leaks: gets why a place may still live, whatever else becomes of the segment.
    """

    def __init__(
        self, job: Job, record: SegmentRecord, observe: Observer, leaks: list[ExecutorError]
    ) -> None:
        self.job = job
        self.record = record
        self.observe = observe
        self.leaks = leaks
        self.settings: Settings = job.bound.settings
        self.name = self.settings.wiring.run_on[job.segment.name]
        self.table: ExecutorTable = self.settings.wiring.executors[self.name]
        self.folder = self.settings.root / FOLDER
        self.executor: Executor = open_executor(self.name, self.table, self.folder)
        self.waiting = Waiting(job, self.folder, self._notice)
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._failure: Ended | None = None
        self.record.executor = self.name
        self.record.budget_bytes = int(self.table.memory)

    def run(self) -> Manifest:
        """Run the remaining steps of the segment elsewhere, and return its checkpoint.

        Raises:
            Damaged: a value that the segment reads is not what was committed.
            CheckpointingError: a step failed there, or the infrastructure did.
        """
        if (outcome := self.waiting.take()) is not None:
            self._learn(outcome)
        job, graph = self.job, self.job.bound.graph
        adopting = Adopting(
            job.bound, job.segment, job.key, job.ingredients, job.params, job.upstream
        )
        done, left = adopting.take_over(None, anew=job.anew, damaged=job.damaged)
        over = (graph.steps[n].name for n in graph.span(job.segment) if n not in left)
        self.record.reused_steps = [] if outcome else list(over)
        if done is not None and not left:
            return done
        steps = tuple(graph.steps[number] for number in sorted(left))
        return self._run_at(new_place(self.settings.root), steps, done)

    def _run_at(self, place: str, steps: tuple[Step, ...], done: Manifest | None) -> Manifest:
        """Run some steps at a new place, which is gone afterwards, however that ended."""
        holder = new_holder()
        entry = self._entry(place, holder)
        work = staged_folder(self.folder, place)
        has_begun = False
        try:
            write_entry(self.folder, entry)  # before anything is made
            task = self._stage(entry, work, steps, done)
            entry = self._entry(place, holder)  # its time counts from here
            write_entry(self.folder, entry)
            memory = int(self.table.memory)
            self.observe(SentElsewhere(self.job.segment.name, self.name, place, memory))
            has_begun = True
            outcome = self._outcome(entry, self._run(task))
            if outcome.error is not None:
                raise self._error_of(outcome.error, outcome.root)
        except BaseException as error:
            with held(), taking_time(MOST_SECONDS):
                self._give_up(entry, error, has_begun=has_begun)
            raise
        else:
            manifest = self.waiting.collected(self._destroyed(entry), complete=True)
            assert manifest is not None, "it is complete"
            return manifest
        finally:
            with held():
                shutil.rmtree(work, ignore_errors=True)
                forget_holder(holder)

    def _entry(self, place: str, holder: Holder) -> Entry:
        """The entry of a place that is made now."""
        now = datetime.now(UTC)
        limit = self.table.start_limit + self.table.time_limit + _GRACE
        return Entry(
            place=place,
            executor=self.name,
            table=self.table.model_dump(mode="json"),
            pipeline=self.job.bound.graph.name,
            segment=self.job.segment.name,
            key=self.job.key,
            storage=storage_of(self.table, place, self.folder),
            holder=holder,
            made_at=now.isoformat(timespec="seconds"),
            ends_at=(now + timedelta(seconds=limit)).isoformat(timespec="seconds"),
        )

    def _destroyed(self, entry: Entry) -> Entry:
        """Destroy a place; its entry then. If that fails, the place is among the leaks."""
        started = time.monotonic()
        try:
            destroy(self.executor, entry.place)
        except ExecutorError as leak:
            self.leaks.append(leak)
            self._notice(leak.message)
            return entry
        with suppress(StorageError):  # then a sweep does so, and finds the place gone
            entry = settled(self.folder, entry)
        self._notice(f"`{entry.place}` is gone, {duration(time.monotonic() - started)} later")
        return entry

    def _give_up(self, entry: Entry, error: BaseException, *, has_begun: bool) -> None:
        """Destroy the place of a segment that failed; the error stays what there is to speak of.

        What the segment has made there is taken over. Where that takes long, after an interrupt, or
        cannot be done now, it waits for the next run.
        """
        if isinstance(error, CheckpointingError):
            error.segment = error.segment or self.job.segment.name
        if not has_begun:
            with suppress(StorageError):
                forget(self.folder, entry)
            return
        entry = self._destroyed(entry)
        with suppress(StorageError):
            if entry.state == "done":
                forget(self.folder, entry)
            elif entry.state == "waits" and isinstance(error, CheckpointingError):
                self.waiting.rescued(entry)

    def _stage(
        self, entry: Entry, work: Path, steps: tuple[Step, ...], done: Manifest | None
    ) -> Task:
        """Send all that the segment needs, and write the errand that says what to do."""
        job, bound = self.job, self.job.bound
        started = time.monotonic()
        objects = open_storage(entry.storage)
        code = work / "code"
        with storage_errors("Copying the project's code", work):
            pack(bound, job.segment.name, code, is_installed=self.table.kind == "local")
        inputs = stage_inputs(bound, job.segment, steps, objects)
        at = open_storage(f"{entry.storage}/{CHECKPOINTS}")
        sent = stage_values(job, steps, done, at, work / "values")
        changed = {n: str(v) if n in bound.inputs else v for n, v in bound.changed.items()}
        errand = Errand(
            package=PACKAGE_NAME,
            pipeline=bound.graph.name,
            segment=job.segment.name,
            key=job.key,
            ingredients=job.ingredients,
            identity=job.identity,
            params=job.params,
            upstream={
                name: (manifest.segment, manifest.key)
                for name, manifest in job.upstream.items()
                if name in {parameter.taken for step in steps for parameter in step.parameters}
            },
            anew=job.anew,
            keep_all=self.settings.memory.checkpoints.keep_all,
            executor=self.name,
            memory=int(self.table.memory),
            count=job.budget.count,
            storage=entry.storage,
            time_limit=self.table.time_limit,
            ends_with_parent=self.table.kind == "local",
            changed=to_plain(changed | _texts_there(bound, inputs)),
            inputs=inputs,
            profile=job.profile.as_json(),
        )
        with storage_errors("Writing the errand", code):
            (code / ERRAND).write_text(errand.text(), encoding="utf-8")
        self._notice(
            f"sent {size(sent)} to {entry.storage} in {duration(time.monotonic() - started)}"
        )
        module = f"{RUNTIME_NAME}.{MODULE}"
        return Task(
            entry.place, code, ("python", "-m", module), self.table.time_limit, self._variables()
        )

    def _variables(self) -> dict[str, str]:
        """The variables that the process there has: those of [env] that its steps take, and those
        that the executor's table names."""
        wiring = self.settings.wiring
        taken = {p.name for step in self.job.segment.steps for p in step.parameters}
        names = {wiring.env[name].variable for name in taken & wiring.env.keys()}
        names |= set(self.table.variables)
        return {name: os.environ[name] for name in sorted(names) if name in os.environ}

    def _run(self, task: Task) -> int:
        with storage_errors("Opening the log", self.job.log):
            log = open(self.job.log, "a", encoding="utf-8", errors="replace")  # noqa: SIM115

        def say(line: str) -> None:
            line = masked(line, self.job.bound.secrets)
            match event := event_of(line):
                case None:
                    self._lines.append(line)
                    print(line, file=log, flush=True)
                case Ended():
                    self._failure = event
                case Noticed(message):
                    self._notice(message.removeprefix(f"{self.job.segment.name}: "))
                case _:
                    self.observe(event)

        with log:
            self._sample()
            try:
                return self.executor.run(task, say)
            finally:
                self._sample()

    def _sample(self) -> None:
        """Tell what this process holds meanwhile."""
        self.observe(Sampled(Gauge(os.getpid(), self.job.budget.count).sample()))

    def _outcome(self, entry: Entry, code: int) -> Outcome:
        """How the segment ended there. Raises CheckpointingError if it has left no result."""
        try:
            content, _ = open_storage(entry.storage).read(RESULT)
            outcome = outcome_of(content)
        except FileNotFoundError:
            raise self._lost(code) from None
        except ValueError:
            raise StorageError(
                f"{entry.storage}/{RESULT} is damaged. What was here before is as it was; run "
                f"again.",
                segment=self.job.segment.name,
            ) from None
        self._learn(outcome)
        return outcome

    def _learn(self, outcome: Outcome) -> None:
        """Take over the measurements of there."""
        for name, value in vars(outcome.record).items():
            if name not in ("name", "status", "executor", "budget_bytes", "reused_steps"):
                setattr(self.record, name, value)
        for measured in reversed(outcome.profile):
            name, graph = self.job.segment.name, self.job.bound.graph
            self.job.profile.learn(name, measured)
            note_measured(self.settings.runs, graph.name, name, measured)

    def _error_of(self, content: dict[str, Any], root: str) -> CheckpointingError:
        """The error that ended the segment there, with the paths of here.

        Args:
            root: the folder there that had the copy of the project.
        """
        package = Path(root, "src", PACKAGE_NAME)
        places = {f"{package}/": f"{RUNTIME.parent}/", f"{root}/": f"{self.settings.root}/"}
        details = {
            name: _replaced(text, places) if isinstance(text, str) else text
            for name, text in content.items()
        }
        kind = BY_KIND.get(details.pop("kind", ""), StepFailed)
        message, segment, step = (details.pop(n, None) for n in ("message", "segment", "step"))
        error = kind(str(message), segment=segment or self.job.segment.name, step=step, **details)
        error.details["executor"] = self.name
        return error

    def _lost(self, code: int) -> CheckpointingError:
        """The error for a segment that ended without a result."""
        if self._failure is not None:
            return self._error_of(self._failure.error, self._failure.root)
        name, segment = self.name, self.job.segment.name
        tail = "".join(f"\n  | {cut(line, VALUE_CHARACTERS)}" for line in self._lines)
        if code == TIMED_OUT:
            return ExecutorError(
                f"segment `{segment}` was ended on `{name}` at its time limit of "
                f"{duration(self.table.time_limit)}. Raise `time_limit` of [executors.{name}] in "
                f"pipeline.toml, or give it less to do.{tail}",
                segment=segment,
                executor=name,
            )
        if code == 0:
            return StorageError(
                f"segment `{segment}` ended on `{name}`, and its result is not in storage. What "
                f"was here before is as it was; run again.{tail}",
                segment=segment,
                executor=name,
            )
        return StepFailed(
            f"segment `{segment}`: its process on `{name}` ended with exit code {code} and left no "
            f"result. If it was killed for its memory, raise `memory` of [executors.{name}] in "
            f"pipeline.toml.{tail}\n  Log: {self.job.log}",
            segment=segment,
            executor=name,
            exit_code=code,
        )

    def _notice(self, message: str) -> None:
        self.observe(Noticed(f"{self.job.segment.name}: {message}"))


def _texts_there(bound: Bound, inputs: Iterable[SentInput]) -> dict[str, str]:
    """The path or glob of each input that lies elsewhere there, relative to the project."""
    return {each.name: each.text for each in inputs if each.text != bound.inputs[each.name].text}


def _replaced(text: str, places: dict[str, str]) -> str:
    for there, here in places.items():
        text = text.replace(there, here)
    return text
