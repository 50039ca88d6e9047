"""The report as Markdown, for a pull request."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flight_delays.checkpointing.tools.report.content import read_content
from flight_delays.checkpointing.tools.report.markdown import markdown
from markdown_it import MarkdownIt

from ...builders import declared, pipeline
from .past_runs import SOURCES, WIRING, application, first, leave, record, second, segment, step

HOSTILE = "`a``|b|\n# head <b>@team</b> [x](http://y) *z* _w_ ~v~ ![i](j) &amp; $1$"


def written(folder: Path, *runs: dict[str, Any]) -> str:
    for number, run in enumerate(runs, start=1):
        leave(folder / "runs", f"2026010{number}T000000-a", run)
    return markdown(read_content(declared(pipeline(folder, *SOURCES, wiring=WIRING))))


def rendered(text: str) -> str:
    """The HTML that GitHub-flavoured Markdown makes of it."""
    github = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return str(github.render(text))


def test_it_tells_the_verdict_the_segments_the_peaks_and_the_cuts(tmp_path: Path) -> None:
    assert written(tmp_path, record()) == (
        "### `demo`: Completed, with 1 cut.\n"
        "\n"
        "Peak 250 MB, 62% of the budget of 400 MB (--budget); 12.3 s; 60 MB written.\n"
        "\n"
        "| segment | status | parts | peak | of budget | time | written |\n"
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |\n"
        "| `s01` | ran | 1 | 250 MB | 62% | 2.0 s | 30 MB |\n"
        "| `s02` | ran | 2 | 250 MB | 62% | 2.0 s | 30 MB |\n"
        "\n"
        "**Highest peaks**\n"
        "\n"
        "| step | segment | peak | of budget | began with |\n"
        "| --- | --- | ---: | ---: | ---: |\n"
        "| `doubled` | `s02` | 380 MB | 95% | 150 MB |\n"
        "| `table` | `s01` | 250 MB | 62% | 150 MB |\n"
        "| `total` | `s02` | 250 MB | 62% | 150 MB |\n"
        "| `told` | `s02` | 250 MB | 62% | 150 MB |\n"
        "| `commit` | `s01` | 210 MB | 52% | 200 MB |\n"
        "\n"
        "**Cuts**\n"
        "\n"
        "- `s02` before `total`: over budget\n"
        "\n"
        "Run of 23 November 2026, 18:00 UTC.\n"
    )


def test_a_reused_segment_tells_when_it_was_measured(tmp_path: Path) -> None:
    text = written(tmp_path, record(), record(segment("s01", "reused"), second()))

    assert "| `s01` | reused (measured 23 November 2026, 18:00 UTC) | 1 | 250 MB |" in text


def test_the_error_of_a_failed_run_stands_as_it_is(tmp_path: Path) -> None:
    message = "held too much:\n```\n| not | a table |"
    error = {"kind": "step_failed", "segment": "s01", "step": "table", "message": message}
    text = written(tmp_path, record(segment("s01", "failed"), error=error))

    assert "### `demo`: Failed in segment s01, at step table: a step failed." in text
    assert f"````text\n{message}\n````" in text


def test_a_run_that_left_little_is_reported_all_the_same(tmp_path: Path) -> None:
    text = written(tmp_path, {"pipeline": "demo"})

    assert text.startswith("### `demo`: Nothing had to run")
    assert "|" not in text


@pytest.mark.parametrize("name", [HOSTILE, "`", "a`", "|", "\\|"])
def test_what_a_record_says_is_text_and_never_markup(tmp_path: Path, name: str) -> None:
    cuts = [{"before": name, "why": name}]
    strange = segment(name, name, steps=[step(name)], cuts=cuts)
    error = {"kind": name, "segment": name, "step": name, "message": name}
    run = record(first(), strange, budget_source=name, started_at=name, error=error)
    html = rendered(written(tmp_path, run))

    for markup in ("<b>", "<a ", "<img", "<em>", "<s>", "<h1>"):
        assert markup not in html
    assert "@team" not in re.sub("<code.*?</code>", "", html, flags=re.DOTALL)
    assert html.count("<table>") == 2
    assert html.count("<tr>") == (1 + 2) + (1 + 3)
    assert html.count("<td") == 7 * 2 + 5 * 3


def test_it_tells_the_batches_of_the_steps_that_have_some(tmp_path: Path) -> None:
    steps = [
        step("doubled", batches=3, rows=1_200_000, made_batches=4, made_rows=0),
        step("total", batches=2, rows=900),
        step("told"),
    ]
    text = written(tmp_path, record(first(), segment("s02", steps=steps)))

    assert (
        "**In batches**\n"
        "\n"
        "| step | segment | batches taken | rows | batches made | rows |\n"
        "| --- | --- | ---: | ---: | ---: | ---: |\n"
        "| `doubled` | `s02` | 3 | 1,200,000 | 4 | 0 |\n"
        "| `total` | `s02` | 2 | 900 |  |  |\n"
        "\n"
    ) in text


def test_a_run_without_batches_has_no_table_of_them(tmp_path: Path) -> None:
    assert "batches" not in written(tmp_path, record())


def test_it_tells_what_each_process_of_an_application_took_of_what_it_may(tmp_path: Path) -> None:
    text = written(tmp_path, record(first(), segment("s02", applications=[application()])))

    assert (
        "**What engines took in processes of their own**\n"
        "\n"
        "| application | process | host | may take | heap | beside it | in all |\n"
        "| --- | --- | --- | ---: | ---: | ---: | ---: |\n"
        "| `delays/s02 part 1` | driver | 10.0.0.1 | 1.4 GB | 300 MB |  |  |\n"
        "| `delays/s02 part 1` | executor 0 | 10.0.0.2 | 1.7 GB | 900 MB | 100 MB | 1.1 GB |\n"
        "| `delays/s02 part 1` | executor 1 | 10.0.0.3 | 1.7 GB |  |  |  |\n"
        "\n"
    ) in text


def test_a_run_without_applications_has_no_table_of_them(tmp_path: Path) -> None:
    assert "of their own" not in written(tmp_path, record())
