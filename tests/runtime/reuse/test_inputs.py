"""Inputs and params are found, checked, and hashed by their contents."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.base.files import checksum
from flight_delays.checkpointing.reuse.inputs import (
    HashCache,
    Input,
    argument,
    check_names,
    check_params,
    find_inputs,
)

from ..builders import FIRST_LINE, pipeline, write

LONG_AGO = 10**18  # nanoseconds since 1970: a file that has settled


def the_input(folder: Path, text: str, annotation: str = "Path", **changed: str) -> Input:
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

    assert the_input(tmp_path, "data/**/*.csv").files == (deep, flat)


def test_a_glob_may_start_at_the_root(tmp_path: Path) -> None:
    path = write(tmp_path / "elsewhere/x.csv", "1")

    assert the_input(tmp_path / "project", f"{tmp_path}/elsewhere/*.csv").files == (path,)


def test_a_projects_folder_may_have_the_marks_of_a_glob_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "delays [2013]*"
    path = write(folder / "data/x.csv", "1")

    assert the_input(folder, "data/*.csv").files == (path,)
    with pytest.raises(ConfigurationError, match="does not exist"):
        the_input(folder, "data/y.csv")


def test_what_a_step_receives_is_the_place_or_the_list_of_files(tmp_path: Path) -> None:
    path = write(tmp_path / "data/x.csv", "1")
    source = the_input(tmp_path, "data/*.csv")

    assert argument(source, Path) == tmp_path / "data/*.csv"
    assert argument(source, list[Path]) == [path]


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
        the_input(tmp_path, text)
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

    assert the_input(here, text).digest == the_input(moved, text).digest
    assert the_input(here, text).digest != the_input(changed, text).digest
    assert (
        the_input(here, text).digest != the_input(renamed, text.replace("a.csv", "a2.csv")).digest
    )


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


def params(folder: Path, annotation: str, text: str, **changed: Any) -> dict[str, Any]:
    """The params of a project with one, `x`, that one step takes."""
    source = f"import datetime\n@step\ndef one(x: {annotation}) -> int: ...\n"
    built = pipeline(folder, source, wiring=f"[params]\nx = {text}\nunused = 'anything'")
    return check_params(built, built.settings.wiring, changed)


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        ("int", "3", 3),
        ("float", "3", 3),
        ("float | None", "1.5", 1.5),
        ("str", '"a"', "a"),
        ("bool", "true", True),
        ("datetime.date", "2013-01-31", date(2013, 1, 31)),
        ("list[str]", '["a"]', ["a"]),
        ("dict[str, int]", "{ a = 1 }", {"a": 1}),
        ("object", "3", 3),
    ],
)
def test_a_param_that_fits_its_annotation_is_taken_as_it_is(
    tmp_path: Path, annotation: str, text: str, value: object
) -> None:
    assert params(tmp_path, annotation, text) == {"x": value, "unused": "anything"}


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        ("int", '"3"'),
        ("int", "3.0"),
        ("int", "true"),
        ("str", "3"),
        ("datetime.date", '"2013-01-31"'),
        ("list[str]", "[1]"),
        ("dict[str, int]", "{ a = 'b' }"),
        ("tuple[int, ...]", "[1]"),
    ],
)
def test_a_param_that_does_not_fit_is_refused(tmp_path: Path, annotation: str, text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        params(tmp_path, annotation, text)

    assert caught.value.message.startswith("param `x` is ")
    assert f"but {tmp_path}/s01.py:{FIRST_LINE + 1} one takes `x: " in caught.value.message
    assert caught.value.step == "one"


def test_a_refused_param_says_what_it_should_be(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"takes `x: int`: Input should be a valid integer"
    ):
        params(tmp_path, "int", '"3"')


def test_an_annotation_that_nothing_can_check_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        params(tmp_path, "type('Odd', (), {})", "3")

    assert caught.value.message.endswith(
        f"{tmp_path}/s01.py:{FIRST_LINE + 1} one: parameter `x` is one of [params]; annotate it as "
        f"what TOML gives, such as `int`, not as Odd."
    )


def test_a_changed_param_takes_the_place_of_what_is_configured_and_is_checked(
    tmp_path: Path,
) -> None:
    assert params(tmp_path, "int", "3", x=4)["x"] == 4
    with pytest.raises(ConfigurationError, match="param `x` is 'four'"):
        params(tmp_path, "int", "3", x="four")


def test_only_params_and_inputs_can_be_changed(tmp_path: Path) -> None:
    built = pipeline(
        tmp_path,
        "@step\ndef one(least: int, source: Path) -> int: ...\n",
        wiring='[params]\nleast = 3\n[inputs]\nsource = "x"',
    )
    check_names(built.settings.wiring, {"least": 4, "source": "y"})

    with pytest.raises(ConfigurationError) as caught:
        check_names(built.settings.wiring, {"leest": 4})
    assert caught.value.message == (
        "`leest` is neither under [params] nor under [inputs] in pipeline.toml; did you mean "
        "`least`?"
    )
