"""Cuts chosen by the limit that the fit expects: closed forms, peers, and what Punzi's misses."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import darkstats
from darkstats.searches.fit_cuts import FitBins, asimov_limit, share_of_information
from darkstats.searches.optimise import Optimisation
from darkstats.searches.products import SimulatedSamples
from darkstats.searches.recoil_hunt import RecoilHunt, build_recoil_hunt
from darkstats.searches.recoil_windows import RecoilWidths
from darkstats.searches.smooth_cuts import cut_of
from darkstats.workspace import Workspace
from simulated_rows import rows_of

LUMINOSITY = 100.0
Z = 1.6448536269514722
contents = st.floats(1e-3, 1e3)


def test_limits_of_many_and_of_no_events_are_the_known_ones():
    flat = np.full(4, 1e8)
    assert asimov_limit(np.full(4, 0.25), flat) == pytest.approx(Z * 2e4, rel=1e-3)
    # q = 2 mu s without background
    assert asimov_limit(np.array([2.0]), np.array([1e-30])) == pytest.approx(Z**2 / 4.0, rel=1e-6)
    assert asimov_limit(np.zeros(3), np.ones(3)) == math.inf


@given(st.lists(st.tuples(contents, contents), min_size=1, max_size=8))
def test_the_limit_is_the_root_of_its_equation(bins):
    signal, background = np.array(bins).T
    mu = asimov_limit(signal, background)
    q = 2.0 * np.sum(mu * signal - background * np.log1p(mu * signal / background))
    assert q == pytest.approx(Z**2, rel=1e-6)


def test_the_limit_is_what_the_package_expects_where_the_background_is_known():
    signal, background = [1.0, 3.0, 0.5], [4.0, 9.0, 30.0]
    document = {
        "channels": [
            {
                "name": "window",
                "samples": [
                    {
                        "name": "signal",
                        "data": signal,
                        "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
                    },
                    {"name": "background", "data": background, "modifiers": []},
                ],
            }
        ],
        "observations": [{"name": "window", "data": background}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }
    model = darkstats.compile_workspace(Workspace.from_document(document))
    limit = darkstats.upper_limit(model, model.observation, cl=0.90, scan_points=0, probe=False)
    found = asimov_limit(np.array(signal), np.array(background))
    assert limit.expected[2] == pytest.approx(found, rel=1e-4)


@given(st.floats(0.1, 1e4), st.floats(0.01, 0.9), st.floats(0.0, 100.0))
def test_an_error_on_one_count_adds_to_its_variance(background, error, variance):
    found = share_of_information(
        np.array([1.0]), np.array([background]), np.array([variance]),
        np.array([[error * background]]),
    )  # fmt: skip
    total = background + variance + (error * background) ** 2
    assert found == pytest.approx(background / total, rel=1e-9)


def test_the_edges_of_a_window_measure_the_yield():
    """Two bins with one background: ten times as much beside the signal as below it."""
    signal, background = np.array([1.0, 0.0]), np.array([1e4, 1e5])
    nothing = np.zeros(2)
    known = share_of_information(signal, background, nothing, np.zeros((0, 2)))
    assert known == pytest.approx(1.0)
    with_error = share_of_information(signal, background, nothing, 10.0 * background[None, :])
    assert with_error == pytest.approx(10.0 / 11.0, rel=1e-4)
    # without the edge an error of ten hides the signal
    alone = share_of_information(
        signal[:1], background[:1], nothing[:1], 10.0 * background[None, :1]
    )
    assert alone < 1e-5


def test_one_error_of_two_processes_is_one_parameter():
    signal, parts = np.array([1.0]), np.array([[30.0], [70.0]])
    background = parts.sum(axis=0)
    together = share_of_information(signal, background, np.zeros(1), np.array([[0.1, 0.1]]) @ parts)
    apart = share_of_information(signal, background, np.zeros(1), np.diag([0.1, 0.1]) @ parts)
    assert together == pytest.approx(1.0 / (1.0 + 0.01 * 100.0))
    assert apart == pytest.approx(1.0 / (1.0 + 0.01 * (900.0 + 4900.0) / 100.0))


@given(st.integers(0, 1000))
def test_parameters_are_profiled_as_their_covariance_adds(seed):
    """Left is what the whole covariance of the counts leaves (Woodbury)."""
    rng = np.random.default_rng(seed)
    signal, background, variance = rng.uniform(0.1, 5.0, (3, 6))
    moved = rng.normal(size=(4, 6))
    covariance = np.diag(background + variance) + moved.T @ moved
    expected = signal @ np.linalg.solve(covariance, signal) / (signal**2 / background).sum()
    found = share_of_information(signal, background, variance, moved)
    assert found == pytest.approx(expected, rel=1e-9)


@given(st.integers(0, 1000))
def test_spectra_above_bounds_are_those_of_the_rows_that_pass(seed):
    rng = np.random.default_rng(seed)
    n = 50
    rows = rows_of(
        1.0, n, v=rng.uniform(0, 3, n).round(1), w=rng.uniform(0, 3, n).round(1),
        x=rng.uniform(-1, 5, n), recoil_theta_cm_rad=rng.uniform(0, math.pi, n),
    )  # fmt: skip
    scan = {"v": (0.0, 2.0, 1.0), "w": (0.5, 1.5)}
    asked = Optimisation(figure="fit", masses_gev=(1.0,), scan=scan)
    edges = np.linspace(0.0, 4.0, 5)
    bins = FitBins(
        grid=edges, window=lambda _: np.arange(5), theta_edges_deg=(0.0, 70.0, 180.0),
        kernels={}, widths=RecoilWidths(points=((0.1, 0.25), (5.0, 0.25))), variable="x",
        angle="recoil_theta_cm_rad", largest_simulation_error=math.inf, yields={},
    )  # fmt: skip
    weights = rng.uniform(0.5, 2.0, n)
    (found,) = bins.above_bounds(asked, rows, rows["x"], edges, (weights,))
    theta = np.radians(bins.theta_edges_deg)
    for k, (v, w) in enumerate(asked.combinations):
        kept = (rows["v"] > v) & (rows["w"] > w) & (rows["x"] < 4.0)
        place = (rows["recoil_theta_cm_rad"][kept], rows["x"][kept])
        expected = np.histogram2d(*place, bins=(theta, edges), weights=weights[kept])[0]
        np.testing.assert_allclose(found[k], expected, rtol=1e-12, atol=1e-12)


# A background in one of five bins of the angle only: the bound that removes it costs a quarter of
# the signal, the bin a fifth of it.
def simulated(n=200_000):
    rng = np.random.default_rng(5)
    background = rows_of(
        30.0, n, recoil_mass_squared_gev2=rng.uniform(-4.0, 24.0, n),
        recoil_theta_cm_rad=np.full(n, 0.1), v=rng.uniform(0.0, 1.0, n),
    )  # fmt: skip
    signals = {}
    for k, mass in enumerate((0.5, 1.0, 2.0, 3.0, 4.0, 4.6)):
        rng = np.random.default_rng(k)
        signals[mass,] = rows_of(
            1.0, 20_000, recoil_mass_squared_gev2=rng.normal(mass**2, 0.25, 20_000),
            recoil_theta_cm_rad=rng.uniform(0.0, math.pi, 20_000), v=rng.uniform(0.0, 4.0, 20_000),
        )  # fmt: skip
    return SimulatedSamples(backgrounds={"b": background}, signals=signals)


def hunt(figure):
    return RecoilHunt(
        luminosity_ipb=LUMINOSITY, asimov=True, layout="sliding", first_gev=1.0, high_gev=4.0,
        widths=RecoilWidths(points=((0.1, 0.25), (5.0, 0.25))), reference_pb=0.1,
        window_sigma=6.0, step_sigma=4.0, theta_edges_deg=(0.0, 36.0, 72.0, 108.0, 144.0, 180.0),
        systematics={"b": {"b_yield": 0.2}},
        optimise=Optimisation(
            figure=figure, masses_gev=(1.0, 2.0, 3.0, 4.0), scan={"v": (0.0, 0.5, 1.0)},
            cuts="smooth",
        ),
    )  # fmt: skip


def test_the_fit_keeps_signal_that_counts_would_cut():
    bounds, facts = {}, {}
    for figure in ("punzi", "fit"):
        product = build_recoil_hunt(hunt(figure), simulated(), rng=np.random.default_rng(1))
        (placed,) = product.sidecar["channels"]["recoil_angle"]["cuts"]
        bounds[figure] = set(cut_of(placed).above)
        facts[figure] = product.summary["optimisation"]["2"]
    assert bounds == {"punzi": {1.0}, "fit": {0.0}}
    # four of five bins are empty: 1.35 events in 0.8 of the signal, which is below ln 10 in all
    assert math.log(10.0) > Z**2 / 2.0 / 0.8
    figure = 1e3 * math.log(10.0) / LUMINOSITY
    assert facts["fit"]["figure_of_merit_fb"] == pytest.approx(figure, rel=0.02)
    assert facts["fit"]["efficiency"] == pytest.approx(1.0, abs=0.01)
    assert facts["fit"]["background_events"] == pytest.approx(30.0 * 100 * 3.0 / 28.0, rel=0.1)


def test_bounds_that_leave_no_signal_are_not_taken():
    settings = hunt("fit")
    asked = replace(settings.optimise, scan={"v": (9.0, 1.0)})
    product = build_recoil_hunt(
        replace(settings, optimise=asked), simulated(20_000), rng=np.random.default_rng(1)
    )
    (placed,) = product.sidecar["channels"]["recoil_angle"]["cuts"]
    assert set(placed["above"]) == {1.0}
