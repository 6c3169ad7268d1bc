"""Counting experiments with a known background: exact constructions without any likelihood fit.

Use these for one number of events over a background without uncertainty; use
:func:`darkstats.inference.upper_limit` and
:func:`darkstats.inference.feldman_cousins.feldman_cousins` for everything else.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import LimitNotFoundError, OptionError
from darkstats.inference.results import Interval

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray

__all__ = ["acceptance", "accepted_hull", "poisson_cdf", "poisson_cls_limit", "poisson_interval"]

#: Where pieces of the belt beyond a gap are looked for: events beyond an end, and steps. In known
#: backgrounds of 0 to 24 events, at 68 %, 90 % and 95 %, the last piece ends at most 0.42 events
#: beyond the first.
_BEYOND, _FINE = 0.6, 0.002
_MOST_FINE = 100  # events: with more, single outcomes are too rare for a gap


def poisson_cdf(n: int, mean: float) -> float:
    """Probability of at most ``n`` events where ``mean`` are expected."""
    if n < 0:
        return 0.0
    if mean <= 0.0:
        return 1.0
    terms = [math.exp(k * math.log(mean) - mean - math.lgamma(k + 1.0)) for k in range(n + 1)]
    return min(math.fsum(terms), 1.0)


def _check(n: int, background: float, cl: float) -> None:
    if n < 0:
        raise OptionError(f"the number of events must not be negative, got {n}")
    if not (background >= 0.0 and math.isfinite(background)):
        raise OptionError(f"the background must be finite and not negative, got {background}")
    if not 0.0 < cl < 1.0:
        raise OptionError(f"the confidence level must lie between 0 and 1, got {cl}")


def poisson_cls_limit(n: int, background: float, *, cl: float = 0.95, method: str = "cls") -> float:
    """Exact upper limit on the number of signal events, background known.

    Solves ``P(N <= n; s + b) = (1 - CL) P(N <= n; b)`` (CLs), or without the last factor (CLs+b,
    0 where no positive signal is allowed). For n = 0, CLs gives ``-log(1 - CL)`` for any
    background.

    Parameters
    ----------
    n, background
        Events seen, and expected without signal.
    cl, method
        Confidence level; ``"cls"`` or ``"clsb"``.

    Examples
    --------
    >>> round(poisson_cls_limit(0, 1.7), 6), round(poisson_cls_limit(3, 0.0), 4)
    (2.995732, 7.7537)
    """
    _check(n, background, cl)
    reference = poisson_cdf(n, background) if method == "cls" else 1.0
    target = (1.0 - cl) * reference
    low, high = 0.0, n + 10.0
    if poisson_cdf(n, background) <= target:
        return 0.0
    while poisson_cdf(n, high + background) > target:
        high *= 2.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        if poisson_cdf(n, middle + background) > target:
            low = middle
        else:
            high = middle
        if high - low <= 1e-14 * high:
            break
    return 0.5 * (low + high)


def _log_probability(n: FloatArray, mean: FloatArray) -> FloatArray:
    """Poisson log-probabilities without the factorial, which ratios do not see."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(n > 0.0, n * np.log(mean), 0.0) - mean


def acceptance(signal: FloatArray, background: float, n_max: int, *, cl: float) -> FloatArray:
    """Feldman-Cousins acceptance regions, as a table of membership.

    For each signal, outcomes enter in falling order of ``P(n; s + b) / P(n; best s + b)`` with
    ``best s = max(0, n - b)``, until their probabilities add up to ``cl``.

    Parameters
    ----------
    signal
        Expected signal events, not negative. Shape [mu].
    background, n_max, cl
        Expected background, largest outcome considered, confidence level.

    Returns
    -------
    FloatArray
        1 where outcome n is accepted, else 0. Shape [mu, n_max + 1].

    Notes
    -----
    G. J. Feldman, R. D. Cousins, Phys. Rev. D 57 (1998) 3873, section IV B.
    """
    n = np.arange(n_max + 1, dtype=np.float64)
    mean = np.asarray(signal, dtype=np.float64)[:, np.newaxis] + background
    best = np.maximum(n, background)
    rank = _log_probability(n, mean) - _log_probability(n, best)
    log_factorial = np.array([math.lgamma(k + 1.0) for k in n])
    probability = np.exp(_log_probability(n, mean) - log_factorial)
    # equal ranks: the lower outcome first
    order = np.argsort(-np.round(rank, 12), axis=1, kind="stable")
    total = np.cumsum(np.take_along_axis(probability, order, axis=1), axis=1)
    needed = (total < cl - 1e-12).sum(axis=1)
    place = np.argsort(order, axis=1, kind="stable")
    accepted: FloatArray = (place <= needed[:, np.newaxis]).astype(np.float64)
    return accepted


def _largest_outcome(signal: float, background: float) -> int:
    mean = signal + background
    return int(mean + 12.0 * math.sqrt(mean + 1.0) + 20.0)


def _fine(n: int, background: float, cl: float, start: float, stop: float) -> FloatArray:
    """Accepted signals between two, in fine steps. Shape [accepted]."""
    grid: FloatArray = np.arange(max(start, 0.0), stop, _FINE)
    if not grid.size:
        return grid
    n_max = max(n, _largest_outcome(float(grid[-1]), background))
    table = np.concatenate(
        [
            acceptance(part, background, n_max, cl=cl)[:, n]
            for part in np.array_split(grid, max(1, len(grid) // 500))
        ]
    )
    return np.asarray(grid[table > 0.0])


def accepted_hull(
    n: int, background: float, *, cl: float, step: float = 0.01
) -> tuple[float, float]:
    """First and last signal that n events accept, gaps between them or not.

    Parameters
    ----------
    n, background, cl
        Events seen, expected background, confidence level.
    step
        Grid of the signal; within 0.6 events beyond an end it is 0.002, for up to a hundred events.
        The ends are bisected to 1e-10.
    """
    top = max(10.0, 2.0 * n + 6.0 * math.sqrt(n + 1.0) + 10.0)
    while True:
        grid = np.arange(0.0, top + step, step)
        member = np.concatenate(
            [
                acceptance(part, background, max(n, _largest_outcome(top, background)), cl=cl)[:, n]
                for part in np.array_split(grid, max(1, len(grid) // 500))
            ]
        )
        inside = np.flatnonzero(member)
        if inside.size and inside[-1] < len(grid) - 10:
            break
        top *= 2.0
        if top > 1e5:
            raise LimitNotFoundError(f"no accepted signal up to {top:.3g}")

    def accepted(signal: float) -> bool:
        n_max = max(n, _largest_outcome(signal, background))
        return bool(acceptance(np.array([signal]), background, n_max, cl=cl)[0, n])

    def edge(inner: float, outer: float) -> float:
        while abs(outer - inner) > 1e-10:
            middle = 0.5 * (inner + outer)
            inner, outer = (middle, outer) if accepted(middle) else (inner, middle)
        return inner

    first, last = float(grid[inside[0]]), float(grid[inside[-1]])
    lower = 0.0 if first == 0.0 else edge(first, first - step)
    upper = edge(last, last + step)
    if max(n, background) <= _MOST_FINE:
        below = _fine(n, background, cl, lower - _BEYOND, lower)
        above = _fine(n, background, cl, upper, upper + _BEYOND)
        if below.size and below[0] < lower:
            begin = float(below[0])
            lower = 0.0 if begin == 0.0 else edge(begin, max(begin - _FINE, 0.0))
        if above.size and above[-1] > upper:
            upper = edge(float(above[-1]), float(above[-1]) + _FINE)
    return lower, upper


def _raised(n: int, background: float, cl: float, upper: float) -> float:
    """Largest upper end at this or any higher background, on a grid of 0.002 in the background.

    The ends fall by about one for one with the background between jumps of a fraction of an
    event, so that only backgrounds up to two events higher, and signals just above, can matter.
    """
    for extra in np.arange(1, 1001) * 0.002:
        b = background + float(extra)
        grid: FloatArray = upper + np.arange(1, 101, dtype=np.float64) * 0.005
        table = acceptance(grid, b, max(n, _largest_outcome(float(grid[-1]), b)), cl=cl)
        inside = np.flatnonzero(table[:, n])
        if inside.size:
            upper = float(grid[inside[-1]])
    return upper


def poisson_interval(
    n: int,
    background: float,
    *,
    cl: float = 0.90,
    raised: bool = False,
    step: float = 0.01,
) -> Interval:
    """Feldman-Cousins interval for the number of signal events over a known background.

    Parameters
    ----------
    n, background
        Events seen, and expected without signal.
    cl
        Confidence level.
    raised
        The convention of the published tables: because outcomes are discrete, the upper end may
        *rise* with the background by a little; it is raised to its largest value at any higher
        background, so that it falls. Off, the interval is the plain construction.
    step
        Grid of the signal on which the belt is scanned; the ends are then bisected. Beyond a gap,
        pieces of the belt are looked for in steps of 0.002, within 0.6 events of the end.

    Notes
    -----
    Phys. Rev. D 57 (1998) 3873 (arXiv:physics/9711021), sections IV B and IV C. Where accepted
    signals do not form one interval, their hull is given.

    Examples
    --------
    >>> interval = poisson_interval(0, 0.0)
    >>> interval.lower, round(interval.upper, 2)
    (0.0, 2.44)
    """
    _check(n, background, cl)
    lower, upper = accepted_hull(n, background, cl=cl, step=step)
    if raised:
        upper = _raised(n, background, cl, upper)
    return Interval(
        poi="signal events",
        cl=cl,
        lower=lower,
        upper=upper,
        construction="exact Poisson",
        raised=raised,
        mu_hat=max(n - background, 0.0),
        references=("arXiv:physics/9711021",),
    )
