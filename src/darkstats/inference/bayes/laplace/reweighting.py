"""One sample of parameters, weighted anew for the counts of each toy.

With many nuisance parameters and few bins, a posterior sees the parameters through the rates of
the bins alone. Points are thrown from a Gaussian that resembles a posterior with a flattened
likelihood, broad enough for the posteriors of all background-only outcomes; their rates are
computed once, and the limit of any outcome is a weighted quantile.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import DarkstatsError
from darkstats.inference.bayes.laplace.adaptive import learn, learnt_cloud
from darkstats.inference.bayes.laplace.importance import effective_size
from darkstats.inference.bayes.problem import Ranges
from darkstats.streams import keyed_generator

if TYPE_CHECKING:
    from darkstats.arrays import BoolArray, FloatArray
    from darkstats.inference.bayes.problem import PosteriorProblem

__all__ = ["BroadSample"]

_STREAM = 16  # word of the random stream's key: never renumber
_FLATTENED = 0.5  # power of the likelihood: an outcome is displaced by about the posterior's width
_POINTS, _CHUNK = 131_072, 8192
_LEAST = 150.0  # effective points below which an outcome has no limit


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadSample:
    """Points with what any counts need.

    ``mu`` rising [point]; ``log_rate`` and ``rate`` of the bins that count [point, bin];
    ``log_base``: logarithm of priors over the density of the points [point].
    """

    mu: FloatArray
    log_rate: FloatArray = field(repr=False)
    rate: FloatArray = field(repr=False)
    log_base: FloatArray = field(repr=False)
    used: BoolArray = field(repr=False)

    @classmethod
    def of(cls, problem: PosteriorProblem, typical: FloatArray, *, seed: int) -> BroadSample | None:
        """Throw points that serve outcomes around ``typical`` counts [bin]; None where none do."""
        model = problem.density.model
        used = ~model.masked_bins
        counts = np.where(used, typical, 0.0)
        try:
            ranges = Ranges.of(problem, counts[np.newaxis])
            if ranges.problem[0] is not None:
                return None
            span = (float(ranges.low[0]), float(ranges.high[0]))
            cloud = learnt_cloud(problem, counts[np.newaxis], span, seed=seed)
        except DarkstatsError:
            return None  # then each toy is fitted by itself
        rng = keyed_generator(seed, model.digest, _STREAM)

        def log_likelihood(points: FloatArray) -> tuple[FloatArray, FloatArray]:
            x = problem.density.parameters(cloud.joint.mu(points[:, 0]), points[:, 1:])
            rate = np.maximum(model.expected_rates(x)[:, used], 1e-300)
            return np.log(rate) @ counts[used] - rate.sum(axis=1), rate

        def flattened(points: FloatArray) -> FloatArray:
            with np.errstate(invalid="ignore"):
                value = cloud.joint.value(points)
                value = value - (1.0 - _FLATTENED) * log_likelihood(points)[0]
            return np.where(np.isfinite(value), value, -np.inf)

        broad = learn(flattened, cloud, rng)
        parts = []
        for _ in range(_POINTS // _CHUNK):
            points, log_q = broad.thrown(rng, _CHUNK)
            data, rate = log_likelihood(points)
            with np.errstate(invalid="ignore"):
                base = broad.joint.value(points) - data - log_q
            inside = np.isfinite(base)
            parts.append((broad.joint.mu(points[inside, 0]), rate[inside], base[inside]))
        mu, rate, base = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(mu, kind="stable")
        return cls(
            mu=mu[order],
            log_rate=np.log(rate[order]),
            rate=rate[order],
            log_base=base[order],
            used=used,
        )

    def limits(self, counts: FloatArray, cl: float) -> FloatArray:
        """Credible limits of outcomes; NaN where too few points serve. [toy, bin] -> [toy]."""
        found = np.full(len(counts), math.nan)
        common = self.log_base - self.rate.sum(axis=1)
        for i, row in enumerate(counts):
            log_weight = common + self.log_rate @ row[self.used]
            if not effective_size(log_weight) >= _LEAST:
                continue
            below = np.cumsum(np.exp(log_weight - np.max(log_weight)))
            place = int(np.searchsorted(below, cl * below[-1]))
            found[i] = self.mu[min(place, len(self.mu) - 1)]
        return found
