"""The driver of an application: a JVM, started within a set time, and ended."""

from __future__ import annotations

import contextlib
import locale
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from pyspark import SparkConf, SparkContext
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from ...base.errors import ConfigurationError
from ...base.units import duration
from .spark_conf import LOOPBACK

_STOP_SECONDS = 20.0
_EXIT_SECONDS = 5.0
_LOOK_SECONDS = 0.1
_CAUSED = "Caused by: "

_ELSEWHERE = (
    *("PYSPARK_SUBMIT_ARGS", "PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET", "SPARK_REMOTE"),
    *("SPARK_MASTER", "SPARK_LOCAL_DIRS", "SPARK_API_MODE", "SPARK_CONNECT_MODE_ENABLED"),
)
"""Variables that would have Spark start elsewhere, or as something else."""


class TooLate(Exception):
    """Spark did not start within the time that it had."""


@dataclass(frozen=True)
class Driver:
    """A driver that runs.

    Attributes:
        process: its JVM, a `subprocess.Popen`.
    """

    session: Any
    process: Any

    @property
    def context(self) -> Any:
        """The SparkContext of Java."""
        return self.session.sparkContext._jsc.sc()

    def executors(self) -> int:
        """How many executors there are now; in `local[n]` none but the driver."""
        return len(self.context.statusTracker().getExecutorInfos()) - 1

    def cancel(self) -> None:
        """End all jobs that run."""
        self.context.cancelAllJobs()


def start(conf: Mapping[str, str], place: Path, seconds: float) -> Driver:
    """Start a JVM and an application in it.

    Raises:
        TooLate: it did not run after so many seconds.
        ConfigurationError: it does not start.
    """
    (place / "tmp").mkdir(parents=True, exist_ok=True)
    wanted = SparkConf(loadDefaults=False)
    for name, value in conf.items():
        wanted.set(name, value)
    before, late = _children(), threading.Event()
    on_interrupt = signal.getsignal(signal.SIGINT)

    def give_up() -> None:
        late.set()
        _end_all(before)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        with _environment(conf, place):
            gateway = launch_gateway(wanted)  # type: ignore[no-untyped-call]
            context = SparkContext(conf=wanted, gateway=gateway)
            return Driver(SparkSession(context), gateway.proc)
    except Exception as error:
        why = _not_started(error)  # asked of the JVM, so before its end
        _end_all(before)
        _forget()
        if late.is_set():
            raise TooLate from None
        raise ConfigurationError(why) from None
    finally:
        timer.cancel()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, on_interrupt)  # pyspark has set one of its own


def wait_for_executor(driver: Driver, deadline: float) -> None:
    """Return when the first executor has come. Raises TooLate at the deadline, by the clock of
    `time.monotonic`, and ConfigurationError if the driver ends meanwhile."""
    while not _has_executor(driver):
        if time.monotonic() > deadline:
            raise TooLate
        time.sleep(_LOOK_SECONDS)


def _has_executor(driver: Driver) -> bool:
    try:
        return driver.executors() > 0
    except Exception as error:
        why = _said(error)
        with contextlib.suppress(Exception):
            code = driver.process.wait(_EXIT_SECONDS)
            why = f"its JVM ended with exit code {code}"
        raise ConfigurationError(
            f"Spark ended before it got an executor: {why}. See the log, and what the cluster "
            f"says of the application."
        ) from None


def stop(driver: Driver) -> None:
    """End an application and its JVM, with patience for the one, and certainly the other."""
    stopping = threading.Thread(target=_stop, args=(driver.session,), daemon=True)
    stopping.start()
    stopping.join(_STOP_SECONDS)
    process = driver.process
    with contextlib.suppress(OSError):
        process.stdin.close()  # it ends when this is closed
    try:
        process.wait(_EXIT_SECONDS)
    except Exception:
        process.kill()
        process.wait(_EXIT_SECONDS)
    _forget()


def _stop(running: Any) -> None:
    with contextlib.suppress(Exception):  # its JVM is gone
        running.stop()


def _forget() -> None:
    """Let pyspark start another JVM in this process."""
    gateway: Any = SparkContext._gateway
    if gateway is not None:
        with contextlib.suppress(Exception):
            gateway.shutdown()
    SparkContext._gateway = None
    SparkContext._jvm = None
    SparkContext._active_spark_context = None


def _not_started(error: Exception) -> str:
    return (
        f"Spark does not start: {_said(error)}. See the log, and `conf` of [spark] in "
        f"memory_budget.toml."
    )


def _said(error: Exception) -> str:
    """What an error says, and what has caused it, without the calls of Java."""
    try:
        text = str(error)
    except Exception:  # of an error of Java the JVM has the text, and it is gone
        return type(error).__name__
    lines = [line.strip().removeprefix(": ") for line in text.splitlines() if line.strip()]
    said = next((line for line in lines if "Exception" in line), lines[0] if lines else "")
    causes = [line for line in lines if line.startswith(_CAUSED)]
    if causes and (cause := causes[-1].removeprefix(_CAUSED)) not in said:
        said = f"{said} ({cause})"
    return (said or type(error).__name__).rstrip(".")


def too_late(what: str, seconds: float) -> str:
    """The beginning of a message for what took too long."""
    return (
        f"{what} within {duration(seconds)}, the time that `wait` of [spark] in memory_budget.toml "
        f"allows"
    )


def _children() -> set[psutil.Process]:
    return set(psutil.Process().children())


def _end_all(before: set[psutil.Process]) -> None:
    """End the JVM that is starting: pyspark tells its number only when it has started."""
    for child in _children() - before:
        with contextlib.suppress(psutil.Error):
            child.kill()


@contextlib.contextmanager
def _environment(conf: Mapping[str, str], place: Path) -> Iterator[None]:
    """The environment in which Spark starts, and the folder of what it writes meanwhile."""
    is_local = conf["spark.master"].startswith("local")
    python = "" if is_local else os.environ.get("PYSPARK_PYTHON", "")
    wanted: dict[str, str | None] = {
        **dict.fromkeys(_ELSEWHERE),
        "PYSPARK_PYTHON": python or sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "MALLOC_ARENA_MAX": "2",  # else each thread of the JVM may keep memory of its own
    }
    if sys.platform == "linux" and not _reads_names_as_python():
        wanted["LC_ALL"] = "C.UTF-8"
    if conf.get("spark.driver.bindAddress") == LOOPBACK:
        wanted["SPARK_LOCAL_IP"] = LOOPBACK
    former = {name: os.environ.get(name) for name in wanted}
    former_folder = tempfile.tempdir
    _set(wanted)
    tempfile.tempdir = str(place / "tmp")
    try:
        yield
    finally:
        tempfile.tempdir = former_folder
        _set(former)


def _reads_names_as_python() -> bool:
    """Whether a JVM takes the names of files for what Python takes them.

    Where the locale is C, Python takes them for UTF-8 all the same, and Java for ASCII.
    """
    if sys.getfilesystemencoding().lower() not in ("utf-8", "utf8"):
        return True
    return locale.getencoding().lower() in ("utf-8", "utf8")


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
