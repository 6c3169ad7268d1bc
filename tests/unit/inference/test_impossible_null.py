"""Hypotheses that forbid the data: no floor of the arithmetic is ever quoted as a result."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import unbinned_models
from darkstats.errors import ImpossibleDataError
from darkstats.fit import fit, fit_batch
from darkstats.inference import (
    ToyOptions,
    goodness_of_fit,
    hypotest,
    significance,
    upper_limit,
)
from darkstats.inference.curve import ProfileCurve
from darkstats.inference.p_values import none_beyond
from darkstats.inference.test_statistics import TEST_STATISTICS
from darkstats.model import HistFactoryModel, Observation
from darkstats.scan.local import local_test
from small_models import compiled, counting, two_bins_one_empty

PLACE = "channel 'A', bin 1 "


def window(
    background: float,
    observed: float = 1.0,
    *,
    init: float = 1.0,
    extra: list[dict[str, Any]] | None = None,
) -> HistFactoryModel:
    """An ordinary bin, and one with a tiny background or none that holds an event."""
    factor = {"name": "mu", "type": "normfactor", "data": None}
    scale = {"name": "k", "type": "normsys", "data": {"lo": 0.9, "hi": 1.1}}
    samples = [
        {"name": "s", "data": [8.0, 1.0], "modifiers": [factor, *(extra or [])]},
        {"name": "b", "data": [30.0, background], "modifiers": [scale]},
    ]
    parameters = [{"name": "mu", "inits": [init], "bounds": [[0.0, 10.0]]}]
    return compiled(
        {
            "version": "1.0.0",
            "channels": [{"name": "A", "samples": samples}],
            "observations": [{"name": "A", "data": [31.0, observed]}],
            "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": parameters}}],
        }
    )


@pytest.mark.parametrize("init", [0.0, 1.0])
@pytest.mark.parametrize("background", [0.0, 1e-300, 1e-120, 1e-95])
@pytest.mark.parametrize("calculator", ["asymptotic", "toys"])
def test_an_event_without_background_has_no_significance(
    background: float, init: float, calculator: Any
) -> None:
    """Z is unbounded: null with channel and bin, and not the Z = 21.4 of an internal floor."""
    model = window(background, init=init)
    toys = ToyOptions(n_toys=200)
    found = significance(model, model.observation, calculator=calculator, toys=toys)
    assert found.observed is None
    assert found.p0 is None
    assert found.statistic is None
    assert PLACE in (found.observed_reason or "")
    test = hypotest(model, model.observation, 0.0, test_stat="q0", calculator=calculator, toys=toys)
    assert test.clsb is None
    assert test.statistic is None
    assert PLACE in (test.observed_reason or "")
    if calculator == "asymptotic":  # the Asimov data have a signal event in that bin, too
        assert found.expected == found.expected_p0 == (None,) * 5
        assert PLACE in (found.expected_reason or "")
        assert test.expected is None
        assert PLACE in (test.expected_reason or "")


def test_significance_grows_without_bound_as_the_background_falls() -> None:
    """Down to backgrounds that are numbers, q0 is that of the likelihood: 2 log(1 / b), and on."""
    before = 0.0
    for power in (2, 10, 30, 60, 78):
        model = window(10.0**-power)
        found = significance(model, model.observation)
        assert found.observed is not None
        assert found.observed > before
        before = found.observed
        # the bin alone gives 2 (n log(n / b) - n + b) beside a few units of the rest
        assert found.statistic == pytest.approx(2.0 * power * math.log(10.0), abs=8.0)


def test_an_event_without_background_leaves_limits_as_they_are() -> None:
    """q-tilde never asks for the deviance without signal: what is left is the pull of the rest."""
    limits = [
        upper_limit(window(b), window(b).observation, scan_points=0, probe=False)
        for b in (0.0, 1e-120, 1e-30)
    ]
    for limit in limits:
        assert limit.observed == pytest.approx(limits[-1].observed, rel=1e-3)
        assert limit.expected == pytest.approx(limits[-1].expected, rel=0.01)


def test_two_sided_tests_of_no_signal_are_null_too() -> None:
    """t and t-tilde at mu = 0."""
    model = window(0.0)
    for name in ("t", "ttilde"):
        found = hypotest(model, model.observation, 0.0, test_stat=name)
        assert found.cls is None
        assert found.clsb is None
        assert PLACE in (found.observed_reason or "")


def test_local_significance_is_null_with_the_bin() -> None:
    """There is a best fit, and no p-value: of a point of a scan, with the reason."""
    model = window(0.0)
    curve = ProfileCurve(model, model.observation, TEST_STATISTICS["qtilde"])
    found = local_test(curve)
    assert found.p0 is None
    assert found.significance is None
    assert PLACE in (found.reason or "")
    assert found.mu_hat == pytest.approx(0.591443, rel=1e-5)


def test_fits_at_an_impossible_hypothesis_are_refused_with_the_bin() -> None:
    """A fit has a minimum nowhere; with leave, the best fit to the rest is given, at infinity."""
    model = window(0.0)
    with pytest.raises(ImpossibleDataError, match=r"mu = 0.*bin 1"):
        fit(model, model.observation, poi_value=0.0)
    rest = fit(model, model.observation, poi_value=0.0, even_if_impossible=True)
    assert rest.twice_nll == math.inf
    assert fit(model, model.observation).twice_nll < 1.0


def test_toys_at_an_impossible_hypothesis_are_as_extreme_as_can_be() -> None:
    """Lanes with an event there are certified with an infinite deviance, the others are not."""
    model = window(0.0)
    counts = np.array([[31.0, 1.0], [31.0, 0.0], [25.0, 3.0]])
    batch = fit_batch(model, counts, np.tile(model.observation.auxdata, (3, 1)), poi_values=0.0)
    assert batch.converged.all()
    assert list(np.isposinf(batch.twice_nll)) == [True, False, True]


def test_a_bin_that_nothing_can_fill_has_no_goodness_of_fit() -> None:
    """No component at all, signal included: null with the bin."""
    model = two_bins_one_empty()
    data = Observation(counts=np.array([3.0, 1.0]), auxdata=np.zeros(1))
    found = goodness_of_fit(model, data)
    assert found.statistic is None
    assert found.p_value is None
    assert "channel 'c', bin 1 " in (found.p_value_reason or "")


def test_no_excess_is_z_of_zero_and_p0_of_a_half() -> None:
    """Z and p0 come from one function: a deficit, and the band where it goes below zero."""
    model = counting(4.0, 5.0, 12.0, 2.0)
    found = significance(model, model.observation)
    assert found.observed == 0.0
    assert found.p0 is not None
    assert found.p0.value == 0.5
    assert found.expected[0] == 0.0
    assert found.expected_p0[0] == 0.5
    for z, p in zip(found.expected, found.expected_p0, strict=True):
        assert p == pytest.approx(0.5 * math.erfc(z / math.sqrt(2.0)), rel=1e-12)


def test_what_lies_beyond_the_toys_is_a_bound() -> None:
    """No toy of 500 as extreme: p0 < 3 / 500 at 95 % CL, and no Z."""
    model = counting(40.0, 5.0, 5.0)
    found = significance(
        model, model.observation, calculator="toys", toys=ToyOptions(n_toys=500, seed=1)
    )
    assert found.observed is None
    assert found.p0 is not None
    assert found.p0.bound == pytest.approx(none_beyond(500), rel=1e-12)
    assert found.p0.bound == pytest.approx(3.0 / 500, rel=0.01)
    assert "p0 < 0.00597" in (found.observed_reason or "")


def test_events_without_density_have_no_significance() -> None:
    """Unbinned: where the background has no density but the signal has, the events are named."""
    document = unbinned_models.bump()
    place = next(k for k, d in enumerate(document["distributions"]) if d["name"] == "bkg")
    document["distributions"][place] = {
        "name": "bkg",
        "type": "histogram_dist",
        "data": {
            "axes": [{"name": "x", "min": 0.0, "max": 1.0, "nbins": 4}],
            "contents": [10.0, 0.0, 5.0, 8.0],
        },
    }
    document = {**document, "domains": [_without(domain, "c") for domain in document["domains"]]}
    document["parameter_points"] = [_without(p, "c") for p in document["parameter_points"]]
    model = unbinned_models.compiled(document)
    point = np.array(model.inits)
    point[model.parameter_index("nb")] = 60.0
    data = unbinned_models.thrown(model, point)
    found = significance(model, data, calculator="toys", toys=ToyOptions(n_toys=50))
    assert found.observed is None
    assert found.p0 is None
    assert "the density 'bkg' is zero" in (found.observed_reason or "")
    assert "event" in (found.observed_reason or "")
    assert found.expected == (None,) * 5


def _without(part: dict[str, Any], name: str) -> dict[str, Any]:
    """A list of named values, in a domain or a point, without one of them."""
    key = "axes" if "axes" in part else "entries" if "entries" in part else "parameters"
    return {**part, key: [item for item in part[key] if item["name"] != name]}
