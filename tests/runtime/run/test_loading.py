"""`PIPELINE.load` and `PIPELINE.run`: the pipeline from a notebook or a program."""

from __future__ import annotations

import json

import pytest

from ..conftest import Project, run_once

SEGMENTS = {
    "s01": """
    @step
    def table(rows: int) -> pd.DataFrame:
        ran("s01")
        return pd.DataFrame({"number": range(rows)}, index=pd.Index(range(rows), name="row"))

    @step
    def inner(table: pd.DataFrame) -> pd.DataFrame:
        return table + 1

    @step
    def page(inner: pd.DataFrame, workdir: Path) -> Path:
        target = workdir / "page.txt"
        target.write_text(str(len(inner)))
        return target
    """,
    "s02": """
    @step
    def doubled(table: pd.DataFrame) -> pd.DataFrame:
        ran("s02")
        return table * 2
    """,
}

WIRING = """
[params]
rows = 3

[outputs]
doubled = "data/doubled.parquet"
"""


@pytest.fixture(scope="module")
def original(shared_project: Project) -> Project:
    """A project that was run once."""
    return run_once(shared_project, SEGMENTS, WIRING)


def test_a_value_between_segments_is_loaded_as_its_step_made_it(done: Project) -> None:
    code = """
    from demo.pipeline import PIPELINE
    table = PIPELINE.load("table")
    print(type(table).__name__, table["number"].tolist(), table.index.name, table.dtypes.iloc[0])
    """
    assert done.python(code) == "DataFrame [0, 1, 2] row int64\n"


def test_an_output_is_loaded_from_its_checkpoint(done: Project) -> None:
    code = "from demo.pipeline import PIPELINE; print(PIPELINE.load('doubled').to_dict('list'))"
    assert done.python(code) == "{'number': [0, 2, 4]}\n"


def test_a_path_is_loaded_as_the_file_in_the_checkpoint(done: Project) -> None:
    code = "from demo.pipeline import PIPELINE; print(PIPELINE.load('page').read_text())"
    assert done.python(code) == "3\n"


def test_a_loaded_value_may_be_changed_without_harm(done: Project) -> None:
    code = """
    from demo.pipeline import PIPELINE
    table = PIPELINE.load("table")
    table.loc[0, "number"] = 99
    print(PIPELINE.load("table")["number"].tolist())
    """
    assert done.python(code) == "[0, 1, 2]\n"
    assert json.loads(done.command("status", "--verify", "--json").stdout)["segments"][0][
        "reusable"
    ]


def test_what_is_loaded_is_what_the_last_run_made_or_reused(done: Project) -> None:
    done.run("--set", "rows=5")
    code = "from demo.pipeline import PIPELINE; print(len(PIPELINE.load('table')))"
    assert done.python(code) == "5\n"
    done.run()
    assert done.python(code) == "3\n"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            "inner",
            "no checkpoint contains `inner`. Run the pipeline; a value stays on disk only when",
        ),
        ("tabel", "no step makes `tabel`; did you mean `table`?"),
    ],
)
def test_what_is_not_kept_is_refused_with_the_reason(done: Project, value: str, said: str) -> None:
    code = f"""
    from demo.pipeline import PIPELINE
    try:
        PIPELINE.load({value!r})
    except Exception as error:
        print(error)
    """
    assert said in done.python(code)


def test_run_returns_the_record_that_the_command_prints(done: Project) -> None:
    code = """
    import json
    from demo.pipeline import PIPELINE
    record = PIPELINE.run(params={"rows": 4}, budget="2GB")
    print(json.dumps(record.as_json()))
    """
    record = json.loads(done.python(code))
    assert record["budget_bytes"] == 2 * 10**9
    assert [s["status"] for s in record["segments"]] == ["ran", "ran"]
    assert record["outputs"]["doubled"] == str(done.folder / "data" / "doubled.parquet")
    assert done.processes() == []


@pytest.mark.slow
def test_run_and_the_command_reuse_each_others_checkpoints(done: Project) -> None:
    code = """
    from demo.pipeline import PIPELINE
    print([segment.status for segment in PIPELINE.run().segments])
    """
    assert done.python(code) == "['reused', 'reused']\n"
    done.command("clean")
    assert done.python(code) == "['ran', 'ran']\n"
    assert done.statuses() == {"s01": "reused", "s02": "reused"}


def test_run_raises_an_error_that_carries_the_record(done: Project) -> None:
    code = """
    from demo.pipeline import PIPELINE
    try:
        PIPELINE.run(params={"rows": "many"})
    except Exception as error:
        print(type(error).__name__, error.exit_code, error.record.error["kind"])
    """
    assert done.python(code) == "ConfigurationError 2 configuration\n"


def test_run_works_in_a_script_without_a_main_guard(done: Project) -> None:
    script = done.write(
        "nightly.py",
        """
        from demo.pipeline import PIPELINE

        print([segment.status for segment in PIPELINE.run(params={"rows": 6}).segments])
        """,
    )
    assert done.script(script) == "['ran', 'ran']\n"
    assert done.executed() == ["s01", "s02"]


def test_run_works_in_a_thread(done: Project) -> None:
    code = """
    import threading
    from demo.pipeline import PIPELINE
    thread = threading.Thread(target=lambda: print(PIPELINE.run(budget="2GB").error))
    thread.start()
    thread.join()
    """
    assert done.python(code) == "None\n"


def test_a_value_that_the_last_run_did_not_keep_is_not_taken_from_a_former_one(
    done: Project,
) -> None:
    s02 = done.folder / "src/demo/segments/s02.py"
    s02.write_text(
        s02.read_text().replace("table * 2", "table * 3")
        + "\n@step\ndef rows_of(doubled: pd.DataFrame) -> int:\n    return len(doubled)\n"
    )
    done.write("pipeline.toml", "[params]\nrows = 3\n")
    done.run()
    code = """
    from demo.pipeline import PIPELINE
    print(PIPELINE.load("rows_of"))
    try:
        PIPELINE.load("doubled")
    except Exception as error:
        print(error)
    """
    assert done.python(code).startswith("3\nno checkpoint contains `doubled`. Run the pipeline;")
