"""The command `new`: compute what to write, write all of it or nothing, and say what is next."""

from __future__ import annotations

import json
from typing import Literal

from ...base.errors import ConfigurationError
from ...terminal.ending import ended
from .making import Made, new_pipeline, new_segment, new_step
from .project import Project, read_project
from .writing import write_all

Kind = Literal["step", "segment", "pipeline"]

_NEXT = "Write your own step and test in place of the example; then run the tests and `review`."


@ended
def new_command(
    package: str,
    kind: Kind,
    name: str,
    into: str | None,
    after: str | None,
    pipeline: str | None,
    as_json: bool,
) -> int:
    """Make a step, a segment or a pipeline in the project of `package`; the exit code.

    No code of the project is imported.
    """
    _require_fitting(kind, into, after, pipeline)
    project = read_project(package)
    if kind == "step":
        assert into is not None
        made = new_step(project, name, into)
    elif kind == "segment":
        made = new_segment(project, name, after, pipeline)
    else:
        made = new_pipeline(project, name)
    if made.by_hand:
        _refuse(project, made)
    write_all(
        {path: source.content for path, source in made.created.items()},
        {path.resolve(): source.content for path, source in made.changed.items()},
    )
    _print(project, made, as_json)
    return 0


def _require_fitting(kind: Kind, into: str | None, after: str | None, pipeline: str | None) -> None:
    """Refuse options of another kind. Raises ConfigurationError."""
    given = {"--in": into, "--after": after, "--pipeline": pipeline}
    own = {"step": ("--in",), "segment": ("--after", "--pipeline"), "pipeline": ()}[kind]
    for option, value in given.items():
        if value is not None and option not in own:
            raise ConfigurationError(f"`new {kind}` takes no {option}.")
    if kind == "step" and into is None:
        raise ConfigurationError("name the segment of the step: `new step NAME --in SEGMENT`.")


def _refuse(project: Project, made: Made) -> None:
    """Raises ConfigurationError, whose message contains everything that is to be added by hand."""
    files = {project.shown(path): source.text for path, source in made.created.items()}
    texts = "".join(f"\n\n{path}:\n\n{text}" for path, text in files.items())
    raise ConfigurationError(f"{made.by_hand}, and write these files:{texts}", files=files)


def _print(project: Project, made: Made, as_json: bool) -> None:
    created, changed = (
        [project.shown(path) for path in paths] for paths in (made.created, made.changed)
    )
    if as_json:
        facts = {"pipeline": made.pipeline, "segment": made.segment, "step": made.step}
        files = {"created": created, "changed": changed}
        print(json.dumps({**facts, **files, "message": f"{made.sentence} {_NEXT}"}))
        return
    for path in created:
        print(f"created  {path}")
    for path in changed:
        print(f"changed  {path}")
    print(made.sentence)
    print(_NEXT)
