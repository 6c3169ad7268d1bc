"""Where an asymptotic CLs limit is none: below the limit that no event at all would give.

Whatever the ordering of outcomes, ``CLs >= exp(-s)`` for ``s`` expected signal events, because no
outcome is less likely with signal by more than that factor. A CLs limit below ``-log(1 - CL) / s``
(2.303 events at 90 %, 2.996 at 95 %) is therefore an artefact of the asymptotic formulas.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import NotCertifiedError, OptionError
from darkstats.gaussian import cdf
from darkstats.inference.poisson_counting import poisson_cdf, poisson_cls_limit
from darkstats.inference.probe import seconds_per_toy
from darkstats.inference.results import N_SIGMA, LowCounts, ToyOptions

if TYPE_CHECKING:
    from darkstats.inference.curve import ProfileCurve
    from darkstats.inference.results import UpperLimit

__all__ = ["low_counts", "zero_event_limit"]

_BELOW = 1e-3  # relative distance below the floor that is more than rounding and nuisances
_N_TOYS = (2000, 10_000)  # the second where the first do not tell
_BUDGET_S = 5.0  # of toys that nobody asked for, on one core
_POINTS = 40.0  # signal strengths that a limit by toys looks at


def zero_event_limit(curve: ProfileCurve, mu: float, *, cl: float) -> float | None:
    """CLs limit that zero observed events would give: ``-log(1 - CL)`` expected signal events.

    Parameters
    ----------
    curve
        Nuisance parameters are those of its background-only fit.
    mu
        Signal strength, positive, at which the expected signal is counted.
    cl
        Confidence level.

    Returns
    -------
    float or None
        None where the signal takes events away in a bin (interference), or adds none.
    """
    model = curve.model
    points = np.repeat(curve.reference.parameters[np.newaxis], 2, axis=0)
    points[:, model.require_poi()] = 0.0, mu
    with np.errstate(all="ignore"):
        rates = np.asarray(model.expected_rates(points))[:, ~model.masked_bins]
    signal = rates[1] - rates[0]
    if not np.isfinite(signal).all() or (signal < -1e-12 * np.abs(rates[0])).any():
        return None
    total = float(signal.sum())
    return -math.log1p(-cl) / total * mu if total > 0.0 else None


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
    floor = zero_event_limit(curve, max(known), cl=limit.cl)
    if floor is None:
        return None
    below = [value is not None and value < (1.0 - _BELOW) * floor for value in values]
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
    unit = floor / -math.log1p(-limit.cl)  # strength of one signal event
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
