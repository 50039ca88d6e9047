"""Models of scikit-learn as .skops files, which are data: reading one runs no code of its own.

Needs skops, the extra `models` of the project. Besides the types that skops trusts, all of
scikit-learn and the classes of NumPy and SciPy are trusted, such as trees; others, such as a
function of the project, are refused by name.
"""

from __future__ import annotations

import importlib
import io
import itertools
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from ..base.errors import InexactValue
from ..base.remedies import refused
from .plain import read as read
from .plain import write as write

_SCHEMA = "schema.json"
_ARRAY = re.compile(r"[^/.]+(\.[a-z]+)")
_SUFFIX = r"\1"


def write_model(model: Any, file: Path) -> Path:
    """Write a model of scikit-learn to a new .skops file, whose path is returned.

    For a step that hands its model on as a file, which programs without this project read too.
    The same model gives the same bytes, unlike with `skops.io.dump`. Raises InexactValue, naming
    the types, if the model holds some that are not trusted to be read again.
    """
    file.write_bytes(freeze(model))
    return file


def freeze(value: Any) -> bytes:
    """The bytes of a .skops file; raises InexactValue, naming the types that are not trusted."""
    import sklearn.base
    import skops.io

    kind = type(value)
    if not isinstance(value, sklearn.base.BaseEstimator):
        raise InexactValue(
            f"the step promised a model of scikit-learn and returned {kind.__module__}."
            f"{kind.__qualname__}; annotate what it returns"
        )
    try:
        frozen = _numbered(skops.io.dumps(value))
        _, unknown = _types(frozen)
    except Exception as error:  # skops raises any type for what it cannot keep
        raise InexactValue(
            f"skops cannot keep the {kind.__qualname__} ({error}); "
            "write the model in its library's own format to a file in `workdir`"
        ) from None
    if unknown:
        entry = refused(unknown)
        remedy = entry.remedy if entry and entry.what != "a scikit-learn model" else ""
        raise InexactValue(
            f"the {kind.__qualname__} holds {', '.join(unknown)}, which is not trusted to run no "
            "code of its own when it is read; "
            + (remedy or "use parts of scikit-learn alone, or return the numbers that it learned")
        )
    if _numbered(skops.io.dumps(thaw(frozen))) != frozen:
        raise InexactValue(
            f"the {kind.__qualname__} would not come back from skops as it is; write it in a "
            "format of its own to a file in `workdir`"
        )
    return frozen


def thaw(frozen: bytes) -> Any:
    """A model of its own."""
    import skops.io

    return skops.io.loads(frozen, trusted=_types(frozen)[0])


def _types(frozen: bytes) -> tuple[list[str], list[str]]:
    """The types in a file that are trusted besides those of skops, and the others."""
    import skops.io

    trusted: list[str] = []
    unknown: list[str] = []
    for name in skops.io.get_untrusted_types(data=frozen):
        (trusted if _is_trusted(name) else unknown).append(name)
    return trusted, unknown


def _is_trusted(name: str) -> bool:
    module, _, member = name.rpartition(".")
    package = module.partition(".")[0]
    if package not in ("numpy", "scipy"):
        return package == "sklearn"
    try:
        return isinstance(getattr(importlib.import_module(module), member, None), type)
    except ImportError:
        return False


def _numbered(written: bytes) -> bytes:
    """The same file without addresses and times: the same model gets the same bytes."""
    with zipfile.ZipFile(io.BytesIO(written)) as archive:
        schema = json.loads(archive.read(_SCHEMA))
        files: dict[str, str] = {}
        _renumber(schema, {}, itertools.count(1), files)
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as copy:
            for name, former in files.items():
                copy.writestr(zipfile.ZipInfo(name), _without_gaps(archive.read(former)))
            copy.writestr(zipfile.ZipInfo(_SCHEMA), json.dumps(schema))
    return file.getvalue()


def _without_gaps(content: bytes) -> bytes:
    """A .npy file with zeros between the fields of a structure, where trees have any bytes."""
    if not content.startswith(npy.MAGIC_PREFIX):
        return content
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if array.dtype.names is None:
        return content
    clean = np.zeros(array.shape, array.dtype)
    for name in array.dtype.names:
        clean[name] = array[name]
    file = io.BytesIO()
    npy.write_array(file, clean, allow_pickle=False)
    return file.getvalue()


def _renumber(
    node: Any, numbers: dict[int, int], free: itertools.count[int], files: dict[str, str]
) -> None:
    """Replace the addresses in a schema by numbers, and the names of files, in the order of both.

    Two numbers or texts may share an address by chance: each gets a number of its own.
    """
    if isinstance(node, list):
        for item in node:
            _renumber(item, numbers, free, files)
    if not isinstance(node, dict):
        return
    if type(address := node.get("__id__")) is int:
        is_own = node.get("is_json") or address not in numbers
        node["__id__"] = next(free) if is_own else numbers[address]
        if not node.get("is_json"):
            numbers[address] = node["__id__"]
    if isinstance(former := node.get("file"), str) and _ARRAY.fullmatch(former):
        known = {old: new for new, old in files.items()}
        node["file"] = known.get(former) or f"{len(files)}{_ARRAY.sub(_SUFFIX, former)}"
        files[node["file"]] = former
    for item in node.values():
        _renumber(item, numbers, free, files)
