"""Statistics asks a model what it can do, never of which kind it is.

A question that both kinds have to answer belongs into the protocol; see ``darkstats.model.base``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

KINDS = frozenset({"CombinedModel", "HistFactoryModel", "UnbinnedModel"})


def _named(node: ast.AST) -> set[str]:
    names = (n.id if isinstance(n, ast.Name) else n.attr for n in ast.walk(node) if _is_name(n))
    return set(names)


def _is_name(node: ast.AST) -> bool:
    return isinstance(node, (ast.Name, ast.Attribute))


def questions(source: str) -> Iterator[tuple[int, str]]:
    """Lines that ask for the kind of a model, or for a key that only one kind of job has."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 2:
            if node.func.id in {"isinstance", "issubclass"} and _named(node.args[1]) & KINDS:
                yield node.lineno, "asks for the class of a model"
        elif isinstance(node, ast.Compare) and isinstance(node.left, ast.Constant):
            if node.left.value == "hs3" and isinstance(node.ops[0], (ast.In, ast.NotIn)):
                yield node.lineno, "tells jobs apart by a key"
        elif isinstance(node, ast.MatchClass) and _named(node.cls) & KINDS:
            yield node.lineno, "asks for the class of a model"


def test_nobody_asks_for_the_kind_of_a_model(repository: Path) -> None:
    found = [
        f"{path.relative_to(repository)}:{line}: {what}"
        for path in sorted((repository / "src").rglob("*.py"))
        for line, what in questions(path.read_text("utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "if isinstance(model, HistFactoryModel): pass",
        "rows = [m for m in models if not isinstance(m, (HistFactoryModel, Other))]",
        "a = isinstance(fit.model, unbinned.UnbinnedModel)",
        "if 'hs3' in inputs: pass",
        "a = 'hs3' not in source.inputs",
        "match model:\n    case UnbinnedModel(): pass",
    ],
)
def test_what_was_written_before_is_seen(source: str) -> None:
    assert len(list(questions(source))) == 1


def test_other_questions_are_none() -> None:
    allowed = """
if model.in_bins is None: pass
a = isinstance(found, FitResult)
b = "hs3" + name
c = "labels" in record
"""
    assert not list(questions(allowed))
