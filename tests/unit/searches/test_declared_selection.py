"""Selections that a card declares: the built-in ones said in its words, rows, vetoes, refusals."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from darkstats.cli import run
from darkstats.errors import CardError, OptionError
from darkstats.searches.card import read_card
from darkstats.searches.declared_selection import DeclaredSelection, ObjectClass
from darkstats.searches.optimise import halves
from darkstats.searches.recoil_windows import measured_widths
from darkstats.simulation.candidates import Candidates
from darkstats.simulation.detector import Detector
from darkstats.simulation.events import EventBlock
from darkstats.simulation.external import LheEvents
from darkstats.simulation.four_muons import FourMuons
from darkstats.simulation.kinematics import invariant_mass_squared
from darkstats.simulation.photon_vector import PhotonVector
from darkstats.simulation.radiative_muons import RadiativeMuons
from darkstats.simulation.selection import DileptonRecoilSelection

MUONS = {"min_momentum_gev": 0.7, "theta_range_deg": (45.0, 125.0)}


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def muons(count: int = 1) -> tuple[ObjectClass, ObjectClass]:
    return (
        ObjectClass(name="plus", pdg_ids=(-13,), count=count, **MUONS),  # type: ignore[arg-type]
        ObjectClass(name="minus", pdg_ids=(13,), count=count, **MUONS),  # type: ignore[arg-type]
    )


def test_the_built_in_selection_can_be_declared() -> None:
    """Two muons and nothing else: the same events, weights and numbers."""
    block = RadiativeMuons().generate(40_000, rng())
    detector = Detector(veto_inefficiency=((0.2, 1e-2), (2.0, 1e-4)), trigger_efficiency=0.9)
    built_in = DileptonRecoilSelection(max_recoil_mass_squared_gev2=1e9)
    declared = DeclaredSelection(
        objects=muons(),
        columns=(
            ("m_ll_gev", "mass(plus + minus)"),
            ("recoil_mass_squared_gev2", "mass_squared(beams - plus - minus)"),
            ("recoil_theta_lab_rad", "theta(beams - plus - minus)"),
            ("recoil_theta_cm_rad", "theta(cm(beams - plus - minus))"),
            ("recoil_pt_gev", "pt(cm(beams - plus - minus))"),
            ("opening_transverse_rad", "opening_transverse(plus, minus)"),
            ("p_min_gev", "min(p(plus), p(minus))"),
            ("recoil_pt_lmax_gev", "max(0, pt_to(cm(beams - plus - minus), cm(plus)))"),
        ),
    )
    expected = built_in.apply(block, detector, rng(7))
    found = pickle.loads(pickle.dumps(declared)).apply(block, detector, rng(7))
    assert len(found) == len(expected) > 1000
    np.testing.assert_allclose(found.weight_pb, expected.weight_pb, rtol=1e-12)
    for name in declared.column_names[:-1]:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, atol=1e-7)
    across = np.stack([expected["recoil_pt_lmax_gev"], expected["recoil_pt_lmin_gev"]])
    gap = np.abs(across - found["recoil_pt_lmax_gev"]).min(axis=0)
    assert gap.max() < 1e-7
    assert found.sum_weight_pb == expected.sum_weight_pb


def test_rows_take_each_pair_once() -> None:
    """Four muons make four pairs of opposite charge; what is left is the other pair."""
    block = FourMuons(isr=False).generate(3_000, rng())
    detector = Detector(track_smearing=0.0)
    everywhere = {"theta_range_deg": (17.5, 149.5), "min_momentum_gev": 0.06}
    selection = DeclaredSelection(
        objects=(
            ObjectClass(name="mu_plus", pdg_ids=(-13,), count=2, **everywhere),  # type: ignore[arg-type]
            ObjectClass(name="mu_minus", pdg_ids=(13,), count=2, **everywhere),  # type: ignore[arg-type]
        ),
        rows=(("one", "mu_plus"), ("two", "mu_minus")),
        columns=(
            ("pair", "mass_squared(one + two)"), ("rest", "mass_squared(others)"),
            ("all", "mass_squared(mu_plus + mu_minus)"),
            ("ordered", "p(mu_plus_1) - p(mu_plus_2)"),
        ),
    )  # fmt: skip
    found = selection.apply(block, detector, rng())
    pairs = found["pair"].reshape(4, -1).T
    rests = found["rest"].reshape(4, -1).T
    assert len(pairs) > 300
    np.testing.assert_allclose(np.sort(pairs, axis=1), np.sort(rests, axis=1), rtol=1e-7)
    np.testing.assert_allclose(found["all"], 112.0, rtol=1e-9)
    assert (found["ordered"] >= 0.0).all()
    # halves of the rows have harder and softer muons alike
    one, two = (half["pair"] for half in halves(found))
    assert np.sqrt(one).mean() == pytest.approx(np.sqrt(two).mean(), rel=0.08)


def test_names_of_one_class_take_each_pair_once() -> None:
    three = DeclaredSelection(
        objects=(ObjectClass(name="photon", pdg_ids=(22,), count=3),),
        rows=(("a", "photon"), ("b", "photon")),
        columns=(("m", "mass(a + b)"),),
    )
    assert list(three._choices()) == [(0, 1), (0, 2), (1, 2)]


def test_more_tracks_and_photons_veto() -> None:
    """A muon too many, and a photon that the detector hardly ever misses."""
    block = PhotonVector(mass_gev=2.0, isr=False).generate(2_000, rng())
    base = {"objects": muons(), "columns": (("m", "mass(plus + minus)"),)}
    detector = Detector(veto_inefficiency=0.0)
    lost = DeclaredSelection(**base).apply(block, detector, rng())  # type: ignore[arg-type]
    kept = DeclaredSelection(**base, veto_photons=False).apply(  # type: ignore[arg-type]
        block, detector, rng()
    )
    assert len(lost) < 0.1 * len(kept)  # photons in gaps and beside the calorimeter are not seen
    one = DeclaredSelection(objects=muons()[:1], columns=(("p", "p(plus)"),))
    assert len(one.apply(block, Detector(), rng())) < len(kept)
    only = DeclaredSelection(objects=muons()[:1], columns=(("p", "p(plus)"),), veto_tracks=False)
    assert len(only.apply(block, Detector(), rng())) > len(kept)


def test_efficiencies_are_per_object() -> None:
    block = PhotonVector(mass_gev=2.0, isr=False).generate(500, rng())
    photon = ObjectClass(name="photon", pdg_ids=(22,), count=1, min_momentum_gev=0.1)
    selection = DeclaredSelection(
        objects=(*muons(), photon), columns=(("m", "mass(plus + minus + photon)"),)
    )
    detector = Detector(lepton_efficiency=0.8, photon_efficiency=0.5, trigger_efficiency=0.25)
    found = selection.apply(block, detector, rng())
    sure = selection.apply(block, Detector(lepton_efficiency=1.0, photon_efficiency=1.0), rng())
    np.testing.assert_allclose(found.weight_pb, sure.weight_pb * 0.8**2 * 0.5 * 0.25, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"objects": ()}, "names of their own"),
        ({"objects": (*muons(), *muons())}, "names of their own"),
        ({"rows": (("a", "tau"),)}, "which is no object"),
        ({"rows": (("a", "plus"), ("b", "plus"))}, "rows take more"),
        ({"columns": ()}, "without columns"),
        ({"columns": (("m", "mass(plus + tau)"),)}, "names 'tau'"),
        ({"objects": (muons()[0], ObjectClass(name="b", pdg_ids=(-13, 13), count=1))},
         "in another one"),
    ],
)  # fmt: skip
def test_selections_that_cannot_be_are_refused(change: dict[str, object], says: str) -> None:
    given = {"objects": muons(), "columns": (("m", "mass(plus)"),)} | change
    with pytest.raises(OptionError, match=says):
        DeclaredSelection(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "says"),
    [({"pdg_ids": (12,)}, "choose among"), ({"pdg_ids": ()}, "no particle"),
     ({"pdg_ids": (11, 13)}, "one kind"), ({"count": 0}, "has 0"), ({"name": "beams"}, "a name")],
)  # fmt: skip
def test_objects_that_cannot_be_are_refused(given: dict[str, object], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        ObjectClass(**({"name": "a", "pdg_ids": (13,), "count": 1} | given))  # type: ignore[arg-type]


def test_widths_are_those_of_the_signals() -> None:
    """Half of the central 68 %, weights included: exact for a uniform spread."""
    spread = np.linspace(-1.0, 1.0, 20_001)
    signals = {
        (mass,): Candidates(
            columns={"m2": mass**2 + mass * spread}, weight_pb=np.full(len(spread), 2.0),
            n_generated=1, sum_weight_pb=1.0, sum_weight_squared_pb2=1.0,
        )
        for mass in (1.0, 3.0)
    }  # fmt: skip
    found = measured_widths(signals, "m2").points
    assert [mass for mass, _ in found] == [1.0, 3.0]
    np.testing.assert_allclose([width for _, width in found], [0.6827, 3.0 * 0.6827], rtol=1e-3)
    with pytest.raises(OptionError, match=r"needs two masses.*1 GeV 20001 of 1.*in GeV"):
        measured_widths(dict(list(signals.items())[:1]), "m2")


def test_a_new_search_is_a_card_that_builds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["new-search", "dimuon"]) == 0
    card = read_card(tmp_path / "dimuon.yaml")
    assert card.name == "dimuon"
    assert isinstance(card.selection, DeclaredSelection)
    text = (tmp_path / "dimuon.yaml").read_text("utf-8")
    small = text.replace("quick: 100000", "quick: 20000").replace("20.0 ", "60.0 ")
    (tmp_path / "dimuon.yaml").write_text(small, "utf-8")
    command = ["build", "dimuon.yaml", "-o", "dimuon", "--quick", "--workers", "1"]
    assert run([*command, "--cache", "cache"]) == 0
    assert run(["scan", "dimuon", "--workers", "1", "--json"]) == 0
    assert '"failed": 0' in capsys.readouterr().out
    assert run(["new-search", "dimuon"]) == 2
    assert run(["new-search", "other", "--like", "dimuon.yaml", "-o", "o.yaml"]) == 0
    assert read_card(tmp_path / "o.yaml").name == "other"
    assert run(["new-search", "no name"]) == 2


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("mass_squared(mu_plus + mu_minus)", "mass_squared(mu_plus + mu)", "names 'mu'"),
        ("particles: [22]", "particles: [23]", "choose among"),
        ("variable: m_mumu_squared_gev2", "variable: m_mumu", "is not known here"),
        ("variable: total_mass_gev", "variable: total", "is not known here"),
        ("widths: simulated", "widths: measured", "is not known here"),
        ("  window_sigma: 6.0\n", "  window_sigma: 6.0\n  theta_edges_deg: [0, 90, 180]\n",
         "name the column"),
        ("min_energy_gev: 0.5", "min_energy_gev: 500", "MeV"),
        ("veto_inefficiency: 0.003", "veto_inefficiency: [[150, 0.01], [1000, 0.001]]", "MeV"),
    ],
)  # fmt: skip
def test_cards_that_declare_what_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["new-search", "dimuon"]) == 0
    path = tmp_path / "dimuon.yaml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(CardError, match=says) as caught:
        read_card(path)
    assert "dimuon.yaml, line" in str(caught.value)


LHE = """<LesHouchesEvents version="1.0">
<init>
11 -11 5.29 5.29 0 0 0 0 3 1
2.0 0.0 1.0 1
</init>
{events}</LesHouchesEvents>
"""


def lhe_of(block: EventBlock) -> str:
    """Events in the c.m. frame as a Les Houches file."""
    events = []
    for number in range(block.n_events):
        own = np.flatnonzero(block.event == number)
        lines = [f"{len(own)} 1 {block.weight_pb[number]:.17g} 10.58 0.0078 0.118"]
        for i in own:
            e, px, py, pz = map(float, block.momentum[i])
            mass = float(np.sqrt(max(invariant_mass_squared(block.momentum[i]), 0.0)))
            lines.append(f"{block.pdg_id[i]} 1 0 0 0 0 {px!r} {py!r} {pz!r} {e!r} {mass!r} 0 0")
        events.append("<event>\n" + "\n".join(lines) + "\n</event>\n")
    return LHE.format(events="".join(events))


def test_events_of_another_generator(tmp_path: Path) -> None:
    """A file is taken whole; a signal for 1 pb, a background with its cross section."""
    pytest.importorskip("pylhe")
    made = PhotonVector(mass_gev=2.0, isr=False).generate(50, rng())
    (tmp_path / "x_2.lhe").write_text(lhe_of(made))
    signal = LheEvents(path="x_{mass_gev}.lhe", folder=str(tmp_path), mass_gev=2.0)
    block = signal.generate(50, rng())
    assert block.cross_section_pb == pytest.approx(1.0)
    np.testing.assert_allclose(block.momentum, made.momentum, rtol=1e-12, atol=1e-12)
    background = LheEvents(path="x_2.lhe", folder=str(tmp_path))
    assert background.generate(50, rng()).cross_section_pb == pytest.approx(2.0)
    assert signal.settings()["sha256"] == background.settings()["sha256"]
    assert "folder" not in signal.settings()
    with pytest.raises(OptionError, match="holds 50 events, not 20"):
        signal.generate(20, rng())
