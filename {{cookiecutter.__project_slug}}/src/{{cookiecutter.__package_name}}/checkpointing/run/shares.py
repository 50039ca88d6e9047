"""The parts of a run that are at work at once, and what each of them may hold in memory.

The ledger has one entry for a run: what all its processes may hold. Here that is shared out among
the parts which run side by side. What a part holds is told as if it ran alone, so it includes what
every part has in common: the process of the run, and the fork server. It counts once for all.

A part alone may take all that is left of the budget. A further one begins when it was measured and
fits into what is left, and waits otherwise, in the order of arrival: so nothing waits for ever, and
parts whose need nobody knows run one by one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..base.interrupts import held
from .ledger import LOOK_SECONDS, Ledger
from .room import Room

_STEP = 32  # a part that takes more, beside others, takes at least such a part of the budget


class Shares:
    """What the parts of one run may hold.

    Args:
        ledger: of the run, which has entered it.

    Attributes:
        room: what the files of these parts may take on disk. A part waits for that first.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.room = Room()
        self._ledger = ledger
        self._changed = threading.Condition(threading.RLock())
        self._queue: list[Share] = []
        self._parts: list[Share] = []

    @contextmanager
    def grant(self, needed: int | None, *, last: bool = False) -> Iterator[Share]:
        """Wait for a share of the budget, and have it as long as this context.

        Args:
            needed: the bytes that all processes of the run would hold, did this part run alone;
                None if that is not known.
            last: wait until no other part and no other run is at work.

        Raises KeyboardInterrupt in a thread whose work is called off.
        """
        share = Share(self)
        with self._changed:
            self._queue.append(share)
        try:
            self._await_turn(share, needed, last)
            yield share
        finally:
            with held(), self._changed:
                self._leave(share)

    def widen(self, share: Share, wanted: int) -> int:
        """Take more for a part, if some is left; what it may hold then."""
        with self._changed:
            if len(self._parts) == 1:
                share.granted = self._ledger.widened()
            else:
                step = self.most // _STEP
                for aim in (wanted + step, wanted):
                    if self._ledger.reach(self._total() + aim - share.granted):
                        share.granted = aim
                        break
        return share.granted

    def narrow(self) -> None:
        """Give way to runs that came meanwhile: the part that began last gets less."""
        with self._changed:
            lacking = self._total() - self._ledger.narrowed()
            for share in reversed(self._parts):
                if lacking > 0:
                    less = min(lacking, share.granted)
                    share.granted -= less
                    lacking -= less

    @property
    def most(self) -> int:
        """The most that the run may ever hold, in bytes."""
        return self._ledger.most

    def stamp(self) -> tuple[int, int]:
        """It changes whenever what the run may hold may have."""
        return self._ledger.stamp()

    def had_company(self) -> bool:
        """Whether another run took something of what this one could have had, since its grant."""
        return not self._ledger.had_all()

    def _await_turn(self, share: Share, needed: int | None, last: bool) -> None:
        while True:
            with self._changed, held() as interrupt:
                interrupt.check()
                if self._queue[0] is share:
                    if not self._parts:
                        break
                    if needed is not None and not last and self._begin_beside(share, needed):
                        return
                self._changed.wait(LOOK_SECONDS)
        # No other part of this run begins meanwhile, because it is this one's turn.
        granted = self._ledger.begin(needed, last=last)
        with self._changed:
            share.granted = granted
            self._begin(share)

    def _begin_beside(self, share: Share, needed: int) -> bool:
        """Begin a part beside others, if what it needs is left."""
        wanted = self._total() + needed - self._ledger.bare_bytes
        if not self._ledger.reach(wanted, begins=True):
            return False
        share.granted = needed
        self._begin(share)
        for each in self._parts:
            each.had_company = True
        return True

    def _begin(self, share: Share) -> None:
        self._queue.remove(share)
        self._parts.append(share)
        self._changed.notify_all()

    def _leave(self, share: Share) -> None:
        for shares in (self._queue, self._parts):
            if share in shares:
                shares.remove(share)
        if not self._parts:
            self._ledger.rest()
        else:
            self._ledger.shrink(self._total())
        self._changed.notify_all()

    def _total(self) -> int:
        """The bytes that all parts may hold together; what they have in common counts once."""
        common = self._ledger.bare_bytes
        return common + sum(share.granted - common for share in self._parts)


class Share:
    """What a part may hold: a `ceilings.Ceiling`.

    It becomes less when another run arrives, and more while some is left.

    Attributes:
        granted: bytes, as they were granted last.
        had_company: whether another part of the run was at work, too.
    """

    def __init__(self, shares: Shares) -> None:
        self._shares = shares
        self._stamp = (0, 0)
        self.granted = 0
        self.had_company = False

    @property
    def bytes(self) -> int:
        """The limit now."""
        if (stamp := self._shares.stamp()) != self._stamp:
            self._shares.narrow()
            self._stamp = stamp
        return self.granted

    @property
    def most(self) -> int:
        """The most that the limit may come to be."""
        return self._shares.most

    @property
    def is_all(self) -> bool:
        """Whether the part could not have had more, were nothing else at work."""
        return not self.had_company and not self._shares.had_company()

    def widen(self, wanted: int) -> bool:
        """Whether the part may hold so many bytes, perhaps from now on."""
        if wanted > self.granted:
            self._shares.widen(self, wanted)
        return wanted <= self.granted
