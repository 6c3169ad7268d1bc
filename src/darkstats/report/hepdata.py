"""A scan as a HEPData submission: ``submission.yaml`` and one YAML file for each table.

The format is that of the HEPData submission documents, schema 1.1.1: a table has independent
variables (masses) and dependent variables (limits) with qualifiers; a missing value is ``-``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from darkstats.errors import OptionError, OutputError
from darkstats.report.writing import write_text

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.report.scan_table import Limits, ScanTable

__all__ = ["submission", "write_submission"]

Document = dict[str, Any]

_DIGITS = 6
_LONGEST_NAME = 64
_METHODS = MappingProxyType(
    {
        "cls": "CLs",
        "clsb": "CLs+b",
        "pcl": "power-constrained CLs+b",
        "fc": "Feldman-Cousins",
        "bayes": "Bayesian",
    }
)


def _number(value: float) -> float | str:
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else "-"


def _masses(table: ScanTable) -> list[Document]:
    return [
        {
            "header": {"name": axis.removesuffix("_gev"), "units": "GeV"},
            "values": [{"value": _number(mass)} for mass in table.masses_gev[:, k].tolist()],
        }
        for k, axis in enumerate(table.axes)
    ]


def _tags(table: ScanTable) -> list[Document]:
    return [
        {"header": {"name": label}, "values": [{"value": _number(value)} for value in values]}
        for label, values in table.tags.items()
    ]


def _qualifiers(table: ScanTable, sqrt_s_gev: float | None, *, limits: bool) -> list[Document]:
    found: list[Document] = []
    if sqrt_s_gev is not None:
        found.append({"name": "SQRT(S)", "units": "GeV", "value": _number(sqrt_s_gev)})
    if table.luminosity_ipb is not None:
        found.append({"name": "LUMINOSITY", "units": "pb^-1", "value": table.luminosity_ipb})
    if limits:
        name = "CREDIBILITY" if table.method == "bayes" else "CL"
        found.append({"name": name, "units": "%", "value": _number(100.0 * table.cl)})
        method = _METHODS.get(table.method, table.method)
        found.append({"name": "METHOD", "value": f"{method}, {table.calculator}"})
        if table.prior:
            found.append({"name": "PRIOR", "value": table.prior})
    data = "simulated" if table.simulated else table.data or "not stated"
    found.append({"name": "DATA", "value": data})
    return found


def _band(limits: Limits) -> list[Document]:
    """Median expected limits with their band as labelled errors."""
    rows = []
    for low2, low1, median, high1, high2 in limits.expected.T.tolist():
        row: Document = {"value": _number(median)}
        errors = [
            {"asymerror": {"minus": _number(low - median), "plus": _number(high - median)},
             "label": f"{n} s.d."}
            for n, low, high in ((1, low1, high1), (2, low2, high2))
            if math.isfinite(low) and math.isfinite(high) and math.isfinite(median) and high > low
        ]  # fmt: skip
        rows.append(row | ({"errors": errors} if errors else {}))
    return rows


def _values(values: FloatArray) -> list[Document]:
    return [{"value": _number(value)} for value in values.tolist()]


def _limit_table(table: ScanTable, limits: Limits, sqrt_s_gev: float | None) -> Document:
    units: Document = {} if limits.unit is None else {"units": limits.unit}
    dependent: list[Document] = [
        {
            "header": {"name": f"{kind} upper limit on {limits.symbol}", **units},
            "qualifiers": _qualifiers(table, sqrt_s_gev, limits=True),
            "values": values,
        }
        for kind, values in (("Observed", _values(limits.observed)), ("Expected", _band(limits)))
    ]
    return {
        "independent_variables": [*_masses(table), *_tags(table)],
        "dependent_variables": dependent,
    }


def _p_table(table: ScanTable, sqrt_s_gev: float | None) -> Document:
    columns = (
        ("Local p-value", table.p0),
        ("Local significance", table.significance),
        ("Fitted signal strength", table.mu_hat),
    )
    return {
        "independent_variables": [*_masses(table), *_tags(table)],
        "dependent_variables": [
            {
                "header": {"name": name},
                "qualifiers": _qualifiers(table, sqrt_s_gev, limits=False),
                "values": _values(values),
            }
            for name, values in columns
        ],
    }


def _described(name: str, file: str, words: str, sqrt_s_gev: float | None) -> Document:
    phrase = "upper limit" if file.startswith("limits") else "local p-value"
    keywords: list[Document] = [{"name": "phrases", "values": [phrase]}]
    if file == "limits_cross_section.yaml":
        keywords.append({"name": "observables", "values": ["SIG"]})
    if sqrt_s_gev is not None:
        keywords.append({"name": "cmenergies", "values": [_number(sqrt_s_gev)]})
    return {"name": name, "description": words, "keywords": keywords, "data_file": file}


def submission(
    table: ScanTable, *, sqrt_s_gev: float | None = None, notes: Mapping[str, str] | None = None
) -> dict[str, list[Document]]:
    """Return the documents of a submission, by file name.

    Parameters
    ----------
    table
        A scan.
    sqrt_s_gev
        Energy in the centre of mass.
    notes
        What the conversion to a coupling rests on, by key of the quantity.

    Returns
    -------
    dict
        ``"submission.yaml"``, and a file for each quantity but the signal strength and for the
        local p-values.
    """
    kind = "Simulated. " if table.simulated else ""
    failed = int(table.failed.sum())
    missing = f" {failed} of {len(table.points)} hypotheses have no certified result: '-'."
    files: dict[str, list[Document]] = {}
    listed: list[Document] = [{"comment": f"{kind}{table.title or table.name}."}]
    for key, limits in table.limits.items():
        if key == "signal_strength":
            continue
        file = f"limits_{re.sub('[^a-z0-9_]', '_', key.lower())}.yaml"
        note = f" Conversion: {notes[key]}." if notes and key in notes else ""
        words = (
            f"{kind}Observed and expected upper limits on {limits.symbol}; errors of the expected "
            f"ones are the 1 and 2 s.d. bands.{note}{missing if failed else ''}"
        )
        listed.append(_described(f"limits {key}"[:_LONGEST_NAME], file, words, sqrt_s_gev))
        files[file] = [_limit_table(table, limits, sqrt_s_gev)]
    words = f"{kind}Local p-values of the background-only hypothesis.{missing if failed else ''}"
    listed.append(_described("local p-values", "p_values.yaml", words, sqrt_s_gev))
    files["p_values.yaml"] = [_p_table(table, sqrt_s_gev)]
    return {"submission.yaml": listed, **files}


def write_submission(documents: Mapping[str, list[Document]], folder: Path) -> None:
    """Write a submission into a folder of its own, ``submission.yaml`` last.

    Raises
    ------
    OptionError
        The folder cannot be made or written, or holds other files.
    """
    import yaml

    try:
        folder.mkdir(exist_ok=True)
        others = sorted(path.name for path in folder.iterdir() if path.name not in documents)
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}") from error
    if others:
        raise OptionError(
            f"{folder} holds other files ({', '.join(others[:3])}): name an empty folder"
        )
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    for name in sorted(documents, key=lambda name: name == "submission.yaml"):
        text = yaml.dump_all(
            documents[name], Dumper=dumper, sort_keys=False, allow_unicode=True, width=100,
        )  # fmt: skip
        write_text(folder / name, text)
