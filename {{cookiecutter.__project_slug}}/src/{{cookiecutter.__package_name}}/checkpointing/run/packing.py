"""The project's own code, and the versions of its libraries, in a folder that can be sent away."""

from __future__ import annotations

import importlib.metadata
import json
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

from ..base.errors import ConfigurationError, StorageError
from ..base.litter import EVERYWHERE, NEVER_SENT, Ignore
from ..base.location import PACKAGE_NAME, RUNTIME
from ..base.settings import MEMORY_BUDGET_FILE, PIPELINE_FILE
from ..reuse.bound import Bound
from .errand import REQUIREMENTS

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^]]*)\])?")
_EXTRA = re.compile(r"""\bextra\s*==\s*["']([^"']+)["']""")
_NO_EXTRA = ""


def pack(bound: Bound, segment: str, folder: Path, *, is_installed: bool) -> None:
    """Copy to a new folder what the code of a segment needs to run somewhere else.

    `src/` gets the project's package, with the runtime, and the other packages of first-party code
    that the segment imports; beside it lie the two TOML files and `requirements.txt`, which has the
    exact versions of here.

    Args:
        is_installed: whether the libraries are those of this machine; then none is listed.

    Raises:
        ConfigurationError: a library was installed from a folder of this machine, or something in
            a package is no file.
        StorageError: a file of a package cannot be copied.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True)
    for name in (MEMORY_BUDGET_FILE, PIPELINE_FILE):
        shutil.copy2(bound.settings.root / name, folder / name)
    packages = {PACKAGE_NAME: RUNTIME.parent}
    for name, file in bound.code[segment].files.items():
        top = name.partition(".")[0]
        packages.setdefault(top, _top_of(name, file))
    for top, place in packages.items():
        if place.is_dir():
            copy_package(place, folder / "src" / top, bound.settings.wiring.reuse.ignore)
        else:
            (folder / "src").mkdir(exist_ok=True)
            shutil.copy2(place, folder / "src" / place.name)
    lines = [] if is_installed else requirements(set(packages))
    (folder / REQUIREMENTS).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def copy_package(source: Path, target: Path, team: Sequence[str]) -> None:
    """Copy a package: its code, the runtime, and the other files that may count, links followed.

    Args:
        team: the patterns of [reuse] ignore.

    Raises ConfigurationError for what is neither a file nor a folder, and StorageError for a file
    that cannot be read.
    """
    kept = [pattern for pattern in team if pattern.startswith("!")]
    of_code = Ignore((*EVERYWHERE, *NEVER_SENT, *kept))  # all that can be imported counts
    of_data = Ignore((*EVERYWHERE, *NEVER_SENT, *team))

    def left_out(folder: str, names: list[str]) -> set[str]:
        return {name for name in names if is_left_out(Path(folder, name))}

    def is_left_out(path: Path) -> bool:
        inner, is_folder = path.relative_to(source).as_posix(), path.is_dir()
        if of_code.names(inner, is_folder=is_folder):
            return True
        around = {folder.resolve() for folder in path.parents} if path.is_symlink() else set()
        is_loop = is_folder and path.resolve() in around
        has_code = path.suffix == ".py" or path.is_relative_to(RUNTIME)
        is_data = not has_code and (is_loop or not is_folder)
        if is_data and of_data.covers(inner, is_folder=is_folder):
            return True
        if is_loop or not (is_folder or path.is_file()):
            raise ConfigurationError(
                f"{path} is {'a link to a folder around it' if is_loop else 'no file'}, so it "
                f"cannot be sent elsewhere with the code. Move it out of the package, or name it "
                f"in [reuse] ignore of pipeline.toml."
            )
        return False

    try:
        shutil.copytree(source, target, ignore=left_out)
    except shutil.Error as error:
        path, _, why = error.args[0][0]
        raise StorageError(f"{path} cannot be sent elsewhere with the code: {why}") from None


def requirements(own: set[str]) -> list[str]:
    """What pip installs so that libraries have the versions of here, a line for each.

    Args:
        own: names of packages whose code is sent itself.

    Raises ConfigurationError for a library that lies in a folder of this machine.
    """
    needed = sorted(_needed(own), key=lambda each: _canonical(each[0].name))
    return [_line(distribution, extras) for distribution, extras in needed]


def _top_of(module: str, file: Path) -> Path:
    """The folder of a module's top-level package, or its file if it is in none."""
    parts = module.split(".")
    depth = len(parts) if file.name == "__init__.py" else len(parts) - 1
    return file if depth == 0 else file.parents[depth - 1]


def _needed(own: set[str]) -> Iterator[tuple[Distribution, list[str]]]:
    """The libraries that the project's own distribution asks for, with all that these need; and the
    extras with which each is asked for.

    A project that is not installed as a distribution may need any that is.
    """
    installed = {_canonical(d.name): d for d in importlib.metadata.distributions() if d.name}
    brought = importlib.metadata.packages_distributions()
    mine = {_canonical(name) for top in own for name in brought.get(top, [])}
    mine |= {_canonical(top) for top in own} & installed.keys()
    if not mine:
        yield from ((each, []) for each in installed.values() if not _is_of_folder(each))
        return
    seen: set[tuple[str, str | None]] = {(name, None) for name in mine}
    waiting = list(seen)
    while waiting:
        name, extra = waiting.pop()
        for asked in _asked(installed[name].requires or (), extra):
            if asked[0] in installed and asked not in seen and asked[0] not in mine:
                seen.add(asked)
                waiting.append(asked)
    for name in {name for name, _ in seen} - mine:
        yield installed[name], sorted(extra for n, extra in seen if n == name and extra)


def _asked(lines: Iterable[str], extra: str | None) -> Iterator[tuple[str, str]]:
    """What a distribution asks for, each by its name alone and once more for each of its extras.

    Args:
        lines: of its metadata.
        extra: of itself: what this one asks for besides; none, or None for all of them.
    """
    for line in lines:
        wanted, _, marker = line.partition(";")
        extras = {_canonical(each) for each in _EXTRA.findall(marker)} or {_NO_EXTRA}
        if (extra is None or extra in extras) and (match := _REQUIREMENT.match(wanted)):
            name = _canonical(match[1])
            yield name, _NO_EXTRA
            yield from ((name, _canonical(each.strip())) for each in (match[2] or "").split(","))


def _line(distribution: Distribution, extras: Sequence[str]) -> str:
    """`name==version`, or where else pip gets it. The local part of a version, as that of a build
    for this machine's processor, is left out: an index has none of these."""
    origin = _origin(distribution)
    name = f"{distribution.name}[{','.join(extras)}]" if extras else distribution.name
    url, vcs = origin.get("url", ""), origin.get("vcs_info", {})
    if vcs:
        return f"{name} @ {vcs['vcs']}+{url}@{vcs['commit_id']}"
    if _is_of_folder(distribution):
        raise ConfigurationError(
            f"`{distribution.name}` was installed from a folder of this machine ({url}), so it "
            f"cannot be installed elsewhere. Publish it on an index, or install it from its "
            f"repository, or have it imported as code of the project."
        )
    if url and not url.startswith("file:"):
        return f"{name} @ {url}"
    return f"{name}=={distribution.version.partition('+')[0]}"


def _origin(distribution: Distribution) -> dict[str, Any]:
    """Where it was installed from, if that was no index; see PEP 610."""
    origin: dict[str, Any] = json.loads(distribution.read_text("direct_url.json") or "{}")
    return origin


def _is_of_folder(distribution: Distribution) -> bool:
    origin = _origin(distribution)
    return origin.get("url", "").startswith("file:") and "dir_info" in origin


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
