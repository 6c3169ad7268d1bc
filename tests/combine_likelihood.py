"""Combine's likelihood of a datacard, written a second time: no line is shared with the package.

Poisson terms of all bins, log-normal responses, Gaussian and Poisson constraints, templates that
are interpolated as Combine's documentation says ("Template shape uncertainties", "Automatic
statistical uncertainties"). Small cards only: it is slow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln
from scipy.stats import norm

Array = np.ndarray


def step(x: Array | float) -> Array:
    x = np.clip(x, -1.0, 1.0)
    return 0.125 * x * (15.0 - 10.0 * x**2 + 3.0 * x**4)


def kappa(theta: float, low: float, high: float) -> float:
    """Log-normal of one or two numbers, with Combine's smoothing within half a deviation."""
    up, down = math.log(high), -math.log(low)
    weight = float(step(2.0 * theta))
    return math.exp(theta * 0.5 * ((up + down) + (up - down) * weight))


@dataclass
class Combined:
    """A card and, where it has shapes, its templates by name."""

    text: str
    templates: dict[str, Array] = field(default_factory=dict)
    errors: dict[str, Array] = field(default_factory=dict)  # autoMCStats: one Gaussian a bin

    def __post_init__(self) -> None:
        rows = [line.split("#")[0].split() for line in self.text.splitlines()]
        rows = [row for row in rows if row and not row[0].startswith("-")]
        start = next(i for i, row in enumerate(rows) if row[0] == "rate")
        head, body = rows[:start], rows[start + 1 :]
        bins = [row[1:] for row in head if row[0] == "bin"]
        processes = [row[1:] for row in head if row[0] == "process"]
        counts = next(row[1:] for row in head if row[0] == "observation")
        self.columns = list(zip(bins[1], processes[0], strict=True))
        self.signal = [int(number) <= 0 for number in processes[1]]
        self.rates = [float(word) for word in rows[start][1:]]
        self.bins = bins[0]
        self.lognormal: dict[str, list[tuple[float, float] | None]] = {}
        self.gamma: dict[str, tuple[int, list[float]]] = {}
        self.shape: dict[str, list[float]] = {}
        self.free: dict[str, list[bool]] = {}
        n = len(self.columns)
        for row in body:
            if row[1] == "lnN":
                self.lognormal[row[0]] = [self._pair(word) for word in row[2 : 2 + n]]
            elif row[1] == "gmN":
                ratios = [0.0 if word == "-" else float(word) for word in row[3 : 3 + n]]
                self.gamma[row[0]] = int(row[2]), ratios
            elif row[1] == "shape":
                self.shape[row[0]] = [0.0 if w == "-" else float(w) for w in row[2 : 2 + n]]
            elif row[1] == "rateParam":
                self.free[row[0]] = [
                    row[2] in {"*", name} and row[3] == process for name, process in self.columns
                ]
        self.names = [*self.lognormal, *self.shape]
        self.data = [
            self.templates["data_obs"] if self.templates else np.array([float(count)])
            for count in counts
        ]
        #: What the constraint terms of the statistical errors measured, by channel.
        self.pulls = [np.zeros(len(one)) for one in self.data]

    @staticmethod
    def _pair(word: str) -> tuple[float, float] | None:
        if word == "-":
            return None
        if "/" in word:
            low, high = word.split("/")
            return float(low), float(high)
        return 1.0 / float(word), float(word)

    def size(self) -> int:
        return len(self.names) + len(self.gamma) + len(self.free)

    def start(self) -> Array:
        gammas = [float(max(count, 0.5)) for count, _ in self.gamma.values()]
        return np.array([0.0] * len(self.names) + gammas + [1.0] * len(self.free))

    def bounds(self) -> list[tuple[float, float]]:
        positive = [(1e-9, 1e6)] * (len(self.gamma) + len(self.free))
        return [(-7.0, 7.0)] * len(self.names) + positive

    def expected(self, r: float, point: Array) -> tuple[list[Array], list[Array]]:
        """Events in each bin of each channel, and their statistical errors."""
        theta = dict(zip(self.names, point, strict=False))
        rest = point[len(self.names) :]
        gammas = dict(zip(self.gamma, rest, strict=False))
        factors = dict(zip(self.free, rest[len(self.gamma) :], strict=False))
        total = [np.zeros(len(one)) for one in self.data]
        square = [np.zeros(len(one)) for one in self.data]
        for i, (name, process) in enumerate(self.columns):
            norms = self.rates[i] * (r if self.signal[i] else 1.0)
            for gamma, (_, ratios) in self.gamma.items():
                if ratios[i]:
                    norms *= gammas[gamma] * ratios[i] / self.rates[i]
            for factor, here in self.free.items():
                norms *= factors[factor] if here[i] else 1.0
            for one, effects in self.lognormal.items():
                if effects[i] is not None:
                    norms *= kappa(theta[one], *effects[i])
            fractions = np.ones(1)
            if self.templates:
                fractions, change = self._fractions(i, process, theta)
                norms *= change
            index = self.bins.index(name)
            total[index] += norms * fractions
            if self.errors:
                nominal = self.templates[process]
                square[index] += (norms * self.errors[process] / nominal.sum()) ** 2
        return total, [np.sqrt(one) for one in square]

    @staticmethod
    def best_statistics(mean: Array, error: Array, counts: Array, pull: Array) -> Array:
        """Events in each bin at the best value of its Gaussian parameter: a quadratic equation."""
        half = 0.5 * (mean + pull * error - error**2)
        return np.where(error > 0.0, half + np.sqrt(half**2 + counts * error**2), mean)

    def _fractions(self, i: int, process: str, theta: dict[str, float]) -> tuple[Array, float]:
        nominal = self.templates[process]
        fractions, change = nominal / nominal.sum(), 1.0
        acting = {one: scales[i] for one, scales in self.shape.items() if scales[i]}
        region = min([1.0, *acting.values()])  # as in ShapeTools: the search begins at 1
        moved = fractions.copy()
        for one, scale in acting.items():
            up, down = self.templates[f"{process}_{one}Up"], self.templates[f"{process}_{one}Down"]
            plus, minus = up / up.sum() - fractions, down / down.sum() - fractions
            x = scale * theta[one]
            moved += 0.5 * x * ((plus - minus) + (plus + minus) * step(x / region))
            change *= kappa(theta[one], *(
                float(side.sum() / nominal.sum()) ** scale for side in (down, up)
            ))  # fmt: skip
        return moved, change

    def nll(self, r: float, point: Array, data: list[Array], outside: Array) -> float:
        """-log L; ``outside``: what the constraint terms measured, in the order of ``point``."""
        value = 0.0
        for plain, error, counts, pull in zip(
            *self.expected(r, point), data, self.pulls, strict=True
        ):
            mean = np.maximum(self.best_statistics(plain, error, counts, pull), 1e-12)
            value += float(np.sum(mean - counts * np.log(mean) + gammaln(counts + 1.0)))
            x = np.where(error > 0.0, mean - plain, 0.0) / np.where(error > 0.0, error, 1.0)
            value += 0.5 * float(np.sum((x - pull) ** 2))
        n, m = len(self.names), len(self.gamma)
        value += 0.5 * float(np.sum((point[:n] - outside[:n]) ** 2))
        mean, counts = point[n : n + m], outside[n : n + m]
        return value + float(np.sum(mean - counts * np.log(mean) + gammaln(counts + 1.0)))

    def measured(self) -> Array:
        point = self.start()
        point[len(self.names) : len(self.names) + len(self.gamma)] = [
            count for count, _ in self.gamma.values()
        ]
        return point

    def fit(
        self, data: list[Array], outside: Array, r: float | None = None, least: float = 0.0
    ) -> tuple[float, float, Array]:
        """Return -log L at its minimum, r and the nuisance parameters there."""
        if r is None:
            start = np.array([0.5, *self.start()])
            bounds = [(least, 1e3), *self.bounds()]
            found = self._minimise(lambda v: self.nll(v[0], v[1:], data, outside), start, bounds)
            return found[0], float(found[1][0]), found[1][1:]
        value, point = self._minimise(
            lambda v: self.nll(r, v, data, outside), self.start(), self.bounds()
        )
        return value, r, point

    @staticmethod
    def _minimise(function, start: Array, bounds) -> tuple[float, Array]:
        point = start
        for _ in range(2):  # numerical gradients: once is not enough
            done = minimize(
                function, point, method="L-BFGS-B", bounds=bounds,
                options={"ftol": 1e-12, "gtol": 1e-7, "maxiter": 500, "maxfun": 10**5},
            )  # fmt: skip
            point = done.x
        return float(done.fun), point

    def q(self, r: float, data: list[Array], outside: Array, best: tuple[float, float]) -> float:
        lowest, r_hat = best
        if r_hat > r:
            return 0.0
        return max(2.0 * (self.fit(data, outside, r)[0] - lowest), 0.0)

    def cls(self, r: float, expected: float) -> tuple[float, float]:
        """Asymptotic CLs of the data at ``r``, and of the median at ``expected``.

        Formulas of arXiv:1007.1727 for the test statistic q-tilde.
        """
        outside = self.measured()
        best = self.fit(self.data, outside)[:2]
        q = self.q(r, self.data, outside, best)
        outside_a = self.fit(self.data, outside, 0.0)[2]
        plain, errors = self.expected(0.0, outside_a)
        asimov = [
            self.best_statistics(*one)
            for one in zip(plain, errors, self.data, self.pulls, strict=True)
        ]
        before = self.pulls
        self.pulls = [
            np.where(error > 0.0, mean - one, 0.0) / np.where(error > 0.0, error, 1.0)
            for mean, one, error in zip(asimov, plain, errors, strict=True)
        ]
        best_a = self.fit(asimov, outside_a, 0.0)[0], 0.0
        q_a = self.q(r, asimov, outside_a, best_a)
        if q > q_a:
            up, down = (q + q_a) / (2.0 * math.sqrt(q_a)), (q - q_a) / (2.0 * math.sqrt(q_a))
        else:
            up, down = math.sqrt(q), math.sqrt(q) - math.sqrt(q_a)
        median = math.sqrt(self.q(expected, asimov, outside_a, best_a))
        self.pulls = before
        return float(norm.sf(up) / norm.sf(down)), float(2.0 * norm.sf(median))
