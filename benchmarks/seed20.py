"""seed20: twenty steps of 60 MB each under a quota, as a plain script and as two segments."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import seed20_frames
from measure import (
    Bench,
    Row,
    Watched,
    in_turns,
    ratios,
    seconds_of,
    show_bytes,
    show_ratio,
    show_seconds,
    show_times,
    spread,
    watch,
)
from project import Project, write_project

PACKAGE = "seed20"
HALVES = (range(1, 11), range(11, 21))
QUOTA_FRAMES = 11
START_SECONDS = 1.5
SLOWDOWN = 1.2
BUDGET_EXCEEDED = 3  # the exit code of the project's `run`

_HEADER = """\
import pandas as pd

from ..checkpointing import step
from ..frames import frame, summary
"""
_FRAME = """

@step
def frame_{number}(rows: int) -> pd.DataFrame:
    return frame({number}, rows)
"""
_SUMMARY = """

@step
def {name}({parameters}, rows: int) -> pd.DataFrame:
    last = frame({last}, rows)
    return {result}
"""


def run(bench: Bench) -> list[Row]:
    """Compare both under the quota and without, in turns."""
    frame_bytes = (20 if bench.quick else 60) * 10**6
    rows = frame_bytes // seed20_frames.ROW_BYTES
    folder = bench.folder / "seed20"
    project = seed20_project(folder / "project", rows)
    script = _plain_script(folder / "plain", rows)
    bare = watch([sys.executable, "-c", "pass"], folder)
    empty = _empty_project(folder / "empty")
    under_quota = ("run", "--fresh", "--json", "--budget")
    rounds = 2 if bench.quick else 5
    baseline = max(empty.command("run", "--fresh").expected().peak_bytes for _ in range(3))
    quota = baseline + QUOTA_FRAMES * frame_bytes
    found = in_turns(
        rounds,
        plain=lambda: watch([sys.executable, script], script.parent).expected(),
        plain_under_quota=lambda: watch([sys.executable, script], script.parent, limit=quota),
        project_at_first=lambda: _unmeasured(project).command(*under_quota, str(quota)),
        project=lambda: project.command(*under_quota, str(quota)),
        compare=lambda: project.command("compare", "--json", "--budget", str(quota)).expected(),
    )
    record = _record(found["project"][-1])
    return [
        *_rows_of_memory(frame_bytes, baseline, quota, bare, found, record),
        *_rows_of_time(found, record),
        *_rows_of_compare(found),
        _row_of_result(script.parent, project),
    ]


def _rows_of_memory(
    frame_bytes: int,
    baseline: int,
    quota: int,
    bare: Watched,
    found: dict[str, list[Watched]],
    record: dict[str, Any],
) -> list[Row]:
    peaks = {name: spread([run.peak_bytes for run in runs]).median for name, runs in found.items()}
    plain_killed = all(run.exit_code is None for run in found["plain_under_quota"])
    completed = all(run.exit_code == 0 for run in found["project_at_first"] + found["project"])
    of_quota = f"quota {show_bytes(quota)}"
    bare_bytes = f"bare interpreter {show_bytes(bare.peak_bytes)}"
    return [
        Row(PACKAGE, "runtime with an empty step, peak", show_bytes(baseline), bare_bytes),
        Row(
            PACKAGE,
            f"quota: that and {QUOTA_FRAMES} frames of {show_bytes(frame_bytes)}",
            show_bytes(quota),
        ),
        Row(PACKAGE, "plain script, no limit: peak", *_share(peaks["plain"], quota)),
        Row(
            PACKAGE,
            "plain script under the quota",
            "killed" if plain_killed else "not always killed",
            of_quota,
            target="killed",
            met=plain_killed,
        ),
        Row(
            PACKAGE,
            "project under the quota",
            "completes" if completed else "does not always complete",
            of_quota,
            target="completes",
            met=completed,
        ),
        Row(PACKAGE, "its peak, never measured before", *_share(peaks["project_at_first"], quota)),
        Row(PACKAGE, "its peak, as it is planned", *_share(peaks["project"], quota)),
        Row(
            PACKAGE,
            "peak that the project reports",
            show_bytes(record["peak_bytes"]),
            f"sampled outside {show_bytes(found['project'][-1].peak_bytes)}",
            f"{record['peak_bytes'] / found['project'][-1].peak_bytes:.3f}",
        ),
    ]


def _rows_of_time(found: dict[str, list[Watched]], record: dict[str, Any]) -> list[Row]:
    plain, project = seconds_of(found["plain"]), seconds_of(found["project"])
    at_first = seconds_of(found["project_at_first"])
    plain_cpu = [run.cpu_seconds for run in found["plain"]]
    project_cpu = [run.cpu_seconds for run in found["project"]]
    allowed = [SLOWDOWN * one + START_SECONDS for one in plain]
    within = ratios(project, allowed)
    return [
        Row(
            PACKAGE,
            "project under the quota: wall time",
            show_seconds(spread(project)),
            f"plain, no limit {show_seconds(spread(plain))}",
            show_times(project, plain),
        ),
        Row(
            PACKAGE,
            "the same, never measured before",
            show_seconds(spread(at_first)),
            f"plain, no limit {show_seconds(spread(plain))}",
            show_times(at_first, plain),
        ),
        Row(
            PACKAGE,
            f"as it is planned, of {SLOWDOWN} × plain + {START_SECONDS} s",
            show_seconds(spread(project)),
            f"allowed {show_seconds(spread(allowed))}",
            show_ratio(within),
            "≤ 1",
            within.median <= 1,
        ),
        Row(
            PACKAGE,
            "as it is planned: CPU time of all processes",
            show_seconds(spread(project_cpu)),
            f"plain, no limit {show_seconds(spread(plain_cpu))}",
            show_ratio(ratios(project_cpu, plain_cpu)),
        ),
        Row(PACKAGE, "project: bytes written", f"{record['bytes_written']:,} bytes", "plain: none"),
    ]


def _rows_of_compare(found: dict[str, list[Watched]]) -> list[Row]:
    """What the project's own `compare` says of the same steps."""
    told = [json.loads(run.out) for run in found["compare"]]
    peaks, seconds = (
        {kind: [one[kind][figure] for one in told] for kind in ("plain", "checkpoints")}
        for figure in ("peak_bytes", "seconds")
    )
    outside = [run.peak_bytes for run in found["plain"]]
    same = all(one["same_results"] == {"result": True} for one in told)
    return [
        Row(
            PACKAGE,
            "compare: peak with checkpoints",
            show_bytes(spread(peaks["checkpoints"]).median),
            f"plain script {show_bytes(spread(peaks['plain']).median)}",
            show_ratio(ratios(peaks["checkpoints"], peaks["plain"])),
        ),
        Row(
            PACKAGE,
            "compare: time with checkpoints",
            show_seconds(spread(seconds["checkpoints"])),
            f"plain script {show_seconds(spread(seconds['plain']))}",
            show_times(seconds["checkpoints"], seconds["plain"]),
        ),
        Row(
            PACKAGE,
            "compare: peak of its plain script",
            show_bytes(spread(peaks["plain"]).median),
            f"the script itself {show_bytes(spread(outside).median)}",
            show_ratio(ratios(peaks["plain"], outside)),
        ),
        Row(
            PACKAGE,
            "compare: results",
            "the same" if same else "different",
            "plain script",
            target="every byte the same",
            met=same,
        ),
    ]


def _row_of_result(plain: Path, project: Project) -> Row:
    published = project.folder / "result.parquet"
    expected = bits(pd.read_pickle(plain / "result.pickle"))
    same = published.exists() and bits(pd.read_parquet(published)) == expected
    value = "the same" if same else "different"
    return Row(PACKAGE, "project: result", value, "plain", target="every bit the same", met=same)


def bits(frame: pd.DataFrame) -> list[tuple[str, str, bytes | list[str]]]:
    """Everything that a frame holds: labels, dtypes and the bytes of every value."""
    return [
        (
            str(label),
            str(column.dtype),
            column.tolist() if column.dtype == "str" else column.to_numpy().tobytes(),
        )
        for label, column in frame.reset_index().items()
    ]


def _share(peak: float, quota: int) -> tuple[str, str, str]:
    return show_bytes(peak), f"quota {show_bytes(quota)}", f"{peak / quota:.2f}"


def _record(run: Watched) -> dict[str, Any]:
    if run.exit_code not in (0, BUDGET_EXCEEDED):
        raise RuntimeError(f"seed20's project failed:\n{run.err}")
    found: dict[str, Any] = json.loads(run.out)
    return found


def _unmeasured(project: Project) -> Project:
    """The project, without what its runs learnt of its memory."""
    (project.folder / "runs" / "profile.json").unlink(missing_ok=True)
    return project


def seed20_project(folder: Path, rows: int) -> Project:
    """The project of twenty steps, whose frames have so many rows."""
    segments = {}
    for half, name in zip(HALVES, ("half", "result"), strict=True):
        *earlier, last = half
        parameters = [f"frame_{number}: pd.DataFrame" for number in earlier]
        result = f"summary([{', '.join(f'frame_{number}' for number in earlier)}, last])"
        if name == "result":
            parameters.append("half: pd.DataFrame")
            result = f"pd.concat([half, {result}], ignore_index=True)"
        segments[f"s_{name}"] = (
            _HEADER
            + "".join(_FRAME.format(number=number) for number in earlier)
            + _SUMMARY.format(name=name, parameters=", ".join(parameters), last=last, result=result)
        )
    wiring = f'[params]\nrows = {rows}\n\n[outputs]\nresult = "result.parquet"\n'
    project = write_project(folder, PACKAGE, segments, wiring)
    shutil.copy(seed20_frames.__file__, folder / "src" / PACKAGE / "frames.py")
    return project


def _plain_script(folder: Path, rows: int) -> Path:
    """The same calls in one process, every frame a variable to the end."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(seed20_frames.__file__, folder / "frames.py")
    lines = ["import pandas as pd", "from frames import frame, summary", ""]
    lines += ["def closing(frames, last):", "    return summary([*frames, frame(last, ROWS)])", ""]
    lines += [f"ROWS = {rows}"]
    for half, name in zip(HALVES, ("half", "result"), strict=True):
        *earlier, last = half
        lines += [f"frame_{number} = frame({number}, ROWS)" for number in earlier]
        frames = ", ".join(f"frame_{number}" for number in earlier)
        lines += [f"{name} = closing([{frames}], {last})"]
    lines += ["result = pd.concat([half, result], ignore_index=True)"]
    lines += ['result.to_pickle("result.pickle")', ""]
    script = folder / "script.py"
    script.write_text("\n".join(lines))
    return script


def _empty_project(folder: Path) -> Project:
    source = "from ..checkpointing import step\n\n\n@step\ndef nothing() -> int:\n    return 0\n"
    return write_project(folder, "empty", {"s_empty": source})
