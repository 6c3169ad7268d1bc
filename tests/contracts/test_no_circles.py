"""No module imports itself by way of others when the program runs, not even inside functions.

The contract of ``pyproject.toml`` holds siblings apart; here a package and its own modules count,
too. Imports for type checkers alone are none.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest


def _at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only type checkers look at."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        yield child
        yield from _at_run_time(child)


def imports(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """Modules that each module imports, of those whose sources are given by name."""
    found: dict[str, set[str]] = {}
    for module, source in sources.items():
        named: set[str] = set()
        for node in _at_run_time(ast.parse(source)):
            if isinstance(node, ast.Import):
                named.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                inside = {f"{node.module}.{alias.name}" for alias in node.names}
                named |= inside & sources.keys() or {node.module}
        found[module] = named & sources.keys()
    return found


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """The modules of a circle, the first one again at the end; none where there is no circle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_module_is_imported_in_a_circle(repository: Path) -> None:
    """What two modules share stands below both."""
    root = repository / "src"
    sources = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): (
            path.read_text("utf-8")
        )
        for path in sorted(root.rglob("*.py"))
    }
    assert len(sources) > 100
    assert circle(imports(sources)) == []


@pytest.mark.parametrize(
    "second",
    [
        "from p.one import f",
        "import p.one",
        "from p import one",
        "def late():\n    from p.one import f",
        "class C:\n    def late(self):\n        if self:\n            import p.one",
    ],
)
def test_circles_are_seen_wherever_the_import_stands(second: str) -> None:
    found = circle(imports({"p": "", "p.one": "from p.two import g", "p.two": second}))
    assert set(found) == {"p.one", "p.two"}


def test_a_package_and_its_own_module_are_a_circle() -> None:
    assert circle(imports({"p": "from p.one import f", "p.one": "from p import f"}))


def test_imports_for_type_checkers_are_none() -> None:
    second = "if TYPE_CHECKING:\n    from p.one import f"
    assert not circle(imports({"p": "", "p.one": "from p.two import g", "p.two": second}))
