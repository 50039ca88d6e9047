"""The orders for the parts of a segment: all that a worker has to know, as plain data."""

from __future__ import annotations

from ..disk.manifest import Manifest
from ..disk.targets import suffixes
from ..graph.graph import Graph
from ..memory.batching import Allotment
from ..reuse.bound import arguments, as_json, kept_columns, trees
from ..reuse.step_keys import own_keys, wirings
from ..worker.engines import last_as_files
from ..worker.messages import Order, Source
from .adopting import Adopting
from .job import Job
from .spilling import spill_of


class Orders:
    """Makes the orders for the parts of one job."""

    def __init__(self, job: Job, adopting: Adopting) -> None:
        self._job = job
        self._adopting = adopting
        self._wiring, self._seeds = wirings(job.segment), own_keys(job.bound, job.segment)

    def of(
        self,
        part: range,
        before: Manifest | None,
        graph: Graph,
        left: frozenset[int],
        sunk: frozenset[str],
        number: int,
    ) -> Order:
        """The order for a part.

        Args:
            before: what the segment has on disk.
            graph: the pipeline, without the steps of the segment that are done.
            left: the numbers of the steps that are not.
            sunk: the sinks that an earlier attempt has finished.
            number: of the part in its segment, counted from 1.
        """
        job, bound, segment = self._job, self._job.bound, self._job.segment
        bound.store.begin()
        checkpoints = bound.settings.memory.checkpoints
        return Order(
            root=bound.settings.root,
            store=bound.store.folder,
            pipeline=graph.name,
            segment=segment,
            first=graph.span(segment).start,
            part=part,
            key=job.key,
            ingredients=as_json(job.ingredients),
            params=job.params,
            last_use=graph.last_takes(segment),
            outputs=graph.outputs(graph.span(segment)),
            suffixes=suffixes(bound.settings),
            before=before,
            runs=frozenset(graph.steps[n].name for n in left) - sunk,
            done=sunk,
            items={
                step.name: self._adopting.items_of(step, before)
                for step in (graph.steps[n] for n in part if n in left)
                if step.each
            },
            step_keys=self._adopting.keys,
            wiring=self._wiring,
            seeds=self._seeds,
            sources={
                name: source
                for taken in graph.loaded(part)
                for name, source in self._sources(taken, before).items()
            },
            arguments=arguments(bound, segment),
            secrets=bound.secrets,
            code=bound.code[segment.name],
            trees=trees(bound, segment),
            format=checkpoints.format,
            allowance=0,  # until the part begins
            count=job.budget.count,
            log=job.log,
            company=job.company.path,
            allotment=Allotment(job.budget.bytes),
            spill=spill_of(bound.store.path(segment.name, job.key)),
            as_files=last_as_files(graph.steps),
            columns={name: kept_columns(bound, name) for name in graph.last_takes(segment)},
            number_of_part=number,
            spark=bound.settings.spark,
            keep_all=checkpoints.keep_all,
            at_once=job.at_once,
            beside=segment.name if job.at_once > 1 else "",
        )

    def _sources(self, taken: str, before: Manifest | None) -> dict[str, Source]:
        """The files of a value or an item, each hashed before its first load in a run."""
        store, manifest = self._job.bound.store, self._job.upstream.get(taken, before)
        assert manifest is not None, "an earlier part made it"
        folder = store.path(manifest.segment, manifest.key)
        records = store.bring(manifest, manifest.taken(taken))
        return {
            name: Source(folder, record, verify=folder / record.file not in store.verified)
            for name, record in records.items()
        }
