"""Storage that fails for a moment is not noticed; what fails for good is told in words."""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flight_delays.checkpointing.base.errors import StorageError
from flight_delays.checkpointing.disk.shared.objects import Objects, open_objects

from ....faulty import Faults, in_front_of
from ....marks import in_exhaustive, in_slow
from ....s3 import S3


@contextmanager
def faulty(
    s3: S3, monkeypatch: pytest.MonkeyPatch, **faults: Any
) -> Iterator[tuple[Objects, Faults]]:
    """Objects of a new bucket, behind a proxy that fails like this."""
    with in_front_of(s3.endpoint, **faults) as (endpoint, behaviour):
        for name, value in s3.environment(endpoint).items():
            monkeypatch.setenv(name, value)
        yield open_objects(f"{s3.bucket()}/delays"), behaviour


@pytest.mark.parametrize("every", [10, *in_slow(3), *in_exhaustive(2)])
def test_a_request_in_so_many_may_fail(
    s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, every: int
) -> None:
    content = bytes(range(256)) * 50_000  # three parts
    (tmp_path / "sent").write_bytes(content)
    with faulty(s3, monkeypatch, every=every) as (objects, behaviour):
        for number in range(8):
            tag = objects.create(f"{number}.json", b"first")
            assert tag is not None
            assert objects.replace(f"{number}.json", b"second", tag) is not None
            assert objects.read(f"{number}.json")[0] == b"second"
        assert objects.upload("x", tmp_path / "sent") == hashlib.sha256(content).hexdigest()
        assert objects.fetch("x", tmp_path / "come") == hashlib.sha256(content).hexdigest()
        assert (tmp_path / "come").read_bytes() == content
        objects.copy("x", "y")
        objects.remove(["x", "0.json"])
        assert [stored.name for stored in objects.list()] == [
            *(f"{number}.json" for number in range(1, 8)),
            "y",
        ]
        assert behaviour.failed >= len(behaviour.requests) // every > 2


def test_a_download_goes_on_where_it_broke_off(
    s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = random.Random(0).randbytes(12_000_000)
    (tmp_path / "sent").write_bytes(content)
    with faulty(s3, monkeypatch) as (objects, behaviour):
        objects.upload("x", tmp_path / "sent")
        behaviour.cut = 4
        assert objects.fetch("x", tmp_path / "come") == hashlib.sha256(content).hexdigest()
        assert (tmp_path / "come").read_bytes() == content
        assert behaviour.cut == 0


def test_an_object_that_changes_while_it_is_fetched_is_not_put_together_of_two(
    s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("first", "second"):
        (tmp_path / name).write_bytes(name[:1].encode() * (6 * 2**20))
    with faulty(s3, monkeypatch) as (objects, behaviour):
        objects.upload("x", tmp_path / "first")
        behaviour.cut = 1

        gets: list[str] = []

        def replace(method: str, path: str) -> bool:
            gets.extend([path] if method == "GET" else [])
            if method == "GET" and len(gets) == 2:
                objects.put("x", tmp_path / "second")
            return False

        behaviour.is_end = replace
        with pytest.raises(StorageError, match="was written anew"):
            objects.fetch("x", tmp_path / "come")
        assert not (tmp_path / "come").exists()


def test_a_write_whose_answer_is_lost_is_known_to_be_ours(
    s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    with faulty(s3, monkeypatch, lose_answers="PUT") as (objects, behaviour):
        tag = objects.create("lease.json", b"mine")
        assert tag is not None
        assert objects.read("lease.json") == (b"mine", tag)
        behaviour.forget_lost()
        newer = objects.replace("lease.json", b"mine still", tag)
        assert newer is not None
        assert objects.read("lease.json") == (b"mine still", newer)
        assert behaviour.failed == 2


@pytest.mark.parametrize(
    "faults",
    [
        {"drop": ("If-None-Match",)},
        {"drop": ("If-Match",)},
        *in_slow({"refuse": {"If-None-Match": 501}}),
        *in_exhaustive({"refuse": {"If-Match": 501}}),
    ],
)
def test_storage_without_conditions_is_known_and_still_keeps_what_there_is(
    s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, faults: dict[str, Any]
) -> None:
    with faulty(s3, monkeypatch, **faults) as (objects, _):
        assert not objects.is_conditional
        assert objects.list() == []
        for place in (objects, open_objects(objects.url, is_conditional=False)):
            tag = place.create("a", b"1")
            assert tag is not None
            assert place.create("a", b"2") is None
            newer = place.replace("a", b"3", tag)
            assert newer is not None
            assert place.replace("a", b"4", tag) is None
            (tmp_path / "sent").write_bytes(b"5")
            with pytest.raises(StorageError, match="has other content"):
                place.upload("a", tmp_path / "sent")
            assert place.read("a") == (b"3", newer)
            place.remove(["a"])


def error_of(objects: Objects) -> str:
    """The error of every function, which say the same, each of what it does."""
    attempts: dict[str, Callable[[], object]] = {
        "Reading x": lambda: objects.read("x"),
        "Writing x": lambda: objects.create("x", b""),
        "Listing what is there": objects.list,
        "Removing x": lambda: objects.remove(["x"]),
    }
    messages = set()
    for doing, attempt in attempts.items():
        with pytest.raises(StorageError) as caught:
            attempt()
        start = f"{doing} at {objects.url} failed: "
        assert caught.value.message.startswith(start)
        messages.add(caught.value.message.removeprefix(start))
        assert "secret" not in caught.value.message
        assert "127.0.0.1" not in caught.value.message
    [message] = messages
    return message


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (403, "InvalidAccessKeyId", "does not accept the credentials (403 InvalidAccessKeyId)"),
        (403, "SignatureDoesNotMatch", "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        (400, "ExpiredToken", "or have expired"),
        (401, "", "does not accept the credentials (401)"),
        (403, "AccessDenied", "Ask whoever owns the bucket"),
        (403, "RequestTimeTooSkewed", "the clock of this machine is wrong"),
        (404, "NoSuchBucket", "there is no such bucket or container (404 NoSuchBucket)"),
        (301, "PermanentRedirect", "Set AWS_REGION"),
        (400, "AuthorizationHeaderMalformed", "the bucket is in another region"),
        (400, "OfAnotherKind", "the storage answered 400 OfAnotherKind"),
    ],
    ids=lambda value: str(value).partition(" ")[0],
)
def test_what_is_refused_for_good_is_told_at_once_and_in_words(
    s3: S3, monkeypatch: pytest.MonkeyPatch, status: int, code: str, says: str
) -> None:
    body = f"<Error><Code>{code}</Code><Message>the-secret-of-the-tests</Message></Error>"
    with faulty(s3, monkeypatch, answer=(status, body if code else "")) as (objects, behaviour):
        assert says in error_of(objects)
        assert len(behaviour.requests) == 4


def test_a_bucket_that_is_not_there_is_no_missing_object(
    s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    objects = open_objects("s3://bucket-of-nobody/delays")
    assert "create it; this never does" in error_of(objects)
    (tmp_path / "sent").write_bytes(bytes(6 * 2**20))
    with pytest.raises(StorageError, match="no such bucket"):
        objects.upload("x", tmp_path / "sent")
    with pytest.raises(StorageError, match="no such bucket"):
        objects.fetch("x", tmp_path / "come")
    with pytest.raises(StorageError, match="no such bucket"):
        _ = objects.is_conditional


def test_no_credentials_at_all_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    without_credentials(monkeypatch)
    with pytest.raises(StorageError, match=r"no credentials for it\. Set AWS_ACCESS_KEY_ID"):
        open_objects("s3://bucket/delays")


def without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of somebody who has never used Amazon's services."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")


def test_a_profile_is_read_where_boto3_is_installed(
    s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without_credentials(monkeypatch)
    keys = "[team]\naws_access_key_id = AKIAOFTHETEAM\naws_secret_access_key = of-the-team\n"
    (tmp_path / "credentials").write_text(keys)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "team")
    for name in ("AWS_ENDPOINT_URL", "AWS_ALLOW_HTTP", "AWS_REGION"):
        monkeypatch.setenv(name, s3.environment()[name])
    objects = open_objects(s3.bucket())
    assert objects.create("a", b"1") is not None


def test_an_endpoint_without_encryption_has_to_be_allowed(
    s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    assert "set AWS_ALLOW_HTTP=true" in error_of(open_objects("s3://bucket/delays"))


@pytest.mark.exhaustive
def test_storage_that_has_vanished_ends_in_about_half_a_minute(
    s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sent").write_bytes(bytes(30 * 2**20))
    with faulty(s3, monkeypatch, vanish_after=3) as (objects, behaviour):
        start = time.monotonic()
        with pytest.raises(StorageError, match="no answer came, or just a part of one"):
            objects.upload("x", tmp_path / "sent")
        assert 15 < time.monotonic() - start < 60
        behaviour.vanish_after = None
        assert objects.list() == []  # nothing half visible
        objects.upload("x", tmp_path / "sent")
        behaviour.vanish_after = len(behaviour.requests)
        with pytest.raises(StorageError, match="Check the network, and AWS_ENDPOINT_URL"):
            objects.fetch("x", tmp_path / "come")
        assert not (tmp_path / "come").exists()
