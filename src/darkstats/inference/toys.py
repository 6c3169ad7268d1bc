"""Toys: pseudo-experiments drawn from a model, and test statistics evaluated on them.

Use :func:`throw` for the pseudo-experiments of one block, :func:`sample_statistic` for the
distribution of a test statistic. A toy is defined by (seed, model digest, hypothesis, index): the
stream of random numbers belongs to the block that holds the index, so any number of threads or
processes, in any order, gives the same toys, and a sample can be continued later.
"""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import FitFailedError, OptionError
from darkstats.fit import FitOptions, fit_batch
from darkstats.inference.p_values import PValue, ToyCounts, ToyOptions, none_beyond
from darkstats.kernel import default_threads, run_blocks
from darkstats.model.base import TOYS_PER_BLOCK
from darkstats.streams import keyed_generator

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.inference.test_statistics import TestStatistic
    from darkstats.model import LaneData, Model

__all__ = [
    "TIE_TOLERANCE",
    "TOYS_PER_BLOCK",
    "Hypothesis",
    "ToySample",
    "p_value",
    "sample_statistic",
    "stream",
    "throw",
]

#: Two values of a statistic closer than this are equal. Counts are discrete, so toys often give
#: *exactly* the observed value, and the minimiser's last digits must not decide which is larger.
TIE_TOLERANCE = 1e-6
_FEW_STEPS = 50  # without fallback: an ordinary toy takes five to twenty


class Hypothesis(IntEnum):
    """What is drawn; a word of the random stream's key, so never renumber."""

    BACKGROUND = 0
    TESTED = 1
    BEST_FIT = 2
    TRUTH = 3


def stream(seed: int, *, digest: str, what: int, block: int) -> np.random.Generator:
    """Return the generator of one block of toys (counter-based: Philox).

    Parameters
    ----------
    seed
        In [0, 2**63).
    digest
        SHA-256 of the model, hexadecimal, 64 characters.
    what, block
        Hypothesis and index of the block, both in [0, 2**32): words of a spawn key have a fixed
        width, because NumPy splits a wider integer into two words.
    """
    return keyed_generator(seed, digest, what, block)


def throw(
    model: Model,
    parameters: FloatArray,
    rng: np.random.Generator,
    n_toys: int = TOYS_PER_BLOCK,
) -> tuple[LaneData, FloatArray]:
    """Draw observations *and* auxiliary data at a point of the model.

    Parameters
    ----------
    parameters
        Point that is drawn at. Shape [par].
    rng, n_toys
        Generator, and number of toys.

    Returns
    -------
    tuple of LaneData and FloatArray
        Counts [toy, bin], or events, and auxiliary data [toy, par], 0 where a parameter has no
        constraint.
    """
    return model.throw(parameters, rng, n_toys)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ToySample:
    """Values of a test statistic on toys ``first`` .. ``stop - 1`` of one hypothesis.

    Parameters
    ----------
    model_digest, hypothesis, parameters, seed
        What was drawn: together with the index they define each toy.
    test_stat, poi_lower, mu
        Statistic, its lower bound of the free fit, and the tested signal strengths [mu].
    first, stop
        Range of toy indices.
    values
        Statistic [mu, toy]; NaN where a fit failed.
    """

    model_digest: str
    hypothesis: int
    parameters: tuple[float, ...]
    seed: int
    test_stat: str
    poi_lower: float
    mu: tuple[float, ...]
    first: int
    stop: int
    values: FloatArray

    @property
    def counts(self) -> ToyCounts:
        """Toys asked for, certified at every tested signal strength, and failed."""
        failed = int(np.count_nonzero(np.isnan(self.values).any(axis=0)))
        asked = self.stop - self.first
        return ToyCounts(asked=asked, ok=asked - failed, failed=failed)

    def at(self, index: int = 0) -> FloatArray:
        """Sorted values of the certified toys at tested signal strength ``index``. Shape [toy]."""
        row = self.values[index]
        ordered: FloatArray = np.sort(row[~np.isnan(row)])
        return ordered

    def merge(self, other: ToySample) -> ToySample:
        """Join two samples of the same toys' definition with adjoining ranges.

        Raises
        ------
        OptionError
            They were drawn or tested differently, overlap, or leave a gap.
        """
        for name in ("model_digest", "hypothesis", "parameters", "seed", "test_stat", "poi_lower"):
            if getattr(self, name) != getattr(other, name):
                raise OptionError(f"toys with different {name} cannot be merged")
        if self.mu != other.mu:
            raise OptionError("toys with different tested signal strengths cannot be merged")
        early, late = sorted((self, other), key=lambda sample: sample.first)
        if early.stop != late.first:
            raise OptionError(
                f"toys {early.first}..{early.stop} and {late.first}..{late.stop} do not adjoin"
            )
        return ToySample(
            model_digest=self.model_digest,
            hypothesis=self.hypothesis,
            parameters=self.parameters,
            seed=self.seed,
            test_stat=self.test_stat,
            poi_lower=self.poi_lower,
            mu=self.mu,
            first=early.first,
            stop=late.stop,
            values=np.concatenate([early.values, late.values], axis=1),
        )

    def to_plain(self) -> dict[str, Any]:
        """Return the sample as plain JSON data (values as base64 of little-endian float64)."""
        return {
            "model_digest": self.model_digest,
            "hypothesis": int(self.hypothesis),
            "parameters": list(self.parameters),
            "seed": self.seed,
            "test_stat": self.test_stat,
            "poi_lower": None if math.isinf(self.poi_lower) else self.poi_lower,
            "mu": list(self.mu),
            "first": self.first,
            "stop": self.stop,
            "values": base64.b64encode(self.values.astype("<f8").tobytes()).decode("ascii"),
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> ToySample:
        """Inverse of :meth:`to_plain`.

        Raises
        ------
        OptionError
            Fields are missing or do not fit together.
        """
        try:
            mu, first, stop = tuple(plain["mu"]), int(plain["first"]), int(plain["stop"])
            raw = np.frombuffer(base64.b64decode(plain["values"], validate=True), dtype="<f8")
            lower = plain["poi_lower"]
            return cls(
                model_digest=str(plain["model_digest"]),
                hypothesis=int(plain["hypothesis"]),
                parameters=tuple(float(x) for x in plain["parameters"]),
                seed=int(plain["seed"]),
                test_stat=str(plain["test_stat"]),
                poi_lower=-math.inf if lower is None else float(lower),
                mu=tuple(float(x) for x in mu),
                first=first,
                stop=stop,
                values=raw.astype(np.float64).reshape(len(mu), stop - first),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise OptionError(f"not a stored sample of toys: {error}") from error


def sample_statistic(
    model: Model,
    parameters: FloatArray,
    *,
    mu: tuple[float, ...],
    statistic: TestStatistic,
    poi_lower: float,
    hypothesis: int,
    options: ToyOptions,
) -> ToySample:
    """Evaluate a test statistic on toys drawn at ``parameters``, for one or more tested ``mu``.

    Each toy takes one free fit and one conditional fit for every ``mu``, certified like any
    other. Blocks are independent, so the memory in use is that of a few blocks plus 8 bytes for
    each value.

    Parameters
    ----------
    parameters
        Conditional best fit of the hypothesis to the observed data. Shape [par].
    mu
        Tested signal strengths.
    statistic, poi_lower
        Statistic, and lower bound of the signal strength in the free fit.
    hypothesis
        A member of :class:`Hypothesis`: keys the random stream. Toys at different points with the
        same key share their random numbers, which makes curves in ``mu`` smooth.
    options
        How many toys, from which seed.

    Raises
    ------
    FitFailedError
        More than ``max_failed_fraction`` of the toys failed.
    """
    first, stop = options.first_toy, options.first_toy + options.n_toys
    values = np.full((len(mu), options.n_toys), np.nan)
    per_block = model.toys_per_block
    first_block, last_block = first // per_block, (stop - 1) // per_block
    poi = model.require_poi()
    threads = options.threads or default_threads()
    steps = FitOptions().max_steps if options.fallback else _FEW_STEPS
    fit_options = FitOptions(threads=1, max_steps=steps, fallback=options.fallback)
    start = np.asarray(parameters, dtype=np.float64)

    def work(lower: int, upper: int) -> None:
        for block in range(lower, upper):
            offset = (first_block + block) * per_block
            begin, end = max(first, offset), min(stop, offset + per_block)
            rng = stream(
                options.seed, digest=model.digest, what=hypothesis, block=first_block + block
            )
            counts, auxdata = throw(model, start, rng, per_block)
            counts, auxdata = (
                counts[begin - offset : end - offset],
                auxdata[begin - offset : end - offset],
            )
            free = fit_batch(
                model,
                counts,
                auxdata,
                start=start,
                poi_lower=poi_lower,
                poi_upper=math.inf,
                options=fit_options,
            )
            twice_nll, mu_hat = free.twice_nll.copy(), free.parameters[:, poi].copy()
            good = free.converged.copy()
            fixed = np.empty((len(mu), end - begin))
            lowest, lowest_at = np.full(end - begin, np.inf), free.ends.copy()
            for row, tested in enumerate(mu):
                batch = fit_batch(
                    model,
                    counts,
                    auxdata,
                    start=free.ends,
                    poi_values=tested,
                    options=fit_options,
                )
                fixed[row] = batch.twice_nll
                if tested >= poi_lower:
                    deeper = batch.converged & (batch.twice_nll < lowest)
                    lowest = np.where(deeper, batch.twice_nll, lowest)
                    lowest_at[deeper] = batch.parameters[deeper]
            # A free fit above a conditional one is no minimum, whatever its gradient says: again,
            # from there.
            again = np.flatnonzero(~good | (lowest < twice_nll - TIE_TOLERANCE))
            if again.size:
                better = fit_batch(
                    model,
                    counts[again],
                    auxdata[again],
                    start=lowest_at[again],
                    poi_lower=poi_lower,
                    poi_upper=math.inf,
                    options=fit_options,
                )
                twice_nll[again], good[again] = better.twice_nll, better.converged
                mu_hat[again] = better.parameters[:, poi]
                good[again] &= better.twice_nll <= lowest[again] + TIE_TOLERANCE
            for row, tested in enumerate(mu):
                q = statistic.value(tested, mu_hat, fixed[row], twice_nll)
                values[row, begin - first : end - first] = np.where(good, q, np.nan)
            if options.on_toys is not None:
                options.on_toys(end - begin)

    run_blocks(work, last_block - first_block + 1, threads=threads, block=1)
    sample = ToySample(
        model_digest=model.digest,
        hypothesis=int(hypothesis),
        parameters=tuple(float(x) for x in start),
        seed=options.seed,
        test_stat=statistic.name,
        poi_lower=poi_lower,
        mu=tuple(float(x) for x in mu),
        first=first,
        stop=stop,
        values=values,
    )
    failed = sample.counts.failed
    if failed > options.max_failed_fraction * options.n_toys:
        raise FitFailedError(
            f"{failed} of {options.n_toys} toys could not be fitted, more than the "
            f"{options.max_failed_fraction:.2g} allowed: check the model at its best fit"
        )
    return sample


def p_value(ordered: FloatArray, observed: float, *, failed: int = 0) -> PValue:
    """P(statistic >= observed) with ties counted in, its error, and the range failed toys allow.

    Parameters
    ----------
    ordered
        Values of the certified toys, rising. Shape [toy], not empty.
    observed
        Observed value.
    failed
        Number of failed toys.

    Examples
    --------
    >>> p_value(np.array([0.0, 0.0, 1.0, 3.0]), 1.0, failed=1)
    PValue(value=0.5, error=0.25, low=0.4, high=0.6, bound=None)
    """
    n = len(ordered)
    if n == 0:
        raise FitFailedError("no toy could be fitted")
    if math.isnan(observed) or np.isnan(ordered[-1]):
        raise FitFailedError("a value of the statistic is not a number, on the data or on toys")
    above = n - int(np.searchsorted(ordered, tie_threshold(observed), side="left"))
    value = above / n
    # Where all or none are above, the error is that of one toy: never an error of zero.
    smoothed = value if 0 < above < n else (above + 1) / (n + 2)
    return PValue(
        value=value,
        error=math.sqrt(smoothed * (1.0 - smoothed) / n),
        low=above / (n + failed),
        high=(above + failed) / (n + failed),
        bound=none_beyond(n) if above == 0 else None,
    )


def tie_threshold(observed: float) -> float:
    """Smallest value that counts as equal to ``observed``."""
    if math.isinf(observed):  # data that the hypothesis forbids: as extreme as can be
        return observed
    return observed - TIE_TOLERANCE * max(1.0, abs(observed))
