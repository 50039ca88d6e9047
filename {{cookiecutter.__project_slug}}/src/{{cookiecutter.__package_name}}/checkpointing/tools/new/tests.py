"""The tests of new steps: in the test file of the segment, in its style, or in a new one."""

from __future__ import annotations

import ast
from pathlib import Path

from .examples import Example, is_free
from .imports import Imported, Place, with_import
from .names import short_name
from .project import Project
from .source import Edit, Source, new_source, read_source

TESTS = "tests"


def test_file(project: Project, module: str) -> Path:
    """The file with the tests of a segment's module; it need not exist."""
    folder = project.root / TESTS
    names = [f"test_{short_name(module)}.py", f"test_{module}.py"]
    places = [folder / name for name in names]
    places += [path for name in names for path in sorted(folder.rglob(name))]
    return next((path for path in places if path.is_file()), places[0])


def new_tests(
    project: Project, path: Path, module: Imported, step: str, example: Example
) -> Source:
    """A new test file with the test of an example step."""
    short = short_name(str(module.member))
    text = f'"""The steps of segment {short}, called with small tables."""\n'
    place = Place(project.package.name, None)
    source = new_source(text, project.shown(path))
    for wanted in (*example.test_imports, module):
        source = with_import(source, place, wanted, project.limit)
    body = example.test(f"{module.local}.{step}", "", project.limit)
    return new_source(f"{source.text}\n\n{body}", source.shown)


def more_tests(
    project: Project, path: Path, module: Imported, step: str, example: Example
) -> Source | None:
    """The test file `path` with one test more; None if a name that this needs is used otherwise.

    The step is called as the other tests call theirs: through a fixture, an imported module, or by
    its own name.
    """
    place = Place(project.package.name, None)
    source = read_source(path, project.shown(path))
    imported = {there.local: there for _, there in place.imports(source)}
    called, parameter, needed = _call(source, imported, module, step)
    wanted = [*needed, *example.test_imports]
    if not is_free(source, imported, wanted, set()):
        return None
    for name in wanted:
        source = with_import(source, place, name, project.limit)
    test = example.test(called, parameter, project.limit)
    end = len(source.text)
    kept = len(source.text.rstrip())
    gap = "\n\n\n" if kept else ""
    return source.edited([Edit(kept, end, f"{gap}{test}")])


def _call(
    source: Source, imported: dict[str, Imported], module: Imported, step: str
) -> tuple[str, str, list[Imported]]:
    """How a test calls a step, the parameter for it, and what has to be imported."""
    own = f"{module.module.rstrip('.')}.{module.member}"
    fixtures = {str(module.member), short_name(str(module.member))}
    for node in source.tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            for argument in node.args.args:
                kind = source.segment(argument.annotation) if argument.annotation else ""
                if argument.arg in fixtures and kind.endswith("ModuleType"):
                    return f"{argument.arg}.{step}", f"{argument.arg}: {kind}", []
    for local, there in imported.items():
        if there.means == own:
            return f"{local}.{step}", "", []
    if any(there.module == own and there.member for there in imported.values()):
        return step, "", [Imported(own, step)]
    return f"{module.local}.{step}", "", [module]
