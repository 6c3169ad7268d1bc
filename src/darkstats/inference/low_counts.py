"""Where an asymptotic CLs limit is none: below the limit that no event at all would give.

Whatever the ordering of outcomes, ``CLs >= exp(-s)`` for ``s`` expected signal events, because no
outcome is less likely with signal by more than that factor. A CLs limit below ``-log(1 - CL) / s``
(2.303 events at 90 %, 2.996 at 95 %) is therefore an artefact of the asymptotic formulas. Where the
signal is no straight line of the parameter of interest, the limit is the root of ``s(mu)``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import NotCertifiedError, OptionError
from darkstats.gaussian import cdf
from darkstats.inference.p_values import ToyOptions
from darkstats.inference.poisson_counting import poisson_cdf, poisson_cls_limit
from darkstats.inference.probe import seconds_per_toy
from darkstats.inference.results import N_SIGMA, LowCounts

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.inference.curve import ProfileCurve
    from darkstats.inference.results import UpperLimit

__all__ = ["low_counts", "zero_event_limit"]

_BELOW = (
    1e-3  # relative distance, in events, below the floor that is more than rounding and nuisances
)
_N_TOYS = (2000, 10_000)  # the second where the first do not tell
_BUDGET_S = 6.0  # of toys that nobody asked for, on one core
_POINTS = 40.0  # signal strengths that a limit by toys looks at
_ROUNDING = 1e-12  # relative: of rates, and of a signal strength
_LINEAR = 1e-9  # relative deviation of a rate that bends no line
_FRACTIONS = np.array([0.25, 0.5, 0.75, 1.0])  # of a strength, where a line is looked at
_DOUBLINGS = 30  # of the strength, until a signal that has not grown enough never does
_SECTIONS, _PASSES = 64, 20  # each pass cuts the range of the root by 64


def zero_event_limit(curve: ProfileCurve, mu: float, *, cl: float) -> float | None:
    """CLs limit that zero observed events would give: ``-log(1 - CL)`` expected signal events.

    Parameters
    ----------
    curve
        Nuisance parameters are those of its background-only fit.
    mu
        Largest signal strength that matters, positive.
    cl
        Confidence level.

    Returns
    -------
    float or None
        None where the signal takes events away in a bin (interference), does not rise with its
        strength, or never is as many events; and where the parameter of interest has an auxiliary
        measurement, which excludes strengths by itself.
    """
    model = curve.model
    if model.parameters[model.require_poi()].constrained:
        return None
    rates = _rates(curve, np.array([mu]))
    total = 0.0 if rates is None else float((rates[1] - rates[0]).sum())
    if not total > 0.0:
        return None
    events = -math.log1p(-cl)
    return _strength(curve, events, straight=events / total * mu, mu=mu)


def _rates(curve: ProfileCurve, strengths: FloatArray) -> FloatArray | None:
    """Rates without signal and at strengths [1 + strength, bin]; None where signal takes events."""
    model = curve.model
    points = np.repeat(curve.reference.parameters[np.newaxis], 1 + len(strengths), axis=0)
    points[0, model.require_poi()] = 0.0
    points[1:, model.require_poi()] = strengths
    with np.errstate(all="ignore"):
        rates = np.asarray(model.expected_rates(points))[:, ~model.masked_bins]
        signal = rates[1:] - rates[0]
    if not np.isfinite(signal).all() or (signal < -_ROUNDING * np.abs(rates[0])).any():
        return None
    return rates


def _strength(curve: ProfileCurve, events: float, *, straight: float, mu: float) -> float | None:
    """Strength at which the signal is so many events; None where there is none, or it turns back.

    ``straight`` is what a linear signal would give, and is returned if the signal is linear up to
    there; ``mu`` is where the search for another begins.
    """
    rates = _rates(curve, straight * _FRACTIONS)
    if rates is not None:
        signal = rates[1:] - rates[0]
        bent = np.abs(signal - _FRACTIONS[:, np.newaxis] * signal[-1]) > _LINEAR * rates[1:]
        off = abs(float(signal[-1].sum()) - events) > _LINEAR * float(rates[-1].sum())
        if not bent.any() and not off:
            return straight
    low, high = 0.0, mu
    for _ in range(_DOUBLINGS):
        rates = _rates(curve, np.array([high]))
        if rates is None:
            return None
        if float((rates[1] - rates[0]).sum()) >= events:
            break
        high *= 2.0
    else:
        return None
    for _ in range(_PASSES):
        strengths = np.linspace(low, high, _SECTIONS + 1)
        rates = _rates(curve, strengths)
        if rates is None:
            return None
        totals = (rates[1:] - rates[0]).sum(axis=1)
        if (np.diff(totals) < -_ROUNDING * float(rates[-1].sum())).any():
            return None
        section = min(max(int((totals < events).sum()), 1), _SECTIONS)
        low, high = float(strengths[section - 1]), float(strengths[section])
        if high - low <= _ROUNDING * high:
            break
    return high


def low_counts(
    curve: ProfileCurve, limit: UpperLimit, *, seed: int = 0, blind: bool = False
) -> LowCounts | None:
    """What holds in the place of an asymptotic CLs limit that lies below that of no event.

    Parameters
    ----------
    curve, limit
        Profile curve and the asymptotic limit found on it.
    seed
        Of the toys.

    Returns
    -------
    LowCounts or None
        None where neither the observed limit nor an entry of the band lies below, and for methods
        other than CLs.
    """
    values = [limit.observed, *limit.expected]
    known = [value for value in values if value is not None and value > 0.0]
    if limit.method != "cls" or not known:
        return None
    highest = max(known)
    floor = zero_event_limit(curve, highest, cl=limit.cl)
    if floor is None:
        return None
    fewer = -math.log1p(-limit.cl) * (1.0 - _BELOW)
    edge = _strength(curve, fewer, straight=(1.0 - _BELOW) * floor, mu=highest)
    if edge is None:
        return None
    below = [value is not None and value < edge for value in values]
    if not any(below):
        return None
    found = _exact(curve, limit, floor, below, blind=blind)
    return found or _by_toys(curve, limit, floor, below, seed=seed, blind=blind)


def _exact(
    curve: ProfileCurve, limit: UpperLimit, floor: float, below: list[bool], *, blind: bool
) -> LowCounts | None:
    """Exact counting, where there is one bin and nothing but the signal is unknown."""
    model = curve.model
    used = np.flatnonzero(~model.masked_bins)
    free = np.flatnonzero(~model.fixed)
    if used.size != 1 or list(free) != [model.poi_index] or curve.observation.events is not None:
        return None
    point = np.array(curve.reference.parameters)
    point[model.require_poi()] = 0.0
    background = float(model.expected_rates(point)[used[0]])
    # Strength of one signal event: in bins, a parameter without constraint acts linearly.
    unit = floor / -math.log1p(-limit.cl)
    count = float(curve.observation.counts[used[0]])
    if not background >= 0.0 or (not blind and count != int(count)):
        return None

    def at(n: int) -> float:
        return unit * poisson_cls_limit(n, background, cl=limit.cl)

    band = []
    for position in N_SIGMA:
        n = 0
        while poisson_cdf(n, background) < cdf(float(position)):
            n += 1
        band.append(at(n))
    return LowCounts(
        floor=floor,
        observed_below=below[0],
        expected_below=tuple(below[1:]),
        calculator="exact counting",
        observed=None if blind else at(int(count)),
        expected=tuple(band),
    )


def _by_toys(
    curve: ProfileCurve,
    limit: UpperLimit,
    floor: float,
    below: list[bool],
    *,
    seed: int,
    blind: bool,
) -> LowCounts:
    from darkstats.inference.toy_limit import toy_limit

    per_toy = seconds_per_toy(curve.model.n_parameters, curve.model.n_bins)
    reason = f"toys of this model take more than {_BUDGET_S:g} s: ask for --calculator toys"
    for n_toys in _N_TOYS:
        if _POINTS * n_toys * per_toy > _BUDGET_S:
            break
        try:
            options = ToyOptions(n_toys=n_toys, seed=seed, threads=1, fallback=False)
            toys = toy_limit(curve, limit, options, blind=blind)
        except (NotCertifiedError, OptionError) as error:
            reason = f"{n_toys} toys do not tell: {error}"
            continue
        return LowCounts(
            floor=floor,
            observed_below=below[0],
            expected_below=tuple(below[1:]),
            calculator="toys",
            # no CLs limit lies below the floor: what does is the noise of the toys
            observed=None if toys.observed is None else max(toys.observed, floor),
            observed_error=toys.observed_error,
            expected=tuple(None if mu is None else max(mu, floor) for mu in toys.expected),
            expected_error=toys.expected_error,
            toys=toys.toys,
            seed=seed,
            reason=toys.expected_reason,
        )
    return LowCounts(
        floor=floor,
        observed_below=below[0],
        expected_below=tuple(below[1:]),
        calculator=None,
        observed=None,
        expected=(None,) * len(N_SIGMA),
        expected_error=(None,) * len(N_SIGMA),
        reason=reason,
    )
