"""planner: how much the best cuts save over simple rules, and how long it takes to find them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from flight_delays.checkpointing.memory.costs import Costs
from flight_delays.checkpointing.memory.cuts import Block, Cuts
from measure import Bench, Row, in_turns, ratios, show_ratio, show_seconds, spread, timed
from random_graphs import PartCost, Problem, part_costs, problems

NAME = "planner"
STEPS = 40
GRAPHS, QUICK_GRAPHS = 200, 20
TIMED_STEPS = 100
TIMED_GRAPHS = 5
PLAN_SECONDS = 0.05
BUDGETS = 10

Table = list[list[PartCost]]


def run(bench: Bench) -> list[Row]:
    """Compare what the rules move on graphs that need cuts, then time the planner alone."""
    best: list[int] = []
    longest: list[int] = []
    every: list[int] = []
    for problem in problems(QUICK_GRAPHS if bench.quick else GRAPHS, STEPS):
        table = part_costs(problem.graph)
        choice = _cuts(_costs(table)).choose(problem.limit)
        if choice.peak > problem.limit:
            raise RuntimeError(f"parts of {choice.peak} bytes for a limit of {problem.limit}")
        best.append(_transfers(table, choice.parts))
        longest.append(_transfers(table, _longest_that_fit(table, problem.limit)))
        every.append(_transfers(table, (range(n, n + 1) for n in range(STEPS))))
    more = [rule / least for rule, least in zip(longest, best, strict=True)]
    against = f"best cuts of {len(best)} graphs of {STEPS} steps"
    return [
        Row(
            NAME,
            "bytes moved by the longest parts that fit",
            f"{_in_all(longest, best)}; more on {sum(n > 1 for n in more) / len(more):.0%}",
            against,
            show_ratio(spread(more)),
            "> 1, never below",
            spread(more).median > 1 and min(more) >= 1,
        ),
        Row(
            NAME,
            "bytes moved by a checkpoint after every step",
            _in_all(every, best),
            against,
            show_ratio(ratios(every, best)),
        ),
        *_times(bench),
    ]


def _times(bench: Bench) -> list[Row]:
    asked: list[tuple[Problem, Costs]] = [
        (problem, _costs(part_costs(problem.graph)))
        for problem in problems(2 if bench.quick else TIMED_GRAPHS, TIMED_STEPS)
    ]
    plan: list[float] = []
    budgets: list[float] = []
    read: list[float] = []
    for problem, costs in asked:
        found = in_turns(
            3 if bench.quick else 9,
            plan=partial(timed, partial(_chosen, costs, [problem.limit])),
            budgets=partial(timed, partial(_chosen, costs, _limits(costs))),
            read=partial(timed, partial(_read, costs)),
        )
        plan += found["plan"]
        budgets += found["budgets"]
        read += found["read"]
    return [
        Row(
            NAME,
            f"plan of {TIMED_STEPS} steps",
            show_seconds(spread(plan)),
            f"adding up all costs {show_seconds(spread(read))}",
            show_ratio(ratios(plan, read)),
            f"< {1000 * PLAN_SECONDS:.0f} ms",
            spread(plan).median < PLAN_SECONDS,
        ),
        Row(
            NAME,
            f"that for {BUDGETS} budgets",
            show_seconds(spread(budgets)),
            f"one plan {show_seconds(spread(plan))}",
            show_ratio(ratios(budgets, plan)),
        ),
    ]


def _costs(table: Table) -> Costs:
    return Costs(
        peaks=[[cost.peak for cost in row] for row in table],
        transfers=[[cost.transfers for cost in row] for row in table],
    )


def _cuts(costs: Costs) -> Cuts:
    return Cuts([Block(range(len(costs.peaks)), lambda: costs)])


def _chosen(costs: Costs, limits: Sequence[int]) -> None:
    cuts = _cuts(costs)
    for limit in limits:
        cuts.choose(limit)


def _limits(costs: Costs) -> list[int]:
    """Limits from the least peak to the highest."""
    least, most = costs.least_peak(), max(map(max, costs.peaks))
    return [least + (most - least) * number // (BUDGETS - 1) for number in range(BUDGETS)]


def _longest_that_fit(table: Table, limit: int) -> list[range]:
    """The parts of the greedy rule: each goes on for as long as it can."""
    parts: list[range] = []
    start = 0
    while start < len(table):
        row = table[start]
        stop = start + max(length for length, cost in enumerate(row, 1) if cost.peak <= limit)
        parts.append(range(start, stop))
        start = stop
    return parts


def _in_all(moved: Sequence[int], best: Sequence[int]) -> str:
    worst = max(rule / least for rule, least in zip(moved, best, strict=True))
    return f"{sum(moved) / sum(best):.2f} × in all, worst {worst:,.0f} ×"


def _transfers(table: Table, parts: Iterable[range]) -> int:
    return sum(table[part.start][len(part) - 1].transfers for part in parts)


def _read(costs: Costs) -> int:
    return sum(map(sum, costs.peaks)) + sum(map(sum, costs.transfers))
