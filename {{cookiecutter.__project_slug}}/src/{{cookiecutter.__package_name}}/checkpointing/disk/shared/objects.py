"""Objects at a URL, by name: the little that this runtime needs of shared storage.

An object is written as a whole, and whoever reads it sees all of it or nothing. Names are relative
to the URL, with slashes: `main/s01_ingest/3f2a/manifest.json`. Every function raises StorageError,
which says what failed, where, and what to do; it has tried again for about half a minute what may
pass. No error has a secret in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, TypeAlias, cast

from ...base.errors import StorageError
from ...base.refusals import refusal_of, remedy_of
from ...base.urls import checked_url


@dataclass(frozen=True)
class Stored:
    """An object as a listing shows it."""

    name: str
    bytes: int
    tag: str
    """Another one for other content: what `replace` takes."""

    modified: datetime
    """When it was written, by the clock of the storage, in UTC; S3 gives whole seconds."""


Listing: TypeAlias = list[Stored]


class Objects(Protocol):
    """What lies at a URL. Safe to use from several threads."""

    @property
    def url(self) -> str:
        """The URL, for people: never with a secret."""

    @property
    def is_conditional(self) -> bool:
        """Whether `create` and `replace` are one step for everybody who writes there.

        Unless it is known, this writes an object under a condition and removes it again.
        """

    def read(self, name: str) -> tuple[bytes, str]:
        """The content and the tag of a small object. Raises FileNotFoundError."""

    def stat(self, name: str) -> Stored:
        """An object without its content. Raises FileNotFoundError."""

    def create(self, name: str, content: bytes) -> str | None:
        """Write an object that is not there yet; its tag, or None if there is one already.

        An object with the same content counts as the one that was to be written: it may have been,
        by a request whose answer was lost. So content that says who may go on has a number in it
        that no other writer has.
        """

    def replace(self, name: str, content: bytes, tag: str) -> str | None:
        """Write an object anew; the new tag, or None if it is not the one of that tag any more.

        As with `create`, the same content counts as written.
        """

    def upload(self, name: str, path: Path) -> str:
        """Write a file as an object, in parts; the sha256 of what was sent.

        Nothing is written over: the same content may be there already, other content is an error.
        """

    def put(self, name: str, path: Path) -> str:
        """Write a file as an object in the place of what is there, in parts; its tag.

        Readers get the former object or this one; when it fails, the former one. Where objects are
        renamed, which is Hadoop, they may find none for a moment.
        """

    def fetch(self, name: str, path: Path) -> str:
        """Read an object into a new file; the sha256 of what came. Raises FileNotFoundError.

        When it fails, no file is left.
        """

    def list(self, prefix: str = "") -> Listing:
        """All objects in a folder and below, by name; of "", all that there are."""

    def sweep(self, prefix: str, is_ours: Callable[[str], bool]) -> None:
        """Remove what writers that were killed have left in a folder, where no listing shows it.

        Args:
            is_ours: of the name of an object, whether what is left of it may be removed.
        """

    def copy(self, name: str, to: str) -> None:
        """Give an object a second name. Raises FileNotFoundError."""

    def remove(self, names: Iterable[str]) -> None:
        """Remove these objects; those that are not there are passed over."""


def open_objects(url: str, is_conditional: bool | None = None) -> Objects:
    """What lies at a URL; nothing is sent before the first use.

    Args:
        is_conditional: what was found out about this storage before; None if nothing was.

    Raises:
        StorageError: the package for this kind of URL is not installed, or has no use for it.
        ValueError: it is no URL that `base.urls` accepts.
    """
    url = checked_url(url)
    is_hdfs = url.startswith("hdfs://")
    if not is_hdfs and find_spec("obstore") is None:
        raise StorageError(
            f"{url} is read by the package obstore, which is not installed: run `uv add obstore`."
        )
    module = import_module(f".by_{'arrow' if is_hdfs else 'obstore'}", __package__)
    return cast(Objects, module.open_url(url, is_conditional))


@contextmanager
def local_file(doing: str, url: str) -> Iterator[None]:
    """Name the local file when it is this that fails, on a full disk say. Raises StorageError."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{doing} at {url} failed, because of the local file: {refusal_of(error)}. "
            f"{remedy_of(error)}"
        ) from error


def other_content(url: str, name: str) -> StorageError:
    """The error when something else has the name of a file that is to be sent."""
    return StorageError(
        f"{url}/{name} has other content than what is to be written there, and is not replaced. "
        f"Somebody else wrote it: remove it, or name another URL."
    )
