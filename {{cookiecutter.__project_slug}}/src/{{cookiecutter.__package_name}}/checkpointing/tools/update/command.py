"""The command `update`: cruft merges what is shared, the template's own files are replaced.

cruft leaves the template's files alone, for `[tool.cruft]` of pyproject.toml lists them. They come
from a newly generated project, with the version and the answers that cruft records in
`.cruft.json`. So they are never merged and never in conflict. The update then restores the team's
own parts of these files, and applies the team's patches again.

Nothing is lost: git has no uncommitted changes before an update, so the last commit contains
everything that does not fit any more. A second update completes an interrupted one.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...base import seal
from ...base.errors import ConfigurationError, as_ours
from ...base.interrupts import answered
from ...base.location import find_project


@answered
def update_command(package: str, checkout: str | None, answers: str | None) -> int:
    """Update the project whose package is `package`; the exit code.

    `checkout` names a version of the template as git does, `answers` is a JSON object.
    """
    try:
        root, folder = find_project(package)
        cruft = _cruft()
        _require_a_state_to_go_back_to(root, folder / seal.RUNTIME)
        words = ["update", "--skip-apply-ask"]
        words += ["--checkout", checkout] if checkout else []
        words += ["--variables-to-update", answers] if answers else []
        _run(*cruft, *words, cwd=root)
        if not _git(root, "status", "--porcelain") and _is_whole(root):
            return 0
        _require_nothing_left([*_replace(root, folder / seal.RUNTIME, cruft), *_conflicts(root)])
    except Exception as error:
        failure = as_ours(error)
        print(f"error: {failure.message}", file=sys.stderr)
        return failure.exit_code
    print("Look at the changes in git, run the tests and the pipeline, and commit all together.")
    return 0


def _cruft() -> list[str]:
    """The command that starts cruft. Raises ConfigurationError if there is none."""
    if shutil.which("cruft"):
        return ["cruft"]
    if shutil.which("uvx"):
        return ["uvx", "cruft"]
    raise ConfigurationError(
        "neither cruft nor uvx is on the PATH. Install one of them, such as by "
        "`python -m pip install cruft`, and try again."
    )


def _require_a_state_to_go_back_to(root: Path, runtime: Path) -> None:
    """Raises ConfigurationError unless git contains everything, as recorded or patched."""
    if not (root / seal.CRUFT_STATE).is_file():
        raise ConfigurationError(
            f"{root} has no {seal.CRUFT_STATE}, so nothing says which template it follows. Link it "
            "first, with `cruft link`."
        )
    if _git(root, "status", "--porcelain"):
        raise ConfigurationError(
            "git knows of changes that are in no commit. Commit them or put them away first."
        )
    problems = [p for p in seal.problems(root, runtime) if p.path != seal.CRUFT_STATE]
    if problems:
        raise ConfigurationError(
            "the template's files are not as recorded, so an update would lose what they hold:"
            + "".join(f"\n  {problem.path}: {problem.message}" for problem in problems)
            + f"\nRestore them, or keep what differs as a patch in `{seal.PATCHES}`, and commit."
        )


def _is_whole(root: Path) -> bool:
    """Whether the template's files have the version that cruft records."""
    record = seal.read_record(root)
    return record is not None and record.commit == seal.linked_commit(root)


def _replace(root: Path, runtime: Path, cruft: list[str]) -> Iterator[str]:
    """Replace the project's copies of the template's files; yields a message for each misfit."""
    inside = seal.shown(runtime, root)
    patches = seal.read_patches(root)
    present, former = seal.sealed_files(root, runtime), seal.read_record(root)
    plain, _ = seal.patched(present, patches, inside, take_off=True)
    own = {name: seal.parts(content) for name, content in plain.items()}
    with tempfile.TemporaryDirectory() as temporary:
        _generate(root, Path(temporary), cruft)
        [generated] = Path(temporary).glob(f"*/src/*/{seal.RUNTIME}")
        made = generated.parents[2]
        fresh = seal.sealed_files(made, generated)
        record = (made / seal.RECORD).read_bytes()
    new = {name: seal.with_parts(text, own.get(name, {})) for name, text in fresh.items()}
    applied, unfit = seal.patched(new, patches, inside)
    gone = {*present, *(former.checksums if former else ())} - applied.keys()
    for name in gone:
        if name not in seal.OWNED or (former and name in former.checksums):
            seal.path_of(name, root, runtime).unlink(missing_ok=True)
    for name, content in applied.items():
        if content != present.get(name):
            place = seal.path_of(name, root, runtime)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
    (root / seal.RECORD).write_bytes(record)
    _git(root, "add", "--all", "--", *_existing(root, inside, *seal.OWNED, seal.RECORD))
    yield from _lost_parts(own, fresh)
    for path, reason in unfit.items():
        yield (
            f"{path} does not fit any more ({reason}), so its files are as the template has them. "
            "Make it anew, or delete it if the template has the change now."
        )


def _generate(root: Path, folder: Path, cruft: list[str]) -> None:
    """Generate the project in `folder`, with the version and the answers that cruft records."""
    state: dict[str, Any] = json.loads((root / seal.CRUFT_STATE).read_bytes())
    known = state["context"]["cookiecutter"].items()
    answers = {key: answer for key, answer in known if not key.startswith("_")}
    words = ["create", state["template"], "--checkout", state["commit"], "--no-input"]
    words += ["--output-dir", str(folder), "--extra-context", json.dumps(answers)]
    words += ["--directory", state["directory"]] if state.get("directory") else []
    _run(*cruft, *words, cwd=root)


def _lost_parts(own: Mapping[str, Mapping[str, bytes]], fresh: seal.Files) -> Iterator[str]:
    """A message for each part of the team that has no place in the new version."""
    for name, texts in own.items():
        places = seal.parts(fresh.get(name, b""))
        for begin, text in texts.items():
            if text.strip() and begin not in places:
                yield (
                    f"{name} has no part `{begin}` any more. `git show HEAD:./{name}` prints what "
                    "stood in it."
                )


def _conflicts(root: Path) -> Iterator[str]:
    """A message for each file that cruft could not merge; cruft itself ends with exit code 0."""
    for path in _git(root, "diff", "--name-only", "--diff-filter=U", "--relative").splitlines():
        yield f"{path} has a conflict. Keep what is right, and `git add` the file."
    untracked = _git(root, "ls-files", "--others", "--exclude-standard").splitlines()
    for path in untracked:
        if path.endswith(".rej"):
            yield f"{path} holds changes that did not fit. Make them by hand, and delete it."


def _require_nothing_left(left: list[str]) -> None:
    """Raises ConfigurationError if a person has something left to do."""
    if left:
        raise ConfigurationError(
            "the update is made, and this is left to do:\n  " + "\n  ".join(left)
        )


def _existing(root: Path, *paths: str) -> list[str]:
    """The paths that git accepts: those that it tracks, and those that exist."""
    known = _git(root, "ls-files", "--", *paths).splitlines()
    return sorted({*known, *(path for path in paths if (root / path).exists())})


def _run(*words: str, cwd: Path) -> None:
    """Run a program that prints for itself. Raises ConfigurationError when it fails."""
    sys.stdout.flush()
    code = subprocess.run(words, cwd=cwd, check=False).returncode
    if code:
        raise ConfigurationError(
            f"`{' '.join(words[:3])}` ended with exit code {code}. What it changed, `git restore "
            "--staged --worktree .` takes back; then try again."
        )


def _git(root: Path, *words: str) -> str:
    """The output of git. Raises ConfigurationError if git is missing or fails."""
    command = ["git", "-c", "core.quotePath=false", *words]
    try:
        done = subprocess.run(
            command,
            cwd=root,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",  # git takes file names of any bytes
            check=False,
        )
    except OSError:
        raise ConfigurationError("an update needs git, which is not installed.") from None
    if done.returncode:
        raise ConfigurationError(f"git {words[0]} says: {done.stderr.strip()}")
    return done.stdout.strip()
