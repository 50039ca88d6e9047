"""The command `review`: find the project, review it, print, and give an exit code."""

from __future__ import annotations

import sys

from ...base.errors import CheckpointingError
from ...base.interrupts import answered
from ...base.location import find_project
from .checks import review
from .formats import Format, formatted

FINDINGS_EXIT_CODE = 4


@answered
def review_command(package: str, form: Format, base: str | None) -> int:
    """Print the findings on the source of `package`; the exit code.

    Nothing of the project is imported, and nothing heavy of the runtime.
    """
    try:
        root, folder = find_project(package)
        findings = review(root, folder, base)
    except CheckpointingError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return error.exit_code
    print(formatted(findings, form, root))
    return FINDINGS_EXIT_CODE if findings else 0
