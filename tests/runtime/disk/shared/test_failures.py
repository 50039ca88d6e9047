"""Whatever obstore raises becomes a storage error with what to do, for each kind of storage."""

from __future__ import annotations

import pytest
from flight_delays.checkpointing.base.errors import StorageError
from flight_delays.checkpointing.disk.shared.failures import failure_of
from flight_delays.checkpointing.disk.shared.objects import open_objects
from obstore import exceptions

URLS = ("s3://b/x", "s3a://b/x", "gs://b/x", "az://c/x", "abfss://c@a/x", "file:///x")
TEXTS = (
    "",
    "error sending request",
    *(f"Server returned status code: {n}" for n in (301, 400, 401, 403, 404, 412, 429, 500, 503)),
    "status code: 507",
    *(f"<Code>{c}</Code>" for c in ("NoSuchBucket", "InvalidAccessKeyId", "PermanentRedirect")),
    "MissingCredentials",
    "GET http://169.254.169.254/latest/meta-data",
    "No space left on device (os error 28)",
)
KINDS = (
    exceptions.GenericError,
    exceptions.PermissionDeniedError,
    exceptions.UnauthenticatedError,
    exceptions.PreconditionError,
    exceptions.NotSupportedError,
    ValueError,
)


@pytest.mark.parametrize("url", URLS)
def test_every_failure_of_every_storage_is_told_in_words(url: str) -> None:
    for kind in KINDS:
        for text in TEXTS:
            failure = failure_of(kind(text), "Reading lease.json", url)
            assert isinstance(failure, StorageError)
            assert str(failure).startswith(f"Reading lease.json at {url} failed: ")


@pytest.mark.parametrize(
    ("variables", "url", "says"),
    [
        (
            {"AZURE_STORAGE_ACCOUNT_NAME": "a", "AZURE_STORAGE_ACCOUNT_KEY": "TOPSECRET!!x"},
            "az://c/x",
            "AZURE_STORAGE_ACCOUNT_KEY",
        ),
        ({}, "az://c/x", "AZURE_STORAGE_ACCOUNT_NAME"),
        (
            {"GOOGLE_SERVICE_ACCOUNT_KEY": '{"private_key":"TOPSECRET","client_email":"y@z"}'},
            "gs://b/x",
            "GOOGLE_APPLICATION_CREDENTIALS",
        ),
        (
            {"GOOGLE_APPLICATION_CREDENTIALS": "/missing.json"},
            "gs://b/x",
            "GOOGLE_APPLICATION_CREDENTIALS",
        ),
        ({"AWS_ENDPOINT_URL": "localhost:9000"}, "s3://b/x", "AWS_ENDPOINT_URL"),
        ({"AWS_ENDPOINT_URL": "storage"}, "s3://b/x", "http://"),
        (
            {"AZURE_STORAGE_ENDPOINT": "a:b", "AZURE_STORAGE_ACCOUNT_NAME": "a"},
            "az://c/x",
            "http://",
        ),
    ],
)
def test_what_the_environment_has_wrong_is_named_at_once(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], url: str, says: str
) -> None:
    for name in ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "TOPSECRET")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(StorageError, match=says) as refused:
        open_objects(url).read("a")
    assert "cannot be used" in str(refused.value)
    assert "TOPSECRET" not in str(refused.value)
    assert "half a minute" not in str(refused.value)
