"""Rules about segments: their length, their imports, and the tables that cross a cut."""

from __future__ import annotations

from pathlib import Path

import pytest
from flight_delays import checkpointing
from flight_delays.checkpointing.tools.review.source import EXPORTS

from .reviewed import HEADER, Reviewed, lines_of

ONE = """
    @step
    def {name}() -> int:
        return 1
"""
MADE = """
    @step
    def orders(orders_file: Path) -> pd.DataFrame:
        return pd.read_parquet(orders_file)
"""


@pytest.fixture
def project(tmp_path: Path) -> Reviewed:
    return Reviewed(tmp_path).put({})


def steps(count: int, prefix: str = "step") -> str:
    return "".join(ONE.format(name=f"{prefix}_{number}") for number in range(count))


def test_a_segment_may_have_ten_steps_where_nothing_else_is_said(project: Reviewed) -> None:
    assert project.write(s01=steps(10), s02=steps(10, "other")).rules() == []


def test_the_first_step_too_many_is_reported(project: Reviewed) -> None:
    project.put({"memory_budget.toml": "[segment]\nmax_steps = 3\n"})
    [finding] = project.write(s01=steps(5)).findings()
    assert finding.rule == "CKP101"
    assert "5 steps" in finding.message
    assert "`step_3`" in finding.message
    lines = (project.folder / finding.path).read_text().splitlines()
    assert "def step_3" in lines[finding.line - 1]


def test_a_segment_written_out_in_the_pipeline_is_counted(project: Reviewed) -> None:
    project.put({"memory_budget.toml": "[segment]\nmax_steps = 2\n"})
    project.write(s01=steps(2), s02=steps(1, "other"))
    pipeline = """
from .checkpointing import Pipeline, Segment
from .segments.s01 import step_0, step_1
from .segments.s02 import other_0

LONG = Segment("long", [step_0, step_1, other_0])
PIPELINE = Pipeline(LONG)
MONTHLY = Pipeline(Segment("short", (step_0, step_1)), name="monthly")
"""
    project.put({"src/demo/pipeline.py": pipeline})
    assert lines_of(project.findings()) == ["pipeline.py:6 CKP101"]


def test_every_missing_annotation_is_reported_at_its_line(project: Reviewed) -> None:
    project.write(
        s01="""
        @step
        def joined(
            left,
            right: pd.DataFrame,
        ):
            return left.merge(right)

        def helper(table):
            return table
        """
    )
    first = len(HEADER.splitlines()) + 3
    assert lines_of(project.findings()) == [
        f"s01.py:{first} CKP102",
        f"s01.py:{first + 1} CKP102",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "from .s01 import step_0",
        "from . import s01",
        "from ..segments.s01 import step_0 as zero",
        "import demo.segments.s01",
        "from demo.segments import s01",
        "from ..helpers import anything",
    ],
)
def test_a_segment_that_imports_another_is_reported(project: Reviewed, line: str) -> None:
    project.put({"src/demo/helpers.py": "from .segments.s01 import step_0 as anything\n"})
    project.write(s01=steps(1), s02=f"    {line}\n{ONE.format(name='other')}")
    [finding] = project.findings()
    assert (finding.rule, Path(finding.path).name) == ("CKP103", "s02.py")
    assert "segment `s02` imports segment `s01`" in finding.message


def test_segments_may_share_a_module_and_the_package_may_list_them(project: Reviewed) -> None:
    project.put({"src/demo/helpers.py": "def twice(x: int) -> int:\n    return 2 * x\n"})
    project.put({"src/demo/segments/__init__.py": "from . import s01, s02\n"})
    shared = "    from ..helpers import twice\n"
    assert project.write(s01=shared + steps(1), s02=shared + steps(1, "other")).rules() == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("segments/s09.py", "from ..checkpointing.graph.steps import Step\n"),
        ("segments/s09.py", "from ..checkpointing import store\n"),
        ("segments/s09.py", "import demo.checkpointing.disk.store\n"),
        ("helpers.py", "from .checkpointing.run.run import run\n"),
        ("helpers.py", "from . import checkpointing\n\nstore = checkpointing.disk.store\n"),
        ("cli.py", "from .checkpointing.disk.store import Store\n"),
        ("adapters.py", "from .checkpointing.cli import application\n"),
        ("pipeline.py", "from .checkpointing.pipeline import Pipeline\n"),
    ],
)
def test_the_inside_of_the_runtime_is_not_for_projects(
    project: Reviewed, path: str, text: str
) -> None:
    assert project.put({f"src/demo/{path}": text}).rules() == ["CKP104"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("segments/s09.py", "from ..checkpointing import Columns, step\n"),
        ("helpers.py", "from . import checkpointing\n\nstep = checkpointing.step\n"),
        ("cli.py", "from .checkpointing.cli import application\n"),
        ("cli.py", "from .checkpointing.start import start\n"),
        ("__main__.py", "from .checkpointing.start import start\n"),
        ("adapters.py", "from .checkpointing.codecs import Codec, register\n"),
        ("adapters.py", "from .checkpointing.codecs import InexactValue\n"),
    ],
)
def test_exports_and_the_points_of_extension_are(project: Reviewed, path: str, text: str) -> None:
    assert project.put({f"src/demo/{path}": text}).rules() == []


def test_the_exports_are_the_runtime_s() -> None:
    assert set(EXPORTS) == set(checkpointing.__all__)


WITH_COLUMNS = """
    @step
    def orders() -> pd.DataFrame:
        names = ["a", "b"]
        return pd.read_parquet(Path(__file__).parent / "x.parquet", columns=[*names, "c"])
"""


@pytest.mark.parametrize(
    ("made", "use", "columns"),
    [
        (MADE, 'float(orders["a"].sum())', '"a"'),
        (MADE, 'float(orders.loc[orders["a"] > 0, "a"].sum())', '"a"'),
        (MADE, 'float(orders[orders["a"] > 0]["a"].sum()) / len(orders)', '"a"'),
        (MADE, 'float(orders.dropna(subset=["a"]).head(3)["a"].max())', '"a"'),
        (WITH_COLUMNS, 'float(orders.groupby("a")["b"].sum().max())', '"a", "b"'),
        (WITH_COLUMNS, 'float((orders["a"] * orders["b"]).sum())', '"a", "b"'),
        (WITH_COLUMNS, 'float(orders[["b"] + ["a"]].to_numpy().sum())', '"a", "b"'),
    ],
)
def test_a_table_that_crosses_a_cut_for_few_of_its_columns_is_reported(
    project: Reviewed, made: str, use: str, columns: str
) -> None:
    total = f"""
    @step
    def total(orders: pd.DataFrame) -> float:
        return {use}
    """
    [finding] = project.write(s01=made, s02=total).findings()
    assert finding.rule == "CKP303"
    assert f"annotate `Columns({columns})`" in finding.message


@pytest.mark.parametrize(
    ("made", "use"),
    [
        (MADE, 'float((orders["a"] * orders["b"]).sum())'),  # perhaps it has no others
        (MADE, 'float(orders.merge(orders, on="a")["b"].sum())'),
        (MADE, "float(orders.sum().sum())"),
        (MADE, 'float(figure(orders)) + orders["a"].sum()'),
        (MADE, "float(len(orders))"),
        (MADE, 'float(orders[str(len("a"))].sum())'),
        (WITH_COLUMNS, 'float(orders[["a", "b", "c"]].to_numpy().sum())'),
    ],
)
def test_a_table_is_not_reported_where_its_use_does_not_show_enough(
    project: Reviewed, made: str, use: str
) -> None:
    total = f"""
    def figure(table: pd.DataFrame) -> float:
        return 1.0

    @step
    def total(orders: pd.DataFrame) -> float:
        return {use}
    """
    assert project.write(s01=made, s02=total).rules() == []


@pytest.mark.parametrize(
    "made",
    [
        'pd.DataFrame({"a": [1], "b": [2], "c": [3]})',
        'pd.read_csv(Path(__file__).parent / "x.csv")[["a", "b", "c"]]',
        'pd.read_csv(Path(__file__).parent / "x.csv", usecols=["a", "b"] + ["c"])',
        'pl.read_parquet(Path(__file__).parent / "x.parquet").select("a", "b", "c")',
        'pl.read_parquet(Path(__file__).parent / "x.parquet").select(["a", "b", "c"])',
    ],
)
def test_the_columns_of_a_table_are_known_where_its_step_names_them(
    project: Reviewed, made: str
) -> None:
    orders = f"""
    import polars as pl

    @step
    def orders() -> pd.DataFrame:
        return {made}
    """
    total = """
    @step
    def total(orders: pd.DataFrame) -> float:
        return float((orders["a"] * {other}).sum())
    """
    project.write(s01=orders, s02=total.format(other='orders["b"]'))
    [finding] = project.findings()
    assert "uses 2 of 3 columns" in finding.message
    project.write(s01=orders, s02=total.format(other='orders["b"] * orders["c"]'))
    assert project.rules() == []


@pytest.mark.parametrize(
    "made",
    [
        'pd.read_parquet(Path(__file__).parent / "x.parquet")["a"]',
        'pd.read_parquet(Path(__file__).parent / "x.parquet")[list("abc")]',
        "pd.DataFrame({**{}})",
        'pd.DataFrame({name: [1] for name in "abc"})',
        "pd.DataFrame()",
    ],
)
def test_columns_that_a_step_does_not_name_are_not_guessed(project: Reviewed, made: str) -> None:
    orders = f"""
    @step
    def orders() -> pd.DataFrame:
        return {made}
    """
    total = """
    @step
    def total(orders: pd.DataFrame) -> float:
        return float((orders["a"] * orders["b"]).sum())
    """
    assert project.write(s01=orders, s02=total).rules() == []


@pytest.mark.parametrize(
    "use",
    [
        'orders.select("a").to_series().sum()',
        'orders.column("a").to_numpy().sum()',
        'orders.sort_values(by=["a"]).tail(1)["a"].item()',
        'orders[orders["a"].isin([1]) | ~orders["a"].isna()]["a"].sum()',
        'orders[orders["a"].between(1, 2)].reset_index()["a"].sum()',
        'orders.set_index("a")["a"].sum() + orders.shape[0]',
    ],
)
def test_one_column_is_reported_by_whichever_method_it_is_taken(
    project: Reviewed, use: str
) -> None:
    total = f"""
    @step
    def total(orders: pd.DataFrame) -> float:
        return float({use})
    """
    assert project.write(s01=MADE, s02=total).rules() == ["CKP303"]


@pytest.mark.parametrize(
    "body",
    [
        'orders = orders.dropna()\n        return float(orders["a"].sum())',
        'del orders["a"]\n        return float(orders["a"].sum())',
        'orders["a"] = 1\n        return float(orders.sum().sum())',
        'orders.loc[0, "a"] = 1\n        return float(orders["a"].sum())',
        'orders["a"] = 1\n        return float(orders["a"].sum())',
        'return float(orders.a.sum() + orders["a"].sum())',
        'return float(orders.loc["x"].sum() + orders["a"].sum())',
    ],
)
def test_a_table_that_is_changed_or_used_otherwise_is_not_reported(
    project: Reviewed, body: str
) -> None:
    total = f"""
    @step
    def total(orders: pd.DataFrame) -> float:
        {body}
    """
    assert project.write(s01=MADE, s02=total).rules() == []


def test_a_table_that_no_cut_separates_from_its_use_is_not_reported(project: Reviewed) -> None:
    total = """
    @step
    def total(orders: pd.DataFrame) -> float:
        return float(orders["a"].sum())
    """
    assert project.write(s01=MADE + total).rules() == []


def test_columns_are_annotated_already_or_the_value_is_no_table(project: Reviewed) -> None:
    total = """
    @step
    def total(orders: Annotated[pd.DataFrame, Columns("a")]) -> float:
        return float(orders["a"].sum())

    @step
    def first(names: dict[str, str], sizes: pd.Series) -> str:
        return names["a"] + str(sizes["a"])
    """
    more = """
    @step
    def names() -> dict[str, str]:
        return {"a": "x"}

    @step
    def sizes() -> pd.Series:
        return pd.Series({"a": 1})
    """
    assert project.write(s01=MADE + more, s02=total).rules() == []


def test_each_of_several_pipelines_is_reviewed_and_a_finding_is_reported_once(
    project: Reviewed,
) -> None:
    total = """
    @step
    def total(orders: pd.DataFrame) -> float:
        return float(orders["a"].sum())
    """
    project.write(s01=MADE, s02=total)
    again = (
        "from .checkpointing import Pipeline as P\nfrom .segments import s01, s02\n\n"
        'DAILY = P(s01, s02, name="daily")\n'
    )
    assert project.put({"src/demo/daily.py": again}).rules() == ["CKP303"]


def test_a_step_is_known_by_whichever_import(project: Reviewed) -> None:
    modules = {
        "s01": "from ..checkpointing import step as s\n\n@s\ndef a(x): ...\n",
        "s02": "from .. import checkpointing as c\n\n@c.step\ndef b(x): ...\n",
        "s03": "from demo.checkpointing import step\n\nif True:\n    @step\n    def c(x): ...\n",
        "s04": "def step(f): return f\n\n@step\ndef d(x): ...\n",
        "s05": "from ..checkpointing import step\n\n@step(always=True)\ndef e(x): ...\n",
    }
    project.put({f"src/demo/segments/{name}.py": text for name, text in modules.items()})
    names = [Path(finding.path).stem for finding in project.findings()]
    assert names == ["s01", "s01", "s02", "s02", "s03", "s03", "s05", "s05"]
