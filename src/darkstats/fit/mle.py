"""One fit whose number is going to be printed.

Certification level 2: besides the certificate of every fit, the minimum is found again from a
second start, and from both sides of zero of the parameters that may have a minimum on either.  If
these disagree, more starts decide, and the lowest minimum has to be found twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from darkstats.arguments import checked
from darkstats.arrays import FloatArray, frozen_floats
from darkstats.errors import FitFailedError, ImpossibleDataError, LocalMinimumError
from darkstats.fit.batch import RUNGS, BatchFit, fit_batch
from darkstats.fit.elsewhere import affordable, most_starts, starts_elsewhere
from darkstats.fit.lanes import FitOptions, Problem
from darkstats.fit.minima import AGREEMENT, Minimum
from darkstats.fit.remarks import (
    bound_warnings,
    failure,
    held_in_words,
    loose_parameters,
    untried_starts,
    warnings_of,
)
from darkstats.fit.result import Certification, FitResult
from darkstats.fit.starts import jittered_starts, mirrored_starts, starts_on_both_sides
from darkstats.fit.valleys import cancels
from darkstats.model import Model, Observation

__all__ = ["AGREEMENT", "fit", "number_options"]

NUMBER_TOLERANCE = 1e-12
MORE_STARTS = 10
MORE_KEYS = (6, 8, 10, 12, 14, 16)  # of searches on, where the lowest minimum was found once
NEARBY = 0.3  # spread of starts around the lowest minimum so far, in pre-fit errors
MOST_BELOW = 6  # ends below a minimum that are followed
DEAR_STEPS = 100  # from a start far away, where fits are so dear that only some are tried


def number_options(options: FitOptions) -> FitOptions:
    """Options of a fit whose number is going to be printed."""
    return replace(options, edm_tolerance=min(options.edm_tolerance, NUMBER_TOLERANCE))


def _where_rates_are_finite(problem: Problem, held: FloatArray) -> FloatArray | None:
    """Where constraints put the parameters, if rates are infinite at the starting values only."""
    nominal = np.clip(problem.model.nominal, problem.lower, problem.upper)
    nearer: FloatArray = np.where(problem.free == 1, nominal, held)
    with np.errstate(all="ignore"):
        rates = problem.model.expected_rates(np.array([held, nearer]))
    infinite = ~np.isfinite(rates).all(axis=1)
    return nearer if infinite.tolist() == [True, False] else None


def _below(
    problem: Problem, observation: Observation, batches: Sequence[BatchFit], found: Minimum
) -> tuple[FloatArray, float]:
    """Ends of fits below a minimum, the lowest first [end, par], and the deviance of that.

    A point that lies lower shows that the minimum is local, whether its own fit is certified or
    not, and whether a retry from another start was.
    """
    data, auxdata = problem.model.stack([observation])
    retried = [batch.first_ends[batch.rung > 0] for batch in batches]
    ends = np.vstack([*(batch.ends for batch in batches), *retried])
    values = np.concatenate([batch.twice_nll for batch in batches])
    values = np.append(values, np.full(len(ends) - len(values), np.nan))
    for lane in np.flatnonzero(np.isnan(values) & np.isfinite(ends).all(axis=1)):
        end = frozen_floats(ends[lane])
        values[lane] = 2.0 * problem.model.derivatives(end, data, auxdata[0])[0]
    lower = np.flatnonzero(values < found.twice_nll - AGREEMENT)
    order = lower[np.argsort(values[lower], kind="stable")][:MOST_BELOW]
    return ends[order], float(values[order[0]]) if len(order) else math.nan


def _lower_places(
    problem: Problem,
    observation: Observation,
    found: Minimum,
    attempt: Callable[..., BatchFit],
    options: FitOptions,
) -> tuple[FloatArray, float, int]:
    """Look for places below a minimum that may be local; as :func:`_below`, and how many failed."""
    starts = starts_elsewhere(problem, observation, found.parameters, found.twice_nll)
    chosen = affordable(problem, starts)
    if not len(chosen):
        return chosen, math.nan, 0
    quick = replace(options, fallback=False)
    if len(chosen) < len(starts):
        quick = replace(quick, max_steps=min(options.max_steps, DEAR_STEPS))
    starts = chosen
    tried = []
    poi = problem.model.poi_index
    if poi is not None and problem.free[poi] == 1:
        # a valley that a free fit leaves at once, or in which it gets lost
        tried.append(attempt(starts, quick, starts[:, poi]))
        ends = tried[0].ends
        starts = np.vstack([starts, ends[np.isfinite(ends).all(axis=1)]])
    tried.append(attempt(starts, quick))
    return *_below(problem, observation, tried, found), sum(batch.n_failed for batch in tried)


def _agreed(
    problem: Problem,
    attempt: Callable[..., BatchFit],
    options: FitOptions,
    *,
    held: FloatArray,
    starts: FloatArray,
) -> tuple[BatchFit, int]:
    """Fit from a few starts, and from more where these disagree; the last batch, how many failed.

    Where one start leads to a minimum and another gets lost, more starts tell sooner than the
    ladder of retries whether it is the lowest. Where fits are dear, and among events, a start costs
    more than a retry.
    """
    dear = problem.model.in_bins is None or most_starts(problem) is not None
    quick = options if dear else replace(options, fallback=False)
    batch = attempt(starts, quick)
    found, failed = batch.lowest(), batch.n_failed
    if found is None and not dear:
        batch = attempt(starts, options)
        found, failed = batch.lowest(), failed + batch.n_failed
    if found is not None and found.unanimous:
        return batch, failed
    near = batch.ends[0] if found is None else found.parameters
    more = [
        jittered_starts(problem, held, MORE_STARTS, key=2),
        jittered_starts(problem, near, MORE_STARTS, key=3, width=NEARBY),
    ]
    many, from_own_start = np.vstack([starts, *more]), not batch.spent.any()
    if not dear:
        batch = attempt(many, quick)
        found, failed = batch.lowest(), failed + batch.n_failed
        if found is not None and found.agreeing() >= 2:
            return batch, failed
    batch = attempt(many, replace(options, from_own_start=from_own_start))
    return batch, failed + batch.n_failed


def _among_many(
    problem: Problem,
    observation: Observation,
    first: BatchFit,
    attempt: Callable[..., BatchFit],
    options: FitOptions,
    *,
    held: FloatArray,
    starts: FloatArray,
) -> tuple[BatchFit, int]:
    """Look on where the lowest minimum was found once; the batch that settles it, how many failed.

    Each turn starts around it, far from it, and with one parameter at a time on its other side. It
    is over when nothing lower was found, from any of these starts, and the lowest one twice. The
    first batch comes back where that never is, or where starts that agree prove nothing.
    """
    found, failed = first.lowest(), 0
    if found is None or found.certified < 2 or not math.isfinite(found.twice_nll):
        return first, 0
    quick = replace(options, fallback=False)  # one start more or less does not matter
    for key in MORE_KEYS if found.agreeing() < 2 else ():
        known = found
        more = [
            known.parameters[np.newaxis],
            jittered_starts(problem, held, MORE_STARTS, key=key),
            jittered_starts(problem, known.parameters, MORE_STARTS, key=key + 1, width=NEARBY),
            mirrored_starts(problem, known.parameters),
        ]
        batch = attempt(np.vstack([starts, *more]), quick)
        failed += batch.n_failed
        found = batch.lowest()
        if found is None:
            break
        if found.twice_nll < known.twice_nll - AGREEMENT or found.agreeing() < 2:
            continue
        if cancels(problem.model, observation, found.parameters, np.flatnonzero(problem.free)):
            break
        below, level, lost = _lower_places(problem, observation, found, attempt, options)
        if len(below):
            _require_reached(problem.model, found, below[0], level)
        return batch, failed + lost
    return first, 0


def _require_reached(
    model: Model, found: Minimum | None, point: FloatArray, twice_nll: float
) -> None:
    """Check that a minimum lies no higher than a point that is known.

    Raises
    ------
    LocalMinimumError
        It does: what was found is no maximum of the likelihood.
    """
    if found is not None and found.twice_nll <= twice_nll + AGREEMENT:
        return
    furthest = np.argsort(-np.abs(point - model.nominal), kind="stable")[:3]
    where = ", ".join(f"{model.parameters[p].name} = {point[p]:.4g}" for p in map(int, furthest))
    higher = "none" if found is None else f"the lowest one found has {found.twice_nll:.9g}"
    raise LocalMinimumError(
        f"a deviance of {twice_nll:.9g} is reached at {where}, where no minimum could be certified "
        f"({higher}); narrow the ranges of these parameters",
        reached=twice_nll,
    )


@checked
def fit(
    model: Model,
    observation: Observation,
    *,
    poi_value: float | None = None,
    fixed: Mapping[str, float] | None = None,
    poi_lower: float | None = None,
    poi_upper: float | None = None,
    start: npt.ArrayLike | None = None,
    options: FitOptions | None = None,
    even_if_impossible: bool = False,
) -> FitResult:
    """Maximum-likelihood fit, certified at level 2.

    Parameters
    ----------
    model, observation
        The likelihood and its data.
    poi_value
        Fixes the parameter of interest.
    fixed
        Further parameters to fix, by name.
    poi_lower, poi_upper
        Range of a free parameter of interest; the workspace's by default.
    start
        First start; the model's by default. Shape [par].
    options
        How to minimise; the EDM tolerance is at most 1e-12 here.
    even_if_impossible
        Return the best fit to the other bins, with an infinite ``twice_nll``, where events lie in a
        bin without any expectation: the limit of vanishing signal.

    Raises
    ------
    ImpossibleDataError
        Events lie where nothing is expected whatever the free parameters are.
    FitFailedError
        No minimum could be certified.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> fit = darkstats.fit_model(model, model.observation)
    >>> round(fit.value("mu"), 3), round(fit.twice_nll, 3)
    (0.581, 0.249)
    """
    options = number_options(options or FitOptions())
    problem = Problem.of(
        model,
        fix_poi=poi_value is not None,
        fixed=fixed or {},
        poi_lower=poi_lower,
        poi_upper=poi_upper,
    )
    held = problem.values.copy()
    if poi_value is not None:
        held[model.require_poi()] = poi_value
    first = held if start is None else np.where(problem.free == 1, np.asarray(start, float), held)
    starts = np.vstack(
        [first, jittered_starts(problem, held, 1, key=1), starts_on_both_sides(problem, held)]
    )

    def attempt(
        points: FloatArray,
        how: FitOptions,
        poi_values: float | FloatArray | None = poi_value,
    ) -> BatchFit:
        data, auxdata = model.stack([observation] * len(points))
        return fit_batch(
            model,
            data,
            auxdata,
            start=points,
            poi_values=poi_values,
            fixed=fixed,
            poi_lower=poi_lower,
            poi_upper=poi_upper,
            options=how,
        )

    batch, failed = _agreed(problem, attempt, options, held=held, starts=starts)
    found = batch.lowest()
    nearer = _where_rates_are_finite(problem, held) if found is None and start is None else None
    if nearer is not None:
        return fit(
            model,
            observation,
            poi_value=poi_value,
            fixed=fixed,
            poi_lower=poi_lower,
            poi_upper=poi_upper,
            start=nearer,
            options=options,
            even_if_impossible=even_if_impossible,
        )
    if found is not None and math.isfinite(found.twice_nll):
        below, level, lost = _lower_places(problem, observation, found, attempt, options)
        failed += lost
        if len(below):
            near = jittered_starts(problem, below[0], MORE_STARTS, key=5, width=NEARBY)
            batch = attempt(np.vstack([starts, below, near]), options)
            found, failed = batch.lowest(), failed + batch.n_failed
            _require_reached(model, found, below[0], level)
    batch, lost = _among_many(
        problem, observation, batch, attempt, options, held=held, starts=starts
    )
    found, failed = batch.lowest(), failed + lost
    n_starts = len(batch.status)
    if found is None or (not even_if_impossible and np.isposinf(found.twice_nll)):
        at = starts if found is None else found.parameters[np.newaxis]
        places = model.impossible_places(at, observation)
        rest = None if places is None else model.without_impossible(at, observation)
        if even_if_impossible and rest is not None:
            reached = fit(
                model,
                rest,
                poi_value=poi_value,
                fixed=fixed,
                poi_lower=poi_lower,
                poi_upper=poi_upper,
                start=start,
                options=options,
            )
            return replace(reached, observation=observation, twice_nll=math.inf)
        if places is not None:
            raise ImpossibleDataError(places, held=held_in_words(model, poi_value, fixed))
    if found is None or (not even_if_impossible and np.isposinf(found.twice_nll)):
        raise failure(
            problem, observation, starts[0], batch, held_in_words(model, poi_value, fixed)
        )
    if found.agreeing() < 2:
        following = (
            f"next: {found.rises[1]:.3g} higher in deviance"
            if found.certified > 1
            else "all others failed"
        )
        raise FitFailedError(
            f"the lowest minimum was found from one of {n_starts} starts only ({following}); give "
            "a better start or narrow the ranges"
        )
    best = found.lane
    point = found.parameters.copy()
    point.flags.writeable = False
    loose = loose_parameters(problem, observation, point, batch.parameters[int(found.order[1])])
    free = problem.free == 1
    resting = free & ((point <= problem.lower) | (point >= problem.upper))
    names = model.parameter_names
    return FitResult(
        model=model,
        observation=observation,
        parameters=point,
        twice_nll=found.twice_nll,
        edm=float(batch.edm[best]),
        steps=int(batch.steps[best]),
        free=tuple(names[p] for p in np.flatnonzero(free)),
        at_bound=tuple(names[p] for p in np.flatnonzero(resting)),
        certification=Certification(
            level=2,
            starts=n_starts,
            failed=failed,
            agreement=float(found.rises[1]),
            rung=RUNGS[int(batch.rung[best])],
        ),
        warnings=warnings_of(problem, batch, best, loose, found.spread)
        + untried_starts(problem, observation, point, found.twice_nll)
        + bound_warnings(
            model, observation, point, resting, lower=poi_lower is None, upper=poi_upper is None
        ),
    )
