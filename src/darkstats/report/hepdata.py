"""A scan as a HEPData submission: ``submission.yaml`` and one YAML file for each table.

The format is that of the HEPData submission documents, schema 1.1.1: a table has independent
variables (masses) and dependent variables (limits) with qualifiers; a missing value is ``-``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darkstats.errors import OptionError, OutputError
from darkstats.report.methods import method_name
from darkstats.report.scan_table import too_wide_words
from darkstats.report.writing import write_text

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.report.scan_table import Collision, Limits, ScanTable

__all__ = [
    "Document",
    "comment",
    "described",
    "number_of",
    "qualifiers",
    "submission",
    "submission_texts",
    "write_submission",
]

Document = dict[str, Any]

_DIGITS = 6
_LONGEST_NAME = 64


def number_of(value: float) -> float | str:
    """Return a number with as many digits as a submission has; ``-`` where there is none."""
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else "-"


def _axes(table: ScanTable) -> list[Document]:
    return [
        {
            "header": {"name": axis.name} | ({"units": axis.unit} if axis.unit else {}),
            "values": [{"value": number_of(value)} for value in table.coordinates[:, k].tolist()],
        }
        for k, axis in enumerate(table.axis_words)
    ]


def _tags(table: ScanTable) -> list[Document]:
    return [
        {
            "header": {"name": label},
            "values": [
                {"value": value if isinstance(value, str) else number_of(value)} for value in values
            ],
        }
        for label, values in table.tags.items()
    ]


def qualifiers(table: ScanTable, collision: Collision, *, limits: bool) -> list[Document]:
    """What holds for all values of a variable: collision, luminosity, level, method, data."""
    found: list[Document] = []
    if collision.reaction is not None:
        found.append({"name": "RE", "value": collision.reaction})
    if collision.sqrt_s_gev is not None:
        found.append({"name": "SQRT(S)", "units": "GeV", "value": number_of(collision.sqrt_s_gev)})
    if table.luminosity_ipb is not None:
        found.append({"name": "LUMINOSITY", "units": "pb^-1", "value": table.luminosity_ipb})
    if limits:
        name = "CREDIBILITY" if table.method == "bayes" else "CL"
        found.append({"name": name, "units": "%", "value": number_of(100.0 * table.cl)})
        method = method_name(table.method).text
        found.append({"name": "METHOD", "value": f"{method}, {table.calculator}"})
        if table.prior:
            found.append({"name": "PRIOR", "value": table.prior})
    found.append({"name": "DATA", "value": data_value(table)})
    return found


def data_value(table: ScanTable) -> str:
    """Return what the counts are, for a qualifier."""
    if table.is_asimov:
        return table.data_words
    return "simulated" if table.simulated else table.data or "not stated"


def _band(limits: Limits) -> list[Document]:
    """Median expected limits with their band as labelled errors."""
    rows = []
    for low2, low1, median, high1, high2 in limits.expected.T.tolist():
        row: Document = {"value": number_of(median)}
        errors = [
            {"asymerror": {"minus": number_of(low - median), "plus": number_of(high - median)},
             "label": f"{n} s.d."}
            for n, low, high in ((1, low1, high1), (2, low2, high2))
            if math.isfinite(low) and math.isfinite(high) and math.isfinite(median) and high > low
        ]  # fmt: skip
        rows.append(row | ({"errors": errors} if errors else {}))
    return rows


def _values(values: FloatArray) -> list[Document]:
    return [{"value": number_of(value)} for value in values.tolist()]


def _limit_table(table: ScanTable, limits: Limits, collision: Collision) -> Document:
    units: Document = {} if limits.unit is None else {"units": limits.unit}
    observed = f"{table.data_words}:" if table.is_asimov else "Observed"
    dependent: list[Document] = [
        {
            "header": {"name": f"{kind} upper limit on {limits.symbol}", **units},
            "qualifiers": qualifiers(table, collision, limits=True),
            "values": values,
        }
        for kind, values in ((observed, _values(limits.observed)), ("Expected", _band(limits)))
    ]
    if limits.low_counts is not None:
        # the asymptotic limits of these hypotheses lie below that of no event at all
        held = replace(limits, observed=limits.low_counts[0], expected=limits.low_counts[1:])
        dependent += [
            {
                "header": {"name": f"{kind} upper limit on {limits.symbol}, low counts", **units},
                "qualifiers": qualifiers(table, collision, limits=True),
                "values": values,
            }
            for kind, values in ((observed, _values(held.observed)), ("Expected", _band(held)))
        ]
    if limits.width_over_mass is not None:
        dependent.append(
            {
                "header": {"name": f"Least width over mass at the limit on {limits.symbol}"},
                "qualifiers": qualifiers(table, collision, limits=False),
                "values": _values(limits.width_over_mass),
            }
        )
    return {
        "independent_variables": [*_axes(table), *_tags(table)],
        "dependent_variables": dependent,
    }


def _p_table(table: ScanTable, collision: Collision) -> Document:
    columns = (
        ("Local p-value", table.p0),
        ("Local significance", table.significance),
        ("Fitted signal strength", table.mu_hat),
    )
    return {
        "independent_variables": [*_axes(table), *_tags(table)],
        "dependent_variables": [
            {
                "header": {"name": name},
                "qualifiers": qualifiers(table, collision, limits=False),
                "values": _values(values),
            }
            for name, values in columns
        ],
    }


def described(name: str, file: str, words: str, collision: Collision, *, phrase: str) -> Document:
    """Return the entry of a table in ``submission.yaml``; its name is cut where it is too long."""
    name = name[:_LONGEST_NAME]
    keywords: list[Document] = [{"name": "phrases", "values": [phrase]}]
    if file == "limits_cross_section.yaml":
        keywords.append({"name": "observables", "values": ["SIG"]})
    if collision.reaction is not None:
        keywords.append({"name": "reactions", "values": [collision.reaction]})
    if collision.sqrt_s_gev is not None:
        keywords.append({"name": "cmenergies", "values": [number_of(collision.sqrt_s_gev)]})
    return {"name": name, "description": words, "keywords": keywords, "data_file": file}


def comment(words: str, collision: Collision) -> Document:
    """Return the first entry of ``submission.yaml``: what it is, and who collided what."""
    if collision.collaboration is not None:
        words += f" Collaboration: {collision.collaboration}."
    if collision.beams is not None:
        words += f" Beams: {collision.beams}."
    return {"comment": words}


def _quantity(table: ScanTable, limits: Limits) -> str:
    if limits.key != "signal_strength":
        return limits.symbol
    return "the signal strength mu" + (f" ({table.poi_label})" if table.poi_label else "")


def submission(
    table: ScanTable,
    *,
    collision: Collision | None = None,
    notes: Mapping[str, str] | None = None,
    resources: Sequence[Document] = (),
) -> dict[str, list[Document]]:
    """Return the documents of a submission, by file name.

    Parameters
    ----------
    table
        A scan.
    collision
        What collided; by default, what the scan says. What is not known is left out.
    notes
        What the conversion to a coupling rests on, by key of the quantity.
    resources
        ``additional_resources``: location, description, type.

    Returns
    -------
    dict
        ``"submission.yaml"``, and a file for each quantity that has limits and for the local
        p-values.
    """
    collision = table.collision if collision is None else collision
    kind = "Simulated. " if table.simulated else ""
    kind = f"{table.data_words}. " if table.is_asimov else kind
    observed = f"Limits of {table.observed_name}," if table.is_asimov else "Observed"
    failed = int(table.failed.sum())
    missing = f" {failed} of {len(table.points)} hypotheses have no certified result: '-'."
    files: dict[str, list[Document]] = {}
    listed: list[Document] = [comment(f"{kind}{table.title or table.name}.", collision)]
    if resources:
        listed[0]["additional_resources"] = list(resources)
    for key, limits in table.limits.items():
        if not limits.exists:
            continue
        file = f"limits_{re.sub('[^a-z0-9_]', '_', key.lower())}.yaml"
        note = f" Conversion: {notes[key]}." if notes and key in notes else ""
        wide = too_wide_words(limits)
        wide = f" {wide[0].upper()}{wide[1:]}." if wide else ""
        words = (
            f"{kind}{observed} and expected upper limits on {_quantity(table, limits)}; errors of "
            f"the expected ones are the 1 and 2 s.d. bands.{note}{wide}{missing if failed else ''}"
        )
        listed.append(described(f"limits {key}", file, words, collision, phrase="upper limit"))
        files[file] = [_limit_table(table, limits, collision)]
    words = f"{kind}Local p-values of the background-only hypothesis.{missing if failed else ''}"
    listed.append(
        described("local p-values", "p_values.yaml", words, collision, phrase="local p-value")
    )
    files["p_values.yaml"] = [_p_table(table, collision)]
    return {"submission.yaml": listed, **files}


def submission_texts(documents: Mapping[str, list[Document]]) -> dict[str, str]:
    """Return the documents of a submission as YAML, by file name; ``submission.yaml`` last."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return {
        name: yaml.dump_all(
            documents[name], Dumper=dumper, sort_keys=False, allow_unicode=True, width=100
        )
        for name in sorted(documents, key=lambda name: name == "submission.yaml")
    }


def write_submission(documents: Mapping[str, list[Document]], folder: Path) -> None:
    """Write a submission into a folder of its own, ``submission.yaml`` last.

    Raises
    ------
    OptionError
        The folder cannot be made or written, or holds other files.
    """
    try:
        folder.mkdir(exist_ok=True)
        others = sorted(path.name for path in folder.iterdir() if path.name not in documents)
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}") from error
    if others:
        raise OptionError(
            f"{folder} holds other files ({', '.join(others[:3])}): name an empty folder"
        )
    for name, text in submission_texts(documents).items():
        write_text(folder / name, text)
