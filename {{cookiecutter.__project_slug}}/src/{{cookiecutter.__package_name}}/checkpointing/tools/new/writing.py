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
        try:
            staged = [(_staged(undo, path, content), path) for path, content in made.items()]
            former = [(_staged(undo, path, path.read_bytes()), path) for path in changed]
            new = [(_staged(undo, path, content), path) for path, content in changed.items()]
            with held() as interrupts:
                interrupts.check()
                with _taken_back(former):
                    for temporary, path in staged:
                        _create(undo, temporary, path)
                    for temporary, path in new:
                        os.replace(temporary, path)
                for temporary, _ in (*staged, *former):
                    temporary.unlink()
                undo.pop_all()
        except OSError as error:
            raise StorageError(
                f"{refusal_of(error)}. {remedy_of(error)} Nothing was changed."
            ) from error


@contextlib.contextmanager
def _taken_back(former: Sequence[tuple[Path, Path]]) -> Iterator[None]:
    """Put the former files back if one of the new ones cannot be put into its place."""
    try:
        yield
    except BaseException:
        for temporary, path in former:
            os.replace(temporary, path)
        raise


def _staged(undo: contextlib.ExitStack, path: Path, content: bytes) -> Path:
    """The content in a durable file beside `path`, with the mode of the file that it replaces."""
    missing = [folder for folder in path.parents if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir()
        undo.callback(_remove_folder, folder)
    temporary = path.with_name(temporary_name(path.name))
    undo.callback(temporary.unlink, missing_ok=True)
    with open(temporary, "xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        shutil.copymode(path, temporary)
    return temporary


def _create(undo: contextlib.ExitStack, temporary: Path, path: Path) -> None:
    """Give a new file its name. Raises ConfigurationError if something has that name."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise ConfigurationError(
            f"{path} exists already, and is never overwritten. Move it away, or choose another "
            f"name. Nothing was changed."
        ) from None
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise
        os.replace(temporary, path)
        shutil.copyfile(path, temporary)
    undo.callback(path.unlink, missing_ok=True)


def _remove_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # something of somebody else's is in it
        folder.rmdir()
