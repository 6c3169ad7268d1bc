"""A double-sided Crystal Ball fitted to a simulated peak."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.errors import NotCertifiedError
from darkstats.minuit import silenced

__all__ = ["CrystalBall", "fit_crystal_ball"]

_LIMITS = {
    "mean": (-3.0, 3.0),
    "sigma_l": (0.2, 4.0),
    "alpha_l": (0.3, 5.0),
    "n_l": (1.05, 60.0),
    "sigma_r": (0.2, 4.0),
    "alpha_r": (0.3, 5.0),
    "n_r": (1.05, 60.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CrystalBall:
    """Gaussian core with power-law tails (J. Gaiser, SLAC-R-255, 1982), in reduced units."""

    mean: float
    sigma_l: float
    alpha_l: float
    n_l: float
    sigma_r: float
    alpha_r: float
    n_r: float

    def between(self, other: CrystalBall, fraction: float) -> CrystalBall:
        """Linear interpolation of every number towards another one."""
        names = tuple(_LIMITS)
        return CrystalBall(
            **{
                name: (1.0 - fraction) * getattr(self, name) + fraction * getattr(other, name)
                for name in names
            }
        )


def _heights(t: FloatArray, values: FloatArray) -> FloatArray:
    mean, sl, al, nl, sr, ar, nr = values
    left = t < mean
    tau = np.where(left, (t - mean) / sl, (mean - t) / sr)
    alpha, n = np.where(left, al, ar), np.where(left, nl, nr)
    y = np.maximum(1.0 - alpha * (tau + alpha) / n, 1e-12)
    tail = np.exp(-0.5 * alpha**2 - n * np.log(y))
    return np.asarray(np.where(tau < -alpha, tail, np.exp(-0.5 * tau**2)))


def fit_crystal_ball(edges: FloatArray, contents: FloatArray) -> CrystalBall:
    """Fit the shape of a histogram, weighted or not.

    Parameters
    ----------
    edges, contents
        Fine bins [bin + 1] of a variable in which the peak has about unit width around 0, and
        their contents [bin], not negative.

    Raises
    ------
    NotCertifiedError
        The fit does not settle, or the histogram is empty.
    """
    from iminuit import Minuit

    total = float(contents.sum())
    if not total > 0.0:
        raise NotCertifiedError("a peak without events has no shape")
    share = contents / total
    centre, width = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
    # The statistics of the simulation do not matter for the shape: as many events as bins, times 50
    scale = 50.0 * len(share)

    def cost(values: FloatArray) -> float:
        expected = _heights(centre, values) * width
        expected = np.maximum(expected / expected.sum(), 1e-12)
        return float(-scale * (share * np.log(expected)).sum())

    mean = float((share * centre).sum())
    peak = float(centre[int(np.argmax(share))])
    spread = math.sqrt(float((share * (centre - mean) ** 2).sum()))
    best: Minuit | None = None
    for sigma in (0.6 * spread, spread, 1.0):
        start = [peak, sigma, 1.5, 4.0, sigma, 1.5, 4.0]
        minuit = Minuit(cost, np.clip(start, *np.array(list(_LIMITS.values())).T))
        minuit.errordef = Minuit.LIKELIHOOD
        minuit.limits = list(_LIMITS.values())
        minuit.strategy = 1
        with silenced(minuit):
            minuit.migrad(ncall=20_000)
        if best is None or minuit.fval < best.fval:
            best = minuit
    assert best is not None
    if not math.isfinite(best.fval) or best.fmin.edm > 1.0:
        raise NotCertifiedError("the Crystal Ball fit to a simulated peak does not settle")
    return CrystalBall(**dict(zip(_LIMITS, (float(v) for v in best.values), strict=True)))
