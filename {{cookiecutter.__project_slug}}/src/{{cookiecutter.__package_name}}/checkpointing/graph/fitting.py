"""Whether what an earlier step makes fits the parameter that takes it: its type, or one item."""

from __future__ import annotations

from collections.abc import Iterator

from ..base.errors import nearest
from ..base.settings import Settings
from ..codecs import codec_named
from ..codecs.several import ItemType, Shape
from .signatures import admits_none
from .steps import Parameter, Step


def problems_of_item(
    where: str, parameter: Parameter, earlier: dict[str, Step], settings: Settings
) -> Iterator[str]:
    """Problems of a parameter that takes an item of a value, by `Item` or by its mere name."""
    producer = earlier.get(parameter.source)
    named = {"[inputs]": settings.wiring.inputs, "[params]": settings.wiring.params}
    table = next((t for t, names in named.items() if parameter.name in names), None)
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


def problems_of_loading(where: str, parameter: Parameter, producer: Step) -> Iterator[str]:
    """Problems of a parameter that takes the value of a step, or an item of it."""
    if producer.codec is None:
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
        stored = codec_named(producer.codec)
        kind = ItemType(producer.codec, stored.type_name, producer.is_optional)
        yield from _problems_of_type(where, parameter, kind, f"`{producer.name}` makes")


def _problems_of_type(where: str, parameter: Parameter, made: ItemType, what: str) -> Iterator[str]:
    """Problems of loading one value or item for a parameter; `what` begins a sentence about it."""
    family = codec_named(made.codec).family
    if parameter.codec is None or codec_named(parameter.codec).family != family:
        yield (
            f"{where}: {what} a {made.type_name}, which cannot be loaded as "
            f"{parameter.type_name}. Annotate it as that type."
        )
    elif made.is_optional and not (parameter.is_optional or admits_none(parameter.annotation)):
        yield (
            f"{where}: {what} a {made.type_name} or None. Annotate it `... | None`, and say what "
            f"the step does then."
        )
    elif parameter.columns is not None and family != "table":
        yield f"{where}: Columns applies to tables only."


def _problems_of_whole(
    where: str, parameter: Parameter, producer: str, made: Shape
) -> Iterator[str]:
    """Problems of a parameter that takes the whole of a value that is made of several."""
    wanted = parameter.shape
    if wanted is not None and _is_alike(wanted, made):
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
    if (wanted.kind, wanted.keys) != (made.kind, made.keys):
        return False
    return all(
        codec_named(left.codec).family == codec_named(right.codec).family
        and (left.is_optional or not right.is_optional)
        for left, right in zip(wanted.types, made.types, strict=True)
    )
