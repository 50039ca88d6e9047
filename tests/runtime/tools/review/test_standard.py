"""Each rule of docs/review-standard.md: its bad example breaks it, its good one breaks nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flight_delays.checkpointing.tools.review.findings import Rule
from flight_delays.checkpointing.tools.review.standard import RULES

from ....conftest import TEMPLATE
from .reviewed import Reviewed

PAGE = (TEMPLATE / "docs" / "review-standard.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (CKP\d+): (.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
BLOCK = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)

Files = dict[str, str]


def examples(rule: str) -> tuple[Files, Files]:
    """The files of a rule's bad example and of its good one, by their titles."""
    bad, good = re.split(r"^\w+:\n", SECTIONS[rule], flags=re.MULTILINE)[1:3]
    return dict(BLOCK.findall(bad)), dict(BLOCK.findall(good))


def rules_broken(files: Files, folder: Path) -> list[str]:
    """What a review finds in an example. A title with `before` is of an earlier commit."""
    project = Reviewed(folder).put({})
    paths = {
        title: f"src/demo/{title}" if title.endswith(".py") else title.removesuffix(" before")
        for title in files
    }
    earlier = {paths[title]: text for title, text in files.items() if title.endswith(" before")}
    if earlier:
        project.put(earlier).commit()
    project.put({paths[t]: text for t, text in files.items() if not t.endswith(" before")})
    return project.rules("HEAD" if earlier else None)


def test_the_page_has_a_section_for_each_rule_in_the_same_order() -> None:
    assert list(SECTIONS) == list(RULES)


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_a_section_says_what_the_command_says(rule: Rule) -> None:
    section = " ".join(SECTIONS[rule.id].split())
    assert section.startswith(f"{rule.title} {rule.reason} Bad:")
    assert f"What to do: {rule.remedy}" in section


@pytest.mark.parametrize("rule", RULES)
def test_the_bad_example_breaks_this_rule_and_no_other(rule: str, tmp_path: Path) -> None:
    bad, _ = examples(rule)
    assert bad
    assert set(rules_broken(bad, tmp_path)) == {rule}


@pytest.mark.parametrize("rule", RULES)
def test_the_good_example_breaks_no_rule(rule: str, tmp_path: Path) -> None:
    _, good = examples(rule)
    assert good
    assert rules_broken(good, tmp_path) == []


def test_the_page_s_own_exception_is_one_that_the_command_accepts(tmp_path: Path) -> None:
    [comment] = re.findall(r"^# review: .*$", PAGE, re.MULTILINE)
    project = Reviewed(tmp_path).write(
        s01=f"""
        @step
        def day() -> int:
            {comment}
            return datetime.now().day
        """
    )
    assert project.rules() == []
