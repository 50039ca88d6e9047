"""Values of everyday work with pandas, which a checkpoint must never refuse."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd


def unlike_labels(size: int) -> Any:
    """Labels of several types, as pivots and renaming make them."""
    return pd.Index(
        ["carrier", 2013, None, ("a", 1), 2.5][:size], dtype=object, tupleize_cols=False
    )


def _flights() -> pd.DataFrame:
    rows = np.arange(60)
    return pd.DataFrame(
        {
            "carrier": pd.Categorical(
                np.array(["UA", "AA", "B6"])[rows % 3], ["AA", "B6", "UA", "XX"]
            ),
            "month": pd.Categorical(rows % 4 + 1, ordered=True),
            "day": pd.date_range("2013-01-31", periods=60, freq="D").astype("category"),
            "when": pd.date_range("2013-01-31", periods=60, freq="6h", tz="America/New_York"),
            "origin": np.array(["JFK", "LGA"])[rows // 7 % 2],
            "late": pd.cut(rows * 7 % 50, [-1, 5, 20, 60]),
            "distance": pd.qcut(rows * 13 % 40, 4),
            "delay": np.where(rows % 9, rows * 1.5, np.nan),
            "seats": pd.array(np.where(rows % 5, rows, 0), dtype="Int64"),
        }
    )


_KEYS: list[Any] = [
    *("carrier", "month", "day", "late", "distance", ["carrier"], ["carrier", "late"]),
    *(["month", "origin"], ["late", "distance", "carrier"], ["origin", "late"]),
]


def ordinary() -> dict[str, Any]:
    """Frames and Series that must never be refused."""
    flights: Any = _flights()  # stubs declare few of the ways to group
    groupings: dict[str, Any] = {"flights": flights}
    for key, observed in product(_KEYS, (True, False)):
        groups = flights.groupby(key, observed=observed)
        groupings[f"groupby {key}, observed={observed}"] = groups["delay"].mean()
        groupings[f"groupby {key}, several, observed={observed}"] = groups[["delay", "seats"]].agg(
            {"delay": ["mean", "max"], "seats": ["sum"]}
        )
    by_two = flights.groupby(["carrier", "late"], observed=False)["delay"].sum()
    wide = by_two.unstack()  # noqa: PD010  each way to reshape makes another index
    pivot: dict[str, Any] = {"columns": "late", "values": "delay", "observed": False}
    counts = pd.crosstab(flights["carrier"], flights["late"])
    return (
        groupings
        | {
            "unstack": wide,
            "stack again": wide.stack(),  # noqa: PD013
            "unstack twice": wide.unstack(),  # noqa: PD010
            "reset_index": by_two.reset_index(),
            "to_frame": by_two.to_frame(),
            "swaplevel": by_two.swaplevel().sort_index(),
            "one group": by_two.xs("AA"),
            "no group": by_two.iloc[:0],
            "some groups": by_two.iloc[3:7],
            "pivot_table": flights.pivot_table(index="carrier", **pivot),
            "pivot_table of levels": flights.pivot_table(index=["carrier", "month"], **pivot),
            "pivot_table with margins": flights.assign(
                late=flights["late"].astype(str)
            ).pivot_table(index="origin", columns="late", values="delay", margins=True),
            "crosstab": counts,
            "crosstab of two": pd.crosstab(
                [flights["carrier"], flights["origin"]], flights["month"]
            ),
            "crosstab of intervals": pd.crosstab(flights["late"], flights["distance"]),
            "crosstab, normalised": counts / counts.sum(),
            "value_counts": flights["late"].value_counts(),
            "value_counts of two": flights[["carrier", "late"]].value_counts(),
            "value_counts in bins": flights["delay"].value_counts(bins=3),
            "resample": flights.set_index("when")["delay"].resample("D").mean(),
            "resample by group": flights.set_index("when")
            .groupby("carrier", observed=False)[["delay"]]
            .resample("W")
            .mean(),
            "rolling by group": flights.groupby("late", observed=True)["delay"].rolling(3).mean(),
            "describe": flights.describe(),
            "describe by group": flights.groupby("carrier", observed=False)["delay"].describe(),
            "set_index of a category": flights.set_index("carrier"),
            "set_index of two": flights.set_index(["late", "month"]),
            "set_index, appended": flights.set_index("carrier", append=True),
            "set_index of missing": flights.assign(
                late=flights["late"].where(flights["seats"] > 9)
            ).set_index(["carrier", "late"]),
            "melt": flights.melt(id_vars=["carrier"], value_vars=["delay"]),
            "concat with keys": pd.concat({"a": counts, "b": counts}),
            "concat of columns": pd.concat(
                [counts, counts], axis=1, keys=pd.Index(["a", "b"], name="k")
            ),
            "transposed": wide.T,
            "periods": wide.set_axis(pd.period_range("2013-01", periods=3, freq="M"), axis=1),
            "both axes": flights.pivot_table(
                index=["carrier", "late"],
                columns=["month", "distance"],
                values="delay",
                observed=False,
            ),
            "dates by group": flights.groupby(
                ["carrier", pd.Grouper(key="when", freq="W")], observed=True
            )[["delay"]].sum(),
            "cut of dates": flights.groupby(pd.cut(flights["when"], 3), observed=False)[
                "delay"
            ].count(),
            "explode": flights.assign(bits=[[1, 2]] * 60).explode("bits"),
            "unlike labels": pd.DataFrame([range(4)], columns=unlike_labels(4)),
            "level named as a column": by_two.to_frame("late"),
            "levels of one name": by_two.rename_axis(["k", "k"]),
            "levels without names": by_two.rename_axis([None, None]),
            "no columns": flights[[]].set_index(flights["late"]),
            "rows alone": flights[[]],
            "sorted by level": by_two.set_axis(by_two.index.sortlevel(1)[0]),
            "nothing": pd.DataFrame(),
            "categories of categories": pd.DataFrame(
                {
                    "x": pd.Categorical.from_codes(
                        [0, 1], categories=pd.CategoricalIndex(["a", "b", "c"])
                    )
                }
            ),
            "all missing": pd.DataFrame({"x": pd.Categorical([None] * 3, categories=["a"])}),
        }
    )
