"""A flipped byte in any file of a checkpoint is detected, and what it held is made again."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from flight_delays.checkpointing.base.files import checksum, stamp
from flight_delays.checkpointing.disk.manifest import MANIFEST, read_manifest

from ...marks import in_slow
from ..conftest import Project, run_once

SEGMENTS = {
    "s01": """
    @step
    def frame() -> pd.DataFrame:
        ran("s01")
        return pd.DataFrame({"x": np.arange(200.0), "name": ["a", "b"] * 100})

    @step
    def array() -> np.ndarray:
        return np.arange(200)

    @step
    def facts() -> dict[str, int]:
        return {"rows": 200}

    @step
    def page(workdir: Path) -> Path:
        target = workdir / "page.txt"
        target.write_text("text " * 50)
        return target

    @step
    def pages(workdir: Path) -> Path:
        folder = workdir / "pages"
        folder.mkdir()
        for number in range(3):
            (folder / f"{number}.txt").write_text(f"page {number} " * 50)
        return folder
    """,
    "s02": """
    @step
    def table(
        frame: pd.DataFrame, array: np.ndarray, facts: dict[str, int], page: Path, pages: Path
    ) -> pd.DataFrame:
        ran("s02")
        text = page.read_text() + "".join(p.read_text() for p in sorted(pages.iterdir()))
        return frame.assign(y=array, rows=facts["rows"], text=len(text))
    """,
}

WIRING = """
[outputs]
table = "data/table.parquet"
pages = "data/pages"
"""


@pytest.fixture(scope="module")
def original(shared_project: Project) -> Project:
    """A project that was run: values of every family between its two segments."""
    return run_once(shared_project, SEGMENTS, WIRING)


def files(project: Project, segment: str) -> list[Path]:
    """All files of a segment's checkpoint."""
    [folder] = [p for p in (project.checkpoints() / segment).iterdir() if "." not in p.name]
    return sorted(path for path in folder.rglob("*") if path.is_file())


def values(project: Project, segment: str) -> list[Path]:
    """The files of a segment's checkpoint that hold values."""
    return [path for path in files(project, segment) if path.name != "manifest.json"]


def flip(path: Path, share: float, *, keep_mtime: bool = False) -> None:
    """Turn over all bits of the byte that lies at a share of the file's length."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[int(share * (len(content) - 1))] ^= 0xFF
    with path.open("r+b") as file:
        file.write(content)
    if keep_mtime:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def outputs(project: Project) -> dict[str, bytes]:
    """The bytes of everything that is published."""
    found = [path for path in (project.folder / "data").rglob("*") if path.is_file()]
    return {path.name: path.read_bytes() for path in found}


@pytest.mark.parametrize("segment", [*in_slow("s01"), "s02"])
def test_a_flipped_byte_in_any_file_is_noticed_and_the_segment_runs_again(
    done: Project, segment: str
) -> None:
    expected = outputs(done)
    with done.session() as run:
        for number in range(len(files(done, segment))):
            for share in (0.3, 1.0):
                path = files(done, segment)[number]
                flip(path, share)
                record = run()
                statuses = {s["name"]: s["status"] for s in record["segments"]}
                others = {"s01": "reused", "s02": "reused"}
                assert statuses == others | {segment: "ran"}, f"{path} at {share}"
                assert outputs(done) == expected


@pytest.mark.slow
def test_with_its_mtime_restored_it_is_noticed_when_the_value_is_loaded(done: Project) -> None:
    expected = outputs(done)
    with done.session() as run:
        run(fresh=True)  # for in a copied project every inode is another
        for number in range(len(values(done, "s01"))):
            for share in (0.0, 0.5, 1.0):
                path = values(done, "s01")[number]
                flip(path, share, keep_mtime=True)
                done.executed()
                record = run(rerun_from="s02")
                assert "error" not in record
                assert done.executed() == ["s01", "s02"], f"{path} at {share}"
                assert outputs(done) == expected


def test_with_its_mtime_restored_it_is_never_published(done: Project) -> None:
    expected = outputs(done)
    with done.session() as run:
        run(fresh=True)
        for segment, name in (("s02", ".parquet"), ("s01", "1.txt")):
            [path] = [p for p in files(done, segment) if p.name.endswith(name)]
            flip(path, 0.5, keep_mtime=True)
        shutil.rmtree(done.folder / "data")
        assert [s["status"] for s in run()["segments"]] == ["ran", "ran"]
    assert outputs(done) == expected


def test_verify_finds_every_flipped_byte(done: Project) -> None:
    done.run("--fresh")
    for path in values(done, "s01"):
        flip(path, 0.5, keep_mtime=True)
    said = " ".join(done.command("status", "--verify", COLUMNS="200").stdout.split())
    assert "damaged on disk: frame, array, facts, page, pages" in said
    assert "damaged" not in done.command("status", COLUMNS="200").stdout


def test_what_was_damaged_is_reported_and_set_aside_for_a_person(done: Project) -> None:
    path = files(done, "s01")[0]
    flip(path, 0.5)
    said = done.command("run").stderr
    assert "s01: damaged on disk: array; set aside as" in said
    [aside] = done.checkpoints().glob("s01/*.damaged-*")
    assert (aside / path.name).exists()
    assert aside.name in said


@pytest.mark.parametrize("name", ["frame", *in_slow("manifest.json", "pages")])
def test_a_file_that_is_gone_or_cut_short_is_made_again(done: Project, name: str) -> None:
    [path, *_] = [p for p in files(done, "s01") if name in str(p.relative_to(done.folder))]
    with done.session() as run:
        path.unlink()
        assert run()["segments"][0]["status"] == "ran"
        [path, *_] = [p for p in files(done, "s01") if name in str(p.relative_to(done.folder))]
        os.truncate(path, 10)
        assert run()["segments"][0]["status"] == "ran"
        assert run()["segments"][0]["status"] == "reused"


def test_only_does_not_run_on_damaged_sources(done: Project) -> None:
    done.run("--fresh")
    done.executed()
    flip(next(p for p in values(done, "s01") if p.name.startswith("frame")), 0.5, keep_mtime=True)
    source = done.folder / "src/demo/segments/s02.py"
    source.write_text(source.read_text().replace("text=len(text)", "text=len(text) + 1"))
    record = done.run("--only", "s02")
    assert record["exit_code"] == 2
    assert done.executed() == []


def test_load_refuses_a_damaged_value(done: Project) -> None:
    flip(next(p for p in files(done, "s01") if p.name.startswith("frame")), 0.5, keep_mtime=True)
    shown = done.command("show", "frame")
    assert shown.returncode == 5
    assert "is damaged; `run` will rebuild it." in shown.stderr


def make_unreadable(project: Project, value: str) -> None:
    """Commit, as a version that did not read back could, an Arrow file that nothing can read."""
    [path] = [p for p in values(project, "s01") if p.name.startswith(value)]
    kinds = pa.DictionaryArray.from_arrays(pa.array([0]), pa.array(["a"]))
    table = pa.table({"x": pa.DictionaryArray.from_arrays(pa.array([0]), kinds)})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    manifest = read_manifest(path.parent)
    assert manifest is not None
    mtime_ns, inode = stamp(path)
    record = replace(
        manifest.values[value],
        checksum=checksum(path),
        bytes=path.stat().st_size,
        mtime_ns=mtime_ns,
        inode=inode,
    )
    replace(manifest, values=manifest.values | {value: record}).write(path.parent, MANIFEST)


def test_what_was_committed_and_cannot_be_read_is_set_aside_and_made_again(done: Project) -> None:
    expected = outputs(done)
    with done.session() as run:
        run(fresh=True)
        make_unreadable(done, "frame")
        done.executed()
        shown = done.command("show", "frame")
        assert shown.returncode == 5
        said = " ".join(shown.stderr.split())
        assert "cannot be read (buffer_index out of range.), though it is as it was" in said
        assert "Make it anew with `run --rerun-from s01`" in said
        record = run(rerun_from="s02")
        assert "error" not in record
        assert done.executed() == ["s01", "s02"]
        assert len(list(done.checkpoints().glob("s01/*.damaged-*"))) == 1
        assert done.command("show", "frame").returncode == 0
    assert outputs(done) == expected


ADAPTERS = """
from fractions import Fraction
from .checkpointing.codecs import Codec, register

register(
    Codec(
        "Fraction",
        "fractions.Fraction",
        "json",
        lambda value: f'"{value}"'.encode(),
        lambda frozen: Fraction(frozen.decode().strip('"')),
    )
)
"""
MAKES_TEXT = """
    @step
    def share() -> str:
        ran("share")
        return "a half"
"""
TAKES_FRACTION = """
    from fractions import Fraction

    @step
    def doubled(share: Fraction) -> str:
        return str(2 * share)
"""


@pytest.mark.parametrize("is_cut", [True, False])
def test_a_sound_file_that_a_step_asks_for_in_a_wrong_form_is_no_damage(
    project: Project, is_cut: bool
) -> None:
    project.write("src/demo/adapters.py", ADAPTERS)
    if is_cut:
        project.segments(s01=MAKES_TEXT, s02=TAKES_FRACTION)
    else:
        project.segments(s01=MAKES_TEXT + TAKES_FRACTION)
    error = project.run()["error"]
    assert error["kind"] == "inexact_value"
    assert "Invalid literal for Fraction: 'a half'" in error["message"]
    if is_cut:
        assert error["step"] == "doubled"
        assert "though its file is as it was committed. Annotate the" in error["message"]
        assert "`run --rerun-from s01`" in error["message"]
        assert project.run()["error"] == error
    assert project.executed() == ["share"]
    assert not list(project.checkpoints().glob("*/*.damaged-*"))


def test_a_step_that_writes_to_a_file_that_it_is_given_is_told_so(project: Project) -> None:
    project.segments(
        s01="""
        import time

        @step
        def book(workdir: Path) -> Path:
            ran("book")
            (workdir / "book").write_text(str(time.time_ns()))
            return workdir / "book"
        """,
        s02="""
        @step
        def pages(book: Path) -> int:
            with open(book, "a") as file:
                file.write("one more page")
            return 1
        """,
        s03="""
        @step
        def length(book: Path, pages: int) -> int:
            return len(book.read_text()) + pages
        """,
    )
    record = project.run()
    assert record["exit_code"] == 5
    assert "the checkpoint of `book` was damaged twice in one run" in record["error"]["message"]
    assert project.executed() == ["book", "book"]


def test_what_a_part_did_not_read_before_it_was_cut_is_hashed_by_the_next(project: Project) -> None:
    project.segments(
        s01="""
        @step
        def source() -> np.ndarray:
            return np.zeros(1000)
        """,
        s02="""
        @step
        def large() -> np.ndarray:
            return np.ones(15_000_000)

        @step
        def late(source: np.ndarray, large: np.ndarray) -> float:
            return float(source.sum())
        """,
    )
    began = project.run()["segments"][1]["steps"][0]["began_bytes"]
    shutil.rmtree(project.checkpoints() / "s02")
    (project.folder / "runs" / "profile.json").unlink()
    [path] = project.checkpoints().glob("s01/*/source*")
    found, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    record = project.run("--budget", str(began + 190_000_000))
    assert [segment["status"] for segment in record["segments"]] == ["ran", "ran"]
    assert project.load("late") == "0.0"
