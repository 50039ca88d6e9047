"""Take over values of former checkpoints of a segment, so that their steps do not run again.

The files become files of the new checkpoint too, by hard links, before a step runs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from ..base.files import storage_errors
from ..base.interrupts import held
from ..disk.commit import Commit
from ..disk.manifest import FileRecord, Manifest
from ..disk.store import is_sound, used_bytes
from ..graph.steps import Segment
from ..reuse.bound import Bound, as_json
from ..reuse.inheritance import Held, Inheritance, inherit
from ..reuse.key import Ingredients
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
    ) -> None:
        self.bound = bound
        self.segment = segment
        self.key = key
        self.ingredients = ingredients
        self.params = dict(params)
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
            foreign = {n: h for n, h in (*values.items(), *outputs.items()) if self._is_foreign(h)}
            broken = {name for name, held in foreign.items() if not self._is_sound(held)}
            if not broken:
                break
            unfit |= broken
        if len(now.left) == len(self.segment.steps):
            return None, now.left
        steps = tuple(s.name for s in self.segment.steps if self._number(s.name) not in now.left)
        if made is not None and set(made.steps) >= set(steps):
            return made, now.left
        self.origin = "reusing what is unchanged"
        if any(m.key == self.key and len(m.steps) < len(self.segment.steps) for m in now.sources):
            self.origin = "resuming where the previous run stopped"
        with storage_errors("Taking over former values", self.bound.store.folder):
            return self._commit(now, steps, values, outputs), now.left

    def remaining(self, made: Manifest) -> frozenset[int]:
        """The numbers of the steps that are left to run, if a run has made so much."""
        return inherit(self.bound, self.segment, self.key, self.keys, made=made, anew=True).left

    def _commit(
        self,
        now: Inheritance,
        steps: tuple[str, ...],
        values: Mapping[str, Held],
        outputs: Mapping[str, Held],
    ) -> Manifest:
        """Write the checkpoint of all that is taken over, or what there is without any step."""
        bound, store = self.bound, self.bound.store
        folder = store.path(self.segment.name, self.key)
        checkpoints = bound.settings.memory.checkpoints
        commit = Commit(folder, max(0, checkpoints.max_disk - used_bytes(bound.settings)))

        def taken(named: Mapping[str, Held]) -> dict[str, FileRecord]:
            records = {}
            for name, each in named.items():
                source = store.path(each.manifest.segment, each.manifest.key)
                records[name] = commit.adopt(name, source, each.record)
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
                further={n: code for m in now.sources for n, code in m.further.items()},
                step_keys={name: self.keys[name] for name in steps if name in self.keys},
                wiring=wirings(self.segment),
                accepted=tuple(dict.fromkeys(a for m in now.sources for a in m.accepted)),
            )
        except BaseException:
            commit.abandon()
            raise
        is_taken = any(map(self._is_foreign, (*values.values(), *outputs.values())))
        if is_taken or not now.left:
            with held():  # what a manifest names must not be abandoned
                commit.finish(manifest, partial=bool(now.left))
        return manifest

    def _needed(self, now: Inheritance) -> tuple[dict[str, Held], dict[str, Held]]:
        """The values and outputs to take over: what is read by a step that runs, or later."""
        span = self.bound.graph.span(self.segment)
        graph = self.bound.graph.without(frozenset(span) - now.left)
        over = {s.name for s in self.segment.steps if self._number(s.name) not in now.left}
        read = {name for name in over if graph.last_use(name) > self._number(name)}
        read |= over & graph.read_again
        published = over & set(self.bound.graph.outputs(span))
        return (
            {name: now.values[name] for name in sorted(read & now.values.keys())},
            {name: now.outputs[name] for name in sorted(published & now.outputs.keys())},
        )

    def _learn(self, made: Manifest) -> bool:
        """Note what steps that run each time have made: only now their readers can be judged.

        Returns whether there was anything new.
        """
        known = {name: made.record(name) for name in self.awaited if name in made.steps}
        contents = {name: record.identity for name, record in known.items() if record}
        if contents.keys() <= self.contents.keys():
            return False
        self.contents |= contents
        self.keys = step_keys(self.bound, self.segment, self.ingredients.values, self.contents)
        return True

    def _is_foreign(self, held: Held) -> bool:
        return held.manifest.key != self.key

    def _is_sound(self, held: Held) -> bool:
        folder = self.bound.store.path(held.manifest.segment, held.manifest.key)
        path, verified = folder / held.record.file, self.bound.store.verified
        if path in verified and held.record.untouched(folder):
            return True
        return is_sound(folder, held.record)

    def _number(self, step: str) -> int:
        return self.bound.graph.number(step)
