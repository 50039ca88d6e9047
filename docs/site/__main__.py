"""Build the site: `python -m docs.site PAGES SITE`, two folders that are made anew."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from sphinx.cmd.build import main as sphinx

from .pages import stage

STRICT = ("--fail-on-warning", "--keep-going", "--quiet", "--fresh-env")

# What a browser loads by itself; a link that a reader may follow is something else.
_FETCHED = re.compile(r"""\b(?:src|srcset)=["']?(?:https?:)?//|<link[^>]+href=["'](?:https?:)?//""")
_IMPORTED = re.compile(r"""@import\s|url\(["']?(?:https?:)?//""")


def main(pages: Path, site: Path) -> int:
    """Write the pages, turn them into HTML, and see that it stands alone; 0 if all is well."""
    for folder in (pages, site):
        shutil.rmtree(folder, ignore_errors=True)
    stage(pages)
    code = sphinx([*STRICT, "--conf-dir", str(Path(__file__).parent), str(pages), str(site)])
    fetched = [path for path in site.rglob("*") if fetches(path)]
    for path in fetched:
        print(f"{path} loads something from elsewhere", file=sys.stderr)
    if code or fetched:
        return 1
    print(f"Open {site / 'index.html'} in a browser.")
    return 0


def fetches(path: Path) -> bool:
    """Whether a page or a style sheet makes a browser load a file from another server."""
    pattern = {".html": _FETCHED, ".css": _IMPORTED}.get(path.suffix)
    return bool(pattern and pattern.search(path.read_text(encoding="utf-8")))


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
