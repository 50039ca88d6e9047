"""What happens when modules are imported, and what a name in one of them stands for.

Most statements of a module only bind a name. The others are its *effects*: they may change
whatever they reach, so they count for everybody that imports the module, in their order.
"""

from __future__ import annotations

import builtins
import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import xxhash

from ..base.location import FOLDER_NAME
from .definitions import Definitions, Kind, Statement
from .harmless import is_method_of_data
from .harmless_names import Condition, Must, is_built_in, is_mark, is_of_library
from .references import Reference

_BUILT_IN = frozenset(dir(builtins))


@dataclass(frozen=True)
class Spot:
    """A statement of a module, and what is asked of the value that it binds."""

    module: str
    number: int
    rest: tuple[str, ...] = ()


class Imports:
    """The modules that a segment may import, and what they do when they are imported.

    It keeps what it has worked out, so it must not be used after a source was edited.

    Args:
        modules: by name, all that any of them may import included.
    """

    def __init__(self, modules: Mapping[str, Definitions]) -> None:
        self.modules = modules
        self._packages = {part for name in modules for part in with_parents(name)}
        self._bindings: dict[tuple[str, str], tuple[list[Spot], list[str]]] = {}
        self._stars_of: dict[str, list[str]] = {}
        self._met: dict[tuple[str, int, frozenset[Condition]], bool] = {}
        self._held: dict[tuple[str, Condition], bool] = {}
        self._acts_of: dict[str, list[tuple[int, str]]] = {}

    def knows(self, name: str) -> bool:
        """Whether a name is one of the modules, or a namespace package that holds one."""
        return name in self._packages

    def inside(self, name: str) -> list[str]:
        """The modules in a package, at any depth."""
        return [other for other in self.modules if other.startswith(f"{name}.")]

    def statement(self, spot: Spot) -> Statement:
        return self.modules[spot.module].statements[spot.number]

    # Names

    def bindings(self, module: str, name: str) -> tuple[list[Spot], list[str]]:
        """What binds a global of a module: statements, and the modules of each `import *`."""
        key = module, name
        if key not in self._bindings:
            self._bindings[key] = self._bound(module, name)
        return self._bindings[key]

    def _bound(self, module: str, name: str) -> tuple[list[Spot], list[str]]:
        definitions = self.modules[module]
        spots = [Spot(module, number) for number in definitions.bound.get(name, ())]
        targets = {self._target(spot, name) for spot in spots}
        if len(targets) == 1 and targets != {None}:  # several imports of the same
            spots = spots[:1]
        return spots, [star for star in self._stars(module) if self._exports(star, name, ())]

    def is_ambiguous(self, module: str, name: str) -> bool:
        """Whether the order of a module's statements decides what a name stands for."""
        spots, stars = self.bindings(module, name)
        return len(spots) + len(stars) > 1 or (len(spots) == 1 and name in _BUILT_IN)

    def defines(self, module: str, name: str) -> bool:
        spots, stars = self.bindings(module, name)
        return bool(spots or stars) or name in self.modules[module].declared

    def _target(self, spot: Spot, name: str) -> Reference | None:
        return self.statement(spot).targets.get(name)

    def _stars(self, module: str) -> list[str]:
        if module not in self._stars_of:
            self._stars_of[module] = [
                statement.modules[0]
                for statement in self.modules[module].statements
                if statement.kind is Kind.STAR and self.knows(statement.modules[0])
            ]
        return self._stars_of[module]

    def _exports(self, module: str, name: str, seen: tuple[str, ...]) -> bool:
        """Whether `from module import *` binds a name; in doubt it does."""
        if module in seen:
            return False
        definitions = self.modules.get(module)
        if definitions is None:
            return self.knows(f"{module}.{name}")
        if definitions.lists:
            return definitions.listed is None or name in definitions.listed
        if name.startswith("_"):
            return False
        is_bound = name in definitions.bound or name in definitions.declared
        stars = self._stars(module)
        return (
            is_bound
            or self.knows(f"{module}.{name}")
            or any(s.uses.is_whole or s.uses.is_open for s in definitions.statements)
            or any(self._exports(star, name, (*seen, module)) for star in stars)
        )

    # Effects

    def is_harmless(self, module: str, number: int) -> bool:
        """Whether a statement only binds its names."""
        statement = self.modules[module].statements[number]
        is_met = self._are_met(module, number, statement.conditions)
        return is_met and not (len(statement.bases) > 1 and self._makes_members(module, statement))

    def _makes_members(self, module: str, statement: Statement) -> bool:
        """Whether a class may be an enum one of whose other bases notes its members."""
        may_be_enum = not all(self._holds(module, Must.BE_NO_ENUM, b) for b in statement.bases)
        return may_be_enum and any(self._has_hooks(module, b, ()) for b in statement.bases)

    def _has_hooks(self, module: str, names: tuple[str, ...], seen: tuple[Spot, ...]) -> bool:
        """Whether a base, or one of its own, does something where an enum makes its members."""
        match self.meaning(module, names):
            case Spot() as spot if spot not in seen and not spot.rest:
                statement = self.statement(spot)
                return statement.has_member_hooks or any(
                    self._has_hooks(spot.module, base, (*seen, spot)) for base in statement.bases
                )
            case Reference(of, _) if of is not None:
                return self.knows(of)
            case None:
                return False
        return True

    def _is_data(self, module: str, number: int) -> bool:
        needed = self.modules[module].statements[number].data
        return self.is_harmless(module, number) and self._are_met(module, number, needed)

    def _are_met(self, module: str, number: int, needed: frozenset[Condition] | None) -> bool:
        if not needed:
            return needed is not None
        key = module, number, needed
        if key not in self._met:
            self._met[key] = False  # while it is asked for: what needs itself is in doubt
            for condition in needed:  # many statements of a module have the same
                if (module, condition) not in self._held:
                    self._held[module, condition] = self._holds(module, *condition)
                if not self._held[module, condition]:
                    break
            else:
                self._met[key] = True
        return self._met[key]

    def _holds(self, module: str, must: Must, names: tuple[str, ...]) -> bool:
        match self.meaning(module, names):
            case None:
                return is_built_in(names, must)
            case Reference(of, rest) if of is not None:
                if self.knows(of):
                    return must is Must.BE_OWNED and not rest
                if FOLDER_NAME in of.split("."):
                    is_loaded = must in (Must.BE_DATA, Must.BE_OWNED, Must.BE_INDEXED)
                    return is_mark(rest, must) or is_loaded
                return is_of_library(of, rest, must)
            case Spot() as spot:
                return self._is(spot, must)
        return False

    def _is(self, spot: Spot, must: Must) -> bool:
        statement, module, number = self.statement(spot), spot.module, spot.number
        match statement.kind, must:
            case Kind.FUNCTION, Must.ONLY_WRAP | Must.ONLY_WRAP_WHEN_CALLED:
                calls, depends_on = statement.wraps
                is_enough = calls >= (1 if must is Must.ONLY_WRAP else 2) and not spot.rest
                is_so = is_enough and self._are_met(module, number, depends_on)
                return is_so and self.is_harmless(module, number)
            case Kind.FUNCTION | Kind.CLASS, Must.BE_OWNED:
                return True
            case Kind.CLASS, Must.BE_DATA:
                return True
            case Kind.CLASS, Must.BE_A_BASE | Must.BE_INDEXED:
                is_plain = statement.is_plain_base and not spot.rest
                return is_plain and self.is_harmless(module, number)
            case Kind.CLASS, Must.BE_NO_ENUM:
                bases = frozenset(Condition(must, base) for base in statement.bases)
                return statement.conditions is not None and self._are_met(module, number, bases)
            case Kind.CONSTANT, Must.BE_DATA | Must.BE_OWNED | Must.BE_INDEXED:
                return self._is_data(module, number)
            case Kind.CONSTANT, Must.ONLY_MAKE:
                return is_method_of_data(spot.rest) and self._is_data(module, number)
        return False

    def meaning(self, module: str, names: tuple[str, ...]) -> Spot | Reference | None:
        """What a dotted name in a module stands for.

        A statement that binds it; a module, or something of a library, as a Reference; None for a
        name that no module binds. In doubt a Reference to nothing: `Reference(None, ())`.
        """
        return self._meaning(Reference(module, names), is_global=True, seen=frozenset())

    def _meaning(
        self, reference: Reference, *, is_global: bool, seen: frozenset[Reference]
    ) -> Spot | Reference | None:
        doubt, (module, names) = Reference(None, ()), reference
        if module is None or reference in seen:
            return doubt
        seen |= {reference}
        if module not in self.modules or not names:
            inner = f"{module}.{names[0]}" if names else ""
            if names and self.knows(module) and self.knows(inner):
                return self._meaning(Reference(inner, names[1:]), is_global=False, seen=seen)
            return reference
        first, *rest = names
        spots, stars = self.bindings(module, first)
        has_inner = self.knows(f"{module}.{first}") and not is_global
        if first in self.modules[module].declared or self.is_ambiguous(module, first):
            return doubt
        if not spots and not stars:
            if is_global:
                return None
            if not has_inner:
                return doubt
            inner = f"{module}.{first}"
            return self._meaning(Reference(inner, tuple(rest)), is_global=False, seen=seen)
        if stars:
            return self._meaning(Reference(stars[0], names), is_global=False, seen=seen)
        target = self._target(spots[0], first)
        if has_inner and target == Reference(module, (first,)):  # `from . import inner`
            target = Reference(f"{module}.{first}", ())
        if target is None:
            return Spot(module, spots[0].number, tuple(rest))
        aimed = Reference(target.module, (*target.names, *rest))
        return self._meaning(aimed, is_global=False, seen=seen)

    # Importing

    def imported(self, statement: Statement) -> list[str]:
        """The modules of ours that a statement imports when it is executed, packages first."""
        if not statement.modules:
            return []
        parts = (part for name in statement.modules for part in with_parents(name))
        return [part for part in dict.fromkeys(parts) if part in self.modules]

    def has_effects(self, module: str) -> bool:
        """Whether the import of a module may do more than bind names of the modules it imports."""
        return module in self._with_effects

    @functools.cached_property
    def _with_effects(self) -> set[str]:
        importers: dict[str, set[str]] = {}
        waiting = []
        for name, definitions in self.modules.items():
            for number, statement in enumerate(definitions.statements):
                if not self.is_harmless(name, number):
                    waiting.append(name)
                for other in self.imported(statement):
                    importers.setdefault(other, set()).add(name)
            if definitions.is_opaque:
                waiting.append(name)
            for parent in list(with_parents(name))[:-1]:
                importers.setdefault(parent, set()).add(name)
        reached: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting += importers.get(name, ())
        return reached

    def order(self, module: str) -> str:
        """A digest of what the import of a module does besides binding names, in its order."""
        return _digest(text for _, text in self._acts(module))

    def position(self, spot: Spot) -> str:
        """A digest of how much of that is done before a statement."""
        return _digest(text for number, text in self._acts(spot.module) if number < spot.number)

    def _acts(self, module: str) -> list[tuple[int, str]]:
        """What the statements of a module do besides binding names, with their numbers."""
        if module not in self._acts_of:
            statements = self.modules[module].statements
            self._acts_of[module] = [
                (number, act)
                for number, statement in enumerate(statements)
                for act in self._act(module, number, statement)
            ]
        return self._acts_of[module]

    def _act(self, module: str, number: int, statement: Statement) -> Iterator[str]:
        if statement.kind is Kind.STAR:
            yield f"* {statement.modules[0]}"
        if not self.is_harmless(module, number):
            yield statement.digest
        yield from (n for n in self.imported(statement) if self.has_effects(n))


def with_parents(name: str) -> Iterator[str]:
    """The name and its packages: importing a.b.c runs a and a.b as well."""
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def _digest(parts: Iterable[str]) -> str:
    return xxhash.xxh3_128_hexdigest("\n".join(parts).encode())
