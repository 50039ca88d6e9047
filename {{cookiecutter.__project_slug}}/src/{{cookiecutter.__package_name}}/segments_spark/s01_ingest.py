"""Segment 1, ingest: read from each file just the columns that later steps need.

Flights and weather are DataFrames of Spark: its executors read, join and sort them, and write the
checkpoint. The process of the step never holds their rows. Later segments take them with pandas.
"""

from datetime import date
from pathlib import Path

import pandas as pd
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as sf

from ..checkpointing import step


@step
def flights(flights_file: Path, airports_file: Path, first_day: date, last_day: date) -> DataFrame:
    """The flights of the period, with the moment `due` in UTC and both ends in degrees.

    `delay` on departure, `arr_delay` on arrival and `air_time` are in minutes; a cancelled flight
    has none of them. `hour` is what the airport's clock shows. The list of airports lacks some
    destinations, such as San Juan.
    """
    spark = SparkSession.active()
    airports = spark.read.csv(str(airports_file), header=True)
    here = airports.selectExpr("faa AS origin", "double(lat)", "double(lon)")
    there = airports.selectExpr("faa AS dest", "double(lat) AS to_lat", "double(lon) AS to_lon")
    flights = spark.read.parquet(str(flights_file)).select("*", "_metadata.row_index")
    return (
        flights.where(sf.make_date("year", "month", "day").between(first_day, last_day))
        .join(here, "origin", "left")
        .join(there, "dest", "left")
        .orderBy("row_index")  # that of the file: Spark keeps no order by itself
        .selectExpr(
            "CAST(make_date(year, month, day) AS TIMESTAMP_NTZ) AS day", "hour", "time_hour",
            "carrier", "tailnum", "origin", "dest", "arr_delay", "air_time",
            "time_hour + make_dt_interval(0, 0, int(minute)) AS due", "dep_delay AS delay",
            "lat", "lon", "to_lat", "to_lon",
        )
    )  # fmt: skip


@step
def weather(weather_file: Path, max_wind_mph: float, sky_limits: dict[str, float]) -> DataFrame:
    """What the weather meant to a pilot, by airport and hour: the first sky that applies.

    A wind above `max_wind_mph` is a broken sensor's.
    """
    wet = sf.col("precip") > 0
    sky = (
        sf.when(wet & (sf.col("temp") <= sky_limits["freezing_f"]), "snow")
        .when(wet, "rain")
        .when(sf.col("visib") < sky_limits["fog_miles"], "fog")
        .when(sf.col("wind_speed").between(sky_limits["wind_mph"], max_wind_mph), "wind")
        .otherwise("fair")
    )
    spark = SparkSession.active()
    of_an_hour = Window.partitionBy("origin", "time_hour").orderBy("row_index")
    hourly = spark.read.parquet(str(weather_file)).select("*", "_metadata.row_index")
    return (
        hourly.withColumn("nth", sf.row_number().over(of_an_hour))
        .where("nth = 1")
        .orderBy("row_index")
        .select("origin", "time_hour", sky.alias("sky"))
    )


@step
def planes(planes_file: Path) -> pd.Series:
    """The year in which each plane was built, by tail number, where the registry knows it."""
    known = pd.read_csv(planes_file, usecols=["tailnum", "year"]).dropna()
    return known.drop_duplicates("tailnum").set_index("tailnum")["year"].astype("int16")
