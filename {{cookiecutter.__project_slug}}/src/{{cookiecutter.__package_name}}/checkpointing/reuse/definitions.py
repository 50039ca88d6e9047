"""What the source of one module defines: its statements, and what each of them uses."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import xxhash

from .harmless import (
    bases_of,
    conditions,
    conditions_of_data,
    has_member_hooks,
    is_plain_base,
    wraps,
)
from .harmless_names import Condition
from .references import Reference, imported, modules_in
from .scopes import bound_in
from .syntax import Source, digest_of_dump, digest_of_tree
from .uses import Uses, uses_of

_NO_USES = Uses()
TOO_DEEP = Uses(is_open=True)
"""Of a statement that is nested too deep to be followed; how deep that is depends on the caller."""


class Kind(Enum):
    """What a statement of a module is."""

    FUNCTION = "function"
    CLASS = "class"
    CONSTANT = "constant"
    IMPORT = "import"
    STAR = "star"
    """`from … import *`."""

    OTHER = "other"


@dataclass(frozen=True)
class Statement:
    """A statement of a module, and what it binds and uses.

    Attributes:
        digest: of its syntax.
        bound: the names that it binds.
        targets: what each name stands for that an import binds.
        modules: the modules that it imports when it is executed, in order.
        conditions: what makes it harmless; None: nothing.
        data: what makes its value data, which operators and methods do not change; None: nothing.
        wraps: how often a function must be called until it does more than make functions, and
            what that depends on.
        is_plain_base: whether a class does nothing when it is inherited from.
        bases: the names of a class's bases.
        has_member_hooks: whether a class does something where an enum makes its members.
    """

    kind: Kind
    digest: str
    bound: tuple[str, ...]
    uses: Uses
    targets: dict[str, Reference]
    modules: tuple[str, ...]
    conditions: frozenset[Condition] | None
    data: frozenset[Condition] | None = None
    wraps: tuple[int, frozenset[Condition]] = (0, frozenset())
    is_plain_base: bool = False
    bases: tuple[tuple[str, ...], ...] = ()
    has_member_hooks: bool = False


@dataclass(frozen=True)
class Definitions:
    """A module's statements.

    Attributes:
        digest: of the whole module, without its docstrings.
        docs: a digest of these.
        bound: the numbers of the statements that bind a name.
        declared: the numbers of those that contain a function that assigns the global.
        listed: what `__all__` lists; None: there is none, or only its run tells.
        lists: whether there is an `__all__`.
    """

    name: str
    digest: str
    docs: str
    statements: tuple[Statement, ...]
    bound: dict[str, tuple[int, ...]]
    declared: dict[str, tuple[int, ...]]
    listed: frozenset[str] | None
    lists: bool

    @property
    def is_opaque(self) -> bool:
        """Whether nothing is known of it but its digest: it is no source."""
        return not self.statements and not self.bound and self.lists


def definitions_of(source: Source) -> Definitions:
    """Read what a module's source defines. Raises ConfigurationError if it is not Python."""
    tree, whole, name, package = source.tree, source.parsed, source.name, source.package
    future = "".join(_future(tree))
    shape = f"{future} {name == package}"
    dumps = dict(zip(map(id, tree.body), source.dumps, strict=True))
    reader = _Reader(name, package, whole.importers, shape, dumps)
    statements = tuple(s for node in tree.body for s in reader.statements(node))
    bound: dict[str, tuple[int, ...]] = {}
    declared: dict[str, tuple[int, ...]] = {}
    for number, statement in enumerate(statements):
        for each in statement.bound:
            bound[each] = (*bound.get(each, ()), number)
        for each in statement.uses.declared:
            declared[each] = (*declared.get(each, ()), number)
    listed = _listed(tree) if len(bound.get("__all__", ())) == 1 else None
    lists = "__all__" in bound
    return Definitions(name, whole.digest, source.docs, statements, bound, declared, listed, lists)


def opaque(name: str, digest: str) -> Definitions:
    """A module that is no source: an extension, bytecode, a file in an archive."""
    return Definitions(name, digest, digest, (), {}, {}, None, lists=True)


@dataclass(frozen=True)
class _Reader:
    name: str
    package: str
    importers: frozenset[str]
    shape: str
    """What counts with each statement: the future features, and whether it is a package."""

    dumps: dict[int, str]
    """What `digest_of_tree` hashes of each statement of the module, by the id of its node."""

    def statements(self, node: ast.stmt) -> Iterator[Statement]:
        """The statements that a node of the module's body stands for: none for a docstring."""
        match node:
            case ast.Pass():
                return
            case ast.Expr(value=ast.Constant()):
                return
            case ast.ImportFrom(module="__future__"):
                return
            case ast.If(body=body, orelse=[]) if _is_type_checking(node.test) and all(
                isinstance(n, ast.Import | ast.ImportFrom) for n in body
            ):
                for inner in body:
                    yield from self.statements(inner)
            case ast.If(orelse=orelse) if _is_main(node.test):
                for inner in orelse:
                    yield from self.statements(inner)
            case ast.Import() | ast.ImportFrom():
                yield from self._imports(node)
            case _:
                yield self._other(node)

    def _imports(self, node: ast.Import | ast.ImportFrom) -> Iterator[Statement]:
        """An import of several names as several, so that one name more does not change others."""
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            modules = tuple(modules_in(node, self.package))
            digest = digest_of_tree(node)
            yield Statement(Kind.STAR, digest, (), _NO_USES, {}, modules, frozenset())
            return
        for alias in node.names:
            single: ast.Import | ast.ImportFrom = ast.Import([alias])
            if isinstance(node, ast.ImportFrom):
                single = ast.ImportFrom(node.module, [alias], node.level)
            targets = imported(single, self.package)
            modules = tuple(modules_in(single, self.package))
            digest = xxhash.xxh3_128_hexdigest(repr(sorted(targets.items())).encode())
            yield Statement(
                Kind.IMPORT, digest, tuple(targets), _NO_USES, targets, modules, frozenset()
            )

    def _other(self, node: ast.stmt) -> Statement:
        bound, kind = tuple(dict.fromkeys(bound_in([node]))), _kind(node)
        try:
            uses = uses_of(node, self.name, self.package, self.importers)
            needed, data = conditions(node), conditions_of_data(node)
        except (RecursionError, MemoryError):  # an expression of hundreds of parts
            uses, needed, data = TOO_DEEP, None, None
        digest = self._digest(node) + (self.shape if uses.has_place else "")
        is_lazy = kind is Kind.FUNCTION  # what its body imports is imported when it is called
        modules = () if is_lazy and needed is not None else uses.modules
        return Statement(
            kind=kind,
            digest=xxhash.xxh3_128_hexdigest(f"{digest} {self.shape}".encode()),
            bound=bound,
            uses=uses,
            targets={},
            modules=modules,
            conditions=needed,
            data=data,
            wraps=wraps(node),
            is_plain_base=is_plain_base(node),
            bases=bases_of(node),
            has_member_hooks=has_member_hooks(node),
        )

    def _digest(self, node: ast.stmt) -> str:
        dump = self.dumps.get(id(node))
        return digest_of_tree(node) if dump is None else digest_of_dump(dump)


def _kind(node: ast.stmt) -> Kind:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return Kind.FUNCTION
    if isinstance(node, ast.ClassDef):
        return Kind.CLASS
    return Kind.CONSTANT if isinstance(node, ast.Assign | ast.AnnAssign) else Kind.OTHER


def _future(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            yield from (alias.name for alias in node.names)


def _is_type_checking(test: ast.expr) -> bool:
    is_name = isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"
    return is_name or (isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING")


def _is_main(test: ast.expr) -> bool:
    """Whether a test is `__name__ == "__main__"`, which is never so in a module of steps."""
    return ast.dump(test) == _MAIN


_MAIN = ast.dump(ast.parse('__name__ == "__main__"', mode="eval").body)


def _listed(tree: ast.Module) -> frozenset[str] | None:
    """What a literal `__all__` lists."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(t, ast.Name) and t.id == "__all__" for t in targets):
            try:
                return frozenset(ast.literal_eval(node.value))  # type: ignore[attr-defined]
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                return None
    return None
