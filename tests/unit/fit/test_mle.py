"""Fits whose numbers are printed: certified at level 2, or refused."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from darkstats.errors import FitFailedError, ImpossibleDataError, OptionError
from darkstats.fit import covariance, fit, fit_batch, impacts, profile_interval, profile_scan
from darkstats.inference import upper_limit
from darkstats.model import (
    HistFactoryModel,
    InterpolationCodes,
    Observation,
    compile_workspace,
)
from darkstats.workspace import read_workspace
from small_models import compiled, counting, two_bins_one_empty


def test_two_starts_agree() -> None:
    """An ordinary fit is certified at level 2 by two starts."""
    model = counting(n=9.0, signal=2.0, background=3.0, width=1.0)
    result = fit(model, model.observation)
    assert result.certification.level == 2
    assert result.certification.starts == 2
    assert result.certification.agreement < 1e-9
    assert result.poi == pytest.approx(3.0, abs=1e-7)
    assert result.warnings == ()
    assert result.at_bound == ()


def test_second_minimum_is_found(reference_data: Path) -> None:
    """The workspace on which a numerical-gradient Migrad is off by a factor three in CLs.

    Two minima, 0.998 apart in deviance, on either side of a kink: the lower one is taken, with a
    warning, and found from more than one start.
    """
    path = reference_data / "pyhf_validation" / "2bin_2channel_coupledhistosys.json"
    model = compile_workspace(
        read_workspace(path), interpolation=InterpolationCodes(normsys="code1", histosys="code0")
    )
    result = fit(model, model.observation)
    assert result.minus_two_log_density == pytest.approx(29.287, abs=1e-3)
    assert any("more than one minimum" in warning for warning in result.warnings)
    assert result.certification.starts > 2


def test_impossible_data_are_refused() -> None:
    """A bin with events and no expectation: an error that says what to check, never a number."""
    model = two_bins_one_empty()
    data = Observation(counts=np.array([3.0, 1.0]), auxdata=np.zeros(1))
    with pytest.raises(ImpossibleDataError, match=r"channel 'c', bin 1 .* none are expected"):
        fit(model, data)


def test_negative_rates_are_held_at_zero() -> None:
    """A systematic variation that would drive an empty bin negative is stopped, and it is said."""
    shape = {
        "name": "x",
        "type": "histosys",
        "data": {"hi_data": [0.0, 30.0], "lo_data": [4.0, 10.0]},
    }
    mu = {"name": "mu", "type": "normfactor", "data": None}
    document = {
        "version": "1.0.0",
        "channels": [
            {
                "name": "c",
                "samples": [
                    {"name": "b", "data": [2.0, 20.0], "modifiers": [shape]},
                    {"name": "s", "data": [0.0, 1.0], "modifiers": [mu]},
                ],
            }
        ],
        "observations": [{"name": "c", "data": [0.0, 60.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
    }
    model = compiled(document)
    result = fit(model, model.observation, poi_value=0.0)
    assert any("held at zero" in warning for warning in result.warnings)
    assert model.expected_rates(result.parameters)[0] == pytest.approx(0.0, abs=1e-4)


def test_poisson_uncertainties() -> None:
    """One bin, no background: error sqrt(n)/s; the interval solves n log(n/nu) + nu - n = 1/2."""
    model = counting(n=16.0, signal=2.0, background=0.0)
    result = fit(model, model.observation)
    assert covariance(result).error("mu") == pytest.approx(2.0, rel=1e-9)
    interval = profile_interval(model, model.observation, "mu", result=result)
    assert interval.lower is not None
    assert interval.upper is not None
    for end in (interval.lower, interval.upper):
        nu = 2.0 * end
        assert 2.0 * (nu - 16.0 + 16.0 * math.log(16.0 / nu)) == pytest.approx(1.0, abs=1e-6)
    assert interval.lower < result.poi < interval.upper


def test_interval_says_why_an_end_is_missing() -> None:
    """No events, no background: there is no lower end, and the reason stands beside it."""
    model = counting(n=0.0, signal=1.0, background=1.0)
    interval = profile_interval(model, model.observation, "mu", cl=0.9)
    assert interval.upper == pytest.approx(0.5 * 1.6448536269514722**2, rel=1e-6)
    assert interval.lower is None
    assert "end of its range" in (interval.lower_reason or "")
    with pytest.raises(OptionError, match="confidence level"):
        profile_interval(model, model.observation, "mu", cl=1.5)


def test_undetermined_parameters_are_named() -> None:
    """Two normalisations of one sample: the minimum is certified, and both are said to be loose."""
    factors = [{"name": name, "type": "normfactor", "data": None} for name in ("mu", "k")]
    document = {
        "version": "1.0.0",
        "channels": [
            {"name": "c", "samples": [{"name": "s", "data": [5.0, 7.0], "modifiers": factors}]}
        ],
        "observations": [{"name": "c", "data": [8.0, 9.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
    }
    model = compiled(document)
    result = fit(model, model.observation)
    assert np.prod(result.parameters) == pytest.approx(17.0 / 12.0, rel=1e-6)
    assert any("hardly changes with mu, k" in warning for warning in result.warnings)


def _scaled(scale: float, observed: list[float]) -> HistFactoryModel:
    """Two bins with an uncertain background; the signal times ``scale``."""
    background = [
        {"name": "k", "type": "normsys", "data": {"lo": 0.8, "hi": 1.2}},
        {"name": "mc", "type": "staterror", "data": [0.4, 0.8]},
    ]
    factors = [{"name": "mu", "type": "normfactor", "data": None}]
    samples = [
        {"name": "s", "data": [2.0 * scale, scale], "modifiers": factors},
        {"name": "b", "data": [20.0, 30.0], "modifiers": background},
    ]
    return compiled(
        {
            "version": "1.0.0",
            "channels": [{"name": "c", "samples": samples}],
            "observations": [{"name": "c", "data": observed}],
            "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        }
    )


@pytest.mark.parametrize("observed", [[20.0, 30.0], [28.0, 30.0], [14.0, 30.0]])
def test_no_warning_depends_on_the_unit_of_the_signal_strength(observed: list[float]) -> None:
    """The signal times 1e-9 to 1e9: same warnings, same deviance, free and at a bound."""
    for test_stat in ("qtilde", "q"):
        limits, warnings = [], set()
        for scale in (1e-9, 1e-4, 1.0, 1e4, 1e9):
            model = _scaled(scale, observed)
            limit = upper_limit(model, model.observation, test_stat=test_stat, scan_points=0)
            limits.append(scale * (limit.observed or 0.0))
            warnings.add(
                (fit(model, model.observation, poi_upper=np.inf).warnings, len(limit.warnings))
            )
        assert len(warnings) == 1
        assert limits == pytest.approx([limits[0]] * len(limits), rel=1e-9)


def test_a_strength_in_small_units_is_well_determined() -> None:
    """Two starts end 0.3 apart where the error is 1e9: one minimum, and no warning of it."""
    model = _scaled(1e-9, [20.0, 30.0])
    result = fit(model, model.observation, poi_lower=-np.inf, poi_upper=np.inf)
    assert result.warnings == ()
    assert "mu" in result.free


def test_covariance_of_correlated_parameters(example_workspaces: dict[str, Path]) -> None:
    """Covariance equals the inverse of a numerical Hessian of the profile: errors match scans."""
    model = compile_workspace(read_workspace(example_workspaces["three_channels"]))
    result = fit(model, model.observation, poi_lower=-10.0, poi_upper=10.0)
    matrix = covariance(result)
    np.testing.assert_allclose(np.diag(matrix.correlation), 1.0, rtol=1e-12)
    sigma = matrix.error(model.poi_name or "")
    assert sigma is not None
    step = 0.02 * sigma
    scan = profile_scan(
        model.with_range(model.poi_name or "", -10.0, 10.0),
        model.observation,
        {model.poi_name or "": [result.poi - step, result.poi + step]},
    )
    assert scan.certified.all()
    assert scan.delta.mean() == pytest.approx((step / sigma) ** 2, rel=2e-3)


def test_impacts_are_sorted_and_signed(example_workspaces: dict[str, Path]) -> None:
    """Impacts come largest first; moving a background up moves the signal down."""
    model = compile_workspace(read_workspace(example_workspaces["three_channels"]))
    found = impacts(model, model.observation)
    sizes = [impact.largest for impact in found]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 0.0
    for impact in found:
        if impact.constraint is not None:
            assert 0.0 < impact.constraint < 1.2


def test_scan_in_two_parameters(example_workspaces: dict[str, Path]) -> None:
    """The two-dimensional scan vanishes at the best fit and does not mind the order of names."""
    model = compile_workspace(read_workspace(example_workspaces["three_channels"]))
    result = fit(model, model.observation)
    other = next(name for name in result.free if name != model.poi_name)
    grids = {
        model.poi_name or "": [result.poi, result.poi + 0.3],
        other: [result.value(other), result.value(other) + 0.2],
    }
    one = profile_scan(model, model.observation, grids)
    two = profile_scan(model, model.observation, dict(reversed(list(grids.items()))))
    assert one.delta[0, 0] == pytest.approx(0.0, abs=1e-8)
    np.testing.assert_allclose(one.delta, two.delta.T, atol=1e-7)


def test_statistics_only_model() -> None:
    """A model whose only parameter is the signal strength works like any other."""
    document = {
        "version": "1.0.0",
        "channels": [
            {
                "name": "c",
                "samples": [
                    {
                        "name": "s",
                        "data": [5.0],
                        "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
                    },
                    {"name": "b", "data": [50.0], "modifiers": []},
                ],
            }
        ],
        "observations": [{"name": "c", "data": [55.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
    }
    model = compile_workspace(read_workspace(json.dumps(document).encode()))
    assert fit(model, model.observation).poi == pytest.approx(1.0, abs=1e-9)


def test_a_minimum_found_once_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    """If one start of many goes lowest and no other follows, there is an error and no number."""
    from darkstats.fit import mle

    model = counting(n=9.0, signal=2.0, background=3.0, width=1.0)
    real = mle.fit_batch

    def one_goes_lower(*args, **options):
        batch = real(*args, **options)
        values = batch.twice_nll.copy()
        values[0] -= 0.5
        return dataclasses.replace(batch, twice_nll=values)

    monkeypatch.setattr(mle, "fit_batch", one_goes_lower)
    with pytest.raises(FitFailedError, match="found from one of"):
        fit(model, model.observation)


def test_a_lower_minimum_beside_the_interval_is_an_error() -> None:
    """An interval around what turns out not to be the minimum is refused."""
    model = counting(n=9.0, signal=2.0, background=3.0, width=1.0)
    result = fit(model, model.observation)
    wrong = dataclasses.replace(result, twice_nll=result.twice_nll + 3.0)
    with pytest.raises(FitFailedError, match="lower minimum"):
        profile_interval(model, model.observation, "mu", result=wrong)


def test_a_parameter_of_interest_at_the_end_of_its_range_is_reported() -> None:
    """The range of a workspace serves the minimiser: resting at its end is no best fit."""
    model = counting(n=90.0, signal=1.0, background=50.0)
    result = fit(model, model.observation)
    assert result.poi == 10.0
    assert any("mu rests at 10, the end of the range" in note for note in result.warnings)
    wide = fit(model, model.observation, poi_upper=np.inf)
    assert wide.poi == pytest.approx(40.0)
    assert wide.warnings == ()
    deficit = counting(n=40.0, signal=1.0, background=50.0)
    assert fit(deficit, deficit.observation).warnings == ()  # zero is a boundary of physics


def test_a_scan_never_lies_below_its_minimum() -> None:
    """Beyond the declared range as well: the minimum is that over what is scanned."""
    model = counting(n=90.0, signal=1.0, background=50.0)
    grid = np.linspace(-5.0, 60.0, 14)
    scan = profile_scan(model, model.observation, {"mu": grid})
    mean = grid + 50.0
    assert scan.delta == pytest.approx(2.0 * (mean - 90.0 - 90.0 * np.log(mean / 90.0)), abs=1e-6)
    deficit = counting(n=40.0, signal=1.0, background=50.0)
    scan = profile_scan(deficit, deficit.observation, {"mu": [-20.0, -10.0, 0.0]})
    assert scan.delta.min() == pytest.approx(0.0, abs=1e-9)
    assert scan.delta[1] == scan.delta.min()


def test_ends_of_an_interval_are_plain_numbers() -> None:
    """Floats of Python, which print as numbers."""
    model = counting(n=60.0, signal=1.0, background=55.0)
    interval = profile_interval(model, model.observation, "mu")
    assert type(interval.lower) is float or interval.lower is None
    assert type(interval.upper) is float


def double_well(width: float) -> HistFactoryModel:
    """A background whose templates both lie ``width`` below the nominal 100 events."""
    shape = {
        "name": "x",
        "type": "histosys",
        "data": {"hi_data": [100.0 - width, 40.0], "lo_data": [100.0 - width, 60.0]},
    }
    mu = {"name": "mu", "type": "normfactor", "data": None}
    document = {
        "version": "1.0.0",
        "channels": [
            {
                "name": "c",
                "samples": [
                    {"name": "b", "data": [100.0, 50.0], "modifiers": [shape]},
                    {"name": "s", "data": [5.0, 10.0], "modifiers": [mu]},
                ],
            }
        ],
        "observations": [{"name": "c", "data": [70.0, 53.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
    }
    return compiled(document)


@pytest.mark.parametrize("mu", [0.0, 0.5, 1.0, 2.0])
def test_both_wells_are_tried(mu: float) -> None:
    """Where templates go one way up and down, the fit finds the lower one of two minima."""
    model = double_well(45.0)
    data = model.observation
    result = fit(model, data, poi_value=mu)
    starts = np.array([[x, mu] for x in np.linspace(-3.0, 3.0, 25)])
    batch = fit_batch(
        model,
        np.repeat(data.counts[None], 25, axis=0),
        np.repeat(data.auxdata[None], 25, axis=0),
        start=starts,
        poi_values=mu,
    )
    assert np.ptp(batch.twice_nll) > 1e-3, "the example has two minima"
    assert result.twice_nll == pytest.approx(float(batch.twice_nll.min()), abs=1e-8)
    assert any("more than one minimum" in warning for warning in result.warnings)
    assert result.certification.agreement < 1e-6
