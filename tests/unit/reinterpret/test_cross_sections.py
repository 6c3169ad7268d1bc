"""Cross sections of anybody's model: closed forms, tables against expressions, mistakes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkstats.errors import CardError, DocumentError, OptionError
from darkstats.reinterpret import AtMass, UnitSignal, read_cross_sections
from darkstats.reinterpret.expression_values import power_of
from darkstats.signals.benchmarks import BENCHMARKS
from darkstats.workflows.coupling_records import restated
from darkstats.workflows.coupling_requests import CouplingRequest
from darkstats.workflows.couplings import with_couplings
from darkstats.workflows.scan_sources import couplings_of
from darkstats.workspace.hs3.expressions import parse_expression

HEAD = "mass_gev,cross_section_fb,reference_coupling,power"
REFERENCE = UnitSignal(kind="reference", origin="here")


def written(path: Path, text: str) -> str:
    path.write_text(text, "utf-8")
    return str(path)


def csv(tmp_path: Path, *rows: str, head: str = HEAD, words: str = "") -> str:
    return written(tmp_path / "model.csv", "\n".join([*words.splitlines(), head, *rows]) + "\n")


sizes = st.floats(1e-8, 1e8)


@given(mu=sizes, power=st.sampled_from((0.5, 1.0, 2.0, 4.0)), g=sizes, theory=sizes, made=sizes)
def test_there_and_back(mu: float, power: float, g: float, theory: float, made: float) -> None:
    """A coupling is that of the signal strength that it came from, and its cross section, too."""
    at = AtMass(
        masses={}, power=power, reference_coupling=g, reference_cross_section_fb=theory,
        signal_cross_section_fb=made,
    )  # fmt: skip
    coupling = at.coupling(mu)
    assert coupling is not None
    assert at.signal_strength(coupling) == pytest.approx(mu, rel=1e-9)
    assert theory * (coupling / g) ** power == pytest.approx(at.cross_section_fb(mu), rel=1e-9)


@pytest.mark.parametrize("power", [2, 4])
def test_closed_form_of_a_signal_at_its_reference_coupling(tmp_path: Path, power: int) -> None:
    """g = g_ref mu^(1/power); the error is g / (power mu) times that of mu."""
    path = csv(tmp_path, f"1,5,0.3,{power}", f"2,1,0.3,{power}")
    at = read_cross_sections(path).at({"mass_gev": 1.7}, stated=[REFERENCE])
    assert at.coupling(16.0) == pytest.approx(0.3 * 16.0 ** (1.0 / power), rel=1e-14)
    step = 1e-6
    slope = (at.coupling(2.0 + step) - at.coupling(2.0 - step)) / (2.0 * step)  # type: ignore[operator]  # numbers
    assert at.coupling_error(2.0, 0.1) == pytest.approx(0.1 * slope, rel=1e-8)
    assert at.coupling(0.0) == 0.0
    assert at.coupling(-1.0) is None
    assert at.coupling_error(0.0, 0.1) is None
    assert at.coupling_error(0.0, 0.0) == 0.0


def test_a_power_law_is_exact_between_rows(tmp_path: Path) -> None:
    """Log-log interpolation of 3 / m^2.5 is 3 / m^2.5; a row is itself, bit by bit."""
    masses = (0.5, 1.1, 2.0, 7.0)
    path = csv(tmp_path, *(f"{m},{3.0 * m**-2.5!r},0.1,2" for m in masses))
    model = read_cross_sections(path)
    for m in (0.5, 0.6, 1.5, 6.9):
        at = model.at({"m_a_gev": m} if m > 1 else {"mass": m}, stated=[REFERENCE])
        assert at.reference_cross_section_fb == pytest.approx(3.0 * m**-2.5, rel=1e-13)
    for m in masses:
        at = model.at({"mass": m}, stated=[REFERENCE])
        assert at.reference_cross_section_fb == 3.0 * m**-2.5


def test_units_of_names_are_read(tmp_path: Path) -> None:
    """MeV against GeV, pb against fb, a label in TeV."""
    gev = read_cross_sections(csv(tmp_path, "100,5000,0.1,2", "200,1000,0.1,2"))
    found = gev.at({"m_TeV": 0.15}, stated=[REFERENCE])
    other = csv(
        tmp_path, "100000,5,0.1,2", "200000,1,0.1,2",
        head="mass_mev,cross_section_pb,reference_coupling_per_gev,power",
    )  # fmt: skip
    mev = read_cross_sections(other)
    same = mev.at({"mass": 150.0}, units={"mass": "GeV"}, stated=[REFERENCE])
    assert same.reference_cross_section_fb == pytest.approx(found.reference_cross_section_fb)
    assert (gev.unit, mev.unit) == (None, "1/GeV")


def test_a_column_may_be_called_as_in_an_expression(tmp_path: Path) -> None:
    """``sigma_pb`` is ``cross_section_pb``; both at once are one too many."""
    names = "mass_gev,{},reference_coupling,power"
    found = []
    for name in ("sigma_pb", "cross_section_pb", "Sigma_PB"):
        path = csv(tmp_path, "1,5,0.1,2", "2,1,0.1,2", head=names.format(name))
        at = read_cross_sections(path).at({"mass": 1.5}, units={"mass": "GeV"}, stated=[REFERENCE])
        found.append(at.reference_cross_section_fb)
    assert found[0] == found[1] == found[2]
    twice = csv(tmp_path, "1,5,5,0.1,2", head=names.format("sigma_pb,cross_section_pb"))
    with pytest.raises(DocumentError, match="several columns of cross sections: sigma_pb"):
        read_cross_sections(twice)


def test_an_expression_is_its_table(tmp_path: Path) -> None:
    """The same numbers by an expression, by a YAML table and by a table of rows in JSON."""
    formula = read_cross_sections("sigma_pb = 12.3e-3*g**2/mass_gev**2")
    columns = {"mass_gev": [1, 2, 4], "cross_section_fb": [0.123, 0.123 / 4, 0.123 / 16]}
    yaml = json.dumps({**columns, "reference_coupling": 0.1, "power": 2, "coupling": "g"})
    rows = [
        {"mass_gev": m, "cross_section_fb": s, "reference_coupling": 0.1, "power": 2}
        for m, s in zip(*columns.values(), strict=True)
    ]
    files = (
        written(tmp_path / "a.yaml", yaml),
        written(tmp_path / "b.json", json.dumps({"table": rows})),
    )  # fmt: skip
    half = UnitSignal.parse("g=0.5", symbol="g", origin="here")
    expected = formula.at({"mass_gev": 3.0}, stated=[half])
    for path in files:
        at = read_cross_sections(path).at({"mass_gev": 3.0}, stated=[half])
        assert at.coupling(0.7) == pytest.approx(expected.coupling(0.7), rel=1e-12)
        assert at.signal_cross_section_fb == pytest.approx(expected.signal_cross_section_fb)
    assert expected.coupling(4.0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("text", "power"),
    [
        ("3*g**2/m_gev", 2.0), ("(g*g)**2", 4.0), ("sqrt(g)*g", 1.5), ("g/g**3", -2.0), ("5", 0.0),
        ("g**2 - 0.3*g*g", 2.0), ("exp(m_gev)*g**(1+1)", 2.0), ("g + g**2", None),
        ("exp(g)", None), ("2**g", None), ("g**m_gev", None), ("g**2 + 1", None),
        ("cos(g/g)*g", 1.0),
    ],
)  # fmt: skip
def test_power_of_an_expression(text: str, power: float | None) -> None:
    """Known where the expression is a single power, and then its logarithm has that slope."""
    node = parse_expression(text)
    assert power_of(node, "g") == power
    if power is not None:
        from darkstats.reinterpret.expression_values import value_of

        low, high = (value_of(node, {"g": g, "m_gev": 1.3}) for g in (0.7, 1.4))
        assert math.log2(high / low) == pytest.approx(power)


MISTAKES = {
    "unknown column": (f"{HEAD},width", ["1,5,0.1,2,3"], "unknown column 'width'"),
    "no unit of mass": ("mass,cross_section_fb,reference_coupling,power", ["1,5,0.1,2"],
                        "says no unit of mass"),
    "no unit": ("mass_gev,cross_section,reference_coupling,power", ["1,5,0.1,2"], "says no unit"),
    "wrong unit": ("mass_gev,cross_section_gev,reference_coupling,power", ["1,5,0.1,2"],
                   "names the unit 'gev'"),
    "no power": ("mass_gev,cross_section_fb,reference_coupling", ["1,5,0.1"],
                 "has no column power"),
    "no reference": ("mass_gev,cross_section_fb,power", ["1,5,2"], "no column reference_coupling"),
    "two units": (f"{HEAD},cross_section_pb", ["1,5,0.1,2,5"], "several columns"),
    "three masses": (f"{HEAD},m_h_gev,m_x_gev", ["1,5,0.1,2,5,6"], "3 columns of masses"),
    "one mass twice": (f"{HEAD},mass_mev", ["1,5,0.1,2,1000"], "are one mass"),
    "a pair twice": (f"{HEAD},m_h_gev", ["1,5,0.1,2,3", "1,6,0.1,2,3"], "m_h_gev 3 is there twice"),
    "falling": (HEAD, ["2,5,0.1,2", "1,5,0.1,2"], "mass_gev 1 comes after 2"),
    "twice": (HEAD, ["1,5,0.1,2", "1,5,0.1,2"], "mass_gev 1 is there twice"),
    "zero": (HEAD, ["1,0,0.1,2"], "cross_section_fb is 0.0"),
    "negative": (HEAD, ["1,-3,0.1,2"], "no number above zero"),
    "no number": (HEAD, ["1,nan,0.1,2"], "no number"),
    "power 0": (HEAD, ["1,5,0.1,0"], "power is 0.0"),
    "powers": (HEAD, ["1,5,0.1,2", "2,5,0.1,4"], "power is 2 and 4"),
    "cells": (HEAD, ["1,5,0.1"], "has 3 cells"),
    "no rows": (HEAD, [], "no row"),
}  # fmt: skip


PLANE = "m_a_gev,m_h_gev,cross_section_fb,reference_coupling,power"


def plane_csv(tmp_path: Path, pairs: list[tuple[float, float]]) -> str:
    """Cross section 12 a^-1.5 h^0.7 at reference coupling 0.1 a^0.2, a power law in all."""
    rows = [f"{a!r},{h!r},{12.0 * a**-1.5 * h**0.7!r},{0.1 * a**0.2!r},2" for a, h in pairs]
    return csv(tmp_path, *rows, head=PLANE)


GRID = [(a, h) for a in (1.0, 1.5, 2.0, 4.0) for h in (0.1, 0.3, 0.5)]


@given(a=st.floats(1.0, 4.0), h=st.floats(0.1, 0.5), mu=sizes)
def test_a_power_law_in_two_masses_is_exact(
    tmp_path_factory: pytest.TempPathFactory, a: float, h: float, mu: float
) -> None:
    """Logarithms are linear in logarithms: anywhere within the grid, on its edge, on its rows."""
    model = read_cross_sections(plane_csv(tmp_path_factory.mktemp("plane"), GRID))
    at = model.at({"m_a_gev": a, "m_h_gev": h}, stated=[REFERENCE])
    assert at.reference_cross_section_fb == pytest.approx(12.0 * a**-1.5 * h**0.7, rel=1e-9)
    assert at.coupling(mu) == pytest.approx(0.1 * a**0.2 * math.sqrt(mu), rel=1e-9)


def test_rows_of_two_masses_are_taken_as_they_are(tmp_path: Path) -> None:
    """Whatever the order of rows and columns, a row is its own cross section, in any unit."""
    rows = ["2,300,5,0.1,2", "1,100,7,0.1,2", "1,300,11,0.1,2", "2,100,13,0.1,2"]
    head = "m_a_gev,m_h_mev,cross_section_fb,reference_coupling,power"
    model = read_cross_sections(csv(tmp_path, *rows, head=head))
    for a, h, expected in ((2.0, 0.3, 5.0), (1.0, 0.1, 7.0), (1.0, 0.3, 11.0), (2.0, 0.1, 13.0)):
        at = model.at({"m_h_gev": h, "m_a_gev": a}, stated=[REFERENCE])
        assert at.reference_cross_section_fb == expected
    assert "Delaunay" in model.interpolation


def test_nothing_is_extrapolated_in_two_masses(tmp_path: Path) -> None:
    """Beyond an axis, beyond the hull within both, and beside rows on one line."""
    model = read_cross_sections(plane_csv(tmp_path, [(1.0, 0.1), (4.0, 0.1), (4.0, 0.5)]))
    assert model.at({"m_a_gev": 3.9, "m_h_gev": 0.12}, stated=[REFERENCE]).coupling(1.0)
    with pytest.raises(DocumentError, match="m_a_gev = 5: it holds for 1 to 4"):
        model.at({"m_a_gev": 5.0, "m_h_gev": 0.2}, stated=[REFERENCE])
    with pytest.raises(DocumentError, match="no triangle of its rows"):
        model.at({"m_a_gev": 1.1, "m_h_gev": 0.45}, stated=[REFERENCE])
    line = read_cross_sections(plane_csv(tmp_path, [(1.0, 0.1), (2.0, 0.2), (4.0, 0.4)]))
    assert line.at({"m_a_gev": 2.0, "m_h_gev": 0.2}, stated=[REFERENCE]).coupling(1.0)
    with pytest.raises(DocumentError, match="no triangle"):
        line.at({"m_a_gev": 3.0, "m_h_gev": 0.3}, stated=[REFERENCE])
    with pytest.raises(DocumentError, match="m_h_gev"):
        model.at({"m_a_gev": 2.0}, stated=[REFERENCE])


def test_a_table_in_two_masses_says_signals_of_its_own(tmp_path: Path) -> None:
    """The cross section of signal strength 1 is interpolated like that of the model."""
    head = f"{PLANE},signal_cross_section_fb"
    rows = [f"{a!r},{h!r},{a * h!r},0.1,4,{a / h!r}" for a, h in GRID]
    at = read_cross_sections(csv(tmp_path, *rows, head=head)).at({"m_a_gev": 1.7, "m_h_gev": 0.2})
    assert at.signal_cross_section_fb == pytest.approx(1.7 / 0.2)
    assert at.coupling(1.0) == pytest.approx(0.1 * 0.2**-0.5)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_table_with_a_mistake_is_refused(tmp_path: Path, name: str) -> None:
    """The message names the file and what is wrong, and most say what to do."""
    head, rows, words = MISTAKES[name]
    with pytest.raises(DocumentError, match=words) as caught:
        read_cross_sections(csv(tmp_path, *rows, head=head))
    assert "model.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sigma = g**2", "unit of the cross section"), ("sigma_bn = g**2", "unit"),
        ("sigma_fb = g*h", "names g, h"), ("sigma_fb = 3/m_gev", "no coupling"),
        ("sigma_fb = g**2 + g**4", "no single power"), ("sigma_fb = 1/g", "power -1"),
        ("sigma_fb = open('x')", "cannot be read"), ("sigma_fb == g", "unit"),
        ("sigma_fb = nan", "no number"), ("sigma_fb = 3*Inf**2", "no number"),
        ("missing.csv", "cannot be read"), ("table.txt", "no table of cross sections"),
    ],
)  # fmt: skip
def test_an_expression_with_a_mistake_is_refused(text: str, words: str) -> None:
    """Nothing is evaluated that is not arithmetic of one coupling and masses."""
    with pytest.raises(DocumentError, match=words):
        read_cross_sections(text)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"efficiency_depends_on_coupling": True}, "efficiency_depends_on_coupling"),
        ({"name": "alp_photon"}, "is the name of something else"),
        ({"constraints_of": "nothing"}, "is no benchmark"),
        ({"unit_signal": "5"}, "does not say what signal strength 1 is"),
        ({"mass_gev": [1, 2]}, "unequal or no length"),
        ({"wdith": 3}, "unknown column"),
    ],
)
def test_a_document_with_a_mistake_is_refused(
    tmp_path: Path, document: dict[str, Any], words: str
) -> None:
    """The same of YAML and JSON, with the line."""
    whole = {
        "mass_gev": [1], "cross_section_fb": [5], "reference_coupling": 0.1, "power": 2, **document
    }  # fmt: skip
    with pytest.raises((DocumentError, CardError), match=words):
        read_cross_sections(written(tmp_path / "m.json", json.dumps(whole)), taken=("alp_photon",))


def test_nothing_is_extrapolated(tmp_path: Path) -> None:
    """Outside the table, and outside the range of an expression, there is no cross section."""
    table = read_cross_sections(csv(tmp_path, "1,5,0.1,2", "2,1,0.1,2"))
    for mass in (0.99, 2.01):
        with pytest.raises(DocumentError, match="no cross section at mass_gev"):
            table.at({"mass": mass}, stated=[REFERENCE])
    text = json.dumps(
        {"expression": "sigma_fb = g**2*m_gev", "mass_range_gev": [1, 2], "reference_coupling": 1}
    )
    formula = read_cross_sections(written(tmp_path / "f.json", text))
    assert formula.at({"m_mev": 1500.0}, stated=[REFERENCE]).signal_cross_section_fb == 1.5
    with pytest.raises(DocumentError, match="it holds for 1 to 2"):
        formula.at({"m": 2.5}, stated=[REFERENCE])
    with pytest.raises(DocumentError, match="no cross section above zero"):
        read_cross_sections("sigma_fb = g**2*(1 - m_gev)").at({"m": 2.0}, stated=[REFERENCE])


def test_signal_strength_1_is_said_and_said_once(tmp_path: Path) -> None:
    """Nothing, two things that differ, a coupling of another name: refused; equal ones are one."""
    model = read_cross_sections(csv(tmp_path, "1,5,0.1,2", words="# unit_signal: 5 fb"))
    alone = read_cross_sections(csv(tmp_path, "1,5,0.1,2"))
    assert model.at({"mass": 1.0}, stated=[REFERENCE]).coupling(4.0) == pytest.approx(0.2)
    with pytest.raises(DocumentError, match="nothing says what signal strength 1 is"):
        alone.at({"mass": 1.0})
    other = UnitSignal.parse("7 fb", symbol="g", origin="--unit-signal")
    with pytest.raises(DocumentError, match=r"5 fb by .*, and 7 fb by --unit-signal"):
        model.at({"mass": 1.0}, stated=[other])
    with pytest.raises(DocumentError, match="does not say"):
        UnitSignal.parse("h=0.1", symbol="g", origin="--unit-signal")
    with pytest.raises(DocumentError, match="there is none"):
        read_cross_sections("sigma_fb = g**2").at({}, stated=[REFERENCE])
    column = csv(tmp_path, "1,5,0.1,2,20", head=f"{HEAD},signal_cross_section_fb")
    assert read_cross_sections(column).at({"mass": 1.0}).coupling(1.0) == pytest.approx(0.2)


def test_an_expression_may_have_several_masses() -> None:
    """Each is the label of its name; one that is missing is refused."""
    model = read_cross_sections("sigma_fb = g**2*m_a_gev*m_h_mev")
    at = model.at({"m_h": 0.5, "m_a_gev": 3.0}, units={"m_h": "GeV"}, stated=[
        UnitSignal.parse("6 pb", symbol="g", origin="here")
    ])  # fmt: skip
    assert at.coupling(1.0) == pytest.approx(2.0)
    with pytest.raises(DocumentError, match="'m_h_mev', and the hypothesis has the labels: m_a"):
        model.at({"m_a": 3.0}, stated=[REFERENCE])


def test_a_mass_is_found_by_its_label(tmp_path: Path) -> None:
    """The only mass, a label by name; several or none are refused."""
    named = csv(tmp_path, "1,5,0.1,2", "3,1,0.1,2", head=HEAD.replace("mass_", "m_sb_"))
    model = read_cross_sections(named)
    at = model.at({"m_sb": 2.0, "m_n1": 1.0}, stated=[REFERENCE])
    assert dict(at.masses) == {"m_sb_gev": 2.0}
    with pytest.raises(DocumentError, match="labels: m_x, m_y"):
        model.at({"m_x": 2.0, "m_y": 1.0}, stated=[REFERENCE])
    with pytest.raises(DocumentError, match="no mass above zero"):
        model.at({"m_sb": "light"}, stated=[REFERENCE])
    with pytest.raises(DocumentError, match="no unit of mass"):
        model.at({"m_sb": 2.0}, units={"m_sb": "ns"}, stated=[REFERENCE])


# --------------------------------------------------------------------------------------- records


def record(label: str, masses: list[float], reference_pb: float | None = 2.0) -> dict[str, Any]:
    """A scan record with limits, errors, a limit that does not exist, and one below zero."""
    points = [
        {
            "name": f"p{k}", "values": [mass], "status": "ok", "observed": 0.3 * (k + 1),
            "observed_error": 0.02, "expected": [0.1, 0.2, 0.4, 0.8, 1.6],
            "expected_error": [0.01] * 5,
        }
        for k, mass in enumerate(masses)
    ]  # fmt: skip
    points[0] |= {"observed": None, "observed_reason": "blinded", "observed_error": 0.0}
    points[-1] |= {"observed": -0.1}
    return {
        "schema": "darkstats.scan/1", "name": "made_up", "title": "Made up", "labels": [label],
        "method": "cls", "cl": 0.95, "calculator": "toys", "benchmarks": [], "points": points,
        "reference_cross_section_pb": reference_pb,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "power", "coupling"),
    [("alp_photon", 2, 1e-3), ("lmu_ltau", 2, 1e-2), ("dark_photon", 2, 1e-3)],
)
def test_a_benchmark_is_the_same_benchmark_as_a_table(
    tmp_path: Path, name: str, power: int, coupling: float
) -> None:
    """Numbers of a built-in benchmark, given as a table at the scanned masses, are its own."""
    masses = [0.3, 0.7, 1.5, 4.0]
    model = BENCHMARKS[name]
    rows = [
        f"{m!r},{model.to_cross_section_pb((m,), coupling)!r},{coupling!r},{power}" for m in masses
    ]
    path = csv(tmp_path, *rows, head=HEAD.replace("_fb", "_pb"))
    plain = record("m_x_gev", masses)
    facts = {"reference_cross_section_pb": 2.0}
    hypotheses: Any = SimpleNamespace(facts=facts, labels=["m_x_gev"], benchmarks=[name])
    convert = couplings_of(hypotheses)[name].at
    found = with_couplings(plain, CouplingRequest(cross_sections=path), "here")
    for point in found["points"]:
        entry = point["couplings"]["model"]
        for mu, value in zip(
            (point["observed"], *point["expected"]), (entry["observed"], *entry["expected"]),
            strict=True,
        ):  # fmt: skip
            expected = None if mu is None else convert(point["values"], mu)
            assert value == (None if expected is None else pytest.approx(expected, rel=1e-12))


def test_what_is_null_stays_null_with_its_reason(tmp_path: Path) -> None:
    """A limit that does not exist keeps its reason, one below zero has one; no NaN anywhere."""
    path = csv(tmp_path, "1,5,0.1,2", "3,5,0.1,2")
    found = with_couplings(
        record("mass_gev", [1.0, 2.0, 3.0]), CouplingRequest(cross_sections=path), "here"
    )
    first, middle, last = (point["couplings"]["model"] for point in found["points"])
    assert (first["observed"], first["observed_reason"]) == (None, "blinded")
    assert first["observed_error"] is None
    assert first["observed_error_reason"] == "blinded"
    assert last["observed"] is None
    assert "below zero" in last["observed_reason"]
    at = 0.1 * math.sqrt(0.6 * 2000.0 / 5.0)
    assert middle["observed"] == pytest.approx(at)
    assert middle["observed_error"] == pytest.approx(at / (2 * 0.6) * 0.02)
    sizes = found["points"][1]["cross_section_fb"]
    assert sizes["observed"] == pytest.approx(1200.0)
    assert sizes["observed_error"] == pytest.approx(40.0)
    assert sizes["expected_error"] == pytest.approx([20.0] * 5)
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    ("key", "value"),
    [("expected_error", [1.0]), ("expected_error", "x"), ("observed_error", "big"),
     ("low_counts", {"observed": "x", "expected": [None] * 5})],
)  # fmt: skip
def test_a_damaged_record_is_refused_with_its_place(key: str, value: Any) -> None:
    """Nothing is converted that is no number."""
    damaged = record("mass_gev", [1.0, 2.0])
    damaged["points"][1][key] = value
    with pytest.raises(DocumentError, match=f"/points/1/{key}"):
        with_couplings(damaged, CouplingRequest(cross_sections="sigma_fb = g"), "here")


def test_a_record_takes_a_model_once_and_several_models(tmp_path: Path) -> None:
    """The second model needs another name, and signal strength 1 stays what it was."""
    path = csv(tmp_path, "1,5,0.1,2", "3,5,0.1,2")
    bare = record("mass_gev", [1.0, 2.0], reference_pb=None)
    once = with_couplings(bare, CouplingRequest(cross_sections=path, unit_signal="5 fb"), "here")
    with pytest.raises(OptionError, match="already"):
        with_couplings(once, CouplingRequest(cross_sections=path), "here")
    formula = CouplingRequest(cross_sections="sigma_fb = 5*h**4")
    twice = with_couplings(once, formula, "here")
    assert twice["benchmarks"] == []
    assert [one["name"] for one in twice["conversions"]] == ["h", "model"]
    again = [
        restated(dict(point), stated, twice["conversions"])
        for point, stated in zip(bare["points"], twice["points"], strict=True)
    ]
    assert again == twice["points"]
    entry = twice["points"][1]["couplings"]["h"]
    assert entry["expected"][2] == pytest.approx(0.4**0.25)
    with pytest.raises(DocumentError, match=r"hypothesis p0"):
        with_couplings(record("mass_gev", [0.5, 2.0]), CouplingRequest(cross_sections=path), "x")
