"""Vitells and Gross: the Euler characteristic of what lies above a level, on a plane.

Up-crossings have no meaning on a plane; the number of pieces above a level minus the number of
their holes has, and its mean is known for every level but for two coefficients.
"""

from __future__ import annotations

from darkstats.errors import OptionError
from darkstats.look_elsewhere.excursions import ExcursionTally
from darkstats.look_elsewhere.result import GlobalSignificance
from darkstats.look_elsewhere.up_crossings import from_levels

__all__ = ["by_euler_characteristic"]


def by_euler_characteristic(tally: ExcursionTally, z_local: float) -> GlobalSignificance:
    """Global significance from the Euler characteristic at two or more low levels.

    Parameters
    ----------
    tally
        Counts of toys on a plane: points minus edges plus faces, on a rectangular grid (a cubical
        complex) or on triangles.
    z_local
        Largest root of the observed scan, in [0, 38).

    Returns
    -------
    GlobalSignificance
        With the fitted coefficients, and the reasons where a condition does not hold.

    Raises
    ------
    OptionError
        The scan is a line, there is only one level, or ``z_local`` is out of range.

    Notes
    -----
    E[phi(A_u)] = X P(chi2_1 > u) / 2 + exp(-u / 2) (N1 + sqrt(u) N2) with u = z^2,
    arXiv:1105.4355, eq. 12 for the one-sided statistic; X is the Euler characteristic of the whole
    scan, 1 for a plane without holes.
    """
    if tally.dimension != 2:
        raise OptionError("on a line, use up-crossings")
    return from_levels("Euler characteristic", tally, z_local, ("arXiv:1105.4355",))
