"""Inputs are found, and hashed by all that a step can read through them."""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.reuse.hashes import HashCache
from flight_delays.checkpointing.reuse.inputs import (
    Input,
    argument,
    find_inputs,
)

from ..builders import MEMORY_BUDGET, link, pipeline, write


def the_input(folder: Path, text: str, annotation: str = "Path", **changed: Any) -> Input:
    """The one input of a project, configured as `text`."""
    source = f"@step\ndef one(source: {annotation}) -> int: ...\n"
    built = pipeline(folder, source, wiring=f"[inputs]\nsource = {json.dumps(text)}\nunused = 'no'")
    inputs = find_inputs(built, built.settings, changed, HashCache(folder / "hashes.json"))
    assert list(inputs) == ["source"]
    return inputs["source"]


def test_a_file_is_found_from_the_projects_folder(tmp_path: Path) -> None:
    path = write(tmp_path / "data/x.csv", "1")
    source = the_input(tmp_path, "data/x.csv")

    assert (source.text, source.place, source.files) == ("data/x.csv", path, (path,))
    assert not source.is_url


def test_a_file_may_lie_anywhere(tmp_path: Path) -> None:
    path = write(tmp_path / "elsewhere/x.csv", "1")

    assert the_input(tmp_path / "project", str(path)).files == (path,)


def test_a_folder_is_all_its_files(tmp_path: Path) -> None:
    paths = (write(tmp_path / "data/a.csv", "1"), write(tmp_path / "data/b/c.csv", "2"))
    source = the_input(tmp_path, "data")

    assert (source.place, source.files) == (tmp_path / "data", paths)


def test_a_glob_is_the_files_that_match_in_order(tmp_path: Path) -> None:
    b, a = write(tmp_path / "data/b.csv", "2"), write(tmp_path / "data/a.csv", "1")
    write(tmp_path / "data/c.txt", "3")
    (tmp_path / "data/folder.csv").mkdir()

    assert the_input(tmp_path, "data/*.csv", "list[Path]").files == (a, b)


def test_a_glob_with_two_stars_looks_into_all_folders(tmp_path: Path) -> None:
    deep = write(tmp_path / "data/a/b/x.csv", "1")
    flat = write(tmp_path / "data/x.csv", "2")

    assert the_input(tmp_path, "data/**/*.csv", "list[Path]").files == (deep, flat)


def test_a_glob_may_start_at_the_root(tmp_path: Path) -> None:
    path = write(tmp_path / "elsewhere/x.csv", "1")

    assert the_input(tmp_path / "project", f"{tmp_path}/elsewhere/*.csv", "list[Path]").files == (
        path,
    )


def test_a_projects_folder_may_have_the_marks_of_a_glob_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "delays [2013]*"
    path = write(folder / "data/x.csv", "1")

    assert the_input(folder, "data/*.csv", "list[Path]").files == (path,)
    with pytest.raises(ConfigurationError, match="does not exist"):
        the_input(folder, "data/y.csv")


def test_what_a_step_receives_is_the_place_or_the_list_of_files(tmp_path: Path) -> None:
    path = write(tmp_path / "data/x.csv", "1")

    assert argument(the_input(tmp_path, "data/x.csv"), Path) == path
    assert argument(the_input(tmp_path, "data/x.csv", "list[Path]"), list[Path]) == [path]
    assert argument(the_input(tmp_path, "data/*.csv", "list[Path]"), list[Path]) == [path]


@pytest.mark.parametrize("name", ["a[1].csv", "what?.csv", "all*"])
def test_what_exists_under_the_name_of_a_glob_is_a_file(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "data" / name, "1")

    assert the_input(tmp_path, f"data/{name}").files == (path,)


REFUSED = {
    "no text": ("", "Path", "`source` = '' names nothing"),
    "blanks": ("  ", "Path", "`source` = '  ' names nothing"),
    "a null": ("a\0b", "Path", "names nothing"),
    "the project": (".", "Path", "is the whole project"),
    "the project by another way": ("data/..", "list[Path]", "is the whole project"),
    "the folder around it": ("..", "Path", "is the whole project or a folder around it"),
    "the root": ("/", "Path", "is the whole project or a folder around it (/)"),
    "a glob as one path": ("data/*.csv", "Path", "`list[Path]`, for it is a glob"),
    "a glob as text": ("data/*.csv", "str", "`list[Path]`, for it is a glob"),
    "an address as a path": ("https://example.org/x", "Path", "`str`, for it is a URL"),
    "an address as paths": ("s3://bucket/*", "list[Path]", "`str`, for it is a URL"),
    "a path as text": ("data/x.csv", "str", "annotate it `Path`"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_input_that_no_step_can_take_is_refused_when_the_pipeline_is_built(
    tmp_path: Path, case: str
) -> None:
    text, annotation, message = REFUSED[case]
    write(tmp_path / "data/x.csv", "1")

    with pytest.raises(ConfigurationError, match=re.escape(message)) as caught:
        the_input(tmp_path, text, annotation)
    assert "cannot be built" in caught.value.message


@pytest.mark.parametrize("case", REFUSED)
def test_an_input_that_no_step_can_take_is_refused_for_one_run_too(
    tmp_path: Path, case: str
) -> None:
    text, annotation, message = REFUSED[case]
    write(tmp_path / "data/x.csv", "1")
    configured = "https://example.org/y" if annotation == "str" else "data/x.csv"

    with pytest.raises(ConfigurationError, match=re.escape(message)) as caught:
        the_input(tmp_path, configured, annotation, source=text)
    assert caught.value.message.startswith(f"input `source` = {text!r}")


@pytest.mark.parametrize("value", [None, 5, ["data/x.csv"]])
def test_an_input_of_another_type_is_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(ConfigurationError, match="not a path or a URL as text"):
        the_input(tmp_path, "data/x.csv", source=value)
    assert the_input(tmp_path, "y", source=write(tmp_path / "x", "1")).files == (tmp_path / "x",)


def test_a_url_is_handed_on_and_hashed_by_its_address(tmp_path: Path) -> None:
    url = the_input(tmp_path, "https://example.org/x.csv", "str")
    other_url = the_input(tmp_path, "https://example.org/y.csv", "str")

    assert url.is_url
    assert (url.place, url.files) == ("https://example.org/x.csv", ())
    assert argument(url, str) == "https://example.org/x.csv"
    assert url.digest != other_url.digest


def test_a_changed_input_takes_the_place_of_what_is_configured(tmp_path: Path) -> None:
    path = write(tmp_path / "data/y.csv", "1")

    assert the_input(tmp_path, "data/x.csv", source="data/y.csv").files == (path,)


@pytest.mark.parametrize(
    ("text", "absence"),
    [
        ("data/x.csv", "does not exist"),
        ("data/*.csv", "matches no file"),
        ("empty", "is an empty folder"),
    ],
)
def test_an_input_that_is_not_there_is_refused(tmp_path: Path, text: str, absence: str) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(ConfigurationError) as caught:
        the_input(tmp_path, text, "list[Path]")
    assert caught.value.message == (
        f"input `source`: {tmp_path / text} {absence}. Correct [inputs] in pipeline.toml, or name "
        f"another with `--set source=PATH`."
    )


@pytest.mark.parametrize("text", ["data/a.csv", "data", "data/*.csv", "da*/a.csv", "data/**"])
def test_the_digest_follows_contents_and_names_but_not_the_projects_place(
    tmp_path: Path, text: str
) -> None:
    here, moved, renamed, changed = (tmp_path / name for name in ("here", "moved", "name", "text"))
    for folder, name, content in (
        (here, "a.csv", "1"),
        (moved, "a.csv", "1"),
        (changed, "a.csv", "2"),
    ):
        write(folder / "data" / name, content)
        write(folder / "data/b.csv", "3")
    write(renamed / "data/a2.csv", "1")
    write(renamed / "data/b.csv", "3")

    digests = [
        the_input(folder, text.replace("a.csv", f"{name}.csv"), "list[Path]").digest
        for folder, name in ((here, "a"), (moved, "a"), (changed, "a"), (renamed, "a2"))
    ]
    assert digests[0] == digests[1]
    assert digests[0] not in digests[2:]


def digest(folder: Path, text: str = "data") -> str:
    return the_input(folder, text, "list[Path]").digest


def test_two_places_with_equal_bytes_are_two_inputs(tmp_path: Path) -> None:
    for day in ("day=01", "day=02"):
        write(tmp_path / "data" / day / "x.csv", "1")

    for below in ("", "/x.csv", "/*.csv"):
        assert digest(tmp_path, f"data/day=01{below}") != digest(tmp_path, f"data/day=02{below}")


def test_one_place_has_one_digest_however_it_is_written(tmp_path: Path) -> None:
    write(tmp_path / "data/x.csv", "1")

    spellings = ("data", "data/", "./data", "data/../data", f"{tmp_path}/data")
    assert len({digest(tmp_path, text) for text in spellings}) == 1


def project_with_links(folder: Path) -> Path:
    """A project whose input has links to a file, to folders, to nothing, and to itself."""
    write(folder / "elsewhere/far.csv", "1")
    write(folder / "elsewhere/deep/x.csv", "2")
    write(folder / "data/a.csv", "3")
    link(folder / "data/file.csv", "../elsewhere/far.csv")
    link(folder / "data/part", "../elsewhere")
    link(folder / "data/whole", ".")
    link(folder / "data/inner/up", "../..")
    link(folder / "data/self", "self")
    link(folder / "data/nothing", "../gone.csv")
    (folder / "data/empty").mkdir()
    pipe(folder / "data/pipe")
    return folder


def test_a_folder_is_all_that_can_be_read_in_it_links_followed(tmp_path: Path) -> None:
    files = the_input(project_with_links(tmp_path), "data", "list[Path]").files

    assert [path.relative_to(tmp_path / "data").as_posix() for path in files] == [
        "a.csv",
        "file.csv",
        "inner/up/elsewhere/deep/x.csv",
        "inner/up/elsewhere/far.csv",
        "inner/up/memory_budget.toml",
        "inner/up/pipeline.toml",
        "inner/up/s01.py",
        "part/deep/x.csv",
        "part/far.csv",
    ]


@pytest.mark.parametrize(
    "pattern",
    ["data/**", "data/**/*.csv", "data/**/x.csv", "data/*/**/?ar.csv", "**/.h/*", "data/**/.*"],
)
def test_a_glob_matches_what_python_matches(tmp_path: Path, pattern: str) -> None:
    for name in ("a.csv", "b/x.csv", "b/.h/x.csv", ".h/y.csv", "b/c/far.csv", "b/.z.csv", "x.txt"):
        write(tmp_path / "data" / name, name)
    link(tmp_path / "data/part", "b")
    matches = glob.glob(pattern, root_dir=tmp_path, recursive=True)
    files = {tmp_path / match for match in matches if (tmp_path / match).is_file()}

    assert set(the_input(tmp_path, pattern, "list[Path]").files) == files


def test_a_folder_with_links_only_is_not_empty(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere/x.csv", "1")
    link(tmp_path / "data/part", "../elsewhere")

    assert the_input(tmp_path, "data").files == (tmp_path / "data/part/x.csv",)


def remove(path: Path) -> Path:
    path.unlink()
    return path


def relink(path: Path, target: str) -> Path:
    path.unlink()
    path.symlink_to(target)
    return path


def pipe(path: Path) -> Path:
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return path


CHANGES: dict[str, Callable[[Path], object]] = {
    "a file behind a link": lambda p: write(p / "elsewhere/far.csv", "9"),
    "a file in a linked folder": lambda p: write(p / "elsewhere/deep/x.csv", "9"),
    "a file added in a linked folder": lambda p: write(p / "elsewhere/deep/y.csv", ""),
    "a file removed in a linked folder": lambda p: remove(p / "elsewhere/deep/x.csv"),
    "a link to another folder of the same files": lambda p: (
        shutil.copytree(p / "elsewhere", p / "other"),
        relink(p / "data/part", "../other"),
    ),
    "a link to another file of the same bytes": lambda p: (
        write(p / "day=02.csv", "1"),
        relink(p / "data/file.csv", "../day=02.csv"),
    ),
    "a link to nothing, changed": lambda p: relink(p / "data/nothing", "../lost.csv"),
    "a link to nothing, mended": lambda p: write(p / "gone.csv", ""),
    "a link to itself, removed": lambda p: remove(p / "data/self"),
    "a loop, removed": lambda p: remove(p / "data/whole"),
    "an empty folder, removed": lambda p: (p / "data/empty").rmdir(),
    "an empty folder, added": lambda p: (p / "data/more").mkdir(),
    "an empty file, added": lambda p: write(p / "data/new.csv", ""),
    "a pipe, removed": lambda p: remove(p / "data/pipe"),
    "a pipe in place of a file": lambda p: pipe(p / "data/a.csv"),
    "a hidden file": lambda p: write(p / "data/.hidden", ""),
    "a file renamed": lambda p: (p / "data/a.csv").rename(p / "data/b.csv"),
    "the bytes of two files swapped": lambda p: (
        write(p / "data/a.csv", "1"),
        write(p / "elsewhere/far.csv", "3"),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_all_that_a_step_can_read_in_a_folder_counts(tmp_path: Path, change: str) -> None:
    before = digest(project_with_links(tmp_path))
    assert digest(tmp_path) == before
    CHANGES[change](tmp_path)

    assert digest(tmp_path) != before


@pytest.mark.parametrize("text", ["data", "data/part", "data/file.csv", "data/**/*.csv"])
def test_a_project_that_moves_as_a_whole_keeps_its_digests(tmp_path: Path, text: str) -> None:
    before = digest(project_with_links(tmp_path / "here"), text)
    (tmp_path / "here").rename(tmp_path / "there")

    assert digest(tmp_path / "there", text) == before


def test_a_folder_that_nobody_may_list_counts_by_its_name(tmp_path: Path) -> None:
    write(tmp_path / "data/x.csv", "1")
    (tmp_path / "data/lost+found").mkdir(mode=0)

    assert the_input(tmp_path, "data").files == (tmp_path / "data/x.csv",)


@pytest.mark.parametrize("name", ["x.csv~", ".DS_Store", "#x.csv#", "x.lock", "a/.nfs01", "x.tmp"])
def test_litter_neither_counts_nor_is_handed_over(tmp_path: Path, name: str) -> None:
    wiring = '[inputs]\nsource = "data"\n[reuse]\nignore = ["*.tmp"]\n'
    path = write(tmp_path / "data/a/x.csv", "1")

    def look() -> Input:
        built = pipeline(tmp_path, "@step\ndef one(source: Path) -> int: ...\n", wiring=wiring)
        return find_inputs(built, built.settings, {}, HashCache(tmp_path / "none"))["source"]

    before = look()
    write(tmp_path / "data" / name, "litter")

    assert look().digest == before.digest
    assert look().files == (path,)


def test_an_input_with_nothing_but_litter_is_refused_with_the_list_that_says_so(
    tmp_path: Path,
) -> None:
    write(tmp_path / "data/x.bak", "1")

    for text in ("data", "data/*.bak"):
        with pytest.raises(ConfigurationError, match=r"\[reuse\] ignore` in pipeline.toml and"):
            the_input(tmp_path, text, "list[Path]")
    assert the_input(tmp_path, "data/x.bak").files == (tmp_path / "data/x.bak",)


def test_checkpoints_and_records_within_an_input_do_not_count(tmp_path: Path) -> None:
    write(tmp_path / "data/x.csv", "1")
    places = '[checkpoints]\npath = "data/checkpoints"\n[runs]\npath = "data/runs"\n'

    def digest_now() -> str:
        source = "@step\ndef one(source: Path) -> int: ...\n"
        wiring = '[inputs]\nsource = "data"'
        built = pipeline(tmp_path, source, wiring=wiring, memory=MEMORY_BUDGET + places)
        return find_inputs(built, built.settings, {}, HashCache(tmp_path / "none"))["source"].digest

    before = digest_now()
    write(tmp_path / "data/checkpoints/demo/owner.json", "{}")
    write(tmp_path / "data/runs/owner.json", "{}")

    assert digest_now() == before


def published(folder: Path, text: str, target: str) -> Input:
    wiring = f'[inputs]\nsource = "{text}"\n[outputs]\nmade = "{target}"\n'
    source = "@step\ndef made(source: list[Path]) -> int: ...\n"
    built = pipeline(folder, source, wiring=wiring)
    return find_inputs(built, built.settings, {}, HashCache(folder / "none"))["source"]


def test_an_output_is_not_published_into_an_input_by_way_of_a_link(tmp_path: Path) -> None:
    write(tmp_path / "data/x.csv", "1")
    link(tmp_path / "out", "data")

    with pytest.raises(ConfigurationError, match=r"\[outputs\] `made` would be published to"):
        published(tmp_path, "data", "out/made.json")


def test_a_glob_does_not_match_what_the_pipeline_publishes(tmp_path: Path) -> None:
    path = write(tmp_path / "data/x.json", "1")
    before = published(tmp_path, "data/*.json", "data/made.json")
    write(tmp_path / "data/made.json", "2")
    after = published(tmp_path, "data/*.json", "data/made.json")

    assert (after.files, after.digest) == ((path,), before.digest)


EDITS: dict[str, Callable[[Path], object]] = {
    "written": lambda p: write(p / "data/a.csv", "9"),
    "written with the same times": lambda p: in_place(p / "data/a.csv"),
    "added": lambda p: write(p / "data/new.csv", ""),
    "removed": lambda p: remove(p / "data/a.csv"),
    "written behind a link": lambda p: write(p / "elsewhere/far.csv", "9"),
    "relinked": lambda p: relink(p / "data/nothing", "a.csv"),
}


def in_place(path: Path) -> None:
    times = path.stat()
    path.write_text("9")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_of_an_input_shows(tmp_path: Path, edit: str) -> None:
    tree = the_input(project_with_links(tmp_path), "data").tree
    assert tree is not None
    assert tree.changed() == []
    write(tmp_path / "data/x.csv~", "an editor at work")
    assert tree.changed() == []
    EDITS[edit](tmp_path)

    assert tree.changed() != []


@pytest.mark.parametrize(
    ("text", "annotation"), [("data/*.csv", "list[Path] | None"), ("data/a.csv", "Path | None")]
)
def test_an_input_that_may_be_none_is_none_while_it_is_absent(
    tmp_path: Path, text: str, annotation: str
) -> None:
    absent = the_input(tmp_path, text, annotation)
    path = write(tmp_path / "data/a.csv", "1")
    present = the_input(tmp_path, text, annotation)

    kind = list[Path] | None if "list" in annotation else Path | None
    assert argument(absent, kind) is None
    assert argument(present, kind) == ([path] if "list" in annotation else path)
    assert absent.digest != present.digest
    assert absent.tree is not None
    assert absent.tree.changed() == [str(path)]
