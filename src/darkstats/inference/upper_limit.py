"""Upper limits on the signal strength: CLs, CLs+b, power-constrained; observed and expected.

Use ``method="cls"`` for the field's standard, ``"clsb"`` for exact one-sided coverage, ``"pcl"``
for CLs+b that never quotes a limit the search had no power to set. Use ``band="root"`` (pyhf's
convention: each expected limit solves its own equation) unless a single Gaussian width for the
whole band is wanted (``"fixed-sigma"``).
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from darkstats.arguments import checked
from darkstats.errors import LimitNotFoundError, NotCertifiedError, OptionError, UnknownNameError
from darkstats.gaussian import cdf, quantile
from darkstats.inference.asimov import blinded_observation
from darkstats.inference.asymptotics import (
    expected_p_values,
    fixed_sigma_limit,
)
from darkstats.inference.curve import NLL_TOLERANCE, ProfileCurve
from darkstats.inference.hypotest import (
    BLINDED,
    REFERENCES,
    asymptotic_test,
    far_outside,
    warnings_of,
)
from darkstats.inference.limit_search import MOVES, LimitSearch, log_p
from darkstats.inference.p_values import ToyOptions
from darkstats.inference.results import ALL_EXCLUDED, N_SIGMA, LimitScan, UpperLimit
from darkstats.inference.test_statistics import test_statistic
from darkstats.inference.ties import limit_tie_note

if TYPE_CHECKING:
    from collections.abc import Callable

    from darkstats.fit import FitOptions
    from darkstats.inference.p_values import Calculator
    from darkstats.model import Model, Observation

__all__ = ["METHODS", "POWER_THRESHOLD", "asymptotic_limit", "limit_of_curve", "upper_limit"]

METHODS = ("cls", "clsb", "pcl")

#: Default of the minimal power M_min of a power-constrained limit: Phi(-1) = 0.16, so that the
#: constraint is the -1 sigma edge of the CLs+b band (arXiv:1105.3166, section 5).
POWER_THRESHOLD = cdf(-1.0)

BAND_DEFINITIONS = {
    "root": "each position N of the band solves Phi(N - sqrt(q_A(mu))) {reference}",
    "fixed-sigma": "sigma (N + Phi^-1(1 - {level})), with sigma = mu / sqrt(q_A) at the median",
}


def _definition(band: str, method: str) -> str:
    cls = method == "cls"
    if band == "root":
        return BAND_DEFINITIONS["root"].format(reference="= (1 - CL) Phi(N)" if cls else "= 1 - CL")
    return BAND_DEFINITIONS["fixed-sigma"].format(level="(1 - CL) Phi(N)" if cls else "(1 - CL)")


def asymptotic_limit(
    curve: ProfileCurve,
    *,
    cl: float,
    method: str = "cls",
    band: str = "root",
    power_threshold: float = POWER_THRESHOLD,
    scan_points: int = 21,
    blind: bool = False,
) -> UpperLimit:
    """Asymptotic upper limit from a profile curve; see :func:`upper_limit`."""
    alpha = 1.0 - cl
    positions = tuple(float(n) for n in N_SIGMA)
    constrained = method == "pcl"
    if constrained:
        positions = (*positions, quantile(power_threshold))
    search = LimitSearch(curve, alpha, method, positions)
    scan = _searched(search, scan_points, blind=blind)
    values = [search.found(crossing) for crossing in search.expected]
    notes = list(() if blind else warnings_of(curve))
    median = values[2]
    # at the median root, sqrt(q_A) is the target by construction
    sigma = median / search.targets[2] if median > 0.0 else None
    if band == "fixed-sigma":
        if sigma is None:
            raise LimitNotFoundError("no Asimov sigma at the median limit")
        basis = "cls" if method == "cls" else "clsb"
        values = [fixed_sigma_limit(sigma, alpha, n, method=basis) for n in positions]
    observed = None
    if not blind:
        observed = search.found(search.observed)
        if observed == 0.0:
            notes.append(ALL_EXCLUDED)
    floor = None
    active = None
    if constrained:
        floor = values.pop()
        if observed is not None:
            active = observed < floor
            observed = max(observed, floor)
        values = [max(value, floor) for value in values]
    notes += far_outside(curve.model, "the limit", observed if not blind else median)
    if not blind:
        problem = _not_monotone(search, curve.mu_hat)
        if problem is not None:
            notes.append(problem)
    at_unit = None
    reason = None
    try:
        at_unit = asymptotic_test(curve, 1.0, blind=blind)
    except NotCertifiedError as error:
        reason = str(error)
    references = REFERENCES["asymptotic"] + (
        REFERENCES["cls"] if method == "cls" else REFERENCES["pcl"] if constrained else ()
    )
    return UpperLimit(
        poi=curve.model.poi_name or "",
        cl=cl,
        method=method,
        test_stat=curve.statistic.name,
        calculator="asymptotic",
        observed=observed,
        observed_low=observed,
        observed_high=observed,
        observed_reason=BLINDED if blind else None,
        expected=tuple(values),
        expected_definition=_definition(band, method)
        + (
            f", raised to the power-constrained minimum at power {power_threshold:.4g}"
            if constrained
            else ""
        ),
        at_unit=at_unit,
        at_unit_reason=reason,
        mu_hat=None if blind else curve.mu_hat,
        twice_nll=None if blind else curve.free.twice_nll,
        sigma=sigma,
        poi_lower=curve.poi_lower,
        fits=curve.counts,
        scan=scan,
        power_threshold=power_threshold if constrained else None,
        power_constrained=active,
        model_digest=curve.model.digest,
        warnings=tuple(notes),
        references=references,
    )


def _searched(search: LimitSearch, scan_points: int, *, blind: bool) -> LimitScan | None:
    """Find all crossings, and the curve around them; again where the curve finds a lower minimum.

    Raises
    ------
    LimitNotFoundError
        Minima keep moving.
    """
    for _ in range(MOVES):
        search.run(blind=blind)
        search.certify(blind=blind)
        crossings = [*search.expected, *([] if blind else [search.observed])]
        top = max(search.found(crossing) for crossing in crossings)
        grid = _grid(search.curve, top, scan_points, blind=blind)
        if not grid or not search.curve.evaluate_smoothly(grid):
            return _scan(search.curve, search.method, grid, blind=blind)
        search.restart()
    raise LimitNotFoundError(
        "the minima of the curve around the limit keep moving",
        lower_bound=search.highest_allowed(),
    )


def _grid(curve: ProfileCurve, top: float, n_points: int, *, blind: bool) -> list[float]:
    """Even steps from 0 to 1.3 times the largest limit; none where there is no curve.

    The best fit is a point, too: the p-values of one-sided statistics have a corner there.
    """
    if n_points < 2 or not top > 0.0:
        return []
    grid = [float(mu) for mu in np.linspace(0.0, 1.3 * top, n_points)]
    if not blind and grid[0] < curve.mu_hat < grid[-1]:
        grid = sorted({*grid, curve.mu_hat})
    return grid


def _scan(curve: ProfileCurve, method: str, grid: list[float], *, blind: bool) -> LimitScan | None:
    """P-values at the points of a grid that are known."""
    if not grid:
        return None
    known = set(curve.points)
    kept = [mu for mu in grid if mu in known]
    name = curve.statistic.name
    expected = []
    for n in N_SIGMA:
        parts = [expected_p_values(name, curve.q_asimov(mu), float(n)) for mu in kept]
        expected.append(tuple(p.cls if method == "cls" else p.clsb for p in parts))
    observed = None if blind else tuple(math.exp(log_p(curve, mu, method)) for mu in kept)
    return LimitScan(
        quantity="CLs" if method == "cls" else "CLs+b",
        mu=tuple(kept),
        observed=observed,
        expected=tuple(expected),
    )


def _not_monotone(search: LimitSearch, mu_hat: float) -> str | None:
    """Words of warning if the observed curve rises anywhere above the best fit."""
    search.restart()
    values = [
        point
        for point in search.observed.points
        if point[0] > max(mu_hat, 0.0) and search.curve.q_asimov(point[0]) > NLL_TOLERANCE
    ]
    for (mu, value), (_, later) in pairwise(values):
        if later > value + 1e-6 and value > -20.0:
            return (
                f"the p-value rises again above a signal strength of {mu:.6g}: the likelihood has "
                "more than one minimum there; the largest crossing is quoted"
            )
    return None


@checked
def upper_limit(
    model: Model,
    observation: Observation,
    *,
    cl: float = 0.95,
    method: str = "cls",
    test_stat: str = "qtilde",
    calculator: Calculator = "asymptotic",
    band: str = "root",
    toys: ToyOptions | None = None,
    poi_lower: float | None = None,
    power_threshold: float = POWER_THRESHOLD,
    scan_points: int = 21,
    blind: bool = False,
    probe: bool = True,
    on_probe: Callable[[int], object] | None = None,
    options: FitOptions | None = None,
) -> UpperLimit:
    """Upper limit on the signal strength with its expected band.

    Parameters
    ----------
    model, observation
        Compiled model with a parameter of interest, and data.
    cl
        Confidence level, in (0.5, 1): every signal strength below the best fit counts as
        allowed, so that no smaller level has a meaning.
    method
        ``"cls"``, ``"clsb"`` or ``"pcl"`` (power-constrained, built on CLs+b).
    test_stat
        ``"qtilde"`` or ``"q"``.
    calculator
        ``"asymptotic"`` or ``"toys"``.
    band
        ``"root"`` or ``"fixed-sigma"``: convention of the expected band.
    toys
        How many toys, for ``calculator="toys"`` and for the probe.
    poi_lower
        Lower bound of the signal strength in the free fit, for ``q`` only.
    power_threshold
        Minimal power of a power-constrained limit, in (0, 0.5].
    scan_points
        Points of the curve kept for a figure, 0 for none.
    blind
        Expected values only, from background-only Asimov data.
    probe
        Look at the asymptotic approximation with a few toys where counts are low; the number
        never changes.
    on_probe
        Told the number of toys of each hypothesis before a probe throws them.

    Returns
    -------
    UpperLimit
        Limits in units of the signal strength: multiply by the nominal cross section.

    Raises
    ------
    UnknownNameError
        Unknown method, statistic, calculator or band.
    OptionError
        Options out of range, or in contradiction.
    LimitNotFoundError
        No certified crossing; carries the signal strength that is known to be allowed.
    FitFailedError
        A minimum could not be certified, or too many toys failed.

    Notes
    -----
    arXiv:1007.1727; CLs: J. Phys. G 28 (2002) 2693; power constraint: arXiv:1105.3166, with the
    threshold Phi(-1). The search starts from the Asimov width and is bounded by no range of the
    workspace; the crossing is solved to 1e-10 relative, for limits from 1e-12 to 1e12.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> limit = darkstats.upper_limit(model, model.observation)
    >>> round(limit.observed, 3), [round(mu, 3) for mu in limit.expected]
    (1.965, [0.801, 1.081, 1.514, 2.135, 2.913])
    """
    _check(
        cl=cl,
        method=method,
        test_stat=test_stat,
        calculator=calculator,
        band=band,
        power_threshold=power_threshold,
    )
    data = blinded_observation(model) if blind else observation
    curve = ProfileCurve(
        model, data, test_statistic(test_stat), poi_lower=poi_lower, options=options
    )
    return limit_of_curve(
        curve,
        cl=cl,
        method=method,
        calculator=calculator,
        band=band,
        toys=toys,
        power_threshold=power_threshold,
        scan_points=scan_points,
        blind=blind,
        probe=probe,
        on_probe=on_probe,
    )


def limit_of_curve(
    curve: ProfileCurve,
    *,
    cl: float,
    method: str = "cls",
    calculator: Calculator = "asymptotic",
    band: str = "root",
    toys: ToyOptions | None = None,
    power_threshold: float = POWER_THRESHOLD,
    scan_points: int = 21,
    blind: bool = False,
    probe: bool = True,
    on_probe: Callable[[int], object] | None = None,
) -> UpperLimit:
    """Upper limit from a profile curve, which can serve other questions, too.

    Parameters and errors are those of :func:`upper_limit`; the curve has the statistic, the data
    and the options.
    """
    _check(
        cl=cl,
        method=method,
        test_stat=curve.statistic.name,
        calculator=calculator,
        band=band,
        power_threshold=power_threshold,
    )
    curve.require_density()
    asymptotic = asymptotic_limit(
        curve,
        cl=cl,
        method=method,
        band=band,
        power_threshold=power_threshold,
        scan_points=scan_points,
        blind=blind,
    )
    if calculator == "toys":
        from darkstats.inference.toy_limit import toy_limit

        return toy_limit(curve, asymptotic, toys or ToyOptions(), blind=blind)
    from darkstats.inference.low_counts import low_counts
    from darkstats.inference.probe import low_count_note, probe_limit, too_dear

    seed = toys.seed if toys else 0
    held = low_counts(curve, asymptotic, seed=seed, blind=blind)
    if held is not None:
        said: tuple[str, ...] = (held.message(asymptotic.observed, cl),)
        if held.calculator == "toys":
            at = held.observed if held.observed is not None else held.expected[2]
            said += limit_tie_note(curve, at, cl=cl, blind=blind)
        asymptotic = replace(asymptotic, low_counts=held, warnings=(*asymptotic.warnings, *said))
    if not probe or blind:
        note = low_count_note(curve, asymptotic)
        return replace(asymptotic, warnings=(*asymptotic.warnings, *note))

    dear = too_dear(curve)
    if dear is not None:
        note = low_count_note(curve, asymptotic)
        return replace(
            asymptotic,
            probe_reason=dear if note else None,
            warnings=(*asymptotic.warnings, *note),
        )
    try:
        seen = probe_limit(curve, asymptotic, seed=seed, on_probe=on_probe)
    except (NotCertifiedError, OptionError) as error:  # or toys of a negative yield
        reason = f"a bin that drives the limit expects few events, but the toys failed: {error}"
        return replace(
            asymptotic, probe_reason=reason, warnings=(*asymptotic.warnings, f"no probe: {reason}")
        )
    if seen is None:
        return asymptotic
    notes = (*asymptotic.warnings, seen.message) if seen.recommends_toys else asymptotic.warnings
    return replace(asymptotic, probe=seen, warnings=notes)


def _check(
    *, cl: float, method: str, test_stat: str, calculator: str, band: str, power_threshold: float
) -> None:
    if not 0.5 < cl < 1.0:
        raise OptionError(
            f"the confidence level of an upper limit must lie between 0.5 and 1, got {cl}"
        )
    if method not in METHODS:
        raise UnknownNameError("method", method, METHODS)
    if calculator not in {"asymptotic", "toys"}:
        raise UnknownNameError("calculator", calculator, ("asymptotic", "toys"))
    if band not in BAND_DEFINITIONS:
        raise UnknownNameError("band", band, tuple(BAND_DEFINITIONS))
    if test_statistic(test_stat).sided != "upper":
        raise OptionError(f"an upper limit needs qtilde or q, not {test_stat}")
    if not 0.0 < power_threshold <= 0.5:
        raise OptionError(f"the power threshold must lie in (0, 0.5], got {power_threshold}")
    if band == "fixed-sigma" and calculator == "toys":
        raise OptionError("toys give the band by themselves: fixed-sigma is for asymptotic limits")
