"""The lowest of several fits is taken by ``BatchFit.lowest`` and nowhere else.

Failures are not numbers there. Wherever else a minimum, an order or a spread is taken over the
values of a batch, or an infinity is put in the place of a failure, failed fits can agree.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ORDERING = {
    "argmax", "argmin", "argpartition", "argsort", "max", "min", "nanargmax", "nanargmin", "nanmax",
    "nanmin", "partition", "ptp", "sort",
}  # fmt: skip


def _mentions(node: ast.AST, name: str) -> bool:
    return any(isinstance(n, ast.Attribute) and n.attr == name for n in ast.walk(node))


def offences(source: str) -> Iterator[tuple[int, str]]:
    """Lines that order values of a batch, or give failed lanes a value."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        what = [*node.args, node.func.value]
        values = any(_mentions(part, name) for part in what for name in ("twice_nll", "limiting"))
        if node.func.attr in ORDERING and values:
            yield node.lineno, f"{node.func.attr} of values of fits"
        chosen = node.func.attr == "where" and any(
            _mentions(part, "converged") for part in node.args[:1]
        )
        if chosen and any(_mentions(part, "inf") for part in node.args[1:]):
            yield node.lineno, "an infinity in the place of a failure"


def test_minima_are_taken_in_one_place(repository: Path) -> None:
    found = [
        f"{path.relative_to(repository)}:{line}: {what}"
        for path in sorted((repository / "src").rglob("*.py"))
        for line, what in offences(path.read_text("utf-8"))
    ]
    assert not found, "use BatchFit.lowest: " + "; ".join(found)


@pytest.mark.parametrize(
    "source",
    [
        "values = np.where(batch.converged, batch.twice_nll, np.inf)",
        "lowest = found.twice_nll.min()",
        "best = int(np.argmin(found.twice_nll))",
        "apart = np.ptp(batch.twice_nll) > 1e-6",
        "order = np.argsort(batch.twice_nll[part], kind='stable')",
    ],
)
def test_what_was_written_before_is_seen(source: str) -> None:
    assert len(list(offences(source))) == 1


def test_numbers_of_single_fits_may_be_compared() -> None:
    """One certified result has a value; so has a lane, NaN where it failed."""
    allowed = """
statistic = max(best.twice_nll, 0.0)
values = np.maximum(batch.twice_nll, 0.0)
best = np.where(free.converged, free.parameters[:, poi], 0.0)
"""
    assert not list(offences(allowed))
