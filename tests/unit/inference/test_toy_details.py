"""Details of toys that a wrong number would not show by itself."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy.stats import norm, poisson

from darkstats.fit import fit_batch
from darkstats.inference import (
    TEST_STATISTICS,
    TOYS_PER_BLOCK,
    Hypothesis,
    ToyOptions,
    hypotest,
    sample_statistic,
)
from darkstats.inference.p_values import PValue
from darkstats.inference.toy_tests import cls_of
from darkstats.inference.toys import TIE_TOLERANCE, p_value, stream, throw
from darkstats.model import compile_workspace
from darkstats.streams import GAUSSIAN_FROM, poisson_counts
from darkstats.workspace import read_workspace
from small_models import counting, spectrum
from soak.double_wells import document

DIGEST = "0123456789abcdef" * 4


def test_gaussian_auxiliary_data_are_thrown_at_the_point() -> None:
    """Mean and width are those of the constraint at the parameters drawn at, not at the nominal."""
    model = spectrum([100.0, 100.0], [100.0, 100.0], 0.05)
    index = model.parameter_index("norm")
    point = np.array(model.inits)
    point[index] = 0.7
    _, auxdata = throw(model, point, stream(0, digest=DIGEST, what=0, block=0), 20_000)
    assert auxdata[:, index].mean() == pytest.approx(0.7, abs=5.0 / math.sqrt(20_000))
    assert auxdata[:, index].std() == pytest.approx(1.0, rel=0.03)
    assert np.all(np.delete(auxdata, index, axis=1) == 0.0)


def test_values_within_rounding_of_the_observed_count_as_ties() -> None:
    """Just below counts, clearly below does not."""
    just_below = 3.0 * (1.0 - 0.5 * TIE_TOLERANCE)
    clearly_below = 3.0 * (1.0 - 10.0 * TIE_TOLERANCE)
    ordered = np.array([clearly_below, just_below, 3.0, 4.0])
    assert p_value(ordered, 3.0).value == 0.75


def test_the_error_of_cls_has_both_parts() -> None:
    """Relative errors of numerator and denominator in quadrature."""
    clsb = PValue(value=0.02, error=0.002, low=0.02, high=0.02)
    clb = PValue(value=0.4, error=0.04, low=0.4, high=0.4)
    found = cls_of(clsb, clb)
    assert found.value == pytest.approx(0.05)
    assert found.error == pytest.approx(0.05 * math.sqrt(0.1**2 + 0.1**2))


def test_a_free_fit_above_a_conditional_one_is_repeated_from_there() -> None:
    """Two minima: where the free fit of a toy stays in the higher one, its statistic is not 0."""
    rng, repaired = np.random.default_rng(5), 0
    for _ in range(9):
        model = compile_workspace(read_workspace(json.dumps(document(rng)).encode()))
        point = np.array(model.inits)
        point[model.require_poi()] = 1.0
        point[model.parameter_index("pull")] = -1.0
        key = stream(1, digest=model.digest, what=int(Hypothesis.TESTED), block=0)
        counts, auxdata = throw(model, point, key)
        free = fit_batch(model, counts, auxdata, start=point, poi_lower=0.0, poi_upper=math.inf)
        fixed = fit_batch(model, counts, auxdata, start=free.parameters, poi_values=1.0)
        above = free.converged & fixed.converged & (free.twice_nll > fixed.twice_nll + 1e-3)
        sample = sample_statistic(
            model,
            point,
            mu=(1.0,),
            statistic=TEST_STATISTICS["ttilde"],
            poi_lower=0.0,
            hypothesis=Hypothesis.TESTED,
            options=ToyOptions(n_toys=TOYS_PER_BLOCK, seed=1),
        )
        assert np.all(sample.values[0][above] > 0.0)
        repaired += int(np.count_nonzero(above))
    assert repaired > 0


def test_the_toy_band_is_that_of_the_poisson_quantiles() -> None:
    """Known background: expected CLs at each position is that of the quantile of the counts.

    Where the best fit lies at or above the tested signal strength, q-tilde is 0 and CLs is 1.
    """
    model = counting(3, 1.0, 3.0)
    result = hypotest(
        model, model.observation, 2.0, calculator="toys", toys=ToyOptions(n_toys=20_000, seed=4)
    )
    for position, n_sigma in enumerate(range(-2, 3)):
        n = int(poisson.ppf(norm.cdf(n_sigma), 3.0))
        exact = 1.0 if n - 3.0 >= 2.0 else poisson.cdf(n, 5.0) / poisson.cdf(n, 3.0)
        assert result.expected.cls[position] == pytest.approx(exact, rel=0.2)
    assert list(result.expected.cls) == sorted(result.expected.cls)


def test_auxiliary_measurements_of_any_size_can_be_thrown() -> None:
    """A relative error of 1e-10 is a Poisson mean of 1e20: its toys are those without the error."""
    tight, known = (counting(10, 5.0, 10.0, width) for width in (1e-9, None))
    toys = ToyOptions(n_toys=4000, seed=2)
    found, expected = (
        hypotest(model, model.observation, 1.0, calculator="toys", toys=toys)
        for model in (tight, known)
    )
    exact = poisson.cdf(10, 15.0) / poisson.cdf(10, 10.0)
    for result in (found, expected):
        assert result.cls is not None
        assert result.cls.value == pytest.approx(exact, abs=4.0 * result.cls.error)


def test_large_counts_follow_the_gaussian_limit() -> None:
    """Means up to 1e300 are drawn with their own width; small ones keep their stream."""
    mean = np.array([3.0, GAUSSIAN_FROM, 1e20, 1e300, 0.0])
    drawn = poisson_counts(np.random.default_rng(3), mean, (4000, 5))
    pulls = (drawn[:, 1:4] - mean[1:4]) / np.sqrt(mean[1:4])
    assert np.abs(pulls.mean(axis=0)).max() < 0.08
    np.testing.assert_allclose(pulls[:, :2].std(axis=0), 1.0, atol=0.05)
    assert not drawn[:, 4].any()
    small = np.array([0.0, 3.0, 1e17])
    plain = np.random.default_rng(7).poisson(small, (50, 3))
    np.testing.assert_array_equal(poisson_counts(np.random.default_rng(7), small, (50, 3)), plain)
