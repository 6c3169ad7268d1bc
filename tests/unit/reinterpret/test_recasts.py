"""Recasts: closed forms of couplings and of both ends, limits of lifetimes, and refusals."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkstats.errors import OptionError
from darkstats.reinterpret.lifetimes import DecayWindow, LifetimeTable, Momenta
from darkstats.reinterpret.recast_searches import Search, Target
from darkstats.reinterpret.recasts import RecastPoint, recast
from darkstats.signals.constants import ALPHA
from darkstats.signals.mediators import DarkMatter, Decays, mediator
from darkstats.signals.productions import production

VECTORS = ("dark_photon", "b_minus_l", "protophobic", "baryon")
E_CHARGE = math.sqrt(4.0 * math.pi * ALPHA)


def search(name: str = "electron", state: str = "ee", **more: Any) -> Search:
    return Search(production=production(name), final_state=state, **more)


def of(name: str, **more: Any) -> Target:
    return Target(model=mediator(name), **more)


def lowest(point: RecastPoint) -> float:
    assert point.status == "excluded", point.reason
    return point.intervals[0].lower


# ------------------------------------------------------------------------------------ prompt


def test_massless_closed_form() -> None:
    """g_B-L = eps e sqrt(1 / 0.4) below two muons: charges e and 1, BR(ee) 1 and 0.4."""
    found = recast(0.1, 1e-3, of("b_minus_l"), search(), source=of("dark_photon"))
    assert lowest(found) == pytest.approx(1e-3 * E_CHARGE * math.sqrt(2.5), rel=1e-6)
    assert found.intervals[0].upper is None
    assert found.error == 0.0


@settings(deadline=None, max_examples=60)
@given(
    name=st.sampled_from(VECTORS), mass=st.floats(0.002, 2.9), g=st.floats(1e-6, 1e-2),
    state=st.sampled_from(("ee", "visible")),
)  # fmt: skip
def test_a_recast_to_itself_changes_nothing(name: str, mass: float, g: float, state: str) -> None:
    """The identity, at any mass and coupling, in any final state that is open."""
    found = recast(mass, g, of(name), search(state=state), source=of(name))
    assert lowest(found) == pytest.approx(g, rel=1e-9)
    assert found.error == pytest.approx(0.0, abs=1e-9)


@settings(deadline=None, max_examples=60)
@given(
    pair=st.permutations(VECTORS[:3]), mass=st.floats(0.002, 2.9), g=st.floats(1e-6, 1e-2)
)  # fmt: skip
def test_there_and_back(pair: list[str], mass: float, g: float) -> None:
    """A recast is undone by that in the other direction, and two in a row are one."""
    one, two, three = (of(name) for name in pair)
    there = lowest(recast(mass, g, two, search(), source=one))
    assert lowest(recast(mass, there, one, search(), source=two)) == pytest.approx(g, rel=1e-9)
    onwards = lowest(recast(mass, there, three, search(), source=two))
    at_once = lowest(recast(mass, g, three, search(), source=one))
    assert onwards == pytest.approx(at_once, rel=1e-9)


def test_a_rate_is_the_cross_section_of_the_benchmark() -> None:
    """sigma = g^2 alpha / 24 (1 - m^2/s)^3, and g_aB = g_agg / cos^2(theta_W)."""
    at = search("photon", "gammagamma")
    g = lowest(recast(1e-6, 0.118393, of("alp_photon"), at))
    assert g == pytest.approx(1e-3, rel=1e-5)
    other = lowest(recast(1e-6, 0.118393, of("alp_hypercharge"), at))
    assert other == pytest.approx(g / (1.0 - 0.2312), rel=1e-9)
    third = lowest(recast(1e-6, 0.118393, of("alp_w"), at))
    assert third == pytest.approx(g / 0.2312, rel=1e-9)


def test_closed_channels_are_told_and_not_guessed() -> None:
    """No rate or no decay: nothing is excluded, with the reason; of a source: refused."""
    pi0 = search("pi0", "ee")
    found = recast(0.02, 1e-3, of("protophobic"), pi0, source=of("dark_photon"))
    assert found.status == "not excluded"
    assert "signal" in str(found.reason) or "not made" in str(found.reason)
    muons = recast(0.1, 1e-3, of("b_minus_l"), search(state="mumu"), source=of("dark_photon"))
    assert muons.status == "refused"
    invisible = recast(0.1, 1e-3, of("dark_photon"), search(state="invisible"),
                       source=of("b_minus_l"))  # fmt: skip
    assert invisible.status == "not excluded"
    assert "no decay invisible" in str(invisible.reason)
    resonance = recast(3.1, 1e-3, of("b_minus_l"), search(), source=of("dark_photon"))
    assert resonance.status == "refused"
    assert "J/psi" in str(resonance.reason)


def test_a_coupling_with_a_wide_resonance_is_no_limit() -> None:
    """A rate that takes a width above a tenth of the mass excludes nothing."""
    found = recast(1.0, 1e9, of("dark_photon"), search("radiative"))
    assert found.status == "not excluded"
    assert "width" in str(found.reason)


def test_errors_of_hadrons_change_the_coupling_as_branching_fractions_do() -> None:
    """A limit on a rate in ee: g^2 ~ 1 / BR, so that dg/g = f delta / 2 with f = BR(hadrons)."""
    decays = mediator("dark_photon").decays(0.6)
    found = recast(0.6, 1.0, of("dark_photon"), search("radiative"))
    f = decays.branching("hadrons", 1.0)
    above = math.sqrt(1.0 + f * decays.hadron_error) - 1.0
    below = 1.0 - math.sqrt(1.0 - f * decays.hadron_error)
    assert found.error == pytest.approx(max(above, below), rel=1e-9)


# -------------------------------------------------------------------------------- lifetimes


@given(ctau=st.floats(1e-9, 1e9), boost=st.floats(1e-3, 1e3))
def test_windows_share_all_decays(ctau: float, boost: float) -> None:
    """Before, within and beyond add up to one."""
    parts = [(0.0, 3.0), (3.0, 40.0), (40.0, math.inf)]
    kept = [
        float(DecayWindow(from_mm=a, to_mm=b).kept(np.array(ctau), boost)) for a, b in parts
    ]  # fmt: skip
    assert sum(kept) == pytest.approx(1.0, rel=1e-12)
    assert min(kept) >= 0.0


def test_limits_of_lifetimes() -> None:
    """c tau to zero: all decays are near; to infinity: (b - a) / L of them are between."""
    window = DecayWindow(from_mm=2.0, to_mm=5.0)
    near, far = window.kept(np.array([1e-6, 1e9]), 2.0)
    assert near == 0.0
    assert far == pytest.approx(3.0 / 2e9, rel=1e-8)
    prompt = DecayWindow(from_mm=0.0, to_mm=5.0)
    assert prompt.kept(np.array([1e-6]), 2.0)[0] == 1.0


def unit(mass: float, ctau_mm: float) -> Target:
    """A mediator with one decay, ee, and a proper decay length at coupling 1."""
    width = 1.973269804e-13 / ctau_mm
    decays = Decays(mass_gev=mass, widths_gev={"ee": width})
    return Target(model=mediator("dark_photon"), table=lambda _: decays)


def one(rate: float) -> Any:
    return replace(production("radiative"), rate=lambda *_: rate, momentum_gev=None)


def displaced(low: float, high: float) -> Search:
    return Search(
        production=one(1.0), final_state="ee", window=DecayWindow(from_mm=low, to_mm=high),
        momentum_gev=1.0,
    )  # fmt: skip


@settings(deadline=None, max_examples=80)
@given(
    low=st.floats(0.1, 10.0), ratio=st.floats(1.1, 100.0), ctau=st.floats(1e-8, 1e-2),
    part=st.floats(0.02, 0.98),
)  # fmt: skip
def test_both_ends_satisfy_the_equation(low: float, ratio: float, ctau: float, part: float) -> None:
    """u (exp(-a u) - exp(-b u)), u = g^2, has one top: it is above the limit between two roots."""
    a, b = low / ctau, ratio * low / ctau

    def signal(u: float) -> float:
        return -u * math.exp(-a * u) * math.expm1(-(b - a) * u)

    grid = np.geomspace(1e-6 / b, 50.0 / a, 40001)
    top = max(signal(float(u)) for u in grid)
    limit = part * top
    found = recast(1.0, limit, unit(1.0, ctau), displaced(low, ratio * low))
    assert found.status == "excluded", found.reason
    assert len(found.intervals) == 1
    interval = found.intervals[0]
    assert interval.upper is not None
    for end in (interval.lower, interval.upper):
        assert signal(end**2) == pytest.approx(limit, rel=1e-6)
    inside = [u for u in grid if interval.lower**2 < u < interval.upper**2]
    assert all(signal(float(u)) >= limit * (1.0 - 1e-9) for u in inside)
    above = recast(1.0, 1.001 * top, unit(1.0, ctau), displaced(low, ratio * low))
    assert above.status == "not excluded"
    assert above.largest == pytest.approx(1.0 / 1.001, rel=1e-4)


def test_closed_form_of_the_lower_end_of_long_lifetimes() -> None:
    """Far from the upper end, g^4 (b - a) / (boost c tau_1) = limit."""
    found = recast(1.0, 1e-12, unit(1.0, 1e-6), displaced(1.0, 3.0))
    assert lowest(found) == pytest.approx((1e-12 * 1e-6 / 2.0) ** 0.25, rel=1e-3)


def test_many_momenta_are_their_mean() -> None:
    """u sum_k w_k (exp(-a u / p_k) - exp(-b u / p_k)) is the limit at both ends."""
    momenta = Momenta(masses_gev=(), momenta_gev=((0.5, 1.0, 4.0),), weights=((1.0, 2.0, 1.0),))
    at = replace(displaced(1.0, 10.0), momentum_gev=None, momenta=momenta)
    ctau = 1e-5

    def signal(u: float) -> float:
        parts = [
            weight * (math.exp(-u / (p * ctau)) - math.exp(-10.0 * u / (p * ctau)))
            for p, weight in zip((0.5, 1.0, 4.0), (0.25, 0.5, 0.25), strict=True)
        ]
        return u * sum(parts)

    limit = 0.5 * max(signal(u) for u in np.geomspace(1e-8, 1e-3, 4001).tolist())
    interval = recast(1.0, limit, unit(1.0, ctau), at).intervals[0]
    assert interval.upper is not None
    for end in (interval.lower, interval.upper):
        assert signal(end**2) == pytest.approx(limit, rel=1e-6)
    single = Momenta(masses_gev=(), momenta_gev=((1.0, 1.0),), weights=((0.2, 0.3),))
    alone = recast(1.0, limit, unit(1.0, ctau), displaced(1.0, 10.0)).intervals[0]
    twice = replace(at, momenta=single)
    assert recast(1.0, limit, unit(1.0, ctau), twice).intervals[0] == alone


def test_momenta_between_two_masses() -> None:
    """Fractions are linear in the logarithm of the mass, and unknown beyond the table."""
    momenta = Momenta(masses_gev=(1.0, 4.0), momenta_gev=((2.0,), (8.0,)), weights=((1.0,), (3.0,)))
    window = DecayWindow(from_mm=1.0, to_mm=10.0)
    ctau = np.array([0.5, 5.0])
    ends = [window.kept(ctau, 2.0 / 2.0), window.kept(ctau, 8.0 / 2.0)]
    found = momenta.kept(window, ctau, 2.0)
    np.testing.assert_allclose(found, 0.5 * (ends[0] + ends[1]), rtol=1e-12)
    np.testing.assert_allclose(momenta.kept(window, ctau, 4.0), window.kept(ctau, 2.0), rtol=1e-12)
    at = replace(displaced(1.0, 10.0), momentum_gev=None, momenta=momenta)
    point = recast(5.0, 1e-6, unit(5.0, 1e-5), at)
    assert point.status == "refused"
    assert "5 GeV lies beyond the momenta" in str(point.reason)


def test_a_prompt_window_has_no_upper_end() -> None:
    """Decays from 0 on: larger couplings give more signal, up to where widths are not narrow."""
    found = recast(1.0, 1e-6, unit(1.0, 1e-9), displaced(0.0, 1.0))
    assert found.intervals[0].upper is None
    assert "width" in str(found.intervals[0].upper_reason)


def test_invisible_search_sees_what_decays_beyond_it() -> None:
    """Without invisible decays: u exp(-a u) above the limit, between its two roots."""
    at = Search(
        production=one(1.0), final_state="invisible", momentum_gev=1.0,
        window=DecayWindow(from_mm=1000.0, to_mm=math.inf),
    )  # fmt: skip
    a = 1000.0 / 1e-3
    limit = 0.5 / (a * math.e)  # half the top
    interval = recast(1.0, limit, unit(1.0, 1e-3), at).intervals[0]
    assert interval.upper is not None
    for end in (interval.lower, interval.upper):
        assert end**2 * math.exp(-a * end**2) == pytest.approx(limit, rel=1e-9)


def test_invisible_decays_add_to_what_escapes() -> None:
    """BR + (1 - BR) exp(-d / L): all of it where nothing decays near, BR where all do."""
    window = DecayWindow(from_mm=1000.0, to_mm=math.inf)
    at = search("radiative", "invisible", window=window)
    decays = mediator("b_minus_l").decays(0.05)
    found = at.fraction(decays, np.array([1e-9, 3e-6, 1e-2]))
    escape = math.exp(-1000.0 / (at.boost(0.05) * decays.ctau_mm(3e-6)))
    assert found == pytest.approx([1.0, 0.6 + 0.4 * escape, 0.6], rel=1e-5)
    assert 0.01 < escape < 0.99


def test_dark_decays_make_branching_fractions_depend_on_the_coupling() -> None:
    """g^2 g^2 W / (g^2 W + D) reaches the limit at the root of a quadratic equation."""
    dark = DarkMatter(mass_gev=0.1, alpha_dark=1e-6)
    decays = mediator("dark_photon").decays(1.0, dark=dark)
    rate = production("radiative").rate(mediator("dark_photon"), 1.0)
    limit, width, d = 1e-3, decays.unit_gev, decays.dark_gev
    ee = decays.widths_gev["ee"]
    b = -limit * width / rate
    u = (-b + math.sqrt(b * b + 4.0 * ee * limit * d / rate)) / (2.0 * ee)
    found = recast(1.0, limit, of("dark_photon", dark=dark), search("radiative"))
    assert lowest(found) == pytest.approx(math.sqrt(u), rel=1e-9)


def test_limits_against_the_lifetime_end_where_the_table_ends() -> None:
    """A constant limit in a table: ends are those without a table, or those of the table."""
    mass, ctau = 1.0, 1e-4
    table = LifetimeTable(ctau_mm=(1.0, 100.0), values=(1e-5, 1e-5), is_log=True)
    at = Search(production=one(1.0), final_state="ee")
    found = recast(mass, table, unit(mass, ctau), at)
    (interval,) = found.intervals
    assert interval.lower == pytest.approx(math.sqrt(1e-5), rel=1e-6)  # c tau of 10 mm
    assert interval.lower_reason is None
    assert interval.upper == pytest.approx(math.sqrt(ctau / 1.0), rel=1e-6)
    assert "table" in str(interval.upper_reason)
    weak = replace(table, values=(1e-7, 1e-7))
    (interval,) = recast(mass, weak, unit(mass, ctau), at).intervals
    assert interval.lower == pytest.approx(math.sqrt(ctau / 100.0), rel=1e-6)
    assert "table" in str(interval.lower_reason)


def test_beyond_the_table_it_is_not_known() -> None:
    """Nothing is excluded within 1 to 100 mm; shorter lifetimes have no limit, so no answer."""
    table = LifetimeTable(ctau_mm=(1.0, 100.0), values=(1e-2, 1e-2), is_log=True)
    at = Search(production=one(1.0), final_state="ee")
    found = recast(1.0, table, unit(1.0, 1e-4), at)  # c tau is 1e-4 mm over g^2, and g above 0.1
    assert found.status == "refused"
    assert "beyond the table of lifetimes, from 1 to 100 mm" in str(found.reason)
    assert found.largest is None


@pytest.mark.parametrize(("limit", "status"), [(1e-6, "refused"), (2.0, "not excluded")])
def test_beyond_a_table_of_efficiencies_all_signals_may_be_kept(limit: float, status: str) -> None:
    """Unless not even they reach the limit: with a mixing below 1 the rate is below 1."""
    table = LifetimeTable(ctau_mm=(1e3, 1e5), values=(0.5, 0.5))
    at = Search(production=one(1.0), final_state="ee", efficiency=table)
    target = unit(1.0, 1e-4)
    mixing = replace(target, model=replace(target.model, largest=1.0))
    assert recast(1.0, limit, mixing, at).status == status


def test_a_table_of_efficiencies_is_what_its_window_says() -> None:
    """The same ends from a window and from its efficiencies in a fine table."""
    window = DecayWindow(from_mm=1.0, to_mm=50.0)
    ctau = np.geomspace(1e-2, 1e6, 4000)
    table = LifetimeTable(
        ctau_mm=tuple(ctau.tolist()), values=tuple(window.kept(ctau, 1.0).tolist())
    )
    target, limit = unit(1.0, 1e-4), 1e-7
    by_window = recast(1.0, limit, target, displaced(1.0, 50.0)).intervals
    at = Search(production=one(1.0), final_state="ee", efficiency=table)
    by_table = recast(1.0, limit, target, at).intervals
    assert len(by_window) == len(by_table) == 1
    assert by_table[0].lower == pytest.approx(by_window[0].lower, rel=1e-4)
    assert by_table[0].upper == pytest.approx(by_window[0].upper, rel=1e-4)


def test_several_intervals() -> None:
    """An efficiency with a hole gives two intervals, apart from each other."""
    table = LifetimeTable(
        ctau_mm=(1e-3, 1.0, 2.0, 5.0, 10.0, 1e3), values=(1.0, 1.0, 0.0, 0.0, 1.0, 1.0)
    )
    at = Search(production=one(1.0), final_state="ee", efficiency=table)
    found = recast(1.0, 1e-7, unit(1.0, 1e-4), at).intervals
    assert len(found) == 2
    assert found[0].upper is not None
    assert 1e-4 / found[0].upper ** 2 > 5.0
    assert 1e-4 / found[1].lower ** 2 < 2.0


def test_a_source_beyond_its_top_is_refused() -> None:
    """Where larger couplings give less signal, a limit is no lower end, and nothing follows."""
    at = search("radiative", "ee", window=DecayWindow(from_mm=1.0, to_mm=900.0))
    found = recast(0.3, 1e-4, of("b_minus_l"), at, source=of("dark_photon"))
    assert found.status == "refused"
    assert "no lower end" in str(found.reason)
    kept = recast(0.3, 2e-5, of("dark_photon"), at, source=of("dark_photon"))
    assert lowest(kept) == pytest.approx(2e-5, rel=1e-9)
    assert kept.intervals[0].upper is not None


def test_what_does_not_go_together_is_refused() -> None:
    """Spins, rates of which only ratios are known, limits and windows that are none."""
    with pytest.raises(OptionError, match="pseudoscalar"):
        recast(0.1, 1e-3, of("alp_photon"), search(), source=of("dark_photon"))
    with pytest.raises(OptionError, match="only ratios"):
        recast(0.1, 1e-3, of("dark_photon"), search())
    with pytest.raises(OptionError, match="not above zero"):
        recast(0.1, 0.0, of("dark_photon"), search(), source=of("dark_photon"))
    with pytest.raises(OptionError, match="--momentum"):
        search(window=DecayWindow(from_mm=0.0, to_mm=1.0))
    with pytest.raises(OptionError, match="1250:inf"):
        search("radiative", "invisible", window=DecayWindow(from_mm=0.0, to_mm=1.0))
    with pytest.raises(OptionError, match="two distances"):
        search("radiative", "ee", window=DecayWindow(from_mm=1.0, to_mm=math.inf))
    with pytest.raises(OptionError, match="at most 1"):
        search(efficiency=LifetimeTable(ctau_mm=(1.0, 2.0), values=(1.0, 1.1)))
    for text in ("3", "3:1", "a:b", "0:inf", "-1:2", "nan:1"):
        with pytest.raises(OptionError):
            DecayWindow.parse(text)
    for ctau, values in (((1.0,), (1.0,)), ((2.0, 1.0), (1.0, 1.0)), ((1.0, 2.0), (1.0, -1.0))):
        with pytest.raises(OptionError):
            LifetimeTable(ctau_mm=ctau, values=values)
