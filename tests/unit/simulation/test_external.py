"""Events made elsewhere come in with their cross section, or are refused by name."""

import gzip

import numpy as np
import pytest

from darkstats.errors import InputError, OptionError
from darkstats.simulation.external import LheEvents, read_lhe, read_ntuple
from darkstats.simulation.kinematics import to_lab

LHE = """<LesHouchesEvents version="3.0">
<init>
11 -11 {beams} 0 0 0 0 3 1
{cross_section} 0.1 1.0 1
</init>
{events}
</LesHouchesEvents>
"""
EVENT = """<event>
4 1 {weight} 10.58 0.0073 0.1
11 -1 0 0 0 0 0 0 5.29 5.29 0.0 0 9
-11 -1 0 0 0 0 0 0 -5.29 5.29 0.0 0 9
13 1 1 2 0 0 3.0 0.0 4.0 5.00111 0.1056 0 9
14 1 1 2 0 0 -3.0 0.0 -4.0 5.0 0.0 0 9
</event>"""


def write(tmp_path, weights, cross_section=2.5, beams="5.29 5.29"):
    path = tmp_path / "events.lhe"
    events = "\n".join(EVENT.format(weight=weight) for weight in weights)
    path.write_text(LHE.format(cross_section=cross_section, beams=beams, events=events), "utf-8")
    return path


def test_a_les_houches_file_keeps_its_cross_section(tmp_path):
    pytest.importorskip("pylhe", reason="pylhe is an optional extra")
    block = read_lhe(write(tmp_path, [1.0, 3.0]))
    assert block.cross_section_pb == pytest.approx(2.5)
    np.testing.assert_allclose(block.weight_pb, [1.25, 3.75])
    assert block.pdg_id.tolist() == [13, 13]  # neutrinos leave nothing
    np.testing.assert_allclose(block.momentum[0], [5.00111, 3.0, 0.0, 4.0])
    lab = read_lhe(write(tmp_path, [1.0], beams="7.0 4.0"), frame="lab")
    np.testing.assert_allclose(to_lab(lab.momentum)[0], [5.00111, 3.0, 0.0, 4.0])


def test_a_bad_les_houches_file_is_refused(tmp_path):
    pytest.importorskip("pylhe", reason="pylhe is an optional extra")
    with pytest.raises(InputError, match="no such file"):
        read_lhe(tmp_path / "absent.lhe")
    with pytest.raises(InputError, match="no events with a positive weight"):
        read_lhe(write(tmp_path, [0.0]))
    with pytest.raises(OptionError, match="frame"):
        read_lhe(write(tmp_path, [1.0]), frame="rest")
    path = tmp_path / "not.lhe"
    path.write_text("hello", "utf-8")
    with pytest.raises(InputError, match="not a Les Houches"):
        read_lhe(path)


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("column", ["3.0 0.0 4.0 5.00111", "1 {weight} 10.58"])
def test_an_event_that_is_not_finite_is_refused_by_its_number(tmp_path, number, column):
    pytest.importorskip("pylhe", reason="pylhe is an optional extra")
    path = write(tmp_path, [1.0, 3.0, 2.0])
    whole = column.format(weight=3.0)
    broken = whole.replace("3.0", number, 1)
    before, event, after = path.read_text("utf-8").split("</event>", 2)
    assert whole in event
    path.write_text("</event>".join([before, event.replace(whole, broken), after]), "utf-8")
    with pytest.raises(InputError, match=r"events\.lhe, event 2: .* not finite"):
        read_lhe(path)


def test_a_cross_section_that_is_not_finite_is_refused(tmp_path):
    pytest.importorskip("pylhe", reason="pylhe is an optional extra")
    with pytest.raises(InputError, match=r"<init>: the cross section .* not finite"):
        read_lhe(write(tmp_path, [1.0], cross_section="nan"))


@pytest.mark.parametrize(
    ("beams", "frame", "words"),
    [
        ("5.29 5.29", "lab", "5.29 and 5.29 GeV, and frame: lab wants 7 and 4 GeV.*frame: cm"),
        ("7.0 4.0", "cm", "7 and 4 GeV, and frame: cm wants 5.29.*frame: lab"),
        ("4.0 7.0", "lab", "boost the events"),
        ("5290 5290", "cm", "in MeV"),
        ("7000 4000", "lab", "in MeV"),
        ("6500 6500", "cm", "13000 GeV is not"),
        ("5.437 5.437", "cm", "10.874 GeV is not"),
        ("nan 5.29", "cm", "write the energies"),
        ("0 5.29", "cm", "write the energies"),
    ],
)
def test_beams_that_contradict_the_frame_are_refused(tmp_path, beams, frame, words):
    pytest.importorskip("pylhe", reason="pylhe is an optional extra")
    with pytest.raises(InputError, match=words):
        read_lhe(write(tmp_path, [1.0], beams=beams), frame=frame)


@pytest.mark.parametrize("frame", ["cm", "lab"])
def test_beams_that_are_not_told_are_not_compared(tmp_path, frame):
    pytest.importorskip("pylhe", reason="pylhe is an optional extra")
    assert read_lhe(write(tmp_path, [1.0], beams="0 0"), frame=frame).n_events == 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_that_ends_early_is_refused(tmp_path, compressed):
    pytest.importorskip("pylhe", reason="pylhe is an optional extra")
    path = write(tmp_path, [1.0, 3.0, 2.0])
    text = path.read_text("utf-8")
    text = text[: text.rindex("13 1 1 2")]
    path = tmp_path / ("cut.lhe.gz" if compressed else "cut.lhe")
    path.write_bytes(gzip.compress(text.encode()) if compressed else text.encode())
    with pytest.raises(InputError, match=r"cut\.lhe.*ends early .* after 2 whole events"):
        read_lhe(path)


@pytest.mark.parametrize("frame", ["cm", "lab"])
def test_momenta_in_mev_beside_beams_in_gev_are_refused(tmp_path, frame):
    pytest.importorskip("pylhe", reason="pylhe is an optional extra")
    path = write(tmp_path, [1.0, 2.0], beams="5.29 5.29" if frame == "cm" else "7.0 4.0")
    text = path.read_text("utf-8")
    mev = text.replace("3.0 0.0 4.0 5.00111 0.1056", "3000.0 0.0 4000.0 5001.11 105.6")
    assert mev != text
    path.write_text(mev, "utf-8")
    with pytest.raises(InputError, match=r"event 1: .* 5001\.11 GeV together.*2 of 2.*in MeV"):
        read_lhe(path, frame=frame)


def test_one_event_with_too_much_energy_is_no_matter_of_units(tmp_path):
    pytest.importorskip("pylhe", reason="pylhe is an optional extra")
    path = write(tmp_path, [1.0, 2.0, 1.0])
    first, second, rest = path.read_text("utf-8").split("</event>", 2)
    second = second.replace("3.0 0.0 4.0 5.00111", "9.0 0.0 12.0 15.0004")
    path.write_text("</event>".join([first, second, rest]), "utf-8")
    with pytest.raises(InputError, match=r"event 2: .* 1 of 3 events") as caught:
        read_lhe(path)
    assert "MeV" not in str(caught.value)


#: A new particle that decays to the muon and the neutrino of the events above.
RESONANCE = "{pdg} 2 1 2 0 0 0.0 0.0 0.0 {mass} {mass} 0 9"


def signal(tmp_path, declared_gev, lines):
    """A signal of a declared mass whose file lists further particles."""
    path = write(tmp_path, [1.0, 1.0])
    more = path.read_text("utf-8").replace("13 1 1 2", "\n".join([*lines, "13 1 1 2"]))
    path.write_text(more.replace("\n4 1 ", f"\n{4 + len(lines)} 1 "), "utf-8")
    return LheEvents(path="events.lhe", folder=str(tmp_path), mass_gev=declared_gev)


@pytest.mark.parametrize("pdg", [55, 32, -36, 9000005, 1000022, 4900023])
def test_a_signal_of_another_mass_than_declared_is_refused(tmp_path, pdg):
    pytest.importorskip("pylhe", reason="pylhe is an optional extra")
    lines = [RESONANCE.format(pdg=pdg, mass="2.0")]
    assert signal(tmp_path, 2.05, lines).generate(2, np.random.default_rng(1)).n_events == 2
    words = rf"declares 3 GeV.*{pdg} has 2 GeV.*masses_gev"
    with pytest.raises(InputError, match=words):
        signal(tmp_path, 3.0, lines).generate(2, np.random.default_rng(1))


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [RESONANCE.format(pdg=23, mass="91.2")],  # of the Standard Model: not asked
        [RESONANCE.format(pdg=9010221, mass="0.98")],  # a meson
        [RESONANCE.format(pdg=521, mass="5.279")],
        [RESONANCE.format(pdg=55, mass="0.0")],  # a generator that writes no masses
        [RESONANCE.format(pdg=55, mass="9.0"), RESONANCE.format(pdg=56, mass="3.0")],
    ],
)
def test_a_signal_whose_file_does_not_contradict_its_mass_is_taken(tmp_path, lines):
    pytest.importorskip("pylhe", reason="pylhe is an optional extra")
    process = signal(tmp_path, 3.0, lines)
    assert process.generate(2, np.random.default_rng(1)).n_events == 2


def test_an_ntuple_becomes_candidates(tmp_path):
    uproot = pytest.importorskip("uproot", reason="uproot is an optional extra")
    path = tmp_path / "ntuple.root"
    with uproot.recreate(path) as file:
        file["events"] = {"M": np.array([1.0, 2.0, 3.0]), "w": np.array([1.0, 0.5, 0.5])}
        file["broken"] = {"M": np.array([1.0, np.nan])}
    found = read_ntuple(
        path, "events", {"m_ll_gev": "M"}, cross_section_pb=2.0, n_generated=100, weight="w"
    )
    np.testing.assert_array_equal(found["m_ll_gev"], [1.0, 2.0, 3.0])
    assert found.events(50.0).sum() == pytest.approx(2.0)  # 2 pb x 50 / pb x 2 %
    assert found.cross_section_pb == pytest.approx(2.0)
    assert found.equivalent_luminosity_ipb == pytest.approx(50.0)
    settings = {"cross_section_pb": 2.0, "n_generated": 100}
    with pytest.raises(InputError, match="no tree 'nothing'"):
        read_ntuple(path, "nothing", {"m": "M"}, **settings)
    with pytest.raises(InputError, match="no branch 'X'"):
        read_ntuple(path, "events", {"m": "X"}, **settings)
    with pytest.raises(InputError, match="row 1 is no number"):
        read_ntuple(path, "broken", {"m": "M"}, **settings)
    with pytest.raises(InputError, match="no such file"):
        read_ntuple(tmp_path / "absent.root", "events", {"m": "M"}, **settings)
    with pytest.raises(OptionError, match="positive"):
        read_ntuple(path, "events", {"m": "M"}, cross_section_pb=0.0, n_generated=1)
