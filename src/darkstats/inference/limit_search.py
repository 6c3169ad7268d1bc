"""The search for the crossings of one asymptotic limit: data and band on shared fits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from darkstats.errors import LimitNotFoundError
from darkstats.inference.asymptotics import observed_p_values, root_target
from darkstats.inference.crossing import Crossing
from darkstats.inference.curve import NLL_TOLERANCE
from darkstats.inference.unprofiled import unprofiled_scale

if TYPE_CHECKING:
    from darkstats.inference.curve import ProfileCurve

__all__ = ["MOVES", "LimitSearch", "log_p"]

#: Fits know the deviance to 1e-9, and a crossing no better: closer points would tell noise apart.
_RELATIVE_TOLERANCE = 1e-10
#: Bisection alone, the slowest thing a crossing does, comes from the range to the tolerance in 63.
_ROUNDS = 60
_LEAST_REACH = 0.1  # standard deviations: what lies nearer to none is no distance to start from
_MOST_STRETCH = 1e3  # of the unprofiled guess: beyond, its Asimov value is rounding
#: Standard deviations up to which a best fit moves the start along the band; beyond, the limit lies
#: a median above the best fit.
_FAR = 5.0
_ABSENT = 1e-6  # of the unprofiled guess: a crossing below it is one at no signal
_BRACKETED = 4  # points of the data: two on either side are enough to interpolate in
MOVES = 4  # times that a second start may find a lower minimum before the search gives up
_LEAST_TOLD = 1e-3  # of the tolerance: data that move by less are not told apart by the fits
_RANGE = 1e9  # a limit this many times larger than the unprofiled guess is no limit


def log_p(curve: ProfileCurve, mu: float, method: str) -> float:
    """Logarithm of the observed CLs or CLs+b at ``mu``, a known point of both curves.

    Raises
    ------
    FitFailedError
        A fit failed there.
    """
    p = observed_p_values(curve.statistic.name, curve.q(mu), curve.q_asimov(mu))
    return p.log_cls if method == "cls" else p.log_clsb


class LimitSearch:
    """The six crossings of one asymptotic limit (data first, then the band) on shared fits."""

    def __init__(
        self, curve: ProfileCurve, alpha: float, method: str, positions: tuple[float, ...]
    ) -> None:
        self.curve, self.alpha = curve, alpha
        self.method = "cls" if method == "cls" else "clsb"
        self.targets = [root_target(alpha, n, method=self.method) for n in positions]
        median = root_target(alpha, 0.0, method=self.method)
        reach = max(median, _LEAST_REACH)
        self.scale = unprofiled_scale(curve.model, curve.reference.parameters, target=reach)
        curve.evaluate([], asimov_only=[self.scale])
        seen = self.scale in curve.asimov_points  # a first guess can do without
        a = math.sqrt(max(curve.q_asimov(self.scale), 0.0)) if seen else 0.0
        told = 0.0 < a < math.inf  # infinite where some rate is gone at this strength
        guess = self.scale * min(reach / a, _MOST_STRETCH) if told else self.scale
        sigma = guess / reach
        n_hat = curve.mu_hat / sigma
        up = n_hat + root_target(alpha, max(min(n_hat, _FAR), -_FAR), method=self.method)
        start = (
            sigma * max(up - max(n_hat - _FAR, 0.0), _LEAST_REACH * reach)
            if n_hat <= _FAR
            else (curve.mu_hat + sigma * median)
        )
        floor = _ABSENT * self.scale
        self.observed = Crossing(
            "the observed limit", start, tolerance=_RELATIVE_TOLERANCE, floor=floor
        )
        self.expected = [
            Crossing(
                f"the expected limit at {n:+g} sigma",
                sigma * max(target, _LEAST_REACH),
                tolerance=_RELATIVE_TOLERANCE,
                floor=floor,
            )
            for n, target in zip(positions, self.targets, strict=True)
        ]
        self._told_data: set[float] = set()
        self._told_asimov: set[float] = set()
        self._share()

    def _share(self) -> None:
        """Tell every crossing the points that are new."""
        data = set(self.curve.points) - self._told_data
        self._told_data |= data
        for mu in sorted(data):
            if mu > 0.0:
                self.observed.add(mu, self._height(mu))
        asimov = set(self.curve.asimov_points) - self._told_asimov
        self._told_asimov |= asimov
        for mu in sorted(asimov):
            value = self.curve.q_asimov(mu)
            if mu > 0.0:
                for crossing, target in zip(self.expected, self.targets, strict=True):
                    crossing.add(mu, target - math.sqrt(value))

    def _height(self, mu: float) -> float:
        """How far the logarithm of the p-value lies above that of 1 - CL.

        CLs+b divides by the root of the Asimov value. Where that is rounding, so is the p-value,
        and the data alone decide: a strength that they tell from the best fit is excluded, and one
        that they do not tell is allowed, however wide the stretch of those is. CLs has no such
        place: its two parts are alike there.
        """
        if self.method == "clsb" and self._is_rounding(mu):
            return -math.log(max(self.curve.q(mu) / NLL_TOLERANCE, _LEAST_TOLD))
        return log_p(self.curve, mu, self.method) - math.log(self.alpha)

    def _is_rounding(self, mu: float) -> bool:
        return self.curve.q_asimov(mu) < NLL_TOLERANCE

    def restart(self) -> None:
        """Forget the values, which a better minimum has changed, and read them again."""
        for crossing in (self.observed, *self.expected):
            crossing.clear()
        self._told_data.clear()
        self._told_asimov.clear()
        self._share()

    def run(self, *, blind: bool) -> None:
        """Refine all crossings together until each is known to the tolerance."""
        limit = self.scale * _RANGE
        for _ in range(_ROUNDS):
            band = [mu for crossing in self.expected for mu in crossing.proposals(limit)]
            data = [] if blind else self.observed.proposals(limit)
            if not band and not data:
                return
            # Early on, the points of the band are asked of the data too: they bracket the rest.
            early = not blind and len(self.observed.points) < _BRACKETED
            self.curve.evaluate([*data, *band] if early else data, asimov_only=band)
            if data and not set(data) & set(self.curve.points):
                self.curve.certify(data[0])  # the ladder of last resort, or an honest error
            if band and not set(band) & set(self.curve.asimov_points):
                self.curve.certify(band[0], data=False)
            self._share()
        raise LimitNotFoundError(
            f"the search for the limit did not settle in {_ROUNDS} rounds",
            lower_bound=self.highest_allowed(),
        )

    def highest_allowed(self) -> float | None:
        """Largest tested signal strength that the data do not exclude."""
        allowed = [mu for mu, value in self.observed.points if value > 0.0]
        return max(allowed, default=None)

    def certify(self, *, blind: bool) -> None:
        """Fit every crossing again from a second start; search again where that changed a value."""
        for _ in range(MOVES):
            wanted = [] if blind else self._nearest_known(self.observed, data=True)
            for crossing in self.expected:
                wanted += self._nearest_known(crossing, data=False)
            if not self.curve.certify_all(wanted, also=1.0):
                return
            self.restart()
            self.run(blind=blind)
        raise LimitNotFoundError(
            "the minima behind the limit keep moving under a second start",
            lower_bound=self.highest_allowed(),
        )

    def found(self, crossing: Crossing) -> float:
        """Signal strength of a crossing after the search; 0 where every one is excluded.

        Raises
        ------
        LimitNotFoundError
            No certified points surround it.
        """
        estimate = crossing.estimate()
        if estimate is None:
            raise LimitNotFoundError(
                f"{crossing.name}: no certified fits on both sides of it",
                lower_bound=self.highest_allowed(),
            )
        if crossing is self.observed and self.method == "clsb" and self._at_none(estimate[0]):
            return 0.0
        return estimate[0]

    def _at_none(self, found: float) -> bool:
        """Whether a crossing is that of rounding at no signal at all.

        The data leave zero in proportion to the strength, the Asimov value with its square: near
        zero, it is rounding well beyond the crossing, too. At the end of a stretch of strengths
        that a free parameter makes up for, it is not.
        """
        above = self.observed.bracket[1]
        if found <= 0.0 or above is None or not self._is_rounding(above[0]):
            return False
        self.curve.evaluate([], asimov_only=[2.0 * found])
        if 2.0 * found not in self.curve.asimov_points:
            self.curve.certify(2.0 * found, data=False)
        return self._is_rounding(2.0 * found)

    def _nearest_known(self, crossing: Crossing, *, data: bool) -> list[tuple[float, bool]]:
        """The known point next to a crossing, with whether the data count there."""
        found = crossing.estimate()
        if found is None or found[0] <= 0.0:
            return []
        nearest = min((mu for mu, _ in crossing.points), key=lambda mu: abs(mu - found[0]))
        return [(nearest, data)]
