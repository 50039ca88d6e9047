"""Events of an app, in polars, lazily where it pays."""

from datetime import timedelta
from pathlib import Path

import polars as pl
from flight_delays.checkpointing import step

PAUSE = timedelta(minutes=30)
KINDS = {"pv": "view", "cl": "click", "bu": "purchase"}


@step
def events(events_file: Path) -> pl.LazyFrame:
    """The events, with their kinds spelt out."""
    return pl.scan_parquet(events_file).with_columns(
        pl.col("kind").replace_strict(KINDS, default="other"),
        pl.col("when").str.to_datetime("%Y-%m-%dT%H:%M:%S"),
    )


@step
def users(users_file: Path) -> pl.DataFrame:
    """The users who agreed to be counted."""
    table = pl.read_csv(users_file, columns=["user", "country", "agreed"])
    return table.filter(pl.col("agreed")).drop("agreed").unique("user")


@step
def sessions(events: pl.LazyFrame) -> pl.LazyFrame:
    """Events with the number of their session: a pause begins a new one."""
    pause = pl.col("when").diff().over("user") > PAUSE
    return events.sort("user", "when").with_columns(
        session=pause.fill_null(value=True).cum_sum().over("user")
    )


@step
def funnel(sessions: pl.LazyFrame, users: pl.DataFrame) -> pl.DataFrame:
    """How many sessions of each country get as far as a click and a purchase."""
    reached = [pl.col("kind").eq(kind).any().alias(kind) for kind in ("view", "click", "purchase")]
    return (
        sessions.join(users.lazy(), on="user")
        .group_by("country", "user", "session")
        .agg(reached)
        .group_by("country")
        .agg(pl.len().alias("sessions"), pl.col("view", "click", "purchase").sum())
        .sort("sessions", descending=True)
        .collect(engine="streaming")
    )


@step
def by_hour(sessions: pl.LazyFrame) -> pl.DataFrame:
    """Events by weekday and hour, as a grid."""
    return (
        sessions.with_columns(hour=pl.col("when").dt.hour(), day=pl.col("when").dt.weekday())
        .group_by("day", "hour")
        .len()
        .collect()
        .pivot("day", index="hour", values="len")
        .fill_null(0)
    )


@step
def panel(users: pl.DataFrame, size: int, seed: int) -> list[str]:
    """The users that are asked what they think; the same in each run."""
    chosen = users.sample(n=size, seed=seed, with_replacement=False)
    names: list[str] = chosen["user"].to_list()
    names.sort()
    return names


@step
def shares(funnel: pl.DataFrame) -> dict[str, float]:
    """The share of sessions that end in a purchase, by country."""
    share_of = {}
    for row in funnel.iter_rows(named=True):
        share_of[row["country"]] = row["purchase"] / row["sessions"]
    return share_of


@step
def archive(sessions: pl.LazyFrame, workdir: Path) -> Path:
    """The sessions in one file, written without being held."""
    target = workdir / "sessions.parquet"
    sessions.sink_parquet(target, compression="zstd")
    return target
