"""The search for single photons from its card to the kinetic mixing."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from darkstats import workflows as w
from darkstats.searches.card import read_card
from darkstats.signals.dark_photon import cross_section_pb
from scanned_builds import build_and_scan, scan_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A quick build, coarser than the card, and its scan."""
    at = tmp_path_factory.mktemp("single-photon")
    text = (repository / "models/single_photon.yaml").read_text("utf-8")
    text = text.replace("quick: 1000000", "quick: 200000").replace(
        "step_sigma: 0.5", "step_sigma: 2"
    )
    (at / "card.yaml").write_text(text, "utf-8")
    build_and_scan(at)
    return at


@pytest.mark.parametrize(
    ("mass", "known_pb"), [(0.1, 6.31e3), (1.0, 6.41e3), (5.0, 9.80e3), (8.0, 2.54e4)]
)
def test_cross_sections_are_the_known_ones(mass: float, known_pb: float) -> None:
    assert cross_section_pb(mass, 1.0) == pytest.approx(known_pb, rel=0.004)


def test_limits_are_limits_on_the_mixing(folder: Path) -> None:
    """epsilon is the root of the cross section; a few 1e-4 to 1e-3 in 20/fb where nothing peaks."""
    points = scan_of(folder)["points"]
    assert len(points) >= 13
    for point in points:
        mass = point["values"][0]
        limit = 1e-3 * point["cross_section_fb"]["expected"][2]
        mixing = point["couplings"]["dark_photon"]["expected"][2]
        assert cross_section_pb(mass, mixing) == pytest.approx(limit, rel=1e-9)
        assert 2e-4 < mixing < 5e-3
        assert point["values"][0] < 8.0


def test_bhabha_events_have_their_edge(folder: Path) -> None:
    """None below 6.8 GeV but for the resolution, most of the background above 7.5 GeV."""
    build = json.loads((folder / "build/background_only.meta.json").read_text("utf-8"))
    for window in build["windows"].values():
        share = window["background_by_process"].get("radiative_bhabha", 0.0)
        share /= window["background_events"]
        if window["edges_gev2"][-1] < 6.5**2:
            assert share < 1e-3
        if window["mass_gev"] > 7.5:
            assert share > 0.5


def test_the_veto_beyond_the_calorimeter_is_an_option(repository: Path, tmp_path: Path) -> None:
    text = (repository / "models/single_photon.yaml").read_text("utf-8")
    with_veto = read_card(repository / "models/single_photon.yaml")
    lines = [line for line in text.splitlines() if not line.startswith("  klm_")]
    (tmp_path / "early.yaml").write_text("\n".join(lines), "utf-8")
    early = read_card(tmp_path / "early.yaml")
    assert early.detector.klm_inefficiency == 1.0
    assert isinstance(with_veto.detector.klm_inefficiency, tuple)
    assert early.digest != with_veto.digest


def test_recast_to_another_mediator(folder: Path) -> None:
    """Without decays of its own to dark matter, B - L is invisible by its neutrinos alone."""
    found = w.recast(
        w.RecastRequest(
            limit=str(folder / "scan/scan.json"), to="b_minus_l", production="radiative",
            final_state="invisible",
        )
    ).result  # fmt: skip
    points = scan_of(folder)["points"]
    numbers = [point for point in found.first if point.intervals]
    assert len(numbers) > len(points) // 2
    charge = math.sqrt(4.0 * math.pi / 137.036)
    for point in numbers:
        row = next(one for one in points if math.isclose(one["values"][0], point.mass_gev))
        mixing = row["couplings"]["dark_photon"]["observed"]
        # made like a dark photon of eps = g / e, and 3 of some 7.5 to 12 parts decay to neutrinos
        ratio = point.intervals[0].lower / (mixing * charge)
        assert 1.0 < ratio < 3.0
