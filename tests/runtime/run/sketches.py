"""Random pipelines as source text: frames, arrays, JSON and files, looked at in many ways.

Some steps make or take a table in batches.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

TYPES = {
    "frame": "pd.DataFrame",
    "series": "pd.Series",
    "array": "np.ndarray",
    "json": "dict[str, Any]",
    "path": "Path",
    "stream": "Iterator[pd.DataFrame]",
    "reader": "pa.RecordBatchReader",
}
SIZED = "Annotated[Iterator[pd.DataFrame], Batches(rows={rows})]"
SOURCE = {"stream": "frame", "reader": "frame"}  # what a table is, however a step takes or makes it

# The body of a step: what it makes, from what, and how. `one` and `two` are its parameters.
BODIES: list[tuple[str, tuple[str, ...], str]] = [
    (
        "frame",
        (),
        """
        count = int(np.random.randint(40, 90))
        number = np.random.normal(size=count)
        number[::7] = np.nan
        key = np.arange(count) % 7
        return pd.DataFrame({
            "x": number, "k": key, "b": number > 0,
            "s": pd.Series([None if n == 3 else f"word {n}" for n in key], dtype="str"),
            "c": pd.Categorical([f"kind {n % 3}" for n in key]),
            "i": pd.array([None if n == 5 else n for n in key], dtype="Int64"),
            "t": pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(key, unit="h"),
        })
        """,
    ),
    (
        "stream",
        (),
        """
        for start in range(0, 80, 25):
            key = np.arange(start, min(start + 25, 80)) % 7
            yield pd.DataFrame({
                "x": np.where(key == 2, np.nan, np.random.normal(size=len(key))),
                "k": key, "b": key > 3,
                "s": pd.Series([None if n == 3 else f"word {n}" for n in key], dtype="str"),
                "c": pd.Categorical(
                    [f"kind {n % 3}" for n in key], categories=["kind 0", "kind 1", "kind 2"]
                ),
                "i": pd.array([None if n == 5 else n for n in key], dtype="Int64"),
                "t": pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(key, unit="h"),
            })
        """,
    ),
    ("stream", ("stream",), "yield from one"),
    (
        "stream",
        ("stream",),
        """
        for batch in one:
            yield batch[batch["k"] > 2]
        """,
    ),
    (
        "stream",
        ("stream", "json"),
        """
        for batch in one:
            yield batch.assign(x=batch["x"] * 1.1, i=batch["i"] + len(two))
        """,
    ),
    (
        "stream",
        ("frame",),
        """
        for start in range(0, max(len(one), 1), 11):
            yield one.iloc[start : start + 11]
        """,
    ),
    ("reader", ("reader",), "return one"),
    ("json", ("stream",), "return {'sum': sum(len(batch) for batch in one)}"),
    (
        "json",
        ("reader",),
        "return {'n': sum(batch.num_rows for batch in one), 'columns': one.schema.names}",
    ),
    ("array", (), "return np.random.normal(size=(30, 4))"),
    ("json", (), "return {'n': random.random(), 'list': [1, None, 'x'], 'inner': {'y': 0.1}}"),
    ("frame", ("frame",), "return one.assign(x=one['x'] * 1.1, b=~one['b'])"),
    ("frame", ("frame",), "return one.iloc[3:20]"),
    ("frame", ("frame",), "return one[one['k'] > 2]"),
    ("frame", ("frame",), "return one.head(0)"),
    ("frame", ("frame",), "return one.sample(frac=0.5)"),
    ("frame", ("frame",), "one.loc[one.index[::3], 'x'] = 0.5; return one"),
    ("frame", ("frame",), "one['s'] = one['s'].str.upper(); one['k'] += 1; return one"),
    (
        "frame",
        ("frame",),
        """
        one = one.sort_values("x")
        one = one.reset_index(drop=True)
        return one
        """,
    ),
    ("frame", ("frame", "frame"), "return pd.concat([one, two], ignore_index=True)"),
    ("frame", ("frame", "frame"), "return one.merge(two[['k']].drop_duplicates(), on='k')"),
    ("frame", ("frame", "json"), "return one.assign(x=one['x'] + len(two))"),
    ("series", ("frame",), "return one['x']"),
    ("series", ("frame",), "return one['c'].iloc[2:]"),
    ("series", ("frame",), "return one['s'].str.len()"),
    ("series", ("series",), "return one.iloc[1:]"),
    ("series", ("series",), "return one.isna()"),
    ("frame", ("frame", "series"), "return one.assign(k=len(two))"),
    ("array", ("frame",), "return one['x'].to_numpy()"),
    ("array", ("frame",), "return one[['x', 'k']].to_numpy(dtype='f8')"),
    ("array", ("array",), "return one[1:]"),
    ("array", ("array",), "return np.asfortranarray(one * 1.1)"),
    ("array", ("array",), "return one.T"),
    ("array", ("array",), "return np.random.permutation(one)"),
    (
        "array",
        ("array",),
        """
        try:
            one[...] = 0
        except ValueError:
            one = one.copy()
        return one
        """,
    ),
    ("array", ("array", "frame"), "return one.ravel()[: len(two)]"),
    ("json", ("array",), "return {'sum': float(np.nansum(one)), 'shape': list(one.shape)}"),
    ("json", ("frame",), "return {'sum': float(one['x'].sum()), 'k': one['k'].tolist()}"),
    ("json", ("series",), "return {'n': int(one.notna().sum())}"),
    ("json", ("json",), "one['more'] = [len(one)]; return one"),
    ("json", ("json", "json"), "one.update(two); one['random'] = random.random(); return one"),
    ("json", ("path",), "return {'text': one.read_text()}"),
    (
        "path",
        ("json",),
        """
        page = workdir / "page.txt"
        page.write_text(repr(one))
        return page
        """,
    ),
    (
        "path",
        ("path", "frame"),
        """
        (workdir / "pages").mkdir()
        (workdir / "pages" / "one.txt").write_text(two.to_string())
        (workdir / "pages" / "two.txt").write_bytes(one.read_bytes() if one.is_file() else b"")
        return workdir / "pages"
        """,
    ),
]


IMPORTS = """\
import random
from collections.abc import Iterator
from typing import Any
import pyarrow as pa
from ..checkpointing import Batches
"""


@dataclass(frozen=True)
class Sketch:
    """A random pipeline: each segment's source, and the names of its steps."""

    sources: dict[str, str]
    steps: dict[str, list[str]]


@st.composite
def sketches(draw: st.DrawFn) -> Sketch:
    """Two segments of five to eight steps; what no step reads is an output.

    The first step makes a frame, perhaps in batches, the second another value out of nothing, and
    all others read.
    """
    made: list[tuple[str, str]] = []
    sources, steps = {}, {}
    for segment in ("s01", "s02"):
        steps[segment] = [f"{segment}_{n}" for n in range(draw(st.integers(5, 8)))]
        texts = [IMPORTS]
        for name in steps[segment]:
            known = {kind for kind, _ in made}
            able = [body for body in BODIES if body[1] and {*map(_made_as, body[1])} <= known]
            if len(made) < 2:
                able = [body for body in BODIES if not body[1] and _made_as(body[0]) not in known]
                able = [body for body in able if made or _made_as(body[0]) == "frame"]
            kind, takes, body = draw(st.sampled_from(able))
            values = [
                draw(st.sampled_from([v for k, v in made if k == _made_as(taken)]))
                for taken in takes
            ]
            rows = draw(st.sampled_from([1, 7, 30, 1000])) if "stream" in takes else 0
            texts.append(_step(name, kind, takes, values, body, rows))
            made.append((_made_as(kind), name))
        sources[segment] = "\n".join(texts)
    return Sketch(sources, steps)


def _made_as(kind: str) -> str:
    """The kind of the value, which for a table in batches is that of the whole."""
    return SOURCE.get(kind, kind)


def _step(
    name: str, kind: str, takes: tuple[str, ...], values: list[str], body: str, rows: int
) -> str:
    """The source of a step; a value that it takes twice is one parameter.

    Of a table in batches each has that many rows.
    """
    given = dict(zip(values, takes, strict=True))
    types = TYPES | {"stream": SIZED.format(rows=rows)}
    parameters = [f"{value}: {types[taken]}" for value, taken in given.items()]
    parameters += ["workdir: Path"] if kind == "path" else []
    names = [f"    {local} = {value}" for local, value in zip(("one", "two"), values, strict=False)]
    dropped = [f"    del {', '.join(given)}"] if given else []
    lines = [line[8:] if line.startswith(" " * 8) else line for line in body.splitlines()]
    lines = [f"    {line}" for line in lines if line.strip()]
    head = f"@step\ndef {name}({', '.join(parameters)}) -> {TYPES[kind]}:"
    return "\n".join([head, *names, *dropped, *lines, ""])
