"""e+e- -> e+e- gamma with both electrons lost: massless limit, quasi-real photons, gauge, edges."""

from __future__ import annotations

import math

import numpy as np
import pytest

from darkstats.arrays import FloatArray
from darkstats.errors import OptionError
from darkstats.signals.constants import ALPHA, BOOST_BETA, S_GEV2
from darkstats.simulation import forward_bhabha as module
from darkstats.simulation import radiative_bhabha
from darkstats.simulation.forward_bhabha import ForwardBhabha, squared_amplitude
from darkstats.simulation.kinematics import M_E, dot, to_lab

ENERGY = math.sqrt(S_GEV2)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def events(n: int = 20_000, **given: float) -> tuple[FloatArray, FloatArray, int]:
    """Momenta [event, (electron, positron, photon), 4] and weights of events without radiation."""
    process = ForwardBhabha(isr=False, **({"min_energy_gev": 1.9, "max_cosine": 0.75} | given))  # type: ignore[arg-type]
    block = process.generate(n, rng())
    return block.momentum.reshape(-1, 3, 4), block.weight_pb[block.event[::3]], n


def ways(momenta: FloatArray) -> tuple[FloatArray, tuple[FloatArray, FloatArray]]:
    s, wide = np.full(len(momenta), S_GEV2), np.ones(len(momenta))
    minus = module._Way(1.0, s, momenta[:, 2], wide).virtuality(momenta[:, 0])
    plus = module._Way(-1.0, s, momenta[:, 2], wide).virtuality(momenta[:, 1])
    return s, (minus, plus)


def test_wide_angles_have_the_massless_amplitude() -> None:
    momenta, _, _ = events()
    s, virtualities = ways(momenta)
    wide = np.minimum(*virtualities) > 0.05
    assert wide.sum() > 300
    exact = squared_amplitude(*momenta.transpose(1, 0, 2), s, virtualities)
    other = radiative_bhabha.squared_amplitude(*momenta.transpose(1, 0, 2), s)
    np.testing.assert_allclose(exact[wide], other[wide], rtol=1e-3)


@pytest.mark.parametrize(
    ("factor", "y", "tolerance"),
    [(1.05, 0.8, 1e-5), (1.2, 0.5, 1e-5), (3.0, 0.5, 1e-5), (100.0, 0.3, 1e-5), (1e4, 0.5, 1e-3)],
)
def test_an_electron_along_its_beam_is_a_photon(factor: float, y: float, tolerance: float) -> None:
    """Equivalent photons with the mass term times Compton scattering, averaged over the azimuth.

    The difference is of the order of -q^2 over the squared energy: 1e-6 at 1e-7 GeV^2.
    """
    beam = 0.5 * ENERGY
    # electron scattering of a real photon of energy y E on the positron, at some angle
    s_hat = y * S_GEV2
    cosine = 0.2
    shift = 0.5 * math.log(y)  # rapidity of the photon-positron system
    at_rest = 0.5 * math.sqrt(s_hat) * np.array([1.0, math.sqrt(1.0 - cosine**2), 0.0, cosine])
    gamma, slope = math.cosh(shift), math.sinh(shift)
    photon = np.array([
        gamma * at_rest[0] + slope * at_rest[3], at_rest[1], 0.0,
        gamma * at_rest[3] + slope * at_rest[0],
    ])  # fmt: skip
    n = 64
    photons, s = np.tile(photon, (n, 1)), np.full(n, S_GEV2)
    least = (M_E * y) ** 2 / (1.0 - y)
    versine = (factor - 1.0) * least / (2.0 * beam**2 * (1.0 - y))
    phi = 2.0 * np.pi * np.arange(n) / n
    sine = math.sqrt(versine * (2.0 - versine))
    axis = np.stack([sine * np.cos(phi), sine * np.sin(phi), np.full(n, 1.0 - versine)], axis=-1)
    way = module._Way(1.0, s, photons, np.ones(n))
    size = way._momentum(-(axis * photons[:, 1:]).sum(axis=1))
    electron = np.concatenate([np.hypot(size, M_E)[:, None], size[:, None] * axis], axis=1)
    positron = np.array([ENERGY, 0.0, 0.0, 0.0]) - photons - electron
    momenta = np.stack([electron, positron, photons], axis=1)
    np.testing.assert_allclose(dot(positron, positron), M_E**2, atol=1e-9)
    _, virtualities = ways(momenta)
    assert virtualities[0].mean() == pytest.approx(factor * least, rel=tolerance)
    found = squared_amplitude(electron, positron, photons, s, virtualities)
    square = virtualities[0]
    u_hat = -0.5 * s_hat * (1.0 + cosine)  # of the incoming positron and the outgoing photon
    compton = 2.0 * (4.0 * math.pi * ALPHA) ** 2 * (-u_hat / s_hat - s_hat / u_hat)
    flux = (1.0 + (1.0 - y) ** 2) / (y**2 * square) - 2.0 * M_E**2 / square**2
    expected = 8.0 * math.pi * ALPHA * flux * compton
    assert found.mean() / expected.mean() == pytest.approx(1.0, abs=tolerance)


def test_a_longitudinal_photon_decouples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gauge invariance: the polarisation k gives nothing, down to the smallest virtualities."""
    momenta, _, _ = events(4_000)
    s, virtualities = ways(momenta)
    real = module._amplitudes(*momenta.transpose(1, 0, 2), s, virtualities)
    monkeypatch.setattr(module, "_polarisations", lambda photon: np.stack([photon] * 2, axis=1))
    none = module._amplitudes(*momenta.transpose(1, 0, 2), s, virtualities)
    sizes = [np.abs(part).reshape(len(momenta), -1).max(axis=1) for part in (none, real)]
    assert np.minimum(*virtualities).min() < 1e-6
    assert (sizes[0] / sizes[1]).max() < 1e-4
    assert np.median(sizes[0] / sizes[1]) < 1e-9


def edge_gev(theta_deg: float) -> float:
    """Largest energy of a photon at a polar angle, c.m., whose electrons are both lost."""

    def cm(lab_deg: float) -> float:
        cosine = math.cos(math.radians(lab_deg))
        return math.acos((cosine - BOOST_BETA) / (1.0 - BOOST_BETA * cosine))

    photon, minus, plus = math.radians(theta_deg), -cm(12.4), -cm(155.1)
    # three massless momenta in a plane: energies as the sines of the angles between the others
    sines = [math.sin(abs(minus - plus)), math.sin(abs(photon - plus)), math.sin(photon - minus)]
    return ENERGY * sines[0] / sum(abs(one) for one in sines)


@pytest.mark.parametrize(
    ("theta_deg", "energy_gev", "recoil_gev"),
    [(90.0, 2.46, 7.74), (60.0, 2.77, 7.30), (120.0, 2.72, 7.38), (30.0, 4.10, 5.03)],
)
def test_there_is_an_edge(theta_deg: float, energy_gev: float, recoil_gev: float) -> None:
    """The closed form has the numbers that are known, and no photon is beyond it."""
    edge = edge_gev(theta_deg)
    assert edge == pytest.approx(energy_gev, abs=0.006)
    assert math.sqrt(S_GEV2 - 2.0 * ENERGY * edge) == pytest.approx(recoil_gev, abs=0.02)


def test_photons_end_at_the_edge() -> None:
    """Below it at every angle, and close to it at some."""
    momenta, _, _ = events(60_000)
    photon = momenta[:, 2]
    theta = np.degrees(np.arccos(photon[:, 3] / photon[:, 0]))
    edge = np.array([edge_gev(angle) for angle in theta])
    assert (photon[:, 0] < edge * (1.0 + 1e-9)).all()
    assert (photon[:, 0] / edge).max() > 0.97


def test_the_cross_section_is_that_of_the_other_generator() -> None:
    """All three at wide angles: another phase space and amplitude, the same rate (4 sigma)."""

    def chosen(momenta: FloatArray) -> FloatArray:
        cosine = momenta[..., 3] / momenta[..., 0]
        inside = (cosine[:, 0] < 0.92) & (cosine[:, 0] > 0.5)
        inside &= (cosine[:, 1] > -0.92) & (cosine[:, 1] < -0.5)
        inside &= (np.abs(cosine[:, 2]) < 0.5) & (momenta[..., 0] > 1.0).all(axis=1)
        return np.asarray(inside)

    found = []
    for process, n in (
        (ForwardBhabha(min_energy_gev=1.0, max_cosine=0.5, lost_below_deg=55.0,
                       lost_above_deg=100.0, isr=False), 60_000),
        (radiative_bhabha.RadiativeBhabha(min_energy_gev=1.0, max_cosine=0.93,
                                          min_angle_rad=0.05, isr=False), 100_000),
    ):  # fmt: skip
        block = process.generate(n, rng(4))
        weights = np.zeros(n)
        momenta = block.momentum.reshape(-1, 3, 4)
        weights[block.event[::3]] = block.weight_pb[block.event[::3]] * chosen(momenta)
        found.append((weights.mean(), weights.std() / math.sqrt(n)))
    assert abs(found[0][0] - found[1][0]) < 4.0 * math.hypot(found[0][1], found[1][1])
    assert max(error / value for value, error in found) < 0.05


def test_electrons_are_lost_and_momentum_is_not() -> None:
    block = ForwardBhabha(min_energy_gev=1.5).generate(4_000, rng(5))
    again = ForwardBhabha(min_energy_gev=1.5).generate(4_000, rng(5))
    np.testing.assert_array_equal(block.momentum, again.momentum)
    momenta = block.momentum.reshape(-1, 3, 4)
    lab = to_lab(momenta)
    theta = np.degrees(np.arccos(lab[..., 3] / np.linalg.norm(lab[..., 1:], axis=-1)))
    assert (theta[:, 0] < 12.4 + 1e-4).all()
    assert (theta[:, 1] > 155.1 - 1e-4).all()
    np.testing.assert_allclose(momenta[..., 1:3].sum(axis=1), 0.0, atol=1e-9)
    total = momenta.sum(axis=1)
    assert (dot(total, total) < S_GEV2 * (1.0 + 1e-9)).all()


@pytest.mark.parametrize(
    "given", [{"min_energy_gev": 0.0}, {"max_cosine": 1.0}, {"lost_below_deg": 95.0}]
)
def test_what_cannot_be_is_refused(given: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="forward_bhabha"):
        ForwardBhabha(**given)  # type: ignore[arg-type]
