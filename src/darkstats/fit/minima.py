"""The lowest of several minima, of which some may not exist."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from darkstats.arrays import FloatArray, IndexArray

__all__ = ["AGREEMENT", "Minimum"]

AGREEMENT = 1e-6  # difference in deviance below which two starts found the same minimum


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimum:
    """The lowest certified minimum of one likelihood, and what other starts found.

    Failed starts have no value here (NaN): they never agree with anything. An infinite value is one
    of a certified fit to data that are impossible.

    Parameters
    ----------
    parameters, twice_nll
        Of the minimum: shape [par], and twice the negative log-likelihood.
    tried
        Starts.
    order
        Certified starts, from the lowest minimum up. Shape [certified].
    rises
        How far they lie above the lowest, beginning with 0. Shape [certified].
    """

    parameters: FloatArray
    twice_nll: float
    tried: int
    order: IndexArray = field(repr=False)
    rises: FloatArray = field(repr=False)

    @classmethod
    def of(cls, parameters: FloatArray, twice_nll: FloatArray) -> Minimum | None:
        """Look at what starts found [start, par], [start], NaN where one failed; None if all did.

        A value of minus infinity is a failure, too: no deviance is.

        Examples
        --------
        >>> found = Minimum.of(np.zeros((4, 1)), np.array([np.nan, 7.0, 5.0, np.nan]))
        >>> found.twice_nll, found.lane, found.certified, found.agreeing(), found.unanimous
        (5.0, 2, 2, 1, False)
        >>> Minimum.of(np.zeros((2, 1)), np.array([np.nan, np.nan])) is None
        True
        """
        certified = np.flatnonzero(twice_nll > -np.inf)
        if not certified.size:
            return None
        order = certified[np.argsort(twice_nll[certified], kind="stable")]
        values, lowest = twice_nll[order], float(twice_nll[order[0]])
        rises = np.zeros(len(order))
        rises[values > lowest] = values[values > lowest] - lowest
        return cls(
            parameters=parameters[order[0]],
            twice_nll=lowest,
            tried=len(twice_nll),
            order=order,
            rises=rises,
        )

    @property
    def lane(self) -> int:
        """Start that found the minimum, the first of equals."""
        return int(self.order[0])

    @property
    def certified(self) -> int:
        """Starts that ended in a certified minimum, whatever its height."""
        return len(self.order)

    @property
    def spread(self) -> float:
        """Height of the highest certified minimum above the lowest."""
        return float(self.rises[-1])

    @property
    def unanimous(self) -> bool:
        """Whether every start is certified, and all found the same minimum."""
        return self.certified == self.tried and self.spread <= AGREEMENT

    def agreeing(self, tolerance: float = AGREEMENT) -> int:
        """Certified starts within ``tolerance`` of the minimum, that of the minimum included."""
        return int(np.count_nonzero(self.rises <= tolerance))
