"""The profile likelihood against the signal strength, on the data and on the Asimov data.

Everything asymptotic is read off these two curves. They are evaluated many points at a time, one
lane each, started at the nearest known minimum; the points behind a quoted number are fitted
again from a second start (:meth:`ProfileCurve.certify`).
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import (
    FitFailedError,
    ImpossibleDataError,
    LocalMinimumError,
    OptionError,
)
from darkstats.fit import FitOptions, FitResult, fit, fit_batch
from darkstats.fit.elsewhere import starts_elsewhere
from darkstats.fit.lanes import Problem
from darkstats.fit.mle import number_options
from darkstats.fit.neighbours import hand_on
from darkstats.fit.remarks import RANGE_END
from darkstats.fit.starts import jittered_starts, starts_on_both_sides
from darkstats.fit.valleys import cancels
from darkstats.inference.asimov import asimov_data
from darkstats.inference.p_values import FitCounts
from darkstats.streams import keyed_generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.arrays import FloatArray
    from darkstats.inference.test_statistics import TestStatistic
    from darkstats.model import Model, Observation

__all__ = ["NLL_TOLERANCE", "ProfileCurve"]

#: Differences of twice the negative log-likelihood below this count as none (the fit's own
#: tolerance on it is 1e-9).
NLL_TOLERANCE = 1e-6

#: Different starts that have to end in the lowest of many minima.
_WITNESSES = 3

#: Where they come from: minima at the nearest other strengths, which mostly lie on the same sheet,
#: and points drawn around the best one known, half a prefit error wide so that most stay in its
#: well. Together they are a few vectors of lanes, the cost of one hard fit.
_NEAR, _DRAWN, _DRAWN_WIDTH = 8, 16, 0.5


def _different(points: FloatArray, poi: int) -> FloatArray:
    """Starts [start, par] without repetitions: a start that stands twice would agree with itself.

    The signal strength, which is held, does not tell starts apart.
    """
    others = np.delete(points, poi, axis=1)
    _, first = np.unique(others, axis=0, return_index=True)
    return points[np.sort(first)]


class Profile:
    """Conditional minima on one set of data, by signal strength.

    Parameters
    ----------
    observation
        The data.
    place
        Where they are, for messages: empty for the data themselves.
    """

    def __init__(self, observation: Observation, place: str) -> None:
        self.observation, self.place = observation, place
        self.minima: dict[float, tuple[float, FloatArray]] = {}  # twice the NLL, parameters [par]
        self.certified: set[float] = set()
        self.branches: list[FloatArray] = []

    def keep(self, mu: float, value: float, parameters: FloatArray) -> None:
        """Take a minimum, unless a lower one is known."""
        if mu not in self.minima or value < self.minima[mu][0]:
            self.minima[mu] = (value, parameters)

    def begin(self, mu: float, value: float, parameters: FloatArray) -> None:
        """Take a minimum that is certified elsewhere."""
        self.minima[mu] = (value, parameters)
        self.certified.add(mu)

    def nearest(self, mu: float) -> FloatArray:
        """Parameters of the known minimum at the nearest signal strength. Shape [par]."""
        return self.minima[min(self.minima, key=lambda other: abs(other - mu))][1]

    def value(self, mu: float) -> float:
        """Twice the NLL of the minimum at ``mu``.

        Raises
        ------
        FitFailedError
            None is known.
        """
        if mu not in self.minima:
            raise FitFailedError(
                f"no minimum is known with the signal strength at {mu:.6g}{self.place}"
            )
        return self.minima[mu][0]


class ProfileCurve:
    """Profile likelihoods of the data and of the Asimov data against the signal strength.

    Parameters
    ----------
    model, observation
        Compiled model with a parameter of interest, and the data.
    statistic
        Sets the bounds of the free fit and the Asimov hypothesis.
    poi_lower
        Lower bound of the free fit, where the statistic leaves it open.
    options
        Of the fits.
    """

    def __init__(
        self,
        model: Model,
        observation: Observation,
        statistic: TestStatistic,
        *,
        poi_lower: float | None = None,
        options: FitOptions | None = None,
    ) -> None:
        self.model, self.observation, self.statistic = model, observation, statistic
        self.options = options or FitOptions()
        self.poi_lower = statistic.lower_bound(model, poi_lower)
        poi = model.poi_index
        if poi is None or model.fixed[poi]:
            raise OptionError(
                f"the parameter of interest {model.poi_name!r} is fixed: nothing can be said of it"
            )
        self._poi = poi
        self.attempted = self.certified = self.second_starts = 0
        self.notes: list[str] = []
        self.free = self._fit(observation)
        self.asimov, self.reference = asimov_data(
            model, observation, mu=statistic.asimov_mu, options=self.options
        )
        self._count(self.reference)
        mu, minimum = statistic.asimov_mu, self.reference.parameters
        self._data, self._asimov = Profile(observation, ""), Profile(self.asimov, " on Asimov data")
        self._data.begin(mu, self.reference.twice_nll, minimum)
        self._asimov.begin(mu, 0.0, minimum)  # exact: the Asimov data are made of it
        self._restore_free()

    def _count(self, result: FitResult) -> None:
        self.attempted += 1 + result.certification.failed
        self.certified += 1
        self.second_starts += result.certification.level >= 2

    def _fit(self, observation: Observation, start: FloatArray | None = None) -> FitResult:
        result = fit(
            self.model,
            observation,
            poi_lower=self.poi_lower,
            poi_upper=math.inf,
            start=start,
            options=self.options,
        )
        self._count(result)
        return result

    @property
    def mu_hat(self) -> float:
        """Best-fit signal strength within the bounds of the statistic."""
        return float(self.free.parameters[self._poi])

    @property
    def counts(self) -> FitCounts:
        """Fits so far."""
        return FitCounts(
            attempted=self.attempted, certified=self.certified, second_start=self.second_starts
        )

    def evaluate(self, mus: Sequence[float], *, asimov_only: Sequence[float] = ()) -> None:
        """Fit both curves at ``mus``, and the Asimov one alone at others, in one batch.

        Where other minima are known, each point is fitted from those as well.
        """
        data, asimov = self._data, self._asimov
        wanted = [(mu, asimov) for mu in (*mus, *asimov_only) if mu not in asimov.minima]
        wanted += [(mu, data) for mu in mus if mu not in data.minima]
        lanes: list[tuple[float, Profile, FloatArray]] = []
        for mu, profile in dict.fromkeys(wanted):
            lanes.append((mu, profile, profile.nearest(mu)))
            lanes += [(mu, profile, branch) for branch in profile.branches]
        self._fit_lanes(lanes)

    def evaluate_smoothly(self, mus: Sequence[float]) -> bool:
        """Fit both curves at ``mus``, and every point from the minima on either side of it.

        Where minima compete, a point that was fitted from one of its neighbours alone may lie in
        another well than they do, with a certified minimum that is not the lowest. What a neighbour
        finds is handed on, until no point moves.

        Returns
        -------
        bool
            Whether a minimum moved that was known before, or the free one.

        Raises
        ------
        FitFailedError
            The free fit lies above a point, and cannot be repeated from there.
        """
        earlier = [
            (profile, mu, value)
            for profile in self._profiles(data=True)
            for mu, (value, _) in profile.minima.items()
        ]
        self.evaluate(mus)
        for profile in (self._asimov, self._data):
            known = sorted(profile.minima)
            refit = partial(self._refit_from, profile, set(mus))
            hand_on(known, refit, moved=known, rounds=len(mus))
        found = any(p.minima[mu][0] < value - NLL_TOLERANCE for p, mu, value in earlier)
        return self._restore_free() or found

    def _refit_from(
        self, profile: Profile, wanted: set[float], pairs: list[tuple[float, float]]
    ) -> set[float]:
        """Fit the points wanted from the minima of others; return those that have moved."""
        reference = self.statistic.asimov_mu
        pairs = [(mu, giver) for mu, giver in pairs if mu in wanted and mu != reference]
        before = {mu: profile.minima[mu][0] for mu, _ in pairs}
        self._fit_lanes([(mu, profile, profile.minima[giver][1]) for mu, giver in pairs])
        return {mu for mu, low in before.items() if profile.minima[mu][0] < low - NLL_TOLERANCE}

    def _fit_lanes(self, lanes: list[tuple[float, Profile, FloatArray]]) -> None:
        """Conditional fits at (mu, profile, start); the lowest minimum of a point stays."""
        if not lanes:
            return
        counts, auxdata = self.model.stack([profile.observation for _, profile, _ in lanes])
        start = np.array([point for _, _, point in lanes])
        values = np.array([mu for mu, _, _ in lanes])
        start[:, self._poi] = values
        batch = fit_batch(
            self.model, counts, auxdata, start=start, poi_values=values, options=self.options
        )
        good = batch.converged
        self.attempted += len(lanes)
        self.certified += int(np.count_nonzero(good))
        for lane, (mu, profile, _) in enumerate(lanes):
            if good[lane]:
                profile.keep(mu, float(batch.twice_nll[lane]), batch.parameters[lane])

    def _add_branch(self, profile: Profile, parameters: FloatArray) -> None:
        """Remember another minimum, and try it at every point that is known."""
        profile.branches.append(parameters)
        reference = self.statistic.asimov_mu
        self._fit_lanes([(mu, profile, parameters) for mu in profile.minima if mu != reference])

    def _restore_free(self) -> bool:
        """Refit freely from any conditional fit that lies below the free one; True if it moved."""
        moved = False
        for mu, (value, parameters) in list(self._data.minima.items()):
            if mu >= self.poi_lower and value < self.free.twice_nll - NLL_TOLERANCE:
                better = self._fit(self.observation, parameters)
                if better.twice_nll > value + NLL_TOLERANCE:
                    raise FitFailedError(
                        f"the free fit (2 NLL = {better.twice_nll:.9g}) lies above the fit with the"
                        f" signal strength at {mu:.6g} (2 NLL = {value:.9g})"
                    )
                self.free, moved = better, True
        return moved

    def certify(self, mu: float, *, data: bool = True) -> bool:
        """Fit both curves at ``mu`` with a second start; True if a value moved.

        Raises
        ------
        FitFailedError
            A minimum could not be certified.
        """
        moved = False
        for profile in self._profiles(data):
            if mu in profile.certified:
                continue
            known = profile.minima.get(mu)
            start = profile.nearest(mu) if known is None else known[1]
            value, parameters = self._second_start(mu, start, profile)
            if known is not None and value > known[0] + NLL_TOLERANCE:
                raise FitFailedError(
                    f"the minimum with the signal strength at {mu:.6g} was found from one start "
                    f"only: {known[0]:.9g}, against {value:.9g} from others"
                )
            profile.keep(mu, value, parameters)
            if known is not None and value < known[0] - NLL_TOLERANCE:
                self._add_branch(profile, parameters)
                moved = True
            profile.certified.add(mu)
        return self._restore_free() or moved if data else moved

    def _profiles(self, data: bool) -> tuple[Profile, ...]:
        return (self._asimov, self._data) if data else (self._asimov,)

    def certify_all(self, wanted: Sequence[tuple[float, bool]], *, also: float) -> bool:
        """Certify many points in one batch: (signal strength, whether on the data, too).

        Where all starts of a point agree, that is all there is to do; any other point goes through
        :meth:`certify` by itself. The point ``also`` is tried with them and left open if its starts
        do not agree.

        Returns
        -------
        bool
            Whether a value moved.

        Raises
        ------
        FitFailedError
            A minimum could not be certified.
        """
        both = [(mu, profile) for mu, data in wanted for profile in self._profiles(data)]
        points = [
            (mu, profile)
            for mu, profile in dict.fromkeys([*both, (also, self._asimov), (also, self._data)])
            if mu not in profile.certified
        ]
        if not points:
            return False
        settled = self._agreements(points)
        moved = False
        for mu, data in wanted:
            if all(point in settled for point in points if point[0] == mu):
                continue
            moved |= self.certify(mu, data=data)
        return self._restore_free() or moved

    def _agreements(self, points: list[tuple[float, Profile]]) -> set[tuple[float, Profile]]:
        """Fit points from second starts; return those whose starts agree with what is known."""
        problem = Problem.of(self.model, fix_poi=True, fixed={}, poi_lower=None, poi_upper=None)
        held = problem.values.copy()
        others = np.vstack(
            [jittered_starts(problem, held, 1, key=1), starts_on_both_sides(problem, held)]
        )
        starts, lanes = [], []
        for mu, profile in points:
            starts.append(np.vstack([profile.nearest(mu), others]))
            lanes += [(mu, profile)] * len(starts[-1])
        start = np.vstack(starts)
        values = np.array([mu for mu, _ in lanes])
        start[:, self._poi] = values
        counts, auxdata = self.model.stack([profile.observation for _, profile in lanes])
        batch = fit_batch(
            self.model,
            counts,
            auxdata,
            start=start,
            poi_values=values,
            options=number_options(self.options),
        )
        settled = set()
        for k, (mu, profile) in enumerate(points):
            part = slice(k * len(starts[0]), (k + 1) * len(starts[0]))
            found, known = batch.lowest(part), profile.minima.get(mu)
            self.attempted += int(np.count_nonzero(~batch.converged[part]))
            if found is None or not found.unanimous:
                continue
            if known is not None and abs(found.twice_nll - known[0]) > NLL_TOLERANCE:
                continue
            data = profile.observation
            if len(starts_elsewhere(problem, data, found.parameters, found.twice_nll)):
                continue
            settled.add((mu, profile))
            self.attempted += 1
            self.certified += 1
            self.second_starts += 1
            profile.keep(mu, found.twice_nll, found.parameters)
            profile.certified.add(mu)
        return settled

    def _second_start(
        self, mu: float, start: FloatArray, profile: Profile
    ) -> tuple[float, FloatArray]:
        """Certified conditional minimum at ``mu``: twice the NLL, and the parameters [par]."""
        try:
            result = fit(
                self.model,
                profile.observation,
                poi_value=mu,
                start=start,
                options=self.options,
                even_if_impossible=True,
            )
        except ImpossibleDataError:
            # no point is any better: the statistic is infinite, and `forbidden` names the events
            held = start.copy()
            held[self._poi] = mu
            return math.inf, held
        except FitFailedError as error:
            return self._settle(mu, start, profile, error)
        self._count(result)
        for warning in result.warnings:
            if RANGE_END in warning:
                self._note(f"at some fixed signal strengths {warning}")
        if any("more than one minimum" in warning for warning in result.warnings):
            self._note(
                "the likelihood at a fixed signal strength has more than one minimum; the lowest "
                "was taken, and the asymptotic formulas do not hold where minima compete: use toys"
            )
        return result.twice_nll, result.parameters

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _settle(
        self, mu: float, start: FloatArray, profile: Profile, error: FitFailedError
    ) -> tuple[float, FloatArray]:
        """Many minima: the lowest counts if three different starts end in it and none lower.

        Starts are the minima at the nearest other signal strengths, which lie on the same sheet,
        the best fits, the model's own start, and random points around the best one known. Starts
        that fail count for nothing.

        Raises
        ------
        FitFailedError
            ``error``, where fewer than three starts are certified and agree.
        """
        known = profile.minima
        near = sorted(known, key=lambda other: abs(other - mu))[:_NEAR]
        points = [start, self.model.inits, self.free.parameters, self.reference.parameters]
        points += [known[other][1] for other in near] + profile.branches
        rng = keyed_generator(1, self.model.digest)
        widths = np.array([parameter.prefit_error or 0.0 for parameter in self.model.parameters])
        points += list(start + _DRAWN_WIDTH * widths * rng.standard_normal((_DRAWN, len(widths))))
        different = _different(np.array(points), self._poi)
        n = len(different)
        counts, auxdata = self.model.stack([profile.observation] * n)
        batch = fit_batch(
            self.model,
            counts,
            auxdata,
            start=different,
            poi_values=mu,
            options=replace(self.options, from_own_start=not error.spent),
        )
        self.attempted += n
        self.certified += n - batch.n_failed
        found = batch.lowest()
        if found is None or found.agreeing(NLL_TOLERANCE) < _WITNESSES:
            raise error
        if isinstance(error, LocalMinimumError) and found.twice_nll > error.reached + NLL_TOLERANCE:
            raise error
        free = np.setdiff1d(np.flatnonzero(~self.model.fixed), [self._poi])
        if cancels(self.model, profile.observation, found.parameters, free):
            raise error
        self.second_starts += 1
        self._note(
            "the likelihood has many minima; the lowest that several starts agree on was taken"
        )
        return found.twice_nll, found.parameters

    def q(self, mu: float) -> float:
        """Observed value of the statistic at ``mu``.

        Raises
        ------
        FitFailedError
            The fit failed, or was not made: ask :attr:`points` which are known.
        """
        return self.statistic.at(mu, self.mu_hat, self._data.value(mu), self.free.twice_nll)

    def q_asimov(self, mu: float) -> float:
        """Value of the statistic on the Asimov data at ``mu``.

        Raises
        ------
        FitFailedError
            The fit failed, or was not made: ask :attr:`asimov_points` which are known.
        """
        return self.statistic.at(mu, self.statistic.asimov_mu, self._asimov.value(mu), 0.0)

    def forbidden(self, mu: float, *, asimov: bool = False) -> str | None:
        """Why the signal strength ``mu`` makes the data (or the Asimov data) impossible, or None.

        Names channel and bin. The statistic is infinite there: no p-value and no significance.
        """
        profile = self._asimov if asimov else self._data
        known = profile.minima.get(mu)
        if known is None or not math.isinf(known[0]):
            return None
        places = self.model.impossible_places(known[1][np.newaxis], profile.observation)
        what = f"{self.model.poi_name} = {mu:g} forbids the {'Asimov ' if asimov else ''}data"
        return what if places is None else f"{what}: {places}"

    def require_density(self) -> None:
        """Check that every single event may be one of the background.

        A bin without any background is an experiment, and has limits. A density of events that is
        exactly zero at an event is a hole in a template: a limit would take it for signal.

        Raises
        ------
        ImpossibleDataError
            Without signal the density is zero at an event; the message names channel, event and
            densities.
        """
        if self.observation.events is None:
            return
        self.evaluate([0.0])
        known = self._data.minima[0.0]
        if math.isinf(known[0]):
            places = self.model.impossible_places(known[1][np.newaxis], self.observation)
            raise ImpossibleDataError(places or "", held=f"{self.model.poi_name} = 0")

    def parameters(self, mu: float) -> FloatArray:
        """Conditional best fit to the data at ``mu``. Shape [par]."""
        return self._data.minima[mu][1]

    @property
    def points(self) -> list[float]:
        """Signal strengths at which both curves are known, rising."""
        return sorted(set(self._data.minima) & set(self._asimov.minima))

    @property
    def asimov_points(self) -> list[float]:
        """Signal strengths at which the Asimov curve is known, rising."""
        return sorted(self._asimov.minima)

    def sigma(self, mu: float) -> float | None:
        """Asimov standard deviation ``|mu - mu'| / sqrt(q_A)`` (eq. 30); None without power."""
        value = self.q_asimov(mu)
        if not NLL_TOLERANCE * 1e-3 < value < math.inf:
            return None
        return abs(mu - self.statistic.asimov_mu) / math.sqrt(value)
