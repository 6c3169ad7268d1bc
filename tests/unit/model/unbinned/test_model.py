"""The compiled unbinned model: densities, derivatives, Asimov data, toys, refusals."""

from __future__ import annotations

import copy
import math
import warnings
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from darkstats.errors import DocumentError, FitFailedError, OptionError, UnknownNameError
from darkstats.fit import fit, fit_batch
from darkstats.model import Observation
from darkstats.model.unbinned import fixed
from darkstats.model.unbinned.analyses import compile_hs3
from darkstats.model.unbinned.model import UnbinnedModel
from darkstats.model.unbinned.observed import observed_events
from darkstats.model.unbinned.tables import density_at
from darkstats.workspace.hs3 import Hs3Document
from darkstats.workspace.hs3.event_files import EventTable
from unbinned_models import DOCUMENTS, bernstein, bump, compiled, crystal_ball, joint, plane, thrown

ALL = pytest.mark.parametrize("name", DOCUMENTS)


def away(model: UnbinnedModel, seed: int = 0) -> np.ndarray:
    """A point within the ranges, not the starting one."""
    rng = np.random.default_rng(seed)
    point = model.inits * (1.0 + 0.1 * rng.uniform(-1.0, 1.0, model.n_parameters))
    point += 0.05 * rng.uniform(-1.0, 1.0, model.n_parameters) * (model.inits == 0.0)
    return np.clip(point, model.lower + 1e-6, model.upper - 1e-6)


@ALL
def test_densities_integrate_to_the_yields(name: str) -> None:
    """The sum over the fine grid is the expected number of events, away from the start, too."""
    model = compiled(DOCUMENTS[name]())
    point = away(model)
    observation = model.asimov(point)
    at = 0.0
    for channel, count in zip(model.channels, observation.counts, strict=True):
        expected = sum(float(c.expected.at(point)) for c in channel.components)
        assert count == pytest.approx(expected, rel=1e-9)
        at += count
    assert at > 0.0


@ALL
def test_kernel_agrees_with_the_plain_density(name: str) -> None:
    """Differences of the kernel's value equal differences of the log density in plain NumPy."""
    model = compiled(DOCUMENTS[name]())
    observation = thrown(model, model.inits, seed=3)
    data, auxdata = model.stack([observation])
    points = [away(model, seed) for seed in range(4)]
    kernel = [model.derivatives(point, data, auxdata[0])[0] for point in points]
    plain = [-model.log_density(point, observation) for point in points]
    np.testing.assert_allclose(np.diff(kernel), np.diff(plain), rtol=1e-10, atol=1e-9)


@ALL
def test_derivatives_agree_with_differences(name: str) -> None:
    """Gradient by differences of values, Hessian by differences of gradients."""
    model = compiled(DOCUMENTS[name]())
    observation = thrown(model, model.inits, seed=4)
    data, auxdata = model.stack([observation])
    point = away(model, 5)
    _, gradient, hessian = model.derivatives(point, data, auxdata[0])
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-12)
    for p in range(model.n_parameters):
        h = 1e-5 * max(abs(point[p]), 1e-2)
        step = h * np.eye(model.n_parameters)[p]
        up, down = (model.derivatives(point + s, data, auxdata[0]) for s in (step, -step))
        scale = math.sqrt(max(abs(hessian[p, p]), 1e-12))
        assert gradient[p] == pytest.approx((up[0] - down[0]) / (2 * h), rel=1e-6, abs=1e-5 * scale)
        curve = (up[1] - down[1]) / (2 * h)
        sizes = np.sqrt(np.abs(np.diag(hessian))) * scale
        assert np.abs((hessian[p] - curve) / np.maximum(sizes, 1e-12)).max() < 2e-5


def test_the_likelihood_is_what_its_formula_says() -> None:
    """Written out for a Gaussian on an exponential with SciPy, constraint included."""
    model = compiled(bump())
    x = np.array([0.1, 0.45, 0.52, 0.9])
    observation = model.observe([x[None, :]])
    mu, nb, c, alpha = 1.3, 12.0, 1.7, 0.4
    width, ns = 0.05 * (1 + 0.1 * alpha), mu * 50 * math.exp(0.1 * alpha)
    inside = stats.norm.cdf(1.0, 0.5, width) - stats.norm.cdf(0.0, 0.5, width)
    density = ns * stats.norm.pdf(x, 0.5, width) / inside
    density += nb * c * np.exp(-c * x) / (1 - math.exp(-c))
    expected = np.log(density).sum() - ns - nb + stats.norm.logpdf(0.0, alpha, 1.0)
    point = np.array([mu, nb, c, alpha])
    assert model.log_density(point, observation) == pytest.approx(expected, rel=1e-14)
    # relative to a uniform density of as many events
    data, auxdata = model.stack([observation])
    value, _, _ = model.derivatives(point, data, auxdata[0])
    uniform = 4 * math.log(4.0) - 4.0
    pull = -0.5 * math.log(2 * math.pi)
    assert value == pytest.approx(uniform - (expected - pull), rel=1e-12)


def test_two_observables_are_normalised_by_brute_force() -> None:
    """The density of the plane integrates to its yields by SciPy's Simpson rule."""
    model = compiled(plane())
    point = away(model)
    channel = model.channels[0]

    x, y = np.linspace(0.0, 1.0, 401), np.linspace(0.0, 3.0, 401)
    mesh = np.stack([part.ravel() for part in np.meshgrid(x, y, indexing="ij")])
    heights = density_at(channel, point[None, :], mesh)[0].reshape(401, 401)
    total = integrate.simpson(integrate.simpson(heights, y, axis=1), x)
    assert total == pytest.approx(point[0] + point[1], rel=1e-5)


@ALL
def test_asimov_data_have_their_minimum_at_the_truth(name: str) -> None:
    """Value zero, gradient zero, positive curvature: every estimate equals its true value."""
    model = compiled(DOCUMENTS[name]())
    point = away(model, 7)
    observation = model.asimov(point)
    data, auxdata = model.stack([observation])
    value, gradient, hessian = model.derivatives(point, data, auxdata[0])
    assert abs(value) < 1e-7
    scaled = gradient / np.sqrt(np.diag(hessian))
    assert np.abs(scaled).max() < 1e-5
    result = fit(model, observation, start=model.inits)
    errors = 1.0 / np.sqrt(np.diag(hessian))
    assert np.abs((result.parameters - point) / errors).max() < 1e-4
    assert abs(result.twice_nll) < 1e-8


@ALL
def test_toys_are_what_the_model_says(name: str) -> None:
    """Numbers of events are Poisson, and fits of toys are unbiased (4.5 standard errors)."""
    model = compiled(DOCUMENTS[name]())
    n = 300
    data, auxdata = model.throw(model.inits, np.random.default_rng(11), n)
    expected = [
        sum(float(c.expected.at(model.inits)) for c in ch.components) for ch in model.channels
    ]
    error = np.sqrt(np.array(expected) / n)
    assert (np.abs(data.totals.mean(axis=0) - expected) < 4.5 * error).all()
    batch = fit_batch(model, data, auxdata, start=model.inits)
    assert batch.n_failed == 0
    assert batch.edm.max() <= 1e-9
    at_truth = np.array([model.derivatives(model.inits, data[k], auxdata[k])[0] for k in range(20)])
    assert (2.0 * at_truth >= batch.twice_nll[:20] - 1e-9).all()
    if name in ("bump", "plane"):
        background = model.parameter_index("nb")
        fitted = batch.parameters[:, background]
        spread = fitted.std() / math.sqrt(n)
        assert abs(fitted.mean() - model.inits[background]) < 4.5 * spread


def test_a_lane_does_not_see_the_others() -> None:
    """The same bits alone, in any batch, in any order, for any number of threads."""
    model = compiled(bernstein())
    data, auxdata = model.throw(model.inits, np.random.default_rng(2), 20)
    from darkstats.fit import FitOptions

    whole = fit_batch(model, data, auxdata, start=model.inits, options=FitOptions(threads=1))
    again = fit_batch(model, data, auxdata, start=model.inits, options=FitOptions(threads=3))
    np.testing.assert_array_equal(whole.parameters, again.parameters)
    order = np.random.default_rng(0).permutation(20)
    mixed = fit_batch(model, data[order], auxdata[order], start=model.inits)
    np.testing.assert_array_equal(mixed.parameters, whole.parameters[order])
    np.testing.assert_array_equal(mixed.twice_nll, whole.twice_nll[order])
    alone = fit_batch(model, data[7], auxdata[7:8], start=model.inits)
    np.testing.assert_array_equal(alone.parameters[0], whole.parameters[7])


def test_bins_are_poisson_counts() -> None:
    """A binned channel beside unbinned ones has the Poisson likelihood of its template."""
    model = compiled(joint())
    observation = model.observation
    points = [model.inits, away(model, 3)]
    shape = np.array([5.0, 20.0, 3.0]) / 28.0
    counts = np.array([20.0, 70.0, 9.0])
    changes = []
    for point in points:
        rest = copy.deepcopy(joint())
        for part in ("distributions", "data"):
            rest["likelihoods"][0][part].pop()
        other = compiled(rest)
        poisson = stats.poisson.logpmf(counts, 0.1 * point[1] * shape).sum()
        total = model.log_density(point, observation)
        changes.append(total - other.log_density(point, other.observation) - poisson)
    np.testing.assert_allclose(changes, 0.0, atol=1e-9)


def test_many_events_are_as_many_single_ones() -> None:
    """Events with weight two count as two events each."""
    model = compiled(bump())
    x = np.random.default_rng(0).uniform(size=(1, 50))
    twice = model.observe([np.concatenate([x, x], axis=1)])
    weighted = model.observe([x], [np.full(50, 2.0)])
    point = away(model)
    values = []
    for one in (twice, weighted):
        data, auxdata = model.stack([one])
        values.append(model.derivatives(point, data, auxdata[0])[0])
    a, b = values
    assert a == pytest.approx(b, rel=1e-12)


def test_no_event_at_all_is_an_observation() -> None:
    """The likelihood of an empty data set is that of no event expected."""
    model = compiled(bump())
    result = fit(model, model.observation)
    assert result.value("nb") == 0.0
    assert result.value("mu") == 0.0
    assert result.twice_nll == pytest.approx(0.0, abs=1e-9)
    assert {"mu", "nb"} <= set(result.at_bound)


def test_a_density_that_cannot_hold_an_event_is_no_minimum() -> None:
    """Where a start gives an event no density the fit recovers or fails, and has no value then."""
    model = compiled(crystal_ball())
    observation = thrown(model, model.inits)
    data, auxdata = model.stack([observation])
    start = model.inits.copy()
    start[model.parameter_index("ns")] = 0.0
    start[model.parameter_index("c1")] = 1.0
    start[model.parameter_index("c2")] = 1.0  # negative around the middle
    value, _, _ = model.derivatives(start, data, auxdata[0])
    assert value == math.inf
    batch = fit_batch(model, data, auxdata, start=start)
    assert batch.converged.all()
    assert batch.rung[0] > 0
    held = fit_batch(
        model, data, auxdata, start=start, poi_values=0.0, fixed={"c1": 1.0, "c2": 1.0}
    )
    assert not held.converged.any()
    assert np.isnan(held.twice_nll).all()


def test_a_negative_density_between_the_events_is_said() -> None:
    """A polynomial that dips below zero where no event lies converges, with a warning."""
    document = crystal_ball()
    document["domains"][0]["axes"][3]["max"] = 2.5
    model = compiled(document)
    x = np.concatenate([np.linspace(0.01, 0.2, 40), np.linspace(0.8, 0.99, 40)])
    result = fit(
        model,
        model.observe([x[None, :]]),
        fixed={
            n: float(v)
            for n, v in zip(model.parameter_names, model.inits, strict=True)
            if n not in ("nb", "c1", "c2", "ns")
        },
    )
    assert any("density is negative" in warning for warning in result.warnings)


def test_toys_with_a_negative_yield_follow_the_density() -> None:
    """A peak that takes events away leaves a dip, with the right number of events in it.

    The likelihood of the dip is that of its density: thrown events are Poisson in every bin.
    """
    model = compiled(bump())
    point = model.inits
    point[model.require_poi()] = -0.8  # 40 of 1,000 events taken away
    n_toys, edges = 400, np.linspace(0.0, 1.0, 26)
    lanes, _ = model.throw(point, np.random.default_rng(7), n_toys)
    (events,) = model.lanes_of(lanes).channels
    counts = np.histogram(events.x[0][events.weights > 0.0], edges)[0]
    fine = 0.5 * (np.linspace(0.0, 1.0, 2501)[1:] + np.linspace(0.0, 1.0, 2501)[:-1])
    density = density_at(model.channels[0], point[None, :], fine[None, :])[0]
    expected = n_toys * density.reshape(25, 100).mean(axis=1) * np.diff(edges)
    assert expected.sum() == pytest.approx(n_toys * 960.0, rel=1e-4)
    assert stats.chi2.sf(((counts - expected) ** 2 / expected).sum(), 25) > 1e-3


def test_no_toys_are_drawn_of_a_negative_density() -> None:
    """Where more is taken away than is there, nothing is thrown: the yield and the part are named.

    Without any event that could be thrown, too.
    """
    model = compiled(bump())
    point = model.inits
    for strength, events in ((-10.0, 1000.0), (-1.0, 0.0)):
        point[model.require_poi()], point[model.parameter_index("nb")] = strength, events
        with pytest.raises(OptionError, match=r"-\d+ events of 'sig': the density is negative"):
            model.throw(point, np.random.default_rng(7), 3)


def test_streams_have_a_size_that_fits_in_memory() -> None:
    """Blocks of toys shrink with the number of events, by powers of two."""
    document = bump()
    assert compiled(document).toys_per_block == 512
    document["parameter_points"][0]["parameters"][1]["value"] = 9e4
    assert compiled(document).toys_per_block == 8


def test_asimov_data_hold_a_narrow_generic_peak() -> None:
    """Ten events in a peak of a thousandth of the range, on two hundred: all are there."""
    document = replaced(
        bump(), "sig", type="generic_dist", expression="exp(-0.5*((x-0.4217)/0.0008)**2)"
    )
    model = compiled(document)
    point = np.array([0.2, 200.0, 2.0, 0.0])
    assert model.asimov(point).counts.sum() == pytest.approx(210.0, rel=1e-9)


def test_a_constant_can_be_chosen_and_a_poi_too() -> None:
    """A mass is a constant of the document; another value gives another model and digest."""
    document = Hs3Document.from_document(bernstein())
    model = compile_hs3(document, constants={"m0": 0.7})
    assert model.digest != compile_hs3(document).digest
    expected = [
        float(slot.at(np.empty((1, 6)))[0]) for slot in model.channels[0].groups[1][0].slots[:1]
    ]
    assert expected == [0.7]
    other = compile_hs3(document, poi="n_peak")
    assert other.poi_name == "n_peak"
    with pytest.raises(UnknownNameError, match="ns"):
        compile_hs3(document, poi="nothing")
    with pytest.raises(UnknownNameError):
        compile_hs3(document, constants={"mass": 1.0})


def replaced(document: dict[str, Any], name: str, **values: Any) -> dict[str, Any]:
    """A copy in which one distribution is another."""
    result = copy.deepcopy(document)
    for item in result["distributions"]:
        if item["name"] == name:
            item.update(values)
    return result


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "bkg", "type": "landau_dist"}, "does not read"),
        ({"name": "bkg", "type": "gaussian_dist", "x": "q"}, "no axis of the data"),
        ({"name": "sig", "sigma": -0.1}, "readers disagree|positive"),
        ({"name": "sig", "sigma": "unknown"}, "no parameter, function or observable"),
        ({"name": "model", "extended": False}, "not extended"),
        ({"name": "bkg", "type": "generic_dist", "expression": "exp(-c*x)"}, "not linear"),
        (
            {"name": "bkg", "type": "bernstein_poly_dist", "x": "x", "coefficients": []},
            "no coefficients",
        ),
        ({"name": "constraint", "type": "poisson_dist"}, "constraints are Gaussian"),
        ({"name": "constraint", "mean": "nsig"}, "function of|one floating parameter"),
        ({"name": "constraint", "sigma": 0.0}, "has the width 0"),
        ({"name": "sig", "type": "crystalball_dist", "m": "x"}, "has no m0"),
    ],
)
def test_what_cannot_be_said_is_refused(changes: dict[str, Any], message: str) -> None:
    """Each refusal names the distribution and the reason."""
    name = changes.pop("name")
    with pytest.raises(DocumentError, match=message):
        compiled(replaced(bump(), name, **changes))


def test_bernstein_is_read_only_where_all_readers_agree() -> None:
    """On [0, 1] ROOT and pyhs3 mean the same polynomial; elsewhere the file is refused."""
    document = replaced(
        bump(), "bkg", type="bernstein_poly_dist", x="x", coefficients=[1.0, "c", 2.0]
    )
    model = compiled(document)
    point = np.array([0.0, 100.0, 3.0, 0.0])
    x = np.linspace(0.0, 1.0, 7)
    found = density_at(model.channels[0], point[None, :], x[None, :])[0]
    expected = (1 - x) ** 2 + 3.0 * 2 * x * (1 - x) + 2.0 * x**2
    np.testing.assert_allclose(found, 100.0 * expected / 2.0, rtol=1e-12)
    document["data"][0]["axes"][0]["max"] = 2.0
    with pytest.raises(DocumentError, match="two things"):
        compiled(document)


def test_rows_of_unknown_channels_are_refused() -> None:
    """A misspelt channel would lose its events: both lists of names are shown."""
    model = compiled(bump())
    x = np.array([0.2, 0.5, 0.7])

    def table(*channels: str) -> EventTable:
        return EventTable(source="e.npz", sha256="", columns={"x": x}, channel=channels)

    observation, notes = observed_events(model, table("model", "model", "model"))
    assert observation.counts.sum() == 3.0
    assert notes == []
    for empty in (False, True):
        with pytest.raises(DocumentError, match=r"'Model'.*1 of 3.*channels.*'model'"):
            observed_events(model, table("model", "model", "Model"), empty=empty)


def test_rows_of_another_analysis_are_noted() -> None:
    """A file may hold the channels of all analyses of a document; what is left out is said."""
    document = bump()
    other = copy.deepcopy(document["distributions"][0])
    document["distributions"].append({**other, "name": "second"})
    document["data"].append({**copy.deepcopy(document["data"][0]), "name": "more"})
    document["likelihoods"].append({"name": "l2", "distributions": ["second"], "data": ["more"]})
    table = EventTable(
        source="e.npz",
        sha256="",
        columns={"x": np.array([0.2, 0.5, 0.7])},
        channel=("model", "second", "second"),
    )
    observation, notes = observed_events(compiled(document), table)
    assert observation.counts.sum() == 1.0
    assert notes == ["2 of 3 events are of the channels 'second' of other analyses"]


def test_counts_and_events_are_not_mixed_up(example_workspaces: dict[str, Any]) -> None:
    """A HistFactory model refuses events, an unbinned one refuses counts."""
    from darkstats.model import compile_workspace
    from darkstats.workspace import read_workspace

    binned = compile_workspace(read_workspace(example_workspaces["two_bins"]))
    model = compiled(bump())
    with pytest.raises(OptionError, match="needs counts"):
        fit_batch(binned, model.observation.events, np.zeros((1, binned.n_parameters)))
    with pytest.raises(OptionError, match="needs events"):
        fit_batch(model, np.ones((1, 2)), np.zeros((1, 4)))
    with pytest.raises(OptionError, match="needs events"):
        model.log_density(model.inits, Observation(counts=np.ones(1), auxdata=np.zeros(4)))


def test_the_integral_of_a_shape_of_numbers_is_computed_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was computed at each step, which was half the time of a fit that is refused."""
    document = crystal_ball()
    document["domains"][0]["axes"] = [
        axis for axis in document["domains"][0]["axes"] if axis["name"] in ("ns", "nb", "c1", "c2")
    ]
    for parameter in document["parameter_points"][0]["parameters"]:
        parameter["const"] = parameter["name"] not in ("ns", "nb", "c1", "c2")
    model = compiled(document)
    observation = thrown(model, model.inits)
    calls = []
    sound = fixed.integral_jet
    monkeypatch.setattr(fixed, "integral_jet", lambda *given: calls.append(1) or sound(*given))
    data, auxdata = model.stack([observation])
    value, _, _ = model.derivatives(model.inits, data, auxdata[0])
    assert math.isfinite(value)
    assert calls == []
    (shape,) = [
        function
        for component in model.channels[0].components
        for factor in component.linear
        for _, function in factor
        if isinstance(function, fixed.Shape)
    ]
    grid = np.linspace(0.0, 1.0, 200_001)
    plain = np.trapezoid(shape.values(grid[None, :]), grid)
    assert shape.integral == pytest.approx(float(plain), rel=1e-8)


def test_an_event_does_not_count_in_two_channels() -> None:
    """Rows that name no channel, in the ranges of two: refused, unless the ranges part them."""
    document = bump()
    second = {**copy.deepcopy(document["distributions"][0]), "name": "second"}
    document["distributions"].append(second)
    document["data"].append({**copy.deepcopy(document["data"][0]), "name": "more"})
    likelihood = document["likelihoods"][0]
    likelihood["distributions"].append("second")
    likelihood["data"].append("more")
    x = np.array([0.2, 0.5, 0.7])
    table = EventTable(source="e.npz", sha256="", columns={"x": x})
    with pytest.raises(DocumentError, match=r"3 events in the ranges of both .*'channel'"):
        observed_events(compiled(document), table)
    named = EventTable(
        source="e.npz", sha256="", columns={"x": x}, channel=("model", "second", "model")
    )
    observation, _ = observed_events(compiled(document), named)
    assert observation.counts.tolist() == [2.0, 1.0]


def test_a_constraint_far_away_overflows_in_silence() -> None:
    """Minimisers may look at any number; an infinite likelihood is told by its value alone."""
    document = bump()
    for domain in document["domains"]:
        for axis in domain["axes"]:
            if axis["name"] == "alpha":
                axis |= {"min": -1e300, "max": 1e300}
    model = compiled(document)
    observation = thrown(model, model.inits)
    data, auxdata = model.stack([observation])
    point = model.inits.copy()
    point[model.parameter_index("alpha")] = -1e200
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value = model.derivatives(point, data, auxdata[0])[0]
    assert math.isinf(value)


def test_a_constraint_without_width_is_no_error_of_arithmetic() -> None:
    """The inverse square of a tiny width is infinite: no fit can be certified, and it is said."""
    document = bump()
    for one in document["distributions"]:
        if one["name"] == "constraint":
            one["sigma"] = 1e-200
    model = compiled(document)
    with pytest.raises(FitFailedError):
        fit(model, thrown(model, model.inits))
