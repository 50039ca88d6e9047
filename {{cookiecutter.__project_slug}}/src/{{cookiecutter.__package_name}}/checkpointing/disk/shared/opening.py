"""How obstore is told where the storage is, how long to wait, and whose credentials to use."""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from obstore import store

from ...base.urls import folder_of
from .failures import failure_of, no_credentials, not_opened, wrong_endpoint

_PREFIXES = {"s3": "AWS", "s3a": "AWS", "gs": "GOOGLE"}  # the others are Azure's
_CLIENT = ("allow_http", "allow_invalid_certificates", "proxy_url", "proxy_excludes")

_AMAZON = (
    *("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SKIP_SIGNATURE"),
    *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
)
"""Any of these variables says to obstore whose credentials to use."""

_ENDPOINTS = {
    "AWS": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "GOOGLE": ("GOOGLE_BASE_URL",),
    "AZURE": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
"""The variables that name a server by its address."""

_AT_MOST = 1.0  # seconds to reach a service of the same machine

# A large file takes as long as it takes, but something has to arrive.
_TIMES = {"timeout": "30 days", "read_timeout": "30 s", "connect_timeout": "5 s"}
_PATIENCE: Any = {
    "max_retries": 20,
    "retry_timeout": timedelta(seconds=25),
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=3),
        "base": 2,
    },
}


def open_storage(url: str) -> Any:
    """The storage at an s3, gs, az or abfss URL. Raises StorageError."""
    prefix = _PREFIXES.get(url.partition("://")[0], "AZURE")
    # Options that are given replace the environment's, so these are repeated.
    options: Any = {
        name: value for name in _CLIENT if (value := os.environ.get(f"{prefix}_{name.upper()}"))
    }
    for variable in _ENDPOINTS[prefix]:
        if (address := os.environ.get(variable)) and not _is_address(address):
            raise wrong_endpoint(variable, url)
    try:
        more = _of_amazon(url) if prefix == "AWS" else {}
        return store.from_url(url, client_options=options | _TIMES, retry_config=_PATIENCE, **more)
    except Exception as error:
        raise not_opened(error, url) from error


def open_folder(url: str) -> tuple[Path, Any]:
    """The folder of a file URL, which is made if it is not there, and the storage in it."""
    folder = folder_of(url) or Path()
    try:
        return folder, store.LocalStore(folder, mkdir=True, automatic_cleanup=True)
    except Exception as error:
        raise failure_of(error, "Opening the folder", url) from error


def _is_address(text: str) -> bool:
    """Whether a text is the address of a server of the web."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _of_amazon(url: str) -> dict[str, Any]:
    """Credentials that obstore does not find itself: those of a profile.

    Raises StorageError if there are none of any kind: to ask for the role of a machine that has
    none takes half a minute.
    """
    if any(variable in os.environ for variable in _AMAZON):
        return {}
    files = {"AWS_SHARED_CREDENTIALS_FILE": "credentials", "AWS_CONFIG_FILE": "config"}
    places = [os.environ.get(name, f"~/.aws/{file}") for name, file in files.items()]
    has_profile = "AWS_PROFILE" in os.environ or any(
        Path(place).expanduser().is_file() for place in places
    )
    if has_profile and find_spec("boto3") is not None:
        from obstore.auth.boto3 import Boto3CredentialProvider  # here, because it is optional

        return {"credential_provider": Boto3CredentialProvider()}
    if not _is_machine_with_role():
        raise no_credentials(url, "add boto3, which reads profiles: `uv add boto3`" * has_profile)
    return {}


def _is_machine_with_role() -> bool:
    """Whether there is a service here that gives a machine of Amazon's its role."""
    parts = urlsplit(os.environ.get("AWS_METADATA_ENDPOINT", "http://169.254.169.254"))
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), _AT_MOST).close()
    except OSError:
        return False
    return True
