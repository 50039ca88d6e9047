"""Run one segment where it was sent to: `python -m <package>.checkpointing.run.there`.

It is started in a copy of the project's code. It fetches what the segment reads, runs it as a run
would here, with the memory of its executor as the budget, and pushes its checkpoint. The last thing
that it writes is the result; if it cannot write that, it fails.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..base import interrupts
from ..base.errors import CheckpointingError, ConfigurationError, StorageError, as_ours
from ..base.files import make_folder, storage_errors
from ..base.secrets import Secret, masked
from ..codecs.plain import from_plain
from ..disk.place import checkpoints_place, claim_places
from ..disk.shared.remote import Remote
from ..disk.shared.store import SharedStore
from ..disk.shared.transfer import several
from ..disk.store import Damaged
from ..executors.storage import CHECKPOINTS, RESULT, open_storage
from ..memory.budget import executor_budget
from ..memory.company import Company
from ..memory.limits import machine_limits
from ..memory.profile import Profile, profile_of
from ..reuse.bound import Bound, Project, bind, ingredients_of
from ..reuse.inputs import Input
from ..worker.messages import StepStarted
from .describing import describe_project
from .errand import Ended, Errand, Outcome, line_of, outcome_of, read_errand
from .events import Sampled, SampledElsewhere, StepBegan
from .job import Job
from .ledger import Ledger
from .record import COMPANY, LOG, SegmentRecord
from .segment import SegmentRun
from .shares import Shares
from .workers import none_left_ahead

TIMED_OUT = 124
"""The exit code at the time limit, as that of the command `timeout`."""

_SAMPLE_SECONDS = 0.5  # between two events that say how much memory is held
_LOOK_SECONDS = 0.2  # between two looks at what steps have printed
_MOST_BYTES = 1 << 20  # of what steps have printed, at a time; a longer line comes in pieces
_LAST_WORD_SECONDS = 5.0  # for whoever listens to take the last line
_NO_LIMIT = 1 << 60  # bytes: how much disk there is, is the place's own matter
_CACHE = "checkpoints"


def main() -> int:
    """Run the errand in the current folder; the exit code."""
    here = Path.cwd()
    errand = read_errand(here)
    end_after(errand.time_limit)
    if errand.ends_with_parent:
        _end_with_parent()
    outcome = Outcome(errand.key, SegmentRecord(errand.segment, "failed"), str(here))
    profile = profile_of(errand.profile, errand.count)
    teller = Teller(here / LOG)
    with teller.following():
        failure = _failure_of(errand, here, outcome.record, profile, teller)
    outcome.profile = profile.known(errand.segment)
    outcome.error = failure.as_json() if failure else None
    try:
        write_result(errand.storage, outcome)
    except Exception as error:
        failure = failure or as_ours(error)
    if failure is not None:
        teller.tell(Ended(failure.as_json(), str(here)))
    return failure.exit_code if failure else 0


def write_result(storage: str, outcome: Outcome) -> None:
    """Have the outcome in storage, where whoever sent the errand looks for it.

    If the infrastructure has started the errand twice, there is one already: it makes room, unless
    it alone says that the checkpoint is complete.

    Raises StorageError.
    """
    objects, content = open_storage(storage), outcome.text().encode()
    if objects.create(RESULT, content) is not None:
        return
    former, tag = objects.read(RESULT)
    with suppress(ValueError):
        if outcome.error is not None and outcome_of(former).error is None:
            return
    if objects.replace(RESULT, content, tag) is None:
        raise StorageError(f"another process writes {storage}/{RESULT} at the same time")


def _failure_of(
    errand: Errand, here: Path, record: SegmentRecord, profile: Profile, teller: Teller
) -> CheckpointingError | None:
    """Run the segment; why that failed, None if its checkpoint is in storage."""
    try:
        _run(errand, here, record, profile, teller)
    except Exception as error:
        return as_ours(error)
    record.status = "ran"
    return None


def _run(
    errand: Errand, here: Path, record: SegmentRecord, profile: Profile, teller: Teller
) -> None:
    _fetch_inputs(errand, here)
    project = _settled(describe_project(errand.package, errand.pipeline), errand)
    settings, graph = project.settings, project.graph
    claim_places(settings, graph.name)
    place = checkpoints_place(settings, graph.name)
    url = f"{errand.storage}/{CHECKPOINTS}"
    remote = Remote(lambda conditional: open_storage(url), lease=None, cache_max=_NO_LIMIT)
    store = SharedStore(place, remote, graph.name)
    budget = executor_budget(errand.executor, errand.memory, errand.count, machine_limits())
    ledger = Ledger(settings, graph.name, budget, teller.observe)
    with store.lock(), ledger.entered():
        segment = next(s for s in graph.segments if s.name == errand.segment)
        known = _not_sent(errand, here)
        changed = from_plain(errand.changed)
        bound = bind(project, changed, store=store, only=segment, known=known)
        teller.secrets = bound.secrets
        bound = _as_sent(bound, errand)
        _require_same(bound, errand)
        upstream = {}
        for value, address in errand.upstream.items():
            manifest = store.find(*address)
            if manifest is None:
                raise StorageError(f"the checkpoint of `{value}` is not in {url}")
            upstream[value] = manifest
        job = Job(
            bound=bound,
            segment=segment,
            key=errand.key,
            ingredients=errand.ingredients,
            identity=errand.identity,
            params=errand.params,
            upstream=upstream,
            anew=errand.anew,
            budget=budget,
            shares=Shares(ledger),
            company=Company(teller.log.with_name(COMPANY)),
            profile=profile,
            damaged=set(),
            log=teller.log,
        )
        try:
            with none_left_ahead():
                SegmentRun(job, record, teller.observe).run()
        except Damaged as damage:
            raise StorageError(f"{url} does not have `{damage}` as it was sent") from None


def _settled(project: Project, errand: Errand) -> Project:
    """The project with its checkpoints where they travel."""
    memory = project.settings.memory
    checkpoints = memory.checkpoints.model_copy(
        update={
            "path": f"{errand.storage}/{CHECKPOINTS}",
            "cache": Path(_CACHE),
            "max_disk": _NO_LIMIT,
            "keep_all": errand.keep_all,
            "lease": None,
        }
    )
    runs = memory.runs.model_copy(update={"path": Path("runs")})
    memory = memory.model_copy(update={"checkpoints": checkpoints, "runs": runs})
    return replace(project, settings=replace(project.settings, memory=memory))


def _fetch_inputs(errand: Errand, here: Path) -> None:
    """Have the input files where the segment reads them. Raises StorageError."""
    objects = open_storage(errand.storage)
    sent = {file.object: file for each in errand.inputs for file in each.files}
    with storage_errors("Making the folders of inputs", here):
        for folder in (folder for each in errand.inputs for folder in each.folders):
            make_folder(here / folder)
        for file in sent.values():
            make_folder((here / file.path).parent)

    def fetch(name: str) -> None:
        file = sent[name]
        try:
            digest = objects.fetch(name, here / file.path)
        except FileNotFoundError:
            digest = ""
        if digest != file.sha256:
            raise StorageError(f"the input {file.path} is not in {errand.storage} as it was sent")

    for _ in several(fetch, dict.fromkeys(sent, 0)):
        pass


def _not_sent(errand: Errand, here: Path) -> dict[str, Input]:
    """The inputs that no step will read, as the keys of those that have read them know them."""
    return {
        sent.name: Input(sent.text, here / sent.text, (), sent.digest, is_absent=sent.is_absent)
        for sent in errand.inputs
        if sent.checksums is None
    }


def _as_sent(bound: Bound, errand: Errand) -> Bound:
    """The same with the digests of inputs as keys contain them, which depend on their paths.

    Raises ConfigurationError if one is not what the key of the segment was made from.
    """
    inputs = dict(bound.inputs)
    for sent in errand.inputs:
        source = inputs[sent.name]
        if sent.checksums is not None:
            assert source.tree is not None, "it has files"
            if source.tree.checksums != sent.checksums:
                raise ConfigurationError(
                    f"the input `{sent.name}` changed while it was sent. Run again."
                )
            inputs[sent.name] = replace(source, digest=sent.digest)
    return replace(bound, inputs=inputs)


def _require_same(bound: Bound, errand: Errand) -> None:
    """Refuse other code, or other libraries, than the key of the segment was made from.

    Raises ConfigurationError.
    """
    segment = next(s for s in bound.graph.segments if s.name == errand.segment)
    here, asked = ingredients_of(bound, segment, {}), errand.ingredients
    if here.libraries != asked.libraries:
        names = sorted(here.libraries.keys() | asked.libraries.keys())
        other = [
            f"{name} {here.libraries.get(name, 'none')} there, {asked.libraries.get(name, 'none')} "
            f"here"
            for name in names
            if here.libraries.get(name) != asked.libraries.get(name)
        ]
        raise ConfigurationError(
            f"the libraries of [executors.{errand.executor}] are not those of here: "
            f"{'; '.join(other)}. Its results would not be those of this code."
        )
    if (here.params, here.env) != (asked.params, asked.env):
        raise ConfigurationError(
            f"the params or variables of [executors.{errand.executor}] are not those of here. "
            f"If pipeline.toml was edited meanwhile, run again."
        )
    if here.code != asked.code:
        names = sorted(n for n in here.code | asked.code if here.code.get(n) != asked.code.get(n))
        raise ConfigurationError(
            f"the code of [executors.{errand.executor}] is not that of here: {', '.join(names)}. "
            f"If it was edited meanwhile, run again."
        )


class Teller:
    """Tells whoever started this process what happens: events, and what steps print, as lines.

    Attributes:
        log: the file that steps print to.
        secrets: what no line may show.
    """

    def __init__(self, log: Path) -> None:
        self.log = log
        self.secrets: tuple[Secret, ...] = ()
        self._sampled = 0.0
        self._read = 0
        self._lock = threading.Lock()

    def observe(self, event: Any) -> None:
        if isinstance(event, Sampled):
            if time.monotonic() - self._sampled < _SAMPLE_SECONDS:
                return
            self._sampled = time.monotonic()
            event = SampledElsewhere(event.held_bytes)
        elif isinstance(event, StepStarted):
            event = StepBegan(event.step, event.item)
        self.tell(event)

    def tell(self, event: Any) -> None:
        if (line := line_of(event)) is not None:
            self._print(masked(line, self.secrets))

    @contextmanager
    def following(self) -> Iterator[None]:
        """Print what steps print, while this context lasts."""
        ended = threading.Event()

        def follow() -> None:
            while not ended.wait(_LOOK_SECONDS):
                self._follow()

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self._follow(to_the_end=True)

    def _follow(self, *, to_the_end: bool = False) -> None:
        with suppress(OSError), open(self.log, "rb") as file:
            file.seek(self._read)
            while content := file.read(_MOST_BYTES):
                whole = content.rfind(b"\n") + 1
                if len(content) == _MOST_BYTES:  # a bar of progress may never end its line
                    whole = whole or content.rfind(b"\r") + 1 or len(content)
                elif to_the_end:
                    whole = len(content)
                if not whole:
                    return
                for line in content[:whole].decode(errors="replace").splitlines():
                    self._print(masked(line, self.secrets))
                self._read += whole
                file.seek(self._read)

    def _print(self, line: str) -> None:
        with self._lock, suppress(OSError):  # nobody listens any more
            print(line, flush=True)


def end_after(seconds: float) -> None:
    """End this process, and all that it started, when its time is over."""

    def say() -> None:
        with suppress(OSError, ValueError):  # nobody listens any more
            print(f"the time limit of {seconds:g} s is reached", flush=True)

    def end() -> None:
        last_word = threading.Thread(target=say, daemon=True)
        last_word.start()
        last_word.join(_LAST_WORD_SECONDS)  # whoever listens may not read: that must not last
        interrupts.end_others()
        os._exit(TIMED_OUT)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def _end_with_parent() -> None:
    """End this process, and all that it started, when the one that started it has ended."""

    def wait() -> None:
        with suppress(OSError, ValueError):
            while sys.stdin.buffer.read(1):
                pass
        interrupts.end_others()
        os._exit(interrupts.EXIT_CODE)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    code = main()
    interrupts.end_others()
    os._exit(code)
