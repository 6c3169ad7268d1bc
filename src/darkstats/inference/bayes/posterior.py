"""The posterior of the parameter of interest as a smooth density on panels.

Whatever engine made it, the posterior is kept as Legendre series on consecutive panels of the
coordinate in which its prior is smooth; integrals and quantiles of it are exact to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.errors import (
    EmptySupportError,
    ImproperPosteriorError,
    NotCertifiedError,
    OptionError,
)
from darkstats.inference.bayes.priors import BoundPrior, Coordinate
from darkstats.inference.bayes.rules import legendre_panels, legendre_rule

__all__ = ["SLOWEST", "TAIL", "PoiPosterior", "finer", "panel_edges", "require_falling", "split"]

TAIL = 1e-6  # posterior probability that may be left beyond the last panel
_ORDER = 16
_SETTLED = 1e-9  # part of the probability that the series of a panel may leave out
_ROUNDS, _MOST_PANELS = 12, 400
_FAR = 40.0  # fall of the log-density beyond which a panel is not looked at more closely
_FINER = 1.2  # a finer set has so many times as many panels

#: A density that falls more slowly than this power of the signal strength does not normalise.
SLOWEST = 1.05


def panel_edges(
    prior: BoundPrior, inner: float, top: float, panels: int, growth: float = 1.5
) -> FloatArray:
    """Edges of panels in the coordinate of the prior, from its lower edge to at most ``top``.

    Up to the signal strength ``inner`` there are ``panels`` panels, which grow slowly, their edges
    as the power ``growth`` of their number; from there
    each is half as wide again as its predecessor. In the logarithm of the signal strength no panel
    is wider than 1.2. Kinks of the prior become edges.
    """
    coordinate, lower = prior.coordinate, prior.lower
    top = max(min(top, prior.upper), 1.0001 * lower, 1e-300)
    if coordinate.power == 0.0:
        low, high = math.log(lower), math.log(top)
        edges = np.linspace(low, high, max(2 * panels, math.ceil((high - low) / 1.2)) + 1)
    else:
        inner = min(max(inner, 1.0001 * lower), top)
        mu = lower + (inner - lower) * np.linspace(0.0, 1.0, panels + 1) ** growth
        if top > inner:
            more = math.ceil(math.log(top / inner) / math.log(1.5))
            mu = np.concatenate([mu, inner * (top / inner) ** (np.arange(1, more + 1) / more)])
        edges = coordinate.of_mu(mu)
    kinks = [float(coordinate.of_mu(k)) for k in prior.breaks if lower < k < top]
    return np.unique(np.concatenate([edges, kinks])) if kinks else edges


def finer(edges: FloatArray) -> FloatArray:
    """Panels as dense as these and a little more, whose inner edges are others."""
    n = len(edges) - 1
    places = np.linspace(0.0, n, math.ceil(_FINER * n) + 1)
    result: FloatArray = np.interp(places, np.arange(n + 1), edges)
    return result


def split(edges: FloatArray, tail: FloatArray) -> FloatArray:
    """Halve panels whose tail is above 1; quarter those far from it.

    The first panel may be far too wide where a posterior has a long tail: its parts shrink towards
    its beginning. Shapes [panel + 1], [panel].
    """
    parts = [edges[:1]]
    for i in range(len(edges) - 1):
        low, high = float(edges[i]), float(edges[i + 1])
        if tail[i] <= 1.0:
            steps = np.ones(1)
        elif i == 0 and tail[i] > 1e3:
            steps = np.array([1.0 / 64.0, 1.0 / 16.0, 1.0 / 4.0, 1.0])
        else:
            n = 4 if tail[i] > 1e4 else 2
            steps = np.arange(1, n + 1) / n
        parts.append(low + (high - low) * steps)
    return np.concatenate(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoiPosterior:
    """Posterior density of the signal strength.

    Parameters
    ----------
    edges
        Panels in the coordinate of the prior. Shape [panel + 1].
    density
        Normalised density in that coordinate at 16 Gauss-Legendre nodes a panel. Shape
        [panel, 16].
    coordinate
        The coordinate.
    log_evidence
        Logarithm of the integral of likelihood times prior, up to a constant of the engine.
    left_out
        Bound on the posterior probability beyond the last panel, and before the first.
    unsettled
        Estimate of the probability that the series of the panels leave out.
    """

    edges: FloatArray = field(repr=False)
    density: FloatArray = field(repr=False)
    coordinate: Coordinate
    log_evidence: float
    left_out: float
    unsettled: float = 0.0

    @classmethod
    def of(cls, prior: BoundPrior, edges: FloatArray, log_likelihood: FloatArray) -> PoiPosterior:
        """Multiply by the prior and normalise.

        Parameters
        ----------
        prior, edges
            Prior, and panels in its coordinate.
        log_likelihood
            Marginal log-likelihood at the nodes, any constant. Shape [panel 16].

        Raises
        ------
        EmptySupportError
            The likelihood is zero at all of them.
        NotCertifiedError
            It is not a number at one of them.
        """
        v, weight = legendre_panels(edges, _ORDER)
        mu = prior.coordinate.to_mu(v)
        log_density = log_likelihood + prior.log_density(mu) + prior.coordinate.log_jacobian(v)
        peak = float(np.max(log_density))
        if math.isnan(peak) or peak == math.inf:
            raise NotCertifiedError(
                "the posterior is not a number at some signal strengths: an integral behind it "
                "failed"
            )
        if peak == -math.inf:
            raise EmptySupportError(
                "the likelihood is zero at every signal strength that the prior allows: some bin "
                "has events where none can be expected"
            )
        density = np.exp(log_density - peak)
        total = float(weight @ density)
        tails = _tails(edges, density.reshape(-1, _ORDER) / total)
        left_out = 0.0
        if prior.coordinate.to_mu(edges[-1]) < prior.upper * (1.0 - 1e-12):
            left_out = _tail_bound(v, density / total)
        lowest = float(prior.coordinate.of_mu(prior.lower))
        if edges[0] > lowest:
            left_out += _head_bound(v, density / total, float(v[0]) - lowest)
        return cls(
            edges=edges,
            density=(density / total).reshape(-1, _ORDER),
            coordinate=prior.coordinate,
            log_evidence=peak + math.log(total),
            left_out=left_out,
            unsettled=float(tails.sum()),
        )

    @classmethod
    def settled(
        cls,
        prior: BoundPrior,
        edges: FloatArray,
        log_likelihood: Callable[[FloatArray], FloatArray],
        *,
        allowed: float = _SETTLED,
        most: int = _MOST_PANELS,
    ) -> PoiPosterior:
        """Posterior on panels that are split until the series of each has fallen off at its end.

        Parameters
        ----------
        prior, edges
            Prior, and panels in its coordinate to begin with.
        log_likelihood
            Marginal log-likelihood at signal strengths, any constant. Shape [node].
        allowed, most
            Part of the probability that the series of a panel may leave out, and how many panels
            there may be; with more, what is left stands in ``unsettled``.

        Raises
        ------
        EmptySupportError
            The likelihood is zero at all nodes.
        """
        known: dict[tuple[float, float], FloatArray] = {}
        found: PoiPosterior | None = None
        for _ in range(_ROUNDS):
            pairs = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
            new = [pair for pair in pairs if pair not in known]
            v = np.concatenate([legendre_panels(np.array(pair), _ORDER)[0] for pair in new])
            values = log_likelihood(prior.coordinate.to_mu(v)).reshape(-1, _ORDER)
            known |= dict(zip(new, values, strict=True))
            found = cls.of(prior, edges, np.concatenate([known[pair] for pair in pairs]))
            tails = _tails(edges, found.density)
            relevant = found.density.max(axis=1) > found.density.max() * math.exp(-_FAR)
            finer_edges = split(edges, np.where(relevant, tails, 0.0) / allowed)
            if len(finer_edges) == len(edges) or len(finer_edges) > most:
                break
            edges = finer_edges
        assert found is not None
        return found

    def cdf(self, mu: float) -> float:
        """Posterior probability below a signal strength."""
        v = float(self.coordinate.of_mu(mu))
        if v <= self.edges[0]:
            return 0.0
        if v >= self.edges[-1]:
            return 1.0
        panel = int(np.searchsorted(self.edges, v, side="right")) - 1
        masses = self._masses
        low, high = self.edges[panel], self.edges[panel + 1]
        x = (2.0 * v - low - high) / (high - low)
        part = _below(self._series[panel], x)[0] * 0.5 * (high - low)
        return float(min(max(masses[:panel].sum() + part, 0.0), 1.0))

    @property
    def _series(self) -> FloatArray:
        """Legendre series of the density on each panel. Shape [panel, 16]."""
        nodes, weights = legendre_rule(_ORDER)
        polynomials = np.polynomial.legendre.legvander(nodes, _ORDER - 1)
        matrix = weights[:, np.newaxis] * polynomials * (np.arange(_ORDER) + 0.5)
        result: FloatArray = self.density @ matrix
        return result

    @property
    def _masses(self) -> FloatArray:
        """Posterior probability of each panel."""
        result: FloatArray = (self.density @ legendre_rule(_ORDER)[1]) * 0.5 * np.diff(self.edges)
        return result

    def quantile(self, probability: float) -> float:
        """Signal strength below which the posterior has this probability.

        Raises
        ------
        OptionError
            The probability is outside (0, 1).
        """
        if not 0.0 < probability < 1.0:
            raise OptionError(f"a probability lies in (0, 1), got {probability}")
        masses = self._masses
        before = np.concatenate([[0.0], np.cumsum(masses)])
        target = probability * before[-1]
        panel = min(int(np.searchsorted(before, target, side="right")) - 1, len(masses) - 1)
        half = 0.5 * (self.edges[panel + 1] - self.edges[panel])
        series, missing = self._series[panel], (target - before[panel]) / half
        low, high, x = -1.0, 1.0, 0.0
        for _ in range(60):
            value, slope = _below(series, x)
            low, high = (x, high) if value < missing else (low, x)
            guess = x + (missing - value) / slope if slope > 0.0 else 2.0
            if not low < guess < high:
                guess = 0.5 * (low + high)
            x, moved = guess, abs(guess - x)
            if moved <= 1e-15:
                break
        return float(self.coordinate.to_mu(self.edges[panel] + half * (x + 1.0)))

    def quantile_error(self, mu: float, probability: float) -> float:
        """How far a quantile at ``mu`` moves if this much probability is misplaced."""
        if probability <= 0.0:
            return 0.0
        density = float(self.density_at(np.array([mu]))[0])
        return probability / density if density > 0.0 else math.inf

    def curve(self, points: int = 200) -> tuple[FloatArray, FloatArray]:
        """Signal strengths from 0 up, and the density in the signal strength there."""
        top = self.quantile(1.0 - 1e-4)
        start = float(self.coordinate.to_mu(self.edges[0]))
        mu = np.linspace(start, top, points)
        if self.coordinate.power != 1.0 and start == 0.0:
            mu = mu[1:]  # the density may be infinite at 0
        return mu, self.density_at(mu)

    def density_at(self, mu: FloatArray) -> FloatArray:
        """Density in the signal strength. Any shape."""
        v = self.coordinate.of_mu(mu)
        panel = np.clip(np.searchsorted(self.edges, v, side="right") - 1, 0, len(self.edges) - 2)
        low, high = self.edges[panel], self.edges[panel + 1]
        x = (2.0 * v - low - high) / (high - low)
        polynomials = np.polynomial.legendre.legvander(x, _ORDER - 1)
        value = np.maximum((polynomials * self._series[panel]).sum(axis=-1), 0.0)
        inside = (v >= self.edges[0]) & (v <= self.edges[-1])
        return np.where(inside, value * np.exp(-self.coordinate.log_jacobian(v)), 0.0)

    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation of the signal strength."""
        v, weight = legendre_panels(self.edges, _ORDER)
        mu = self.coordinate.to_mu(v)
        mass = weight * self.density.ravel()
        mean = float(mass @ mu)
        return mean, math.sqrt(max(float(mass @ (mu - mean) ** 2), 0.0))

    def highest_density(self, probability: float) -> tuple[float, float]:
        """Shortest interval of the signal strength that holds this probability.

        Where the density is highest at the lower end of the prior, the interval begins there and
        its upper end is the credible limit.
        """
        lower = float(self.coordinate.to_mu(self.edges[0]))
        left = np.linspace(0.0, 1.0 - probability, 41)[:-1]

        def width(p: float) -> float:
            begin = lower if p <= 0.0 else self.quantile(p)
            return self.quantile(min(p + probability, 1.0 - 1e-12)) - begin

        widths = [width(float(p)) for p in left]
        best = int(np.argmin(widths))
        a, b = float(left[max(best - 1, 0)]), float(left[min(best + 1, len(left) - 1)])
        ratio = 0.5 * (math.sqrt(5.0) - 1.0)
        for _ in range(40):
            c, d = b - ratio * (b - a), a + ratio * (b - a)
            a, b = (a, d) if width(c) < width(d) else (c, b)
        p = 0.5 * (a + b)
        if best == 0 and width(0.0) <= width(p):
            p = 0.0
        return (lower if p == 0.0 else self.quantile(p)), self.quantile(p + probability)


def _tails(edges: FloatArray, density: FloatArray) -> FloatArray:
    """What the series of each panel leaves out, from its last two terms. Shape [panel]."""
    nodes, weights = legendre_rule(_ORDER)
    order = np.arange(_ORDER - 2, _ORDER)
    last = np.polynomial.legendre.legvander(nodes, _ORDER - 1)[:, order]
    terms = np.abs(density @ (weights[:, np.newaxis] * last * (order + 0.5))).sum(axis=1)
    result: FloatArray = np.diff(edges) * terms
    return result


def _below(series: FloatArray, x: float) -> tuple[float, float]:
    """Integral of a Legendre series from -1 to ``x``, and the series at ``x``."""
    total, value = float(series[0]) * (x + 1.0), float(series[0])
    before, here = 1.0, x
    for k in range(1, len(series)):
        after = ((2.0 * k + 1.0) * x * here - k * before) / (k + 1.0)
        c = float(series[k])
        total += c * (after - before) / (2.0 * k + 1.0)
        value += c * here
        before, here = here, after
    return total, value


def _tail_bound(v: FloatArray, density: FloatArray) -> float:
    """Probability beyond the last node, from the fall of the density over the last nodes."""
    if not density[-1] > 0.0:
        return 0.0
    x1, x2 = float(v[-_ORDER // 2]), float(v[-1])
    y1, y2 = float(density[-_ORDER // 2]), float(density[-1])
    if max(y1, y2) * abs(x2) < 1e-2 * TAIL:  # rounding, not a tail
        return max(y1, y2) * abs(x2)
    if not (y1 > y2 and x1 > 0.0):
        return 1.0
    power = math.log(y1 / y2) / math.log(x2 / x1)
    return y2 * x2 / (power - 1.0) if power > 1.0 + 1e-9 else 1.0


def _head_bound(v: FloatArray, density: FloatArray, room: float) -> float:
    """Probability before the first node, from the rise of the density; ``room`` is how far it is.

    A logarithm that bends downwards falls faster still.
    """
    x1, x2 = float(v[0]), float(v[_ORDER // 2])
    y1, y2 = float(density[0]), float(density[_ORDER // 2])
    if not y1 > 0.0:
        return 0.0
    if not y2 > y1:
        return min(y1 * room, 1.0)
    return min(y1 * room, y1 * (x2 - x1) / math.log(y2 / y1), 1.0)


def require_falling(posterior: PoiPosterior, prior: BoundPrior) -> None:
    """Raise if the posterior cannot be normalised.

    Raises
    ------
    ImproperPosteriorError
        The density falls so slowly at the end of what was integrated that its integral diverges.
    """
    if posterior.left_out <= TAIL:
        return
    v, _ = legendre_panels(posterior.edges, _ORDER)
    mu = prior.coordinate.to_mu(v)
    density = posterior.density.ravel() * np.exp(-prior.coordinate.log_jacobian(v))
    before, last = float(density[-_ORDER // 2]), float(density[-1])
    fall = math.log(before / last) if last > 0.0 and before > 0.0 else math.inf
    power = fall / math.log(mu[-1] / mu[-_ORDER // 2])
    if power < SLOWEST:
        raise ImproperPosteriorError(
            f"the posterior falls only like mu^-{max(power, 0.0) + 0.0:.2g} at mu = {mu[-1]:.3g} "
            "and cannot be normalised: the data leave large signal strengths as likely as small "
            "ones; give the prior an upper edge (--prior flat:0,EDGE), or constrain the efficiency"
        )
