"""Credible limits by brute force, sharing no panel, node or line with the package.

One bin, factors that act on all samples (``common``), on the signal or on the background. In the
logarithm factors add up: their distributions are histograms on a fine grid, convolved one after the
other. The integral over signal strengths beyond a limit, with a flat prior, is an incomplete gamma
function of the rate there; it is folded with the common factor, then summed over the other two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import interpolate, optimize, signal, special

from small_models import compiled

Factor = tuple[str, float, float]  # ("normsys", lo, hi) or ("gauss", width, 0)


_REACH = 7.5  # standard deviations of a nuisance parameter that are summed over
_LOWEST = -14.0  # logarithm of the smallest factor that is told from zero


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
        step = min(1e-4, 0.05 / math.sqrt(n + 1.0)) / resolution
        common, s, b = (
            _sum_of(factors, step) for factors in (self.common, self.on_signal, self.on_background)
        )
        # Sums over smooth histograms stay exact while steps are well below all widths.
        wide = math.sqrt(_spread(common) ** 2 + 1.0 / (n + 1.0))
        nodes, masses = _thinned(s, int(120 * resolution))
        masses = masses * np.exp(-nodes)
        coarsest = min(0.2 * wide, 0.1 * _spread(b) + step) / resolution
        b = _thinned(b, math.ceil(len(b[0]) * step / coarsest))
        back = self.background * np.exp(b[0])
        floor = math.log(max(float(back[0]), 1e-9))
        end = math.log(n + 12.0 * math.sqrt(n + 1.0) + 60.0) - float(common[0][0])
        tail = _folded_tail(n, common, floor, end, step)

        def beyond(limit: float) -> float:
            total = 0.0
            for node, mass in zip(nodes, masses, strict=True):
                log_rate = np.log(limit * self.signal * math.exp(node) + back + 1e-300)
                total += mass * float(b[1] @ tail(np.clip(log_rate, floor, end)))
            return total

        whole, found = beyond(0.0), []
        for level in levels:
            target, top = (1.0 - level) * whole, (n + 5.0) / self.signal
            while beyond(top) > 0.5 * target:
                top *= 2.0
            found.append(
                float(
                    optimize.brentq(lambda x, t=target: beyond(x) - t, 0.0, top, xtol=1e-12 * top)
                )
            )
        return found


def _folded_tail(
    n: float, common: tuple[np.ndarray, np.ndarray], low: float, high: float, step: float
) -> interpolate.CubicSpline:
    """Tail of the gamma law of ``n + 1`` over the common factor, averaged over this factor.

    A function of the logarithm of the rate without the factor, between two ends.
    """
    shift, mass = common
    places = low + step * np.arange(math.ceil((high - low) / step) + 2)
    # the common factor's places are multiples of the step from its first one
    whole = low + shift[0] + step * np.arange(len(places) + len(shift) - 1)
    tail = special.gammaincc(n + 1.0, np.exp(np.minimum(whole, 700.0)))
    folded = signal.fftconvolve(tail, (mass * np.exp(-shift))[::-1], mode="valid")
    return interpolate.CubicSpline(places, folded)


def _log_factor(kind: str, a: float, b: float, alpha: np.ndarray) -> np.ndarray:
    """Logarithm of a factor; of a normsys in code 4, by solving for its polynomial."""
    if kind == "gauss":
        return np.log1p(a * alpha)
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
    everywhere = np.linspace(-_REACH, _REACH, 60_001)
    for kind, a, b in factors:
        alpha = everywhere
        if kind == "gauss" and a * _REACH > 1.0:  # cut where the factor is zero, dense towards it
            alpha = (np.geomspace(math.exp(_LOWEST), 1.0 + a * _REACH, 60_001) - 1.0) / a
        cdf = special.ndtr(alpha)
        if alpha is not everywhere:  # a millionth at most lies below the lowest factor
            cdf = (cdf - cdf[0]) / (1.0 - cdf[0])
        value = _log_factor(kind, a, b, alpha)
        if value[-1] < value[0]:
            value, law = value[::-1], (1.0 - cdf)[::-1]
        else:
            law = cdf
        keep = np.concatenate([[True], np.diff(value) > 0.0])
        value, law = value[keep], law[keep]
        low, high = math.floor(max(value[0], _LOWEST) / step), math.ceil(value[-1] / step)
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
