"""What belongs to the architects: the budget, the runtime, and the file that says so."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.tools.review.owners import owners_of

from .reviewed import Reviewed, lines_of

OWNED = "* @team\n/memory_budget.toml @architects\n"


def budget(ram: str = "100 GB", quota: str = "10 %", more: str = "") -> str:
    return f'[cluster]\nram = "{ram}"\nquota = "{quota}"\n{more}'


@pytest.fixture
def project(tmp_path: Path) -> Reviewed:
    return Reviewed(tmp_path).put({"memory_budget.toml": budget()})


@pytest.mark.parametrize(
    ("raised", "key", "line"),
    [
        (budget(quota="11 %"), "quota", 3),
        (budget(quota="20%"), "quota", 3),
        (budget(ram="200 GB"), "quota", 3),
        (budget(ram="100 GiB"), "quota", 3),
        (budget(ram="1 TB", quota="2 %"), "quota", 3),
        ("[cluster]\nram = 100_000_000_000\nquota = 0.2", "quota", 3),
        (budget(more="[segment]\nmax_steps = 12\n"), "max_steps", 5),
        (budget(more='[checkpoints]\nmax_disk = "1 TB"\n'), "max_disk", 5),
        (budget(more='[checkpoints]\ncache_max = "1 TB"\n'), "cache_max", 5),
    ],
)
def test_a_limit_that_was_raised_without_an_owner_is_reported(
    project: Reviewed, raised: str, key: str, line: int
) -> None:
    project.commit()
    project.put({"memory_budget.toml": raised})
    [finding] = project.findings("HEAD")
    assert lines_of([finding]) == [f"memory_budget.toml:{line} CKP401"]
    assert f"`{key}` was raised since HEAD" in finding.message


def test_counting_less_of_the_memory_is_a_raise(project: Reviewed) -> None:
    project.put({"memory_budget.toml": budget(more='[budget]\ncount = "rss"\n')}).commit()
    project.put({"memory_budget.toml": budget(more='[budget]\ncount = "held"\n')})
    assert project.rules("HEAD") == ["CKP401"]
    project.put({"memory_budget.toml": budget()})
    assert project.rules("HEAD") == ["CKP401"]


@pytest.mark.parametrize(
    "changed", [budget(), budget(quota="9 %"), budget(ram="50 GB", quota="20 %"), budget("95 GB")]
)
def test_a_budget_that_is_the_same_or_lower_is_nobody_s_concern(
    project: Reviewed, changed: str
) -> None:
    project.commit()
    assert project.put({"memory_budget.toml": changed}).rules("HEAD") == []


def test_a_budget_that_has_an_owner_is_left_to_the_host_to_ask_for(project: Reviewed) -> None:
    owners = f"{OWNED}/src/demo/checkpointing/ @architects\n/CODEOWNERS @architects\n"
    project.put({"CODEOWNERS": owners}).commit()
    assert project.put({"memory_budget.toml": budget(quota="50 %")}).rules("HEAD") == []


def test_the_owner_that_a_new_project_comes_with_is_nobody(project: Reviewed) -> None:
    project.put({"CODEOWNERS": "* @your-org/architects\n"}).commit()
    assert project.put({"memory_budget.toml": budget(quota="50 %")}).rules("HEAD") == ["CKP401"]


def test_an_owner_who_comes_with_the_raise_does_not_count(project: Reviewed) -> None:
    project.commit()
    project.put({"memory_budget.toml": budget(quota="50 %"), "CODEOWNERS": "* @me\n"})
    assert project.rules("HEAD") == ["CKP401"]


def test_a_raise_may_be_allowed_with_a_reason(project: Reviewed) -> None:
    project.commit()
    allowed = '\n# review: allow CKP401 because the board granted it\nquota = "50 %"'
    raised = budget().replace('\nquota = "10 %"', allowed)
    assert project.put({"memory_budget.toml": raised}).rules("HEAD") == []
    assert project.rules() == []  # without --base, the rule was not checked


def test_the_budget_is_compared_with_where_the_branch_began(project: Reviewed) -> None:
    """The base's own later change is none of the branch's."""

    def git(*words: str) -> None:
        subprocess.run(["git", *words], cwd=project.folder, check=True, capture_output=True)

    project.commit()
    git("checkout", "--quiet", "-b", "work")
    git("branch", "--force", "main")
    git("checkout", "--quiet", "main")
    project.put({"memory_budget.toml": budget(quota="5 %")})
    git("add", ".")
    git("-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "--quiet", "-m", "less")
    git("checkout", "--quiet", "work")
    assert project.rules("main") == []
    project.put({"memory_budget.toml": budget(quota="11 %")})
    assert project.rules("main") == ["CKP401"]


def test_a_project_below_the_top_of_its_repository_is_found(tmp_path: Path) -> None:
    top = Reviewed(tmp_path)
    project = Reviewed(tmp_path / "batch" / "flights").put({"memory_budget.toml": budget()})
    top.commit()
    project.put({"memory_budget.toml": budget(quota="20 %")})
    assert project.rules("HEAD") == ["CKP401"]
    (tmp_path / "CODEOWNERS").write_text("/memory_budget.toml @architects\n")
    assert project.rules() == ["CKP402"] * 3
    owners = "/batch/flights/memory_budget.toml @a\n/batch/**/checkpointing/ @a\nCODEOWNERS @a\n"
    (tmp_path / "CODEOWNERS").write_text(owners)
    assert project.rules() == []


def test_a_ref_that_git_does_not_know_is_an_error_that_says_what_to_do(project: Reviewed) -> None:
    project.commit()
    with pytest.raises(ConfigurationError, match="fetch the branch first"):
        project.findings("no-such-branch")


def test_a_base_needs_a_repository(project: Reviewed) -> None:
    with pytest.raises(ConfigurationError, match="--base"):
        project.findings("HEAD")


def test_a_budget_that_is_new_was_not_raised(project: Reviewed) -> None:
    (project.folder / "memory_budget.toml").rename(project.folder / "later")
    project.commit()
    (project.folder / "later").rename(project.folder / "memory_budget.toml")
    assert project.rules("HEAD") == []


@pytest.mark.parametrize("place", [".github/CODEOWNERS", "CODEOWNERS", ".gitlab/CODEOWNERS"])
def test_an_owners_file_that_leaves_something_out_is_reported(
    project: Reviewed, place: str
) -> None:
    project.put({place: "*.py @team\n"})
    messages = [finding.message for finding in project.findings()]
    assert messages == [f"nobody owns `{place}`", "nobody owns `memory_budget.toml`"]
    project.put({place: "* @team\n"})
    assert project.rules() == []


SECTIONS = """
# comment
[Docs]
*.md @writers

^[Budget][2] @architects @security
memory_budget.toml
/data/raw/** @data
"""


@pytest.mark.parametrize(
    ("path", "text", "owners"),
    [
        ("a/b.py", "*.py @x", ("@x",)),
        ("a/b.py", "/*.py @x", ()),
        ("b.py", "/*.py @x", ("@x",)),
        ("a/b.py", "* @x\n/a/ @y", ("@y",)),
        ("a/b.py", "/a/ @y\n* @x", ("@x",)),
        ("a/b.py", "* @x\n/a/", ()),
        ("x/a/b.py", "a/ @y", ("@y",)),
        ("x/a/b.py", "/a/ @y", ()),
        ("a/x/b.py", "/a/* @y", ()),
        ("a/b.py", "/a/* @y", ("@y",)),
        ("src/x/y/store.py", "/src/**/y/ @y", ("@y",)),
        ("src/y/store.py", "/src/**/y/ @y", ("@y",)),
        ("src/x/y/store.py", "/src/*/y @y", ("@y",)),
        ("src/x/y/store.py", "src/x @a/b c@example.org # why", ("@a/b", "c@example.org")),
        ("a b.toml", "/a\\ b.toml @x", ("@x",)),
        ("README.md", SECTIONS, ("@writers",)),
        ("memory_budget.toml", SECTIONS, ("@architects", "@security")),
        ("data/raw/x/y.csv", SECTIONS, ("@data",)),
        ("x.py", SECTIONS, ()),
        ("x.py", "* nobody-in-particular", ()),
    ],
)
def test_owners_are_read_as_the_hosts_read_them(
    path: str, text: str, owners: tuple[str, ...]
) -> None:
    assert owners_of(path, text) == owners
