"""What is believed of what lies at a URL: names and manifests that anybody may have written there.

Whoever may write at a URL could else have files written anywhere on the machines that read it.
"""

from __future__ import annotations

from ...base.names import is_value_name
from ...base.reading import parse_json
from ...base.refusals import Unreadable
from ..manifest import Manifest, parse_manifest
from .addresses import Address

ITSELF = "."
"""What stands for a file itself where others are named by their path in a folder."""


DAMAGED = '{"checksum": ""}'
"""What comes here in the place of a manifest that is not to be believed."""


def is_plain_path(path: str) -> bool:
    """Whether a path leads to where it says: to nothing above, and to nothing elsewhere."""
    return "\0" not in path and all(part not in ("", ".", "..") for part in path.split("/"))


def manifest_at(address: Address, content: bytes) -> Manifest:
    """The manifest that lies at an address.

    Raises ValueError if it is not as it was written, is of another checkpoint, or names what no
    commit makes there.
    """
    try:
        manifest = parse_manifest(parse_json(content))
    except Unreadable as error:
        raise ValueError(str(error)) from None
    if (manifest.segment, manifest.key) != (address.segment, address.key):
        raise ValueError("it is of another checkpoint")
    names = [record.file for _, record in manifest.records()]
    names += [manifest.journal] if manifest.journal else []
    inside = [n for _, r in manifest.records() for n in (*r.folders, *r.executable) if n != ITSELF]
    if not all(map(is_plain_path, [*names, *inside])):
        raise ValueError("it names files that lie elsewhere")
    if not all(is_value_name(address.folder, name.partition("/")[0]) for name in names):
        raise ValueError("it names files that no commit wrote there")
    return manifest
