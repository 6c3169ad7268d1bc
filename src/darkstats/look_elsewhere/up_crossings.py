"""Gross and Vitells: count the up-crossings of a low level, follow them to the observed one.

Use this on a line where toys do not reach the observed significance; look at ``valid`` first.
"""

from __future__ import annotations

from darkstats.errors import OptionError
from darkstats.inference.p_values import PValue
from darkstats.look_elsewhere import checks
from darkstats.look_elsewhere.excursions import ExcursionTally
from darkstats.look_elsewhere.level_law import LevelLaw, fit_levels
from darkstats.look_elsewhere.result import (
    GlobalMethod,
    GlobalSignificance,
    checked_local,
    global_result,
)

__all__ = ["by_up_crossings", "from_levels"]

_SATURATED = 0.3  # mean number of excursions from which on the formula is only a bound


def by_up_crossings(tally: ExcursionTally, z_local: float) -> GlobalSignificance:
    """Global significance from the up-crossings of low levels.

    Parameters
    ----------
    tally
        Counts on a line: of toys, or of the observed scan alone.
    z_local
        Largest root of the observed scan, in [0, 38).

    Returns
    -------
    GlobalSignificance
        With the fitted law, and the reasons where a condition does not hold.

    Raises
    ------
    OptionError
        The scan is no line, or ``z_local`` is out of range.

    Notes
    -----
    p_global <= p_local + <N(u0)> exp(-(u - u0) / 2), arXiv:1005.1891, eq. 1 and 3, with u = z^2
    and p_local for each piece of the line. All levels of the tally are fitted together; the
    standard error is that of the scatter between toys, where a bootstrap over toys tends to. The
    formula takes the roots to be normal at each point, the field to be smooth on the grid, and
    excursions to be rare; each is checked as far as the toys allow.
    """
    if tally.dimension != 1:
        raise OptionError("up-crossings live on a line; use the Euler characteristic on a plane")
    return from_levels("up-crossings", tally, z_local, ("arXiv:1005.1891",))


def from_levels(
    method: GlobalMethod, tally: ExcursionTally, z_local: float, references: tuple[str, ...]
) -> GlobalSignificance:
    """Fit the law, follow it upwards, and check its conditions; for a line or a plane."""
    p_local = checked_local(z_local, None)
    law = fit_levels(tally)
    reasons = [
        *checks.failed_toys(tally),
        *checks.few_excursions(tally, law, z_local),
        *checks.unsuited_levels(tally, z_local),
        *checks.coarse_grid(tally),
        *checks.not_normal(tally, z_local),
        *checks.unlike_the_law(law, z_local),
    ]
    notes = checks.marginal_notes(tally, z_local)
    if law is not None and law.p_global(z_local) > _SATURATED:
        notes.append("excursions as large are frequent: the formula is an upper bound here")
    return global_result(
        method,
        z_local=z_local,
        p_local=p_local,
        p_global=None if law is None else _p_value(law, z_local),
        p_global_below=1.0 if law is None else None,
        reasons=tuple(reasons),
        notes=tuple(notes),
        toys=tally.toys,
        law=law,
        references=references,
    )


def _p_value(law: LevelLaw, z: float) -> PValue:
    value = law.p_global(z)
    ends = (value, law.p_global(z, law.low), law.p_global(z, law.high))
    return PValue(value=value, error=law.error_at(z), low=min(ends), high=max(ends))
