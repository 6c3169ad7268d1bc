"""Tables of smaller likelihoods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from darkstats.report.numbers import number, percent
from darkstats.report.simplify_records import CARRIED
from darkstats.report.tables import grid, sheet, subtitle_of

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from darkstats.inference.pruning import Pruned
    from darkstats.inference.simplified import LimitComparison, SimplifiedLikelihood
    from darkstats.report.provenance import Inputs

__all__ = ["comparison_table", "pruned_sheet", "simplify_sheet"]

_SHOWN = 20
_COLUMNS = ("observed", "−2σ", "−1σ", "median", "+1σ", "+2σ")


def comparison_table(comparison: LimitComparison, first: str, second: str) -> Table:
    """Two limits under each other, with the changes."""
    one, two = comparison.first, comparison.second
    rows = [
        [first, *(number(value) for value in (one.observed, *one.expected))],
        [second, *(number(value) for value in (two.observed, *two.expected))],
        ["change", *(_change(change) for change in comparison.changes)],
    ]
    return grid([f"limit on {one.poi}, {percent(one.cl)} CL", *_COLUMNS], rows)


def _change(change: float | None) -> str:
    if change is None:
        return number(None)
    return f"{100.0 * change + 0.0:+.2f} %".replace("-0.00", "+0.00").replace("-", "−")


def simplify_sheet(
    found: SimplifiedLikelihood, fidelity: LimitComparison, inputs: Inputs
) -> RenderableType:
    """What a simplified likelihood holds, and what it changes."""
    ratio = fidelity.second_seconds / fidelity.first_seconds
    notes = [
        (
            "parameters",
            f"{found.parameters_before} → {found.parameters_after}: the signal strength, "
            f"{found.eigen} eigen-nuisance(s) and {found.free} free direction(s) of the "
            f"background, {found.bin_errors} error(s) of single bins, {found.signal_only} further "
            "one(s) of the signal",
        ),
        ("channels", ", ".join(found.kept)),
    ]
    if found.left_out:
        notes.append(("in the covariance", ", ".join(found.left_out)))
    notes += [
        ("carried", CARRIED[found.response]),
        (
            "time of a limit",
            f"{1e3 * fidelity.first_seconds:.3g} ms → {1e3 * fidelity.second_seconds:.3g} ms, "
            f"{number(ratio, 3)} of the full one",
        ),
        ("digest", f"sha256 {found.workspace.digest}"),
    ]
    return sheet(
        f"Simplified likelihood, {found.response} response",
        subtitle=subtitle_of(inputs),
        tables=[comparison_table(fidelity, "full", "simplified")],
        notes=notes,
        warnings=found.warnings,
    )


def pruned_sheet(found: Pruned, inputs: Inputs) -> RenderableType:
    """What a threshold took away, and what that changes."""
    names = ", ".join(name for name, _ in found.dropped[:_SHOWN])
    if len(found.dropped) > _SHOWN:
        names += f", and {len(found.dropped) - _SHOWN} more"
    return sheet(
        f"Pruned: limits change by no more than {percent(found.threshold)}",
        subtitle=subtitle_of(inputs),
        tables=[comparison_table(found.change, "full", "pruned")],
        notes=[
            ("dropped", f"{len(found.dropped)} modifier(s): {names}"),
            ("parameters", f"{found.parameters_before} → {found.parameters_after}"),
            ("digest", f"sha256 {found.workspace.digest}"),
        ],
        warnings=[str(one).removeprefix("warning ") for one in found.workspace.warnings],
    )
