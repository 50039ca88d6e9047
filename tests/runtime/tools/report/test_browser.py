"""The page in a real browser, opened from disk as its readers open it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flight_delays.checkpointing.tools.report.content import read_content
from flight_delays.checkpointing.tools.report.page import page

from ...builders import declared, pipeline
from .browser import Browser, browser
from .past_runs import SOURCES, WIRING, leave, record, second, segment, timeline

pytestmark = pytest.mark.slow

WIDE, NARROW = 1200, 360
CHARTS = 6
LONG = "a_name_as_long_as_anybody_would_ever_give_to_a_segment_of_a_pipeline"

# Of each chart that shows: its place in the window, and that of the texts in it.
SHOWN = """
[...document.querySelectorAll("svg")].filter(svg => svg.getClientRects().length).map(svg => {
  const place = ({left, right, width, height}) => ({left, right, width, height});
  const texts = [...svg.querySelectorAll("text")].filter(text => text.textContent.trim());
  return {
    name: svg.getAttribute("class"), ...place(svg.getBoundingClientRect()),
    texts: texts.map(text => ({said: text.textContent, ...place(text.getBoundingClientRect())})),
  };
})
"""
# Of each chart that shows: the places of its texts and of its cuts.
PLACES = """
[...document.querySelectorAll("svg")].filter(svg => svg.getClientRects().length).map(svg => {
  const visible = (selector) => [...svg.querySelectorAll(selector + ":not([opacity='0'])")];
  const places = (selector) => visible(selector).map(mark => {
    const {left, right, top, bottom} = mark.getBoundingClientRect();
    return {said: mark.textContent, left, right, top, bottom};
  }).filter(place => place.bottom > place.top);
  return {texts: places("text").filter(text => text.said), cuts: places("line[stroke*='--cut']")};
})
"""
OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"
# The lightness of colours as they are shown, from 0 to 1.
LIGHTNESS = """
(() => {
  const lightness = (selector, property) => {
    const color = getComputedStyle(document.querySelector(selector))[property];
    const [red, green, blue] = color.match(/[0-9.]+/g).map(Number);
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
  };
  return {
    paper: lightness("body", "backgroundColor"),
    ink: lightness("body", "color"),
    label: lightness("svg text", "fill"),
  };
})()
"""


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run with a cut, a reused segment, and a name that is too long."""
    folder = tmp_path_factory.mktemp("report")
    leave(folder / "runs", "20260101T000000-a", record())
    last = record(segment("s01", "reused"), second(), segment(LONG, parts=3))
    leave(folder / "runs", "20260102T000000-a", last, timeline())
    target = folder / "report.html"
    text = page(read_content(declared(pipeline(folder, *SOURCES, wiring=WIRING))))
    target.write_text(text, encoding="utf-8")
    return target


def charts(window: Browser) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = window.evaluate(SHOWN)
    return shown


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(("width", "name"), [(WIDE, "wide"), (700, "narrow"), (NARROW, "narrow")])
def test_the_charts_are_drawn_and_the_page_fits_the_window(
    window: Browser, report: Path, width: int, name: str, dark: bool
) -> None:
    window.open(report, width, dark=dark)

    assert window.evaluate(OVERFLOW) == 0
    assert [chart["name"] for chart in charts(window)] == [name] * CHARTS
    for chart in charts(window):
        assert chart["width"] > min(width, 500) * 0.8
        assert chart["height"] > 50
        assert len(chart["texts"]) >= 3


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_no_text_of_a_chart_is_cut_off(window: Browser, report: Path, width: int) -> None:
    window.open(report, width)
    outside = [
        (text["said"], text["left"] - chart["left"], text["right"] - chart["right"])
        for chart in charts(window)
        for text in chart["texts"]
        if text["left"] < chart["left"] - 1 or text["right"] > chart["right"] + 1
    ]

    assert outside == []


def overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(
        one["left"] < other["right"]
        and other["left"] < one["right"]
        and one["top"] < other["bottom"]
        and other["top"] < one["bottom"]
    )


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_no_text_of_a_chart_is_crossed_by_a_cut_or_another_text(
    window: Browser, report: Path, width: int
) -> None:
    window.open(report, width)
    shown = window.evaluate(PLACES)
    crossed = [
        (text["said"], mark["said"] or "cut")
        for chart in shown
        for number, text in enumerate(chart["texts"])
        for mark in [*chart["texts"][:number], *chart["cuts"]]
        if overlap(text, mark)
    ]

    assert crossed == []
    assert [len(chart["cuts"]) for chart in shown] == [2, 0, 0, 1, 0, 0]


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_each_segment_is_named_once_above_its_cuts(
    window: Browser, report: Path, width: int
) -> None:
    window.open(report, width)
    for chart in (chart for chart in window.evaluate(PLACES) if chart["cuts"]):
        named = [text for text in chart["texts"] if text["said"] in ("s01", "s02")]

        assert [text["said"] for text in named] == ["s01", "s02"]
        assert max(name["bottom"] for name in named) < min(cut["top"] for cut in chart["cuts"])


def test_what_is_live_is_shown_at_the_ends_of_segments_alone(window: Browser, report: Path) -> None:
    window.open(report, WIDE)
    [values] = [chart for chart in window.evaluate(PLACES) if len(chart["cuts"]) == 1]

    assert [text["said"] for text in values["texts"] if text["said"].endswith(" MB")] == ["30 MB"]


def test_a_row_of_a_narrow_table_is_no_taller_for_its_cut(window: Browser, report: Path) -> None:
    window.open(report, NARROW)
    height = window.evaluate("""
      [...document.querySelectorAll(".cuts")].filter(cell => cell.textContent.trim()).map(cell => {
        const text = document.createRange();
        text.selectNodeContents(cell);
        return text.getBoundingClientRect().height;
      })
    """)
    [line] = height

    assert line < 30  # pixels: one line


def test_nothing_is_loaded_and_nothing_is_complained_of(window: Browser, report: Path) -> None:
    window.open(report, WIDE)

    assert window.requests() == [report.as_uri()]
    assert window.complaints() == []


def test_the_browser_would_complain_if_something_were_loaded(
    window: Browser, report: Path, tmp_path: Path
) -> None:
    spoilt = tmp_path / "spoilt.html"
    spoilt.write_text(report.read_text() + "<img src=x.png><script>console.log(1)</script>")
    window.open(spoilt, WIDE)

    assert len(window.complaints()) == 2


def test_light_and_dark_follow_the_reader_s_system(window: Browser, report: Path) -> None:
    window.open(report, WIDE)
    light = window.evaluate(LIGHTNESS)
    window.open(report, WIDE, dark=True)
    dark = window.evaluate(LIGHTNESS)

    assert light["paper"] > 0.9 > 0.5 > light["label"] > light["ink"]
    assert dark["paper"] < 0.2 < 0.5 < dark["label"] < dark["ink"]


def test_a_print_is_light_and_has_the_wide_charts(window: Browser, report: Path) -> None:
    window.open(report, NARROW, dark=True, media="print")
    printed = window.evaluate(LIGHTNESS)

    assert printed["paper"] > 0.9
    assert printed["ink"] < 0.2
    assert {chart["name"] for chart in charts(window)} == {"wide"}


def test_the_mouse_finds_the_figures_of_a_mark(window: Browser, report: Path) -> None:
    window.open(report, WIDE)
    titles = window.evaluate(
        "[...document.querySelectorAll('svg.wide title')].map(t => t.innerHTML)"
    )

    assert any(text.startswith("doubled: peak 380 MB, 95% of the budget") for text in titles)
    assert any(text.startswith("total reads doubled") for text in titles)
