"""Check the rules on public code: `python tests/runtime/tools/review/public_code.py CLONES`.

CLONES is a folder with a git clone of each repository that `public_code.toml` names, as
`CLONES/owner/name`. Each file is reviewed at the commit of the list, with every function at its top
taken for a step; the findings must be those in the list. The code itself is not kept here.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # run by its path, so that the tests' packages are not on the path yet
    sys.path[:0] = [
        str(Path(__file__).parents[4] / part) for part in ("", "build/dev/flight-delays/src")
    ]

from tests.runtime.tools.review.reviewed import Reviewed
from tests.runtime.tools.review.test_robust import as_steps

LIST = Path(__file__).with_suffix(".toml")
NOT_MEANT = {"CKP101", "CKP102"}  # these functions were never to be steps


def broken_rules(clones: Path, file: dict[str, Any]) -> dict[str, int]:
    """How often each rule is broken in a file, taken at its commit."""
    command = ["git", "-C", str(clones / file["repository"]), "show"]
    named = [f"{file['commit']}:{file['path']}"]
    source = subprocess.run(command + named, capture_output=True, check=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        project = Reviewed(Path(folder)).put({"src/demo/segments/s01.py": as_steps(source)})
        return dict(sorted(Counter(r for r in project.rules() if r not in NOT_MEANT).items()))


def main(clones: Path) -> int:
    differing = 0
    for file in tomllib.loads(LIST.read_text(encoding="utf-8"))["file"]:
        now = broken_rules(clones, file)
        if now != file["findings"]:
            differing += 1
            print(f"{file['repository']} {file['path']}: {file['findings']} in the list, now {now}")
    print(f"{differing} files differ from the list")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
