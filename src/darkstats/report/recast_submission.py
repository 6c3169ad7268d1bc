"""A recast limit as a HEPData submission: one table for each curve, one row for each interval."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from darkstats.report.hepdata import Document, comment, described, number_of

if TYPE_CHECKING:
    from darkstats.reinterpret.recasts import RecastPoint
    from darkstats.report.recasts import Recast
    from darkstats.report.scan_table import Collision

__all__ = ["recast_submission"]

_CURVES = {
    "observed": "Observed", "minus2": "Expected -2 s.d.", "minus1": "Expected -1 s.d.",
    "median": "Expected median", "plus1": "Expected +1 s.d.", "plus2": "Expected +2 s.d.",
}  # fmt: skip


def recast_submission(found: Recast, collision: Collision) -> dict[str, list[Document]]:
    """Return the documents of a HEPData submission, by file name.

    A mass without an exclusion has one row without numbers. An end that is where a table ends, or a
    coupling beyond which nothing was looked at, is no end of the exclusion: its reason stands in
    the row.

    Parameters
    ----------
    found
        A recast.
    collision
        What collided; what is not known is left out.

    Returns
    -------
    dict
        ``"submission.yaml"``, and a file for each curve.
    """
    said = _qualifiers(found, collision)
    kind = "Simulated. " if found.limit.simulated else ""
    ground = "; ".join(f"{key}: {words}" for key, words in found.search.items())
    assumed = "; ".join(found.assumptions)
    listed = [
        comment(
            f"{kind}{found.title}. The limit: {found.limit.words}. No new data: the exclusion is "
            f"computed from that limit. {ground}. Assumed: {assumed}.",
            collision,
        )
    ]
    files: dict[str, list[Document]] = {}
    for name, points in found.curves.items():
        file = f"recast_{name}.yaml"
        files[file] = [_table(found, points, said)]
        words = (
            f"{kind}{_CURVES[name]}: couplings {found.target.symbol} that are excluded at "
            f"{found.limit.level}, from the lower to the upper end; without an upper end, all that "
            "are larger."
        )
        listed.append(described(f"recast {name}", file, words, collision, phrase="exclusion"))
    return {"submission.yaml": listed, **files}


def _qualifiers(found: Recast, collision: Collision) -> list[Document]:
    """What holds for all values: collision, level, what was recast, data."""
    listed: list[Document] = []
    if collision.reaction is not None:
        listed.append({"name": "RE", "value": collision.reaction})
    if collision.sqrt_s_gev is not None:
        energy = number_of(collision.sqrt_s_gev)
        listed.append({"name": "SQRT(S)", "units": "GeV", "value": energy})
    listed.append({"name": "CL", "units": "%", "value": number_of(100.0 * found.limit.cl)})
    listed.append({"name": "METHOD", "value": f"recast of a limit at {found.limit.level}"})
    listed.append({"name": "LIMIT ON", "value": found.limit.quantity})
    listed.append({"name": "MEDIATOR", "value": found.target.words})
    data = {True: "simulated", False: "measured", None: "not stated"}[found.limit.simulated]
    return [*listed, {"name": "DATA", "value": data}]


def _table(found: Recast, points: tuple[RecastPoint, ...], said: list[Document]) -> Document:
    """One row for each interval, one for a mass that has none."""
    rows = [(point, one) for point in points for one in (point.intervals or (None,))]
    units: Document = {} if found.target.unit is None else {"units": found.target.unit}
    numbers = {
        "Lower end": [None if one is None else one.lower for _, one in rows],
        "Upper end": [None if one is None else one.upper for _, one in rows],
    }
    dependent: list[Document] = [
        {
            "header": {"name": f"{name} of excluded {found.target.symbol}", **units},
            "qualifiers": said,
            "values": [{"value": _number(value)} for value in values],
        }
        for name, values in numbers.items()
    ]
    ctau = [point.ctau_mm for point, _ in rows]
    if any(value is not None for value in ctau):
        dependent.append(
            {
                "header": {"name": "c tau at the lowest excluded coupling", "units": "mm"},
                "qualifiers": said,
                "values": [{"value": _number(value)} for value in ctau],
            }
        )
    remarks = []
    for point, one in rows:
        ends = [] if one is None else [
            f"{end} end: {reason}"
            for end, reason in (("lower", one.lower_reason), ("upper", one.upper_reason))
            if reason
        ]  # fmt: skip
        status = [] if point.intervals else [point.reason or point.status]
        remarks.append("; ".join([*status, *ends]) or "-")
    if any(words != "-" for words in remarks):
        dependent.append(
            {
                "header": {"name": "Remark"},
                "qualifiers": said,
                "values": [{"value": words} for words in remarks],
            }
        )
    masses = [{"value": number_of(point.mass_gev)} for point, _ in rows]
    return {
        "independent_variables": [
            {"header": {"name": f"Mass of {found.target.words}", "units": "GeV"}, "values": masses}
        ],
        "dependent_variables": dependent,
    }


def _number(value: float | None) -> float | str:
    return number_of(math.nan if value is None else value)
