"""Dark Higgsstrahlung read as mixing: closed forms, boundaries, and what is not missing energy."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkstats.errors import OptionError
from darkstats.reinterpret.dark_higgs import read_point, regime_of
from darkstats.reinterpret.recast_searches import Target
from darkstats.signals.constants import S_GEV2
from darkstats.signals.dark_higgsstrahlung import higgs_momentum_gev, pair_width_gev
from darkstats.signals.mediators import Decays, mediator


def scalar(ctau_mm: float | None = None) -> Target:
    if ctau_mm is None:
        return Target(model=mediator("dark_higgs_mixing"))
    width = 1.973269804e-13 / ctau_mm
    return Target(
        model=mediator("dark_higgs_mixing"),
        table=lambda m: Decays(mass_gev=m, widths_gev={"other": width}),
    )


@given(
    photon=st.floats(1.0, 9.0), share=st.floats(0.01, 0.99), limit=st.floats(1e-9, 1e-5),
    ratio=st.floats(1.001, 1e3), ctau=st.floats(1e-9, 1e-6),
)  # fmt: skip
def test_ends_satisfy_the_equation(
    photon: float, share: float, limit: float, ratio: float, ctau: float
) -> None:
    """Half escape at the first; at the second the product times the escaping part is the limit."""
    higgs = share * min(photon, 10.583 - photon - 1e-3)
    found = read_point((photon, higgs), limit, scalar(ctau), far_mm=1250.0, product=ratio * limit)
    p = higgs_momentum_gev((photon, higgs))

    def escaping(mixing: float) -> float:
        return math.exp(-1250.0 * higgs / (p * ctau) * mixing**2)

    assert found.holds_to is not None
    assert found.excluded_to is not None
    if found.holds_to < 1.0:
        assert escaping(found.holds_to) == pytest.approx(0.5, rel=1e-9)
    if found.excluded_to < 1.0:
        assert ratio * escaping(found.excluded_to) == pytest.approx(1.0, rel=1e-6)
    assert (found.excluded_to >= found.holds_to) == (ratio >= 2.0) or found.holds_to == 1.0


def test_boundaries_of_the_plane() -> None:
    """Thresholds belong to what is below them; nothing is said where h' is seen."""
    assert regime_of(3.0, 3.0) == "long-lived"
    assert regime_of(3.0, 3.001) == "three-body"
    assert regime_of(3.0, 6.0) == "three-body"
    assert regime_of(3.0, 6.001) == "visible"
    for higgs in (3.5, 6.5):
        found = read_point((3.0, higgs), 1e-7, scalar(1e-6), far_mm=1250.0, product=1e-6)
        assert found.holds_to is None
        assert "not missing energy" in str(found.reason)


def test_built_in_widths_end_at_two_pions() -> None:
    """Light h' have their leptonic width; heavier ones are refused without a table."""
    light = read_point((4.0, 0.2), 1e-7, scalar(), far_mm=1250.0, product=None)
    width = 0.51099895e-3**2 * 0.2 / (8.0 * math.pi * 246.22**2)
    width *= (1.0 - (2.0 * 0.51099895e-3 / 0.2) ** 2) ** 1.5
    length = higgs_momentum_gev((4.0, 0.2)) / 0.2 * 1.973269804e-13 / width
    assert light.holds_to == pytest.approx(math.sqrt(length * math.log(2.0) / 1250.0), rel=1e-9)
    assert light.excluded_reason == "not asked for"
    heavy = read_point((4.0, 0.5), 1e-7, scalar(), far_mm=1250.0, product=None)
    assert "--decays" in str(heavy.reason)
    beyond = read_point((9.0, 3.0), 1e-7, scalar(1e-6), far_mm=1250.0, product=None)
    assert "cannot be made" in str(beyond.reason)


def test_a_product_below_the_limit_excludes_no_mixing() -> None:
    """And neither does one where the search has no limit."""
    found = read_point((4.0, 1.0), 1e-7, scalar(1e-6), far_mm=1250.0, product=9e-8)
    assert found.excluded_to is None
    assert "below the limit" in str(found.excluded_reason)
    none = read_point((4.0, 1.0), None, scalar(1e-6), far_mm=1250.0, product=9e-8)
    assert "no limit" in str(none.excluded_reason)
    assert none.holds_to == found.holds_to


def test_width_to_two_dark_photons() -> None:
    """Nothing below threshold; longitudinal A' far above it, alpha_D m_h^3 / (8 m_A^2)."""
    assert pair_width_gev((3.0, 6.0), 0.1) == 0.0
    assert pair_width_gev((0.01, 5.0), 0.1) == pytest.approx(0.1 * 125.0 / 8e-4, rel=1e-4)
    near, far = (pair_width_gev((1.0, 2.0 * (1.0 + x)), 0.1) for x in (1e-8, 4e-8))
    assert far / near == pytest.approx(2.0, rel=1e-5)
    # H -> Z Z of a heavy Higgs boson: G_F m_H^3 / (16 sqrt(2) pi) sqrt(1 - 4x) (1 - 4x + 12 x^2)
    fermi, m_z, m_h = 1.1663788e-5, 91.188, 400.0
    alpha = math.sqrt(2.0) * fermi * m_z**2 / (4.0 * math.pi)  # g_D = m_A / v, 1/v^2 = sqrt(2) G_F
    x = (m_z / m_h) ** 2
    size = fermi * m_h**3 / (16.0 * math.sqrt(2.0) * math.pi)
    expected = size * math.sqrt(1.0 - 4.0 * x) * (1.0 - 4.0 * x + 12.0 * x**2)
    assert pair_width_gev((m_z, m_h), alpha) == pytest.approx(expected, rel=1e-12)


def test_momentum_of_two_bodies() -> None:
    """Energies add up to that of the collision; out of reach is refused."""
    p = higgs_momentum_gev((4.0, 1.0))
    assert math.hypot(p, 4.0) + math.hypot(p, 1.0) == pytest.approx(math.sqrt(S_GEV2))
    with pytest.raises(OptionError, match="cannot be made"):
        higgs_momentum_gev((9.0, 3.0))


@pytest.mark.parametrize("wrong", [{"far_mm": 0.0}, {"product": -1.0}, {"limit": math.inf}])
def test_numbers_that_are_none(wrong: dict[str, float]) -> None:
    """Distances, products and limits are above zero."""
    asked = {"limit": 1e-7, "far_mm": 1.0, "product": 1e-6} | wrong
    with pytest.raises(OptionError, match="not above zero"):
        read_point((4.0, 1.0), asked.pop("limit"), scalar(1e-6), **asked)
