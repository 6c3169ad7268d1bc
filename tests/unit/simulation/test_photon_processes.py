"""Three photons, ALP-strahlung and radiation against explicit diagrams and known integrals."""

import itertools
import math

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.simulation.axion_strahlung import AxionStrahlung, MesonPhoton
from darkstats.simulation.initial_state_radiation import radiate, radiator, strength
from darkstats.simulation.kinematics import (
    ALPHA,
    CM_ENERGY_GEV,
    boost_to,
    invariant_mass_squared,
    isotropic,
    massless,
    to_cm,
    to_lab,
)
from darkstats.simulation.three_photons import (
    ThreePhotons,
    squared_amplitude,
    two_photon_cross_section_pb,
)

S = CM_ENERGY_GEV**2


def generator(seed=1):
    return np.random.Generator(np.random.Philox(seed))


# --- explicit Dirac algebra -------------------------------------------------------------------
I2, ZERO = np.eye(2), np.zeros((2, 2))
PAULI = (
    np.array([[0, 1], [1, 0]]),
    np.array([[0, -1j], [1j, 0]]),
    np.array([[1, 0], [0, -1]]),
)
GAMMA = [np.block([[I2, ZERO], [ZERO, -I2]])] + [np.block([[ZERO, s], [-s, ZERO]]) for s in PAULI]
METRIC = np.diag([1.0, -1.0, -1.0, -1.0])


def slash(p):
    return sum(METRIC[m, m] * p[m] * GAMMA[m] for m in range(4))


def six_diagrams(photons, s):
    """Spin-averaged squared amplitude of massless e- e+ -> 3 gamma by traces."""
    half = 0.5 * math.sqrt(s)
    p, q = np.array([half, 0, 0, half]), np.array([half, 0, 0, -half])
    total = 0.0
    amplitude = {}
    for indices in itertools.product(range(4), repeat=3):
        matrix = np.zeros((4, 4), dtype=complex)
        for order in itertools.permutations(range(3)):
            a, b, c = order
            inner, outer = p - photons[a], photons[c] - q
            matrix += (
                GAMMA[indices[c]]
                @ slash(outer)
                @ GAMMA[indices[b]]
                @ slash(inner)
                @ GAMMA[indices[a]]
                / ((outer @ METRIC @ outer) * (inner @ METRIC @ inner))
            )
        amplitude[indices] = matrix
    for indices, matrix in amplitude.items():
        sign = np.prod([-METRIC[i, i] for i in indices])
        conjugate = GAMMA[0] @ matrix.conj().T @ GAMMA[0]
        total += sign * np.trace(slash(q) @ matrix @ slash(p) @ conjugate).real
    return (4 * math.pi * ALPHA) ** 3 * total / 4.0


@pytest.mark.parametrize("seed", range(4))
def test_amplitude_is_that_of_six_diagrams(seed):
    rng = generator(seed)
    pair_mass = rng.uniform(2.0, 9.0)
    energy = (S - pair_mass**2) / (2 * CM_ENERGY_GEV)
    soft = massless(np.array([energy]), isotropic(1, rng))
    pair = -soft
    pair[:, 0] = CM_ENERGY_GEV - energy
    first = massless(np.array([0.5 * pair_mass]), isotropic(1, rng))
    second = first * np.array([1.0, -1.0, -1.0, -1.0])
    photons = np.stack([soft, boost_to(first, pair), boost_to(second, pair)], axis=1)
    ours = squared_amplitude(photons, np.array([S]))[0]
    assert ours == pytest.approx(six_diagrams(photons[0], S), rel=1e-11)


@pytest.mark.parametrize(
    ("energy", "cosine", "known"),
    [(0.5, 0.8, 29.316), (1.0, 0.8, 18.339), (0.5, math.cos(math.radians(10)), 185.30)],
)
def test_cross_sections_come_out_as_integrated_elsewhere(energy, cosine, known):
    block = ThreePhotons(min_energy_gev=energy, max_cosine=cosine, isr=False).generate(
        300_000, generator()
    )
    error = block.weight_pb.std() / math.sqrt(block.n_events)
    assert error < 0.005 * known
    assert abs(block.cross_section_pb - known) < 4.0 * error


def test_cuts_of_the_search_in_the_laboratory():
    block = ThreePhotons(isr=False).generate(400_000, generator(2))
    lab = to_lab(block.momentum).reshape(-1, 3, 4)
    theta = np.degrees(np.arccos(lab[..., 3] / lab[..., 0]))
    weight = block.weight_pb[block.event[::3]]
    for threshold, known in ((0.65, 14.245), (1.0, 10.473)):
        kept = ((theta > 37.3) & (theta < 123.7) & (lab[..., 0] > threshold)).all(axis=1)
        found = weight[kept].sum() / block.n_events
        error = math.sqrt((weight[kept] ** 2).sum()) / block.n_events
        assert abs(found - known) < 4.0 * error


def test_four_momentum_is_conserved_without_radiation():
    for process in (ThreePhotons(isr=False), AxionStrahlung(mass_gev=2.0, isr=False)):
        block = process.generate(1000, generator())
        total = block.momentum.reshape(-1, 3, 4).sum(axis=1)
        np.testing.assert_allclose(total, [[CM_ENERGY_GEV, 0, 0, 0]] * len(total), atol=1e-9)


def test_same_stream_same_events():
    one = ThreePhotons().generate(500, generator(7))
    two = ThreePhotons().generate(500, generator(7))
    np.testing.assert_array_equal(one.momentum, two.momentum)
    np.testing.assert_array_equal(one.weight_pb, two.weight_pb)


def test_two_photons_at_born_level():
    cosine = math.cos(math.radians(10))
    assert two_photon_cross_section_pb(cosine) == pytest.approx(4522, rel=1e-3)


@pytest.mark.parametrize("mass", [0.2, 5.0, 9.7])
def test_the_last_two_photons_make_the_signal(mass):
    block = AxionStrahlung(mass_gev=mass).generate(2000, generator())
    photons = block.momentum.reshape(-1, 3, 4)
    squared = invariant_mass_squared(photons[:, 1] + photons[:, 2])
    np.testing.assert_allclose(squared, mass**2, rtol=1e-6, atol=1e-8)


def test_signal_is_one_picobarn_at_born_level():
    block = AxionStrahlung(mass_gev=3.0, isr=False).generate(10, generator())
    assert block.cross_section_pb == pytest.approx(1.0, rel=1e-12)


def test_recoil_photon_follows_one_plus_cosine_squared():
    block = AxionStrahlung(mass_gev=1.0, isr=False).generate(200_000, generator())
    photon = block.momentum.reshape(-1, 3, 4)[:, 0]
    cosine = photon[:, 3] / photon[:, 0]
    # <c^2> of (3/8)(1 + c^2) is 2/5; <c^4> - <c^2>^2 = 9/35 - 4/25.
    error = math.sqrt((9 / 35 - 4 / 25) / len(cosine))
    assert abs((cosine**2).mean() - 0.4) < 4 * error
    assert abs(cosine.mean()) < 4 * math.sqrt(0.4 / len(cosine))


def test_radiation_costs_what_the_structure_function_says():
    b = strength()
    assert b == pytest.approx(0.0877, abs=5e-5)
    least = 0.6
    one_beam = (1 + 0.375 * b) * (1 - least) ** (0.5 * b)
    one_beam -= 0.25 * b * ((1 - least) + 0.5 * (1 - least**2))
    drawn = radiate(200_000, generator(), least_fraction=least)
    error = drawn.weight.std() / math.sqrt(200_000)
    assert abs(drawn.weight.mean() - one_beam**2) < 4 * error
    # D itself, where it is regular.
    x = np.linspace(least, 0.99, 100_001)
    direct = np.trapezoid(radiator(x, b), x)
    part = (1 + 0.375 * b) * ((1 - least) ** (0.5 * b) - 0.01 ** (0.5 * b))
    part -= 0.25 * b * ((0.99 - least) + 0.5 * (0.99**2 - least**2))
    assert direct == pytest.approx(part, rel=1e-7)


def test_without_radiation_nothing_is_lost():
    quiet = radiate(5, generator(), enabled=False)
    np.testing.assert_allclose(quiet.s_gev2, S, rtol=1e-14)
    np.testing.assert_array_equal(quiet.weight, 1.0)


def test_a_meson_carries_its_cross_section():
    block = MesonPhoton(meson="eta", mass_gev=0.547862, cross_section_fb=2.0, isr=False).generate(
        10, generator()
    )
    assert block.cross_section_pb == pytest.approx(2e-3)


def test_boosts_undo_each_other():
    momenta = massless(np.array([1.0, 2.0]), isotropic(2, generator()))
    np.testing.assert_allclose(to_cm(to_lab(momenta)), momenta, rtol=1e-12)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_hard_radiation_is_the_same_radiation(share):
    """Moments of the energy that is lost: those of the radiator, however they are drawn."""
    b, most, n = strength(), 0.85, 200_000
    found = radiate(n, generator(3), least_fraction=1.0 - most, hard_share=share)
    kept = found.s_gev2 / S
    turned = (1.0 + found.beta) / (1.0 - found.beta)
    x = np.sqrt(np.stack([kept * turned, kept / turned]))
    # integral of (1 - x)^k D(x) from 1 - most to 1, in closed form
    half, q = 0.5 * b, 1.0 + 0.375 * b
    moments = [
        half * q * most ** (half + k) / (half + k)
        - 0.25 * b * (2.0 * most ** (k + 1) / (k + 1) - most ** (k + 2) / (k + 2))
        for k in range(3)
    ]
    for first, second in ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1)):
        drawn = found.weight * (1.0 - x[0]) ** first * (1.0 - x[1]) ** second
        error = drawn.std() / math.sqrt(n)
        assert abs(drawn.mean() - moments[first] * moments[second]) < 5.0 * error
        assert error < 0.02 * drawn.mean()


def test_parts_of_three_photons_add_up():
    """Events with a photon where none is seen, and the others (5 sigma)."""
    ranges = ((31.4, 32.2), (128.7, 130.7), (155.1, 175.0))
    found = {}
    for part, given in (("inside", ranges), ("outside", ranges), ("all", ())):
        process = ThreePhotons(min_energy_gev=0.2, max_cosine=0.96, ranges_deg=given, part=part)
        block = process.generate(60_000, generator(4))
        found[part] = block.weight_pb.mean(), block.weight_pb.std() / math.sqrt(60_000)
        lab = to_lab(block.momentum).reshape(-1, 3, 4)
        theta = np.degrees(np.arccos(lab[..., 3] / lab[..., 0]))
        there = np.any([(theta > low) & (theta < high) for low, high in ranges], axis=(0, 2))
        if part != "all":
            assert (there == (part == "inside")).all()
    error = math.hypot(*(one[1] for one in found.values()))
    assert abs(found["inside"][0] + found["outside"][0] - found["all"][0]) < 5.0 * error
    assert error < 0.05 * found["all"][0]


def test_all_photons_within_polar_angles():
    """The others are left out, and those that stay are the same events."""
    found = {}
    for within in ((0.0, 180.0), (12.4, 155.1)):
        process = ThreePhotons(min_energy_gev=0.2, max_cosine=0.96, within_deg=within)
        block = process.generate(5_000, generator(5))
        lab = to_lab(block.momentum).reshape(-1, 3, 4)
        theta = np.degrees(np.arccos(lab[..., 3] / lab[..., 0]))
        inside = np.all((theta > 12.4) & (theta < 155.1), axis=1)
        found[within] = block.weight_pb[block.event[::3]][inside]
        assert inside.all() == (within != (0.0, 180.0))
    np.testing.assert_array_equal(*found.values())
    assert "within_deg" not in ThreePhotons().settings()


@pytest.mark.parametrize(
    "given", [{"part": "some"}, {"part": "inside"}, {"ranges_deg": ((31.4, 32.2),)}]
)
def test_parts_of_three_photons_that_cannot_be(given):
    with pytest.raises(OptionError, match="three_photons"):
        ThreePhotons(**given)
