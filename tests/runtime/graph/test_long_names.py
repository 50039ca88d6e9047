"""Names that become files and folders: the longest works to the end, a longer one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from flight_delays.checkpointing import Pipeline, Segment
from flight_delays.checkpointing.base import names
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.base.files import checksum
from flight_delays.checkpointing.codecs import format_named
from flight_delays.checkpointing.disk.commit import Commit
from flight_delays.checkpointing.disk.manifest import FileRecord
from flight_delays.checkpointing.disk.targets import targets

from ..builders import PLENTY, TABLE, module, pipeline, problems, table, write

LONGEST = ["a" * names.LONGEST, "é" * (names.LONGEST // 2), "数" * (names.LONGEST // 3)]


def a_step(name: str) -> str:
    return f"@step\ndef {name}() -> pd.DataFrame: ...\n"


@pytest.mark.parametrize("name", LONGEST)
def test_a_step_has_a_name_that_all_its_files_can_have(tmp_path: Path, name: str) -> None:
    assert pipeline(tmp_path, a_step(name)).steps[0].name == name
    message = problems(tmp_path, a_step(f"{name}éa"))

    assert f"{name}éa: the name has {len(name.encode()) + 3} bytes; the longest has 200" in message


@pytest.mark.parametrize("name", LONGEST)
@pytest.mark.parametrize("form", ["arrow", "parquet"])
def test_the_longest_name_has_room_for_seal_suffix_and_probe(
    tmp_path: Path, name: str, form: str
) -> None:
    commit = Commit(tmp_path / "s01" / "key", PLENTY)
    record = commit.write(name, table(), TABLE, format_named(form))
    assert commit.workdir(name).is_dir()
    write(tmp_path / "s01/key" / f"{record.file}.probe", "")


def test_segments_and_pipelines_have_names_that_folders_can_have(tmp_path: Path) -> None:
    pipeline(tmp_path, a_step("one"))
    made, longer = module(tmp_path, a_step("one")), "a" * (names.LONGEST + 1)

    assert Segment(LONGEST[0], [made.one]).name == LONGEST[0]
    assert Pipeline(made, name=LONGEST[0]).name == LONGEST[0]
    with pytest.raises(ConfigurationError, match=r"segment name.*201 bytes; the longest has 200"):
        Segment(longer, [made.one])
    with pytest.raises(ConfigurationError, match=r"pipeline name.*201 bytes; the longest has 200"):
        Pipeline(made, name=longer)


@pytest.mark.parametrize("name", LONGEST)
def test_a_published_file_has_a_name_with_room_for_its_claim(tmp_path: Path, name: str) -> None:
    target = name[:-8] + ".parquet"
    wiring = '[outputs]\none = "out/{}"'.format
    made = pipeline(tmp_path, a_step("one"), wiring=wiring(target))
    [published] = targets(made.settings).values()
    source = write(tmp_path / "source", "one")
    published.publish(source, FileRecord("source", "", "", 3, checksum(source), 0, 0))

    assert Path(published.text).read_text() == "one"
    assert "the file's name is longer than 200 bytes" in problems(
        tmp_path, a_step("one"), wiring=wiring("éé" * 50 + target)
    )
