"""The standard normal distribution, in pure Python and accurate in both tails.

Use this rather than ``scipy.stats``, whose import alone costs as much as a whole limit.
"""

from __future__ import annotations

import math
from statistics import NormalDist

__all__ = ["cdf", "density", "log_survival", "quantile", "survival"]

_STANDARD = NormalDist()
_ROOT_HALF = math.sqrt(0.5)
_LOG_ROOT_2PI = 0.5 * math.log(2.0 * math.pi)


def cdf(x: float) -> float:
    """Probability below ``x``."""
    return 0.5 * math.erfc(-x * _ROOT_HALF)


def density(x: float) -> float:
    """Density at ``x``."""
    return math.exp(-0.5 * x * x - _LOG_ROOT_2PI)


def survival(x: float) -> float:
    """Probability above ``x``; relative accuracy is kept down to 1e-300."""
    return 0.5 * math.erfc(x * _ROOT_HALF)


def log_survival(x: float) -> float:
    """Natural logarithm of the probability above ``x``, for any finite ``x``.

    Beyond x = 30, where :func:`survival` nears underflow, the asymptotic series of Mills' ratio
    (Abramowitz and Stegun, 26.2.12) is used; its first omitted term is below 1e-12 there.
    """
    if x < 30.0:
        return math.log(survival(x))
    y = 1.0 / (x * x)
    series = 1.0 - y * (1.0 - y * (3.0 - y * (15.0 - 105.0 * y)))
    return -0.5 * x * x - math.log(x) - _LOG_ROOT_2PI + math.log(series)


def quantile(p: float) -> float:
    """Point below which the probability is ``p``; minus or plus infinity at 0 and 1.

    Raises
    ------
    ValueError
        ``p`` lies outside [0, 1].
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"a probability lies in [0, 1], got {p}")
    if p in (0.0, 1.0):
        return math.copysign(math.inf, p - 0.5)
    x = _STANDARD.inv_cdf(p)
    # One Newton step on the tail that is small: Wichura's AS 241 is good to 1e-16 in p, and the
    # step removes what is left where p itself is tiny.
    slope = density(x)
    if slope > 0.0:
        residual = cdf(x) - p if x < 0.0 else (1.0 - p) - survival(x)
        x -= residual / slope
    return x
