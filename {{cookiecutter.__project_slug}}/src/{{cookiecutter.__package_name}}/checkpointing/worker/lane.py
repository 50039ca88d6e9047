"""A worker that runs items beside other workers, which note theirs in the same journal."""

from __future__ import annotations

from ..reuse.each import EachItem
from .forks import children_end_here
from .items import ItemPart
from .messages import ItemWanted, LaneEnded, Next


class LanePart(ItemPart):
    """Those items of an order that no other worker runs. It commits nothing but its notes."""

    def run(self) -> LaneEnded:
        """Run items for as long as the parent gives some."""
        with children_end_here():
            self._run_items()
        return LaneEnded()

    def _run_items(self) -> None:
        order = self.order
        [step] = order.steps
        self._prepare()
        self.number = order.number(step)
        self.commit.join_journal(order.journal)
        for item in order.items[step.name]:
            if (answer := self._wanted(item)) is Next.COMMIT:
                break
            if answer is not Next.SKIP:
                self._run_item(step, item)
        self.item = None
        self.commit.close()

    def _wanted(self, item: EachItem) -> Next:
        self.send(ItemWanted(item.name))
        return self.ask()
