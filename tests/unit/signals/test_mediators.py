"""Widths and rates of mediators: closed forms, thresholds, limits, and published tables."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkstats.errors import OptionError, UnknownNameError
from darkstats.signals import dark_photon, lmu_ltau
from darkstats.signals.b_to_k import axion_branching, scalar_branching, scalar_branching_kstar
from darkstats.signals.constants import ALPHA, M_ELECTRON_GEV, M_MUON_GEV, M_TAU_GEV
from darkstats.signals.hadronic_ratio import HadronicRatio, hadronic_ratio
from darkstats.signals.mediators import (
    FINAL_STATES,
    MEDIATORS,
    DarkMatter,
    mediator,
    photon_mixing,
)
from darkstats.signals.productions import PRODUCTIONS, production

DATA = Path(os.environ.get("DARKSTATS_DATA", Path(__file__).parents[4] / "shared" / "data"))
VECTORS = [name for name, one in MEDIATORS.items() if one.charges is not None]
CHANNELS = ("ee", "mumu", "tautau", "neutrinos", "hadrons", "gammagamma", "dark")

masses = st.floats(1.1e-3, 10.0).filter(
    lambda m: all(abs(m - at) > 0.011 for at in (3.0969, 3.6861, 9.4604, 10.0234, 10.3551))
)
couplings = st.floats(1e-8, 1.0)


@settings(deadline=None)
@given(name=st.sampled_from(VECTORS), mass=masses, g=couplings, dark=st.booleans())
def test_branching_fractions_sum_to_one(name: str, mass: float, g: float, dark: bool) -> None:
    """Whatever the mediator, its mass, its coupling, and what it decays to."""
    with_dark = DarkMatter(mass_gev=0.3, alpha_dark=0.1) if dark else None
    decays = mediator(name).decays(mass, dark=with_dark)
    assert sum(decays.branching(one, g) for one in CHANNELS) == pytest.approx(1.0, rel=1e-12)
    both = decays.branching("visible", g) + decays.branching("invisible", g)
    assert both == pytest.approx(1.0, rel=1e-12)
    assert decays.ctau_mm(g) == pytest.approx(1.973269804e-13 / decays.width_gev(g), rel=1e-12)


@settings(deadline=None)
@given(mass=masses, g=couplings)
def test_without_dark_matter_lifetimes_fall_with_the_square(mass: float, g: float) -> None:
    """c tau g^2 is a constant, and branching fractions do not depend on g."""
    decays = mediator("b_minus_l").decays(mass)
    assert decays.ctau_mm(2.0 * g) == pytest.approx(decays.ctau_mm(g) / 4.0, rel=1e-12)
    assert decays.branching("ee", 2.0 * g) == pytest.approx(decays.branching("ee", g), rel=1e-12)


@pytest.mark.parametrize("lepton", [M_ELECTRON_GEV, M_MUON_GEV, M_TAU_GEV])
def test_a_dark_photon_is_kinetic_mixing(lepton: float) -> None:
    """Its widths are those of the module that has them from another formula."""
    name = {M_ELECTRON_GEV: "ee", M_MUON_GEV: "mumu", M_TAU_GEV: "tautau"}[lepton]
    for mass in (0.01, 0.3, 4.0, 9.0):
        found = mediator("dark_photon").decays(mass).widths_gev[name] * 1e-6
        assert found == pytest.approx(dark_photon.lepton_width_gev(mass, 1e-3, lepton), rel=1e-12)


def test_massless_limits() -> None:
    """Far above threshold: alpha eps^2 m / 3 for each lepton, R times that for hadrons."""
    decays = mediator("dark_photon").decays(8.0)
    unit = ALPHA * 8.0 / 3.0
    assert decays.widths_gev["ee"] == pytest.approx(unit, rel=1e-6)
    assert decays.widths_gev["hadrons"] == pytest.approx(unit * hadronic_ratio(8.0).total, rel=1e-9)
    low = mediator("b_minus_l").decays(0.05)
    assert low.branching("ee", 1.0) == pytest.approx(0.4, rel=1e-6)  # 1 against 3 halves
    assert low.branching("invisible", 1.0) == pytest.approx(0.6, rel=1e-6)


@pytest.mark.parametrize(("channel", "lepton"), [("mumu", M_MUON_GEV), ("tautau", M_TAU_GEV)])
def test_thresholds(channel: str, lepton: float) -> None:
    """Nothing below twice the mass; above it the width begins with the velocity."""
    for name in VECTORS:
        assert mediator(name).decays(1.9999 * lepton).widths_gev[channel] == 0.0
        near, far = (mediator(name).decays(2.0 * lepton * (1.0 + x)) for x in (1e-8, 4e-8))
        ratio = far.widths_gev[channel] / near.widths_gev[channel]
        assert ratio == pytest.approx(2.0, rel=1e-4)


def test_lmu_ltau_is_that_of_the_search() -> None:
    """Branching fractions of the search, but for decays through the mixing with the photon."""
    for mass in (0.1, 0.3, 1.0, 5.0, 9.0):
        decays = mediator("lmu_ltau").decays(mass)
        for channel, name in (("invisible", "invisible"), ("mumu", "mumu"), ("tautau", "tautau")):
            found = decays.branching(channel, 1e-3)
            assert found == pytest.approx(lmu_ltau.branching_fraction(mass, name), abs=5e-4)


def test_mixing_of_lmu_ltau_with_the_photon() -> None:
    """At rest e / (12 pi^2) ln(m_tau^2 / m_mu^2), about 1/69; it falls at large masses."""
    e = math.sqrt(4.0 * math.pi * ALPHA)
    at_rest = e / (12.0 * math.pi**2) * math.log(M_TAU_GEV**2 / M_MUON_GEV**2)
    assert photon_mixing(1e-4) == pytest.approx(at_rest, rel=1e-5)
    assert photon_mixing(100.0) < 1e-2 * photon_mixing(0.1)


def test_protons_do_not_feel_a_protophobic_mediator() -> None:
    """It is not radiated off protons, nor made in pi0 -> gamma V; the photon's charge is one."""
    for name in ("proton", "pi0"):
        rate = production(name).rate
        assert rate(mediator("protophobic"), 0.02) == pytest.approx(0.0, abs=1e-30)
        assert rate(mediator("dark_photon"), 0.02) == pytest.approx(4.0 * math.pi * ALPHA)
        assert rate(mediator("baryon"), 0.02) == pytest.approx(1.0)


def test_dark_matter_is_what_a_dark_photon_decays_to() -> None:
    """Gamma(chi chi) = alpha_D m / 3 far from threshold, at any mixing; nothing below it."""
    decays = mediator("dark_photon").decays(1.0, dark=DarkMatter(mass_gev=1e-3, alpha_dark=0.5))
    assert decays.dark_gev == pytest.approx(0.5 / 3.0, rel=1e-4)
    assert decays.branching("invisible", 1e-4) == pytest.approx(1.0, abs=1e-8)
    closed = mediator("dark_photon").decays(1.0, dark=DarkMatter(mass_gev=0.6, alpha_dark=0.5))
    assert closed.dark_gev == 0.0
    with pytest.raises(OptionError, match="vector mediators"):
        mediator("alp_photon").decays(1.0, dark=DarkMatter(mass_gev=0.1, alpha_dark=0.5))


@settings(deadline=None)
@given(mass=masses)
def test_parts_of_r_add_up_for_the_photon(mass: float) -> None:
    """Weights of all parts are one for the photon's charges, and none is negative."""
    one = hadronic_ratio(mass)
    parts = (one.isovector, one.isoscalar, one.strange, one.charm, one.bottom)
    assert min(parts) >= 0.0
    assert one.weighted(2 / 3, -1 / 3) == pytest.approx(one.total, rel=1e-12, abs=1e-300)
    assert 0.0 < one.relative_error <= one.part_error


def test_r_of_quarks_and_its_thresholds() -> None:
    """N_c sum of Q^2 times about 1.1; no hadron below the pi0; steps at charm and bottom."""
    assert hadronic_ratio(0.1349).total == 0.0
    assert hadronic_ratio(3.0).total == pytest.approx(2.0 * 1.085, rel=0.01)
    assert hadronic_ratio(5.0).total / hadronic_ratio(3.5).total == pytest.approx(5 / 3, rel=0.02)
    assert hadronic_ratio(10.6).bottom == pytest.approx(1 / 3, rel=0.1)
    with pytest.raises(OptionError, match="J/psi"):
        hadronic_ratio(3.1)


def test_pions_alone_begin_as_a_p_wave_with_a_form_factor_of_one() -> None:
    """R = beta^3 |F|^2 / 4, and F is near to 1 at threshold: charge radius, 1 + s <r^2> / 6."""
    mass = 0.2800
    beta = math.sqrt(1.0 - (2.0 * 0.13957039 / mass) ** 2)
    expected = 0.25 * beta**3 * (1.0 + mass**2 * 0.659**2 / 6.0 / 0.1973269804**2) ** 2
    assert hadronic_ratio(mass).isovector == pytest.approx(expected, rel=0.08)


def test_omega_to_pi0_gamma_agrees_with_the_width_of_a_baryonic_boson() -> None:
    """Gamma = alpha_B alpha m^3 |F|^2 (1 - m_pi^2/m^2)^3 / (96 pi^3 f_pi^2), arXiv:1404.4370."""
    for mass in (0.2, 0.3, 0.4):
        factor = 0.78266**2 / (0.78266**2 - mass**2)
        left = (1.0 - (0.1349768 / mass) ** 2) ** 3
        expected = ALPHA * mass**3 * factor**2 * left / (4 * math.pi * 96 * math.pi**3 * 0.0924**2)
        found = mediator("baryon").decays(mass).widths_gev["hadrons"]
        assert found == pytest.approx(expected, rel=0.15)


def test_r_below_2_gev_is_within_its_error_of_the_published_table() -> None:
    """BR(A' -> mu mu) of FORESEE (DeLiVeR) implies R; every one of its masses above 0.3 GeV."""
    path = DATA / "curves" / "DarkPhoton_BR_mumu_below2GeV.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    lines = [line for line in path.read_text("utf-8").splitlines() if line[0] in "0123456789"]
    mass, published = np.array([line.split(",") for line in lines], dtype=float).T
    chosen = mass > 0.3
    found = mediator("dark_photon")
    compared = 0
    for m, fraction in zip(mass[chosen], published[chosen], strict=True):
        decays = found.decays(float(m))
        leptons = decays.widths_gev["ee"] + decays.widths_gev["mumu"]
        implied = decays.widths_gev["mumu"] / fraction - leptons
        assert decays.widths_gev["hadrons"] == pytest.approx(implied, rel=decays.hadron_error)
        compared += 1
    assert compared > 1600


def test_r_that_is_known_as_a_sum_serves_charges_like_the_photons_alone() -> None:
    """Other charges are refused, not guessed."""
    one = HadronicRatio.of_photon(2.5, relative_error=0.03)
    assert one.total == 2.5
    assert one.weighted(2 / 3, -1 / 3) == pytest.approx(2.5)
    with pytest.raises(OptionError, match="isovector"):
        one.weighted(1 / 3, 1 / 3)


@pytest.mark.parametrize(
    ("mass", "expected"), [(1e-4, 0.396), (1.0, 0.402), (2.0, 0.420), (3.0, 0.449), (4.0, 0.460)]
)
def test_b_to_k_scalar(mass: float, expected: float) -> None:
    """BR(B+ -> K+ S) / sin^2(theta), as two computations of the project have it."""
    assert scalar_branching(mass) == pytest.approx(expected, abs=6e-4)


def test_b_to_kstar_scalar() -> None:
    """Published ratio to B -> K S at small masses is 0.47 / 0.43; one third of K*0 has no K+ pi-.

    arXiv:1904.10447, from memory, certainty B: the form factor has an error of 9 %, and so the
    ratio one of 18 %. Near its end the rate falls as the third power of the momentum.
    """
    ratio = scalar_branching_kstar(0.01) / scalar_branching(0.01)
    assert ratio == pytest.approx(0.47 / 0.43, rel=0.18)
    scalar = mediator("dark_higgs_mixing")
    rate, momentum = PRODUCTIONS["b_to_kstar"].rate, PRODUCTIONS["b_to_kstar"].momentum_gev
    assert rate(scalar, 1.0) == pytest.approx(2.0 / 3.0 * scalar_branching_kstar(1.0))
    assert momentum is not None
    p = momentum(2.0)
    assert math.hypot(p, 0.89555) + math.hypot(p, 2.0) == pytest.approx(5.27941)
    end = 5.27941 - 0.89555
    near, far = (scalar_branching_kstar(end - x) for x in (1e-6, 4e-6))
    assert far / near == pytest.approx((momentum(end - 4e-6) / momentum(end - 1e-6)) ** 3, rel=1e-4)
    with pytest.raises(OptionError, match="cannot be made"):
        scalar_branching_kstar(4.39)
    with pytest.raises(OptionError, match="dark_higgs_mixing alone"):
        rate(mediator("alp_w"), 1.0)


def test_b_to_k_axion_and_its_end() -> None:
    """BR(B+ -> K+ a) / g_aW^2; nothing beyond m_B - m_K."""
    assert axion_branching(0.3) == pytest.approx(1.75e3, rel=0.01)
    assert axion_branching(3.0) == pytest.approx(1.99e3, rel=0.01)
    for branching in (scalar_branching, axion_branching):
        with pytest.raises(OptionError, match="cannot be made"):
            branching(4.79)


def test_momenta_of_two_bodies() -> None:
    """Energies of both add up to that of what decays."""
    momentum = PRODUCTIONS["radiative"].momentum_gev
    kaon = PRODUCTIONS["b_to_k"].momentum_gev
    assert momentum is not None
    assert kaon is not None
    p = momentum(4.0)
    assert p + math.hypot(p, 4.0) == pytest.approx(2.0 * math.sqrt(28.0))
    p = kaon(2.0)
    assert math.hypot(p, 0.493677) + math.hypot(p, 2.0) == pytest.approx(5.27941)


def test_what_is_not_known_is_refused() -> None:
    """Names, and rates and widths without a formula."""
    with pytest.raises(UnknownNameError, match="dark_photon"):
        mediator("dark_foton")
    with pytest.raises(UnknownNameError, match="radiative"):
        production("radiativ")
    with pytest.raises(OptionError, match="radiated off the beams"):
        production("mumu").rate(mediator("b_minus_l"), 1.0)
    with pytest.raises(OptionError, match="no tree-level coupling"):
        production("photon").rate(mediator("dark_photon"), 1.0)
    with pytest.raises(OptionError, match="--decays"):
        mediator("dark_higgs_mixing").decays(0.5)
    with pytest.raises(OptionError, match="not above zero"):
        mediator("dark_photon").decays(0.0)
    assert set(FINAL_STATES["visible"]).isdisjoint(FINAL_STATES["invisible"])


def test_a_light_scalar_decays_to_the_heaviest_pair() -> None:
    """Widths go with the mass squared and the third power of the velocity."""
    widths = mediator("dark_higgs_mixing").decays(0.25).widths_gev
    ratio = widths["mumu"] / widths["ee"]
    beta = math.sqrt(1.0 - (2.0 * M_MUON_GEV / 0.25) ** 2)
    assert ratio == pytest.approx((M_MUON_GEV / M_ELECTRON_GEV) ** 2 * beta**3, rel=1e-4)


@pytest.mark.parametrize(
    ("mass", "ratio"), [(0.2705, 0.12), (0.272, 0.22), (0.274, 0.30), (0.276, 0.35), (0.279, 0.41)]
)
def test_a_scalar_decays_to_neutral_pions_before_charged_ones(mass: float, ratio: float) -> None:
    """Leading order, computed apart; above the muons' share is no longer all."""
    decays = mediator("dark_higgs_mixing").decays(mass)
    widths = decays.widths_gev
    assert widths["hadrons"] / widths["mumu"] == pytest.approx(ratio, abs=0.006)
    assert decays.branching("mumu", 1e-3) == pytest.approx(1.0 / (1.0 + ratio), abs=0.005)
    assert decays.hadron_error == 0.5


def test_a_scalar_has_no_hadrons_below_two_neutral_pions() -> None:
    decays = mediator("dark_higgs_mixing").decays(2.0 * 0.1349768)
    assert decays.widths_gev["hadrons"] == 0.0
    assert decays.hadron_error == 0.0


def test_an_axion_like_particle_may_decay_to_electrons() -> None:
    """Gamma(ee) / Gamma(gamma gamma) = 8 k^2 / m^2 sqrt(1 - 4 r), however it couples to photons."""
    for name in ("alp_photon", "alp_w"):
        for mass in (0.0015, 0.3, 2.0):
            decays = mediator(name).decays(mass, electrons_gev=0.2)
            velocity = math.sqrt(1.0 - (2.0 * M_ELECTRON_GEV / mass) ** 2)
            ratio = decays.branching("ee", 1e-4) / decays.branching("gammagamma", 1e-4)
            assert ratio == pytest.approx(8.0 * (0.2 / mass) ** 2 * velocity, rel=1e-9)
    assert mediator("alp_photon").decays(0.001, electrons_gev=0.2).widths_gev["ee"] == 0.0
    with pytest.raises(OptionError, match="axion-like"):
        mediator("dark_photon").decays(1.0, electrons_gev=0.2)
