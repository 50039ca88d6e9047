"""URLs of shared storage: which ones there are, and what may not be in one.

A URL is in files that many people read, so no message repeats one that may contain a password.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

SCHEMES = ("s3", "s3a", "gs", "az", "abfs", "abfss", "hdfs", "file")
"""The storage that can be shared: S3 and what speaks it, Google, Azure, Hadoop, a mounted disk."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_USERINFO = re.compile(r"://[^/\s]*@")
_LISTED = ", ".join(f"{scheme}://" for scheme in SCHEMES)
_ONE_SLASH = re.compile(rf"({'|'.join(SCHEMES)}):", re.IGNORECASE)
_WITH_CONTAINER = ("abfs", "abfss")  # abfss://container@account.dfs.core.windows.net/folder


def is_url(text: str) -> bool:
    """Whether a text of a settings file is a URL rather than a path."""
    return _URL.match(text) is not None


def is_half_a_url(text: str) -> bool:
    """Whether a text begins like a URL and lacks a slash, as `s3:/bucket` does."""
    return not is_url(text) and _ONE_SLASH.match(text) is not None


def without_user(text: str) -> str:
    """A text without what is before the @ of a URL in it, which may be a password.

    >>> without_user("'s3://key:secret@bucket/x' is wrong")
    "'s3://***@bucket/x' is wrong"
    """
    return _USERINFO.sub("://***@", text)


def folder_of(url: str) -> Path | None:
    """The folder of a file URL; None if it is another one."""
    return Path(unquote(urlsplit(url).path)) if url.startswith("file://") else None


def checked_url(text: str) -> str:
    """The URL of a folder or an object on shared storage, without a slash at its end.

    Raises ValueError, whose text says what is wrong and does not repeat the URL.

    >>> checked_url("s3://bucket/flights/")
    's3://bucket/flights'
    """
    scheme, _, rest = text.partition("://")
    scheme = scheme.lower()
    if scheme not in SCHEMES:
        raise ValueError(f"nothing is stored at {scheme}:// URLs: use one of {_LISTED}")
    try:
        parts = urlsplit(text)
        user, password = parts.username, parts.password
    except ValueError:
        raise ValueError(f"it is no {scheme}:// URL") from None
    if password is not None or (user is not None and scheme not in _WITH_CONTAINER):
        raise ValueError(
            "a URL has no user or password in it, because many people read it: set the variables "
            "of the environment that the storage has for these, and remove them from the file"
        )
    if "?" in rest or "#" in rest or "\\" in rest or not text.isprintable():
        raise ValueError("the URL has no ?, #, backslash or control character in it")
    if scheme == "file" and parts.netloc not in ("", "localhost"):
        raise ValueError("write file:/// with three slashes, and then the path of a folder")
    if not parts.netloc and scheme not in ("file", "hdfs"):
        raise ValueError(f"a bucket or container is missing after {scheme}://")
    if ":" in parts.netloc and scheme != "hdfs":
        raise ValueError(f"the name of a bucket, after {scheme}://, has no colon in it")
    path = parts.path[1:].rstrip("/")
    if not path and scheme in ("file", "hdfs"):
        raise ValueError(f"the path of a folder is missing after {scheme}://")
    if path and not all(part.strip(".") for part in path.split("/")):
        raise ValueError("the path of a URL has no empty part in it, and no `.` or `..`")
    return f"{scheme}://{rest.rstrip('/')}"
