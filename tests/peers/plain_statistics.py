"""Fits, asymptotic formulae and counting constructions a second time, in NumPy and SciPy alone.

Nothing here imports darkstats. A minimum is the lowest that SciPy's minimisers and a damped Newton
method find from several starts; a limit is a root of the formulae of arXiv:1007.1727.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.stats import norm, poisson
from tests.peers.plain_likelihoods import BinnedLikelihood

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.peers.plain_likelihoods import Array, Data, Likelihood

SMALL = 1e-12  # predicted decrease at which a minimum counts as reached


@dataclass(frozen=True, slots=True)
class Minimum:
    """Value of minus log L, the parameters [par], and whether the point is stationary."""

    value: float
    theta: Array
    settled: bool


class Problem:
    """One function of the free parameters: a likelihood on data, some parameters held."""

    def __init__(
        self, likelihood: Likelihood, data: Data, held: dict[int, float], lower: dict[int, float]
    ) -> None:
        self.likelihood, self.data, self.held = likelihood, data, held
        self.base = likelihood.inits.copy()
        for p, value in held.items():
            self.base[p] = value
        self.free = [p for p in range(len(self.base)) if p not in held and not likelihood.fixed[p]]
        self.low = np.array([lower.get(p, likelihood.lower[p]) for p in self.free])
        self.high = np.array(
            [np.inf if p in lower else likelihood.upper[p] for p in self.free], dtype=float
        )
        unit = np.ones(len(self.base))
        unit[likelihood.poi] = likelihood.natural_scale()
        self.unit = unit[self.free]
        self._square = np.ix_(self.free, self.free)
        self._units = self.unit[:, None] * self.unit

    def full(self, z: Array) -> Array:
        """All parameters, from the free ones in their units."""
        theta = self.base.copy()
        theta[self.free] = np.minimum(np.maximum(z * self.unit, self.low), self.high)
        return theta

    def inner(self, theta: Array) -> Array:
        """Free parameters in their units, kept within their ranges."""
        result: Array = np.clip(theta[self.free], self.low, self.high) / self.unit
        return result

    def value(self, z: Array) -> float:
        """Minus log L."""
        found = self.likelihood.value(self.full(z), self.data)
        return found if math.isfinite(found) else math.inf

    def derivatives(self, z: Array) -> tuple[Array, Array]:
        """Gradient and Hessian with respect to the free parameters in their units."""
        g, h = self.likelihood.derivatives(self.full(z), self.data)
        return g[self.free] * self.unit, h[self._square] * self._units

    def gradient(self, z: Array) -> Array:
        """The gradient alone."""
        return self.derivatives(z)[0]


def newton(problem: Problem, z: Array, *, steps: int = 80) -> Minimum:
    """Damped Newton steps within the ranges, active ends held."""
    value = problem.value(z)
    if not math.isfinite(value):
        return Minimum(value, problem.full(z), settled=False)
    low, high = problem.low / problem.unit, problem.high / problem.unit
    for _ in range(steps):
        g, h = problem.derivatives(z)
        if not (np.isfinite(g).all() and np.isfinite(h).all()):
            return Minimum(value, problem.full(z), settled=False)
        active = ((z <= low) & (g > 0.0)) | ((z >= high) & (g < 0.0))
        move = np.flatnonzero(~active)
        if not move.size:
            return Minimum(value, problem.full(z), settled=True)
        part = h[move[:, None], move]
        scale = np.sqrt(np.maximum(np.abs(np.diag(part)), 1e-12))
        e, v = np.linalg.eigh(part / (scale[:, None] * scale))
        curve = np.maximum(np.abs(e), 1e-11)
        step = np.zeros_like(z)
        step[move] = -(v @ ((v.T @ (g[move] / scale)) / curve)) / scale
        decrease = -0.5 * float(g @ step)
        accepted = False
        size = 1.0
        for _ in range(40):
            tried = np.minimum(np.maximum(z + size * step, low), high)
            new = problem.value(tried)
            if new < value:
                z, value, accepted = tried, new, True
                break
            size *= 0.35
        if abs(decrease) < SMALL * max(1.0, 1e-4 * abs(value)):
            return Minimum(value, problem.full(z), settled=True)
        if not accepted:
            # the step leaves the ranges in a direction that does not descend: along the gradient
            step = np.where(active, 0.0, -g / np.maximum(np.abs(np.diag(h)), 1e-8))
            size = 1.0
            for _ in range(40):
                tried = np.minimum(np.maximum(z + size * step, low), high)
                new = problem.value(tried)
                if new < value:
                    z, value, accepted = tried, new, True
                    break
                size *= 0.35
            if not accepted:
                return Minimum(value, problem.full(z), settled=abs(decrease) < 1e-8)
    return Minimum(value, problem.full(z), settled=False)


def _by_scipy(problem: Problem, z: Array, method: str) -> Array:
    """Where a minimiser of SciPy ends."""
    low, high = problem.low / problem.unit, problem.high / problem.unit
    bounds = list(zip(low, np.where(np.isfinite(high), high, None), strict=True))

    def both(x: Array) -> tuple[float, Array]:
        f = problem.value(x)
        g = problem.gradient(x)
        if not (math.isfinite(f) and np.isfinite(g).all()):
            return 1e30, np.zeros_like(x)
        return f, g

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = minimize(both, z, jac=True, method=method, bounds=bounds, options={"maxiter": 150})
    x: Array = np.clip(found.x, low, high)
    return x if problem.value(x) <= problem.value(z) else z


def descend(problem: Problem, theta: Array) -> Minimum:
    """Minimum reached from ``theta``: Newton, else SciPy polished by Newton."""
    z = problem.inner(theta)
    if not z.size:
        return Minimum(problem.value(z), problem.full(z), settled=True)
    best = newton(problem, z)
    for method in ("L-BFGS-B", "SLSQP", "TNC"):
        if best.settled:
            break
        start = z if not math.isfinite(best.value) else problem.inner(best.theta)
        again = newton(problem, _by_scipy(problem, start, method))
        if again.value < best.value or (again.settled and again.value <= best.value + 1e-9):
            best = again
    return best


def _random_starts(problem: Problem, around: Array, n: int, seed: int) -> list[Array]:
    rng = np.random.default_rng(seed)
    likelihood, starts = problem.likelihood, []
    for k in range(n):
        theta = around.copy()
        wide = 0.5 + 2.0 * (k % 3)
        for p in problem.free:
            if likelihood.kinds[p] == "gaussian":
                theta[p] += wide * likelihood.widths[p] * rng.standard_normal()
            elif likelihood.kinds[p] == "poisson":
                theta[p] *= math.exp(0.3 * wide / math.sqrt(likelihood.widths[p] + 1.0))
            elif p == likelihood.poi:
                theta[p] = abs(theta[p]) * math.exp(rng.standard_normal()) + (
                    likelihood.natural_scale() * abs(rng.standard_normal())
                )
            elif k % 2 and likelihood.kinds[p] == "none" and bool(rng.integers(2)):
                theta[p] = rng.uniform(likelihood.lower[p], likelihood.upper[p])
            else:
                span = likelihood.upper[p] - likelihood.lower[p]
                theta[p] += min(0.2 * span, wide * max(abs(theta[p]), 0.1)) * rng.standard_normal()
        starts.append(theta)
    return starts


def lowest(
    problem: Problem, starts: list[Array], *, extra: int = 0, by_scipy: bool = False, seed: int = 1
) -> Minimum:
    """Lowest minimum from all ``starts`` and ``extra`` random ones."""
    best = Minimum(math.inf, problem.full(problem.inner(problem.base)), settled=False)
    every = [*starts, *_random_starts(problem, starts[0], extra, seed)]
    for theta in every:
        found = descend(problem, theta)
        if found.value < best.value or (
            found.settled and not best.settled and found.value < best.value + 1e-9
        ):
            best = found
    if by_scipy and problem.free:
        z = problem.inner(every[0])
        if math.isfinite(problem.value(z)):
            for method in ("L-BFGS-B", "SLSQP"):
                found = newton(problem, _by_scipy(problem, z, method))
                best = found if found.value < best.value else best
    if not math.isfinite(best.value) and problem.free:
        best = _feasible(problem, best)
    return best


def _feasible(problem: Problem, best: Minimum, *, seed: int = 3) -> Minimum:
    """No start has a likelihood: look for one over the whole box."""
    low = np.maximum(problem.low / problem.unit, -1e6)
    high = np.minimum(problem.high / problem.unit, 1e6)
    rng = np.random.default_rng(seed)
    start = problem.inner(problem.base)
    spread = np.minimum(high - low, 1.0 + np.abs(start))
    for k in range(400):
        wide = 0.05 * 1.02**k
        z = np.clip(start + wide * spread * rng.standard_normal(len(start)), low, high)
        if math.isfinite(problem.value(z)):
            return descend(problem, problem.full(z))
    return best


class Curve:
    """Profile likelihoods of data and of Asimov data against the signal strength."""

    def __init__(
        self,
        likelihood: Likelihood,
        *,
        asimov_mu: float = 0.0,
        poi_lower: float = 0.0,
        extra: int = 6,
        seed: int = 1,
    ) -> None:
        self.likelihood, self.asimov_mu, self.poi_lower = likelihood, asimov_mu, poi_lower
        self.extra, self.seed = extra, seed
        self.known: dict[bool, dict[float, Minimum]] = {True: {}, False: {}}
        self.branches: dict[bool, list[Array]] = {True: [], False: []}
        self.notes: list[str] = []
        start = likelihood.inits
        self.reference = self._fit(likelihood.observed, asimov_mu, [start], extra, by_scipy=True)
        if not math.isfinite(self.reference.value):
            # no likelihood there: the nuisance parameters are those of the limit from above
            near = asimov_mu + 1e-9 * likelihood.natural_scale()
            found = self._fit(likelihood.observed, near, [start], extra, by_scipy=True)
            theta = found.theta.copy()
            theta[likelihood.poi] = asimov_mu
            self.reference = Minimum(math.inf, theta, found.settled)
        free = Problem(likelihood, likelihood.observed, {}, {likelihood.poi: poi_lower})
        warm = [start, self.reference.theta]
        for strength in (1.0, 3.0):
            moved = self.reference.theta.copy()
            moved[likelihood.poi] += strength * likelihood.natural_scale()
            warm.append(moved)
        self.free = lowest(free, warm, extra=extra, by_scipy=True, seed=seed)
        if math.isfinite(self.free.value):
            self.asimov = likelihood.asimov(self.reference.theta)
            self.known[True][asimov_mu] = self.reference
            own = Problem(likelihood, self.asimov, {likelihood.poi: asimov_mu}, {})
            z = own.inner(self.reference.theta)
            self.known[False][asimov_mu] = Minimum(own.value(z), self.reference.theta, settled=True)

    def _fit(
        self, data: Data, mu: float, starts: list[Array], extra: int, *, by_scipy: bool = False
    ) -> Minimum:
        problem = Problem(self.likelihood, data, {self.likelihood.poi: mu}, {})
        return lowest(problem, starts, extra=extra, by_scipy=by_scipy, seed=self.seed)

    @property
    def mu_hat(self) -> float:
        """Best fit."""
        return float(self.free.theta[self.likelihood.poi])

    def at(self, mu: float, *, data: bool, extra: int = 0) -> float:
        """Minus log L with the signal strength held."""
        known = self.known[data]
        if mu not in known or extra:
            near = sorted(known, key=lambda other: abs(other - mu))[: 1 + bool(extra)]
            starts = [known[other].theta for other in near] or [self.likelihood.inits]
            starts += [*self.branches[data]]
            if data and extra:
                starts.append(self.free.theta)
            observed = self.likelihood.observed if data else self.asimov
            found = self._fit(observed, mu, starts, extra, by_scipy=bool(extra))
            if not math.isfinite(found.value):
                starts = [known[other].theta for other in known]
                found = self._fit(observed, mu, starts, 6)
            if mu in known and found.value < known[mu].value - 1e-7:
                self.branches[data].append(found.theta)
                if mu == self.asimov_mu and data:
                    self.notes.append("reference moved")
            if mu not in known or found.value < known[mu].value:
                known[mu] = found
            if data and mu >= self.poi_lower and found.value < self.free.value - 1e-9:
                problem = Problem(
                    self.likelihood, observed, {}, {self.likelihood.poi: self.poi_lower}
                )
                better = lowest(problem, [found.theta, self.free.theta])
                if better.value < self.free.value:
                    self.free = better
        return known[mu].value

    def settled(self, mu: float) -> bool:
        """Whether the fits at ``mu`` are stationary, and the free one."""
        return self.free.settled and all(
            mu not in self.known[data] or self.known[data][mu].settled for data in (True, False)
        )

    def at_wall(self, mu: float) -> bool:
        """Whether a fit at ``mu`` holds the rate of a bin without events at zero."""
        likelihood = self.likelihood
        if not isinstance(likelihood, BinnedLikelihood):
            return False
        for data, observed in ((True, likelihood.observed), (False, self.asimov)):
            for known in (self.known[data].get(mu), self.free if data else self.reference):
                if known is not None:
                    rates = likelihood.rates(known.theta[None, :])[0]
                    if (rates[observed.counts <= 1e-9] < 1e-9).any():
                        return True
        return False

    def q(self, mu: float, *, extra: int = 0) -> float:
        """Upper-limit statistic on the data."""
        fixed = self.at(mu, data=True, extra=extra)
        return 0.0 if self.mu_hat > mu else max(2.0 * (fixed - self.free.value), 0.0)

    def q_asimov(self, mu: float, *, extra: int = 0) -> float:
        """The same on the Asimov data, whose best fit is known."""
        floor = self.known[False][self.asimov_mu].value
        return max(2.0 * (self.at(mu, data=False, extra=extra) - floor), 0.0)


def log_p(q: float, q_asimov: float, *, bounded: bool = True) -> tuple[float, float]:
    """Logarithms of CLs+b and CLb: eq. 57 and 64 to 66 of arXiv:1007.1727."""
    root, a = math.sqrt(q), math.sqrt(q_asimov)
    if bounded and root > a > 0.0:
        return (
            float(norm.logsf(0.5 * (q / a + a))),
            float(norm.logsf(0.5 * (q / a - a))),
        )
    return float(norm.logsf(root)), float(norm.logsf(root - a))


@dataclass
class Limit:
    """Observed limit and band, and what is odd about the curve."""

    observed: float | None = None
    expected: list[float] = field(default_factory=list)
    floor: float | None = None
    notes: list[str] = field(default_factory=list)


def _falling_root(
    function: Callable[[float], float], start: float, beyond: tuple[float, ...] = (1.15, 1.5, 3.0)
) -> float | None:
    """Last zero of a falling function of a positive number; 0 below 1e-7 of the start.

    The function falls while it is looked at, where a fit finds a lower minimum than those before:
    signs that have changed are looked for again.
    """
    for _ in range(8):
        bracket = _bracket(function, start, beyond)
        if bracket is None:
            return None
        low, high = bracket
        if high == 0.0:
            return 0.0
        try:
            return float(brentq(function, low, high, xtol=1e-12 * high, rtol=1e-9))
        except ValueError:
            start = high
    return None


def _bracket(
    function: Callable[[float], float], start: float, beyond: tuple[float, ...]
) -> tuple[float, float] | None:
    """Places around the last zero; zeros for none above zero, None where the value stays above."""
    high, value = start, function(start)
    low = 0.0
    if value > 0.0:
        for _ in range(60):
            low, high = high, 2.0 * high
            value = function(high)
            if not value > 0.0:
                break
        else:
            return None
    else:
        for _ in range(24):
            low = high / 2.0
            if function(low) > 0.0:
                break
            high = low
        else:
            return 0.0, 0.0
    # beyond the first crossing it may rise again: the last one counts
    for factor in beyond:
        if function(high * factor) > 0.0:
            low, high = high * factor, 2.0 * high * factor
            while function(high) > 0.0 and high < 1e6 * start:
                low, high = high, 2.0 * high
    return low, high


def limits(
    curve: Curve, *, cl: float, method: str, bounded: bool = True, power: float = -1.0
) -> Limit:
    """Observed limit and the band at -2 ... 2: roots of the asymptotic formulae."""
    alpha = 1.0 - cl
    result = Limit()
    scale = curve.likelihood.natural_scale()
    cls = method == "cls"

    def target(n: float) -> float:
        return n - float(norm.ppf(alpha * (norm.cdf(n) if cls else 1.0)))

    start = scale
    for _ in range(12):  # the Asimov width, roughly
        a = math.sqrt(curve.q_asimov(start))
        if a > 0.3:
            start *= min(max(target(0.0) / a, 0.02), 50.0)
        else:
            start *= 5.0
        if 0.5 < a / max(target(0.0), 1e-3) < 2.0:
            break

    def root(n: float) -> float | None:
        wanted = target(n)
        if wanted <= 0.0:
            return 0.0
        return _falling_root(
            lambda mu: wanted - math.sqrt(curve.q_asimov(mu)),
            start * wanted / target(0.0),
            (2.0,),
        )

    def observed(mu: float) -> float:
        sb, b = log_p(curve.q(mu), curve.q_asimov(mu), bounded=bounded)
        return (min(sb - b, 0.0) if cls else sb) - math.log(alpha)

    found = _falling_root(observed, max(start, 0.0) + max(curve.mu_hat, 0.0))
    if found is not None and found > 0.0:
        before = (curve.at(found, data=True), curve.at(found, data=False))
        after = (
            curve.at(found, data=True, extra=curve.extra),
            curve.at(found, data=False, extra=curve.extra),
        )
        if max(b - a for a, b in zip(after, before, strict=True)) > 1e-8:
            for data in (True, False):
                for mu in list(curve.known[data]):
                    if mu not in (curve.asimov_mu, found):
                        del curve.known[data][mu]
            found = _falling_root(observed, found)
    result.observed = found
    positions = [-2.0, -1.0, 0.0, 1.0, 2.0]
    band = [root(n) for n in positions]
    result.expected = [math.nan if value is None else value for value in band]
    if method == "pcl":
        result.floor = root(power)
        if result.floor is not None:
            result.observed = None if found is None else max(found, result.floor)
            result.expected = [max(value, result.floor) for value in result.expected]
    return result


# --------------------------------------------------------------------------- counting


def _ranks(n: Array, mean: float, background: float) -> Array:
    """t-tilde of every outcome of one bin with a known background: its best fit is n, or b."""
    best = np.maximum(n, background)
    with np.errstate(all="ignore"):
        ratio = np.where(n > 0.0, n * (np.log(best) - math.log(mean) if mean > 0 else np.inf), 0.0)
    result: Array = 2.0 * (mean - best + ratio)
    return result


def feldman_cousins_p(signal: float, background: float, n: int) -> float:
    """Probability of outcomes that are no more likely, by ratio, than ``n``, ties included."""
    mean = signal + background
    top = int(mean + 15.0 * math.sqrt(mean + 1.0) + 40.0 + n)
    outcomes = np.arange(top + 1, dtype=float)
    ranks = _ranks(outcomes, mean, background)
    worse = ranks >= ranks[n] - 1e-9 * max(1.0, abs(ranks[n]))
    return float(poisson.pmf(outcomes[worse], mean).sum() + poisson.sf(top, mean))


def counting_cls(signal: float, background: float, n: int) -> tuple[float, float]:
    """Exact CLs+b and CLb of q-tilde for one bin: fewer events are more extreme.

    All outcomes whose best fit exceeds the tested strength have q = 0 together.
    """
    mean = signal + background
    if n > mean:
        return 1.0, 1.0
    return float(poisson.cdf(n, mean)), float(poisson.cdf(n, background))
