"""Nuisance parameters after the data: marginals, correlations, and predictions of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.inference.bayes.answers import NuisancePosterior, PredictiveCheck
from darkstats.inference.bayes.laplace.adaptive import Cloud
from darkstats.inference.bayes.laplace.importance import effective_size
from darkstats.streams import keyed_generator, poisson_counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.inference.bayes.nuisances import ParameterPrior
    from darkstats.model import Model

__all__ = ["LEAST_SIZE", "JointSample", "marginals", "predictive_check", "sample_from"]

LEAST_SIZE = 400.0  # effective draws below which no marginal is quoted
_STREAM = 11  # word of the random stream's key: never renumber
_POINTS, _MOST_PARTS = 16_384, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class JointSample:
    """Weighted draws of all parameters.

    ``parameters`` [draw, par], ``weight`` [draw], which add up to one; ``effective`` is their
    worth in independent draws.
    """

    parameters: FloatArray
    weight: FloatArray
    effective: float

    def resampled(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Equally weighted draws, by systematic resampling. Shape [n, par]."""
        steps = (rng.random() + np.arange(n)) / n
        below = np.cumsum(self.weight)
        place = np.minimum(np.searchsorted(below / below[-1], steps), len(below) - 1)
        chosen: FloatArray = self.parameters[rng.permutation(place)]
        return chosen


def sample_from(cloud: Cloud, *, seed: int) -> JointSample:
    """Weighted draws of the posterior from a Gaussian that resembles it."""
    joint = cloud.joint
    rng = keyed_generator(seed, joint.density.model.digest, _STREAM)
    parts: list[tuple[FloatArray, FloatArray]] = []
    effective = 0.0
    for _ in range(_MOST_PARTS):
        points, log_q = cloud.thrown(rng, _POINTS)
        parts.append((points, joint.value(points) - log_q))
        log_weight = np.concatenate([weight for _, weight in parts])
        effective = float(effective_size(log_weight))
        if effective >= 2.0 * LEAST_SIZE:
            break
    points = np.concatenate([part for part, _ in parts])
    peak = np.max(log_weight)
    weight = np.exp(log_weight - peak) if np.isfinite(peak) else np.zeros(len(points))
    total = float(weight.sum())
    return JointSample(
        parameters=joint.density.parameters(joint.mu(points[:, 0]), points[:, 1:]),
        weight=weight / total if total > 0.0 else weight,
        effective=effective,
    )


def marginals(
    model: Model, priors: Sequence[ParameterPrior | None], sample: JointSample
) -> tuple[tuple[NuisancePosterior, ...], tuple[tuple[float, ...], ...]]:
    """Marginal of each nuisance parameter, and the correlations of (poi, nuisances)."""
    chosen = [model.require_poi(), *(p for p, prior in enumerate(priors) if prior is not None)]
    x, weight = sample.parameters[:, chosen], sample.weight
    mean = weight @ x
    apart = x - mean
    covariance = (apart.T * weight) @ apart
    sigma = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    safe = np.where(sigma > 0.0, sigma, 1.0)
    correlation = covariance / np.outer(safe, safe)
    found = []
    for i, p in enumerate(chosen):
        prior = priors[p]
        if prior is None:
            continue
        order = np.argsort(x[:, i])
        below = np.cumsum(weight[order])
        places = np.searchsorted(below, np.array([0.1587, 0.5, 0.8413]) * below[-1])
        low, middle, high = (float(v) for v in x[order, i][np.minimum(places, len(x) - 1)])
        found.append(
            NuisancePosterior(
                name=prior.name,
                prior=prior.describe(),
                mean=float(mean[i]),
                standard_deviation=float(sigma[i]),
                quantiles=(low, middle, high),
                correlation_with_poi=float(correlation[0, i]),
            )
        )
    matrix = tuple(tuple(float(c) for c in row) for row in correlation)
    return tuple(found), matrix


def predictive_check(
    model: Model,
    counts: FloatArray,
    sample: JointSample,
    *,
    seed: int,
    draws: int = 4000,
) -> PredictiveCheck:
    """Replicate the counts from the posterior, and compare how far they stray.

    Notes
    -----
    A. Gelman, X.-L. Meng, H. Stern, Statistica Sinica 6 (1996) 733, with the Poisson deviance from
    the draw's own expectation as the measure of discrepancy.
    """
    rng = keyed_generator(seed, model.digest, _STREAM, 1)
    used = ~model.masked_bins
    rates = np.maximum(model.expected_rates(sample.resampled(draws, rng))[:, used], 0.0)
    replicas = poisson_counts(rng, rates)
    data = np.broadcast_to(counts[used], replicas.shape)
    far = _deviance(replicas, rates) >= _deviance(data, rates) - 1e-9
    low, high = np.quantile(replicas, [0.1587, 0.8413], axis=0)
    return PredictiveCheck(
        p_value=float(np.mean(far)),
        draws=draws,
        expected=tuple(float(x) for x in rates.mean(axis=0)),
        low=tuple(float(x) for x in low),
        high=tuple(float(x) for x in high),
    )


def _deviance(n: FloatArray, nu: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = nu - n + np.where(n > 0.0, n * np.log(n / nu), 0.0)
    result: FloatArray = 2.0 * terms.sum(axis=1)
    return result
