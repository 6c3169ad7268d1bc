"""The plane of dimuon mass against squared recoil mass, scanned by tilted ellipses.

Dark Higgsstrahlung, e+e- -> A' h', A' -> mu mu, h' invisible (arXiv:2207.00509): a hypothesis is
a count in an ellipse of two resolutions, tilted by their correlation, and a count in the
elliptical ring around it. Both share the background's normalisation errors.

The background-only workspace holds the plane once, in fine cells (:mod:`plane_grid`), smoothed;
ellipses and rings are sums of whole cells, so that one toy of the plane fills every window.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import OptionError
from darkstats.searches.cuts import passing
from darkstats.searches.optimise import Optimisation, halves
from darkstats.searches.plane_grid import PlaneGrid, Smoothed, rapidity_of, runs_of
from darkstats.searches.plane_response import (
    Ellipse,
    Response,
    highest_higgs,
    measure_response,
)
from darkstats.searches.products import Patch, SearchProduct, SimulatedSamples
from darkstats.searches.smooth_cuts import smooth_plane_cuts
from darkstats.signals.constants import CM_ENERGY_GEV
from darkstats.templates.histfactory import (
    background_document,
    normfactor,
    normsys,
    parameter,
    replacement,
    rounded,
    significant,
    staterror,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from darkstats.arrays import BoolArray, FloatArray, IndexArray
    from darkstats.searches.cuts import AnyCut

__all__ = ["PlaneScan", "build_plane_scan"]

_FLOOR_EVENTS = 1e-4  # of a region that simulation leaves empty
_LEAST_EVENTS = 1e-7  # a process with less is left out of a region


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneScan:
    """Choices of a scan of the plane.

    Parameters
    ----------
    luminosity_ipb
        Integrated luminosity, per pb.
    asimov
        Whether the data are the simulated expectation, not drawn from it.
    low_gev, high_gev
        Range of the dimuon mass.
    higgs_low_gev
        Least mass of the invisible boson.
    step_sigma
        Step between hypotheses in units of both resolutions.
    ellipse_sigma, ring_sigma
        Half axes of the ellipse, and inner and outer ones of the ring, in resolutions.
    least_efficiency
        Hypotheses with less efficiency in the ellipse are left out, and counted.
    cell
        Step of the grid in the logarithm of the mass and in the rapidity.
    smoothing_cells
        Width of the Gaussian kernel in cells.
    cuts
        On the columns of the candidates.
    optimise
        Chooses further cuts by the place in the plane; None for none.
    systematics
        Relative errors by group: ``signal``, ``background``, or the name of one process.
    reference_pb
        Cross section times branching fraction of ``mu = 1``.
    """

    luminosity_ipb: float
    asimov: bool
    low_gev: float = 1.65
    high_gev: float = 10.51
    higgs_low_gev: float = 0.1
    step_sigma: float = 1.5
    ellipse_sigma: float = 2.0
    ring_sigma: tuple[float, float] = (3.0, 6.0)
    least_efficiency: float = 1e-3
    cell: float = 0.0018
    smoothing_cells: float = 3.0
    cuts: tuple[AnyCut, ...] = ()
    optimise: Optimisation | None = None
    systematics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    reference_pb: float = 1e-3

    def modifiers(self, sample: str, *, signal: bool) -> list[dict[str, Any]]:
        """Relative errors of a sample."""
        errors = dict(self.systematics.get("signal" if signal else "background", {}))
        errors |= self.systematics.get(sample, {})
        return [normsys(name, relative) for name, relative in errors.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """Cells of one hypothesis: a box of the grid, and what of it is in which region."""

    masses_gev: tuple[float, float]
    ellipse: Ellipse
    columns: slice
    rows: slice
    inside: Mapping[str, BoolArray]  # [column, row] of the box
    efficiency: Mapping[str, float]
    simulation_error: float

    @property
    def name(self) -> str:
        return f"ma_{self.masses_gev[0]:.4f}_mh_{self.masses_gev[1]:.4f}".replace(".", "p")

    def content(self, cells: FloatArray, region: str) -> float:
        """Sum of the contents of a region. ``cells``: [column, row] of the grid."""
        return float(cells[self.columns, self.rows][self.inside[region]].sum())


def _hypotheses(scan: PlaneScan, response: Response) -> Iterator[tuple[float, float]]:
    """Masses of A' and h', GeV, in steps of the resolutions."""
    mass = scan.low_gev
    while mass <= min(scan.high_gev, CM_ENERGY_GEV - 0.05):
        top = highest_higgs(mass)
        higgs = scan.higgs_low_gev
        while higgs < top:
            yield mass, higgs
            step = scan.step_sigma * float(response.at(mass, higgs)[1])
            higgs = float(np.sqrt(higgs**2 + step))
        mass += scan.step_sigma * float(response.at(mass, 0.5 * top)[0])


def _window(
    scan: PlaneScan, grid: PlaneGrid, response: Response, masses: tuple[float, float]
) -> _Window | None:
    """Return the window of a hypothesis, or None where there is hardly any efficiency."""
    mass, higgs = masses
    facts = response.at(mass, higgs)
    ellipse = Ellipse(
        centre=(mass, higgs**2),
        sigma=(float(facts[0]), float(facts[1])),
        correlation=float(facts[2]),
    )
    reach = scan.ring_sigma[1]
    mass_range = (mass - reach * ellipse.sigma[0], mass + reach * ellipse.sigma[0])
    corners = np.array([(x, y) for x in mass_range for y in (-1.0, 1.0)])
    rapidity = rapidity_of(
        corners[:, 0], ellipse.centre[1] + reach * ellipse.sigma[1] * corners[:, 1]
    )
    columns, rows = grid.box(mass_range, (float(rapidity.min()), float(rapidity.max())))
    x = grid.masses_gev[columns, None]
    distance = ellipse.distance(x, grid.recoil_squared_gev2(columns, rows))
    bounds = {"ellipse": (0.0, scan.ellipse_sigma), "ring": scan.ring_sigma}
    inside = {
        name: (distance >= low**2) & (distance < high**2) for name, (low, high) in bounds.items()
    }
    shape = response.efficiency(
        mass,
        higgs,
        mass_edges_gev=grid.mass_edges_gev[columns.start : columns.stop + 1],
        rapidity_edges=grid.rapidity_edges[rows.start : rows.stop + 1],
    )
    efficiency = {name: float(shape[where].sum()) for name, where in inside.items()}
    if efficiency["ellipse"] < scan.least_efficiency or not inside["ring"].any():
        return None
    return _Window(
        masses_gev=masses,
        ellipse=ellipse,
        columns=columns,
        rows=rows,
        inside=inside,
        efficiency=efficiency,
        simulation_error=max(float(facts[3]), 1e-6),
    )


def _active(grid: PlaneGrid, windows: list[_Window]) -> IndexArray:
    """Flat indices of the cells that any window uses, ascending."""
    used = np.zeros(grid.shape, dtype=bool)
    for window in windows:
        for inside in window.inside.values():
            used[window.columns, window.rows] |= inside
    return np.flatnonzero(used.ravel())


def build_plane_scan(
    scan: PlaneScan, samples: SimulatedSamples, *, rng: np.random.Generator
) -> SearchProduct:
    """Return the workspace and the patches of a scan of the plane.

    Parameters
    ----------
    scan
        All choices.
    samples
        Dimuon candidates; signals by (mass of A', mass of h').
    rng
        Draws the pseudo-data.

    Raises
    ------
    OptionError
        The simulated signals form no grid, or none passes the cuts.
    """
    scan, samples, optimised = _optimised(scan, samples)
    response = measure_response(samples.signals, scan.cuts)
    grid = PlaneGrid.over(scan.low_gev, scan.high_gev, scan.cell)
    passed = {n: s.select(passing(s, scan.cuts)) for n, s in samples.backgrounds.items()}
    processes = {
        n: Smoothed.of(grid, s, s.events(scan.luminosity_ipb), scan.smoothing_cells)
        for n, s in passed.items()
    }
    hypotheses = list(_hypotheses(scan, response))
    found = [_window(scan, grid, response, masses) for masses in hypotheses]
    windows = [window for window in found if window is not None]
    if not windows:
        raise OptionError("no hypothesis has any efficiency: widen the mass range or loosen cuts")
    active = _active(grid, windows)
    place = np.full(grid.shape[0] * grid.shape[1], -1)
    place[active] = np.arange(len(active))
    spectrum = {n: _stored(p.density().ravel()[active]) for n, p in processes.items()}
    expected = np.sum(list(spectrum.values()), axis=0)
    counts = expected if scan.asimov else rng.poisson(expected).astype(float)

    def on_grid(contents: FloatArray) -> FloatArray:
        cells = np.zeros(grid.shape[0] * grid.shape[1])
        cells[active] = contents
        return cells.reshape(grid.shape)

    cells = {n: on_grid(contents) for n, contents in spectrum.items()}
    data = on_grid(counts)
    patches, facts, fill = [], {}, {}
    for window in windows:
        patch, fact = _patch(scan, window, processes, cells=cells, data=data)
        patches.append(patch)
        facts[patch.name] = fact
        fill[patch.name] = {
            name: {
                "spectrum": "plane",
                "bins": [runs_of(place[grid.cells(window.columns, window.rows, inside)])],
            }
            for name, inside in window.inside.items()
        }
    channels = [
        {"name": n, "data": contents.tolist(), "modifiers": scan.modifiers(n, signal=False)}
        for n, contents in spectrum.items()
    ]
    return SearchProduct(
        workspace=background_document({"plane": channels}, {"plane": counts}),
        labels=("m_dark_photon_gev", "m_dark_higgs_gev"),
        patches=tuple(patches),
        sidecar=_sidecar(scan, grid, active, facts),
        summary={
            **_summary(scan, samples, response, windows=windows, n_hypotheses=len(hypotheses)),
            **({"optimisation": optimised} if optimised else {}),
        },
        fill={"windows": fill},
    )


def _optimised(
    scan: PlaneScan, samples: SimulatedSamples
) -> tuple[PlaneScan, SimulatedSamples, dict[str, Any]]:
    """The same with its cuts, the samples that they were not chosen on, and what was found."""
    if scan.optimise is None:
        return scan, samples, {}
    split = {name: halves(sample) for name, sample in samples.backgrounds.items()}
    split_signals = {key: halves(sample) for key, sample in samples.signals.items()}
    cuts, facts = smooth_plane_cuts(
        scan.optimise,
        {key: pair[0] for key, pair in split_signals.items()},
        {name: pair[0] for name, pair in split.items()},
        base=scan.cuts,
        ellipse_sigma=scan.ellipse_sigma,
        luminosity_ipb=scan.luminosity_ipb,
    )
    others = SimulatedSamples(
        backgrounds={name: pair[1] for name, pair in split.items()},
        signals={key: pair[1] for key, pair in split_signals.items()},
    )
    return replace(scan, cuts=(*scan.cuts, *cuts), optimise=None), others, facts


def _stored(contents: FloatArray) -> FloatArray:
    """Contents as they stand in the file: six digits, and nothing below 1e-12 events."""
    return np.array(rounded(np.where(contents > 1e-12, contents, 0.0)))


def _patch(
    scan: PlaneScan,
    window: _Window,
    processes: Mapping[str, Smoothed],
    *,
    cells: Mapping[str, FloatArray],
    data: FloatArray,
) -> tuple[Patch, dict[str, Any]]:
    factor = scan.luminosity_ipb * scan.reference_pb
    signal_modifiers = [
        normfactor("mu"),
        *scan.modifiers("signal", signal=True),
        normsys("signal_simulation", window.simulation_error),
    ]
    channels: dict[str, list[dict[str, Any]]] = {}
    observed: dict[str, FloatArray] = {}
    background: dict[str, dict[str, float]] = {}
    errors: dict[str, float] = {}
    for name, inside in window.inside.items():
        contents = {}
        for n in processes:
            content = window.content(cells[n], name)
            if content > _LEAST_EVENTS:
                variance = processes[n].variance_of(window.columns, window.rows, inside)
                contents[n] = (content, variance)
        if sum(content for content, _ in contents.values()) < _FLOOR_EVENTS:
            contents["simulation_floor"] = (_FLOOR_EVENTS, _FLOOR_EVENTS**2)
        channels[name] = [
            {
                "name": "signal",
                "data": rounded(np.array([factor * window.efficiency[name]])),
                "modifiers": signal_modifiers,
            },
            *(
                {
                    "name": n,
                    "data": [significant(content)],
                    "modifiers": [
                        *scan.modifiers(n, signal=False),
                        staterror(f"staterror_{name}", np.array([variance])),
                    ],
                }
                for n, (content, variance) in contents.items()
            ),
        ]
        background[name] = {n: significant(c[0]) for n, c in contents.items()}
        errors[name] = significant(float(np.sqrt(sum(c[1] for c in contents.values()))))
        observed[name] = np.array([window.content(data, name)])
    signal = factor * window.efficiency["ellipse"]
    expected = sum(background["ellipse"].values())
    reach = 20.0 * (2.0 * np.sqrt(expected) + 5.0) / signal
    masses = (round(window.masses_gev[0], 4), round(window.masses_gev[1], 4))
    fact = {
        "mass_gev": list(masses),
        "centre": rounded(np.array(window.ellipse.centre)),
        "sigma": rounded(np.array(window.ellipse.sigma)),
        "correlation": significant(window.ellipse.correlation),
        "efficiency": significant(window.efficiency["ellipse"]),
        "signal_events_per_pb": significant(scan.luminosity_ipb * window.efficiency["ellipse"]),
        "background_events": significant(expected),
        "background_statistical_error": errors["ellipse"],
        "background_by_process": background["ellipse"],
    }
    patch = Patch(
        name=window.name,
        values=masses,
        operations=replacement(
            channels,
            observed,
            [parameter("mu", 0.0, significant(reach), significant(0.05 * reach))],
        ),
    )
    return patch, fact


def _sidecar(
    scan: PlaneScan, grid: PlaneGrid, active: IndexArray, facts: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "schema": "darkstats.meta/1",
        "simulated": True,
        "poi_label": f"cross section x BR / {1e3 * scan.reference_pb:g} fb",
        "channels": {
            "plane": {
                "label": "plane of dimuon mass and rapidity",
                "axis": "cell of the plane, by dimuon mass, then by rapidity",
                "m_mumu_edges_gev": rounded(grid.mass_edges_gev),
                "rapidity_edges": rounded(grid.rapidity_edges),
                "cm_energy_gev": CM_ENERGY_GEV,
                "cells": runs_of(active),
                "cuts": [cut.plain() for cut in scan.cuts],
            }
        },
        "reference_cross_section_pb": scan.reference_pb,
        "data": "simulated: " + ("Asimov data" if scan.asimov else "pseudo-data, fixed seed"),
        "spectra_share_events": False,
        "windows": dict(facts),
    }


def _summary(
    scan: PlaneScan,
    samples: SimulatedSamples,
    response: Response,
    *,
    windows: list[_Window],
    n_hypotheses: int,
) -> dict[str, Any]:
    passed = {n: s.select(passing(s, scan.cuts)) for n, s in samples.backgrounds.items()}
    below = {n: s["m_ll_gev"] ** 2 > s["recoil_mass_squared_gev2"] for n, s in passed.items()}
    n_fractions = len(response.fractions)
    return {
        "yields": {
            "plane": {
                n: significant(float(s.events(scan.luminosity_ipb)[below[n]].sum()))
                for n, s in passed.items()
            }
        },
        "equivalent_luminosity_ipb": {
            n: significant(s.equivalent_luminosity_ipb) for n, s in samples.backgrounds.items()
        },
        "n_hypotheses": {
            "ellipses": len(windows),
            "without_sensitivity": n_hypotheses - len(windows),
        },
        "signal_efficiency": {
            "within 6 % of mass and rapidity": {
                f"{key[0]:g}, {key[1]:g}": significant(
                    float(response.shapes[n // n_fractions, n % n_fractions, -1, -1])
                )
                for n, key in enumerate(sorted(samples.signals))
            }
        },
    }
