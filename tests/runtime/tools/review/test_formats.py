"""Findings as text, as data, and as annotations that GitHub and GitLab take."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from flight_delays.checkpointing.tools.review.findings import Finding
from flight_delays.checkpointing.tools.review.formats import formatted
from flight_delays.checkpointing.tools.review.standard import RULES
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path("/projects/flights")
CLOCK = Finding("src/demo/s01.py", 12, "CKP205", "`day` reads the clock (`time.time`)")
ODD = Finding("src/a,b:c%\n/s.py", 1, "CKP204", "100 %, a: b\r\nc")
COMMAND = re.compile(r"::error file=([^,:]*),line=(\d+),title=([^,:]*)::(.*)")


def unescaped(text: str) -> str:
    """What GitHub's runner makes of a value in a workflow command."""
    for mark, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ",")):
        text = text.replace(mark, character)
    return text.replace("%25", "%")


def commands(findings: list[Finding]) -> list[tuple[str, int, str, str]]:
    *lines, _ = formatted(findings, "github", ROOT).split("\n")
    matches = [COMMAND.fullmatch(line) for line in lines]
    assert all(matches)
    return [
        (unescaped(match[1]), int(match[2]), unescaped(match[3]), unescaped(match[4]))
        for match in matches
        if match
    ]


def test_text_gives_the_place_the_rule_the_reason_and_the_remedy() -> None:
    first, *rest, last = formatted([CLOCK], "text", ROOT).splitlines()
    assert first == "src/demo/s01.py:12: CKP205 `day` reads the clock (`time.time`)"
    explanation = " ".join(" ".join(rest).split())
    assert explanation == f"Why: {RULES['CKP205'].reason} Do: {RULES['CKP205'].remedy}"
    assert max(map(len, rest)) <= 100
    assert last == "1 finding; docs/review-standard.md shows an example of each rule."


def test_text_says_so_when_there_is_nothing() -> None:
    assert formatted([], "text", ROOT) == "The review found nothing."
    assert formatted([], "github", ROOT) == "The review found nothing."
    assert formatted([], "json", ROOT) == formatted([], "gitlab", ROOT) == "[]"


def test_json_gives_each_part_by_name() -> None:
    [entry] = json.loads(formatted([CLOCK], "json", ROOT))
    rule = RULES["CKP205"]
    assert entry == {
        "path": "src/demo/s01.py",
        "line": 12,
        "rule": "CKP205",
        "message": "`day` reads the clock (`time.time`)",
        "reason": rule.reason,
        "remedy": rule.remedy,
    }


def test_github_gets_one_annotation_a_finding() -> None:
    rule = RULES["CKP205"]
    assert commands([CLOCK]) == [
        (
            "src/demo/s01.py",
            12,
            f"CKP205: {rule.title}",
            f"{CLOCK.message}\n{rule.reason}\n{rule.remedy}",
        )
    ]


def test_github_s_separators_are_escaped() -> None:
    [(path, _, _, message)] = commands([ODD])
    assert path == ODD.path
    assert message.startswith(ODD.message)


@given(
    st.lists(st.builds(Finding, st.text(), st.integers(1), st.sampled_from(list(RULES)), st.text()))
)
def test_github_gets_one_line_for_each_finding(findings: list[Finding]) -> None:
    assert len(commands(findings)) == len(findings)


def test_gitlab_gets_the_fields_that_it_documents() -> None:
    report = json.loads(formatted([CLOCK, ODD], "gitlab", ROOT))
    for entry in report:
        assert entry.keys() == {"description", "check_name", "fingerprint", "severity", "location"}
        assert entry["severity"] in {"info", "minor", "major", "critical", "blocker"}
        assert entry["location"].keys() == {"path", "lines"}
        assert not entry["location"]["path"].startswith(("/", "./"))
    assert report[0]["check_name"] == "CKP205"
    assert report[0]["location"] == {"path": "src/demo/s01.py", "lines": {"begin": 12}}
    assert report[0]["description"].startswith(CLOCK.message)


def test_gitlab_s_fingerprints_differ_even_for_equal_findings() -> None:
    findings = [CLOCK, Finding(CLOCK.path, 40, CLOCK.rule, CLOCK.message), ODD]
    prints = [entry["fingerprint"] for entry in json.loads(formatted(findings, "gitlab", ROOT))]
    assert len(set(prints)) == 3


def test_gitlab_s_fingerprint_stays_when_lines_move() -> None:
    moved = Finding(CLOCK.path, 99, CLOCK.rule, CLOCK.message)
    before, after = (json.loads(formatted([f], "gitlab", ROOT)) for f in (CLOCK, moved))
    assert before[0]["fingerprint"] == after[0]["fingerprint"]


@pytest.mark.parametrize(
    ("form", "variable"), [("github", "GITHUB_WORKSPACE"), ("gitlab", "CI_PROJECT_DIR")]
)
def test_paths_start_at_the_top_of_ci_s_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, form: str, variable: str
) -> None:
    root = tmp_path / "batch" / "flights"
    root.mkdir(parents=True)
    monkeypatch.setenv(variable, str(tmp_path))
    assert "batch/flights/src/demo/s01.py" in formatted([CLOCK], form, root)  # type: ignore[arg-type]
    monkeypatch.setenv(variable, "/somewhere/else")
    assert "batch/flights" not in formatted([CLOCK], form, root)  # type: ignore[arg-type]
