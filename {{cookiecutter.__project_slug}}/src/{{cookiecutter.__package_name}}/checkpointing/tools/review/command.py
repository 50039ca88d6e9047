"""The command `review`: find the project, review it, print, and give an exit code."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from ...base.errors import CheckpointingError, ConfigurationError
from ...base.interrupts import answered
from .checks import review
from .formats import Format, formatted
from .source import PIPELINE_FILE

FINDINGS_EXIT_CODE = 4


@answered
def review_command(package: str, form: Format, base: str | None) -> int:
    """Print what the standard finds in the source of `package`; the exit code.

    Nothing of the project is imported, and nothing heavy of the runtime.
    """
    try:
        root, folder = _project(package)
        findings = review(root, folder, base)
    except CheckpointingError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return error.exit_code
    print(formatted(findings, form, root))
    return FINDINGS_EXIT_CODE if findings else 0


def _project(package: str) -> tuple[Path, Path]:
    """The folders of the project and of its package. Raises ConfigurationError."""
    found = importlib.util.find_spec(package)  # of a top-level package; imports nothing
    places = [Path(place) for place in (found and found.submodule_search_locations) or ()]
    for place in places:
        for folder in (place, *place.parents, Path.cwd(), *Path.cwd().parents):
            if (folder / PIPELINE_FILE).is_file():
                here = (folder / "src" / package, folder / package)
                is_copy = not place.is_relative_to(folder)  # installed, not linked to its source
                return folder, next((p for p in here if is_copy and p.is_dir()), place)
    raise ConfigurationError(
        f"no {PIPELINE_FILE} in {Path.cwd()} or above it. Run the command in the project's folder."
    )
