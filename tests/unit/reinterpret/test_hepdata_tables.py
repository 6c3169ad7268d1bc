"""Tables of HEPData: what is read as mass, lifetime and limit, and that mistakes name a place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from darkstats.errors import DocumentError
from darkstats.reinterpret.hepdata_tables import read_rate_table
from darkstats.reinterpret.lifetimes import LifetimeTable


def variable(name: str, units: str | None, values: list[Any], **more: Any) -> dict[str, Any]:
    header = {"name": name} | ({} if units is None else {"units": units})
    rows = [value if isinstance(value, dict) else {"value": value} for value in values]
    return {"header": header, "values": rows, **more}


def table(tmp_path: Path, independent: list[Any], dependent: list[Any]) -> str:
    path = tmp_path / "table.yaml"
    document = {"independent_variables": independent, "dependent_variables": dependent}
    path.write_text(yaml.safe_dump(document), "utf-8")
    return str(path)


MASS = variable("$m_S$", "GeV/$c^2$", [1.0, 1.0, 1.0, 0.5, 0.5])
CTAU = variable("$c\\tau$", "cm", [0.1, 10.0, 1.0, 0.1, 1.0])
LIMIT = variable("95% CL upper limit, observed", "", [1e-7, 4e-7, 2e-7, 3e-7, "-"])


def test_mass_and_lifetime(tmp_path: Path) -> None:
    """Rows in any order become one table against c tau for each mass, in mm."""
    found = read_rate_table(table(tmp_path, [CTAU, MASS], [LIMIT]))
    assert (found.cl, found.unit) == (0.95, "1")
    (light, none), (heavy, limits) = found.limits
    assert (light, none, heavy) == (0.5, None, 1.0)
    assert isinstance(limits, LifetimeTable)
    assert limits.ctau_mm == pytest.approx((1.0, 10.0, 100.0))
    assert limits.values == (1e-7, 2e-7, 4e-7)


def test_times_masses_and_levels(tmp_path: Path) -> None:
    """1 ps is 0.2998 mm; MeV are thousandths of GeV; a qualifier may say the level."""
    mass = variable("mass", "MeV", [500.0, 500.0])
    time = variable("lifetime", "ps", [1.0, 2.0])
    limit = variable("BR", None, [1e-7, 1e-7], qualifiers=[{"name": "CL", "value": "90 %"}])
    found = read_rate_table(table(tmp_path, [mass, time], [limit]))
    assert found.cl == 0.9
    ((one, limits),) = found.limits
    assert one == 0.5
    assert isinstance(limits, LifetimeTable)
    assert limits.ctau_mm == pytest.approx((0.299792458, 0.599584916))


def test_cross_sections_of_bins_and_a_level_that_is_not_said(tmp_path: Path) -> None:
    """A bin stands at its middle; fb become pb; expected limits are left out."""
    mass = variable("M", "GeV", [{"low": 1.0, "high": 3.0}, {"value": 1.0}])
    both = [variable("Expected limit", "fb", [1.0, 1.0]), variable("Observed", "fb", [30.0, "nan"])]
    found = read_rate_table(table(tmp_path, [mass], both))
    assert (found.cl, found.unit) == (None, "pb")
    assert found.limits == ((1.0, None), (2.0, pytest.approx(0.03)))


@pytest.mark.parametrize(
    ("independent", "dependent", "problem"),
    [
        ([MASS, CTAU], [variable("BR", "", []), variable("b", "", [])], "2 columns that may be"),
        ([MASS, CTAU], [variable("BR", "", [1e-7])], "5 masses and 1 limits"),
        ([MASS, variable("x", "cm", [1.0])], [LIMIT], "5 masses and 1 lifetimes"),
        ([MASS, CTAU], [variable("a", "GeV", [1e-7] * 5)], "header/units.*neither a cross"),
        ([MASS, CTAU], [variable("BR", "", [1e-7, 0.0, 1e-7, 1.0, 1.0])], "values/1.*not above"),
        ([MASS, CTAU], [variable("BR", "", [1e-7, "x", 1e-7, 1.0, 1.0])], "values/1.*no number"),
        ([MASS, MASS], [LIMIT], "independent_variables/1.*neither the mass nor"),
        ([MASS], [LIMIT], "a mass twice"),
        ([CTAU], [LIMIT], "no masses above zero"),
        ([variable("m", "GeV", [1.0] * 5), variable("t", "cm", [1.0] * 5)], [LIMIT], "rising"),
        ([MASS, CTAU], [variable("BR", "", [1e-7, "-", "-", "-", 1.0])], "two lifetimes"),
    ],
)  # fmt: skip
def test_mistakes_name_their_place(
    tmp_path: Path, independent: list[Any], dependent: list[Any], problem: str
) -> None:
    """Nothing is guessed of a table that says too little or too much."""
    with pytest.raises(DocumentError, match=problem):
        read_rate_table(table(tmp_path, independent, dependent))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "line.*no valid YAML"),
        ("- 1", "no list of dep"),
        ("dependent_variables: 1", "list"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, problem: str) -> None:
    """A submission, or no YAML at all."""
    path = tmp_path / "table.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(DocumentError, match=problem):
        read_rate_table(path)


@pytest.mark.parametrize(
    "name",
    [
        "Observed 95% CL upper limit on sin(theta)", "Observed upper limit on epsilon",
        "Observed upper limit on mu", r"Observed upper limit on $g_{a\gamma\gamma}$",
        "Observed upper limit on the signal strength", "Observed local p-value", "Observed b",
        "Observed 95% CL lower limit on the BR", "Observed lower limit on the lifetime",
    ],
)  # fmt: skip
def test_another_quantity_without_a_unit_is_no_branching_fraction(
    tmp_path: Path, name: str
) -> None:
    """A coupling of 1e-4 is none; nor is a lower limit."""
    limit = variable(name, "", [1e-4])
    with pytest.raises(DocumentError, match=r"dependent_variables/0/header.*(by its name|lower)"):
        read_rate_table(table(tmp_path, [variable("m", "GeV", [1.0])], [limit]))


@pytest.mark.parametrize(
    "name",
    [
        "Observed 95% CL upper limit", "95% C.L. limit, observed", "BR", "Br(B -> K S), observed",
        r"Observed limit on $\mathcal{B}(B^+\to K^+ S)$", r"$\text{BR}(B \to K S)$",
        r"${\cal B}(B\to K S)$, observed", "Branching fraction", "B(B+ -> K+ X)",
        "Observed upper limit on BR(B+ -> K+ X) x BR(X -> f)",
    ],
)  # fmt: skip
def test_names_of_branching_fractions(tmp_path: Path, name: str) -> None:
    """And names that say no quantity, of limits on which the user asks for one."""
    limit = variable(name, "", [1e-7])
    found = read_rate_table(table(tmp_path, [variable("m", "GeV", [1.0])], [limit]))
    assert (found.unit, found.limits) == ("1", ((1.0, 1e-7),))


def test_credibility_and_simulation_are_told(tmp_path: Path) -> None:
    """By the name, or by the qualifiers of our own tables."""
    mass = variable("m", "GeV", [1.0])
    said = [{"name": "CREDIBILITY", "value": 95.0, "units": "%"},
            {"name": "DATA", "value": "Asimov data, simulated"}]  # fmt: skip
    ours = read_rate_table(table(tmp_path, [mass], [variable("BR", "", [1e-7], qualifiers=said)]))
    assert (ours.cl, ours.is_credible, ours.simulated) == (0.95, True, True)
    by_name = variable("BR, 90 % credibility", "", [1e-7])
    theirs = read_rate_table(table(tmp_path, [mass], [by_name]))
    assert (theirs.cl, theirs.is_credible, theirs.simulated) == (0.9, True, None)


def test_the_limit_of_asimov_data_stands_beside_the_expected_one(tmp_path: Path) -> None:
    """As our own tables of searches without data have it."""
    mass = variable("m", "GeV", [1.0])
    asimov = variable("Asimov data, simulated: upper limit on sigma", "fb", [30.0])
    expected = variable("Expected upper limit on sigma", "fb", [20.0])
    found = read_rate_table(table(tmp_path, [mass], [asimov, expected]))
    assert found.limits == ((1.0, pytest.approx(0.03)),)
