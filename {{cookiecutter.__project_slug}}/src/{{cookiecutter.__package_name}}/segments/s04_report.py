"""Segment 4, report: which weather, hour, carrier, plane and route make delays."""

from itertools import pairwise
from pathlib import Path
from typing import Annotated

import pandas as pd

from ..checkpointing import Columns, step


@step
def by_weather(
    delays: Annotated[pd.DataFrame, Columns("sky", "delay")], late_minutes: int
) -> pd.DataFrame:
    """Delays under each kind of sky, worst first."""
    return worst_first(figures(delays, ["sky"], late_minutes))


@step
def by_hour(
    delays: Annotated[pd.DataFrame, Columns("hour", "delay", "earlier_delay")], late_minutes: int
) -> pd.DataFrame:
    """Delays through the day, and the share of flights whose plane had left late before."""
    flights = delays.assign(late_before=delays["earlier_delay"] >= late_minutes)
    knock_on = flights.groupby("hour", as_index=False).agg(late_before=("late_before", "mean"))
    return figures(delays, ["hour"], late_minutes).merge(knock_on, on="hour")


@step
def by_carrier(
    delays: Annotated[pd.DataFrame, Columns("carrier", "delay")],
    airlines: pd.DataFrame,
    late_minutes: int,
) -> pd.DataFrame:
    """Delays of each carrier with its full name, worst first."""
    table = figures(delays, ["carrier"], late_minutes)
    return worst_first(airlines.merge(table, on="carrier", how="right"))


@step
def by_age(
    delays: Annotated[pd.DataFrame, Columns("plane_age", "delay")],
    age_bands: list[int],
    late_minutes: int,
) -> pd.DataFrame:
    """Delays by the age of the plane in years, in bands that begin at the ages `age_bands`."""
    names = [f"{first}-{after - 1}" for first, after in pairwise(age_bands)]
    edges = [*age_bands, float("inf")]
    bands = pd.cut(delays["plane_age"], edges, right=False, labels=[*names, f"{age_bands[-1]}+"])
    aged = delays.assign(age=bands.cat.add_categories("unknown").fillna("unknown"))
    return figures(aged, ["age"], late_minutes)


@step
def by_route(
    delays: Annotated[pd.DataFrame, Columns("origin", "dest", "delay")],
    airports: pd.DataFrame,
    late_minutes: int,
    min_flights: int,
) -> pd.DataFrame:
    """Delays of each route with at least `min_flights` flights, worst first.

    A destination that the list of airports lacks, such as San Juan, goes by its code.
    """
    routes = figures(delays, ["origin", "dest"], late_minutes)
    busy = routes[routes["flights"] >= min_flights]
    named = airports.rename(columns={"faa": "dest"}).merge(busy, on="dest", how="right")
    return worst_first(named.assign(name=named["name"].fillna(named["dest"])))


@step
def headline(
    delays: Annotated[pd.DataFrame, Columns("delay", "earlier_delay")],
    by_weather: pd.DataFrame,
    by_hour: pd.DataFrame,
    by_carrier: pd.DataFrame,
    by_age: pd.DataFrame,
    by_route: pd.DataFrame,
    late_minutes: int,
    min_flights: int,
) -> dict[str, float]:
    """The findings in numbers: shares of flights, and for each cause how much it matters.

    A cause's `gap` is the mean delay of its worst group less that of its best, in minutes, among
    the groups of at least `min_flights` flights.
    """
    late = delays["delay"] >= late_minutes
    whole = {
        "flights": len(delays),
        "mean_delay": delays["delay"].mean(),
        "late": late.mean(),
        "cancelled": delays["delay"].isna().mean(),
        "late_after_late": late[delays["earlier_delay"] >= late_minutes].mean(),
        "late_after_on_time": late[delays["earlier_delay"] < late_minutes].mean(),
    }
    gaps = {
        "gap_weather": gap(by_weather, min_flights),
        "gap_hour": gap(by_hour, min_flights),
        "gap_carrier": gap(by_carrier, min_flights),
        "gap_age": gap(by_age, min_flights),
        "gap_route": gap(by_route, min_flights),
    }
    return {name: float(number) for name, number in (whole | gaps).items()}


@step
def report(
    headline: dict[str, float],
    by_weather: pd.DataFrame,
    by_hour: pd.DataFrame,
    by_carrier: pd.DataFrame,
    by_age: pd.DataFrame,
    by_route: pd.DataFrame,
    min_flights: int,
    title: str,
    workdir: Path,
) -> Path:
    """The findings and all tables as one page of Markdown, with the ten worst routes."""
    opening = (
        "{flights:,.0f} flights were due: {late:.1%} left late and {cancelled:.1%} never.\n"
        "If the plane had left late earlier that day, {late_after_late:.1%} left late;\n"
        "if it had left on time, {late_after_on_time:.1%}.\n"
    )
    tables = {"weather": by_weather, "hour": by_hour, "carrier": by_carrier, "age": by_age}
    tables["route"] = by_route.head(10)
    note = f"What lies between worst and best is of groups of at least {min_flights} flights.\n"
    sections = [f"# {title}\n", opening.format_map(headline), note]
    for cause, table in tables.items():
        minutes = headline[f"gap_{cause}"]
        sections.append(f"## By {cause}: {minutes:.1f} minutes between worst and best\n")
        sections.append(markdown(table))
    page = workdir / "report.md"
    page.write_text("\n".join(sections), encoding="utf-8")
    return page


def figures(delays: pd.DataFrame, by: list[str], late_minutes: int) -> pd.DataFrame:
    """Flights, mean delay in minutes, and the shares of flights late and cancelled, per group.

    Both shares are of all scheduled flights; the mean is of those that left.
    """
    late = delays["delay"] >= late_minutes
    flights = delays.assign(late=late, cancelled=delays["delay"].isna())
    return flights.groupby(by, observed=True, as_index=False).agg(
        flights=("delay", "size"),
        mean_delay=("delay", "mean"),
        late=("late", "mean"),
        cancelled=("cancelled", "mean"),
    )


def worst_first(table: pd.DataFrame) -> pd.DataFrame:
    """The rows in the order of their mean delay, largest first."""
    return table.sort_values("mean_delay", ascending=False, kind="stable", ignore_index=True)


def gap(table: pd.DataFrame, min_flights: int) -> float:
    """Minutes between the largest and the smallest mean delay of a table's larger groups, or 0."""
    means = table.loc[table["flights"] >= min_flights, "mean_delay"]
    return float(means.max() - means.min()) if len(means) else 0.0


def markdown(table: pd.DataFrame) -> str:
    """A table in Markdown; shares in percent, minutes to one decimal."""
    shares = table.columns.intersection(["late", "cancelled", "late_before"])
    shown = table.assign(mean_delay=table["mean_delay"].round(1))
    shown[shares] = shown[shares].map("{:.1%}".format)
    cells: list[list[str]] = shown.astype(str).fillna("-").to_numpy().tolist()
    rows = [[str(name) for name in shown], ["---"] * len(shown.columns), *cells]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)
