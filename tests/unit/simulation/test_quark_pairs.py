"""Quarks by PYTHIA: charm with two muons in two ways, and the cross section."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.simulation import pythia
from darkstats.simulation.events import EventBlock
from darkstats.simulation.muon_rich_quarks import (
    CHARMED,
    RAISED,
    Fractions,
    charm_switches,
    count,
    daughters_of,
    of_charm,
    raise_muons,
)
from darkstats.simulation.pythia import PythiaQuarkPairs

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray, IndexArray


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


def test_only_two_muons_of_charmed_hadrons_are_left_out_of_the_rest() -> None:
    """Muons of D_s to tau, or of light mesons, beside one of charm are in no other sample."""
    pytest.importorskip("pythia8mc", reason="PYTHIA 8 is an optional extra")
    rest = PythiaQuarkPairs(muons="others")
    _, batch, _ = pythia._batch(pythia._started(rest._switches(), rng(3)), 30_000)
    direct = np.sum([daughters_of(batch, code, 13) for code in CHARMED], axis=0)
    kept = rest.generate(30_000, rng(3)).weight_pb > 0.0
    charm = of_charm(batch)
    assert np.array_equal(kept, ~(charm & (direct >= 2)))
    mixed = charm & (count(batch, 13, final=True) >= 2) & (direct < 2)
    assert mixed.sum() >= 2


def test_decays_have_the_probabilities_that_weights_assume() -> None:
    """Set probabilities in each stratum, and those of plain decays (4 sigma)."""
    pytest.importorskip("pythia8mc", reason="PYTHIA 8 is an optional extra")
    for sign in (1, -1, 0):
        batch, fractions = stratum(sign, 6_000)
        forced = {code: count(batch, code, final=False, sign=sign) for code in CHARMED}
        for code in CHARMED:
            muons = daughters_of(batch, code, 13)
            assert muons.sum() == (forced[code].sum() if sign else 0), code
        for code, daughter, probability in RAISED:
            tried = count(batch, code, final=False)
            if sign and code in forced:
                tried = tried - forced[code]
            each = 2 if daughter == 13 and code != 15 else 1
            assert_share(daughters_of(batch, code, daughter) / each, tried, probability)
    plain = pythia._started(pythia._pairs_of("4", 4.0), rng(6))
    _, batch, _ = pythia._batch(plain, 12_000)
    for code in (411, 421, 431, 4122):
        tried = count(batch, code, final=False)
        assert_share(daughters_of(batch, code, 13), tried, fractions.muon[code])


def stratum(sign: int, n_events: int) -> tuple[Any, Fractions]:
    """Events of charm of one stratum, unweighted."""
    found: list[Fractions] = []
    settings = [*pythia._pairs_of("4", 4.0), *charm_switches(sign)]
    started = pythia._started(settings, rng(5), lambda p: found.append(raise_muons(p)))
    return pythia._batch(started, n_events)[1], found[0]


def assert_share(chosen: FloatArray, tried: IndexArray, share: float) -> None:
    """A share of decays is as expected, within 4 sigma."""
    total = float(tried.sum())
    spread = math.sqrt(total * share * (1.0 - share))
    assert abs(float(chosen.sum()) - total * share) < 4.0 * spread


def test_samples_of_a_cache_are_those_of_their_settings() -> None:
    """Plain others were made anew when less was left out of them; muon-rich ones were not."""
    plain = PythiaQuarkPairs(muons="others").settings()
    rich = PythiaQuarkPairs(muons="others", muon_rich=True).settings()
    assert "muon_rich" not in plain
    assert "muon_rich" in rich
    assert (plain["version"], rich["version"]) == (2, 1)


def test_many_muons_are_made_and_weights_take_them_back() -> None:
    """Cross sections by number of muons are those of plain decays (4 sigma)."""
    pytest.importorskip("pythia8mc", reason="PYTHIA 8 is an optional extra")
    plain = of_muons(PythiaQuarkPairs(muons="others").generate(40_000, rng(3)), 40_000)
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
