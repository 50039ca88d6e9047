"""Hostile answers to the template's questions: each works as text, or is refused."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random

import pytest
from cookiecutter.exceptions import FailedHookException

from ..conftest import Bakery
from ..test_answers import NEVER_RIGHT, ODD_BUT_RIGHT, assert_works
from .conftest import SHARDS, Rounds

PIECES = [
    *ODD_BUT_RIGHT,
    *NEVER_RIGHT,
    *"{}%#\\\"'`$()<>&;|!*?[]~\n\r\t\0 ",
    "{{ 7*7 }}",
    "{% raw %}",
    "#% if",
    "'''",
    '"""',
    "]]>",
    "../",
    "–",
    "é",
    "\u202e",
    "\ud7ff",
    "😀",
]


@pytest.mark.parametrize("shard", range(SHARDS))
def test_any_answers_work_or_are_refused(rounds: Rounds, shard: int) -> None:
    for chance in rounds.of("hostile answers", short=40, long=400):
        name, description, author = (text(chance) for _ in range(3))
        with tempfile.TemporaryDirectory() as folder:
            bakery = Bakery(Path(folder))
            try:
                project = bakery.bake(project_name=name, description=description, author=author)
            except FailedHookException:
                assert list(bakery.output.iterdir()) == [], (name, description, author)
            else:
                assert_works(project, description, author, bakery.output)


def text(chance: Random) -> str:
    """Some pieces of trouble between letters."""
    pieces = (chance.choice([chance.choice(PIECES), "a", "data "]) for _ in range(5))
    return "".join(pieces)[: chance.choice([20, 80, 220])]
