"""Bins and events in one likelihood: products by hand, splits of one likelihood, and its parts."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats

from combined_models import as_hs3, binned_document, combined, events_document, joined, usual
from darkstats.errors import DocumentError, ImpossibleDataError, OptionError
from darkstats.fit import FitOptions, fit, fit_batch
from darkstats.inference import ToyOptions, hypotest, upper_limit
from darkstats.model import compile_workspace
from darkstats.model.combined.compilation import compile_likelihood
from darkstats.workspace import read_workspace
from darkstats.workspace.hs3 import Hs3Document
from unbinned_models import compiled, outline

Item = dict[str, Any]
LEVEL = 0.05


def counting(signal: list[float], background: list[float], observed: list[float]) -> Item:
    """Bins without nuisance parameters."""
    mu = {"name": "mu", "type": "normfactor", "data": None}
    samples = [
        {"name": "signal", "data": signal, "modifiers": [mu]},
        {"name": "background", "data": background, "modifiers": []},
    ]
    return {
        "channels": [{"name": "count", "samples": samples}],
        "observations": [{"name": "count", "data": observed}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }


def peak_on_flat(entries: list[float], flat: float, low: float, high: float, **more: Any) -> Item:
    """A peak of 10 events per mu at 0.5 on a flat background, of known yield or ``nb``."""
    parameters = [("mu", 1.0, 0.0, 20.0)]
    if more.get("floating"):
        parameters.append(("nb", 1.0, 0.0, 100.0))
    share = high - low
    text = f"{flat * share!r}" + (" * nb" if more.get("floating") else "")
    return outline(
        [
            {"name": "sig", "type": "gaussian_dist", "x": "x", "mean": 0.5, "sigma": 0.02},
            {"name": "bkg", "type": "generic_dist", "expression": "1 + 0 * x"},
        ],
        parameters,
        yields={"sig": "nsig", "bkg": "nbkg"},
        axes=[("x", low, high)],
        functions=[
            {"name": "nsig", "type": "generic_function", "expression": "10 * mu"},
            {"name": "nbkg", "type": "generic_function", "expression": text},
        ],
        entries=[[x] for x in entries],
    )


def test_the_limit_of_a_product_is_that_by_hand() -> None:
    """One parameter: a count of 7 on 5.2, and 33 events under a peak; q and CLs with SciPy."""
    x = np.sort(np.concatenate([np.linspace(0.01, 0.99, 30), [0.49, 0.5, 0.52]]))
    model = combined(
        peak_on_flat(x.tolist(), 30.0, 0.0, 1.0), as_hs3(counting([4.0], [5.2], [7.0]))
    )
    assert model.parameter_names == ("mu",)

    def shape(at: np.ndarray) -> np.ndarray:
        return np.asarray(scipy.stats.norm.pdf(at, 0.5, 0.02))

    grid, weight = np.polynomial.legendre.leggauss(400)
    grid, weight = 0.5 * (grid + 1.0), 0.5 * weight

    def nll(mu: float, n: float, at: np.ndarray, weights: np.ndarray) -> float:
        count = 4.0 * mu + 5.2
        density = 10.0 * mu * shape(at) + 30.0
        events = 10.0 * mu + 30.0 - (weights * np.log(density)).sum()
        return float(count - n * math.log(count) + events)

    def q(mu: float, *data: Any) -> float:
        best = scipy.optimize.minimize_scalar(
            nll, bounds=(0.0, 20.0), args=data, method="bounded", options={"xatol": 1e-12}
        )
        return 2.0 * (nll(mu, *data) - best.fun) if best.x < mu else 0.0

    seen = (7.0, x, np.ones(len(x)))
    asimov = (5.2, grid, 30.0 * weight)

    def cls(mu: float) -> float:
        root, expected = math.sqrt(max(q(mu, *seen), 0.0)), math.sqrt(max(q(mu, *asimov), 0.0))
        if root <= expected:
            clsb, clb = scipy.stats.norm.sf(root), scipy.stats.norm.sf(root - expected)
        else:
            shifted = (root**2 + expected**2) / (2.0 * expected)
            clsb = scipy.stats.norm.sf(shifted)
            clb = scipy.stats.norm.sf((root**2 - expected**2) / (2.0 * expected))
        return float(clsb / clb)

    by_hand = scipy.optimize.brentq(lambda mu: cls(mu) - LEVEL, 0.3, 5.0, xtol=1e-10)
    found = upper_limit(model, model.observation)
    assert found.observed == pytest.approx(by_hand, rel=2e-5)
    best = fit(model, model.observation)
    least = scipy.optimize.minimize_scalar(
        nll, bounds=(0.0, 20.0), args=seen, method="bounded", options={"xatol": 1e-10}
    )
    assert best.parameters[0] == pytest.approx(least.x, rel=1e-6)
    constant = math.lgamma(8.0)
    assert model.log_density(best.parameters, model.observation) == pytest.approx(
        -least.fun - constant, abs=1e-9
    )


def test_a_sideband_in_bins_beside_its_centre_is_the_whole() -> None:
    """A flat background: counts beside the peak say all that the events there do."""
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.uniform(0.0, 1.0, 180), rng.normal(0.5, 0.02, 9)])
    whole = compiled(peak_on_flat(x.tolist(), 160.0, 0.0, 1.0, floating=True))
    inside = (x > 0.3) & (x < 0.7)
    centre = peak_on_flat(x[inside].tolist(), 160.0, 0.3, 0.7, floating=True)
    sideband = counting([0.0, 0.0], [48.0, 48.0], [float((x <= 0.3).sum()), (x >= 0.7).sum()])
    for value in sideband["observations"]:
        value["data"] = [float(n) for n in value["data"]]
    background = sideband["channels"][0]["samples"][1]
    background["modifiers"] = [{"name": "nb", "type": "normfactor", "data": None}]
    sideband["channels"][0]["samples"] = [background]
    both = combined(centre, as_hs3(with_signal(sideband)))
    one, two = (upper_limit(model, model.observation) for model in (whole, both))
    assert two.observed == pytest.approx(one.observed, rel=1e-5)
    np.testing.assert_allclose(two.expected, one.expected, rtol=1e-5)
    fits = [fit(model, model.observation).parameters for model in (whole, both)]
    np.testing.assert_allclose(fits[1], fits[0], rtol=1e-6)


def with_signal(workspace: Item) -> Item:
    """A workspace whose background alone is there gets a signal that is nowhere seen."""
    mu = {"name": "mu", "type": "normfactor", "data": None}
    channel = workspace["channels"][0]
    n = len(channel["samples"][0]["data"])
    channel["samples"].append({"name": "signal", "data": [1e-9] * n, "modifiers": [mu]})
    return workspace


def test_many_bins_in_the_place_of_events_say_nearly_the_same() -> None:
    """The events of the peak in 3000 bins beside the same other search, in HistFactory alone."""
    rng = np.random.default_rng(8)
    x = np.concatenate([rng.uniform(0.0, 1.0, 60), rng.normal(0.5, 0.02, 6)])
    other = counting([4.0], [5.2], [7.0])
    mixed = combined(peak_on_flat(x.tolist(), 60.0, 0.0, 1.0), as_hs3(other))
    edges = np.linspace(0.0, 1.0, 3001)
    signal = 10.0 * np.diff(scipy.stats.norm.cdf(edges, 0.5, 0.02))
    bins = counting(signal.tolist(), [60.0 / 3000] * 3000, np.histogram(x, edges)[0].tolist())
    bins["channels"][0]["name"] = bins["observations"][0]["name"] = "peak"
    for key in ("channels", "observations"):
        bins[key] += other[key]
    plain = compile_workspace(read_workspace(json.dumps(bins).encode()))
    one, two = (upper_limit(model, model.observation) for model in (mixed, plain))
    assert one.observed == pytest.approx(two.observed, rel=1e-3)
    assert one.expected[2] == pytest.approx(two.expected[2], rel=1e-3)


def test_gradient_and_hessian_are_those_of_differences() -> None:
    """By shared and own parameters, Gaussian and Poisson constraints included."""
    model = usual()
    data, auxdata = model.stack([model.observation])
    aux = auxdata[0] + 0.1
    rng = np.random.default_rng(2)
    point = model.inits + 0.05 * rng.normal(size=model.n_parameters)
    value, gradient, hessian = model.derivatives(point, data, aux)
    assert math.isfinite(value)
    for p in range(model.n_parameters):
        step = 1e-4 * max(abs(point[p]), 0.1)
        ends = [point.copy(), point.copy()]
        ends[0][p] -= step
        ends[1][p] += step
        low, high = (model.derivatives(end, data, aux) for end in ends)
        assert gradient[p] == pytest.approx((high[0] - low[0]) / (2 * step), rel=1e-4, abs=1e-4)
        slope = (high[1] - low[1]) / (2 * step)
        np.testing.assert_allclose(hessian[p], slope, rtol=1e-4, atol=1e-3)


def test_likelihoods_differ_as_those_of_the_parts() -> None:
    """Twice the negative logarithm of the density changes by what the evaluator says."""
    model = usual()
    data, auxdata = model.stack([model.observation])
    rng = np.random.default_rng(4)
    points = model.inits + 0.1 * rng.normal(size=(5, model.n_parameters))
    values = model.values_at(points, data, auxdata[0]).value
    densities = [model.log_density(point, model.observation) for point in points]
    np.testing.assert_allclose(np.diff(values), -np.diff(densities), rtol=1e-8)


def test_a_constraint_that_both_have_counts_once() -> None:
    """alpha is held by the document of events and by a normsys: its error alone stays 1."""
    model = usual()
    names = model.parameter_names
    assert names.count("alpha") == 1
    aux = model.stack([model.observation])[1][0]
    asimov = model.asimov(model.inits)
    at = names.index("alpha")
    hessian = model.derivatives(model.inits, model.stack([asimov])[0], aux)[2]
    without = model.with_observation(asimov)
    moved = aux.copy()
    moved[at] += 1.0
    first = without.derivatives(model.inits, model.stack([asimov])[0], moved)[0]
    assert first == pytest.approx(0.5, abs=1e-9)
    assert hessian[at, at] > 1.0


def test_toys_are_certified_and_centred() -> None:
    """200 toys with auxiliary data of their own: fits end, the mean pull is near zero."""
    model = usual()
    point = model.inits.copy()
    data, auxdata = model.throw(point, np.random.default_rng(1), 200)
    batch = fit_batch(model, data, auxdata, options=FitOptions(threads=1))
    assert batch.converged.all()
    nb = model.parameter_index("nb")
    estimates = batch.parameters[:, nb]
    assert abs(estimates.mean() - point[nb]) < 5.0 * estimates.std() / math.sqrt(200)
    poisson = model.parameter_index("bins_0")
    tau = model.parameters[poisson].width
    scatter = auxdata[:, poisson]
    assert abs(scatter.mean() - tau) < 5.0 * math.sqrt(tau / 200)


def test_a_test_with_toys_agrees_with_the_asymptotic_one() -> None:
    model = usual()
    few = ToyOptions(n_toys=1000, seed=2)
    toys = hypotest(model, model.observation, 0.5, calculator="toys", toys=few)
    plain = hypotest(model, model.observation, 0.5)
    assert toys.clsb is not None
    assert plain.clsb is not None
    assert toys.clsb.value == pytest.approx(plain.clsb.value, abs=0.05)


def test_a_bin_with_events_that_nobody_expects_is_named() -> None:
    bins = counting([4.0, 1.0], [5.2, 0.0], [7.0, 2.0])
    model = combined(events_document(), as_hs3(bins))
    with pytest.raises(ImpossibleDataError, match=r"channel 'count', bin 1.*has 2 event"):
        upper_limit(model, model.observation)


def test_other_channels_and_counts_alone_are_refused() -> None:
    model = usual()
    with pytest.raises(OptionError, match="not counts alone"):
        model.lanes_of(np.zeros((1, 3)))
    with pytest.raises(OptionError, match="events and the counts"):
        model.lanes_of(model.events.stack([model.events.observation])[0])


def test_data_are_placed_in_their_part() -> None:
    """Events first, then bins with events, each named by its channel."""
    model = usual()
    data, _ = model.stack([model.observation])
    rates = model.rates_at_data(model.inits[np.newaxis], data)
    n = rates.rates.shape[1]
    assert rates.weights.sum() == model.observation.counts.sum()
    assert model.place_of_datum(data, 0).startswith("event 0 of channel 'model'")
    assert model.place_of_datum(data, n - 1) == "bin 1 of channel 'SR', which has 31 events"
    total = model.expected_rates(model.inits).sum()
    assert rates.total[0] == pytest.approx(total, rel=1e-9)


def test_the_signal_is_known_in_both_parts() -> None:
    """alpha acts on the signal here and there; the shape of the background acts on none."""
    model = usual()
    uses = dict(zip(model.parameter_names, model.uses(), strict=True))
    assert uses["alpha"].on_signal
    assert uses["alpha"].in_expression
    assert not uses["tilt"].on_signal
    assert uses["bins_0"].linear
    assert not uses["c"].on_signal
    assert model.scales_signal(model.parameter_index("mu"))
    assert not model.scales_signal(model.parameter_index("alpha"))
    assert not model.scales_signal(model.parameter_index("nb"))


def test_a_parameter_without_value_is_named() -> None:
    document = json.loads(json.dumps(joined(events_document(), as_hs3(binned_document())).document))
    (point,) = document["parameter_points"]
    point["parameters"] = [one for one in point["parameters"] if one["name"] != "tilt"]
    with pytest.raises(DocumentError, match="parameter 'tilt' of the HistFactory channels"):
        compile_likelihood(Hs3Document.from_document(document, "both"))


def test_another_parameter_of_interest_and_range() -> None:
    """They change the digest, and nothing else but what they say."""
    model = usual()
    other = model.with_poi("nb")
    assert other.poi_name == "nb"
    assert other != model
    wide = model.with_range("mu", -1.0, 5.0)
    assert (wide.lower[0], wide.upper[0]) == (-1.0, 5.0)
    assert wide != model
    assert hash(model) == hash(usual())
