"""Whatever form a program gives a secret, what is shown has stars in its place."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from flight_delays.checkpointing.base import secrets
from flight_delays.checkpointing.base.secrets import Secret, mask_file, masked
from hypothesis import given
from hypothesis import strategies as st

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: "*" not in text and not set(text) <= set("'\"{}: abcdefkport@/")
)
KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nqhkiG9w0BAQEF\n-----END KEY-----\n"


@given(TEXTS)
def test_no_usual_form_of_a_secret_is_left(text: str) -> None:
    secret = Secret(text)
    for form in (text, repr(text)[1:-1], json.dumps(text)[1:-1], quote(text), quote_plus(text)):
        assert form not in masked(f"{{{form}}}@", [secret]).replace(secrets.MASK, "")
    assert repr(secret) == str(secret) == f"{secret}" == secrets.MASK
    assert pickle.loads(pickle.dumps(secret)).reveal() == text


def test_the_lines_of_a_key_are_masked_one_by_one() -> None:
    assert masked(f"    {KEY.splitlines()[1]} is refused", [Secret(KEY)]) == "    *** is refused"


def test_a_longer_secret_is_masked_before_one_that_it_contains() -> None:
    assert masked("abcdef abc", [Secret("abc"), Secret("abcdef")]) == "*** ***"


@pytest.mark.parametrize("chunk", [1, 2, 7, 1000])
def test_a_log_is_masked_in_place_from_where_a_part_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(secrets, "_CHUNK_BYTES", chunk)
    log = tmp_path / "run.log"
    log.write_bytes(b"hunter2 before\nhunter2hunter2 \xff\nh%C3%A9 end hunter")
    mask_file(log, 8, [Secret("hunter2"), Secret("hé")])
    assert log.read_bytes() == b"hunter2 before\n" + b"*" * 14 + b" \xff\n******* end hunter"


def test_a_log_that_is_gone_or_no_file_is_left_alone(tmp_path: Path) -> None:
    mask_file(tmp_path / "none", 0, [Secret("x")])
    mask_file(Path("/dev/null"), 0, [Secret("x")])


def test_the_keys_of_shared_storage_are_secret_wherever_they_are_set() -> None:
    environment = {
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG",
        "AZURE_STORAGE_ACCOUNT_KEY": "Eby8vdM02xNOcqFlqUwJ==",
        "AWS_SESSION_TOKEN": "test",
        "AWS_REGION": "eu-central-1",
    }
    known = secrets.of_environment(environment)
    assert [secret.reveal() for secret in known] == [
        "wJalrXUtnFEMI/K7MDENG",
        "Eby8vdM02xNOcqFlqUwJ==",
    ]
    assert masked("key=wJalrXUtnFEMI%2FK7MDENG in a test", known) == "key=*** in a test"
