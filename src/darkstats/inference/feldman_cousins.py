"""Feldman-Cousins intervals with profiled nuisance parameters, by toys.

Use this where an interval that is one- or two-sided by itself is wanted; use
:func:`darkstats.inference.poisson_counting.poisson_interval` for a counting experiment with a
known background, where the construction is exact.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from darkstats.arguments import checked
from darkstats.errors import LimitNotFoundError, OptionError
from darkstats.gaussian import quantile
from darkstats.inference.crossing import Crossing
from darkstats.inference.curve import ProfileCurve
from darkstats.inference.p_values import ToyCounts, ToyOptions
from darkstats.inference.results import Interval, LimitScan
from darkstats.inference.slivers import REACH, STEP, exact_hull, one_event
from darkstats.inference.test_statistics import TEST_STATISTICS
from darkstats.inference.ties import observed_counts_probability, tie_note
from darkstats.inference.toy_curve import NoisyCrossing, NoisyPoint, noisy_crossing
from darkstats.inference.toy_limit import FEW_BEYOND, require_enough_toys
from darkstats.inference.toys import Hypothesis, p_value, sample_statistic
from darkstats.inference.unprofiled import unprofiled_scale

if TYPE_CHECKING:
    from darkstats.fit import FitOptions
    from darkstats.model import Model, Observation

__all__ = ["feldman_cousins"]

_ROUNDS = 8
_SAME = 0.02
_NARROW = 0.004  # relative width at which the bracket of an end is narrow enough
_HALVINGS = 8
_SURE = 2.0  # errors by which a p-value has to pass the level, where a gap hangs on it


class _Belt:
    """P-values of t-tilde against the signal strength, by toys, as they are asked for."""

    def __init__(self, curve: ProfileCurve, options: ToyOptions, alpha: float) -> None:
        self.curve, self.options, self.alpha = curve, options, alpha
        self.points: dict[float, NoisyPoint] = {}
        self.toys = ToyCounts(asked=0, ok=0, failed=0)

    def evaluate(self, mus: list[float]) -> None:
        """Throw toys at the conditional best fits of the signal strengths not yet known."""
        fresh = [mu for mu in dict.fromkeys(mus) if mu not in self.points]
        self.curve.evaluate(fresh)
        for mu in fresh:
            self.curve.certify(mu)
            sample = sample_statistic(
                self.curve.model,
                self.curve.parameters(mu),
                mu=(mu,),
                statistic=self.curve.statistic,
                poi_lower=self.curve.poi_lower,
                hypothesis=Hypothesis.TESTED,
                options=self.options,
            )
            self.toys = self.toys + sample.counts
            p = p_value(sample.at(), self.curve.q(mu), failed=sample.counts.failed)
            self.points[mu] = NoisyPoint(mu, p.value, p.error, p.low, p.high)

    def edge(self, guess: float, *, upper: bool, stop: float) -> NoisyCrossing | None:
        """Upper or lower end of the accepted region, searched from ``guess``.

        ``stop`` bounds the search on the far side: largest signal strength, or mu-hat.
        """
        floor = 0.5 / self.options.n_toys
        first = [0.8 * guess, guess, 1.25 * guess]
        self.evaluate([mu for mu in first if upper or mu < stop])
        found: NoisyCrossing | None = None
        for _ in range(_ROUNDS):
            side = [
                point
                for point in self.points.values()
                if (point.mu >= self.curve.mu_hat) is upper or (point.mu == 0.0 and not upper)
            ]
            # At the best fit the statistic is 0, and no toy is less extreme: it is accepted,
            # however short the interval is.
            if not upper:
                side = [*side, NoisyPoint(stop, 1.0, floor, 1.0, 1.0)]
            elif not any(point.value > self.alpha for point in side):
                best = max(self.curve.mu_hat, 0.0)
                side = [point for point in side if point.mu != best]
                side = [*side, NoisyPoint(best, 1.0, floor, 1.0, 1.0)]
            found = noisy_crossing(side, self.alpha, floor=floor, falling=upper)
            if found is None:
                highest = max(point.mu for point in side)
                if not upper or highest >= stop:
                    return None
                self.evaluate([1.5 * highest])
                continue
            if found.settled:
                return self._halved(found, upper=upper, stop=stop)
            near = [found.mu * factor for factor in (0.93, 1.0, 1.07)]
            wanted = [
                mu
                for mu in near
                if (upper or mu < stop)
                and all(abs(mu - known) > _SAME * mu for known in self.points)
            ]
            if not wanted:
                return found
            self.evaluate(wanted)
        return found

    def beyond(self, found: NoisyCrossing, event: float) -> tuple[NoisyCrossing, str | None]:
        """Upper end of the last accepted piece, and words where there is, or may be, a gap.

        ``event``: signal strength of one event.
        """
        begin = max([found.mu, *(mu for mu in self.points if self._inside(mu))])
        self.evaluate([begin + STEP * k * event for k in range(1, round(REACH / STEP) + 1)])
        points = [point for mu, point in self.points.items() if mu > found.mu + _SURE * found.error]
        accepted = [point.mu for point in points if self._surely(point)]
        undecided = [p.mu for p in points if p.value + _SURE * p.error > self.alpha]
        poi = self.curve.model.poi_name
        if accepted:
            last = max(accepted)
            after = min((p.mu for p in points if p.mu > last), default=last + STEP * event)
            end = NoisyCrossing(0.5 * (last + after), 0.5 * (after - last), last, after, True)
            return end, (
                f"the accepted {poi} have a gap behind {found.mu:.4g}: the upper end is that of "
                "the last accepted piece"
            )
        if undecided:
            return found, (
                f"{poi} up to {max(undecided):.4g} may be accepted behind a gap: these toys do not "
                "tell; ask for more"
            )
        return found, None

    def _surely(self, point: NoisyPoint) -> bool:
        return point.value - _SURE * point.error > self.alpha

    def _inside(self, mu: float) -> bool:
        return self.points[mu].value > self.alpha

    def _halved(self, found: NoisyCrossing, *, upper: bool, stop: float) -> NoisyCrossing:
        """Narrow the bracket of an end: the p-value jumps where outcomes change their order."""
        low, high = 0.0 if upper else -math.inf, math.inf if upper else stop
        for point in sorted(self.points.values(), key=lambda point: point.mu):
            accepted = point.value > self.alpha
            if upper and point.mu >= self.curve.mu_hat:
                low, high = (point.mu, math.inf) if accepted else (low, min(high, point.mu))
            elif not upper and point.mu < stop:
                high = min(high, point.mu) if accepted else high
                low = point.mu if not accepted and high == stop else low
        if not math.isfinite(high - low):  # the noise of the toys alone makes this end
            return replace(found, settled=False)
        for _ in range(_HALVINGS):
            if not high - low > _NARROW * high:
                break
            middle = 0.5 * (low + high)
            self.evaluate([middle])
            inside = (self.points[middle].value > self.alpha) is upper
            low, high = (middle, high) if inside else (low, middle)
        end, width = 0.5 * (low + high), high - low
        shift = end - found.mu
        return NoisyCrossing(
            end,
            math.hypot(found.error, 0.5 * width),
            found.low + shift,
            found.high + shift,
            found.settled,
        )


def _asymptotic_ends(curve: ProfileCurve, cl: float) -> tuple[float, float]:
    """Ends of the likelihood-ratio interval, where toys start to look."""
    target = quantile(0.5 * (1.0 + cl))
    scale = unprofiled_scale(curve.model, curve.reference.parameters, target=target)
    ends = Crossing(
        "the upper end", max(curve.mu_hat, 0.0) + scale, tolerance=1e-3, floor=1e-6 * scale
    )
    for _ in range(60):
        wanted = [mu for mu in ends.proposals(scale * 1e9) if mu > curve.mu_hat]
        if not wanted:
            break
        curve.evaluate(wanted)
        if not set(wanted) & set(curve.points):
            curve.certify(wanted[0])
        known = set(curve.points)
        for mu in (mu for mu in wanted if mu in known):
            ends.add(mu, target**2 - curve.q(mu))
        ends.add(max(curve.mu_hat, 1e-9 * scale), target**2)
    found = ends.estimate()
    if found is None:
        raise LimitNotFoundError("the likelihood has no upper crossing")
    upper = found[0]
    if curve.mu_hat <= 0.0:
        return 0.0, upper
    curve.evaluate([0.0])
    if 0.0 not in curve.points:
        curve.certify(0.0)
    low, high = 0.0, curve.mu_hat
    if curve.q(0.0) <= target**2:
        return 0.0, upper
    for _ in range(12):
        middle = 0.5 * (low + high)
        curve.evaluate([middle])
        if middle not in curve.points:  # toys look further from where it got to
            break
        low, high = (middle, high) if curve.q(middle) > target**2 else (low, middle)
    return 0.5 * (low + high), upper


def _whole(
    belt: _Belt, upper: NoisyCrossing, lower: NoisyCrossing | None, scale: float
) -> tuple[NoisyCrossing, NoisyCrossing | None, list[str]]:
    """Ends of all that is accepted, where gaps are possible, and what has to be said of them."""
    curve = belt.curve
    top = max(upper.mu, scale)
    hull = exact_hull(curve, top, cl=1.0 - belt.alpha)
    if hull is None:
        event = one_event(curve, top)
        if event is None:
            return upper, lower, []
        upper, note = belt.beyond(upper, event)
        return upper, lower, [] if note is None else [note]
    notes = []
    for name, end, exact in (("upper", upper, hull[1]), ("lower", lower, hull[0])):
        held = 0.0 if end is None else end.mu
        error = 0.0 if end is None else end.error
        if abs(exact - held) <= _SURE * error + _NARROW * exact:
            continue
        exactly = NoisyCrossing(exact, 0.0, exact, exact, True)
        if name == "upper":
            upper = exactly
        else:
            lower = exactly if exact > 0.0 else None
        notes.append(
            f"the toys end at {held:.4g}; the exact construction, which sees accepted strengths "
            f"behind a gap, gives the {name} end {exact:.4g}"
        )
    return upper, lower, notes


@checked
def feldman_cousins(
    model: Model,
    observation: Observation,
    *,
    cl: float = 0.90,
    toys: ToyOptions | None = None,
    options: FitOptions | None = None,
) -> Interval:
    """Interval of signal strengths that the data accept, t-tilde ordering, nuisances profiled.

    For each signal strength, toys are thrown at its conditional best fit (auxiliary data
    included) and ordered by ``t~ = -2 log`` of the profile-likelihood ratio with mu >= 0. It is
    accepted if the p-value, ties counted in, exceeds 1 - CL.

    Parameters
    ----------
    model, observation
        Compiled model with a parameter of interest, and data.
    cl
        Confidence level, in (0, 1).
    toys
        Toys per signal strength.

    Returns
    -------
    Interval
        ``lower`` is 0 where 0 is accepted.

    Raises
    ------
    OptionError
        ``cl`` is out of range, the toys are too few for it, or the model has no free parameter
        of interest.
    LimitNotFoundError
        No upper end was found.
    FitFailedError
        A minimum could not be certified, or too many toys failed.

    Notes
    -----
    Where the accepted strengths have gaps, the interval is their hull: with few events, strengths
    up to 0.6 events beyond the first end are tried in steps of 0.05 events (a piece narrower than
    that may be missed), and with one bin and a known background the exact construction decides.

    Phys. Rev. D 57 (1998) 3873; profiled nuisance parameters: arXiv:1007.1727, eq. 11, and the
    "profile construction". Coverage is exact without nuisance parameters; with them it is not
    guaranteed (see the coverage study).

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> toys = darkstats.ToyOptions(n_toys=100, seed=1)
    >>> interval = darkstats.feldman_cousins(model, model.observation, cl=0.9, toys=toys)
    >>> interval.lower, round(interval.upper, 2), round(interval.upper_error, 2)
    (0.0, 1.96, 0.06)
    """
    if not 0.0 < cl < 1.0:
        raise OptionError(f"the confidence level must lie between 0 and 1, got {cl}")
    choice = toys or ToyOptions()
    alpha = 1.0 - cl
    require_enough_toys(choice.n_toys, alpha)
    curve = ProfileCurve(model, observation, TEST_STATISTICS["ttilde"], options=options)
    low_guess, high_guess = _asymptotic_ends(curve, cl)
    belt = _Belt(curve, choice, alpha)
    upper = belt.edge(high_guess, upper=True, stop=1e3 * high_guess)
    if upper is None:
        top = max(belt.points)
        raise LimitNotFoundError(f"no upper end up to {top:.4g}", lower_bound=top)
    lower: NoisyCrossing | None = None
    mu_hat = curve.mu_hat
    if mu_hat > 1e-9 * high_guess:
        belt.evaluate([0.0])
        if belt.points[0.0].value <= alpha:
            lower = belt.edge(low_guess or 0.3 * mu_hat, upper=False, stop=mu_hat)
            if lower is None:
                raise LimitNotFoundError("the toys do not tell the lower end: ask for more")
    for end in (upper, lower):
        if end is not None and not math.isfinite(end.error):
            raise LimitNotFoundError("the toys do not tell an end of the interval: ask for more")
    upper, lower, gap = _whole(belt, upper, lower, high_guess)
    ordered = sorted(belt.points.values(), key=lambda point: point.mu)
    notes = [*curve.free.warnings, *curve.notes, *gap]
    tied = observed_counts_probability(curve, upper.mu)
    notes += tie_note(tied, alpha, "the interval is shorter")
    if choice.n_toys * alpha < FEW_BEYOND:
        notes.append(
            f"only about {choice.n_toys * alpha:.2g} toys lie beyond each end: the errors are "
            "rough too; ask for more toys"
        )
    if not upper.settled or (lower is not None and not lower.settled):
        notes.append("an end of the interval rests on few points: ask for more toys")
    return Interval(
        poi=model.poi_name or "",
        cl=cl,
        lower=0.0 if lower is None else lower.mu,
        upper=upper.mu,
        lower_error=0.0 if lower is None else lower.error,
        upper_error=upper.error,
        construction="profiled, toys",
        mu_hat=mu_hat,
        twice_nll=curve.free.twice_nll,
        fits=curve.counts,
        toys=belt.toys,
        seed=choice.seed,
        scan=LimitScan(
            quantity="p",
            mu=tuple(point.mu for point in ordered),
            observed=tuple(point.value for point in ordered),
            observed_error=tuple(point.error for point in ordered),
            expected=(),
        ),
        model_digest=model.digest,
        warnings=tuple(notes),
        references=("arXiv:physics/9711021", "arXiv:1007.1727"),
    )
