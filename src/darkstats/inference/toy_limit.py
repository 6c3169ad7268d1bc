"""Upper limits by toys: the curve of p-values is sampled around each crossing and interpolated."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import LimitNotFoundError, OptionError
from darkstats.gaussian import cdf
from darkstats.inference.p_values import ToyCounts, ToyOptions
from darkstats.inference.results import ALL_EXCLUDED, N_SIGMA, LimitScan, UpperLimit
from darkstats.inference.ties import limit_tie_note
from darkstats.inference.toy_curve import NoisyCrossing, NoisyPoint, noisy_crossing
from darkstats.inference.toy_tests import ToyPoint, no_reference, toy_points

if TYPE_CHECKING:
    from collections.abc import Iterable

    from darkstats.inference.curve import ProfileCurve

__all__ = ["FEWEST_BEYOND", "FEW_BEYOND", "require_enough_toys", "toy_limit"]

#: Signal toys expected beyond a limit, n_toys (1 - CL) CLb: fewer than the first number tell
#: nothing, fewer than the second tell little, and the result says so.
FEWEST_BEYOND, FEW_BEYOND = 2.0, 10.0

_PILOT_POINTS = 8
_ROUNDS = 5
_SPREAD = (0.93, 1.0, 1.07)
_SAME = 0.02  # signal strengths closer than this, relatively, are one point
_VAGUE = 0.5  # a crossing with a larger relative error is none


def require_enough_toys(n_toys: int, alpha: float) -> None:
    """Raise OptionError where so few toys cannot measure a p-value of ``alpha``."""
    if n_toys * alpha < FEWEST_BEYOND * (1.0 - 1e-9):
        raise OptionError(
            f"{n_toys} toys cannot measure a p-value of {alpha:.4g}: ask for "
            f"{math.ceil(FEWEST_BEYOND / alpha * (1.0 - 1e-9))} or more"
        )


def _known(point: ToyPoint, method: str) -> bool:
    """Whether the toys say anything of the data: CLs is 0 / 0 where none is as extreme."""
    return method != "cls" or point.clb.value > 0.0


def _points(of: list[ToyPoint], position: int | None, method: str) -> list[NoisyPoint]:
    """Curve of the data (``position`` None) or of one place in the band."""
    found = []
    for point in of:
        if position is None:
            if not _known(point, method):
                continue
            p = point.cls if method == "cls" else point.clsb
            found.append(NoisyPoint(point.mu, p.value, p.error, p.low, p.high))
        elif method == "cls":
            value, error = point.expected.cls[position], point.expected_cls_error[position]
            found.append(NoisyPoint(point.mu, value, error, value, value))
        else:
            value, error = point.expected.clsb[position], point.expected_clsb_error[position]
            found.append(NoisyPoint(point.mu, value, error, value, value))
    return found


def _distinct(mus: Iterable[float], known: Iterable[float]) -> list[float]:
    chosen: list[float] = []
    taken = list(known)
    for mu in sorted(mus):
        if all(abs(mu - other) > _SAME * mu for other in (*taken, *chosen)):
            chosen.append(mu)
    return chosen


class _Sampling:
    """Points of the curve so far: a coarse pilot, and points with all toys."""

    def __init__(
        self, curve: ProfileCurve, options: ToyOptions, alpha: float, method: str, *, blind: bool
    ) -> None:
        self.curve, self.options, self.alpha, self.method = curve, options, alpha, method
        n_pilot = min(options.n_toys, max(options.n_toys // 10, 500))
        self.pilot_options = replace(options, n_toys=n_pilot)
        self.positions: list[int | None] = [*([] if blind else [None]), 0, 1, 2, 3, 4]
        self.pilot: list[ToyPoint] = []
        self.full: list[ToyPoint] = []

    @property
    def floor(self) -> float:
        return 0.5 / self.options.n_toys

    def beyond(self, position: int | None) -> float:
        """Signal toys expected beyond a limit; CLs there is (1 - CL), CLs+b that times CLb."""
        number = self.options.n_toys * self.alpha
        if self.method != "cls":
            return number
        if position is not None:
            return number * cdf(float(N_SIGMA[position]))
        return number * max(point.clb.value for point in (*self.pilot, *self.full))

    def run_pilot(self, low: float, high: float) -> None:
        """Sample coarsely, widening the range until every crossing lies inside or below it."""
        grid = [float(mu) for mu in np.geomspace(low, high, _PILOT_POINTS)]
        self.pilot += toy_points(self.curve, grid, self.pilot_options)
        for _ in range(12):
            top = max(point.mu for point in self.pilot)
            bottom = min(point.mu for point in self.pilot)
            curves = [_points(self.pilot, k, self.method) for k in self.positions]
            if not all(curves):
                # ten times as many toys would still find none beyond the limit
                raise LimitNotFoundError(no_reference(self.pilot_options.n_toys))
            more = []
            if any(max(c, key=lambda p: p.mu).value > self.alpha for c in curves):
                more += [1.5 * top, 2.2 * top]
            excluded = [min(c, key=lambda p: p.mu).value <= self.alpha for c in curves]
            if any(excluded) and bottom > 1e-2 * low:
                more += [bottom / 2.0, bottom / 4.0]
            if not more:
                return
            self.pilot += toy_points(self.curve, more, self.pilot_options)
        top_mu = max(point.mu for point in self.pilot)
        raise LimitNotFoundError(
            f"toys: no crossing up to a signal strength of {top_mu:.4g}", lower_bound=top_mu
        )

    def solve(self, position: int | None) -> NoisyCrossing | None:
        """Crossing from the full points, helped by the pilot where they are too few."""
        if len(self.full) >= 2:
            found = noisy_crossing(
                _points(self.full, position, self.method), self.alpha, floor=self.floor
            )
            if found is not None and found.settled:
                return found
        rough = noisy_crossing(
            _points([*self.pilot, *self.full], position, self.method),
            self.alpha,
            floor=0.5 / self.pilot_options.n_toys,
        )
        return None if rough is None else replace(rough, settled=False)

    def refine(self) -> dict[int | None, NoisyCrossing | None]:
        """Sample with all toys around each crossing until each is surrounded by points."""
        solved = {position: self.solve(position) for position in self.positions}
        for _ in range(_ROUNDS):
            wanted = [
                factor * found.mu
                for found in solved.values()
                if found is not None and not found.settled
                for factor in _SPREAD
            ]
            chosen = _distinct(wanted, (point.mu for point in self.full))
            if not chosen:
                break
            self.full += toy_points(self.curve, chosen, self.options)
            solved = {position: self.solve(position) for position in self.positions}
        return solved


def toy_limit(
    curve: ProfileCurve, asymptotic: UpperLimit, options: ToyOptions, *, blind: bool = False
) -> UpperLimit:
    """Upper limit from toys; the asymptotic one only tells where to look.

    Around each of the six crossings, p-values are sampled with ``n_toys`` toys per hypothesis and
    the logarithm is interpolated by a straight line; the error of the crossing is that of the
    p-value divided by the slope.

    Raises
    ------
    LimitNotFoundError
        The p-value does not fall below 1 - CL, or the toys are too few to tell where it does.
    FitFailedError
        Too many toys failed.
    OptionError
        Too few toys for the level; or a power threshold other than the default: toys give the
        band at -2 .. +2 sigma only.
    """
    alpha = 1.0 - asymptotic.cl
    require_enough_toys(options.n_toys, alpha)
    constrained = asymptotic.method == "pcl"
    if constrained and abs((asymptotic.power_threshold or 0.0) - cdf(-1.0)) > 1e-12:
        raise OptionError("with toys the power threshold is Phi(-1), the -1 sigma edge of the band")
    method = "cls" if asymptotic.method == "cls" else "clsb"
    guesses = [value for value in (asymptotic.observed, *asymptotic.expected) if value]
    sampling = _Sampling(curve, options, alpha, method, blind=blind)
    sampling.run_pilot(0.5 * min(guesses), 1.6 * max(guesses))
    solved = sampling.refine()
    notes = [note for note in asymptotic.warnings if note != ALL_EXCLUDED]
    band = [_value(solved[k], method, sampling.beyond(k)) for k in range(5)]
    expected, errors = [value for value, _ in band], [error for _, error in band]
    data = solved.get(None)
    observed, observed_error = (None, 0.0) if blind else _value(data, method, sampling.beyond(None))
    if observed is None and not blind:
        raise LimitNotFoundError(
            f"{options.n_toys} toys do not tell where the p-value of the data crosses "
            f"{alpha:.4g}: ask for more"
        )
    if observed == 0.0:
        notes.append(ALL_EXCLUDED)
    at = observed if observed is not None else expected[2]
    notes += limit_tie_note(curve, at, cl=asymptotic.cl, blind=blind)
    active = None
    low = None if blind else observed if data is None else min(data.low, data.mu)
    high = None if blind else observed if data is None else max(data.high, data.mu)
    if constrained:
        floor, floor_error = band[1]
        if floor is None:
            raise LimitNotFoundError(
                f"{options.n_toys} toys do not tell where the power is enough: ask for more"
            )
        # What stands at the edge of the band has the error of the edge.
        below = [value is not None and value <= floor for value in expected]
        expected = [floor if at else value for value, at in zip(expected, below, strict=True)]
        errors = [floor_error if at else error for error, at in zip(errors, below, strict=True)]
        active = None if observed is None else observed < floor
        if active:
            observed, observed_error = floor, floor_error
            low = high = floor
    if options.n_toys * alpha < FEW_BEYOND:
        notes.append(
            f"only about {options.n_toys * alpha:.2g} toys lie beyond each limit: the errors are "
            "rough too; ask for more toys"
        )
    unsettled = [found for found in solved.values() if found is not None and not found.settled]
    if unsettled:
        notes.append(f"{len(unsettled)} of the crossings rest on few points: ask for more toys")
    return replace(
        asymptotic,
        calculator="toys",
        observed=observed,
        observed_error=observed_error or 0.0,
        observed_low=low,
        observed_high=high,
        expected=tuple(expected),
        expected_error=tuple(errors),
        expected_reason=f"{options.n_toys} toys do not tell where: ask for more"
        if None in expected
        else None,
        expected_definition="quantiles, over background-only toys, of the p-value at each signal "
        "strength, solved for the signal strength",
        toys=_total(sampling.pilot) + _total(sampling.full),
        seed=options.seed,
        fits=curve.counts,
        scan=_scan(sampling, method, blind=blind),
        power_constrained=active,
        warnings=tuple(notes),
    )


def _value(
    found: NoisyCrossing | None, method: str, beyond: float
) -> tuple[float | None, float | None]:
    """Crossing and its error; None where the toys leave it open.

    CLs+b may exclude everything: then the limit is 0. CLs never does, and no crossing is no answer.
    """
    if found is None:
        return (None, None) if method == "cls" else (0.0, 0.0)
    if beyond < FEWEST_BEYOND or not found.error <= _VAGUE * found.mu:
        return None, None
    return found.mu, found.error


def _total(points: list[ToyPoint]) -> ToyCounts:
    total = ToyCounts(asked=0, ok=0, failed=0)
    for point in points:
        total = total + point.toys
    return total


def _scan(sampling: _Sampling, method: str, *, blind: bool) -> LimitScan:
    points = [*sampling.pilot, *sampling.full]
    points = sorted((p for p in points if blind or _known(p, method)), key=lambda point: point.mu)
    data = _points(points, None, method)
    return LimitScan(
        quantity="CLs" if method == "cls" else "CLs+b",
        mu=tuple(point.mu for point in points),
        observed=None if blind else tuple(point.value for point in data),
        observed_error=None if blind else tuple(point.error for point in data),
        expected=tuple(
            tuple(point.value for point in _points(points, k, method)) for k in range(5)
        ),
    )
