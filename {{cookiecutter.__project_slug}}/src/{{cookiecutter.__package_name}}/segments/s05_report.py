"""Segment 5, report: do crowds, weather, old planes or earlier delays explain a delay?"""

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from ..checkpointing import Columns, step

SKIES = pd.CategoricalDtype(["snow", "rain", "fog", "wind", "fair", "unknown"], ordered=True)
# Each cause, and the columns of `delays` that say how it was for a flight.
CAUSES = {
    "airport before": ["airport_before"],
    "plane before": ["plane_before"],
    "hour": ["hour"],
    "carrier": ["carrier"],
    "weather": ["sky"],
    "age": ["plane_age"],
    "crowd": ["crowd", "crowd_most"],
}


@step
def delays(
    flights: pd.DataFrame,
    weather: pd.DataFrame,
    planes: pd.Series,
    planned_crowd: pd.DataFrame,
    flown_crowd: Annotated[pd.DataFrame, Columns("mean")],
) -> pd.DataFrame:
    """One row per flight: its delays in minutes, and what may have caused them.

    `plane_before` is how late the same plane was when it last left New York that day, and
    `airport_before` how late, on average, the flights of the hour before left the airport. `crowd`
    and `crowd_most` are those of the plan, which no delay has changed yet.
    """
    when = ["day", "time_hour", "hour", "due", "delay", "arr_delay"]
    known = flights[[*when, "carrier", "tailnum", "origin", "dest"]].assign(
        plane_age=flights["day"].dt.year - flights["tailnum"].map(planes),
        plane_before=of_plane_before(flights),
        crowd=planned_crowd["mean"],
        crowd_most=planned_crowd["most"],
        flown_crowd=flown_crowd["mean"],
    )
    for table in (weather, of_airport_before(flights)):
        known = known.merge(table, on=["origin", "time_hour"], how="left", validate="many_to_one")
    known = known.assign(sky=known["sky"].fillna("unknown").astype(SKIES))
    return known.drop(columns="time_hour")


@step
def by_cause(
    delays: pd.DataFrame,
    airlines_file: Path,
    age_bands: list[int],
    crowd_bands: list[int],
    delay_bands: list[int],
    late_minutes: int,
) -> pd.DataFrame:
    """For each group of each cause its flights, mean delay, and shares late and cancelled.

    The mean is in minutes, of the flights that left; both shares are of all flights.
    """
    airlines = pd.read_csv(airlines_file, index_col="carrier")["name"]
    groups = {
        "airport before": bands(delays["airport_before"], delay_bands),
        "plane before": bands(delays["plane_before"], delay_bands),
        "hour": delays["hour"],
        "carrier": delays["carrier"].map(airlines).fillna(delays["carrier"]),
        "weather": delays["sky"],
        "age": bands(delays["plane_age"], age_bands),
        "crowd": bands(delays["crowd"], crowd_bands),
    }
    tables = {
        cause: figures(delays["delay"], group, late_minutes) for cause, group in groups.items()
    }
    tables["carrier"] = worst_first(tables["carrier"], "mean_delay")
    return pd.concat(tables, names=["cause", "group"]).reset_index()


@step
def headline(delays: pd.DataFrame, late_minutes: int) -> dict[str, float]:
    """The findings in numbers: delays in minutes, crowds in flights, the rest in shares.

    `alone_` is the share of the variation between delays that a cause explains alone, `beyond_`
    the share that it adds to all other causes, both by least squares.
    """
    late = delays["delay"] >= late_minutes
    found = {
        "flights": len(delays),
        "mean_delay": delays["delay"].mean(),
        "late": late.mean(),
        "cancelled": delays["delay"].isna().mean(),
        "late_after_late": late[delays["plane_before"] >= late_minutes].mean(),
        "late_after_on_time": late[delays["plane_before"] < late_minutes].mean(),
        "planned_crowd": delays["crowd"].mean(),
        "flown_crowd": delays["flown_crowd"].mean(),
    }
    left = delays.dropna(subset=["delay"]).astype({"hour": "str"})
    terms = {cause: design(left[columns]) for cause, columns in CAUSES.items()}
    found["explained"] = explained(left["delay"], terms.values())
    for cause in CAUSES:
        others = [term for other, term in terms.items() if other != cause]
        found[f"alone_{cause}"] = explained(left["delay"], [terms[cause]])
        found[f"beyond_{cause}"] = found["explained"] - explained(left["delay"], others)
    return {name.replace(" ", "_"): round(float(number), 6) for name, number in found.items()}


@step
def picture(
    planned_traffic: np.ndarray,
    flown_traffic: np.ndarray,
    grid: dict[str, float],
    title: str,
    workdir: Path,
) -> Path:
    """Two charts: where planes were, and the most at a time in a cell, planned and flown."""
    # A library of 50 MB, which only this step is to hold.
    from ..charts import draw

    file = workdir / "traffic.png"
    draw(planned_traffic, flown_traffic, grid, title, file)
    return file


@step
def report(
    headline: dict[str, float],
    by_cause: pd.DataFrame,
    picture: Path,
    title: str,
    workdir: Path,
) -> Path:
    """The findings, the picture and a table of each cause, as one page of Markdown."""
    opening = (
        "{flights:,.0f} flights were due: {late:.1%} left late and {cancelled:.1%} never.\n"
        "If the plane had left late earlier that day, {late_after_late:.1%} left late;\n"
        "if it had left on time, {late_after_on_time:.1%}.\n\n"
        "As planned, {planned_crowd:.1f} planes would have been near a flight on its way, itself\n"
        "included; as flown, {flown_crowd:.1f} were. All causes together explain {explained:.1%}\n"
        "of the variation between delays.\n"
    )
    note = (
        "Near are flights in the same cell of the map, or in one next to it, in the same\n"
        "quarter of an hour. Ages are in years, delays in minutes: `airport before` is the mean\n"
        "delay of the hour before, `plane before` the last delay of the same plane that day.\n"
        "`alone` is what a cause explains on its own, `beyond` what it adds to all others.\n"
    )
    image = f"![Where planes were, and the most at a time in a cell]({picture.name})\n"
    sections = [f"# {title}\n", opening.format_map(headline), image, note]
    explains = {
        cause: {side: headline[f"{side}_{cause.replace(' ', '_')}"] for side in ("alone", "beyond")}
        for cause in CAUSES
    }
    shares = pd.DataFrame.from_dict(explains, orient="index").rename_axis("cause").reset_index()
    sections += ["## What each cause explains\n", markdown(worst_first(shares, "alone"))]
    for cause in CAUSES:
        table = by_cause[by_cause["cause"] == cause].drop(columns="cause")
        sections += [f"## By {cause}\n", markdown(table.rename(columns={"group": cause}))]
    page = workdir / "report.md"
    page.write_text("\n".join(sections), encoding="utf-8")
    return page


def of_plane_before(flights: pd.DataFrame) -> pd.Series:
    """How late each flight's plane was when it last left that day; missing if it had not."""
    left = flights.dropna(subset=["delay"]).sort_values("due", kind="stable")
    return left.groupby(["tailnum", "day"])["delay"].shift()


def of_airport_before(flights: pd.DataFrame) -> pd.DataFrame:
    """The mean delay of the flights due in the hour before, by `origin` and `time_hour`."""
    hours = flights.groupby(["origin", "time_hour"], as_index=False).agg(
        airport_before=("delay", "mean")
    )
    return hours.assign(time_hour=hours["time_hour"] + pd.Timedelta(hours=1))


def bands(values: pd.Series, starts: list[int]) -> pd.Series:
    """The band of each value, as text; a band begins at each of `starts`."""
    names = [f"under {starts[0]}", *(f"{first} to {end}" for first, end in pairwise(starts))]
    edges = [-np.inf, *starts, np.inf]
    bands = pd.cut(values, edges, right=False, labels=[*names, f"{starts[-1]} or more"])
    return bands.cat.add_categories("unknown").fillna("unknown")


def figures(delay: pd.Series, group: pd.Series, late_minutes: int) -> pd.DataFrame:
    """Flights, mean delay, and the shares late and cancelled, per group; see `by_cause`."""
    flights = pd.DataFrame({"delay": delay, "late": delay >= late_minutes, "gone": delay.isna()})
    table = flights.groupby(group, observed=True).agg(
        flights=("delay", "size"),
        mean_delay=("delay", "mean"),
        late=("late", "mean"),
        cancelled=("gone", "mean"),
    )
    return table.set_axis(table.index.astype(str))


def worst_first(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """The rows in the order of a column, largest first."""
    return table.sort_values(column, ascending=False, kind="stable")


def design(columns: pd.DataFrame) -> np.ndarray:
    """What least squares gets for a cause: numbers, each group, and where a number is missing."""
    parts: list[pd.DataFrame | pd.Series] = []
    for _, values in columns.items():
        if is_numeric_dtype(values):
            parts += [values.fillna(values.mean()), values.isna()]
        else:
            parts.append(pd.get_dummies(values))
    return pd.concat(parts, axis=1).to_numpy("float64")


def explained(delay: pd.Series, terms: Iterable[np.ndarray]) -> float:
    """The share of the variation of `delay` that the terms explain, by least squares."""
    known = np.hstack([np.ones((len(delay), 1)), *terms])
    measured = delay.to_numpy()
    factors, *_ = np.linalg.lstsq(known.T @ known, known.T @ measured)
    return float(1 - np.var(measured - known @ factors) / np.var(measured))


def markdown(table: pd.DataFrame) -> str:
    """A table in Markdown; shares in percent, minutes to one decimal."""
    shown = table.copy()
    for name in table.select_dtypes("float"):
        shown[name] = table[name].map("{:.1f}".format if name == "mean_delay" else "{:.1%}".format)
    cells: list[list[str]] = shown.astype(str).replace("nan", "-").to_numpy().tolist()
    rows = [[str(name) for name in shown], ["---"] * len(shown.columns), *cells]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)
