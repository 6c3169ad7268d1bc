"""Fits of non-negative templates to expected spectra: closed forms, optimality, certified fits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import darkstats
from darkstats.errors import NotCertifiedError
from darkstats.templates.bernstein import bernstein_averages
from darkstats.templates.positive_fit import expected_limit, fit_positive, spurious_signal

EDGES = np.linspace(0.0, 1.0, 61)
CENTRE = 0.5 * (EDGES[1:] + EDGES[:-1])
PEAK = np.exp(-0.5 * ((CENTRE - 0.4) / 0.03) ** 2)
PEAK /= PEAK.sum()


def test_one_template_has_the_total():
    """The likelihood of one free factor is largest where the totals agree."""
    shape, contents = np.array([0.2, 0.3, 0.5]), np.array([4.0, 1.0, 2.0])
    found = fit_positive(shape[None, :], contents)
    assert found.factors[0] == pytest.approx(7.0, rel=1e-6)
    rates = 7.0 * shape
    assert found.deviance == pytest.approx(
        2 * (contents * np.log(contents / rates)).sum(), rel=1e-9
    )


def test_a_template_that_would_be_negative_is_left_out():
    """Free fits of two bins by (1, 1) and (1, 0) would take -3 of the second for (1, 4)."""
    found = fit_positive(np.array([[1.0, 1.0], [1.0, 0.0]]), np.array([1.0, 4.0]))
    np.testing.assert_allclose(found.factors, [2.5, 0.0], rtol=1e-6, atol=1e-9)


@settings(deadline=None)
@given(
    st.integers(1, 8),
    st.lists(st.floats(1e-4, 50.0), min_size=12, max_size=40),
    st.floats(1e-3, 1e3),
)
def test_no_small_change_is_better(order, contents, scale):
    """At a maximum over c >= 0 slopes vanish where c > 0 and point inwards at zero (Karush)."""
    counts = scale * np.array(contents)
    rows = bernstein_averages(np.linspace(0.0, 1.0, len(counts) + 1), order)
    found = fit_positive(rows, counts)
    slopes = rows @ (1.0 - counts / found.rates)  # of minus the logarithm of the likelihood
    assert found.factors.min() >= 0.0
    total = counts.sum()
    # A gain of 1e-9 is left: slope^2 / curvature, with curvatures of order 1 / total.
    assert np.all(slopes >= -1e-3 / math.sqrt(total) * np.sqrt(1 + order))
    assert float(np.abs(slopes * found.factors).max()) < 1e-3 * math.sqrt(total) * (1 + order)


def test_contents_without_a_likelihood_are_told():
    """No template reaches a bin that has contents: nothing converges, and nothing is returned."""
    with pytest.raises(NotCertifiedError, match="cannot be fitted"):
        fit_positive(np.array([[1.0, 0.0]]), np.array([1.0, 1.0]))


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("events", [2.0, 300.0])
def test_a_polynomial_has_no_spurious_signal(order, events):
    """A sum of the templates is described by them: gains of 1e-9 leave 5e-5 deviations."""
    rows = bernstein_averages(EDGES, order)
    contents = events * np.linspace(0.2, 1.0, order + 1) @ rows
    assert abs(spurious_signal(rows, PEAK, contents)[1]) < 1e-3


def test_a_peak_is_found_and_a_dip_too():
    """Signals of +-3 events on 1000 have the estimate +-3 and nearly 3 over its error."""
    rows = bernstein_averages(EDGES, 3)
    base = 1000.0 * np.array([0.25, 0.3, 0.25, 0.2]) @ rows
    for events in (3.0, -3.0):
        estimate, sigma = spurious_signal(rows, PEAK, base + events * PEAK)
        assert estimate == pytest.approx(events, rel=1e-3)
        information = np.array([[(a * b / base).sum() for a in (*rows, PEAK)]
                                for b in (*rows, PEAK)])  # fmt: skip
        error = math.sqrt(np.linalg.inv(information)[-1, -1])
        assert sigma == pytest.approx(events / error, rel=0.02)  # third order: 3 of 60 events


def model_of(rows, signal, contents):
    samples = [
        {"name": "signal", "data": list(signal),
         "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]},
        *({"name": f"b{k}", "data": list(row),
           "modifiers": [{"name": f"c{k}", "type": "normfactor", "data": None}]}
          for k, row in enumerate(rows)),
    ]  # fmt: skip
    parameters = [{"name": "mu", "bounds": [[0.0, 1e3]], "inits": [1.0]}]
    parameters += [{"name": f"c{k}", "bounds": [[0.0, 1e5]], "inits": [contents.sum() / len(rows)]}
                   for k in range(len(rows))]  # fmt: skip
    document = {
        "channels": [{"name": "window", "samples": samples}],
        "observations": [{"name": "window", "data": list(contents)}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": parameters}}],
        "version": "1.0.0",
    }
    return darkstats.compile_workspace(darkstats.Workspace.from_document(document))


@pytest.mark.parametrize(("events", "order"), [(30.0, 2), (3000.0, 4)])
def test_certified_fits_find_the_same(events, order):
    """A bent spectrum: spurious signal and limit are those of the fits that results come from."""
    rows = bernstein_averages(EDGES, order)
    contents = events * CENTRE / (0.35 + CENTRE) * (1.0 - np.exp(-((CENTRE / 0.3) ** 4))) / 30.0
    model = model_of(rows, PEAK, contents)
    data, index = model.observation, model.parameter_index("mu")
    free, null = (
        darkstats.fit_batch(model, data.counts, data.auxdata, **bounds).require_converged()
        for bounds in ({"poi_lower": -np.inf, "poi_upper": np.inf}, {"poi_values": [0.0]})
    )
    estimate, sigma = spurious_signal(rows, PEAK, contents)
    assert estimate == pytest.approx(float(free.parameters[0, index]), rel=2e-3, abs=1e-4)
    deviance = float(null.twice_nll[0] - free.twice_nll[0])
    assert sigma**2 == pytest.approx(deviance, rel=1e-3, abs=1e-6)
    limit = darkstats.upper_limit(model, data, cl=0.95, scan_points=0, probe=False)
    assert expected_limit(rows, PEAK, contents) == pytest.approx(limit.expected[2], rel=2e-3)


def test_no_signal_no_limit():
    rows = bernstein_averages(EDGES, 2)
    with pytest.raises(NotCertifiedError, match="no signal disagrees"):
        expected_limit(rows, np.zeros(60), 10.0 * rows.sum(axis=0))
