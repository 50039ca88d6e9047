"""After all files are written: remove the CI, the engines and the training that were not chosen,
record what the template's files are like, and say what comes next."""

import json
import os
import runpy
import shlex
import shutil
import subprocess
from pathlib import Path

TEMPLATE = "cookiecutter-checkpoint-pipeline"
CI_FILES = {
    "github": (".github/workflows/ci.yml", ".github/pull_request_template.md"),
    "gitlab": (".gitlab-ci.yml", ".gitlab/merge_request_templates/Default.md"),
}
ENGINES = ("polars", "duckdb", "spark")  # the segments for each lie in `segments_ENGINE`


def prune(project: Path, ci: str) -> None:
    """Remove the other providers' files, and the folders that this leaves empty."""
    for path in [Path(path) for other in CI_FILES if other != ci for path in CI_FILES[other]]:
        (project / path).unlink(missing_ok=True)
        for folder in list(path.parents)[:-1]:
            if (project / folder).is_dir() and not any((project / folder).iterdir()):
                (project / folder).rmdir()


def choose(package: Path, engine: str) -> None:
    """Move the segments for the chosen engine over those for pandas, and remove the others."""
    for name in ENGINES:
        for segment in (package / f"segments_{name}").glob("s*.py") if name == engine else ():
            segment.replace(package / "segments" / segment.name)
        shutil.rmtree(package / f"segments_{name}")


def train(project: Path, package: Path, training: str) -> None:
    """Let the pipeline end with the segment that trains a model, or remove that and its tests."""
    pipeline = package / "pipeline_training.py"
    if training != "off":
        pipeline.replace(package / "pipeline.py")
    for path in (pipeline, package / "segments/s06_train.py", project / "tests/test_train.py"):
        if training == "off":
            path.unlink()


def commit_of(answers: dict[str, str]) -> str:
    """The template's commit: cruft names it, else git does where the template is a repository.

    `-dirty` stands behind it if files of the template were changed, `unknown` where nothing tells.
    """
    if "_commit" in answers:
        return answers["_commit"]
    # The template's folder may be relative to where the command was typed; hooks run elsewhere.
    folder = Path(os.environ.get("PWD", ""), answers.get("_repo_dir") or "/")
    if not (folder / ".git").exists():
        return "unknown"
    words = ("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    command = ["git", "--no-optional-locks", "-C", str(folder), *words]
    own = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=own, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def record_files(project: Path, runtime: Path, version: str, commit: str) -> None:
    """Write a checksum of each file that stays the template's: `review` tells which were edited.

    The runtime reads the record, so the runtime writes it.
    """
    seal = runpy.run_path(str(runtime / "base" / "seal.py"))
    seal["write_record"](project, runtime, TEMPLATE, version, commit)


def next_steps(project: Path, slug: str) -> str:
    return f"""
{slug} is ready: a pipeline over real data, in segments that each end in a checkpoint.

  cd {shlex.quote(str(project))}
  uv run {slug} run       # runs it; a second time, every segment is reused
  uv run pytest

README.md says where your own steps go."""


def main(answers: dict[str, str]) -> None:
    prune(Path.cwd(), answers["ci"])
    [runtime] = Path.cwd().glob("src/*/checkpointing")
    choose(runtime.parent, answers["engine"])
    train(Path.cwd(), runtime.parent, answers["training"])
    record_files(Path.cwd(), runtime, answers["_version"], commit_of(answers))
    if "_commit" not in answers:  # cruft generates into temporary folders, more than once
        print(next_steps(Path.cwd(), answers["__project_slug"]))


if __name__ == "__main__":
    main(json.loads(r"""{{ cookiecutter | jsonify }}"""))
