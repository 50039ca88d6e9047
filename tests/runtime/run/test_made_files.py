"""Files that a step makes: kept whatever their names are, or refused when the step ends."""

from __future__ import annotations

import os

import pytest

from ...marks import in_exhaustive
from ..conftest import Project

WIRING = '[outputs]\npages = "data/out/pages"\n'
READ = """
import os

@step
def names(pages: Path) -> list[str]:
    ran("names")
    return sorted(os.fsencode(p.relative_to(pages)).hex() for p in pages.rglob("*"))
"""
ODD = [b"\xff.txt", "é".encode(), b"a\nb", b"-rf", b"A", b"a", b"x" * 255, b"with\\slash"]


@pytest.mark.parametrize("cut", [*in_exhaustive(False), True])
def test_files_of_odd_names_are_kept_published_and_reused(project: Project, cut: bool) -> None:
    made = f"""
@step
def pages(workdir: Path) -> Path:
    ran("pages")
    for name in {ODD!r}:
        Path(os.fsdecode(os.fsencode(workdir) + b"/" + name)).write_bytes(name)
    return workdir
"""
    head = "\nimport os\n"
    sources = {"s01": head + made, "s02": READ} if cut else {"s01": head + made + READ}
    project.segments(**sources)
    project.write("pipeline.toml", WIRING)
    for _ in range(2):
        assert project.run()["exit_code"] == 0

    assert project.executed() == ["pages", "names"]
    assert project.load("names") == repr(sorted(name.hex() for name in ODD))
    published = os.fsencode(project.folder / "data/out/pages")
    assert sorted(os.listdir(published)) == sorted(ODD)
    assert project.command("status", "--verify").returncode == 0
    assert set(project.statuses("--fresh").values()) == {"ran"}


def test_a_dangling_link_is_refused_as_soon_as_the_step_ends(project: Project) -> None:
    project.segments(
        s01="""
        @step
        def pages(workdir: Path) -> Path:
            (workdir / "latest").symlink_to("gone")
            return workdir

        @step
        def names(pages: Path) -> int:
            ran("names")
            return 1
        """
    )
    record = project.run()

    assert (record["exit_code"], record["error"]["kind"]) == (5, "inexact_value")
    assert record["error"]["step"] == "pages"
    assert "`pages`: 'latest' in the folder that the step returned" in record["error"]["message"]
    assert project.executed() == []
