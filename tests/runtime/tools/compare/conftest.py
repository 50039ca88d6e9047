"""Projects to compare."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from ...conftest import Project, until
from .comparing import (
    PROCESS,
    WAITING,
    frames,
)


@pytest.fixture(scope="module")
def heavy(shared_project: Project) -> Project:
    """A project with three segments of eight arrays of 20 MB; the last of each is an output."""
    shared_project.segments(**{f"s{number:02}": frames(number) for number in (1, 2, 3)})
    return shared_project


@pytest.fixture
def two_faced(project: Project) -> Callable[[str], Project]:
    """A project whose step `second` does something else in the plain script."""

    def build(differently: str) -> Project:
        project.write("src/demo/process.py", PROCESS)
        project.segments(
            s01="""
            from ..process import is_plain

            @step
            def first() -> int:
                is_plain("s01")
                return 1
            """,
            s02=f"""
            import ctypes, os, resource, signal, sys
            from ..process import is_plain

            @step
            def second(first: int) -> int:
                if is_plain("s02"):
                    print("now the other face", flush=True)
                    {differently}
                return 2
            """,
        )
        return project

    return build


@pytest.fixture
def waiting(project: Project) -> Callable[..., subprocess.Popen[str]]:
    """A function that starts a comparison and comes back when it waits in the given place."""
    project.write("src/demo/process.py", PROCESS)
    project.segments(**WAITING)

    def start(place: str) -> subprocess.Popen[str]:
        project.write("wait_at.txt", place)
        process = project.start("compare", "--json")
        until((project.folder / "reached.txt").exists, place)
        (project.folder / "wait_at.txt").unlink()
        return process

    return start
