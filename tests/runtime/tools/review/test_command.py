"""The command `review`, as a person and as CI call it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from flight_delays.checkpointing import __version__

from ....conftest import Bakery
from ....conftest import Project as Baked
from ...conftest import RUNTIME, Project
from .reviewed import Reviewed

CLEAN = """
@step
def rows(count: int) -> pd.DataFrame:
    return pd.DataFrame({"number": range(count)})
"""
BROKEN = """
@step
def rows(count: int) -> pd.DataFrame:
    print("a step ran")
    return pd.DataFrame({"number": range(count), "made": pd.Timestamp.now()})

print("a module was imported")
"""


@pytest.fixture
def clean(project: Project) -> Project:
    """A project in which a review finds nothing."""
    project.segments(s01=CLEAN)
    project.write("pipeline.toml", "[params]\ncount = 3\n")
    Reviewed(project.folder).record(__version__)
    return project


@pytest.fixture
def broken(clean: Project) -> Project:
    """A project with one finding."""
    clean.segments(s01=BROKEN)
    return clean


def line_of(project: Project, text: str) -> int:
    lines = (project.package / "segments" / "s01.py").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_a_clean_project_gives_zero(clean: Project) -> None:
    done = clean.command("review")
    assert (done.returncode, done.stdout) == (0, "The review found nothing.\n")


def test_a_finding_gives_four_and_nothing_of_the_project_runs(broken: Project) -> None:
    done = broken.command("review")
    assert done.returncode == 4
    line = line_of(broken, "pd.Timestamp.now")
    assert done.stdout.startswith(f"src/demo/segments/s01.py:{line}: CKP205 `rows` reads the clock")
    assert "a module was imported" not in done.stdout + done.stderr
    assert "a step ran" not in done.stdout + done.stderr


def test_the_formats_are_for_ci(broken: Project) -> None:
    for form in ("json", "gitlab"):
        done = broken.command("review", "--format", form)
        assert done.returncode == 4
        assert len(json.loads(done.stdout)) == 1
    done = broken.command("review", "--format", "github")
    assert done.returncode == 4
    assert done.stdout.startswith("::error file=src/demo/segments/s01.py,line=")


def test_an_unknown_format_is_a_mistake_of_usage(clean: Project) -> None:
    done = clean.command("review", "--format", "xml")
    assert done.returncode == 2
    assert "gitlab" in done.stderr


def test_a_base_that_git_does_not_know_is_a_mistake_of_configuration(clean: Project) -> None:
    done = clean.command("review", "--base", "main")
    assert done.returncode == 2
    assert done.stderr.startswith("error: --base: git")
    assert "Traceback" not in done.stderr


def test_a_raised_budget_is_found_by_the_command(clean: Project) -> None:
    Reviewed(clean.folder).commit()
    budget = clean.folder / "memory_budget.toml"
    budget.write_text(budget.read_text().replace("50 %", "60 %"))
    done = clean.command("review", "--base", "HEAD")
    assert done.returncode == 4
    assert "memory_budget.toml:3: CKP401 `quota` was raised since HEAD" in done.stdout


def test_a_project_without_its_files_is_refused(clean: Project) -> None:
    (clean.folder / "pipeline.toml").unlink()
    done = clean.command("review")
    assert done.returncode == 2
    assert "no pipeline.toml" in done.stderr


def test_the_command_works_from_another_folder(broken: Project, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "demo", "review"],
        cwd=tmp_path,
        env=broken.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4
    assert done.stdout.startswith("src/demo/segments/s01.py:")


def test_a_review_starts_no_worker_and_imports_nothing_heavy(clean: Project) -> None:
    printed = clean.python(
        """
        import sys
        from demo.checkpointing.tools.review.command import review_command

        assert review_command("demo", "text", None) == 0
        print({"pandas", "numpy", "pyarrow", "pydantic", "demo.pipeline"} & set(sys.modules))
        workers = {"demo.checkpointing.run.processes", "demo.checkpointing.worker.main"}
        print(workers & set(sys.modules))
        """
    )
    assert printed.splitlines()[1:] == ["set()", "set()"]


@pytest.mark.parametrize(("ci", "language"), [("github", "a"), ("gitlab", "b"), ("none", "c")])
def test_a_fresh_project_is_clean(bakery: Bakery, ci: str, language: str) -> None:
    baked = bakery.bake(ci=ci, project_name="Night Batch")
    done = reviewed(baked)
    assert (done.returncode, done.stdout) == (0, "The review found nothing.\n"), done.stderr


def test_the_record_names_all_files_of_the_runtime_and_those_beside_it(
    default_project: Baked,
) -> None:
    lines = default_project.text("checkpointing.sha256").splitlines()
    names = [line.split("  ")[1] for line in lines if not line.startswith("# ")]
    files = (path for path in RUNTIME.rglob("*") if path.is_file() and path.suffix != ".pyc")
    runtime = {f"checkpointing/{path.relative_to(RUNTIME).as_posix()}" for path in files}
    assert "checkpointing/README.md" in runtime
    beside = {".github/workflows/ci.yml", ".pre-commit-config.yaml", "AGENTS.md"}
    assert names == sorted(runtime | beside | {"docs/review-standard.md"})


def test_an_edit_of_the_vendored_runtime_is_found(bakery: Bakery) -> None:
    baked = bakery.bake()
    store = baked.package / "checkpointing" / "disk" / "store.py"
    store.write_text(store.read_text() + "# a quick fix\n")
    done = reviewed(baked)
    assert done.returncode == 4
    assert done.stdout.startswith(
        "src/flight_delays/checkpointing/disk/store.py:1: CKP105 the file was edited by hand"
    )


def test_a_package_beside_its_configuration_is_reviewed_too(bakery: Bakery) -> None:
    """A project without `src/`."""
    baked = bakery.bake()
    shutil.move(baked.package, baked.folder)
    clock = "\n\ndef now() -> float:\n    import time\n    return time.time()\n"
    step = "\n\n@step\ndef year() -> float:\n    return now()\n"
    module = baked.folder / "flight_delays" / "segments" / "s01_ingest.py"
    module.write_text(module.read_text() + clock + step)
    done = reviewed(baked, PYTHONPATH=".")
    assert done.returncode == 4
    assert "\nflight_delays/segments/s01_ingest.py:" in f"\n{done.stdout}"
    assert "CKP205 `now` (for step `year`) reads the clock" in done.stdout


def test_the_source_is_reviewed_and_not_an_installed_copy_of_it(
    bakery: Bakery, tmp_path: Path
) -> None:
    baked = bakery.bake()
    shutil.copytree(baked.package, tmp_path / "site" / "flight_delays")
    module = baked.package / "segments" / "s01_ingest.py"
    module.write_text(module.read_text() + "\n\n@step\ndef more():\n    return 1\n")
    done = reviewed(baked, PYTHONPATH=str(tmp_path / "site"))
    assert done.returncode == 4
    assert done.stdout.startswith("src/flight_delays/segments/s01_ingest.py:")


def reviewed(project: Baked, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a generated project."""
    variables = {"PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1"} | environment
    name = next(path.parent.name for path in project.folder.glob("**/pipeline.py"))
    return subprocess.run(
        [sys.executable, "-m", name, "review"],
        cwd=project.folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
