"""The search for X -> tau tau beside two muons, from its card to three couplings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from darkstats import workflows as w
from darkstats.searches.card import read_card
from darkstats.signals.benchmarks import benchmark
from scanned_builds import build_and_scan, scan_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A build without quarks, of few masses, and its scan."""
    at = tmp_path_factory.mktemp("tautau")
    card = yaml.safe_load((repository / "models/zprime_tautau.yaml").read_text("utf-8"))
    quarks = {"charm", "qqbar"}  # which need PYTHIA
    card["backgrounds"] = [one for one in card["backgrounds"] if one["name"] not in quarks]
    card["recoil_hunt"]["step_sigma"] = 25.0
    del card["recoil_hunt"]["smoothing_sigma"]
    for name in quarks:
        del card["recoil_hunt"]["systematics"][name]
    (at / "card.yaml").write_text(yaml.safe_dump(card), "utf-8")
    build_and_scan(at)
    return at


def test_cuts_leave_muons_and_taus_alone(folder: Path) -> None:
    """Tau pairs with three pions, and four muons, are gone; the signal is not."""
    build = json.loads((folder / "build/background_only.meta.json").read_text("utf-8"))
    for window in build["windows"].values():
        found = window["background_by_process"]
        assert found.get("tautau", 0.0) + found.get("mumumumu", 0.0) < 0.1 * found["mumutautau"]
        if window["mass_gev"] < 7.0:
            assert 0.08 < window["efficiency"] < 0.2


def test_three_couplings_where_they_exist(folder: Path) -> None:
    points = scan_of(folder)["points"]
    assert len(points) > 8
    for point in points:
        found = {name: one["expected"][2] for name, one in point["couplings"].items()}
        assert found["lmu_ltau_tautau"] > 0.0
        narrow = point["values"][0] <= 6.5
        for name in ("leptophilic_scalar_tautau", "leptophilic_alp_tautau"):
            assert (found[name] is not None) == narrow
    assert any(point["values"][0] > 6.5 for point in points)


def test_recast_gives_the_same_coupling(folder: Path) -> None:
    """Where the width is narrow: of L_mu - L_tau, from the record of the scan."""
    found = w.recast(
        w.RecastRequest(
            limit=str(folder / "scan/scan.json"), to="lmu_ltau", production="mumu",
            final_state="tautau",
        )
    ).result  # fmt: skip
    compared = [point for point in found.first if point.intervals]
    assert len(compared) > 5
    for point in compared:
        assert point.given is not None  # at low counts the limit that holds there
        expected = benchmark("lmu_ltau_tautau").to_coupling((point.mass_gev,), point.given)
        assert point.intervals[0].lower == pytest.approx(expected, rel=2e-3)


def test_without_quarks_limits_are_some_femtobarn(folder: Path) -> None:
    for point in scan_of(folder)["points"]:
        if point["values"][0] < 7.0:
            assert 0.2 < point["cross_section_fb"]["expected"][2] < 2.0


def test_the_card_itself_can_be_read(repository: Path) -> None:
    card = read_card(repository / "models/zprime_tautau.yaml")
    assert [one.process.name for one in card.backgrounds] == [
        "muon_tau_pairs", "four_muons", "tau_three_prongs", "pythia_quark_pairs",
        "pythia_quark_pairs",
    ]  # fmt: skip
