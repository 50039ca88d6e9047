"""Charts as SVG in the page's own colours: drawn once for a wide window and once for a narrow one.

The SVG needs no script. Colours are CSS variables, which the page sets for light, dark and print.
"""

from __future__ import annotations

import io
import itertools
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import altair as alt
from altair.utils.schemapi import debug_mode
from markupsafe import Markup

from ....base.units import size

WIDE, NARROW = 880, 330  # pixels
MARGIN = 68  # pixels that the labels of a vertical axis take
TOOLTIP = alt.Description("tooltip:N")  # the text of a mark when the mouse rests on it

_FAR = 4  # a budget this many times above the peaks is not drawn: they would be a flat line
_LETTER = 7.4  # pixels that a letter takes at most, on average
_SMALL_LETTER = 6.8  # the same, of the smaller letters within a mark
_FEW = 5  # letters that are too few to tell a name by its beginning
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SVG = "http://www.w3.org/2000/svg"
_drawn = itertools.count()

Layers = Sequence[alt.Chart]
Facts = Sequence[dict[str, Any]]

ElementTree.register_namespace("", _SVG)


@dataclass(frozen=True)
class Ceiling:
    """The upper end of a scale of memory, in bytes, for peaks and the budget beside them."""

    peak: int
    budget: int

    @property
    def shows_budget(self) -> bool:
        return 0 < self.budget <= _FAR * self.peak

    @property
    def bytes(self) -> int:
        return max(self.peak, self.budget if self.shows_budget else 0, 1)

    @property
    def label(self) -> str:
        """The name of the budget, with a hint if the scale does not reach it."""
        return f"budget {size(self.budget)}" + ("" if self.shows_budget else ", far above")


def figure(layers: Callable[[int], Layers], height: int, summary: str) -> Markup:
    """A chart for both widths of window.

    Args:
        layers: the layers of the chart, for a width in pixels.
        height: of the plot without its axes, in pixels.
        summary: the message of the chart, for people who cannot see it.
    """
    with debug_mode(False):  # each part of a chart would be validated alone, and then the whole
        return Markup("").join(
            _svg(_chart(layers(width), width, height), name, summary)
            for name, width in (("wide", WIDE), ("narrow", NARROW))
        )


def chart(facts: Facts) -> alt.Chart:
    """A layer that draws one mark for each of these facts."""
    values = [{key: _drawable(value) for key, value in fact.items()} for fact in facts]
    return alt.Chart(alt.Data(values=values))  # type: ignore[no-untyped-call]  # Altair's


def bytes_axis(width: int) -> alt.Axis:
    """An axis whose labels are sizes, such as 250 MB."""
    label = "datum.value ? replace(format(datum.value, '.3~s'), /([a-zA-Z]?)$/, ' $1B') : '0'"
    return alt.Axis(labelExpr=label, tickCount=5 if width == WIDE else 3)


def held_axis(width: int) -> alt.Axis:
    """A vertical axis of sizes, which takes MARGIN pixels."""
    axis = bytes_axis(width)
    axis.minExtent = axis.maxExtent = MARGIN
    return axis


def seconds_axis(width: int) -> alt.Axis:
    """An axis whose labels are times in seconds."""
    label = "format(datum.value, ',~r') + ' s'"
    return alt.Axis(labelExpr=label, tickCount=8 if width == WIDE else 4, grid=False)


def labels(names: Sequence[str]) -> str:
    """The expression of an axis that labels the numbers from 0 on with names."""
    return f"{json.dumps([_drawable(name) for name in names])}[datum.value]"


def names_width(width: int, names: Sequence[str]) -> float:
    """Pixels that names need beside their rows, within what a chart of that width can spare."""
    return min(max(map(len, names)) * _LETTER + 8, width * 0.38)


def rows_axis(width: int, names: Sequence[str], headings: Sequence[int] = ()) -> alt.Y:
    """Rows by their number `row`, each with its name; those of `headings` in bold."""
    weight: Any = {
        "condition": {
            "test": f"indexof({json.dumps([*headings])}, datum.value) >= 0",
            "value": 600,
        },
        "value": 400,
    }
    extent = names_width(width, names)
    axis = alt.Axis(
        labelExpr=labels(names),
        labelLimit=extent / 1.15,  # browsers' letters may be wider than those measured here
        labelFontWeight=weight,
        maxExtent=extent,
        minExtent=extent,
        labelColor="var(--ink)",
        grid=False,
    )
    scale = alt.Scale(domain=[*range(len(names))], paddingInner=0.25, paddingOuter=0.1)
    return alt.Y("row:O", axis=axis, scale=scale)


def fitted(text: str, pixels: float) -> str:
    """As much of a name as fits in so many pixels: of s01_ingest at least s01, or nothing."""
    room = int((pixels - 6) / _SMALL_LETTER)
    if len(text) <= room:
        return text
    if room > _FEW:
        return f"{text[: room - 1]}…"
    number = re.match(r"s\d+(?=_)", text)
    return number[0] if number and len(number[0]) <= room else ""


def _drawable(value: Any) -> Any:
    """Text without the characters that XML forbids, because they crash the library's process."""
    return _NOT_IN_XML.sub("\ufffd", value) if isinstance(value, str) else value


def _chart(layers: Layers, width: int, height: int) -> alt.LayerChart:
    drawn: alt.LayerChart = (
        alt.layer(*layers)
        .properties(width=width, height=height)
        .configure(
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
            background="transparent",
            font="system-ui, sans-serif",
            padding=2,
        )
        .configure_view(stroke=None)
        .configure_axis(
            domain=False,
            gridColor="var(--line)",
            labelColor="var(--muted)",
            labelFontSize=12,
            labelPadding=6,
            ticks=False,
            title=None,
        )
        .configure_axisX(labelFlush=25)  # pixels from the ends, where a label would stand out
        .configure_text(
            fontSize=12, color="var(--ink)", stroke="var(--paper)", strokeWidth=3, aria=False
        )
    )
    return drawn


def _svg(chart: alt.LayerChart, name: str, summary: str) -> Markup:
    """The SVG of a chart, prepared for a page with several charts."""
    text = io.StringIO()
    chart.save(text, format="svg")
    root = ElementTree.fromstring(text.getvalue())
    _number_ids(root, f"c{next(_drawn)}-")
    _titles_for_descriptions(root)
    for key in ("width", "height"):
        root.attrib.pop(key)
    root.attrib |= {"class": name, "role": "img", "aria-label": summary}
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # escaped by ElementTree


def _number_ids(root: ElementTree.Element, prefix: str) -> None:
    """Make the ids of one chart differ from those of all others."""
    for element in root.iter():
        if "id" in element.attrib:
            element.attrib["id"] = prefix + element.attrib["id"]
        for key, value in element.attrib.items():
            if value.startswith("url(#"):
                element.attrib[key] = value.replace("url(#", f"url(#{prefix}")


def _titles_for_descriptions(root: ElementTree.Element) -> None:
    """Make a mark's description its title, which a browser shows where the mouse rests."""
    for element in [*root.iter()]:
        description = element.attrib.pop("aria-label", "")
        for key in ("role", "aria-roledescription", "aria-hidden"):
            element.attrib.pop(key, None)
        if description and element.tag != f"{{{_SVG}}}g":
            title = ElementTree.Element(f"{{{_SVG}}}title")
            title.text = description
            element.insert(0, title)
