"""Tables of recasts: what is read, and that mistakes name their place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from darkstats.errors import DocumentError, OptionError
from darkstats.reinterpret.lifetimes import LifetimeTable
from darkstats.reinterpret.recast_files import (
    is_rates,
    read_decays,
    read_efficiency,
    read_momenta,
    read_rates,
    read_ratio,
)
from darkstats.signals.mediators import mediator


def written(tmp_path: Path, text: str, name: str = "table.csv") -> str:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return str(path)


def test_rates(tmp_path: Path) -> None:
    """Levels and units are those of the names; a bin has its middle."""
    found = read_rates(written(tmp_path, "# title\nmass_GeV,BR_UL90\n0.5,1e-7\n1,2e-7\n2,nan\n"))
    assert (found.cl, found.unit, found.words) == (0.9, "1", "title")
    assert found.limits == ((0.5, 1e-7), (1.0, 2e-7), (2.0, None))
    text = "mass_lo_GeV,mass_hi_GeV,sigma_UL95_fb\n0.5,0.7,30\n"
    found = read_rates(written(tmp_path, text))
    assert (found.cl, found.unit) == (0.95, "pb")
    assert found.limits == ((pytest.approx(0.6), pytest.approx(0.03)),)


def test_rates_against_the_lifetime(tmp_path: Path) -> None:
    """Columns are lifetimes; ``nan`` is left out, and a mass with one number has no limit."""
    head = "mass_GeV,UL95_ctau_0.1cm,UL95_ctau_2mm,UL95_log10tau_ps_2_ctau_1cm\n"
    found = read_rates(written(tmp_path, head + "1,1e-7,3e-7,nan\n2,nan,nan,1e-7\n"))
    (mass, table), none = found.limits
    assert none == (2.0, None)
    assert mass == 1.0
    assert isinstance(table, LifetimeTable)
    assert table.ctau_mm == (1.0, 2.0)
    middle = table.at(np.array([2.0**0.5, 3.0]))
    assert middle[0] == pytest.approx(3.0**0.5 * 1e-7)
    assert np.isnan(middle[1])


def test_a_limit_on_a_coupling_is_no_rate(tmp_path: Path) -> None:
    """What is read as a rate is told by its names."""
    assert not is_rates(written(tmp_path, "mass_GeV,epsilon_UL90\n1,1e-3\n"))
    assert is_rates(written(tmp_path, "mass_GeV,BR_UL90\n1,1e-3\n"))
    assert not is_rates("curve.lmt")


@pytest.mark.parametrize(
    ("read", "text", "problem"),
    [
        (read_rates, "mass_GeV,BR_UL90\n1,1e-3\n0.5,1e-3\n", "line 3.*comes after"),
        (read_rates, "mass_GeV,BR_UL90\n1,0\n", "line 2"),
        (read_rates, "mass_GeV,BR_UL90\n1,inf\n", "line 2.*no number"),
        (read_rates, "mass_GeV,limit\n1,1e-3\n", "BR_UL90"),
        (read_rates, "mass_GeV,BR_UL90\n1\n", "line 2.*1 cells"),
        (read_rates, "energy,BR_UL90\n1,1e-3\n", "no mass"),
        (read_rates, "mass_GeV,UL95_ctau_1cm,UL90_ctau_2cm\n1,1,1\n", "levels 90, 95"),
        (read_rates, "mass_GeV,UL95_ctau_2cm,UL95_ctau_1cm\n1,1e-7,1e-7\n", "line 2.*rising"),
        (read_rates, "mass_GeV,UL95_ctau_1cm,UL95_ctau_2cm\n1,1e-7,nan\n", "two lifetimes"),
        (read_efficiency, "ctau,efficiency\n1,1\n", "ctau_mm, efficiency"),
        (read_efficiency, "ctau_mm,efficiency\n1,1\n", "two rows"),
        (read_efficiency, "ctau_mm,efficiency\n1,1\n2,-0.1\n", "below 0"),
        (read_momenta, "momentum,weight\n1,1\n", "momentum_gev, weight"),
        (read_momenta, "momentum_gev,weight\n0,1\n", "momenta are above zero"),
        (read_momenta, "momentum_gev,weight\n1,-1\n", "not negative"),
        (read_momenta, "momentum_gev,weight\n1,0\n2,0\n", "not all zero"),
        (read_momenta, "mass_gev,momentum_gev,weight\n0,1,1\n1,1,1\n", "masses above zero"),
        (read_ratio, "mass_gev,R,isovector,isoscalar,strange\n1,2,1,1,1\n2,2,1,1,1\n", "columns"),
        (read_ratio, "mass_gev,R\n1,2\n", "two rows"),
        (read_ratio, "mass_gev,R,R\n1,2,2\n2,2,2\n", "twice"),
    ],
)
def test_mistakes_are_named(
    tmp_path: Path, read: Callable[[str], object], text: str, problem: str
) -> None:
    """File, line, and what to do."""
    with pytest.raises(DocumentError, match=problem) as caught:
        read(written(tmp_path, text))
    assert "table.csv" in str(caught.value)


def test_efficiencies_in_other_units(tmp_path: Path) -> None:
    """Centimetres are ten millimetres."""
    found = read_efficiency(written(tmp_path, "ctau_cm,efficiency\n0.1,1\n10,0\n"))
    assert found.ctau_mm == (1.0, 100.0)
    assert found.at(np.array([10.0]))[0] == pytest.approx(0.5)


def test_decays(tmp_path: Path) -> None:
    """Lifetime log-log, branching fractions linear; what is left is not seen."""
    ctau = written(tmp_path, "mass_GeV,ctau_m_for_theta_1\n4,1e-12\n1,1e-9\n", "ctau.csv")
    muons = written(tmp_path, "mass_GeV,BR\n1,0.2\n3,0.4\n", "mumu.csv")
    at = read_decays({"ctau": ctau, "mumu": muons})
    decays = at(2.0)
    assert decays.ctau_mm(1.0) == pytest.approx(1e3 * (1e-9 * 1e-12) ** 0.5)
    assert decays.ctau_mm(0.1) == pytest.approx(100.0 * decays.ctau_mm(1.0))
    assert decays.branching("mumu", 0.1) == pytest.approx(0.3)
    assert decays.branching("other", 0.1) == pytest.approx(0.7)
    with pytest.raises(OptionError, match="from 1 to 3 GeV"):
        at(3.5)
    with pytest.raises(OptionError, match="ctau=FILE"):
        read_decays({"mumu": muons})
    with pytest.raises(OptionError, match="choose one of"):
        read_decays({"ctau": ctau, "kk": muons})
    more = written(tmp_path, "mass_GeV,BR\n1,0.9\n3,0.9\n", "ee.csv")
    with pytest.raises(OptionError, match=r"add up to 1\.2"):
        read_decays({"ctau": ctau, "mumu": muons, "ee": more})(2.0)
    above = written(tmp_path, "mass_GeV,BR\n1,0.9\n3,1.1\n", "tautau.csv")
    with pytest.raises(DocumentError, match="line 3"):
        read_decays({"ctau": ctau, "tautau": above})


def test_r_of_a_table_takes_the_place_of_the_parametrisation(tmp_path: Path) -> None:
    """Parts are weighted with charges, the error is that of the table, nothing beyond it."""
    text = (
        "mass_gev,isovector,isoscalar,strange,relative_error\n1,1.5,0.1,0.3,0.02\n2,1,0.2,0.3,0.02"
    )
    ratio = read_ratio(written(tmp_path, text))
    decays = mediator("baryon").decays(1.5, ratio=ratio)
    expected = (4.0 * 0.15 + 0.3) * 1.5 / (12.0 * np.pi)
    assert decays.widths_gev["hadrons"] == pytest.approx(expected)
    assert decays.hadron_error == pytest.approx(0.02)
    with pytest.raises(OptionError, match="beyond"):
        ratio(2.5)
    alone = read_ratio(written(tmp_path, "mass_gev,R\n1,2\n2,2.2\n"))
    assert mediator("dark_photon").decays(1.5, ratio=alone).widths_gev["hadrons"] > 0.0
    with pytest.raises(OptionError, match="isovector"):
        mediator("b_minus_l").decays(1.5, ratio=alone)


def test_momenta_are_sorted_by_mass(tmp_path: Path) -> None:
    """Rows of a mass belong together, in whatever order they stand; without one, all are alike."""
    text = "mass_gev,momentum_gev,weight\n2,5,1\n1,3,0.5\n2,6,3\n1,4,0.5\n"
    found = read_momenta(written(tmp_path, text))
    assert found.masses_gev == (1.0, 2.0)
    assert found.momenta_gev == ((3.0, 4.0), (5.0, 6.0))
    assert found.weights == ((0.5, 0.5), (1.0, 3.0))
    assert found.words == "up to 2 momenta at each of 2 masses"
    alike = read_momenta(written(tmp_path, "momentum_gev,weight\n3,1\n4,1\n5,1\n"))
    assert (alike.masses_gev, alike.words) == ((), "3 momenta")


def test_a_branching_fraction_may_have_a_step_and_begin_at_no_mass(tmp_path: Path) -> None:
    """As tables of others have; at the step, and above, its second value holds."""
    life = written(tmp_path, "mass_GeV,ctau_mm\n0.1,1\n10,1\n", name="ctau.csv")
    text = "mass_GeV,BR\n0,0\n1,0.25\n2,0.5\n2,0\n10,0\n"
    decays = read_decays({"ctau": life, "hadrons": written(tmp_path, text, name="br.csv")})
    for mass, value in ((0.5, 0.125), (1.5, 0.375), (1.999999, 0.5), (2.0, 0.0), (3.0, 0.0)):
        assert decays(mass).branching("hadrons", 1.0) == pytest.approx(value, abs=1e-6)
    thrice = "mass_GeV,BR\n1,0.25\n2,0.5\n2,0.4\n2,0\n"
    with pytest.raises(DocumentError, match="comes after"):
        read_decays({"ctau": life, "hadrons": written(tmp_path, thrice, name="t.csv")})
    with pytest.raises(DocumentError, match="comes after"):
        read_decays({"ctau": written(tmp_path, text.replace("BR", "ctau_mm"), name="c.csv")})
