"""Widths of the bosons of benchmarks, and what a scan says where they are not narrow."""

from __future__ import annotations

import math

import pytest

from darkstats.publication.recomputation import compare_point, compare_units
from darkstats.report.scan_records import Coupling, scan_record
from darkstats.scan.mass_scan import MassScan, ScanPoint
from darkstats.scan.settings import ScanSettings
from darkstats.signals.benchmarks import BENCHMARKS
from darkstats.signals.constants import M_MUON_GEV, M_TAU_GEV, NARROW
from darkstats.signals.mediators import mediator

_KNOWN = sorted(name for name, one in BENCHMARKS.items() if one.width_gev is not None)


@pytest.mark.parametrize("name", _KNOWN)
def test_widths_grow_with_the_square_of_the_coupling(name: str) -> None:
    width = BENCHMARKS[name].width_gev
    assert width is not None
    unit = width((5.0,), 0.1)
    assert unit > 0.0
    assert width((5.0,), 0.3) == pytest.approx(9.0 * unit, rel=1e-12)


@pytest.mark.parametrize("mass", [0.5, 3.0, 8.0])
def test_lmu_ltau_has_muons_taus_and_two_neutrinos(mass: float) -> None:
    """Against the mediator of recasts, which sums charges."""
    found = BENCHMARKS["lmu_ltau_mumu"].width_gev
    assert found is not None
    widths = mediator("lmu_ltau").decays(mass).widths_gev
    leptons = widths["mumu"] + widths["tautau"] + widths["neutrinos"]
    assert found((mass,), 1.0) == pytest.approx(leptons, rel=1e-9)


def test_a_scalar_of_muons_is_that_of_higgs_mixing_with_another_coupling() -> None:
    """g_S = m_mu / v sin(theta), below the threshold of pions."""
    mixed = mediator("dark_higgs_mixing").decays(0.25).widths_gev
    muons = BENCHMARKS["muonphilic_scalar_mumu"].width_gev
    assert muons is not None
    assert muons((0.25,), M_MUON_GEV / 246.22) == pytest.approx(mixed["mumu"], rel=1e-4)


def test_a_scalar_of_leptons_by_its_formula() -> None:
    found = BENCHMARKS["leptophilic_scalar_tautau"].width_gev
    assert found is not None
    known = sum(
        (2.0 * m / 246.22) ** 2 * 5.0 / (8.0 * math.pi) * (1.0 - (2.0 * m / 5.0) ** 2) ** 1.5
        for m in (M_MUON_GEV, M_TAU_GEV)
    )
    assert found((5.0,), 2.0) == pytest.approx(known, rel=1e-9)


def test_an_alp_to_leptons_by_its_formula() -> None:
    found = BENCHMARKS["leptophilic_alp_tautau"].width_gev
    assert found is not None
    known = sum(
        (2.0 * m / 1000.0) ** 2 * 5.0 / (8.0 * math.pi) * math.sqrt(1.0 - (2.0 * m / 5.0) ** 2)
        for m in (M_MUON_GEV, M_TAU_GEV)
    )
    assert found((5.0,), 2.0) == pytest.approx(known, rel=1e-9)


def _record(observed: float | None, width: float | None) -> dict:
    point = ScanPoint(
        name="p", values=(4.0,), status="ok", observed=observed, expected=(1.0, 2.0, 3.0, 4.0, 5.0)
    )
    of_mass = None if width is None else lambda _, size: width * size
    scan = MassScan(
        labels=("m_gev",), settings=ScanSettings(method="cls", cl=0.9), points=(point,),
        inputs_digest="0" * 64,
    )  # fmt: skip
    return scan_record(
        scan, facts={"reference_cross_section_pb": 1.0, "name": "n", "title": "t"},
        couplings={"g": Coupling("g", lambda _, mu: 2.0 * mu, of_mass)}, job_digest="", versions={},
    )["points"][0]  # fmt: skip


def test_a_coupling_says_how_wide_its_boson_is() -> None:
    """At the observed limit, or at the median; beyond a tenth of the mass with a warning."""
    narrow = _record(2.0, 0.9 * NARROW / 4.0)
    assert narrow["couplings"]["g"]["width_over_mass"] == pytest.approx(0.9 * NARROW)
    assert narrow["warnings"] == []
    wide = _record(None, 1.1 * NARROW / 6.0)
    assert wide["couplings"]["g"]["width_over_mass"] == pytest.approx(1.1 * NARROW)
    assert "the width is at least 0.11 of the mass" in wide["warnings"][0]


def test_a_width_that_is_not_known_is_said_so() -> None:
    entry = _record(2.0, None)["couplings"]["g"]
    assert entry["width_over_mass"] is None
    assert entry["width_over_mass_reason"] == "not known for this coupling"


def test_records_from_before_widths_were_told_are_verified() -> None:
    """Without any word on widths they agree; with a wrong one, or a limit that differs, not."""
    found = _record(2.0, 1.1 * NARROW / 4.0)
    entry = {k: v for k, v in found["couplings"]["g"].items() if k != "width_over_mass"}
    earlier = {**found, "couplings": {"g": entry}, "warnings": []}
    assert not list(compare_point(earlier, found, 0, same=True))
    assert not list(compare_units(earlier, found, 0))
    assert not list(compare_point(found, found, 0, same=True))
    for changed in (
        {**earlier, "couplings": {"g": {**entry, "observed": 5.0}}},
        {**found, "couplings": {"g": {**entry, "width_over_mass": 0.2}}},
        {**found, "warnings": []},
        {**earlier, "warnings": ["another"]},
    ):
        assert list(compare_point(changed, found, 0, same=True))
