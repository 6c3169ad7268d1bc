"""Table for a terminal: exclusion contours, what they are made from, and what was left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from darkstats.report.contour_exports import piece_words
from darkstats.report.numbers import number
from darkstats.report.tables import grid, sheet

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.report.contour_results import Contours

__all__ = ["contour_sheet"]

_NAMED = 5


def contour_sheet(contours: Contours, *, left_out: str = "") -> RenderableType:
    """Pieces of each contour, with their ranges; hypotheses, scans, what was left out.

    Parameters
    ----------
    contours
        Contours.
    left_out
        What a HEPData submission does not say; empty for nothing.
    """
    x, y = (axis.words for axis in contours.axes)
    units = [f" [{axis.unit}]" if axis.unit else "" for axis in (x, y)]
    head = ["contour", "piece", "", x.label + units[0], y.label + units[1], "excluded"]
    rows = []
    for curve in contours.curves:
        excluded = "–" if curve.excluded is None else str(curve.excluded)
        if not curve.pieces:
            rows.append([curve.words, "none", curve.reason or "", "–", "–", excluded])
        for k, piece in enumerate(curve.pieces):
            ranges = [
                f"{number(float(v.min()))} – {number(float(v.max()))}" for v in piece.vertices.T
            ]
            kind = piece_words(contours, piece) if piece.closed else "open, ends on edge of grid"
            rows.append([curve.words if k == 0 else "", f"{k + 1} of {len(curve.pieces)}", kind,
                         *ranges, excluded if k == 0 else ""])  # fmt: skip
    notes = [
        ("excluded", contours.definition),
        ("interpolated", contours.interpolation),
        ("hypotheses", f"{len(contours.points)} in the plane"
         + (f" ({', '.join(one.text for one in contours.where)})" if contours.where else "")
         + (f", {contours.elsewhere} elsewhere" if contours.elsewhere else "")),
    ]  # fmt: skip
    if contours.choice is not None:
        notes.append(("numbers of", contours.choice))
        notes += [
            (one.name, f"{one.in_plane} in the plane, strongest expected at {one.chosen}")
            for one in contours.regions
        ]
    if contours.incomplete:
        some = ", ".join(contours.incomplete[:_NAMED])
        more = len(contours.incomplete) - _NAMED
        notes.append(("not in all scans", some + (f" and {more} more" if more > 0 else "")))
    if contours.ignored:
        notes.append(("any value", ", ".join(contours.ignored)))
    if left_out:
        notes.append(("not said", left_out))
    lost = len({one.place for one in contours.left_out})
    warnings = list(contours.warnings)
    warnings += [
        f"left out: {one.name} of {one.region}: {one.reason}" for one in contours.left_out[:_NAMED]
    ]
    if len(contours.left_out) > _NAMED:
        warnings.append(f"{len(contours.left_out) - _NAMED} more were left out: see the record")
    words = ("simulated data" if contours.simulated else "",
             ", ".join(one.table.source for one in contours.regions))  # fmt: skip
    return sheet(
        f"Exclusion contours: {contours.title}",
        subtitle=" · ".join(word for word in words if word),
        first=f"{lost} of {lost + len(contours.points)} hypotheses of the plane are left out"
        if lost else "",
        tables=[grid(head, rows, left=3)], notes=notes, warnings=warnings,
    )  # fmt: skip
