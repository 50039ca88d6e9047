"""A plan for people, as tables and as a flowchart."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Sequence
from pathlib import Path

import pytest
from flight_delays.checkpointing.memory.budget import EffectiveBudget
from flight_delays.checkpointing.memory.limits import Limit
from flight_delays.checkpointing.memory.plan import plan
from flight_delays.checkpointing.tools.plan.mermaid import flowchart
from flight_delays.checkpointing.tools.plan.outlook import Elsewhere, Outlook, outlook_of
from flight_delays.checkpointing.tools.plan.table import print_outlook
from flight_delays.checkpointing.tools.plan.titles import title
from rich.console import Console

from ...builders import pipeline
from ...memory.forecasts import BASELINE, Segments, Told, forecast

MB = 10**6
CHAIN = [
    {"flights": Told(value=40 * MB), "planes": Told(value=2 * MB)},
    {
        "flown": Told(("flights",), value=30 * MB),
        "late": Told(("flown",), value=25 * MB, extra=5 * MB),
        "delays": Told(("flown", "late", "planes"), value=10 * MB),
    },
]


def outlook_in(folder: Path, segments: Segments, budget: int, wiring: str = "") -> Outlook:
    return outlook_of(forecast(folder, segments, wiring), budget, 0.2)


def printed(
    outlook: Outlook,
    width: int = 80,
    outdated: Sequence[str] = (),
    refused: Collection[str] = (),
) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None)
    limit = EffectiveBudget((Limit(outlook.budget, "--budget"),), "held")
    print_outlook(console, outlook, limit, outdated, refused)
    return out.getvalue()


def rows(text: str) -> list[list[str]]:
    """The cells of each line of a table, without empty ones."""
    lines = (re.split(r"[│┃]|\s{2,}", line) for line in text.splitlines())
    return [[cell.strip(" ━─┌┬┐└┘├┼┤┏┳┓┡╇┩") for cell in line if cell.strip()] for line in lines]


def sentences(text: str) -> str:
    """The whole text, wrapped or not, as one line."""
    return " ".join(text.split())


def test_the_table_shows_the_memory_writes_and_reads_of_each_part(tmp_path: Path) -> None:
    text = printed(outlook_in(tmp_path, CHAIN, 100 * MB))

    assert text.startswith("demo: budget 100 MB (--budget), planned to 80 MB")
    assert ["s01", "flights, planes", "42 MB", "42%", "42 MB"] in rows(text)
    assert ["s02", "flown … delays (3)", "65 MB", "65%", "42 MB"] in rows(text)
    assert ["all", "2 parts", "65 MB", "65%", "42 MB", "42 MB"] in rows(text)
    assert ["best cuts", "1 part", "72 MB", "72%", "0 B", "0 B"] in rows(text)


def test_the_table_shows_why_a_segment_is_cut(tmp_path: Path) -> None:
    segments = [
        {"a": Told(value=50 * MB), "told": Told(("a",), is_sink=True), "b": Told(value=5 * MB)},
        {"c": Told(value=40 * MB), "d": Told(("b",), value=30 * MB), "e": Told(("c", "d"))},
    ]
    lines = rows(printed(outlook_in(tmp_path, segments, 80 * MB)))

    why = ("before a sink", "after a sink", "for memory")
    assert [cells[:2] for cells in lines if cells and cells[0] in why] == [
        ["before a sink", "told"],
        ["after a sink", "b"],
        ["for memory", "d, e"],
    ]


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_no_line_is_wider_than_the_terminal(tmp_path: Path, width: int) -> None:
    names = [f"a_step_with_quite_a_long_name_{n}" for n in range(12)]
    segments = [
        {name: Told(tuple(names[:n][-3:]), value=MB) for n, name in enumerate(names[:6])},
        {name: Told(tuple(names[:n][:3]), value=MB) for n, name in enumerate(names) if n > 5},
    ]
    for budget in (100 * MB, 5 * MB, 4 * MB, MB):
        text = printed(outlook_in(tmp_path / str(budget), segments, budget), width)
        assert max(map(len, text.splitlines())) <= width


def test_a_wide_terminal_shows_in_which_step_the_peak_is(tmp_path: Path) -> None:
    outlook = outlook_in(tmp_path, CHAIN, 100 * MB)

    assert "peak in" not in printed(outlook, 99)
    assert ["s02", "flown … delays (3)", "65 MB", "65%", "delays", "42 MB"] in rows(
        printed(outlook, 100)
    )


def test_a_peak_may_be_in_the_writing_of_the_checkpoint(tmp_path: Path) -> None:
    segments = [{"a": Told(value=40 * MB, write=9 * MB), "b": Told(("a",), value=MB)}]
    kept = [segments[0], {"c": Told(("a",))}]

    assert ["s01", "a, b", "41 MB", "41%", "b"] in rows(
        printed(outlook_in(tmp_path / "1", segments, 100 * MB), 100)
    )
    assert ["s01", "a, b", "50 MB", "50%", "writing", "40 MB"] in rows(
        printed(outlook_in(tmp_path / "2", kept, 100 * MB), 100)
    )


def test_what_is_not_known_is_marked_and_named(tmp_path: Path) -> None:
    segments = [*CHAIN, {"sums": Told(("delays",), measured=False)}]
    text = printed(outlook_in(tmp_path, segments, 100 * MB))

    assert ["s03", "sums", "100 B", "0% ?", "10 MB"] in rows(text)
    assert ["all", "3 parts", "65 MB", "65% ?", "52 MB ?", "52 MB ?"] in rows(text)
    assert re.search(r"s03 +10 MB +costs 20 MB of I/O \?: ", text)
    assert re.search(r"s02 +42 MB +costs 84 MB of I/O: ", text)
    assert "? Never measured to the end, so the plan counts too little: sums." in sentences(text)


def test_a_value_of_an_unmeasured_step_is_unknown_to_all_that_read_it(tmp_path: Path) -> None:
    segments = [{"a": Told(measured=False)}, {"b": Told(("a",), value=5 * MB)}]
    text = printed(outlook_in(tmp_path, segments, 100 * MB))

    assert ["s01", "a", "100 B", "0% ?", "?"] in rows(text)
    assert ["s02", "b", "5 MB", "5%", "?"] in rows(text)


def test_without_any_measure_the_declared_parts_are_shown_and_what_to_do(tmp_path: Path) -> None:
    segments = [
        {"a": Told(measured=False), "told": Told(("a",), is_sink=True, measured=False)},
        {"b": Told(("a",), measured=False)},
    ]
    text = printed(outlook_in(tmp_path, segments, 100 * MB))

    assert ["s01", "a"] in rows(text)
    assert ["before a sink", "told"] in rows(text)
    assert ["s02", "b"] in rows(text)
    assert "Nothing is measured yet: `run` once" in sentences(text)
    assert "boundaries" not in text
    assert "0 B" not in text


def test_the_verdict_on_each_boundary_is_a_sentence(tmp_path: Path) -> None:
    segments = [
        {"a": Told(value=60 * MB)},
        {"b": Told(value=50 * MB), "c": Told(("a", "b"), value=1 * MB)},
        {"d": Told(("c",), value=2 * MB), "told": Told(is_sink=True)},
        {"e": Told(("d",), value=40 * MB, load=80 * MB)},
        {"f": Told(("e",), value=2 * MB)},
    ]
    text = sentences(printed(outlook_in(tmp_path, segments, 100 * MB), 120))

    assert "s02 60 MB needed: memory needs a cut exactly here" in text
    assert "s03 1 MB costs 2 MB of I/O: memory does not need it" in text
    assert "s04 2 MB needed: a sink runs in a part of its own" in text
    assert "s05 40 MB counter-productive: peak 82 MB with this boundary, 80 MB without" in text


def test_a_boundary_for_which_nothing_moves_is_said_to_cost_nothing(tmp_path: Path) -> None:
    text = printed(outlook_in(tmp_path, [{"a": Told(value=MB)}, {"b": Told(value=MB)}], 100 * MB))

    assert "costs nothing: memory does not need it" in text
    assert "No other cuts have less I/O." in text


def test_a_boundary_is_shown_with_the_place_where_it_would_cost_less(tmp_path: Path) -> None:
    segments = [
        {"a": Told(value=60 * MB)},
        {"b": Told(("a",), value=10 * MB), "c": Told(("b",), value=50 * MB)},
    ]
    text = printed(outlook_in(tmp_path, segments, 100 * MB, '[outputs]\na = "a.json"'))

    assert "costs 100 MB of I/O: cheaper before `c`" in text
    assert "The declared boundaries cost 100 MB more I/O than memory asks for." in sentences(text)


def test_other_budgets_are_listed_with_what_they_lead_to(tmp_path: Path) -> None:
    lines = rows(printed(outlook_in(tmp_path, CHAIN, 100 * MB)))

    assert [cells for cells in lines if len(cells) == 3 and cells[2].endswith("I/O")] == [
        ["50.1 MB", "4 parts, 144 MB I/O", "3 parts, 144 MB I/O"],
        ["81.3 MB", "2 parts, 84 MB I/O", "2 parts, 84 MB I/O"],
        ["90.1 MB", "2 parts, 84 MB I/O", "1 part, no I/O"],
    ]


def test_a_step_that_does_not_fit_is_named_with_the_budget_it_takes(tmp_path: Path) -> None:
    text = sentences(printed(outlook_in(tmp_path, CHAIN, 35 * MB), refused={"s01", "s02"}))
    otherwise = sentences(printed(outlook_in(tmp_path, CHAIN, 35 * MB), outdated=["s01"]))

    assert (
        "`flights` does not fit, however its segment is cut. Every step fits from 40.1 MB" in text
    )
    assert "A run would try" not in text
    assert "more I/O" not in text  # for each segment is planned to a limit of its own
    assert "is cut. A run would try: it was not measured as it is now." in otherwise
    assert "Measured with other code, params or inputs: s01." in otherwise


def test_a_budget_without_room_for_the_headroom_says_so(tmp_path: Path) -> None:
    text = sentences(printed(outlook_in(tmp_path, CHAIN, 45 * MB)))

    assert "Below 40.1 MB `flights` does not fit, however its segment is cut." in text
    assert "Some step needs more than 36 MB, so some of the headroom is used." in text
    assert "is not kept" not in sentences(printed(outlook_in(tmp_path, CHAIN, 100 * MB)))


# Flowcharts

_LINES = re.compile(
    r"""
    \s*(
      flowchart\ TB
    | subgraph\ (?P<group>[sp]\d+)\["[^"]+"\]
    | end
    | (?P<node>n\d+)(\["[^"]+"\]|\(\["[^"]+"\]\)|\[\["[^"]+"\]\])
    | (?P<maker>n\d+)\ (-->|==>\|"[^"]+"\|)\ (?P<reader>n\d+)
    )""",
    re.VERBOSE,
)


def drawn(outlook: Outlook) -> list[str]:
    """The lines of a flowchart, which are all of the forms that Mermaid's grammar has."""
    lines = flowchart(outlook).splitlines()
    matches = [_LINES.fullmatch(line) for line in lines]
    assert [line for line, match in zip(lines, matches, strict=True) if match is None] == []
    nodes = [match["node"] for match in matches if match and match["node"]]
    ends = {match[end] for match in matches if match for end in ("maker", "reader")} - {None}
    groups = [match["group"] for match in matches if match and match["group"]]
    assert len(set(nodes)) == len(nodes)
    assert len(set(groups)) == len(groups) == [line.strip() for line in lines].count("end")
    assert ends <= set(nodes)
    return [line.strip() for line in lines]


def test_a_flowchart_names_the_values_that_go_through_a_file(tmp_path: Path) -> None:
    assert drawn(outlook_in(tmp_path, CHAIN, 100 * MB)) == [
        "flowchart TB",
        'subgraph s0["s01"]',
        'n0["flights"]',
        'n1["planes"]',
        "end",
        'subgraph s1["s02"]',
        'n2["flown"]',
        'n3["late"]',
        'n4(["delays"])',
        "end",
        'n0 ==>|"flights"| n2',
        "n2 --> n3",
        "n2 --> n4",
        "n3 --> n4",
        'n1 ==>|"planes"| n4',
    ]


def test_a_flowchart_shows_the_parts_of_a_segment_that_is_cut(tmp_path: Path) -> None:
    segments = [
        {"a": Told(value=50 * MB), "told": Told(("a",), is_sink=True), "b": Told(value=5 * MB)},
        {"c": Told(value=40 * MB), "d": Told(("b",), value=30 * MB), "e": Told(("c", "d"))},
    ]
    lines = drawn(outlook_in(tmp_path, segments, 80 * MB))

    assert [line for line in lines if line.startswith("subgraph")] == [
        'subgraph s0["s01"]',
        'subgraph p0["part 1"]',
        'subgraph p1["part 2: cut before a sink"]',
        'subgraph p2["part 3: cut after a sink"]',
        'subgraph s1["s02"]',
        'subgraph p3["part 1"]',
        'subgraph p4["part 2: cut for memory"]',
    ]
    assert 'n1[["told"]]' in lines
    assert 'n3 ==>|"c"| n5' in lines
    assert "n4 --> n5" in lines


def test_names_that_mean_something_to_mermaid_are_only_labels(tmp_path: Path) -> None:
    segments = [
        {"end": Told(value=MB), "graph": Told(("end",)), "größe": Told(("end",))},
        {"click": Told(("end", "größe"))},
    ]
    lines = drawn(outlook_in(tmp_path, segments, 100 * MB))

    assert lines.count("end") == 2
    assert 'n0["end"]' in lines
    assert 'n2 ==>|"größe"| n3' in lines


def test_a_large_pipeline_is_drawn_part_by_part(tmp_path: Path) -> None:
    first = {f"v{n}": Told((f"v{n - 1}",) if n else (), value=MB) for n in range(40)}
    second = {f"w{n}": Told(tuple(f"v{n + k}" for k in range(5)), value=1) for n in range(30)}
    lines = drawn(outlook_in(tmp_path, [first, second], BASELINE + 100 * MB))

    assert lines == [
        "flowchart TB",
        'subgraph s0["s01"]',
        'n0["v0 … v39 (40)<br/>outputs: v39"]',
        "end",
        'subgraph s1["s02"]',
        'n40["w0 … w29 (30)<br/>outputs: w0, w1, w2 … (30)"]',
        "end",
        'n0 ==>|"v0, v1, v2 … (34)"| n40',
    ]


def test_a_title_says_that_a_step_works_in_batches_and_in_which_engine(tmp_path: Path) -> None:
    made = pipeline(
        tmp_path,
        """
        from collections.abc import Iterator
        import duckdb
        import polars as pl
        import pyarrow as pa

        @step
        def plain(rows: int) -> pd.DataFrame:
            return pd.DataFrame()

        @step
        def made(rows: int) -> Iterator[pd.DataFrame]:
            yield pd.DataFrame()

        @step
        def read(made: pa.RecordBatchReader) -> int:
            return 0

        @step
        def lazy(plain: pl.LazyFrame) -> pl.LazyFrame:
            return plain

        @step
        def pulled(lazy: duckdb.DuckDBPyRelation, made: Iterator[pl.DataFrame]) -> pd.DataFrame:
            return pd.DataFrame()

        @step(each="days")
        def day(days: str) -> Iterator[pd.DataFrame]:
            yield pd.DataFrame()
        """,
        wiring="[params]\nrows = 1\ndays = ['a', 'b']\n",
    )

    assert [title(step) for step in made.steps] == [
        "plain",
        "made (in batches)",
        "read (in batches)",
        "lazy (polars)",
        "pulled (DuckDB, polars, in batches)",
        "day for each of days (in batches)",
    ]


def test_the_plan_says_that_little_counts_of_a_step_that_takes_what_there_is(
    tmp_path: Path,
) -> None:
    chain = [CHAIN[0], {**CHAIN[1], "late": Told(("flown",), value=200 * MB, is_elastic=True)}]
    outlook = outlook_in(tmp_path, chain, 300 * MB)

    assert outlook.elastic == ("late",)
    assert "the plan counts at most 67.1 MB for each of these: late." in sentences(printed(outlook))
    assert "counts" not in sentences(printed(outlook_in(tmp_path / "rigid", CHAIN, 300 * MB)))


def sent_in(folder: Path, *names: str, memory: int = 100 * MB) -> Outlook:
    """The outlook of the chain with some of its segments on the executor `gpu`."""
    known = forecast(folder, CHAIN)
    elsewhere = tuple(
        Elsewhere(segment, "gpu", plan(known, known.graph.span(segment), memory, 0.2))
        for segment in known.graph.segments
        if segment.name in names
    )
    return outlook_of(known, 100 * MB, 0.2, elsewhere)


def test_where_no_segment_runs_here_the_plan_speaks_of_elsewhere_alone(tmp_path: Path) -> None:
    outlook = sent_in(tmp_path, "s01", "s02")
    assert (outlook.least, outlook.others, outlook.peak) == (None, (), 0)
    text = printed(outlook)
    assert ["s02", "1 part", "65 MB of 100 MB on gpu"] in [line[:3] for line in rows(text)]
    told = sentences(text)
    assert not any(word in told for word in ("0 parts", "Below", "No other cuts", "every peak"))


def test_a_step_that_exceeds_the_memory_of_an_executor_is_named_with_it(tmp_path: Path) -> None:
    text = sentences(printed(sent_in(tmp_path, "s02", memory=20 * MB)))
    assert "` does not fit on `gpu`, however its segment is cut." in text
    assert "Below 40.1 MB `flights` does not fit, however" in text, "what runs here fits"


def test_a_flowchart_shows_the_segments_that_run_elsewhere_too(tmp_path: Path) -> None:
    lines = drawn(sent_in(tmp_path, "s02"))
    assert 'subgraph s1["s02, on gpu"]' in lines
    assert [line for line in lines if "==>" in line] == [
        'n0 ==>|"flights"| n2',
        'n1 ==>|"planes"| n4',
    ]
