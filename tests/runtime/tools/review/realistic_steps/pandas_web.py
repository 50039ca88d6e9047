"""Exchange with other systems: an API that is read, a warehouse that is written."""

import io
import os
import zipfile
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Annotated, TypedDict

import pandas as pd
import requests
import sqlalchemy
from flight_delays.checkpointing import Columns, step


class Station(TypedDict):
    """One station of the network."""

    name: str
    docks: int


@step
def stations(stations_url: str) -> list[Station]:
    """The stations as the network lists them, page after page."""
    all_stations: list[Station] = []
    page = 1
    with requests.Session() as session:
        while True:
            answer = session.get(stations_url, params={"page": page}, timeout=30)
            answer.raise_for_status()
            listed = answer.json()["stations"]
            if not listed:
                return all_stations
            all_stations.extend(
                {"name": s["name"].strip(), "docks": int(s["docks"])} for s in listed
            )
            page += 1


@step
def trips(trips_archive: Path) -> pd.DataFrame:
    """The trips of the year: an archive of one file a month."""
    with zipfile.ZipFile(trips_archive) as archive:
        months = sorted(name for name in archive.namelist() if name.endswith(".csv"))
        return pd.concat(
            [pd.read_csv(io.BytesIO(archive.read(name))) for name in months], ignore_index=True
        )


@step
def readings(readings_files: list[Path]) -> pd.DataFrame:
    """The readings of all sensors, read side by side."""

    def read(file: Path) -> pd.DataFrame:
        return pd.read_json(file, lines=True).assign(sensor=file.stem)

    with ThreadPoolExecutor(max_workers=4) as pool:
        return pd.concat(pool.map(read, readings_files))


@step
def trips_by_station(
    trips: Annotated[pd.DataFrame, Columns("start_station")], stations: list[Station]
) -> dict[str, int]:
    """Trips from each station; what is not in the network counts as `elsewhere`."""
    known = {station["name"] for station in stations}
    counts: Counter[str] = Counter()
    for name, rows in trips["start_station"].value_counts().items():
        counts[str(name) if name in known else "elsewhere"] += int(rows)
    return dict(counts)


@step
def routes(trips: pd.DataFrame) -> dict[str, list[str]]:
    """Where trips from each station lead, each destination once."""
    ends_of: defaultdict[str, set[str]] = defaultdict(set)
    for start, end in zip(trips["start_station"], trips["end_station"], strict=True):
        ends_of[plain(start)].add(plain(end))
    return {start: sorted(ends) for start, ends in sorted(ends_of.items())}


@step
def stored(trips_by_station: dict[str, int], run_day: str) -> None:
    """A sink: one row a station and day, replaced when the day runs again."""
    engine = sqlalchemy.create_engine(os.environ["WAREHOUSE_URL"])
    table = pd.DataFrame({"station": trips_by_station.keys(), "trips": trips_by_station.values()})
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("DELETE FROM trips WHERE day = :day"), {"day": run_day})
        table.assign(day=run_day, loaded=pd.Timestamp.now("UTC")).to_sql(
            "trips", connection, if_exists="append", index=False
        )


@cache
def plain(name: str) -> str:
    """A name without the case and the spaces that people type by chance."""
    return " ".join(name.lower().split())
