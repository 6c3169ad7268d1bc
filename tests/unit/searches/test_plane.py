"""The plane of dimuon mass and recoil mass: ellipses, densities, hypotheses."""

import math
from types import MappingProxyType

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.searches.plane import PlaneScan, build_plane_scan
from darkstats.searches.products import SimulatedSamples
from darkstats.signals.constants import CM_ENERGY_GEV
from darkstats.simulation.candidates import Candidates

SIGMA = (0.02, 0.3)
RHO = -0.8


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
    x = mass + SIGMA[0] * u
    y = higgs**2 + SIGMA[1] * (RHO * u + math.sqrt(1 - RHO**2) * v)
    return sample(x, y, 1.0)


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
        assert window["sigma"][0] == pytest.approx(SIGMA[0], rel=0.03)
        assert window["sigma"][1] == pytest.approx(SIGMA[1], rel=0.03)
        assert window["correlation"] == pytest.approx(RHO, abs=0.03)


def test_two_sigma_hold_86_per_cent(product):
    expected = 1.0 - math.exp(-2.0)
    for window in product.sidecar["windows"].values():
        assert window["efficiency"] == pytest.approx(expected, rel=0.02)


def test_a_flat_plane_gives_every_ellipse_its_area(product):
    density = 100.0 * 18.0 / (4.0 * 45.0)  # events per GeV^3
    area = math.pi * 4.0 * SIGMA[0] * SIGMA[1] * math.sqrt(1.0 - RHO**2)
    ring = (6.0**2 - 3.0**2) / 4.0
    found, rings = [], []
    for patch in product.patches:
        channels = {c["name"]: c["samples"] for c in patch.operations[0]["value"]}
        found.append(channels["ellipse"][1]["data"][0])
        rings.append(channels["ring"][1]["data"][0])
    assert np.mean(found) == pytest.approx(density * area, rel=0.06)
    assert np.mean(rings) == pytest.approx(density * area * ring, rel=0.06)


def test_pseudo_data_are_whole_events(product):
    for patch in product.patches:
        for observation in patch.operations[1]["value"]:
            assert observation["data"][0] == int(observation["data"][0])


def test_steps_cover_the_plane_below_the_diagonal(product):
    masses = np.array([patch.values for patch in product.patches])
    assert np.all(masses[:, 1] < masses[:, 0])
    columns = np.unique(masses[:, 0])
    assert np.all(np.diff(columns) < 2.1 * SIGMA[0])
    for mass in columns:
        squares = masses[masses[:, 0] == mass][:, 1] ** 2
        assert np.all(np.diff(squares) < 2.1 * SIGMA[1])
        assert squares[-1] > (0.9 * mass) ** 2


def test_thin_simulation_borrows_from_larger_ellipses():
    thin = background(n=4000)
    rich = built(scan(), {"flat": background()}, signals())
    poor = built(scan(), {"flat": thin}, signals())
    scales = poor.summary["scale_of_the_density_ellipse"]
    assert scales["1.0"] < 0.1 * len(poor.patches)
    assert sum(scales.values()) == len(poor.patches)
    assert rich.summary["scale_of_the_density_ellipse"]["1.0"] == len(rich.patches)


def test_a_signal_that_is_lost_is_counted_not_scanned():
    lost = {
        key: value if key[0] < 6.0 else value.select(np.zeros(len(value), bool))
        for key, value in signals().items()
    }
    found = built(
        scan(low_gev=5.9, high_gev=6.0, least_efficiency=0.2), {"flat": background()}, lost
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
