"""A session at a server of Spark Connect: its application is the server's, and so is its memory."""

from __future__ import annotations

import importlib.util
import os
import socket
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from ...base.errors import ConfigurationError
from .spark_conf import VALUES

_PORT = 15002
_MODE = "SPARK_CONNECT_MODE_ENABLED"
_RETRIES = 6  # about half a minute: by default a client tries for ten minutes
_NEEDED = ("grpc", "grpc_status", "google.protobuf")


def connect(url: str, name: str, conf: dict[str, str], seconds: float) -> Any:
    """A new session of the server.

    Raises ConfigurationError if nobody listens there, or a setting cannot be made for a session.
    """
    require_reachable(url, seconds)
    from pyspark.sql.connect.client.retries import DefaultPolicy
    from pyspark.sql.connect.session import SparkSession

    os.environ[_MODE] = "1"  # the functions of pyspark ask for it
    session: Any = None
    try:
        session = SparkSession.builder.remote(url).create()
        session.client.set_retry_policies([DefaultPolicy(max_retries=_RETRIES)])
        session.addTag(name.replace(",", " "))
        for key, value in (conf | VALUES).items():
            session.conf.set(key, value)
    except Exception as error:
        disconnect(session)
        said = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise ConfigurationError(
            f"the server of Spark Connect at {_place(url)} gives no session: {said}. A session has "
            f"settings that begin with spark.sql. alone; others are the server's."
        ) from None
    return session


def disconnect(session: Any) -> None:
    """End what the session does, and the session; nothing if there is none."""
    if session is not None:
        for end in (session.interruptAll, session.stop):
            with suppress(Exception):  # the server is gone
                end()
    os.environ.pop(_MODE, None)


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or _PORT}"


def require_reachable(url: str, seconds: float) -> None:
    """Refuse a server that does not listen, or that no package could talk to.

    Raises ConfigurationError.
    """
    if missing := [module for module in _NEEDED if not _is_installed(module)]:
        raise ConfigurationError(
            f"Spark Connect needs further packages ({', '.join(missing)}): install them with "
            f'`uv add "pyspark[connect]"`.'
        )
    parts = urlsplit(url)
    try:
        address = (parts.hostname or "", parts.port or _PORT)
        socket.create_connection(address, timeout=min(seconds, 10.0)).close()
    except OSError as error:
        raise ConfigurationError(
            f"no server of Spark Connect listens at {_place(url)} ({error.strerror or error}). "
            f"Start it, or correct `master` of [spark] in memory_budget.toml or SPARK_MASTER."
        ) from None
