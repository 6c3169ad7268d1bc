"""Scans and global significance of unbinned models from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darkstats.cli import run
from darkstats.report.scan_reading import read_scan
from darkstats.searches.output import read_build
from darkstats.searches.pseudo_events import pseudo_events
from darkstats.workspace.hs3.event_files import read_events, write_events

REPOSITORY = Path(__file__).parents[2]
ALP = REPOSITORY / "models" / "alp" / "unbinned.json"
RECOIL = REPOSITORY / "models" / "zprime_invisible_2018" / "unbinned.json"


def write_pseudo_events(search: str, folder: Path) -> Path:
    """The pseudo-data of a committed build, one file for each spectrum."""
    build = read_build(REPOSITORY / "workspaces" / search)
    digest = build.record["card"]["digest"]
    found = pseudo_events(build.workspace, build.sidecar, seed=1, digest=digest)
    folder.mkdir()
    for name, columns in found.items():
        write_events(folder / f"events_{name}.npz", columns, {"simulated": True, "spectrum": name})
    return folder


@pytest.fixture(scope="module")
def alp_events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pseudo_events("alp", tmp_path_factory.mktemp("events") / "alp")


@pytest.fixture(scope="module")
def finished(alp_events: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished scan of the bump hunt."""
    folder = tmp_path_factory.mktemp("scans") / "alp"
    words = ["scan", ALP, "--data", alp_events, "-o", folder, "--workers", "1"]
    assert run([str(word) for word in words]) == 0
    return folder


def record(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, Any], str]:
    """Exit status, record and messages of a command."""
    capsys.readouterr()
    status = run([*map(str, words), "--json"])
    captured = capsys.readouterr()
    return status, json.loads(captured.out) if captured.out else {}, captured.err


def test_a_scan_of_events_is_a_scan(finished: Path) -> None:
    """The same record as of a patch set: cross sections, couplings, the largest excess, a table."""
    found = json.loads((finished / "scan.json").read_text("utf-8"))
    assert found["schema"] == "darkstats.scan/1"
    assert found["simulated"] is True
    assert (found["method"], found["cl"], found["blind"]) == ("cls", 0.95, False)
    assert len(found["points"]) == 13
    assert found["summary"]["failed"] == 0
    assert found["summary"]["largest_excess"]["significance"] > 1.0
    reference = found["reference_cross_section_pb"]
    for point in found["points"]:
        assert point["cross_section_fb"]["observed"] == pytest.approx(
            1e3 * reference * point["observed"]
        )
        assert point["couplings"]["alp_photon"]["observed"] > 0.0
    table = read_scan(found, source="scan.json")
    assert len(table.points) == 13
    assert (finished / "scan.csv").read_text("utf-8").count("\n") > 13


def test_any_number_of_workers_gives_the_same_bytes(
    capsys: pytest.CaptureFixture[str], finished: Path, alp_events: Path, tmp_path: Path
) -> None:
    """Two processes, or shards, write what one wrote."""
    status, _, _ = record(
        capsys, "scan", ALP, "--data", alp_events, "-o", tmp_path / "two", "--workers", 2
    )
    assert status == 0
    ours = (finished / "scan.json").read_bytes()
    assert (tmp_path / "two" / "scan.json").read_bytes() == ours
    files = [word for path in sorted(alp_events.iterdir()) for word in ("--data", path)]
    assert record(capsys, "shards", "plan", ALP, *files, "-o", tmp_path / "job")[0] == 0
    for shard in (0, 1):
        words = ("shards", "run", tmp_path / "job", "--shard", shard, "--of", 2)
        assert record(capsys, *words)[0] == 0
    assert record(capsys, "shards", "merge", tmp_path / "job")[0] == 0
    assert (tmp_path / "job" / "scan.json").read_bytes() == ours


def test_global_judges_the_largest_excess(
    capsys: pytest.CaptureFixture[str], finished: Path
) -> None:
    """Toys of the spectra of events; more toys continue; formulas that do not hold say so."""
    words = ("global", finished, "--workers", 1, "--toys")
    status, found, _ = record(capsys, *words, 64)
    assert status == 0
    assert found["schema"] == "darkstats.global/1"
    toys = next(m for m in found["methods"] if m["method"] == "toys")
    assert toys["toys"] == {"asked": 64, "ok": 64, "failed": 0}
    assert found["p_local"] < toys["p_global"] < 40.0 * found["p_local"]
    assert any("covariance" in line for line in found["not_computed"])
    blocks = sorted((finished / "toys_seed_1" / "blocks").iterdir())
    before = [path.stat().st_mtime_ns for path in blocks]
    _, more, _ = record(capsys, *words, 128)
    assert next(m for m in more["methods"] if m["method"] == "toys")["toys"]["asked"] == 128
    assert [path.stat().st_mtime_ns for path in blocks] == before


def test_events_stay_closed_until_they_are_known_to_be_simulated(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Measured events give expected values; --unblind opens them; no events, no observed limit."""
    events = {"recoil_mass_squared_gev2": np.linspace(1.0, 50.0, 40)}
    write_events(tmp_path / "e.npz", events, {"spectrum": "recoil"})
    words = ("scan", RECOIL, "--method", "cls", "--workers", 1)
    for extra in (("--data", tmp_path / "e.npz"), ()):
        status, found, _ = record(capsys, *words, *extra)
        assert status == 0
        assert found["blind"] is True
        assert "expected values only" in found["data"]
        for point in found["points"]:
            assert point["observed"] is None
            assert point["expected"][2] > 0.0
    _, opened, _ = record(capsys, *words, "--data", tmp_path / "e.npz", "--unblind")
    assert opened["blind"] is False
    assert opened["data"] == "measured events"
    assert all(point["observed"] > 0.0 for point in opened["points"])


@pytest.mark.parametrize(("point", "spectrum"), [("5.007", "soft"), ("9.4061", "recoil")])
def test_a_limit_finds_its_spectrum_in_the_folder_of_a_build(
    alp_events: Path, finished: Path, capsys: pytest.CaptureFixture[str], point: str, spectrum: str
) -> None:
    """The same limit as that of the scan, and as that from the file itself."""
    words = ("limit", ALP, "--point", point, "--data")
    status, found, _ = record(capsys, *words, alp_events)
    assert status == 0
    scanned = json.loads((finished / "scan.json").read_text("utf-8"))["points"]
    (same,) = (one for one in scanned if one["values"] == [float(point)])
    assert found["observed"] == pytest.approx(same["observed"], rel=1e-6)
    (file,) = alp_events.glob(f"events_*{spectrum}*")
    status, alone, _ = record(capsys, *words, file)
    assert status == 0
    assert alone["unbinned"] == found["unbinned"]
    assert alone["observed"] == found["observed"]


def test_a_plane_is_scanned_and_its_toys_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Two observables: limits at all points; toys of a spectrum of events are of one observable."""
    folder = write_pseudo_events("dark_higgsstrahlung", tmp_path / "plane")
    model = REPOSITORY / "models" / "dark_higgsstrahlung" / "unbinned.json"
    words = ("scan", model, "--data", folder, "--method", "cls", "--workers", 1)
    status, found, _ = record(capsys, *words, "-o", tmp_path / "scan")
    assert status == 0
    assert found["summary"]["failed"] == 0
    assert found["labels"] == ["m_dark_photon_gev", "m_dark_higgs_gev"]
    status, _, said = record(capsys, "global", tmp_path / "scan", "--toys", 64, "--workers", 1)
    assert status == 2
    assert "binned search" in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("scan", ALP, "--patchset", "p.json"), "no patch set"),
        (("scan", ALP, "--data", "nowhere.npz"), "cannot be read"),
        (("scan", "workspaces/alp", "--data", "e.npz"), "--data goes with an HS3 document"),
        (("project", ALP, "--lumi", "50"), "binned searches"),
        (("scan", ALP, "--data", "src"), "holds no events_"),
    ],
)
def test_what_means_nothing_is_refused(
    capsys: pytest.CaptureFixture[str], words: tuple[object, ...], says: str, monkeypatch
) -> None:
    """With what to do instead."""
    monkeypatch.chdir(REPOSITORY)
    status, _, said = record(capsys, *words)
    assert status == 2
    assert says in said


def test_events_in_other_units_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """MeV for GeV: no event lies in any window, which is no observation of nothing."""
    folder = write_pseudo_events("zprime_invisible_2018", tmp_path / "events")
    (file,) = folder.glob("events_*.npz")
    columns = {name: 1e6 * column for name, column in read_events(str(file)).columns.items()}
    write_events(tmp_path / "mev.npz", columns, {"simulated": True})
    status, _, said = record(capsys, "scan", RECOIL, "--data", tmp_path / "mev.npz")
    assert status == 2
    assert "in the window of any hypothesis" in said
