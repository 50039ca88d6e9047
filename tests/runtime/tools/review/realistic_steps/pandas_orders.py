"""Orders of a shop, from its exports to a customer's score."""

import json
import logging
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from flight_delays.checkpointing import Columns, step

logger = logging.getLogger(__name__)

RENAMED = {"Order ID": "order", "Customer": "customer", "Amount (EUR)": "amount", "Day": "day"}
STATUS = {"P": "paid", "O": "open", "C": "cancelled", "R": "returned"}
KNOWN_COUNTRIES = ["ES", "FR", "IT", "PT"]
SIZES = pd.CategoricalDtype(["small", "medium", "large"], ordered=True)
_MONEY = re.compile(r"[^\d.,-]")


@step
def raw_orders(orders_folder: Path) -> pd.DataFrame:
    """All monthly exports, one below the other, with the file each row came from."""
    parts = []
    for file in sorted(orders_folder.glob("*.csv")):
        part = pd.read_csv(file, sep=";", dtype="string", encoding="latin-1")
        part["source"] = file.name
        parts.append(part)
        logger.info("%s: %d rows", file.name, len(part))
    return pd.concat(parts, ignore_index=True)


@step
def orders(raw_orders: pd.DataFrame) -> pd.DataFrame:
    """The orders under our names and in our types; what cannot be read is missing."""
    raw_orders = raw_orders.rename(columns=RENAMED)
    raw_orders["amount"] = raw_orders["amount"].map(amount_in_euros)
    raw_orders["day"] = pd.to_datetime(raw_orders["day"], format="%d/%m/%Y", errors="coerce")
    raw_orders["status"] = raw_orders["status"].str.upper().map(STATUS).fillna("unknown")
    del raw_orders["comment"], raw_orders["internal_note"]
    return raw_orders.drop_duplicates("order", keep="last")


@step
def checked(orders: pd.DataFrame, first_day: date, last_day: date) -> pd.DataFrame:
    """The orders of the period; raises if amounts are missing or keys are not unique."""
    in_period = orders["day"].between(pd.Timestamp(first_day), pd.Timestamp(last_day))
    kept = orders.loc[in_period].copy()
    missing = kept["amount"].isna().sum()
    if missing > len(kept) * 0.01:
        raise ValueError(f"{missing} of {len(kept)} orders have no amount")
    assert kept["order"].is_unique, "an order stands in two exports"
    kept.loc[kept["amount"] < 0, "status"] = "returned"
    kept.dropna(subset=["customer"], inplace=True)  # noqa: PD002
    return kept


@step
def rates(rates_file: Path) -> dict[str, float]:
    """What one unit of each currency is worth in euros."""
    listed = json.loads(rates_file.read_text(encoding="utf-8"))
    return {entry["code"]: 1 / float(entry["per_euro"]) for entry in listed["rates"]}


@step
def products(catalogue: Path) -> pd.DataFrame:
    """The catalogue, a sheet a department, of which only two columns are wanted."""
    with pd.ExcelFile(catalogue) as book:
        sheets = {str(name): book.parse(name, usecols="A:B") for name in book.sheet_names}
    stacked = pd.concat(sheets, names=["department", "row"])
    return stacked.reset_index("department").reset_index(drop=True)


@step
def enriched(
    checked: pd.DataFrame, products: pd.DataFrame, rates: dict[str, float]
) -> pd.DataFrame:
    """Each order with its product's department and its amount in euros."""
    known = products.drop_duplicates("product").set_index("product")["department"]
    joined = checked.assign(
        department=checked["product"].map(known).astype("category"),
        euros=checked["amount"] * checked["currency"].map(rates).fillna(1.0),
    )
    joined["country"] = joined["country"].where(joined["country"].isin(KNOWN_COUNTRIES), "other")
    return joined


@step
def sized(enriched: pd.DataFrame, size_limits: list[float]) -> pd.DataFrame:
    """Each order with its size, by the limits in euros."""
    edges = [-np.inf, *size_limits, np.inf]
    labels = list(SIZES.categories)
    return enriched.assign(size=pd.cut(enriched["euros"], edges, labels=labels).astype(SIZES))


@step
def monthly(sized: pd.DataFrame) -> pd.DataFrame:
    """Turnover of each department by month, months without orders included."""
    by_month = sized.set_index("day").groupby("department", observed=True)["euros"]
    table = by_month.resample("MS").sum().unstack(0).fillna(0.0)  # noqa: PD010
    table.columns = [str(name).lower().replace(" ", "_") for name in table.columns]
    return table.reset_index()


@step
def with_rolling(monthly: pd.DataFrame) -> pd.DataFrame:
    """The months with a mean of the last twelve beside each department."""
    departments = [column for column in monthly.columns if column != "day"]
    result = monthly.copy()
    for department in departments:
        result[f"{department}_year"] = monthly[department].rolling(12, min_periods=6).mean()
    return result


@step
def customers(sized: pd.DataFrame) -> pd.DataFrame:
    """Recency, frequency and worth of each customer, from all orders that were paid."""
    paid = sized[sized["status"] == "paid"]
    last = paid["day"].max()
    return (
        paid.groupby("customer")
        .agg(
            recency=("day", lambda days: (last - days.max()).days),
            frequency=("order", "nunique"),
            worth=("euros", "sum"),
        )
        .query("worth > 0")
        .sort_values("worth", ascending=False)
        .reset_index()
    )


@step
def scores(customers: pd.DataFrame, weights: dict[str, float]) -> pd.Series:
    """A score from 0 to 100 for each customer; the weights need not add up to one."""
    total = sum(weights.values())
    shares = {name: weight / total for name, weight in weights.items()}
    shares.setdefault("recency", 0.0)
    ranks = customers.set_index("customer").rank(pct=True)
    ranks["recency"] = 1 - ranks["recency"]
    score = pd.Series(0.0, index=ranks.index)
    for name, share in shares.items():
        score += ranks[name] * share
    return score.mul(100).round(1).rename("score")


@step
def audited(sized: Annotated[pd.DataFrame, Columns("order", "euros")], rows: int) -> pd.DataFrame:
    """Some orders for a closer look; the run seeds the draw."""
    return sized.sample(min(rows, len(sized)), weights="euros")


@step
def anomalies(sized: pd.DataFrame, most_deviations: float) -> list[dict[str, Any]]:
    """The orders whose amount is far from their department's, as records."""
    records: list[dict[str, Any]] = []
    for department, part in sized.groupby("department", observed=True):
        spread = part["euros"].std()
        far = (part["euros"] - part["euros"].mean()).abs() > most_deviations * spread
        for row in part[far].itertuples():
            record: dict[str, Any] = {"order": row.order, "department": department}
            record["euros"] = row.euros
            records.append(record)
    records.sort(key=lambda record: str(record["order"]))
    return records


@step
def workbook(monthly: pd.DataFrame, scores: pd.Series, title: str, workdir: Path) -> Path:
    """The report as a workbook with a sheet each, and its figures beside it."""
    folder = workdir / "report"
    folder.mkdir(parents=True)
    with pd.ExcelWriter(folder / f"{title}.xlsx") as book:
        monthly.to_excel(book, sheet_name="months", index=False)
        scores.to_frame().to_excel(book, sheet_name="customers")
    facts = {"title": title, "months": len(monthly), "best": str(scores.idxmax())}
    (folder / "facts.json").write_text(json.dumps(facts, indent=2), encoding="utf-8")
    return folder


@step
def announced(workbook: Path, anomalies: list[dict[str, Any]]) -> None:
    """A sink: says in the log where the report is and how much looks odd."""
    logger.warning("%s: %d orders look odd", workbook, len(anomalies))
    print(f"{len(anomalies)} orders look odd")


def amount_in_euros(text: str | None) -> float:
    """A number as people write it: "1.234,50 EUR" is 1234.5."""
    if not isinstance(text, str) or not text.strip():
        return float("nan")
    digits = _MONEY.sub("", text)
    if "," in digits:
        digits = digits.replace(".", "").replace(",", ".")
    return float(digits)
