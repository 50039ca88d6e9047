"""After all files are written: remove the CI that was not chosen, record the runtime's checksums,
and say what comes next."""

import hashlib
import json
import shlex
from pathlib import Path

CI_FILES = {
    "github": (".github/workflows/ci.yml", ".github/pull_request_template.md"),
    "gitlab": (".gitlab-ci.yml", ".gitlab/merge_request_templates/Default.md"),
}


def prune(project: Path, ci: str) -> None:
    """Remove the other providers' files, and the folders that this leaves empty."""
    for path in [Path(path) for other in CI_FILES if other != ci for path in CI_FILES[other]]:
        (project / path).unlink(missing_ok=True)
        for folder in list(path.parents)[:-1]:
            if (project / folder).is_dir() and not any((project / folder).iterdir()):
                (project / folder).rmdir()


def record_runtime(project: Path) -> None:
    """Write the checksum of each file of the runtime: `review` tells which ones were edited.

    An update of the template writes the record anew, so the update's own changes are none.
    """
    [runtime] = project.glob("src/*/checkpointing")
    lines = []
    for path in sorted(runtime.rglob("*.py"), key=lambda path: path.as_posix()):
        content = path.read_bytes().replace(b"\r\n", b"\n")
        name = path.relative_to(runtime).as_posix()
        lines.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
    (project / "checkpointing.sha256").write_text("".join(lines), encoding="utf-8", newline="\n")


def next_steps(project: Path, slug: str) -> str:
    return f"""
{slug} is ready: a pipeline over real data, in segments that each end in a checkpoint.

  cd {shlex.quote(str(project))}
  uv run {slug} run       # runs it; a second time, every segment is reused
  uv run pytest

README.md says where your own steps go."""


def main(answers: dict[str, str]) -> None:
    prune(Path.cwd(), answers["ci"])
    record_runtime(Path.cwd())
    if "_commit" not in answers:  # cruft generates into temporary folders, more than once
        print(next_steps(Path.cwd(), answers["__project_slug"]))


if __name__ == "__main__":
    main(json.loads(r"""{{ cookiecutter | jsonify }}"""))
