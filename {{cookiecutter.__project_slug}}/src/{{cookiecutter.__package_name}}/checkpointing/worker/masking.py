"""What a worker prints, with stars in the place of the secrets that its steps have."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from typing import Any

from ..base.secrets import Secret, masked


class MaskedStream:
    """A text stream that masks whatever is written to it.

    It does not see what a library or a program writes to the file descriptor; the parent masks
    that in the log when the part is over. A secret in two halves, written one after the other, is
    not recognized here either.
    """

    def __init__(self, stream: Any, secrets: Collection[Secret]) -> None:
        self._stream = stream
        self._secrets = tuple(secrets)

    def write(self, text: str) -> int:
        self._stream.write(masked(text, self._secrets))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def mask_streams(secrets: Collection[Secret]) -> None:
    """Let stdout and stderr mask these secrets."""
    if secrets:
        for name in ("stdout", "stderr"):
            setattr(sys, name, MaskedStream(getattr(sys, name), secrets))
