"""Limits of a scan as tables: CSV, LaTeX for each quantity, HEPData."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from darkstats.publication.latex import table, tex_number, tex_text
from darkstats.report.hepdata import submission, submission_texts
from darkstats.report.methods import method_name
from darkstats.report.numbers import level_words
from darkstats.report.scan_exports import scan_csv
from darkstats.report.scan_table import too_wide_words
from darkstats.signals.constants import NARROW

if TYPE_CHECKING:
    from darkstats.report.scan_table import Limits, ScanTable
    from darkstats.workspace.json_values import JsonObject

__all__ = ["limit_files"]

#: Beside limits at which the boson is too wide.
_MARK = r"$^{\dagger}$"
_BAND = (r"$-2\sigma$", r"$-1\sigma$", "median", r"$+1\sigma$", r"$+2\sigma$")


def limit_files(
    scan: ScanTable, notes: Mapping[str, str], resources: Sequence[JsonObject] = ()
) -> dict[str, str]:
    """Return tables of a scan by the name of the file.

    Parameters
    ----------
    scan
        The limits.
    notes
        What the conversion to a coupling rests on, by key of the quantity.
    resources
        What the submission carries beside its tables.
    """
    found = {"limits.csv": scan_csv(scan)}
    for key, limits in scan.limits.items():
        if limits.exists:
            name = "".join(letter if letter.isalnum() else "_" for letter in key.lower())
            found[f"limits_{name}.tex"] = _latex(scan, limits, notes.get(key, ""))
    documents = submission_texts(submission(scan, notes=notes, resources=resources))
    return found | {f"hepdata/{name}": text for name, text in documents.items()}


def _latex(scan: ScanTable, limits: Limits, note: str) -> str:
    unit = f" [{limits.unit}]" if limits.unit else ""
    comments = [
        scan.title or scan.name,
        f"Upper limits on {limits.symbol}{unit} at {level_words(scan.method, scan.cl)}: "
        f"{method_name(scan.method).text}, {scan.calculator}.",
        f"Data: {scan.data or ('simulated' if scan.simulated else 'not stated')}.",
    ]
    if scan.prior:
        comments.append(f"Prior: {scan.prior}.")
    if note:
        comments.append(f"Conversion: {note}.")
    if scan.failed.any():
        comments.append(f"{int(scan.failed.sum())} hypotheses have no certified result: --.")
    if limits.low_counts is not None:
        comments.append(
            f"{limits.n_low_counts} hypotheses have an asymptotic limit below that of no event; "
            "limits.csv has what holds there."
        )
    axes = [
        tex_text(axis.title or axis.name) + (f" [{tex_text(axis.unit)}]" if axis.unit else "")
        for axis in scan.axis_words
    ]
    head = [*axes, *map(tex_text, scan.tags), "observed", *_BAND]
    wide = limits.too_wide
    if wide.any():
        comments.append(f"Width: {too_wide_words(limits)}.")
    rows = []
    for k in range(len(scan.points)):
        values = [f"${value:.6g}$" for value in scan.coordinates[k]]
        tags = [_tag(column[k]) for column in scan.tags.values()]
        band = (limits.observed[k], *limits.expected[:, k])
        cells = [tex_number(float(value)) for value in band]
        if wide[k]:
            cells = [cell if cell == tex_number(None) else f"{cell}{_MARK}" for cell in cells]
        rows.append([*values, *tags, *cells])
    foot = f"{_MARK} Width above {NARROW:g} of the mass: the coupling does not hold."
    return table(head, rows, left=0, comments=comments, foot=foot if wide.any() else "")


def _tag(value: float | str) -> str:
    return tex_text(value) if isinstance(value, str) else f"${value:g}$"
