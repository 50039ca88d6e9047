"""Whatever a step tries to change in the values it receives, later steps see the same, cut or not.

Each attack is a step. The step after it notes what it receives; it runs in the same part, or in
another segment.
"""

from __future__ import annotations

import pytest

from ...marks import in_exhaustive, in_slow
from ..conftest import Project

MADE = """
import json

kept = {}

@step
def frame() -> pd.DataFrame:
    kept["frame"] = made = pd.DataFrame({
        "x": [1.5, 2.5, float("nan")], "n": [1, 2, 3], "t": pd.to_datetime(["2013"] * 3),
        "s": ["a", None, "c"], "k": pd.Categorical(["a", None, "b"]),
        "w": pd.array([1, None, 3], "Int64"),
    }, index=pd.Index([10, 20, 30]))
    return made

@step
def array() -> np.ndarray:
    kept["array"] = made = np.arange(6.0).reshape(2, 3)
    return made

@step
def days() -> np.ndarray:
    return np.array(["2013-01-31", "NaT"], "M8[s]")

@step
def table() -> pa.Table:
    numbers = pa.array(np.arange(3.0))
    kept["table"] = made = pa.table({"x": numbers, "s": ["a", "b", None], "l": [[1], [], None]})
    return made

@step
def facts() -> dict[str, list[int]]:
    kept["facts"] = made = {"a": [1, 2]}
    return made
"""
HEAD = "\nimport pyarrow as pa\n"
PARAMETERS = (
    "frame: pd.DataFrame, array: np.ndarray, days: np.ndarray, table: pa.Table, "
    "facts: dict[str, list[int]]"
)
ATTACK = f"""
def attempt(change):
    '''Try to change a value; most ways are refused.'''
    try:
        change()
    except (ValueError, TypeError, BufferError, AttributeError, KeyError):
        pass

def forge(array):
    array.flags.writeable = True
    array[...] = array.dtype.type(0)

def write(buffer):
    np.frombuffer(buffer, "u1")[...] = 0

@step
def attack({PARAMETERS}) -> int:
    for raw in (array, array.view(), array.T, days, array.base, frame["x"].to_numpy(),
                frame["n"].values, frame[["x"]].values, frame.index.values, frame["t"].values,
                frame["x"].array._ndarray, frame["k"].array._ndarray, frame["w"].array._data,
                *(block.values for block in frame[["x", "n"]]._mgr.blocks)):
        attempt(lambda raw=raw: forge(raw))
    for column in (*table.columns, frame["s"].array._pa_array):
        for buffer in column.chunk(0).buffers():
            if buffer is not None:
                attempt(lambda buffer=buffer: write(buffer))
    frame.loc[10, "x"] = 99.0
    frame["n"] = 0
    facts["a"].append(3)
    return 1
"""
ALIASES = f"""
@step
def aliases({PARAMETERS}) -> int:
    from .{{made}} import kept
    def attempt(change):
        try:
            change()
        except (ValueError, KeyError):
            pass
    attempt(lambda: kept["frame"].loc.__setitem__((10, "x"), 99.0))
    attempt(lambda: kept["frame"].__setitem__("n", 0))
    attempt(lambda: kept["array"].fill(0))
    attempt(lambda: kept["array"].reshape(-1).fill(0))
    attempt(lambda: kept["facts"]["a"].append(3))
    return 1
"""
SEEN = f"""
@step
def seen({PARAMETERS}, attack: int, aliases: int) -> list[str]:
    bits = [array.tobytes().hex(), days.tobytes().hex(), frame["x"].to_numpy().tobytes().hex()]
    return [*bits, frame.to_json(), repr(frame.dtypes), repr(table.to_pydict()), repr(facts)]
"""


def what_is_seen(project: Project, cuts: bool) -> str:
    """What the last step notes, with cuts around the attacks or in one part."""
    texts = [MADE, ATTACK, ALIASES.replace("{made}", "s01"), SEEN]
    if cuts:
        sources = {f"s{n:02}": HEAD + text for n, text in enumerate(texts, start=1)}
    else:
        sources = {"s01": HEAD + "\n".join(texts)}
    project.segments(**sources)
    record = project.run("--fresh")
    assert "error" not in record, record["error"]
    noted: str = project.load("seen")
    return noted


@pytest.mark.parametrize("form", [*in_slow("arrow"), *in_exhaustive("parquet")])
def test_no_attack_on_a_value_makes_the_result_depend_on_the_cuts(
    project: Project, form: str
) -> None:
    budget = (project.folder / "memory_budget.toml").read_text()
    project.write("memory_budget.toml", f'{budget}\n[checkpoints]\nformat = "{form}"\n')
    whole = what_is_seen(project, cuts=False)
    assert whole == what_is_seen(project, cuts=True)
    assert "{'a': [1, 2]}" in whole
    assert '"10":1.5' in whole
