"""Credible limits of random models with 10,000 to a million events against importance sampling.

    python -m tests.soak.large_counts --models 100 --output docs/studies/large-counts.json

One to four bins, two backgrounds, one to five normsys of 0.5 % to 10 %, each on the signal, on one
background, on both or on all. The likelihood, the minimum and the points are the reference's own:
points from Student laws that are moved to the posterior round by round, 800,000 in the end; their
batches give its error. Models whose reference does not reach two in a thousand are counted.

The exit status is 1 if a limit is off by more than 1 %, or more than one in a hundred by more than
three of the errors of both.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special
from tests.peers.claimed_errors import code4

from darkstats import compile_workspace, credible_limit, read_workspace
from darkstats.errors import DarkstatsError

Array = np.ndarray[Any, np.dtype[np.float64]]
Record = dict[str, Any]

SETTLED = 2e-3  # relative error of a reference that counts
_ROUNDS, _LEARN, _FINAL, _BATCHES = 12, 20_000, 800_000, 16
_FREEDOM = 6.0  # degrees of freedom of the Student laws
TARGETS = ("signal", "first", "second", "both", "all")


@dataclass(frozen=True)
class Case:
    """Yields [sample, bin], counts [bin], and per uncertainty whom it acts on and its width."""

    yields: Array
    counts: Array
    acting: tuple[tuple[str, float], ...]

    def acts_on(self, sample: int) -> list[int]:
        """Uncertainties of a sample: 0 is the signal."""
        seen = {
            "signal": (0,), "first": (1,), "second": (2,), "both": (1, 2), "all": (0, 1, 2)
        }  # fmt: skip
        return [i for i, (target, _) in enumerate(self.acting) if sample in seen[target]]

    def document(self) -> Record:
        """The workspace."""
        samples = []
        for k, name in enumerate(("signal", "first", "second")):
            modifiers: list[Record] = [
                {
                    "name": f"u{i}",
                    "type": "normsys",
                    "data": {"hi": 1.0 + self.acting[i][1], "lo": 1.0 / (1.0 + self.acting[i][1])},
                }
                for i in self.acts_on(k)
            ]
            if k == 0:
                modifiers.append({"name": "mu", "type": "normfactor", "data": None})
            samples.append({"name": name, "data": self.yields[k].tolist(), "modifiers": modifiers})
        return {
            "version": "1.0.0",
            "channels": [{"name": "c", "samples": samples}],
            "observations": [{"name": "c", "data": self.counts.tolist()}],
            "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        }

    def log_posterior(self, x: Array) -> Array:
        """With a flat prior of the signal strength; points [point, 1 + uncertainty]."""
        mu, alpha = x[:, 0], x[:, 1:]
        factors = [
            code4(alpha[:, i], 1.0 + width, 1.0 / (1.0 + width))
            for i, (_, width) in enumerate(self.acting)
        ]
        rate = np.zeros((len(x), len(self.counts)))
        for k in range(3):
            size = np.ones(len(x)) if k else mu.copy()
            for i in self.acts_on(k):
                size = size * factors[i]
            rate += size[:, np.newaxis] * self.yields[k]
        possible = (mu >= 0.0) & (rate > 0.0).all(axis=1)
        rate = np.where(rate > 0.0, rate, 1.0)
        n = self.counts
        value = (special.xlogy(n, rate / n) - rate + n).sum(axis=1) - 0.5 * (alpha**2).sum(axis=1)
        return np.where(possible, value, -np.inf)

    def limit(self, cl: float, seed: int) -> tuple[float, float]:
        """Credible limit and its error."""
        rng = np.random.default_rng([seed, 77])
        d = 1 + len(self.acting)
        centre, root = self._start()
        for _ in range(_ROUNDS):
            x, weight = self._thrown(rng, centre, root, _LEARN, temper=0.05)
            centre = weight @ x
            apart = x - centre
            spread = (apart.T * weight) @ apart
            root = np.linalg.cholesky(spread + 1e-9 * np.diag(np.diag(spread)))
        found = []
        for _ in range(_BATCHES):
            x, weight = self._thrown(rng, centre, root, _FINAL // _BATCHES)
            order = np.argsort(x[:, 0])
            below = np.cumsum(weight[order]) - 0.5 * weight[order]
            found.append(float(np.interp(cl, below, x[order, 0])))
        assert d == len(centre)
        return float(np.mean(found)), float(np.std(found, ddof=1)) / math.sqrt(_BATCHES)

    def _start(self) -> tuple[Array, Array]:
        """Place and root of the covariance of a Gaussian, from a linear model of the rates."""
        base = self.yields[1] + self.yields[2]
        columns = [self.yields[0]]
        for i, (_, width) in enumerate(self.acting):
            touched = [k for k in (1, 2) if i in self.acts_on(k)]
            columns.append(math.log1p(width) * sum((self.yields[k] for k in touched), 0.0 * base))
        slope = np.stack(columns, axis=1)  # [bin, 1 + uncertainty]
        curvature = (slope.T / self.counts) @ slope
        curvature += np.diag([1e-12, *np.ones(len(self.acting))])
        centre = np.linalg.solve(curvature, slope.T @ ((self.counts - base) / self.counts))
        covariance = np.linalg.inv(curvature)
        centre[0] = max(centre[0], 0.5 * math.sqrt(covariance[0, 0]))
        return centre, np.linalg.cholesky(covariance)

    def _thrown(
        self, rng: Any, centre: Array, root: Array, n: int, temper: float = 0.0
    ) -> tuple[Array, Array]:
        """Points and normalised weights; tempered until a share of them is effective."""
        d = len(centre)
        normal = rng.standard_normal((n, d))
        scale = np.sqrt(_FREEDOM / rng.chisquare(_FREEDOM, n))[:, np.newaxis]
        t = normal * scale
        log_q = -0.5 * (_FREEDOM + d) * np.log1p((t**2).sum(axis=1) / _FREEDOM)
        x = centre + t @ root.T
        log_weight = self.log_posterior(x) - log_q
        power = 1.0
        while True:
            weight = np.exp(power * (log_weight - log_weight.max()))
            weight /= weight.sum()
            if 1.0 / (weight**2).sum() >= temper * n:
                return x, weight
            power *= 0.7


def case(seed: int, index: int) -> Case:
    """Random model number ``index``."""
    rng = np.random.default_rng([seed, index, 5])
    bins = int(rng.integers(1, 5))
    events = math.exp(rng.uniform(math.log(1e4), math.log(1e6)))
    share = rng.uniform(0.2, 0.8)
    yields = np.stack(
        [
            events * 10.0 ** rng.uniform(-3.0, -1.0) * rng.dirichlet(np.full(bins, 2.0)),
            events * share * rng.dirichlet(np.full(bins, 4.0)),
            events * (1.0 - share) * rng.dirichlet(np.full(bins, 4.0)),
        ]
    )
    acting = tuple(
        (TARGETS[int(rng.integers(5))], math.exp(rng.uniform(math.log(0.005), math.log(0.1))))
        for _ in range(int(rng.integers(1, 6)))
    )
    made = Case(yields, yields.sum(axis=0), acting)
    factors = np.exp([rng.standard_normal() * math.log1p(w) for _, w in acting])
    size = [np.prod([factors[i] for i in made.acts_on(k)]) for k in range(3)]
    size[0] *= rng.choice([0.0, rng.exponential(0.3)])
    return Case(yields, rng.poisson(np.array(size) @ yields).astype(float), acting)


def examined(seed: int, index: int, engines: tuple[str, ...], cl: float) -> Record:
    """One model: the reference beside what each engine says."""
    one = case(seed, index)
    words = ", ".join(f"{target} {width:.3g}" for target, width in one.acting)
    exact, error = one.limit(cl, index)
    record: Record = {
        "index": index,
        "model": f"{len(one.counts)} bins, {one.counts.sum():.0f} events: {words}",
        "exact": exact,
        "exact_error": error,
        "settled": error <= SETTLED * exact,
        "engines": {},
    }
    model = compile_workspace(read_workspace(json.dumps(one.document()).encode()))
    for name in engines:
        said: Record = {"limit": None, "error": None, "engine": None, "reason": None}
        started = time.process_time()
        try:
            found = credible_limit(
                model, engine=name, expected="none", cross_check=False, seed=index, cl=cl
            )
            said |= {
                "limit": found.observed, "error": found.observed_error, "engine": found.engine
            }  # fmt: skip
        except DarkstatsError as failure:
            said["reason"] = f"{type(failure).__name__}: {failure}"
        record["engines"][name] = {**said, "cpu_seconds": time.process_time() - started}
    return record


def pull(record: Record, said: Record) -> float:
    """How far a limit is off, in errors of both."""
    off: float = said["limit"] - record["exact"]
    return abs(off) / math.hypot(said["error"], record["exact_error"])


def summary(records: list[Record], name: str) -> Record:
    """How one engine did."""
    settled = [r for r in records if r["settled"]]
    answered = [r for r in settled if r["engines"][name]["limit"] is not None]
    pulls = [pull(r, r["engines"][name]) for r in answered]
    off = [abs(r["engines"][name]["limit"] / r["exact"] - 1.0) for r in answered]
    seconds = [r["engines"][name]["cpu_seconds"] for r in records]
    engines = [r["engines"][name]["engine"] for r in answered]
    return {
        "models": len(records),
        "reference": len(settled),
        "answered": len(answered),
        "by": {engine: engines.count(engine) for engine in sorted(set(engines))},
        "within": sum(p <= 3.0 for p in pulls),
        "wrong": sum(x > 0.01 for x in off),
        "largest_pull": max(pulls, default=0.0),
        "largest_difference": max(off, default=0.0),
        "median_cpu_seconds": float(np.median(seconds)),
        "largest_cpu_seconds": max(seconds),
        "outside": [r["model"] for r, p in zip(answered, pulls, strict=True) if p > 3.0],
        "refused": [
            f"{r['index']}: {r['engines'][name]['reason']}"
            for r in settled
            if r["engines"][name]["limit"] is None
        ],
    }


def main() -> int:
    """Run the models and write the record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engines", default="laplace,auto")
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    engines = tuple(asked.engines.split(","))
    records = []
    for index in range(asked.models):
        records.append(examined(asked.seed, index, engines, 0.9))
        sys.stdout.write(json.dumps(records[-1]) + "\n")
        sys.stdout.flush()
    record = {
        "schema": "darkstats.large-counts/1",
        "models": len(records),
        "seed": asked.seed,
        "cl": 0.9,
        "engines": {name: summary(records, name) for name in engines},
    }
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    sys.stdout.write(text)
    if asked.output:
        asked.output.write_text(text, "utf-8")
    rows = record["engines"].values()
    return 0 if all(r["wrong"] == 0 and r["within"] >= 0.99 * r["answered"] for r in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
