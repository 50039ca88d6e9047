"""The budget of a run is the smallest limit that applies, and says where it came from."""

from __future__ import annotations

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.base.settings import MemoryBudget, parse_size
from flight_delays.checkpointing.base.units import size
from flight_delays.checkpointing.memory.budget import effective_budget
from flight_delays.checkpointing.memory.limits import Limit

QUOTA = MemoryBudget.model_validate({"cluster": {"ram": "100 GB", "quota": "7 %"}})
MACHINE = [Limit(64 * 10**9, "this machine's RAM"), Limit(32 * 10**9, "the container's limit")]


@pytest.fixture(autouse=True)
def _no_budget_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEMORY_BUDGET", raising=False)


def test_the_quota_is_the_share_of_the_cluster() -> None:
    budget = effective_budget(QUOTA, MACHINE)

    assert budget.bytes == 7 * 10**9
    assert budget.source == "7 % of 100 GB, memory_budget.toml"


@pytest.mark.parametrize(
    ("ram", "quota", "expected"),
    [
        ("5000 GB", "5 %", 250 * 10**9),
        ("5000 GB", "2 %", 100 * 10**9),
        ("5000 GB", 0.02, 100 * 10**9),
        ("100 GB", "29 %", 29 * 10**9),
        ("0.5 TiB", "2.5 %", 2**39 // 40),
    ],
)
def test_the_quota_is_right_to_the_byte(ram: str, quota: str | float, expected: int) -> None:
    settings = MemoryBudget.model_validate({"cluster": {"ram": ram, "quota": quota}})

    assert effective_budget(settings, []).bytes == expected


def test_a_smaller_machine_binds_and_says_so() -> None:
    budget = effective_budget(QUOTA, [*MACHINE, Limit(10**9, "this machine's RAM")])

    assert (budget.bytes, budget.source) == (10**9, "this machine's RAM")


def test_what_is_asked_binds_where_it_is_smaller() -> None:
    budget = effective_budget(QUOTA, MACHINE, "2GB")

    assert (budget.bytes, budget.source) == (2 * 10**9, "--budget")


def test_what_is_asked_cannot_raise_the_quota() -> None:
    budget = effective_budget(QUOTA, MACHINE, "8GB")

    assert (budget.bytes, budget.source) == (7 * 10**9, "7 % of 100 GB, memory_budget.toml")


def test_the_environment_asks_as_the_option_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMORY_BUDGET", "2GB")
    budget = effective_budget(QUOTA, MACHINE)

    assert (budget.bytes, budget.source) == (2 * 10**9, "MEMORY_BUDGET")


def test_the_option_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMORY_BUDGET", "2GB")
    budget = effective_budget(QUOTA, MACHINE, "3GB")

    assert (budget.bytes, budget.source) == (3 * 10**9, "--budget")
    assert "MEMORY_BUDGET" not in [limit.source for limit in budget.limits]


def test_all_limits_are_kept_with_the_smallest_first() -> None:
    budget = effective_budget(QUOTA, MACHINE, 5)

    assert [limit.bytes for limit in budget.limits] == [5, 7 * 10**9, 32 * 10**9, 64 * 10**9]


def test_the_way_memory_is_counted_is_handed_on() -> None:
    by_pages = MemoryBudget.model_validate(
        {"cluster": {"ram": "100 GB", "quota": "7 %"}, "budget": {"count": "rss"}}
    )

    assert effective_budget(QUOTA, MACHINE).count == "held"
    assert effective_budget(by_pages, MACHINE).count == "rss"


@pytest.mark.parametrize("text", ["", "much", "0", 0, -1, "-2GB", "1,5GB", "2GB or so"])
def test_what_is_no_size_above_zero_is_refused_with_its_place(text: str | int) -> None:
    with pytest.raises(ConfigurationError, match=r"--budget: .* is not a size; write it like 2GB"):
        parse_size(text, "--budget")


def test_a_wrong_size_in_the_environment_names_the_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MEMORY_BUDGET", "plenty")

    with pytest.raises(ConfigurationError, match="MEMORY_BUDGET: 'plenty' is not a size"):
        effective_budget(QUOTA, MACHINE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1", 1), (1, 1), ("2gb", 2 * 10**9), ("512 MiB", 2**29), ("1.5kB", 1500)],
)
def test_a_size_may_be_written_in_many_ways(text: str | int, expected: int) -> None:
    assert parse_size(text, "--budget") == expected


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (-999, "-999 B"),
        (1000, "1 kB"),
        (-1500, "-1.5 kB"),
        (1_234_567, "1.23 MB"),
        (99_900_000, "99.9 MB"),
        (100_400_000, "100 MB"),
        (999_400_000, "999 MB"),
        (999_500_000, "1 GB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_a_size_for_people_has_three_figures(count: int, text: str) -> None:
    assert size(count) == text
