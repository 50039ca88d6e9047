"""What a file imports, and one import more, in the place where `ruff` would sort it."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from .lists import Items, inserted
from .source import Edit, Source, Unclear


@dataclass(frozen=True)
class Imported:
    """One imported name: `import module as alias`, or `from module import member as alias`.

    `module` is dotted. What belongs to the project's package begins with a dot in place of the
    package's name: `.segments.s02_clean`; the package itself is `.`.
    """

    module: str
    member: str | None = None
    alias: str | None = None

    @property
    def local(self) -> str:
        """The name that the file knows it by."""
        return self.alias or self.member or self.module.partition(".")[0]

    @property
    def means(self) -> str:
        """The dotted name of what that name stands for."""
        if self.member is None:
            return self.module if self.alias else self.module.partition(".")[0]
        return f"{self.module.rstrip('.')}.{self.member}"


@dataclass(frozen=True)
class Place:
    """Where a file is: its package's name, and its own dotted parts within the package.

    A file outside of the package, such as a test, has no parts.
    """

    package: str
    parts: tuple[str, ...] | None

    def absolute(self, node: ast.ImportFrom) -> str:
        """The module that a `from` names, as `Imported.module` gives it."""
        module = node.module or ""
        if not node.level:
            return self._own(module)
        above = (self.parts or ())[:-1]
        above = above[: len(above) - node.level + 1] if node.level > 1 else above
        return "." + ".".join([*above, *filter(None, [module])])

    def written(self, module: str) -> str:
        """A module as an import in this file names it."""
        if not module.startswith("."):
            return module
        inside = module[1:].split(".") if module != "." else []
        if self.parts is None:
            return ".".join([self.package, *inside])
        folder = list(self.parts[:-1])
        shared = 0
        while shared < min(len(folder), len(inside)) and folder[shared] == inside[shared]:
            shared += 1
        return "." * (len(folder) - shared + 1) + ".".join(inside[shared:])

    def imports(self, source: Source) -> Iterator[tuple[ast.Import | ast.ImportFrom, Imported]]:
        """The imports at the top of a file, each name by itself."""
        for node in source.tree.body:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield node, Imported(self._own(alias.name), None, alias.asname)
            elif isinstance(node, ast.ImportFrom):
                module = self.absolute(node)
                for alias in node.names:
                    yield node, Imported(module, alias.name, alias.asname)

    def _own(self, module: str) -> str:
        first, _, rest = module.partition(".")
        return f".{rest}" if first == self.package else module


def dotted(node: ast.AST, names: dict[str, str]) -> str | None:
    """What a name with its attributes stands for; None if it is no imported name."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in names:
        return None
    return ".".join([names[node.id].rstrip("."), *reversed(attributes)])


def with_import(source: Source, place: Place, wanted: Imported, limit: int) -> Source:
    """The file with an import; the same if it has it. Raises Unclear if nothing shows where."""
    known = list(place.imports(source))
    if any(there == wanted for _, there in known):
        return source
    same = [node for node, there in known if there.module == wanted.module and there.member]
    nodes = list(dict.fromkeys(node for node in same if isinstance(node, ast.ImportFrom)))
    # ruff writes each `import a as b` on a line of its own, unless it is told to combine them.
    nodes = [n for n in nodes if len(n.names) > 1 or not n.names[0].asname]
    if wanted.member and nodes and not _is_one_by_one(nodes):
        return _with_member(source, nodes[-1], wanted, limit)
    if wanted.member:
        words = f"from {_as_there(source, nodes) or place.written(wanted.module)} import"
        text = f"{words} {_with_alias(wanted.member, wanted)}"
        if len(text) > limit:
            text = f"{words} (\n    {_with_alias(wanted.member, wanted)},\n)"
    else:
        text = f"import {_with_alias(place.written(wanted.module), wanted)}"
    return source.edited([_line(source, place, text)])


def _with_alias(name: str, wanted: Imported) -> str:
    return f"{name} as {wanted.alias}" if wanted.alias else name


def _is_one_by_one(nodes: list[ast.ImportFrom]) -> bool:
    """Whether each name is imported on a line of its own."""
    return len(nodes) > 1 and all(len(node.names) == 1 for node in nodes)


def _as_there(source: Source, nodes: list[ast.ImportFrom]) -> str:
    """The module as other imports of the file write it."""
    words = source.segment(nodes[-1]).split() if nodes else ["", ""]
    return words[1]


def _with_member(source: Source, node: ast.ImportFrom, wanted: Imported, limit: int) -> Source:
    assert wanted.member is not None
    names = [alias.name for alias in node.names]
    if "*" in names:
        raise Unclear(f"line {node.lineno} imports `*`")
    spans = [source.span(alias) for alias in node.names]
    _, end = source.span(node)
    in_brackets = source.text[end - 1] == ")"
    start = source.offset(node.lineno, node.col_offset)
    opening = re.compile(r"\(" if in_brackets else r"\bimport\b").search(source.text, start)
    assert opening is not None
    keys = [_member_key(name) for name in names]
    position = sum(key < _member_key(wanted.member) for key in keys)
    if keys != sorted(keys):
        position = len(keys)
    items = Items(opening.end(), end - in_brackets, spans, in_brackets, is_call=False)
    return inserted(source, items, position, _with_alias(wanted.member, wanted), limit)


def _line(source: Source, place: Place, text: str) -> Edit:
    """The edit that writes an import on a line of its own, in its section."""
    head = _head(source)
    [node] = ast.parse(text).body
    key = _key(node, place)
    before = next((n for n in reversed(head) if _key(n, place) <= key), None)
    after = next((n for n in head if _key(n, place) > key), None)
    if before is not None and _key(before, place)[0] == key[0]:
        return _below(source, before, f"\n{text}")
    if after is not None and _key(after, place)[0] == key[0]:
        at = source.line_start(source.span(after)[0])
        return Edit(at, at, f"{text}\n")
    if before is not None:
        return _below(source, before, f"\n\n{text}")
    if after is not None:
        at = source.line_start(source.span(after)[0])
        return Edit(at, at, f"{text}\n\n")
    body = source.tree.body
    if body and _is_docstring(body[0]):
        return _below(source, body[0], f"\n\n{text}" + "\n" * (len(body) > 1))
    at = source.line_start(source.span(_first(body[0]))[0]) if body else len(source.text)
    return Edit(at, at, f"{text}\n" + "\n\n" * bool(body))


def _first(node: ast.stmt) -> ast.stmt | ast.expr:
    """The node that a statement begins with: its first decorator, if it has one."""
    decorators = getattr(node, "decorator_list", None)
    return decorators[0] if decorators else node


def _below(source: Source, node: ast.stmt, text: str) -> Edit:
    _, end = source.span(node)
    at = source.line_end(end)
    if not re.fullmatch(r"\s*(#.*)?", source.text[end:at]):
        raise Unclear(f"line {node.lineno} has more than one statement")
    return Edit(at, at, text if at < len(source.text) else f"{text}\n")


def _head(source: Source) -> list[ast.stmt]:
    """The imports at the beginning of a file."""
    head: list[ast.stmt] = []
    for number, node in enumerate(source.tree.body):
        if isinstance(node, ast.Import | ast.ImportFrom):
            head.append(node)
        elif number or not _is_docstring(node):
            break
    return head


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _key(node: ast.stmt, place: Place) -> tuple[object, ...]:
    """How ruff sorts an import: its section, `import` before `from`, its module, its name."""
    if isinstance(node, ast.Import):
        name = node.names[0].name
        return (_section(name, 0, place), False, 0, _natural(name), _natural(""))
    assert isinstance(node, ast.ImportFrom)
    name = node.module or ""
    section = _section(name, node.level, place)
    return (section, True, -node.level, _natural(name), _natural(node.names[0].name))


def _section(module: str, level: int, place: Place) -> int:
    first = module.partition(".")[0]
    if level:
        return 4
    if first == "__future__":
        return 0
    return 1 if first in sys.stdlib_module_names else 3 if first == place.package else 2


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    """A key that sorts the numbers in names as numbers."""
    pieces = re.findall(r"\d+|\D+", name.lower())
    return tuple((int(p), "") if p.isdigit() else (-1, p) for p in pieces)


def _member_key(name: str) -> tuple[int, object, str]:
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, _natural(name), name


def bound_names(source: Source) -> set[str]:
    """The names that a file binds at its top."""
    names: set[str] = set()
    for statement in source.tree.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(statement.name)
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return names
