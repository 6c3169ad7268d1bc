"""Toys thrown again for a figure: the same toys, because a toy is defined by its index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.inference.p_values import ToyOptions
    from darkstats.inference.results import HypoTestResult
    from darkstats.workflows.likelihoods import Likelihood

__all__ = ["StatisticSamples", "goodness_sample", "statistic_samples"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StatisticSamples:
    """Sorted values of a test statistic on toys of both hypotheses. Shapes [toy]."""

    tested: FloatArray
    reference: FloatArray


def statistic_samples(
    likelihood: Likelihood, found: HypoTestResult, toys: ToyOptions, *, blind: bool
) -> StatisticSamples:
    """Return the values behind the p-values of a test by toys."""
    from darkstats.inference.asimov import blinded_observation
    from darkstats.inference.curve import ProfileCurve
    from darkstats.inference.test_statistics import test_statistic
    from darkstats.inference.toys import Hypothesis, sample_statistic

    model = likelihood.model
    statistic = test_statistic(found.test_stat)
    lower = None if statistic.bounded else found.poi_lower
    asimov = blinded_observation(model, mu=statistic.asimov_mu)
    data = asimov if blind else likelihood.observation
    curve = ProfileCurve(model, data, statistic, poi_lower=lower, options=likelihood.options)
    curve.evaluate([found.mu])
    curve.certify(found.mu)

    def sample(parameters: FloatArray, hypothesis: Hypothesis) -> FloatArray:
        return sample_statistic(
            model,
            parameters,
            mu=(found.mu,),
            statistic=statistic,
            poi_lower=curve.poi_lower,
            hypothesis=hypothesis,
            options=toys,
        ).at()

    return StatisticSamples(
        tested=sample(curve.parameters(found.mu), Hypothesis.TESTED),
        reference=sample(curve.reference.parameters, Hypothesis.BACKGROUND),
    )


def goodness_sample(likelihood: Likelihood, toys: ToyOptions) -> FloatArray:
    """Return the sorted deviances of refitted toys. Shape [toy]."""
    import numpy as np

    from darkstats.fit import fit
    from darkstats.inference.goodness_of_fit import toy_deviances

    best = fit(likelihood.model, likelihood.observation, options=likelihood.options)
    values = toy_deviances(likelihood.model, best.parameters, toys)
    ordered: FloatArray = np.sort(values[~np.isnan(values)])
    return ordered
