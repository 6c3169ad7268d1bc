"""e+e- -> e+e- gamma: the closed form against eight diagrams, and phase space by two ways."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.signals.constants import ALPHA, PB_GEV2, S_GEV2
from darkstats.signals.dirac import GAMMA, METRIC, adjoint, slash, spinors_u, spinors_v
from darkstats.simulation.kinematics import dot, to_lab
from darkstats.simulation.radiative_bhabha import RadiativeBhabha, squared_amplitude

LOWER = GAMMA * METRIC[:, None, None]


def flat(n: int, seed: int) -> Any:
    """Three massless momenta, flat in phase space, whose volume is s / (256 pi^3)."""
    rng = np.random.default_rng(seed)
    x = rng.random((2, n))
    x = np.where(x.sum(axis=0) < 1.0, 1.0 - x, x)
    cosine = 1.0 - 2.0 * (x.sum(axis=0) - 1.0) / (x[0] * x[1])
    one = rng.normal(size=(n, 3))
    one /= np.linalg.norm(one, axis=1)[:, None]
    side = rng.normal(size=(n, 3))
    side -= (side * one).sum(axis=1)[:, None] * one
    side /= np.linalg.norm(side, axis=1)[:, None]
    sine = np.sqrt(np.maximum(1.0 - cosine**2, 0.0))
    two = cosine[:, None] * one + sine[:, None] * side
    half = 0.5 * math.sqrt(S_GEV2)
    first = (half * x[0])[:, None] * np.concatenate([np.ones((n, 1)), one], axis=1)
    second = (half * x[1])[:, None] * np.concatenate([np.ones((n, 1)), two], axis=1)
    third = np.array([2.0 * half, 0.0, 0.0, 0.0]) - first - second
    return first, second, third


def seen(momenta: Any, least_gev: float) -> Any:
    """Three clusters in the barrel of the calorimeter, 0.07 rad apart, laboratory."""
    lab = to_lab(momenta)
    theta = np.degrees(np.arccos(np.clip(lab[..., 3] / lab[..., 0], -1.0, 1.0)))
    found = ((theta > 37.3) & (theta < 123.7) & (lab[..., 0] > least_gev)).all(axis=1)
    for i in range(3):
        for j in range(i):
            least = (1.0 - math.cos(0.07)) * lab[:, i, 0] * lab[:, j, 0]
            found &= dot(lab[:, i], lab[:, j]) > least
    return found


def diagrams(electron: Any, positron: Any, photon: Any) -> Any:
    """Four diagrams in the s and four in the t channel, spins summed with Dirac matrices."""
    n = len(electron)
    half, zero = np.full(n, 0.5 * math.sqrt(S_GEV2)), np.zeros(n)
    beams = [np.stack([half, zero, zero, sign * half], axis=-1) for sign in (1.0, -1.0)]
    u, v_bar = spinors_u(beams[0], 0.0), adjoint(spinors_v(beams[1], 0.0))
    u_bar, v = adjoint(spinors_u(electron, 0.0)), spinors_v(positron, 0.0)

    def inside(p: Any) -> Any:
        return slash(p) / dot(p, p)[:, None, None]

    def line(row: Any, matrix: Any, column: Any) -> Any:
        matrix = np.broadcast_to(matrix, (n, 4, 4))
        return np.einsum("nai,nij,nbj->nab", row, matrix, column)

    def over(p: Any) -> Any:
        return dot(p, p)[:, None, None]

    early, late = inside(beams[0] - photon), inside(photon - beams[1])
    after, before = inside(electron + photon), inside(-(positron + photon))
    total = np.zeros((n, 4, 2, 2, 2, 2), dtype=np.complex128)
    for mu, gamma in enumerate(GAMMA):
        for upper, lower in zip(GAMMA, LOWER, strict=True):
            annihilated = line(v_bar, upper @ early @ gamma + gamma @ late @ upper, u)
            created = line(u_bar, gamma @ after @ lower + lower @ before @ gamma, v)
            scattered = line(u_bar, upper @ early @ gamma + gamma @ after @ upper, u)
            turned = line(v_bar, gamma @ late @ lower + lower @ before @ gamma, v)
            total[:, mu] += np.einsum(
                "nab,ncd->nabcd", annihilated / over(electron + positron), line(u_bar, lower, v)
            ) + np.einsum(
                "nab,ncd->nabcd", line(v_bar, upper, u) / over(beams[0] + beams[1]), created
            )
            total[:, mu] -= np.einsum(
                "ncb,nad->nabcd", scattered / over(positron - beams[1]), line(v_bar, lower, v)
            ) + np.einsum(
                "ncb,nad->nabcd", line(u_bar, upper, u) / over(electron - beams[0]), turned
            )
    squares = (np.abs(total) ** 2).sum(axis=(2, 3, 4, 5))
    return -(METRIC * squares).sum(axis=1) / 4.0 * (4.0 * math.pi * ALPHA) ** 3


def test_the_closed_form_is_the_sum_of_the_diagrams() -> None:
    momenta = flat(40, seed=1)
    formula = squared_amplitude(*momenta, np.full(40, S_GEV2))
    np.testing.assert_allclose(diagrams(*momenta), formula, rtol=1e-8)


def test_a_soft_photon_factorises() -> None:
    """Bhabha scattering times the eikonal factor; the correction is of the order of k / E."""
    angle, soft = 1.0, 1e-6
    half = 0.5 * math.sqrt(S_GEV2)
    axis = np.array([math.sin(angle), 0.0, math.cos(angle)])
    photon = soft * np.array([[1.0, 0.0, math.sin(2.0), math.cos(2.0)]])
    pair = np.array([[2.0 * half, 0.0, 0.0, 0.0]]) - photon
    energy = dot(pair, pair)[0] / (2.0 * (pair[0, 0] - axis @ pair[0, 1:]))
    electron = energy * np.concatenate([[1.0], axis])[None]
    found = squared_amplitude(electron, pair - electron, photon, np.array([S_GEV2]))[0]
    s, t, u = S_GEV2, -S_GEV2 * (1.0 - axis[2]) / 2.0, -S_GEV2 * (1.0 + axis[2]) / 2.0
    charge = 4.0 * math.pi * ALPHA
    born = 2.0 * charge**2 * ((s**2 + u**2) / t**2 + (t**2 + u**2) / s**2 + 2.0 * u**2 / (s * t))
    beams = np.array([[half, 0.0, 0.0, half], [half, 0.0, 0.0, -half]])
    legs = [(beams[0], 1.0), (beams[1], -1.0), (electron[0], -1.0), ((pair - electron)[0], 1.0)]
    current = sum(sign * leg / dot(leg, photon[0]) for leg, sign in legs)
    assert found == pytest.approx(-charge * dot(current, current) * born, rel=1e-5)


@pytest.mark.parametrize(
    ("least_gev", "known_pb", "error_pb"), [(0.65, 314.2, 1.6), (1.0, 232.0, 1.1)]
)
def test_three_clusters_have_one_cross_section(
    least_gev: float, known_pb: float, error_pb: float
) -> None:
    """Importance sampling and flat phase space agree (4 sigma), and stay what they were."""
    process = RadiativeBhabha(
        min_energy_gev=0.75 * least_gev, max_cosine=0.93, min_angle_rad=0.05, isr=False
    )
    block = process.generate(60_000, np.random.default_rng(3))
    kept = block.event[::3]
    weights = np.zeros(block.n_events)
    inside = seen(block.momentum.reshape(-1, 3, 4), least_gev)
    weights[kept] = np.where(inside, block.weight_pb[kept], 0.0)
    momenta = flat(200_000, seed=4)
    chosen = seen(np.stack(momenta, axis=1), least_gev)
    other = np.zeros(200_000)
    amplitude = squared_amplitude(*(p[chosen] for p in momenta), np.full(chosen.sum(), S_GEV2))
    other[chosen] = amplitude * PB_GEV2 / (512.0 * math.pi**3)
    for found in (weights, other):
        spread = math.hypot(found.std() / math.sqrt(len(found)), error_pb)
        assert abs(found.mean() - known_pb) < 4.0 * spread
        assert spread < 0.06 * known_pb


def test_events_are_as_asked() -> None:
    block = RadiativeBhabha(min_energy_gev=0.5, max_cosine=0.8, min_angle_rad=0.1).generate(
        3_000, np.random.default_rng(5)
    )
    again = RadiativeBhabha(min_energy_gev=0.5, max_cosine=0.8, min_angle_rad=0.1).generate(
        3_000, np.random.default_rng(5)
    )
    np.testing.assert_array_equal(block.momentum, again.momentum)
    three = block.momentum.reshape(-1, 3, 4)
    assert (np.abs(three.sum(axis=1)[:, 1:3]) < 1e-9).all()
    assert (np.abs(dot(three, three)) < 1e-6).all()
    assert (block.weight_pb >= 0.0).all()
    assert set(block.pdg_id) == {11, -11, 22}


@pytest.mark.parametrize(
    "cut", [{"min_energy_gev": 0.0}, {"max_cosine": 1.0}, {"min_angle_rad": 0.0}]
)
def test_cuts_that_leave_a_singularity_are_refused(cut: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="radiative_bhabha"):
        RadiativeBhabha(**cut)
