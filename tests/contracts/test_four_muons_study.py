"""The study of the network of the search in four muons: arithmetic, and what its record says."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import MappingProxyType, ModuleType

import numpy as np
import pytest

from darkstats.searches.card import read_card
from darkstats.searches.recoil_hunt import RecoilHunt
from darkstats.simulation.candidates import Candidates
from example_scripts import example_script

CARDS = ("zprime_mumu", "zprime_mumu_cuts", "muonphilic_scalar")


@pytest.fixture(scope="module")
def study() -> ModuleType:
    return example_script("four_muons_classifier")


@pytest.fixture(scope="module")
def record(repository: Path) -> dict:
    return json.loads((repository / "docs/studies/four-muons.json").read_text("utf-8"))


def sample(x: np.ndarray, weight: np.ndarray | None = None) -> Candidates:
    return Candidates(
        columns=MappingProxyType({"x": x}),
        weight_pb=np.ones(len(x)) if weight is None else weight,
        n_generated=len(x), sum_weight_pb=1.0, sum_weight_squared_pb2=1.0,
    )  # fmt: skip


def test_rejection_of_two_gaussians(study: ModuleType) -> None:
    """Unit widths, one apart by two: the efficiency 1/2 leaves the tail beyond two deviations."""
    rng = np.random.default_rng(2)
    signal, background = sample(rng.normal(2.0, 1.0, 200_000)), sample(rng.normal(size=400_000))
    rows = background, np.ones(400_000)
    shares, errors = study.left(lambda one: one["x"], signal, rows, np.array([0.5]))
    tail = 0.5 * math.erfc(2.0 / math.sqrt(2.0))
    assert shares[0] == pytest.approx(tail, rel=0.03)
    assert errors[0] == pytest.approx(math.sqrt(tail / 400_000), rel=0.05)
    area = 0.5 * (1.0 + math.erf(1.0))  # Phi(2 / sqrt(2))
    assert study.area(signal, rows, "x") == pytest.approx(area, abs=2e-3)


def test_bounds_follow_weights(study: ModuleType) -> None:
    values, weights = np.array([0.0, 1.0, 2.0]), np.array([1.0, 1.0, 6.0])
    (bound,) = study.bounds_for(values, weights, np.array([0.75]))
    assert bound == pytest.approx(1.0)


def test_rows_fall_to_the_neighbouring_masses(study: ModuleType) -> None:
    nodes = np.array([1.0, 2.0, 3.0])
    squares = Candidates(
        columns=MappingProxyType({"square": np.array([1.0, 2.5, 4.0, 9.0, 16.0])}),
        weight_pb=np.full(5, 2.0), n_generated=5, sum_weight_pb=1.0, sum_weight_squared_pb2=1.0,
    )  # fmt: skip
    kept, weight = study.around(squares, "square", nodes, 2.0)
    np.testing.assert_allclose(kept["square"], [2.5, 4.0])
    np.testing.assert_allclose(weight, [1.0, 2.0])


def test_the_network_does_not_sculpt_the_mass(record: dict) -> None:
    found = record["summary"]
    assert found["not_certified"] == 0
    assert found["own_largest_sigma"] < 0.25
    assert found["at_fixed_inputs_largest_sigma"] < 0.25
    assert abs(found["unsmoothed_mean_sigma"]) < 0.1
    assert found["unsmoothed_rms_over_error"] < 1.1  # what the number of simulated events gives


def test_the_network_has_learned_no_single_events(record: dict) -> None:
    """Areas of the half that trains and of the half that does not are alike."""
    for one in record["rejection"]:
        assert one["area_training"] == pytest.approx(one["area"], abs=0.03)


def test_the_network_rejects_more_than_cuts_and_no_more_than_the_amplitudes(record: dict) -> None:
    at = record["efficiencies"].index(0.6)
    for one in record["rejection"]:
        assert one["left"][at] < one["left_by_cuts"][at]
        exact, error = (part[at] for part in record["exact_amplitudes"][f"{one['mass_gev']:g}"])
        assert one["left"][at] > 0.9 * exact - 3.0 * math.hypot(error, one["left_error"][at])


def test_radiated_photons_are_a_part_of_the_background(record: dict) -> None:
    """Closed form beside exact simulation: most of it at the threshold, never more than all."""
    shares = {mass: part / whole for mass, whole, part in record["irreducible"]}
    assert all(0.0 <= share < 0.75 for share in shares.values())
    assert max(shares, key=shares.__getitem__) < 0.22
    low = [share for mass, share in shares.items() if 0.22 < mass < 1.0]
    assert 0.4 < np.median(low) < 0.6


def test_pairs_of_radiated_photons_follow_the_closed_form(
    study: ModuleType, repository: Path, tmp_path: Path
) -> None:
    card = read_card(repository / "models/zprime_mumu.yaml")
    window = {"mass_gev": 1.0, "edges_gev2": [0.98**2, 1.02**2], "efficiency": 0.5,
              "background_events": 100.0}  # fmt: skip
    (tmp_path / "meta.json").write_text(json.dumps({"windows": {"one": window}}), "utf-8")
    ((_, _, events),) = study.irreducible(card, tmp_path / "meta.json")
    assert events == pytest.approx(14e-3 * 0.04 * 178_000 * 0.5, rel=0.03)  # 14 fb/GeV at 1 GeV


@pytest.mark.parametrize("name", CARDS)
def test_a_build_of_the_cards_needs_no_training(name: str, repository: Path) -> None:
    hunt = read_card(repository / f"models/{name}.yaml").settings
    assert isinstance(hunt, RecoilHunt)
    assert (hunt.network is None) == (name == "zprime_mumu_cuts")
    assert hunt.network is None or hunt.network.network is not None


def test_the_cards_have_the_same_simulation(repository: Path) -> None:
    """One set of events: what differs between the limits is network or cuts."""
    first, *others = (read_card(repository / f"models/{name}.yaml") for name in CARDS)
    for other in others:
        assert other.selection == first.selection
        assert other.backgrounds == first.backgrounds
