"""Pipelines to compare, and what a comparison must leave as it was."""

from __future__ import annotations

import json
from typing import Any

from ...conftest import Project

MB = 10**6

FRAME = 20 * MB

PER_SEGMENT = 8

# Knows whether an earlier segment's step ran in this process: then it is the plain script's.
PROCESS = """
segments = set()


def is_plain(segment: str) -> bool:
    segments.add(segment)
    return len(segments) > 1
"""

WAITING = {
    "s01": """
    from ..process import is_plain

    @step
    def first() -> int:
        is_plain("s01")
        ran("first")
        return 1
    """,
    "s02": """
    import os, subprocess, sys, time
    from ..process import is_plain

    @step
    def second(first: int, workdir: Path) -> Path:
        ran("second")
        made = workdir / "second.txt"
        made.write_text("second")
        place = "the plain script" if is_plain("s02") else "checkpoints"
        order = Path("wait_at.txt").read_text() if Path("wait_at.txt").exists() else ""
        if order == f"a child of {place}":
            tell = f"import time; open('reached.txt', 'w').write({order!r}); time.sleep(120)"
            subprocess.run([sys.executable, "-c", tell], check=True)
        while order == place:
            try:
                Path("reached.txt").write_text(place)
                time.sleep(120)
            except BaseException:
                continue
        return made
    """,
}


def frames(segment: int) -> str:
    """The source of a segment whose steps make an array of 20 MB each, and sum them up."""
    names = [f"array_{segment}_{number}" for number in range(PER_SEGMENT - 1)]
    makers = [
        f"@step\ndef {name}() -> np.ndarray:\n    return np.ones({FRAME // 8})" for name in names
    ]
    parameters = ", ".join(f"{name}: np.ndarray" for name in names)
    total = f"np.full({FRAME // 8}, {' + '.join(f'{name}[0]' for name in names)})"
    return "\n\n".join(
        [*makers, f"@step\ndef sum_{segment}({parameters}) -> np.ndarray:\n    return {total}"]
    )


def compared(project: Project, *arguments: str, **environment: str) -> dict[str, Any]:
    """`compare --json`: what it printed, with its exit code as `exit_code`."""
    done = project.command("compare", "--json", *arguments, **environment)
    assert done.stdout, done.stderr
    comparison: dict[str, Any] = json.loads(done.stdout)
    return comparison | {"exit_code": done.returncode, "stderr": done.stderr}


def kept(project: Project) -> dict[str, tuple[bytes, int, int]]:
    """Every file of checkpoints, published outputs and run records: bytes, mtime, inode."""
    folders = (project.checkpoints(), project.folder / "data", project.folder / "runs")
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    own = [
        path
        for path in files
        if path.name not in {"run.lock", "run.json", "profile.json", "compare.log"}
    ]
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns, p.stat().st_ino) for p in own}


def check_nothing_left(project: Project) -> None:
    assert project.processes() == []
    assert list(project.checkpoints().glob(".compare*")) == []
    assert list(project.folder.rglob("*.tmp")) == []
