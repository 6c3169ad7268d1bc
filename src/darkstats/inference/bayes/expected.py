"""Expected limits of models that cannot be enumerated: background-only toys.

Counts are thrown; auxiliary data are not, because to Bayes they are the prior, and a prior is not
thrown anew. With few nuisance parameters each toy's limit is Laplace's, with few points of
importance sampling; with many, one sample of parameters is weighted anew for each toy. How far that
is from the certified engine on the data themselves is part of the error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import PriorError
from darkstats.fit import fit_batch
from darkstats.gaussian import cdf
from darkstats.inference.bayes.quick import quick_limits
from darkstats.inference.bayes.reweighting import BroadSample
from darkstats.inference.bayes.rows import joined_rows, observed_rows
from darkstats.inference.results import N_SIGMA, ToyCounts, ToyOptions
from darkstats.model.histfactory import HistFactoryModel
from darkstats.streams import keyed_generator, poisson_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from darkstats.arrays import FloatArray
    from darkstats.fit import FitOptions
    from darkstats.inference.bayes.nuisances import ParameterPrior
    from darkstats.inference.bayes.problem import PosteriorProblem
    from darkstats.model import LaneData, Model

__all__ = ["DEFAULT_TOYS", "ToyBand", "background_counts", "toy_band"]

DEFAULT_TOYS = 400
_BLOCK = 256  # part of the definition of a toy
_MANY = 12  # nuisance parameters with which a Gaussian at the mode is no longer good enough
_TRIAL = 50
_STREAM = 12  # word of the random stream's key: never renumber


@dataclass(frozen=True, slots=True, kw_only=True)
class ToyBand:
    """Quantiles of the limit over toys, their errors, and what became of the toys.

    ``reason`` is why there is no band.
    """

    expected: tuple[float | None, ...] = (None,) * 5
    error: tuple[float | None, ...] = (None,) * 5
    reason: str | None = None
    toys: ToyCounts | None = None
    fits: int = 0


def background_counts(
    model: Model,
    priors: Sequence[ParameterPrior | None],
    *,
    how: str,
    toys: ToyOptions,
    options: FitOptions | None = None,
) -> tuple[LaneData | None, str | None]:
    """Throw background-only counts [toy, bin], or events, or say why none can be thrown.

    Parameters
    ----------
    model, priors
        The likelihood with the observation that is fitted, and the prior of each parameter.
    how
        ``"conditional-mle"``: at the fit without signal; ``"prior-predictive"``: nuisance
        parameters from their priors.
    toys, options
        How many, from which seed; options of the fit.
    """
    poi = model.require_poi()
    point = model.inits
    if how == "conditional-mle":
        batch = fit_batch(
            model,
            observed_rows(model),
            model.observation.auxdata,
            poi_values=0.0,
            options=options,
        )
        if not batch.converged[0]:
            return None, "the fit without signal could not be certified"
        point = batch.parameters[0]
    point = np.array(point)
    point[poi] = 0.0
    rows: list[LaneData] = []
    first, last = toys.first_toy // _BLOCK, (toys.first_toy + toys.n_toys - 1) // _BLOCK
    for block in range(first, last + 1):
        rng = keyed_generator(
            toys.seed, model.digest, _STREAM, int(how != "conditional-mle"), block
        )
        points = np.repeat(point[np.newaxis], _BLOCK, axis=0)
        if how == "prior-predictive":
            try:
                for p, prior in enumerate(priors):
                    if prior is not None:
                        points[:, p] = prior.draw(rng, _BLOCK)
            except PriorError as error:
                return None, str(error)
        if isinstance(model, HistFactoryModel):
            rates = np.maximum(model.expected_rates(points), 0.0)
            rows.append(poisson_counts(rng, rates))
        elif how == "prior-predictive":
            # Every toy has a point of its own: one is thrown at a time.
            rows += [model.throw(one, rng, 1)[0] for one in points]
        else:
            rows.append(model.throw(point, rng, _BLOCK)[0])
    start = toys.first_toy - first * _BLOCK
    return joined_rows(rows)[start : start + toys.n_toys], None


def _limits_of(
    problem: PosteriorProblem, *, cl: float, seed: int, counts: LaneData
) -> Callable[[LaneData], FloatArray]:
    """The function from counts [toy, bin] to limits [toy] that suits the model."""
    if problem.density.n > _MANY and isinstance(counts, np.ndarray):
        sample = BroadSample.of(problem, np.mean(counts, axis=0), seed=seed)
        if sample is not None:
            tried = sample.limits(counts[:_TRIAL], cl)
            if np.count_nonzero(np.isfinite(tried)) >= 0.95 * len(tried):
                return lambda rows: _weighted_or_fitted(problem, sample, rows, cl=cl, seed=seed)
    return lambda rows: quick_limits(problem, rows, cl=cl, seed=seed)


def _weighted_or_fitted(
    problem: PosteriorProblem, sample: BroadSample, rows: LaneData, *, cl: float, seed: int
) -> FloatArray:
    """Limits from the sample; of the few outcomes that it does not reach, from a fit."""
    limits = sample.limits(np.asarray(rows), cl)
    missed = np.flatnonzero(~np.isfinite(limits))
    if len(missed):
        limits[missed] = quick_limits(problem, rows[missed], cl=cl, seed=seed)
    return limits


def toy_band(
    problem: PosteriorProblem,
    priors: Sequence[ParameterPrior | None],
    *,
    how: str,
    cl: float,
    toys: ToyOptions,
    observed: float | None,
    options: FitOptions | None = None,
) -> ToyBand:
    """Quantiles of the limit over background-only toys.

    Parameters
    ----------
    problem, priors
        Model with its observation, and priors.
    how, toys
        How toys are thrown, and how many.
    cl
        Posterior probability below the limit.
    observed
        The certified limit on the data, if there is one: what the quick limits are off there
        enters the errors.
    """
    model = problem.density.model
    counts, reason = background_counts(model, priors, how=how, toys=toys, options=options)
    if counts is None:
        return ToyBand(reason=reason)
    limits_of = _limits_of(problem, cl=cl, seed=toys.seed, counts=counts)
    parts = []
    for first in range(0, len(counts), _BLOCK):
        part = counts[first : first + _BLOCK]
        parts.append(limits_of(part))
        if toys.on_toys is not None:
            toys.on_toys(len(part))
    limits = np.concatenate(parts)
    good = np.isfinite(limits)
    seen = ToyCounts(asked=len(limits), ok=int(good.sum()), failed=int(np.count_nonzero(~good)))
    if seen.failed > toys.max_failed_fraction * seen.asked:
        return ToyBand(
            reason=f"{seen.failed} of {seen.asked} toys have no limit: the band is not quoted",
            toys=seen,
        )
    off = 0.0
    if observed is not None:
        here = float(limits_of(observed_rows(model))[0])
        off = abs(here / observed - 1.0) if math.isfinite(here) else 1.0
    ordered = np.sort(limits[good])
    n = len(ordered)
    values, errors = [], []
    for sigma in N_SIGMA:
        p = cdf(float(sigma))
        spread = math.sqrt(p * (1.0 - p) / n)
        value = float(np.quantile(ordered, p))
        low, high = np.quantile(ordered, [max(p - spread, 0.0), min(p + spread, 1.0)])
        values.append(value)
        errors.append(math.hypot(0.5 * float(high - low), off * value))
    return ToyBand(
        expected=tuple(values), error=tuple(errors), toys=seen, fits=int(how == "conditional-mle")
    )
