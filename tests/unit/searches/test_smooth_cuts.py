"""Cuts that follow the hypothesis: interpolation, choice, and no jump from window to window."""

import json
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkstats.errors import OptionError
from darkstats.searches.cuts import Cut
from darkstats.searches.optimise import Optimisation, cautious, expected_poisson_limit
from darkstats.searches.plane import PlaneScan, build_plane_scan
from darkstats.searches.plane_grid import rapidity_of, recoil_squared_of
from darkstats.searches.plane_response import highest_higgs
from darkstats.searches.products import SimulatedSamples
from darkstats.searches.recoil_hunt import RecoilHunt, build_recoil_hunt
from darkstats.searches.recoil_windows import RecoilWidths
from darkstats.searches.smooth_cuts import PlacedCut, cut_of, smooth_bounds
from simulated_rows import rows_of

LUMINOSITY = 100.0


def in_one_column(bounds):
    return PlacedCut(variable="v", along=("x",), nodes=((1.0, 2.0, 4.0),), above=bounds)


def test_a_bound_is_linear_between_its_places_and_constant_beyond():
    cut = in_one_column((0.0, 1.0, 3.0))
    places = np.array([-5.0, 1.0, 1.25, 2.0, 3.0, 4.0, 9.0])
    assert cut.bounds(places).tolist() == [0.0, 0.0, 0.25, 1.0, 2.0, 3.0, 3.0]
    rows = rows_of(1.0, 4, x=[1.25, 1.25, 3.0, 3.0], v=[0.24, 0.26, 1.99, 2.01])
    assert cut.passed(rows).tolist() == [False, True, False, True]
    assert cut.plain() == {
        "variable": "v", "along": ["x"], "nodes": [[1.0, 2.0, 4.0]], "above": [0.0, 1.0, 3.0],
    }  # fmt: skip
    assert str(cut) == "0 to 3 < v"


@given(st.floats(-3.0, 3.0), st.lists(st.floats(0.0, 5.0), min_size=1, max_size=20))
def test_equal_bounds_are_a_plain_cut(bound, places):
    rows = rows_of(1.0, len(places), x=places, v=np.linspace(-4.0, 4.0, len(places)))
    plain = Cut(variable="v", above=bound)
    assert in_one_column((bound,) * 3).passed(rows).tolist() == plain.passed(rows).tolist()


def test_a_bound_in_the_plane_is_bilinear():
    """0.5 x + 2 y + x y is reproduced exactly between the places."""
    x_nodes, y_nodes = (4.0, 5.0, 8.0), (0.1, 0.5, 0.9)
    above = tuple(0.5 * x + 2.0 * y + x * y for x in x_nodes for y in y_nodes)
    cut = PlacedCut(
        variable="v", along=("m_ll_gev", "recoil_fraction"), nodes=(x_nodes, y_nodes), above=above
    )
    rng = np.random.default_rng(1)
    x, y = rng.uniform(4.0, 8.0, 50), rng.uniform(0.1, 0.9, 50)
    expected = 0.5 * x + 2.0 * y + x * y
    np.testing.assert_allclose(cut.bounds(x, y), expected, rtol=1e-12)
    top = np.array([highest_higgs(m) for m in x])
    offset = rng.choice([-1e-6, 1e-6], 50)
    rows = rows_of(
        1.0, 50, m_ll_gev=x, recoil_mass_squared_gev2=(y * top) ** 2, v=expected + offset
    )
    assert cut.passed(rows).tolist() == (offset > 0.0).tolist()


def test_a_cut_comes_back_from_a_sidecar():
    plane = PlacedCut(
        variable="v", along=("x", "y"), nodes=((1.0, 2.0), (0.1, 0.5)), above=(0.0, 1.0, 2.0, 3.0)
    )
    light = Cut(variable="m", below=9.0)
    for cut in (
        in_one_column((0.0, 1.0, 3.0)),
        plane,
        light,
        Cut(variable="v", above=1, where=light),
    ):
        assert cut_of(json.loads(json.dumps(cut.plain()))) == cut


def test_bounds_that_fit_no_places_are_refused():
    for bad in (
        {"along": ("x",), "nodes": ((1.0, 2.0),), "above": (1.0,)},
        {"along": ("x",), "nodes": ((2.0, 1.0),), "above": (1.0, 1.0)},
        {"along": ("x", "y"), "nodes": ((1.0, 2.0),), "above": (1.0, 1.0)},
        {"along": (), "nodes": (), "above": (1.0,)},
    ):
        with pytest.raises(OptionError):
            PlacedCut(variable="v", **bad)


COMBINATIONS = np.array([[0.0], [1.0], [2.0]])


def test_of_two_that_are_as_good_the_one_of_the_neighbours_is_taken():
    merits = np.array([[1.0, 3.0, 9.0], [1.01, 9.0, 1.0], [1.0, 3.0, 9.0]])
    assert smooth_bounds(COMBINATIONS, merits).ravel().tolist() == [0.0, 0.0, 0.0]
    merits[1, 0] = 2.0  # now it costs a factor of 2, and the neighbours do not hold
    assert smooth_bounds(COMBINATIONS, merits).ravel().tolist() == [0.0, 2.0, 0.0]


def test_places_without_signal_follow_their_neighbours():
    merits = np.full((5, 3), np.inf)
    merits[1] = (1.0, 5.0, np.inf)
    merits[3] = (np.inf, 5.0, 1.0)
    found = smooth_bounds(COMBINATIONS, merits).ravel()
    assert found[[0, 1, 3, 4]].tolist() == [0.0, 0.0, 2.0, 2.0]
    assert (np.diff(found) >= 0.0).all()
    with pytest.raises(OptionError, match="no simulated signal"):
        smooth_bounds(COMBINATIONS, np.full((2, 3), np.inf))


def test_few_simulated_rows_count_with_their_upper_edge():
    events = np.full(100, 0.01)
    content, spread = np.array([1.0, 0.04, 0.0]), np.array([0.01, 4e-4, 0.0])
    assert cautious(content, spread, events) == pytest.approx([1.0, 0.06, 0.01])


@given(st.floats(0.0, 30.0), st.floats(0.0, 5.0), st.sampled_from(["punzi", "limit"]))
def test_the_figure_is_divided_by_the_chance_of_an_empty_region(background, emptiness, figure):
    plain = Optimisation(figure=figure, masses_gev=(), scan={})
    asked = replace(plain, emptiness=emptiness)
    assert plain.merit(background) == plain.signal_events(background)
    chance = math.exp(-emptiness * background)
    expected = plain.signal_events(background)
    assert asked.merit(background) * chance == pytest.approx(expected, rel=1e-9)
    assert asked.signal_events(background) == expected


def test_a_region_that_is_never_empty_has_a_finite_figure():
    asked = Optimisation(figure="punzi", masses_gev=(), scan={}, emptiness=9.0)
    assert math.isfinite(asked.merit(1e5))
    assert asked.merit(1e5) > asked.merit(1e3) > asked.merit(10.0)


# A background of two kinds: one below 9 GeV^2 that a cut on v removes, one above that it does not,
# while the signal pays for the cut everywhere.
def backgrounds(n=400_000):
    rng = np.random.default_rng(3)
    squared = rng.uniform(-2.0, 20.0, n)
    v = np.where(squared < 9.0, rng.uniform(0.0, 1.0, n), rng.uniform(0.0, 4.0, n))
    v += np.where(squared < 9.0, 0.0, 0.05 * (squared - 9.0))
    return {
        "b": rows_of(3.0, n, recoil_mass_squared_gev2=squared, recoil_theta_cm_rad=squared * 0, v=v)
    }


def signals(n=20_000):
    found = {}
    for k, mass in enumerate((0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.4)):
        rng = np.random.default_rng(k)
        squared = rng.normal(mass**2, 0.25, n)
        found[mass,] = rows_of(
            1.0, n, recoil_mass_squared_gev2=squared, recoil_theta_cm_rad=squared * 0,
            v=rng.uniform(0.0, 4.0, n),
        )  # fmt: skip
    return found


def hunt(cuts):
    return RecoilHunt(
        luminosity_ipb=LUMINOSITY, asimov=True, layout="adjacent", first_gev=1.0, high_gev=4.0,
        widths=RecoilWidths(points=((0.1, 0.25), (5.0, 0.25))), reference_pb=0.1,
        optimise=Optimisation(
            figure="punzi", masses_gev=(1.0, 2.0, 2.5, 3.5, 4.0),
            scan={"v": (0.0, 0.5, 1.0, 2.0, 3.0)}, cuts=cuts,
        ),
    )  # fmt: skip


def built(settings):
    samples = SimulatedSamples(backgrounds=backgrounds(), signals=signals())
    return build_recoil_hunt(settings, samples, rng=np.random.default_rng(1))


def largest_jump(product):
    """Largest second difference of the logarithm of the expected limit, in its errors.

    A limit that changes smoothly, by whatever amount, has second differences of the size of its
    statistical error; only neighbours of one set (nominal, shifted) are compared.
    """
    jumps = []
    for kind in ("nominal", "shifted"):
        windows = [w for w in product.sidecar["windows"].values() if w["set"] == kind]
        values, errors = [], []
        for window in sorted(windows, key=lambda w: w["mass_gev"]):
            b, error = window["background_events"], window["background_statistical_error"]
            values.append(math.log(expected_poisson_limit(b) / window["efficiency"]))
            up = math.log(expected_poisson_limit(b + error) / expected_poisson_limit(b))
            errors.append(math.hypot(up, 1.0 / math.sqrt(10_000 * window["efficiency"])))
        second = np.array(values[:-2]) + np.array(values[2:]) - 2.0 * np.array(values[1:-1])
        spread = np.sqrt([a**2 + 4 * b**2 + c**2 for a, b, c in triples(errors)])
        jumps.append(float(np.max(np.abs(second) / spread)))
    return max(jumps)


def triples(values):
    return [(a, b, c) for (a, b), (_, c) in pairwise(list(pairwise(values)))]


def test_bounds_follow_the_mass_in_one_spectrum():
    product = built(hunt("smooth"))
    assert list(product.sidecar["channels"]) == ["recoil"]
    (placed,) = product.sidecar["channels"]["recoil"]["cuts"]
    assert placed["along"] == ["recoil_mass_squared_gev2"]
    bounds = dict(zip(placed["nodes"][0], placed["above"], strict=True))
    assert bounds[1.0] == 1.0  # all of the lower background, and no more of the signal
    assert len(set(bounds.values())) > 1
    facts = product.summary["optimisation"]["1"]
    assert facts["figure_of_merit_fb"] <= 1.3 * facts["best_alone_fb"]
    for window in product.sidecar["windows"].values():
        if window["mass_gev"] < 2.0:
            assert window["background_events"] < 1e-3
            assert window["efficiency"] == pytest.approx(0.75 * 0.9545, rel=0.04)


def test_emptiness_takes_the_harder_bound_where_it_leaves_less_background():
    """Above 9 GeV^2 signal and background fall alike: Punzi's figure alone takes the soft bound."""

    def bounds(emptiness):
        settings = hunt("smooth")
        settings = replace(settings, optimise=replace(settings.optimise, emptiness=emptiness))
        product = built(settings)
        (placed,) = product.sidecar["channels"]["recoil"]["cuts"]
        facts = product.summary["optimisation"]["4"]
        # facts are those of the figure itself, in fb, whatever the chance of an empty window
        assert facts["figure_of_merit_fb"] < 1e4
        return placed["above"][-1], facts["background_events"], facts["figure_of_merit_fb"]

    soft, hard = bounds(0.0), bounds(3.0)
    assert hard[0] > soft[0]
    assert hard[1] < soft[1]
    assert hard[2] >= soft[2]


def test_the_half_that_chooses_does_not_fill():
    """Of two rows one chooses and one fills: the first lie at 1 GeV^2, the others at 6 GeV^2."""
    squared = np.where(np.arange(10_000) % 2 == 1, 1.0, 6.0)
    background = rows_of(
        3.0, 10_000, recoil_mass_squared_gev2=squared, recoil_theta_cm_rad=squared * 0,
        v=np.full(10_000, 3.5),
    )  # fmt: skip
    simulated = SimulatedSamples(backgrounds={"b": background}, signals=signals())
    product = build_recoil_hunt(hunt("smooth"), simulated, rng=np.random.default_rng(1))
    contents = np.array(product.workspace["channels"][0]["samples"][0]["data"])
    edges = np.array(product.sidecar["channels"]["recoil"]["edges"])
    assert contents[edges[:-1] < 3.0].sum() == 0.0
    assert contents.sum() == pytest.approx(LUMINOSITY * 3.0, rel=1e-5)  # half the rows, all events


def gentle():
    """A background whose best cut changes slowly with the mass."""
    n = 600_000
    rng = np.random.default_rng(11)
    squared = rng.uniform(-2.0, 20.0, n)
    v = rng.exponential(0.3 + 0.05 * np.maximum(squared, 0.0), n)
    return {
        "b": rows_of(
            30.0, n, recoil_mass_squared_gev2=squared, recoil_theta_cm_rad=squared * 0, v=v
        )
    }


def test_no_limit_jumps_where_cuts_follow_the_mass():
    """Within 3 of their errors; sets of cuts that change in steps jump by more."""
    simulated = SimulatedSamples(backgrounds=gentle(), signals=signals(200_000))

    def jump(cuts):
        settings = hunt(cuts)
        assert settings.optimise is not None
        few = replace(settings.optimise, masses_gev=(1.0, 2.5, 4.0))
        settings = replace(settings, optimise=few)
        return largest_jump(build_recoil_hunt(settings, simulated, rng=np.random.default_rng(1)))

    assert jump("smooth") < 3.0
    assert jump("stepped") > 3.0


def plane_signals(n=4000):
    found = {}
    for i, mass in enumerate((5.0, 6.0, 7.0)):
        for j, fraction in enumerate((0.2, 0.5, 0.8)):
            higgs = fraction * highest_higgs(mass)
            rng = np.random.default_rng(10 * i + j)
            centre = float(rapidity_of(np.array([mass]), np.array([higgs**2]))[0])
            measured = mass * np.exp(rng.normal(0.0, 0.004, n))
            rapidity = np.abs(centre + rng.normal(0.0, 0.004, n))
            found[mass, higgs] = rows_of(
                0.2, n, m_ll_gev=measured,
                recoil_mass_squared_gev2=recoil_squared_of(measured, rapidity),
                v=rng.uniform(0.0, 4.0, n),
            )  # fmt: skip
    return found


def test_cuts_in_the_plane_follow_the_place():
    rng = np.random.default_rng(7)
    n = 300_000
    mass, squared = rng.uniform(4.0, 8.0, n), rng.uniform(-2.0, 25.0, n)
    v = np.where(mass < 6.0, rng.uniform(0.0, 1.0, n), rng.uniform(0.0, 4.0, n))
    background = {"b": rows_of(50.0, n, m_ll_gev=mass, recoil_mass_squared_gev2=squared, v=v)}
    scan = PlaneScan(
        luminosity_ipb=LUMINOSITY, asimov=True, low_gev=5.0, high_gev=7.0, step_sigma=8.0,
        reference_pb=0.1,
        optimise=Optimisation(figure="punzi", masses_gev=(), scan={"v": (0.0, 1.0)}, cuts="smooth"),
    )  # fmt: skip
    product = build_plane_scan(
        scan, SimulatedSamples(backgrounds=background, signals=plane_signals()), rng=rng
    )
    (placed,) = product.sidecar["channels"]["plane"]["cuts"]
    assert placed["along"] == ["m_ll_gev", "recoil_fraction"]
    table = np.array(placed["above"]).reshape(3, 3)
    assert table[0].tolist() == [1.0] * 3
    assert table[2].tolist() == [0.0] * 3
    low = [w for w in product.sidecar["windows"].values() if w["mass_gev"][0] < 5.05]
    high = [w for w in product.sidecar["windows"].values() if w["mass_gev"][0] > 6.6]
    assert max(w["background_events"] for w in low) < min(w["background_events"] for w in high)
    assert set(product.summary["optimisation"]["5, 1"]) >= {"efficiency", "background_events"}
