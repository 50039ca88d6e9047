"""The command `review`: find the project, review it, print, and give an exit code."""

from __future__ import annotations

import json
import sys

from ...base.errors import as_ours
from ...base.interrupts import answered
from ...base.location import find_project
from .checks import review
from .formats import Format, formatted

FINDINGS_EXIT_CODE = 4


@answered
def review_command(package: str, form: Format, base: str | None) -> int:
    """Print the findings on the source of `package`; the exit code.

    Nothing of the project is imported, and nothing heavy of the runtime. Findings as JSON are a
    list, and an error is an object.
    """
    try:
        root, folder = find_project(package)
        findings = review(root, folder, base)
        text = formatted(findings, form, root)
    except Exception as error:
        failure = as_ours(error)
        if form == "json":
            print(json.dumps({"error": failure.as_json()}))
        print(f"error: {failure.message}", file=sys.stderr)
        return failure.exit_code
    print(text)
    return FINDINGS_EXIT_CODE if findings else 0
