"""Exceptions from the standard: each needs a rule, a reason, and something to allow."""

from __future__ import annotations

from pathlib import Path

import pytest

from .reviewed import Reviewed

WHY = "because the report is of today"
STEP = """
    @step
    def moment() -> int:
        {above}
        return datetime.now().year{behind}
"""


@pytest.fixture
def project(tmp_path: Path) -> Reviewed:
    return Reviewed(tmp_path).put({})


def reviewed(project: Reviewed, above: str = "", behind: str = "") -> list[tuple[str, str]]:
    project.write(s01=STEP.format(above=above, behind=behind))
    return [(finding.rule, finding.message) for finding in project.findings()]


@pytest.mark.parametrize(
    "comment",
    [
        f"# review: allow CKP205 {WHY}",
        f"#review: allow ckp205 {WHY}",
        f"# review: allow CKP205, {WHY}",
        f"# noqa: DTZ005  # review: allow CKP205 {WHY}",
    ],
)
def test_an_exception_with_its_reason_allows_the_finding(project: Reviewed, comment: str) -> None:
    assert reviewed(project, above=comment) == []
    assert reviewed(project, behind=f"  {comment}") == []


@pytest.mark.parametrize("missing", ["", "because", "because -", "as it is of today"])
def test_an_exception_without_a_reason_allows_nothing(project: Reviewed, missing: str) -> None:
    findings = reviewed(project, behind=f"  # review: allow CKP205 {missing}")
    assert [rule for rule, _ in findings] == ["CKP002", "CKP205"]
    assert findings[0][1] == "the exception from CKP205 gives no reason"


@pytest.mark.parametrize("rule", ["CKP999", "CKP001", "CKP002"])
def test_an_exception_from_an_unknown_rule_is_reported(project: Reviewed, rule: str) -> None:
    findings = reviewed(project, behind=f"  # review: allow CKP205, {rule} {WHY}")
    assert findings == [("CKP002", f"no rule {rule} can be allowed")]


@pytest.mark.parametrize("verb", ["allow", "ignore", "disable", "noqa"])
def test_an_exception_that_names_no_rule_is_reported(project: Reviewed, verb: str) -> None:
    findings = reviewed(project, behind=f"  # review: {verb} this {WHY}")
    assert ("CKP002", "the exception names no rule") in findings


def test_an_exception_that_allows_nothing_is_reported(project: Reviewed) -> None:
    findings = reviewed(project, behind=f"  # review: allow CKP205, CKP204 {WHY}")
    assert findings == [("CKP002", "nothing here breaks CKP204")]


def test_an_exception_two_lines_away_allows_nothing(project: Reviewed) -> None:
    project.write(
        s01=f"""
        # review: allow CKP205 {WHY}
        YEARS = 3

        @step
        def moment() -> int:
            return datetime.now().year
        """
    )
    assert project.rules() == ["CKP002", "CKP205"]


def test_words_that_only_look_like_an_exception_are_left_alone(project: Reviewed) -> None:
    text = 'return "# review: allow CKP205"  # review: this needs a second look'
    project.write(s01=f"    @step\n    def text() -> str:\n        {text}\n")
    assert project.rules() == []


def test_an_exception_speaks_of_the_whole_statement_it_stands_in(project: Reviewed) -> None:
    project.write(
        s01=f"""
        @step
        def moment(
            table,  # review: allow CKP102 {WHY}
        ) -> pd.DataFrame:
            return table.assign(
                loaded=datetime.now(),
                note="x",  # review: allow CKP205 {WHY}
            )
        """
    )
    assert project.rules() == []


def test_an_exception_above_a_block_does_not_speak_of_what_is_in_it(project: Reviewed) -> None:
    project.write(
        s01=f"""
        @step
        def moment(rows: int) -> int:
            # review: allow CKP205 {WHY}
            if rows:
                return datetime.now().year
            return 0
        """
    )
    assert project.rules() == ["CKP002", "CKP205"]


def test_an_exception_above_a_decorator_speaks_of_the_function_s_head(project: Reviewed) -> None:
    project.write(
        s01=f"""
        # review: allow CKP102 {WHY}
        @step
        def moment(rows):
            return rows
        """
    )
    assert project.rules() == []
