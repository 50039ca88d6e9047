"""What an error of Spark means: lack of memory, a lost executor, or what it says itself."""

from __future__ import annotations

import pytest
from flight_delays.checkpointing.base.errors import StorageError
from flight_delays.checkpointing.codecs.engines.spark_errors import SparkFailed, meant
from flight_delays.checkpointing.codecs.room import NoRoom

LOST = "ExecutorLostFailure (executor 3 exited caused by one of the running tasks) Reason: "


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("Lost task: java.lang.OutOfMemoryError: Java heap space", NoRoom, "had no memory left"),
        (f"{LOST}Command exited with code 52", NoRoom, "an executor of Spark had no memory left"),
        (f"{LOST}Command exited with code 137", NoRoom, "was killed from outside"),
        (f"{LOST}Remote RPC client disassociated", SparkFailed, "the executor 3 of Spark was lost"),
        ("PythonException: in a Python worker:\nMemoryError", NoRoom, "`python_memory` of [spark]"),
        ("java.io.IOException: No space left on device", StorageError, "Free some room"),
    ],
)
def test_an_error_is_told_as_what_it_is(text: str, kind: type[Exception], said: str) -> None:
    error = meant(RuntimeError(text))

    assert type(error) is kind
    assert said in str(error)
    assert kind is StorageError or meant(error) is error


def test_other_errors_stay_as_they_are() -> None:
    error = ValueError("a column is missing")

    assert meant(error) is error
