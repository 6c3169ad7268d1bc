"""How the number of excursions falls with the level: one law with one or two coefficients.

For a standard normal field on a scan of Euler characteristic X, the mean Euler characteristic of
the points above z is (Adler and Taylor; arXiv:1105.4355, eq. 2 and 12 for one degree of freedom)::

    E(z) = X P(Z > z) + exp(-z^2 / 2) (N1 + z N2)

with N2 = 0 on a line, where the first term belongs to the points at which a piece of the line
starts, and N1 exp(-z^2 / 2) to the up-crossings (arXiv:1005.1891, eq. 3).  The coefficients are
fitted to the counts at low levels, and the law is followed up to the observed significance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from darkstats.arrays import FloatArray, IndexArray
from darkstats.errors import OptionError
from darkstats.gaussian import survival
from darkstats.inference.chi_square import chi_square_survival
from darkstats.look_elsewhere.excursions import ExcursionTally

__all__ = ["LevelLaw", "fit_levels"]

_TOYS_PER_LEVEL = 20  # a covariance from fewer toys cannot weigh the levels


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelLaw:
    """The law fitted to counts at low levels.

    Parameters
    ----------
    dimension, euler
        Of the scan.
    levels, means, errors
        Levels (local significances); mean number of up-crossings, or mean Euler characteristic;
        standard errors. Shapes [level].
    used
        Which levels were fitted: with few toys, as many as there are coefficients. Shape [level].
    coefficients, covariance
        N1, or N1 and N2; their covariance. Shapes [dimension], [dimension][dimension].
    low, high
        Coefficients if failed toys had no excursion, or as many as any other toy.
    upper
        Coefficients from the upper half of the levels alone; None with too few levels.
    chi2, degrees_of_freedom, p_value
        Whether the levels agree on the law; None where as many levels were used as coefficients.
    """

    dimension: int
    euler: int
    levels: tuple[float, ...]
    means: tuple[float, ...]
    errors: tuple[float, ...]
    used: tuple[bool, ...]
    coefficients: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    upper: tuple[float, ...] | None
    chi2: float | None
    degrees_of_freedom: int
    p_value: float | None

    def excursions(self, z: float) -> float:
        """Mean number of up-crossings of level z; on a plane, the part of E(z) that is fitted."""
        return _along(self.coefficients, z)

    def mean_at(self, z: float) -> float:
        """What the law says of the quantity in :attr:`means`, at level z."""
        start = 0.0 if self.dimension == 1 else self.euler * survival(z)
        return start + self.excursions(z)

    def p_global(self, z: float, coefficients: tuple[float, ...] | None = None) -> float:
        """Mean Euler characteristic above z, at least the local p-value and at most 1.

        For rare excursions this is the probability that the largest root exceeds z.
        """
        raised = _along(self.coefficients if coefficients is None else coefficients, z)
        return min(max(self.euler * survival(z) + raised, survival(z)), 1.0)

    def error_at(self, z: float) -> float:
        """Standard error of :meth:`p_global` from the number of toys."""
        slope = np.array(_basis(z, self.dimension))
        return math.sqrt(max(float(slope @ np.array(self.covariance) @ slope), 0.0))

    def threshold(self, p_global: float) -> float:
        """Local significance whose global p-value this is, by bisection."""
        if not 0.0 < p_global < 1.0:
            raise OptionError(f"a global p-value lies in (0, 1), got {p_global}")
        low, high = 0.0, 40.0
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self.p_global(middle) > p_global else (low, middle)
        return high


def _basis(z: float, dimension: int) -> tuple[float, ...]:
    fall = math.exp(-0.5 * z * z)
    return (fall, z * fall)[:dimension]


def _along(coefficients: tuple[float, ...], z: float) -> float:
    return sum(c * b for c, b in zip(coefficients, _basis(z, len(coefficients)), strict=True))


def _projection(design: FloatArray, covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Matrix from means to coefficients (generalised least squares), and its covariance."""
    weighed = np.linalg.solve(covariance, design)
    inverse = np.linalg.inv(design.T @ weighed)
    return inverse @ weighed.T, inverse


def _usable(tally: ExcursionTally, covariance: FloatArray) -> IndexArray:
    """Levels that can be weighed together, as numbers; else as many as there are coefficients."""
    at: IndexArray = np.flatnonzero(np.diag(covariance) > 0.0).astype(np.int64)
    enough = tally.ok >= _TOYS_PER_LEVEL * len(at)
    if enough and len(at) and _independent(covariance, at):
        return at
    if tally.dimension == 1:
        return at[:1]
    # With few counts two levels may see the same toys: one says nothing that the other does not.
    pairs = (at[[0, k]] for k in range(len(at) - 1, 0, -1))
    return next((pair for pair in pairs if _independent(covariance, pair)), at[:1])


def _independent(covariance: FloatArray, at: IndexArray) -> bool:
    return bool(np.linalg.cond(covariance[np.ix_(at, at)]) < 1e10)


def fit_levels(tally: ExcursionTally) -> LevelLaw | None:
    """Fit the law to the counts of a tally; None where they do not determine it.

    Parameters
    ----------
    tally
        Counts at one level at least on a line, at two on a plane.

    Raises
    ------
    OptionError
        There are fewer levels than coefficients.

    Notes
    -----
    Generalised least squares with the covariance of the levels from the scatter of the toys: one
    toy has crossings of several levels, so that their counts are correlated.
    """
    dimension = tally.dimension
    if len(tally.levels) < dimension:
        raise OptionError("a plane needs counts at two levels at least")
    covariance, means = tally.covariance, tally.means
    used = _usable(tally, covariance) if tally.ok else np.empty(0, dtype=np.int64)
    if len(used) < dimension:
        return None
    levels = tally.levels
    offset = np.zeros(len(levels))
    if dimension == 2:
        offset = tally.euler * np.array([survival(z) for z in levels])
    design = np.array([_basis(z, dimension) for z in levels])

    def solve(at: IndexArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        project, spread = _projection(design[at], covariance[np.ix_(at, at)])
        return project @ (values - offset)[at], spread

    coefficients, spread = solve(used, means)
    failed = (tally.asked - tally.ok) / tally.asked
    fewest, most = (1.0 - failed) * means, (1.0 - failed) * means + failed * tally.largest
    half = used[len(used) // 2 :]
    free = len(used) - dimension
    chi2 = None
    if free:
        residual = (means - offset)[used] - design[used] @ coefficients
        chi2 = float(residual @ np.linalg.solve(covariance[np.ix_(used, used)], residual))
    return LevelLaw(
        dimension=dimension,
        euler=tally.euler,
        levels=tuple(levels.tolist()),
        means=tuple(means.tolist()),
        errors=tuple(np.sqrt(np.diag(covariance)).tolist()),
        used=tuple(k in used for k in range(len(levels))),
        coefficients=tuple(coefficients.tolist()),
        covariance=tuple(tuple(row) for row in spread.tolist()),
        low=tuple(solve(used, fewest)[0].tolist()),
        high=tuple(solve(used, most)[0].tolist()),
        upper=tuple(solve(half, means)[0].tolist()) if free and len(half) >= dimension else None,
        chi2=chi2,
        degrees_of_freedom=free,
        p_value=None if chi2 is None else chi_square_survival(chi2, free),
    )
