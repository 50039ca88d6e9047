"""The commands: their names, options and help.

What a command does is in a file of its own, imported when it runs, so that `--help` is quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from .base import interrupts, last_resort, streams
from .base.errors import ConfigurationError, StorageError, as_ours
from .base.refusals import refusal_of

_HELP = "Run a pipeline in checkpointed segments, each in a fresh process, under a memory budget."

Pipeline = Annotated[
    str | None,
    typer.Option(
        "--pipeline",
        metavar="NAME",
        help="Which pipeline of several. Default: PIPELINE in pipeline.py.",
    ),
]
Budget = Annotated[
    str | None, typer.Option(help="Memory budget for this run, for example 2GB.", metavar="SIZE")
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Change a param or an input for this run."),
]
KeepAll = Annotated[
    bool,
    typer.Option("--keep-all", help="Keep every value of what runs, also those between two steps."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


class Form(StrEnum):
    """How `review` prints its findings."""

    text = "text"
    json = "json"
    github = "github"
    gitlab = "gitlab"


class Action(StrEnum):
    """What `executors` does."""

    status = "status"
    sweep = "sweep"


class Thing(StrEnum):
    """What `new` makes."""

    step = "step"
    segment = "segment"
    pipeline = "pipeline"


def run(
    context: typer.Context,
    pipeline: Pipeline = None,
    budget: Budget = None,
    changes: Changes = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Reuse no checkpoint.")] = False,
    rerun_from: Annotated[
        str | None,
        typer.Option(
            metavar="SEGMENT",
            help="Run this segment and all later ones again; so a sink is repeated.",
        ),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(metavar="SEGMENT", help="Run this segment only, from existing checkpoints."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Run up to N segments at once, where the budget has room. Default: one per core.",
        ),
    ] = None,
    keep_all: KeepAll = False,
    as_json: AsJson = False,
) -> None:
    """Run every segment that has no usable checkpoint, and publish the outputs."""
    options = (pipeline, budget, changes or [], fresh, rerun_from, only, jobs, keep_all, as_json)
    _end_with("terminal.run", "run_command", context.obj, *options)


def status(
    context: typer.Context,
    pipeline: Pipeline = None,
    changes: Changes = None,
    verify: Annotated[bool, typer.Option("--verify", help="Read and hash every file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show which segments a run would reuse, and why it would run the others."""
    options = (pipeline, changes or [], verify, as_json)
    _end_with("terminal.status", "status_command", context.obj, *options)


def plan(
    context: typer.Context,
    pipeline: Pipeline = None,
    budget: Budget = None,
    changes: Changes = None,
    keep_all: KeepAll = False,
    as_json: AsJson = False,
    as_mermaid: Annotated[
        bool, typer.Option("--mermaid", help="Print the graph with its cuts, for Mermaid.")
    ] = False,
) -> None:
    """Show where a run would be cut, its expected memory, and what other cuts would cost."""
    options = (pipeline, budget, changes or [], keep_all, as_json, as_mermaid)
    _end_with("tools.plan.command", "plan_command", context.obj, *options)


def compare(
    context: typer.Context,
    pipeline: Pipeline = None,
    budget: Budget = None,
    limit: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Stop the plain script at this much memory, or earlier at the safe limit of this "
            "machine.",
        ),
    ] = None,
    changes: Changes = None,
    as_json: AsJson = False,
) -> None:
    """Run all steps twice, as a plain script and with checkpoints: memory, time, disk."""
    options = (pipeline, budget, limit, changes or [], as_json)
    _end_with("tools.compare.command", "compare_command", context.obj, *options)


def show(
    context: typer.Context,
    value: Annotated[str, typer.Argument(help="The name of a step.")],
    rows: Annotated[int, typer.Option(help="How many rows of a table to print.")] = 10,
    pipeline: Pipeline = None,
) -> None:
    """Print a checkpointed value: its type, its size, its first rows."""
    _end_with("terminal.show", "show_command", context.obj, pipeline, value, rows)


def report(
    context: typer.Context,
    pipeline: Pipeline = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Output file. Default: in the run's folder.")
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown, for a pull request or CI.")
    ] = False,
) -> None:
    """Show the last run as one HTML page: memory, time, disk, the graph."""
    _end_with("tools.report.command", "report_command", context.obj, pipeline, output, markdown)


def accept(
    context: typer.Context,
    segment: Annotated[str, typer.Argument(metavar="SEGMENT", help="The segment that was edited.")],
    why: Annotated[
        str,
        typer.Option("--why", metavar="TEXT", help="Why its values stay the same; it is kept."),
    ],
    pipeline: Pipeline = None,
    changes: Changes = None,
) -> None:
    """Declare that an edit of a segment's code changes no value, so that it need not run again."""
    options = (pipeline, segment, why, changes or [])
    _end_with("terminal.accept", "accept_command", context.obj, *options)


def clean(
    context: typer.Context,
    pipeline: Pipeline = None,
    old: Annotated[
        bool,
        typer.Option("--old", help="Keep what a run with the configured params would reuse."),
    ] = False,
    runs: Annotated[bool, typer.Option("--runs", help="Remove run records and logs too.")] = False,
) -> None:
    """Remove checkpoints. Published outputs and inputs are never touched."""
    _end_with("terminal.clean", "clean_command", context.obj, pipeline, old, runs)


def executors(
    context: typer.Context,
    action: Annotated[
        Action,
        typer.Argument(metavar="ACTION", help="`status` lists what lives, `sweep` ends leftovers."),
    ] = Action.status,
    as_json: AsJson = False,
    place: Annotated[
        str | None,
        typer.Option("--place", help="With `sweep`: end this place alone, whoever made it."),
    ] = None,
    results: Annotated[
        bool, typer.Option("--results", help="With `sweep`: drop what waits in storage, too.")
    ] = False,
) -> None:
    """Show the infrastructure that lives for this project, or end what was left behind."""
    options = (action.value, as_json, place, results)
    _end_with("terminal.executors", "executors_command", context.obj, *options, workers=False)


def review(
    context: typer.Context,
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="PATH",
            help="A project elsewhere, or a folder above several. Default: this one.",
        ),
    ] = None,
    form: Annotated[
        Form, typer.Option("--format", help="text for people, else for CI.")
    ] = Form.text,
    base: Annotated[
        str | None,
        typer.Option(metavar="REF", help="Compare the memory budget with this git ref."),
    ] = None,
) -> None:
    """Check the code against the review standard, without running any of it."""
    options = (form.value, base, path)
    _end_with("tools.review.command", "review_command", context.obj, *options, workers=False)


def update(
    context: typer.Context,
    checkout: Annotated[
        str | None,
        typer.Option(metavar="REF", help="Version of the template. Default: the newest."),
    ] = None,
    answers: Annotated[
        str | None,
        typer.Option(
            "--variables-to-update",
            metavar="JSON",
            help="Change answers to the template's questions.",
        ),
    ] = None,
) -> None:
    """Update the project to a newer version of the template."""
    options = (checkout, answers)
    _end_with("tools.update.command", "update_command", context.obj, *options, workers=False)


def new(
    context: typer.Context,
    kind: Annotated[Thing, typer.Argument(metavar="KIND", help="What to make.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, in lower case.")],
    into: Annotated[
        str | None,
        typer.Option("--in", metavar="SEGMENT", help="The segment of a new step."),
    ] = None,
    after: Annotated[
        str | None,
        typer.Option(
            metavar="SEGMENT", help="The segment before a new one. Default: the last one."
        ),
    ] = None,
    pipeline: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The pipeline of a new segment, if the project has several."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write an example step with its test, alone or in a new segment or pipeline, and list it."""
    options = (kind.value, name, into, after, pipeline, as_json)
    _end_with("tools.new.command", "new_command", context.obj, *options, workers=False)


COMMANDS: dict[str, Callable[..., None]] = {
    "run": run,
    "status": status,
    "plan": plan,
    "compare": compare,
    "show": show,
    "report": report,
    "accept": accept,
    "clean": clean,
    "executors": executors,
    "review": review,
    "update": update,
    "new": new,
}
"""Each tool is one line. Without that line and its folder in `tools` the others still work."""


class _Commands(TyperGroup):
    """The commands; `--json` prints an object for wrong options too."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            # The type of wrong options is click's or typer's, depending on the version of typer.
            if (message := getattr(error, "format_message", None)) is not None:
                last_resort.print_object(ConfigurationError(message()))
            raise


def application(package: str) -> typer.Typer:
    """The command line of the project whose package is `package`."""
    app = typer.Typer(
        cls=_Commands,
        help=_HELP,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for name, command in COMMANDS.items():
        app.command(name)(command)

    @app.callback()
    def begin(context: typer.Context) -> None:
        context.obj = package
        if context.invoked_subcommand in COMMANDS:
            interrupts.listen()
        else:  # a command of the project, which receives interrupts as any program does
            interrupts.hand_back()
            last_resort.remove()

    return app


def _end_with(module: str, command: str, *arguments: Any, workers: bool = True) -> NoReturn:
    """End this process, and all that it started, with the exit code of a command.

    Libraries load in the fork server while this process loads its own.
    """
    try:
        if workers:
            from .run.workers import warm_up

            warm_up()
        code: int = getattr(import_module(f".{module}", __package__), command)(*arguments)
    except KeyboardInterrupt:
        code = interrupts.EXIT_CODE
    except Exception as error:  # before the command could answer for itself
        code = last_resort.answer(as_ours(error))
    interrupts.end_others()
    code = _delivered(code)
    os._exit(code)  # skips the cleanup of the interpreter, which takes 0.1 s and is not needed


def _delivered(code: int) -> int:
    """The exit code of a command, once all that it printed has arrived, or cannot arrive."""
    lost = streams.failure_of(1)
    if lost is not None and code == 0:
        print(
            f"error: the result could not be printed: {refusal_of(lost)}. The command has done its "
            f"work all the same.",
            file=sys.stderr,
        )
        code = StorageError.exit_code
    streams.failure_of(2)
    return code
