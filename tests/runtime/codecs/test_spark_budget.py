"""The budget of a part in Spark's terms: all shares together are within it, and Spark starts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.base.settings import Spark
from flight_delays.checkpointing.codecs.engines.spark_budget import (
    LEAST_HEAP,
    MIB,
    clustered,
    embedded,
    enough,
    least_embedded,
)
from flight_delays.checkpointing.codecs.room import NoRoom, Room
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ByteSize

GB = 10**9


def mebibytes(text: str) -> int:
    """The bytes of a size as Spark reads it."""
    match = re.fullmatch(r"(\d+)m", text)
    assert match is not None, text
    return int(match[1]) * MIB


@given(
    granted=st.integers(GB, 10_000 * GB),
    memory=st.integers(GB // 2, 64 * GB),
    executors=st.integers(1, 50),
    cores=st.integers(1, 16),
    python=st.sampled_from([0, GB // 4, GB]),
)
def test_driver_and_executors_together_stay_within_the_budget_and_can_start(
    granted: int, memory: int, executors: int, cores: int, python: int
) -> None:
    settings = Spark(executors=executors, cores=cores, python_memory=ByteSize(python))
    try:
        sizes = clustered(granted, memory, settings)
    except (NoRoom, ConfigurationError):
        return

    conf = sizes.conf()
    driver = mebibytes(conf["spark.driver.memory"]) + mebibytes(conf["spark.driver.memoryOverhead"])
    heap = mebibytes(conf["spark.executor.memory"])
    overhead = mebibytes(conf["spark.executor.memoryOverhead"])
    assert driver + executors * (heap + overhead + python * cores) <= granted
    assert driver <= memory
    assert heap >= LEAST_HEAP
    assert mebibytes(conf["spark.driver.memory"]) >= LEAST_HEAP
    assert overhead >= 384 * MIB - MIB
    assert overhead >= 0.1 * heap - MIB
    assert (conf["spark.cores.max"], conf["spark.executor.cores"]) == (
        str(executors * cores),
        str(cores),
    )


def test_the_shares_follow_the_formula() -> None:
    sizes = clustered(100 * GB, 16 * GB, Spark(executors=4, cores=2, python_memory=ByteSize(GB)))

    assert sizes.driver == 4096 * MIB
    assert sizes.driver_overhead == int(409.6 * MIB)
    container = (100 * GB - sizes.driver - sizes.driver_overhead) // 4
    assert sizes.container == container
    assert sizes.python == 2 * GB
    assert sizes.heap == int((container - 2 * GB) / 1.1) // MIB * MIB
    assert sizes.total <= 100 * GB


def test_the_driver_is_smaller_where_this_machine_has_less() -> None:
    sizes = clustered(100 * GB, 2 * GB, Spark())

    assert sizes.driver + sizes.driver_overhead <= 2 * GB
    assert sizes.driver > 1400 * MIB


def test_a_machine_too_small_for_a_driver_is_told_with_figures() -> None:
    with pytest.raises(NoRoom, match=r"needs 940 MB of this machine .* the budget leaves 500 MB"):
        clustered(100 * GB, GB // 2, Spark())


def test_too_many_executors_for_the_budget_are_refused_with_the_way_out() -> None:
    with pytest.raises(ConfigurationError, match=r"Lower `executors` of \[spark\]"):
        clustered(4 * GB, 4 * GB, Spark(executors=8))
    with pytest.raises(ConfigurationError, match="Lower `executors` or `python_memory`"):
        clustered(4 * GB, 4 * GB, Spark(executors=1, python_memory=ByteSize(GB)))
    with pytest.raises(NoRoom, match="an executor of Spark with 537 MB of heap"):
        clustered(2 * GB, 2 * GB, Spark(executors=1))


@given(memory=st.integers(0, 100 * GB), cores=st.integers(1, 64), python=st.sampled_from([0, GB]))
def test_an_embedded_jvm_and_what_it_holds_besides_fit_into_the_room(
    memory: int, cores: int, python: int
) -> None:
    settings = Spark(python_memory=ByteSize(python))
    if memory < LEAST_HEAP * 1.1 + 520 * MIB + python * cores:
        with pytest.raises(NoRoom, match="the budget leaves"):
            embedded(memory, cores, settings)
        return

    sizes = embedded(memory, cores, settings)
    conf = sizes.conf(cores)
    assert mebibytes(conf["spark.driver.memory"]) + MIB >= LEAST_HEAP
    assert sizes.heap + 520 * MIB + python * cores <= memory
    assert ("spark.executor.pyspark.memory" in conf) == bool(python)


def test_a_step_that_gets_less_than_before_has_still_what_spark_starts_with() -> None:
    least = least_embedded(2, Spark())

    def given_of(memory: int, most: int) -> int:
        return enough(Room(memory, Path("spill"), GB, 2, most=most), least)

    assert given_of(8 * GB, 8 * GB) == 8 * GB
    assert given_of(GB // 4, 2 * GB) == least
    assert given_of(GB // 4, GB) == GB
    assert embedded(least, 2, Spark()).heap >= LEAST_HEAP
    with pytest.raises(NoRoom):
        embedded(least - MIB, 2, Spark())
