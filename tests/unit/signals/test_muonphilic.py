"""A scalar that couples to muons alone, and the Z' of L_mu - L_tau in its decays to muons."""

from __future__ import annotations

import pytest

from darkstats.errors import OptionError
from darkstats.signals import leptophilic, lmu_ltau, muonphilic
from darkstats.signals.benchmarks import benchmark


def test_the_rate_is_that_of_a_leptophilic_scalar() -> None:
    """Both are radiated off a muon: branching fraction and coupling alone differ."""
    mass, xi = 5.0, 100.0
    rate = leptophilic.cross_section_pb(mass, xi, "scalar")
    rate /= leptophilic.tau_fraction(mass, "scalar")
    assert muonphilic.cross_section_pb(mass, xi * 0.1056583755 / 246.22) == pytest.approx(
        rate, rel=1e-4
    )


def test_branching_fractions_of_the_zprime() -> None:
    """Below two taus a muon pair has a half; the cross sections have it."""
    assert lmu_ltau.branching_fraction(2.0, "mumu") == pytest.approx(0.5, rel=1e-3)
    found = lmu_ltau.cross_section_pb(5.0, 0.1, branching="mumu")
    assert found == pytest.approx(2.028 * 0.347 * 0.01, rel=3e-3)  # PHYSICS: computed apart


@pytest.mark.parametrize("name", ["lmu_ltau_mumu", "muonphilic_scalar_mumu"])
def test_nothing_decays_to_muons_below_their_threshold(name: str) -> None:
    model = benchmark(name)
    assert not model.covers((0.2,))
    assert model.covers((0.212,))
    for call in (model.to_coupling, model.to_cross_section_pb):
        with pytest.raises(OptionError, match="two muons"):
            call((0.2,), 1.0)
    with pytest.raises(OptionError, match="-1"):
        model.to_coupling((1.0,), -1.0)
