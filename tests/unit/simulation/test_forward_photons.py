"""Three photons of which two leave along the beams, against the generator of wide angles."""

from __future__ import annotations

import math

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.simulation.forward_photons import ForwardPhotons
from darkstats.simulation.kinematics import CM_ENERGY_GEV, M_E, PB_GEV2, to_lab
from darkstats.simulation.three_photons import squared_amplitude


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def thetas(momentum: np.ndarray) -> np.ndarray:
    return np.degrees(np.arctan2(np.hypot(momentum[..., 1], momentum[..., 2]), momentum[..., 3]))


def flat_phase_space(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Three massless momenta, flat, and weights of the exact amplitude in pb."""
    generator = rng(seed)
    x = generator.random((2, n))
    folded = x.sum(axis=0) > 1.0
    one, two = 1.0 - np.where(folded, 1.0 - x, x)  # energies over half of the total
    between = 1.0 - 2.0 * (one + two - 1.0) / (one * two)  # cosine of the angle of both
    across = np.sqrt(np.maximum(1.0 - between**2, 0.0))
    zero = np.zeros(n)
    first = np.stack([zero, zero, one], axis=-1)
    second = two[:, None] * np.stack([across, zero, between], axis=-1)
    axes = np.linalg.qr(generator.standard_normal((n, 3, 3)))[0]
    plane = 0.5 * CM_ENERGY_GEV * np.stack([first, second, -first - second], axis=1)
    space = np.einsum("nij,nkj->nki", axes, plane)
    photons = np.concatenate([np.linalg.norm(space, axis=-1)[..., None], space], axis=-1)
    amplitude = squared_amplitude(photons, np.full(n, CM_ENERGY_GEV**2))
    return photons, amplitude / 6.0 / (512.0 * math.pi**3) * PB_GEV2  # 1/3!, 1/2s, s/256 pi^3


def test_cross_section_is_that_of_flat_phase_space() -> None:
    """Where no photon is soft or within 8 degrees of the beams (4 sigma, 1.2 %).

    `three_photons` is no peer here: it leaves out pairs along the axis in their own frame, 5e-5 to
    8e-4 of all, which are 1.5 to 5 % of these.
    """
    energy, cosine, least, below, above = 1.5, 0.7, math.cos(math.radians(8.0)), 25.0, 150.0
    n, m = 300_000, 1_200_000
    block = ForwardPhotons(
        min_energy_gev=energy, max_cosine=cosine, lost_below_deg=below, lost_above_deg=above,
        isr=False,
    ).generate(n, rng(2))  # fmt: skip
    ours = block.momentum.reshape(-1, 3, 4), block.weight_pb[block.event[::3]]
    found = []
    for (photons, weight), made in ((ours, n), (flat_phase_space(m, 5), m)):
        lab = thetas(to_lab(photons))
        cosines = photons[..., 3] / photons[..., 0]
        wide = (np.abs(cosines) < cosine) & (photons[..., 0] > energy)
        third = 3 - lab.argmin(axis=1) - lab.argmax(axis=1)
        kept = np.take_along_axis(wide, third[:, None], axis=1)[:, 0]
        kept &= (lab.min(axis=1) < below) & (lab.max(axis=1) > above)
        kept &= (np.abs(cosines) < least).all(axis=1) & (photons[..., 0] > 0.2).all(axis=1)
        sums = (weight * kept).sum(), ((weight * kept) ** 2).sum()
        found.append((sums[0] / made, math.sqrt(sums[1]) / made))
    (one, error), (other, second) = found
    assert abs(one - other) < 4.0 * math.hypot(error, second)
    assert math.hypot(error, second) < 0.012 * one


def test_momentum_is_conserved_and_two_are_lost() -> None:
    block = ForwardPhotons(min_energy_gev=1.5, max_cosine=0.78, isr=False).generate(20_000, rng())
    photons = block.momentum.reshape(-1, 3, 4)
    total = photons.sum(axis=1)
    np.testing.assert_allclose(total, [[CM_ENERGY_GEV, 0, 0, 0]] * len(total), atol=1e-9)
    size = np.linalg.norm(photons[..., 1:], axis=-1)
    np.testing.assert_allclose(photons[..., 0], size, rtol=1e-9)
    lab = thetas(to_lab(photons[:, 1:]))
    assert (lab.min(axis=1) < 12.4).all()
    assert (lab.max(axis=1) > 155.1).all()
    least = np.minimum(thetas(photons[:, 1]), 180.0 - thetas(photons[:, 1]))
    assert np.radians(least.min()) > 0.99 * math.sqrt(math.e) * M_E / (0.5 * CM_ENERGY_GEV)


def test_no_photon_is_harder_than_the_lost_ones_can_balance() -> None:
    """As in Bhabha scattering with both electrons lost: 2.46 GeV at 90 degrees (c.m.)."""
    block = ForwardPhotons(min_energy_gev=1.5, max_cosine=0.1, isr=False).generate(200_000, rng(4))
    energy = block.momentum.reshape(-1, 3, 4)[:, 0, 0]
    assert 2.3 < energy.max() < 2.6


def test_same_stream_same_events_with_radiation() -> None:
    one, two = (ForwardPhotons(min_energy_gev=1.9).generate(2_000, rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one.momentum, two.momentum)
    np.testing.assert_array_equal(one.weight_pb, two.weight_pb)
    total = one.momentum.reshape(-1, 3, 4).sum(axis=1)
    assert (total[:, 0] < CM_ENERGY_GEV + 1e-9).all()
    assert total[:, 0].min() < 0.95 * CM_ENERGY_GEV


@pytest.mark.parametrize(
    "given", [{"min_energy_gev": 0.0}, {"max_cosine": 1.0}, {"lost_below_deg": 90.0}]
)
def test_what_cannot_be_is_refused(given: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="forward_photons"):
        ForwardPhotons(**given)
