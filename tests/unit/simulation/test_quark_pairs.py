"""Quarks by PYTHIA: charm with two muons in two ways, and the cross section."""

from __future__ import annotations

import math

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.simulation.pythia import PythiaQuarkPairs


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


@pytest.mark.parametrize("given", [{"muons": "some"}, {"least_mass_gev": 1.0}])
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
