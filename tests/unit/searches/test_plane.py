"""The plane of dimuon mass and recoil mass: ellipses, densities, hypotheses."""

import math
from types import MappingProxyType

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.searches.plane import PlaneScan, build_plane_scan
from darkstats.searches.plane_grid import PlaneGrid, Smoothed, rapidity_of, runs_of
from darkstats.searches.products import SimulatedSamples
from darkstats.signals.constants import CM_ENERGY_GEV
from darkstats.simulation.candidates import Candidates

STEP = (0.0045, 0.004)  # resolutions of ln M and of the rapidity


def resolutions(mass, higgs):
    """Sigma of M and of the squared recoil mass, and their correlation, by linear propagation."""
    s = CM_ENERGY_GEV
    cosh = (s**2 + mass**2 - higgs**2) / (2 * s * mass)
    along = STEP[0] * 2 * mass * (mass - s * cosh)
    across = STEP[1] * 2 * s * mass * math.sqrt(cosh**2 - 1)
    sigma = math.hypot(along, across)
    return mass * STEP[0], sigma, along / sigma


def sample(x, y, weight_pb):
    weights = np.full(len(x), weight_pb)
    return Candidates(
        columns=MappingProxyType({"m_ll_gev": x, "recoil_mass_squared_gev2": y}),
        weight_pb=weights,
        n_generated=len(x),
        sum_weight_pb=float(weights.sum()),
        sum_weight_squared_pb2=float((weights**2).sum()),
    )


def signal(mass, higgs, seed):
    rng = np.random.default_rng(seed)
    u, v = rng.standard_normal((2, 20_000))
    x = mass * np.exp(STEP[0] * u)
    centre = rapidity_of(np.array([mass]), np.array([higgs**2]))
    energy = x * np.cosh(centre + STEP[1] * v)
    return sample(x, CM_ENERGY_GEV**2 + x**2 - 2 * CM_ENERGY_GEV * energy, 1.0)


def signals():
    found = {}
    for i, mass in enumerate((4.0, 5.0, 6.0)):
        for j, fraction in enumerate((0.1, 0.5, 0.9)):
            higgs = fraction * min(mass, CM_ENERGY_GEV - mass)
            found[mass, higgs] = signal(mass, higgs, 10 * i + j)
    return found


def background(n=400_000):
    rng = np.random.default_rng(5)
    return sample(rng.uniform(3.0, 7.0, n), rng.uniform(-5.0, 40.0, n), 18.0)


def scan(**more):
    settings = {
        "luminosity_ipb": 100.0,
        "asimov": False,
        "low_gev": 4.2,
        "high_gev": 4.4,
        "step_sigma": 2.0,
        "reference_pb": 0.1,
    }
    return PlaneScan(**(settings | more))


def built(settings, backgrounds, simulated):
    return build_plane_scan(
        settings,
        SimulatedSamples(backgrounds=backgrounds, signals=simulated),
        rng=np.random.default_rng(1),
    )


@pytest.fixture(scope="module")
def product():
    return built(scan(), {"flat": background()}, signals())


def test_ellipses_follow_the_resolutions(product):
    for window in product.sidecar["windows"].values():
        sigma_x, sigma_y, rho = resolutions(*window["mass_gev"])
        assert window["sigma"][0] == pytest.approx(sigma_x, rel=0.03)
        # between simulated masses, 1 GeV apart, widths are interpolated linearly
        assert window["sigma"][1] == pytest.approx(sigma_y, rel=0.10)
        assert window["correlation"] == pytest.approx(rho, abs=0.05)


def test_two_sigma_hold_86_per_cent(product):
    expected = 1.0 - math.exp(-2.0)
    found = [window["efficiency"] for window in product.sidecar["windows"].values()]
    assert np.mean(found) == pytest.approx(expected, rel=0.01)
    assert np.std(found) < 0.03  # ellipses are made of whole cells


def test_a_flat_plane_gives_every_ellipse_its_area(product):
    density = 100.0 * 18.0 / (4.0 * 45.0)  # events per GeV^3
    ratios, rings = [], []
    for patch in product.patches:
        window = product.sidecar["windows"][patch.name]
        area = 4.0 * math.pi * math.prod(window["sigma"])
        area *= math.sqrt(1.0 - window["correlation"] ** 2)
        channels = {c["name"]: c["samples"] for c in patch.operations[0]["value"]}
        ratios.append(channels["ellipse"][1]["data"][0] / (density * area))
        rings.append(channels["ring"][1]["data"][0] / (density * area * (36.0 - 9.0) / 4.0))
    assert np.mean(ratios) == pytest.approx(1.0, rel=0.04)
    assert np.mean(rings) == pytest.approx(1.0, rel=0.04)


def test_pseudo_data_are_whole_events(product):
    for patch in product.patches:
        for observation in patch.operations[1]["value"]:
            assert observation["data"][0] == int(observation["data"][0])


def test_steps_cover_the_plane_below_the_diagonal(product):
    masses = np.array([patch.values for patch in product.patches])
    assert np.all(masses[:, 1] < masses[:, 0])
    columns = np.unique(masses[:, 0])
    assert np.all(np.diff(columns) < 2.1 * STEP[0] * columns[1:])
    for mass in columns:
        higgs = masses[masses[:, 0] == mass][:, 1]
        steps = np.diff(higgs**2)
        assert np.all(steps < 2.15 * np.array([resolutions(mass, h)[1] for h in higgs[:-1]]))
        squares = higgs**2
        assert squares[-1] > (0.9 * mass) ** 2


def test_the_error_of_a_smoothed_sum_is_that_of_its_rows():
    """300 samples of the same density scatter as each of them says (error of 4 %)."""
    grid = PlaneGrid.over(4.2, 4.4, 0.004)
    columns, rows = grid.box((4.25, 4.35), (0.9, 1.0))
    inside = np.ones((columns.stop - columns.start, rows.stop - rows.start), dtype=bool)
    sums, errors = [], []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        n = rng.poisson(4000)
        rows_of = sample(rng.uniform(4.0, 4.6, n), rng.uniform(-5.0, 25.0, n), 1.0)
        smooth = Smoothed.of(grid, rows_of, np.full(n, 0.5), 3.0)
        sums.append(smooth.density()[columns, rows].sum())
        errors.append(math.sqrt(smooth.variance_of(columns, rows, inside)))
    assert np.mean(errors) == pytest.approx(np.std(sums), rel=0.15)
    plain = Smoothed.of(grid, rows_of, np.full(n, 0.5), 0.0)
    raw = plain.density()[columns, rows].sum()
    assert plain.variance_of(columns, rows, inside) == pytest.approx(0.5 * raw)


def test_smoothing_keeps_the_total():
    grid = PlaneGrid.over(4.2, 4.4, 0.004)
    events = background(3000)
    weights = np.linspace(0.5, 1.5, 3000)
    smooth = Smoothed.of(grid, events, weights, 3.0)
    assert smooth.density().sum() == pytest.approx(smooth.counts.sum())


def test_cells_know_the_recoil_mass():
    """Mass and rapidity of a cell give back the recoil mass squared of an event in its centre."""
    grid = PlaneGrid.over(4.0, 9.0, 0.01)
    columns, rows = slice(3, 60), slice(5, 90)
    recoil = grid.recoil_squared_gev2(columns, rows)
    mass = np.broadcast_to(grid.masses_gev[columns, None], recoil.shape)
    found = rapidity_of(mass, recoil)
    np.testing.assert_allclose(found, np.broadcast_to(grid.rapidities[rows], found.shape))


def test_runs_name_each_index_once():
    indices = np.array([0, 1, 2, 7, 9, 10])
    runs = np.array(runs_of(indices)).reshape(-1, 2)
    assert runs.tolist() == [[0, 3], [7, 1], [9, 2]]
    assert runs_of(indices[:0]) == []


def test_windows_are_sums_of_cells(product):
    """What the fill says of a window, applied to the plane, is what stands in its patch."""
    (channel,) = product.workspace["channels"]
    expected = np.sum([s["data"] for s in channel["samples"]], axis=0)
    counts = np.array(product.workspace["observations"][0]["data"])
    for patch in product.patches:
        samples = {c["name"]: c["samples"] for c in patch.operations[0]["value"]}
        data = {o["name"]: o["data"][0] for o in patch.operations[1]["value"]}
        for name, fill in product.fill["windows"][patch.name].items():
            assert fill["spectrum"] == "plane"
            runs = np.array(fill["bins"][0]).reshape(-1, 2)
            cells = np.concatenate([np.arange(a, a + n) for a, n in runs])
            in_patch = sum(s["data"][0] for s in samples[name] if s["name"] != "signal")
            assert in_patch == pytest.approx(expected[cells].sum(), rel=1e-4)
            assert data[name] == counts[cells].sum()


def test_a_signal_that_is_lost_is_counted_not_scanned():
    lost = {
        key: value if key[0] < 6.0 else value.select(np.zeros(len(value), bool))
        for key, value in signals().items()
    }
    found = built(
        scan(low_gev=5.5, high_gev=6.0, least_efficiency=0.2), {"flat": background()}, lost
    )
    assert found.summary["n_hypotheses"]["without_sensitivity"] > 0


def test_signals_must_form_a_grid():
    points = signals()
    del points[next(iter(points))]
    with pytest.raises(OptionError, match="form no grid"):
        built(scan(), {"flat": background(1000)}, points)
    empty = {k: v.select(np.zeros(len(v), bool)) for k, v in signals().items()}
    with pytest.raises(OptionError, match="no simulated signal passes"):
        built(scan(), {"flat": background(1000)}, empty)
