"""Damage to any file of a project's checkpoints and records: the next run is right."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from ..runtime.conftest import Project, run_once
from ..runtime.run.test_damage import SEGMENTS, WIRING, flip, outputs
from .conftest import SHARDS, Rounds


@pytest.mark.parametrize("shard", range(SHARDS))
def test_damage_to_any_file_is_noticed_or_does_no_harm(
    toy: Project, rounds: Rounds, shard: int
) -> None:
    run_once(toy, SEGMENTS, WIRING)
    expected = outputs(toy)
    with toy.session() as run:
        for chance in rounds.of("damaged, cut or deleted files", short=40, long=800):
            path = chance.choice(files(toy))
            what = damage(path, chance)
            record = run(rerun_from="s02") if chance.random() < 0.3 else run()
            assert "error" not in record, f"{what}: {record['error']}"
            assert outputs(toy) == expected, what


def files(project: Project) -> list[Path]:
    """All files that runs made, but the marks: a person has to say whose an unmarked folder is."""
    made = [p for top in ("checkpoints", "runs") for p in (project.folder / top).rglob("*")]
    return sorted(path for path in made if path.is_file() and path.name != "owner.json")


def damage(path: Path, chance: Random) -> str:
    """Damage a file in some way; what was done, for a message."""
    size = path.stat().st_size
    kind = chance.choice(
        ["flip", "quiet flip", "cut", "empty", "extend", "delete"] if size else ["delete"]
    )
    if kind.endswith("flip"):
        flip(path, chance.random(), keep_mtime=kind == "quiet flip")
    elif kind in ("cut", "empty"):
        os.truncate(path, chance.randrange(size) if kind == "cut" else 0)
    elif kind == "extend":
        with path.open("ab") as file:
            file.write(chance.randbytes(chance.choice([1, 100])))
    else:
        path.unlink()
    return f"{kind} {path}"
