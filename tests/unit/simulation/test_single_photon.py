"""Single photons: chances of what is not seen, by hand; what vetoes; the recoil mass."""

from __future__ import annotations

import math

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.signals.constants import BOOST_BETA, CM_ENERGY_GEV
from darkstats.simulation.detector import Detector
from darkstats.simulation.events import EventBlock
from darkstats.simulation.kinematics import boost_z
from darkstats.simulation.single_photon import SinglePhotonSelection

SHARP = {"energy_terms": (0.0, 0.0, 0.0), "position_rad": 0.0}


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def block(*events: list[tuple[int, float, float]]) -> EventBlock:
    """Events of particles by number, energy in GeV and polar angle in degrees, laboratory."""
    particles = [(k, *one) for k, event in enumerate(events) for one in event]
    theta = np.radians([one[3] for one in particles])
    energy = np.array([one[2] for one in particles])
    lab = np.stack([energy, energy * np.sin(theta), 0.0 * theta, energy * np.cos(theta)], axis=-1)
    return EventBlock(
        event=np.array([one[0] for one in particles]),
        pdg_id=np.array([one[1] for one in particles]),
        momentum=boost_z(lab, -BOOST_BETA),
        weight_pb=np.full(len(events), 2.0),
    )


def test_weights_are_the_chances_of_what_is_lost() -> None:
    detector = Detector(
        photon_efficiency=0.9, trigger_efficiency=0.5, extra_energy_efficiency=0.8,
        veto_inefficiency=((0.5, 1e-2), (2.0, 1e-3)), klm_inefficiency=((1.0, 0.5), (4.0, 0.1)),
        **SHARP,
    )  # fmt: skip
    found = SinglePhotonSelection().apply(
        block(
            [(22, 4.0, 90.0)],  # alone
            [(22, 4.0, 90.0), (22, 4.0, 31.8)],  # partner in a gap
            [(22, 4.0, 90.0), (22, 4.0, 10.0)],  # beside all detectors
            [(22, 4.0, 90.0), (22, 4.0, 15.0)],  # calorimeter, not beyond
            [(22, 4.0, 90.0), (22, 0.1, 60.0)],  # too soft for a veto
            [(22, 4.0, 90.0), (22, 2.0, 70.0)],  # either may be the one that is seen
            [(22, 4.0, 90.0), (11, 4.0, 10.0), (-11, 4.0, 160.0)],  # electrons along the beams
        ),
        detector, rng(),
    )  # fmt: skip
    middle = math.exp(0.5 * (math.log(0.5) + math.log(0.1)))  # of the second table at 2 GeV
    unit = 2.0 * 0.9 * 0.5 * 0.8
    expected = [1.0, 0.1, 1.0, 1e-3, 1.0, 1e-3 * middle, 1e-3 * 0.1, 1.0]
    np.testing.assert_allclose(found.weight_pb, unit * np.array(expected), rtol=1e-12)
    assert found.sum_weight_pb == 14.0


def test_the_default_has_no_veto_beyond_the_calorimeter() -> None:
    events = block([(22, 4.0, 90.0), (22, 4.0, 31.8)], [(22, 4.0, 90.0), (22, 4.0, 100.0)])
    found = SinglePhotonSelection(theta_range_deg=(85.0, 95.0)).apply(events, Detector(), rng())
    np.testing.assert_allclose(found.weight_pb, 2.0 * 0.95 * np.array([1.0, 3e-3]))
    assert "klm_inefficiency" not in Detector().settings()
    assert Detector(klm_inefficiency=0.3).settings()["klm_inefficiency"] == 0.3


@pytest.mark.parametrize(
    "more", [(13, 1.0, 90.0), (11, 2.0, 31.8), (211, 0.2, 140.0)]
)  # fmt: skip
def test_a_track_is_no_single_photon(more: tuple[int, float, float]) -> None:
    assert (
        len(SinglePhotonSelection().apply(block([(22, 4.0, 90.0), more]), Detector(), rng())) == 0
    )


@pytest.mark.parametrize("alone", [(22, 4.0, 31.8), (22, 4.0, 30.0), (22, 0.5, 90.0)])
def test_photons_outside_are_none(alone: tuple[int, float, float]) -> None:
    assert len(SinglePhotonSelection().apply(block([alone]), Detector(), rng())) == 0


def test_the_recoil_mass_is_that_of_one_photon() -> None:
    """s - 2 sqrt(s) E*, and the square of what the beams have left."""
    found = SinglePhotonSelection().apply(block([(22, 3.0, 60.0)]), Detector(**SHARP), rng())
    gamma = 1.0 / math.sqrt(1.0 - BOOST_BETA**2)
    energy = gamma * 3.0 * (1.0 - BOOST_BETA * 0.5)
    assert found["photon_energy_cm_gev"][0] == pytest.approx(energy, rel=1e-9)
    beams = np.array([11.0, 0.0, 0.0, 3.0])
    left = beams - 3.0 * np.array([1.0, math.sqrt(0.75), 0.0, 0.5])
    square = left[0] ** 2 - left[1] ** 2 - left[3] ** 2
    assert found["recoil_mass_squared_gev2"][0] == pytest.approx(square, rel=1e-6)
    assert square == pytest.approx(CM_ENERGY_GEV * (CM_ENERGY_GEV - 2.0 * energy), rel=1e-6)
    assert found["photon_theta_lab_rad"][0] == pytest.approx(math.pi / 3.0, abs=1e-6)
    cosine = (0.5 - BOOST_BETA) / (1.0 - BOOST_BETA * 0.5)
    assert found["photon_theta_cm_rad"][0] == pytest.approx(math.acos(cosine), abs=1e-6)


def test_a_table_of_the_klm_is_checked() -> None:
    with pytest.raises(OptionError, match="klm_inefficiency"):
        Detector(klm_inefficiency=((1.0, 0.5), (0.5, 0.1)))
