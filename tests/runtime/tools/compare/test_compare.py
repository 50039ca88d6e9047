"""`compare` runs the same steps both ways, tells what each took, and leaves no trace of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from flight_delays.checkpointing.memory.limits import Limit
from flight_delays.checkpointing.tools.compare.plain import script_limit

from ...conftest import Project, until

MB = 10**6
FRAME = 20 * MB
PER_SEGMENT = 8

# Knows whether an earlier segment's step ran in this process: then it is the plain script's.
PROCESS = """
segments = set()


def is_plain(segment: str) -> bool:
    segments.add(segment)
    return len(segments) > 1
"""

WAITING = {
    "s01": """
    from ..process import is_plain

    @step
    def first() -> int:
        is_plain("s01")
        ran("first")
        return 1
    """,
    "s02": """
    import os, subprocess, sys, time
    from ..process import is_plain

    @step
    def second(first: int, workdir: Path) -> Path:
        ran("second")
        made = workdir / "second.txt"
        made.write_text("second")
        place = "the plain script" if is_plain("s02") else "checkpoints"
        order = Path("wait_at.txt").read_text() if Path("wait_at.txt").exists() else ""
        if order == f"a child of {place}":
            tell = f"import time; open('reached.txt', 'w').write({order!r}); time.sleep(120)"
            subprocess.run([sys.executable, "-c", tell], check=True)
        while order == place:
            try:
                Path("reached.txt").write_text(place)
                time.sleep(120)
            except BaseException:
                continue
        return made
    """,
}


def frames(segment: int) -> str:
    """The source of a segment whose steps make an array of 20 MB each, and sum them up."""
    names = [f"array_{segment}_{number}" for number in range(PER_SEGMENT - 1)]
    makers = [
        f"@step\ndef {name}() -> np.ndarray:\n    return np.ones({FRAME // 8})" for name in names
    ]
    parameters = ", ".join(f"{name}: np.ndarray" for name in names)
    total = f"np.full({FRAME // 8}, {' + '.join(f'{name}[0]' for name in names)})"
    return "\n\n".join(
        [*makers, f"@step\ndef sum_{segment}({parameters}) -> np.ndarray:\n    return {total}"]
    )


def compared(project: Project, *arguments: str, **environment: str) -> dict[str, Any]:
    """`compare --json`: what it printed, with its exit code as `exit_code`."""
    done = project.command("compare", "--json", *arguments, **environment)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found | {"exit_code": done.returncode, "told": done.stderr}


def kept(project: Project) -> dict[str, tuple[bytes, int, int]]:
    """Every file of checkpoints, published outputs and run records: bytes, mtime, inode."""
    folders = (project.checkpoints(), project.folder / "data", project.folder / "runs")
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    own = [
        path
        for path in files
        if path.name not in {"run.lock", "run.json", "profile.json", "compare.log"}
    ]
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns, p.stat().st_ino) for p in own}


def check_nothing_left(project: Project) -> None:
    assert project.processes() == []
    assert list(project.checkpoints().glob(".compare*")) == []
    assert list(project.folder.rglob("*.tmp")) == []


@pytest.fixture(scope="module")
def heavy(shared_project: Project) -> Project:
    """A project with three segments of eight arrays of 20 MB; the last of each is an output."""
    shared_project.segments(**{f"s{number:02}": frames(number) for number in (1, 2, 3)})
    return shared_project


@pytest.fixture
def two_faced(project: Project) -> Callable[[str], Project]:
    """A project whose step `second` does something else in the plain script."""

    def build(differently: str) -> Project:
        project.write("src/demo/process.py", PROCESS)
        project.segments(
            s01="""
            from ..process import is_plain

            @step
            def first() -> int:
                is_plain("s01")
                return 1
            """,
            s02=f"""
            import ctypes, os, resource, signal, sys
            from ..process import is_plain

            @step
            def second(first: int) -> int:
                if is_plain("s02"):
                    print("now the other face", flush=True)
                    {differently}
                return 2
            """,
        )
        return project

    return build


@pytest.fixture
def waiting(project: Project) -> Callable[..., subprocess.Popen[str]]:
    """A function that starts a comparison and comes back when it waits in the given place."""
    project.write("src/demo/process.py", PROCESS)
    project.segments(**WAITING)

    def start(place: str) -> subprocess.Popen[str]:
        project.write("wait_at.txt", place)
        process = project.start("compare", "--json")
        until((project.folder / "reached.txt").exists, place)
        (project.folder / "wait_at.txt").unlink()
        return process

    return start


# --- figures --------------------------------------------------------------------------------------


def test_the_plain_script_holds_all_values_and_checkpoints_a_segment_s(heavy: Project) -> None:
    found = compared(heavy)
    plain, checkpoints = found["plain"], found["checkpoints"]
    assert found["exit_code"] == 0
    assert plain["status"] == checkpoints["status"] == "ran"
    assert plain["peak_bytes"] >= 3 * PER_SEGMENT * FRAME
    assert plain["peak_bytes"] < 3 * PER_SEGMENT * FRAME + 150 * MB  # Python and its libraries
    assert PER_SEGMENT * FRAME < checkpoints["peak_bytes"] < plain["peak_bytes"]
    assert found["ratios"] == {
        "peak": checkpoints["peak_bytes"] / plain["peak_bytes"],
        "seconds": checkpoints["seconds"] / plain["seconds"],
    }
    assert plain["bytes_written"] == plain["bytes_read"] == plain["disk_bytes"] == 0
    assert checkpoints["bytes_written"] >= 3 * FRAME
    assert checkpoints["disk_bytes"] >= 3 * FRAME
    assert found["same_results"] == {"sum_1": True, "sum_2": True, "sum_3": True}
    check_nothing_left(heavy)


def test_both_runs_are_told_step_by_step(heavy: Project) -> None:
    found = compared(heavy)
    for run in (found["plain"], found["checkpoints"]):
        assert [segment["status"] for segment in run["segments"]] == ["ran"] * 3
        steps = [step for segment in run["segments"] for step in segment["steps"]]
        assert len(steps) == 3 * PER_SEGMENT
        assert run["peak_bytes"] == max(segment["peak_bytes"] for segment in run["segments"])
        assert all(step["seconds"] > 0 for step in steps)
    peaks = [step["peak_bytes"] for s in found["plain"]["segments"] for step in s["steps"]]
    assert peaks == sorted(peaks)


def test_the_step_in_which_the_plain_script_outgrows_the_budget_is_named(heavy: Project) -> None:
    found = compared(heavy, "--budget", "480MB")
    steps = [step for segment in found["plain"]["segments"] for step in segment["steps"]]
    first = next(step["name"] for step in steps if step["peak_bytes"] > 480 * MB)
    assert found["exit_code"] == 0
    assert found["budget_bytes"] == 480 * MB
    assert found["plain"]["over_budget_in"] == first
    assert found["checkpoints"]["peak_bytes"] <= 480 * MB
    assert compared(heavy, "--budget", "2GB")["plain"]["over_budget_in"] is None


def test_what_later_parts_load_is_counted_as_read(project: Project) -> None:
    project.segments(
        s01="@step\ndef made() -> np.ndarray:\n    return np.ones(1_000_000)",
        s02="@step\ndef one(made: np.ndarray) -> float:\n    return float(made.sum())",
        s03="@step\ndef two(made: np.ndarray) -> float:\n    return float(made.max())",
    )
    found = compared(project)
    assert found["checkpoints"]["bytes_read"] == 16_000_000
    assert 8_000_000 < found["checkpoints"]["bytes_written"] < 8_001_000
    assert 8_000_000 < found["checkpoints"]["disk_bytes"] < 8_020_000


def test_a_person_sees_a_table_and_what_it_means(heavy: Project) -> None:
    done = heavy.command("compare", "--budget", "480MB")
    assert done.returncode == 0
    table, sentences = done.stdout[: done.stdout.rindex("┘")], done.stdout.splitlines()[-4:]
    rows = ("peak held memory", "of it before any step", "of budget", "time", "bytes written")
    for row in (*rows, "bytes read"):
        assert f" {row} " in table
    assert sentences[0].startswith("The plain script held up to ")
    assert sentences[1].startswith("It would have exceeded the budget of 480 MB in step `array_3_")
    assert sentences[2].startswith("With checkpoints all steps ran within ")
    assert sentences[3] == "Same results: yes, every byte of `sum_1`, `sum_2`, `sum_3`."
    told = done.stderr.splitlines()
    assert told[0] == "every step runs twice, with checkpoints and then as a plain script"
    assert "s01: runs (has not run yet)" in told
    assert "s01: runs (as a plain script)" in told
    assert told.count("s03: step 8/8 sum_3") == 2


# --- the limit ------------------------------------------------------------------------------------


def test_the_plain_script_is_stopped_at_the_limit_and_that_is_a_result(heavy: Project) -> None:
    found = compared(heavy, "--budget", "480MB", "--limit", "400MB")
    plain = found["plain"]
    steps = [step for segment in plain["segments"] for step in segment["steps"]]
    assert found["exit_code"] == 0
    assert plain["status"] == "stopped"
    assert plain["ended_in"] == steps[-1]["name"]
    assert plain["peak_bytes"] > 400 * MB
    assert plain["why"] == "the limit on this machine is 400 MB (--limit)"
    assert found["limit_bytes"] == 400 * MB
    assert found["same_results"] is None
    assert found["ratios"]["seconds"] is None
    assert "error" not in found
    check_nothing_left(heavy)


def test_a_person_is_told_where_it_was_stopped_and_that_the_ratio_is_a_bound(
    heavy: Project,
) -> None:
    done = heavy.command("compare", "--budget", "350MB", "--limit", "400MB")
    assert done.returncode == 0
    assert "≥ 4" in done.stdout
    assert "≤ 0." in done.stdout
    assert "The plain script was stopped in step `array_" in done.stdout
    assert "It would have exceeded the budget of 350 MB in step `array_" in done.stdout
    assert "With checkpoints all steps ran within " in done.stdout
    assert "Results could not be compared." in done.stdout


def test_a_limit_below_python_itself_is_no_step_s_fault(project: Project) -> None:
    project.segments(s01="@step\ndef one() -> int:\n    return 1")
    found = compared(project, "--limit", "30MB")
    assert found["exit_code"] == 0
    assert found["plain"]["status"] == "stopped"
    assert found["plain"]["ended_in"] is None


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("raise MemoryError('no room')", "an allocation failed (MemoryError: no room)"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed from outside"),
        (
            "os.write(2, b'memory allocation of 8 bytes failed\\n'); os.abort()",
            "aborted (memory allocation of 8 bytes failed)",
        ),
    ],
)
def test_a_plain_script_that_memory_ends_is_a_result_too(
    two_faced: Callable[[str], Project], how: str, why: str
) -> None:
    found = compared(two_faced(how))
    assert found["exit_code"] == 0
    assert found["plain"]["status"] == "stopped"
    assert found["plain"]["ended_in"] == "second"
    assert why in found["plain"]["why"]


def test_the_limit_leaves_the_machine_some_memory() -> None:
    free = psutil.virtual_memory().available
    limit = script_limit([Limit(10**15, "this machine's RAM")], None)
    assert 0.5 * free < limit.bytes < 0.9 * free
    assert limit.source == "80 % of the memory that is available"


def test_a_container_s_limit_counts_as_memory_that_is_there() -> None:
    container = Limit(10 * MB, "the container's limit")
    assert script_limit([container], None) == Limit(8 * MB, "80 % of the container's limit")


def test_an_asked_limit_only_lowers_it() -> None:
    container = Limit(10 * MB, "the container's limit")
    assert script_limit([container], 5 * MB) == Limit(5 * MB, "--limit")
    assert script_limit([container], 9 * MB).bytes == 8 * MB


# --- results --------------------------------------------------------------------------------------


def test_results_of_every_kind_are_found_the_same(project: Project) -> None:
    project.segments(
        s01="""
        import random
        import pyarrow as pa

        @step
        def table(lines: Path) -> pa.Table:
            return pa.table({"line": lines.read_text().split(), "n": [1, None, 3]})

        @step
        def frame(options: dict) -> pd.DataFrame:
            options["rows"] += 0
            n = options["rows"]
            return pd.DataFrame({
                "integer": np.arange(n),
                "missing": pd.array([None if i % 3 == 0 else i for i in range(n)], dtype="Int64"),
                "number": np.random.standard_normal(n),
                "flag": np.arange(n) % 2 == 0,
                "text": pd.array([f"text {i % 7}" for i in range(n)], dtype="str"),
                "kind": pd.Categorical([f"kind {i % 5}" for i in range(n)]),
                "moment": pd.date_range("2013-01-01", periods=n, freq="min", tz="UTC"),
            })

        @step
        def luck() -> float:
            return random.random()

        @step
        def array() -> np.ndarray:
            return np.random.standard_normal((50, 20)).T
        """,
        s02="""
        @step
        def from_table(table: pd.DataFrame) -> pd.DataFrame:
            return table

        @step
        def some_columns(
            frame: Annotated[pd.DataFrame, Columns("kind", "missing", "text")]
        ) -> pd.DataFrame:
            return frame.iloc[::2].assign(more=frame["missing"] + 1)

        @step
        def grouped(frame: pd.DataFrame) -> pd.DataFrame:
            return frame.groupby("kind", observed=True)[["number", "integer"]].mean()

        @step
        def sorted_text(frame: pd.DataFrame) -> pd.Series:
            return frame["text"].sort_values()

        @step
        def facts(luck: float, frame: pd.DataFrame) -> dict:
            return {"luck": luck, "rows": len(frame), "none": None}

        @step
        def product(array: np.ndarray) -> np.ndarray:
            return array * 2

        @step
        def a_file(luck: float, workdir: Path) -> Path:
            made = workdir / "luck.txt"
            made.write_text(str(luck))
            return made
        """,
        s03="""
        @step
        def read_back(a_file: Path) -> str:
            return a_file.read_text()
        """,
    )
    project.write(
        "pipeline.toml",
        """
        [inputs]
        lines = "lines.txt"

        [params]
        options = { rows = 1000 }

        [outputs]
        frame = "data/frame.parquet"
        a_file = "data/luck.txt"
        """,
    )
    project.write("lines.txt", "a b c")
    found = compared(project)
    assert found["exit_code"] == 0, found["told"]
    assert found["same_results"] == dict.fromkeys(
        (
            "frame",
            "from_table",
            "some_columns",
            "grouped",
            "sorted_text",
            "facts",
            "product",
            "a_file",
            "read_back",
        ),
        True,
    )
    assert not (project.folder / "data").exists()


@pytest.mark.parametrize("differently", ["return 3", "return float('nan')", "return {1, 2}"])
def test_results_that_differ_are_named(
    two_faced: Callable[[str], Project], differently: str
) -> None:
    assert compared(two_faced(differently))["same_results"] == {"second": False}


def test_a_person_is_told_which_results_differ_and_what_may_be_behind_it(
    two_faced: Callable[[str], Project],
) -> None:
    done = two_faced("return 3").command("compare")
    assert done.returncode == 0
    assert "Results differ: `second`. The cause may be a step that changes" in done.stdout


def test_a_pipeline_of_sinks_has_no_results_to_compare(project: Project) -> None:
    project.segments(s01="@step\ndef sink() -> None:\n    ran('sink')")
    assert "There are no outputs to compare." in project.command("compare").stdout


def test_a_step_that_changes_what_it_was_given_shows(project: Project) -> None:
    project.segments(
        s01="""
        @step
        def numbers() -> pd.DataFrame:
            return pd.DataFrame({"x": [1.0, 2.0]})

        @step
        def doubled(numbers: pd.DataFrame) -> pd.DataFrame:
            numbers["x"] = numbers["x"] * 2
            return numbers

        @step
        def total(numbers: pd.DataFrame) -> float:
            return float(numbers["x"].sum())
        """
    )
    assert compared(project)["same_results"] == {"doubled": True, "total": False}


def test_outputs_that_cannot_be_hashed_are_not_held_against_the_script(
    two_faced: Callable[[str], Project],
) -> None:
    project = two_faced("os.fsync = lambda descriptor: os._exit(0)")
    found = compared(project)
    assert found["exit_code"] == 0
    assert found["plain"]["status"] == "ran"
    assert found["same_results"] is None


# --- failures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("raise ValueError('odd')", "ValueError: odd"),
        ("sys.exit(0)", "SystemExit: 0"),
        ("os._exit(0)", "ended with exit code 0 and left no error"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "was killed by SIGSEGV and left no error"),
    ],
)
def test_a_plain_script_that_fails_is_reported_as_a_run_s_failure_is(
    two_faced: Callable[[str], Project], how: str, message: str
) -> None:
    project = two_faced(how)
    found = compared(project)
    assert found["exit_code"] == 1
    assert found["error"]["kind"] == "step_failed"
    assert found["error"]["run"] == "plain"
    assert (found["error"]["segment"], found["error"]["step"]) == ("s02", "second")
    assert message in found["error"]["message"]
    assert found["plain"]["status"] == "failed"
    assert found["plain"]["ended_in"] == "second"
    assert found["checkpoints"]["status"] == "ran"
    assert found["ratios"] == {"peak": None, "seconds": None}
    assert "now the other face" in (project.folder / "runs" / "compare.log").read_text()
    check_nothing_left(project)


def test_the_traceback_of_a_plain_script_is_the_user_s_own(
    two_faced: Callable[[str], Project],
) -> None:
    done = two_faced("raise ValueError('odd')").command("compare")
    assert done.returncode == 1
    assert "The plain script failed in step `second`" in done.stdout
    assert "in second" in done.stderr
    assert "checkpointing" not in done.stderr
    assert done.stderr.rstrip().endswith("error: segment `s02`, step `second`: ValueError: odd")


def test_a_failure_with_checkpoints_ends_the_comparison(project: Project) -> None:
    project.segments(
        s01="@step\ndef broken() -> int:\n    ran('broken')\n    raise KeyError('gone')"
    )
    found = compared(project)
    assert found["exit_code"] == 1
    assert found["error"]["step"] == "broken"
    assert found["plain"] is None
    assert project.executed() == ["broken"]
    check_nothing_left(project)


def test_a_step_that_alone_exceeds_the_budget_does_so_here_too(project: Project) -> None:
    project.segments(s01="@step\ndef big() -> np.ndarray:\n    return np.ones(50_000_000)")
    found = compared(project, "--budget", "400MB")
    assert found["exit_code"] == 3
    assert found["error"]["kind"] == "budget_exceeded"
    assert found["plain"] is None
    check_nothing_left(project)


@pytest.mark.parametrize(
    "arguments",
    [("--limit", "much"), ("--budget", "0"), ("--set", "unknown=1"), ("--set", "nothing")],
)
def test_what_cannot_be_asked_is_refused_before_anything_runs(
    project: Project, arguments: tuple[str, str]
) -> None:
    project.segments(s01="@step\ndef one() -> int:\n    ran('one')\n    return 1")
    found = compared(project, *arguments)
    assert found["exit_code"] == 2
    assert found["error"]["kind"] == "configuration"
    assert project.executed() == []
    check_nothing_left(project)


def test_max_disk_holds_for_the_comparison_and_what_is_there_already(project: Project) -> None:
    project.segments(s01="@step\ndef one() -> np.ndarray:\n    return np.ones(1_000_000)")
    with (project.folder / "memory_budget.toml").open("a") as settings:
        settings.write('[checkpoints]\nmax_disk = "12 MB"\n')
    assert compared(project)["exit_code"] == 0
    project.run()
    found = compared(project)
    assert found["exit_code"] == 5
    assert "max_disk" in found["error"]["message"]
    check_nothing_left(project)


# --- no trace -------------------------------------------------------------------------------------


def test_checkpoints_outputs_and_run_records_stay_as_they_are(project: Project) -> None:
    project.segments(
        s01="@step\ndef one(n: int) -> int:\n    return n",
        s02="@step\ndef two(one: int) -> int:\n    return one + 1",
    )
    project.write("pipeline.toml", '[params]\nn = 1\n\n[outputs]\ntwo = "data/two.json"\n')
    project.run()
    before = kept(project)
    assert compared(project, "--set", "n=5")["exit_code"] == 0
    assert compared(project)["exit_code"] == 0
    assert kept(project) == before
    assert project.statuses() == {"s01": "reused", "s02": "reused"}
    check_nothing_left(project)


def test_what_was_measured_goes_into_the_profile(project: Project) -> None:
    project.segments(s01="@step\ndef one() -> int:\n    return 1")
    compared(project)
    assert '"one"' in (project.folder / "runs" / "profile.json").read_text()
    assert [path for path in (project.folder / "runs").iterdir() if path.is_dir()] == []


def test_sinks_are_named_before_they_run_twice(project: Project) -> None:
    project.segments(
        s01="""
        @step
        def one() -> int:
            return 1

        @step
        def database(one: int) -> None:
            ran("database")
        """
    )
    done = project.command("compare")
    assert "elsewhere: `database`" in done.stderr.splitlines()[0]
    assert project.executed() == ["database", "database"]


@pytest.mark.parametrize(
    "place",
    ["checkpoints", "a child of checkpoints", "the plain script", "a child of the plain script"],
)
def test_ctrl_c_stops_at_once_and_leaves_nothing(
    project: Project, waiting: Callable[..., subprocess.Popen[str]], place: str
) -> None:
    process = waiting(place)
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to every process of the group
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(out)["error"]["kind"] == "interrupted"
    assert "Traceback" not in err
    check_nothing_left(project)


def test_an_impatient_person_leaves_nothing_either(
    project: Project, waiting: Callable[..., subprocess.Popen[str]]
) -> None:
    process = waiting("the plain script")
    for _ in range(5):
        os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    until(lambda: not project.processes(), "the end of all processes")
    project.run()
    check_nothing_left(project)


def test_sigterm_from_a_scheduler_does_the_same(
    project: Project, waiting: Callable[..., subprocess.Popen[str]]
) -> None:
    process = waiting("the plain script")
    process.terminate()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(out)["plain"]["status"] == "failed"
    check_nothing_left(project)


@pytest.mark.parametrize(
    ("command", "place"),
    [("run", "the plain script"), ("compare", "the plain script"), ("compare", "checkpoints")],
)
def test_what_a_killed_comparison_left_is_swept_by_the_next_command(
    project: Project, waiting: Callable[..., subprocess.Popen[str]], command: str, place: str
) -> None:
    process = waiting(place)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    until(lambda: not project.processes(), "the end of all processes")
    assert list(project.checkpoints().glob(".compare*"))
    assert project.command(command).returncode == 0
    check_nothing_left(project)


def test_a_run_and_a_comparison_keep_out_of_each_other_s_way(
    project: Project, waiting: Callable[..., subprocess.Popen[str]]
) -> None:
    process = waiting("the plain script")
    for command in ("run", "compare"):
        done = project.command(command)
        assert done.returncode == 5
        assert f"process {process.pid} on " in done.stderr
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert Path(project.folder / "executed.txt").read_text().split().count("second") == 2
