"""Events made elsewhere come in with their cross section, or are refused by name."""

import numpy as np
import pytest

from darkstats.errors import InputError, OptionError
from darkstats.simulation.external import read_lhe, read_ntuple
from darkstats.simulation.kinematics import to_lab

LHE = """<LesHouchesEvents version="3.0">
<init>
11 -11 7.0 4.0 0 0 0 0 3 1
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


def write(tmp_path, weights, cross_section=2.5):
    path = tmp_path / "events.lhe"
    events = "\n".join(EVENT.format(weight=weight) for weight in weights)
    path.write_text(LHE.format(cross_section=cross_section, events=events), "utf-8")
    return path


def test_a_les_houches_file_keeps_its_cross_section(tmp_path):
    pytest.importorskip("pylhe", reason="pylhe is an optional extra")
    block = read_lhe(write(tmp_path, [1.0, 3.0]))
    assert block.cross_section_pb == pytest.approx(2.5)
    np.testing.assert_allclose(block.weight_pb, [1.25, 3.75])
    assert block.pdg_id.tolist() == [13, 13]  # neutrinos leave nothing
    np.testing.assert_allclose(block.momentum[0], [5.00111, 3.0, 0.0, 4.0])
    lab = read_lhe(write(tmp_path, [1.0]), frame="lab")
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
