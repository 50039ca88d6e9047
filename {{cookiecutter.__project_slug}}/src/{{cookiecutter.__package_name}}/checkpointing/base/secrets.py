"""Secrets: text that a step may have, and that nothing prints or stores.

Whatever a step raises or prints may hold the secrets that it was given, as they are or in one of
the forms in which programs write text. All of these are replaced before anybody sees them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

from .reading import kind_of

MASK = "***"

OF_STORAGE = (
    *("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
    *("AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_BEARER_TOKEN", "GOOGLE_SERVICE_ACCOUNT_KEY"),
    *("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_MASTER_KEY"),
    *("AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_KEY", "AZURE_STORAGE_SAS_TOKEN"),
    *("AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_TOKEN", "AZURE_CLIENT_SECRET"),
)
"""The variables of the environment that have the keys of shared storage: they are always secret."""

_SHORTEST_LINE = 8  # characters of a line of a key file that is masked by itself
_SHORTEST_KEY = 8  # characters of a key; stars for "test" would make a log unreadable
_CHUNK_BYTES = 1 << 20


class Secret:
    """The value of a secret variable, which no `repr`, `str` or message shows.

    >>> Secret("opensesame")
    ***
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the step that takes it."""
        return self._text

    def __repr__(self) -> str:
        return MASK

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return Secret, (self._text,)  # it is sent to a worker through a pipe, never to a file


def of_environment(environment: Mapping[str, str]) -> tuple[Secret, ...]:
    """The keys of shared storage that an environment has, whether or not anything uses them.

    What has fewer than 8 characters is no key but a placeholder.
    """
    texts = (environment.get(name, "") for name in OF_STORAGE)
    return tuple(Secret(text) for text in texts if len(text) >= _SHORTEST_KEY)


def masked(text: str, secrets: Collection[Secret]) -> str:
    """The text without any of these secrets, in whatever usual form it has them.

    >>> masked("no access for hunter2@db", [Secret("hunter2")])
    'no access for ***@db'
    """
    pattern = _pattern(secrets)
    return text if pattern is None else pattern.sub(MASK, text)


def mask_file(path: Path, start: int, secrets: Collection[Secret]) -> None:
    """Write stars over these secrets in a file, from byte `start` on, in place.

    What cannot be read or written is left: this is the second net behind `masked`, for what
    programs and libraries wrote past Python.
    """
    forms = sorted({f.encode(errors="surrogateescape") for f in _forms(secrets)}, key=len)
    if not forms:
        return
    pattern = re.compile(b"|".join(map(re.escape, reversed(forms))))
    overlap = len(forms[-1]) - 1
    try:
        if kind_of(os.lstat(path).st_mode):
            return
        with open(path, "r+b", buffering=0) as file:
            at = start
            while True:
                file.seek(at)
                chunk = file.read(_CHUNK_BYTES + overlap)
                for match in pattern.finditer(chunk):
                    file.seek(at + match.start())
                    file.write(b"*" * len(match[0]))
                if len(chunk) <= _CHUNK_BYTES:
                    return
                at += _CHUNK_BYTES
    except OSError:
        return


def _pattern(secrets: Collection[Secret]) -> re.Pattern[str] | None:
    forms = sorted(set(_forms(secrets)), key=len, reverse=True)  # the longest match is tried first
    return re.compile("|".join(map(re.escape, forms))) if forms else None


def _forms(secrets: Collection[Secret]) -> Iterator[str]:
    """A secret as it is, as Python and JSON write it, and as a URL contains it."""
    for secret in secrets:
        text = secret.reveal()
        lines = [line for line in text.splitlines() if len(line.strip()) >= _SHORTEST_LINE]
        for part in (text, *(line.strip() for line in lines)):
            raw = part.encode(errors="surrogateescape")
            yield from filter(None, (part, repr(part)[1:-1], json.dumps(part)[1:-1]))
            yield from filter(None, (json.dumps(part, ensure_ascii=False)[1:-1],))
            yield from filter(None, (quote(raw), quote(raw, safe=""), quote_plus(raw)))
