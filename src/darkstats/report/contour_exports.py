"""Exclusion contours as a record (``darkstats.contour/1``), as CSV and as a HEPData submission."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from darkstats.report.hepdata import Document, comment, data_value, described, number_of, qualifiers
from darkstats.report.numbers import level_words
from darkstats.report.records import SCHEMAS
from darkstats.report.writing import csv_text, plain

if TYPE_CHECKING:
    from darkstats.report.contour_results import Contours, Curve
    from darkstats.report.scan_table import Collision
    from darkstats.scan.contours import Piece

__all__ = [
    "contour_columns",
    "contour_csv",
    "contour_facts",
    "contour_record",
    "contour_submission",
    "piece_words",
]

Record = dict[str, Any]

_ASCII = {"−2σ": "-2 s.d.", "−1σ": "-1 s.d.", "+1σ": "+1 s.d.", "+2σ": "+2 s.d."}


def piece_words(contours: Contours, piece: Piece) -> str:
    """How a piece begins and ends, in words."""
    if piece.ends is None:
        where = "inside" if piece.area > 0.0 else "outside"
        return f"closed, excluded {where}"
    ends = [" and ".join(_names(contours, end)) for end in piece.ends]
    return f"open: begins on the edge of the grid between {ends[0]}, ends between {ends[1]}"


def _names(contours: Contours, end: tuple[int, int]) -> list[str]:
    return [contours.points[k].name for k in end]


def _piece(contours: Contours, piece: Piece) -> Record:
    x, y = piece.vertices.T.tolist()
    found: Record = {"closed": piece.closed, "x": x, "y": y}
    if piece.ends is None:
        found["excluded"] = "inside" if piece.area > 0.0 else "outside"
        found |= {"ends": None, "ends_reason": "it runs into itself"}
    else:
        found |= {"excluded": "left"}
        found["ends"] = [_names(contours, end) for end in piece.ends]
    return found


def contour_record(contours: Contours) -> Record:
    """Record of contours: the same bytes for the same scans, in whatever order their points are."""
    table = contours.table
    found = {
        "schema": SCHEMAS["contour"],
        "title": contours.title,
        "simulated": contours.simulated,
        "method": table.method,
        "cl": table.cl,
        "calculator": table.calculator,
        "prior": table.prior,
        "quantity": contours.quantity,
        "level": contours.level,
        "definition": contours.definition,
        "interpolation": contours.interpolation,
        "choice": contours.choice,
        "axes": [
            {"label": axis.words.label, "title": axis.words.title, "unit": axis.words.unit}
            for axis in contours.axes
        ],
        "where": [one.text for one in contours.where],
        "ignored": list(contours.ignored),
        "scans": [
            {
                "name": region.name,
                "source": region.table.source,
                "title": region.table.title,
                "hypotheses": len(region.table.points),
                "in_plane": region.in_plane,
                "chosen": region.chosen,
                "inputs_sha256": region.inputs_sha256,
            }
            for region in contours.regions
        ],
        "points": [
            {
                "name": point.name,
                "values": dict(point.values),
                "x": point.place[0],
                "y": point.place[1],
                "scan": contours.regions[point.region].name,
                "observed": point.observed,
                "expected": list(point.expected),
            }
            for point in contours.points
        ],
        "left_out": [
            {"name": one.name, "scan": one.region, "reason": one.reason}
            for one in contours.left_out
        ],
        "undecided": [
            {"name": one.name, "scan": one.region, "reason": one.reason}
            for one in contours.undecided
        ],
        "in_other_planes": contours.elsewhere,
        "not_in_all_scans": list(contours.incomplete),
        "triangles": contours.grid.triangles.tolist(),
        "edge_of_the_grid": [
            [contours.points[k].name for k in edge] for edge in contours.grid.edge_of_the_grid
        ],
        "contours": [_curve(contours, curve) for curve in contours.curves],
        "warnings": list(contours.warnings),
    }
    for key, reason in (
        ("simulated", "a scan does not say"),
        ("prior", "a frequentist method has no prior"),
        ("choice", "there is one scan"),
    ):
        if found[key] is None:
            found[f"{key}_reason"] = reason
    record: Record = plain(found)
    return record


def _curve(contours: Contours, curve: Curve) -> Record:
    found: Record = {
        "curve": curve.key,
        "excluded": curve.excluded,
        "pieces": [_piece(contours, piece) for piece in curve.pieces],
    }
    if curve.excluded is None:
        found["excluded_reason"] = curve.reason
    if curve.reason is not None:
        found["pieces_reason"] = curve.reason
    return found


def contour_facts(contours: Contours) -> list[str]:
    """What a reader of numbers has to know, a line each."""
    table = contours.table
    facts = [
        contours.title,
        "data: " + "; ".join(
            dict.fromkeys(
                one.table.data or ("simulated" if one.table.simulated else "not stated")
                for one in contours.regions
            )
        ),
        f"{contours.definition}; {table.method}, {table.calculator}",
        f"interpolated: {contours.interpolation}",
    ]  # fmt: skip
    if contours.choice is not None:
        facts.append(f"numbers of: {contours.choice}")
    if contours.where:
        facts.append(f"where {', '.join(one.text for one in contours.where)}")
    facts += [f"left out: {one.name} ({one.region}): {one.reason}" for one in contours.left_out]
    if contours.incomplete:
        facts.append(f"not in all scans: {', '.join(contours.incomplete)}")
    facts += [f"passed over: {o.region} at {o.name}: {o.reason}" for o in contours.undecided]
    facts += [f"{curve.key}: {curve.reason}" for curve in contours.curves if curve.reason]
    facts += [f"warning: {words}" for words in contours.warnings]
    return facts


def contour_columns(contours: Contours) -> dict[str, list[Any]]:
    """Columns of the vertices of all contours, one row each, in the order in which they run.

    ``closed`` says whether a piece runs into itself; where it does not, its first and last vertex
    lie on the edge of the grid, as ``edge`` says. Values that are excluded lie on the left.
    """
    x, y = (axis.column for axis in contours.axes)
    columns: dict[str, list[Any]] = {
        "curve": [],
        "piece": [],
        "closed": [],
        "edge": [],
        x: [],
        y: [],
    }
    for curve in contours.curves:
        for k, piece in enumerate(curve.pieces, 1):
            last = len(piece.vertices) - 1
            for n, (first, second) in enumerate(piece.vertices.tolist()):
                on_edge = not piece.closed and n in {0, last}
                row = (curve.key, k, "yes" if piece.closed else "no", "yes" if on_edge else "no",
                       first, second)  # fmt: skip
                for column, value in zip(columns.values(), row, strict=True):
                    column.append(value)
    return columns


def contour_csv(contours: Contours) -> str:
    """Return contours as CSV text; comment lines before the names say what they are."""
    lines = [re.sub(r"\s+", " ", fact) for fact in contour_facts(contours)]
    return "".join(f"# {line}\n" for line in lines) + csv_text(contour_columns(contours))


def _variable(contours: Contours, k: int, values: list[float]) -> Document:
    axis = contours.axes[k].words
    header = {"name": axis.name} | ({"units": axis.unit} if axis.unit else {})
    return {"header": header, "values": [{"value": number_of(value)} for value in values]}


def contour_submission(contours: Contours, collision: Collision) -> dict[str, list[Document]]:
    """Return the documents of a HEPData submission, by file name.

    Parameters
    ----------
    contours
        Contours of one or several scans.
    collision
        What collided; what is not known is left out.

    Returns
    -------
    dict
        ``"submission.yaml"``, a file for each piece of each contour, and one for the hypotheses
        that they are made from.
    """
    said = _qualifiers(contours, collision)
    kind = "Simulated. " if contours.simulated else ""
    level = level_words(contours.table.method, contours.table.cl)
    where = f" Where {', '.join(one.text for one in contours.where)}." if contours.where else ""
    choice = f" Numbers of {contours.choice}." if contours.choice else ""
    ground = f"{contours.interpolation[0].upper()}{contours.interpolation[1:]}.{choice}{where}"
    none = "".join(f" {curve.key}: {curve.reason}." for curve in contours.curves if curve.reason)
    listed = [comment(f"{kind}{contours.title}.{none}", collision)]
    files: dict[str, list[Document]] = {}
    for curve in contours.curves:
        for k, piece in enumerate(curve.pieces, 1):
            file = f"contour_{curve.key}_{k}.yaml"
            x, y = piece.vertices.T.tolist()
            if piece.closed:  # a table has no other way to say that a line runs into itself
                x, y = [*x, x[0]], [*y, y[0]]
            files[file] = [
                {
                    "independent_variables": [_variable(contours, 0, x)],
                    "dependent_variables": [_variable(contours, 1, y) | {"qualifiers": said}],
                }
            ]
            words = (
                f"{kind}{_curve_words(curve)} exclusion contour at {level}, piece {k} of "
                f"{len(curve.pieces)}; {piece_words(contours, piece)}. {ground}"
            )
            name = f"contour {curve.key} {k}"
            listed.append(described(name, file, words, collision, phrase="exclusion"))
    lost = f" Left out: {', '.join(one.name for one in contours.left_out)}."
    words = f"{kind}What the contours are made from.{choice}{where}"
    if contours.left_out:
        words += lost
    if contours.incomplete:
        words += f" Not in all scans: {', '.join(contours.incomplete)}."
    if contours.undecided:
        names = ", ".join(f"{one.region} at {one.name}" for one in contours.undecided)
        words += f" Without a number, and passed over: {names}."
    listed.append(
        described("hypotheses", "hypotheses.yaml", words,
                  collision, phrase="exclusion")
    )  # fmt: skip
    files["hypotheses.yaml"] = [_hypotheses(contours, said)]
    return {"submission.yaml": listed, **files}


def _curve_words(curve: Curve) -> str:
    words = curve.words
    for sign, text in _ASCII.items():
        words = words.replace(sign, text)
    return words[0].upper() + words[1:]


def _qualifiers(contours: Contours, collision: Collision) -> list[Document]:
    """Qualifiers of the first scan, without a luminosity or a word on data that others have not."""
    tables = [one.table for one in contours.regions]
    found = qualifiers(contours.table, collision, limits=True)
    if len({one.luminosity_ipb for one in tables}) > 1:
        found = [one for one in found if one["name"] != "LUMINOSITY"]
    data = dict.fromkeys(data_value(one) for one in tables)
    found = [one for one in found if one["name"] != "DATA"]
    return [*found, {"name": "DATA", "value": "; ".join(data)}]


def _hypotheses(contours: Contours, said: list[Document]) -> Document:
    what = "Upper limit on mu" if contours.quantity == "mu" else "CLs"
    names = ("observed", "expected -2 s.d.", "expected -1 s.d.", "expected median",
             "expected +1 s.d.", "expected +2 s.d.")  # fmt: skip
    rows = [(point.observed, *point.expected) for point in contours.points]
    dependent: list[Document] = [
        {
            "header": {"name": f"{what}, {name}"},
            "qualifiers": said,
            "values": [{"value": number_of(row[k] or float("nan"))} for row in rows],
        }
        for k, name in enumerate(names)
        if rows[0][k] is not None
    ]
    if len(contours.regions) > 1:
        dependent.append(
            {
                "header": {"name": "Scan"},
                "qualifiers": said,
                "values": [{"value": contours.regions[p.region].name} for p in contours.points],
            }
        )
    return {
        "independent_variables": [
            _variable(contours, k, [point.place[k] for point in contours.points]) for k in (0, 1)
        ],
        "dependent_variables": dependent,
    }
