"""A signal of one's own has no cross section, mass or label but what its owner says."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import darkstats
from darkstats import workflows as w
from darkstats.cli import run
from darkstats.errors import PatchError
from darkstats.workspace import PatchSet, read_workspace
from darkstats.workspace.loose_patches import LoosePatch, make_patch_set
from darkstats.workspace.own_signals import OwnSignal, of_operations

MODEL = "sigma_fb = 10*g**2/(m_x_gev/100)**2"
SIGNAL = ("-s", "SR=3,2")
EFFICIENCIES = """hypothesis,channel,bin,efficiency
x_100,SR,0,0.15
x_100,SR,1,0.10
x_400,SR,0,0.05
x_400,SR,1,0.025
"""


def called(*words: object) -> tuple[int, dict[str, Any], str]:
    """Exit status, record and messages of a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run([*(str(word) for word in words), "--json"])
    return status, json.loads(out.getvalue()), err.getvalue()


def recorded(*words: object) -> dict[str, Any]:
    status, found, err = called(*words)
    assert status == 0, err
    return found


def signal_of(*data: float) -> dict[str, Any]:
    poi = {"name": "mu", "type": "normfactor", "data": None}
    return {"name": "signal", "data": list(data), "modifiers": [poi]}


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search whose signal has 1 pb, with a patch set of its own."""
    folder = tmp_path_factory.mktemp("search")
    norm = {"name": "norm", "type": "normsys", "data": {"lo": 0.9, "hi": 1.1}}
    background = {"name": "bkg", "data": [10.0, 5.0], "modifiers": [norm]}
    document = {
        "version": "1.0.0",
        "channels": [{"name": "SR", "samples": [background]}],
        "observations": [{"name": "SR", "data": [9.0, 6.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
    }
    (folder / "background_only.json").write_text(json.dumps(document))
    sidecar = {
        "schema": "darkstats.meta/1", "simulated": True, "luminosity_ipb": 1e4,
        "reference_cross_section_pb": 1.0, "poi_label": "cross section / 1 pb",
        "labels": {"m_x_gev": {"title": "m(old)"}},
        "collision": {"sqrt_s_gev": 13000, "reaction": "P P --> OLD"},
    }  # fmt: skip
    (folder / "background_only.meta.json").write_text(json.dumps(sidecar))
    add = {"op": "add", "path": "/channels/0/samples/-", "value": signal_of(101.0, 50.0)}
    old = make_patch_set(document, [LoosePatch("old", "old", [add])])
    old["metadata"]["labels"] = ["m_x_gev"]  # type: ignore[index,call-overload]  # a document
    old["patches"][0]["metadata"]["values"] = [100.0]  # type: ignore[index,call-overload]  # as above
    (folder / "old.json").write_text(json.dumps(old))
    return folder


@pytest.fixture(scope="module")
def scanned(search: Path) -> dict[str, Any]:
    """A scan of two signals at 2 fb, with its patch set beside the workspace."""
    (search / "eff.csv").write_text(EFFICIENCIES)
    return recorded(
        "reinterpret", search / "background_only.json", "-s", search / "eff.csv",
        "--sigma", 2, "--lumi", 10, "--write-patch", search / "patchset.json",
        "--name-pattern", "x_{m_x_gev}", "--threads", 1,
    )  # fmt: skip


def of_search(facts: dict[str, Any]) -> list[Any]:
    """What a record says of the old signal; nothing should be left."""
    collision = facts.get("collision") or {}
    found = [facts.get("poi_label"), facts.get("label_words"), collision.get("reaction")]
    return [one for one in found if one is not None]


def test_several_signals_have_the_cross_section_of_sigma(
    search: Path, scanned: dict[str, Any]
) -> None:
    """Not that of the sidecar, nor later, in whatever is made of the patch set."""
    assert scanned["reference_cross_section_pb"] == pytest.approx(0.002)
    assert of_search(scanned) == []
    for point in scanned["points"]:
        assert point["cross_section_fb"]["observed"] == pytest.approx(2.0 * point["observed"])
    again = recorded("scan", search, "--workers", 1, "--cross-sections", MODEL)
    assert again["reference_cross_section_pb"] == pytest.approx(0.002)
    assert of_search(again) == []
    for point, mass in zip(again["points"], (100.0, 400.0), strict=True):
        expected = (2.0 * point["observed"] / (10.0 / (mass / 100.0) ** 2)) ** 0.5
        assert point["couplings"]["g"]["observed"] == pytest.approx(expected)
    later = recorded("project", search, "--lumi", "10")["scans"][0]
    assert later["reference_cross_section_pb"] == pytest.approx(0.002)
    one = ("--patchset", search / "patchset.json", "--point", "x_400")
    limit = recorded("limit", search / "background_only.json", *one, "--cross-sections", MODEL)
    assert limit["couplings"]["g"]["signal_cross_section_fb"] == pytest.approx(2.0)
    assert limit["couplings"]["g"]["masses"] == {"m_x_gev": 400.0}


def test_a_bundle_says_the_cross_section_of_sigma(
    search: Path, scanned: dict[str, Any], tmp_path: Path
) -> None:
    """Its sidecar, its words, and what verify computes again."""
    (tmp_path / "scan.json").write_text(json.dumps(scanned))
    bundle = tmp_path / "bundle"
    recorded("publish", search, "--scan", tmp_path / "scan.json", "-o", bundle)
    sidecar = json.loads((bundle / "background_only.meta.json").read_text())
    assert sidecar["reference_cross_section_pb"] == pytest.approx(0.002)
    assert of_search(sidecar) == []
    assert "labels" not in sidecar
    assert sidecar["luminosity_ipb"] == 1e4
    assert "1 pb" not in (bundle / "README.md").read_text()
    assert called("verify", bundle)[0] == 0


def test_nothing_is_taken_from_the_search_where_nothing_is_said(search: Path) -> None:
    """Only the signal strength is stated; a coupling is refused, with the remedy."""
    base = search / "background_only.json"
    found = recorded("reinterpret", base, *SIGNAL)
    assert "cross_section_fb" not in found["limit"]
    assert found["signal"]["reference_cross_section_pb"] is None
    assert found["signal"]["reference_cross_section_pb_reason"] == "--sigma was not given"
    words = ("--cross-sections", MODEL, "--mass", "m_x_gev=400")
    status, _, err = called("reinterpret", base, *SIGNAL, *words)
    assert status == 2
    assert "nothing says what signal strength 1 is; give --sigma (with --lumi) or --unit-sig" in err
    (search / "two.csv").write_text(EFFICIENCIES.replace("efficiency", "yield"))
    several = ("-s", search / "two.csv", "--write-patch", search / "two.json")
    several = (*several, "--name-pattern", "x_{m_x_gev}", "--threads", 1)
    scan = recorded("reinterpret", base, *several)
    assert scan["reference_cross_section_pb"] is None
    assert "cross_section_fb" not in scan["points"][0]
    status, _, err = called("reinterpret", base, *several, "--cross-sections", MODEL)
    assert (status, "give --sigma" in err) == (2, True)
    unit = ("--unit-signal", "2 fb")
    limit = recorded("reinterpret", base, *SIGNAL, *words, *unit)["limit"]
    assert limit["couplings"]["g"]["signal_cross_section_fb"] == 2.0
    status, _, err = called("scan", base, "--patchset", search / "two.json", *words[:2])
    assert (status, "nothing says what signal strength 1 is" in err) == (2, True)


def test_one_signal_has_the_cross_section_of_sigma(search: Path, tmp_path: Path) -> None:
    """In record, sheet and figure, and in the limit of the patch that was written."""
    base, patch = search / "background_only.json", tmp_path / "p.json"
    words = ("reinterpret", base, "-s", "SR=.15,.1", "--sigma", 2, "--lumi", 10)
    limit = recorded(*words, "--write-patch", patch)["limit"]
    assert limit["signal_cross_section_fb"] == 2.0
    sizes = limit["cross_section_fb"]
    assert sizes["observed"] == pytest.approx(2.0 * limit["observed"])
    assert sizes["expected"] == pytest.approx([2.0 * mu for mu in limit["expected"]])
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        assert run([str(word) for word in (*words, "--plot", tmp_path / "p.svg")]) == 0
    assert "cross section [fb] <" in out.getvalue()
    assert "2 fb (--sigma)" in out.getvalue()
    again = recorded("limit", base, "-p", patch, "-o", tmp_path / "limit.json")
    assert again["cross_section_fb"]["observed"] == pytest.approx(sizes["observed"])
    drawn = darkstats.plot(tmp_path / "limit.json").figure("cls")
    assert drawn.columns["cross_section_fb"] == pytest.approx(2.0 * np.array(drawn.columns["mu"]))
    asked = darkstats.plot(tmp_path / "limit.json", cross_sections="sigma_fb = 10*h**2")
    columns = asked.figure("cls").columns
    assert columns["coupling_h"] == pytest.approx(np.sqrt(0.2 * np.array(columns["mu"])))


def test_the_mass_of_a_replaced_signal_is_not_that_of_the_new_one(
    search: Path, tmp_path: Path
) -> None:
    """It comes from --mass, or from the name of the signal."""
    base, patch = search / "background_only.json", tmp_path / "p.json"
    old = ("--patchset", search / "old.json", "--point", "old")
    asked = ("--cross-sections", MODEL, "--sigma", 2, "--lumi", 10)
    words = ("reinterpret", base, *old, "-s", "SR=.15,.1", *asked, "--write-patch", patch)
    found = recorded(*words, "--mass", "m_x_gev=400")
    assert found["signal"]["replaced"] == ["SR/signal"]
    assert found["limit"]["couplings"]["g"]["masses"] == {"m_x_gev": 400.0}
    status, _, err = called(*words)
    assert (status, "nothing says the mass of the hypothesis" in err) == (2, True)
    status, _, err = called("limit", base, *old, "-p", patch, *asked[:2])
    assert (status, "nothing says the mass of the hypothesis" in err) == (2, True)
    table = tmp_path / "one.csv"
    table.write_text("".join(EFFICIENCIES.splitlines(keepends=True)[k] for k in (0, 3, 4)))
    named = ("--name-pattern", "x_{m_x_gev}")
    found = recorded("reinterpret", base, *old, "-s", table, *asked, *named)
    assert found["limit"]["couplings"]["g"]["masses"] == {"m_x_gev": 400.0}
    assert found["signal"]["values"] == {"m_x_gev": 400}


def test_a_patch_says_what_signal_strength_1_is() -> None:
    """A number, null, or nothing; points that differ say nothing of all."""

    def patch(**said: object) -> list[Any]:
        return [{"op": "add", "path": "/channels/0/samples/-", "value": signal_of(1.0), **said}]

    assert of_operations(patch()) is None
    none, one = patch(reference_cross_section_pb=None), patch(reference_cross_section_pb=0.5)
    assert of_operations(none) == OwnSignal()
    assert of_operations(one) == OwnSignal(reference_cross_section_pb=0.5)
    for wrong in ("1", True, -1.0, 0.0):
        with pytest.raises(PatchError, match="no cross section above zero"):
            of_operations(patch(reference_cross_section_pb=wrong))

    def points(*patches: list[Any]) -> OwnSignal | None:
        loose = [LoosePatch("p", f"p{k}", one) for k, one in enumerate(patches)]
        return PatchSet.from_document(make_patch_set({}, loose)).own_signal

    assert points(patch(), patch()) is None
    assert points(one, one) == OwnSignal(reference_cross_section_pb=0.5)
    assert points(one, none) == points(one, patch()) == OwnSignal()


def test_what_is_made_of_a_patched_workspace_has_its_own_sidecar(
    search: Path, tmp_path: Path
) -> None:
    """Not what was said of the signal of the search."""
    base, patch = search / "background_only.json", tmp_path / "p.json"
    recorded(
        "reinterpret", base, "-s", "SR=.15,.1", "--sigma", 2, "--lumi", 10, "--write-patch", patch
    )
    asked = w.WorkspaceRequest(source=str(base), patches=(str(patch),))
    for outcome in (
        w.rename(w.RenameRequest(workspace=asked, modifiers=(("norm", "scale"),))),
        w.prune(w.PruneRequest(workspace=asked, modifiers=("norm",))),
    ):
        sidecar = dict(outcome.sidecar or {})
        assert sidecar["reference_cross_section_pb"] == pytest.approx(0.002)
        assert of_search(sidecar) == []
        assert sidecar["simulated"] is True


def test_a_workspace_remembers_what_its_patch_said(search: Path, tmp_path: Path) -> None:
    """Also one that was read and is patched again."""
    patch, other = tmp_path / "p.json", tmp_path / "other.json"
    add = {"op": "add", "path": "/channels/0/samples/-", "value": signal_of(1.0, 1.0)}
    patch.write_text(json.dumps([{**add, "reference_cross_section_pb": 0.5}]))
    other.write_text(json.dumps([{"op": "replace", "path": "/observations/0/data/0", "value": 8}]))
    first = read_workspace(search / "background_only.json", patches=[patch])
    assert first.own_signal == OwnSignal(reference_cross_section_pb=0.5)
    assert read_workspace(first, patches=[other]).own_signal == first.own_signal
    assert first.patched(json.loads(other.read_text())).own_signal == first.own_signal
