"""Counting displaced decays: yields by lifetime, what is left out, and what a card must say."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from types import MappingProxyType

import numpy as np
import pytest

from darkstats.errors import CardError, OptionError
from darkstats.searches.card import read_card
from darkstats.searches.counting import Counting, Window, build_counting
from darkstats.searches.cuts import Cut
from darkstats.searches.products import SearchProduct, SimulatedSamples
from darkstats.simulation.b_candidates import B_COLUMNS, SLOPE
from darkstats.simulation.candidates import Candidates
from darkstats.simulation.decay_length import DecayVolume, decay_efficiency
from darkstats.simulation.displaced_pairs import DISPLACED_COLUMNS

VOLUME = DecayVolume(r_from_mm=10.0, r_to_mm=100.0)


def candidates(boosts: list[float], energy: float = 3.0, n: int = 1000) -> Candidates:
    columns = {name: np.full(len(boosts), energy) for name in DISPLACED_COLUMNS}
    columns["boost_transverse"] = np.array(boosts)
    columns["boost_along"] = np.zeros(len(boosts))
    return Candidates(
        columns=MappingProxyType(columns), weight_pb=np.full(len(boosts), 1.0), n_generated=n,
        sum_weight_pb=float(n), sum_weight_squared_pb2=float(n),
    )  # fmt: skip


def built(signals: dict[float, Candidates], **more: object) -> SearchProduct:
    asked: dict[str, object] = {
        "luminosity_ipb": 1e4, "asimov": True, "volumes": (VOLUME,), "ctau_mm": (1.0, 10.0),
    }  # fmt: skip
    samples = SimulatedSamples(
        backgrounds={}, signals={(mass,): one for mass, one in signals.items()}
    )
    search = Counting(**(asked | more))  # type: ignore[arg-type]
    return build_counting(search, samples, rng=np.random.default_rng(1))


def test_yields_are_luminosity_times_efficiency() -> None:
    """400 of 1000 events of one boost: 0.4 (exp(-r1/L) - exp(-r2/L)), at each lifetime."""
    product = built({1.0: candidates([2.0] * 400)})
    assert product.labels == ("m_x_gev", "ctau_mm")
    assert [patch.values for patch in product.patches] == [(1.0, 1.0), (1.0, 10.0)]
    for patch, length in zip(product.patches, (2.0, 20.0), strict=True):
        channels, observations, config = (one["value"] for one in patch.operations)
        signal, background = channels[0]["samples"]
        efficiency = 0.4 * (math.exp(-10.0 / length) - math.exp(-100.0 / length))
        assert signal["data"] == [pytest.approx(1e4 * 1e-3 * efficiency, rel=1e-5)]
        assert background["data"] == [0.0]
        assert observations == [{"name": "signal_region", "data": [0.0]}]
        assert config["poi"] == "mu"
        fact = product.sidecar["windows"][patch.name]
        assert fact["efficiency"] == pytest.approx(efficiency, rel=1e-5)
        assert fact["efficiency_error"] == pytest.approx(efficiency / 20.0, rel=1e-4)


def test_what_is_not_seen_or_not_known_is_left_out_and_counted() -> None:
    """An efficiency of nothing, and one of a few events."""
    product = built(
        {1.0: candidates([2.0] * 400), 2.0: candidates([2.0] * 10)}, ctau_mm=(1e-3, 10.0),
    )  # fmt: skip
    assert [patch.values for patch in product.patches] == [(1.0, 10.0)]
    assert product.summary["n_hypotheses"] == {"counted": 1, "without_sensitivity": 3}
    assert product.sidecar["without_sensitivity"] == [[1.0, 1e-3], [2.0, 1e-3], [2.0, 10.0]]
    with pytest.raises(OptionError, match="no hypothesis"):
        built({1.0: candidates([2.0] * 400)}, cuts=(Cut(variable="m_ee_gev", above=4.0),))
    with pytest.raises(OptionError, match="section signal"):
        built({})


def test_background_is_counted_with_its_error() -> None:
    """The count is one number, alike for all hypotheses; drawn unless Asimov data are asked for."""
    signals = {1.0: candidates([2.0] * 400)}
    more = {"background_events": 2.5, "background_error": 0.2, "systematics": {"tracks": 0.1}}
    product = built(signals, **more)
    samples = product.patches[0].operations[0]["value"][0]["samples"]
    assert samples[1]["modifiers"][0]["data"] == {"lo": 0.8, "hi": 1.2}
    assert samples[0]["modifiers"][1] == {
        "name": "tracks", "type": "normsys", "data": {"lo": 0.9, "hi": 1.1}
    }  # fmt: skip
    assert product.workspace["observations"][0]["data"] == [2.5]
    drawn = built(signals, **more, asimov=False)
    counts = {patch.operations[1]["value"][0]["data"][0] for patch in drawn.patches}
    assert counts == {float(np.random.default_rng(1).poisson(2.5))}
    with pytest.raises(OptionError, match="no relative error"):
        built(signals, background_error=0.2)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("kind: displaced_pair", "kind: three_photons", "unknown|boost_along"),
        ("backgrounds: []", "backgrounds:\n  - {name: a, process: three_photons, "
         "events: {full: 1, quick: 1}}", "is a number, not simulated"),
        ("r_mm: [2, 9]", "r_mm: [9, 2]", "rising radii"),
        ("r_mm: [2, 9]", "r_mm: [2, 200]", "overlap"),
        ("r_mm: [2, 9]", "r_mm: [2]", "two distances"),
        ("ctau_mm: [0.01,", "ctau_mm: [0,", "above zero"),
        ("m_chi1_gev", "m_chi1", "ends with _gev"),
        ("2.75]", "3.75]", "cannot be made"),
        ("background_events: 0.0", "background_events: -1", "background_events"),
    ],
)  # fmt: skip
def test_cards_say_what_can_be_counted(
    old: str, new: str, problem: str, tmp_path: Path, repository: Path
) -> None:
    """Faults name the file."""
    text = (repository / "models/inelastic_dark_matter.yaml").read_text("utf-8")
    assert old in text
    path = tmp_path / "card.yaml"
    path.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(CardError, match=problem):
        read_card(path)


def displaced_photons(masses: list[float], slope: float = 0.0) -> Candidates:
    """Candidates of B mesons, boost 2 across the beams."""
    n = len(masses)
    columns = {name: np.zeros(n) for name in B_COLUMNS}
    columns |= {"m_x_gev": np.array(masses), "boost_transverse": np.full(n, 2.0)}
    columns[SLOPE] = np.full(n, slope)
    return Candidates(
        columns=MappingProxyType(columns), weight_pb=np.ones(n), n_generated=n,
        sum_weight_pb=float(n), sum_weight_squared_pb2=float(n),
    )  # fmt: skip


def gaussian(mass: float, width: float = 0.01, n: int = 4001) -> list[float]:
    places = (np.arange(n) + 0.5) / n
    return [NormalDist(mass, width).inv_cdf(place) for place in places.tolist()]


def test_windows_are_about_the_signals_of_each_mass() -> None:
    """Two resolutions either side of the median hold 95.4 %; each mass has its own count."""
    everywhere = DecayVolume(r_from_mm=0.0, r_to_mm=1e9, efficiency=0.5)
    product = built(
        {1.0: displaced_photons(gaussian(1.0)), 2.0: displaced_photons(gaussian(2.0, 0.02))},
        volumes=(everywhere,), ctau_mm=(1.0,), window=Window(variable="m_x_gev", sigma=2.0),
        background_events=((1.0, 4.0), (3.0, 8.0)), asimov=False, parent_pb=1000.0,
    )  # fmt: skip
    facts = list(product.sidecar["windows"].values())
    for fact, mass, width in zip(facts, (1.0, 2.0), (0.01, 0.02), strict=True):
        assert fact["efficiency"] == pytest.approx(0.5 * 0.9545, rel=1e-3)
        low, high = fact["window_gev"]
        assert (low, high) == pytest.approx((mass - 2.0 * width, mass + 2.0 * width), abs=1e-4)
    assert [fact["background_events"] for fact in facts] == [4.0, 6.0]
    rng = np.random.default_rng(1)
    drawn = [float(rng.poisson(4.0)), float(rng.poisson(6.0))]
    assert [one["data"] for one in product.workspace["observations"]] == [[n] for n in drawn]
    names = [one["name"] for one in product.workspace["channels"]]
    assert names == ["signal_region_1p0000", "signal_region_2p0000"]
    assert [list(one) for one in product.fill["windows"].values()] == [[name] for name in names]
    assert product.sidecar["parent_cross_section_pb"] == 1000.0
    tails = replace(displaced_photons(gaussian(1.0)), n_generated=401_000)
    with pytest.raises(OptionError, match="no hypothesis"):  # 1 % are left
        built({1.0: tails}, volumes=(everywhere,), window=Window(variable="m_x_gev"))
    few = displaced_photons([1.0] * 99)
    with pytest.raises(OptionError, match="no hypothesis"):  # 99 tell no window
        built({1.0: few}, volumes=(everywhere,), window=Window(variable="m_x_gev"))


def test_photons_count_as_far_as_they_stay_in_the_window() -> None:
    """All of 1 GeV with a loss of 1 per m of flight: decays up to d = 2 sigma, boost 2."""
    n = 10_001
    rows = displaced_photons([1.0] * n, slope=1e-3)
    window = Window(variable="m_x_gev", pointing=True)
    first, last = window.lengths_mm(rows, (0.98, 1.02))
    assert set(first.tolist()) == {0.0}
    np.testing.assert_allclose(last, 10.0)  # 20 mm of flight
    high = displaced_photons([1.03] * n, slope=1e-3)
    first, last = window.lengths_mm(high, (0.98, 1.02))
    np.testing.assert_allclose(first, 0.5 * 10.0 / 1.03)
    np.testing.assert_allclose(last, 0.5 * 50.0 / 1.03)
    below = displaced_photons([0.97] * n, slope=1e-3)
    first, last = window.lengths_mm(below, (0.98, 1.02))
    np.testing.assert_array_equal(first, last)
    volume = DecayVolume(r_from_mm=0.0, r_to_mm=1e4)
    found = decay_efficiency(
        [volume], rows["boost_transverse"], rows["boost_along"], np.full(n, 1.0 / n),
        np.array([10.0]), between_mm=window.lengths_mm(rows, (0.98, 1.02)),
    )  # fmt: skip
    assert found.efficiency[0] == pytest.approx(1.0 - math.exp(-1.0))


def test_backgrounds_by_mass_need_windows() -> None:
    """And rising masses."""
    for rows, more, problem in (
        (((1.0, 2.0),), {}, "give window"),
        (((1.0, 2.0), (1.0, 3.0)), {"window": Window(variable="m_x_gev")}, "do not rise"),
    ):
        with pytest.raises(OptionError, match=problem):
            Counting(
                luminosity_ipb=1.0, asimov=True, volumes=(VOLUME,), ctau_mm=(1.0,),
                background_events=rows, **more,
            )  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("kind: b_candidate", "kind: b_candidate\n  colour: 1", "unknown key"),
        ("efficiency: 0.4", "efficiency: 1.4", "1.4"),
        ("variable: m_x_gev, sigma", "variable: m_y_gev, sigma", "not known"),
        ("background_events: 0.1", "background_events: [[1, 2, 3]]", "rows of a mass"),
        ("  parent_pb", "  # parent_pb", "counting.parent_pb"),
        ("decay: mumu", "decay: taus", "choose one of"),
    ],
)  # fmt: skip
def test_cards_of_b_mesons_are_checked(
    old: str, new: str, problem: str, tmp_path: Path, repository: Path
) -> None:
    """Faults name the file."""
    text = (repository / "models/b_to_k_scalar.yaml").read_text("utf-8")
    assert old in text
    path = tmp_path / "card.yaml"
    path.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(CardError, match=problem):
        read_card(path)


CHANNELS = ("b_to_k_scalar", "b_to_kstar_scalar")


@pytest.mark.parametrize("name", CHANNELS)
@pytest.mark.parametrize("ending", ["", "_ee", "_pipi", "_kk"])
def test_cards_of_all_final_states_are_alike(name: str, ending: str, repository: Path) -> None:
    """Luminosity, lifetimes, volumes and statistics are those of the first card."""
    card, first = (
        read_card(repository / f"models/{one}.yaml") for one in (name + ending, "b_to_k_scalar")
    )
    assert card.name == name + ending
    assert isinstance(card.settings, Counting)
    assert isinstance(first.settings, Counting)
    for key in ("luminosity_ipb", "volumes", "ctau_mm", "window", "systematics"):
        assert getattr(card.settings, key) == getattr(first.settings, key)
    assert (card.method, card.cl) == (first.method, first.cl)
    parents = {"b_to_k_scalar": 2 * 0.514, "b_to_kstar_scalar": 2 * 0.486}
    expected = parents[name] * 198e6 / card.luminosity_ipb  # (198 +- 3)e6 pairs
    assert card.settings.parent_pb == pytest.approx(expected, rel=1e-3)
    assert card.benchmarks == (f"{name.removesuffix('_scalar')}_branching",)


def test_the_background_of_photon_pairs_is_that_of_its_study(repository: Path) -> None:
    """The rows of the card are those that the simulated continuum gives, to three digits."""
    card = read_card(repository / "models/b_to_k_alp.yaml")
    study = json.loads(
        (repository / "docs/studies/b-to-k-alp-background.json").read_text("utf-8")
    )  # fmt: skip
    assert isinstance(card.settings, Counting)
    rows = tuple((row["mass_gev"], float(f"{row['events']:.3g}")) for row in study["rows"])
    assert card.settings.background_events == rows
    assert study["simulated"]
    assert card.settings.parent_pb == pytest.approx(2 * 0.514 * 198e6 / 189e3, rel=1e-3)
    assert max(card.settings.ctau_mm) >= 400.0
