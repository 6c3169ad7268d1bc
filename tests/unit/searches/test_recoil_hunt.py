"""Windows in the recoil mass: their arithmetic, their background, their signal."""

import math
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkstats.errors import OptionError
from darkstats.searches.cuts import Cut, passing
from darkstats.searches.optimise import (
    Optimisation,
    best_cuts,
    expected_poisson_limit,
    halves,
    punzi_bracket,
)
from darkstats.searches.products import SimulatedSamples
from darkstats.searches.recoil_hunt import RecoilHunt, build_recoil_hunt
from darkstats.searches.recoil_spectra import well_simulated_rows
from darkstats.searches.recoil_windows import RecoilWidths, adjacent_centres, sliding_centres
from darkstats.simulation.candidates import Candidates

PUBLISHED = RecoilWidths(
    points=(
        (0.1, 0.234), (0.5, 0.262), (1.0, 0.287), (2.0, 0.311), (3.0, 0.271), (4.0, 0.262),
        (5.0, 0.243), (6.0, 0.196), (7.0, 0.158), (8.0, 0.096), (9.0, 0.050),
    )
)  # fmt: skip
LUMINOSITY = 100.0


def sample(squared, *, weight_pb, theta=None, pt=None, generated=None):
    n = len(squared)
    columns = {
        "recoil_mass_squared_gev2": np.asarray(squared, float),
        "recoil_theta_cm_rad": np.full(n, 1.5) if theta is None else theta,
        "recoil_pt_gev": np.full(n, 2.0) if pt is None else pt,
    }
    generated = generated or n
    weights = np.full(n, weight_pb * generated / n)
    return Candidates(
        columns=MappingProxyType(columns),
        weight_pb=weights,
        n_generated=generated,
        sum_weight_pb=float(weights.sum()),
        sum_weight_squared_pb2=float((weights**2).sum()),
    )


def test_adjacent_windows_touch_and_the_shifted_ones_lie_between():
    first, second = adjacent_centres(PUBLISHED, 0.5, 8.0, 2.0)
    upper = first + 2.0 * np.array([PUBLISHED.at_squared(c) for c in first])
    lower = first - 2.0 * np.array([PUBLISHED.at_squared(c) for c in first])
    np.testing.assert_allclose(upper[:-1], lower[1:], atol=1e-9)
    np.testing.assert_allclose(second, upper[: len(second)], atol=1e-9)
    # published: 69 below 8 GeV; the table of widths gives more
    assert 69 <= len(first) <= 90
    assert math.sqrt(first[1]) == pytest.approx(1.15, abs=0.02)  # published: 1.16


@settings(deadline=None)
@given(st.floats(0.1, 2.0), st.floats(3.0, 9.0), st.floats(0.2, 3.0))
def test_sliding_steps_are_resolutions(low, high, step):
    centres = sliding_centres(PUBLISHED, low, high, step)
    assert centres[0] == low**2
    assert centres[-1] <= high**2
    for one, two in pairwise(centres):
        assert two - one == pytest.approx(step * PUBLISHED.at_squared(one))


@pytest.mark.parametrize("layout", ["sliding", "adjacent"])
def test_no_hypothesis_lies_in_an_excluded_range(layout):
    ranges = ((2.0, 2.5), (4.0, 4.2))
    asked = {"luminosity_ipb": 1.0, "asimov": True, "layout": layout, "first_gev": 0.5,
                "high_gev": 6.0, "widths": PUBLISHED}  # fmt: skip
    every, sets = RecoilHunt(**asked).centres_gev2()
    left, of = RecoilHunt(**asked, excluded_gev=ranges).centres_gev2()
    inside = np.logical_or.reduce([(every >= a**2) & (every <= b**2) for a, b in ranges])
    assert inside.any()
    np.testing.assert_array_equal(left, every[~inside])
    np.testing.assert_array_equal(of, sets[~inside])


@pytest.mark.parametrize(("background", "known"), [(0.0, 3.08 - 0.0), (10.0, 17.5), (100.0, 46.9)])
def test_punzi_bracket(background, known):
    # the published bracket at B = 0 holds b^2/2 as well: 9/8 + 9*1.64/13 + 1.64/2
    assert punzi_bracket(background) == pytest.approx(known, abs=0.06)


def test_expected_poisson_limit_without_background():
    assert expected_poisson_limit(0.0) == pytest.approx(-math.log(0.1), abs=1e-9)
    # n = 1: (1 + s) exp(-s) = 0.1 with certainty when b -> 0, so the mean grows smoothly
    assert expected_poisson_limit(1.0) == pytest.approx(3.28, abs=0.15)
    # Gaussian limit
    assert expected_poisson_limit(400.0) == pytest.approx(32.9, abs=0.1)


def hunt(**more):
    settings = {
        "luminosity_ipb": LUMINOSITY,
        "asimov": True,
        "layout": "adjacent",
        "first_gev": 2.0,
        "high_gev": 4.0,
        "widths": RecoilWidths(points=((1.0, 0.25), (5.0, 0.25))),
        "reference_pb": 0.1,
    }
    return RecoilHunt(**(settings | more))


def flat_background(seed=3, n=200_000):
    return sample(np.random.default_rng(seed).uniform(0.0, 30.0, n), weight_pb=3.0)


def gaussian_signal(mass, seed, n=20_000):
    squared = np.random.default_rng(seed).normal(mass**2, 0.25, n)
    return sample(squared, weight_pb=1.0)


def signals():
    return {(mass,): gaussian_signal(mass, k) for k, mass in enumerate((1.5, 2.5, 3.5, 4.5))}


def built(settings, backgrounds, simulated):
    return build_recoil_hunt(
        settings,
        SimulatedSamples(backgrounds=backgrounds, signals=simulated),
        rng=np.random.default_rng(1),
    )


def samples_of(patch):
    return {s["name"]: s for s in patch.operations[0]["value"][0]["samples"]}


def test_a_flat_spectrum_gives_every_window_its_width():
    product = built(hunt(), {"flat": flat_background()}, signals())
    assert len(product.patches) == len(product.sidecar["windows"])
    for patch in product.patches:
        window = product.sidecar["windows"][patch.name]
        width = window["edges_gev2"][-1] - window["edges_gev2"][0]
        assert width == pytest.approx(1.0, abs=0.07)  # four resolutions, snapped to the grid
        assert window["background_events"] == pytest.approx(10.0 * width, rel=0.05)
        found = samples_of(patch)
        # +-2 sigma of a Gaussian, at 0.1 pb and 100 per pb
        assert found["signal"]["data"][0] == pytest.approx(10.0 * 0.9545, rel=0.03)
        static = [m for m in found["flat"]["modifiers"] if m["type"] == "staterror"]
        weight = 300.0 / 200_000
        assert static[0]["data"][0] == pytest.approx(math.sqrt(10.0 * width * weight), rel=0.05)


def test_smoothing_keeps_the_total_and_lowers_the_error():
    rough = built(hunt(), {"flat": flat_background(n=2000)}, signals())
    smooth = built(
        hunt(smoothing_sigma={"flat": 1.0}), {"flat": flat_background(n=2000)}, signals()
    )
    totals = [sum(p.workspace["channels"][0]["samples"][0]["data"]) for p in (rough, smooth)]
    assert totals[0] == pytest.approx(totals[1], rel=1e-6)
    for name, window in rough.sidecar["windows"].items():
        other = smooth.sidecar["windows"][name]
        assert other["background_statistical_error"] < window["background_statistical_error"]


def test_smoothed_bins_of_a_fit_move_together_and_keep_the_error_of_each():
    """Modes and errors of bins make the variances of the bins; the sum has that of its events."""
    sliding = hunt(layout="sliding", window_sigma=6.0, smoothing_sigma={"flat": 8.0})
    product = built(sliding, {"flat": flat_background(n=20_000)}, signals())
    rough = replace(sliding, smoothing_sigma={})
    plain = built(rough, {"flat": flat_background(n=20_000)}, signals())
    for patch, other in zip(product.patches, plain.patches, strict=True):
        background = samples_of(patch)["flat"]
        content = np.array(background["data"])
        modes, rest = {}, None
        for m in background["modifiers"]:
            moved = modes.setdefault(m["name"], np.zeros(len(content)))
            if m["type"] == "histosys":
                moved += 0.5 * np.subtract(m["data"]["hi_data"], m["data"]["lo_data"])
            elif m["type"] == "normsys":
                moved += content * math.log(m["data"]["hi"] / m["data"]["lo"]) / 2.0
            else:
                rest = np.array(modes.pop(m["name"]) + m["data"])
        assert list(modes) == ["flat_simulation_sum", "flat_simulation_slope"]
        total = math.sqrt(sum(m.sum() ** 2 for m in modes.values()) + (rest**2).sum())
        window = product.sidecar["windows"][patch.name]
        assert total == pytest.approx(window["background_statistical_error"], rel=1e-3)
        # of 20,000 events of 300 in all, 0.015 each: a window and a bit around it move together
        assert total > 0.6 * math.sqrt(content.sum() * 0.015)
        static = [m for m in samples_of(other)["flat"]["modifiers"] if m["type"] == "staterror"]
        assert np.all(rest < 0.2 * np.array(static[0]["data"]))


def test_a_window_of_one_bin_has_one_error_smoothed_or_not():
    product = built(hunt(smoothing_sigma={"flat": 8.0}), {"flat": flat_background()}, signals())
    for patch in product.patches:
        assert [m["type"] for m in samples_of(patch)["flat"]["modifiers"]] == ["staterror"]


def test_groups_of_systematics_meet_their_samples():
    systematics = {
        "signal": {"luminosity": 0.01},
        "background": {"luminosity": 0.01, "trigger": 0.05},
        "flat": {"trigger": 0.2},
    }
    product = built(hunt(systematics=systematics), {"flat": flat_background()}, signals())
    found = samples_of(product.patches[0])

    def errors(name):
        return {
            m["name"]: m["data"]["hi"] - 1.0
            for m in found[name]["modifiers"]
            if m["type"] == "normsys" and m["name"] != "signal_simulation"
        }

    assert errors("signal") == pytest.approx({"luminosity": 0.01})
    assert errors("flat") == pytest.approx({"luminosity": 0.01, "trigger": 0.2})


def test_two_dimensions_fill_their_bins():
    rng = np.random.default_rng(9)
    n = 100_000
    background = sample(
        rng.uniform(0.0, 30.0, n), weight_pb=3.0, theta=rng.uniform(0.0, math.pi, n)
    )
    settings = hunt(
        layout="sliding",
        window_sigma=4.0,
        step_sigma=2.0,
        theta_edges_deg=(0.0, 60.0, 90.0, 180.0),
        resolution_error=0.1,
    )
    product = built(settings, {"flat": background}, signals())
    found = samples_of(product.patches[3])
    by_theta = np.array(found["flat"]["data"]).reshape(3, 8).sum(axis=1)
    np.testing.assert_allclose(by_theta / by_theta.sum(), [1 / 3, 1 / 6, 1 / 2], rtol=0.05)
    shape = next(m for m in found["signal"]["modifiers"] if m["type"] == "histosys")
    nominal = np.array(found["signal"]["data"]).reshape(3, 8)[1]  # theta = 1.5 rad
    wide = np.array(shape["data"]["hi_data"]).reshape(3, 8)[1]
    assert wide[3] < nominal[3]
    assert wide[0] > nominal[0] - 1e-9
    assert nominal.sum() == pytest.approx(10.0, rel=0.02)


def test_bins_that_simulation_hardly_reaches_are_merged():
    """Few events below 90 degrees: those rows become one, and no bin is left uncertain."""
    rng = np.random.default_rng(9)
    few, many = 250, 100_000
    theta = np.concatenate([rng.uniform(0.0, 1.57, few), rng.uniform(1.58, math.pi, many)])
    background = sample(rng.uniform(0.0, 30.0, few + many), weight_pb=100.0, theta=theta)
    plain = hunt(
        layout="sliding", window_sigma=4.0, step_sigma=2.0, resolution_error=0.1,
        theta_edges_deg=(0.0, 20.0, 40.0, 60.0, 90.0, 135.0, 180.0),
    )  # fmt: skip
    merging = replace(plain, largest_simulation_error=0.5)
    before = built(plain, {"flat": background}, signals())
    after = built(merging, {"flat": background}, signals())
    for old, new in zip(before.patches, after.patches, strict=True):
        was, now = samples_of(old), samples_of(new)
        errors = next(m for m in now["flat"]["modifiers"] if m["type"] == "staterror")["data"]
        allowed = np.maximum(0.5 * np.array(now["flat"]["data"]), 0.02)
        assert (np.array(errors) <= allowed * (1.0 + 1e-5)).all()
        for name in ("flat", "signal"):
            total = np.array(was[name]["data"]).reshape(6, -1).sum(axis=0)
            merged = np.array(now[name]["data"]).reshape(-1, len(total))
            assert 2 <= len(merged) < 6
            np.testing.assert_allclose(merged.sum(axis=0), total, rtol=1e-4, atol=1e-5)
        window = after.sidecar["windows"][new.name]
        assert window["theta_edges_deg"][0] == 0.0
        assert window["theta_edges_deg"][-1] == 180.0
        assert len(window["theta_edges_deg"]) == len(merged) + 1


def test_rows_are_merged_until_the_last_one_is_well_simulated_too():
    """The last row spoils its neighbour: both join the first."""
    content = np.array([[4.0], [1.0], [1.0]])
    variance = np.array([[1.0], [0.25], [1.0]])
    assert well_simulated_rows(content, variance, 0.5).tolist() == [0]
    assert well_simulated_rows(content[:2], variance[:2], 0.5).tolist() == [0, 1]


def test_a_row_almost_without_background_is_not_merged_however_little_is_known_of_it():
    """One simulated event of a weight of 0.02 or less is no background; one of 0.03 is."""
    content = np.array([[4.0], [0.02], [4.0]])
    variance = np.array([[1.0], [0.0004], [1.0]])
    assert well_simulated_rows(content, variance, 0.5).tolist() == [0, 1, 2]
    content[1], variance[1] = 0.03, 0.0009
    assert well_simulated_rows(content, variance, 0.5).tolist() == [0, 1]


@given(
    st.lists(st.tuples(st.floats(0.0, 9.0), st.floats(0.0, 9.0)), min_size=1, max_size=8),
    st.floats(0.05, 1.0),
)
def test_merged_rows_hold_the_largest_error_or_are_one(rows, largest):
    content, variance = np.array(rows).T[:, :, None]
    starts = well_simulated_rows(content, variance, largest)
    assert starts[0] == 0
    assert (np.diff(starts) > 0).all()
    if len(starts) > 1:
        merged = np.add.reduceat(content, starts)
        errors = np.sqrt(np.add.reduceat(variance, starts))
        assert (errors <= np.maximum(largest * merged, 0.02) * (1.0 + 1e-12)).all()


def test_without_signal_model_one_unit_is_efficiency_times_cross_section():
    product = built(hunt(), {"flat": flat_background()}, {})
    for patch in product.patches:
        assert samples_of(patch)["signal"]["data"] == [10.0]
    assert product.sidecar["poi_label"].startswith("efficiency x cross section")


def test_masses_beside_a_signal_of_a_single_row_are_left_out_and_named():
    """Its yield may be zero: there is no factor for that."""
    few = signals() | {(4.5,): sample([20.25], weight_pb=1.0, generated=20_000)}
    product = built(hunt(), {"flat": flat_background()}, few)
    masses = [window["mass_gev"] for window in product.sidecar["windows"].values()]
    assert max(masses) < 3.5 < min(product.summary["without_sensitivity_gev"])
    for patch in product.patches:
        for modifier in samples_of(patch)["signal"]["modifiers"]:
            assert modifier["type"] != "normsys" or modifier["data"]["lo"] > 0.0


def test_an_empty_window_keeps_a_floor_that_is_named():
    product = built(hunt(), {"far": sample([29.0] * 5, weight_pb=1.0)}, signals())
    found = samples_of(product.patches[0])
    assert set(found) == {"signal", "simulation_floor"}
    assert 0.0 < found["simulation_floor"]["data"][0] < 1e-3


def test_masses_that_were_not_simulated_are_refused():
    few = {(mass,): gaussian_signal(mass, 1) for mass in (2.5, 3.0)}
    with pytest.raises(OptionError, match="no signal was simulated around"):
        built(hunt(), {"flat": flat_background()}, few)


def test_optimisation_finds_the_cut_and_uses_other_rows_than_the_templates():
    rng = np.random.default_rng(11)
    n = 40_000
    background = sample(rng.uniform(0.0, 30.0, n), weight_pb=300.0, pt=rng.uniform(0.0, 2.0, n))
    simulated = {
        key: sample(
            value["recoil_mass_squared_gev2"],
            weight_pb=1.0,
            pt=rng.uniform(1.0, 3.0, len(value)),
        )
        for key, value in signals().items()
    }
    scan = {"recoil_pt_gev": (0.0, 1.0, 2.0)}
    optimise = Optimisation(figure="punzi", masses_gev=(2.5,), scan=scan)
    product = built(hunt(optimise=optimise), {"flat": background}, simulated)
    region = product.summary["optimisation"]["recoil_2p5"]
    assert region["cuts"] == [{"variable": "recoil_pt_gev", "above": 2.0}]
    # half of the signal is left, and none of the background
    assert product.sidecar["windows"][product.patches[0].name]["efficiency"] == pytest.approx(
        0.5 * 0.9545, rel=0.05
    )
    one, two = halves(background)
    assert one.cross_section_pb == pytest.approx(background.cross_section_pb)
    assert not set(one["recoil_pt_gev"]) & set(two["recoil_pt_gev"])


def test_an_empty_background_is_not_taken_for_none():
    """Zero of few rows: the figure of merit must not fall to that of no background."""
    signal = gaussian_signal(2.5, 1)
    thin = sample(np.full(4, 6.25), weight_pb=40.0, pt=np.array([0.5, 0.6, 0.7, 0.8]))
    optimise = Optimisation(figure="limit", masses_gev=(2.5,), scan={"recoil_pt_gev": (1.0,)})
    window = Cut(variable="recoil_mass_squared_gev2", above=5.75, below=6.75)
    _, facts = best_cuts(
        optimise, signal, {"thin": thin}, base=(), window=window, luminosity_ipb=LUMINOSITY
    )
    assert facts["background_events"] == pytest.approx(1000.0)  # one row's worth


def test_cuts_are_open_intervals():
    events = sample(np.array([1.0, 2.0, 3.0]), weight_pb=1.0)
    cut = Cut(variable="recoil_mass_squared_gev2", above=1.0, below=3.0)
    assert passing(events, (cut,)).tolist() == [False, True, False]
    assert cut.plain() == {"variable": "recoil_mass_squared_gev2", "above": 1.0, "below": 3.0}


def test_a_table_of_widths_must_make_sense():
    for points in (((1.0, 0.2),), ((2.0, 0.2), (1.0, 0.2)), ((1.0, 0.2), (2.0, 0.0))):
        with pytest.raises(OptionError):
            RecoilWidths(points=points)
