"""Visible, invisible, long-lived: shares, their limits, and the couplings between them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkstats.errors import OptionError
from darkstats.reinterpret.recast_searches import Target
from darkstats.reinterpret.regimes import Geometry, boundaries, regime_map, shares
from darkstats.signals.mediators import DarkMatter, mediator

GEOMETRY = Geometry(near_mm=9.0, far_mm=1250.0)
VECTORS = ("dark_photon", "b_minus_l", "protophobic", "lmu_ltau")


def boost(mass: float) -> float:
    return 3.0 / mass


def target(name: str, dark: DarkMatter | None = None) -> Target:
    return Target(model=mediator(name), dark=dark)


@settings(deadline=None)
@given(
    name=st.sampled_from(VECTORS), mass=st.floats(0.002, 2.9), g=st.floats(1e-9, 0.1),
    alpha=st.sampled_from((0.0, 1e-12, 0.1)),
)  # fmt: skip
def test_shares_add_up_to_one(name: str, mass: float, g: float, alpha: float) -> None:
    """Whatever the mediator, and none is negative."""
    dark = DarkMatter(mass_gev=0.3, alpha_dark=alpha) if alpha else None
    found = shares(target(name, dark).decays(mass), np.array([g]), 9.0, 3.0 / mass)
    assert found.sum() == pytest.approx(1.0, rel=1e-12)
    assert found.min() >= 0.0


def test_limits_of_the_coupling() -> None:
    """Weak: long-lived; strong: visible; with dark matter: invisible, until the coupling wins."""
    weak, strong = shares(target("dark_photon").decays(0.5), np.array([1e-12, 0.1]), 9.0, 6.0).T
    assert weak == pytest.approx([0.0, 0.0, 1.0], abs=1e-9)
    assert strong == pytest.approx([1.0, 0.0, 0.0], abs=1e-9)
    dark = DarkMatter(mass_gev=0.1, alpha_dark=0.1)
    found = shares(target("dark_photon", dark).decays(0.5), np.array([1e-12, 1e-3]), 9.0, 6.0)
    assert found[1] == pytest.approx([1.0, 1.0], abs=1e-4)


@settings(deadline=None)
@given(name=st.sampled_from(VECTORS), mass=st.floats(0.3, 2.9), alpha=st.floats(1e-14, 1e-6))
def test_boundaries_are_halves(name: str, mass: float, alpha: float) -> None:
    """At each of them a half is what it says."""
    dark = DarkMatter(mass_gev=0.1, alpha_dark=alpha)
    one = target(name, dark)
    found, decays = boundaries(one, mass, GEOMETRY, boost), one.decays(mass)
    assert found.visible_from is not None
    assert found.escapes_to is not None
    assert found.invisible_to is not None
    for coupling, distance in ((found.visible_from, 9.0), (found.escapes_to, 1250.0)):
        length = boost(mass) * decays.ctau_mm(coupling)
        within = 1.0 - math.exp(-distance / length)
        if coupling > 0.0:
            assert within == pytest.approx(0.5, rel=1e-9)
        else:  # decays to dark matter alone are as fast
            assert within >= 0.5 - 1e-9
    if 0.0 < found.invisible_to < math.inf:
        assert decays.branching("invisible", found.invisible_to) == pytest.approx(0.5, rel=1e-9)
    assert found.escapes_to <= found.visible_from


def test_a_map_has_gaps_where_nothing_is_known() -> None:
    """Beside the J/psi there is no width, and no share; elsewhere the map is that of one mass."""
    masses, couplings = np.array([1.0, 3.1]), np.geomspace(1e-8, 1e-2, 5)
    found = regime_map(target("b_minus_l"), masses, couplings, GEOMETRY, boost).shares
    assert np.isnan(found[:, 1]).all()
    alone = shares(target("b_minus_l").decays(1.0), couplings, 9.0, 3.0)
    assert found[:, 0] == pytest.approx(alone)
    assert boundaries(target("b_minus_l"), 3.1, GEOMETRY, boost).reason is not None


def test_always_and_never_invisible() -> None:
    """B - L below two muons is invisible in 60 %; a dark photon without dark matter never."""
    assert boundaries(target("b_minus_l"), 0.1, GEOMETRY, boost).invisible_to == math.inf
    assert boundaries(target("dark_photon"), 0.1, GEOMETRY, boost).invisible_to == 0.0


@pytest.mark.parametrize("text", ["9", "1250:9", "0:9", "a:b", "9:inf"])
def test_geometries_that_are_none(text: str) -> None:
    """Two rising distances above zero, or a refusal."""
    with pytest.raises(OptionError):
        Geometry.parse(text)
