"""What a piece of source uses from outside itself: names, modules, texts that may be names.

It sees scopes as Python's compiler does, with one rule for doubt: a name that may be a global is
one. So it may list too much, and never too little.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from .harmless_names import HOOKS
from .nodes import children, walk
from .references import Reference, imported, modules_in
from .scopes import Comprehension, bound_in, chain_of, own_scope, parameters_of, root_of, targets_of
from .syntax import IMPORTERS, Calls, called

_ANYTHING = frozenset({"eval", "exec", "compile", "__builtins__", "__loader__", "__spec__"})
_ANYTHING |= {"__package__", "__name__"}  # but see `_TAKE_OWN_NAME`
_ANYTHING_OF = frozenset({"__subclasses__", "__globals__", "__builtins__", "__import__"})
_ANYTHING_OF |= {"f_globals", "f_back", "tb_frame", "gi_frame", "cr_frame", "__getattribute__"}
_PLACES = frozenset({"__file__", "__path__"})
_TAKE_OWN_NAME = frozenset({"getLogger", "get_logger", "files", "get_data"})
"""Calls that find no code by the name of a module that they receive."""

_LOOK_UP = frozenset({"query", "eval", "sql", "execute", "from_formula", "dmatrix", "dmatrices"})
_LOOK_UP |= {"from_query", "query_df", "evaluate", "ols", "wls", "gls", "glm", "logit", "probit"}
_LOOK_UP |= {"poisson", "mixedlm", "rlm", "gee", "quantreg", "negativebinomial", "mnlogit", "phreg"}
"""Methods that look up names of the caller's module in a text."""

_TEXTS = frozenset({"expr", "query", "sql", "formula", "formula_like", "statement", "ex"})
"""The keywords by which they take it."""

_DOCS = frozenset({"__doc__", "getdoc", "getsource", "getsourcelines"})

_READING = frozenset({"get", "items", "keys", "values", "copy", "index", "count", "join", "split"})
_READING |= {"format", "startswith", "endswith", "strip", "lower", "upper", "replace", "match"}
_READING |= {"search", "fullmatch", "sub", "findall", "joinpath", "read_text", "exists", "isin"}
_READING |= {"info", "debug", "warning", "error", "exception", "log"}

_TOKEN = re.compile(r"(@?)([A-Za-z_][\w.]*)(:[A-Za-z_]\w*)?(\s*\()?")


class Word(NamedTuple):
    """A name in a text, which a library may look up: `df.query("x > @LIMIT")`."""

    text: str

    is_marked: bool
    """Whether it is written as only a look-up is: `@name`, or `name(`."""

    is_alone: bool
    """Whether it is the whole text."""


@dataclass(frozen=True)
class Uses:
    """What some source uses.

    Attributes:
        references: what it loads, stores or deletes, by name.
        members: what `from … import …` names in a function: a module is imported, not used.
        modules: all that it imports, in its order.
        changed: the references that it stores to, or whose methods it calls.
        declared: the globals of its own module that functions in it assign.
        located: what it calls with a text that names a module or what is in one, as in
            `import_module("a.b")`. Unless it is a library's it counts, too.
        words: names in its texts.
        beginnings: what the names of modules start with that it computes to import them.
        is_open: it may use anything that is imported.
        is_whole: it may use any name of its own module.
        has_place: it asks where its module lies.
        reads_docs: it reads docstrings.
    """

    references: frozenset[Reference] = frozenset()
    members: frozenset[Reference] = frozenset()
    modules: tuple[str, ...] = ()
    changed: frozenset[Reference] = frozenset()
    declared: frozenset[str] = frozenset()
    located: frozenset[Reference] = frozenset()
    words: frozenset[Word] = frozenset()
    beginnings: frozenset[str] = frozenset()
    is_open: bool = False
    is_whole: bool = False
    has_place: bool = False
    reads_docs: bool = False


@dataclass
class _Scope:
    """The names of a function, lambda or comprehension."""

    locals: set[str] = field(default_factory=set)
    imports: dict[str, Reference] = field(default_factory=dict)
    globals: set[str] = field(default_factory=set)


def uses_of(node: ast.stmt, name: str, package: str, importers: frozenset[str]) -> Uses:
    """What a statement at the level of a module uses.

    Args:
        name: of the module, whose relative imports start from `package`.
        importers: the names by which the module calls `import_module`.
    """
    calls = Calls(walk(node), name, package, importers)
    reader = _Reader(package, importers, calls.known)
    reader.visit(node)
    reader.references |= {Reference(module, ()) for module in calls.imports}
    return Uses(
        references=frozenset(reader.references),
        members=frozenset(reader.members),
        modules=(*reader.modules, *sorted(calls.imports)),
        changed=frozenset(reader.changed),
        declared=frozenset(reader.declared),
        located=frozenset(reader.located),
        words=frozenset(reader.words),
        beginnings=calls.beginnings,
        is_open=reader.is_open or calls.is_unknown,
        is_whole=reader.is_whole,
        has_place=reader.has_place,
        reads_docs=reader.reads_docs,
    )


class _Reader(ast.NodeVisitor):
    """Reads one statement of a module."""

    def __init__(self, package: str, importers: frozenset[str], known: frozenset[int]) -> None:
        self.references: set[Reference] = set()
        self.members: set[Reference] = set()
        self.modules: list[str] = []
        self.changed: set[Reference] = set()
        self.declared: set[str] = set()
        self.located: set[Reference] = set()
        self.words: set[Word] = set()
        self.is_open = self.is_whole = self.has_place = self.reads_docs = False
        self._package = package
        self._known = known
        self._take_own_name = _TAKE_OWN_NAME | importers | IMPORTERS
        self._scopes: list[_Scope] = []
        self._classes: list[str] = []

    def generic_visit(self, node: ast.AST) -> None:
        for child in children(node):
            self.visit(child)

    # Scopes

    def _resolve(self, name: str) -> Reference | None:
        """What a name stands for; None for a local."""
        if any(name in scope.globals for scope in self._scopes):
            return Reference(None, (name,))
        for scope in reversed(self._scopes):
            if name in scope.imports:
                return scope.imports[name]
            if name in scope.locals:
                return None
        return Reference(None, (name,))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for decorator in node.decorator_list:
            self.visit(decorator)
        self._signature(node.args)
        if node.returns is not None:
            self._annotation(node.returns)
        for parameter in getattr(node, "type_params", ()):
            self.visit(parameter)
        self._inside(self._scope(node), node.body)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._signature(node.args)
        self._inside(_Scope(parameters_of(node.args)), [node.body])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """The names of a class are no scope for what lies in it, so none of them is hidden."""
        self._classes.append(node.name)
        self.generic_visit(node)
        self._classes.pop()

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._comprehension(node)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._comprehension(node)

    def _comprehension(self, node: Comprehension) -> None:
        first, *others = node.generators
        self.visit(first.iter)
        scope = _Scope(targets_of(node))
        results = [getattr(node, name) for name in ("key", "value", "elt") if hasattr(node, name)]
        later = [part for other in others for part in (other.iter, *other.ifs)]
        self._inside(scope, [first.target, *first.ifs, *later, *results])

    def _inside(self, scope: _Scope, body: Iterable[ast.AST]) -> None:
        self._scopes.append(scope)
        for part in body:
            self.visit(part)
        self._scopes.pop()

    def _scope(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> _Scope:
        inside = own_scope(node.body)
        listed = (n for n in inside if isinstance(n, ast.Global))
        declared = {name for statement in listed for name in statement.names}
        free = {n for s in inside if isinstance(s, ast.Nonlocal) for n in s.names}
        bound = bound_in(node.body)
        parameters = parameters_of(node.args)
        imports: dict[str, Reference] = {}
        statements = [n for n in inside if isinstance(n, ast.Import | ast.ImportFrom)]
        for statement in statements:
            for name, target in imported(statement, self._package).items():
                if bound.count(name) == 1 and name not in parameters | declared | free:
                    imports[name] = target
        self.declared |= declared & set(bound)
        return _Scope((set(bound) | parameters) - declared - free, imports, declared)

    def _signature(self, arguments: ast.arguments) -> None:
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
        for argument in every:
            if argument.annotation is not None:
                self._annotation(argument.annotation)
        for default in (*arguments.defaults, *arguments.kw_defaults):
            if default is not None:
                self.visit(default)

    # Names

    def visit_Name(self, node: ast.Name) -> None:
        self._name((node.id,), node.ctx)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.is_open |= node.attr in _ANYTHING_OF
        self.is_open |= node.attr in HOOKS and not isinstance(node.ctx, ast.Load)
        self.reads_docs |= node.attr in _DOCS
        chain = chain_of(node)
        if chain is None:
            self.visit(node.value)
        else:
            self.is_open |= not _ANYTHING_OF.isdisjoint(chain)
            self._name(chain, node.ctx)

    def _name(self, chain: tuple[str, ...], context: ast.expr_context) -> None:
        for reference in self._meant(chain):
            if isinstance(context, ast.Load) or len(chain) > 1 or self._scopes:
                self.references.add(reference)
            if not isinstance(context, ast.Load) and (len(chain) > 1 or self._scopes):
                self.changed.add(reference)

    def _meant(self, chain: tuple[str, ...]) -> Iterator[Reference]:
        """What a dotted name stands for; nothing if it is a local's."""
        first, *rest = chain
        self.reads_docs |= not _DOCS.isdisjoint(chain)
        spellings = [first]
        if first.startswith("__") and not first.endswith("__"):  # Python mangles it in a class
            spellings += [f"_{name.lstrip('_')}{first}" for name in self._classes]
        for spelling in spellings:
            target = self._resolve(spelling)
            if target is None:
                continue
            if target == Reference(None, (first,)):
                self._special(first)
            yield Reference(target.module, (*target.names, *rest))

    def _special(self, name: str) -> None:
        self.is_open |= name in _ANYTHING
        self.has_place |= name in _PLACES
        self.is_whole |= name in {"globals", "vars", "dir", "__annotations__"}
        self.is_whole |= name == "locals" and not self._scopes

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._change(node.value)
        self.generic_visit(node)

    def _change(self, node: ast.expr) -> None:
        """Note that what an expression starts from may be another one afterwards."""
        chain = root_of(node)
        if chain and (target := self._resolve(chain[0])):
            self.changed.add(Reference(target.module, (*target.names, *chain[1:])))

    def visit_Call(self, node: ast.Call) -> None:
        name, chain = called(node.func), chain_of(node.func)
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        is_of_object = chain in {("vars",), ("dir",)} and bool(given)  # and not of the module
        is_literal = bool(given) and isinstance(given[0], ast.Constant)
        if chain and (id(node.func) in self._known or (is_literal and name == "locate")):
            self.located |= set(self._meant(chain))
        elif not is_of_object:
            self.visit(node.func)
        if name in self._take_own_name:
            given = [g for g in given if not _is_own_name(g)]
        elif isinstance(node.func, ast.Attribute) and name not in _READING:
            self._change(node.func.value)
        self.is_whole |= name in _LOOK_UP and bool(given) and not _has_literal_text(node)
        self.is_open |= any(keyword.arg == "allow_pickle" for keyword in node.keywords)
        for value in given:
            self.visit(value)

    def visit_Compare(self, node: ast.Compare) -> None:
        for side in (node.left, *node.comparators):
            if not _is_own_name(side):
                self.visit(side)

    # Imports

    def visit_Import(self, node: ast.Import) -> None:
        self._import(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self._import(node)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.modules += modules_in(node, self._package)
        if node.names[0].name == "*":
            self.references.add(Reference(next(modules_in(node, self._package)), ()))
        for name, target in imported(node, self._package).items():
            is_followed = bool(self._scopes) and name in self._scopes[-1].imports
            if target.names and (is_followed or self._scopes):
                self.members.add(target)
            if not is_followed:
                self.references.add(target)

    # Texts

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            for sign, dotted, colon, call in _TOKEN.findall(node.value):
                name = (dotted + colon.replace(":", ".")).rstrip(".")
                is_alone = node.value.strip() == dotted + colon
                self.words.add(Word(name, bool(sign or call), is_alone))
            self.is_open |= node.value in HOOKS

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._annotation(node.annotation)
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def _annotation(self, node: ast.expr) -> None:
        """Visit an annotation; a text in it is source, unless it is the argument of a call."""
        self.visit(node)
        for text in _texts_outside_calls(node):
            try:
                self._annotation(ast.parse(text.strip(), mode="eval").body)
            except (SyntaxError, ValueError):
                continue


def _has_literal_text(call: ast.Call) -> bool:
    """Whether the text in which a call looks up names stands there itself."""
    texts = call.args if called(call.func) == "query" else call.args[:1]  # the name of a view first
    texts = texts or [keyword.value for keyword in call.keywords if keyword.arg in _TEXTS]
    return bool(texts) and all(isinstance(text, ast.Constant) for text in texts)


def _is_own_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"__name__", "__package__"}


def _texts_outside_calls(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    if not isinstance(node, ast.Call):
        for child in children(node):
            if isinstance(child, ast.expr):
                yield from _texts_outside_calls(child)
