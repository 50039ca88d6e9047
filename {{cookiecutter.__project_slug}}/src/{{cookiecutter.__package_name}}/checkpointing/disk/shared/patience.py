"""Patience with shared storage: what may pass is tried again, for about half a minute."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

_SECONDS = 20.0  # since anything went well; an attempt that begins then may take some more
_PAUSE = 0.1  # seconds before the second attempt; each further one is twice as long
_LONGEST_PAUSE = 3.0
_FAILURES = 8  # in a row


class Pulse:
    """When something last went well, and how often it failed since."""

    def __init__(self) -> None:
        self._at = time.monotonic()
        self._failures = 0

    def beat(self) -> None:
        """Something is on its way; an attempt that fails now has not failed for long."""
        self._at = time.monotonic()

    def advance(self) -> None:
        """Something has arrived that a further attempt goes on from."""
        self.beat()
        self._failures = 0

    def may_go_on(self) -> bool:
        """Count a failure, and wait for a moment, unless this has lasted too long."""
        self._failures += 1
        if self._failures >= _FAILURES or time.monotonic() - self._at > _SECONDS:
            return False
        pause = min(_LONGEST_PAUSE, _PAUSE * 2 ** (self._failures - 1))
        time.sleep(pause * random.uniform(0.5, 1))  # or all who failed would come back at once
        return True


def patiently(attempt: Callable[[Pulse], Result], may_pass: Callable[[Exception], bool]) -> Result:
    """What an attempt returns; one that fails with what may pass is repeated, and then raises."""
    pulse = Pulse()
    while True:
        try:
            return attempt(pulse)
        except Exception as error:
            if not may_pass(error) or not pulse.may_go_on():
                raise
