"""A scan as CSV: one row for each hypothesis, all quantities beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from darkstats.report.numbers import level_words
from darkstats.report.scan_table import too_wide_words
from darkstats.report.writing import csv_text

if TYPE_CHECKING:
    from darkstats.report.scan_table import ScanTable

__all__ = ["BAND_NAMES", "hypothesis_columns", "scan_columns", "scan_csv"]

#: Names of the five expected limits, -2 to +2 standard deviations.
BAND_NAMES = ("minus2", "minus1", "median", "plus1", "plus2")


#: Names of columns that no label of a patch set may take.
_TAKEN = frozenset(
    {"hypothesis", "status", "reason", "failed", "observed", "mu_hat", "p0", "significance"}
    | {"signed_significance", "expected_spectrum_significance"}
)


def hypothesis_columns(table: ScanTable) -> dict[str, list[Any]]:
    """Columns of what tells hypotheses apart, by label: coordinates, then tags.

    A label that is the name of another column, such as ``status``, gets ``label_`` before it.
    """
    found: dict[str, list[Any]] = {
        axis: table.coordinates[:, k].tolist() for k, axis in enumerate(table.axes)
    }
    found |= {label: list(values) for label, values in table.tags.items()}
    return {_column_name(label): values for label, values in found.items()}


def _column_name(label: str) -> str:
    taken = label in _TAKEN or label.startswith(("signal_strength_", "expected_", "slice"))
    return f"label_{label}" if taken else label


def scan_columns(table: ScanTable) -> dict[str, list[Any]]:
    """Columns of a scan: hypothesis, masses, status, fitted signal, p-value, limits.

    A value that does not exist is ``nan``, which CSV leaves empty; the reason stands beside a
    hypothesis that failed. Limits carry their unit in the name. Columns that end in ``low_counts``
    have what holds where asymptotic CLs limits lie below that of no event at all; there are none
    where no hypothesis has such limits. Columns that end in ``width_over_mass`` stand beside the
    couplings of which it is known how wide the boson is at the limit.
    """
    columns: dict[str, list[Any]] = {"hypothesis": list(table.points)}
    columns |= hypothesis_columns(table)
    columns["status"] = ["failed" if failed else "ok" for failed in table.failed]
    columns["reason"] = list(table.reasons)
    for name in (
        "mu_hat",
        "p0",
        "significance",
        "signed_significance",
        "expected_spectrum_significance",
    ):
        columns[name] = getattr(table, name).tolist()
    for key, limits in table.limits.items():
        unit = {None: "", "1/GeV": "_per_gev", "1/TeV": "_per_tev"}.get(
            limits.unit, f"_{limits.unit}"
        )
        columns[f"{key}{unit}_observed"] = limits.observed.tolist()
        columns |= {
            f"{key}{unit}_expected_{name}": values.tolist()
            for name, values in zip(BAND_NAMES, limits.expected, strict=True)
        }
        if limits.low_counts is not None:
            names = ("observed", *(f"expected_{name}" for name in BAND_NAMES))
            columns |= {
                f"{key}{unit}_{name}_low_counts": values.tolist()
                for name, values in zip(names, limits.low_counts, strict=True)
            }
        if limits.width_over_mass is not None:
            columns[f"{key}{unit}_width_over_mass"] = limits.width_over_mass.tolist()
    return columns


def scan_csv(table: ScanTable) -> str:
    """Return a scan as CSV text; comment lines before the names say what it is."""
    level = level_words(table.method, table.cl)
    facts = [
        table.title or table.name,
        f"data: {table.data or ('simulated' if table.simulated else 'not stated')}",
        f"upper limits at {level}, {table.method}, {table.calculator}",
    ]
    if table.prior:
        facts.append(f"prior: {table.prior}")
    if table.luminosity_ipb is not None:
        facts.append(f"luminosity: {table.luminosity_ipb:g} / pb")
    facts += [
        f"{key}: {one.conversion.words}"
        for key, one in table.limits.items()
        if one.conversion is not None
    ]
    facts += [
        f"{key}: {too_wide_words(one)}" for key, one in table.limits.items() if one.too_wide.any()
    ]
    head = "".join(f"# {fact}\n" for fact in facts)
    return head + csv_text(scan_columns(table))
