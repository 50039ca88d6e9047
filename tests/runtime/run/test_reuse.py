"""What is reused, what runs again and why, and what `run` can be asked for."""

from __future__ import annotations

import pytest

from ..conftest import Project

SOURCES = {
    "s01": """
    from ..helpers import outer

    @step
    def read(numbers_file: Path) -> pd.DataFrame:
        ran("read")
        return pd.read_csv(numbers_file)

    @step
    def shifted(read: pd.DataFrame, shift: int) -> pd.DataFrame:
        # a comment
        ran("shifted")
        return outer.add(read, shift)
    """,
    "s02": """
    @step
    def positive(shifted: pd.DataFrame) -> pd.DataFrame:
        ran("positive")
        return shifted[shifted["x"] > 0].reset_index(drop=True)
    """,
    "s03": """
    @step
    def total(positive: pd.DataFrame, unit: str) -> str:
        ran("total")
        return f"{positive['x'].sum()} {unit}"
    """,
}

ALL = ["read", "shifted", "positive", "total"]


@pytest.fixture(scope="module")
def original(shared_project: Project) -> Project:
    """A project whose three segments were run once."""
    project = shared_project
    project.write("src/demo/helpers/__init__.py", "")
    project.write(
        "src/demo/helpers/outer.py",
        """
        from .inner import plus

        def add(table, number):
            return table.assign(x=plus(table["x"], number))
        """,
    )
    project.write("src/demo/helpers/inner.py", "def plus(a, b):\n    return a + b\n")
    project.write("src/demo/unrelated.py", "LIMIT = 1\n")
    project.write("data/numbers.csv", "x\n-2\n1\n2\n")
    configure(project)
    project.segments(**SOURCES)
    project.run()
    assert project.executed() == ALL
    return project


def configure(project: Project, shift: str = "1", unit: str = "m") -> None:
    """Write pipeline.toml."""
    project.write(
        "pipeline.toml",
        f"""
        [inputs]
        numbers_file = "data/numbers.csv"

        [params]
        shift = {shift}
        unit = "{unit}"

        [outputs]
        total = "data/total.json"
        """,
    )


def edit(project: Project, segment: str, before: str, after: str) -> None:
    """Change one segment's source."""
    path = project.package / "segments" / f"{segment}.py"
    source = path.read_text()
    assert before in source
    path.write_text(source.replace(before, after))


def reasons(project: Project) -> str:
    """What `status` says, as one line."""
    return " ".join(project.command("status", COLUMNS="200").stdout.split())


def test_a_second_run_reuses_everything(done: Project) -> None:
    assert done.statuses() == {"s01": "reused", "s02": "reused", "s03": "reused"}
    assert done.executed() == []


def test_comments_docstrings_and_formatting_change_nothing(done: Project) -> None:
    edit(done, "s01", "# a comment", '"""Add a number."""  # another comment')
    edit(done, "s03", "{positive['x'].sum()}", "{ positive['x'].sum() }")
    done.write("src/demo/unrelated.py", "LIMIT = 2\n")
    done.run()
    assert done.executed() == []


def test_a_helper_two_imports_away_invalidates_and_status_names_it(done: Project) -> None:
    done.write("src/demo/helpers/inner.py", "def plus(a, b):\n    return a + b + 100\n")
    assert "code of demo.helpers.inner.plus changed" in reasons(done)
    done.run()
    assert done.executed() == ALL


def test_the_same_bytes_after_a_changed_step_keep_later_segments_valid(done: Project) -> None:
    edit(done, "s01", "outer.add(read, shift)", "outer.add(read, shift).copy()")
    assert done.statuses() == {"s01": "ran", "s02": "reused", "s03": "reused"}
    assert done.executed() == ["read", "shifted"]


def test_a_change_that_ends_in_the_same_values_stops_midway(done: Project) -> None:
    done.write("data/numbers.csv", "x\n-20\n1\n2\n")
    assert "input numbers_file changed" in reasons(done)
    assert done.statuses() == {"s01": "ran", "s02": "ran", "s03": "reused"}


def test_an_input_that_was_touched_but_not_changed_is_no_reason(done: Project) -> None:
    done.write("data/numbers.csv", "x\n-2\n1\n2\n")
    done.run()
    assert done.executed() == []


def test_a_param_invalidates_only_the_segments_that_take_it(done: Project) -> None:
    configure(done, unit="km")
    assert "param unit changed from 'm' to 'km'" in reasons(done)
    assert done.statuses() == {"s01": "reused", "s02": "reused", "s03": "ran"}


@pytest.mark.slow
def test_a_param_of_the_same_text_but_another_type_is_another_param(project: Project) -> None:
    project.segments(
        s01="""
        @step
        def shown(limit: int | float) -> str:
            return repr(limit)
        """
    )
    project.write("pipeline.toml", "[params]\nlimit = 1\n")
    project.run()
    project.write("pipeline.toml", "[params]\nlimit = 1.0\n")
    project.run()
    assert project.load("shown") == repr("1.0")


def test_a_data_file_of_the_package_counts_as_code(done: Project) -> None:
    done.write("src/demo/query.sql", "select 1")
    done.run()
    assert done.executed() == ALL
    assert done.statuses() == {"s01": "reused", "s02": "reused", "s03": "reused"}


def test_an_older_checkpoint_serves_again_when_the_change_is_taken_back(done: Project) -> None:
    configure(done, shift="7")
    done.run()
    configure(done)
    done.executed()
    assert set(done.statuses().values()) == {"reused"}
    assert done.load("total") == repr("5 m")


def test_reused_outputs_are_published_again_when_they_are_missing(done: Project) -> None:
    published = done.folder / "data" / "total.json"
    published.unlink()
    done.run()
    assert published.read_text() == '"5 m"'
    assert done.executed() == []


def test_a_value_that_is_needed_now_and_was_not_kept_is_made_again(done: Project) -> None:
    edit(
        done,
        "s03",
        "positive: pd.DataFrame, unit",
        "positive: pd.DataFrame, read: pd.DataFrame, unit",
    )
    assert "`read` is now needed but is not in the checkpoint" in reasons(done)
    assert done.statuses() == {"s01": "ran", "s02": "reused", "s03": "ran"}
    assert done.strays() == []


def test_a_new_output_makes_its_segment_run_once_more(done: Project) -> None:
    configure(done)
    with (done.folder / "pipeline.toml").open("a") as wiring:
        wiring.write('positive = "data/positive.parquet"\n')
    assert done.statuses() == {"s01": "reused", "s02": "ran", "s03": "reused"}
    assert (done.folder / "data" / "positive.parquet").exists()


def test_fresh_reuses_nothing_and_leaves_no_former_files(done: Project) -> None:
    done.run("--fresh")
    assert done.executed() == ALL
    assert done.strays() == []


def test_rerun_from_reuses_only_what_comes_before(done: Project) -> None:
    assert done.statuses("--rerun-from", "s02") == {"s01": "reused", "s02": "ran", "s03": "ran"}


def test_only_runs_one_segment_from_existing_checkpoints(done: Project) -> None:
    configure(done, unit="km")
    assert done.statuses("--only", "s02") == {"s02": "reused"}
    assert done.statuses("--only", "s03") == {"s03": "ran"}
    assert done.executed() == ["total"]


def test_only_refuses_a_segment_whose_sources_are_stale(done: Project) -> None:
    configure(done, shift="2")
    record = done.run("--only", "s02")
    assert record["exit_code"] == 2
    assert "s01: param shift changed from 1 to 2" in record["error"]["message"]
    assert done.executed() == []


def test_set_changes_a_param_for_one_run(done: Project) -> None:
    done.run("--set", "shift=10", "--set", "unit=km")
    assert (done.folder / "data" / "total.json").read_text() == '"31 km"'
    done.executed()
    done.run()
    assert done.executed() == []
    assert (done.folder / "data" / "total.json").read_text() == '"5 m"'


def test_set_changes_an_input_for_one_run(done: Project) -> None:
    done.write("data/others.csv", "x\n100\n")
    done.run("--set", "numbers_file=data/others.csv")
    assert (done.folder / "data" / "total.json").read_text() == '"101 m"'


@pytest.mark.slow
def test_keep_counts_for_each_set_of_params(done: Project) -> None:
    budget = done.folder / "memory_budget.toml"
    budget.write_text(budget.read_text() + "[checkpoints]\nkeep = 1\n")
    with done.session() as run:
        for shift in (1, 2, 3, 4):
            run(params={"shift": shift})
        done.executed()
        for shift in (1, 2, 3, 4):
            run(params={"shift": shift})
        assert done.executed() == []  # a backfill over many params keeps one checkpoint for each


def test_older_checkpoints_of_the_same_params_go(done: Project) -> None:
    budget = done.folder / "memory_budget.toml"
    budget.write_text(budget.read_text() + "[checkpoints]\nkeep = 1\n")
    with done.session() as run:
        for last in (3, 4, 5):
            done.write("data/numbers.csv", f"x\n{last}\n")
            run()
    assert len(list(done.checkpoints().glob("s01/*/manifest.json"))) == 2  # the current and one


def test_only_the_minor_version_of_a_library_counts(done: Project) -> None:
    libraries = done.manifests()["s01"]["ingredients"]["libraries"]
    assert {"python", "pandas", "pyarrow", "numpy"} <= set(libraries)
    assert all(version.count(".") == 1 for version in libraries.values())


def test_the_runtime_itself_is_no_part_of_a_key(done: Project) -> None:
    code = done.manifests()["s01"]["ingredients"]["code"]
    assert not [name for name in code if "checkpointing" in name]
    assert {"demo.helpers.outer.add", "demo.helpers.inner.plus"} <= set(code)
