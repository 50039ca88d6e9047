"""What is wrong in a TOML file of the project, each mistake told in a line."""

from __future__ import annotations

from typing import Any, get_args, get_origin

from pydantic import BaseModel

from .errors import nearest
from .forms import UNREPEATED
from .texts import shown
from .urls import without_user


def told(item: Any, model: type[BaseModel]) -> str:
    """One of the errors of pydantic about a file that `model` describes.

    It names the key; for an unknown one the nearest that is known there. Neither a value that may
    be a secret nor a user with a password in a URL is repeated.
    """
    where = [str(part) for part in item["loc"]]
    place = ".".join(where)
    if item["type"] == "value_error" and where[0] == "env":
        return f"`{place}`: {item['msg'].removeprefix('Value error, ')}"
    if item["type"] == "extra_forbidden":
        return f"`{place}` is not a setting{nearest(where[-1], _keys_beside(where, model))}"
    if item["type"] == "missing":
        return f"`{place}` is missing"
    if item["type"] == UNREPEATED:
        return f"`{place}`: {item['msg']}"
    return f"`{place}` = {without_user(shown(item['input']))}: {item['msg']}"


def _keys_beside(where: list[str], model: type[BaseModel]) -> list[str]:
    inner: Any = model
    for part in where[:-1]:
        if get_origin(inner) is dict:  # of tables by name
            inner = get_args(inner)[1]
        elif isinstance(inner, type) and issubclass(inner, BaseModel):
            inner = inner.model_fields[part].annotation
    is_table = isinstance(inner, type) and issubclass(inner, BaseModel)
    return list(inner.model_fields) if is_table else []
