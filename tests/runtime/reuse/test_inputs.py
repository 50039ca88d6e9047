"""Inputs and params are found, checked, and hashed by their contents."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.base.files import checksum
from flight_delays.checkpointing.reuse.inputs import (
    HashCache,
    Input,
    argument,
    find_inputs,
)

from ..builders import pipeline, write

LONG_AGO = 10**18  # nanoseconds since 1970: a file that has settled


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


def settled(path: Path, content: str, moment: int = LONG_AGO) -> Path:
    """A file whose last change is long past."""
    write(path, content)
    os.utime(path, ns=(moment, moment))
    return path


def test_a_file_that_has_not_changed_is_not_hashed_again(tmp_path: Path) -> None:
    path = settled(tmp_path / "x", "one")
    cache = HashCache(tmp_path / "hashes.json")
    first = cache.checksum(path)
    cache.save()
    settled(path, "two")  # the same size, time and inode: not to be told from the former

    assert first != checksum(path)
    assert HashCache(tmp_path / "hashes.json").checksum(path) == first


def test_a_cache_makes_no_folder_to_lie_in(tmp_path: Path) -> None:
    cache = HashCache(tmp_path / "gone/hashes.json")
    cache.checksum(settled(tmp_path / "x", "one"))
    cache.save()

    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize("change", ["size", "time", "inode"])
def test_a_file_that_may_have_changed_is_hashed_again(tmp_path: Path, change: str) -> None:
    path = settled(tmp_path / "x", "one")
    cache = HashCache(tmp_path / "hashes.json")
    first = cache.checksum(path)
    match change:
        case "size":
            settled(path, "three")
        case "time":
            settled(path, "two", LONG_AGO + 1)
        case "inode":
            os.replace(settled(tmp_path / "y", "two"), path)

    assert cache.checksum(path) == checksum(path) != first


def test_a_file_that_has_just_changed_is_hashed_each_time(tmp_path: Path) -> None:
    cache = HashCache(tmp_path / "hashes.json")
    path = tmp_path / "x"
    ahead = 2 * 10**18  # a clock that runs ahead must not make a file look settled
    first = cache.checksum(settled(path, "one", ahead))

    assert cache.checksum(settled(path, "two", ahead)) != first
    cache.save()
    assert not (tmp_path / "hashes.json").exists()


def test_only_the_last_checksum_of_a_file_is_kept(tmp_path: Path) -> None:
    cache = HashCache(tmp_path / "hashes.json")
    cache.checksum(settled(tmp_path / "x", "one"))
    cache.checksum(settled(tmp_path / "xy", "one"))
    cache.checksum(settled(tmp_path / "x", "three"))
    cache.save()
    kept = json.loads((tmp_path / "hashes.json").read_text())

    assert {path: stamp.split("|")[0] for path, (stamp, _) in kept.items()} == {
        str(tmp_path / "x"): "5",
        str(tmp_path / "xy"): "3",
    }


def test_a_cache_with_nothing_new_is_not_written_again(tmp_path: Path) -> None:
    path = settled(tmp_path / "x", "one")
    cache = HashCache(tmp_path / "hashes.json")
    cache.checksum(path)
    cache.save()
    (tmp_path / "hashes.json").unlink()
    cache.checksum(path)
    cache.save()

    assert not (tmp_path / "hashes.json").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "3"])
def test_a_damaged_cache_is_an_empty_one(tmp_path: Path, text: str) -> None:
    write(tmp_path / "hashes.json", text)
    cache = HashCache(tmp_path / "hashes.json")
    path = settled(tmp_path / "x", "one")

    assert cache.checksum(path) == checksum(path)
    cache.save()
    assert len(json.loads((tmp_path / "hashes.json").read_text())) == 1


def test_a_cache_that_cannot_be_kept_is_no_error(tmp_path: Path) -> None:
    blocked = write(tmp_path / "file", "") / "hashes.json"
    cache = HashCache(blocked)
    cache.checksum(settled(tmp_path / "x", "one"))
    cache.save()

    assert blocked.parent.is_file()
