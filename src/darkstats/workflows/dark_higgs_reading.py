"""Limits of dark Higgsstrahlung as limits on the mixing of h' with the Higgs boson."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from darkstats.errors import DocumentError, OptionError
from darkstats.options import argument, check_choices, option
from darkstats.workflows.outcome import Outcome, Shell
from darkstats.workflows.recast_requests import DecayFiles, IntervalFile

if TYPE_CHECKING:
    from darkstats.report.dark_higgs import DarkHiggs
    from darkstats.report.figures.style import Drawing
    from darkstats.report.scan_table import ScanTable

__all__ = ["DarkHiggsRequest", "dark_higgs"]

_LABELS = (("m_dark_photon_gev", "m_A_gev"), ("m_dark_higgs_gev", "m_h_gev"))
_BENCHMARK = "dark_higgsstrahlung"


@dataclass(frozen=True, slots=True, kw_only=True)
class DarkHiggsRequest:
    """A scan of dark Higgsstrahlung, and how far from the collision nothing is seen."""

    result: Annotated[
        str,
        argument("RESULT", "Record of darkstats scan over the masses of A' and h'.", reads="file"),
    ]
    far_mm: Annotated[
        float,
        option(
            "--escapes-beyond", metavar="MM",
            help="Distance along the flight of h' beyond which its decay is not seen.",
        ),
    ]  # fmt: skip
    product: Annotated[
        float | None,
        option(
            "--product", metavar="NUMBER",
            help="eps^2 alpha_D for which the mixing is limited; it is excluded where it is above "
            "the limit.",
        ),
    ] = None  # fmt: skip
    decays: DecayFiles = ()
    table: IntervalFile = None

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises
        ------
        OptionError
            One is not above zero.
        """
        check_choices(self)
        named = (("--escapes-beyond", self.far_mm), ("--product", self.product))
        for name, value in named:
            if value is not None and not 0.0 < value < math.inf:
                raise OptionError(f"{name} {value:g}: give a finite number above zero")


def _plane(request: DarkHiggsRequest) -> ScanTable:
    from darkstats.report.scan_reading import read_scan
    from darkstats.workflows.plot_subjects import read_record

    table = read_scan(read_record(request.result), source=request.result)
    axes = table.axes
    if len(axes) != 2 or any(a not in known for a, known in zip(axes, _LABELS, strict=True)):
        raise DocumentError(
            f"has the axes {', '.join(axes) or 'none'}", source=request.result,
            remedy="scan over " + " and ".join(known[0] for known in _LABELS),
        )  # fmt: skip
    if _BENCHMARK not in table.couplings:
        raise DocumentError(
            f"has no limit on the coupling {_BENCHMARK}", source=request.result,
            remedy="scan a search of this benchmark",
        )  # fmt: skip
    return table


def dark_higgs(request: DarkHiggsRequest, shell: Shell | None = None) -> Outcome[DarkHiggs]:
    """Read limits on eps^2 alpha_D as limits on the mixing of h' with the Higgs boson.

    Raises
    ------
    DocumentError
        The record is none of such a scan, or a file of decays cannot be used.
    OptionError
        A file cannot be written.
    """
    from darkstats.reinterpret.dark_higgs import REGIMES, read_point
    from darkstats.reinterpret.recast_files import read_decays
    from darkstats.reinterpret.recast_searches import Target
    from darkstats.report.dark_higgs import (
        DarkHiggs,
        dark_higgs_csv,
        dark_higgs_record,
        dark_higgs_sheet,
    )
    from darkstats.report.writing import require_writable, write_text
    from darkstats.signals.mediators import mediator

    shell = shell or Shell()
    if request.table is not None:
        require_writable(request.table)
    table = _plane(request)
    target = Target(
        model=mediator("dark_higgs_mixing"),
        table=read_decays(dict(request.decays)) if request.decays else None,
    )
    limits = table.limits[_BENCHMARK]
    observed = bool((limits.observed > 0.0).any())
    values = limits.holding[0 if observed else 3]
    points = tuple(
        read_point(
            (float(photon), float(higgs)), float(value) if value > 0.0 else None, target,
            far_mm=request.far_mm, product=request.product,
        )
        for (photon, higgs), value in zip(table.coordinates, values, strict=True)
    )  # fmt: skip
    files = ", ".join(f"{key} of {Path(file).name}" for key, file in request.decays)
    found = DarkHiggs(
        table=table, sha256=hashlib.sha256(Path(request.result).read_bytes()).hexdigest(),
        curve="observed" if observed else "median", points=points, far_mm=request.far_mm,
        product=request.product, regimes=dict(REGIMES),
        decays=files or "leptons by the formula, up to two pions",
    )  # fmt: skip
    written: dict[str, Callable[[str], None]] = {}
    if request.table is not None:
        written[request.table] = lambda path: write_text(path, dark_higgs_csv(found))

    def drawn(what: str) -> Drawing:
        from darkstats.report.figures.dark_higgs import dark_higgs_figure

        return dark_higgs_figure(found, what)

    figures: dict[str, Callable[[], Drawing]] = {}
    if any(one.holds_to is not None for one in points):
        figures["holds"] = lambda: drawn("holds")
    if any(one.excluded_to is not None for one in points):
        figures["excluded"] = lambda: drawn("excluded")
    return Outcome(
        result=found,
        record=lambda: dark_higgs_record(found, shell.command),
        sheet=lambda: dark_higgs_sheet(found),
        figures=figures,
        files=written,
        no_figure="no hypothesis has a number to draw",
        uncertified="" if figures else f"no hypothesis has a number: {points[0].reason}",
    )
