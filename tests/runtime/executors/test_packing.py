"""What travels of the project's code, and the libraries that are listed for it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError, StorageError
from flight_delays.checkpointing.run.packing import copy_package, requirements

from ..builders import link, write


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "package"
    for name in ("__init__.py", "inner/rules.py", "inner/rates.csv"):
        write(folder / name, name)
    return folder


def sent(package: Path, *team: str) -> set[str]:
    """The paths of what arrives."""
    target = package.with_name("target")
    copy_package(package, target, team)
    return {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}


CODE = {"__init__.py", "inner/rules.py"}


def test_neither_secrets_nor_litter_travel_with_a_package(package: Path) -> None:
    for name in (".env", ".git/config", "notes.ipynb", "a.csv~", "inner/__pycache__/rules.pyc"):
        write(package / name, "secret")
    link(package / "inner/.#rules.py", "me@here.1234:1700000000")  # of a buffer in Emacs
    link(package / "rates.csv", package / "inner/rates.csv")
    assert sent(package) == CODE | {"inner/rates.csv", "rates.csv"}


def test_of_what_the_team_ignores_only_code_travels(package: Path) -> None:
    write(package / ".rates", "1")
    assert sent(package, "inner/", "!.rates") == CODE | {".rates"}


@pytest.mark.parametrize("kind", ["pipe", "broken link", "loop", "loop of two"])
def test_what_cannot_travel_is_named_and_can_be_ignored(package: Path, kind: str) -> None:
    odd = package / "odd"
    if kind == "pipe":
        os.mkfifo(odd)
    elif kind == "loop of two":
        link(package / "inner/back", package / "other")
        link(package / "other/on", package / "inner")
        odd = package / "inner/back/on"
    else:
        link(odd, package if kind == "loop" else "nowhere")
    with pytest.raises(ConfigurationError, match=r"package/\S*(odd|on|back) is .*\[reuse\] ignore"):
        sent(package)
    shutil.rmtree(package.with_name("target"), ignore_errors=True)
    assert sent(package, "odd", "on", "back") >= CODE | {"inner/rates.csv"}


def test_a_file_that_cannot_be_read_is_named(package: Path) -> None:
    link(package / "odd.csv", "/proc/self/mem")  # its first page is never there
    with pytest.raises(StorageError, match=r"odd.csv cannot be sent elsewhere with the code: \["):
        sent(package)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project and what it needs, as pip leaves them behind."""
    asked = {
        "Some.Project": ["server[http, Async-Io]>=1", 'checked; extra == "dev"'],
        "server": [
            "base",
            'flask_like ; extra == "http" and python_version > "3"',
            "spoken; extra == 'async-io' or extra == 'other'",
            'unwanted; extra == "other"',
        ],
        "base": ['unwanted; extra == "all"', "not-there"],
        "flask-like": ['base[deep]; platform_system != "None"'],
        "spoken": [],
        "checked": ["server"],
        "unwanted": [],
    }
    for number, (name, lines) in enumerate(asked.items()):
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.{number}+cpu\n"
        folder = tmp_path / "site" / f"{name.replace('-', '_')}-1.{number}.dist-info"
        write(folder / "METADATA", text + "".join(f"Requires-Dist: {line}\n" for line in lines))
        write(folder / "top_level.txt", f"{name.lower().replace('.', '_')}\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return tmp_path


@pytest.mark.usefixtures("installed")
def test_libraries_of_an_extra_that_is_asked_for_are_listed_and_others_are_not() -> None:
    assert requirements({"some_project"}) == [
        "base[deep]==1.2",
        "checked==1.5",
        "flask-like==1.3",
        "server[async-io,http]==1.1",
        "spoken==1.4",
    ]
