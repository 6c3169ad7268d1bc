"""Counting displaced decays: yields by lifetime, what is left out, and what a card must say."""

from __future__ import annotations

import math
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from darkstats.errors import CardError, OptionError
from darkstats.searches.card import read_card
from darkstats.searches.counting import Counting, build_counting
from darkstats.searches.cuts import Cut
from darkstats.searches.products import SearchProduct, SimulatedSamples
from darkstats.simulation.candidates import Candidates
from darkstats.simulation.decay_length import DecayVolume
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
