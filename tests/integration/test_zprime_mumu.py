"""The search for Z' -> mu mu beside two muons, from its cards to couplings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from darkstats import workflows as w
from darkstats.cli import run
from darkstats.searches.card import read_card
from darkstats.searches.network import Network
from darkstats.searches.recoil_hunt import RecoilHunt
from darkstats.signals.benchmarks import benchmark
from darkstats.simulation.kinematics import M_MU, invariant_mass_squared, to_lab
from darkstats.simulation.muon_pair_vector import MuonPairVector
from scanned_builds import build_and_scan, scan_of

MASSES = [0.8, 1.5, 2.5, 4.0, 5.5]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A small build of few masses, and its scan."""
    at = tmp_path_factory.mktemp("mumu")
    card = yaml.safe_load((repository / "models/zprime_mumu.yaml").read_text("utf-8"))
    card["backgrounds"][0]["events"] = {"full": 40_000, "quick": 40_000}
    card["signal"] |= {"masses_gev": MASSES, "events": {"full": 5000, "quick": 5000}}
    card["signal"]["events_per_block"] = 5000
    hunt = card["recoil_hunt"]
    hunt |= {"first_gev": 1.0, "high_gev": 5.0, "step_sigma": 20.0, "bins_per_sigma": 1}
    hunt["optimise"] |= {"masses_gev": [1.5, 4.0], "scan": {"network": [0.0, 0.4, 0.6, 0.8]}}
    (at / "card.yaml").write_text(yaml.safe_dump(card), "utf-8")
    build_and_scan(at)
    return at


def test_windows_hold_the_pair_of_the_signal(folder: Path) -> None:
    """One pair of four, with some 0.2 to 0.6 of the events; wrong pairs are elsewhere."""
    build = json.loads((folder / "build/background_only.meta.json").read_text("utf-8"))
    assert len(build["windows"]) > 10
    for window in build["windows"].values():
        assert 0.2 < window["efficiency"] < 0.6
        assert window["background_events"] > 0.0


def test_cuts_of_the_figure_of_merit_reject_background(folder: Path) -> None:
    record = json.loads((folder / "build/record.json").read_text("utf-8"))
    found = record["summary"]["optimisation"]
    assert any(max(one["above"].values()) > 0.0 for one in found.values())


def test_a_card_without_weights_trains_the_same_for_any_number_of_workers(
    folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("sklearn", reason="training needs the extra classifier")
    card = yaml.safe_load((folder / "card.yaml").read_text("utf-8"))
    choice = card["recoil_hunt"]["network"]
    held = choice.pop("weights")
    choice |= {"rows_per_mass": 1000, "epochs": 5}
    (tmp_path / "card.yaml").write_text(yaml.safe_dump(card), "utf-8")
    for workers in ("1", "2"):
        words = ["build", str(tmp_path / "card.yaml"), "--quick", "--workers", workers]
        assert run([*words, "-o", str(tmp_path / workers)]) == 0
    names = ("background_only.json", "background_only.meta.json", "patchset.json")
    for name in names:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
    sidecar = json.loads((tmp_path / "1" / names[1]).read_text("utf-8"))
    network = Network.from_plain(sidecar["networks"]["network"])
    assert [len(one.biases) for one in network.layers] == [16, 8, 1]
    assert network.plain()["layers"] != held["layers"]


def test_recast_gives_the_same_coupling(folder: Path) -> None:
    found = w.recast(
        w.RecastRequest(
            limit=str(folder / "scan/scan.json"), to="lmu_ltau", production="mumu",
            final_state="mumu",
        )
    ).result  # fmt: skip
    compared = [point for point in found.first if point.intervals]
    assert len(compared) > 5
    for point in compared:
        assert point.given is not None
        expected = benchmark("lmu_ltau_mumu").to_coupling((point.mass_gev,), point.given)
        assert point.intervals[0].lower == pytest.approx(expected, rel=2e-3)


def test_limits_are_some_tenths_of_a_femtobarn(folder: Path) -> None:
    points = scan_of(folder)["points"]
    assert len(points) > 10
    for point in points:
        assert point["status"] == "ok"
        assert 0.03 < point["cross_section_fb"]["expected"][2] < 1.0


@pytest.mark.parametrize("mass_gev", [0.23, 1.0, 8.0])
def test_widths_of_the_card_are_those_of_its_detector(repository: Path, mass_gev: float) -> None:
    """Half of the central 68 % of the true pair, in events with four muons of the right mass."""
    card = read_card(repository / "models/zprime_mumu.yaml")
    hunt = card.settings
    assert isinstance(hunt, RecoilHunt)
    rng = np.random.default_rng(5)
    block = MuonPairVector(mass_gev=mass_gev, decay="mumu").generate(10_000, rng)
    lab = to_lab(block.momentum)
    theta = np.degrees(np.arctan2(np.hypot(lab[:, 1], lab[:, 2]), lab[:, 3]))
    seen = ((theta > 17.0) & (theta < 150.0)).reshape(-1, 4).all(axis=1)
    four = card.detector.smear_tracks(lab, np.full(len(lab), M_MU), rng).reshape(-1, 4, 4)
    seen &= invariant_mass_squared(four.sum(axis=1)) > 100.0
    square = invariant_mass_squared(four[:, 2] + four[:, 3])[seen]
    weight = block.weight_pb[block.event[::4]][seen]
    order = np.argsort(square)
    share = np.cumsum(weight[order]) / weight.sum()
    low, high = np.interp((0.15865, 0.84135), share, square[order])
    assert hunt.widths.at_squared(mass_gev**2) == pytest.approx(0.5 * (high - low), rel=0.1)


def test_the_scalar_is_another_signal_of_the_same_search(repository: Path) -> None:
    names = ("zprime_mumu", "muonphilic_scalar")
    one, other = (read_card(repository / f"models/{name}.yaml") for name in names)
    assert one.backgrounds == other.backgrounds
    assert other.benchmarks == ("muonphilic_scalar_mumu",)
    assert one.signal is not None
    assert other.signal is not None
    assert "boson" not in one.signal.processes[0].settings()
    assert other.signal.processes[0].settings()["boson"] == "scalar"
