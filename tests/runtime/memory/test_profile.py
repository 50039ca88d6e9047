"""The profile keeps what runs measured, and survives whatever happens to its file."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from flight_delays.checkpointing.memory.profile import (
    JOURNAL,
    PROFILE,
    Profile,
    SegmentProfile,
    StepMeasure,
    note_measured,
    read_profile,
    settle,
    write_profile,
)
from flight_delays.checkpointing.memory.residency import Shared
from hypothesis import given
from hypothesis import strategies as st

from .graphs import measure

A, B, C, D = "abcd"


def stopped(at: int, identity: str = "same") -> StepMeasure:
    """A step that was only ever stopped, at so many bytes above what was held."""
    return StepMeasure("now", identity, stopped_bytes=at, finished=False)


def learned(*runs: SegmentProfile) -> SegmentProfile:
    """What is known of a segment after these runs of its parts, one after the other."""
    profile = Profile({})
    for run in runs:
        profile.learn("s01", run)
    return profile.of("s01")


def run(shared: tuple[Shared, ...] = (), **steps: StepMeasure) -> SegmentProfile:
    """What a part measured of its steps, and of who shares memory."""
    return SegmentProfile(1, 5, steps, shared=shared)


def test_what_was_measured_last_takes_the_place_of_what_was_known() -> None:
    known = learned(run(a=measure(value=1), b=measure(value=2)), run(a=measure(value=3)))
    assert {name: one.value_bytes for name, one in known.steps.items()} == {A: 3, B: 2}


def test_where_a_step_was_stopped_is_not_forgotten_while_it_is_the_same() -> None:
    known = learned(run(a=stopped(50)), run(a=measure(transient=30)), run(a=measure(transient=20)))
    assert known.steps[A].finished
    assert (known.steps[A].transient_bytes, known.steps[A].needed_bytes) == (20, 50)


def test_being_stopped_takes_nothing_away_from_what_a_whole_run_measured() -> None:
    known = learned(run(a=measure(value=7, file=3, transient=9)), run(a=stopped(50)))
    assert known.steps[A] == measure(value=7, file=3, transient=9, stopped=50)


def test_a_step_that_changed_starts_anew() -> None:
    known = learned(run(a=stopped(50)), run(a=measure("changed", transient=20)))
    assert known.steps[A].needed_bytes == 20
    known = learned(run(a=measure(transient=50)), run(a=stopped(20, "changed")))
    assert known.steps[A] == stopped(20, "changed")


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("xyz"), st.integers(0, 99)), min_size=1))
def test_of_one_code_the_most_that_it_was_stopped_at_is_known(
    runs: list[tuple[bool, str, int]],
) -> None:
    known = learned(
        *(
            run(a=measure(identity, transient=size) if finished else stopped(size, identity))
            for finished, identity, size in runs
        )
    ).steps[A]
    last = runs[-1][1]
    since = next((n for n, (_, one, _) in enumerate(reversed(runs)) if one != last), len(runs))
    same = runs[len(runs) - since :]
    assert known.identity == last
    assert known.stopped_bytes == max((size for ended, _, size in same if not ended), default=0)
    assert known.finished == any(ended for ended, _, _ in same)
    assert known.transient_bytes == next((s for ended, _, s in reversed(same) if ended), 0)


def test_loads_and_writes_of_parts_that_never_ran_together_add_up() -> None:
    first = SegmentProfile(1, 5, {A: measure()}, loads={A: 1}, writes={A: 2})
    second = SegmentProfile(1, 0, {B: measure()}, loads={B: 3}, writes={B: 4})
    known = learned(first, second)
    assert (known.loads, known.writes) == ({A: 1, B: 3}, {A: 2, B: 4})
    assert known.baseline_bytes == 5, "the second part ended before its first step began"


UNCUT = run((Shared(A, (B, C), 40), Shared(A, (B,), 2)), a=measure(), b=measure(), c=measure())


@pytest.mark.parametrize("cut", [(A,), (A, B)])
def test_parts_see_a_share_of_who_shares_memory_and_forget_nothing(cut: tuple[str, ...]) -> None:
    """Of a value that was loaded a view holds a column; of one made here, all that came with it."""
    first = run((Shared(A, (B,), 42),) if B in cut else (), **dict.fromkeys(cut, measure()))
    later = {name: measure() for name in (B, C) if name not in cut}
    second = run((Shared(A, tuple(later), 8),), **later)
    assert set(learned(UNCUT, first, second).shared) == set(UNCUT.shared)


def test_a_whole_run_corrects_what_parts_saw_of_shared_memory() -> None:
    first, second = run(a=measure()), run((Shared(A, (B, C), 8),), b=measure(), c=measure())
    assert learned(first, second).shared == (Shared(A, (B, C), 8),)
    assert set(learned(first, second, UNCUT).shared) == set(UNCUT.shared)
    none = run(a=measure(), b=measure(), c=measure())
    assert learned(UNCUT, none).shared == ()


def test_shared_memory_is_known_anew_once_a_step_changed() -> None:
    copied = run(b=measure("changed"))
    assert learned(UNCUT, copied).shared == ()


def test_a_step_that_was_stopped_tells_nothing_of_shared_memory() -> None:
    half = run(a=measure(), b=stopped(9), c=stopped(9))
    assert set(learned(UNCUT, half).shared) == set(UNCUT.shared)


def test_sizes_of_input_are_kept_apart_and_the_nearest_one_tells() -> None:
    profile = Profile({})
    for size in (10, 1000, 100_000):
        profile.learn("s01", SegmentProfile(size, size, {A: measure(str(size), value=size)}))
    for asked, nearest in ((1, 10), (90, 10), (120, 1000), (9000, 1000), (10**7, 100_000)):
        assert profile.of("s01", asked).steps[A].value_bytes == nearest
    assert profile.of("s01").steps[A].value_bytes == 100_000


def test_a_step_that_did_not_run_with_a_size_is_known_from_another() -> None:
    profile = Profile({})
    profile.learn("s01", SegmentProfile(10, 1, {A: measure("x"), B: measure("x", value=1)}))
    profile.learn("s01", SegmentProfile(1000, 1, {A: measure("y")}))
    assert profile.of("s01", 1000).steps == {A: measure("y"), B: measure("x", value=1)}


def test_the_last_few_sizes_are_kept_and_the_last_one_comes_first() -> None:
    profile = Profile({})
    for size in range(1, 9):
        profile.learn("s01", SegmentProfile(size, size))
    profile.learn("s01", SegmentProfile(6, 60))
    kept = [one["input_bytes"] for one in profile.as_json()["s01"]]
    assert kept == [6, 8, 7, 5, 4]
    assert profile.of("s01").baseline_bytes == 60


def test_a_segment_that_never_ran_has_an_empty_profile() -> None:
    assert Profile({}).of("s01", 5) == SegmentProfile(0, 0)


def some_profile() -> Profile:
    profile = Profile({})
    profile.learn("s01", replace(UNCUT, loads={A: 1}, writes={B: 2}))
    profile.learn("s02", run(d=stopped(7)))
    return profile


def test_a_profile_that_was_written_is_read_back(tmp_path: Path) -> None:
    write_profile(tmp_path, "demo", some_profile())
    assert read_profile(tmp_path, "demo").as_json() == some_profile().as_json()
    assert read_profile(tmp_path, "demo").of("s01") == some_profile().of("s01")
    assert read_profile(tmp_path, "other").as_json() == {}


def test_pipelines_share_the_file_and_leave_each_other_alone(tmp_path: Path) -> None:
    write_profile(tmp_path, "demo", some_profile())
    write_profile(tmp_path, "other", Profile({}))
    assert read_profile(tmp_path, "demo").as_json() == some_profile().as_json()
    assert list(json.loads((tmp_path / PROFILE).read_text())) == ["demo", "other"]


DAMAGE = {
    "empty": "",
    "half": '{"demo": {"s01": [{"input',
    "no object": "[1, 2]",
    "null": "null",
    "a pipeline that is no object": '{"demo": 5}',
    "a segment that is no list": '{"demo": {"s01": {}}}',
    "a size that is text": '{"demo": {"s01": [{"input_bytes": "x", "baseline_bytes": 1}]}}',
    "a size that is null": '{"demo": {"s01": [{"input_bytes": 1, "baseline_bytes": null}]}}',
    "a size that is no number": '{"demo": {"s01": [{"input_bytes": NaN, "baseline_bytes": 1}]}}',
    "a size that is missing": '{"demo": {"s01": [{"input_bytes": 1}]}}',
    "a step that is null": '{"demo": {"s01": [{"input_bytes": 1, "baseline_bytes": 1, '
    '"steps": {"a": null}}]}}',
    "nested without end": "[" * 100_000,
    "no text": "\ud800",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_no_profile_and_is_written_anew(tmp_path: Path, damage: str) -> None:
    (tmp_path / PROFILE).write_bytes(DAMAGE[damage].encode(errors="surrogatepass"))
    assert read_profile(tmp_path, "demo").as_json() == {}
    write_profile(tmp_path, "demo", some_profile())
    assert read_profile(tmp_path, "demo").as_json() == some_profile().as_json()


def test_what_a_newer_version_added_is_no_damage(tmp_path: Path) -> None:
    write_profile(tmp_path, "demo", some_profile())
    content = json.loads((tmp_path / PROFILE).read_text())
    content["demo"]["s01"][0]["news"] = content["demo"]["s01"][0]["steps"]["a"]["news"] = 1
    (tmp_path / PROFILE).write_text(json.dumps(content))
    assert read_profile(tmp_path, "demo").as_json() == some_profile().as_json()


def test_what_was_counted_otherwise_is_left_out(tmp_path: Path) -> None:
    profile = some_profile()
    profile.learn("s02", replace(run(d=stopped(9)), input_bytes=2, counted="rss"))
    write_profile(tmp_path, "demo", profile)
    assert read_profile(tmp_path, "demo").as_json() == some_profile().as_json()
    [resident] = read_profile(tmp_path, "demo", "rss").as_json()["s02"]
    assert resident["input_bytes"] == 2


def test_what_does_not_say_how_it_was_counted_is_left_out(tmp_path: Path) -> None:
    write_profile(tmp_path, "demo", some_profile())
    content = json.loads((tmp_path / PROFILE).read_text())
    del content["demo"]["s02"][0]["counted"]
    (tmp_path / PROFILE).write_text(json.dumps(content))
    assert read_profile(tmp_path, "demo").of("s01") == some_profile().of("s01")
    assert read_profile(tmp_path, "demo").of("s02").steps == {}


def test_a_profile_that_cannot_be_kept_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / PROFILE).mkdir()
    write_profile(tmp_path, "demo", some_profile())
    assert read_profile(tmp_path, "demo").as_json() == {}
    write_profile(tmp_path / "gone", "demo", some_profile())


def test_what_a_killed_run_has_noted_counts_and_the_next_run_settles_it(tmp_path: Path) -> None:
    write_profile(tmp_path, "demo", some_profile())
    expected = some_profile()
    for name, measured in (("s01", run(a=measure(value=99))), ("s03", run(d=stopped(1)))):
        expected.learn(name, measured)
        note_measured(tmp_path, "demo", name, measured)
    note_measured(tmp_path, "other", "s01", run(d=stopped(5)))
    profile = read_profile(tmp_path, "demo")
    assert profile.as_json() == expected.as_json()
    settle(tmp_path, "demo", profile)
    assert read_profile(tmp_path, "demo").as_json() == expected.as_json()
    assert read_profile(tmp_path, "other").of("s01").steps == {D: stopped(5)}
    settle(tmp_path, "other", read_profile(tmp_path, "other"))
    assert not (tmp_path / JOURNAL).exists()
    assert read_profile(tmp_path, "other").of("s01").steps == {D: stopped(5)}


@pytest.mark.parametrize("damage", ["{", "[1]", "null", "[" * 100_000, '{"pipeline": "demo"', "\0"])
def test_half_a_line_of_the_journal_spoils_no_other(tmp_path: Path, damage: str) -> None:
    note_measured(tmp_path, "demo", "s01", run(d=stopped(5)))
    with open(tmp_path / JOURNAL, "a") as file:
        file.write(damage)
    note_measured(tmp_path, "demo", "s02", run(d=stopped(6)))
    profile = read_profile(tmp_path, "demo")
    assert [profile.of(name).steps[D].stopped_bytes for name in ("s01", "s02")] == [5, 6]


def test_something_else_in_the_place_of_the_journal_is_no_reason_to_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / JOURNAL)
    note_measured(tmp_path, "demo", "s01", run(d=stopped(5)))
    assert read_profile(tmp_path, "demo").as_json() == {}
