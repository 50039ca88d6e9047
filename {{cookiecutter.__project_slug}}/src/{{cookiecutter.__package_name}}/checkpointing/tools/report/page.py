"""The report as one HTML page: no script, nothing to load, light, dark and in print."""

from __future__ import annotations

from markupsafe import Markup

from ...base.units import duration, moment, share, size
from .content import Content
from .sections import sections
from .style import STYLE
from .words import statuses, verdict, what_counts

# What the page may load: nothing. Whatever a step's name or an error says, it runs no script.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"

_PAGE = Markup("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{pipeline}, {when}</title>
<style>{style}</style>
</head>
<body>
<header>
<p class="muted">Run of {when}</p>
<h1>{pipeline}</h1>
<p class="verdict {ending}">{verdict}</p>
{error}{notes}
{tiles}
</header>
<main>
{sections}
</main>
<footer>Peaks are {counted} of the whole process tree. Sizes are in powers of ten: 1 GB is
10<sup>9</sup> bytes. Rest the mouse on a mark to see its figures. Record: {record}</footer>
</body>
</html>
""")


def page(content: Content) -> str:
    """The page's HTML. Whatever comes from the project is text in it, never markup."""
    run = content.run
    return str(
        _PAGE.format(
            policy=Markup(_POLICY),
            style=Markup(STYLE),
            pipeline=run.pipeline,
            when=moment(run.started_at),
            ending="failed" if run.error else "completed",
            verdict=verdict(run),
            error=_error(content),
            notes=Markup("").join(
                Markup('<p class="note">{}</p>\n').format(n) for n in content.notes
            ),
            tiles=_tiles(content),
            sections=Markup("").join(sections(content)),
            counted=what_counts(run),
            record=content.folder.name,
        )
    )


def _error(content: Content) -> Markup:
    message = content.run.error.get("message") if content.run.error else None
    if not message:
        return Markup()
    return Markup('<div class="error"><pre>{}</pre></div>\n').format(message)


def _tiles(content: Content) -> Markup:
    run = content.run
    peak = size(run.peak_bytes) if run.peak_bytes else "–"
    of_budget = f"{share(run.peak_bytes, run.budget_bytes)} of the budget" if run.peak_bytes else ""
    tiles = (
        ("Peak memory", peak, of_budget),
        ("Memory budget", size(run.budget_bytes), run.budget_source),
        ("Time", duration(run.seconds), ""),
        ("Written", size(run.bytes_written), ""),
        ("Segments", str(len(run.segments)), statuses(run)),
    )
    cells = (
        Markup("<div><dt>{}</dt><dd>{}<small>{}</small></dd></div>").format(*tile) for tile in tiles
    )
    return Markup('<dl class="tiles">{}</dl>').format(Markup("").join(cells))
