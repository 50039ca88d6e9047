"""The worker process: set up, do one job, exit. Only the exit of a process frees all its RAM."""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import os
import re
import signal
import sys
import threading
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from ..base import safe_path
from ..base.errors import (
    BudgetExceeded,
    CheckpointingError,
    ConfigurationError,
    InexactValue,
    MaxDiskReached,
    StepFailed,
    StorageError,
    nearest,
)
from ..base.interrupts import SIGNALS
from ..base.location import PACKAGE_NAME
from ..base.secrets import Secret, masked
from ..base.texts import MESSAGE_CHARACTERS, TRACEBACK_CHARACTERS, cut
from ..codecs.room import NoRoom
from ..disk.store import Damaged, Store
from ..graph.graph import Graph
from ..graph.sources import Home, import_afresh, read_once
from ..memory import meter
from ..reuse.bound import describe
from ..reuse.first_party import modules_behind
from ..reuse.readings import Readings, take_over
from .engines import close, figures, meant, share_cores
from .forks import children_end_here, children_go_without, close_file
from .items import ItemPart
from .lane import LanePart
from .masking import mask_streams
from .messages import DamageFound, LaneEnded, Order, PartCommitted, PartFailed, StepRaised
from .part import Part
from .traces import headline, release, user_traceback

_ENGINES = ("duckdb", "polars", "pyspark")  # packages that a project adds when it uses them
_IN_LOG = "; see the log"
_LACKS_MEMORY = {("duckdb", "OutOfMemoryException"), ("_duckdb", "OutOfMemoryException")}
_DISK_LIMIT = "max_temp_directory_size"  # of DuckDB, which has no error of its own for that
_MORE_DISK = "It is what `max_disk` in memory_budget.toml leaves: raise that, or free some room."
_NO_SESSION = "SESSION_OR_CONTEXT_NOT_EXISTS"  # of pyspark
_PANIC = ("pyo3_runtime", "PanicException")  # of a library in Rust, such as polars
_REFUSED = re.compile(r"memory allocation|alloc(ation)? error|[Oo]ut of memory")


@dataclass(frozen=True)
class Declared:
    """The pipelines that are globals of a module: all, or one by its global or by its name."""

    module: str
    constant: str | None = None
    pipeline: str | None = None


def run_part(connection: Connection, order: Order) -> None:
    """Entry point of a worker: run the part and send events; the last says how the part ended."""
    answers = settle_in(connection, order.log, order.root, order.secrets)
    share_cores(order.at_once)
    kind = LanePart if order.journal else ItemPart if order.items else Part
    part = kind(order, connection.send, ask=answers.get)
    try:
        store = Store(order.store)
        lock = store.worker_lock_file(order.beside)
        children_go_without(lambda: close_file(lock))
        with store.worker_lock(order.beside):
            try:
                ending = _ending(connection, part)
            finally:
                for seen in figures(order.steps):
                    connection.send(seen)
                close(order.steps)
            connection.send(ending)
    except BaseException as error:
        connection.send(as_failure(error, None, order.root, order.secrets))


def _ending(
    connection: Connection, part: Part
) -> PartCommitted | LaneEnded | DamageFound | PartFailed:
    """Run a part; if one of its steps fails, commit what was finished before."""
    try:
        return part.run()
    except Damaged as damage:
        part.abandon()
        return DamageFound(str(damage))
    except BaseException as error:  # a step may raise anything, a polars panic or SystemExit too
        error = meant(part.order.steps, error)
        failure = as_failure(error, part.current, part.order.root, part.order.secrets)
        if isinstance(part, ItemPart) and part.item is not None:
            failure = replace(failure, message=f"item `{part.key}`: {failure.message}")
        if not part.finished or not _is_of_step(part, error, failure.kind):
            part.abandon()
            return failure
        part.take_back()
        release(error)
    connection.send(StepRaised(failure))
    return replace(failure, kept=part.rescue())


def _is_of_step(part: Part, error: BaseException, kind: str) -> bool:
    """Whether a step has failed by itself, so that what was finished before it can be committed.

    What is on disk already, or fits into memory besides, is worth it also where the place of an
    engine gives nothing, or the disk is full for what the step makes.
    """
    if part.current is not None and kind in (StepFailed.kind, InexactValue.kind):
        return True
    in_step = kind in (ConfigurationError.kind, StorageError.kind) or isinstance(error, NoRoom)
    return part.is_in_step and in_step


def as_failure(
    error: BaseException, step: str | None, root: Path, secrets: tuple[Secret, ...] = ()
) -> PartFailed:
    """What is sent of an error that ended the work, with the step that was running.

    What is too long for a record is cut, and is then in the log as a whole. Secrets are masked
    before that.
    """
    if isinstance(error, CheckpointingError):
        message = masked(error.message, secrets)
        at_max_disk = isinstance(error, MaxDiskReached)
        return PartFailed(error.kind, message, error.step or step, at_max_disk=at_max_disk)
    said, trace = (masked(t, secrets) for t in (headline(error), user_traceback(error, root)))
    message = cut(said, MESSAGE_CHARACTERS, _IN_LOG)
    in_engine = _is_refusal(error)
    if in_engine and _DISK_LIMIT in said:
        return PartFailed(StorageError.kind, f"{message}\n  {_MORE_DISK}", step)
    if isinstance(error, MemoryError) or in_engine:
        least = error.least if isinstance(error, NoRoom) else 0
        kind = BudgetExceeded.kind
        return PartFailed(kind, message, step, in_engine=in_engine, least=least)
    shown = cut(trace, TRACEBACK_CHARACTERS, _IN_LOG)
    if (message, shown) != (said, trace):
        with contextlib.suppress(OSError):  # the disk is full
            print(trace, file=sys.stderr, flush=True)
    return PartFailed(StepFailed.kind, message, step, shown)


def _is_refusal(error: BaseException) -> bool:
    """Whether an engine has said that it lacks memory: what it raises is no MemoryError."""
    if isinstance(error, NoRoom):
        return True
    kind = type(error)
    name = kind.__module__.partition(".")[0], kind.__name__
    if name in _LACKS_MEMORY:
        return True
    return name == _PANIC and _REFUSED.search(headline(error)) is not None


def describe_pipeline(
    connection: Connection,
    source: Declared | Graph,
    homes: tuple[Home, ...],
    readings: Readings,
    log: Path,
    root: Path,
) -> None:
    """Entry point of a worker: read pipelines from their source and send them as plain data.

    Args:
        source: where they are, or a pipeline, whose modules are read anew.
        homes: the folders of the project's own modules.
        readings: what the parent has read of them.
    """
    settle_in(connection, log, root)
    try:
        read_once(homes)
        take_over(readings)
        import_afresh(modules_behind(PACKAGE_NAME))
        with children_end_here():
            graphs = _imported(source)
        gc.disable()  # nothing of a syntax tree is garbage, and this process ends soon
        connection.send([describe(graph) for graph in graphs])
    except CheckpointingError as error:
        connection.send(PartFailed(error.kind, error.message, error.step))
    except BaseException as error:  # importing runs the project's code, which may raise anything
        said = f"the pipeline cannot be imported: {headline(error)}{import_remedy(error)}"
        message = cut(said, MESSAGE_CHARACTERS)
        trace = cut(user_traceback(error, root), TRACEBACK_CHARACTERS)
        connection.send(PartFailed("configuration", message, None, trace))


def import_remedy(error: BaseException) -> str:
    """What to do about an error that a library raises while a module is imported, if we know."""
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing in _ENGINES:
        return f". Install it: `uv add {missing}`"
    if _NO_SESSION in str(error):
        return (
            "\n  Spark runs in steps alone. In a module give a function its type as an object, "
            "`@F.udf(returnType=LongType())`; make columns (`F.col(…)`), and functions of pandas "
            "(`pandas_udf`), within a step. Do not start a session in a module"
        )
    return ""


def _imported(source: Declared | Graph) -> list[Graph]:
    if isinstance(source, Graph):
        return [source.read_anew()]
    module = importlib.import_module(source.module)
    graphs = list({id(v): v for v in vars(module).values() if isinstance(v, Graph)}.values())
    names = [graph.name for graph in graphs]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise ConfigurationError(
            f"two pipelines of {source.module} are named `{twice[0]}`, so their checkpoints would "
            f"be in the same folder. Give each another name: `Pipeline(…, name=…)`."
        )
    if source.constant is not None:
        graphs = [g for g in graphs if g is getattr(module, source.constant, None)]
        if not graphs:
            raise ConfigurationError(f"{source.module} has no Pipeline named {source.constant}.")
    elif source.pipeline is not None:
        graphs = [graph for graph in graphs if graph.name == source.pipeline]
        if not graphs:
            raise ConfigurationError(
                f"no pipeline is named `{source.pipeline}`{nearest(source.pipeline, names)}; "
                f"{source.module} has {', '.join(names) or 'none'}."
            )
    elif not graphs:
        raise ConfigurationError(f"{source.module} has no Pipeline.")
    return graphs


def settle_in(
    connection: Connection, log: Path, root: Path, secrets: tuple[Secret, ...] = ()
) -> SimpleQueue[Any]:
    """Set up this process as a worker: it ends with its parent and prints to the log only.

    What Python prints has stars in the place of `secrets`.

    Returns the queue of the parent's answers.
    """
    answers: SimpleQueue[Any] = SimpleQueue()
    meter.die_with_parent()
    safe_path.lift()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the parent has none, like a program of pythonw
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 as long as this process
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    if hasattr(signal, "SIGCHLD"):  # where a parent ignores it, steps would get no exit codes
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):  # blocked so far, and so it would be in its children
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    children_go_without(connection.close)
    threading.Thread(target=_listen, args=(connection, answers), daemon=True).start()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        if isinstance(stream, io.TextIOWrapper):  # any file name can be printed, in any locale
            stream.reconfigure(errors="backslashreplace")
    descriptor = _opened(log)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    os.chdir(root)
    mask_streams(secrets)
    return answers


def _opened(log: Path) -> int:
    """The log, open for writing; nowhere if somebody has removed it: its work is worth more."""
    flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_NONBLOCK", 0)  # it may be a pipe by now
    try:
        return os.open(log, flags | os.O_CREAT, 0o644)
    except OSError:
        return os.open(os.devnull, flags)


def _listen(connection: Connection, answers: SimpleQueue[Any]) -> None:
    """Hand on what the parent sends, and end when it is gone."""
    try:
        while True:
            answers.put(connection.recv())
    except (EOFError, OSError):
        meter.kill_children(os.getpid(), patient=True)
        os._exit(1)
