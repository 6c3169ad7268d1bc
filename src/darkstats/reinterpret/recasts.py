"""A limit on one mediator as a limit on another: production x branching x efficiency.

A search excludes a rate. For a mediator of mass m and coupling g it is

    g^2 * rate(m) * BR(final state; m, g) * efficiency(c tau(m, g)),

and all g are excluded at which this reaches that of the limit: the rate of the source model at its
limit, or a rate that was published as such, which may depend on the lifetime. Where the efficiency
falls with the lifetime the excluded couplings are an interval, or several. The method is that of
DarkCast (Ilten, Soreq, Williams, Xue, arXiv:1801.04847), written anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from darkstats.errors import OptionError
from darkstats.reinterpret.excluded_couplings import (
    NARROW_ONLY,
    Interval,
    SignalOverLimit,
    excluded_intervals,
)
from darkstats.reinterpret.lifetimes import LifetimeTable
from darkstats.reinterpret.recast_searches import Limit, Search, Target
from darkstats.signals.constants import NARROW

__all__ = ["RecastPoint", "recast"]

_STEP = 1e-4  # relative, of a derivative


@dataclass(frozen=True, slots=True, kw_only=True)
class RecastPoint:
    """The limit at one mass.

    Parameters
    ----------
    mass_gev
        Of the mediator.
    given
        The limit that was recast; None for one against c tau.
    status
        ``"excluded"``, ``"not excluded"``, or ``"refused"``.
    reason
        Why there is no interval; None where there is one.
    intervals
        Excluded couplings, rising.
    ctau_mm
        Proper decay length at the lowest excluded coupling; None where there is none.
    error
        Relative change of the lowest excluded coupling by the error of the width to hadrons.
    error_reason
        Why there is none.
    largest
        Largest ratio of signal and limit at any coupling, where nothing is excluded and it was
        looked for.
    """

    mass_gev: float
    given: float | None
    status: str
    reason: str | None = None
    intervals: tuple[Interval, ...] = ()
    ctau_mm: float | None = None
    error: float | None = None
    error_reason: str | None = None
    largest: float | None = None


def _refused(mass_gev: float, limit: Limit, reason: str) -> RecastPoint:
    given = None if isinstance(limit, LifetimeTable) else limit
    return RecastPoint(
        mass_gev=mass_gev, given=given, status="refused", reason=reason, error_reason=reason
    )


def _threshold(
    limit: Limit, source: Target | None, search: Search, mass_gev: float, factor: float
) -> Limit:
    """Rate that is excluded: of the source at its limit, or as published."""
    if source is None or isinstance(limit, LifetimeTable):
        return limit
    decays = source.decays(mass_gev)
    decays = decays.with_hadrons(1.0 + factor * decays.hadron_error)
    kept = float(search.fraction(decays, np.array([limit]))[0])
    rate = search.production.rate(source.model, mass_gev)
    if math.isnan(kept):
        raise OptionError(
            f"c tau of {source.model.name} at its limit is {decays.ctau_mm(limit):.3g} mm, beyond "
            "the table of efficiencies"
        )
    if not kept * rate > 0.0:
        raise OptionError(
            f"{source.model.name} makes no signal in this search: rate {rate:.3g}, branching "
            f"fraction times efficiency {kept:.3g}"
        )
    nearby = search.fraction(decays, limit * np.array([1.0 - _STEP, 1.0 + _STEP]))
    if nearby[1] * (1.0 + _STEP) ** 2 < nearby[0] * (1.0 - _STEP) ** 2:
        raise OptionError(
            f"at its limit, {source.model.name} has c tau of {decays.ctau_mm(limit):.3g} mm, so "
            f"that larger couplings give less signal: {limit:g} is no lower end of what this "
            "search excludes"
        )
    return float(limit**2 * rate * kept)


_TOO_WEAK = (
    f"at no coupling with a width below {NARROW:g} of the mass, or of a mixing below 1, does the "
    "signal reach what is excluded"
)


_UNKNOWN = "nothing is excluded at the lifetimes of the table, and beyond them it is not known"

_DECADES = math.log(1e3)  # of couplings that are looked at where they have no end


def _solve(
    mass_gev: float,
    limit: Limit,
    target: Target,
    source: Target | None,
    search: Search,
    *,
    factors: tuple[float, float] = (0.0, 0.0),
) -> RecastPoint:
    """The point without its error.

    ``factors`` count errors of the widths to hadrons, of the source and of the target.
    """
    given = None if isinstance(limit, LifetimeTable) else limit
    try:
        threshold = _threshold(limit, source, search, mass_gev, factors[0])
        decays = target.decays(mass_gev)
        decays = decays.with_hadrons(1.0 + factors[1] * decays.hadron_error)
        rate = search.production.rate(target.model, mass_gev)
        problem = SignalOverLimit(
            decays=decays, rate=rate, search=search, threshold=threshold,
            largest=target.model.largest,
        )  # fmt: skip
        if search.window is not None:
            search.kept(search.window, np.ones(1), mass_gev)  # says what is missing
        most = problem.most
    except OptionError as error:
        return _refused(mass_gev, limit, str(error))
    if rate == 0.0 or problem.is_closed:
        what = "is not made this way" if rate == 0.0 else f"has no decay {search.final_state}"
        return RecastPoint(
            mass_gev=mass_gev, given=given, status="not excluded", largest=0.0,
            reason=f"{target.model.name} {what}", error_reason="there is no interval",
        )  # fmt: skip
    least = problem.least - 1e-6
    if math.isinf(most):
        most = least + _DECADES
    intervals: list[Interval] = []
    largest: float | None = None
    unknown = ""
    if least >= most:
        if isinstance(threshold, LifetimeTable):  # the least is that of the table alone
            unknown = problem.unknown(np.linspace(most - _DECADES, most, 100))
    elif search.depends_on_lifetime or decays.dark_gev or isinstance(threshold, LifetimeTable):
        intervals, largest, unknown = excluded_intervals(problem, least, most)
    else:  # the same part of all signals is kept: no search is needed
        kept = decays.branching(search.final_state, 1.0)
        lower = math.sqrt(threshold / (rate * kept))
        narrow = math.log(lower) < most
        intervals = [Interval(lower=lower, upper=None, upper_reason=NARROW_ONLY)] if narrow else []
        largest = 1.0 if narrow else (math.exp(most) / lower) ** 2
    if unknown and not intervals:
        return _refused(mass_gev, limit, f"{_UNKNOWN}: {unknown}")
    if not intervals:
        return RecastPoint(
            mass_gev=mass_gev, given=given, status="not excluded", largest=largest,
            reason=_TOO_WEAK,
            error_reason="there is no interval",
        )  # fmt: skip
    return RecastPoint(
        mass_gev=mass_gev, given=given, status="excluded", intervals=tuple(intervals),
        ctau_mm=decays.ctau_mm(intervals[0].lower),
    )  # fmt: skip


def _signs(target: Target, source: Target | None, mass_gev: float) -> list[tuple[float, float]]:
    """Signs of the errors of source and target: alike where their quark charges are."""
    charges = [
        one.model.charges(mass_gev)
        for one in (source, target)
        if one is not None and one.model.charges is not None
    ]
    alike = len(charges) < 2 or charges[0].couples_alike(charges[1])
    return [(a, b) for a in (-1.0, 1.0) for b in (-1.0, 1.0) if a == b or not alike]


def recast(
    mass_gev: float,
    limit: Limit,
    target: Target,
    search: Search,
    *,
    source: Target | None = None,
    with_error: bool = True,
) -> RecastPoint:
    """Recast a limit at one mass.

    Parameters
    ----------
    mass_gev
        Of the mediator.
    limit
        Coupling of the source; without a source, a rate in the unit of the production, or such
        rates against c tau.
    target
        Mediator to recast to.
    search
        What was looked for.
    source
        Mediator that the limit is on.
    with_error
        Whether to find what the error of the width to hadrons does.

    Returns
    -------
    RecastPoint
        Excluded couplings, or why there are none. What cannot be computed at this mass is a
        point with the status ``"refused"``, not an error: other masses stand.

    Raises
    ------
    OptionError
        The limit is not above zero, source and target have different spins, or a rate of which
        only ratios are known is compared with a published one.
    """
    if not isinstance(limit, LifetimeTable) and not 0.0 < limit < math.inf:
        raise OptionError(f"a limit of {limit} at {mass_gev:g} GeV is not above zero")
    if source is not None and isinstance(limit, LifetimeTable):
        raise OptionError("limits against c tau are on rates, not on a coupling")
    if source is None and search.production.unit is None:
        raise OptionError(
            f"production {search.production.name}: only ratios of rates are known; name the "
            "mediator that the limit is on with --from"
        )
    if source is not None and source.model.spin != target.model.spin:
        raise OptionError(
            f"{source.model.name} is a {source.model.spin} and {target.model.name} a "
            f"{target.model.spin}: their signals differ in more than the rate"
        )
    found = _solve(mass_gev, limit, target, source, search)
    if found.status != "excluded":
        return found
    if not with_error:
        return replace(found, error_reason="not asked for")
    shifted = [
        _solve(mass_gev, limit, target, source, search, factors=factors)
        for factors in _signs(target, source, mass_gev)
    ]
    lowest = found.intervals[0].lower
    if any(one.status != "excluded" for one in shifted):
        return replace(
            found, error_reason="within the error of the width to hadrons nothing is excluded"
        )
    error = max(abs(one.intervals[0].lower / lowest - 1.0) for one in shifted)
    return replace(found, error=error)
