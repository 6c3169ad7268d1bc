"""Bosons off muons that decay to taus: known cross sections, published conversions, ranges."""

from __future__ import annotations

import pytest

from darkstats.errors import OptionError
from darkstats.signals import leptophilic
from darkstats.signals.benchmarks import benchmark
from darkstats.signals.lmu_ltau import cross_section_pb, tree_cross_section_pb


@pytest.mark.parametrize(
    ("boson", "mass", "known_pb"),
    [
        ("scalar", 0.3, 26.2), ("scalar", 1.0, 13.4), ("scalar", 3.6, 2.23), ("scalar", 5.0, 0.705),
        ("vector", 3.6, 7.91), ("vector", 5.0, 2.03),
    ],
)  # fmt: skip
def test_cross_sections_are_the_known_ones(boson: str, mass: float, known_pb: float) -> None:
    assert tree_cross_section_pb(mass, boson=boson) == pytest.approx(known_pb, rel=0.004)


def test_light_scalars_of_either_parity_are_alike() -> None:
    """The muon's mass tells them apart: not where the boson is heavy beside it."""
    scalar, other = (tree_cross_section_pb(7.0, boson=b) for b in ("scalar", "pseudoscalar"))
    assert scalar == pytest.approx(other, rel=0.02)


@pytest.mark.parametrize(
    ("mass", "published_fb"),
    [(3.6, 892.0), (4.006, 1386.0), (5.0, 637.0), (6.0, 215.0), (7.0, 55.3)],
)
def test_conversions_are_close_to_published_ones(mass: float, published_fb: float) -> None:
    """sigma BR / g'^2 of arXiv:2306.12294, whose simulation radiates: within 6 %."""
    found = 1e3 * cross_section_pb(mass, 1.0, branching="tautau")
    assert found == pytest.approx(published_fb, rel=0.06)


@pytest.mark.parametrize(
    ("name", "mass"),
    [("leptophilic_scalar_tautau", 4.0), ("leptophilic_alp_tautau", 4.0), ("lmu_ltau_tautau", 9.0)],
)
def test_couplings_and_cross_sections_are_inverse(name: str, mass: float) -> None:
    model = benchmark(name)
    assert model.to_coupling((mass,), model.to_cross_section_pb((mass,), 0.7)) == pytest.approx(0.7)
    assert model.covers((mass,))


def test_published_minima_are_limits_of_the_published_size() -> None:
    """xi = 53.6 and c / Lambda = 195 per TeV exclude some 0.6 to 1 fb about 4 GeV."""
    for coupling, model in ((53.6, "scalar"), (195.0, "alp")):
        assert 0.5 < 1e3 * leptophilic.cross_section_pb(4.0, coupling, model) < 1.0


def test_nothing_is_said_where_the_width_is_not_narrow() -> None:
    model = benchmark("leptophilic_alp_tautau")
    assert not model.covers((6.6,))
    assert not model.covers((3.5,))
    for mass in (6.6, 3.5):
        with pytest.raises(OptionError, match="conversions hold"):
            leptophilic.size(mass, 1.0, "alp")
    with pytest.raises(OptionError, match="no coupling"):
        leptophilic.size(4.0, -1.0, "scalar")
    with pytest.raises(OptionError, match="choose one of"):
        leptophilic.tau_fraction(4.0, "vector")
    with pytest.raises(OptionError, match="two taus"):
        cross_section_pb(3.5, 1.0, branching="tautau")
    with pytest.raises(OptionError, match="boson"):
        tree_cross_section_pb(3.6, boson="tensor")


def test_scalars_near_threshold_prefer_muons() -> None:
    """beta^3 against beta: the fraction of the scalar falls first."""
    low = 3.56
    assert leptophilic.tau_fraction(low, "scalar") < leptophilic.tau_fraction(low, "alp") < 1.0
    assert leptophilic.tau_fraction(3.5, "alp") == 0.0
    assert leptophilic.tau_fraction(6.0, "scalar") == pytest.approx(1.0, abs=0.01)
