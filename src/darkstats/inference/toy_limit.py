"""Upper limits by toys: the curve of p-values is sampled around each crossing and interpolated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import LimitNotFoundError, OptionError
from darkstats.gaussian import cdf
from darkstats.inference.results import LimitScan, ToyCounts, ToyOptions, UpperLimit
from darkstats.inference.toy_curve import NoisyCrossing, NoisyPoint, noisy_crossing
from darkstats.inference.toy_tests import ToyPoint, toy_points

if TYPE_CHECKING:
    from collections.abc import Iterable

    from darkstats.inference.curve import ProfileCurve

__all__ = ["toy_limit"]

_PILOT_POINTS = 8
_ROUNDS = 5
_SPREAD = (0.93, 1.0, 1.07)
_SAME = 0.02  # signal strengths closer than this, relatively, are one point


def _points(of: list[ToyPoint], position: int | None, method: str) -> list[NoisyPoint]:
    """Curve of the data (``position`` None) or of one place in the band."""
    found = []
    for point in of:
        if position is None:
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

    def run_pilot(self, low: float, high: float) -> None:
        """Sample coarsely, widening the range until every crossing lies inside or below it."""
        grid = [float(mu) for mu in np.geomspace(low, high, _PILOT_POINTS)]
        self.pilot += toy_points(self.curve, grid, self.pilot_options)
        for _ in range(12):
            top = max(self.pilot, key=lambda point: point.mu)
            bottom = min(self.pilot, key=lambda point: point.mu)
            more = []
            if any(_points([top], k, self.method)[0].value > self.alpha for k in self.positions):
                more += [1.5 * top.mu, 2.2 * top.mu]
            excluded = [
                _points([bottom], k, self.method)[0].value <= self.alpha for k in self.positions
            ]
            if any(excluded) and bottom.mu > 1e-2 * low:
                more += [bottom.mu / 2.0, bottom.mu / 4.0]
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
        The p-value does not fall below 1 - CL.
    FitFailedError
        Too many toys failed.
    OptionError
        A power threshold other than the default: toys give the band at -2 .. +2 sigma only.
    """
    alpha = 1.0 - asymptotic.cl
    constrained = asymptotic.method == "pcl"
    if constrained and abs((asymptotic.power_threshold or 0.0) - cdf(-1.0)) > 1e-12:
        raise OptionError("with toys the power threshold is Phi(-1), the -1 sigma edge of the band")
    method = "cls" if asymptotic.method == "cls" else "clsb"
    guesses = [value for value in (asymptotic.observed, *asymptotic.expected) if value]
    sampling = _Sampling(curve, options, alpha, method, blind=blind)
    sampling.run_pilot(0.5 * min(guesses), 1.6 * max(guesses))
    solved = sampling.refine()
    notes = list(asymptotic.warnings)
    band = [solved[k] for k in range(5)]
    expected = [0.0 if found is None else found.mu for found in band]
    errors = [0.0 if found is None else found.error for found in band]
    data = solved.get(None)
    observed = None if blind else 0.0 if data is None else data.mu
    active = None
    if constrained:
        floor = expected[1]
        active = None if observed is None else observed < floor
        observed = None if observed is None else max(observed, floor)
        expected = [max(value, floor) for value in expected]
    unsettled = [found for found in solved.values() if found is not None and not found.settled]
    if unsettled:
        notes.append(f"{len(unsettled)} of the crossings rest on few points: ask for more toys")
    return replace(
        asymptotic,
        calculator="toys",
        observed=observed,
        observed_error=0.0 if data is None else data.error,
        observed_low=None if blind else observed if data is None else min(data.low, data.mu),
        observed_high=None if blind else observed if data is None else max(data.high, data.mu),
        expected=tuple(expected),
        expected_error=tuple(errors),
        expected_definition="quantiles, over background-only toys, of the p-value at each signal "
        "strength, solved for the signal strength",
        toys=_total(sampling.pilot) + _total(sampling.full),
        seed=options.seed,
        fits=curve.counts,
        scan=_scan(sampling, method, blind=blind),
        power_constrained=active,
        warnings=tuple(notes),
    )


def _total(points: list[ToyPoint]) -> ToyCounts:
    total = ToyCounts(asked=0, ok=0, failed=0)
    for point in points:
        total = total + point.toys
    return total


def _scan(sampling: _Sampling, method: str, *, blind: bool) -> LimitScan:
    points = sorted([*sampling.pilot, *sampling.full], key=lambda point: point.mu)
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
