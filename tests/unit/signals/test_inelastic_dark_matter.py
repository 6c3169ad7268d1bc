"""Inelastic dark matter: the exact width against its limit, an amplitude, and other integrals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from darkstats.errors import OptionError
from darkstats.signals.constants import ALPHA, HBAR_C_GEV_MM, M_ELECTRON_GEV
from darkstats.signals.dirac import GAMMA, METRIC, adjoint, spinors_u
from darkstats.signals.inelastic_dark_matter import InelasticDarkMatter


def model(splitting: float, mass: float = 1.0, mediator: float = 3.0) -> InelasticDarkMatter:
    return InelasticDarkMatter(
        mass_gev=mass, splitting_gev=splitting, mediator_gev=mediator, alpha_dark=0.1
    )


@pytest.mark.parametrize(("splitting", "ratio"), [(0.05, 0.93), (0.1, 0.87), (0.4, 0.64)])
def test_the_ratio_to_the_quoted_limit(splitting: float, ratio: float) -> None:
    """Values of an independent integration, to the two digits that are stated."""
    point = model(splitting)
    found = point.widths_gev()["ee"] / point.small_splitting_width_gev(1.0)
    assert found == pytest.approx(ratio, abs=0.006)


@pytest.mark.parametrize(("mass", "ctau_cm"), [(0.3, 8.4), (0.5, 5.0), (1.0, 2.5), (2.0, 1.3)])
def test_the_benchmark_line(mass: float, ctau_cm: float) -> None:
    """The quoted formula along Delta = 0.4 m1, mA = 3 m1; the exact one is 1.56 times longer."""
    point = InelasticDarkMatter.benchmark(mass)
    limit_cm = 0.1 * HBAR_C_GEV_MM / point.small_splitting_width_gev(1e-3)
    assert limit_cm == pytest.approx(ctau_cm, rel=0.04)
    electrons_cm = 0.1 * HBAR_C_GEV_MM / (1e-6 * point.widths_gev()["ee"])
    assert electrons_cm / limit_cm == pytest.approx(1.56, rel=0.01)
    assert point.ctau_mm(1e-3) <= 10.0 * electrons_cm * (1.0 + 1e-12)


def test_the_limit_is_reached() -> None:
    """Delta much smaller than m1 and mA, and the electron light beside it."""
    point = model(0.2, mass=200.0, mediator=1000.0)
    assert point.widths_gev()["ee"] / point.small_splitting_width_gev(1.0) == pytest.approx(
        1.0, abs=4e-3
    )


@settings(max_examples=25, deadline=None)
@given(
    splitting=st.floats(0.01, 1.0), mass=st.floats(0.05, 3.0), heavy=st.floats(1.05, 5.0)
)  # fmt: skip
def test_the_integral_is_that_of_an_adaptive_one(
    splitting: float, mass: float, heavy: float
) -> None:
    point = model(splitting, mass, heavy * (2.0 * mass + splitting))
    low, high = 4.0 * M_ELECTRON_GEV**2, splitting**2

    def in_logarithm(x: float) -> float:
        return float(point.spectrum(np.array(math.exp(x)), M_ELECTRON_GEV)) * math.exp(x)

    expected, _ = quad(in_logarithm, math.log(low), math.log(high), epsrel=1e-10, limit=400)
    assert point.widths_gev()["ee"] == pytest.approx(expected, rel=1e-6)


def test_the_tensor_is_that_of_explicit_spinors() -> None:
    """H by traces against a sum over spins with Dirac matrices, contracted with -g + qq/q^2."""
    m1, m2, q2 = 0.7, 1.0, 0.04
    energy = (m2**2 + m1**2 - q2) / (2.0 * m2)
    momentum = math.sqrt(energy**2 - m1**2)
    chi2 = np.array([[m2, 0.0, 0.0, 0.0]])
    chi1 = np.array([[energy, 0.0, 0.0, momentum]])
    current = np.einsum(
        "nai,vij,nbj->vab", adjoint(spinors_u(chi1, m1)), GAMMA, spinors_u(chi2, m2)
    )
    along = ((chi2 - chi1)[0] * METRIC) @ current.reshape(4, -1)
    squared = (
        -(METRIC[:, None, None] * np.abs(current) ** 2).sum() + (np.abs(along) ** 2).sum() / q2
    )
    traced = 2.0 * ((m2 - m1) ** 2 - q2) * (2.0 * q2 + (m1 + m2) ** 2) / q2
    assert squared == pytest.approx(traced, rel=1e-10)
    # ... and the spectrum is built of it, by the formula of the module
    point = InelasticDarkMatter(mass_gev=m1, splitting_gev=0.3, mediator_gev=3.0, alpha_dark=0.2)
    root = 2.0 * m2 * momentum
    rho = ALPHA / 3.0 * q2
    expected = 0.5 * traced * rho * root / (16.0 * math.pi**2 * m2**3)
    expected *= 4.0 * math.pi * 0.2 / (q2 - 9.0) ** 2
    assert float(point.spectrum(np.array(q2), 0.0)) == pytest.approx(expected, rel=1e-12)


def test_channels_open_at_their_thresholds() -> None:
    assert model(0.2).widths_gev()["mumu"] == 0.0
    assert model(0.22).widths_gev()["mumu"] > 0.0
    assert model(1e-3).ctau_mm(1.0) == math.inf


def test_the_dark_photon_at_rest() -> None:
    """Energies of both states add up to the mass."""
    point = model(0.4)
    p = point.momentum_gev
    assert math.hypot(p, 1.0) + math.hypot(p, 1.4) == pytest.approx(3.0, rel=1e-12)


@pytest.mark.parametrize(
    ("change", "says"),
    [({"mass_gev": 0.0}, "mass_gev"), ({"alpha_dark": math.nan}, "alpha_dark"),
     ({"mediator_gev": 2.4}, "does not decay to chi1 chi2")],
)  # fmt: skip
def test_what_is_no_point_of_the_model(change: dict[str, float], says: str) -> None:
    given_ = {"mass_gev": 1.0, "splitting_gev": 0.4, "mediator_gev": 3.0, "alpha_dark": 0.1}
    with pytest.raises(OptionError, match=says):
        InelasticDarkMatter(**(given_ | change))
