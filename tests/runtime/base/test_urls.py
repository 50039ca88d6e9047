"""Which URLs shared storage can have, and that none is repeated which may have a password."""

from __future__ import annotations

import pytest
from flight_delays.checkpointing.base.urls import SCHEMES, checked_url, is_half_a_url, is_url
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/a/b/", "s3://bucket/a/b"),
        ("S3://bucket/A", "s3://bucket/A"),
        ("gs://bucket/a b", "gs://bucket/a b"),
        ("abfss://container@account.dfs.core.windows.net/a",) * 2,
        ("az://container/a",) * 2,
        ("hdfs://name:8020/user/a",) * 2,
        ("hdfs:///user/a",) * 2,
        ("file:///mnt/lake/ä",) * 2,
    ],
)
def test_a_url_is_kept_as_it_is_without_a_slash_at_its_end(text: str, url: str) -> None:
    assert is_url(text)
    assert checked_url(text) == checked_url(url) == url


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("https://bucket/a", "nothing is stored at https:// URLs: use one of s3://, "),
        ("s3://", "a bucket or container is missing after s3://"),
        ("s3:///a", "a bucket or container is missing after s3://"),
        ("s3://bucket:9000/a", "has no colon in it"),
        ("file://mnt/lake", "three slashes"),
        ("file:///", "the path of a folder is missing"),
        ("hdfs://name:8020", "the path of a folder is missing"),
        ("s3://bucket//a", "no empty part"),
        ("s3://bucket/a/../b", "no `.` or `..`"),
        ("s3://bucket/a?b", "no ?, #"),
        ("s3://bucket/a\tb", "control character"),
        ("s3://me:hunter2@bucket/a", "has no user or password in it"),
    ],
)
def test_what_is_wrong_with_a_url_is_said_without_the_url(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        checked_url(text)
    assert says in str(caught.value)
    assert "hunter2" not in str(caught.value)


@given(st.sampled_from(SCHEMES), st.text(min_size=4), st.text())
def test_no_password_is_accepted_or_repeated(scheme: str, password: str, rest: str) -> None:
    secret = f"hunter2{password}"
    with pytest.raises(ValueError, match=r"\w") as caught:
        checked_url(f"{scheme}://user:{secret}@bucket/{rest}")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["data/x", "/data/x", "c:\\x", "checkpoints:1", "", "://x"])
def test_a_path_is_no_url(text: str) -> None:
    assert not is_url(text)
    assert not is_half_a_url(text)


def test_a_url_that_lacks_a_slash_is_no_path() -> None:
    assert is_half_a_url("s3:/bucket/a")
    assert is_half_a_url("GS:bucket")
