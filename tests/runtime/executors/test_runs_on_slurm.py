"""Runs whose middle segment goes to a real Slurm by a real SkyPilot, and storage that speaks S3.

They give what `local` gives, and end with an empty queue, ledger and bucket. A later run of the
same test works with `local`: where a segment runs is not in its key, and no machine has to be made.
The host has room for one cluster at a time, so no two runs are at work on it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flight_delays.checkpointing.executors.storage import RESULT, open_storage

from ... import s3 as s3_server
from ... import slurm as loopback
from ...conftest import Bakery
from ..conftest import Project, until
from .conftest import FIGURES
from .sent import lay_out, places, trainings

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

_ENDS = 600.0  # seconds after which a test gives up
_LIBRARIES = (
    "filelock numpy obstore pandas psutil pyarrow pydantic rich typer typing-extensions xxhash"
)
_THERE = """
infra = "{infra}"
storage = "{storage}"
cpus = "1+"
variables = {variables}
"""


def install(folder: Path, package: str, libraries: Iterable[str]) -> None:
    """Have a project's package known as a distribution that asks for these libraries."""
    inside = folder / "src" / f"{package}-1.0.dist-info"
    inside.mkdir()
    named = "".join(f"Requires-Dist: {name}\n" for name in libraries)
    text = f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n{named}"
    (inside / "METADATA").write_text(text)
    (inside / "top_level.txt").write_text(f"{package}\n")


class Sent(Project):
    """The pipeline of `sent.py` in a folder that the machine there can write to, too."""

    def __init__(self, folder: Path, slurm: loopback.Slurm, s3: s3_server.S3) -> None:
        super().__init__(folder)
        self.slurm = slurm
        self.variables = s3.environment()
        self.bucket = s3.bucket()
        self.folder.chmod(0o777)
        self.runs: list[subprocess.Popen[str]] = []
        # As an installed project it names its libraries, so not all those of the tests are sent.
        named = "".join(f"Requires-Dist: {name}\n" for name in _LIBRARIES.split())
        inside = "src/demo-1.0.dist-info"
        self.write(
            f"{inside}/METADATA", f"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n{named}"
        )
        self.write(f"{inside}/top_level.txt", "demo\n")

    def to_slurm(self, limit: str = "5 min") -> None:
        """Send the segment to Slurm from now on."""
        lay_out(self, "skypilot", limit)
        there = _THERE.format(
            infra=loopback.INFRA, storage=f"{self.bucket}/way", variables=list(self.variables)
        )
        with (self.folder / "pipeline.toml").open("a") as file:
            file.write(there)

    def to_its_end(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command that takes as long as a machine takes."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=_ENDS)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def failed(self) -> dict[str, Any]:
        """How a run failed, with its exit code."""
        done = self.to_its_end("run", "--json")
        error: dict[str, Any] = json.loads(done.stdout)["error"]
        return error | {"exit_code": done.returncode}

    def held(self) -> subprocess.Popen[str]:
        """A run whose training has begun there, and waits for another order."""
        self.write("order.txt", "hold")
        process = self.start("run")
        self.runs.append(process)
        until(
            lambda: (self.folder / "reached.txt").exists() or process.poll() is not None,
            "the training there",
            _ENDS,
        )
        assert process.poll() is None, process.communicate()[1]
        return process

    def contents(self) -> dict[str, dict[str, str]]:
        """The checksums of all that is checkpointed, by segment and value."""
        return {
            segment: {
                name: record["checksum"] for name, record in (m["values"] | m["outputs"]).items()
            }
            for segment, m in self.manifests().items()
        }

    def published(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.folder / "data/out").iterdir()}

    def left(self) -> list[str]:
        """What there is of throwaway places: in the ledger, in storage, and in the queue.

        SkyPilot's server stays, and works in the folder of whoever started it.
        """
        lying = (self.folder / "executors").rglob("*")
        files = [str(path) for path in lying if path.name not in (".gitignore", "identity")]
        objects = [stored.name for stored in open_storage(self.bucket).list()]
        return files + objects + self.slurm.jobs()


@pytest.fixture
def sent(
    slurm: loopback.Slurm, s3: s3_server.S3, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sent]:
    folder = Path(tempfile.mkdtemp(dir=slurm.folder))
    folder.chmod(0o755)
    project = Sent(folder / "demo", slurm, s3)
    for name, value in project.variables.items():
        monkeypatch.setenv(name, value)
    project.to_slurm()
    yield project
    for process in project.runs:  # of a test that failed
        process.kill()
        process.wait()
    assert project.left() == []


def took(case: str, by: str, printed: str) -> None:
    """Take down the seconds from the end there until the place is known to be gone."""
    [seconds] = re.findall(r"is gone, (?:after )?(.+?)(?: later)?$", printed, re.MULTILINE)
    FIGURES.append(f"| {case} | {by} | - | {seconds} |")


def test_a_segment_on_slurm_gives_what_it_gives_locally_and_nothing_of_the_place_remains(
    sent: Sent,
) -> None:
    process = sent.held()
    [line] = places(sent)
    assert (line["segment"], line["executor"], line["lives"]) == ("s02", "trainer", True)
    assert line["state"].startswith("UP; ")
    assert line["cost_dollars"] == 0.0
    assert len(sent.slurm.jobs()) == 1
    secret = sent.variables["AWS_SECRET_ACCESS_KEY"].encode()
    for file in (path for path in sent.folder.rglob("*") if path.is_file()):
        assert secret not in file.read_bytes(), file
    sent.write("order.txt", "")
    _, printed = process.communicate(timeout=_ENDS)
    assert process.returncode == 0, printed
    took("success", "the run", printed)
    assert sent.left() == []
    assert sent.statuses() == dict.fromkeys(("s01", "s02", "s03"), "reused")
    there, published = sent.contents(), sent.published()
    assert published["model.txt"] == b"100"

    lay_out(sent, "local")
    assert sent.statuses("--fresh") == dict.fromkeys(("s01", "s02", "s03"), "ran")
    assert (sent.contents(), sent.published()) == (there, published)


@pytest.mark.exhaustive
def test_a_step_that_raises_there_ends_the_run_and_what_was_finished_is_kept(sent: Sent) -> None:
    sent.write("order.txt", "raise")
    error = sent.failed()
    assert (error["exit_code"], error["kind"], error["step"]) == (1, "step_failed", "model")
    assert "the data have no signal" in error["message"]
    assert "s02.py" in error["traceback"]
    assert sent.left() == []
    sent.write("order.txt", "")
    lay_out(sent, "local")
    assert sent.run()["segments"][1]["reused_steps"] == ["features"]


@pytest.mark.exhaustive
def test_a_step_that_exceeds_the_memory_there_names_that_memory(sent: Sent) -> None:
    sent.write("order.txt", "fill")
    error = sent.failed()
    assert (error["exit_code"], error["kind"], error["step"]) == (3, "budget_exceeded", "model")
    assert "1 GB (memory of [executors.trainer], pipeline.toml)" in error["message"]
    assert sent.left() == []


@pytest.mark.exhaustive
def test_a_run_ends_at_the_time_limit_there(sent: Sent) -> None:
    sent.to_slurm(limit="90 s")
    sent.write("order.txt", "hold")
    error = sent.failed()
    assert (error["exit_code"], error["kind"]) == (5, "executor")
    assert "time limit of 90.0 s" in error["message"]
    assert sent.left() == []
    sent.write("order.txt", "")
    lay_out(sent, "local")
    assert sent.statuses() == {"s01": "reused", "s02": "ran", "s03": "ran"}


@pytest.mark.exhaustive
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_in_training_ends_the_allocation_too(
    sent: Sent, number: signal.Signals
) -> None:
    process = sent.held()
    process.send_signal(number)
    _, printed = process.communicate(timeout=_ENDS)
    assert process.returncode == 130
    assert sent.slurm.jobs() == []
    took(f"{number.name} in training", "the run", printed)
    sent.write("order.txt", "")
    lay_out(sent, "local")
    assert sent.statuses() == {"s01": "reused", "s02": "ran", "s03": "ran"}


@pytest.mark.exhaustive
def test_a_sweep_ends_the_allocation_of_a_killed_run(sent: Sent) -> None:
    process = sent.held()
    [line] = places(sent)
    process.kill()
    process.communicate()
    assert len(sent.slurm.jobs()) == 1
    started = time.monotonic()
    done = sent.to_its_end("executors", "sweep", "--json")
    assert json.loads(done.stdout)["gone"] == [line["place"]]
    assert sent.slurm.jobs() == []
    seconds = time.monotonic() - started
    FIGURES.append(f"| the run killed in training | `executors sweep` | - | {seconds:.0f} s |")
    sent.write("order.txt", "")
    lay_out(sent, "local")
    assert sent.statuses() == {"s01": "reused", "s02": "ran", "s03": "ran"}
    assert trainings(sent) == 2


@pytest.mark.exhaustive
def test_a_result_that_is_durable_when_its_run_is_killed_is_taken_by_the_next(sent: Sent) -> None:
    process = sent.held()
    process.kill()
    process.communicate()
    sent.write("order.txt", "")

    def is_durable() -> bool:
        return any(stored.name.endswith(RESULT) for stored in open_storage(sent.bucket).list())

    until(is_durable, "the result in storage", _ENDS)
    done = sent.to_its_end("run")
    assert done.returncode == 0, done.stderr
    assert sent.slurm.jobs() == []
    took("the run killed after the result was durable", "the next run", done.stderr)
    assert (sent.load("used"), trainings(sent)) == ("100.0", 1)


@pytest.mark.exhaustive
def test_the_sample_trains_on_slurm_as_it_does_locally(
    slurm: loopback.Slurm, s3: s3_server.S3, tmp_path: Path
) -> None:
    published = dict[str, dict[str, bytes]]()
    # The code that OpenBLAS runs decides the last digits; the job there does not inherit a choice.
    here = {name: text for name, text in os.environ.items() if not name.startswith("OPENBLAS_")}
    for training in ("skypilot", "local"):
        bakery = Bakery(tmp_path / training)
        bakery.folder.mkdir()
        baked = bakery.bake(training=training, project_name="Late Arrivals")
        install(
            baked.folder, "late_arrivals", baked.toml("pyproject.toml")["project"]["dependencies"]
        )
        wiring = baked.text("pipeline.toml")
        if training == "skypilot":
            wiring = wiring.replace('# s06_train = "', 's06_train = "')
            wiring = wiring.replace('infra = "aws"', f'infra = "{loopback.INFRA}"')
            wiring = wiring.replace(
                'memory = "16+"', f'memory = "2+"\nvariables = {[*s3.environment()]}'
            )
            wiring = wiring.replace("# storage =", "storage =")
            wiring = wiring.replace('"s3://BUCKET/PATH"', f'"{s3.bucket()}/way"')
            (baked.folder / "pipeline.toml").write_text(wiring)
        own = {"PYTHONPATH": str(baked.folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "late_arrivals", "run", "--set", "last_day=2013-01-01"],
            cwd=baked.folder,
            env=here | s3.environment() | own,
            capture_output=True,
            text=True,
            check=False,
            timeout=_ENDS,
        )
        assert done.returncode == 0, done.stderr
        assert "on trainer" in done.stdout + done.stderr
        assert slurm.jobs() == []
        out = baked.folder / "data" / "out"
        published[training] = {path.name: path.read_bytes() for path in out.iterdir()}
    assert {"metrics.csv", "model.skops"} <= published["local"].keys()
    assert published["skypilot"] == published["local"]
