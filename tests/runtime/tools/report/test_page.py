"""The page holds everything that it shows, tells it without a picture too, and believes no name."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flight_delays.checkpointing.tools.report.content import read_content
from flight_delays.checkpointing.tools.report.page import page

from ...builders import declared, pipeline
from .past_runs import (
    BUDGET,
    MB,
    SOURCES,
    WIRING,
    application,
    first,
    leave,
    leave_nothing,
    record,
    second,
    segment,
    step,
    timeline,
)

HOSTILE = "\"'><script>alert(1)</script><img src=//x onerror=alert(1)>&amp;{{7*7}}%s\\\x1b\n`|*_"
VOID = {"meta", "br", "img", "link", "input", "hr"}
CHARTS = 6


class Read(HTMLParser):
    """A page as a browser without scripts and styles reads it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.headings: list[str] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "h2":
            self.headings.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.text += data
        if {"td", "th"} & {*self.open}:
            self.rows[-1][-1] += data
        if "h2" in self.open:
            self.headings[-1] += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def written(folder: Path, *runs: Any) -> str:
    """The page of a project in which these runs were, the last one last: (record, timeline)."""
    for number, run in enumerate(runs, start=1):
        content, over_time = run if isinstance(run, tuple) else (run, None)
        leave(folder / "runs", f"2026010{number}T000000-a", content, over_time)
    return page(read_content(declared(pipeline(folder, *SOURCES, wiring=WIRING))))


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("page"), record(), (record(), timeline()))


@pytest.fixture(scope="module")
def read(text: str) -> Read:
    return Read(text)


def test_the_page_loads_nothing(text: str, read: Read) -> None:
    loading = {"script", "link", "img", "iframe", "object", "embed", "image", "use", "a", "base"}
    assert not loading & {tag for tag, _ in read.tags}
    for _, attributes in read.tags:
        assert not {"src", "href", "xlink:href", "srcset", "action"} & attributes.keys()
        assert not [key for key in attributes if key.startswith("on")]
    assert {*re.findall(r"https?://[^\s\"'<]*", text)} <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert set(re.findall(r"url\((.)", text)) <= {"#"}
    assert "@import" not in text
    assert "default-src 'none'" in str(read.all("meta"))


def test_every_section_is_there(read: Read) -> None:
    assert read.headings == [
        "Memory over time",
        "Segments",
        "Peak memory per step",
        "Time per step",
        "Values and checkpoints",
        "Bytes on disk",
        "Peaks of the last runs",
        "Outputs",
        "Environment",
    ]


def test_the_headline_tells_how_the_run_ended(read: Read) -> None:
    said = " ".join(read.text.split())
    for words in (
        "Run of 23 November 2026, 18:00 UTC demo Completed, with 1 cut.",
        "Peak memory250 MB62% of the budget",
        "Memory budget400 MB--budget",
        "Time12.3 s",
        "Written60 MB",
        "Segments22 ran",
    ):
        assert words in said


def test_each_chart_is_drawn_for_a_wide_and_a_narrow_window(read: Read) -> None:
    drawn = [svg["class"] for svg in read.all("svg")]
    assert drawn == ["wide", "narrow"] * CHARTS


def test_the_reasons_of_cuts_are_explained(read: Read) -> None:
    assert "Why a cut: planned, since" in read.text


def test_each_chart_says_what_it_shows(read: Read) -> None:
    assert [svg["role"] for svg in read.all("svg")] == ["img"] * CHARTS * 2
    summaries = " ".join(svg["aria-label"] for svg in read.all("svg"))
    assert "it peaks at 209 MB, 52% of the budget of 400 MB" in summaries
    assert "the highest is doubled of s02 with 380 MB, 95% of the budget" in summaries
    assert "4 steps in 2 segments; 3 of their values are kept on disk" in summaries


def test_what_a_chart_shows_stands_in_a_table_too(read: Read) -> None:
    rows = [[cell.strip() for cell in row] for row in read.rows]
    for row in (
        ["Segment", "Status", "Parts", "Peak", "Of budget", "Time", "Written", "Cut"],
        ["s02", "ran", "2", "250 MB", "62%", "2.0 s", "30 MB", "before total: over budget"],
        ["doubled", "s02", "150 MB", "380 MB", "95%", "40 MB"],
        ["commit, part 2", "s02", "200 MB", "210 MB", "52%", "–"],
        ["table", "s01", "0.50 s", "1.0 s", "0.00 s", "1.5 s"],
        ["before total", "cut: over budget", "doubled", "30 MB"],
        ["told", "s02", "nothing: a sink", "–", "–"],
        ["table", "s01", "doubled", "40 MB", "30 MB"],
        ["total", "s02", "12 B"],
        ["python", "3.11.7"],
        ["RAM", "16 GB"],
    ):
        assert row in rows


def test_every_table_has_a_caption_and_names_its_rows_and_columns(read: Read) -> None:
    assert len(read.all("caption")) == len(read.all("table")) > 5
    assert {th["scope"] for th in read.all("th")} == {"row", "col"}


def contrast(one: str, other: str) -> float:
    """The contrast of two colours such as #1c2330, from 1 to 21, as WCAG 2 defines it."""

    def luminance(color: str) -> float:
        parts = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_names_and_marks_stand_out_from_what_is_behind_them(text: str, scheme: str) -> None:
    light, dark = (dict(re.findall(r"--(\w+): (#\w{6})", root)) for root in styles(text))
    colors = light if scheme == "light" else light | dark
    names = [("ink", "part"), ("ink", "step"), ("ink", "tint"), ("paper", "write")]
    names += [(name, "paper") for name in ("ink", "muted", "budget", "cut", "good", "bad")]
    marks = [("ink", "kept"), ("ink", "passing"), ("held", "paper"), ("kept", "paper")]

    assert [pair for pair in names if contrast(*map(colors.__getitem__, pair)) < 4.5] == []
    assert [pair for pair in marks if contrast(*map(colors.__getitem__, pair)) < 3] == []


def styles(text: str) -> list[str]:
    """The colours of the page: for light, and those that differ for dark."""
    roots = re.findall(r":root \{(.*?)\}", text, re.DOTALL)
    assert len(roots) == 2
    return roots


def test_no_two_elements_share_an_id(text: str, read: Read) -> None:
    ids = [attributes["id"] for _, attributes in read.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {*re.findall(r"url\(#([^)]*)\)", text)} <= {*ids}


def test_the_page_of_a_long_run_with_many_steps_is_small(tmp_path: Path) -> None:
    steps = [step(f"a_step_with_quite_a_long_name_{number}") for number in range(60)]
    count = 2000
    over_time = {
        "seconds": [number / 7 for number in range(count)],
        "held_bytes": [number * 7919 % 389 * MB for number in range(count)],
        "marks": [
            {"seconds": number, "kind": "step", "segment": "s01", "name": s["name"]}
            for number, s in enumerate(steps)
        ],
    }
    runs = [record()] * 5 + [(record(segment("s01", steps=steps)), over_time)]

    assert len(written(tmp_path, *runs).encode()) < 1_000_000


def test_the_tables_have_every_step_where_the_pictures_have_no_room_for_all(tmp_path: Path) -> None:
    steps = [step(f"step_{number}", peak=200 + number % 199) for number in range(400)]
    page_text = written(tmp_path, record(segment("s01", steps=steps)))
    read = Read(page_text)

    named = [row[0] for row in read.rows if row]
    assert [named.count(s["name"]) for s in steps] == [2] * 400  # peak memory, and time
    assert "shows the 60 highest of 400" in read.text
    assert "shows the 60 longest of 400" in read.text
    assert len(page_text.encode()) < 1_000_000


def test_a_picture_shows_the_highest_steps_in_their_order(tmp_path: Path) -> None:
    steps = [step(f"step_{number}", peak=200 + (number == 3)) for number in range(100)]
    text = written(tmp_path, record(segment("s01", steps=steps)))
    [peaks, *_] = re.findall(r'aria-label="Peaks of .*?</svg>', text, re.DOTALL)

    drawn = list(dict.fromkeys(re.findall(r">(step_\d+): peak", peaks)))
    assert drawn == [f"step_{number}" for number in range(60)]


def hostile_run() -> dict[str, Any]:
    cut = [{"before": HOSTILE, "why": HOSTILE}]
    writes = [{"value": HOSTILE, "bytes": 5 * MB, "seconds": 1.0, "peak_bytes": MB}]
    strange = segment(HOSTILE, HOSTILE, steps=[step(HOSTILE)], cuts=cut, writes=writes)
    return record(
        strange,
        started_at=HOSTILE,
        budget_source=HOSTILE,
        count=HOSTILE,
        environment={HOSTILE: HOSTILE, "ram_bytes": HOSTILE},
        outputs={HOSTILE: HOSTILE},
        error={"kind": HOSTILE, "segment": HOSTILE, "step": HOSTILE, "message": HOSTILE},
    )


def test_what_a_record_says_is_text_and_never_markup(tmp_path: Path, read: Read) -> None:
    mark = {"kind": "step", "segment": HOSTILE, "name": HOSTILE}
    marks = [mark | {"seconds": 0.0}, mark | {"seconds": 0.1, "kind": "part"}]
    over_time = {"seconds": [0.0, 1.0], "held_bytes": [MB, MB], "marks": marks}
    shown = Read(written(tmp_path, (hostile_run(), over_time)))

    assert {tag for tag, _ in shown.tags} <= {tag for tag, _ in read.tags} | {"pre"}
    known = {key for _, attributes in read.tags for key in attributes}
    assert {key for _, attributes in shown.tags for key in attributes} <= known
    assert shown.text.count("<script>alert(1)</script>") > 10
    assert "{{7*7}}" in shown.text


def test_the_page_of_a_failed_run_says_where_and_why(tmp_path: Path) -> None:
    error = {"kind": "budget_exceeded", "segment": "s02", "step": "doubled", "message": "Split it."}
    failed = segment("s02", "failed", steps=[step("doubled", 410)], peak_bytes=410 * MB)
    shown = Read(written(tmp_path, record(first(), failed, error=error)))

    assert "Failed in segment s02, at step doubled: a step alone exceeds the budget." in shown.text
    assert "Split it." in shown.text
    assert "1 ran, 1 failed" in shown.text
    assert "Why a cut" not in shown.text  # there is none


def test_a_run_that_failed_before_anything_ran_has_a_page(tmp_path: Path) -> None:
    error = {"kind": "configuration", "segment": None, "step": None, "message": "No such input."}
    nothing = {"pipeline": "demo", "budget_bytes": 0, "segments": [], "error": error}
    shown = Read(written(tmp_path, nothing))

    assert "Failed: the configuration is wrong." in shown.text
    assert "No memory over time was kept of this run." in shown.text
    assert "No segment was started." in shown.text
    assert shown.text.count("No step was measured.") == 2
    assert "Nothing was written." in shown.text


def test_a_record_of_an_earlier_runtime_has_a_page(tmp_path: Path) -> None:
    steps = [{"name": "table", "peak_bytes": 200 * MB, "seconds": 0.5}]
    old = segment("s01", steps=steps)
    del old["cuts"], old["writes"]
    content = record(old)
    del content["environment"], content["count"]
    shown = Read(written(tmp_path, content))

    assert "Environment" not in shown.headings
    assert ["table", "s01", "–", "200 MB", "50%", "–"] in shown.rows
    assert "held when it began" not in shown.text
    assert "No memory over time was kept of this run." in shown.text


def test_a_run_that_reused_everything_shows_what_was_measured_before(tmp_path: Path) -> None:
    reused = record(segment("s01", "reused"), segment("s02", "reused"), seconds=0.2)
    before = record(started_at="2026-11-22T09:05:00+00:00")
    shown = Read(written(tmp_path, (before, timeline()), reused))

    assert "Nothing had to run: every segment was reused." in shown.text
    assert "this is the run of 22 November 2026, 09:05 UTC" in shown.text
    assert shown.text.count("Paler bars were measured in an earlier run") == 2
    assert any("reused measured 22 November 2026, 09:05 UTC" in row[1] for row in shown.rows if row)
    assert len(shown.all("svg")) == 2 * CHARTS


def test_a_budget_far_above_the_peaks_is_named_and_does_not_flatten_them(tmp_path: Path) -> None:
    shown = Read(written(tmp_path, (record(budget_bytes=100 * BUDGET), timeline())))

    assert "budget 40 GB, far above" in shown.text
    labels = {"".join(text.split()) for text in re.findall(r"\d+ MB", shown.text)}
    assert "200MB" in labels


def test_notes_stand_at_the_top(tmp_path: Path) -> None:
    killed = leave_nothing(tmp_path / "runs", "20270101T000000-k").name
    shown = Read(written(tmp_path, record(second())))

    assert f"A later run, {killed}, has left no record" in shown.text


def test_the_page_shows_batches_where_a_step_had_some(tmp_path: Path, read: Read) -> None:
    steps = [step("doubled", batches=3, rows=1_200_000, made_batches=4), step("total")]
    shown = Read(written(tmp_path, record(first(), segment("s02", steps=steps))))

    assert ["doubled", "s02", "3", "1,200,000", "4", "0"] in shown.rows
    assert "Tables in batches" in shown.headings
    assert "Tables in batches" not in read.headings


def test_the_page_shows_what_the_processes_of_an_application_took(
    tmp_path: Path, read: Read
) -> None:
    applications = [application()]
    shown = Read(written(tmp_path, record(first(), segment("s02", applications=applications))))

    took = ["1.7 GB", "900 MB", "100 MB", "1.1 GB"]
    assert ["delays/s02 part 1", "executor 0", "10.0.0.2", *took] in shown.rows
    assert "What engines took in processes of their own" in shown.headings
    assert "What engines took in processes of their own" not in read.headings
