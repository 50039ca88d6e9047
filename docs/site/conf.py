"""Settings of Sphinx, which turns the pages that `docs.site` writes into HTML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pygments.lexers.special import TextLexer

HERE = Path(__file__).parent

project = "cookiecutter-checkpoint-pipeline"
html_title = "Checkpoint pipelines"
extensions = ["myst_parser"]
myst_heading_anchors = 3
nitpicky = True

html_theme = "furo"
html_static_path = [str(HERE / "static")]
html_css_files = ["style.css"]
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False

SPANISH = {"es"}


def speak_spanish(
    app: object, page: str, template: str, context: dict[str, Any], tree: object
) -> None:
    """Tell browsers and screen readers the language of a page."""
    if page in SPANISH:
        context["language"] = "es"


def setup(app: Any) -> None:
    """Sphinx calls this once."""
    app.connect("html-page-context", speak_spanish)
    app.add_lexer("mermaid", TextLexer)  # a chart in the page of a project is shown as it is typed
