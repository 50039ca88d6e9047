"""A standalone cluster of Spark on loopback, from the pip package: a master and two workers.

They end with the process that started them, however that ends; and executors end with their worker.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from flight_delays.checkpointing.memory import meter

from .java import java_variables

_SECONDS = 180.0
_LOOK_SECONDS = 0.05
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData"
WORKER_BYTES = 2 << 30


@dataclass
class Cluster:
    """A master and its workers, each as the process of its JVM.

    Attributes:
        hidden: a folder in whose place workers see an empty one.
        url: `spark://127.0.0.1:<port>`.
        page: the address of its web page.
    """

    folder: Path
    hidden: Path | None = None
    url: str = ""
    page: str = ""
    master: Any = None
    workers: list[Any] = field(default_factory=list)

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a run on this cluster."""
        return java_variables() | {"SPARK_MASTER": self.url}

    @property
    def setting(self) -> str:
        """The table of memory_budget.toml for it, without its end."""
        return f'[spark]\nmaster_ui = "{self.page}"\n'

    def state(self) -> dict[str, Any]:
        """What the master says."""
        with urllib.request.urlopen(f"{self.page}/json/", timeout=30) as answer:
            said: dict[str, Any] = json.load(answer)
        return said

    def applications(self) -> list[str]:
        """The names of the applications that run or wait."""
        return [each["name"] for each in self.state()["activeapps"]]

    def executors(self) -> list[psutil.Process]:
        """The executors that run, those of all applications."""
        return [
            child
            for worker in self.workers
            if psutil.pid_exists(worker.pid)
            for child in psutil.Process(worker.pid).children(recursive=True)
            if "CoarseGrainedExecutorBackend" in " ".join(command_of(child))
        ]

    def add_worker(self, cores: int) -> None:
        """Start a worker, and wait until the master knows it."""
        known = {each["id"] for each in self.state()["workers"]}
        number = len(known)
        work = self.folder / f"worker-{number}"
        options = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0", "--memory", "2g"]
        options += ["--cores", str(cores), "--work-dir", str(work), self.url]
        before = []
        if self.hidden is not None:
            mount = f'mount -t tmpfs none {self.hidden} && exec "$@"'
            before = ["unshare", "--mount", "sh", "-c", mount, "sh"]
        self.workers.append(_start("worker.Worker", options, work, before))
        wait_for(lambda: {each["id"] for each in self.alive()} - known, "a worker has registered")

    def alive(self) -> list[dict[str, Any]]:
        """The workers that the master counts as alive."""
        return [each for each in self.state()["workers"] if each["state"] == "ALIVE"]

    def start_master(self) -> None:
        options = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0"]
        self.master = _start("master.Master", options, self.folder / "master")
        log = self.folder / "master" / "log.txt"

        def has_begun() -> bool:
            text = log.read_text(encoding="utf-8", errors="replace")
            port = re.search(r"Starting Spark master at (spark://127\.0\.0\.1:\d+)", text)
            page = re.search(r"service 'MasterUI' on port (\d+)", text)
            if port and page:
                self.url, self.page = port[1], f"http://127.0.0.1:{page[1]}"
            return bool(self.url) and self._answers()

        wait_for(has_begun, "the master has started", log)

    def _answers(self) -> bool:
        """Whether the master's page gives JSON: it is there a moment earlier."""
        try:
            return "workers" in self.state()
        except (OSError, ValueError):
            return False

    def end(self) -> None:
        """End all of it, executors too."""
        for process in (*self.workers, self.master):
            if process is not None:
                meter.kill_tree(process.pid)
                process.wait(_SECONDS)


@contextmanager
def spark_cluster(
    folder: Path, cores: tuple[int, ...] = (1, 2), hidden: Path | None = None
) -> Iterator[Cluster]:
    """A cluster with a worker of 2 GiB for each number of cores."""
    cluster = Cluster(folder, hidden)
    try:
        cluster.start_master()
        for count in cores:
            cluster.add_worker(count)
        yield cluster
    finally:
        cluster.end()


@contextmanager
def connect_server(folder: Path) -> Iterator[str]:
    """A server of Spark Connect on loopback; gives its address, `sc://127.0.0.1:<port>`."""
    options = ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
    options += ["--master", "local[2]", "--name", "server"]
    settings = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": "0",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.local.dir": str(folder / "server" / "tmp"),
        "spark.sql.warehouse.dir": str(folder / "server" / "warehouse"),
        "spark.ui.enabled": "false",
    }
    options += [word for item in settings.items() for word in ("--conf", "=".join(item))]
    process = _start("SparkSubmit", [*options, "spark-internal"], folder / "server", (), "1g")
    log = folder / "server" / "log.txt"

    def port() -> str | None:
        text = log.read_text(encoding="utf-8", errors="replace")
        match = re.search(r"Spark Connect server started at: \S*?:(\d+)", text)
        return match[1] if match else None

    try:
        yield f"sc://127.0.0.1:{wait_for(port, 'the server has started', log)}"
    finally:
        meter.kill_tree(process.pid)
        process.wait(_SECONDS)


def wait_for(is_so: Callable[[], Any], what: str, log: Path | None = None) -> Any:
    """Look until something is so, and return it. Raises AssertionError after three minutes."""
    deadline = time.monotonic() + _SECONDS
    while not (answer := is_so()):
        said = log.read_text(encoding="utf-8", errors="replace")[-2000:] if log else ""
        assert time.monotonic() < deadline, f"not seen in time: {what}\n{said}"
        time.sleep(_LOOK_SECONDS)
    return answer


def command_of(process: psutil.Process) -> list[str]:
    """The words with which a process was started; none if it has ended."""
    try:
        words: list[str] = process.cmdline()
    except psutil.Error:
        return []
    return words


def _start(
    name: str,
    options: list[str],
    folder: Path,
    before: Sequence[str] = (),
    memory: str = "256m",
) -> Any:
    import pyspark

    folder.mkdir(parents=True)
    (folder / "tmp").mkdir()
    spark_class = Path(pyspark.__file__).parent / "bin" / "spark-class"
    variables = (
        os.environ
        | java_variables()
        | {
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_DIRS": str(folder / "tmp"),
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_DAEMON_MEMORY": memory,
            "SPARK_DAEMON_JAVA_OPTS": f"{_QUICK} -Djava.io.tmpdir={folder / 'tmp'}",
        }
    )
    with open(folder / "log.txt", "wb") as log:
        return subprocess.Popen(
            [*before, str(spark_class), f"org.apache.spark.deploy.{name}", *options],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=_end_with_parent,
        )


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
