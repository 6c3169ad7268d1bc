"""Expected limits of models that cannot be enumerated: background-only toys.

Counts are thrown; auxiliary data are not, because to Bayes they are the prior, and a prior is not
thrown anew. With few nuisance parameters each toy's limit is Laplace's, with few points of
importance sampling; with many, one sample of parameters is weighted anew for each toy. How far that
is from the certified engine, on the data themselves and on the toys that stand at the quantiles, is
part of the error: no quantile is quoted whose toy does not pass the gate. Where one bin counts
there is nothing to throw: the limit rises with its count, and the five counts at the quantiles are
asked for, each through the gate.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import PriorError
from darkstats.fit import fit_batch
from darkstats.gaussian import cdf
from darkstats.inference.bayes.laplace.approximation import laplace_posteriors
from darkstats.inference.bayes.laplace.quick import quick_limits
from darkstats.inference.bayes.laplace.reweighting import BroadSample
from darkstats.inference.bayes.quadrature.enumeration import count_range
from darkstats.inference.p_values import ToyCounts, ToyOptions
from darkstats.inference.results import N_SIGMA
from darkstats.model.base import observed_lanes
from darkstats.streams import keyed_generator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from darkstats.arrays import FloatArray, IndexArray
    from darkstats.fit import FitOptions
    from darkstats.inference.bayes.nuisances import ParameterPrior
    from darkstats.inference.bayes.problem import PosteriorProblem
    from darkstats.model import LaneData, Model

__all__ = ["DEFAULT_TOYS", "ToyBand", "background_counts", "counted_band", "toy_band"]

DEFAULT_TOYS = 400
_BLOCK = 256  # part of the definition of a toy
_MANY = 12  # nuisance parameters with which a Gaussian at the mode is no longer good enough
_TRIAL = 50
_STREAM = 12  # word of the random stream's key: never renumber
_NO_FIT = "the fit without signal could not be certified"
_AGREED = 1e-2  # a quick limit that is off by less at a quantile stays, the rest is corrected
_SCATTER = 0.1  # quick limits that scatter by more about the certified ones rank nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class ToyBand:
    """Quantiles of the limit over toys, their errors, and what became of the toys.

    ``reason`` is why there is no band; ``enumerated`` tells that all outcomes were counted, and
    none thrown.
    """

    expected: tuple[float | None, ...] = (None,) * 5
    error: tuple[float | None, ...] = (None,) * 5
    reason: str | None = None
    toys: ToyCounts | None = None
    fits: int = 0
    enumerated: bool = False


def _without_signal(model: Model, options: FitOptions | None) -> FloatArray | None:
    """Parameters at the fit without signal [par], None where it cannot be certified."""
    batch = fit_batch(
        model,
        observed_lanes(model),
        model.observation.auxdata,
        poi_values=0.0,
        options=options,
    )
    return batch.parameters[0] if batch.converged[0] else None


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
        fitted = _without_signal(model, options)
        if fitted is None:
            return None, _NO_FIT
        point = fitted
    point = np.array(point)
    point[poi] = 0.0
    rows: list[LaneData] = []
    first, last = toys.first_toy // _BLOCK, (toys.first_toy + toys.n_toys - 1) // _BLOCK
    for block in range(first, last + 1):
        rng = keyed_generator(
            toys.seed, model.digest, _STREAM, int(how != "conditional-mle"), block
        )
        if how == "conditional-mle":
            rows.append(model.throw(point, rng, _BLOCK)[0])
            continue
        points = np.repeat(point[np.newaxis], _BLOCK, axis=0)
        try:
            for p, prior in enumerate(priors):
                if prior is not None:
                    points[:, p] = prior.draw(rng, _BLOCK)
        except PriorError as error:
            return None, str(error)
        rows.append(model.throw_each(points, rng))
    start = toys.first_toy - first * _BLOCK
    return model.joined(rows)[start : start + toys.n_toys], None


def _limits_of(
    problem: PosteriorProblem, *, cl: float, seed: int, counts: LaneData
) -> Callable[[LaneData], FloatArray]:
    """The function from counts [toy, bin] to limits [toy] that suits the model."""
    if problem.density.n > _MANY and problem.density.model.in_bins is not None:
        sample = BroadSample.of(problem, np.mean(np.asarray(counts), axis=0), seed=seed)
        if sample is not None:
            tried = sample.limits(np.asarray(counts)[:_TRIAL], cl)
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
        here = float(limits_of(observed_lanes(model))[0])
        off = abs(here / observed - 1.0) if math.isfinite(here) else 1.0
    order = np.flatnonzero(good)[np.argsort(limits[good], kind="stable")]
    checked = _certified_at_quantiles(problem, counts, limits, order, cl=cl, seed=toys.seed)
    if isinstance(checked, str):
        return ToyBand(reason=checked, toys=seen)
    ratios, own = checked
    scatter = float(np.std(ratios))
    ordered, n = limits[order], len(order)
    values, errors = [], []
    for sigma, ratio, error in zip(N_SIGMA, ratios, own, strict=True):
        p = cdf(float(sigma))
        spread = math.sqrt(p * (1.0 - p) / n)
        value = float(np.quantile(ordered, p))
        low, high = np.quantile(ordered, [max(p - spread, 0.0), min(p + spread, 1.0)])
        wrong = max(off, abs(ratio - 1.0))
        if abs(ratio - 1.0) > _AGREED:
            value, wrong = value * ratio, math.hypot(scatter, error)
        values.append(value)
        errors.append(math.hypot(0.5 * float(high - low), wrong * value))
    return ToyBand(
        expected=tuple(values), error=tuple(errors), toys=seen, fits=int(how == "conditional-mle")
    )


def _certified_at_quantiles(
    problem: PosteriorProblem,
    counts: LaneData,
    limits: FloatArray,
    order: IndexArray,
    *,
    cl: float,
    seed: int,
) -> tuple[FloatArray, FloatArray] | str:
    """Certified over quick limits of the toys at the quantiles, and relative errors; or a refusal.

    Shapes [5]; ``order`` has the toys in rising order of their quick limits.
    """
    place = [round(cdf(float(sigma)) * (len(order) - 1)) for sigma in N_SIGMA]
    chosen = order[place]
    distinct, back = np.unique(chosen, return_inverse=True)
    found = laplace_posteriors(problem, counts[distinct], cl=cl, seed=seed)
    for answer in found:
        if answer.problem is not None or answer.limit is None:
            return f"the toy at a quantile has no certified limit: {answer.problem}"
    value = np.array([answer.limit for answer in found])[back]
    error = np.array([answer.error for answer in found])[back]
    ratios: FloatArray = value / limits[chosen]
    if not float(np.std(ratios)) <= _SCATTER:
        return (
            "limits of toys are not certified: quick ones scatter about those of the certified "
            f"engine by {100.0 * float(np.std(ratios)):.2g} %"
        )
    return ratios, error / value


def counted_band(
    problem: PosteriorProblem, *, how: str, cl: float, seed: int, options: FitOptions | None = None
) -> ToyBand | None:
    """The band of a model in which one bin counts; None where toys have to be thrown.

    Parameters
    ----------
    problem
        Model with its observation, and priors.
    how
        Only ``"conditional-mle"`` can be counted: Poisson outcomes of one bin.
    cl, seed
        Posterior probability below the limit, and seed of importance sampling.
    options
        Options of the fit without signal.
    """
    model = problem.density.model.in_bins
    if how != "conditional-mle" or model is None:
        return None
    bins = np.flatnonzero(~model.masked_bins)
    if len(bins) != 1:
        return None
    point = _without_signal(model, options)
    if point is None:
        return ToyBand(reason=_NO_FIT, enumerated=True)
    rate = float(model.expected_rates(point)[bins[0]])
    low, probability = count_range(max(rate, 0.0))
    below = np.cumsum(probability) / probability.sum()
    levels = [cdf(float(sigma)) for sigma in N_SIGMA]
    place = np.minimum(np.searchsorted(below, np.array(levels) - 1e-12), len(below) - 1)
    distinct, back = np.unique(low + place, return_inverse=True)
    rows = np.zeros((len(distinct), len(model.masked_bins)))
    rows[:, bins[0]] = distinct
    found = laplace_posteriors(problem, rows, cl=cl, seed=seed)
    for count, answer in zip(distinct, found, strict=True):
        if answer.problem is not None:
            return ToyBand(
                reason=f"{count} events have no certified limit: {answer.problem}", enumerated=True
            )
    limits = [answer.limit or 0.0 for answer in found]
    # The order of outcomes is that of their counts as long as limits rise, up to their errors.
    steps = itertools.pairwise(found)
    if any((b.limit or 0.0) < (a.limit or 0.0) - 3.0 * (a.error + b.error) for a, b in steps):
        return None
    return ToyBand(
        expected=tuple(limits[i] for i in back),
        error=tuple(found[i].error for i in back),
        fits=1,
        enumerated=True,
    )
