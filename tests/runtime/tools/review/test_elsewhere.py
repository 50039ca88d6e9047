"""`review PATH`: a repository is judged from outside, whatever its layout, and none of it runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.tools.review.command import review_command
from flight_delays.checkpointing.tools.review.elsewhere import Place, places_in

from ...conftest import RUNTIME, Project
from .reviewed import Reviewed

# Each module would print, and end the process, if it was imported.
PRINTS = 'print("imported")\nraise SystemExit(9)\n'
CLOCK = """\
import time

import pandas as pd

from {runtime} import step


@step
def late(flights: pd.DataFrame) -> float:
    return time.time() + len(flights)


"""
LAYOUTS = {
    "nothing but segments": ("segments/first.py", "checkpointing", "checkpointing", "."),
    "a package at the top": (
        "batch/segments/s01.py",
        "..checkpointing",
        "batch/checkpointing",
        "batch",
    ),
    "a package in src": (
        "src/batch/s01.py",
        ".checkpointing",
        "src/batch/checkpointing",
        "src/batch",
    ),
    "a package in a package": (
        "app/batch/parts/s01.py",
        "app.batch.checkpointing",
        "app/batch/checkpointing",
        "app/batch",
    ),
    "a runtime that others share": (
        "jobs/nightly/s01.py",
        "shared.checkpointing",
        "shared/checkpointing",
        "jobs",
    ),
    "a runtime that is installed": ("jobs/s01.py", "company.checkpointing", None, "jobs"),
}


def put(folder: Path, **files: str) -> Path:
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return folder


def judged(capsys: pytest.CaptureFixture[str], path: Path) -> tuple[int, list[str], str]:
    """The exit code, the findings as `path rule`, and what is on stderr."""
    code = review_command("flight_delays", "json", None, str(path))
    out, err = capsys.readouterr()
    found = json.loads(out)
    return code, [f"{finding['path']} {finding['rule']}" for finding in found], err


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_step_is_judged_in_every_layout_and_nothing_is_imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], layout: str
) -> None:
    module, imported, runtime, package = LAYOUTS[layout]
    folder = put(tmp_path / "repo", **{module: CLOCK.format(runtime=imported) + PRINTS})
    for parent in (folder / module).relative_to(folder).parents:
        if "app" in parent.parts or "batch" in parent.parts:
            (folder / parent / "__init__.py").write_text(PRINTS)
    if runtime:
        shutil.copytree(RUNTIME, folder / runtime, ignore=shutil.ignore_patterns("__pycache__"))
    if layout == "a runtime that others share":
        (folder / "shared" / "__init__.py").write_text(PRINTS)

    found = Place(folder, folder / package, folder / runtime if runtime else None)
    assert places_in(str(folder)) == [found]
    code, findings, err = judged(capsys, folder)

    record = ["checkpointing.sha256 CKP105"] if runtime else []
    assert findings == sorted([*record, f"{module} CKP205"])
    assert code == 4
    assert "imported" not in err
    assert ("there is no runtime in a folder `checkpointing`" in err) is (runtime is None)
    for sentence in ("no pipeline.toml", "no memory_budget.toml", "no CODEOWNERS", "no `Pipeline"):
        assert sentence in err


def test_modules_at_the_top_form_segments_and_pipelines_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(
        tmp_path,
        **{
            "checkpointing/__init__.py": "",
            "segments/a.py": "from checkpointing import step\nfrom segments import b\n"
            "import pandas as pd\n\n@step\ndef one() -> pd.DataFrame:\n"
            '    return pd.DataFrame({"x": [1], "y": [2]})\n',
            "segments/b.py": "from checkpointing import step\nimport pandas as pd\n\n@step\n"
            'def two(one: pd.DataFrame) -> float:\n    return one["x"].sum()\n',
            "main.py": "from checkpointing import Pipeline\nfrom segments import a, b\n\n"
            "PIPELINE = Pipeline(a, b)\n",
            "tests/test_a.py": CLOCK.format(runtime="checkpointing"),
            "venv/pyvenv.cfg": "",
            "venv/lib/x.py": CLOCK.format(runtime="checkpointing"),
        },
    )
    _, findings, err = judged(capsys, tmp_path)
    assert findings == [
        "checkpointing.sha256 CKP105",
        "segments/a.py CKP103",
        "segments/b.py CKP303",
    ]
    assert "no `Pipeline" not in err


def test_a_project_is_judged_by_its_folder_its_package_or_a_folder_above(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        clock = "\n@step\ndef late() -> pd.Timestamp:\n    return pd.Timestamp.now()\n"
        Reviewed(tmp_path / "all" / name).write(s01=clock)
    (tmp_path / "all" / "two" / "src" / "demo" / "checkpointing" / "more.py").write_text("")
    finding = "src/demo/segments/s01.py CKP205"

    for path in ("one", "one/src", "one/src/demo", "one/src/demo/segments", "two/../one"):
        assert judged(capsys, tmp_path / "all" / path)[:2] == (4, [finding])
    assert judged(capsys, tmp_path)[1] == [
        f"one/{finding}",
        "two/src/demo/checkpointing/more.py CKP105",
        f"two/{finding}",
    ]


def test_a_version_and_an_edit_are_told_in_the_same_words_as_at_home(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = Reviewed(tmp_path).write(s01="\n@step\ndef one() -> int:\n    return 1\n")
    runtime = tmp_path / "src" / "demo" / "checkpointing" / "__init__.py"
    runtime.write_text(runtime.read_text().replace("1.4.0", "1.5.0"))

    review_command("flight_delays", "text", None, str(tmp_path))

    [finding] = project.findings()
    assert finding.message == "the runtime is of version 1.5.0, the record of version 1.4.0"
    assert finding.message in capsys.readouterr().out


def test_a_review_at_home_gives_the_same_as_one_from_outside(project: Project) -> None:
    project.segments(s01="@step\ndef one() -> float:\n    import time\n    return time.time()\n")
    project.write("docs/review-standard.md", "")
    outside = project.command("review", str(project.folder))
    at_home = project.command("review")
    assert at_home.returncode == outside.returncode == 4
    assert at_home.stdout == outside.stdout


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere", "does not exist"),
        ("file.py", "is not a folder"),
        ("pipe", "is not a folder"),
        ("empty", "has no step, so there is nothing to review. The review judges functions"),
        ("foreign", "has no step"),
        ("https://example.org/a/b.git", "is an address. Clone it first"),
        ("git@example.org:a/b.git", "is an address. Clone it first"),
        ("file:///srv/a", "is an address. Clone it first"),
    ],
)
def test_what_cannot_be_judged_is_refused_with_the_reason(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    path: str,
    message: str,
) -> None:
    foreign = "from somewhere import step\n\n@step\ndef a(): ..."
    put(tmp_path, **{"file.py": "", "foreign/steps.py": foreign})
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)

    assert review_command("flight_delays", "json", None, path) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["kind"] == "configuration"
    assert message in error["message"]


def test_odd_files_on_the_way_stop_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(
        tmp_path,
        **{
            "jobs/a.py": CLOCK.format(runtime="company.checkpointing"),
            "jobs/wrong.py": "from company.checkpointing import step\nthis is (wrong",
            "other/wrong.py": "checkpointing step (",
        },
    )
    (tmp_path / "jobs" / "loop").symlink_to(tmp_path)
    (tmp_path / "jobs" / "binary.py").write_bytes(b"checkpointing \xff\x00")
    os.mkfifo(tmp_path / "other" / "pipe.py")
    assert judged(capsys, tmp_path)[1] == [
        "jobs/a.py CKP205",
        "jobs/binary.py CKP001",
        "jobs/wrong.py CKP001",
    ]


def test_git_runs_no_program_that_the_repository_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A partial clone lacks files, and git would fetch them by the program of its settings."""
    project = Reviewed(tmp_path / "repo").write(s01="\n@step\ndef one() -> int:\n    return 1\n")
    project.put({"memory_budget.toml": '[cluster]\nram = "1 GB"\nquota = "50 %"\n'}).commit()
    ran = tmp_path / "ran"
    git = ["git", "-C", str(project.folder)]
    words = [*git, "rev-parse", "HEAD:memory_budget.toml"]
    blob = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    (project.folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    for setting, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.url": "ssh://example.invalid/repo",
        "remote.origin.promisor": "true",
        "core.sshCommand": f"touch {ran};false",
    }.items():
        subprocess.run([*git, "config", setting, value], check=True)

    code = review_command("flight_delays", "text", "HEAD", str(project.folder))

    assert not ran.exists()
    assert code in (0, 2, 4)
    assert "GIT_ALLOW_PROTOCOL" not in os.environ
    capsys.readouterr()
    subprocess.run([*git, "show", "HEAD:memory_budget.toml"], capture_output=True, check=False)
    assert ran.exists(), "git did not need the program"


def test_a_place_that_nobody_can_list_is_named() -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        places_in("/nowhere/at/all")
