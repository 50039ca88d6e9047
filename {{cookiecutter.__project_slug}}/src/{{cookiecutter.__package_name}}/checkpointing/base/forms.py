"""How values are written in the TOML files: sizes, shares, times, paths and URLs, each checked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ByteSize, Field
from pydantic_core import PydanticCustomError

from .masters import checked_conf, parse_master
from .urls import checked_url, is_half_a_url, is_url

UNREPEATED = "unrepeated"
"""The type of an error about a text that may contain a password: its message says all."""

_SHORTEST_LEASE, _LONGEST_LEASE = 60, 24 * 3600  # seconds; a request is repeated for up to 50
_TIME = 'write a time like "120 s" or "5 min"'
_SHARE = 'write a share like "2 %" or 0.02'


def _fraction(value: object) -> object:
    """A share as TOML gives it, "2 %" or 0.02, as a fraction of one."""
    if isinstance(value, bool):  # true would be all of the cluster
        raise ValueError(_SHARE)
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d*\.?\d+)\s*(%?)\s*", value)
        if match is None:
            raise ValueError(_SHARE)
        value = float(match[1])
        if match[2]:
            return value / 100
    if isinstance(value, int | float) and value > 1:
        raise ValueError(f'write a share in percent, such as "{value:g} %"')
    return value


def _whole_size(value: object) -> object:
    """Refuse what ByteSize reads as one byte: true, and "1,5 GB", of which it reads only "1"."""
    unread = isinstance(value, str) and not re.fullmatch(r"\s*\d*\.?\d+\s*\w*\s*", value)
    if unread or isinstance(value, bool):
        raise ValueError("write a size like 2GB or 1.5 GiB")
    return value


def _path(value: str) -> str:
    """Refuse what no file system takes as a path."""
    if "\0" in value:
        raise ValueError("a path has no null character")
    return value


def _place(value: object) -> Path | str:
    """A path, or the URL of shared storage, which no message repeats."""
    if not isinstance(value, str | Path):
        raise _unrepeated("write the path of a folder, or a URL such as s3://bucket/folder")
    if isinstance(value, str) and is_half_a_url(value):
        raise _unrepeated("write two slashes after the colon of a URL, as in s3://bucket/folder")
    if isinstance(value, Path) or not is_url(value):
        return Path(_path(str(value)))
    try:
        return checked_url(value)
    except ValueError as error:
        raise _unrepeated(str(error)) from None


def _unrepeated(why: str) -> PydanticCustomError:
    """The error about a text that may contain a password."""
    return PydanticCustomError(UNREPEATED, "{why}", {"why": why})


def _lease(value: object) -> object:
    """Seconds of a time such as "60 s", or None for "none"."""
    if value == "none":
        return None
    match = (
        re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h)\s*", value)
        if isinstance(value, str)
        else None
    )
    if match is None:
        raise ValueError('write a time like "60 s" or "5 min", or "none"')
    seconds = float(match[1]) * {"s": 1, "min": 60, "h": 3600}[match[2]]
    if not _SHORTEST_LEASE <= seconds <= _LONGEST_LEASE:
        raise ValueError(
            "write a time from 60 s to 24 h: what a network loses is sent again for almost a minute"
        )
    return seconds


def _seconds(value: object) -> object:
    """A time as TOML gives it, "120 s", "5 min" or a number of seconds, in seconds."""
    if isinstance(value, bool):
        raise ValueError(_TIME)
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h)\s*", value)
        if match is None:
            raise ValueError(_TIME)
        return float(match[1]) * {"s": 1, "min": 60, "h": 3600}[match[2]]
    return value


def _master(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return parse_master(value).text
    except ValueError as error:
        raise PydanticCustomError(UNREPEATED, "{why}", {"why": str(error)}) from None


def _spark_conf(value: object) -> object:
    try:
        return checked_conf(value)
    except ValueError as error:
        raise PydanticCustomError(UNREPEATED, "{why}", {"why": str(error)}) from None


def _variable(value: str) -> str:
    """Refuse what no environment has as the name of a variable."""
    if not value or "=" in value or "\0" in value:
        raise ValueError("write the name of an environment variable, such as REGION")
    return value


def _url(value: object) -> object:
    """The URL of shared storage, which no message repeats."""
    if not isinstance(value, str) or not is_url(value):
        raise _unrepeated("write a URL such as s3://bucket/folder")
    try:
        return checked_url(value)
    except ValueError as error:
        raise _unrepeated(str(error)) from None


def _folder(value: object) -> object:
    if isinstance(value, str) and (is_url(value) or is_half_a_url(value)):
        raise _unrepeated(
            "write the path of a folder on this machine; [checkpoints] path and [outputs] take URLs"
        )
    return _path(value) if isinstance(value, str) else value


FolderPath = Annotated[Path, BeforeValidator(_folder)]
"""The path of a folder, relative to the project's."""

SharedFolder = Annotated[Path | str, BeforeValidator(_place)]
"""A path, or a URL: `s3://`, `gs://`, `abfss://`, `hdfs://` or `file://`, without a password."""

SharedUrl = Annotated[str, BeforeValidator(_url)]
"""A URL: `s3://`, `gs://`, `abfss://`, `hdfs://` or `file://`, without a password."""

LeaseTime = Annotated[float | None, BeforeValidator(_lease)]
"""A time such as `"60 s"` or `"5 min"`; `"none"` if something else sees to it that just one run is
at work, such as a scheduler."""

VariableName = Annotated[str, AfterValidator(_variable)]
"""The name of an environment variable."""

PathText = Annotated[str, AfterValidator(_path)]
"""The path of a file or folder, a glob, or a URL."""

Size = Annotated[ByteSize, BeforeValidator(_whole_size)]
"""A size such as `"500 GB"` or `"1.5 GiB"`: GB is 10^9 bytes, GiB is 2^30."""

Share = Annotated[float, BeforeValidator(_fraction), Field(gt=0, le=1)]
"""A share such as `"2 %"` or `0.02`: above 0, up to 100 %."""

Headroom = Annotated[float, BeforeValidator(_fraction), Field(ge=0, lt=1)]
"""A share such as `"20 %"` or `0.2`: from 0, below 100 %."""

Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0, le=24 * 3600)]
"""A time such as `"120 s"` or `"5 min"`, up to a day."""

MasterText = Annotated[str, BeforeValidator(_master)]
"""Where Spark runs: `"local[*]"`, `"spark://host:7077"`, `"yarn"`, `"k8s://…"` or `"sc://…"`."""

SparkConf = Annotated[dict[str, str], BeforeValidator(_spark_conf)]
"""Settings of Spark by their full names: `{ "spark.sql.shuffle.partitions" = 64 }`."""
