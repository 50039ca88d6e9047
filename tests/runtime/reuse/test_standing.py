"""Whether a segment's checkpoint can be reused, and if not, why."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from flight_delays.checkpointing import Pipeline
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.codecs import format_named
from flight_delays.checkpointing.disk.commit import Commit
from flight_delays.checkpointing.disk.manifest import MANIFEST, FileRecord, Manifest
from flight_delays.checkpointing.disk.place import claim_places
from flight_delays.checkpointing.reuse.bound import (
    Bound,
    Project,
    arguments,
    as_json,
    bind,
    describe,
)
from flight_delays.checkpointing.reuse.key import Code
from flight_delays.checkpointing.reuse.standing import Reusable, Stale, Standing, Waiting, standing

from ..builders import JSON, PLENTY, declared, pipeline, toml_files, write

FIRST = """
@step
def total(source: Path, least: int) -> int: ...
@step
def middle(total: int) -> int: ...
"""
SECOND = """
@step
def report(total: int, other: list[Path], rate: float) -> int: ...
"""
WIRING = """
[inputs]
source = "data/x.csv"
other = "data/*.csv"
[params]
least = 10
rate = 0.5
"""
CODE = Code(
    {"demo": "1"}, {"pandas": "3.1"}, {"total": {"demo.total": "1"}, "middle": {"demo.near": "1"}}
)
CHANGED = replace(CODE, libraries={"pandas": "3.2"}, steps={"middle": {"demo.near": "2"}})


@pytest.fixture
def bound(tmp_path: Path) -> Bound:
    write(tmp_path / "data/x.csv", "1")
    built = pipeline(tmp_path, FIRST, SECOND, wiring=WIRING)
    claim_places(built.settings, "demo")
    return bind(declared(built, CODE), {})


def commit(bound: Bound, state: Standing, content: object = 1) -> Manifest:
    """The checkpoint that a run of the segment would leave, with `content` for every value."""
    assert not isinstance(state, Waiting)
    making = Commit(bound.store.path(state.segment.name, state.key), PLENTY)
    part = bound.graph.span(state.segment)
    frozen = JSON.freeze(content)

    def written(names: tuple[str, ...], kind: str) -> dict[str, FileRecord]:
        return {n: making.write(f"{n}_{kind}", frozen, JSON, format_named("json")) for n in names}

    manifest = Manifest(
        pipeline="demo",
        segment=state.segment.name,
        key=state.key,
        steps=tuple(step.name for step in state.segment.steps),
        ingredients=as_json(state.ingredients),
        values=written(bound.graph.kept(part), "value"),
        outputs=written(bound.graph.outputs(part), "output"),
        committed_at="2026-01-01",
        seconds=0.0,
    )
    making.finish(manifest)
    kept = bound.store.find(state.segment.name, state.key)
    assert kept is not None
    return kept


def stand(bound: Bound, name: str, upstream: Mapping[str, Manifest] | None = None) -> Standing:
    [segment] = [s for s in bound.graph.segments if s.name == name]
    return standing(bound, segment, upstream or {})


def stale(bound: Bound, name: str, upstream: Mapping[str, Manifest] | None = None) -> Stale:
    state = stand(bound, name, upstream)
    assert isinstance(state, Stale)
    return state


def reusable(bound: Bound, name: str, upstream: Mapping[str, Manifest] | None = None) -> Reusable:
    state = stand(bound, name, upstream)
    assert isinstance(state, Reusable)
    return state


def test_a_segment_that_never_ran_says_so(bound: Bound) -> None:
    state = stale(bound, "s01")

    assert state.reasons == ("has not run yet",)
    assert not state.damaged
    assert state.manifest is None


def test_a_segment_waits_for_those_it_reads_from(bound: Bound) -> None:
    state = stand(bound, "s02")

    assert state == Waiting(bound.graph.segments[1], ("waits for s01",))


def test_a_checkpoint_of_the_same_key_is_reused(bound: Bound) -> None:
    first = commit(bound, stand(bound, "s01"))
    second = commit(bound, stand(bound, "s02", {"s01": first}))

    assert reusable(bound, "s01").manifest == first
    assert reusable(bound, "s02", {"s01": first}).manifest == second


def test_a_segment_depends_on_what_it_uses_and_on_nothing_else(bound: Bound) -> None:
    first = commit(bound, stand(bound, "s01"))
    ingredients = reusable(bound, "s01").ingredients
    later = stale(bound, "s02", {"s01": first}).ingredients

    assert (ingredients.params, later.params) == ({"least": "10"}, {"rate": "0.5"})
    assert (list(ingredients.inputs), list(later.inputs)) == (["source"], ["other"])
    assert ingredients.values == {}
    assert later.values == {"total": first.values["total"].checksum}
    assert ingredients.steps == ("total", "middle")
    assert ingredients.code == {"demo.total": "1", "demo.near": "1"}
    assert ingredients.libraries == CODE.libraries


def rebound(bound: Bound, code: Code = CODE, **changed: object) -> Bound:
    return bind(Project(bound.graph, bound.settings, {"s01": code, "s02": code}, {}), changed)


def test_a_changed_param_is_told(bound: Bound) -> None:
    commit(bound, stand(bound, "s01"))

    assert stale(rebound(bound, least=20), "s01").reasons == ("param least changed from 10 to 20",)
    assert isinstance(stand(rebound(bound, rate=0.1), "s01"), Reusable)


def test_a_changed_input_is_told(bound: Bound, tmp_path: Path) -> None:
    commit(bound, stand(bound, "s01"))
    write(tmp_path / "data/x.csv", "2")

    assert stale(rebound(bound), "s01").reasons == ("input source changed",)


def test_changed_code_is_told(bound: Bound) -> None:
    commit(bound, stand(bound, "s01"))

    assert stale(rebound(bound, CHANGED), "s01").reasons == (
        "code of demo.near changed",
        "pandas changed from 3.1 to 3.2",
    )


def test_a_segment_stays_valid_while_the_values_it_reads_are_the_same_bytes(bound: Bound) -> None:
    first = commit(bound, stand(bound, "s01"))
    commit(bound, stand(bound, "s02", {"s01": first}))
    changed = rebound(bound, least=20)
    same = commit(changed, stand(changed, "s01"))
    other = commit(changed, replace(reusable(changed, "s01"), key="other"), content=2)

    assert isinstance(stand(changed, "s02", {"s01": same}), Reusable)
    assert stale(changed, "s02", {"s01": other}).reasons == ("value total changed",)


def test_the_nearest_former_checkpoint_explains_what_changed(bound: Bound) -> None:
    commit(bound, stand(bound, "s01"))
    far = rebound(bound, CHANGED, least=30)
    commit(far, stand(far, "s01"))

    assert stale(rebound(bound, least=20), "s01").reasons == ("param least changed from 10 to 20",)


def test_a_checkpoint_that_lies_under_another_key_is_taken_for_removed(bound: Bound) -> None:
    manifest = commit(bound, stand(bound, "s01"))
    folder = bound.store.path("s01", manifest.key)
    moved = folder.rename(folder.with_name("moved"))
    assert stale(bound, "s01").reasons == ("has not run yet",)

    replace(manifest, key="moved").write(moved)
    assert stale(bound, "s01").reasons == ("its checkpoint was removed",)


def test_a_damaged_manifest_is_told(bound: Bound) -> None:
    manifest = commit(bound, stand(bound, "s01"))
    path = write(bound.store.path("s01", manifest.key) / MANIFEST, "{")
    state = stale(bound, "s01")

    assert (state.damaged, state.manifest) == (True, None)
    assert state.key == manifest.key
    assert state.reasons[0].startswith(f"{path} is damaged: ")


def test_damaged_values_are_told_once_each(bound: Bound) -> None:
    manifest = commit(bound, stand(bound, "s01"))
    folder = bound.store.path("s01", manifest.key)
    for record in (manifest.values["total"], manifest.outputs["middle"]):
        (folder / record.file).write_text("other")
    state = stale(bound, "s01")

    assert (state.damaged, state.manifest) == (True, manifest)
    assert state.reasons == ("damaged on disk: total, middle",)


def test_damage_that_the_files_stat_hides_is_found_by_hashing_all(bound: Bound) -> None:
    manifest = commit(bound, stand(bound, "s01"))
    record = manifest.values["total"]
    path = bound.store.path("s01", manifest.key) / record.file
    path.write_text("2")
    os.utime(path, ns=(record.mtime_ns, record.mtime_ns))
    segment = bound.graph.segments[0]

    assert isinstance(standing(bound, segment, {}), Reusable)
    assert isinstance(standing(bound, segment, {}, hash_all=True), Stale)


def test_a_value_that_is_needed_now_and_was_not_kept_is_told(bound: Bound, tmp_path: Path) -> None:
    manifest = commit(bound, stand(bound, "s01"))
    wiring = WIRING + '[outputs]\ntotal = "out/total.json"\n'
    published = pipeline(tmp_path, FIRST, SECOND, wiring=wiring)
    state = stale(bind(declared(published, CODE), {}), "s01")

    assert state.reasons == ("`total` is now needed but is not in the checkpoint",)
    assert (state.damaged, state.manifest) == (False, manifest)


def test_a_value_that_a_later_segment_reads_now_and_was_not_kept_is_told(
    bound: Bound, tmp_path: Path
) -> None:
    commit(bound, stand(bound, "s01"))
    more = SECOND + "@step\ndef last(middle: int, report: int) -> int: ...\n"
    longer = pipeline(tmp_path, FIRST, more, wiring=WIRING)
    state = stale(bind(declared(longer, CODE), {}), "s01")

    assert state.reasons == ("`middle` is now needed but is not in the checkpoint",)


def test_each_step_gets_the_inputs_and_params_that_it_asks_for(
    bound: Bound, tmp_path: Path
) -> None:
    first, second = bound.graph.segments

    assert arguments(bound, first) == {
        ("total", "source"): tmp_path / "data/x.csv",
        ("total", "least"): 10,
    }
    assert arguments(bound, second) == {
        ("report", "other"): [tmp_path / "data/x.csv"],
        ("report", "rate"): 0.5,
    }


def test_binding_checks_names_params_and_inputs(bound: Bound) -> None:
    with pytest.raises(ConfigurationError, match="`leest` is under none of"):
        rebound(bound, leest=1)
    with pytest.raises(ConfigurationError, match="param `least` is 'x'"):
        rebound(bound, least="x")
    with pytest.raises(ConfigurationError, match=r"input `source`: .* does not exist"):
        rebound(bound, source="gone")


def test_binding_keeps_the_checksums_of_inputs_for_the_next_run(
    bound: Bound, tmp_path: Path
) -> None:
    os.utime(tmp_path / "data/x.csv", ns=(10**18, 10**18))
    rebound(bound)

    assert "data/x.csv" in (tmp_path / "checkpoints/demo/hashes.json").read_text()


def test_a_pipeline_is_described_with_the_code_of_each_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml_files(tmp_path)
    source = "from flight_delays.checkpointing import step\n@step\ndef {}() -> int: ...\n"
    write(tmp_path / "src/described/s01.py", source.format("one"))
    write(tmp_path / "src/described/s02.py", source.format("two"))
    monkeypatch.syspath_prepend(tmp_path / "src")
    modules = [importlib.import_module(f"described.{name}") for name in ("s01", "s02")]
    built = Pipeline(*modules)
    for name in ("described", "described.s01", "described.s02"):
        monkeypatch.delitem(sys.modules, name)
    described = describe(built)

    assert described.graph.segments == built.segments
    assert described.settings == built.settings
    assert {name: list(code.modules) for name, code in described.code.items()} == {
        "s01": ["described.s01", "flight_delays"],
        "s02": ["described.s02", "flight_delays"],
    }


def test_binding_writes_nothing_before_a_run_has_claimed_the_place(tmp_path: Path) -> None:
    source = write(tmp_path / "data/x.csv", "1")
    os.utime(source, ns=(10**18, 10**18))
    built = pipeline(tmp_path, FIRST, SECOND, wiring=WIRING)
    bind(declared(built, CODE), {})

    assert not (tmp_path / "checkpoints").exists()
