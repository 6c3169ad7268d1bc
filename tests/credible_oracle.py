"""Credible limits by brute force, sharing no panel, node or line with the package.

One bin, factors that act on all samples (``common``), on the signal or on the background. In the
logarithm factors add up: their distributions are histograms on a fine grid, convolved one after the
other. The Poisson probability is folded with the common factor, then summed over the other two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from small_models import compiled

Factor = tuple[str, float, float]  # ("normsys", lo, hi) or ("gauss", width, 0)


@dataclass(frozen=True)
class OneBin:
    """A counting experiment; factors by what they act on."""

    observed: float
    signal: float
    background: float
    common: tuple[Factor, ...] = ()
    on_signal: tuple[Factor, ...] = ()
    on_background: tuple[Factor, ...] = ()

    def document(self) -> dict[str, Any]:
        """The workspace."""

        def modifiers(factors: tuple[Factor, ...], prefix: str) -> list[dict[str, Any]]:
            made = []
            for i, (kind, a, b) in enumerate(factors):
                if kind == "normsys":
                    made.append(
                        {"name": f"{prefix}{i}", "type": "normsys", "data": {"lo": a, "hi": b}}
                    )
                else:
                    data = [a * self.background]
                    made.append({"name": f"{prefix}{i}", "type": "staterror", "data": data})
            return made

        shared = modifiers(self.common, "common")
        poi = {"name": "mu", "type": "normfactor", "data": None}
        samples = [
            {
                "name": "signal",
                "data": [self.signal],
                "modifiers": [poi, *shared, *modifiers(self.on_signal, "signal")],
            },
            {
                "name": "background",
                "data": [self.background],
                "modifiers": [*shared, *modifiers(self.on_background, "background")],
            },
        ]
        parameters = [{"name": "mu", "bounds": [[0.0, 1e6]], "inits": [1.0]}]
        return {
            "version": "1.0.0",
            "channels": [{"name": "window", "samples": samples}],
            "observations": [{"name": "window", "data": [self.observed]}],
            "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": parameters}}],
        }

    def model(self) -> Any:
        """The compiled model."""
        return compiled(self.document())

    def limit(self, cl: float = 0.9) -> float:
        """The credible limit, flat prior from 0."""
        return self.limits([cl])[0]

    def limit_and_error(self, cl: float = 0.9) -> tuple[float, float]:
        """The credible limit, and how far it moves at half as many steps again."""
        rough, fine = (self.limits([cl], resolution=r)[0] for r in (1.0, 1.5))
        return fine, abs(fine - rough)

    def limits(self, levels: list[float], resolution: float = 1.0) -> list[float]:
        """Credible limits at several levels; ``resolution`` multiplies the number of all steps."""
        n = self.observed
        step = min(4e-4, 0.25 / math.sqrt(n + 1.0)) / resolution
        common, s, b = (
            _sum_of(factors, step) for factors in (self.common, self.on_signal, self.on_background)
        )
        low = math.log(max(self.background, 1e-3)) + b[0][0] - 1.0
        rate_step = min(step, 2e-4 / resolution)
        high = math.log(3.0 * (n + self.background + 60.0)) + 2.0
        x = np.arange(low, high, rate_step)
        # P(n | e^x) folded with the common factor
        sparse = _thinned(common, int(400 * resolution))
        folded = np.zeros_like(x)
        for shift, mass in zip(*sparse, strict=True):
            folded += mass * _poisson(n, x + shift)
        # Sums over smooth histograms stay exact while steps are well below all widths.
        wide = math.sqrt(_spread(common) ** 2 + 1.0 / (n + 1.0))
        nodes, masses = _thinned(s, int(90 * resolution))
        coarsest = min(0.2 * wide, 0.1 * _spread(b) + step) / resolution
        b = _thinned(b, math.ceil(len(b[0]) * step / coarsest))
        back = self.background * np.exp(b[0])

        def likelihood(mu: float) -> float:
            total = 0.0
            for node, mass in zip(nodes, masses, strict=True):
                log_rate = np.log(mu * self.signal * math.exp(node) + back)
                total += mass * float(b[1] @ np.interp(log_rate, x, folded, right=0.0))
            return total

        top = (n + 10.0 * math.sqrt(n + 1.0) + 30.0) / self.signal * math.exp(-s[0][0])
        coarse = top * np.linspace(0.0, 1.0, 25) ** 3
        seen = np.array([likelihood(mu) for mu in coarse])
        end = coarse[min(int(np.flatnonzero(seen > 1e-9 * seen.max())[-1]) + 1, len(coarse) - 1)]
        at, weight = np.polynomial.legendre.leggauss(6)
        edges = end * np.linspace(0.0, 1.0, int(40 * resolution) + 1) ** 1.3
        half = 0.5 * np.diff(edges)
        mu = (0.5 * (edges[1:] + edges[:-1]))[:, np.newaxis] + half[:, np.newaxis] * at
        density = np.array([[likelihood(one) for one in row] for row in mu])
        below = np.concatenate([[0.0], np.cumsum((density * weight).sum(axis=1) * half)])
        found = []
        for level in levels:
            target = level * below[-1]
            panel = int(np.searchsorted(below, target)) - 1
            series = np.polynomial.legendre.legfit(at, density[panel], 5)
            whole = np.polynomial.legendre.legint(series, lbnd=-1.0)
            grid = np.linspace(-1.0, 1.0, 2001)
            inside = half[panel] * np.polynomial.legendre.legval(grid, whole)
            place = float(np.interp(target - below[panel], inside, grid))
            found.append(float(edges[panel] + half[panel] * (place + 1.0)))
        return found


def _poisson(n: float, log_rate: np.ndarray) -> np.ndarray:
    """Poisson probability over its largest value, for counts that need not be whole."""
    peak = n * math.log(n) - n if n > 0.0 else 0.0
    with np.errstate(over="ignore", under="ignore"):
        return np.exp(np.maximum(n * log_rate - np.exp(log_rate) - peak, -700.0))


def _log_factor(kind: str, a: float, b: float, alpha: np.ndarray) -> np.ndarray:
    """Logarithm of a factor; of a normsys in code 4, by solving for its polynomial."""
    if kind == "gauss":
        return np.log(np.maximum(1.0 + a * alpha, 1e-9))
    lo, hi = a, b
    rows = []
    for side in (1.0, -1.0):
        powers = [side**k for k in range(1, 7)]
        first = [k * side ** (k - 1) for k in range(1, 7)]
        second = [k * (k - 1) * side ** (k - 2) for k in range(1, 7)]
        rows += [powers, first, second]
    right = [hi - 1.0, hi * math.log(hi), hi * math.log(hi) ** 2]
    right += [lo - 1.0, -lo * math.log(lo), lo * math.log(lo) ** 2]
    coefficients = np.linalg.solve(np.array(rows), np.array(right))
    inside = 1.0 + sum(c * alpha ** (k + 1) for k, c in enumerate(coefficients))
    outside = np.where(alpha > 0.0, alpha * math.log(hi), -alpha * math.log(lo))
    return np.where(np.abs(alpha) < 1.0, np.log(np.maximum(inside, 1e-12)), outside)


def _sum_of(factors: tuple[Factor, ...], step: float) -> tuple[np.ndarray, np.ndarray]:
    """Histogram of the sum of the logarithms of factors: centres and masses."""
    first, mass = 0, np.ones(1)
    alpha = np.linspace(-7.5, 7.5, 60_001)
    cdf = special.ndtr(alpha)
    for kind, a, b in factors:
        value = _log_factor(kind, a, b, alpha)
        if value[-1] < value[0]:
            value, law = value[::-1], (1.0 - cdf)[::-1]
        else:
            law = cdf
        keep = np.concatenate([[True], np.diff(value) > 0.0])
        value, law = value[keep], law[keep]
        low, high = math.floor(max(value[0], -6.0) / step), math.ceil(value[-1] / step)
        edges = (np.arange(low, high + 2) - 0.5) * step
        new = np.diff(np.interp(edges, value, law, left=0.0, right=1.0))
        size = 1 << (len(mass) + len(new) - 1).bit_length()
        product = np.fft.irfft(np.fft.rfft(mass, size) * np.fft.rfft(new, size), size)
        mass = np.maximum(product[: len(mass) + len(new) - 1], 0.0)
        first += low
        alive = np.flatnonzero(mass > 1e-14)
        first, mass = first + int(alive[0]), mass[alive[0] : alive[-1] + 1]
    return (first + np.arange(len(mass))) * step, mass / mass.sum()


def _spread(law: tuple[np.ndarray, np.ndarray]) -> float:
    """Standard deviation of a histogram."""
    x, mass = law
    return math.sqrt(max(float(mass @ x**2) - float(mass @ x) ** 2, 0.0))


def _thinned(law: tuple[np.ndarray, np.ndarray], most: int) -> tuple[np.ndarray, np.ndarray]:
    """Every k-th point of a smooth histogram: sums over those are as exact as over all."""
    x, mass = law
    stride = max(1, len(x) // most)
    mass = mass[::stride]
    return x[::stride], mass / mass.sum()
