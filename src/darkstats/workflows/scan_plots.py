"""Figures of scans: against one mass, over two, or hypotheses side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from darkstats.errors import OptionError
from darkstats.report.scan_table import ScanTable
from darkstats.workflows.outcome import Outcome
from darkstats.workflows.plot_requests import PlotRequest, name_of
from darkstats.workflows.plot_subjects import (
    Subject,
    conversions_of,
    coupling_kind,
    plot_record,
    read_record,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.report.figures.coupling_limits import Favoured
    from darkstats.report.figures.style import Drawing

__all__ = ["Figures", "anomaly", "require_used", "scans_outcome"]

Figures = dict[str, Callable[[], "Drawing"]]

_ON_MUONS = (
    "lmu_ltau", "lmu_ltau_dressed", "lmu_ltau_invisible", "lmu_ltau_invisible_dressed",
)  # fmt: skip
#: The same coupling, seen in charged leptons: its figures have the bands where they are asked for.
_ON_MUONS_IF_ASKED = ("lmu_ltau_mumu", "lmu_ltau_tautau")
_ANOMALY_YEARS = (2021, 2023, 2025)
_ANOMALY_POINTS = 60
_NO_PROJECTIONS = (
    "several luminosities in one figure need a scan over one mass: give --lumi one luminosity, "
    "whose maps can be drawn"
)
_IN_PLANE = 2


def anomaly(request: PlotRequest, key: str, tables: Sequence[ScanTable]) -> list[Favoured]:
    """Couplings that the muon's anomaly favours, over the masses of the figure.

    Raises
    ------
    OptionError
        They are asked for beside something else than g'.
    """
    years = request.anomaly_years
    if years and key not in (*_ON_MUONS, *_ON_MUONS_IF_ASKED):
        raise OptionError(
            f"--anomaly: the bands are of g' of L_mu - L_tau, and the figure is of {key}: choose "
            "that with --coupling, or leave --anomaly out"
        )
    if years is None:
        years = _ANOMALY_YEARS if key in _ON_MUONS else ()
    if not years:
        return []
    import numpy as np

    from darkstats.report.figures.coupling_limits import Favoured
    from darkstats.signals.muon_anomaly import coupling_band

    mass = np.concatenate([table.first_coordinate for table in tables])
    ends = request.mass_range_gev or (0.7 * float(mass.min()), 1.4 * float(mass.max()))
    grid = np.geomspace(*ends, _ANOMALY_POINTS)
    found = []
    for year in years:
        edges = np.array(
            [[np.nan if e is None else e for e in coupling_band(float(m), year)] for m in grid]
        )
        found.append(
            Favoured(
                label=rf"$(g-2)_{{\mu}}$ {year}, 2 σ",
                mass_gev=grid,
                low=edges[:, 0],
                high=edges[:, 1],
            )
        )
    return found


def _on_one_mass(request: PlotRequest, subject: Subject) -> Figures:
    def limits() -> Drawing:
        from darkstats.report.figures.coupling_limits import mass_limits_figure

        return mass_limits_figure(
            subject.table,
            subject.limits,
            label=subject.label,
            note=subject.note,
            constraints=subject.constraints,
            favoured=anomaly(request, coupling_kind(subject.limits), [subject.table]),
            mass_range=request.mass_range_gev,
            value_range=request.value_range,
        )

    def p_values() -> Drawing:
        from darkstats.report.figures.significances import local_p_figure
        from darkstats.report.global_table import read_global

        if request.levels is None:
            return local_p_figure(subject.table)
        found = read_global(read_record(request.levels), source=name_of(request.levels))
        return local_p_figure(subject.table, found.levels, found.windows)

    return {"limits": limits, "p_values": p_values}


def _of_one_scan(request: PlotRequest, subject: Subject) -> Figures:
    """A curve for one coordinate, maps for a plane, else hypotheses side by side."""
    table = subject.table
    if table.dimension == 1 and table.is_told_apart and len(table.points) > 1:
        return _on_one_mass(request, subject)
    if table.dimension == _IN_PLANE:
        from darkstats.report.figures.planes import is_plane

        if is_plane(table):
            return _on_two_masses(request, subject)
    return _side_by_side(subject)


def _side_by_side(subject: Subject) -> Figures:
    def limits() -> Drawing:
        from darkstats.report.figures.point_limits import point_limits_figure

        return point_limits_figure(
            subject.table, subject.limits, label=subject.label, note=subject.note
        )

    def p_values() -> Drawing:
        from darkstats.report.figures.point_limits import point_p_figure

        return point_p_figure(subject.table)

    return {"limits": limits, "p_values": p_values}


def _on_two_masses(request: PlotRequest, subject: Subject) -> Figures:
    def slices(fixed: int) -> Drawing:
        from darkstats.report.figures.planes import slice_masses, slices_figure

        return slices_figure(
            subject.table,
            subject.limits,
            fixed=fixed,
            at=request.slices_gev or slice_masses(subject.table, fixed),
            label=subject.label,
            note=subject.note,
        )

    def in_plane(what: str) -> Drawing:
        from darkstats.report.figures.planes import map_figure

        return map_figure(
            subject.table, subject.limits, what, label=subject.label, note=subject.note
        )

    found: Figures = {
        "against_first": lambda: slices(1),
        "against_second": lambda: slices(0),
        "expected": lambda: in_plane("expected"),
        "observed": lambda: in_plane("observed"),
        "significance": lambda: in_plane("significance"),
    }
    table = subject.table
    if table.blind:  # nothing was looked at
        del found["observed"], found["significance"]
    return found


def require_used(request: PlotRequest, tables: Sequence[ScanTable]) -> None:
    """Refuse options that no figure of these scans heeds.

    Raises
    ------
    OptionError
        Ends of axes, or levels, for other scans than one over one mass; slices of one that has
        no second coordinate.
    """
    alone = len(tables) == 1 and tables[0].dimension == 1
    for name, value in (
        ("--mass-range", request.mass_range_gev),
        ("--value-range", request.value_range),
        ("--levels", request.levels),
    ):
        if value is not None and not alone:
            raise OptionError(f"{name} is for figures of one scan over one mass: drop it")
    if request.slices_gev and (len(tables) > 1 or tables[0].dimension != _IN_PLANE):
        raise OptionError(
            "--slice is for one scan over two masses, or a mass and a lifetime: drop it"
        )


def scans_outcome(
    request: PlotRequest, tables: list[ScanTable], *, statement: str = ""
) -> Outcome[Any]:
    """Return what can be shown of scans: several of one search make projections."""
    require_used(request, tables)
    subject = Subject.of(tables[0], request)
    if len(tables) > 1:

        def projections() -> Drawing:
            from darkstats.report.figures.comparisons import projections_figure

            return projections_figure(
                tables,
                coupling=subject.limits.key,
                label=subject.label,
                notes=tuple(words for words in (subject.note, statement) if words),
                constraints=subject.constraints,
                favoured=anomaly(request, coupling_kind(subject.limits), tables),
            )

        figures: Figures = {"projections": projections} if tables[0].dimension == 1 else {}
    else:
        figures = _of_one_scan(request, subject)

    def sheet() -> RenderableType:
        from darkstats.report.scan_sheets import projections_sheet, scan_sheet

        if len(tables) > 1:
            return projections_sheet(
                tables, coupling=subject.limits.key, kinds=tuple(figures), statement=statement
            )
        return scan_sheet(
            subject.table,
            kinds=tuple(figures),
            constraints=subject.constraints,
            statements=subject.statements,
            notes=conversions_of(subject),
        )

    return Outcome(
        result=subject.table,
        record=lambda: plot_record(request, figures, subject),
        sheet=sheet,
        figures=figures,
        no_figure=_NO_PROJECTIONS,
    )
