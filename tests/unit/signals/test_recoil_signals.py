"""Signals of the recoil searches against independent numbers, limits and their own inverses."""

import csv
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkstats.errors import OptionError, UnknownNameError
from darkstats.signals import dark_higgsstrahlung, dark_photon, lmu_ltau, muon_anomaly
from darkstats.signals.benchmarks import BENCHMARKS, benchmark
from darkstats.signals.constants import ALPHA, M_MUON_GEV, PB_GEV2, S_GEV2

SQUARED_ENERGY = 10.58**2  # of the reference values


def rows(folder, name):
    with (folder / name).open(encoding="utf-8") as file:
        lines = [line for line in file if not line.startswith("#")]
    return list(csv.DictReader(lines))


@pytest.mark.parametrize(
    ("mass", "known"),
    [(0.1, 568), (1, 99.6), (2, 34.7), (3.6, 7.91), (5, 2.03), (7, 0.174), (9, 2.38e-3)],
)
def test_tree_cross_section_of_the_zprime(mass, known):
    # known to its three digits
    assert lmu_ltau.tree_cross_section_pb(mass, SQUARED_ENERGY) == pytest.approx(known, rel=5e-3)


def test_quadrature_has_converged():
    for mass in (0.05, 0.5, 3.0, 8.0):
        coarse = lmu_ltau.tree_cross_section_pb(mass)
        assert coarse == pytest.approx(lmu_ltau.tree_cross_section_pb(mass, points=96), rel=1.5e-3)


def test_tree_cross_section_follows_the_massless_amplitude():
    """Independent: |M|^2 ~ t/u + u/t + 2 (m^2+s) s12 / (t u) - m^2 s (1/t^2 + 1/u^2)."""
    for mass in (2.0, 4.0, 6.0):
        s, m2 = SQUARED_ENERGY, mass**2
        s12 = np.linspace(1e-3, (math.sqrt(s) - mass) ** 2 - 1e-6, 4001)
        sum_tu = s + m2 - s12  # t + u
        root = np.sqrt(np.maximum((s - m2 - s12) ** 2 - 4.0 * m2 * s12, 0.0))
        y = np.linspace(-0.99999, 0.99999, 4001)
        t = 0.5 * (sum_tu[:, None] + root[:, None] * y)
        u = sum_tu[:, None] - t
        f = t / u + u / t + 2 * (m2 + s) * s12[:, None] / (t * u) - m2 * s * (1 / t**2 + 1 / u**2)
        inner = np.trapezoid(f, y, axis=1) * 0.5 * root
        ratio = np.trapezoid(inner, s12) / (8.0 * math.pi**2 * s**2)
        born = 4.0 * math.pi * ALPHA**2 / (3.0 * s) * PB_GEV2
        # the mass of the muon costs 1.5 % at most here
        assert born * ratio == pytest.approx(lmu_ltau.tree_cross_section_pb(mass, s), rel=0.02)


def test_widths_add_up_and_open_at_threshold():
    assert lmu_ltau.branching_fraction(0.2, "invisible") == 1.0
    for mass, known in ((0.3, 0.530), (2, 0.500), (3.6, 0.447), (5, 0.347), (10, 0.334)):
        assert lmu_ltau.branching_fraction(mass, "invisible") == pytest.approx(known, abs=5.1e-4)
    assert lmu_ltau.branching_fraction(5.0, "tautau") == pytest.approx(0.306, abs=5e-4)
    with pytest.raises(OptionError, match="choose one of"):
        lmu_ltau.branching_fraction(5.0, "ee")


@pytest.mark.parametrize(
    ("masses", "known_fb"),
    [
        ((4, 0.5), 7.6e7),
        ((4, 3.5), 5.6e7),
        ((5, 1), 1.10e8),
        ((6, 1), 1.64e8),
        ((7, 0.5), 2.6e8),
        ((8, 0.5), 4.3e8),
        ((9, 0.5), 8.0e8),
        ((9.7, 0.5), 1.39e9),
        ((5, 4.9), 4.4e7),
    ],
)
def test_dark_higgsstrahlung(masses, known_fb):
    # known to two digits
    found = 1e3 * dark_higgsstrahlung.unit_cross_section_pb(masses, SQUARED_ENERGY)
    assert found == pytest.approx(known_fb, rel=0.015)


def test_dark_higgsstrahlung_on_the_reference_grid(reference_curves):
    table = rows(reference_curves, "COMPUTED_dark_higgsstrahlung_sigma.csv")
    names = list(table[0])
    checked = 0
    for row in table:
        values = [float(row[name]) for name in names[:3]]
        found = 1e3 * dark_higgsstrahlung.unit_cross_section_pb(
            (values[0], values[1]), SQUARED_ENERGY
        )
        if values[0] + values[1] < 10.4:  # masses are rounded there
            assert found == pytest.approx(values[2], rel=6e-3)
            checked += 1
    assert checked > 300


def test_zprime_on_the_reference_grid(reference_curves):
    table = rows(reference_curves, "COMPUTED_xsec_mumuX_tree.csv")
    names = list(table[0])
    checked = 0
    for row in table:
        mass, known = float(row[names[0]]), 1e-3 * float(row[names[1]])
        if 0.1 <= mass <= 9.5 and known > 0.0:
            found = lmu_ltau.tree_cross_section_pb(mass, SQUARED_ENERGY)
            assert found == pytest.approx(known, rel=5e-3)
            checked += 1
    assert checked > 10


@pytest.mark.parametrize(
    ("mass", "known"),
    [(0.01, 5.0e-4), (0.1, 9.5e-4), (0.5, 2.9e-3), (1, 5.4e-3), (2, 1.05e-2), (5, 2.6e-2)],
)
def test_coupling_that_explains_the_old_anomaly(mass, known):
    assert muon_anomaly.coupling_for(mass, 251e-11) == pytest.approx(known, rel=0.02)


def test_limits_of_the_anomaly():
    light, heavy = muon_anomaly.contribution(0.0, 1.0), muon_anomaly.contribution(300.0, 1.0)
    assert light == pytest.approx(1.0 / (8.0 * math.pi**2), rel=1e-10)
    assert heavy == pytest.approx(M_MUON_GEV**2 / (12.0 * math.pi**2 * 300.0**2), rel=1e-5)


def test_bands_follow_the_inputs():
    low, high = muon_anomaly.coupling_band(1.0, 2021)
    assert (low, high) == pytest.approx((3.9e-3, 6.55e-3), rel=0.01)
    low, high = muon_anomaly.coupling_band(1.0, 2025)
    assert low is None
    assert high == pytest.approx(4.4e-3, rel=0.01)
    with pytest.raises(OptionError, match="no inputs of 2020"):
        muon_anomaly.coupling_band(1.0, 2020)
    with pytest.raises(OptionError, match="cannot lower"):
        muon_anomaly.coupling_for(1.0, -1e-9)


@pytest.mark.parametrize(("mass", "known"), [(0.1, 6.32e3), (1, 6.41e3), (5, 9.81e3), (8, 2.55e4)])
def test_single_photon_cross_section(mass, known):
    assert dark_photon.cross_section_pb(mass, 1.0) == pytest.approx(known, rel=5e-3)


def test_muon_fraction_is_that_of_equal_charges():
    # far above all thresholds: 1 / (1 + 1 + 1 + R)
    assert dark_photon.muon_fraction(1e3) == pytest.approx(1.0 / 6.6, rel=1e-4)
    assert dark_photon.muon_fraction(1.0, r_hadrons=0.0) == pytest.approx(0.5, abs=1e-3)


@settings(deadline=None)
@given(st.floats(0.3, 9.0), st.floats(1e-6, 1e2), st.sampled_from(sorted(BENCHMARKS)))
def test_benchmarks_invert_themselves(mass, cross_section_pb, name):
    model = BENCHMARKS[name]
    masses = (mass, 0.4 * min(mass, math.sqrt(S_GEV2) - mass))[: len(model.masses)]
    if not model.covers(masses):
        with pytest.raises(OptionError):
            model.to_coupling(masses, cross_section_pb)
        return
    coupling = model.to_coupling(masses, cross_section_pb)
    assert coupling > 0.0
    assert model.to_cross_section_pb(masses, coupling) == pytest.approx(cross_section_pb, rel=1e-9)


def test_only_branching_fractions_are_per_parent():
    """They are what is seen over what decays; all others are of cross sections."""
    assert {name for name, model in BENCHMARKS.items() if model.per_parent} == {
        "b_to_k_branching",
        "b_to_kstar_branching",
    }


def test_the_fully_invisible_zprime_is_the_stronger_limit():
    weak = benchmark("lmu_ltau").to_coupling((5.0,), 0.5)
    strong = benchmark("lmu_ltau_invisible").to_coupling((5.0,), 0.5)
    assert strong / weak == pytest.approx(math.sqrt(0.347), rel=2e-3)


def test_what_cannot_be_made_is_refused():
    for call in (
        lambda: lmu_ltau.tree_cross_section_pb(10.5),
        lambda: lmu_ltau.coupling(1.0, -1.0),
        lambda: dark_higgsstrahlung.coupling_product((8.0, 4.0), 1.0),
        lambda: dark_higgsstrahlung.coupling_product((4.0, 1.0), -1.0),
        lambda: dark_photon.mixing(11.0, 1.0),
        lambda: lmu_ltau.cross_section_pb(1.0, 1.0, branching="half"),
    ):
        with pytest.raises(OptionError):
            call()
    with pytest.raises(UnknownNameError, match="choose one of"):
        benchmark("lmu_ltaw")
