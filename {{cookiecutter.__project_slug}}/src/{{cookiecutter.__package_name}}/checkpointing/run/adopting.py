"""Take over values of former checkpoints of a segment, so that their steps do not run again.

The files become files of the new checkpoint too, by hard links, before a step runs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from ..base.files import storage_errors
from ..base.interrupts import held
from ..codecs.several import value_of
from ..disk.commit import Commit
from ..disk.manifest import FileRecord, Manifest
from ..graph.steps import Segment, Step
from ..reuse.bound import Bound, as_json
from ..reuse.each import EachItem, each_items
from ..reuse.further import changed_code
from ..reuse.inheritance import Held, HeldItem, Inheritance, held_items, inherit
from ..reuse.key import Ingredients
from ..reuse.sinks import gone_targets
from ..reuse.standing import Stale
from ..reuse.step_keys import awaited_steps, step_keys, wirings


class Adopting:
    """What a segment takes over from its former checkpoints, before and between its parts.

    Only the run that has locked the checkpoints may use it, while it has no worker.

    Attributes:
        keys: of the steps, as far as they are known.
        awaited: the steps whose value has to be known before their readers can be judged.
        origin: why the first part does not begin with the segment's first step.
    """

    def __init__(
        self,
        bound: Bound,
        segment: Segment,
        key: str,
        ingredients: Ingredients,
        params: Mapping[str, str],
        upstream: Mapping[str, Manifest],
    ) -> None:
        self.bound = bound
        self.segment = segment
        self.key = key
        self.ingredients = ingredients
        self.params = dict(params)
        self.upstream = upstream
        self.awaited = awaited_steps(bound, segment)
        self.contents: dict[str, str] = {}
        self.keys = step_keys(bound, segment, ingredients.values, {})
        self.origin = ""

    def take_over(
        self, made: Manifest | None, *, anew: bool, damaged: Collection[str]
    ) -> tuple[Manifest | None, frozenset[int]]:
        """Take over all that holds, and return what the segment has now and the steps left to run.

        Every file is hashed before it is taken over.

        Args:
            made: what this run has made so far.
            anew: take over nothing.
            damaged: values that are not taken over.

        Raises StorageError.
        """
        may_inherit = not anew
        if made is not None and not self._learn(made):
            anew = True  # all that former checkpoints have was taken over before
        unfit = set(damaged)
        while True:
            now = inherit(
                self.bound,
                self.segment,
                self.key,
                self.keys,
                made=made,
                anew=anew,
                damaged=unfit,
            )
            values, outputs = self._needed(now)
            items = self._items(now, made, anew=not may_inherit)
            values |= {item.name: item.value for item in items if item.value}
            outputs |= {item.name: item.output for item in items if item.output}
            foreign = {n: h for n, h in (*values.items(), *outputs.items()) if self._is_foreign(h)}
            broken = {name for name, held in foreign.items() if not self._is_sound(held)}
            if not broken:
                break
            unfit |= broken
        if made is None and len(now.left) == len(self.segment.steps) and not items:
            return None, now.left
        steps = tuple(s.name for s in self.segment.steps if self._number(s.name) not in now.left)
        is_new = any(made is None or made.item_keys.get(i.name) != i.key for i in items)
        if made is not None and set(made.steps) >= set(steps) and not is_new:
            return made, now.left
        self.origin = "reusing what is unchanged"
        if any(m.key == self.key and len(m.steps) < len(self.segment.steps) for m in now.sources):
            self.origin = "resuming where the previous run stopped"
        with storage_errors("Taking over former values", self.bound.store.folder):
            return self._commit(now, steps, values, outputs, items), now.left

    def remaining(self, made: Manifest) -> frozenset[int]:
        """The numbers of the steps that are left to run, if a run has made so much."""
        return inherit(self.bound, self.segment, self.key, self.keys, made=made, anew=True).left

    def _commit(
        self,
        now: Inheritance,
        steps: tuple[str, ...],
        values: Mapping[str, Held],
        outputs: Mapping[str, Held],
        items: Collection[HeldItem],
    ) -> Manifest:
        """Write the checkpoint of all that is taken over, or what there is without any step."""
        bound, store = self.bound, self.bound.store
        folder = store.path(self.segment.name, self.key)
        commit = Commit(folder, store.allowance(bound.settings, self.segment.name))

        def taken(named: Mapping[str, Held]) -> dict[str, FileRecord]:
            records = {}
            for name, each in named.items():
                records[name] = store.adopt(commit, name, each.manifest, each.record)
                if self._is_foreign(each):
                    store.verified.add(folder / records[name].file)
            return records

        try:
            manifest = Manifest(
                pipeline=bound.graph.name,
                segment=self.segment.name,
                key=self.key,
                steps=steps,
                ingredients=as_json(self.ingredients),
                values=taken(values),
                outputs=taken(outputs),
                committed_at=datetime.now(UTC).isoformat(timespec="microseconds"),
                seconds=now.sources[0].seconds if now.sources else 0.0,
                params=self.params,
                use=store.next_use(self.segment.name),
                ran={
                    name: ran
                    for m in reversed(now.sources)
                    for name, ran in m.ran.items()
                    if name in steps
                },
                further={n: code for m in now.sources for n, code in m.further.items()},
                step_keys={name: self.keys[name] for name in steps if name in self.keys},
                item_keys={
                    name: key
                    for m in reversed(now.sources)
                    for name, key in m.item_keys.items()
                    if value_of(name) in steps
                }
                | {item.name: item.key for item in items},
                wiring=wirings(self.segment),
                accepted=tuple(dict.fromkeys(a for m in now.sources for a in m.accepted)),
            )
        except BaseException:
            commit.abandon()
            raise
        is_taken = any(map(self._is_foreign, (*values.values(), *outputs.values())))
        is_taken |= any(item.holder.key != self.key for item in items)
        if is_taken or not now.left:
            with held():  # what a manifest names must not be abandoned
                commit.finish(manifest, partial=bool(now.left))
            return store.push(manifest)
        return manifest

    def _needed(self, now: Inheritance) -> tuple[dict[str, Held], dict[str, Held]]:
        """The values and outputs to take over: what is read by a step that runs, or later."""
        span = self.bound.graph.span(self.segment)
        graph = self.bound.graph.without(frozenset(span) - now.left)
        over = {s.name for s in self.segment.steps if self._number(s.name) not in now.left}
        takes, outputs = graph.last_takes(self.segment), set(self.bound.graph.outputs(span))

        keeps_all = self.bound.settings.memory.checkpoints.keep_all

        def is_read(name: str) -> bool:
            whole = value_of(name)
            return keeps_all or takes.get(name, takes[whole]) > self._number(whole)

        def is_output(name: str) -> bool:
            return name in outputs or (name not in takes and value_of(name) in outputs)

        return (
            {n: held for n, held in now.values.items() if value_of(n) in over and is_read(n)},
            {n: held for n, held in now.outputs.items() if value_of(n) in over and is_output(n)},
        )

    def items_of(self, step: Step, made: Manifest | None) -> tuple[EachItem, ...]:
        """The items for which a step runs, once what they come from is made."""
        holders = dict(self.upstream)
        holders |= dict.fromkeys((value_of(name) for name in made.values), made) if made else {}
        items = self._each(step, holders)
        assert items is not None, "an earlier part made what the items come from"
        return items

    def item_keys(self, made: Manifest) -> dict[str, str]:
        """The keys that the items of a checkpoint have now, of those that are still wanted."""
        holders = self._holders(Inheritance(frozenset()), made)
        every = (self._each(step, holders) or () for step in self.segment.steps if step.each)
        return {i.name: i.key for items in every for i in items if i.name in made.item_keys}

    def pending(self, step: Step) -> tuple[tuple[EachItem, ...], tuple[EachItem, ...]] | None:
        """All items of a step, and those that no checkpoint has; None if they are not known yet."""
        now = inherit(self.bound, self.segment, self.key, self.keys)
        every = self._each(step, self._holders(now, None))
        if every is None:
            return None
        held = {item.name for item in self._items(now, None, anew=False)}
        return every, tuple(item for item in every if item.name not in held)

    def _holders(self, now: Inheritance, made: Manifest | None) -> dict[str, Manifest]:
        """The checkpoint that has each value which can be loaded."""
        holders = {value_of(name): held.manifest for name, held in now.values.items()}
        holders |= {value_of(name): manifest for name, manifest in self.upstream.items()}
        return holders | (dict.fromkeys(map(value_of, made.values), made) if made else {})

    def _each(self, step: Step, holders: Mapping[str, Manifest]) -> tuple[EachItem, ...] | None:
        values = self.ingredients.values
        return each_items(self.bound, self.segment, step, holders, values, self.keys)

    def _items(self, now: Inheritance, made: Manifest | None, *, anew: bool) -> list[HeldItem]:
        """The items that need not run, of steps that are left: this run, or a former one, did."""
        bound, graph = self.bound, self.bound.graph
        former: list[Manifest] = []
        if not any(graph.steps[number].each for number in now.left):
            return []
        if not anew:
            store, root = bound.store, bound.settings.root
            former = [*store.all_of(self.segment.name), *store.partials(self.segment.name)]
            former = [m for m in former if not changed_code(m.further, root)]
        manifests = [*([made] if made else []), *former]
        holders = self._holders(now, made)
        held: list[HeldItem] = []
        gone = gone_targets(bound.settings, self.segment)
        for step in (graph.steps[number] for number in sorted(now.left)):
            if step.each and not step.always and step.name not in gone:
                wanted = self._each(step, holders) or ()
                held += held_items(bound, self.segment, step, wanted, manifests)
        return held

    def _learn(self, made: Manifest) -> bool:
        """Note what steps that run each time have made: only now their readers can be judged.

        Returns whether there was anything new.
        """
        known = {name: made.identity(name) for name in self.awaited if name in made.steps}
        contents = {name: identity for name, identity in known.items() if identity}
        if contents.keys() <= self.contents.keys():
            return False
        self.contents |= contents
        self.keys = step_keys(self.bound, self.segment, self.ingredients.values, self.contents)
        return True

    def _is_foreign(self, held: Held) -> bool:
        return held.manifest.key != self.key

    def _is_sound(self, held: Held) -> bool:
        return self.bound.store.is_intact(held.manifest, held.record)

    def _number(self, step: str) -> int:
        return self.bound.graph.number(step)


def pending_items(
    bound: Bound, now: Stale, step: Step, manifests: Mapping[str, Manifest]
) -> tuple[tuple[EachItem, ...], tuple[EachItem, ...]] | None:
    """All items of a step that is left to run, and those of them that a run would run.

    None if what they come from has not been made yet.

    Args:
        manifests: the checkpoints that can be used, by segment.
    """
    graph, segment = bound.graph, now.segment
    read = graph.loaded(graph.span(segment))
    upstream = {name: manifests[graph.producer(name).name] for name in read}
    adopting = Adopting(bound, segment, now.key, now.ingredients, {}, upstream)
    return adopting.pending(step)
