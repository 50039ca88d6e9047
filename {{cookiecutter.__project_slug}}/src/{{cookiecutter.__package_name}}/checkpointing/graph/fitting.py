"""Whether what an earlier step makes fits the parameter that takes it: its type, or one item."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..base.errors import nearest
from ..base.settings import Settings
from ..codecs import codec_named, fit
from ..codecs.several import ItemType, Shape
from .places import is_url
from .signatures import admits_none
from .steps import Parameter, Step

_TABLES_ONLY = "Columns applies to tables only."


def problems_of_item(
    where: str, parameter: Parameter, earlier: dict[str, Step], settings: Settings
) -> Iterator[str]:
    """Problems of a parameter that takes an item of a value, by `Item` or by its mere name."""
    producer = earlier.get(parameter.source)
    wiring = settings.wiring
    named = (("[inputs]", wiring.inputs), ("[params]", wiring.params), ("[env]", wiring.env))
    table = next((table for table, names in named if parameter.name in names), None)
    if table is not None and parameter.name == parameter.key:
        yield (
            f"{where} is an item of `{parameter.source}` and one of {table}. Give one of both "
            f'another name, or write `Annotated[..., Item("{parameter.source}", '
            f'"{parameter.key}")]` for a parameter of another name.'
        )
    if producer is None:
        yield (
            f"{where}: no earlier step is named `{parameter.source}`"
            f"{nearest(parameter.source, list(earlier))}"
        )
    else:
        yield from problems_of_loading(where, parameter, producer)


def problems_of_each(
    where: str, parameter: Parameter, earlier: dict[str, Step], settings: Settings
) -> Iterator[str]:
    """Problems of the parameter for whose every item a step runs: where its items come from."""
    name, wiring = parameter.name, settings.wiring
    producer = earlier.get(name)
    if parameter.key is not None:
        yield f"{where}: a step runs for each item of a whole, not of one of its items."
    elif producer is not None and producer.shape is not None:
        if producer.shape.kind not in ("list", "dict", "each"):
            yield f"{where}: `{name}` has fields, not items of one type. Return a list or a dict."
        else:
            item = f"an item of `{name}` is"
            yield from _problems_of_type(where, parameter, producer.shape.types[0], item)
    elif producer is not None:
        kinds = {kind[0] for kind in producer.kinds}
        if kinds != {"list"}:
            yield f"{where}: `{name}` makes no list or dict, so it has no items."
        elif parameter.columns is not None:
            yield f"{where}: {_TABLES_ONLY}"
    elif name in wiring.inputs:
        is_file = parameter.annotation is Path or parameter.in_batches
        if is_url(wiring.inputs[name]) or not is_file:
            yield f"{where}: the items are the files of a folder or glob; annotate it `Path`."
    elif name in wiring.params:
        if not isinstance(wiring.params[name], list):
            yield f"{where} is one of [params], but no list, so it has no items."
        elif parameter.annotation is None or parameter.annotation is Path:
            yield f"{where}: annotate it as what an item of the list is, such as `str`."
    else:
        known = [*earlier, *wiring.inputs, *wiring.params]
        yield (
            f"{where}: no earlier step, and no entry of [inputs] or [params] in pipeline.toml, has "
            f"that name{nearest(name, known)}"
        )


def problems_of_loading(where: str, parameter: Parameter, producer: Step) -> Iterator[str]:
    """Problems of a parameter that takes the value of a step, or an item of it."""
    if parameter.refused:
        yield f"{where}: {parameter.refused}"
    elif producer.refused:
        return  # its own line says so
    elif producer.codec is None:
        yield f"{where}: `{producer.name}` returns None, there is no value to receive."
    elif parameter.key is not None:
        if producer.shape is None:
            yield f"{where}: `{producer.name}` makes one value, which has no items."
        elif (kind := producer.shape.type_of(parameter.key)) is None:
            known = list(producer.shape.keys)
            yield (
                f"{where}: `{producer.name}` has no item `{parameter.key}`"
                f"{nearest(parameter.key, known) or '; it has ' + ', '.join(known)}"
            )
        else:
            item = f"`{producer.name}` holds as `{parameter.key}`"
            yield from _problems_of_type(where, parameter, kind, item)
    elif producer.shape is not None:
        yield from _problems_of_whole(where, parameter, producer.name, producer.shape)
    else:
        name = codec_named(producer.codec).type_name
        kind = ItemType(producer.codec, name, producer.is_optional, producer.kinds)
        yield from _problems_of_type(where, parameter, kind, f"`{producer.name}` makes")


def _problems_of_type(where: str, parameter: Parameter, made: ItemType, what: str) -> Iterator[str]:
    """Problems of loading one value or item for a parameter; `what` begins a sentence about it."""
    taken = ItemType(parameter.codec or "", parameter.type_name, False, parameter.kinds)
    if parameter.codec is None or not _can_load(taken, made):
        yield (
            f"{where}: {what} {_with_article(made)}, which cannot be loaded as "
            f"{parameter.type_name}. Annotate it as that type."
        )
    elif made.is_optional and not (parameter.is_optional or admits_none(parameter.annotation)):
        yield (
            f"{where}: {what} {_with_article(made)} or None. Annotate it `... | None`, and say "
            f"what the step does then."
        )
    elif parameter.columns is not None and codec_named(made.codec).family != "table":
        yield f"{where}: {_TABLES_ONLY}"


def _problems_of_whole(
    where: str, parameter: Parameter, producer: str, made: Shape
) -> Iterator[str]:
    """Problems of a parameter that takes the whole of a value that is made of several."""
    wanted = parameter.shape
    if wanted is not None and _is_alike(wanted, made):
        if parameter.columns is not None:
            yield (
                f"{where}: Columns chooses of one table, and `{producer}` makes a "
                f"{made.type_name}. Take one item, "
                f'`Annotated[..., Item("{producer}", ...), Columns(...)]`, or drop Columns.'
            )
        return
    items = f" of {', '.join(made.keys)}" if made.kind == "fields" else ""
    single = ""
    if made.kind == "fields":
        single = f", or take one of its items by its name, such as `{made.keys[0]}`"
    elif wanted is None:
        single = f', or take one item: `Annotated[..., Item("{producer}", ...)]`'
    yield (
        f"{where}: `{producer}` makes a {made.type_name}{items}, which cannot be loaded as "
        f"{parameter.type_name}. Annotate it as that type{single}."
    )


def _is_alike(wanted: Shape, made: Shape) -> bool:
    """Whether a value of one shape can be loaded as another: the same kind, keys and families."""
    kinds = ("list", "dict") if made.kind == "each" else (made.kind,)
    if wanted.kind not in kinds or wanted.keys != made.keys:
        return False
    return all(
        _can_load(left, right) and (left.is_optional or not right.is_optional)
        for left, right in zip(wanted.types, made.types, strict=True)
    )


def _can_load(taken: ItemType, made: ItemType) -> bool:
    """Whether a value that was made as one type can be loaded as another."""
    loaded, stored = codec_named(taken.codec), codec_named(made.codec)
    is_index = {codec.name == "Index" for codec in (stored, loaded)}
    if stored.family != loaded.family or len(is_index) > 1:
        return False
    # Codecs of one family that are not the same may be the project's own: these read each other.
    return stored.name != loaded.name or fit(made.kinds, taken.kinds)


def _with_article(made: ItemType) -> str:
    """A type for a sentence: `a pandas.DataFrame`, or of plain values `a str or a number`."""
    names = [kind[0] for kind in made.kinds] or [made.type_name]
    return " or ".join(name if name.startswith("a ") else f"a {name}" for name in names)
