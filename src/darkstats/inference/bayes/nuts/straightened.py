"""Coordinates in which the posterior of many events is a flat sheet, for the sampler.

Many events tie the nuisance parameters to the signal strength: their conditional mode moves by many
of their own widths over the posterior, and along a curve, because signal strengths have an edge and
factors multiply. Chains would have to follow that curve in steps of its width. Measured from the
mode at the same signal strength, in units of the Gaussian about it, the sheet is flat and as wide
as it is long. The map is a shear and a constant matrix: wherever the modes are, the posterior is
the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.inference.bayes.joint import JointDensity
from darkstats.inference.bayes.problem import (
    Lanes,
    PosteriorProblem,
    chebyshev,
    gaussian_at,
    log_height,
    strengths,
)

if TYPE_CHECKING:
    from darkstats.model import LaneData

__all__ = ["StraightenedDensity", "straightened"]

_BULK = 4.0  # fall of the logarithm of the posterior within which the mode is followed
_FAR = 8.0  # of its widths, from which chains need the map; less than that is a correlation
_NODES = 65  # signal strengths at which modes are found; a spline goes through them


@dataclass(frozen=True, slots=True)
class StraightenedDensity(JointDensity):
    """Points are (w, u): the coordinate of the signal strength, and nuisances less their mode.

    The latter are in units of ``root`` [z, z], which takes standard normal points to the Gaussian.
    ``places`` are coordinates of the signal strength, ascending [node]; ``modes`` the conditional
    modes there and ``slopes`` their derivatives [node, z]. Beyond the nodes the mode stays.
    """

    places: FloatArray
    modes: FloatArray
    slopes: FloatArray
    root: FloatArray

    def mode(self, w: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Conditional mode and its derivative, by cubic Hermite polynomials. Shapes [point, z]."""
        inside = np.clip(w, self.places[0], self.places[-1])
        i = np.clip(np.searchsorted(self.places, inside, side="right") - 1, 0, len(self.places) - 2)
        width = (self.places[i + 1] - self.places[i])[:, np.newaxis]
        t = (inside - self.places[i])[:, np.newaxis] / width
        low, high = self.modes[i], self.modes[i + 1]
        first, last = self.slopes[i] * width, self.slopes[i + 1] * width
        rise = high - low
        a, b = 3.0 * rise - 2.0 * first - last, first + last - 2.0 * rise
        value = low + t * (first + t * (a + t * b))
        slope = (first + t * (2.0 * a + 3.0 * t * b)) / width
        beyond = (w < self.places[0]) | (w > self.places[-1])
        return value, np.where(beyond[:, np.newaxis], 0.0, slope)

    def bent(self, x: FloatArray) -> FloatArray:
        """Points (w, z) of points (w, u). Shape [point, 1 + z]."""
        z = self.mode(x[:, 0])[0] + x[:, 1:] @ self.root.T
        return np.concatenate([x[:, :1], z], axis=1)

    def value(self, x: FloatArray) -> FloatArray:
        """Logarithm of the density, minus infinity where it is zero. Shape [point, 1 + z]."""
        return JointDensity.value(self, self.bent(x))

    def with_gradient(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Value and gradient; zero gradient where the density is zero."""
        mode, slope = self.mode(x[:, 0])
        z = mode + x[:, 1:] @ self.root.T
        value, gradient = JointDensity.with_gradient(self, np.concatenate([x[:, :1], z], axis=1))
        along = gradient[:, 0] + (gradient[:, 1:] * slope).sum(axis=1)
        return value, np.column_stack([along, gradient[:, 1:] @ self.root])

    def parameters(self, x: FloatArray) -> FloatArray:
        """Parameters of the model at points. Shape [point, par]."""
        return JointDensity.parameters(self, self.bent(x))


def _moved(lanes: Lanes, height: FloatArray, peak: int) -> float:
    """How far the conditional mode moves over the posterior, in widths of its Gaussian."""
    inverse = np.linalg.inv(lanes.factor[peak])
    seen = lanes.z[height > -_BULK] @ inverse.T
    return float(np.ptp(seen, axis=0).max())


def straightened(
    problem: PosteriorProblem,
    counts: LaneData,
    span: tuple[float, float],
    *,
    rng: np.random.Generator,
    points: int,
) -> tuple[StraightenedDensity, FloatArray] | None:
    """The density along the modes, and points that roughly follow it; None where modes hardly move.

    Parameters
    ----------
    problem, counts
        Model, priors, and one row of counts [bin]; or one lane of events.
    span
        Range of the signal strength.
    rng, points
        Throws so many points: signal strengths by Laplace's approximation, nuisances by the
        Gaussian about each mode.
    """
    counts = problem.density.model.lanes_of(counts)
    mu = strengths(np.array([span[0]]), np.array([span[1]]), chebyshev(_NODES))
    value, lanes = gaussian_at(problem, counts, mu)
    height = log_height(problem, mu[0], value[0])
    if not (lanes.good.all() and np.isfinite(height).any()):
        return None
    peak = int(np.argmax(np.where(np.isfinite(height), height, -np.inf)))
    if problem.density.n == 0 or _moved(lanes, height - height[peak], peak) < _FAR:
        return None
    mass = np.exp(height - height[peak]) * np.gradient(mu[0])
    mass = np.where(np.isfinite(mass), mass, 0.0)
    joint = JointDensity.of(
        problem.density, problem.prior, counts, float(mass @ mu[0] / mass.sum()) or problem.scale
    )
    w = joint.w(mu[0])
    usable = np.flatnonzero(np.isfinite(w))
    usable = usable[np.concatenate([[True], np.diff(w[usable]) > 0.0])]
    if len(usable) < 4:
        return None
    places, modes = w[usable], lanes.z[usable]
    slopes = np.gradient(modes, places, axis=0)
    slopes[[0, -1]] = 0.0  # the mode stays beyond
    root = lanes.factor[peak]
    bent = StraightenedDensity(
        joint.density, joint.prior, joint.strength, joint.counts, places, modes, slopes, root
    )
    chosen = rng.choice(_NODES, size=points, p=mass / mass.sum())
    strength = np.abs(mu[0][chosen] + np.gradient(mu[0])[chosen] * rng.uniform(-0.5, 0.5, points))
    return bent, np.column_stack(
        [joint.w(strength), rng.standard_normal((points, problem.density.n))]
    )
