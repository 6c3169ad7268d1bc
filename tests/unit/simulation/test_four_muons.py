"""e+e- -> 4 mu: gauge invariance, exchange, known limits, and the phase space of the generator."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.signals.constants import ALPHA, PB_GEV2, S_GEV2
from darkstats.signals.dirac import slash
from darkstats.signals.lmu_ltau import decay_correlation
from darkstats.signals.lmu_ltau import squared_amplitude as with_vector
from darkstats.simulation import four_muons
from darkstats.simulation.four_muons import FourMuons, amplitudes, squared_amplitude
from darkstats.simulation.kinematics import M_MU, boost_to, dot, isotropic, two_body_momentum
from darkstats.simulation.muon_pair_vector import MuonPairVector

E2 = 4.0 * math.pi * ALPHA


def two_body(
    total: Any, one_gev: float, two_gev: float, rng: np.random.Generator, axis: Any = None
) -> Any:
    """Two momenta of given masses, isotropic in the rest frame of their sum."""
    mass = np.sqrt(dot(total, total))
    momentum = two_body_momentum(mass, one_gev, two_gev)
    axis = isotropic(len(total), rng) if axis is None else axis
    rest = np.concatenate(
        [np.sqrt(one_gev**2 + momentum**2)[:, None], momentum[:, None] * axis], axis=1
    )
    first = boost_to(rest, total)
    return first, total - first


def events(n: int, seed: int = 1, mass_gev: float = M_MU, pair_gev: float = 1.0) -> Any:
    """Four muons, the second pair of a given mass."""
    rng = np.random.default_rng(seed)
    total = np.tile([math.sqrt(S_GEV2), 0.0, 0.0, 0.0], (n, 1))
    heavy, light = two_body(total, 6.0, pair_gev, rng)
    one, two = two_body(heavy, mass_gev, mass_gev, rng), two_body(light, mass_gev, mass_gev, rng)
    return np.stack([one[0], two[0]], axis=1), np.stack([one[1], two[1]], axis=1), heavy, light


def squared(parts: Any) -> Any:
    return (np.abs(parts) ** 2).sum(axis=tuple(range(1, 7)))


@pytest.mark.parametrize("pairings", [1, 2])
def test_a_longitudinal_photon_of_the_beams_couples_to_nothing(pairings: int) -> None:
    """The sum of what muons radiate is gauge invariant; any diagram alone is not."""
    minus, plus, heavy, light = events(5)
    s = np.full(5, S_GEV2)
    q = slash(heavy + light)[:, None, None] * np.ones((1, 2, 2, 1, 1))
    zero = amplitudes(minus, plus, s, beam=q, parts=("muons",), pairings=pairings)
    scale = amplitudes(
        minus, plus, s, beam=np.abs(q), parts=("muons",), pairings=pairings
    )  # fmt: skip
    assert np.abs(zero).max() < 1e-11 * np.abs(scale).max()


def test_like_muons_can_be_exchanged() -> None:
    minus, plus, *_ = events(20, seed=3)
    s = np.full(20, S_GEV2)
    expected = squared_amplitude(minus, plus, s)
    for other in (
        squared_amplitude(minus[:, ::-1], plus, s), squared_amplitude(minus, plus[:, ::-1], s),
    ):  # fmt: skip
        np.testing.assert_allclose(other, expected, rtol=1e-9)
    one = squared(amplitudes(minus, plus, s, pairings=1))
    assert np.abs(one / squared(amplitudes(minus[:, ::-1], plus, s, pairings=1)) - 1.0).min() > 1e-3


def test_a_radiated_pair_is_a_vector_boson_that_decays() -> None:
    """Averaged over its decay: e^2 / q^4 times q^2 (1 + 2 r) sqrt(1 - 4 r) / (6 pi), over Phi2.

    Pointwise in all else; the sum over helicities of the second pair is a polynomial of degree two
    in its direction, which fourteen directions integrate exactly.
    """
    minus, plus, _, light = events(8, seed=5)
    s, square = np.full(8, S_GEV2), dot(light, light)
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / 3**0.5
    axes = np.concatenate([np.eye(3), -np.eye(3)]), corners
    weights = (1.0 / 15.0, 3.0 / 40.0)  # exact up to degree 5
    average = np.zeros(8)
    for directions, weight in zip(axes, weights, strict=True):
        for axis in directions:
            one, two = two_body(light, M_MU, M_MU, np.random.default_rng(0), np.tile(axis, (8, 1)))
            m, p = minus.copy(), plus.copy()
            m[:, 1], p[:, 1] = one, two
            average += weight * squared(_only_first(m, p, s))
    ratio = M_MU**2 / square
    decay = 8.0 * math.pi / 6.0 / math.pi * (1.0 + 2.0 * ratio) / square
    expected = with_vector(minus[:, 0], plus[:, 0], light, s) * E2 * E2 * decay
    np.testing.assert_allclose(E2**4 / 4.0 * average, expected, rtol=1e-9)


def test_decays_of_a_vector_boson_are_those_of_a_radiated_pair() -> None:
    """At every point: the correlation is what four-muon amplitudes have, propagator apart."""
    minus, plus, _, light = events(200, seed=11)
    s, square = np.full(200, S_GEV2), dot(light, light)
    ratio = M_MU**2 / square
    decay = 8.0 / 6.0 * (1.0 + 2.0 * ratio) / square
    relative = decay_correlation((minus[:, 0], plus[:, 0]), (minus[:, 1], plus[:, 1]))
    expected = with_vector(minus[:, 0], plus[:, 0], light, s) * E2 * E2 * decay * relative
    found = E2**4 / 4.0 * squared(_only_first(minus, plus, s))
    # the sum over azimuths of the beams is in both: all but the overall rotation is compared
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert relative.min() < 0.7
    assert relative.max() > 1.2


@pytest.mark.parametrize("boson", ["vector", "scalar"])
def test_a_boson_decays_to_muons(boson: str) -> None:
    """Its mass, a rate of 1 pb without radiation, and isotropic decays of a scalar."""
    process = MuonPairVector(mass_gev=2.0, decay="mumu", boson=boson, isr=False)
    block = process.generate(20_000, np.random.default_rng(3))
    four = block.momentum.reshape(-1, 4, 4)
    pair = four[:, 2] + four[:, 3]
    np.testing.assert_allclose(dot(pair, pair), 4.0, rtol=1e-8)
    np.testing.assert_allclose(four.sum(axis=1)[:, 0] ** 2, S_GEV2, rtol=1e-9)
    assert (block.pdg_id.reshape(-1, 4) == [13, -13, 13, -13]).all()
    error = block.weight_pb.std() / math.sqrt(20_000)
    assert error < 0.03
    assert block.weight_pb.mean() == pytest.approx(1.0, abs=4.0 * error)
    unseen = MuonPairVector(mass_gev=2.0, boson=boson, isr=False)
    other = unseen.generate(20_000, np.random.default_rng(3))
    kept = other.weight_pb > 0.0
    relative = block.weight_pb[kept] / other.weight_pb[kept]
    assert relative.mean() == pytest.approx(1.0, abs=0.02)
    assert (np.ptp(relative) == 0.0) == (boson == "scalar")


def test_what_does_not_decay_to_muons_is_refused() -> None:
    for given in ({"mass_gev": 0.2, "decay": "mumu"}, {"mass_gev": 2.0, "boson": "tensor"}):
        with pytest.raises(OptionError, match="muon_pair_vector"):
            MuonPairVector(**given)  # type: ignore[arg-type]


def _only_first(minus: Any, plus: Any, s: Any) -> Any:
    """The diagrams in which the first pair comes from the beams."""
    lines = four_muons._Lines.of(minus, plus, s, (M_MU, M_MU))
    current = np.einsum("nki,vij,nhj->nkhv", lines.positron, four_muons.GAMMA, lines.electron)
    beam = np.einsum(
        "nkhv,v,vij->nkhij", current / s[:, None, None, None], four_muons.METRIC, four_muons.GAMMA
    )
    return four_muons._from_muons(lines, (0, 0), (1, 1), beam)


def test_two_light_pairs_are_two_photons() -> None:
    """Light pairs from the electron line: 2 e^4 (t/u + u/t), averaged over both decays."""
    rng, mass, pair = np.random.default_rng(7), 1e-6, 1e-4
    n = 40_000
    total = np.tile([math.sqrt(S_GEV2), 0.0, 0.0, 0.0], (n, 1))
    axis = np.tile([math.sin(1.1), 0.0, math.cos(1.1)], (n, 1))
    one, two = two_body(total, pair, pair, rng, axis)
    first, second = two_body(one, mass, mass, rng), two_body(two, mass, mass, rng)
    minus, plus = np.stack([first[0], second[0]], 1), np.stack([first[1], second[1]], 1)
    s = np.full(n, S_GEV2)
    found = squared(
        amplitudes(minus, plus, s, masses_gev=(mass, mass), parts=("electrons",), pairings=1)
    )  # fmt: skip
    c = math.cos(1.1)
    photons = 2.0 * ((1.0 + c) / (1.0 - c) + (1.0 - c) / (1.0 + c))  # averaged over the beams
    decay = (8.0 / 6.0) ** 2 / pair**4
    value, error = found.mean() / 4.0, found.std() / math.sqrt(n) / 4.0
    assert abs(value / (photons * decay) - 1.0) < 4.0 * error / value
    assert error / value < 0.01


def _flat(n: int, rng: np.random.Generator) -> tuple[Any, Any, Any]:
    """Four muons by two-body steps with flat masses, and their phase space: another way."""
    energy = math.sqrt(S_GEV2)
    three = rng.uniform(3.0 * M_MU, energy - M_MU, n)
    two = 2.0 * M_MU + (three - 3.0 * M_MU) * rng.random(n)
    volume = (energy - 4.0 * M_MU) * (three - 3.0 * M_MU)
    total = np.tile([energy, 0.0, 0.0, 0.0], (n, 1))
    weight = volume * (2.0 * three) * (2.0 * two) / (2.0 * math.pi) ** 2
    last, rest = two_body(total, M_MU, three, rng)
    weight = weight * two_body_momentum(np.full(n, energy), M_MU, three) / energy
    third, pair = two_body(rest, M_MU, two, rng)
    weight = weight * two_body_momentum(three, M_MU, two) / three
    first, second = two_body(pair, M_MU, M_MU, rng)
    weight = weight * two_body_momentum(two, M_MU, M_MU) / two
    weight /= (4.0 * math.pi) ** 3
    return np.stack([first, third], 1), np.stack([second, last], 1), weight


def _wide(minus: Any, plus: Any) -> Any:
    """Muons at wide angles, with pairs that are heavy: the amplitude is smooth there."""
    muons = np.concatenate([minus, plus], axis=1)
    wide = (np.abs(muons[..., 3]) < 0.8 * np.linalg.norm(muons[..., 1:], axis=-1)).all(axis=1)
    for i in (0, 1):
        for j in (0, 1):
            pair = minus[:, i] + plus[:, j]
            wide &= dot(pair, pair) > 4.0
    return wide


def test_the_generator_fills_phase_space_with_its_weights() -> None:
    """The same cross section in a corner as by another way through phase space (4 sigma)."""
    block = FourMuons(isr=False).generate(60_000, np.random.default_rng(11))
    muons = block.momentum.reshape(-1, 4, 4)
    kept = block.event[::4]
    weights = np.zeros(block.n_events)
    weights[kept] = np.where(_wide(muons[:, ::2], muons[:, 1::2]), block.weight_pb[kept], 0.0)
    minus, plus, space = _flat(60_000, np.random.default_rng(13))
    inside = _wide(minus, plus)
    flat = np.zeros(len(space))
    s = np.full(int(inside.sum()), S_GEV2)
    value = squared_amplitude(minus[inside], plus[inside], s)
    flat[inside] = value * space[inside] * PB_GEV2 / (8.0 * S_GEV2)
    one, two = weights.mean(), flat.mean()
    errors = [w.std() / math.sqrt(len(w)) for w in (weights, flat)]
    assert abs(one - two) < 4.0 * math.hypot(*errors)
    assert max(errors) < 0.05 * one


def test_events_conserve_momentum_and_stand_still_for_a_seed() -> None:
    block = FourMuons().generate(2_000, np.random.default_rng(2))
    again = FourMuons().generate(2_000, np.random.default_rng(2))
    np.testing.assert_array_equal(block.momentum, again.momentum)
    muons = block.momentum.reshape(-1, 4, 4)
    np.testing.assert_allclose(dot(muons, muons), M_MU**2, rtol=1e-5)
    assert (np.abs(muons.sum(axis=1)[:, 1:3]) < 1e-9).all()
    assert set(block.pdg_id) == {13, -13}
    assert (block.weight_pb >= 0.0).all()
