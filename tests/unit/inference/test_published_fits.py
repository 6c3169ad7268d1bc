"""Limits from fitted rates and expected limits: closed forms, pyhf, and a published table."""

from __future__ import annotations

import math
import statistics

import pyhf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from darkstats.errors import OptionError
from darkstats.inference.asymptotics import observed_p_values
from darkstats.inference.published_fits import PublishedFit
from darkstats.reinterpret.recast_searches import Search, Target
from darkstats.reinterpret.recasts import recast
from darkstats.signals.mediators import mediator
from darkstats.signals.productions import production


@given(n=st.floats(-6.0, 6.0), sigma=st.floats(1e-3, 1e3), cl=st.sampled_from([0.9, 0.95]))
def test_cls_at_the_limit_is_one_minus_the_level(n: float, sigma: float, cl: float) -> None:
    """With q-tilde of a parabola, deficits included."""
    expected = PublishedFit(fitted=0.0, expected=sigma, cl=cl)
    fit = PublishedFit(fitted=n * expected.sigma, expected=sigma, cl=cl)
    a = fit.observed / fit.sigma
    q = max(a - n, 0.0) ** 2 - min(n, 0.0) ** 2  # measured from a fit of zero for deficits
    assert observed_p_values("qtilde", q, a * a).cls == pytest.approx(1.0 - cl, rel=1e-6)
    assert fit.band[2] == pytest.approx(sigma, rel=1e-12)
    assert fit.significance == pytest.approx(n, abs=1e-9)


def test_an_outcome_of_the_band_has_its_limit() -> None:
    """A rate fitted at N sigma is limited as the band says at N; factors are those at 90 %."""
    fit = PublishedFit(fitted=0.0, expected=2.0, cl=0.9)
    for n, limit in zip((-2, -1, 0, 1, 2), fit.band, strict=True):
        one = PublishedFit(fitted=n * fit.sigma, expected=2.0, cl=0.9)
        assert one.observed == pytest.approx(limit, rel=1e-12)
    ratios = [limit / 2.0 for limit in fit.band]
    assert ratios == pytest.approx([0.509, 0.698, 1.0, 1.446, 2.003], abs=6e-4)


def test_counts_of_pyhf() -> None:
    """10,000 events and a background known to 1 % are a parabola: limits agree within 2 %.

    The count of the limit is up to 5 % above the background, and sigma rises with its root.
    """
    model = pyhf.simplemodels.uncorrelated_background([100.0], [10_000.0], [100.0])
    for n in (-1.5, 0.0, 1.0, 2.0):
        data = [10_000.0 + 100.0 * n, *model.config.auxdata]

        def cls(mu: float, data: list[float] = data) -> tuple[float, float]:
            found = pyhf.infer.hypotest(mu, data, model, return_expected=True)
            return float(found[0]), float(found[1])

        observed, expected = (brentq(lambda mu, k=k: cls(mu)[k] - 0.1, 0.05, 9.0) for k in (0, 1))
        fit = PublishedFit(fitted=n, expected=expected, cl=0.9)
        assert fit.observed == pytest.approx(observed, rel=0.02)


#: e+e- -> mu+mu- X, X -> tau+tau-, Belle II, arXiv:2306.12294, supplement: mass in GeV, fitted
#: cross section, observed and expected limit at 90 %, in fb, of some of its 2384 hypotheses.
PUBLISHED = (
    (3.6, -3.3762, 1.0400, 2.3135), (3.674, -1.6873, 1.2637, 2.1570),
    (3.703, -0.3575, 1.7720, 2.1105), (3.746, -1.1211, 1.3512, 2.0492),
    (3.803, -2.3903, 1.0082, 1.9945), (3.872, 0.2598, 2.0667, 1.9121),
    (3.926, 0.8427, 2.5661, 1.8555), (3.966, 1.3916, 3.0162, 1.8122),
    (4.006, 0.5842, 2.3151, 1.8160), (4.058, 1.8417, 3.4810, 1.7523),
    (4.084, 2.4162, 3.9951, 1.7397), (4.147, -0.1160, 1.6880, 1.7364),
    (4.197, 0.9120, 2.3325, 1.7031),
)  # fmt: skip


def test_published_limits_of_tau_pairs() -> None:
    """Of the whole table the median ratio is 1.001, and 90 % lie between 0.855 and 1.091."""
    ratios = [
        PublishedFit(fitted=x, expected=expected, cl=0.9).observed / observed
        for _, x, observed, expected in PUBLISHED
    ]
    assert statistics.median(ratios) == pytest.approx(1.0, abs=0.02)
    assert 0.92 < min(ratios) < max(ratios) < 1.10


def test_published_couplings_of_tau_pairs() -> None:
    """g' at the published limits is within the 6 % of the conversion: tree level, no radiation."""
    models = (mediator("lmu_ltau"), production("mumu"))
    for mass, limit_fb, published in ((3.6, 1.04005, 0.034156), (4.00599, 2.31505, 0.040875)):
        point = recast(
            mass, 1e-3 * limit_fb, Target(model=models[0]),
            Search(production=models[1], final_state="tautau"),
        )  # fmt: skip
        assert point.intervals[0].lower == pytest.approx(published, rel=0.06)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"cl": 1.0}, "level"),
        ({"expected": 0.0}, "expected limit"),
        ({"expected": math.inf}, "expected limit"),
        ({"fitted": math.nan}, "no number"),
    ],
)
def test_numbers_that_are_none(wrong: dict[str, float], problem: str) -> None:
    """A limit is made of numbers."""
    with pytest.raises(OptionError, match=problem):
        PublishedFit(**({"fitted": 0.0, "expected": 1.0, "cl": 0.9} | wrong))


def test_far_deficits_have_no_limit_of_rounding() -> None:
    """Where the formula has no digits left it says so."""
    with pytest.raises(OptionError, match="beyond the Gaussian formula"):
        _ = PublishedFit(fitted=-60.0, expected=1.645, cl=0.9).observed
