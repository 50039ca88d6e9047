"""The key of a step: everything that its own value depends on, so that other steps may be edited.

A step's key covers the code that the step can reach, the params and inputs that it takes, how it is
called and stored, the contents of the values of earlier segments, and the keys of the steps of its
own segment that it reads. Its place among the steps is no part of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import xxhash

from ..graph.steps import Segment, Step
from .bound import Bound, arguments, data_digests
from .key import FORMAT_VERSION, Code


def step_code(code: Code, step: Step) -> Mapping[str, str]:
    """The digests of all code that a step can reach; those of its segment's modules if unknown."""
    return code.steps.get(step.name, code.modules)


def wirings(segment: Segment) -> dict[str, str]:
    """For each step, a digest of how it is called and how its value is stored."""
    return {
        step.name: _digest(
            step.module,
            step.codec,
            repr((step.shape, step.is_optional)),
            [
                (p.name, p.type_name, p.codec, p.columns, p.taken, repr((p.shape, p.is_optional)))
                for p in step.parameters
            ],
        )
        for step in segment.steps
    }


def own_keys(bound: Bound, segment: Segment, *, of_items: bool = False) -> dict[str, str]:
    """For each step, a digest of what its value depends on besides other values.

    Its random numbers are seeded with that: they do not change when another step is edited. With
    `of_items`, of a step that runs for each item, what all items have in common.
    """
    code, wiring = bound.code[segment.name], wirings(segment)
    data = data_digests(bound, code)
    received = arguments(bound, segment)
    keys = {}
    for step in segment.steps:
        names = [p.name for p in step.parameters if (step.name, p.name) in received]
        names = [name for name in names if not (of_items and name == step.each)]
        inputs = {n: bound.inputs[n].digest for n in names if n in bound.inputs}
        params = {n: repr(received[step.name, n]) for n in names if n not in inputs}
        modules = dict(step_code(code, step))
        keys[step.name] = _digest(
            modules, data, code.libraries, params, inputs, wiring[step.name], FORMAT_VERSION
        )
    return keys


def step_keys(
    bound: Bound, segment: Segment, values: Mapping[str, str], contents: Mapping[str, str]
) -> dict[str, str]:
    """The keys of the steps of a segment, of those that are known yet.

    The key of a step that runs each time, and that others of the segment read, contains what it
    made. Until it has run, its key and those of its readers are not known.

    Args:
        values: the identities of the values of earlier segments.
        contents: the identities of what steps that run each time have made in this run.
    """
    graph, own = bound.graph, own_keys(bound, segment)
    awaited = awaited_steps(bound, segment)
    keys: dict[str, str] = {}
    for step in segment.steps:
        known = {
            p.taken: keys.get(p.source) if p.source in own else _identity(p.taken, values)
            for p in graph.values_of(step)
        }
        if None in known.values():
            continue
        key = _digest(own[step.name], known)
        if step.name not in awaited:
            keys[step.name] = key
        elif step.name in contents:
            keys[step.name] = _digest(key, contents[step.name])
    return keys


def item_base(
    bound: Bound, segment: Segment, step: Step, values: Mapping[str, str], keys: Mapping[str, str]
) -> str | None:
    """What the keys of a step's items have in common; None if that is not known yet.

    Args:
        values: the identities of the values of earlier segments.
        keys: of the steps of the segment.
    """
    own = own_keys(bound, segment, of_items=True)
    known = {
        p.taken: keys.get(p.source) if p.source in own else _identity(p.taken, values)
        for p in bound.graph.values_of(step)
        if p.name != step.each
    }
    return None if None in known.values() else _digest(own[step.name], known)


def item_key(base: str, content: str) -> str:
    """The key of one item: what all have in common, and what the item contains."""
    return _digest(base, content)


def awaited_steps(bound: Bound, segment: Segment) -> frozenset[str]:
    """The steps that run each time and that others of their segment read.

    Only when one of these has run, it is known whether its readers have to run.
    """
    graph = bound.graph
    read = {p.source for step in segment.steps for p in graph.values_of(step)}
    return frozenset(step.name for step in segment.steps if step.always and step.name in read)


def _identity(taken: str, values: Mapping[str, str]) -> str | None:
    """What is known of a value or an item of an earlier segment; of a whole, of all its items."""
    named = {n: text for n, text in values.items() if n == taken or n.startswith(f"{taken}.")}
    return _digest(named) if named else None


def _digest(*content: Any) -> str:
    return xxhash.xxh3_128_hexdigest(json.dumps(content, sort_keys=True).encode())
