"""The joint posterior density of signal strength and nuisance parameters, without edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.inference.bayes.coordinates import Coordinates
from darkstats.inference.bayes.nuisance_density import NuisanceDensity
from darkstats.inference.bayes.priors import BoundPrior
from darkstats.model import LaneData

__all__ = ["JointDensity"]


@dataclass(frozen=True, slots=True)
class JointDensity:
    """Points are (w, z): the coordinate of the signal strength, and those of the nuisances.

    ``counts`` is one row, shape [1, bin], or one lane of events.
    """

    density: NuisanceDensity
    prior: BoundPrior
    strength: Coordinates
    counts: LaneData

    @classmethod
    def of(
        cls, density: NuisanceDensity, prior: BoundPrior, counts: LaneData, scale: float
    ) -> JointDensity:
        """Choose the coordinate; ``scale`` is a typical signal strength."""
        v = prior.coordinate
        low = float(v.of_mu(prior.lower))
        if np.isfinite(prior.upper):
            high = float(v.of_mu(prior.upper))
            strength = Coordinates(kind="interval", lower=np.array(low), upper=np.array(high))
        else:
            size = float(v.of_mu(prior.lower + scale)) - low
            strength = Coordinates(kind="half-line", lower=np.array(low), scale=np.array(size))
        return cls(density, prior, strength, density.model.lanes_of(counts))

    def mu(self, w: FloatArray) -> FloatArray:
        """Signal strength."""
        return self.prior.coordinate.to_mu(self.strength.at(w).x)

    def w(self, mu: FloatArray) -> FloatArray:
        """Coordinate of a signal strength."""
        inside = np.clip(mu, self.prior.lower, self.prior.upper)
        return self.strength.inverse(self.prior.coordinate.of_mu(inside))

    def _log_prior_at(self, v: FloatArray) -> FloatArray:
        """Logarithm of the prior at the coordinate in which it is smooth."""
        with np.errstate(all="ignore"):
            return self.prior.log_density(
                self.prior.coordinate.to_mu(v)
            ) + self.prior.coordinate.log_jacobian(v)

    def value(self, x: FloatArray) -> FloatArray:
        """Logarithm of the density, minus infinity where it is zero. Shape [point, 1 + z]."""
        with np.errstate(all="ignore"):
            at = self.strength.at(x[:, 0])
            mu = self.prior.coordinate.to_mu(at.x)
            likelihood = self.density.value(mu, x[:, 1:], self.counts)
            total = likelihood + self._log_prior_at(at.x) + at.log_slope
        return np.where(np.isfinite(total), total, -np.inf)

    def with_gradient(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Value and gradient; zero gradient where the density is zero."""
        w, z = x[:, 0], x[:, 1:]
        n, step = len(w), 1e-5
        with np.errstate(all="ignore"):
            # the places of the prior's slope with the points: one look at the map for all
            around = self.strength.at(np.concatenate([w, w + step, w - step]))
            prior = self._log_prior_at(around.x)
            at = around.of(slice(n))
            mu = self.prior.coordinate.to_mu(at.x)
            found = self.density.derivatives(mu, z, self.counts, hessian=False)
            slope = (prior[n : 2 * n] - prior[2 * n :]) / (2.0 * step)
            by_v = np.exp(self.prior.coordinate.log_jacobian(at.x))
            value = found.value + prior[:n] + at.log_slope
            first = found.by_mu * by_v * at.x1 + slope + at.log_slope1
            gradient = np.concatenate([first[:, np.newaxis], found.gradient], axis=1)
        bad = ~(np.isfinite(value) & np.isfinite(gradient).all(axis=1))
        return np.where(bad, -np.inf, value), np.where(bad[:, np.newaxis], 0.0, gradient)

    def parameters(self, x: FloatArray) -> FloatArray:
        """Parameters of the model at points. Shape [point, par]."""
        return self.density.parameters(self.mu(x[:, 0]), x[:, 1:])
