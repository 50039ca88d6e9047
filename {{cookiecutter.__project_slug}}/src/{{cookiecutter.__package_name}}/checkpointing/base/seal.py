"""The files of a project that belong to the template: their record, and the patches to them.

The runtime and some files beside it (`OWNED`) come with the template, and its updates replace them.
`checkpointing.sha256` contains a checksum of each, as the template wrote it. A team may still
change two things. The text between two marker lines, `# yours` and `# end of yours` (in Markdown
`<!-- yours -->` and `<!-- end of yours -->`), does not count for the checksum. And a patch in
`patches` describes any other change, with a reason.

Files are named as in the record: `checkpointing/...` is the runtime, wherever its package lies, and
any other name is a path from the project's folder. Contents are bytes with the line ends of Unix,
whichever git wrote here.

Only the standard library is used, and nothing relative is imported: the hook that generates a
project runs this file by itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

RECORD = "checkpointing.sha256"
CRUFT_STATE = ".cruft.json"
RUNTIME = "checkpointing"
PATCHES = "patches"
OWNED = (
    ".github/workflows/ci.yml",
    ".gitlab-ci.yml",
    ".pre-commit-config.yaml",
    "AGENTS.md",
    "docs/review-standard.md",
)
UNKNOWN = "unknown"

Files = Mapping[str, bytes]

_PART = re.compile(
    rb"^(?P<begin>[ \t]*(?:#|<!--) yours\b[^\n]*\n)(?P<text>.*?)"
    rb"^(?P<end>[ \t]*(?:#|<!--) end of yours\b)",
    re.MULTILINE | re.DOTALL,
)
_CONFLICT = re.compile(rb"^(?:<{7}|>{7}) ", re.MULTILINE)
_VERSION = re.compile(rb'^__version__ = "([^"]+)"', re.MULTILINE)
_DIFF = re.compile(r"^(?:diff --git |--- \S)", re.MULTILINE)
_REASON = re.compile(r"^Reason:.*\w{2}", re.MULTILINE)


@dataclass(frozen=True)
class Record:
    """What the template recorded when it generated the project, or when an update did."""

    template: str
    version: str
    commit: str
    """The template's commit, with `-dirty` behind it if files were changed there; or `unknown`."""
    checksums: Mapping[str, str]


@dataclass(frozen=True)
class Patch:
    """A change of the team's to the template's files: a unified diff with a reason."""

    path: str
    """From the project's folder."""
    text: str

    @property
    def has_reason(self) -> bool:
        """Whether a line `Reason: ...` stands before the diff."""
        return bool(_REASON.search(_DIFF.split(self.text, maxsplit=1)[0]))


@dataclass(frozen=True)
class Problem:
    """One difference of the template's files from the record; lines count from 1."""

    path: str
    line: int
    message: str


def checksum(content: bytes) -> str:
    """The sha256 of a file, in which the parts for the team count as empty."""
    return hashlib.sha256(_PART.sub(rb"\g<begin>\g<end>", content)).hexdigest()


def parts(content: bytes) -> dict[str, bytes]:
    """The text of each part of a file that is the team's, by the line that begins the part."""
    return {match["begin"].strip().decode(): match["text"] for match in _PART.finditer(content)}


def with_parts(content: bytes, own: Mapping[str, bytes]) -> bytes:
    """A file of the template with the team's parts in place of its parts of the same name."""

    def put(match: re.Match[bytes]) -> bytes:
        text = own.get(match["begin"].strip().decode(), match["text"])
        return match["begin"] + text + match["end"]

    return _PART.sub(put, content)


def path_of(name: str, root: Path, runtime: Path) -> Path:
    """The path of a file of the template, by its name in the record."""
    inside = name.removeprefix(f"{RUNTIME}/")
    return root / name if inside == name else runtime / inside


def sealed_files(root: Path, runtime: Path) -> dict[str, bytes]:
    """The template's files as they are now, and every other file in the runtime's folder."""
    files = {name: root / name for name in OWNED}
    for path in runtime.rglob("*"):
        inside = path.relative_to(runtime)
        is_cache = any(part == "__pycache__" or part.startswith(".") for part in inside.parts)
        if not is_cache and path.suffix != ".pyc":
            files[f"{RUNTIME}/{inside.as_posix()}"] = path
    return {name: _content(path) for name, path in sorted(files.items()) if path.is_file()}


def write_record(root: Path, runtime: Path, template: str, version: str, commit: str) -> None:
    """Write the record of the template's files as they are now, and of their version."""
    head = {"template": template, "version": version, "commit": commit}
    lines = [f"# {key}: {value}" for key, value in head.items()]
    files = sealed_files(root, runtime)
    lines += [f"{checksum(content)}  {name}" for name, content in files.items()]
    (root / RECORD).write_bytes("".join(f"{line}\n" for line in lines).encode())


def read_record(root: Path) -> Record | None:
    """The record; None if there is none, or if it names no version."""
    text = _content(root / RECORD).decode("utf-8", errors="replace")
    head = dict(re.findall(r"^# (\w+): (.+)$", text, re.MULTILINE))
    lines = re.findall(r"^(\w{64})  (.+)$", text, re.MULTILINE)
    checksums = {name: digest for digest, name in lines}
    if "version" not in head:
        return None
    template, commit = (head.get(key, UNKNOWN) for key in ("template", "commit"))
    return Record(template, head["version"], commit, checksums)


def linked_commit(root: Path) -> str | None:
    """The template's commit that cruft links the project to; None if it does not."""
    try:
        return str(json.loads(_content(root / CRUFT_STATE))["commit"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def read_patches(root: Path) -> list[Patch]:
    """The project's patches, in the order in which they are applied: that of their names."""
    paths = sorted((root / PATCHES).glob("*.patch"))
    texts = {path: _content(path).decode("utf-8", errors="surrogateescape") for path in paths}
    return [Patch(f"{PATCHES}/{path.name}", text) for path, text in texts.items()]


def patched(
    files: Files, patches: Sequence[Patch], inside: str, *, take_off: bool = False
) -> tuple[dict[str, bytes], dict[str, str]]:
    """The files with the patches applied, or with `take_off` taken off; and git's message on each
    patch that does not fit, by its path. Such a patch changes no file.

    `inside` is the runtime's path from the project's folder, as patches write it.
    """
    if not patches:
        return dict(files), {}
    unfit: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary).resolve()
        runtime = root / inside
        for name, content in files.items():
            path = path_of(name, root, runtime)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        for patch in reversed(patches) if take_off else patches:
            if refusal := _git_apply(patch, root, take_off):
                unfit[patch.path] = refusal
        return sealed_files(root, runtime), unfit


def problems(root: Path, runtime: Path) -> Iterator[Problem]:
    """All differences from the record, except those that patches explain."""
    files, record = sealed_files(root, runtime), read_record(root)
    if conflict := _conflict(_content(root / RECORD)):
        yield Problem(RECORD, conflict, "an update did not arrive whole: a conflict is left here")
        return
    if record is None:
        if any(name.startswith(f"{RUNTIME}/") for name in files):
            yield Problem(RECORD, 1, "the record of the template's files is missing")
        return
    match = _VERSION.search(files.get(f"{RUNTIME}/__init__.py", b""))
    version = match[1].decode() if match else record.version
    if version != record.version:
        message = f"the runtime is of version {version}, the record of version {record.version}"
        yield Problem(RECORD, 1, message)
        return  # or there would be a problem for almost every file
    linked = linked_commit(root)
    if linked is not None and record.commit not in (UNKNOWN, linked):
        both = f"the project is at {linked:.12}, the template's files are at {record.commit:.12}"
        yield Problem(CRUFT_STATE, 1, f"an update did not arrive whole: {both}")
    yield from _of_files(root, runtime, files, record)


def shown(path: Path, root: Path) -> str:
    """A path as problems and patches show it: from the project's folder."""
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _of_files(root: Path, runtime: Path, files: Files, record: Record) -> Iterator[Problem]:
    patches = read_patches(root)
    plain, unfit = patched(files, patches, shown(runtime, root), take_off=True)
    for patch in patches:
        if not patch.has_reason:
            yield Problem(patch.path, 1, "the patch gives no reason, in a line `Reason: ...`")
        if patch.path in unfit:
            yield Problem(patch.path, 1, f"the patch does not fit: {unfit[patch.path]}")
    rejects = (f"{name}.rej" for name in (RECORD, *OWNED) if (root / f"{name}.rej").is_file())
    for name in sorted({*plain, *record.checksums, *rejects}):
        place = shown(path_of(name, root, runtime), root)
        recorded = record.checksums.get(name)
        if name.endswith(".rej"):
            message = "an update did not arrive whole: this did not fit into the file"
            yield Problem(place, 1, message)
        elif name not in plain:
            yield Problem(RECORD, 1, f"`{place}` is missing")
        elif recorded is None:
            if name not in OWNED:  # a team may have CI of its own, say
                yield Problem(place, 1, "the file does not belong here: the template has none such")
        elif checksum(plain[name]) != recorded:
            line = _conflict(plain[name])
            message = "an update did not arrive whole: a conflict is left here"
            yield Problem(place, line or 1, message if line else "the file was edited by hand")


def _conflict(content: bytes) -> int | None:
    """The line of the first marker of a conflict."""
    match = _CONFLICT.search(content)
    return content.count(b"\n", 0, match.start()) + 1 if match else None


def _content(path: Path) -> bytes:
    """The content of a file; empty if it cannot be read, so that it differs from the template's."""
    try:
        is_file = path.is_file()  # a read of a pipe would never end
        return path.read_bytes().replace(b"\r\n", b"\n") if is_file else b""
    except OSError:
        return b""


def _git_apply(patch: Patch, folder: Path, take_off: bool) -> str:
    """Change the files in `folder` by a patch; returns git's error, empty if there is none."""
    # Git must not take the folder for a part of a repository around it, or of one that a hook of
    # git names in variables, and must not change line ends because of someone's settings.
    outside = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    outside |= {"GIT_CEILING_DIRECTORIES": str(folder.parent), "GIT_CONFIG_GLOBAL": os.devnull}
    words = ["git", "apply", "--whitespace=nowarn", *(["--reverse"] if take_off else []), "-"]
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            env=outside | {"GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"},
            input=patch.text.encode("utf-8", errors="surrogateescape"),
            capture_output=True,
            check=False,
        )
    except OSError as error:
        return f"git cannot be started ({error.strerror})"
    errors = done.stderr.decode(errors="replace").strip().splitlines()
    if done.returncode == 0:
        return ""
    return errors[0].removeprefix("error: ") if errors else "git does not apply it"
