"""The code that a step can reach: its function, and all that this uses, from name to name.

As `targets` does for R, names are followed without running anything. Where a name cannot be
followed, its whole module counts, with all that this reaches; where even the module is unknown, all
modules that the segment may import. In doubt it counts more: a needless run is a small cost, a
stale value is none that anybody would notice.
"""

from __future__ import annotations

from collections.abc import Iterable

import xxhash

from .definitions import Kind, Statement
from .imports import Imports, Spot, with_parents
from .references import Reference
from .uses import Uses, Word

MODULE = "<module>"
"""What the import of a module does besides binding names, as Python calls it in a traceback."""

DOCS = "<docstrings>"
"""The docstrings of a module; they count for a step that reads any."""

_KNOWN_ATTRIBUTES = frozenset({"__file__", "__name__", "__doc__", "__path__", "__package__"})

_FIND_CODE = {
    "sys": {"modules", "_getframe", "executable", "meta_path", "path_hooks", "settrace"},
    "importlib": {"import_module", "__import__", "reload", "util", "machinery"},
    "inspect": {"currentframe", "stack", "getmodule", "trace", "getouterframes", "getsource"},
    "gc": {"get_objects", "get_referrers", "get_referents"},
    "pickle": {""},
    "_pickle": {""},
    "cloudpickle": {""},
    "dill": {""},
    "shelve": {""},
    "marshal": {""},
    "jsonpickle": {""},
    "joblib": {"load"},
    "torch": {"load"},
    "skops": {""},
    "yaml": {"load", "load_all", "unsafe_load", "full_load"},
    "pandas": {"read_pickle"},
    "pydoc": {"locate", "resolve", "safeimport"},
    "hydra": {""},
    "pluggy": {""},
    "stevedore": {""},
    "pkg_resources": {""},
    "code": {""},
    "ctypes": {""},
    "__main__": {""},
    "runpy": {""},
}
"""What finds code of the project by names that no source shows. "" is all of a module."""


def reach_of(
    imports: Imports,
    module: str,
    name: str,
    *,
    beside: Iterable[str] = (),
    whole: Iterable[str] = (),
) -> Reached:
    """What the function `name` of a module reaches.

    Args:
        beside: modules that the same process imports too, so that their effects count.
        whole: modules that count as a whole.
    """
    reached = Reached(imports)
    reached.follow(module, name, beside, whole)
    return reached


def changes_of(imports: Imports, module: str, name: str) -> set[str]:
    """The names, as `Reached.digests` calls them, that a call of the function may change.

    What happens when modules are imported is left out: it happens in every process.
    """
    reached = Reached(imports, with_effects=False)
    reached.follow(module, name, (), ())
    return reached.changed()


class Reached:
    """What was reached from one step so far.

    Attributes:
        is_everything: whether it may reach any code that its segment imports. What can be followed
            is followed all the same, because it says what the step may change.
    """

    def __init__(self, imports: Imports, *, with_effects: bool = True) -> None:
        self._imports = imports
        self._with_effects = with_effects
        self._spots: set[tuple[str, int]] = set()
        self._references: set[Reference] = set()
        self._whole: set[str] = set()
        self._imported: set[str] = set()
        self._asked_for: set[str] = set()
        self._waiting: list[tuple[str, Statement]] = []
        self._reads_docs = False
        self.is_everything = False

    def follow(self, module: str, name: str, beside: Iterable[str], whole: Iterable[str]) -> None:
        for other in whole:
            if other in self._imports.modules:
                self._take_whole(other)
        for other in (module, *beside):
            self._import(other)
        self._absolute(Reference(module, (name,)))
        while self._waiting:
            home, statement = self._waiting.pop()
            self._use(home, statement.uses)

    def digests(self) -> dict[str, str]:
        """What was reached: `package.module.name`, or `package.module` for all of it."""
        modules = self._imports.modules
        counted = {name: modules[name].docs for name in modules} if self._reads_docs else {}
        counted = {f"{name}.{DOCS}": digest for name, digest in counted.items()}
        if self.is_everything:
            counted |= {name: modules[name].digest for name in modules}
            return dict(sorted(counted.items()))
        counted |= {name: modules[name].digest for name in self._whole}
        texts: dict[str, str] = {}
        for module, number in sorted(self._spots):
            if module not in self._whole:
                spot = Spot(module, number)
                statement = self._imports.statement(spot)
                text = statement.digest + self._imports.position(spot)
                for bound in statement.bound:
                    name = f"{module}.{bound}"
                    texts[name] = texts.get(name, "") + text
        counted |= {n: xxhash.xxh3_128_hexdigest(text.encode()) for n, text in texts.items()}
        for module in self._imported - self._whole:
            if module in self._asked_for or self._imports.has_effects(module):
                counted[f"{module}.{MODULE}"] = self._imports.order(module)
        return dict(sorted(counted.items()))

    def changed(self) -> set[str]:
        """The names that something reached may change, as `digests` calls them."""
        names = set()
        for module, number in self._spots:
            for reference in self._imports.modules[module].statements[number].uses.changed:
                of, dotted = reference.module or module, reference.names
                match self._imports.meaning(of, dotted):
                    case Spot() as spot:
                        names |= {f"{spot.module}.{n}" for n in self._imports.statement(spot).bound}
                    case Reference(None, ()):
                        names |= {f"{of}.{n}" for n in dotted[:1]} | {of}
        return names

    # Following

    def _use(self, home: str, uses: Uses) -> None:
        self.is_everything |= uses.is_open
        self._reads_docs |= uses.reads_docs
        if uses.is_whole:
            self._take_whole(home)
        located = {r for r in uses.located if not self._is_of_library(home, r)}
        for reference in uses.references | located:
            if reference.module is None:
                self._global(home, reference.names)
            else:
                self._absolute(reference)
        for module, (name, *_) in uses.members:
            if module is not None:
                self._member(module, name)
        for name in uses.modules:
            self._import(name, is_asked_for=True)
        for beginning in uses.beginnings:
            self._import(beginning.rpartition(".")[0], is_asked_for=True)
            for name in [n for n in self._imports.modules if n.startswith(beginning)]:
                self._take_whole(name)
        for word in uses.words:
            self._word(home, word)

    def _is_of_library(self, home: str, reference: Reference) -> bool:
        """Whether a name of a module is certainly not one of ours."""
        if reference.module is not None:
            return not self._imports.knows(reference.module)
        match self._imports.meaning(home, reference.names):
            case None:
                return True
            case Reference(of, _) if of is not None:
                return not self._imports.knows(of)
        return False

    def _global(self, module: str, names: tuple[str, ...]) -> None:
        """Follow a name in a module, which may be a builtin."""
        definitions, (first, *rest) = self._imports.modules[module], names
        for number in definitions.declared.get(first, ()):
            self._take(Spot(module, number))
        spots, stars = self._imports.bindings(module, first)
        if self._imports.is_ambiguous(module, first):
            self._take_whole(module)
        for star in stars:
            self._absolute(Reference(star, names))
        for spot in spots:
            self._take(spot)
            target = self._imports.statement(spot).targets.get(first)
            if target is not None:
                self._absolute(Reference(target.module, (*target.names, *rest)))

    def _absolute(self, reference: Reference) -> None:
        """Follow a name from a module; a module without a name is used as a value."""
        module, names = reference
        if module is None or reference in self._references:
            return
        self._references.add(reference)
        if not self._imports.knows(module):
            self.is_everything |= _finds_code(module, names)
            return
        self._import(module)
        if not names:
            self._take_whole(module)
            return
        first, *rest = names
        inner = f"{module}.{first}"
        has_inner = self._imports.knows(inner)
        if has_inner:
            self._absolute(Reference(inner, tuple(rest)))
        if module not in self._imports.modules:  # a namespace package
            self.is_everything |= not has_inner and _finds_code(module, names)
        elif self._imports.defines(module, first):
            self._global(module, names)
        elif self._may_lack(module, has_inner) and first not in _KNOWN_ATTRIBUTES:
            self._take_whole(module)

    def _member(self, module: str, name: str) -> None:
        """Follow `from module import name`: a module is imported by it, all else is used."""
        inner = f"{module}.{name}"
        modules = self._imports.modules
        if not self._imports.knows(module):  # of a library: it counts where it is used
            return
        if self._imports.knows(inner):
            self._import(inner, is_asked_for=True)
            if module not in modules:
                return
            if not self._imports.defines(module, name) and not self._may_lack(module, True):
                return
        self._absolute(Reference(module, (name,)))

    def _may_lack(self, module: str, has_inner: bool) -> bool:
        """Whether a name that a module does not define may come from where nobody sees it."""
        return not has_inner or self._imports.defines(module, "__getattr__")

    def _import(self, name: str, *, is_asked_for: bool = False) -> None:
        """Import a module: its effects count, and those of all that it imports itself.

        `is_asked_for`: that it can be imported at all may decide something.
        """
        for part in with_parents(name):
            definitions = self._imports.modules.get(part)
            if definitions is None:
                continue
            if is_asked_for:
                self._asked_for.add(part)
            if part in self._imported:
                continue
            self._imported.add(part)
            self.is_everything |= definitions.is_opaque
            if not self._with_effects or not self._imports.has_effects(part):
                continue
            for number, statement in enumerate(definitions.statements):
                if not self._imports.is_harmless(part, number):
                    self._take(Spot(part, number))
                for other in self._imports.imported(statement):
                    self._import(other)

    def _take(self, spot: Spot) -> None:
        key = spot.module, spot.number
        if key not in self._spots:
            self._spots.add(key)
            self._waiting.append((spot.module, self._imports.statement(spot)))

    def _take_whole(self, module: str) -> None:
        """Count all of a module, and whatever can be reached from it, its inner modules too."""
        if module in self._whole:
            return
        definitions = self._imports.modules.get(module)
        if definitions is not None:
            self._whole.add(module)
            self._import(module)
            for number, statement in enumerate(definitions.statements):
                self._take(Spot(module, number))
                for target in statement.targets.values():
                    self._absolute(target)
                if statement.kind is Kind.STAR:
                    self._absolute(Reference(statement.modules[0], ()))
        for inner in self._imports.inside(module):
            self._take_whole(inner)

    def _word(self, home: str, word: Word) -> None:
        """Follow a name in a text, if a library may look it up."""
        parts = tuple(word.text.split("."))
        known = [p for p in with_parents(word.text) if self._imports.knows(p)]
        if known and (len(parts) > 1 or word.is_alone):
            rest = parts[known[-1].count(".") + 1 :]
            self._absolute(Reference(known[-1], tuple(n for n in rest if n)))
        if self._imports.defines(home, parts[0]):
            kind = self._kind(home, parts)
            is_class = kind is Kind.CLASS and word.is_alone
            if word.is_marked or is_class or kind in (Kind.CONSTANT, Kind.OTHER, None):
                self._global(home, tuple(n for n in parts if n))

    def _kind(self, module: str, names: tuple[str, ...]) -> Kind | None:
        """What a name stands for; None if that is in doubt."""
        match self._imports.meaning(module, names):
            case Spot() as spot:
                return self._imports.statement(spot).kind
            case Reference(of, rest) if of is not None and (rest or len(names) == 1):
                return Kind.IMPORT  # a module alone, or something of a library
        return None


def _finds_code(module: str, names: tuple[str, ...]) -> bool:
    top, *rest = (*module.split("."), *names)
    members = _FIND_CODE.get(top, set())
    dotted = f"{module}.{'.'.join(names)}"
    if dotted.startswith(("importlib.metadata.entry_points", "multiprocessing.managers")):
        return True
    return "" in members or (bool(rest) and rest[0] in members)
