"""What happens to a run while somebody edits, moves or meddles with what it rests on."""

from __future__ import annotations

from pathlib import Path

import pytest

from ...marks import in_slow
from ..conftest import Project, until

FIRST = """
@step
def one({before}) -> int:
    {act}
    return 1
"""
SECOND = """
VERSION = "original"

@step
def two(one: int) -> str:
    return VERSION
"""


def test_code_that_is_edited_during_a_run_is_not_taken_for_what_was_there(
    project: Project,
) -> None:
    act = "module = Path('src/demo/segments/s02.py'); text = module.read_text(); "
    act += "module.write_text(text.replace('original', 'edited'))"
    project.segments(s01=FIRST.format(before="", act=act), s02=SECOND)
    record = project.run()
    assert record["exit_code"] == 2
    assert "demo.segments.s02 changed while the pipeline ran" in record["error"]["message"]
    assert project.statuses() == {"s01": "reused", "s02": "ran"}
    assert project.load("two") == "'edited'"


def test_a_module_that_a_step_imports_late_is_the_one_that_the_key_was_made_of(
    project: Project,
) -> None:
    project.write("src/demo/late.py", "NAME = 'original'\n")
    project.segments(
        s01="""
        @step
        def one() -> str:
            module = Path("src/demo/late.py")
            text = module.read_text()
            module.write_text(text.replace("original", "edited"))
            from ..late import NAME
            module.write_text(text)
            return NAME
        """
    )
    assert project.statuses() == {"s01": "ran"}
    assert project.load("one") == "'original'"


def test_code_that_is_wired_in_another_way_when_it_is_imported_again_makes_no_value(
    project: Project,
) -> None:
    project.segments(
        s01=FIRST.format(before="", act="Path('flag').touch()"),
        s02="""
        Number = float if Path("flag").exists() else int

        @step
        def two(one: Number) -> Number:
            return one
        """,
    )
    record = project.run()
    assert record["exit_code"] == 2
    assert "the wiring of s02 changed while the pipeline ran" in record["error"]["message"]
    assert list(project.manifests()) == ["s01"]


def test_code_that_is_broken_during_a_run_is_told_as_such(project: Project) -> None:
    project.segments(
        s01=FIRST.format(before="", act="Path('src/demo/segments/s02.py').write_text('def')"),
        s02=SECOND,
    )
    record = project.run()
    assert (record["exit_code"], record["error"]["kind"]) == (2, "configuration")
    assert "s02.py is not valid Python" in record["error"]["message"]
    assert list(project.manifests()) == ["s01"]


def test_an_input_that_is_edited_during_a_run_is_not_taken_for_what_was_there(
    project: Project,
) -> None:
    project.segments(
        s01=FIRST.format(before="text_file: Path", act="text_file.write_text('edited')"),
    )
    project.write("text.txt", "original")
    project.write("pipeline.toml", '[inputs]\ntext_file = "text.txt"\n')
    record = project.run()
    assert record["exit_code"] == 2
    assert "text.txt changed while the pipeline ran" in record["error"]["message"]


def test_an_input_that_is_removed_during_a_run_is_told_as_a_change(project: Project) -> None:
    project.segments(s01=FIRST.format(before="text_file: Path", act="text_file.unlink()"))
    project.write("text.txt", "original")
    project.write("pipeline.toml", '[inputs]\ntext_file = "text.txt"\n')
    record = project.run()
    assert (record["exit_code"], record["error"]["kind"]) == (2, "configuration")
    assert "text.txt changed while the pipeline ran" in record["error"]["message"]


def test_a_value_that_a_step_writes_over_is_found_out_before_it_is_read_again(
    project: Project,
) -> None:
    project.segments(
        s01="@step\ndef one(workdir: Path) -> Path:\n"
        "    (workdir / 'x').write_text('made')\n    return workdir / 'x'\n",
        s02="@step\ndef two(one: Path) -> str:\n"
        "    text = one.read_text()\n    one.write_text('spoilt')\n    return text\n",
        s03="@step\ndef three(one: Path, two: str) -> str:\n    return one.read_text() + two\n",
    )
    record = project.run()
    assert record["exit_code"] == 0
    assert project.load("three") == "'mademade'"
    assert [s["name"] for s in record["segments"]] == ["s01", "s02", "s03"]


def test_the_name_of_a_file_that_a_step_made_is_part_of_what_later_segments_read(
    project: Project,
) -> None:
    project.segments(
        s01="@step\ndef one(number: int, workdir: Path) -> Path:\n"
        "    made = workdir / f'part-{number}.txt'\n    made.write_text('same')\n    return made\n",
        s02="@step\ndef two(one: Path) -> str:\n    return one.name\n",
    )
    project.write("pipeline.toml", "[params]\nnumber = 1\n")
    project.run()
    assert project.statuses("--set", "number=2") == {"s01": "ran", "s02": "ran"}
    assert project.load("two") == "'part-2.txt'"


def test_what_a_step_started_and_left_ends_with_its_part(project: Project, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    act = f"import subprocess; p = subprocess.Popen(['sleep', '600']); Path({str(note)!r})"
    project.segments(s01=FIRST.format(before="", act=f"{act}.write_text(str(p.pid))"))
    assert project.run()["exit_code"] == 0
    pid = note.read_text()
    until(lambda: not Path(f"/proc/{pid}").exists(), "the end of what the step started")


@pytest.mark.parametrize(
    "target", ["data/raw", "checkpoints/x", *in_slow("data", ".", "src/demo/out")]
)
def test_an_output_never_takes_the_place_of_what_a_project_needs(
    project: Project, target: str
) -> None:
    project.segments(
        s01="@step\ndef one(raw: Path, workdir: Path) -> Path:\n    return workdir\n",
    )
    project.write("data/raw/kept.txt", "kept")
    project.write("pipeline.toml", f'[inputs]\nraw = "data/raw"\n[outputs]\none = "{target}"\n')
    record = project.run()
    assert record["exit_code"] == 2
    assert "would overwrite" in record["error"]["message"]
    assert (project.folder / "data/raw/kept.txt").read_text() == "kept"


def test_a_codec_of_the_projects_own_serves_in_every_process(project: Project) -> None:
    project.write(
        "src/demo/money.py",
        """
        class Money:
            def __init__(self, cents: int) -> None:
                self.cents = cents
        """,
    )
    project.write(
        "src/demo/adapters.py",
        """
        from .checkpointing.codecs import Codec, register
        from .money import Money

        register(
            Codec(
                "Money",
                "demo.money.Money",
                "json",
                freeze=lambda money: str(money.cents).encode(),
                thaw=lambda frozen: Money(int(frozen)),
            )
        )
        """,
    )
    project.segments(
        s01="from ..money import Money\n\n@step\ndef one() -> Money:\n    return Money(250)\n",
        s02="from ..money import Money\n\n@step\ndef two(one: Money) -> int:\n"
        "    return one.cents\n",
    )
    assert project.statuses() == {"s01": "ran", "s02": "ran"}
    assert project.load("two") == "250"
    assert project.command("show", "one").stdout.startswith("one: Money")


def test_parquet_and_files_count_against_max_disk_too(project: Project) -> None:
    project.segments(
        s01="@step\ndef one(workdir: Path) -> Path:\n"
        "    (workdir / 'x').write_bytes(bytes(200_000))\n    return workdir / 'x'\n",
    )
    toml = '[cluster]\nram = "100 GB"\nquota = "50 %"\n[checkpoints]\nmax_disk = "100 kB"\n'
    project.write("memory_budget.toml", toml)
    record = project.run()
    assert (record["exit_code"], record["error"]["kind"]) == (5, "storage")
    assert "max_disk" in record["error"]["message"]
    assert project.manifests() == {}
