"""Limits that a published fit implies: a fitted rate, an expected limit, and nothing else.

Where the likelihood is a parabola (Wald), ``x`` fitted with ``sigma`` without signal gives, from
eq. 66 of arXiv:1007.1727 with CLs,

    limit = x + sigma Phi^-1(1 - alpha Phi(x / sigma)),

for fitted values below zero, too: q-tilde and q agree there. The median of limits without signal
is ``sigma Phi^-1(1 - alpha / 2)``, which gives sigma. The error that a fit quotes on x is another
one: it is that of the data, rises with x, and makes limits of deficits too small.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from darkstats.errors import OptionError
from darkstats.gaussian import cdf, quantile
from darkstats.inference.asymptotics import fixed_sigma_limit

__all__ = ["PublishedFit"]

_POSITIONS = (-2.0, -1.0, 0.0, 1.0, 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFit:
    """One hypothesis of a search, as its tables have it.

    Parameters
    ----------
    fitted
        Fitted rate, of either sign, in any unit: that of all results.
    expected
        Median of upper limits without signal, in the same unit.
    cl
        Level of the limits, of CLs.

    Raises
    ------
    OptionError
        The expected limit is not above zero, the level not between 0 and 1, or the fit no number.

    Examples
    --------
    The first hypothesis of arXiv:2306.12294, in fb; its published limit is 1.04:

    >>> fit = PublishedFit(fitted=-3.376, expected=2.313, cl=0.90)
    >>> round(fit.observed, 2)
    1.05
    """

    fitted: float
    expected: float
    cl: float

    def __post_init__(self) -> None:
        """See :class:`PublishedFit`."""
        if not 0.0 < self.cl < 1.0:
            raise OptionError(f"a level of {self.cl} does not lie between 0 and 1")
        if not 0.0 < self.expected < math.inf:
            raise OptionError(f"an expected limit of {self.expected} is not above zero")
        if not math.isfinite(self.fitted):
            raise OptionError(f"a fitted rate of {self.fitted} is no number")

    @property
    def sigma(self) -> float:
        """Standard deviation of fitted rates without signal."""
        return self.expected / quantile(1.0 - 0.5 * (1.0 - self.cl))

    @property
    def observed(self) -> float:
        """Upper limit, above zero."""
        n = self.fitted / self.sigma
        alpha = 1.0 - self.cl
        # -quantile(p) = quantile(1 - p), whose p would be lost beside 1 for deficits; and far
        # below zero the limit is a difference of large numbers
        limit = self.fitted - self.sigma * quantile(alpha * cdf(n))
        if not 0.0 < limit < math.inf:
            raise OptionError(
                f"a fit {n:.3g} standard deviations from zero is beyond the Gaussian formula"
            )
        return limit

    @property
    def band(self) -> tuple[float, float, float, float, float]:
        """Expected limits at -2, -1, 0, 1 and 2 standard deviations."""
        alpha = 1.0 - self.cl
        low, first, middle, second, high = (
            fixed_sigma_limit(self.sigma, alpha, n) for n in _POSITIONS
        )
        return low, first, middle, second, high

    @property
    def significance(self) -> float:
        """Local significance of the fitted rate, negative for a deficit."""
        return self.fitted / self.sigma
