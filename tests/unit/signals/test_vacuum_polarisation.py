"""What dresses a Born cross section: closed form against the integral, and the conversions."""

import math

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.reinterpret.recasts import Search, Target, recast
from darkstats.signals.benchmarks import BENCHMARKS, benchmark
from darkstats.signals.constants import ALPHA, M_ELECTRON_GEV, M_MUON_GEV, M_TAU_GEV, S_GEV2
from darkstats.signals.mediators import mediator
from darkstats.signals.productions import production
from darkstats.signals.vacuum_polarisation import dressing, dressing_error, leptonic_shift


def by_dispersion(mass_gev, s_gev2, n=100_000):
    """Principal value of (alpha s / 3 pi) int dq^2 R(q^2) / (q^2 (s - q^2)), R of one lepton.

    In x = ln q^2, on a grid that is symmetric about ln s, so that the pole cancels.
    """
    low, pole = math.log(4.0 * mass_gev**2), math.log(s_gev2)
    step = (pole - low) / n
    x = low + step * (np.arange(12 * n) + 0.5)
    q2 = np.exp(x)
    r = 4.0 * mass_gev**2 / q2
    ratio = (1.0 + 0.5 * r) * np.sqrt(1.0 - r)
    return ALPHA * s_gev2 / (3.0 * math.pi) * step * float((ratio / (s_gev2 - q2)).sum())


@pytest.mark.parametrize("s", [S_GEV2, 30.0])
def test_the_leptonic_shift_is_its_dispersion_integral(s):
    """Sum over leptons; the grid ends at q^2 = s (s / 4 m^2)^11, what lies beyond is 1e-4 of it."""
    masses = (M_ELECTRON_GEV, M_MUON_GEV, M_TAU_GEV)
    expected = sum(by_dispersion(mass, s) for mass in masses)
    assert leptonic_shift(s) == pytest.approx(expected, rel=1e-3)


def test_the_factor_is_the_known_one():
    """1.044 for leptons, 1.078 with hadrons, an independent calculation."""
    assert dressing(hadronic_shift=0.0) == pytest.approx(1.044, abs=5e-4)
    assert dressing() == pytest.approx(1.078, abs=5e-4)
    moved = dressing(hadronic_shift=0.0175) / dressing() - 1.0
    assert dressing_error() == pytest.approx(moved, rel=0.02)
    with pytest.raises(OptionError, match="threshold"):
        leptonic_shift(10.0)


@pytest.mark.parametrize(
    ("name", "masses", "power"),
    [
        ("lmu_ltau", (3.0,), 0.5),
        ("lmu_ltau_invisible", (3.0,), 0.5),
        ("dark_higgsstrahlung", (6.0, 1.0), 1.0),
    ],
)
def test_dressed_conversions_have_the_factor_once(name, masses, power):
    plain, dressed = benchmark(name), benchmark(f"{name}_dressed")
    ratio = dressed.to_coupling(masses, 0.01) / plain.to_coupling(masses, 0.01)
    assert ratio == pytest.approx(dressing() ** -power, rel=1e-12)
    back = dressed.to_cross_section_pb(masses, dressed.to_coupling(masses, 0.01))
    assert back == pytest.approx(0.01, rel=1e-12)
    assert "1.078" in dressed.assumption


@pytest.mark.parametrize("mass", [0.5, 3.0, 6.0])
def test_a_recast_has_the_couplings_of_a_scan_at_born_level(mass: float) -> None:
    """Of a cross section: the dressed ones are smaller by the root of the factor."""
    search = Search(production=production("mumu"), final_state="invisible")
    target = Target(model=mediator("lmu_ltau"))
    size = BENCHMARKS["lmu_ltau"].to_cross_section_pb((mass,), 0.01)
    found = recast(mass, size, target, search).intervals[0].lower
    assert found == pytest.approx(0.01, rel=3e-4)
    dressed = BENCHMARKS["lmu_ltau_dressed"].to_coupling((mass,), size)
    assert found / dressed == pytest.approx(math.sqrt(dressing()), rel=3e-4)
    again = recast(mass, dressed, target, search, source=target).intervals[0].lower
    assert again == pytest.approx(dressed, rel=1e-9)
