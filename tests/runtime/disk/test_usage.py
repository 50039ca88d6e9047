"""What checkpoints take on disk, as a run sees it before each of its parts."""

from __future__ import annotations

from pathlib import Path

from flight_delays.checkpointing.base.settings import Settings, load_settings
from flight_delays.checkpointing.disk import usage
from flight_delays.checkpointing.disk.folders import used_bytes
from flight_delays.checkpointing.disk.place import checkpoints_place
from flight_delays.checkpointing.disk.usage import Usage


def settings_in(root: Path) -> Settings:
    (root / "memory_budget.toml").write_text('[cluster]\nram = "1 GB"\nquota = "50 %"\n')
    (root / "pipeline.toml").write_text("")
    return load_settings(root)


def test_what_the_run_writes_itself_counts_at_once(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    place = checkpoints_place(settings, "demo")
    place.claim()
    counted = Usage(place.folder)

    def write(segment: str, count: int) -> None:
        folder = place.folder / segment / "key"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{len(list(folder.iterdir()))}.arrow").write_bytes(bytes(count))

    write("s01", 10)
    assert counted.bytes(settings, "s01") == used_bytes(settings)
    counted._cost = 1e6  # as if a look at everything took days: it is not repeated
    for number, segment in enumerate(["s01", "s02", "s02", "s03", "s01"]):
        assert counted.bytes(settings, segment) == used_bytes(settings), "it is asked before"
        write(segment, 100 * (number + 1))
    (place.folder / "s01/key/0.arrow").unlink()
    counted.bytes(settings, "s01")
    assert counted.bytes(settings, "s01") == used_bytes(settings)


def test_what_segments_at_work_at_once_have_written_counts_when_each_has_ended(
    tmp_path: Path,
) -> None:
    settings = settings_in(tmp_path)
    place = checkpoints_place(settings, "demo")
    place.claim()
    counted = Usage(place.folder)
    for segment in ("s01", "s02"):
        counted._looked = float("-inf")  # each time at everything
        counted.bytes(settings, segment)
    counted._cost = 1e6  # from now on only at what the run writes itself
    for segment in ("s01", "s02"):
        (place.folder / segment / "key").mkdir(parents=True)
        (place.folder / segment / "key" / "v.arrow").write_bytes(bytes(1000))
    for segment in ("s02", "s01"):
        counted.bytes(settings, segment)  # as each ends
    assert counted.bytes(settings, "s03") == used_bytes(settings)


def test_what_others_write_counts_after_a_while(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    for name in ("demo", "other"):
        checkpoints_place(settings, name).claim()
    counted = Usage(checkpoints_place(settings, "demo").folder)
    counted.bytes(settings, "s01")
    other = checkpoints_place(settings, "other").folder / "s01/key"
    other.mkdir(parents=True)
    (other / "v.arrow").write_bytes(bytes(1000))
    counted._looked -= usage._SHARE * counted._cost + 1
    assert counted.bytes(settings, "s01") == used_bytes(settings)
