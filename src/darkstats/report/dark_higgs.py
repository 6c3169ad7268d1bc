"""Dark Higgsstrahlung read as mixing, as a record (``darkstats.dark-higgs/1``), CSV and table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from darkstats.report.numbers import level_words, number
from darkstats.report.provenance import made_by
from darkstats.report.records import SCHEMAS
from darkstats.report.writing import csv_text, plain

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.reinterpret.dark_higgs import DarkHiggsPoint
    from darkstats.report.scan_table import ScanTable

__all__ = ["DarkHiggs", "dark_higgs_columns", "dark_higgs_csv", "dark_higgs_record",
           "dark_higgs_sheet"]  # fmt: skip

_ROWS = 24


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DarkHiggs:
    """A plane of dark Higgsstrahlung read as mixing of h' with the Higgs boson.

    Parameters
    ----------
    table, sha256
        The scan, and digest of its file.
    curve
        Which limit was read: ``"observed"`` or ``"median"``.
    points
        In the order of the scan.
    far_mm, product
        Distance beyond which nothing is seen, and eps^2 alpha_D whose mixing is limited.
    decays
        Where the widths of h' come from, in words.
    regimes
        What h' decays to, in words by name.
    """

    table: ScanTable
    sha256: str
    curve: str
    points: tuple[DarkHiggsPoint, ...] = field(repr=False)
    far_mm: float
    product: float | None
    decays: str
    regimes: dict[str, str]

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What it rests on."""
        return (
            f"what decays beyond {self.far_mm:g} mm along its flight, in the centre of mass, is "
            "not seen, and what decays before it is no signal",
            "h' decays by mixing with the Higgs boson, with couplings times sin(theta)",
            "decays through two virtual A' are left out",
        )


def _point(one: DarkHiggsPoint) -> dict[str, Any]:
    return {
        "m_dark_photon_gev": one.dark_photon_gev,
        "m_dark_higgs_gev": one.dark_higgs_gev,
        "limit": one.limit,
        "regime": one.regime,
        "holds_to": one.holds_to,
        "excluded_to": one.excluded_to,
        "reason": one.reason,
        "excluded_to_reason": one.excluded_reason,
    }


def dark_higgs_columns(found: DarkHiggs) -> dict[str, list[Any]]:
    """One row for each hypothesis."""
    records = [_point(one) for one in found.points]
    return {key: [record[key] for record in records] for key in records[0]}


def dark_higgs_csv(found: DarkHiggs) -> str:
    """CSV text; comment lines before the names say what it is."""
    table = found.table
    facts = [
        f"{table.title}: {found.curve} limit on eps^2 alpha_D at "
        f"{level_words(table.method, table.cl)} read as mixing sin(theta) of h'",
        f"decays of h': {found.decays}",
        *(f"assumed: {words}" for words in found.assumptions),
    ]
    return "".join(f"# {line}\n" for line in facts) + csv_text(dark_higgs_columns(found))


def dark_higgs_record(found: DarkHiggs, command: str | None) -> dict[str, Any]:
    """Record (``darkstats.dark-higgs/1``)."""
    table = found.table
    record = {
        "schema": SCHEMAS["dark-higgs"],
        "cl": table.cl,
        "method": table.method,
        "simulated": table.simulated,
        "limit": {"source": table.source, "sha256": found.sha256, "curve": found.curve},
        "far_mm": found.far_mm,
        "product": found.product,
        "decays": found.decays,
        "regimes": [
            {"name": name, "words": words, "hypotheses": _count(found, name)}
            for name, words in found.regimes.items()
        ],
        "assumptions": list(found.assumptions),
        "points": [_point(one) for one in found.points],
        "provenance": made_by(command),
    }
    for key, reason in (("product", "not asked for"), ("simulated", "the scan does not say")):
        if record[key] is None:
            record[f"{key}_reason"] = reason
    result: dict[str, Any] = plain(record)
    return result


def _count(found: DarkHiggs, regime: str) -> int:
    return sum(one.regime == regime for one in found.points)


def dark_higgs_sheet(found: DarkHiggs) -> RenderableType:
    """Mixing up to which the limits hold, and up to which a product is excluded."""
    from darkstats.report.tables import grid, sheet

    table = found.table
    step = max(1, -(-len(found.points) // _ROWS))
    head = ["m_A' [GeV]", "m_h' [GeV]", "eps^2 alpha_D <", "holds to sin(theta)", "excluded to"]
    rows = [
        [f"{one.dark_photon_gev:.4g}", f"{one.dark_higgs_gev:.4g}", number(one.limit, 3),
         number(one.holds_to, 3), number(one.excluded_to, 3)]
        for one in found.points[::step]
    ]  # fmt: skip
    if found.product is None:
        head, rows = head[:-1], [row[:-1] for row in rows]
    notes = [(name, f"{_count(found, name)} hypotheses, {words}") for name, words in
             found.regimes.items()]  # fmt: skip
    if found.product is not None:
        n = sum(one.excluded_to is not None for one in found.points)
        notes.append(("excluded", f"eps^2 alpha_D = {found.product:g} at smaller mixing, at {n} "
                      "hypotheses"))  # fmt: skip
    notes.append(("decays of h'", found.decays))
    notes += [("assumed", words) for words in found.assumptions]
    reasons: dict[str, int] = {}
    for one in found.points:
        if one.reason is not None:
            reasons[one.reason] = reasons.get(one.reason, 0) + 1
    kind = "simulated data · " if table.simulated else ""
    return sheet(
        f"Dark Higgsstrahlung read as mixing of h' with the Higgs boson, "
        f"{level_words(table.method, table.cl)}",
        subtitle=f"{kind}{found.curve} limits · {table.source}", tables=[grid(head, rows, left=2)],
        notes=notes, warnings=[f"{n} hypotheses: {words}" for words, n in reasons.items()][:5],
    )  # fmt: skip
