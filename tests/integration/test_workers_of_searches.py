"""Every process of every card gives the same events for one and two workers."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from darkstats.searches.build import sample_requests
from darkstats.searches.card import read_card
from darkstats.simulation.production import SampleRequest, produce

BLOCK = 300
CARDS = sorted(path.stem for path in (Path(__file__).parents[2] / "models").glob("*.yaml"))


def requests(repository: Path) -> list[SampleRequest]:
    """Two blocks of each process: one signal and all backgrounds of each card, once each."""
    found: dict[str, SampleRequest] = {}
    pythia = importlib.util.find_spec("pythia8mc") is not None
    for name in CARDS:
        card = read_card(repository / f"models/{name}.yaml")
        chosen = {one.name: one for one in sample_requests(card, quick=True, seed=1)}
        signals = [key for key in chosen if key.startswith("signal_")]
        for key in signals[1:]:
            del chosen[key]
        for one in chosen.values():
            if one.process.name.startswith("pythia") and not pythia:
                continue
            key = f"{one.process.name} {sorted(one.process.settings().items())}"
            found.setdefault(
                key,
                dataclasses.replace(
                    one, name=f"sample_{len(found)}", n_events=2 * BLOCK, events_per_block=BLOCK
                ),
            )
    return list(found.values())


def test_workers_do_not_change_the_events_of_any_card(repository: Path, tmp_path: Path) -> None:
    """The rows are the same, bit by bit, and the two blocks of a sample differ."""
    asked = requests(repository)
    names = {one.process.name for one in asked}
    assert {
        "two_photons", "three_photons", "forward_bhabha", "photon_vector", "muon_tau_pairs",
        "four_muons", "tau_three_prongs", "muon_pair_vector", "b_to_kaon", "inelastic_dark_matter",
    } <= names  # fmt: skip
    one = produce(asked, cache=tmp_path / "one", workers=1)
    two = produce(asked, cache=tmp_path / "two", workers=2)
    filled = 0
    for key, sample in one.items():
        other = two[key]
        assert sample.n_generated == other.n_generated == 2 * BLOCK
        assert sample.sum_weight_pb == other.sum_weight_pb
        np.testing.assert_array_equal(sample.weight_pb, other.weight_pb)
        for column, values in sample.columns.items():
            np.testing.assert_array_equal(values, other.columns[column], err_msg=column)
        if len(sample) > 10:
            filled += 1
            column = next(iter(sample.columns.values()))
            assert len(np.unique(column)) > len(column) // 4, key  # no block came twice
    assert filled > len(asked) // 2


@pytest.mark.parametrize("name", CARDS)
def test_another_seed_gives_other_keys(name: str, repository: Path) -> None:
    """A seed is part of what is asked for, in every sample of a card."""
    card = read_card(repository / f"models/{name}.yaml")
    first, second = (sample_requests(card, quick=True, seed=seed) for seed in (1, 2))
    assert [one.name for one in first] == [one.name for one in second]
    assert all(one.seed == 1 for one in first)
    assert all(one.seed == 2 for one in second)
