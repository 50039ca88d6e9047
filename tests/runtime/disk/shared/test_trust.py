"""What somebody else wrote at the URL: a newer runtime, or a person who means harm."""

from __future__ import annotations

import json
from dataclasses import field, fields, make_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import xxhash
from flight_delays.checkpointing.base.errors import StorageError
from flight_delays.checkpointing.codecs import codec_named
from flight_delays.checkpointing.disk.commit import Commit
from flight_delays.checkpointing.disk.manifest import MANIFEST, FileRecord, Manifest
from flight_delays.checkpointing.disk.shared.objects import open_objects
from flight_delays.checkpointing.disk.shared.seen import digest_of
from flight_delays.checkpointing.disk.shared.store import SharedStore
from flight_delays.checkpointing.disk.store import Damaged

from ...builders import PLENTY, commit
from .machines import at, files


def push_folder(store: SharedStore) -> tuple[Manifest, FileRecord]:
    """A checkpoint with one value: a folder of two files of one byte."""
    making = Commit(store.path("s01", "key"), PLENTY)
    workdir = making.workdir("pages")
    for name in ("f", "g"):
        (workdir / name).write_text(name)
    record = making.take("pages", workdir, codec_named("Path"))
    manifest = Manifest("demo", "s01", "key", (), {}, {"pages": record}, {}, "2026-01-01", 0.0)
    making.finish(manifest)
    return store.push(manifest), record


@pytest.mark.parametrize("climb", ["%2E%2E/%2E%2E/%2E%2E/%2E%2E/%2E%2E/", "x/%2E%2E/", "%2E/"])
def test_an_object_never_becomes_a_file_outside_of_its_folder(
    here: SharedStore, there: SharedStore, url: str, tmp_path: Path, climb: str
) -> None:
    _, record = push_folder(here)
    objects = open_objects(url)
    objects.create(f"demo/s01/key/{record.file}/{climb}evil.py", b"y")
    objects.remove([f"demo/s01/key/{record.file}/g"])
    there.refresh()
    [manifest] = there.all_of("s01")
    with pytest.raises(Damaged):
        there.bring(manifest, manifest.values)

    assert list((tmp_path / "there").rglob("*evil*")) == []
    assert files(there) == {"s01/key/manifest.json"}


@pytest.mark.parametrize(
    "change",
    [
        {"folders": ("../../../../../evil",)},
        {"folders": ("/evil",)},
        {"executable": ("../../owner.json",)},
        {"executable": ("x/../../../manifest.json",)},
        {"file": "manifest.json"},
        {"file": "/etc/hostname"},
        {"file": "pages.0123456789abcdef/../../../../evil"},
    ],
    ids=str,
)
def test_a_manifest_that_names_what_no_commit_makes_is_damaged(
    here: SharedStore, there: SharedStore, url: str, tmp_path: Path, change: dict[str, Any]
) -> None:
    made, _ = push_folder(here)
    evil = made.with_records(lambda record: replace(record, **change))
    at(url, f"s01/key/{MANIFEST}").write_text(evil.text())
    there.refresh()

    with pytest.raises(StorageError, match="damaged"):
        there.find("s01", "key")
    assert list(tmp_path.rglob("evil")) == []


def test_a_journal_elsewhere_is_not_read(here: SharedStore, there: SharedStore, url: str) -> None:
    made, _ = push_folder(here)
    at(url, f"s01/key/{MANIFEST}").write_text(replace(made, journal="../../../../x").text())
    there.refresh()

    with pytest.raises(StorageError, match="damaged"):
        there.find("s01", "key")


def newer(text: str) -> str:
    """A manifest as a later runtime may write it: with one field more, here and in its records."""
    content = json.loads(text)
    content.pop("checksum")
    content["executors"] = 3
    for record in content["values"].values():
        record["codec_version"] = 2
    digest = xxhash.xxh3_128_hexdigest(json.dumps(content, sort_keys=True).encode())
    return json.dumps({"checksum": digest, **content}, indent=1)


def test_a_checkpoint_of_a_newer_runtime_is_used_and_not_set_aside(
    here: SharedStore, there: SharedStore, url: str
) -> None:
    made = here.push(commit(here))
    path = at(url, f"s01/key/{MANIFEST}")
    path.write_text(text := newer(path.read_text()))
    there.refresh()
    [manifest] = there.all_of("s01")
    there.bring(manifest, manifest.values)

    assert manifest.values["flights"].checksum == made.values["flights"].checksum
    assert there.remarks() == []  # nothing to push
    assert path.read_text() == text


def test_a_field_with_its_default_changes_no_digest(here: SharedStore) -> None:
    made = here.push(commit(here))
    later = make_dataclass(
        "Later", [("executors", int, field(default=1))], bases=(Manifest,), frozen=True
    )
    same = later(**{each.name: getattr(made, each.name) for each in fields(made)})

    assert digest_of(same) == digest_of(made)
    assert digest_of(replace(same, executors=2)) != digest_of(made)
