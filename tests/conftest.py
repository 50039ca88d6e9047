"""Bakes for the tests of the template: real ones, by cookiecutter itself, in temporary folders."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from cookiecutter.exceptions import FailedHookException
from cookiecutter.main import cookiecutter
from hypothesis import settings

from . import s3 as s3_server
from . import temporary

temporary.begin()

# What must hold before a merge is decided by the same examples each time. `dev.py test
# --exhaustive` tries others every night, with `--hypothesis-profile chance`.
settings.register_profile("chance")
settings.register_profile("same", derandomize=True)
settings.load_profile("same")

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "{{cookiecutter.__project_slug}}"


@dataclass(frozen=True)
class Project:
    """A generated project."""

    folder: Path

    @property
    def package(self) -> Path:
        [cli] = self.folder.glob("src/*/cli.py")
        return cli.parent

    def files(self) -> set[str]:
        """The paths of all files, relative to the project."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix() for path in found}

    def has_file(self, path: str) -> bool:
        return (self.folder / path).is_file()

    def text(self, path: str) -> str:
        return (self.folder / path).read_text(encoding="utf-8")

    def toml(self, path: str) -> dict[str, Any]:
        return tomllib.loads(self.text(path))


@dataclass(frozen=True)
class Bakery:
    """Bakes projects into one output folder, without touching the home folder."""

    folder: Path

    @property
    def output(self) -> Path:
        return self.folder / "out"

    @property
    def config(self) -> Path:
        """A configuration of cookiecutter that keeps its files in this folder."""
        path = self.folder / "cookiecutter.yaml"
        folders = (
            f"{key}: {str(self.folder / key)!r}" for key in ("replay_dir", "cookiecutters_dir")
        )
        path.write_text("\n".join(folders), encoding="utf-8")
        return path

    def bake(self, answers: Mapping[str, Any] | None = None, **more: Any) -> Project:
        """Generate a project; an answer that is not given is the default."""
        with mock.patch.object(tempfile, "tempdir", str(self.folder)):  # rendered hooks stay there
            folder = cookiecutter(
                str(ROOT),
                no_input=True,
                extra_context={**(answers or {}), **more},
                output_dir=str(self.output),
                config_file=str(self.config),
                overwrite_if_exists=True,
            )
        return Project(Path(folder))

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Type `cookiecutter` with these words, and with options that keep it in this folder."""
        options = ["--no-input", "-o", str(self.output), "--config-file", str(self.config)]
        return subprocess.run(
            [sys.executable, "-m", "cookiecutter", *words, *options],
            env=os.environ | {"TMPDIR": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )


Refuse = Callable[..., str]


def unmeasured() -> dict[str, str]:
    """The environment of a process whose coverage is not measured; see tests/measuring."""
    return {name: value for name, value in os.environ.items() if name != "MEASURED_BY"}


@pytest.fixture(scope="session", autouse=True)
def place_for_pytest(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Has pytest choose its folder; a pytest that a test starts makes its own elsewhere."""
    tmp_path_factory.getbasetemp()
    os.environ.pop(temporary.PYTEST_ROOT, None)


@pytest.fixture
def bakery(tmp_path: Path) -> Bakery:
    return Bakery(tmp_path)


@pytest.fixture
def refusal(bakery: Bakery, capfd: pytest.CaptureFixture[str]) -> Refuse:
    """Bakes what must be refused; returns what the user is told, once nothing is left behind."""

    def refuse(**answers: Any) -> str:
        with pytest.raises(FailedHookException):
            bakery.bake(answers)
        assert list(bakery.output.iterdir()) == []
        return capfd.readouterr().err

    return refuse


@pytest.fixture(scope="session")
def default_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project that the default answers make; tests only read it."""
    return Bakery(tmp_path_factory.mktemp("default")).bake()


@pytest.fixture(scope="session")
def s3() -> Iterator[s3_server.S3]:
    """A server that speaks S3; `bucket()` makes a place of its own for a test."""
    with s3_server.serving() as server:
        yield server
