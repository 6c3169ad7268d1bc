"""Quarks by PYTHIA: charm with two muons in two ways, and the cross section."""

from __future__ import annotations

import math

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.simulation import pythia
from darkstats.simulation.events import EventBlock
from darkstats.simulation.muon_rich_quarks import CHARMED, daughters_of, of_charm
from darkstats.simulation.pythia import PythiaQuarkPairs


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


@pytest.mark.parametrize("given", [{"muons": "some"}, {"least_mass_gev": 1.0}, {"muon_rich": True}])
def test_what_cannot_be_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(OptionError, match="pythia_quark_pairs"):
        PythiaQuarkPairs(**given)  # type: ignore[arg-type]


def test_charm_to_two_muons_is_taken_out_and_made_alone() -> None:
    """What the sample of the rest leaves out is what the forced decays have (4 sigma)."""
    pytest.importorskip("pythia8mc", reason="PYTHIA 8 is an optional extra")
    rest = PythiaQuarkPairs(muons="others").generate(20_000, rng())
    every = rest.weight_pb.max()
    assert every == pytest.approx(3280.0, rel=0.02)  # leading order; 3690 pb with corrections
    lost = every * (rest.weight_pb == 0.0)
    forced = PythiaQuarkPairs(muons="two_of_charm").generate(4_000, rng(2))
    muons = np.bincount(
        forced.event, weights=(np.abs(forced.pdg_id) == 13), minlength=forced.n_events
    )
    assert (muons >= 2).mean() > 0.99
    value = forced.weight_pb.mean()
    error = math.hypot(
        forced.weight_pb.std() / math.sqrt(len(forced.weight_pb)),
        lost.std() / math.sqrt(len(lost)),
    )
    assert abs(value - lost.mean()) < 4.0 * error
    assert error < 0.2 * value


def test_a_cache_of_plain_events_stays_good() -> None:
    assert "muon_rich" not in PythiaQuarkPairs(muons="others").settings()
    assert "muon_rich" in PythiaQuarkPairs(muons="others", muon_rich=True).settings()


def test_many_muons_are_made_and_weights_take_them_back() -> None:
    """Cross sections by number of muons are those of plain decays (4 sigma)."""
    pytest.importorskip("pythia8mc", reason="PYTHIA 8 is an optional extra")
    plain = of_muons(without_two_of_charm(40_000), 40_000)
    process = PythiaQuarkPairs(muons="others", muon_rich=True)
    rich = of_muons(process.generate(20_000, rng(4)), 20_000)
    for k, ((value, error), (other, narrow)) in enumerate(zip(plain, rich, strict=True)):
        assert abs(value - other) < 4.0 * math.hypot(error, narrow), k
    # of half as many events: a quarter of the error would be that of 32 times as many
    assert rich[1][1] < 0.7 * plain[1][1]
    assert rich[2][1] < 0.4 * plain[2][1]
    assert rich[2][1] < 0.15 * rich[2][0]


def of_muons(block: EventBlock, n_events: int) -> list[tuple[float, float]]:
    """Cross section and its error, pb, of no muon, of one, and of more."""
    assert block.n_events == n_events
    muons = np.bincount(block.event, weights=(np.abs(block.pdg_id) == 13), minlength=block.n_events)
    found = []
    for k in range(3):
        weights = np.where(np.minimum(muons, 2) == k, block.weight_pb, 0.0)
        found.append((float(weights.mean()), float(weights.std()) / math.sqrt(n_events)))
    return found


def without_two_of_charm(n_events: int) -> EventBlock:
    """Plain decays, but for events of charm of which two hadrons decay to muons."""
    any_muons = PythiaQuarkPairs()
    _, batch, weight_pb = pythia._batch(pythia._started(any_muons._switches(), rng(3)), n_events)
    weights = np.full(len(batch), weight_pb)
    direct = np.sum([daughters_of(batch, code, 13) for code in CHARMED], axis=0)
    weights[of_charm(batch) & (direct >= 2)] = 0.0
    return pythia._block(batch, weights)
