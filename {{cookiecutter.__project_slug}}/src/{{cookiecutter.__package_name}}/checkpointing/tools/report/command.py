"""The command `report`: the last run as an HTML page or as Markdown."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from ...base.errors import ConfigurationError
from ...base.files import replace_text, storage_errors
from ...base.units import short
from ...run.describing import describe_project
from ...run.record import PAGE
from ...terminal.ending import ended
from .content import Content, read_content

# The extra `report` in pyproject.toml.
_LIBRARIES = ("altair", "jinja2", "markupsafe", "vl_convert")


@ended
def report_command(
    package: str, pipeline: str | None, output: Path | None, as_markdown: bool
) -> int:
    """Write the report of the last run and print its path, or print the report; the exit code."""
    content = read_content(describe_project(package, pipeline))
    text = _markdown(content) if as_markdown else _page(content)
    if output is None and as_markdown:
        sys.stdout.write(text)
        return 0
    target = output or content.folder / PAGE
    _write(target, text)
    print(short(str(target)))
    return 0


def _markdown(content: Content) -> str:
    from .markdown import markdown

    return markdown(content)


def _page(content: Content) -> str:
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"the page needs libraries that are not installed ({', '.join(missing)}). Type "
            f"`uv sync`, or `pip install -e '.[report]'`; `report --markdown` needs none."
        )
    _have_a_home()
    from .page import page

    return page(content)


def _have_a_home() -> None:
    """Name a home folder for a user who has none, as in containers: the import of altair asks.

    Nothing is written there: a report loads none of the data that altair would keep.
    """
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = os.sep


def _write(target: Path, text: str) -> None:
    if not target.parent.is_dir():
        raise ConfigurationError(
            f"--output {target}: the folder {target.parent} does not exist. Make it first."
        )
    if target.is_dir():
        raise ConfigurationError(f"--output {target} is a folder. Name a file.")
    place = Path(os.path.realpath(target))  # a link stays what it is
    if place.exists() and not place.is_file():
        raise ConfigurationError(f"--output {target} is a device or the like. Name a file.")
    with storage_errors("Writing the report", place.parent):
        replace_text(place, text)
