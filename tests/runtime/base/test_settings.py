"""The two TOML files of a project are read, and what is wrong in them is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.base.settings import (
    MemoryBudget,
    Settings,
    find_root,
    load_settings,
)

from ..builders import MEMORY_BUDGET, toml_files


def settings_of(folder: Path, wiring: str = "", memory: str = MEMORY_BUDGET) -> Settings:
    return load_settings(toml_files(folder, wiring, memory))


def memory_of(folder: Path, memory: str) -> MemoryBudget:
    return settings_of(folder, memory=memory).memory


def refusal(folder: Path, wiring: str = "", memory: str = MEMORY_BUDGET) -> str:
    with pytest.raises(ConfigurationError) as caught:
        settings_of(folder, wiring, memory)
    return caught.value.message


def cluster(ram: str = '"100 GB"', quota: str = '"50 %"') -> str:
    return f"[cluster]\nram = {ram}\nquota = {quota}\n"


def test_what_is_not_written_has_a_default(tmp_path: Path) -> None:
    memory = memory_of(tmp_path, MEMORY_BUDGET)

    assert memory.budget.count == "held"
    assert memory.segment.max_steps == 10
    assert memory.segment.headroom == 0.2
    assert memory.checkpoints.path == Path("checkpoints")
    assert memory.checkpoints.format == "arrow"
    assert memory.checkpoints.keep == 2
    assert memory.checkpoints.max_disk == 500 * 10**9
    assert memory.checkpoints.cache == Path("checkpoints")
    assert memory.checkpoints.cache_max == 50 * 10**9
    assert memory.checkpoints.lease == 60


def test_everything_that_is_written_counts(tmp_path: Path) -> None:
    memory = memory_of(
        tmp_path,
        """
        [cluster]
        ram = "5000 GB"
        quota = "2 %"
        [budget]
        count = "rss"
        [segment]
        max_steps = 3
        headroom = "10 %"
        [checkpoints]
        path = "elsewhere"
        format = "parquet"
        keep = 0
        max_disk = "1 TB"
        [runs]
        path = "/var/log/demo"
        """,
    )

    assert (memory.cluster.ram, memory.cluster.quota) == (5 * 10**12, 0.02)
    assert memory.budget.count == "rss"
    assert (memory.segment.max_steps, memory.segment.headroom) == (3, 0.1)
    assert memory.checkpoints.path == Path("elsewhere")
    assert memory.checkpoints.format == "parquet"
    assert (memory.checkpoints.keep, memory.checkpoints.max_disk) == (0, 10**12)
    assert memory.runs.path == Path("/var/log/demo")


def checkpoints(**settings: str) -> str:
    lines = (f"{key} = {text}\n" for key, text in settings.items())
    return f"{cluster()}[checkpoints]\n{''.join(lines)}"


def test_checkpoints_at_a_url_have_a_local_folder_too(tmp_path: Path) -> None:
    memory = checkpoints(path='"s3://lake/delays/"', cache='"cached"', cache_max='"2 TB"')
    settings = settings_of(tmp_path, memory=memory)

    assert settings.checkpoints_url == "s3://lake/delays"
    assert settings.checkpoints == tmp_path / "cached"
    assert settings.memory.checkpoints.cache_max == 2 * 10**12


def test_checkpoints_in_a_folder_have_no_url_and_no_other_folder(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, memory=checkpoints(path='"s3"', cache='"cached"'))

    assert settings.checkpoints_url is None
    assert settings.checkpoints == tmp_path / "s3"


@pytest.mark.parametrize(
    "url",
    [
        "s3://AKIA:hunter2@lake/delays",
        "s3://hunter2@lake/delays",
        "abfss://lake:hunter2@account.dfs.core.windows.net/delays",
        "s3://lake/delays?secret=hunter2",
        "gs://lake/delays#hunter2",
        "ftp://me:hunter2@host/delays",
        "s3://[hunter2",
        "s3:/AKIA:hunter2@lake/delays",
        r"s3:\\\\AKIA:hunter2@lake/delays",
    ],
)
def test_a_url_with_a_secret_in_it_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    message = refusal(tmp_path, memory=checkpoints(path=f'"{url}"'))

    assert "`checkpoints.path`: " in message
    assert "hunter2" not in message


def test_a_password_in_any_other_setting_is_not_repeated_either(tmp_path: Path) -> None:
    for setting in ("format", "keep", "cache_max", "lease", "pth"):
        text = checkpoints(**{setting: '"s3://AKIA:hunter2@lake/delays"'})
        assert "hunter2" not in refusal(tmp_path, memory=text)
    for place in ("s3://AKIA:hunter2@lake/delays", "s3://lake/delays?secret=hunter2"):
        text = checkpoints(path=f'["{place}"]')
        assert "hunter2" not in refusal(tmp_path, memory=text)


@pytest.mark.parametrize("url", ["s3://AKIA:hunter2@lake/delays", "s3:/lake/hunter2", "az://x/y"])
def test_a_folder_of_this_machine_is_no_url(tmp_path: Path, url: str) -> None:
    for memory in (
        checkpoints(path='"s3://lake/delays"', cache=f'"{url}"'),
        f'{cluster()}[runs]\npath = "{url}"\n',
    ):
        message = refusal(tmp_path, memory=memory)
        assert "write the path of a folder on this machine" in message
        assert "hunter2" not in message


@pytest.mark.parametrize("place", ["", "/checkpoints", "/checkpoints/shared"])
def test_a_folder_is_not_its_own_cache(tmp_path: Path, place: str) -> None:
    message = refusal(tmp_path, memory=checkpoints(path=f'"file://{tmp_path}{place}"'))

    assert "[checkpoints] path and cache are one folder, or one lies in the other" in message


def test_a_folder_beside_its_cache_is_shared(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, memory=checkpoints(path=f'"file://{tmp_path}/shared"'))

    assert settings.checkpoints == tmp_path / "checkpoints"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [('"60 s"', 60), ('"61s"', 61), ('"1.5 min"', 90), ('" 24 h "', 86_400), ('"none"', None)],
)
def test_a_lease_is_a_time_or_none(tmp_path: Path, text: str, seconds: float | None) -> None:
    assert memory_of(tmp_path, checkpoints(lease=text)).checkpoints.lease == seconds


@pytest.mark.parametrize(
    "text", ['"59 s"', '"25 h"', '"60"', "60", '"1 d"', '"None"', "true", "[]"]
)
def test_what_is_no_such_time_is_refused(tmp_path: Path, text: str) -> None:
    assert "`checkpoints.lease` = " in refusal(tmp_path, memory=checkpoints(lease=text))


def test_a_pipeline_file_may_be_empty(tmp_path: Path) -> None:
    wiring = settings_of(tmp_path).wiring

    assert (wiring.inputs, wiring.params, wiring.outputs) == ({}, {}, {})


def test_params_keep_the_types_of_toml(tmp_path: Path) -> None:
    wiring = settings_of(tmp_path, "[params]\nday = 2013-01-31\nrates = [1, 2.5]").wiring

    assert repr(wiring.params) == "{'day': datetime.date(2013, 1, 31), 'rates': [1, 2.5]}"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ('"2GB"', 2 * 10**9),
        ('"2 GB"', 2 * 10**9),
        ('"1.5 GiB"', 3 * 2**29),
        ('" 512MiB "', 2**29),
        ('"0.5 TiB"', 2**39),
        ('"1.5 PB"', 1500 * 10**12),
        ('"750gib"', 750 * 2**30),
        ("1000", 1000),
    ],
)
def test_a_size_is_a_number_with_or_without_a_unit(tmp_path: Path, text: str, size: int) -> None:
    assert memory_of(tmp_path, cluster(ram=text)).cluster.ram == size


@pytest.mark.parametrize(
    "text",
    [
        *('"1,5 GB"', '"5_000 GB"', '"5 000 GB"', '"1e3 GB"', '"2 GB free"', '"5 XB"', '"5 %"'),
        *('"-5 GB"', '"0 GB"', "0", "-1", "1.5", "inf", "nan", "true", "[]", "2024-01-31"),
    ],
)
def test_what_is_no_size_above_zero_is_refused(tmp_path: Path, text: str) -> None:
    assert "`cluster.ram` = " in refusal(tmp_path, memory=cluster(ram=text))


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ('"2 %"', 0.02),
        ('"2%"', 0.02),
        ('" 2.5 % "', 0.025),
        ('"100 %"', 1),
        ("0.02", 0.02),
        ('"0.02"', 0.02),
        ("1", 1),
    ],
)
def test_a_share_is_percent_or_a_fraction(tmp_path: Path, text: str, share: float) -> None:
    assert memory_of(tmp_path, cluster(quota=text)).cluster.quota == share


@pytest.mark.parametrize(
    "text", ['"0 %"', '"101 %"', '"-1 %"', '"nan %"', '"two %"', "2", "0", "-0.1", "nan", "true"]
)
def test_a_share_outside_zero_to_one_is_refused(tmp_path: Path, text: str) -> None:
    assert "`cluster.quota` = " in refusal(tmp_path, memory=cluster(quota=text))


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('"1,5 %"', 'write a share like "2 %" or 0.02'),
        ('"5 percent"', 'write a share like "2 %" or 0.02'),
        ('"5"', 'write a share in percent, such as "5 %"'),
        ("2.5", 'write a share in percent, such as "2.5 %"'),
    ],
)
def test_a_share_that_is_not_understood_says_how_to_write_it(
    tmp_path: Path, text: str, hint: str
) -> None:
    assert hint in refusal(tmp_path, memory=cluster(quota=text))


def test_headroom_may_be_zero_but_not_all(tmp_path: Path) -> None:
    none = memory_of(tmp_path, cluster() + "[segment]\nheadroom = 0")
    message = refusal(tmp_path, memory=cluster() + '[segment]\nheadroom = "100 %"')

    assert none.segment.headroom == 0
    assert "`segment.headroom` = '100 %'" in message


@pytest.mark.parametrize(
    ("memory", "complaint"),
    [
        (
            cluster() + "[segment]\nmax_step = 3",
            "`segment.max_step` is not a setting; did you mean `max_steps`?",
        ),
        (
            cluster() + "[segments]\nmax_steps = 3",
            "`segments` is not a setting; did you mean `segment`?",
        ),
        (cluster() + "[checkpoints]\nzzzz = 3", "`checkpoints.zzzz` is not a setting"),
    ],
)
def test_an_unknown_key_names_the_nearest_right_one(
    tmp_path: Path, memory: str, complaint: str
) -> None:
    assert refusal(tmp_path, memory=memory) == f"{tmp_path}/memory_budget.toml:\n  {complaint}"


def test_an_unknown_table_of_the_pipeline_file_names_that_file(tmp_path: Path) -> None:
    assert refusal(tmp_path, "[param]\nx = 1") == (
        f"{tmp_path}/pipeline.toml:\n  `param` is not a setting; did you mean `params`?"
    )


def test_every_problem_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    message = refusal(tmp_path, memory='[cluster]\nquota = "300 %"\n[segment]\nmax_steps = 0')

    assert message.splitlines()[0] == f"{tmp_path}/memory_budget.toml:"
    assert "  `cluster.ram` is missing" in message.splitlines()
    assert "`cluster.quota` = '300 %': " in message
    assert "`segment.max_steps` = 0: " in message


def test_an_input_is_text(tmp_path: Path) -> None:
    assert "`inputs.flights` = 3: " in refusal(tmp_path, "[inputs]\nflights = 3")


def test_a_missing_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    toml_files(tmp_path)
    (tmp_path / "memory_budget.toml").unlink()

    with pytest.raises(
        ConfigurationError, match=r"memory_budget.toml is missing\. Run the command"
    ):
        load_settings(tmp_path)


@pytest.mark.parametrize("content", [b"[cluster", b'x = "\xff"'])
def test_what_is_not_toml_is_named(tmp_path: Path, content: bytes) -> None:
    toml_files(tmp_path)
    (tmp_path / "pipeline.toml").write_bytes(content)

    with pytest.raises(ConfigurationError, match=r"pipeline.toml is not valid TOML: "):
        load_settings(tmp_path)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    toml_files(tmp_path)
    (tmp_path / "pipeline.toml").unlink()
    (tmp_path / "pipeline.toml").mkdir()

    with pytest.raises(ConfigurationError, match=r"pipeline.toml cannot be read: Is a directory"):
        load_settings(tmp_path)


def test_folders_start_from_the_project(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)

    assert settings.checkpoints == tmp_path / "checkpoints"
    assert settings.runs == tmp_path / "runs"


def test_checkpoints_may_lie_on_another_disk(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, memory=cluster() + '[checkpoints]\npath = "/scratch/here"')

    assert settings.checkpoints == Path("/scratch/here")


def test_the_root_is_the_nearest_folder_with_a_pipeline_file(tmp_path: Path) -> None:
    toml_files(tmp_path)
    inner = toml_files(tmp_path / "inner")
    (inner / "src").mkdir()

    assert find_root(inner / "src") == inner
    assert find_root(inner) == inner
    assert find_root(tmp_path) == tmp_path


def test_there_may_be_no_root(tmp_path: Path) -> None:
    assert find_root(tmp_path) is None
