"""Signals of machines, as arrays."""

from pathlib import Path

import numpy as np
import pandas as pd
from flight_delays.checkpointing import step
from numpy.typing import NDArray

Signal = NDArray[np.float64]

MISSING = -999.0


@step
def recorded(signal_file: Path) -> Signal:
    """One row a second, one column a sensor; a gap is not a number."""
    table: Signal = np.loadtxt(signal_file, delimiter=",", skiprows=1)
    table[table == MISSING] = np.nan
    return table


@step
def filled(recorded: Signal) -> Signal:
    """The signal with gaps filled from the neighbours in time."""
    result = recorded.copy()
    moments = np.arange(len(result))
    for column in range(result.shape[1]):
        known = ~np.isnan(result[:, column])
        result[:, column] = np.interp(moments, moments[known], result[known, column])
    return result


@step
def smooth(filled: Signal, window: int) -> Signal:
    """The moving mean over `window` seconds, by differences of running sums."""
    sums = np.cumsum(filled, axis=0, dtype=float)
    sums[window:] = sums[window:] - sums[:-window]
    result: Signal = sums[window - 1 :] / window
    return result


@step
def spectrum(smooth: Signal) -> Signal:
    """The power of each frequency, without the constant part."""
    centred = smooth - smooth.mean(axis=0)
    power: Signal = np.abs(np.fft.rfft(centred, axis=0)) ** 2
    power /= power.sum(axis=0, keepdims=True)
    return power


@step
def with_noise(smooth: Signal, noise: float, seed: int) -> Signal:
    """The signal as a worse sensor would give it, the same in each run."""
    rng = np.random.default_rng(seed)
    worse: Signal = smooth + rng.normal(scale=noise, size=smooth.shape)
    return worse


@step
def correlations(smooth: Signal, names: list[str]) -> pd.DataFrame:
    """How the sensors move together."""
    matrix = np.atleast_2d(np.corrcoef(smooth, rowvar=False))
    np.fill_diagonal(matrix, np.nan)
    return pd.DataFrame(matrix, index=names, columns=names)


@step
def thresholds(smooth: Signal, names: list[str], share: float) -> dict[str, float]:
    """The value that each sensor exceeds in the given share of the time."""
    limits = np.quantile(smooth, 1 - share, axis=0)
    return {name: float(limit) for name, limit in zip(names, limits, strict=True)}


@step
def alarms(smooth: Signal, thresholds: dict[str, float]) -> list[int]:
    """The seconds in which all sensors are above their thresholds."""
    limits = np.array(list(thresholds.values()))
    above = np.all(smooth > limits, axis=1)
    rises = np.flatnonzero(np.diff(above.astype(np.int8)) == 1) + 1
    seconds: list[int] = rises.tolist()
    return seconds
