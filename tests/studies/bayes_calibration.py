"""Calibration of credible limits: ranks of the truth in the posterior, and coverage.

``python -m tests.studies.bayes_calibration`` writes both as JSON and Markdown.

*Simulation-based calibration*: truths are drawn from the priors, data from the truths; inferred
with the same priors, the posterior probability below the true signal strength is uniform. A
histogram of it that is not flat means that posteriors are wrong. All choices are made beforehand:
eight models, 2,000 replicas each, 20 bins, chi-square, family-wise level 1 % (Bonferroni), seed 1;
a model that fails is repeated once with seed 2, and has failed if it fails again.

*Coverage*: data and auxiliary data are thrown at fixed truths; how often the limit lies above the
truth is a property that nobody promised, and is tabulated.

References: arXiv:1804.06788 (ranks); Rubin, Ann. Stat. 12 (1984) 1151.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from tests.studies.bayes_calibration_models import CALIBRATION_MODELS, CalibrationModel

from darkstats.errors import DarkstatsError
from darkstats.inference.bayes.engines import RUNNERS, Bench
from darkstats.inference.bayes.laplace.approximation import laplace_posteriors
from darkstats.inference.bayes.many_models import bayes_limits
from darkstats.inference.bayes.priors import Flat
from darkstats.inference.bayes.problem import PosteriorProblem
from darkstats.inference.chi_square import chi_square_survival
from darkstats.inference.toys import throw
from darkstats.model import Observation
from darkstats.streams import keyed_generator, poisson_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from darkstats.arrays import FloatArray
    from darkstats.inference.bayes.nuisances import NuisancePriors
    from darkstats.inference.bayes.posterior import PoiPosterior
    from darkstats.model import HistFactoryModel

__all__ = [
    "BINS",
    "FAMILY_LEVEL",
    "REPLICAS",
    "SEEDS",
    "SIGNALS",
    "CoverageOfLimits",
    "Ranks",
    "calibrated",
    "coverage_of_limits",
    "power",
    "ranks",
]

REPLICAS = 2000
SEEDS = (1, 2)  # of the study, and of the one repeat
BINS = 20
FAMILY_LEVEL = 0.01
MOST_FAILED = 0.01
SIGNALS = (1.0, 3.0, 6.0, 12.0)
COVERAGE_SEED = 3

_RANKS, _COVERAGE = 17, 18  # words of the random stream's key: never renumber


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """Posterior probability below the truth, over replicas of one model.

    ``counts`` is its histogram on equal bins from 0 to 1, ``failed`` the replicas without a
    certified posterior, which are in no bin.
    """

    model: str
    engine: str
    upper: float
    seed: int
    replicas: int
    failed: int
    counts: tuple[int, ...]
    mean: float | None

    @property
    def chi_square(self) -> float:
        """Of the histogram against a flat one."""
        expected = max(sum(self.counts), 1) / len(self.counts)
        return sum((n - expected) ** 2 for n in self.counts) / expected

    @property
    def p_value(self) -> float:
        """Of that chi-square; one degree of freedom is the total."""
        return chi_square_survival(self.chi_square, len(self.counts) - 1)

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return {**asdict(self), "chi_square": self.chi_square, "p_value": self.p_value}


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageOfLimits:
    """How often the credible limit lies above the true signal; a failure counts as below."""

    model: str
    engine: str
    signal: float
    cl: float
    coverage: float
    error: float
    toys: int
    failed: int


def ranks(
    study: CalibrationModel,
    *,
    replicas: int = REPLICAS,
    seed: int = SEEDS[0],
    inferred: NuisancePriors | None = None,
) -> Ranks:
    """Ranks of the truth, drawn from the priors that it is inferred with.

    Parameters
    ----------
    study
        Model, priors, engine.
    replicas, seed
        How many, and the seed that they depend on.
    inferred
        Other priors of nuisance parameters for the inference: ranks are not uniform then.
    """
    model = study.compile()
    rng = keyed_generator(seed, model.digest, _RANKS)
    points = np.repeat(model.inits[np.newaxis], replicas, axis=0)
    truth = study.upper * rng.random(replicas)
    points[:, model.require_poi()] = truth
    for p, prior in enumerate(study.nuisances.resolve(model)):
        if prior is not None:
            points[:, p] = prior.draw(rng, replicas)
    counts = poisson_counts(rng, np.maximum(model.expected_rates(points), 0.0))
    distinct, place = np.unique(counts, axis=0, return_inverse=True)
    found = _posteriors(study, model, distinct, inferred or study.nuisances)
    below = [
        posterior.cdf(float(mu))
        for mu, k in zip(truth, place.reshape(-1), strict=True)
        if (posterior := found[k]) is not None
    ]
    histogram = np.histogram(below, bins=BINS, range=(0.0, 1.0))[0]
    return Ranks(
        model=study.name,
        engine=study.engine,
        upper=study.upper,
        seed=seed,
        replicas=replicas,
        failed=replicas - len(below),
        counts=tuple(int(n) for n in histogram),
        mean=float(np.mean(below)) if below else None,
    )


def _posteriors(
    study: CalibrationModel, model: HistFactoryModel, counts: FloatArray, choice: NuisancePriors
) -> list[PoiPosterior | None]:
    """Posteriors of many observations of one model; None where the engine declines."""
    prior = Flat(upper=study.upper)
    if study.engine == "laplace":
        problem = PosteriorProblem.of(
            model, choice.resolve(model), prior.bind(model), counts=model.observation.counts
        )
        answers = laplace_posteriors(problem, counts, cl=0.9)
        return [None if one.problem is not None else one.posterior for one in answers]
    limits = bayes_limits(
        [model] * len(counts),
        [Observation(counts=row, auxdata=model.observation.auxdata) for row in counts],
        prior=prior,
        nuisances=choice,
        engine="quadrature",
        expected="none",
    )
    return [limit.posterior for limit in limits]


def calibrated(found: Sequence[Ranks]) -> bool:
    """Whether the ranks of one model, with its repeat if there was one, are uniform.

    More than 1 % of replicas without a certified posterior are a failure, too.
    """
    level = FAMILY_LEVEL / len(CALIBRATION_MODELS)
    return any(one.failed <= MOST_FAILED * one.replicas and one.p_value >= level for one in found)


def power(
    width: float, *, replicas: int = REPLICAS, models: int = len(CALIBRATION_MODELS)
) -> float:
    """Probability that one study sees posteriors whose width is wrong by this factor.

    For a normal posterior: the rank of a truth that lies z true standard deviations off is
    Phi(z / width).
    """
    normal = NormalDist()
    inner = [normal.cdf(width * normal.inv_cdf(k / BINS)) for k in range(1, BINS)]
    shares = np.diff([0.0, *inner, 1.0])
    shift = replicas * float(((shares - 1.0 / BINS) ** 2).sum()) * BINS
    threshold = _chi_square_threshold(FAMILY_LEVEL / models, BINS - 1)
    if shift == 0.0:
        return chi_square_survival(threshold, BINS - 1)
    # A non-central chi-square is a Poisson mixture of central ones, two degrees apart.
    half = 0.5 * shift
    total = 0.0
    for n in range(int(shift + 20.0 * math.sqrt(shift) + 50.0)):
        chance = math.exp(n * math.log(half) - half - math.lgamma(n + 1.0))
        total += chance * chi_square_survival(threshold, BINS - 1 + 2 * n)
    return total


def _chi_square_threshold(tail: float, degrees_of_freedom: int) -> float:
    low, high = 0.0, 1000.0
    for _ in range(100):
        middle = 0.5 * (low + high)
        above = chi_square_survival(middle, degrees_of_freedom) > tail
        low, high = (middle, high) if above else (low, middle)
    return high


def coverage_of_limits(
    study: CalibrationModel, signal: float, *, toys: int, cl: float = 0.9, seed: int = COVERAGE_SEED
) -> CoverageOfLimits:
    """Frequentist coverage of the credible limit at one true signal, nuisances at their nominal.

    The prior has no upper edge, as limits have it by default.
    """
    model = study.compile()
    truth = np.array(model.inits)
    truth[model.require_poi()] = signal
    rng = keyed_generator(seed, model.digest, _COVERAGE, round(1000.0 * signal))
    data, distinct = (
        np.hstack([np.asarray(part) for part in throw(model, truth, rng, toys)]),
        model.n_bins,
    )
    rows, repeats = np.unique(data, axis=0, return_counts=True)
    observations = [Observation(counts=row[:distinct], auxdata=row[distinct:]) for row in rows]
    limits = _limits(study, model, observations, cl)
    known = np.array([limit is not None for limit in limits])
    above = np.array([limit is not None and limit >= signal for limit in limits])
    coverage = float(repeats[above].sum()) / toys
    return CoverageOfLimits(
        model=study.name,
        engine=study.engine,
        signal=signal,
        cl=cl,
        coverage=coverage,
        error=math.sqrt(coverage * (1.0 - coverage) / toys),
        toys=toys,
        failed=int(repeats[~known].sum()),
    )


def _limits(
    study: CalibrationModel, model: HistFactoryModel, data: Sequence[Observation], cl: float
) -> list[float | None]:
    if study.engine == "quadrature":
        found = bayes_limits(
            [model] * len(data),
            data,
            cl=cl,
            nuisances=study.nuisances,
            engine="quadrature",
            expected="none",
        )
        return [limit.observed for limit in found]
    return [_limit(study, replace(model, observation=one), cl) for one in data]


def _limit(study: CalibrationModel, model: HistFactoryModel, cl: float) -> float | None:
    try:
        bench = Bench(
            model=model,
            nuisances=study.nuisances.resolve(model),
            prior=Flat().bind(model),
            cl=cl,
            seed=0,
            expected="none",
        )
        return RUNNERS[study.engine](bench).answer.limit
    except DarkstatsError:
        return None  # counted as a failure by the caller


def _study(toys: int, tell: Callable[[str], None]) -> dict[str, Any]:
    rows, cells = [], []
    for study in CALIBRATION_MODELS:
        found = [ranks(study, seed=SEEDS[0])]
        if not calibrated(found):
            found.append(ranks(study, seed=SEEDS[1]))
        good = calibrated(found)
        tell(f"{study.name}: " + ", ".join(f"p = {one.p_value:.3g}" for one in found))
        rows.append({"calibrated": good, "runs": [one.plain() for one in found]})
        for signal in SIGNALS:
            cell = coverage_of_limits(
                study, signal, toys=toys if study.engine == "quadrature" else toys // 4
            )
            tell(f"  s = {signal:g}: coverage {cell.coverage:.4f} ± {cell.error:.4f}")
            cells.append(asdict(cell))
    return {
        "schema": "darkstats.bayes-calibration/1",
        "replicas": REPLICAS,
        "seeds": list(SEEDS),
        "bins": BINS,
        "family_level": FAMILY_LEVEL,
        "power": {f"{width:g}": power(width) for width in (0.8, 0.9, 1.1, 1.2)},
        "ranks": rows,
        "coverage": cells,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run both studies from a command line; 1 if the ranks of a model are not uniform."""
    parser = argparse.ArgumentParser(prog="calibration", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--toys", type=int, default=4000, help="of coverage; a quarter for Laplace")
    parser.add_argument("--output", type=Path, default=Path("bayes-calibration.json"))
    options = parser.parse_args(arguments)

    def tell(line: str) -> None:
        sys.stderr.write(line + "\n")

    record = _study(options.toys, tell)
    text = json.dumps(record, indent=1, sort_keys=True, allow_nan=False) + "\n"
    options.output.write_text(text, encoding="utf-8")
    return 0 if all(row["calibrated"] for row in record["ranks"]) else 1


if __name__ == "__main__":
    sys.exit(main())
