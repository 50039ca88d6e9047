"""Write several files of a project, all of them or none."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ...base.errors import ConfigurationError, StorageError
from ...base.interrupts import held
from ...base.names import temporary_name
from ...base.refusals import refusal_of, remedy_of


def write_all(made: Mapping[Path, bytes], changed: Mapping[Path, bytes]) -> None:
    """Create the files `made`, which must not exist, and replace the contents of `changed`.

    All contents are on disk under temporary names before the first file gets its own name. A file
    that lists others is best the last of `changed`: a process that is killed in between then leaves
    files that nothing lists yet.

    Raises:
        ConfigurationError: a file to create exists already.
        StorageError: something could not be written. In both cases, as after an interrupt,
            everything is as it was.
    """
    with contextlib.ExitStack() as undo:
        staged = [(_staged(undo, path, content), path) for path, content in made.items()]
        new = [(_staged(undo, path, content), path) for path, content in changed.items()]
        former = [(_staged(undo, path), path) for path in changed]
        with held() as interrupts:
            interrupts.check()
            with _taken_back(former):
                for temporary, path in staged:
                    _create(undo, temporary, path)
                for temporary, path in new:
                    with _refusals(path):
                        os.replace(temporary, path)
            undo.pop_all()
            for temporary, _ in (*staged, *former):
                _remove(temporary)


@contextlib.contextmanager
def _refusals(path: Path) -> Iterator[None]:
    """Turn what the system refuses into a StorageError that names the file."""
    try:
        yield
    except OSError as error:
        said = OSError(error.errno, error.strerror, str(path))
        raise StorageError(f"{refusal_of(said)}. {remedy_of(said)} Nothing was changed.") from error


@contextlib.contextmanager
def _taken_back(former: Sequence[tuple[Path, Path]]) -> Iterator[None]:
    """Put the former files back if one of the new ones cannot be put into its place."""
    try:
        yield
    except BaseException:
        for temporary, path in former:
            os.replace(temporary, path)
        raise


def _staged(undo: contextlib.ExitStack, path: Path, content: bytes | None = None) -> Path:
    """A durable file beside `path`, with the mode of what is there, and with its content if no
    other one is given."""
    with _refusals(path):
        missing = [folder for folder in path.parents if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir()
            undo.callback(_remove, folder)
        temporary = path.with_name(temporary_name(path.name))
        undo.callback(_remove, temporary)
        with open(temporary, "xb") as file:
            file.write(path.read_bytes() if content is None else content)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
    return temporary


def _create(undo: contextlib.ExitStack, temporary: Path, path: Path) -> None:
    """Give a new file its name. Raises ConfigurationError if something has that name."""
    if os.path.lexists(path):
        raise ConfigurationError(
            f"{path} exists already, and is never overwritten. Move it away, or choose another "
            f"name. Nothing was changed."
        )
    with _refusals(path):
        try:
            os.link(temporary, path)
        except PermissionError:  # a file system without hard links
            os.replace(temporary, path)
    undo.callback(_remove, path)


def _remove(path: Path) -> None:
    """Remove a file, or a folder that is empty, as far as the system lets us."""
    with contextlib.suppress(OSError):
        path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
