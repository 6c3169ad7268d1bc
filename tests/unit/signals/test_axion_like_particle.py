"""Cross section and width of the ALP against independent numbers and limits."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkstats.errors import OptionError
from darkstats.signals.axion_like_particle import (
    coupling_igev,
    cross_section_pb,
    decay_length_mm,
    photon_fusion_cross_section_pb,
    width_gev,
)
from darkstats.signals.constants import ALPHA, M_ELECTRON_GEV, PB_GEV2, S_GEV2


def test_the_massless_limit_is_the_known_number():
    assert cross_section_pb(0.0, 1e-3) == pytest.approx(0.1184, abs=5e-5)


def test_decay_length_at_200_mev_is_five_micrometres():
    assert decay_length_mm(0.2, 1e-3) == pytest.approx(5.0e-3, rel=0.02)


def test_width_is_g_squared_m_cubed_over_64_pi():
    assert width_gev(2.0, 1e-3) == pytest.approx(8e-6 / (64 * math.pi))


@given(st.floats(0.01, 10.5), st.floats(1e-6, 1.0))
def test_coupling_inverts_the_cross_section(mass, coupling):
    assert coupling_igev(mass, cross_section_pb(mass, coupling)) == pytest.approx(coupling)


def test_published_pairs_of_limits_convert_into_each_other():
    # Digitised by two groups: 0.061 pb at 0.33 GeV is about 7.1e-4 per GeV.
    assert coupling_igev(0.33, 0.061) == pytest.approx(7.2e-4, rel=0.03)


@pytest.mark.parametrize("mass", [10.6, -0.1])
def test_masses_out_of_reach_are_refused(mass):
    with pytest.raises(OptionError, match="cannot be made"):
        cross_section_pb(mass, 1e-3)


def test_a_negative_cross_section_has_no_coupling():
    with pytest.raises(OptionError, match="no coupling"):
        coupling_igev(1.0, -0.1)


@pytest.mark.parametrize("mass", [0.2, 1.0, 5.0])
def test_photon_fusion_beats_strahlung_and_stays_below_the_leading_logarithm(mass):
    """Low's leading logarithm squared takes both photons up to the full energy: an upper bound."""
    found = photon_fusion_cross_section_pb(mass, 1e-3)
    w = mass / math.sqrt(S_GEV2)
    f = (2 + w**2) ** 2 * math.log(1 / w) - (1 - w**2) * (3 + w**2)
    log = math.log(S_GEV2 / (4 * M_ELECTRON_GEV**2))
    width = width_gev(mass, 1e-3)
    low = 8 * ALPHA**2 * width / mass**3 * f * log**2 * PB_GEV2
    assert 0.4 * low < found < low
    assert found > cross_section_pb(mass, 1e-3)
    with pytest.raises(OptionError):
        photon_fusion_cross_section_pb(1e-3, 1e-3)
