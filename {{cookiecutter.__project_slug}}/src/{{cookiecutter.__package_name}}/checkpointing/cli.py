"""The commands of a project. Each imports what it needs when it runs, so that `--help` is quick."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from .base import interrupts

_HELP = "Run a pipeline in checkpointed segments, each from empty RAM, under a memory budget."

Budget = Annotated[str | None, typer.Option(help="Hold no more than this, such as 2GB.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Change a param or an input, for this run."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


class Form(StrEnum):
    """How `review` prints what it finds."""

    text = "text"
    json = "json"
    github = "github"
    gitlab = "gitlab"


def application(package: str) -> typer.Typer:
    """The command line of the project whose package is `package`."""
    app = typer.Typer(
        help=_HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
    )

    @app.command()
    def run(
        budget: Budget = None,
        changes: Changes = None,
        fresh: Annotated[bool, typer.Option("--fresh", help="Reuse nothing.")] = False,
        rerun_from: Annotated[
            str | None, typer.Option(metavar="SEGMENT", help="Reuse only what comes before it.")
        ] = None,
        only: Annotated[
            str | None,
            typer.Option(metavar="SEGMENT", help="Run one segment, from existing checkpoints."),
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Run what is not checkpointed yet, and publish the outputs."""

        def command() -> int:
            from .terminal.run import run_command

            return run_command(package, budget, changes or [], fresh, rerun_from, only, as_json)

        _end_with(command)

    @app.command()
    def status(
        changes: Changes = None,
        verify: Annotated[bool, typer.Option("--verify", help="Read and hash every file.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Tell which segments would be reused, and why the others would run."""

        def command() -> int:
            from .terminal.status import status_command

            return status_command(package, changes or [], verify, as_json)

        _end_with(command)

    @app.command()
    def plan(
        budget: Budget = None,
        changes: Changes = None,
        as_json: AsJson = False,
        as_mermaid: Annotated[
            bool, typer.Option("--mermaid", help="Print the graph with its cuts, for Mermaid.")
        ] = False,
    ) -> None:
        """Tell where a run would be cut, what it would hold, and what other cuts would cost."""

        def command() -> int:
            from .tools.plan.command import plan_command

            return plan_command(package, budget, changes or [], as_json, as_mermaid)

        _end_with(command)

    @app.command()
    def compare(
        budget: Budget = None,
        limit: Annotated[
            str | None,
            typer.Option(help="Stop the plain script above this, below what protects the machine."),
        ] = None,
        changes: Changes = None,
        as_json: AsJson = False,
    ) -> None:
        """Run everything twice, as a plain script and with checkpoints: memory, time, disk."""

        def command() -> int:
            from .tools.compare.command import compare_command

            return compare_command(package, budget, limit, changes or [], as_json)

        _end_with(command)

    @app.command()
    def show(
        value: Annotated[str, typer.Argument(help="The name of a step.")],
        rows: Annotated[int, typer.Option(help="Rows of a table to print.")] = 10,
    ) -> None:
        """Print a checkpointed value: its type, its size, its first rows."""

        def command() -> int:
            from .terminal.show import show_command

            return show_command(package, value, rows)

        _end_with(command)

    @app.command()
    def report(
        output: Annotated[
            Path | None, typer.Option(metavar="FILE", help="Where to; default: the run's folder.")
        ] = None,
        markdown: Annotated[
            bool, typer.Option("--markdown", help="Print Markdown, for a pull request or CI.")
        ] = False,
    ) -> None:
        """Show the last run as one HTML page: memory, time, disk, the graph."""

        def command() -> int:
            from .tools.report.command import report_command

            return report_command(package, output, markdown)

        _end_with(command)

    @app.command()
    def clean(
        old: Annotated[
            bool,
            typer.Option("--old", help="Keep what a run with the configured params would reuse."),
        ] = False,
        runs: Annotated[
            bool, typer.Option("--runs", help="Remove run records and logs too.")
        ] = False,
    ) -> None:
        """Remove checkpoints. Published outputs and inputs are never touched."""

        def command() -> int:
            from .terminal.clean import clean_command

            return clean_command(package, old, runs)

        _end_with(command)

    @app.command()
    def review(
        form: Annotated[Form, typer.Option("--format", help="For people, or for CI.")] = Form.text,
        base: Annotated[
            str | None,
            typer.Option(metavar="REF", help="Compare the memory budget with this git ref."),
        ] = None,
    ) -> None:
        """Read the code, running none of it, and tell what breaks the review standard."""

        def command() -> int:
            from .tools.review.command import review_command

            return review_command(package, form.value, base)

        _end_with(command, starts_workers=False)

    ours = {command.callback.__name__ for command in app.registered_commands if command.callback}

    @app.callback()
    def begin(context: typer.Context) -> None:
        if context.invoked_subcommand in ours:
            interrupts.listen()
        else:  # the project's own, which gets interrupts as any program does
            interrupts.hand_back()

    return app


def _end_with(command: Callable[[], int], *, starts_workers: bool = True) -> NoReturn:
    """End this process, and all that it started, with the exit code of a command.

    Libraries load in the fork server while this process loads its own.
    """
    try:
        if starts_workers:
            from .run.processes import warm_up

            warm_up()
        code = command()
    except KeyboardInterrupt:
        code = interrupts.EXIT_CODE
    except OSError:
        if not interrupts.interrupted():
            raise
        code = interrupts.EXIT_CODE  # the terminal closed, so nothing can be told any more
    interrupts.end_others()
    gone = OSError if interrupts.interrupted() else BrokenPipeError
    with contextlib.suppress(gone):  # the reader of a pipe had enough
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)  # nothing is left to be torn down, which would take a tenth of a second
