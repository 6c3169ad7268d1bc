"""Cuts for a template fit, chosen by the limit that the fit itself expects.

Punzi's figure of merit counts events within two resolutions. A fit uses a wider window, the shapes
in it, and the yields that its edges measure, so that background far from the signal, in mass or in
angle, costs it little. Here every combination of bounds gets the templates that the fit would have,
binned, smoothed and merged in the same way, and the combination with the lowest expected limit on
the cross section is the best: by the asymptotic formula, but not below the limit that no event at
all would give.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from darkstats.searches.cuts import passing
from darkstats.searches.optimise import PlaceNumbers
from darkstats.searches.recoil_spectra import (
    REDUCED_EDGES,
    SignalPoint,
    SmoothSpectrum,
    angles_of,
    well_simulated_rows,
)
from darkstats.searches.smooth_cuts import PlacedCut, chosen_cuts
from darkstats.templates.histfactory import significant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from darkstats.arrays import FloatArray, IndexArray
    from darkstats.searches.cuts import AnyCut
    from darkstats.searches.optimise import Optimisation
    from darkstats.searches.recoil_windows import RecoilWidths
    from darkstats.simulation.candidates import Candidates

__all__ = ["FitBins", "asimov_limit", "fitted_recoil_cuts", "share_of_information"]

_Z = 1.6448536269514722  # CLs at 90 %: the median limit has sqrt(q) = Phi^-1(1 - 0.10 / 2)
_NO_EVENT = math.log(10.0)  # signal events that are excluded at 90 % where none at all is seen
_FLOOR_EVENTS = 1e-4  # of a bin that simulation leaves empty
_LEAST_EFFICIENCY = 1e-5  # with less a window has no signal
_STEPS = 100


def asimov_limit(signal: FloatArray, background: FloatArray) -> float:
    """Expected CLs limit at 90 % on the scale of the signal, where the background is known.

    Solves ``2 sum(mu s - b ln(1 + mu s / b)) = 1.645^2``: the Asimov data set has no signal
    (arXiv:1007.1727).

    Parameters
    ----------
    signal, background
        Expected contents, backgrounds positive. Shapes [bin].

    Examples
    --------
    >>> round(asimov_limit(np.array([1.0]), np.array([1e6])), 0)
    1646.0
    """
    if signal.sum() <= 0.0:
        return math.inf
    ratio = signal / background
    mu = _Z / math.sqrt(float((signal * ratio).sum()))  # the limit of many events, from below
    # Newton's steps on a convex function from below the root overshoot once and then descend.
    for _ in range(_STEPS):
        value = 2.0 * float((mu * signal - background * np.log1p(mu * ratio)).sum()) - _Z**2
        slope = 2.0 * float((signal * (1.0 - 1.0 / (1.0 + mu * ratio))).sum())
        step = value / slope
        mu -= step
        if abs(step) < 1e-10 * mu:
            break
    return mu


def share_of_information(
    signal: FloatArray, background: FloatArray, variance: FloatArray, moved: FloatArray
) -> float:
    """Fisher information on the signal that is left where backgrounds have errors.

    Relative to the one with a known background. Nuisance parameters are profiled in the Gaussian
    approximation. Cuts are chosen with the error of simulation in each bin alone, without the
    parameters of smoothed bins that move together: it is a choice of cuts, not an error of a limit.

    Parameters
    ----------
    signal, background
        Expected contents, backgrounds positive. Shapes [bin].
    variance
        Of the simulated background, bins independent. Shape [bin].
    moved
        Events that one standard deviation of a parameter moves. Shape [nuisance parameter, bin].
    """
    known = float((signal**2 / background).sum())
    total = background + variance
    cross = moved @ (signal / total)
    among = (moved / total) @ moved.T + np.eye(len(moved))
    left = float((signal**2 / total).sum()) - float(cross @ np.linalg.solve(among, cross))
    return left / known


@dataclass(frozen=True, slots=True, kw_only=True)
class FitBins:
    """How the fit bins its templates.

    Parameters
    ----------
    grid
        Fine edges of the squared mass, GeV^2.
    window
        Indices of the fine edges that bound the bins of the window at a squared mass.
    theta_edges_deg
        Edges in the polar angle.
    kernels
        That smooth the fine bins, by process; None for no smoothing.
    widths, variable, angle
        Resolution, and the columns of squared mass and angle.
    largest_simulation_error
        Of merged rows, see :func:`~darkstats.searches.recoil_spectra.well_simulated_rows`.
    yields
        Relative errors by process and name of the nuisance parameter.
    """

    grid: FloatArray = field(repr=False)
    window: Callable[[float], IndexArray] = field(repr=False)
    theta_edges_deg: tuple[float, ...]
    kernels: Mapping[str, FloatArray | None] = field(repr=False)
    widths: RecoilWidths
    variable: str
    angle: str | None
    largest_simulation_error: float
    yields: Mapping[str, Mapping[str, float]] = field(repr=False)

    def above_bounds(
        self,
        optimisation: Optimisation,
        candidates: Candidates,
        values: FloatArray,
        edges: FloatArray,
        weights: Sequence[FloatArray],
    ) -> list[FloatArray]:
        """Spectra of the rows above every combination. Shape of each [combination, theta, bin].

        Parameters
        ----------
        optimisation
            Has the bounds.
        candidates, values, edges
            Rows, their place, and edges of its bins. Rows beyond the edges are left out.
        weights
            Spectra of these. Shape of each [row].
        """
        bounds = [np.unique(some) for some in optimisation.scan.values()]
        theta = np.radians(self.theta_edges_deg)
        places = [
            np.searchsorted(some, candidates[name], "left") - 1
            for name, some in zip(optimisation.scan, bounds, strict=True)
        ]
        row = np.searchsorted(theta, angles_of(candidates, self.angle), "right") - 1
        column = np.searchsorted(edges, values, "right") - 1
        shape = (*map(len, bounds), len(theta) - 1, len(edges) - 1)
        index = [*places, row, column]
        kept = np.all(
            [(at >= 0) & (at < size) for at, size in zip(index, shape, strict=True)], axis=0
        )
        flat = np.ravel_multi_index(tuple(at[kept] for at in index), shape)
        chosen = tuple(
            np.array([np.searchsorted(some, c) for c in optimisation.combinations[:, k]])
            for k, some in enumerate(bounds)
        )
        found = []
        for weight in weights:
            total = np.bincount(flat, weights=weight[kept], minlength=math.prod(shape))
            total = total.reshape(shape)
            for axis in range(len(bounds)):  # what passes a bound passes all lower ones
                total = np.flip(np.cumsum(np.flip(total, axis), axis=axis), axis)
            found.append(total[chosen])
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _FittedPlace:
    """What the fit expects at one simulated mass. Shapes [combination]."""

    combinations: FloatArray
    figures: FloatArray
    efficiencies: FloatArray
    backgrounds: FloatArray

    def numbers(
        self,
        optimisation: Optimisation,
        bounds: FloatArray,
        luminosity_ipb: float,
    ) -> PlaceNumbers:
        away = np.abs(bounds[:, None, :] - self.combinations[None, :, :]).sum(axis=2)
        at = np.argmin(away, axis=1)
        return PlaceNumbers(
            merits=self.figures[at],
            figures=self.figures[at],
            efficiencies=self.efficiencies[at],
            backgrounds=self.backgrounds[at],
        )


def fitted_recoil_cuts(
    optimisation: Optimisation,
    signals: Mapping[tuple[float, ...], Candidates],
    backgrounds: Mapping[str, Candidates],
    *,
    base: Sequence[AnyCut],
    bins: FitBins,
    luminosity_ipb: float,
) -> tuple[tuple[PlacedCut, ...], dict[str, Any]]:
    """Lower bounds that follow the squared mass and give the fit its lowest expected limits.

    Parameters
    ----------
    optimisation
        Masses (the nearest simulated ones are taken) and scan.
    signals, backgrounds
        The half that chooses.
    base
        Cuts that always hold.
    bins
        Of the fit.
    luminosity_ipb
        Integrated luminosity.

    Returns
    -------
    tuple
        The cuts, and the numbers of each mass: the figure of merit is the expected limit of the
        fit, the efficiency and the background are those of its whole window.
    """
    masses = sorted(
        {min(signals, key=lambda key: abs(key[0] - m))[0] for m in optimisation.masses_gev}
    )
    spectra = {}
    for name, sample in backgrounds.items():
        rows = sample.select(passing(sample, base))
        events = rows.events(luminosity_ipb)
        spectra[name] = bins.above_bounds(
            optimisation, rows, rows[bins.variable], bins.grid, (events, events**2)
        )
    by_mass = {key[0]: sample.select(passing(sample, base)) for key, sample in signals.items()}
    places = {
        f"{mass:g}": _place(optimisation, mass, by_mass[mass], spectra, bins) for mass in masses
    }
    nodes = tuple(significant(mass**2) for mass in masses)
    return chosen_cuts(optimisation, places, (bins.variable,), (nodes,), luminosity_ipb)


def _place(
    optimisation: Optimisation,
    mass_gev: float,
    signal: Candidates,
    spectra: Mapping[str, Sequence[FloatArray]],
    bins: FitBins,
) -> _FittedPlace:
    first = bins.window(mass_gev**2)
    sigma = bins.widths.at_squared(mass_gev**2)
    last = REDUCED_EDGES[-1] - 0.01  # what lies beyond the edges counts in the last bins
    reduced = np.clip((signal[bins.variable] - mass_gev**2) / sigma, -last, last)
    weight = signal.weight_pb / signal.n_generated
    (shapes,) = bins.above_bounds(optimisation, signal, reduced, REDUCED_EDGES, (weight,))
    gathered = [
        [
            np.stack(part)
            for part in zip(
                *(
                    SmoothSpectrum(counts=c, variances=v, kernel=bins.kernels[name]).gather(first)
                    for c, v in zip(*both, strict=True)
                ),
                strict=True,
            )
        ]
        for name, both in spectra.items()
    ]
    contents = np.stack([content for content, _ in gathered], axis=1)
    variances = np.sum([variance for _, variance in gathered], axis=0)
    edges = bins.grid[first]
    names = sorted({name for errors in bins.yields.values() for name in errors})
    yields = np.array(
        [[bins.yields[process].get(name, 0.0) for process in spectra] for name in names]
    ).reshape(len(names), len(spectra))
    n = len(optimisation.combinations)
    figures, efficiencies = np.full(n, np.inf), np.zeros(n)
    for k in range(n):
        cumulative = np.pad(np.cumsum(shapes[k], axis=1), ((0, 0), (1, 0)))
        point = SignalPoint(mass_gev=mass_gev, cumulative=cumulative, relative_error=0.0)
        efficiency = point.within((edges - mass_gev**2) / sigma)
        efficiencies[k] = efficiency.sum()
        if efficiencies[k] <= _LEAST_EFFICIENCY:
            continue
        rows = well_simulated_rows(
            contents[k].sum(axis=0), variances[k], bins.largest_simulation_error
        )
        content, parts, variance = (
            np.add.reduceat(one, rows, axis=-2).reshape(*one.shape[:-2], -1)
            for one in (efficiency, contents[k], variances[k])
        )
        background = np.maximum(parts.sum(axis=0), _FLOOR_EVENTS)
        left = share_of_information(content, background, variance, yields @ parts)
        # The formula is one of many events, and goes down to 1.35 of them; no limit does.
        figures[k] = max(
            asimov_limit(content, background) / math.sqrt(left), _NO_EVENT / efficiencies[k]
        )
    return _FittedPlace(
        combinations=optimisation.combinations,
        figures=figures,
        efficiencies=efficiencies,
        backgrounds=contents.sum(axis=(1, 2, 3)),
    )
