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
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import OptionError
from darkstats.reinterpret.lifetimes import DecayWindow, LifetimeTable, Momenta
from darkstats.signals.constants import NARROW
from darkstats.signals.hadronic_ratio import hadronic_ratio
from darkstats.signals.mediators import FINAL_STATES, Decays
from darkstats.signals.productions import Production

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.signals.mediators import DarkMatter, Mediator, Ratio

__all__ = ["Interval", "RecastPoint", "Search", "Target", "recast"]

_PER_DECADE = 100
_STEP = 1e-4  # relative, of a derivative
_TINY = 1e-12  # relative accuracy of an edge


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What a search looks for.

    Parameters
    ----------
    production
        How the mediator is made.
    final_state
        One of ``FINAL_STATES``.
    window
        Where along its flight it has to decay; None where all decays are taken alike. Of an
        invisible final state: where a visible decay is not seen, either.
    efficiency
        Relative to that of a prompt decay, against c tau in mm; None for one that is constant.
    momentum_gev
        Of the mediator; None for that of the production.
    momenta
        Of the mediators that it takes, in the place of one momentum.
    """

    production: Production
    final_state: str
    window: DecayWindow | None = None
    efficiency: LifetimeTable | None = None
    momentum_gev: float | None = None
    momenta: Momenta | None = None

    def __post_init__(self) -> None:
        """Check what can be checked.

        Raises
        ------
        OptionError
            An efficiency above 1, a momentum that is none or not known, or a window that the
            final state contradicts.
        """
        if self.efficiency is not None and max(self.efficiency.values) > 1.0:
            raise OptionError("an efficiency relative to that of prompt decays is at most 1")
        if self.efficiency is not None and self.window is not None:
            raise OptionError("give a table of efficiencies, or distances of decays, not both")
        if self.momentum_gev is not None and not 0.0 < self.momentum_gev < math.inf:
            raise OptionError(f"a momentum of {self.momentum_gev} GeV is not above zero")
        said = (self.momentum_gev, self.momenta, self.production.momentum_gev)
        known = any(one is not None for one in said)
        if self.window is not None and not known:
            raise OptionError(
                f"production {self.production.name} does not tell the momentum, which distances of "
                "decays need: give it with --momentum, or many with --momenta"
            )
        if self.final_state == "invisible" and self.efficiency is not None:
            raise OptionError("of an invisible final state, give distances beyond which nothing is "
                              "seen instead of a table of efficiencies")  # fmt: skip
        if self.window is not None and self.final_state == "invisible":
            if not math.isinf(self.window.to_mm):
                raise OptionError("what is invisible decays beyond a distance: write 1250:inf")
        elif self.window is not None and math.isinf(self.window.to_mm):
            raise OptionError("visible decays lie between two distances: write 0:9")

    @property
    def depends_on_lifetime(self) -> bool:
        """Whether the efficiency does."""
        return self.window is not None or self.efficiency is not None

    def boost(self, mass_gev: float) -> float:
        """Momentum over mass of the mediator.

        Raises
        ------
        OptionError
            The mass cannot be made.
        """
        momentum = self.momentum_gev
        if momentum is None and self.production.momentum_gev is not None:
            momentum = self.production.momentum_gev(mass_gev)
        if momentum is None:
            raise OptionError(f"production {self.production.name} does not tell the momentum")
        return momentum / mass_gev

    def kept(self, window: DecayWindow, ctau_mm: FloatArray, mass_gev: float) -> FloatArray:
        """Fraction of decays within a window, at one momentum or over many. Shape of ``ctau_mm``.

        Raises
        ------
        OptionError
            The mass cannot be made, or lies beyond the momenta.
        """
        if self.momenta is None:
            return window.kept(ctau_mm, self.boost(mass_gev))
        return self.momenta.kept(window, ctau_mm, mass_gev)

    def fraction(self, decays: Decays, couplings: FloatArray) -> FloatArray:
        """Branching fraction times efficiency. Shape of ``couplings``; ``nan`` where unknown."""
        square = couplings**2
        total = square * decays.unit_gev + decays.dark_gev
        channels = FINAL_STATES[self.final_state]
        chosen = square * sum(decays.widths_gev.get(name, 0.0) for name in channels)
        chosen = chosen + (decays.dark_gev if "dark" in channels else 0.0)
        stable = total == 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(stable, 0.0, chosen / np.where(stable, 1.0, total))
        ctau = decays.ctau(couplings)
        if self.efficiency is not None:
            return np.asarray(share * self.efficiency.at(ctau))
        if self.window is None:
            return np.asarray(share)
        kept = self.kept(self.window, ctau, decays.mass_gev)
        if self.final_state == "invisible":
            return np.asarray(share + (1.0 - share) * kept)
        return np.asarray(share * kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A mediator with all that its decays depend on.

    Parameters
    ----------
    model
        Which.
    dark
        Dark matter that it decays to; None for none.
    ratio
        R at an energy in GeV.
    electrons_gev
        Of an axion-like particle: coupling to electrons over that to photons, GeV.
    table
        Decays at coupling 1, instead of the built-in ones; called with a mass in GeV.
    """

    model: Mediator
    dark: DarkMatter | None = None
    ratio: Ratio = field(default=hadronic_ratio, repr=False)
    electrons_gev: float = 0.0
    table: Callable[[float], Decays] | None = field(default=None, repr=False)

    def decays(self, mass_gev: float) -> Decays:
        """How it decays at a mass; raises OptionError where that is not known."""
        if self.table is not None:
            return self.table(mass_gev)
        return self.model.decays(
            mass_gev, dark=self.dark, ratio=self.ratio, electrons_gev=self.electrons_gev
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Excluded couplings.

    Parameters
    ----------
    lower, upper
        Ends; no upper one where all couplings above are excluded that give a narrow width.
    lower_reason, upper_reason
        Why an end is no crossing of the limit; None where it is one.
    """

    lower: float
    upper: float | None
    lower_reason: str | None = None
    upper_reason: str | None = None


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


Limit = float | LifetimeTable


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """Where the logarithm of signal over limit is above zero."""

    decays: Decays
    rate: float
    search: Search
    threshold: Limit
    largest: float = math.inf

    def log_ratio(self, u: FloatArray) -> FloatArray:
        """At logarithms of couplings; ``-inf`` without signal, ``nan`` where unknown."""
        couplings = np.exp(u)
        signal = self.rate * self.search.fraction(self.decays, couplings)
        limit: FloatArray | float = 0.0
        if isinstance(self.threshold, LifetimeTable):
            limit = np.log(self.threshold.at(self.decays.ctau(couplings)))
        else:
            limit = math.log(self.threshold)
        with np.errstate(divide="ignore"):
            return np.asarray(2.0 * u + np.log(signal) - limit)

    def one(self, u: float) -> float:
        return float(self.log_ratio(np.array([u]))[0])

    @property
    def is_closed(self) -> bool:
        """Whether no decay can be seen at any coupling."""
        if self.search.final_state == "invisible" and self.search.window is not None:
            return False
        return self.decays.branching(self.search.final_state, 1.0) == 0.0

    @property
    def least(self) -> float:
        """Logarithm of a coupling below which nothing can be excluded: all signals kept."""
        least = self.threshold
        smallest = min(least.values) if isinstance(least, LifetimeTable) else least
        return 0.5 * math.log(smallest / self.rate)

    @property
    def most(self) -> float:
        """Logarithm of the largest coupling, or of the largest with a narrow width."""
        room = NARROW * self.decays.mass_gev - self.decays.dark_gev
        if room <= 0.0:
            raise OptionError(
                f"the width to dark matter is {self.decays.dark_gev / self.decays.mass_gev:.2g} "
                "of the mass: not narrow"
            )
        narrow = math.inf
        if self.decays.unit_gev > 0.0:
            narrow = 0.5 * math.log(room / self.decays.unit_gev)
        return min(narrow, math.log(self.largest))

    def knots(self) -> list[float]:
        """Logarithms of couplings at which a table of lifetimes has a row."""
        tables = (self.threshold, self.search.efficiency)
        rows = [t.ctau_mm for t in tables if isinstance(t, LifetimeTable)]
        found = []
        for ctau in (one for row in rows for one in row):
            room = self.decays.width_gev(1.0) * self.decays.ctau_mm(1.0) / ctau
            room -= self.decays.dark_gev
            if room > 0.0 and self.decays.unit_gev > 0.0:
                middle = 0.5 * math.log(room / self.decays.unit_gev)
                found += [middle - 1e-9, middle, middle + 1e-9]
        return found


def _bisect(problem: _Problem, outside: float, inside: float) -> tuple[float, bool]:
    """Edge between a place that is not excluded and one that is; whether the first is unknown."""
    unknown = math.isnan(problem.one(outside))
    while abs(inside - outside) > _TINY * max(1.0, abs(inside)):
        middle = 0.5 * (inside + outside)
        if middle in {inside, outside}:
            break
        value = problem.one(middle)
        if value >= 0.0:
            inside = middle
        else:
            outside, unknown = middle, math.isnan(value)
    return inside, unknown


def _peak(problem: _Problem, low: float, high: float) -> float:
    """Place of the largest value between two places, by golden section."""
    ratio = 0.5 * (math.sqrt(5.0) - 1.0)
    for _ in range(40):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if problem.one(left) >= problem.one(right):
            high = right
        else:
            low = left
    return 0.5 * (low + high)


_NARROW = f"excluded as far as the width is below {NARROW:g} of the mass, and a mixing below 1"
_TOO_WEAK = (
    f"at no coupling with a width below {NARROW:g} of the mass, or of a mixing below 1, does the "
    "signal reach what is excluded"
)
_BEYOND = "end of the table of lifetimes"


def _intervals(problem: _Problem, low: float, high: float) -> tuple[list[Interval], float]:
    """Excluded couplings between two logarithms, and the largest ratio of signal and limit."""
    n = max(int((high - low) / math.log(10.0) * _PER_DECADE), 8) + 1
    inside = [u for u in problem.knots() if low < u < high]
    places = np.unique(np.concatenate([np.linspace(low, high, n), inside]))
    values = problem.log_ratio(places)
    # A narrow top between two places would be missed: look for it.
    extra = [
        _peak(problem, float(places[k - 1]), float(places[k + 1]))
        for k in range(1, len(places) - 1)
        if -1.0 < values[k] < 0.0 and values[k] >= max(values[k - 1], values[k + 1])
    ]
    if extra:
        places = np.unique(np.concatenate([places, extra]))
        values = problem.log_ratio(places)
    above = values >= 0.0
    largest = float(np.exp(np.nanmax(values))) if not np.isnan(values).all() else 0.0
    found = []
    k = 0
    while k < len(places):
        if not above[k]:
            k += 1
            continue
        start = k
        while k + 1 < len(places) and above[k + 1]:
            k += 1
        lower, lower_reason = float(places[start]), None
        if start > 0:
            lower, unknown = _bisect(problem, float(places[start - 1]), lower)
            lower_reason = _BEYOND if unknown else None
        upper: float | None = None
        upper_reason: str | None = _NARROW
        if k + 1 < len(places):
            edge, unknown = _bisect(problem, float(places[k + 1]), float(places[k]))
            upper, upper_reason = math.exp(edge), _BEYOND if unknown else None
        found.append(
            Interval(
                lower=math.exp(lower), upper=upper, lower_reason=lower_reason,
                upper_reason=upper_reason,
            )
        )  # fmt: skip
        k += 1
    return found, largest


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
        problem = _Problem(
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
        most = least + math.log(1e3)
    if least >= most:
        return RecastPoint(
            mass_gev=mass_gev, given=given, status="not excluded", reason=_TOO_WEAK,
            error_reason="there is no interval",
        )  # fmt: skip
    if search.depends_on_lifetime or decays.dark_gev or isinstance(threshold, LifetimeTable):
        intervals, largest = _intervals(problem, least, most)
    else:  # the same part of all signals is kept: no search is needed
        kept = decays.branching(search.final_state, 1.0)
        lower = math.sqrt(threshold / (rate * kept))
        narrow = math.log(lower) < most
        intervals = [Interval(lower=lower, upper=None, upper_reason=_NARROW)] if narrow else []
        largest = 1.0 if narrow else (math.exp(most) / lower) ** 2
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
