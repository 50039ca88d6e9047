"""Whether a statement of a module does nothing but bind its names when the module is imported.

Such a statement counts only for what uses its names. Any other may change whatever it reaches, so
it counts for all that import the module. Nothing is harmless unless it is known to be.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from .harmless_names import HOOKS, ITERATORS, METHODS, Condition, Must
from .nodes import children
from .scopes import Comprehension, bound_in, chain_of, targets_of

_HOOKS_OF_ENUM = frozenset({"__new__", "__init__", "__setattr__", "_generate_next_value_"})
_KEYWORDS_THAT_ARE_CALLED = frozenset({"key"})


def conditions(node: ast.stmt) -> frozenset[Condition] | None:
    """What makes a statement harmless; None if nothing does."""
    check = _Check()
    return frozenset(check.needed) if check.statement(node) else None


def conditions_of_data(node: ast.stmt) -> frozenset[Condition] | None:
    """What makes a constant's value data: operators on it, and its methods, change nothing."""
    if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
        return None
    check = _Check()
    return frozenset(check.needed) if check.data(node.value) else None


def wraps(node: ast.stmt) -> tuple[int, frozenset[Condition]]:
    """How often a function has to be called until it may do something else than make functions.

    1 is a decorator that only wraps, 2 a function that makes one; 0 does more than that. And what
    this depends on.
    """
    if not isinstance(node, ast.FunctionDef):
        return 0, frozenset()
    inner = {n.name: n for n in node.body if isinstance(n, ast.FunctionDef)}
    last = node.body[-1] if node.body else None
    if len(inner) != len(node.body) - 1 or not isinstance(last, ast.Return):
        return 0, frozenset()
    if not isinstance(last.value, ast.Name) or last.value.id not in inner:
        return 0, frozenset()
    needed = set[Condition]()
    for made in inner.values():
        for decorator in made.decorator_list:
            chain = chain_of(decorator.func) if isinstance(decorator, ast.Call) else None
            if chain is None or chain[-1] != "wraps":
                return 0, frozenset()
            needed.add(Condition(Must.ONLY_WRAP_WHEN_CALLED, chain))
        if made.args.defaults or any(made.args.kw_defaults):
            return 0, frozenset()
    count, more = wraps(inner[last.value.id])
    return 1 + count, frozenset(needed | more)


def is_plain_base(node: ast.stmt) -> bool:
    """Whether a class does nothing of its own when it is inherited from."""
    if not isinstance(node, ast.ClassDef) or node.keywords:
        return False
    return HOOKS.isdisjoint(bound_in(node.body))


def bases_of(node: ast.stmt) -> tuple[tuple[str, ...], ...]:
    """The dotted names of a class's bases, as far as these are names."""
    every = node.bases if isinstance(node, ast.ClassDef) else []
    return tuple(filter(None, (chain_of(_unsubscripted(base)) for base in every)))


def has_member_hooks(node: ast.stmt) -> bool:
    """Whether a class defines what is called where an enum makes its members."""
    return isinstance(node, ast.ClassDef) and not _HOOKS_OF_ENUM.isdisjoint(bound_in(node.body))


@dataclass
class _Check:
    """One statement; what it `needed` so far."""

    needed: set[Condition] = field(default_factory=set)
    own: set[str] = field(default_factory=set)
    """The names of a class that it is in, which hide those of the module."""

    items: set[str] = field(default_factory=set)
    """The names of comprehensions, each an item of data."""

    is_in_class: bool = False

    def statement(self, node: ast.stmt) -> bool:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return self._function(node)
            case ast.ClassDef():
                return self._class(node)
            case ast.Assign():
                return all(map(_is_name, node.targets)) and self._value(node.value)
            case ast.AnnAssign():
                is_set = node.value is None or self._value(node.value)
                return _is_name(node.target) and is_set and self._annotation(node.annotation)
            case ast.Expr():
                return isinstance(node.value, ast.Constant)
            case ast.ImportFrom():  # in a branch, `import *` binds names that nothing lists
                return node.names[0].name != "*"
            case ast.Pass() | ast.Import():
                return True
            case ast.If():
                inside = [*node.body, *node.orelse]
                return self.data(node.test) and all(map(self.statement, inside))
            case ast.Try():
                inside = [*node.body, *node.orelse, *node.finalbody]
                inside += [n for handler in node.handlers for n in handler.body]
                types = [h.type for h in node.handlers if h.type is not None]
                return all(map(self._value, types)) and all(map(self.statement, inside))
        return False

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
        annotations = [a.annotation for a in every if a.annotation] + [node.returns]
        defaults = [d for d in (*arguments.defaults, *arguments.kw_defaults) if d is not None]
        outside = _Check(self.needed, self.own, self.items)  # a class is not told of its defaults
        return (
            all(map(self._decorator, node.decorator_list))
            and all(map(outside._value, defaults))
            and all(self._annotation(a) for a in annotations if a is not None)
        )

    def _class(self, node: ast.ClassDef) -> bool:
        bases = map(_unsubscripted, node.bases)
        bound = set(bound_in(node.body))
        if node.keywords or not all(map(self._decorator, node.decorator_list)):
            return False
        for base in bases:
            chain = chain_of(base)
            if chain is None or not self._need(Must.BE_A_BASE, chain):
                return False
            if not _HOOKS_OF_ENUM.isdisjoint(bound) and not self._need(Must.BE_NO_ENUM, chain):
                return False
        if any(isinstance(n, ast.Import | ast.ImportFrom) for n in node.body):
            return False
        inside = _Check(self.needed, self.own | bound, self.items, is_in_class=True)
        return all(map(inside.statement, node.body))

    def _decorator(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Call):
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            chain = chain_of(node.func)
            is_known = chain is not None and self._need(Must.ONLY_WRAP_WHEN_CALLED, chain)
            return is_known and all(map(self._value, given))
        chain = chain_of(node)
        if chain and chain[0] in self.own:  # @x.setter
            return chain[1:] in {("setter",), ("getter",), ("deleter",)}
        return chain is not None and self._need(Must.ONLY_WRAP, chain)

    def _annotation(self, node: ast.expr) -> bool:
        return self.data(node)

    def _need(self, must: Must, chain: tuple[str, ...]) -> bool:
        if chain[0] in self.items:
            is_method = must is Must.ONLY_MAKE and chain[-1] in METHODS and len(chain) > 1
            return must in (Must.BE_DATA, Must.BE_OWNED, Must.BE_INDEXED) or is_method
        if chain[0] in self.own:
            return False
        self.needed.add(Condition(must, chain))
        return True

    def _value(self, node: ast.expr) -> bool:
        """Whether it is harmless to work out an expression."""
        match node:
            case ast.Constant():
                return True
            case ast.Name():  # a class tells its name to what it holds: `__set_name__`
                is_told = self.is_in_class and node.id not in self.own
                return not is_told or self._need(Must.BE_OWNED, (node.id,))
            case ast.Lambda():
                defaults = (*node.args.defaults, *node.args.kw_defaults)
                return all(self._value(default) for default in defaults if default is not None)
            case ast.Subscript() if chain := chain_of(node.value):
                return self._need(Must.BE_INDEXED, chain) and self.data(node.slice)
            case ast.Tuple() | ast.List() | ast.Set():
                return all(map(self._value, node.elts))
            case ast.Dict():
                keys = [key for key in node.keys if key is not None]
                spread = [v for k, v in zip(node.keys, node.values, strict=True) if k is None]
                return all(map(self._value, node.values)) and all(map(self.data, keys + spread))
            case ast.Attribute():
                chain = chain_of(node)
                return self._need(Must.BE_OWNED, chain) if chain else self.data(node.value)
            case ast.Call():
                return self._call(node)
            case ast.ListComp() | ast.SetComp() | ast.DictComp():
                return self._comprehension(node)
            case ast.GeneratorExp() | ast.NamedExpr() | ast.Await() | ast.Yield() | ast.YieldFrom():
                return False
        return all(map(self.data, _expressions(node)))

    def data(self, node: ast.expr) -> bool:
        """Whether an expression is harmless, and operators on its value are too."""
        match node:
            case ast.Name():
                return self._need(Must.BE_DATA, (node.id,))
            case ast.Attribute() if chain := chain_of(node):
                return self._need(Must.BE_DATA, chain)
            case ast.Lambda():
                return False
            case ast.Tuple() | ast.List() | ast.Set():
                return all(map(self.data, node.elts))
            case ast.Dict():
                every = (*node.keys, *node.values)
                return all(self.data(n) for n in every if n is not None)
        return self._value(node)

    def _argument(self, node: ast.expr) -> bool:
        """What the call takes an iterator from is used up by the call alone."""
        if isinstance(node, ast.GeneratorExp):
            return self._comprehension(node)
        if isinstance(node, ast.Call) and chain_of(node.func) in {(name,) for name in ITERATORS}:
            return not node.keywords and self._arguments(node)
        return self.data(node)

    def _arguments(self, call: ast.Call) -> bool:
        """Whether the arguments of a call are harmless, and those too that it calls."""
        given, chain = list(call.args), chain_of(call.func)
        functions = [k.value for k in call.keywords if k.arg in _KEYWORDS_THAT_ARE_CALLED]
        given += [k.value for k in call.keywords if k.arg not in _KEYWORDS_THAT_ARE_CALLED]
        if chain in {("map",), ("filter",)}:
            functions += given[:1]
            del given[:1]
        return all(map(self._argument, given)) and all(map(self._function_to_call, functions))

    def _function_to_call(self, node: ast.expr) -> bool:
        chain = chain_of(node)
        is_none = isinstance(node, ast.Constant) and node.value is None
        return is_none or (chain is not None and self._need(Must.ONLY_MAKE, chain))

    def _call(self, node: ast.Call) -> bool:
        chain = chain_of(node.func)
        makes_class = chain == ("type",) and len(node.args) + len(node.keywords) != 1
        if makes_class or not self._arguments(node):
            return False
        if chain is not None:
            return self._need(Must.ONLY_MAKE, chain)
        is_method = isinstance(node.func, ast.Attribute) and node.func.attr in METHODS
        return is_method and self.data(node.func.value)  # type: ignore[attr-defined]  # checked

    def _comprehension(self, node: Comprehension) -> bool:
        generators = node.generators
        inside = _Check(self.needed, self.own, self.items | targets_of(node))
        results = [getattr(node, name) for name in ("key", "value", "elt") if hasattr(node, name)]
        parts = [part for g in generators for part in (g.iter, *g.ifs)]
        return all(map(inside._argument, [*parts, *results]))


def _unsubscripted(base: ast.expr) -> ast.expr:
    return base.value if isinstance(base, ast.Subscript) else base


def is_method_of_data(names: tuple[str, ...]) -> bool:
    """Whether `CONSTANT.method` changes nothing, if the constant is data."""
    return len(names) > 0 and names[-1] in METHODS


def _is_name(node: ast.expr) -> bool:
    if isinstance(node, ast.Tuple | ast.List):
        return all(map(_is_name, node.elts))
    return isinstance(node, ast.Name) or (isinstance(node, ast.Starred) and _is_name(node.value))


def _expressions(node: ast.AST) -> list[ast.expr]:
    inner: list[ast.expr] = []
    for child in children(node):
        if isinstance(child, ast.expr):
            inner.append(child)
        else:
            inner += _expressions(child)
    return inner
