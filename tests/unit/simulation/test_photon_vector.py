"""e+e- -> gamma A': the closed form of the cross section, and the correlation of the muons."""

from __future__ import annotations

import math

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.signals.constants import S_GEV2
from darkstats.signals.dark_photon import cross_section_pb
from darkstats.simulation.kinematics import boost_to, dot
from darkstats.simulation.photon_vector import PhotonVector


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("decay", ["mumu", "invisible"])
@pytest.mark.parametrize("mass", [0.5, 5.0, 9.0])
def test_the_born_cross_section_is_one(mass: float, decay: str) -> None:
    """Without radiation: 1 pb within the cosine, for decays of any kind (5 sigma)."""
    weights = PhotonVector(mass_gev=mass, decay=decay, isr=False).generate(20_000, rng()).weight_pb
    assert abs(weights.mean() - 1.0) < 5.0 * weights.std() / math.sqrt(len(weights))
    assert weights.std() < 0.4


def test_photons_have_the_angles_of_the_formula() -> None:
    """Shares inside narrower cosines are ratios of cross sections (5 sigma)."""
    block = PhotonVector(mass_gev=3.0, decay="invisible", isr=False).generate(40_000, rng(2))
    cosine = np.abs(block.momentum[:, 3]) / block.momentum[:, 0]
    for inside in (0.3, 0.7):
        share = np.where(cosine < inside, block.weight_pb, 0.0)
        expected = cross_section_pb(3.0, 1.0, cosine_max=inside) / cross_section_pb(3.0, 1.0)
        assert abs(share.mean() - expected) < 5.0 * share.std() / math.sqrt(len(share))


def test_muons_remember_the_spin() -> None:
    """Near the kinematic end the A' is at rest: muons fly as 1 + cos^2 does, from e+e- -> mu mu."""
    mass = 10.4
    block = PhotonVector(mass_gev=mass, isr=False).generate(60_000, rng(3))
    three = block.momentum.reshape(-1, 3, 4)
    pair = three[:, 0] + three[:, 1]
    back = pair * np.array([1.0, -1.0, -1.0, -1.0])
    minus = boost_to(three[:, 0], back)
    cosine = minus[:, 3] / np.linalg.norm(minus[:, 1:], axis=1)
    weight = block.weight_pb[block.event[::3]]
    mean = float((weight * cosine**2).sum() / weight.sum())
    error = float((weight * cosine**2).std() / math.sqrt(len(weight)))
    assert abs(mean - 0.4) < 5.0 * error + 0.005  # <c^2> of 1 + c^2; 1/3 if it were isotropic
    np.testing.assert_allclose(dot(pair, pair), mass**2, rtol=1e-9)


def test_radiation_lowers_the_energy() -> None:
    block = PhotonVector(mass_gev=1.0).generate(5_000, rng())
    total = block.momentum.reshape(-1, 3, 4).sum(axis=1)
    assert (dot(total, total) < S_GEV2 * (1.0 + 1e-9)).all()


@pytest.mark.parametrize(
    "given", [{"decay": "ee"}, {"mass_gev": 0.2}, {"max_cosine": 1.0}]
)  # fmt: skip
def test_what_cannot_be_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(OptionError, match="photon_vector"):
        PhotonVector(**({"mass_gev": 1.0} | given))  # type: ignore[arg-type]
