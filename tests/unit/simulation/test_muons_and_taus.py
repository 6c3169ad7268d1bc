"""e+e- -> mu mu tau tau, tau pairs to three pions, Z' to taus, and the selection of four tracks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.signals.constants import ALPHA, BOOST_BETA, PB_GEV2, S_GEV2
from darkstats.signals.dirac import slash
from darkstats.signals.hadronic_ratio import M_PION_GEV
from darkstats.signals.lmu_ltau import squared_amplitude as with_vector
from darkstats.simulation import four_muons, muon_tau_pairs
from darkstats.simulation.detector import Detector
from darkstats.simulation.events import EventBlock
from darkstats.simulation.four_muons import amplitudes, squared_amplitude
from darkstats.simulation.kinematics import (
    M_MU,
    M_TAU,
    boost_to,
    boost_z,
    dot,
    isotropic,
    two_body_momentum,
)
from darkstats.simulation.muon_pair_vector import MuonPairVector
from darkstats.simulation.muon_tau_pairs import MuonTauPairs
from darkstats.simulation.muons_and_tracks import MuonsAndTracksSelection
from darkstats.simulation.tau_decays import ONE_PRONG, TAU_TO_THREE_PIONS
from darkstats.simulation.tau_three_prongs import TauThreeProngs

E2 = 4.0 * math.pi * ALPHA
MASSES = (M_MU, M_TAU)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def two_body(
    total: Any, one_gev: Any, two_gev: Any, source: np.random.Generator, axis: Any = None
) -> Any:
    momentum = two_body_momentum(np.sqrt(dot(total, total)), one_gev, two_gev)
    axis = isotropic(len(total), source) if axis is None else axis
    energy = np.sqrt(np.asarray(one_gev) ** 2 + momentum**2)
    first = boost_to(np.concatenate([energy[:, None], momentum[:, None] * axis], axis=1), total)
    return first, total - first


def events(n: int, seed: int = 1) -> Any:
    """A heavy pair of muons and a pair of taus of 4.2 GeV."""
    source = rng(seed)
    total = np.tile([math.sqrt(S_GEV2), 0.0, 0.0, 0.0], (n, 1))
    heavy, light = two_body(total, 5.0, 4.2, source)
    one, two = two_body(heavy, M_MU, M_MU, source), two_body(light, M_TAU, M_TAU, source)
    return np.stack([one[0], two[0]], axis=1), np.stack([one[1], two[1]], axis=1), heavy, light


def squared(parts: Any) -> Any:
    return (np.abs(parts) ** 2).sum(axis=tuple(range(1, 7)))


def test_a_longitudinal_photon_couples_to_nothing() -> None:
    """Muons that radiate taus, and taus that radiate muons: each lepton has its own mass."""
    minus, plus, heavy, light = events(5)
    s = np.full(5, S_GEV2)
    q = slash(heavy + light)[:, None, None] * np.ones((1, 2, 2, 1, 1))
    given = {"masses_gev": MASSES, "parts": ("muons",), "pairings": 1}
    zero = amplitudes(minus, plus, s, beam=q, **given)  # type: ignore[arg-type]
    scale = amplitudes(minus, plus, s, beam=np.abs(q), **given)  # type: ignore[arg-type]
    assert np.abs(zero).max() < 1e-11 * np.abs(scale).max()


def test_radiated_taus_are_a_vector_boson_that_decays() -> None:
    """Averaged over their directions: e^2 / q^4 times q^2 (1 + 2 r) 8 / 6, and Z' off a muon."""
    minus, plus, _, light = events(6, seed=5)
    s, square = np.full(6, S_GEV2), dot(light, light)
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / 3**0.5
    axes = np.concatenate([np.eye(3), -np.eye(3)]), corners
    average = np.zeros(6)
    for directions, weight in zip(axes, (1.0 / 15.0, 3.0 / 40.0), strict=True):
        for axis in directions:
            one, two = two_body(light, M_TAU, M_TAU, rng(), np.tile(axis, (6, 1)))
            m, p = minus.copy(), plus.copy()
            m[:, 1], p[:, 1] = one, two
            lines = four_muons._Lines.of(m, p, s, MASSES)
            current = np.einsum(
                "nki,vij,nhj->nkhv", lines.positron, four_muons.GAMMA, lines.electron
            )
            beam = np.einsum(
                "nkhv,v,vij->nkhij", current / s[:, None, None, None], four_muons.METRIC,
                four_muons.GAMMA,
            )  # fmt: skip
            average += weight * squared(four_muons._from_muons(lines, (0, 0), (1, 1), beam))
    ratio = M_TAU**2 / square
    decay = 8.0 / 6.0 * (1.0 + 2.0 * ratio) / square
    expected = with_vector(minus[:, 0], plus[:, 0], light, s) * E2 * E2 * decay
    np.testing.assert_allclose(E2**4 / 4.0 * average, expected, rtol=1e-9)


def test_the_generator_has_the_rate_of_flat_phase_space(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heavy pairs at wide angles, with masses and directions drawn flat (4 sigma)."""

    def wide(muons: Any, taus: Any) -> Any:
        masses = [dot(sum(pair), sum(pair)) for pair in (muons, taus)]
        found = (masses[0] > 4.0) & (masses[1] > 14.0)
        for p in (*muons, *taus):
            found &= np.abs(p[:, 3]) < 0.8 * np.linalg.norm(p[:, 1:], axis=1)
        return found

    kept: list[Any] = []

    def keep(minus: Any, plus: Any, s: Any, *, masses_gev: tuple[float, float]) -> Any:
        kept.append((minus, plus))
        return squared_amplitude(minus, plus, s, masses_gev=masses_gev)

    monkeypatch.setattr(muon_tau_pairs, "squared_amplitude", keep)
    block = MuonTauPairs(isr=False).generate(40_000, rng(11))
    ((minus, plus),) = kept
    inside = wide((minus[:, 0], plus[:, 0]), (minus[:, 1], plus[:, 1]))
    weights = np.zeros(block.n_events)
    places = block.event[::4]
    weights[places] = np.where(inside, block.weight_pb[places], 0.0) / ONE_PRONG**2
    n, energy = 40_000, math.sqrt(S_GEV2)
    source = rng(13)
    ends = [(2.0 * own, energy - 2.0 * other) for own, other in (MASSES, MASSES[::-1])]
    pair = [low + (high - low) * source.random(n) for low, high in ends]
    open_ = pair[0] + pair[1] < energy
    pair = [mass[open_] for mass in pair]
    total = np.tile([energy, 0.0, 0.0, 0.0], (open_.sum(), 1))
    first, second = two_body(total, pair[0], pair[1], source)
    muons, taus = two_body(first, M_MU, M_MU, source), two_body(second, M_TAU, M_TAU, source)
    space = np.prod([2.0 * mass / (2.0 * math.pi) for mass in pair], axis=0)
    space = space * (ends[0][1] - ends[0][0]) * (ends[1][1] - ends[1][0])
    space = space * two_body_momentum(energy, *pair) / (4.0 * math.pi * energy)
    for mass, lepton in zip(pair, MASSES, strict=True):
        space = space * two_body_momentum(mass, lepton, lepton) / (4.0 * math.pi * mass)
    chosen = wide(muons, taus)
    value = squared_amplitude(
        np.stack([muons[0], taus[0]], 1)[chosen], np.stack([muons[1], taus[1]], 1)[chosen],
        np.full(int(chosen.sum()), S_GEV2), masses_gev=MASSES,
    )  # fmt: skip
    flat = np.zeros(n)
    flat[np.flatnonzero(open_)[chosen]] = value * space[chosen] * PB_GEV2 / (2.0 * S_GEV2)
    errors = [w.std() / math.sqrt(len(w)) for w in (weights, flat)]
    assert abs(weights.mean() - flat.mean()) < 4.0 * math.hypot(*errors)
    assert max(errors) < 0.06 * flat.mean()


def test_tau_pairs_have_their_cross_section() -> None:
    """4 pi alpha^2 / 3 s times beta (3 - beta^2) / 2 and the branching fractions (5 sigma)."""
    block = TauThreeProngs(isr=False).generate(40_000, rng(3))
    beta = math.sqrt(1.0 - 4.0 * M_TAU**2 / S_GEV2)
    point = 4.0 * math.pi * ALPHA**2 / (3.0 * S_GEV2) * PB_GEV2
    expected = point * beta * (3.0 - beta**2) / 2.0 * 2.0 * ONE_PRONG * TAU_TO_THREE_PIONS
    error = block.weight_pb.std() / math.sqrt(block.n_events)
    assert abs(block.weight_pb.mean() - expected) < 5.0 * error
    four = block.momentum.reshape(-1, 4, 4)
    three = four[:, 1:].sum(axis=1)
    assert (dot(three, three) < M_TAU**2).all()
    codes = block.pdg_id.reshape(-1, 4)
    charges = np.sign(codes) * np.where(np.abs(codes) == 211, 1, -1)
    assert (charges.sum(axis=1) == 0).all()


def test_a_boson_decays_to_taus() -> None:
    """The same muons as of an invisible one; tracks of no charge in all; 1 pb without radiation."""
    process = MuonPairVector(mass_gev=6.0, decay="tautau", isr=False)
    block = process.generate(20_000, rng(4))
    other = MuonPairVector(mass_gev=6.0, isr=False).generate(20_000, rng(4))
    np.testing.assert_array_equal(block.weight_pb, other.weight_pb * ONE_PRONG**2)
    four = block.momentum.reshape(-1, 4, 4)
    np.testing.assert_array_equal(four[:, :2], other.momentum.reshape(-1, 2, 4))
    recoil = np.array([math.sqrt(S_GEV2), 0.0, 0.0, 0.0]) - four[:, 0] - four[:, 1]
    np.testing.assert_allclose(dot(recoil, recoil), 36.0, rtol=1e-8)
    tracks = four[:, 2] + four[:, 3]
    assert (dot(tracks, tracks) < 36.0).all()
    assert "decay" not in MuonPairVector(mass_gev=6.0).settings()
    for given in ({"mass_gev": 3.5, "decay": "tautau"}, {"mass_gev": 6.0, "decay": "ee"}):
        with pytest.raises(OptionError, match="muon_pair_vector"):
            MuonPairVector(**given)  # type: ignore[arg-type]


def block_of(*given: tuple[int, tuple[float, float, float]]) -> EventBlock:
    """One event of particles by number and momentum, laboratory, GeV."""
    masses = {11: 0.0005109989, 13: M_MU, 211: M_PION_GEV}
    lab = np.array([
        [math.sqrt(sum(x * x for x in p) + masses[abs(code)] ** 2), *p] for code, p in given
    ])  # fmt: skip
    return EventBlock(
        event=np.zeros(len(given), dtype=np.int64), pdg_id=np.array([code for code, _ in given]),
        momentum=boost_z(lab, -BOOST_BETA), weight_pb=np.array([2.0]),
    )  # fmt: skip


SHARP = Detector(track_smearing=0.0, lepton_efficiency=0.9, trigger_efficiency=0.5)
MUONS = ((13, (2.0, 0.3, 1.0)), (-13, (-1.0, 1.5, 0.5)))
TRACKS = ((-211, (0.4, -1.2, 0.8)), (211, (-0.9, -0.2, 0.9)))


def test_rows_are_pairs_that_may_be_muons() -> None:
    """Two muons, a muon and a pion twice, two pions, with their chances."""
    found = MuonsAndTracksSelection(pion_misidentification=0.1).apply(
        block_of(*MUONS, *TRACKS), SHARP, rng()
    )
    unit = 2.0 * 0.5 * 0.81
    np.testing.assert_allclose(np.sort(found.weight_pb), unit * np.array([0.01, 0.1, 0.1, 1.0]))
    row = int(np.argmax(found.weight_pb))
    p = block_of(*MUONS, *TRACKS).momentum
    beams = np.array([math.sqrt(S_GEV2), 0.0, 0.0, 0.0])
    recoil, missing = beams - p[0] - p[1], beams - p.sum(axis=0)
    expected = {
        "recoil_mass_squared_gev2": dot(recoil, recoil),
        "m_mumu_gev": math.sqrt(dot(p[0] + p[1], p[0] + p[1])),
        "four_track_mass_gev": math.sqrt(dot(p.sum(axis=0), p.sum(axis=0))),
        "track_pair_mass_gev": math.sqrt(dot(p[2] + p[3], p[2] + p[3])),
        "missing_mass_squared_gev2": dot(missing, missing),
        "missing_pt_gev": math.hypot(missing[1], missing[2]),
        "least_three_track_mass_gev": min(
            math.sqrt(dot(p.sum(axis=0) - one, p.sum(axis=0) - one)) for one in p
        ),
    }
    for name, value in expected.items():
        assert found[name][row] == pytest.approx(value, rel=1e-7), name
    only = MuonsAndTracksSelection().apply(block_of(*MUONS, *TRACKS), SHARP, rng())
    assert len(only) == 1


@pytest.mark.parametrize(
    "particles",
    [
        (*MUONS, TRACKS[0]),
        (*MUONS, *TRACKS, (211, (0.5, 0.5, 0.5))),
        (*MUONS, TRACKS[0], (-211, (0.5, 0.5, 0.5))),
        (*MUONS, TRACKS[0], (211, (0.05, 0.0, 0.1))),
        ((13, (0.3, 0.2, 0.1)), *MUONS[1:], *TRACKS),
    ],
)
def test_other_events_are_left_out(particles: Any) -> None:
    """Three or five tracks, a charge of two, a track that is too soft, a muon that is."""
    assert len(MuonsAndTracksSelection().apply(block_of(*particles), SHARP, rng())) == 0


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(OptionError, match="pion_misidentification"):
        MuonsAndTracksSelection(pion_misidentification=1.2)
